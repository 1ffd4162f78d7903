package rollout

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/ota/release"
)

func rome(t testing.TB) *time.Location {
	t.Helper()
	l, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestWhoIsInStaysInWhileThePercentageGrows(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	const boxes = 20_000
	for _, percent := range []float64{0, 0.01, 0.5, 1, 10, 33.3, 50, 99.99, 100} {
		in := 0
		for i := range boxes {
			id := fmt.Sprintf("PRN-%05d", i)
			r := release.Rollout{Salt: "1.4.2", Percent: percent}
			if !Includes(r, id, now) {
				continue
			}
			in++
			for _, more := range []float64{percent + 0.01, (percent + 100) / 2, 100} {
				if r.Percent = min(more, 100); !Includes(r, id, now) {
					t.Fatalf("%s is in at %v %% and out at %v", id, percent, more)
				}
			}
		}
		want := boxes * percent / 100
		if off := math.Abs(float64(in) - want); off > 4*math.Sqrt(want*(1-percent/100))+1 {
			t.Errorf("%v %% of %d boxes are %d", percent, boxes, in)
		}
	}
}

func TestEachReleaseBeginsWithOtherBoxes(t *testing.T) {
	both := 0
	for i := range 10_000 {
		id := fmt.Sprint(i)
		if Place("1.4.2", id) < 1000 && Place("1.4.3", id) < 1000 {
			both++
		}
	}
	if both < 50 || both > 160 { // 100 of 10,000 by chance
		t.Errorf("%d boxes of 10,000 are among the first tenth of two releases", both)
	}
}

// The figures are those of sha256sum. The place is a promise between all versions of Pronto: a box must not leave a rollout because it was updated.
func TestThePlaceOfABoxNeverChanges(t *testing.T) {
	for _, c := range []struct {
		salt, id string
		want     int
	}{{"", "", 5807}, {"1.4.2", "PRN-7Q2F", 2273}, {"salt", "box", 4857}} {
		if got := Place(c.salt, c.id); got != c.want {
			t.Errorf("Place(%q, %q) = %d, want %d", c.salt, c.id, got, c.want)
		}
	}
}

func TestARampGrowsEvenly(t *testing.T) {
	start := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	r := release.Rollout{Percent: 50, Start: start, Ramp: 100 * time.Hour}
	for _, c := range []struct {
		after time.Duration
		want  float64
	}{{-time.Hour, 0}, {-1, 0}, {0, 0}, {time.Hour, 0.5}, {50 * time.Hour, 25}, {100 * time.Hour, 50}, {1e6 * time.Hour, 50}} {
		if got := Share(r, start.Add(c.after)); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("after %v: %v %%, want %v", c.after, got, c.want)
		}
	}
	r.Ramp = 0
	if got := Share(r, start.Add(-1)); got != 0 {
		t.Errorf("before the start: %v %%", got)
	}
	if got := Share(release.Rollout{Percent: 7}, time.Unix(0, 0)); got != 7 {
		t.Errorf("without a start: %v %%", got)
	}
}

func TestABoxJoinsARampAtTheMomentThatItIsTold(t *testing.T) {
	start := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	for i := range 2000 {
		r := release.Rollout{Salt: "s", Percent: float64(1 + i%100), Start: start, Ramp: time.Duration(1+i%50) * time.Hour}
		f := Facts{Now: start, ID: fmt.Sprint(i)}
		at := joins(r, f)
		if at.IsZero() {
			if Includes(r, f.ID, start.Add(1000*time.Hour)) {
				t.Fatalf("%+v: %s is never to join, and joins", r, f.ID)
			}
			continue
		}
		if !Includes(r, f.ID, at) {
			t.Fatalf("%+v: %s does not join at %v", r, f.ID, at)
		}
		if early := at.Add(-r.Ramp/50 - time.Minute); Place("s", f.ID) > 300 && Includes(r, f.ID, early) {
			t.Fatalf("%+v: %s has joined before %v", r, f.ID, at)
		}
	}
}

