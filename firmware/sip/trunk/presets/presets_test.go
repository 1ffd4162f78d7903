package presets

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func find(t *testing.T, id string) Preset {
	t.Helper()
	p, err := Find(id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The rows of the reference, entered a second time by hand: a slip of the pen in a file is found here.
func TestPresetsSayWhatTheirSourcesSay(t *testing.T) {
	for id, want := range map[string]string{
		"messagenet":        "sip.messagenet.it / 5m0s to account medium",
		"ehiweb":            "sip.vivavox.it / 5m0s request account medium",
		"voipvoice-sip":     "sip.voipvoicetel.it / 5m0s to account medium",
		"voipvoice-trunk":   "trunk.voipvoice.it / 5m0s to account medium",
		"voipvoice-user":    "user.voipvoice.it / 5m0s to account medium",
		"clouditalia":       "voip.eutelia.it / 5m30s to account medium",
		"timenet":           "voce.voipvox.it / 1h0m0s to account medium",
		"twt":               "res.sip.twt.it / 1h0m0s request number medium",
		"terrecablate":      "sbc.tcrs.it / 1h0m0s request account medium",
		"wic":               "voip.mywic.it / 1h0m0s request account medium",
		"wic-g729":          "sip.mywic.it / 1h0m0s request account medium",
		"netoip":            "voipnet.netoip.com:5062 / 1h0m0s request account medium",
		"fibering":          "voip.sixcommgroup.it / 1h0m0s request account medium",
		"sixcomm":           "voip.sixcomm.net / 1h0m0s request account medium",
		"activenetwork":     "sip.activenetwork.it / 1h0m0s request account medium",
		"neomedia":          "sip.neomedia.it / 1h0m0s request account medium",
		"plink":             "sipuser.plink.it / 1h0m0s request account medium",
		"talkho":            "sip.talkho.com / 1h0m0s request account medium",
		"voiptel":           "voip.voiptelitalia.it / 1h0m0s request account medium",
		"voiptel2":          "voip2.voiptelitalia.it / 1h0m0s request account medium",
		"digitalia":         "sip.digiclex.it / 1h0m0s request account medium",
		"mynet":             "cloud1b.voicer.it / 1h0m0s request account medium",
		"oval":              "sip.oval.it / 5m30s request number medium",
		"enegan":            "sip.enegan.it / 1h0m0s request account medium",
		"voipeasy":          "sip.voipeasy.it / 1h0m0s request account medium",
		"wicity":            "sip.wicity.it / 1h0m0s request account medium",
		"opensolution-sip":  "sip.opensolution.it / 1h0m0s request account medium",
		"opensolution-voip": "voip.opensolution.it / 1h0m0s request account medium",
		"cheapnet":          "sip.cheapnet.it / 1h0m0s request account medium",
		"opensolution-gnr":  " / 1h0m0s request account medium",
		"viatek":            " / 1h0m0s request account medium",
		"xstream":           " / 1h0m0s request account medium",
		"tim":               " / 24h0m0s request account medium",
		"vodafone":          "ims.vodafone.it / 1h0m0s request e164 medium",
		"windtre":           " / voip.windtre.it 1h0m0s request account low",
		"fastweb":           "voip.fastwebnet.it / 1h0m0s request number medium",
		"sky":               " / voip.it.isp.sky 1h0m0s request account low",
		"irideos":           " / 1h0m0s request account unknown",
		"tim-business":      " / 1h0m0s request account unknown",
		"vodafone-business": " / 1h0m0s request account unknown",
		"windtre-business":  " / 1h0m0s request account unknown",
		"fastweb-business":  " / 1h0m0s request account unknown",
		"generic-register":  " / 1h0m0s request account unknown",
		"generic-address":   " / 1h0m0s request account unknown",
	} {
		p := find(t, id)
		proxy := p.Proxy
		if proxy != "" {
			proxy += " "
		}
		if got := fmt.Sprintf("%s / %s%s %s %s %s", strings.Join(p.Hosts(), " "), proxy, p.Expires, p.DID, p.FromUser, p.Certainty); got != want {
			t.Errorf("%s:\n got %s\nwant %s", id, got, want)
		}
	}
	for _, id := range []string{"fibering", "sixcomm"} {
		if p := find(t, id); p.SRTP != "sdes" {
			t.Errorf("%s: srtp %s", id, p.SRTP)
		}
	}
	if p := find(t, "enegan"); p.Retry != 3*time.Minute {
		t.Errorf("enegan: retry %s", p.Retry)
	}
	if p := find(t, "vodafone"); p.DSCP != 34 || p.Ptime != 20 || !slices.Equal(p.Codecs, []string{"pcma", "g729"}) || p.NumberOut != "e164" {
		t.Errorf("%+v", p)
	}
	if p := find(t, "tim"); p.Domain != "telecomitalia.it" || p.Codecs[0] != "g729" || !slices.Contains(p.Quirks, "single_registration") {
		t.Errorf("%+v", p)
	}
}

func TestEveryPresetIsUsableAndHonest(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 48 {
		t.Errorf("%d presets", len(all))
	}
	used := map[string]bool{}
	for _, p := range all {
		for _, q := range p.Quirks {
			used[q] = true
		}
		if p.Register && (!slices.Contains(p.Asks, "user") || !slices.Contains(p.Asks, "password")) {
			t.Errorf("%s registers and asks for no password", p.ID)
		}
		if !p.Register && !slices.Contains(p.Asks, "match") {
			t.Errorf("%s does not register and asks for no address", p.ID)
		}
		if (p.FromUser != "account") && !slices.Contains(p.Asks, "number") {
			t.Errorf("%s writes a number into From and asks for none", p.ID)
		}
		if p.Certainty == "unknown" && len(p.Servers) > 0 {
			t.Errorf("%s names a server of which nothing is known", p.ID)
		}
		for _, h := range p.Servers {
			if strings.Trim(h, "0123456789.") == "" {
				t.Errorf("%s ships the bare address %s as if it were lasting", p.ID, h)
			}
		}
	}
	for _, q := range quirks {
		if !used[q] {
			t.Errorf("no preset has the quirk %s", q)
		}
	}
}

func TestMistakesInAPresetAreAllTold(t *testing.T) {
	text, err := files.ReadFile("it/tim.yaml")
	if err != nil {
		t.Fatal(err)
	}
	change := func(pairs ...string) []byte { return []byte(strings.NewReplacer(pairs...).Replace(string(text))) }
	for name, tc := range map[string]struct {
		text []byte
		want []string
	}{
		"unknown field":   {append(slices.Clone(text), "colour: red\n"...), []string{"colour"}},
		"not YAML":        {[]byte("a: ["), []string{"preset \"tim\""}},
		"of another file": {change("id: tim", "id: tin"), []string{`id: "tin"`}},
		"many at once": {
			change("transport: udp", "transport: sctp", "port: 5060", "port: 0", "expires: 24h", "expires: 25h", "codecs: [g729, pcma, g722]", "codecs: [mp3]",
				"quirks: [prack", "quirks: [moody, prack", "certainty: medium", "certainty: sure", "2026-11-23", "yesterday", "dscp: 0", "dscp: 64", "ptime: 20", "ptime: 25"),
			[]string{"transport:", "port:", "expires:", "codecs:", "quirks:", "certainty:", "checked_on:", "dscp:", "ptime:"},
		},
		"no server and none asked for": {change("asks: [proxy, user, password, number]", "asks: [user]"), []string{"servers:"}},
		"no source":                    {change("source: \"", "source: \"\" #"), []string{"source: is missing"}},
	} {
		_, err := Parse("tim", tc.text)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, part := range tc.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q is missing in\n%v", name, part, err)
			}
		}
	}
	for _, id := range []string{"", "nobody", "../it/tim", "TIM"} {
		if _, err := Find(id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", id, err)
		}
	}
}
