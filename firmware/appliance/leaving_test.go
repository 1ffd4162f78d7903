package appliance

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/fit/promise"
)

// outcome is how a call ends that a phone makes.
func (b *bench) outcome(p *peer.Peer, to string) (status int) {
	b.t.Helper()
	c, err := p.Dial(peer.Outgoing{To: to})
	if err != nil {
		b.t.Fatal(err)
	}
	select {
	case <-c.Answered():
		c.Hangup()
	case <-c.Ended():
		status, _, _ = c.Outcome()
		return status
	case <-time.After(patience):
		b.t.Fatalf("nothing becomes of a call to %s", to)
	}
	<-c.Ended()
	return http.StatusOK
}

// quietly waits until nobody is on the phone, and returns a promise that it stays so.
func (b *bench) quietly(c *promise.Client) (token string) {
	b.t.Helper()
	b.eventually("nobody is on the phone", func() bool {
		var err error
		token, _, err = c.Promise(b.t.Context(), promise.Wish{For: promise.Lasts})
		if err != nil {
			b.t.Fatal(err)
		}
		return token != ""
	})
	return token
}

// The client of the updater meets the doors of the box, and phones meet the promise: an INVITE is answered 503, one to an
// emergency number is taken and ends the promise.
func TestABoxThatPromisesARestartRefusesCallsButThoseForHelp(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "fit.sock")
	b := startWith(t, strings.Replace(shop, "Bottega}", "Bottega, timezone: Asia/Tokyo}", 1)+
		"trunks:\n  - {id: tim, name: TIM, server: 127.0.0.9, number: \"+390612345678\", match: [127.0.0.9/32], in: {\"*\": \"queue:sales\"}}\n", func(o *Options) { o.Fit = socket }, func(*Box) {})
	c, ctx, anna := promise.New(socket), t.Context(), b.watcher("201")
	var x fit.Exchange
	if b.knock(http.MethodGet, "/fit", &x); x.Zone != "Asia/Tokyo" {
		t.Errorf("the window would be read by the clock of %q", x.Zone)
	}
	up, err := anna.Dial(peer.Outgoing{To: "*43"})
	if err != nil {
		t.Fatal(err)
	}
	<-up.Answered()
	b.eventually("the call is known", func() bool {
		token, busy, err := c.Promise(ctx, promise.Wish{For: promise.Lasts})
		if err != nil || token != "" {
			t.Fatalf("with a call it promises: %q, %v", token, err)
		}
		return busy == fit.Busy{Calls: 1}
	})
	up.Hangup()

	token := b.quietly(c)
	if status := b.outcome(anna, "*43"); status != http.StatusServiceUnavailable {
		t.Errorf("a call begins: %d", status)
	}
	if err := c.Withdraw(ctx, token); err != nil {
		t.Error(err)
	}
	if status := b.outcome(anna, "*43"); status != http.StatusOK {
		t.Errorf("nobody restarts, and a call is refused: %d", status)
	}

	token = b.quietly(c)
	help, err := anna.Dial(peer.Outgoing{To: "112"})
	if err != nil {
		t.Fatal(err)
	}
	b.eventually("a call for help is taken", func() bool { return b.box.calls.Urgent() == 1 })
	if err := c.Leave(ctx, token); !errors.Is(err, promise.ErrNone) {
		t.Errorf("somebody calls for help, and the box restarts: %v", err)
	}
	help.Hangup()
	token = b.quietly(c)
	if err := c.Leave(ctx, token); err != nil {
		t.Errorf("nothing has happened: %v", err)
	}
	if status := b.outcome(anna, "112"); status != http.StatusServiceUnavailable {
		t.Errorf("a call is taken that the restart cuts off: %d", status)
	}
}

func TestQueuesDrainWhereTheUpdaterAsksForIt(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "fit.sock")
	b := startWith(t, strings.Replace(shop, "ring: 15s}", "ring: 15s, waiting: {full_to: \"ext:202\"}}", 1), func(o *Options) { o.Fit = socket }, func(*Box) {})
	taken := make(chan *peer.Call, 1)
	b.telephone("202", 500, taken)
	if err := promise.New(socket).Drain(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	c, err := b.watcher("203").Dial(peer.Outgoing{To: "400"})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-taken:
	case <-c.Ended():
		t.Error("a caller is not sent on to where the queue sends those whom it does not take")
	}
	c.Hangup()
}

func TestQuestionsOfTheUpdaterThatCannotBeReadChangeNothing(t *testing.T) {
	b := start(t, shop)
	for _, path := range []string{"/fit/promise", "/fit/leave", "/fit/withdraw", "/fit/drain"} {
		for _, body := range []string{"", "{", `{"for":"long"}`, strings.Repeat("[", 9000)} {
			w := httptest.NewRecorder()
			b.box.commands().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)))
			if w.Code != http.StatusBadRequest {
				t.Errorf("%s %.20q: %d %s", path, body, w.Code, w.Body)
			}
		}
	}
	for _, body := range []string{"{}", `{"for":-5}`} { // a promise that is over at once hinders nobody
		w := httptest.NewRecorder()
		b.box.commands().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/fit/promise", strings.NewReader(body)))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	if status := b.outcome(b.watcher("201"), "*43"); status != http.StatusOK {
		t.Errorf("a call is refused: %d", status)
	}
}