func TestPollsAreSpread(t *testing.T) {
	for _, c := range []struct {
		failures int
		from, to time.Duration
	}{
		{0, 3 * time.Hour, 9 * time.Hour},
		{1, 7*time.Minute + 30*time.Second, 22*time.Minute + 30*time.Second},
		{2, 15 * time.Minute, 45 * time.Minute},
		{3, 30 * time.Minute, 90 * time.Minute},
		{5, 2 * time.Hour, 6 * time.Hour},
		{6, 3 * time.Hour, 9 * time.Hour},
		{1 << 30, 3 * time.Hour, 9 * time.Hour},
	} {
		if least, most := Next(c.failures, 0), Next(c.failures, 1); least != c.from || most != c.to {
			t.Errorf("after %d failures: %v to %v, want %v to %v", c.failures, least, most, c.from, c.to)
		}
	}
	for _, odd := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -5, 5} {
		if w := Next(0, odd); w < 3*time.Hour || w > 9*time.Hour {
			t.Errorf("a draw of %v: %v", odd, w)
		}
	}
	if First(0) != time.Minute || First(1) != 11*time.Minute {
		t.Errorf("first poll after %v to %v", First(0), First(1))
	}
}

// quiet is a box at half past three in the night of a Wednesday, with a window from two to five, that nobody calls.
func quiet(t testing.TB) (release.Manifest, Policy, Facts) {
	now := time.Date(2026, 11, 25, 3, 45, 0, 0, rome(t)) // behind the first half of the window, so no draw counts
	return release.Manifest{Version: "1.4.2", Severity: release.Bugfix, Rollout: release.Rollout{Percent: 100}},
		Policy{Auto: true, Window: Window{120, 300}},
		Facts{Now: now, ID: "PRN-7Q2F", QuietSince: now.Add(-time.Hour)}
}

