package vitals

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const limit = 80

// looks are judged one a minute; the conditions that fail after each are returned, with their words.
func looks(all ...Reading) (said []string) {
	var s State
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, r := range all {
		var found []Finding
		s, found = Next(s, r, limit, at)
		var failing []string
		for _, f := range found {
			if !f.OK {
				failing = append(failing, strings.TrimSpace(string(f.Condition)+" "+f.Text))
			}
		}
		said = append(said, strings.Join(failing, ", "))
		at = at.Add(time.Minute)
	}
	return said
}

func at(celsius ...int) (all []Reading) {
	for _, c := range celsius {
		all = append(all, Reading{Heat: Heat{Told: true, Celsius: c}})
	}
	return all
}

func TestABoardIsJudgedByWhereItCrossesAndNotByWhereItStands(t *testing.T) {
	low, was, calm := Reading{Power: Power{Told: true, Low: true, Was: true}}, Reading{Power: Power{Told: true, Was: true}}, Reading{Power: Power{Told: true}}
	battery := func(mv int) Reading { return Reading{Clock: Clock{Present: true, Told: true, Battery: mv}} }
	disk := func(worn, spare int) Reading {
		return Reading{Disks: []Disk{{Name: "mmcblk0", Worn: worn, Spare: spare}}}
	}
	port := func(speed int, half bool, packets, errors uint64) Reading {
		return Reading{Ports: []Port{{Name: "eth0", Up: true, Speed: speed, Half: half, Packets: packets, Errors: errors}}}
	}
	for name, tc := range map[string]struct {
		seen []Reading
		want []string
	}{
		"hot until it is well below":             {at(79, 80, 79, 76, 75, 79), []string{"", "board_hot 80 °C", "board_hot 80 °C", "board_hot 80 °C", "", ""}},
		"the first figure stays":                 {at(84, 99), []string{"board_hot 84 °C", "board_hot 84 °C"}},
		"a sensor that is gone":                  {append(at(90), make([]Reading, 6)...), []string{"board_hot 90 °C", "board_hot 90 °C", "board_hot 90 °C", "board_hot 90 °C", "board_hot 90 °C", "", ""}},
		"a board that says nothing":              {make([]Reading, 3), []string{"", "", ""}},
		"too weak now":                           {[]Reading{calm, low}, []string{"", "board_power"}},
		"too weak between two looks":             {[]Reading{calm, was, was, was, was, was, was}, []string{"", "board_power", "board_power", "board_power", "board_power", "board_power", ""}},
		"too weak before the first look":         {[]Reading{was, was}, []string{"board_power", "board_power"}},
		"a battery that is flat, and a slip":     {[]Reading{battery(400), battery(3000), battery(400), battery(400), battery(2100), battery(2100), battery(2500), battery(2500)}, []string{"", "", "", "board_clock", "board_clock", "board_clock", "board_clock", ""}},
		"no clock at all":                        {make([]Reading, 4), []string{"", "", "", ""}},
		"a disk at the end of its life":          {[]Reading{disk(90, 1), disk(100, 1), disk(100, 1)}, []string{"", "", "board_disk mmcblk0"}},
		"a disk without spare blocks":            {[]Reading{disk(10, 2), disk(10, 2)}, []string{"", "board_disk mmcblk0"}},
		"a disk that tells nothing":              {[]Reading{disk(0, 0), disk(0, 0)}, []string{"", ""}},
		"a cable with two wires broken":          {[]Reading{port(10, false, 0, 0), port(10, false, 0, 0)}, []string{"", "board_network eth0"}},
		"half duplex":                            {[]Reading{port(100, true, 0, 0), port(100, true, 0, 0)}, []string{"", "board_network eth0"}},
		"a cable of which nothing is told":       {[]Reading{port(0, false, 0, 0), port(0, false, 0, 0)}, []string{"", ""}},
		"one packet of a hundred is broken":      {[]Reading{port(1000, false, 0, 0), port(1000, false, 1000, 10), port(1000, false, 2000, 20)}, []string{"", "", "board_network eth0"}},
		"a broken packet now and then":           {[]Reading{port(1000, false, 0, 0), port(1000, false, 90000, 12), port(1000, false, 180000, 24)}, []string{"", "", ""}},
		"a count that begins anew after a plug":  {[]Reading{port(1000, false, 5000, 500), port(1000, false, 10, 20), port(1000, false, 10, 20)}, []string{"", "", ""}},
		"a broken cable is told until five good": {[]Reading{port(10, false, 0, 0), port(10, false, 0, 0), port(100, false, 0, 0), port(100, false, 0, 0), port(100, false, 0, 0), port(100, false, 0, 0), port(100, false, 0, 0)}, []string{"", "board_network eth0", "board_network eth0", "board_network eth0", "board_network eth0", "board_network eth0", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := looks(tc.seen...); !slices.Equal(got, tc.want) {
				t.Errorf("%q\nwant %q", got, tc.want)
			}
		})
	}
}

