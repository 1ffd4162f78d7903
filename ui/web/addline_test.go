package web

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
)

func TestALineOfACarrierTakesALetterAndThreeFields(t *testing.T) {
	s := office(t)
	if status, body := s.get("/lines/new?lang=en"); status != http.StatusOK || !strings.Contains(body, `<option value="messagenet">Messagenet</option>`) {
		t.Errorf("the list: %d", status)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/lines/new/carrier?lang=en&preset=messagenet", as: "owner"}); w.Header().Get("Location") != "/lines/new/carrier/messagenet?lang=en" {
		t.Errorf("choosing: %d %s", w.Code, w.Header().Get("Location"))
	}
	_, body := s.get("/lines/new/carrier/messagenet?lang=en")
	for want, there := range map[string]bool{`name="user"`: true, `name="password"`: true, `name="number"`: true, `name="server"`: false, `name="match"`: false, `value="hours:office" selected`: true} {
		if strings.Contains(body, want) != there {
			t.Errorf("%s: %v", want, !there)
		}
	}
	form := url.Values{"name": {"Casa madre"}, "was-name": {"Messagenet"}, "in": {"queue:sales"}, "was-in": {"hours:office"}, "user": {"5312345"}, "was-user": {""}, "password": {"dalla lettera"}, "was-password": {""}, "number": {"+39 06 999 88 77"}, "was-number": {""}, "out": {"on"}}
	if status, to := s.post("/lines/new/carrier/messagenet", form); status != http.StatusSeeOther || to != "/changes" {
		t.Fatalf("%d %s", status, to)
	}
	if _, body := s.get("/changes?lang=en"); strings.Contains(body, "dalla lettera") {
		t.Error("the review shows the password")
	}
	s.post("/changes/apply", nil)
	c := s.settings.Port().Current()
	x := c.Trunks[1]
	filled, err := x.Filled()
	if err != nil || x.ID != "casa-madre" || x.Preset != "messagenet" || x.User != "5312345" || x.Password != "dalla lettera" || x.Number != "+39069998877" || x.In["*"] != "queue:sales" || filled.Server != "sip.messagenet.it" || !filled.Register {
		t.Errorf("%+v %v", filled, err)
	}
	if len(c.Routes) != 1 || !slices.Equal(c.Routes[0].Via, []string{"trunk:casa-madre"}) {
		t.Errorf("calls to the outside: %+v", c.Routes)
	}
	if _, body := s.get("/lines?lang=en"); !strings.Contains(body, "Casa madre") || !strings.Contains(body, `href="/lines/new?lang=en"`) {
		t.Error("it is not among the lines")
	}
}

func TestAModemTakesItsName(t *testing.T) {
	s := office(t)
	for i, c := range []struct {
		form url.Values
		want config.Line
		via  []string
	}{
		{url.Values{"name": {"SIM di scorta"}, "out": {"on"}}, config.Line{ID: "sim-di-scorta", AT: "usb"}, []string{"line:sim-di-scorta"}},
		{url.Values{"name": {"SIM di scorta"}, "socket": {"1.2"}, "pin": {"1234"}}, config.Line{ID: "sim-di-scorta-2", AT: "usb:1.2", PIN: "1234"}, []string{"line:sim-di-scorta"}},
		{url.Values{"name": {"Terza"}, "socket": {"1.3"}, "out": {"on"}}, config.Line{ID: "terza", AT: "usb:1.3"}, []string{"line:sim-di-scorta", "line:terza"}},
	} {
		if status, to := s.post("/lines/new/modem?lang=en", c.form); status != http.StatusSeeOther {
			t.Fatalf("%d: %d %s", i, status, to)
		}
		s.post("/changes/apply", nil)
		now := s.settings.Port().Current()
		if x := now.Lines[2+i]; x.ID != c.want.ID || x.AT != c.want.AT || x.PIN != c.want.PIN || x.Type != "gsm" || x.In != "hours:office" || !slices.Equal(now.Routes[0].Via, c.via) {
			t.Errorf("%+v, calls to the outside by %v", x, now.Routes[0].Via)
		}
	}
}

