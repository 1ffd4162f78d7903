package config

import (
	"encoding/xml"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Each number of ours is that of the maker's template, under the same name; none is set twice.
func TestGatewayParametersAreThoseOfTheMakersTemplate(t *testing.T) {
	text, err := os.ReadFile("testdata/gxw410x-1.3.4.13.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := map[int]string{}
	for l := range strings.Lines(string(text)) {
		number, name, ok := strings.Cut(strings.TrimSpace(l), " ")
		if p, err := strconv.Atoi(number); ok && err == nil {
			names[p] = name
		}
	}
	seen := map[int]bool{}
	for _, v := range gxw41xx {
		name := strings.TrimPrefix(v.Name, "Unconditional Call Forward to VOIP: ")
		if seen[v.P] || names[v.P] != name {
			t.Errorf("P%d is %q here and %q in the template, or stands twice", v.P, name, names[v.P])
		}
		seen[v.P] = true
	}
}

func TestGatewayFileSaysWhatTheSheetSays(t *testing.T) {
	x := Trunk{ID: "fisso", Preset: "gateway-grandstream-gxw41xx", Server: "192.168.1.20"}
	for _, c := range []struct {
		box    string
		server string
		user   string
	}{
		{"192.168.1.10:5060", "192.168.1.10", "0551234567"},
		{"192.168.1.10:5066", "192.168.1.10:5066", "0551234567"},
		{"[fd00::1]:5066", "[fd00::1]:5066", "0551234567"},
	} {
		box := netip.MustParseAddrPort(c.box)
		for _, m := range x.GatewayModels() {
			file, ok := x.GatewayFile(m, box, "+390551234567")
			if !ok {
				t.Fatalf("no file for %+v", m)
			}
			var read struct {
				XMLName xml.Name `xml:"gs_provision"`
				Config  struct {
					All []struct {
						XMLName xml.Name
						Text    string `xml:",chardata"`
					} `xml:",any"`
				} `xml:"config"`
			}
			if err := xml.Unmarshal(file, &read); err != nil {
				t.Fatalf("%v in\n%s", err, file)
			}
			got := map[string]string{}
			for _, p := range read.Config.All {
				got[p.XMLName.Local] = p.Text
			}
			lines := "ch1-" + strconv.Itoa(m.Lines) + ":"
			for p, want := range map[string]string{
				"P47": c.server, "P31": "0", "P3605": lines + "Y;", "P3003": lines + "f1=425@-11,f2=425@-11,c=50/50;", "P3631": lines + "2;",
				"P3607": lines + c.user + ";", "P3307": lines + strconv.Itoa(int(box.Port())) + ";", "P3304": lines + "1;",
			} {
				if got[p] != want {
					t.Errorf("%s: %s is %q, want %q", m.Name, p, got[p], want)
				}
			}
			for _, s := range x.GatewaySettings(box, "+390551234567") {
				found := false
				for _, v := range got {
					v = strings.TrimSuffix(strings.TrimPrefix(v, lines), ";")
					found = found || s.Value == v || strings.HasPrefix(s.Value, v+" (")
				}
				if !found {
					t.Errorf("the sheet has %+v, the file has not", s)
				}
			}
			if len(got) != len(gxw41xx) {
				t.Errorf("%d parameters of %d", len(got), len(gxw41xx))
			}
		}
	}
	for _, other := range []Trunk{{Preset: "gateway-grandstream-ht813"}, {Preset: "tim"}} {
		if _, ok := other.GatewayFile(GatewayModel{"GXW4104", 4}, netip.MustParseAddrPort("192.168.1.10:5060"), "1"); ok || other.GatewayModels() != nil {
			t.Errorf("a file for %s, whose parameters nobody knows", other.Preset)
		}
	}
	if _, ok := x.GatewayFile(GatewayModel{"GXW4116", 16}, netip.MustParseAddrPort("192.168.1.10:5060"), "1"); ok {
		t.Error("a file for a gateway that there is not")
	}
}
