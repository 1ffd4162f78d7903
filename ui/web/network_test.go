package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
)

// wired is a box that owns its network, with an address of the router.
func wired(t *testing.T) *site {
	s := office(t)
	s.wires.Stands = page.NetworkState{
		Interfaces: []page.Interface{{Name: "eth0", Up: true, Hardware: "dc:a6:32:01:02:03", Addresses: []string{"192.168.1.40/24", "fe80::dea6:32ff:fe01:203/64"}}, {Name: "wlan0"}},
		Router:     "192.168.1.1", DNS: []string{"192.168.1.1"}, Names: []string{"pronto-9qxa.local"}, Clock: "ntp1.inrim.it", Synced: true,
		NAT: "router", Public: "198.51.100.7", Owned: true, Using: netip.MustParseAddr("192.168.1.40"),
	}
	return s
}

// through makes a request that reaches the box by one of its addresses, without a session.
func (s *site) through(method, path, local string, form url.Values) *httptest.ResponseRecorder {
	return s.do(ask{method: method, path: path, form: form, at: local})
}

func TestAChangeOfTheNetworkIsTriedAndConfirmedFromTheNewAddress(t *testing.T) {
	s := wired(t)
	form := url.Values{"how": {"fixed"}, "was-how": {"dhcp"}, "address": {"192.168.1.10"}, "mask": {"255.255.255.0"}, "router": {"192.168.1.1"}, "dns": {"9.9.9.9, 1.1.1.1"}, "ntp": {"ntp1.inrim.it"}, "host": {"Centralino.local"}}
	w := s.do(ask{method: http.MethodPost, path: "/network?lang=en", form: form, as: access.Installer, host: "192.168.1.40:8080"})
	const at = "http://192.168.1.10:8080/network/confirm?lang=en&amp;token=" + settingstest.NetworkToken
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `href="`+at+`"`) || !strings.Contains(w.Body.String(), "88 seconds are left") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	got := s.wires.Tried[0]
	if !got.Fixed || got.Addr.String() != "192.168.1.10/24" || got.Router.String() != "192.168.1.1" || got.Servers() != "9.9.9.9, 1.1.1.1" || got.Times() != "ntp1.inrim.it" || got.Host != "centralino" {
		t.Errorf("tried %+v", got)
	}
	s.wires.Stands.Using = netip.MustParseAddr("192.168.1.10")
	path := "/network/confirm?lang=en&token=" + settingstest.NetworkToken
	token := url.Values{"token": {settingstest.NetworkToken}}
	if w := s.through(http.MethodGet, path, "192.168.1.40:8080", nil); strings.Contains(w.Body.String(), "Yes, keep it") || !strings.Contains(w.Body.String(), "Open 192.168.1.10") {
		t.Errorf("by the old address: %s", w.Body)
	}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"by the old address":   s.through(http.MethodPost, "/network/confirm", "192.168.1.40:8080", token),
		"with a guessed token": s.through(http.MethodPost, "/network/confirm", "192.168.1.10:8080", url.Values{"token": {"guess"}}),
		"without a token":      s.through(http.MethodPost, "/network/confirm", "192.168.1.10:8080", nil),
	} {
		if w.Code != http.StatusConflict || len(s.wires.Kept) > 0 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := s.through(http.MethodGet, path, "192.168.1.10:8080", nil); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `name="token" value="`+settingstest.NetworkToken+`"`) || !strings.Contains(w.Body.String(), "Yes, keep it") {
		t.Errorf("by the new address: %d %s", w.Code, w.Body)
	}
	if w := s.through(http.MethodPost, "/network/confirm?lang=en", "[::ffff:192.168.1.10]:8080", token); w.Code != http.StatusOK || len(s.wires.Kept) != 1 || !strings.Contains(w.Body.String(), "stays like this") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTheAddressToConfirmAtIsOneThatWillBeThere(t *testing.T) {
	s := wired(t)
	fixed := page.NetworkChoice{Fixed: true, Addr: netip.MustParsePrefix("10.0.0.5/8")}
	for _, tc := range []struct {
		host, want string
		tls        bool
		c          page.NetworkChoice
	}{
		{"192.168.1.40", "http://10.0.0.5/", false, fixed},
		{"192.168.1.40:8443", "https://10.0.0.5:8443/", true, fixed},
		{"[fe80::1]:8080", "http://10.0.0.5:8080/", false, fixed},
		{"pronto-9qxa.local", "http://pronto-9qxa.local/", false, fixed},
		{"192.168.1.40:8080", "http://pronto-9qxa.local:8080/", false, page.NetworkChoice{}},
	} {
		form := url.Values{"how": {"dhcp"}, "was-how": {""}}
		if tc.c.Fixed {
			form = url.Values{"how": {"fixed"}, "address": {"10.0.0.5/8"}}
		}
		s.wires.Stands.Trial = nil
		w := s.do(ask{method: http.MethodPost, path: "/network", form: form, as: access.Owner, host: tc.host, tls: tc.tls})
		if !strings.Contains(w.Body.String(), `href="`+tc.want+"network/confirm") {
			t.Errorf("%s: no %s in %s", tc.host, tc.want, w.Body)
		}
	}
}

