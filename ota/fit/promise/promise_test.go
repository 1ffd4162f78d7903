package promise

import (
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/ota/fit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// says is a client of an exchange that answers so.
func says(t *testing.T, status int, text string) (c *Client, asked *string) {
	t.Helper()
	at := filepath.Join(t.TempDir(), "fit.sock")
	l, err := net.Listen("unix", at)
	if err != nil {
		t.Fatal(err)
	}
	asked = new(string)
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*asked = r.Method + " " + r.URL.Path + " " + string(body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	})}
	over := make(chan struct{})
	go func() { defer close(over); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-over })
	return New(at), asked
}

func TestWhatTheExchangeAnswersToWhoWantsToRestart(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		text   string
		token  string
		busy   fit.Busy
		wrong  bool
	}{
		{"it promises", 200, `{"token":"x"}`, "x", fit.Busy{}, false},
		{"there are calls", 409, `{"calls":2,"emergency":1}`, "", fit.Busy{Calls: 2, Emergency: 1}, false},
		{"it says no, and nothing else", 409, "", "", fit.Busy{Calls: 1}, false},
		{"it says no, and that nobody calls", 409, "{}", "", fit.Busy{Calls: 1}, false},
		{"it promises without a name", 200, "{}", "", fit.Busy{}, true},
		{"it knows no promises", 404, "404 page not found", "", fit.Busy{}, true},
		{"it speaks otherwise", 200, "<html>", "", fit.Busy{}, true},
	} {
		c, asked := says(t, tc.status, tc.text)
		token, busy, err := c.Promise(t.Context(), Wish{For: time.Second, EndCalls: true})
		if token != tc.token || busy != tc.busy || (err != nil) != tc.wrong {
			t.Errorf("%s: %q %+v %v", tc.name, token, busy, err)
		}
		if *asked != `POST /fit/promise {"for":1000000000,"end_calls":true}` {
			t.Errorf("%s: it was asked %s", tc.name, *asked)
		}
	}
}

// Only a clear yes is one: a box does not restart because of an answer that it does not understand.
func TestNothingButAYesLetsABoxLeave(t *testing.T) {
	for _, tc := range []struct {
		status    int
		yes, none bool
	}{{200, true, false}, {409, false, true}, {404, false, false}, {500, false, false}} {
		c, asked := says(t, tc.status, "")
		err := c.Leave(t.Context(), "x")
		if (err == nil) != tc.yes || errors.Is(err, ErrNone) != tc.none || *asked != `POST /fit/leave {"token":"x"}` {
			t.Errorf("%d: %v, asked %s", tc.status, err, *asked)
		}
	}
	if err := New(filepath.Join(t.TempDir(), "none")).Leave(t.Context(), "x"); err == nil {
		t.Error("an exchange that is not there says yes")
	}
	c, asked := says(t, 200, "")
	if err := c.Withdraw(t.Context(), "x"); err != nil || *asked != `POST /fit/withdraw {"token":"x"}` {
		t.Errorf("%v, asked %s", err, *asked)
	}
	if err := c.Drain(t.Context(), time.Minute); err != nil || *asked != `POST /fit/drain {"for":60000000000,"end_calls":false}` {
		t.Errorf("%v, asked %s", err, *asked)
	}
}