// Every carrier that there is has a form, which says what is missing and takes what is right.
func TestEveryCarrierCanBeAdded(t *testing.T) {
	all, err := config.Carriers()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"server": "sip.example", "proxy": "proxy.example", "domain": "example", "match": "203.0.113.7 198.51.100.0/24", "user": "5312345", "password": "dalla lettera", "number": "+390612345678"}
	for _, p := range all {
		t.Run(p.ID, func(t *testing.T) {
			s := office(t)
			at := "/lines/new/carrier/" + p.ID
			if status, body := s.get(at); status != http.StatusOK || strings.Contains(body, "⟦") {
				t.Fatalf("the form: %d, or a sentence is missing", status)
			}
			form := url.Values{"name": {"Linea"}}
			for _, name := range p.Asks {
				if !slices.Contains(p.Optional, name) {
					without := url.Values{"name": {"Linea"}}
					for _, other := range p.Asks {
						if other != name {
							without.Set(other, values[other])
						}
					}
					if status, body := s.post(at+"?lang=en", without); status != http.StatusUnprocessableEntity || !strings.Contains(body, `id="f-`+name+`-w"`) {
						t.Errorf("without %s: %d, or not said beside the field", name, status)
					}
				}
				form.Set(name, values[name])
			}
			if status, body := s.post(at+"?lang=en", form); status != http.StatusSeeOther {
				t.Errorf("with all that it asks: %d %s", status, body)
			}
		})
	}
}

func TestALineThatIsWrongSaysSoAndNothingIsKept(t *testing.T) {
	s := office(t)
	for name, c := range map[string]struct {
		path string
		form url.Values
		want string
	}{
		"no name":                 {"carrier/messagenet", url.Values{"name": {""}, "was-name": {"Messagenet"}, "user": {"u"}, "password": {"p"}}, `id="f-name-w"`},
		"an address that is none": {"carrier/generic-address", url.Values{"server": {"sip.example"}, "match": {"example.com"}, "number": {"+390612345678"}}, `id="f-match-w"`},
		"a network with a zone":   {"carrier/generic-address", url.Values{"server": {"sip.example"}, "match": {"fe80::1%eth0"}, "number": {"+390612345678"}}, `id="f-match-w"`},
		"markup for an address":   {"carrier/generic-address", url.Values{"server": {hostile}, "match": {hostile}, "number": {hostile}}, `id="f-match-w"`},
		"a place that is none":    {"carrier/messagenet", url.Values{"user": {"u"}, "password": {"p"}, "in": {"queue:none"}}, `id="f-in-w"`},
		"a socket that is none":   {"modem", url.Values{"name": {"SIM"}, "socket": {"/dev/ttyUSB0"}}, `id="f-socket-w"`},
		"a modem without name":    {"modem", url.Values{"name": {""}}, `id="f-name-w"`},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := s.post("/lines/new/"+c.path+"?lang=en", c.form)
			if status != http.StatusUnprocessableEntity || !strings.Contains(body, c.want) || strings.Contains(body, "<script>alert") || strings.Contains(body, "⟦") {
				t.Errorf("%d, or without %s", status, c.want)
			}
			if _, body := s.get("/changes?lang=en"); !strings.Contains(body, "No change waits") {
				t.Error("something was kept")
			}
		})
	}
	for _, path := range []string{"/lines/new/carrier/none", "/lines/new/carrier/" + url.PathEscape("../../etc/passwd"), "/lines/new/carrier?preset=" + url.QueryEscape(hostile)} {
		if status, body := s.get(path); status != http.StatusNotFound || strings.Contains(body, "<script>alert") {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestPagesOfANewLineLookAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		s := office(t)
		for name, path := range map[string]string{"newline": "/lines/new", "newline-carrier": "/lines/new/carrier/generic-address", "newline-modem": "/lines/new/modem"} {
			_, body := s.get(path + "?lang=" + lang)
			look(t, lang, name, body)
		}
		_, body := s.post("/lines/new/carrier/messagenet?lang="+lang, url.Values{"name": {hostile}})
		look(t, lang, "newline-wrong", body)
	}
}

func FuzzNetworks(f *testing.F) {
	f.Add("203.0.113.7, 198.51.100.0/24;2001:db8::/32")
	f.Add("fe80::1%eth0 1.2.3.4/33")
	f.Fuzz(func(t *testing.T, typed string) {
		var x config.Trunk
		b := networks("match", "match", func(x *config.Trunk) *[]netip.Prefix { return &x.Match })
		if b.set(&x, typed) != "" {
			if len(x.Match) > 0 {
				t.Fatalf("%q is refused and kept", typed)
			}
			return
		}
		said := b.get(&x)
		var again config.Trunk
		if b.set(&again, said) != "" || !slices.Equal(again.Match, x.Match) {
			t.Fatalf("%q is %q, and that %v", typed, said, again.Match)
		}
	})
}
