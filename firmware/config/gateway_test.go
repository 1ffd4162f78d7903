package config

import (
	"net/netip"
	"strings"
	"testing"
)

func TestGatewayIsToldHowItalianExchangesEndCalls(t *testing.T) {
	box := netip.MustParseAddrPort("192.168.1.10:5060")
	for _, preset := range []string{"gateway-grandstream-ht813", "gateway-grandstream-ht841", "gateway-grandstream-ht881", "gateway-grandstream-gxw41xx"} {
		x := Trunk{ID: "fisso", Preset: preset, Server: "192.168.1.20"}
		filled, err := x.Filled()
		if err != nil || filled.Register || !x.Gateway() {
			t.Fatalf("%s: %+v, %v", preset, filled, err)
		}
		var all []string
		for _, s := range x.GatewaySettings(box, "+390551234567") {
			all = append(all, s.Tab+"|"+s.Field+"|"+s.Value)
			if s.Tab == "" || s.Field == "" || s.Value == "" {
				t.Errorf("%s: %+v", preset, s)
			}
		}
		text := strings.Join(all, "\n")
		wants := []string{"PSTN Disconnect Tone|f1=425@-32,f2=425@-32,c=500/500;", "Country-based|ITALY", "User ID|0551234567", "Sip Server|192.168.1.10", "Destination Port|5060", "Stage Method (1/2)|1"}
		if strings.HasSuffix(preset, "gxw41xx") { // its page has other fields
			wants = []string{"Enable Tone Disconnect|Y", "Reorder Tone|f1=425@-11,f2=425@-11,c=50/50", "AC Termination Impedance|2 (270 Ohm", "User ID|0551234567", "SIP Server|192.168.1.10", "Destination Port|5060", "Stage Method|1"}
		}
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %s in\n%s", preset, want, text)
			}
		}
	}
	other := Trunk{Preset: "tim"}
	if other.Gateway() || other.GatewaySettings(box, "1") != nil {
		t.Error("a carrier is no gateway")
	}
}
