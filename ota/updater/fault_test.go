package updater_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/otatest"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/slot"
	"github.com/pronto-pbx/pronto/ota/updater"
)

// healthy fails unless the box starts a whole release, and nothing in the other slot would be taken for one that is none.
func healthy(t *testing.T, o *office, when string) {
	t.Helper()
	card := o.card.Content()
	n := otatest.Chosen(card, false)
	if n == layout.Select || !otatest.Holds(card, n, contentOf("1.0.0")) && !otatest.Holds(card, n, contentOf("2.0.0")) {
		t.Fatalf("%s: partition %d starts, which is no release", when, n)
	}
	other := layout.SlotA + layout.SlotB - n
	if otatest.Bootable(card, other) && !otatest.Holds(card, other, contentOf("1.0.0")) && !otatest.Holds(card, other, contentOf("2.0.0")) {
		t.Fatalf("%s: what lies in slot %d would be started, and is no release", when, other)
	}
}

// The process is killed, or the box loses power, before each operation that it does in an update: a write to the card
// or to the disk, a sync, a word to the first program. The update is kept in the end, whatever was cut off, and at
// every moment the box starts a release.
func TestAKillOrAPowerCutAtEveryOperationLosesNothing(t *testing.T) {
	for _, how := range []string{"kill", "power cut"} {
		t.Run(how, func(t *testing.T) {
			last, second := 0, 0
			for at := 1; last == 0; at++ {
				in(t, func(t *testing.T, o *office) {
					o.release("2.0.0")
					o.live(time.Hour, func(s remote.State) bool { return s.Enabled })
					o.ops, o.dieAt = 0, at
					draw := rand.New(rand.NewPCG(uint64(at), 3))
					o.died = func() {
						if how == "power cut" {
							o.power(func(int) bool { return draw.IntN(2) == 0 })
						}
						healthy(t, o, fmt.Sprintf("%s before operation %d", how, at))
					}
					s := o.live(60*time.Hour, ended)
					if o.dieAt > 0 && o.ops < o.dieAt {
						last = at
					}
					healthy(t, o, "in the end")
					switch {
					case s.Last == nil:
						t.Fatalf("%s before operation %d: it did not end: %+v", how, at, s)
					case s.Last.Result == "kept" && o.runs() == "2.0.0" && s.Last.Version == "2.0.0":
					case how == "power cut" && s.Last.Result == "back" && s.Last.Code == slot.CodeReset && o.runs() == "1.0.0" && len(o.trials) == 1:
						second++ // it came during the trial, which nobody can tell from a hang
					default:
						t.Fatalf("%s before operation %d: %+v, %s runs, tried %d times", how, at, s.Last, o.runs(), len(o.trials))
					}
				})
			}
			if last < 25 {
				t.Errorf("%d operations prove little", last)
			}
			t.Logf("%s before each of %d operations: the release was kept, but for %d cuts during the trial, after which the one before runs and the reason is told", how, last-1, second)
		})
	}
}

func TestAFullDiskIsAReasonAndTheUpdateGoesOnWhenThereIsRoom(t *testing.T) {
	for name, fill := range map[string]func(o *office, full bool){
		"no room for the download": func(o *office, full bool) { o.free = map[bool]int64{true: 1 << 20, false: 1 << 30}[full] },
		"no room at all":           func(o *office, full bool) { o.full = full },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, o *office) {
				o.release("2.0.0")
				fill(o, true)
				s := o.live(12*time.Hour, func(s remote.State) bool { return s.Trouble == slot.CodeFull })
				if s.Trouble != slot.CodeFull || s.Words == "" {
					t.Fatalf("%+v", s)
				}
				if !otatest.Holds(o.card.Content(), layout.SlotA, contentOf("1.0.0")) || o.card.Operations() != 0 {
					t.Error("the card was touched")
				}
				o.with(func() { fill(o, false) })
				if s = o.live(48*time.Hour, ended); s.Last == nil || s.Last.Result != "kept" || s.Trouble != "" {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// What happened while nothing could be remembered is not lost, and comes in its order.
func TestWhatCannotBeRememberedIsDoneLater(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.release("2.0.0")
		o.unfit["2.0.0"] = fit.Check{Name: fit.CheckCall, Words: "x"}
		o.live(24*time.Hour, ended)
		o.release("3.0.0")
		o.vendorAsks = func() { o.stuck = o.offer != nil && o.offer.Version == "3.0.0" && len(o.opened) == 1 }
		asked := 0
		s := o.live(7*time.Hour, func(s remote.State) bool {
			var refused *remote.Refused
			if s.Trouble == slot.CodeFull && errors.As(o.u.Seen(t.Context()), &refused) && refused.Code == slot.CodeFull {
				asked++
			}
			return asked == 3
		})
		if asked != 3 || s.Last.Seen {
			t.Fatalf("%d times it was said that nothing can be remembered: %+v", asked, s)
		}
		done := false
		s = o.live(48*time.Hour, func(s remote.State) bool {
			if !done && s.Trouble == slot.CodeFull {
				done = true
				o.with(func() { o.stuck, o.vendorAsks = false, nil })
			}
			return ended(s) && s.Last.Version == "3.0.0"
		})
		if s.Last.Version != "3.0.0" || s.Last.Result != "kept" {
			t.Errorf("%+v", s)
		}
	})
}

// A release that was given up here, and is offered again, is not asked for every few seconds.
func TestAReleaseThatIsReplacedByOneThatWasGivenUpIsDropped(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		three := o.release("3.0.0")
		o.unfit["3.0.0"] = fit.Check{Name: fit.CheckCall, Words: "x"}
		o.live(24*time.Hour, ended)
		o.live(time.Minute, func(remote.State) bool { return o.u.Seen(t.Context()) == nil })
		o.release("2.0.0")
		o.live(24*time.Hour, waits)
		o.with(func() { o.offer = &three })
		polled := o.polls
		s := o.live(24*time.Hour, nil)
		if len(o.trials) != 1 || s.Phase != slot.Refused || s.Last.Code != slot.CodeWithdrew || o.polls-polled > 8 {
			t.Errorf("%+v, asked %d times", s, o.polls-polled)
		}
	})
}

