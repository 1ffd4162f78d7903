package party

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestAPhoneIsSilentFromAMomentAfterTheWithdrawalUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var news []tel.DeviceID
		b := newBells(func(d tel.DeviceID) { news = append(news, d) })
		at, quiet := bell{"201", "sip:201@192.0.2.1"}, 0
		r := b.begin(at)
		b.whenQuiet([]tel.DeviceID{"200", "201"}, func() {
			if quiet++; b.count(at) != (rung{}) {
				t.Error("told before the phone may ring again")
			}
		})
		b.whenQuiet([]tel.DeviceID{"202"}, func() { quiet += 10 })
		time.Sleep(time.Hour) // it may ring as long as somebody wants it
		synctest.Wait()
		if got := b.count(at); got != (rung{open: 1}) || quiet != 10 {
			t.Fatalf("%+v, %d are told that all is quiet", got, quiet)
		}
		r.withdrawn()
		time.Sleep(silentAfter - 1)
		synctest.Wait()
		if b.count(at).silent != 0 {
			t.Fatal("silent too early")
		}
		r.withdrawn() // once more: for nothing
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if got := b.count(at); got != (rung{1, 1}) || fmt.Sprint(news) != "[201]" || quiet != 10 {
			t.Fatalf("%+v, told %v, %d", got, news, quiet)
		}
		r.end()
		r.end()
		r.withdrawn()
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := b.count(at); got != (rung{}) || fmt.Sprint(news) != "[201 201]" || quiet != 11 {
			t.Fatalf("%+v, told %v, %d", got, news, quiet)
		}
	})
}

func TestAPhoneThatAnswersTheWithdrawalInTimeIsNeverSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBells(func(tel.DeviceID) { t.Error("it was") })
		r := b.begin(bell{"201", "x"})
		r.withdrawn()
		time.Sleep(silentAfter - 1)
		r.end()
		time.Sleep(time.Hour)
		synctest.Wait()
		var none *ring // of a call that no bell counts
		none.withdrawn()
		none.end()
	})
}

// The limit of the queues is a net under this one: they must hear of the silence before they offer again.
func TestTheQueuesHearOfTheSilenceBeforeTheirOwnLimit(t *testing.T) {
	if silentAfter >= tel.SettleWithin {
		t.Errorf("%v and %v", silentAfter, tel.SettleWithin)
	}
}

// Whatever the order of INVITEs, withdrawals, answers and questions: the counts are those of the calls that are
// open, and every question is answered exactly once, when nothing rings at its devices.
func TestWhateverHappensTheBellsCountRight(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 3))
			b := newBells(nil)
			type one struct {
				*ring
				gone time.Time // withdrawn since
			}
			var open []*one
			asked, told := 0, 0
			dev := func() tel.DeviceID { return tel.DeviceID(fmt.Sprint(random.IntN(3))) }
			rings := func(d tel.DeviceID) bool {
				for _, o := range open {
					if o.at.dev == d {
						return true
					}
				}
				return false
			}
			end := func(i int) {
				r := open[i].ring
				open = append(open[:i:i], open[i+1:]...)
				r.end()
			}
			for range 300 {
				switch random.IntN(5) {
				case 0:
					open = append(open, &one{ring: b.begin(bell{dev(), fmt.Sprint(random.IntN(2))})})
				case 1:
					if len(open) > 0 {
						o := open[random.IntN(len(open))]
						o.withdrawn()
						if o.gone.IsZero() {
							o.gone = time.Now()
						}
					}
				case 2:
					if len(open) > 0 {
						end(random.IntN(len(open)))
					}
				case 3:
					time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
					synctest.Wait()
				case 4:
					d := dev()
					asked++
					b.whenQuiet([]tel.DeviceID{d}, func() {
						if told++; rings(d) {
							t.Fatalf("seed %d: %s is said to be quiet", seed, d)
						}
					})
				}
				want := map[bell]rung{}
				for _, o := range open {
					n := want[o.at]
					n.open++
					if !o.gone.IsZero() && time.Since(o.gone) >= silentAfter {
						n.silent++
					}
					want[o.at] = n
				}
				for at, n := range want {
					if b.count(at) != n {
						t.Fatalf("seed %d: %v counts %+v, want %+v", seed, at, b.count(at), n)
					}
				}
				if len(b.at) != len(want) {
					t.Fatalf("seed %d: %d bells are kept, %d ring", seed, len(b.at), len(want))
				}
			}
			for len(open) > 0 {
				end(0)
			}
			if told != asked || len(b.waiting)+len(b.at) > 0 {
				t.Fatalf("seed %d: %d asked, %d told", seed, asked, told)
			}
		})
	}
}
