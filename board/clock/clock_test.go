package clock

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var built = time.Unix(1_800_000_000, 0)

func TestTheTimeNeverLiesBeforeWhatTheBoxKnows(t *testing.T) {
	for _, tc := range []struct {
		name, saved string
		want        time.Time
	}{
		{"when its system was made, on the first start", "", built},
		{"when it ran last", fmt.Sprint(built.Unix() + 1000), built.Add(1000 * time.Second)},
		{"with an end of line", fmt.Sprint(built.Unix()+1000) + "\n", built.Add(1000 * time.Second)},
		{"when its system was made, if that is newer than the last run", fmt.Sprint(built.Unix() - 1000), built},
		{"not in a far future that a damaged file says", "99999999999", built},
		{"not what is no number", "half\x00", built},
	} {
		if got := Floor(built, []byte(tc.saved)); !got.Equal(tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestTheTimeIsReadBackAsItWasSaved(t *testing.T) {
	at := filepath.Join(t.TempDir(), File)
	if b, err := Load(at); b != nil || err != nil {
		t.Errorf("without a file: %q, %v", b, err)
	}
	for n := range 2 {
		want := built.Add(time.Duration(n) * time.Hour)
		if err := Save(at, want); err != nil {
			t.Fatal(err)
		}
		if b, err := Load(at); err != nil || !Floor(built, b).Equal(want) {
			t.Errorf("%q, %v", b, err)
		}
	}
}

// world is a network with servers that answer or not, and a clock.
type world struct {
	mu           sync.Mutex
	offsets      map[string]time.Duration // of servers that answer
	asked        []string
	steps, slews []time.Duration
	when         []time.Duration
	begun        time.Time
}

func (w *world) ask(server string) (time.Duration, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked, w.when = append(w.asked, server), append(w.when, time.Since(w.begun))
	o, ok := w.offsets[server]
	if !ok {
		return 0, errors.New("silence")
	}
	return o, nil
}

func (w *world) config(t *testing.T) Config {
	w.begun = time.Now()
	return Config{
		Log: slog.New(slog.DiscardHandler), Servers: []string{"a", "b"}, Save: filepath.Join(t.TempDir(), File), Ask: w.ask,
		Step: func(to time.Time) error { w.steps = append(w.steps, time.Until(to)); return nil },
		Slew: func(by time.Duration) error { w.slews = append(w.slews, by); return nil },
	}
}

// during runs a Keeper while do goes on.
func during(t *testing.T, w *world, do func(k *Keeper)) (saved []byte) {
	t.Helper()
	cfg := w.config(t)
	k := New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { k.Run(ctx) })
	do(k)
	cancel()
	done.Wait()
	saved, err := os.ReadFile(cfg.Save)
	if err != nil {
		t.Error(err)
	}
	return saved
}

func TestAWrongClockIsSetAndASlightlyWrongOneCorrected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{offsets: map[string]time.Duration{"b": 3 * time.Hour}}
		during(t, w, func(k *Keeper) {
			time.Sleep(3 * time.Second)
			if !k.Synced() {
				t.Error("not synced")
			}
			w.mu.Lock()
			w.offsets["b"] = 50 * time.Millisecond
			w.mu.Unlock()
			time.Sleep(askEvery)
		})
		if len(w.steps) != 1 || w.steps[0] != 3*time.Hour || !slices.Equal(w.slews, []time.Duration{50 * time.Millisecond}) {
			t.Errorf("steps %v, slews %v", w.steps, w.slews)
		}
		if got := strings.Join(w.asked, ""); got != "abab" {
			t.Errorf("asked %s", got)
		}
	})
}

func TestWithoutAServerTheBoxAsksLessAndLessAndSavesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		saved := during(t, w, func(k *Keeper) {
			time.Sleep(90 * time.Minute)
			if k.Synced() {
				t.Error("synced by nobody")
			}
		})
		if len(w.asked) > 60 || len(w.asked) < 30 {
			t.Errorf("asked %d times", len(w.asked))
		}
		if want := fmt.Sprintln(time.Now().Unix()); string(saved) != want {
			t.Errorf("saved %q, want %q", saved, want)
		}
	})
}

func TestTheNetworksOwnServerIsAskedFirstAndAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{offsets: map[string]time.Duration{"192.168.1.1": 0}}
		during(t, w, func(k *Keeper) {
			time.Sleep(10 * time.Minute)
			synctest.Wait() // who was asked in this very instant has answered
			before := len(w.asked)
			k.Network([]netip.Addr{netip.MustParseAddr("192.168.1.1")})
			synctest.Wait()
			if got := w.asked[before:]; !slices.Equal(got, []string{"192.168.1.1"}) {
				t.Errorf("asked %q", got)
			}
		})
	})
}

func TestTheOwnersServersAreAskedBeforeTheNetworksAndTheOneThatAnswersIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{offsets: map[string]time.Duration{"192.168.1.1": 0}}
		during(t, w, func(k *Keeper) {
			k.Choose([]string{"ntp.example"})
			k.Network([]netip.Addr{netip.MustParseAddr("192.168.1.1")})
			synctest.Wait()
			if got := w.asked; !slices.Equal(got, []string{"ntp.example", "192.168.1.1"}) || k.From() != "192.168.1.1" || !k.Synced() {
				t.Errorf("asked %q, told by %q", got, k.From())
			}
		})
	})
}

func FuzzFloor(f *testing.F) {
	f.Add([]byte("1800000000\n"))
	f.Fuzz(func(t *testing.T, saved []byte) {
		if got := Floor(built, saved); got.Before(built) || got.After(built.Add(lifetime)) {
			t.Fatalf("%v", got)
		}
	})
}
