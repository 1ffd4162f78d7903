package config

import "strings"

// The ways in which a line treats who calls while it talks. A change opens the line anew, after its call.
const (
	SecondCallerBusy  = "busy"
	SecondCallerWaits = "wait"
)

func (c *Config) normaliseModems() {
	for i := range c.Lines {
		if c.Lines[i].SecondCaller == "" {
			c.Lines[i].SecondCaller = SecondCallerBusy
		}
	}
}

// modem checks which modem a line is, and what it does.
func (v *validator) modem(path string, l *Line) {
	if l.IMEI != "" && (len(l.IMEI) != 15 || strings.Trim(l.IMEI, "0123456789") != "") {
		v.found.add(path+".imei", "number", "%q is not the 15 digits that *#06# or the label of the modem shows", l.IMEI)
	}
	if l.ICCID != "" && (len(l.ICCID) < 18 || len(l.ICCID) > 20 || strings.Trim(l.ICCID, "0123456789") != "") {
		v.found.add(path+".iccid", "number", "%q is not the 18 to 20 digits that are printed on the SIM", l.ICCID)
	}
	if l.SecondCaller != "" && l.SecondCaller != SecondCallerBusy && l.SecondCaller != SecondCallerWaits {
		v.found.add(path+".second_caller", "choice", "%q is neither busy nor wait", l.SecondCaller)
	}
}