func TestWhetherABoxRestartsNow(t *testing.T) {
	noon := func(f *Facts) {
		f.Now = time.Date(2026, 11, 25, 12, 0, 0, 0, f.Now.Location())
		f.QuietSince = f.Now.Add(-time.Hour)
	}
	security := func(late time.Duration) func(*release.Manifest, *Policy, *Facts) {
		return func(m *release.Manifest, _ *Policy, f *Facts) {
			noon(f)
			m.Severity, m.Deadline = release.Security, f.Now.Add(-late)
		}
	}
	for _, row := range []struct {
		name string
		with func(*release.Manifest, *Policy, *Facts)
		want Decision
		wait Wait
		in   time.Duration // until time may change the answer; 0: not judged
	}{
		{name: "in the window with nobody on the phone: now"},
		{name: "with an emergency call: never", with: func(_ *release.Manifest, _ *Policy, f *Facts) { f.Emergency, f.Calls = 1, 1 }, wait: Emergency},
		{name: "with a call: not", with: func(_ *release.Manifest, _ *Policy, f *Facts) { f.Calls = 1 }, wait: Call},
		{name: "with a waiting caller: not", with: func(_ *release.Manifest, _ *Policy, f *Facts) { f.Waiting = 1 }, wait: Caller},
		{name: "half a minute after the last call: not yet", with: func(_ *release.Manifest, _ *Policy, f *Facts) { f.QuietSince = f.Now.Add(-30 * time.Second) }, wait: Silence, in: 30 * time.Second},
		{name: "a minute after the last call: now", with: func(_ *release.Manifest, _ *Policy, f *Facts) { f.QuietSince = f.Now.Add(-Quiet) }},
		{name: "where nobody knows since when it is quiet: not yet", with: func(_ *release.Manifest, _ *Policy, f *Facts) { f.QuietSince = time.Time{} }, wait: Silence, in: Quiet},
		{name: "where the clock was put back: not yet", with: func(_ *release.Manifest, _ *Policy, f *Facts) { f.QuietSince = f.Now.Add(time.Hour) }, wait: Silence, in: Quiet},
		{name: "at noon: in the night", with: func(_ *release.Manifest, _ *Policy, f *Facts) { noon(f) }, wait: TheWindow},
		{name: "at noon, without a window: now", with: func(_ *release.Manifest, p *Policy, f *Facts) { noon(f); p.Window = Window{} }},
		{name: "at noon, asked for: now", with: func(_ *release.Manifest, _ *Policy, f *Facts) { noon(f); f.Asked = true }},
		{name: "asked for, with a call: not", with: func(_ *release.Manifest, _ *Policy, f *Facts) { f.Asked, f.Calls = true, 1 }, wait: Call},
		{name: "asked for, with an emergency call: never", with: func(_ *release.Manifest, _ *Policy, f *Facts) { f.Asked, f.Emergency, f.Calls = true, 1, 1 }, wait: Emergency},
		{name: "opted out: not", with: func(_ *release.Manifest, p *Policy, _ *Facts) { p.Auto = false }, wait: Owner},
		{name: "opted out, and asked for: now", with: func(_ *release.Manifest, p *Policy, f *Facts) { p.Auto = false; f.Asked = true }},
		{name: "opted out, of security and over its deadline: not", with: func(m *release.Manifest, p *Policy, f *Facts) {
			security(1000*time.Hour)(m, p, f)
			p.Auto = false
			p.EndCalls = true
		}, wait: Owner},
		{name: "postponed: not", with: func(_ *release.Manifest, p *Policy, f *Facts) { p.Postponed = f.Now.Add(time.Hour) }, wait: Postponed, in: time.Hour},
		{name: "postponed until now: now", with: func(_ *release.Manifest, p *Policy, f *Facts) { p.Postponed = f.Now }},
		{name: "postponed, of security and over its deadline: not", with: func(m *release.Manifest, p *Policy, f *Facts) {
			security(time.Hour)(m, p, f)
			p.Postponed = f.Now.Add(time.Hour)
		}, wait: Postponed},
		{name: "stopped by the vendor: not", with: func(m *release.Manifest, _ *Policy, _ *Facts) { m.Rollout.Percent = 0 }, wait: Percent},
		{name: "before the vendor starts it: not", with: func(m *release.Manifest, _ *Policy, f *Facts) { m.NotUntil = f.Now.Add(time.Minute) }, wait: Start, in: time.Minute},
		{name: "of security, at noon before its deadline: not", with: security(-time.Hour), wait: TheWindow, in: time.Hour},
		{name: "of security, at noon over its deadline: now", with: security(0)},
		{name: "of security, over its deadline, with a call: not", with: func(m *release.Manifest, p *Policy, f *Facts) { security(time.Hour)(m, p, f); f.Calls = 1 }, wait: Call},
		{name: "no matter of security, over its deadline, at noon: not", with: func(m *release.Manifest, p *Policy, f *Facts) {
			security(time.Hour)(m, p, f)
			m.Severity = release.Feature
		}, wait: TheWindow},
		{name: "of security, 72 hours over its deadline, with a call: not", with: func(m *release.Manifest, p *Policy, f *Facts) { security(72*time.Hour)(m, p, f); f.Calls = 1 }, wait: Call},
		{name: "the same where the owner lets calls be ended: now", with: func(m *release.Manifest, p *Policy, f *Facts) {
			security(72*time.Hour)(m, p, f)
			f.Calls = 1
			p.EndCalls = true
		}, want: Decision{EndCalls: true}},
		{name: "the same an hour before: not", with: func(m *release.Manifest, p *Policy, f *Facts) {
			security(71*time.Hour)(m, p, f)
			f.Calls = 1
			p.EndCalls = true
		}, wait: Call},
		{name: "the same with an emergency call: never", with: func(m *release.Manifest, p *Policy, f *Facts) {
			security(1e4*time.Hour)(m, p, f)
			f.Calls, f.Emergency = 2, 1
			p.EndCalls = true
		}, wait: Emergency},
		{name: "ten minutes before the window ends, with a call, where queues may be closed: they are", with: func(_ *release.Manifest, p *Policy, f *Facts) {
			f.Now = f.Now.Add(65 * time.Minute)
			f.Calls = 1
			p.Drain = 15 * time.Minute
		}, want: Decision{For: Call, Drain: true}, wait: Call},
		{name: "twenty minutes before: not yet", with: func(_ *release.Manifest, p *Policy, f *Facts) {
			f.Now = f.Now.Add(55 * time.Minute)
			f.Calls = 1
			p.Drain = 15 * time.Minute
		}, wait: Call},
	} {
		t.Run(row.name, func(t *testing.T) {
			m, p, f := quiet(t)
			if row.with != nil {
				row.with(&m, &p, &f)
			}
			got := Restart(m, p, f)
			want := row.want
			want.For = row.wait
			if got.For != want.For || got.Drain != want.Drain || got.EndCalls != want.EndCalls {
				t.Errorf("%+v, want %+v", got, want)
			}
			if row.in != 0 && !got.Again.Equal(f.Now.Add(row.in)) {
				t.Errorf("asks again at %v, want in %v", got.Again, row.in)
			}
		})
	}
}

