package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// gatewayPrefix begins the presets of gateways for analog lines, which are trunks in the office.
const gatewayPrefix = "gateway-grandstream-"

// GatewaySetting is one field of a gateway's own web page, named as that page names it, and what goes into it.
type GatewaySetting struct{ Tab, Field, Value string }

// Gateway reports that the trunk is a gateway for analog lines whose settings are known.
func (t *Trunk) Gateway() bool { return strings.HasPrefix(t.Preset, gatewayPrefix) }

// GatewaySettings is what must be set on the gateway of a trunk so that its analog lines are heard, answered and hung
// up as Italian exchanges demand: nil for another trunk. box is how the gateway reaches the box, number the number that
// calls from outside shall carry. A gateway recognises one tone of an ended call, and exchanges in Italy send the busy
// tone (425 Hz, 500/500 ms); what it does with an exchange that sends the congestion tone (200/200) is said, too.
func (t *Trunk) GatewaySettings(box netip.AddrPort, number tel.Number) []GatewaySetting {
	if !t.Gateway() {
		return nil
	}
	if len(t.GatewayModels()) > 0 {
		return gxw41xxSheet(box, string(number.National()))
	}
	host, port := box.Addr().String(), fmt.Sprint(box.Port())
	user := string(number.National())
	fxo, dial := "FXO PORT", "FXO PORT"
	if !strings.HasSuffix(t.Preset, "ht813") { // several lines: one tab for what all share
		fxo, dial = "FXO Lines / Settings", "FXO Lines / Dialing"
	}
	return []GatewaySetting{
		{"BASIC SETTINGS", "Unconditional Call Forward to VOIP: User ID", user},
		{"BASIC SETTINGS", "Unconditional Call Forward to VOIP: Sip Server", host},
		{"BASIC SETTINGS", "Unconditional Call Forward to VOIP: Sip Destination Port", port},
		{fxo, "Primary SIP Server", box.String()},
		{fxo, "SIP Registration", "No"},
		{fxo, "Outgoing Call without Registration", "Yes"},
		{fxo, "Allow Incoming SIP Messages from SIP Proxy Only", "Yes"},
		{fxo, "Preferred Vocoder (choice 1)", "PCMA"},
		{fxo, "Preferred DTMF method", "RFC2833"},
		{fxo, "Caller ID Scheme", "ETSI-FSK during ringing"},
		{fxo, "Caller ID Transport Type", "Relay via SIP From"},
		{fxo, "Enable Current Disconnect", "Yes"},
		{fxo, "Current Disconnect Threshold (ms)", "100"},
		{fxo, "Enable PSTN Disconnect Tone Detection", "Yes"},
		{fxo, "PSTN Disconnect Tone", "f1=425@-32,f2=425@-32,c=500/500;"},
		{fxo, "PSTN Disconnect Tone, where calls do not end (congestion tone)", "f1=425@-32,f2=425@-32,c=200/200;"},
		{fxo, "Enable Polarity Reversal", "No (Yes only where the carrier confirms it)"},
		{fxo, "AC Termination Model", "Country-based"},
		{fxo, "Country-based", "ITALY"},
		{fxo, "Number of Rings", "2 (the number comes between the first and the second)"},
		{fxo, "PSTN Ring Thru FXS", "No"},
		{dial, "Wait for Dial-Tone", "Yes"},
		{dial, "Stage Method (1/2)", "1"},
	}
}
