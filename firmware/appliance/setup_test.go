package appliance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/setup"
)

func TestTheWaysInWhichAnAccountIsTried(t *testing.T) {
	for name, x := range map[string]struct {
		account config.Trunk
		want    string
	}{
		"a number without the country's code":         {config.Trunk{Preset: "generic-register", User: "0612345678"}, "plain, user +390612345678, transport TCP"},
		"a number with it":                            {config.Trunk{Preset: "generic-register", User: "+390612345678"}, "plain, user 0612345678, transport TCP"},
		"a user that is no number":                    {config.Trunk{Preset: "generic-register", User: "rossi"}, "plain, transport TCP"},
		"a carrier with another port":                 {config.Trunk{Preset: "messagenet", User: "5551234"}, "plain, server sip.messagenet.it:5061, transport TCP"},
		"a carrier that locks out who tries at once":  {config.Trunk{Preset: "enegan", User: "0612345678"}, "plain"},
		"a carrier of which nothing is known":         {config.Trunk{User: "0612345678"}, "plain"},
		"a carrier with several platforms, all tried": {config.Trunk{Preset: "voiptel", User: "rossi"}, "plain, transport TCP"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, v := range variants(x.account) {
				if v.key == "" {
					v.key = "plain"
				}
				got = append(got, strings.TrimSpace(v.key+" "+v.value))
			}
			if strings.Join(got, ", ") != x.want {
				t.Errorf("%q, want %q", got, x.want)
			}
		})
	}
	platforms := 0
	for _, v := range variants(config.Trunk{Preset: "voipvoice-sip", User: "rossi"}) {
		if v.key == "platform" {
			platforms++
			if v.trunk.Preset == "voipvoice-sip" || !strings.HasPrefix(v.trunk.Preset, "voipvoice-") {
				t.Errorf("the platform %q", v.trunk.Preset)
			}
		}
	}
	if platforms != 2 {
		t.Errorf("%d other platforms of a carrier that has three", platforms)
	}
}

func TestWhatCannotHelpIsNotTried(t *testing.T) {
	for _, x := range []struct {
		plain tel.LineCause
		want  string
	}{
		{tel.LineRefused, "user server platform transport"},
		{tel.LineUnreachable, "server platform transport"},
		{tel.LineDNSFailed, ""},
	} {
		var got []string
		for _, key := range []string{"user", "server", "platform", "transport"} {
			if mayHelp(key, x.plain) {
				got = append(got, key)
			}
		}
		if strings.Join(got, " ") != x.want {
			t.Errorf("after %s: %q, want %q", x.plain, got, x.want)
		}
	}
}

