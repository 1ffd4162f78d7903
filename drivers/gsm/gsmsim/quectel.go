package gsmsim

import (
	"fmt"
	"strings"
)

const (
	// quectelFull and quectelLow are what waits to be played, in bytes, when it says stop and go on.
	quectelFull = 9600
	quectelLow  = 3200
)

// quectelEC2x tells calls by +QIND: "ccinfo" once it was asked to, and by NO CARRIER; its audio port gives
// 640 bytes at a time and has flow control.
func quectelEC2x() *family {
	return &family{
		models: []string{"EC2", "EG2", "UC20"}, maker: "Quectel", revision: "EG25GGBR07A08M2G",
		settings: map[string]string{
			"^DSCI": "0", "+QURCCFG": "", "+QINDCFG": "", "+QTONEDET": "0", "+QSIMSTAT": "0", "+QCFG": "", "+QGPSCFG": "", "+QAUDMOD": "0",
		},
		commands: quectelCommands,
		moved: func(s *Sim, c *call) {
			if s.texts["+QINDCFG/ccinfo"] == "1" {
				s.urc(ccinfo(c, c.stat))
			}
		},
		ended: func(s *Sim, c *call, last string) {
			if s.texts["+QINDCFG/ccinfo"] == "1" {
				s.urc(ccinfo(c, -1))
			}
			if last != "" {
				s.urc(last)
			}
		},
		key:   func(d byte) string { return fmt.Sprintf("+QTONEDET: %d", d) },
		news:  [2]string{"+QURCCFG", `"urcport","all"`},
		block: 640, iccid: "AT+QCCID",
	}
}

func ccinfo(c *call, stat int) string {
	return fmt.Sprintf(`+QIND: "ccinfo",%d,%d,%d,0,0,%q,%d`, max(1, c.id), c.direction(), stat, c.number, addressType(c.number))
}

func quectelCommands(s *Sim, cmd, raw string) []string {
	switch {
	case strings.HasPrefix(cmd, `AT+QINDCFG="CCINFO",`):
		s.texts["+QINDCFG/ccinfo"] = cmd[len(`AT+QINDCFG="CCINFO",`):][:1]
		return []string{ok}
	case cmd == `AT+QPINC="SC"`:
		return []string{fmt.Sprintf(`+QPINC: "SC",%d,10`, s.tries), ok}
	case cmd == "AT+QGMR", cmd == "AT+QGMR?": // the firmware with the versions of its parts
		return []string{s.family.revision + "_01.002.01.002", ok}
	case cmd == "AT+QNWINFO":
		return []string{`+QNWINFO: "FDD LTE","22201","LTE BAND 3",1350`, ok}
	case cmd == "AT+QPCMV=?":
		if s.cfg.NoSerialSound || strings.HasPrefix(s.cfg.Model, "UC") {
			return []string{failed}
		}
		return []string{"+QPCMV: (0,1),(0-2)", ok}
	case cmd == "AT+QPCMV=1,0":
		if s.cfg.NoSerialSound {
			return []string{failed}
		}
		return s.soundSwitch(true)
	case cmd == "AT+QPCMV=0":
		return s.soundSwitch(false)
	case strings.HasPrefix(cmd, "AT+QHUP"):
		return s.hangUp()
	case strings.HasPrefix(cmd, "AT+VTS="):
		return s.sendKeys(raw[len("AT+VTS="):])
	}
	return nil
}

// post queues f for the owner where there is room: the audio port's goroutines may not wait for the owner,
// who waits for them when the modem is unplugged.
func (s *Sim) post(f func()) bool {
	select {
	case s.mailbox <- f:
		return true
	default:
		return false
	}
}

// flow tells the box to stop and to go on. It is called on the goroutines of the audio port with what waits.
func (s *Sim) flow(waiting int) {
	if s.family.block == 0 {
		return
	}
	switch {
	case waiting > quectelFull && s.stopped.CompareAndSwap(false, true):
		s.stops.Add(1)
		s.stopped.Store(s.post(func() { s.urc("+QPCMV: 0,0") }))
	case waiting < quectelLow && s.stopped.CompareAndSwap(true, false):
		s.stopped.Store(!s.post(func() { s.urc("+QPCMV: 1,0") }))
	}
}