func TestWindowsOverMidnightAndWhereClocksAreSet(t *testing.T) {
	l := rome(t)
	at := func(month time.Month, d, h, m int) time.Time { return time.Date(2027, month, d, h, m, 0, 0, l) }
	for _, row := range []struct {
		name     string
		w        Window
		now      time.Time
		from, to time.Time // between which it opens; from is now: it is open
	}{
		{"open before midnight", Window{22 * 60, 4 * 60}, at(1, 10, 23, 59), at(1, 10, 23, 59), at(1, 11, 1, 0)},
		{"open after midnight", Window{22 * 60, 4 * 60}, at(1, 11, 3, 0), at(1, 11, 3, 0), at(1, 11, 3, 0)},
		{"closed at its end", Window{22 * 60, 4 * 60}, at(1, 11, 4, 0), at(1, 11, 22, 0), at(1, 12, 1, 0)},
		{"tomorrow", Window{120, 240}, at(1, 11, 12, 0), at(1, 12, 2, 0), at(1, 12, 3, 0)},
		{"in the hour that is left out in spring: the next night", Window{130, 170}, at(3, 28, 1, 59), at(3, 28, 1, 59), at(3, 29, 2, 30)},
		{"in the hour that comes twice in autumn", Window{120, 180}, at(10, 31, 1, 0), at(10, 31, 2, 0), at(10, 31, 3, 0)},
		{"on the last day of a year", Window{23 * 60, 60}, at(12, 31, 12, 0), at(12, 31, 23, 0), at(12, 31, 24, 0)},
	} {
		for i := range 200 {
			opens := row.w.opens(row.now, fmt.Sprint(i))
			if opens.Before(row.from) || opens.After(row.to) {
				t.Errorf("%s: opens at %v, want %v to %v", row.name, opens, row.from, row.to)
				break
			}
		}
	}
}

func TestBoxesOfOnePlaceDoNotRestartTogether(t *testing.T) {
	_, p, f := quiet(t)
	f.Now = time.Date(2026, 11, 25, 12, 0, 0, 0, f.Now.Location())
	minutes := map[time.Time]int{}
	for i := range 900 {
		minutes[p.Window.opens(f.Now, fmt.Sprint(i)).Truncate(time.Minute)]++
	}
	for at, n := range minutes {
		if n > 40 {
			t.Errorf("%d of 900 boxes restart at %v", n, at)
		}
	}
	if len(minutes) < 80 { // the first half of the window has 90
		t.Errorf("only %d minutes are used", len(minutes))
	}
}

