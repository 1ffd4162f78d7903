package watchdog

import (
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// until looks once a second and returns when the box is given up, or 0 if it never is within an hour.
func until(see func(now time.Duration) Seen) time.Duration {
	var h Health
	for now := time.Duration(0); now < time.Hour; now += time.Second {
		var lives bool
		if h, lives = Next(h, now, see(now)); !lives {
			return now
		}
	}
	return 0
}

func TestABoxIsResetOnlyWhenItsExchangeDoesNotComeBackByItself(t *testing.T) {
	for _, tc := range []struct {
		name string
		see  func(now time.Duration) Seen
		want time.Duration
	}{
		{"not while the exchange runs", func(time.Duration) Seen { return Seen{Running: true} }, 0},
		{"not when it takes a minute to start", func(now time.Duration) Seen { return Seen{Running: now > time.Minute} }, 0},
		{"not after one crash", func(now time.Duration) Seen {
			return Seen{Running: now < 10*time.Minute || now > 10*time.Minute+5*time.Second, Restarts: int(min(now/(10*time.Minute), 1))}
		}, 0},
		{"not after a crash so short that only its count tells", func(now time.Duration) Seen {
			return Seen{Running: true, Restarts: int(now / (10 * time.Minute))}
		}, 0},
		{"not when it asked to stay ended", func(time.Duration) Seen { return Seen{Finished: true} }, 0},
		{"when it never starts", func(time.Duration) Seen { return Seen{} }, Patience},
		{"when it ends and does not come back", func(now time.Duration) Seen { return Seen{Running: now < 10*time.Minute} }, 10*time.Minute + Patience},
		{"when it hangs again and again", func(now time.Duration) Seen {
			return Seen{Running: now%(15*time.Second) < 12*time.Second, Restarts: int(now / (15 * time.Second))}
		}, Patience},
		{"when it crashes again and again, faster than anybody looks", func(now time.Duration) Seen {
			return Seen{Running: true, Restarts: int(now / (5 * time.Second))}
		}, Patience},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := until(tc.see); got != tc.want {
				t.Errorf("given up at %v, want %v", got, tc.want)
			}
		})
	}
}

// Whatever an exchange does: one that has run for a minute without a break is not given up then, and one that
// never runs for so long is, in time.
func TestTheRuleHoldsForEveryCourseOfEvents(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		var h Health
		var s Seen
		lastBreak, lastWell := time.Duration(0), time.Duration(0)
		for now := time.Duration(0); now < 30*time.Minute; now += time.Second {
			if r.IntN(90) == 0 {
				s.Running = !s.Running
			}
			if r.IntN(200) == 0 {
				s.Restarts++
				lastBreak = now
			}
			if !s.Running {
				lastBreak = now
			}
			var lives bool
			h, lives = Next(h, now, s)
			steady := now - lastBreak
			if steady >= Settle {
				lastWell = now
			}
			if steady > Settle+time.Second && !lives {
				t.Fatalf("seed %d: given up at %v though it has run for %v", seed, now, steady)
			}
			if now-lastWell > Patience+Settle && lives {
				t.Fatalf("seed %d: still alive at %v though last well at %v", seed, now, lastWell)
			}
		}
	}
}
