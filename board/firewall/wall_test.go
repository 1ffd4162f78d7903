package firewall

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/firewall/opening"
)

// watched is a wall whose rules go to a channel.
type watched struct {
	t             *testing.T
	wall          *Wall
	asked, answer string
	applied       chan Rules
	fails         chan error // of the next attempt; empty: it works
	stop          func()
}

// fetcher stands in all rules.
const fetcher = 903

func watch(t *testing.T, owner uint32, own ...opening.Opening) *watched {
	t.Helper()
	dir := t.TempDir()
	w := &watched{t: t, asked: filepath.Join(dir, "openings"), answer: filepath.Join(t.TempDir(), "firewall"), applied: make(chan Rules, 16), fails: make(chan error, 1)}
	var err error
	w.wall, err = New(Config{
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Asked: w.asked, Owner: owner, Answer: w.answer, Own: own, Fetcher: fetcher,
		Apply: func(r Rules) (err error) {
			select {
			case err = <-w.fails:
			default:
			}
			if r.Fetcher != fetcher {
				t.Errorf("rules without who fetches: %+v", r)
			}
			r.Fetcher = 0
			w.applied <- r // last: who has seen these rules speaks of the next ones
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.next(Rules{}) // before anything else
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := w.wall.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	w.stop = func() { cancel(); done.Wait() }
	t.Cleanup(w.stop)
	w.next(Rules{Open: own})
	return w
}

func (w *watched) next(want Rules) {
	w.t.Helper()
	select {
	case got := <-w.applied:
		if got.Interface != want.Interface || !slices.Equal(got.Open, want.Open) {
			w.t.Errorf("rules %+v, want %+v", got, want)
		}
	case <-time.After(10 * time.Second):
		w.t.Fatalf("rules are not set: %+v", want)
	}
}

func (w *watched) put(path, text string) {
	w.t.Helper()
	part := path + ".part"
	if err := errors.Join(os.WriteFile(part, []byte(text), 0o600), os.Rename(part, path)); err != nil {
		w.t.Fatal(err)
	}
}

// answered waits for an answer.
func (w *watched) answered(want string) {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(w.answer)
		if err == nil && string(b) == want {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("the answer is %q, %v; want %q", b, err, want)
		}
	}
}

func TestTheWallFollowsWhatTheExchangeAsksAndWhereTheBoxIs(t *testing.T) {
	w := watch(t, uint32(os.Getuid()))
	sip := []opening.Opening{{Protocol: opening.UDP, Address: netip.IPv4Unspecified(), First: 5060, Last: 5060}}
	w.put(w.asked, string(opening.Format(sip)))
	w.next(Rules{Open: sip})
	w.wall.On("eth0")
	w.next(Rules{Interface: "eth0", Open: sip})
	w.answered("udp 0.0.0.0 5060 5060\n")

	// What is not understood, or is somebody's who has nothing to say, changes nothing; what follows counts again.
	w.put(w.asked, "udp 0.0.0.0 1 65535\n")
	other := append(slices.Clone(sip), opening.Opening{Protocol: opening.TCP, Address: netip.IPv4Unspecified(), First: 443, Last: 443})
	w.put(w.asked, string(opening.Format(other)))
	w.next(Rules{Interface: "eth0", Open: other})
	w.answered("udp 0.0.0.0 5060 5060\ntcp 0.0.0.0 443 443\n")
	w.wall.On("eth1")
	w.next(Rules{Interface: "eth1", Open: other})
}

// The page of an outage must be reached although no exchange has asked for anything.
func TestWhatTheFirstProgramServesIsOpenBeforeTheExchangeAsks(t *testing.T) {
	page := opening.Opening{Protocol: opening.TCP, Address: netip.IPv4Unspecified(), First: 80, Last: 80}
	w := watch(t, uint32(os.Getuid()), page) // which waits for its opening
	w.wall.On("eth0")
	w.next(Rules{Interface: "eth0", Open: []opening.Opening{page}})
}

func TestTheWallSaysWhyItDoesNotStandAndTriesAgain(t *testing.T) {
	w := watch(t, uint32(os.Getuid()))
	w.fails <- errors.New("no nf_tables")
	w.wall.On("eth0")
	w.next(Rules{Interface: "eth0"})
	w.answered("refused: no nf_tables\n")
	w.put(w.asked, "") // any sign of the exchange
	w.next(Rules{Interface: "eth0"})
	w.answered("")
}

func TestAFileOfAnotherALinkAndADeviceAreNotRead(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}
	me := uint32(os.Getuid())
	if b, err := readOf(me, file); err != nil || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
	for name, read := range map[string]func() ([]byte, error){
		"of another": func() ([]byte, error) { return readOf(me+1, file) },
		"a link":     func() ([]byte, error) { return readOf(me, link) },
		"a device":   func() ([]byte, error) { return readOf(0, "/dev/null") },
	} {
		if b, err := read(); err == nil {
			t.Errorf("%s: %q", name, b)
		}
	}
	if err := os.Link(file, filepath.Join(dir, "second")); err != nil {
		t.Fatal(err)
	}
	if b, err := readOf(me, file); err == nil {
		t.Errorf("a second name of another file: %q", b)
	}
}