// TestNoWishAndNoDeadlineEndsWhatMustNotEnd draws situations and holds the answers against the promises.
func TestNoWishAndNoDeadlineEndsWhatMustNotEnd(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 2026))
	l := rome(t)
	restarts := 0
	const situations = 300_000
	for range situations {
		now := time.Date(2026, 1, 1, 0, 0, r.IntN(4*365*86400), 0, l)
		some := func() time.Time {
			if r.IntN(3) == 0 {
				return time.Time{}
			}
			return now.Add(time.Duration(r.IntN(400)-200) * time.Hour)
		}
		m := release.Manifest{
			Version: "1.4.2", Severity: []release.Severity{release.Feature, release.Bugfix, release.Security}[r.IntN(3)], NotUntil: some(), Deadline: some(),
			Rollout: release.Rollout{Salt: "s", Percent: float64(r.IntN(3) * 50), Start: some(), Ramp: time.Duration(r.IntN(3)) * 50 * time.Hour},
		}
		p := Policy{Auto: r.IntN(4) > 0, Window: Window{r.IntN(day), r.IntN(day)}, Postponed: some(), Drain: time.Duration(r.IntN(60)) * time.Minute, EndCalls: r.IntN(2) == 0}
		f := Facts{Now: now, ID: fmt.Sprint(r.IntN(1000)), Asked: r.IntN(4) == 0, Calls: r.IntN(3), Waiting: r.IntN(2), QuietSince: now.Add(-time.Duration(r.IntN(200)) * time.Second)}
		f.Emergency = min(r.IntN(3)/2, f.Calls)
		d := Restart(m, p, f)
		busy := f.Calls > 0 || f.Waiting > 0
		overdue := m.Severity == release.Security && !m.Deadline.IsZero() && now.Sub(m.Deadline) >= grace
		switch {
		case d.For == Nothing && f.Emergency > 0:
			t.Fatalf("cuts an emergency call: %+v %+v %+v", m, p, f)
		case d.For == Nothing && busy && !(d.EndCalls && p.EndCalls && p.Auto && overdue):
			t.Fatalf("cuts a call: %+v %+v %+v", m, p, f)
		case d.For == Nothing && !p.Auto && !f.Asked:
			t.Fatalf("against the owner: %+v %+v %+v", m, p, f)
		case d.For == Nothing && !f.Asked && (now.Before(p.Postponed) || now.Before(m.NotUntil) || !Includes(m.Rollout, f.ID, now)):
			t.Fatalf("too early: %+v %+v %+v", m, p, f)
		case d.For != Nothing && d.EndCalls:
			t.Fatalf("waits and ends calls: %+v", d)
		case d.Drain && (p.Drain == 0 || d.For != Call && d.For != Caller):
			t.Fatalf("closes queues without need: %+v %+v %+v", d, p, f)
		case !d.Again.IsZero() && !d.Again.After(now):
			t.Fatalf("asks again in the past: %+v at %v, %+v %+v", d, now, m, p)
		}
		if d.For == Nothing {
			restarts++
		}
	}
	if restarts < situations/50 {
		t.Errorf("only %d of %d restart: the promises are not tried", restarts, situations)
	}
}

// TestWhoeverAsksAgainWhenToldRestartsInTheEnd: with nobody on the phone a release that is meant for the box comes.
func TestWhoeverAsksAgainWhenToldRestartsInTheEnd(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	l := rome(t)
	for range 20_000 {
		now := time.Date(2026, 1, 1, 0, 0, r.IntN(4*365*86400), 0, l)
		m := release.Manifest{
			Version: "1.4.2", Severity: release.Bugfix, NotUntil: now.Add(time.Duration(r.IntN(100)-50) * time.Hour),
			Rollout: release.Rollout{Salt: "s", Percent: 100, Start: now.Add(time.Duration(r.IntN(100)-50) * time.Hour), Ramp: time.Duration(r.IntN(200)) * time.Hour},
		}
		p := Policy{Auto: true, Window: Window{r.IntN(day), r.IntN(day)}, Postponed: now.Add(time.Duration(r.IntN(100)-50) * time.Hour)}
		f := Facts{Now: now, ID: fmt.Sprint(r.IntN(1000)), QuietSince: now.Add(-time.Hour)}
		for n := 0; ; n++ {
			d := Restart(m, p, f)
			if d.For == Nothing {
				break
			}
			if n > 12 || d.Again.IsZero() {
				t.Fatalf("still waits after %d questions: %+v\n%+v\n%+v\n%+v", n, d, m, p, f)
			}
			f.Now = d.Again
		}
		if f.Now.Sub(now) > 400*time.Hour {
			t.Fatalf("restarts only after %v", f.Now.Sub(now))
		}
	}
}