// While a release is on trial a full disk must not keep it from being kept, nor from being given up.
func TestAFullDiskHindersNoVerdict(t *testing.T) {
	for want, unfit := range map[string]bool{"kept": false, "back": true} {
		t.Run(want, func(t *testing.T) {
			in(t, func(t *testing.T, o *office) {
				o.release("2.0.0")
				if unfit {
					o.unfit["2.0.0"] = fit.Check{Name: fit.CheckJournal, Words: "no space left on device"}
				}
				o.boots = func(bool) { o.full = true }
				s := o.live(24*time.Hour, ended)
				if !unfit && (s.Last == nil || s.Last.Result != want || o.runs() != "2.0.0") {
					t.Fatalf("%+v, %s runs", s, o.runs())
				}
				o.with(func() { o.full, o.boots = false, nil })
				if s = o.live(24*time.Hour, ended); s.Last == nil || s.Last.Result != want || unfit && (o.runs() != "1.0.0" || s.Last.Code != "fit_journal") {
					t.Errorf("%+v, %s runs", s, o.runs())
				}
			})
		})
	}
}

func TestADamagedStateIsPutAsideAndUpdatesGoOn(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.files["/data/update/state.json"] = []byte(`{"v":1,"sum":12,"value":{"slot":`)
		o.files["/data/update/parts/left"] = []byte("whatever")
		s := o.live(time.Minute, func(s remote.State) bool { return s.Enabled })
		if s.Trouble != slot.CodeDamaged || s.Words == "" || o.files["/data/update/state.json.damaged"] == nil {
			t.Errorf("%+v", s)
		}
		if _, left := o.files["/data/update/parts/left"]; left {
			t.Error("a download that nobody knows stays")
		}
		o.release("2.0.0")
		if s = o.live(24*time.Hour, ended); s.Last == nil || s.Last.Result != "kept" {
			t.Errorf("%+v", s)
		}
	})
}

func TestAClockThatJumpsStopsNothing(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for name, jumps := range map[string][2]time.Duration{
		"from 1970 to now":        {-30 * year, 0},
		"from now to 1970":        {0, -30 * year},
		"to a year in the future": {0, 40 * year},
		"and back from there":     {40 * year, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, phase := range []slot.Phase{slot.Idle, slot.Fetching, slot.Waiting} {
				in(t, func(t *testing.T, o *office) {
					o.jump.Store(int64(jumps[0]))
					o.release("2.0.0")
					o.free = 0 // so that it fails, and is tried again
					o.live(12*time.Hour, func(s remote.State) bool { return s.Phase == phase })
					if phase == slot.Waiting {
						o.free = 1 << 30
						o.live(12*time.Hour, func(s remote.State) bool { return s.Phase == phase })
					}
					// The same process lives on through the jump.
					jumped := time.Time{}
					o.live(72*time.Hour, func(s remote.State) bool {
						if jumped.IsZero() && (s.Enabled || phase != slot.Idle) {
							jumped = time.Now()
							o.jump.Store(int64(jumps[1]))
							o.with(func() { o.free = 1 << 30 })
						}
						return ended(s)
					})
					if o.runs() != "2.0.0" {
						t.Errorf("jumped in phase %s: %s runs, %+v", phase, o.runs(), o.u.State())
					}
				})
			}
		})
	}
}

