package web

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/setup"
)

// step posts a form of a step.
func (s *site) step(x setup.Step, fields ...string) (status int, body string) {
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return s.plainly(setupPath(x)+"?lang=en", form)
}

func (s *site) how(x setup.Step) setup.How { return s.wizard.State.State().Marks[x].How }

// newBox is a site on which nothing is set up, and whose set-up waits.
func newBox(t *testing.T) *site {
	t.Helper()
	s := office(t)
	empty(t, s)
	if _, err := s.wizard.State.Tell(setup.Told{Language: "it"}, at); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestABrowserLandsInTheSetUpUntilItIsDoneOrPutOff(t *testing.T) {
	s := newBox(t)
	lands := func(path string, role access.Role, want string) {
		t.Helper()
		w := s.do(ask{method: http.MethodGet, path: path, as: role})
		if got := w.Header().Get("Location"); got != want {
			t.Errorf("%s leads the %s to %q, want %q", path, role, got, want)
		}
	}
	lands("/", access.Owner, "/setup")
	lands("/", access.Installer, "/setup")
	lands("/", access.Agent, "")
	lands("/setup", access.Owner, "/setup/1")
	if status, to := s.step(setup.Welcome, "do", "begin", "language", "en"); status != http.StatusSeeOther || !strings.HasPrefix(to, "/setup/2?lang=en") {
		t.Fatalf("beginning: %d %s", status, to)
	}
	if got := s.settings.Port().Current().Box.Language; got != "en" {
		t.Errorf("the office speaks %q", got)
	}
	lands("/setup", access.Installer, "/setup/2")
	s.step(setup.You, "do", "later")
	lands("/", access.Owner, "")
	lands("/setup", access.Owner, "/setup/2") // from any device, for whoever looks for it
	if n := len(s.wizard.State.Debts()); n < 10 {
		t.Errorf("only %d things are owed", n)
	}
}

func TestWithEveryProbeWorkingTheSetUpIsDoneStepByStep(t *testing.T) {
	s := newBox(t)
	b := s.wizard
	b.Network = []page.Finding{{Level: "ok", Says: page.Said{Sentence: "setup.net.address", Args: []any{"192.0.2.7"}}}}
	b.Tried = []setup.Tried{{Cause: tel.LineRefused}, {Key: "user", Value: "+390612345678", Cause: tel.LineOK, Works: true}}
	s.settings.Probed = []page.Finding{{Level: "ok", Thing: "Office", Says: page.Said{Sentence: "probe.queue.ready", Args: []any{1, 2}}}}
	good := func(x setup.Step, want string, fields ...string) {
		t.Helper()
		status, body := s.step(x, fields...)
		if status >= 400 || !strings.Contains(body, want) || s.how(x) != setup.Done {
			t.Fatalf("%s: %d, %q, without %q:\n%s", x, status, s.how(x), want, body)
		}
	}
	good(setup.Welcome, "/setup/2", "do", "begin", "language", "it")
	good(setup.You, "/setup/3", "do", "you", "mobile", "333 111 2222")
	good(setup.Place, "San Petronio", "do", "place", "name", "Bottega", "town", "bologna", "timezone", "Europe/Rome")
	good(setup.Network, "192.0.2.7", "do", "look")
	good(setup.Today, "EN 81-28", "do", "today", "plug", "letter", "also", "lift")
	if status, to := s.step(setup.Lines, "do", "carrier", "carrier", "generic-register"); status != http.StatusSeeOther || !strings.HasPrefix(to, "/setup/6?carrier=generic-register") {
		t.Fatalf("choosing a carrier: %d %s", status, to)
	}
	good(setup.Lines, "other way to write the user:", "do", "account", "which", "generic-register", "server", "sip.example", "user", "0612345678", "password", "geheim", "number", "0612345678")
	now := s.settings.Port().Current()
	if len(now.Trunks) != 1 || now.Trunks[0].Password != "geheim" || now.Trunks[0].In["*"] == "" || len(now.Routes) != 1 || now.Routes[0].Via[0] != "trunk:generic-register" {
		t.Fatalf("the line %+v, the ways out %+v", now.Trunks, now.Routes)
	}
	s.settings.Standing = map[string]tel.LineChanged{"trunk:generic-register": {Line: "trunk:generic-register", Name: "Generic", Up: true, Cause: tel.LineOK}}
	if status, to := s.step(setup.LineTest, "do", "call", "which", "trunk:generic-register", "number", "3331112222"); status != http.StatusSeeOther {
		t.Fatalf("calling: %d %s", status, to)
	}
	b.Tests = map[string]page.LineTest{"trunk:generic-register": {Line: "trunk:generic-register", Name: "Generic", Number: "+390612345678", Out: "proved", In: "heard"}}
	good(setup.LineTest, "works in both directions", "do", "look")
	good(setup.People, "People added: 2", "do", "people", "names", "Anna Bianchi\nBruno Rossi")
	now = s.settings.Port().Current()
	if len(now.Agents) != 2 || len(now.Phones) != 2 || now.Agents[0].Extension != "201" {
		t.Fatalf("people %+v", now.Agents)
	}
	b.Phones = []setup.Phone{{ID: "201", Name: "Anna Bianchi", Here: true, From: "192.0.2.20"}}
	if status, body := s.step(setup.Phones, "do", "ring", "which", "201"); status != http.StatusOK || !strings.Contains(body, "201 rings now") {
		t.Fatalf("ringing: %d %s", status, body)
	}
	good(setup.Phones, "is connected", "do", "look")
	good(setup.Queue, "Queue Office is there, with the number 400", "do", "queue", "name", "Office", "number", "400", "hours", "office", "mailbox", "anna-bianchi")
	now = s.settings.Port().Current()
	if to := now.Trunks[0].In["*"]; to != "hours:office" || now.Hours[0].Then != "queue:office" || now.Hours[0].Closed != "voicemail:201" || now.Queues[0].Overflow != "voicemail:201" {
		t.Fatalf("calls go to %q, %+v, %+v", to, now.Hours, now.Queues)
	}
	s.settings.Port().Apply(t.Context(), func(c *config.Config) { c.Lamps = []config.Lamp{{ID: "desk1", Driver: "sim"}} }, by(&visit{}), "")
	if status, body := s.step(setup.Lamps, "do", "blink", "which", "desk1"); status != http.StatusOK || !strings.Contains(body, "desk1 blinks") {
		t.Fatalf("blinking: %d %s", status, body)
	}
	s.step(setup.Lamps, "do", "give", "which", "desk1", "agent-desk1", "anna-bianchi")
	s.step(setup.Lamps, "do", "on")
	if s.how(setup.Lamps) != setup.Done || s.settings.Port().Current().Agents[0].Lamp != "desk1" {
		t.Errorf("the lamp is %q, of %+v", s.how(setup.Lamps), s.settings.Port().Current().Agents[0])
	}
	s.step(setup.Message, "do", "play", "number", "201")
	b.Happens(tel.CallChanged{Call: "c8", Stage: tel.StageMenu, Via: "phone:201"})
	s.step(setup.Message, "do", "on", "call", "c8")
	if s.how(setup.Message) != setup.Done {
		t.Error("the message was heard, and is not done")
	}
	if status, body := s.step(setup.TestCall, "do", "login"); status != http.StatusOK || !slices.Contains(s.commands, "anna-bianchi login ") || slices.Contains(s.commands, "bruno-rossi login ") {
		t.Fatalf("going to work: %d %v %s", status, s.commands, body)
	}
	if _, to := s.step(setup.TestCall, "do", "me", "at", "201"); !strings.Contains(to, "/setup/13?call=c7") {
		t.Fatalf("calling the office: %s", to)
	}
	for _, e := range []tel.Event{
		tel.CallChanged{Call: "c9", Stage: tel.StageRouting, Via: "trunk:generic-register"},
		tel.QueueJoined{Call: "c9", Queue: "office"},
		tel.QueueOffered{Call: "c9", Agent: "anna-bianchi"},
		tel.QueueLeft{Call: "c9", Agent: "anna-bianchi", Outcome: tel.OutcomeAnswered},
	} {
		b.Happens(e)
	}
	good(setup.TestCall, "The call went all the way", "do", "look")
	good(setup.Privacy, "Calls are not recorded", "do", "read")
	if status, body := s.step(setup.GoLive, "do", "finish"); status != http.StatusConflict || !strings.Contains(body, "setup.kit_missing") {
		t.Fatalf("the end without the kit: %d", status)
	}
	secure := func(fields url.Values) string {
		return s.do(ask{method: http.MethodPost, path: "/setup/15?lang=en", form: fields, as: access.Owner, tls: true}).Body.String()
	}
	if body := secure(url.Values{"do": {"kit"}}); !strings.Contains(body, "AGE-SECRET-KEY-1FAKE") {
		t.Fatalf("no kit in %s", body)
	}
	if body := secure(url.Values{"do": {"file"}, "secret": {"AGE-SECRET-KEY-1FAKE"}}); !strings.Contains(body, "Recovery kit: whoever") || !strings.HasSuffix(body, "AGE-SECRET-KEY-1FAKE\r\n") {
		t.Errorf("the file is %q", body)
	}
	secure(url.Values{"do": {"confirm"}, "secret": {"AGE-SECRET-KEY-1FAKE"}})
	if status, to := s.step(setup.GoLive, "do", "finish"); status != http.StatusSeeOther || !strings.HasPrefix(to, "/?") {
		t.Fatalf("the end: %d %s", status, to)
	}
	if owed := b.State.Debts(); len(owed) != 0 || b.State.Waits() {
		t.Errorf("owed %v, waits %v", owed, b.State.Waits())
	}
}

func TestWithEveryProbeFailingTheSetUpGoesOnAndOwesIt(t *testing.T) {
	s := newBox(t)
	b := s.wizard
	b.Sentence = "callme.no_phone"
	b.Tried = []setup.Tried{{Cause: tel.LineUnreachable}}
	for _, x := range []struct {
		step   setup.Step
		fields []string
		want   string
	}{
		{setup.You, []string{"do", "you", "mobile", "201"}, "setup.number_bad"},
		{setup.Place, []string{"do", "place", "name", "", "timezone", "Rome"}, "setup.timezone_bad"},
		{setup.Network, []string{"do", "look"}, "setup.network.bad"},
		{setup.Today, []string{"do", "today"}, "setup.plug_missing"},
		{setup.Lines, []string{"do", "account", "which", "generic-register", "server", "sip.example", "user", "u", "password", "p"}, "setup.account_refused"},
		{setup.Lines, []string{"do", "look"}, "setup.lines.bad"},
		{setup.LineTest, []string{"do", "call", "which", "trunk:none", "number", "3331112222"}, "callme.no_phone"},
		{setup.LineTest, []string{"do", "look"}, "setup.linetest.bad"},
		{setup.People, []string{"do", "people", "names", " "}, "import.table"},
		{setup.Phones, []string{"do", "ring", "which", "201"}, "callme.no_phone"},
		{setup.Phones, []string{"do", "look"}, "setup.phones.bad"},
		{setup.Queue, []string{"do", "queue", "name", "Office", "number", "400", "hours", "always"}, "setup.no_people"},
		{setup.Lamps, []string{"do", "blink", "which", "desk1"}, "setup.lamp_gone"},
		{setup.Message, []string{"do", "play", "number", "201"}, "callme.no_phone"},
		{setup.TestCall, []string{"do", "me", "number", "3331112222"}, "setup.no_queue"},
		{setup.TestCall, []string{"do", "login"}, "setup.nobody_here"},
		{setup.TestCall, []string{"do", "look"}, "setup.testcall.bad"},
		{setup.Safety, []string{"do", "kit"}, "setup.kit.owner"}, // over plain HTTP through the network
		{setup.Safety, []string{"do", "confirm", "secret", "AGE-SECRET-KEY-1WRONG"}, "setup.kit.owner"},
		{setup.GoLive, []string{"do", "finish"}, "setup.kit_missing"},
	} {
		status, body := s.step(x.step, x.fields...)
		if status < 400 || !strings.Contains(body, "<code>"+x.want+"</code>") {
			t.Errorf("%s %v: %d, without %s", x.step, x.fields, status, x.want)
		}
		if strings.Contains(body, "⟦") {
			t.Errorf("%s %v: a sentence is missing", x.step, x.fields)
		}
	}
	form := url.Values{"do": {"confirm"}, "secret": {"AGE-SECRET-KEY-1WRONG"}}
	if status, body := s.post(setupPath(setup.Safety)+"?lang=en", form); status < 400 || !strings.Contains(body, "<code>setup.kit.wrong</code>") {
		t.Errorf("another key confirmed over HTTPS: %d", status)
	}
	for _, x := range setup.Steps() {
		if status, to := s.step(x, "do", "on"); status != http.StatusSeeOther || !strings.HasPrefix(to, setupPath(setup.After(x))) {
			t.Errorf("going on from %s: %d %s", x, status, to)
		}
		if s.how(x) == setup.Done {
			t.Errorf("%s is done", x)
		}
	}
	if n := len(b.State.Debts()); n != len(setup.Steps())-1 {
		t.Errorf("%d things are owed", n)
	}
	if !b.State.Waits() {
		t.Error("it is finished without the kit")
	}
	if _, body := s.get("/setup/16?lang=en"); !strings.Contains(body, "No line works: nobody can call") || !strings.Contains(body, `href="/setup/6?lang=en"`) {
		t.Error("the end does not say what is owed")
	}
}

func TestFieldsOfTheSetUpWrongInEveryWay(t *testing.T) {
	s := newBox(t)
	s.settings.Port().Apply(t.Context(), func(c *config.Config) {
		c.Agents = []config.Agent{{ID: "anna", Name: "Anna", Extension: "201"}}
	}, by(&visit{}), "")
	s.wizard.Modems = []setup.Modem{{Socket: "1.2"}}
	before := len(s.settings.By)
	for _, x := range []struct {
		step   setup.Step
		fields []string
		want   string
	}{
		{setup.Welcome, []string{"do", "begin", "language", "de"}, "problem.choice"},
		{setup.You, []string{"do", "you", "mobile", ""}, "problem.missing"},
		{setup.You, []string{"do", "you", "mobile", "112"}, "setup.number_bad"},
		{setup.You, []string{"do", "you", "mobile", "hello"}, "setup.number_bad"},
		{setup.You, []string{"do", "you", "mobile", strings.Repeat("3", 60)}, "setup.number_bad"},
		{setup.Place, []string{"do", "place", "name", "B", "town", "gotham", "timezone", "Europe/Rome"}, "problem.choice"},
		{setup.Place, []string{"do", "place", "name", "B", "patron", "31-12", "timezone", "Europe/Rome"}, "setup.patron_bad"},
		{setup.Place, []string{"do", "place", "name", "B", "timezone", "../etc/passwd"}, "setup.timezone_bad"},
		{setup.Today, []string{"do", "today", "plug", "roof"}, "setup.plug_missing"},
		{setup.Today, []string{"do", "today", "plug", "sim", "also", "toaster"}, "problem.choice"},
		{setup.Lines, []string{"do", "modem", "which", "9.9", "name", "SIM"}, "setup.modem_gone"},
		{setup.Lines, []string{"do", "modem", "which", "1.2", "name", ""}, "problem.missing"},
		{setup.Lines, []string{"do", "modem", "which", "1.2", "name", "SIM", "pin", "12ab"}, "setup.pin_bad"},
		{setup.Lines, []string{"do", "carrier", "carrier", "../x?y"}, "problem.choice"},
		{setup.Lines, []string{"do", "account", "which", "nobody"}, "form.unread"},
		{setup.Lines, []string{"do", "account", "which", "generic-register", "user", "u", "password", "p"}, "problem.missing"},
		{setup.Lines, []string{"do", "account", "which", "generic-address", "server", "sip.example", "match", "300.1.1.1", "number", "0612345678"}, "setup.address_bad"},
		{setup.Lines, []string{"do", "account", "which", "generic-register", "server", "sip.example", "user", "u", "password", "p", "number", "12"}, "setup.number_bad"},
		{setup.LineTest, []string{"do", "call", "which", "trunk:x", "number", "118"}, "setup.number_bad"},
		{setup.People, []string{"do", "people", "names", "Eva,201"}, "import.wrong"},
		{setup.People, []string{"do", "people", "names", "Eva,112"}, "import.wrong"},
		{setup.People, []string{"do", "people", "names", "\x00\x01"}, "import.table"},
		{setup.Phones, []string{"do", "give", "which", "999", "agent-999", "anna"}, "gone"},
		{setup.Queue, []string{"do", "queue", "name", "", "number", "400", "hours", "always"}, "problem.missing"},
		{setup.Queue, []string{"do", "queue", "name", "Q", "number", "201", "hours", "always"}, "problem.duplicate"},
		{setup.Queue, []string{"do", "queue", "name", "Q", "number", "400", "hours", "never"}, "problem.choice"},
		{setup.Queue, []string{"do", "queue", "name", "Q", "number", "112", "hours", "always"}, "form.wrong"},
		{setup.Lamps, []string{"do", "give", "which", "none", "agent-none", "anna"}, "setup.lamp_gone"},
		{setup.TestCall, []string{"do", "me", "number", "3331112222"}, "setup.no_queue"},
	} {
		status, body := s.step(x.step, x.fields...)
		if status < 400 || status >= 500 || !strings.Contains(body, "<code>"+x.want+"</code>") {
			t.Errorf("%s %v: %d, without %s", x.step, x.fields, status, x.want)
		}
	}
	if len(s.settings.By) != before {
		t.Errorf("%d changes were made: %v", len(s.settings.By)-before, s.settings.Whys)
	}
	if status, body := s.step(setup.Welcome, "do", "fly"); status != http.StatusBadRequest || !strings.Contains(body, "form.unread") {
		t.Errorf("what no form does: %d", status)
	}
	for _, path := range []string{"/setup/0", "/setup/17", "/setup/x", "/queues/none/call"} {
		if status, _ := s.get(path); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestAFullDiskIsSaidAndNothingIsDone(t *testing.T) {
	s := newBox(t)
	s.wizard.Full = errors.New("no space left on device")
	status, body := s.step(setup.Privacy, "do", "read")
	if status != http.StatusInternalServerError || !strings.Contains(body, "settings.disk") || s.how(setup.Privacy) != "" {
		t.Errorf("%d, %q: %s", status, s.how(setup.Privacy), body)
	}
}

func TestTheKitIsTheOwnersAndNeverInTheClear(t *testing.T) {
	s := newBox(t)
	for name, a := range map[string]ask{
		"over plain HTTP":      {as: access.Owner},
		"by the installer":     {as: access.Installer, tls: true},
		"confirmed, in clear":  {as: access.Owner, form: url.Values{"do": {"confirm"}, "secret": {"AGE-SECRET-KEY-1X"}}},
		"as a file, in clear":  {as: access.Owner, form: url.Values{"do": {"file"}, "secret": {"AGE-SECRET-KEY-1X"}}},
		"as a file, installer": {as: access.Installer, tls: true, form: url.Values{"do": {"file"}, "secret": {"AGE-SECRET-KEY-1X"}}},
	} {
		a.method, a.path = http.MethodPost, "/setup/15?lang=en"
		if a.form == nil {
			a.form = url.Values{"do": {"kit"}}
		}
		w := s.do(a)
		if w.Code < 400 || strings.Contains(w.Body.String(), "AGE-SECRET") {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	kits := func() (all []access.Deed) {
		for _, n := range s.notes {
			if n.What == access.DeedKitMade || n.What == access.DeedKitConfirmed {
				all = append(all, n.What)
			}
		}
		return all
	}
	if s.wizard.Secret != "" || len(kits()) > 0 {
		t.Errorf("a kit was made: %v", kits())
	}
	owner := func(form url.Values) {
		s.do(ask{method: http.MethodPost, path: "/setup/15?lang=en", as: access.Owner, tls: true, form: form})
	}
	owner(url.Values{"do": {"kit"}})
	owner(url.Values{"do": {"confirm"}, "secret": {"another"}})
	owner(url.Values{"do": {"confirm"}, "secret": {s.wizard.Secret}})
	if got := kits(); !slices.Equal(got, []access.Deed{access.DeedKitMade, access.DeedKitConfirmed}) {
		t.Errorf("of the owner's kit is written down: %v", got)
	}
}

// What is shown once, and only where nobody listens in, is spoken of before it is too late, with the way to go.
func TestWhoComesInTheClearIsShownThePrivateWayInTime(t *testing.T) {
	s := newBox(t)
	for _, x := range []struct{ path, sentence, way string }{
		{"/setup/8", "Go on there before you add people", "https://pronto.local:8443/setup/8"},
		{"/setup/15", "The kit is shown only over a protected connection", "https://pronto.local:8443/setup/15"},
	} {
		for _, tls := range []bool{false, true} {
			body := s.do(ask{method: http.MethodGet, path: x.path + "?lang=en", as: access.Owner, tls: tls}).Body.String()
			for _, want := range []string{x.sentence, x.way} {
				if strings.Contains(body, want) == tls {
					t.Errorf("%s over TLS: %v, says %q: %v", x.path, tls, want, tls)
				}
			}
		}
	}
	if _, body := s.step(setup.People, "do", "people", "names", "Anna"); !strings.Contains(body, "There is a new password, but it is not shown here") || strings.Contains(body, "Go on there before") {
		t.Errorf("after somebody was added in the clear: %s", body)
	}
	box := newSite(t, newHub(t, emptyOffice))
	for _, x := range []struct {
		from string
		tls  bool
		want bool
	}{{inTheOffice, false, true}, {inTheOffice, true, false}, {"127.0.0.1:51000", false, false}} {
		body := box.do(ask{method: http.MethodGet, path: "/claim?lang=en", from: x.from, tls: x.tls}).Body.String()
		if strings.Contains(body, `href="https://pronto.local:8443/claim?lang=en"`) != x.want || !strings.Contains(body, `name="code"`) {
			t.Errorf("claiming from %s, over TLS %v, is shown another way: %v", x.from, x.tls, !x.want)
		}
	}
}

func TestATelephoneIsToldAServerThatItFinds(t *testing.T) {
	s := newBox(t)
	s.wizard.Phones = []setup.Phone{{ID: "201", Name: "Anna"}}
	for _, x := range []struct {
		host, at, listen, want string
	}{
		{"192.168.1.40:8080", "", "0.0.0.0:5060", "192.168.1.40"},
		{"pronto.local", "192.168.1.40:80", "0.0.0.0:5060", "192.168.1.40"},
		{"pronto.local", "[fd00::40]:80", "0.0.0.0:5060", "fd00::40"},
		{"pronto.local", "", "0.0.0.0:5060", "pronto.local"},
		{"192.168.1.40", "", "0.0.0.0:5062", "192.168.1.40:5062"},
		{"[fd00::40]:8080", "", "[::]:5062", "[fd00::40]:5062"},
	} {
		s.settings.Port().Apply(t.Context(), func(c *config.Config) { c.SIP.Listen = netip.MustParseAddrPort(x.listen) }, by(&visit{}), "")
		body := s.do(ask{method: http.MethodGet, path: "/setup/9?lang=en", as: access.Owner, host: x.host, at: x.at}).Body.String()
		if !strings.Contains(body, "Type into each telephone: server "+x.want+", the number") {
			t.Errorf("seen at %q, %q, with SIP at %s: not %s", x.host, x.at, x.listen, x.want)
		}
	}
}

func TestATestCallOutsideOfTheOpeningHoursIsNoRiddle(t *testing.T) {
	s := newBox(t)
	s.settings.Port().Apply(t.Context(), func(c *config.Config) {
		c.Agents = []config.Agent{{ID: "anna", Name: "Anna", Extension: "201"}}
		c.Queues = []config.Queue{{ID: "office", Name: "Office", Number: "400", Agents: []tel.AgentID{"anna"}}}
		c.Hours = []config.Hours{{ID: "office", Name: "Office", Open: []string{"mon 09:00-10:00"}, Then: "queue:office", Closed: "say:closed"}}
	}, by(&visit{}), "")
	for sentence, want := range map[string]bool{"probe.hours.closed": true, "probe.hours.open": false} {
		s.settings.Probed = []page.Finding{{Level: "ok", Thing: "Office", Says: page.Said{Sentence: sentence}}}
		if _, body := s.get("/setup/13?lang=en"); strings.Contains(body, "By the opening hours of Office the office is closed now") != want {
			t.Errorf("%s is said on the screen of the test call: %v", sentence, !want)
		}
	}
}

func TestTheWayOfACallIsStreamed(t *testing.T) {
	s := newBox(t)
	srv := httptest.NewServer(s)
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/setup/live?lang=en", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: plainCookie, Value: s.tokens[access.Owner]})
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	until := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("the stream ends without %q: %v", want, lines.Err())
	}
	until("event: version")
	until(`id="trail-line" class="now"`)
	s.wizard.Happens(tel.CallChanged{Call: "c1", Stage: tel.StageRouting, Via: "trunk:tim"})
	s.wizard.Happens(tel.QueueJoined{Call: "c1", Queue: "sales"})
	until(`id="trail-queue" class="done"`)
	until("event: clock") // it lives although nothing happens
}

func TestAQueueIsCalledAsACustomer(t *testing.T) {
	s := office(t)
	if _, body := s.get("/queues/sales?lang=en"); !strings.Contains(body, `action="/queues/sales/call?lang=en"`) {
		t.Error("the page of the queue has no button for it")
	}
	if status, to := s.post("/queues/sales/call", nil); status != http.StatusSeeOther || to != "/queues/sales/call" {
		t.Errorf("the button: %d %s", status, to)
	}
	if status, body := s.get("/queues/sales/call?lang=en"); status != http.StatusOK || !strings.Contains(body, "Anna 201") || strings.Contains(body, "Carla") {
		t.Errorf("who can be rung: %d", status)
	}
	if status, to := s.post("/queues/sales/call", url.Values{"do": {"call"}, "at": {"201"}}); status != http.StatusSeeOther || to != "/queues/sales/call?call=c7" {
		t.Errorf("calling: %d %s", status, to)
	}
	s.post("/queues/sales/call", url.Values{"do": {"call"}, "at": {"201"}, "number": {"333 1112222"}})
	if want := []string{"call sales 201 ", "call sales +393331112222 "}; !slices.Equal(s.wizard.Asked, want) {
		t.Errorf("asked %q", s.wizard.Asked)
	}
	s.wizard.Sentence = "callme.refused"
	if status, body := s.post("/queues/sales/call?lang=en", url.Values{"do": {"call"}, "number": {"3331112222"}}); status != http.StatusConflict || !strings.Contains(body, "callme.refused") {
		t.Errorf("refused: %d", status)
	}
	if status, body := s.post("/queues/sales/call?lang=en", url.Values{"do": {"call"}, "number": {"112"}}); status != http.StatusUnprocessableEntity || !strings.Contains(body, "setup.number_bad") {
		t.Errorf("an emergency number: %d", status)
	}
}

// minute is the time of day that a screen says.
var minute = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d`)

func TestTheScreensOfTheSetUpLookAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		s := newBox(t)
		for _, x := range setup.Steps() {
			_, body := s.get(setupPath(x) + "?lang=" + lang)
			body = minute.ReplaceAllString(body, "MINUTE")
			look(t, lang, "empty-setup-"+string(x), body)
		}
		s = full(t)
		b := s.wizard
		b.Modems = []setup.Modem{{Socket: "1.2"}, {Socket: "1.3", Line: "line:gsm0"}}
		b.Phones = []setup.Phone{{ID: "201", Name: "Anna", Agent: hostile, Here: true, From: "192.0.2.20"}, {ID: "202", Name: "Bruno"}}
		b.Strangers = []setup.Stranger{{From: "192.0.2.66", User: hostile, At: at}}
		b.Tests = map[string]page.LineTest{"trunk:tim": {Line: "trunk:tim", Name: hostile, Number: "+390612345678", Out: "silent", In: "heard"}}
		b.Made = at
		b.Happens(tel.CallChanged{Call: "c1", Stage: tel.StageWaiting, Via: "trunk:tim", Queue: "sales"})
		s.settings.Port().Apply(t.Context(), func(c *config.Config) { c.Lamps = []config.Lamp{{ID: "desk1", Driver: "sim"}} }, by(&visit{}), "")
		b.State.Tell(setup.Told{Mobile: "+393331112222", Plugged: &setup.Plugged{Where: "wall", Also: setup.Others()}}, at)
		for _, x := range []setup.Step{setup.You, setup.Today, setup.Lines, setup.LineTest, setup.People, setup.Phones, setup.Queue, setup.Lamps, setup.Message, setup.TestCall, setup.Safety, setup.GoLive} {
			path := setupPath(x) + "?lang=" + lang
			if x == setup.Lines {
				path += "&carrier=generic-register"
			}
			_, body := s.get(path)
			look(t, lang, "full-setup-"+string(x), body)
		}
		_, body := s.get("/queues/sales/call?lang=" + lang)
		look(t, lang, "full-queues-sales-call", body)
		_, body = s.plainly(setupPath(setup.Network)+"?lang="+lang, url.Values{"do": {"look"}})
		look(t, lang, "error-setup-network", body)
	}
}

// Whatever is posted to whatever screen: an answer in words, never a fault of ours.
func FuzzAFormOfTheSetUp(f *testing.F) {
	for i := range setup.Steps() {
		for do := range screens()[setup.Steps()[i]].do {
			f.Add(i+1, do, "201", "Anna\nBruno,202", "0612345678")
		}
	}
	f.Add(6, "account", "generic-address", "203.0.113.7, 192.0.2.0/24", "+39")
	f.Add(3, "place", "", "Europe/Rome", "02-30")
	f.Fuzz(func(t *testing.T, number int, do, which, text, short string) {
		s := newBox(t)
		form := url.Values{"do": {do}, "which": {which}, "call": {which}}
		for _, name := range []string{"name", "names", "match", "timezone", "secret", "server", "user", "password"} {
			form.Set(name, text)
		}
		for _, name := range []string{"number", "mobile", "pin", "patron", "town", "plug", "also", "hours", "mailbox", "language", "at", "carrier", "agent-" + which} {
			form.Set(name, short)
		}
		step, ok := setup.At(number)
		if !ok {
			return
		}
		if status, body := s.post(setupPath(step), form); status >= 500 {
			t.Fatalf("%d: %s", status, body)
		}
	})
}
