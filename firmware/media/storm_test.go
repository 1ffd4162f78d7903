package media

import (
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Calls come, move, hear prompts and go from many goroutines at once while packets and junk arrive;
// afterwards nothing is left over. Run with -race this is the proof of the ownership rules.
func TestAStormOfCommandsLeavesNothingBehind(t *testing.T) {
	journal, keeper := newJournal(), &lockedKeeper{}
	e := startEngine(t, 23200, 23399, func(c *Config) {
		c.Loops, c.Journal, c.Keeper, c.Drain = 3, journal, keeper, time.Nanosecond
	})
	pairs := e.sockets.ports.size()
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 7))
			var mine []*phone
			for range 150 {
				switch op := r.IntN(10); {
				case len(mine) < 2 || op == 0 && len(mine) < 8:
					mine = append(mine, join(t, e, "127.0.0.33", pcmu, nil))
				case op == 1:
					i := r.IntN(len(mine))
					mine[i].leg.Close()
					mine = append(mine[:i], mine[i+1:]...)
				case op <= 3:
					a, b := mine[r.IntN(len(mine))], mine[r.IntN(len(mine))]
					if err := e.Bridge(a.leg, b.leg); err != nil && !errors.Is(err, ErrSelfBridge) {
						t.Error(err)
					}
				case op == 4:
					e.Unbridge(mine[r.IntN(len(mine))].leg)
				case op == 5:
					m := pcmu
					m.Ptime = 10 * (1 + r.IntN(4))
					mine[r.IntN(len(mine))].configure(m)
				case op == 6:
					if err := mine[r.IntN(len(mine))].leg.Play([]Sound{sentence{"x", 3}}, r.IntN(2) == 0, nil); err != nil {
						t.Error(err)
					}
				case op == 7:
					if err := mine[r.IntN(len(mine))].leg.SendDTMF("12"); err != nil {
						t.Error(err)
					}
				default:
					p := mine[r.IntN(len(mine))]
					p.send("audio")
					p.raw([]byte("junk"))
					p.leg.Stats()
				}
			}
			for _, p := range mine {
				p.leg.Close()
				p.leg.Stats() // behind Close: it is gone
			}
		})
	}
	wg.Wait()
	if c := e.Counters(); c.Legs != 0 || c.Panics != 0 {
		t.Errorf("counters %+v", c)
	}
	if n := e.sockets.ports.size(); n != pairs {
		t.Errorf("%d of %d port pairs came back", n, pairs)
	}
	if n := len(journal.copy()); n != 0 {
		t.Errorf("%d states are left in the journal", n)
	}
	if n := keeper.kept(); n != 0 {
		t.Errorf("%d sockets are left with the keeper", n)
	}
}

// The mailbox is bounded: what does not fit is refused in words, and a lost Close is made good.
func TestAFullMailboxRefusesAndForgetsNoClose(t *testing.T) {
	e := startEngine(t, 23400, 23403, func(c *Config) { c.Loops = 1 })
	a := join(t, e, "127.0.0.33", pcmu, nil)
	started, release := make(chan struct{}), make(chan struct{})
	if err := a.leg.tell(func(*loop) { close(started); <-release }); err != nil {
		t.Fatal(err)
	}
	<-started
	var err error
	for range mailboxSize + 1 {
		if err = a.leg.Stop(); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrOverloaded) {
		t.Errorf("the mailbox took everything: %v", err)
	}
	if err := a.leg.Configure(pcmu); !errors.Is(err, ErrOverloaded) || !strings.Contains(err.Error(), "too many commands") {
		t.Errorf("configure: %v", err)
	}
	a.leg.Close() // finds no room
	close(release)
	for begin := time.Now(); e.Counters().Legs > 0; time.Sleep(time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatal("the leg was never closed")
		}
	}
}

func TestAClosedEngineAnswersInWords(t *testing.T) {
	e := startEngine(t, 23410, 23413, nil)
	a := join(t, e, "127.0.0.33", pcmu, nil)
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := e.Open(LegConfig{}); !errors.Is(err, ErrClosed) {
		t.Errorf("open: %v", err)
	}
	if err := a.leg.Configure(pcmu); !errors.Is(err, ErrClosed) {
		t.Errorf("configure: %v", err)
	}
	if err := a.leg.Play(nil, false, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("play: %v", err)
	}
	a.leg.Close()
}

// lockedKeeper is keepingFake for several goroutines.
type lockedKeeper struct {
	mu sync.Mutex
	keepingFake
}

func (k *lockedKeeper) kept() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.files)
}

func (k *lockedKeeper) Keep(name string, s syscall.Conn) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keepingFake.Keep(name, s)
}

func (k *lockedKeeper) Take(name string) (*os.File, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keepingFake.Take(name)
}

func (k *lockedKeeper) Drop(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keepingFake.Drop(name)
}
