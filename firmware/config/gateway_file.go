package config

import (
	"encoding/xml"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// GatewayModel is a gateway whose configuration file can be written, with its number of lines.
type GatewayModel struct {
	Name  string // as its maker writes it
	Lines int
}

// GatewayModels are those that the trunk's preset may stand for; none where the parameters of the gateway are not known
// for sure. Those of the HT813, HT841 and HT881 are not: the template of the HT813 that could be read names its SIP
// account and leaves the analog side out.
func (t *Trunk) GatewayModels() []GatewayModel {
	if t.Preset == gatewayPrefix+"gxw41xx" {
		return []GatewayModel{{"GXW4104", 4}, {"GXW4108", 8}}
	}
	return nil
}

// gatewayValue is one parameter of a gateway.
type gatewayValue struct {
	P     int    // its number in the maker's files
	Name  string // what the maker's template calls it
	Each  bool   // it is set line by line
	Value string // of an Italian line; SERVER and PORT are the box's, NUMBER is the one called
}

// gxw41xx are the parameters of the Grandstream GXW4104 and GXW4108, by the maker's template for firmware 1.3.4.13
// (testdata/gxw410x-1.3.4.13.txt lists its numbers and names). Cadences count 10 ms. The gateway takes the reorder tone
// for the end of a call, and Italian exchanges end calls with the busy tone. It does not wait for the dial tone, which is
// an interrupted one in Italy. Impedance 2 is the harmonised European one (ETSI ES 203 021), which holds in Italy.
var gxw41xx = []gatewayValue{
	{271, "Activate Profile", false, "1"},
	{47, "SIP Server", false, "SERVER"},
	{31, "SIP Registration", false, "0"},
	{743, "Accept INVITE from Proxy Only", false, "101"},
	{57, "First codec", false, "8"},
	{58, "Second codec", false, "0"},
	{3603, "Enable Current Disconnect", true, "Y"},
	{3604, "Enable Current Disconnect Threshold", true, "100"},
	{3605, "Enable Tone Disconnect", true, "Y"},
	{3606, "Enable Polarity Reversal", true, "N"},
	{3631, "AC Termination Impedance", true, "2"},
	{3303, "Wait for Dial Tone", true, "N"},
	{3206, "Min Delay Before Dial PSTN", true, "1000"},
	{3304, "Stage Method", true, "1"},
	{3607, "Unconditional Call Forward to VOIP: User ID", true, "NUMBER"},
	{3306, "Unconditional Call Forward to VOIP: SIP Server", true, "p1"},
	{3307, "Unconditional Call Forward to VOIP: Sip Destination Port", true, "PORT"},
	{3599, "Number of Rings Before Pickup", true, "2"},
	{3600, "Caller ID Scheme", true, "2"},
	{3601, "Caller ID Transport Type", true, "1"},
	{3001, "Ringback Tone", true, "f1=425@-11,f2=425@-11,c=100/400"},
	{3002, "Busy Tone", true, "f1=425@-11,f2=425@-11,c=50/50"},
	{3003, "Reorder Tone", true, "f1=425@-11,f2=425@-11,c=50/50"},
	{3404, "DTMF Methods", true, "2"},
}

// value is what stands in the file for a gateway with so many lines.
func (v gatewayValue) value(lines int, box netip.AddrPort, user string) string {
	host := box.Addr().String()
	if box.Addr().Is6() {
		host = "[" + host + "]"
	}
	server := host
	if box.Port() != 5060 {
		server += ":" + strconv.Itoa(int(box.Port()))
	}
	text := strings.NewReplacer("SERVER", server, "PORT", strconv.Itoa(int(box.Port())), "NUMBER", user).Replace(v.Value)
	if v.Each {
		return fmt.Sprintf("ch1-%d:%s;", lines, text)
	}
	return text
}

// parameter is one element of the file.
type parameter struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
}

// provision is the file that the gateway reads (Grandstream XML provisioning, version 1).
type provision struct {
	XMLName xml.Name `xml:"gs_provision"`
	Version string   `xml:"version,attr"`
	Config  struct {
		Version string `xml:"version,attr"`
		All     []parameter
	} `xml:"config"`
}

// GatewayFile is the configuration of a gateway as a file that it reads, for the trunk's number and a box that it reaches
// at box. The gateway leaves every parameter that is not in the file as it is. ok is false for a model of another preset.
func (t *Trunk) GatewayFile(m GatewayModel, box netip.AddrPort, number tel.Number) (file []byte, ok bool) {
	for _, known := range t.GatewayModels() {
		ok = ok || known == m
	}
	if !ok {
		return nil, false
	}
	p := provision{Version: "1"}
	p.Config.Version = "1"
	for _, v := range gxw41xx {
		p.Config.All = append(p.Config.All, parameter{xml.Name{Local: fmt.Sprintf("P%d", v.P)}, v.value(m.Lines, box, string(number.National()))})
	}
	text, err := xml.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, false // it has neither channels nor cycles
	}
	return append([]byte(xml.Header), append(text, '\n')...), true
}

// gxw41xxSheet is the same for who writes it into the gateway's page.
func gxw41xxSheet(box netip.AddrPort, user string) (all []GatewaySetting) {
	words := map[int]map[string]string{
		271: {"1": "Yes"}, 31: {"0": "No"}, 743: {"101": "Yes"}, 57: {"8": "PCMA"}, 58: {"0": "PCMU"},
		3631: {"2": "270 Ohm + (750 Ohm || 150nF)"}, 3600: {"2": "ETSI-FSK during ringing"}, 3601: {"1": "Relay via SIP From"}, 3404: {"2": "RFC2833"},
	}
	for _, v := range gxw41xx {
		tab := "Profile 1"
		if v.Each {
			tab = "FXO Lines (ch1-4: on a GXW4104, ch1-8: on a GXW4108)"
		}
		v.Each = false
		text := v.value(0, box, user)
		if word, ok := words[v.P][text]; ok {
			text = fmt.Sprintf("%s (%s)", text, word)
		}
		all = append(all, GatewaySetting{tab, v.Name, text})
	}
	return all
}