func TestAnAccountIsTriedUntilItsCarrierLetsUsIn(t *testing.T) {
	b := start(t, shop)
	at := netip.AddrPortFrom(newAddress(), 5060)
	carrier, err := peer.New(peer.Config{Listen: at, Law: tone.ALaw, Accounts: map[string]string{ourNumber: ourSecret}})
	if err != nil {
		t.Fatal(err)
	}
	defer carrier.Close()
	account := config.Trunk{ID: "new", Name: "New", Preset: "generic-register", Server: at.String(), User: "0612345678", Password: ourSecret}
	got := b.box.tryAccount(t.Context(), account)
	if len(got) != 2 || got[0].Works || got[0].Cause != tel.LineRefused || !got[1].Works || got[1].Trunk.User != ourNumber {
		t.Fatalf("tried %+v", got)
	}
	if _, still := carrier.Registered(ourNumber); still {
		t.Error("the trial is still logged in")
	}
	for name := range b.box.present.lines() {
		t.Errorf("the page shows a line %s", name)
	}
	account.Password = "wrong"
	for _, x := range b.box.tryAccount(t.Context(), account) {
		if x.Works {
			t.Errorf("with a wrong password %s works", x.Key)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := b.box.tryAccount(ended, account); len(got) != 1 || got[0].Works {
		t.Errorf("for nobody who waits: %+v", got)
	}
}

func TestASetUpGoesOnWhereItWasAndLeavesOldBoxesAlone(t *testing.T) {
	file := func(o *Options) string { return filepath.Join(o.Dir, "setup.json") }
	for name, x := range map[string]struct {
		config string
		before func(o *Options) error
		waits  bool
		here   setup.Step
	}{
		"a new box":                       {"", func(*Options) error { return nil }, true, setup.Welcome},
		"a box that has people and queue": {shop, func(*Options) error { return nil }, false, setup.Welcome},
		"one in the middle": {shop, func(o *Options) error {
			return statefile.Save(file(o), setup.Version, setup.State{Marks: map[setup.Step]setup.Mark{setup.Welcome: {How: setup.Done}}})
		}, true, setup.You},
		"one whose file is damaged": {"", func(o *Options) error {
			return errors.Join(os.MkdirAll(o.Dir, 0o700), os.WriteFile(file(o), []byte("{"), 0o600))
		}, true, setup.Welcome},
	} {
		t.Run(name, func(t *testing.T) {
			b := startWith(t, x.config, func(o *Options) {
				if err := errors.Join(os.MkdirAll(o.Dir, 0o700), x.before(o)); err != nil {
					t.Fatal(err)
				}
			}, func(*Box) {})
			if b.box.setup.Waits() != x.waits || b.box.setup.State().Here() != x.here {
				t.Errorf("waits %v at %s", b.box.setup.Waits(), b.box.setup.State().Here())
			}
			if sentence, err := b.box.setup.Tell(setup.Proved{Step: setup.Place}, time.Now()); sentence != "" || err != nil {
				t.Fatal(sentence, err)
			}
			var kept setup.State
			if err := statefile.Load(filepath.Join(b.box.opts.Dir, "setup.json"), setup.Version, &kept); err != nil || kept.Marks[setup.Place].How != setup.Done {
				t.Errorf("kept %+v, %v", kept, err)
			}
		})
	}
}

func TestWhatTheNetworkIsLike(t *testing.T) {
	says := func(f page.Finding) string { return f.Level + " " + f.Says.Sentence }
	addrs := func(all ...string) func() ([]net.Addr, error) {
		return func() (list []net.Addr, err error) {
			for _, a := range all {
				p := netip.MustParsePrefix(a)
				list = append(list, &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())})
			}
			return list, nil
		}
	}
	for want, got := range map[string]page.Finding{
		"ok setup.net.address":         addressesSeen(addrs("127.0.0.1/8", "192.168.1.40/24", "fe80::1/64")),
		"error setup.net.address.none": addressesSeen(addrs("127.0.0.1/8", "fe80::1/64")),
		"ok setup.net.clock":           clockSet(func() (int32, error) { return 0, nil }),
		"warn setup.net.clock.alone":   clockSet(func() (int32, error) { return unix.STA_UNSYNC, nil }),
		"warn setup.net.clock.unknown": clockSet(func() (int32, error) { return 0, errors.New("no clock") }),
		"error setup.net.dns.none":     findName(cancelled(t), []string{"pronto.invalid"}),
	} {
		if says(got) != want {
			t.Errorf("%q, want %q: %+v", says(got), want, got)
		}
	}
	c := config.Default()
	c.Trunks = []config.Trunk{{Preset: "tim", Server: "sip.example:5061"}, {Server: "192.0.2.1"}, {Server: "off.example", Disabled: true}}
	if got := namesOf(&c); !slices.Equal(got, []string{"sip.example"}) {
		t.Errorf("names %q", got)
	}
}

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestModemsAreFoundWithTheLinesThatHaveThem(t *testing.T) {
	ports := gsm.Ports{Command: "/dev/ttyUSB2", Device: "1-1.2"}
	for name, x := range map[string]struct {
		line config.Line
		want string
	}{
		"by its socket": {config.Line{ID: "a", AT: "usb:1.2"}, "line:a"}, "by its port": {config.Line{ID: "a", AT: "/dev/ttyUSB2"}, "line:a"},
		"as the first there is": {config.Line{ID: "a", AT: "usb"}, "line:a"}, "another socket": {config.Line{ID: "a", AT: "usb:1.3"}, ""},
	} {
		if got := lineOf([]config.Line{x.line}, "1.2", ports); got != x.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestStrangersWhoKnockAreShownForAWhileAndNeverMany(t *testing.T) {
	var s strangers
	now := time.Now()
	for i := range 3 * mostStrangers {
		s.note(fmt.Sprint("192.0.2.", i), "299", now)
	}
	s.note("192.0.2.99", "old", now.Add(-2*strangerFor))
	all := s.all()
	if len(all) != mostStrangers-1 || all[0].From != fmt.Sprint("192.0.2.", 3*mostStrangers-1) {
		t.Errorf("%d: %+v", len(all), all)
	}
	s.note("192.0.2.1", "301", now)
	s.note("192.0.2.1", "301", now)
	if n := len(s.all()); n > mostStrangers {
		t.Errorf("%d", n)
	}
}

func TestThePatronsDayIsTheNextOne(t *testing.T) {
	b := start(t, shop)
	for _, town := range towns() {
		name, day, known := b.box.patron(town)
		if !known || name == "" || day.Before(time.Now().AddDate(0, 0, -1)) || day.After(time.Now().AddDate(1, 2, 0)) {
			t.Errorf("%s: %q on %v, %v", town, name, day, known)
		}
	}
	if _, _, known := b.box.patron("gotham"); known {
		t.Error("Gotham has a patron")
	}
}

// Which half of a line is deaf, is told by what happens: the call does not arrive, nobody hears the other, a call
// comes in.
func TestALineIsTestedInBothDirections(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	a.eventually("the line is up", func() bool { return a.status().Up })
	stands := func() page.LineTest { return a.box.lineTests.all()["trunk:line"] }
	calls := func(take func(*peer.Call), want string) {
		t.Helper()
		a.take.Store(&take)
		if sentence, err := a.box.testLine("trunk:line", customer); sentence != "" || err != nil {
			t.Fatal(sentence, err)
		}
		for ended := false; !ended; { // a test may last as long as the words are said three times
			_, _, changed := a.box.trails.of("")
			if ended = stands().Out == want; ended {
				break
			}
			select {
			case <-changed:
			case <-time.After(40 * time.Second):
				t.Fatalf("the test is %+v, want %s", stands(), want)
			}
		}
	}
	calls(func(c *peer.Call) { c.Reject(486) }, "failed")
	if s := stands(); s.Cause != tel.CauseBusy || s.Works() {
		t.Errorf("%+v", s)
	}
	calls(func(c *peer.Call) {
		if c.Answer() {
			c.Hangup()
		}
	}, "silent")
	calls(func(c *peer.Call) {
		if c.Answer() {
			c.Audio().Press("1")
		}
	}, "proved")
	if stands().In != "" {
		t.Errorf("a call came in: %+v", stands())
	}
	c, err := a.carrier.CallIn(ourAccount, peer.Outgoing{To: ourNumber, From: customer})
	if err != nil {
		t.Fatal(err)
	}
	a.eventually("the call that comes in is seen", func() bool { return stands().In == "heard" })
	c.Hangup()
	if !stands().Works() || stands().Name != "Linea" || string(stands().Number) != ourNumber {
		t.Errorf("%+v", stands())
	}
	if sentence, err := a.box.testLine("trunk:none", customer); sentence != "setup.line_gone" || err != nil {
		t.Errorf("a line that there is not: %q, %v", sentence, err)
	}
	if sentence, err := a.box.testLine("trunk:line", "112"); sentence != "callme.refused" || err != nil {
		t.Errorf("an emergency number: %q, %v", sentence, err)
	}
	a.eventually("no call of a test is remembered", func() bool {
		a.box.lineTests.mu.Lock()
		defer a.box.lineTests.mu.Unlock()
		return len(a.box.lineTests.calls) == 0
	})
}

func TestCallingAsACustomerIsRefusedWhereItMayNotBe(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	for name, x := range map[string]struct {
		queue  tel.QueueID
		number tel.Number
		by     tel.AgentID
		want   string
	}{
		"no such queue":                      {"none", "201", "", "floor.no_queue"},
		"a telephone that is not here":       {"sales", "203", "", "callme.no_phone"},
		"an emergency number":                {"sales", "112", "anna", "callme.refused"},
		"a country that the person may not":  {"sales", "+12125550100", "anna", "callme.refused"},
		"a premium number":                   {"sales", "+39899123456", "anna", "callme.refused"},
		"a number that is nothing":           {"sales", "77", "anna", "callme.refused"},
		"an own telephone that is connected": {"sales", "201", "anna", ""},
	} {
		call, sentence, err := a.box.callMe(x.queue, x.number, x.by)
		if sentence != x.want || err != nil || (call == "") != (x.want != "") {
			t.Errorf("%s: %q, %q, %v", name, call, sentence, err)
		}
	}
}

// What was owed at the end of the set-up is settled by whatever comes to work later; before its end people go through
// the screens themselves.
func TestADebtOfTheSetUpIsSettledByWhatWorksLater(t *testing.T) {
	b := start(t, shop)
	tell := func(event any) {
		t.Helper()
		if sentence, err := b.box.setup.Tell(event, time.Now()); sentence != "" || err != nil {
			t.Fatal(sentence, err)
		}
	}
	for _, step := range setup.Steps() {
		tell(setup.Left{Step: step})
	}
	works := map[setup.Step][]tel.Event{
		setup.Lines:  {tel.LineChanged{Line: "trunk:late", Type: "sip", Up: true, Cause: tel.LineOK}},
		setup.Phones: {tel.DeviceChanged{Device: "201", Reachable: true}},
		setup.TestCall: {
			tel.CallChanged{Call: "late", Stage: tel.StageWaiting, Via: "trunk:late", Direction: tel.Inbound, Queue: "sales"},
			tel.CallChanged{Call: "late", Stage: tel.StageTalking, Via: "trunk:late", Direction: tel.Inbound, Queue: "sales", Agent: "carla"},
		},
	}
	tell(setup.Proved{Step: setup.Safety})
	tell(setup.Finish{})
	for step, events := range works {
		if !b.box.setup.Owes(step) {
			t.Fatalf("%s is not owed at the end", step)
		}
		for _, e := range events {
			b.box.publish(e)
		}
		b.eventually(string(step)+" is settled", func() bool { return !b.box.setup.Owes(step) })
	}
	if !b.box.setup.Owes(setup.Network) {
		t.Error("what nothing has shown to work is settled, too")
	}
}