func TestACardThatFailsIsTriedThreeTimesAndThenSaid(t *testing.T) {
	eio := errors.New("input/output error")
	for _, c := range []struct {
		name  string
		fault func(*otatest.Card)
		code  slot.Code
	}{
		{"an error when it is read back", func(c *otatest.Card) {
			c.Read = func(off int64, n int) error {
				if off > otatest.SlotSize && n > otatest.Sector {
					return eio
				}
				return nil
			}
		}, slot.CodeRead},
		{"other bytes when it is read back", func(c *otatest.Card) {
			c.Stores = func(_ int64, b []byte) []byte { b[len(b)-1] ^= 1; return b }
		}, slot.CodeDiffers},
		{"an error when it is written", func(c *otatest.Card) {
			c.Write = func(off int64, _ int) error {
				if off > otatest.SlotSize {
					return eio
				}
				return nil
			}
		}, slot.CodeWrite},
	} {
		t.Run(c.name, func(t *testing.T) {
			in(t, func(t *testing.T, o *office) {
				c.fault(o.card)
				o.release("2.0.0")
				s := o.live(24*time.Hour, ended)
				if s.Last == nil || s.Last.Result != "refused" || s.Last.Code != c.code || len(o.trials) != 0 {
					t.Fatalf("%+v", s)
				}
				if n := otatest.Chosen(o.card.Content(), false); n != layout.SlotA || otatest.Bootable(o.card.Content(), layout.SlotB) {
					t.Error("the box would not start as before")
				}
				if before := o.card.Operations(); o.live(96*time.Hour, nil).Phase != slot.Refused || o.card.Operations() != before {
					t.Error("a failing card is written again and again")
				}
			})
		})
	}
}

func TestWhatIsNotWhatWasSignedIsFetchedAgainAndThenRefused(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		m := o.release("2.0.0")
		o.blobs[m.Parts[0].Packed.SHA256][5000] ^= 1
		s := o.live(24*time.Hour, ended)
		if s.Last == nil || s.Last.Code != slot.CodeHash || len(o.trials) != 0 || len(o.opened) != 3 || o.card.Operations() != 0 {
			t.Errorf("%+v, fetched %v", s, o.opened)
		}
	})
}

func TestABrokenDownloadGoesOnWhereItWasAfterARestart(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		m := o.release("2.0.0")
		o.most = 20 << 10
		if s := o.live(24*time.Hour, func(s remote.State) bool { return s.WaitsFor == remote.ForRetry }); s.Trouble != slot.CodeNetwork {
			t.Fatalf("%+v", s)
		}
		o.most = 0
		o.live(24*time.Hour, ended)
		want := fmt.Sprintf("[%.4s from 0 %.4s from %d]", m.Parts[0].Packed.SHA256, m.Parts[0].Packed.SHA256, 20<<10)
		if o.runs() != "2.0.0" || fmt.Sprint(o.opened) != want {
			t.Errorf("%s runs, fetched %v, want %s", o.runs(), o.opened, want)
		}
	})
}

// earlier makes a part by adding the delta to what runs.
type earlier struct {
	o   *office
	bad error
}

func (e earlier) Running(context.Context) (updater.Content, error) {
	return e.o.card.Slot(e.o.facts.Running), nil
}

func (e earlier) Rebuild(_ context.Context, w io.Writer, running, delta io.ReaderAt, size int64) error {
	if e.bad != nil {
		return e.bad
	}
	was, d := make([]byte, contentSize), make([]byte, size)
	if _, err := running.ReadAt(was, 0); err != nil {
		return err
	}
	if _, err := delta.ReadAt(d, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for i := range was {
		was[i] ^= d[i]
	}
	_, err := w.Write(was)
	return err
}

func TestADeltaIsTakenWhereItFitsAndTheWholeWhereItDoesNot(t *testing.T) {
	delta := bytes.Clone(contentOf("3.0.0"))
	for i, b := range contentOf("2.0.0") {
		delta[i] ^= b
	}
	for _, c := range []struct {
		name  string
		delta []byte
		bad   error
		whole bool
	}{
		{"it fits", delta, nil, false},
		{"it makes something else", make([]byte, contentSize), nil, true},
		{"it was made by another encoder", delta, errors.New("another encoder"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			in(t, func(t *testing.T, o *office) {
				o.earlier = earlier{o, c.bad}
				o.release("2.0.0")
				o.live(24*time.Hour, ended)
				o.opened = nil
				blob := o.blob(c.delta)
				m := o.release("3.0.0", func(m *release.Manifest) {
					m.Deltas = []release.Delta{{Part: "slot", From: otatest.Sum(contentOf("2.0.0")), Blob: blob}}
				})
				o.live(time.Hour, func(remote.State) bool { return o.u.Seen(t.Context()) == nil })
				o.live(48*time.Hour, func(s remote.State) bool { return ended(s) && s.Last.Version == "3.0.0" })
				want := []string{fmt.Sprintf("%.4s from 0", blob.SHA256)}
				if c.whole {
					want = append(want, fmt.Sprintf("%.4s from 0", m.Parts[0].Packed.SHA256))
				}
				if o.runs() != "3.0.0" || fmt.Sprint(o.opened) != fmt.Sprint(want) {
					t.Errorf("%s runs, fetched %v, want %v", o.runs(), o.opened, want)
				}
			})
		})
	}
}
