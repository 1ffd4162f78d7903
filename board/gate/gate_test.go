package gate

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve answers at the doors.
func serve(t *testing.T, doors Doors) (*Client, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gate.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, slog.New(slog.DiscardHandler), l, doors) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return NewClient(path), path
}

// us is a door for the user of this test alone.
func us(d Door) Doors { return Doors{uint32(os.Getuid()): d} }

func TestTheExchangeAsksAndTheFirstProgramAnswers(t *testing.T) {
	want := Network{
		Interface: "eth0", Address: netip.MustParsePrefix("192.168.1.10/24"), Router: netip.MustParseAddr("192.168.1.1"), DNS: []netip.Addr{netip.MustParseAddr("9.9.9.9")},
		Host: "pronto-9qxa", Synced: true, TimeFrom: "ntp1.inrim.it", Held: Choice{NTP: []string{"ntp1.inrim.it"}}, Trial: &Choice{Address: netip.MustParsePrefix("192.168.1.20/24")}, Left: time.Minute, Undone: "restarted",
	}
	var tried Choice
	var said []string
	c, _ := serve(t, us(Room{
		Network: func() Network { return want },
		Try: func(_ context.Context, c Choice) (string, error) {
			tried = c
			if c.Host == "taken" {
				return "", &Refused{CodeTaken, "another machine has it"}
			}
			return "token", nil
		},
		Confirm: func(_ context.Context, token string) error { said = append(said, token); return nil },
		Recall:  func(context.Context) error { return errors.New("the disk is full") },
		Restart: func() { said = append(said, "restart") },
	}))
	if got, err := c.Network(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	x := Choice{Address: netip.MustParsePrefix("10.0.0.2/8"), Host: "box"}
	if token, err := c.Try(t.Context(), x); err != nil || token != "token" || !reflect.DeepEqual(tried, x) {
		t.Errorf("%q, %v, %+v", token, err, tried)
	}
	if _, err := c.Try(t.Context(), Choice{Host: "taken"}); !is(err, CodeTaken) {
		t.Error(err)
	}
	if err := c.Confirm(t.Context(), "token"); err != nil {
		t.Error(err)
	}
	if err := c.Recall(t.Context()); !is(err, CodeFailed) || !strings.Contains(err.Error(), "disk is full") {
		t.Error(err)
	}
	if err := c.Restart(t.Context()); err != nil || strings.Join(said, " ") != "token restart" {
		t.Errorf("%v, %v", said, err)
	}
}

func is(err error, code string) bool {
	r, ok := errors.AsType[*Refused](err)
	return ok && r.Code == code
}

func TestWhoIsNotKnownIsSentAway(t *testing.T) {
	nobody := uint32(os.Getuid()) + 1
	c, _ := serve(t, Doors{nobody: Room{Network: func() Network { t.Error("it was told"); return Network{} }}})
	if _, err := c.Network(t.Context()); err == nil || is(err, CodeFailed) {
		t.Error(err)
	}
}

func TestNonsenseIsRefusedAndLongNonsenseToo(t *testing.T) {
	_, path := serve(t, us(Room{Try: func(context.Context, Choice) (string, error) { t.Error("it was tried"); return "", nil }}))
	for _, body := range []string{"{", `{"address":"nonsense"}`, `{"host":"` + strings.Repeat("x", bodyLimit) + `"}`} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/network/try", strings.NewReader(body))
		req.Close = true
		if err := req.Write(conn); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.Contains(string(answer), CodeMistaken) {
			t.Errorf("%.40s: %s, %v", body, answer, err)
		}
		_ = conn.Close()
	}
}

func TestABoxWithoutItsFirstProgramSaysSo(t *testing.T) {
	if _, err := NewClient(filepath.Join(t.TempDir(), "none")).Network(t.Context()); err == nil {
		t.Error("somebody answered")
	}
}

func FuzzAnAnswerIsAValueOrAnError(f *testing.F) {
	f.Add(200, []byte(`{"interface":"eth0","address":"192.168.1.10/24"}`))
	f.Add(409, []byte(`{"code":"taken","text":"x"}`))
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		var n Network
		if err := decode(status, text, &n); err == nil && status != http.StatusOK {
			t.Error("a refusal was taken for an answer")
		}
	})
}