func TestWhatCannotBeANetworkIsSaidBesideItsField(t *testing.T) {
	s := wired(t)
	for _, tc := range []struct{ field, value, code string }{
		{"address", "192.168.1", "net_address"},
		{"address", "fe80::1", "net_address"},
		{"address", "192.168.1.0", "net_whole"},
		{"address", hostile, "net_address"},
		{"address", "", "missing"},
		{"mask", "255.0.255.0", "net_mask"},
		{"mask", "31", "net_mask"},
		{"mask", "wide", "net_mask"},
		{"router", "10.0.0.1", "net_elsewhere"},
		{"router", "192.168.1.10", "net_same"},
		{"router", "x", "net_address"},
		{"dns", "9.9.9.9 nine", "net_address"},
		{"how", "magic", "choice"},
	} {
		form := url.Values{"how": {"fixed"}, "address": {"192.168.1.10"}}
		form.Set(tc.field, tc.value)
		if status, body := s.post("/network?lang=en", form); status != http.StatusUnprocessableEntity || !strings.Contains(body, "<code>problem."+tc.code+"</code>") || !strings.Contains(body, `id="f-`+tc.field+`-w"`) {
			t.Errorf("%s %q: %d\n%s", tc.field, tc.value, status, body)
		}
	}
	if len(s.wires.Tried) > 0 {
		t.Errorf("tried %+v", s.wires.Tried)
	}
	s.wires.Refuse = settings.Refusal{Sentence: "network.taken", Detail: "another machine " + hostile}
	if status, body := s.post("/network?lang=en", url.Values{"how": {"fixed"}, "address": {"192.168.1.10"}}); status != http.StatusConflict || !strings.Contains(body, "Somebody has this address") || !strings.Contains(body, `value="192.168.1.10"`) {
		t.Errorf("an address that somebody has: %d", status)
	}
}

func FuzzWhatSomebodyTypesForANetworkIsOneOrAMistake(f *testing.F) {
	f.Add("fixed", "192.168.1.10/24", "255.255.255.0", "192.168.1.1", "9.9.9.9, 1.1.1.1", "ntp1.inrim.it", "box")
	f.Add("dhcp", "", "24", "", "", "", "")
	f.Add("fixed", "10.0.0.1", "0.0.0.0", "::1", ",;", "\x00", "..")
	f.Fuzz(func(t *testing.T, how, address, mask, router, dns, ntp, host string) {
		var c page.NetworkChoice
		mistakes := networkKind().write(&c, posted{"how": how, "address": address, "mask": mask, "router": router, "dns": dns, "ntp": ntp, "host": host})
		if len(mistakes) > 0 || len(consistent(&c)) > 0 || !c.Fixed {
			return
		}
		if !c.Addr.IsValid() || !c.Addr.Addr().Is4() || c.Router.IsValid() && !c.Addr.Contains(c.Router) {
			t.Errorf("%+v", c)
		}
	})
}

func TestAChangeIsTakenBackOnDemand(t *testing.T) {
	s := wired(t)
	if status, _ := s.post("/network/recall", nil); status != http.StatusConflict {
		t.Errorf("with nothing on trial: %d", status)
	}
	s.post("/network", url.Values{"how": {"fixed"}, "address": {"192.168.1.10"}})
	if status, to := s.post("/network/recall", nil); status != http.StatusSeeOther || to != "/network?done=recalled" || s.wires.Stands.Trial != nil {
		t.Errorf("%d %s", status, to)
	}
}

func TestANetworkOfTheSystemIsOnlyLookedAt(t *testing.T) {
	s := office(t)
	h, err := New(Config{Pages: spoken(t), Settings: s.settings.Port(), Accounts: s.accounts, Network: (&settingstest.Network{Foreign: true, Stands: page.NetworkState{NAT: "unknown"}}).Port(), Plain: func() bool { return true }, LAN: func(netip.Addr) bool { return true }, Name: func() string { return "Bottega" }, Language: func() string { return "en" }})
	if err != nil {
		t.Fatal(err)
	}
	s.Handler = h
	if status, body := s.get("/network?lang=en"); status != http.StatusOK || !strings.Contains(body, "the operating system owns the network") || strings.Contains(body, `action="/network?lang=en"`) {
		t.Errorf("%d %s", status, body)
	}
	for _, path := range []string{"/network", "/network/recall", "/network/confirm"} {
		if status, _ := s.post(path, url.Values{"how": {"dhcp"}}); status != http.StatusConflict {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestThePagesOfTheNetworkLookAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		see := func(name, body string) { t.Helper(); look(t, lang, "network-"+name, body) }
		s := wired(t)
		_, body := s.get("/network?lang=" + lang)
		see("dhcp", body)
		s.wires.Stands.NAT, s.wires.Stands.ALG, s.wires.Stands.Undone, s.wires.Stands.LostAt = "double", "Via became "+hostile, "not_confirmed", at
		s.wires.Stands.Lost = page.NetworkChoice{Fixed: true, Addr: netip.MustParsePrefix("192.168.1.10/24"), Router: netip.MustParseAddr("192.168.1.1"), NTP: []string{"ntp1.inrim.it"}, Host: "centralino"}
		s.wires.Stands.Names = []string{hostile}
		_, body = s.get("/network?lang=" + lang)
		see("undone", body)
		s.wires.Stands.Absent = "nobody answers " + hostile
		_, body = s.get("/network?lang=" + lang)
		see("absent", body)
		s = wired(t)
		_, body = s.plainly("/network?lang="+lang, url.Values{"how": {"fixed"}, "address": {"192.168.1.10"}})
		see("trial", body)
		s.wires.Stands.Using = netip.MustParseAddr("192.168.1.10")
		see("confirm", s.through(http.MethodGet, "/network/confirm?lang="+lang+"&token=x", "192.168.1.10:80", nil).Body.String())
	}
}
