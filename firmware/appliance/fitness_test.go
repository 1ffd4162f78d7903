package appliance

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/fit/selfcall"
)

// knock asks at a door and reads its answer.
func (b *bench) knock(method, path string, into any) {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.box.commands().ServeHTTP(w, httptest.NewRequestWithContext(b.t.Context(), method, path, nil))
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil || w.Code != http.StatusOK {
		b.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
}

// The words of the doors stand twice, because the updater knows nothing of the exchange: what one says the other reads.
func TestTheUpdaterReadsWhatTheBoxSaysOfItself(t *testing.T) {
	b := startWith(t, shop+"trunks:\n  - {id: tim, name: TIM, server: 127.0.0.9, number: \"+390612345678\", match: [127.0.0.9/32], in: {\"*\": \"queue:sales\"}}\n"+
		"  - {id: off, name: Off, disabled: true, server: 127.0.0.10, number: \"+390612345679\", match: [127.0.0.10/32], in: {\"*\": \"queue:sales\"}}\n",
		func(o *Options) { o.Version = "1.4.2" }, func(*Box) {})
	b.box.publish(tel.CallChanged{Call: "c1", Stage: tel.StageTalking, Via: "phone:201"})
	b.box.publish(tel.CallChanged{Call: "c2", Stage: tel.StageWaiting, Via: "trunk:tim"})
	b.box.publish(tel.QueueJoined{Call: "c2", Queue: "sales"})
	var x fit.Exchange
	b.knock(http.MethodGet, "/fit", &x)
	x.Trunks.Up = 0 // which its owner tells in its own time
	if x.Version != "1.4.2" || x.Up <= 0 || x.Busy != (fit.Busy{Calls: 2, Waiting: 1}) ||
		x.Counts != (fit.Counts{People: 4, Queues: 1, Trunks: fit.Trunks{Of: 1}}) || x.Memory < 1<<20 || len(x.Pages) != 2 {
		t.Errorf("%+v", x)
	}
	var checks []fit.Check
	b.knock(http.MethodPost, "/fit/check", &checks)
	for _, c := range checks {
		if !c.OK {
			t.Errorf("%+v", c)
		}
	}
	if len(checks) != 4 {
		t.Errorf("%+v", checks)
	}
	var a selfcall.Account
	b.knock(http.MethodPost, "/fit/call", &a)
	if a.Address.String() != b.sip || a.Media != a.Address.Addr() || len(a.Password) < 20 || a.Number == "" || a.User == "" {
		t.Errorf("%+v", a)
	}
}

func TestAFileThatIsNotInForceAndASocketThatIsMissingAreFound(t *testing.T) {
	b := start(t, shop)
	b.box.report("config_file", false, "line 3: unknown field")
	booted := *b.box.booted
	booted.SIP.TLSListen = booted.Web.TLSListen
	b.box.booted = &booted
	var checks []fit.Check
	b.knock(http.MethodPost, "/fit/check", &checks)
	wrong := map[string]string{}
	for _, c := range checks {
		if !c.OK {
			wrong[c.Name] = c.Words
		}
	}
	if len(wrong) != 2 || !strings.Contains(wrong[fit.CheckConfig], "line 3") || !strings.Contains(wrong[fit.CheckSockets], "SIP over tls is not bound") {
		t.Errorf("%v", wrong)
	}
}

// The updater gets a socket of its own, on which there is nothing but its doors.
func TestTheUpdatersSocketHasNothingButItsDoors(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "fit.sock")
	startWith(t, shop, func(o *Options) { o.Fit = socket }, func(*Box) {})
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	for path, want := range map[string]int{"/fit": http.StatusOK, "/claim": http.StatusNotFound, "/queues": http.StatusNotFound, "/now": http.StatusNotFound} {
		res, err := client.Get("http://prontod" + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestTheHealthCheckReachesTheEchoAndNothingElse(t *testing.T) {
	b := start(t, shop)
	n := b.box.numbering.Load()
	now := time.Now()
	offer, err := b.box.offerSelfCall(now)
	if err != nil {
		t.Fatal(err)
	}
	party := "phone:" + offer.User
	if d := n.Route(party, "", tel.Number(offer.Number), now); d.Kind != call.ToEcho {
		t.Errorf("the echo is %+v", d)
	}
	for _, dialed := range []tel.Number{"201", "400", "112", "0612345678", "*43", ""} {
		if d := n.Route(party, "", dialed, now); d.Kind != call.Refuse {
			t.Errorf("%s leads to %+v", dialed, d)
		}
	}
	for _, to := range []string{"ext:201", "queue:sales", "outside:0612345678", "dialed:201"} {
		if d := n.Resolve(to, party, now); d.Kind != call.Refuse {
			t.Errorf("a transfer to %s leads to %+v", to, d)
		}
	}
	for _, in := range []call.Arrival{{From: party, Replaces: "sip:x"}, {From: party, Join: "sip:x"}} {
		if _, err := b.box.arrive(in, nil); err == nil {
			t.Errorf("it takes part in a call: %+v", in)
		}
	}
	if a, ok := b.box.sipAccount(offer.User); !ok || !a.OwnMachine || string(a.Device) != offer.User {
		t.Errorf("%+v, %v", a, ok)
	}
	b.box.selfCall.until = now.Add(-time.Second)
	if _, ok := b.box.sipAccount(offer.User); ok {
		t.Error("an account lives longer than a minute")
	}
	if _, ok := b.box.sipAccount(selfCaller); ok {
		t.Error("the account of nobody is somebody's")
	}
	if _, ok := b.box.sipAccount("201"); !ok {
		t.Error("a phone has no account")
	}
	b.box.publishCall(tel.CallChanged{Call: "own", Stage: tel.StageMenu, Via: party})
	b.box.publishCall(tel.PartyChanged{Call: "own", Party: party})
	b.box.publishCall(tel.CallChanged{Call: "other", Stage: tel.StageMenu, Via: "phone:201"})
	if calls, _ := b.box.present.busy(); calls != 1 {
		t.Errorf("%d calls are shown", calls)
	}
}

func TestALineIsUpWhenItSaysSo(t *testing.T) {
	p := newPresent(time.UTC)
	p.apply(tel.LineChanged{Line: "trunk:tim", Up: true})
	p.apply(tel.LineChanged{Line: "trunk:voip"})
	if !p.lineUp("trunk:tim") || p.lineUp("trunk:voip") || p.lineUp("trunk:none") {
		t.Error("a line is not as it said")
	}
}

func TestHowMuchMemoryAProcessTakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "statm")
	if residentMemory(path) != 0 {
		t.Error("what is not told is known")
	}
	write := func(text string) string {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	page := int64(os.Getpagesize())
	for text, want := range map[string]int64{"500 120 90 1 0 80 0\n": 120 * page, "500": 0, "a b": 0, "": 0} {
		if got := residentMemory(write(text)); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
}
