package retention

import (
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// box is one that runs and is switched off.
type box struct {
	t     *testing.T
	clock *Clock
	path  string
}

func (b *box) start() {
	b.clock = open(b.path, time.Time{}, slog.New(slog.DiscardHandler), time.Now)
}

// ran lets time pass while it runs, with a look each hour.
func (b *box) ran(d time.Duration) {
	for ; d > time.Hour; d -= time.Hour {
		time.Sleep(time.Hour)
		b.clock.Now()
	}
	time.Sleep(d)
	b.clock.Now()
}

// Ages follow the clock as it is set, but no faster than Pace.
func TestAClockIsBelievedAsFastAsTimeCanPass(t *testing.T) {
	for _, c := range []struct {
		name string
		jump time.Duration // of the wall clock, while the box is off
		ran  time.Duration // since then
		want time.Duration // by how much ages have grown since the jump
	}{
		{"nothing happened", 0, time.Hour, time.Hour},
		{"an hour ahead, believed after three minutes", time.Hour, 3 * time.Minute, time.Hour + 3*time.Minute},
		{"an hour back, for as long as that lasts", -time.Hour, 30 * time.Minute, -30 * time.Minute},
		{"an hour back, later", -time.Hour, 2 * time.Hour, time.Hour},
		{"off for a weekend", 64 * time.Hour, 3 * time.Hour, 67 * time.Hour},
		{"off for August, after an hour", 31 * day, time.Hour, day},
		{"off for August, after two days", 31 * day, 2 * day, 33 * day},
		{"ten years ahead, an hour later", 3653 * day, time.Hour, day},
		{"ten years ahead, three days later", 3653 * day, 3 * day, 72 * day},
		{"twenty years back", -7305 * day, 30 * day, -7275 * day},
		{"1970", noon.Sub(time.Unix(0, 0)) * -1, day, noon.Sub(time.Unix(0, 0))*-1 + day},
	} {
		settled := settle(noon, noon.Add(c.jump), 0)
		for range c.ran / time.Minute {
			c.jump += time.Minute
			settled = settle(settled, noon.Add(c.jump), time.Minute)
		}
		now := noon.Add(c.jump)
		if settled.Before(now) {
			now = settled
		}
		if got := now.Sub(noon); got != c.want {
			t.Errorf("%s: ages have grown by %v, want %v", c.name, got, c.want)
		}
	}
}

// Whatever a clock does, ages never grow faster than Pace times the time that passed, and are never ahead of the clock.
func TestNoCourseOfAClockMakesAgesJump(t *testing.T) {
	for seed := range uint64(300) {
		dice := rand.New(rand.NewPCG(seed, 7))
		settled, wall := noon, noon
		var ran time.Duration
		for range 200 {
			d := time.Duration(dice.Int64N(int64(3 * time.Hour)))
			if dice.IntN(4) == 0 {
				d = 0 // a restart
			}
			wall, ran = wall.Add(d), ran+d
			if dice.IntN(5) == 0 {
				wall = wall.Add(time.Duration(dice.NormFloat64() * float64(400*day)))
			}
			was := settled
			settled = settle(settled, wall, d)
			if settled.Before(was) {
				t.Fatalf("seed %d: what is believed went back by %v", seed, was.Sub(settled))
			}
			if grown := settled.Sub(noon); grown > Pace*ran {
				t.Fatalf("seed %d: ages grew by %v in %v", seed, grown, ran)
			}
			if settled.After(was) && settled.After(wall) {
				t.Fatalf("seed %d: ages are ahead of the clock", seed)
			}
		}
	}
}

func TestWhatIsBelievedOutlivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ages.json")
	synctest.Test(t, func(t *testing.T) {
		began := time.Now().Round(0)
		b := &box{t: t, path: path}
		b.start()
		b.ran(10 * time.Hour)
		if now := b.clock.Now(); !now.Equal(began.Add(10 * time.Hour)) {
			t.Errorf("after ten hours it is %v since the start", now.Sub(began))
		}
		b.clock.Close()
		time.Sleep(40 * day) // off
		b.start()
		if now, want := b.clock.Now(), began.Add(10*time.Hour); !now.Equal(want) || b.clock.Doubt() != 40*day {
			t.Errorf("the next process counts by %v since the start and doubts %v", now.Sub(began), b.clock.Doubt())
		}
		b.ran(time.Hour)
		b.start() // a kill: what an hour has caught up is on the disk
		if doubt := b.clock.Doubt(); doubt > 39*day+2*time.Hour {
			t.Errorf("after an hour and a kill it doubts %v", doubt)
		}
		b.ran(2 * day)
		if doubt := b.clock.Doubt(); doubt != 0 {
			t.Errorf("after two days it doubts %v", doubt)
		}
	})
}

// A new box begins in 1970 until the network has told it the time: that is no jump that anybody need look at, and
// nothing of it is remembered.
func TestTheClockOfANewBoxIsBelieved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ages.json")
	now := time.Unix(60, 0)
	c := open(path, time.Time{}, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if at := c.Now(); !at.Equal(now) {
		t.Errorf("ages are counted by %v", at)
	}
	c.Close()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("1970 is remembered: %v", err)
	}
	now = noon
	if at := c.Now(); !at.Equal(noon) || c.Doubt() != 0 {
		t.Errorf("when the time is known, ages are counted by %v and %v are doubted", at, c.Doubt())
	}
	now = noon.Add(2 * time.Hour)
	if at := c.Now(); !at.Equal(now) {
		t.Errorf("two hours later ages are counted by %v", at)
	}
	c.Close()
	now = noon.AddDate(10, 0, 0)
	next := open(path, time.Time{}, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if at := next.Now(); at.After(noon.Add(2 * time.Hour)) {
		t.Errorf("the next process counts by %v", at)
	}
}

func TestADamagedFileCostsNoRecording(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ages.json")
	if err := os.WriteFile(path, []byte(`{"v":1,"sum":3,"value":{"settled":"9999-01-01T00:00:00Z"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	newest := time.Now().Add(-30 * day)
	c := Open(path, newest, slog.New(slog.DiscardHandler))
	if now := c.Now(); now.Sub(newest) > time.Hour {
		t.Errorf("ages are counted %v after the newest record", now.Sub(newest))
	}
	if doubt := c.Doubt(); doubt < 29*day {
		t.Errorf("a month that nobody knows of: %v", doubt)
	}
	c.Close()
}

func TestADiskThatDoesNotTakeTheFileIsNoReasonToStop(t *testing.T) {
	c := Open(filepath.Join(t.TempDir(), "missing", "ages.json"), time.Time{}, slog.New(slog.DiscardHandler))
	if age := time.Since(c.Now()); age.Abs() > time.Minute {
		t.Errorf("ages are counted %v ago", age)
	}
	c.Close()
}