// Whatever the weather, an alarm begins at the limit or above and ends five degrees below it or lower.
func TestNoWalkOfTheTemperatureMakesTheAlarmFlutter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s State
		c, was := 60, false
		for range 300 {
			c = max(20, min(110, c+rng.IntN(9)-4))
			var found []Finding
			s, found = Next(s, at(c)[0], limit, time.Unix(0, 0))
			is := !found[0].OK
			if is && !was && c < limit || !is && was && c > limit-cooler || is && c <= limit-cooler || !is && c >= limit {
				t.Fatalf("at %d °C the alarm went from %v to %v", c, was, is)
			}
			if is != slices.ContainsFunc(s.Failing(), func(f Finding) bool { return f.Condition == Hot }) {
				t.Fatal("the state and its findings differ")
			}
			was = is
		}
	}
}

func TestWhatIsWrittenInADayIsToldAfterAnHour(t *testing.T) {
	var s State
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	look := func(after time.Duration, written uint64) {
		now = now.Add(after)
		s, _ = Next(s, Reading{Disks: []Disk{{Name: "mmcblk0", Written: written}}}, limit, now)
	}
	look(0, 500)
	look(59*time.Minute, 1500)
	if _, ok := s.PerDay("mmcblk0"); ok {
		t.Error("told too early")
	}
	look(time.Minute, 2500)
	if n, ok := s.PerDay("mmcblk0"); !ok || n != 2000*24 {
		t.Errorf("after an hour: %d, %v", n, ok)
	}
	look(23*time.Hour, 3500)
	if n, _ := s.PerDay("mmcblk0"); n != 3000 {
		t.Errorf("after a day: %d", n)
	}
	look(time.Minute, 9500)
	if n, _ := s.PerDay("mmcblk0"); n != 3000 {
		t.Errorf("a minute into the next day: %d", n)
	}
	look(time.Minute, 100) // another card in the reader
	look(time.Hour, 100)
	if n, ok := s.PerDay("mmcblk0"); n != 3000 || !ok {
		t.Errorf("after a count that began anew: %d, %v", n, ok)
	}
	if _, ok := s.PerDay("sda"); ok {
		t.Error("a disk that there is not")
	}
}

func TestABoardIsWatchedUntilTheEndAndAHangingFileEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs, release := atomic.Bool{}, make(chan struct{})
		var reads atomic.Int32
		findings := make(chan Finding, 1000)
		w := NewWatch(Config{
			Log: slog.New(slog.DiscardHandler), Limit: limit, Every: time.Minute, Report: func(f Finding) { findings <- f },
			Read: func() Reading {
				reads.Add(1)
				if hangs.Load() {
					<-release
				}
				return at(90)[0]
			},
		})
		if _, ok := w.State(); ok {
			t.Error("seen before it looked")
		}
		done := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { w.Run(ctx); close(done) }()
		synctest.Wait()
		if s, ok := w.State(); !ok || s.Last.Heat.Celsius != 90 || !slices.Equal(s.Failing(), []Finding{{Condition: Hot, Text: "90 °C"}}) || len(findings) != len(Conditions()) {
			t.Errorf("%+v, %v, %d findings", s, ok, len(findings))
		}
		hangs.Store(true)
		time.Sleep(10 * time.Minute)
		if n := reads.Load(); n != 2 {
			t.Errorf("%d looks began while one did not end", n)
		}
		cancel()
		<-done
		close(release)
	})
}
