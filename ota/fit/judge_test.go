package fit

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var office = Counts{People: 12, Lines: 2, Queues: 3, Trunks: Trunks{Up: 2, Of: 2}}

// box is a box on trial, told second by second.
type box struct {
	up     time.Duration
	silent string
	x      Exchange
	checks []Check
}

func healthy() box {
	return box{
		x: Exchange{Version: "1.4.2", Link: true, Memory: 30 << 20, Limit: 200 << 20, Counts: office},
		checks: []Check{
			{Name: CheckConfig, OK: true},
			{Name: CheckJournal, OK: true},
			{Name: CheckStore, OK: true},
			{Name: CheckSockets, OK: true},
			{Name: CheckPage, OK: true},
			{Name: CheckCall, OK: true},
		},
	}
}

// fail makes a check of the whole examination come out badly.
func (b *box) fail(name string) {
	b.checks = append([]Check(nil), b.checks...)
	for i := range b.checks {
		if b.checks[i].Name == name {
			b.checks[i] = Check{name, false, "it is broken"}
		}
	}
}

// trial lets a box live until the judge has decided, by virtual time: at changes it at each moment.
func trial(t *testing.T, r Rules, at func(*box, time.Duration)) (Report, time.Duration, int) {
	t.Helper()
	begin := time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)
	var s State
	step, whole, now, born := Step{Whole: true}, 0, time.Duration(0), time.Duration(0)
	for range 2000 {
		b := healthy()
		b.up = now - born
		at(&b, now)
		b.x.Up = b.up + time.Second
		l := Look{At: begin.Add(now), Exchange: b.x, Silent: b.silent}
		if step.Whole {
			whole++
			if l.Checks = b.checks; b.silent != "" {
				l.Checks = nil
			}
		}
		if s, step = r.Next(office, s, l); step.Done {
			return step.Report, now, whole
		}
		now += max(step.After, time.Second) // a whole examination takes a while
	}
	t.Fatal("the judge never decides")
	return Report{}, 0, 0
}

func TestWhatBecomesOfARelease(t *testing.T) {
	for name, c := range map[string]struct {
		at           func(*box, time.Duration)
		fit          bool
		failed       string // the check that is named; empty: none
		words        string
		after, until time.Duration // when the verdict falls
	}{
		"all is well":                         {at: func(*box, time.Duration) {}, fit: true, after: 2 * time.Minute, until: 130 * time.Second},
		"the exchange never answers":          {at: func(b *box, _ time.Duration) { b.silent = "no such socket" }, failed: CheckExchange, words: "no such socket", after: 90 * time.Second, until: 100 * time.Second},
		"it answers after a minute":           {at: func(b *box, now time.Duration) { silentUntil(b, now, time.Minute) }, fit: true, after: 3 * time.Minute, until: 200 * time.Second},
		"it falls silent after a minute":      {at: func(b *box, now time.Duration) { silentFrom(b, now, time.Minute) }, failed: CheckExchange, after: 140 * time.Second, until: 160 * time.Second},
		"it is another release":               {at: func(b *box, _ time.Duration) { b.x.Version = "1.4.1" }, failed: CheckExchange, words: "1.4.1", after: 90 * time.Second, until: 100 * time.Second},
		"the call fails":                      {at: func(b *box, _ time.Duration) { b.fail(CheckCall) }, failed: CheckCall, words: "broken", after: 90 * time.Second, until: 100 * time.Second},
		"the call fails at first":             {at: func(b *box, now time.Duration) { failUntil(b, now, CheckCall, 30*time.Second) }, fit: true, after: 150 * time.Second, until: 165 * time.Second},
		"the call fails at the end only":      {at: func(b *box, now time.Duration) { failFrom(b, now, CheckCall, 110*time.Second) }, failed: CheckCall, after: 200 * time.Second, until: 225 * time.Second},
		"the store takes nothing":             {at: func(b *box, _ time.Duration) { b.fail(CheckStore) }, failed: CheckStore, after: 90 * time.Second, until: 100 * time.Second},
		"the journal takes nothing":           {at: func(b *box, _ time.Duration) { b.fail(CheckJournal) }, failed: CheckJournal, after: 90 * time.Second, until: 100 * time.Second},
		"a socket is missing":                 {at: func(b *box, _ time.Duration) { b.fail(CheckSockets) }, failed: CheckSockets, after: 90 * time.Second, until: 100 * time.Second},
		"the page does not answer":            {at: func(b *box, _ time.Duration) { b.fail(CheckPage) }, failed: CheckPage, after: 90 * time.Second, until: 100 * time.Second},
		"the file is not in force":            {at: func(b *box, _ time.Duration) { b.fail(CheckConfig) }, failed: CheckConfig, after: 90 * time.Second, until: 100 * time.Second},
		"a person is missing":                 {at: func(b *box, _ time.Duration) { b.x.People-- }, failed: CheckCounts, words: "there were 12 people, and there are 11", after: 90 * time.Second, until: 100 * time.Second},
		"a line is missing":                   {at: func(b *box, _ time.Duration) { b.x.Lines = 0 }, failed: CheckCounts, after: 90 * time.Second, until: 100 * time.Second},
		"a queue is missing":                  {at: func(b *box, _ time.Duration) { b.x.Queues-- }, failed: CheckCounts, after: 90 * time.Second, until: 100 * time.Second},
		"a trunk is not in the configuration": {at: func(b *box, _ time.Duration) { b.x.Trunks = Trunks{1, 1} }, failed: CheckCounts, words: "trunks", after: 90 * time.Second, until: 100 * time.Second},
		"memory is nearly spent":              {at: func(b *box, _ time.Duration) { b.x.Memory = 190 << 20 }, failed: CheckMemory, words: "190 MB of the 200 MB", after: 90 * time.Second, until: 100 * time.Second},
		"memory without a limit":              {at: func(b *box, _ time.Duration) { b.x.Memory, b.x.Limit = 1<<40, 0 }, fit: true, after: 2 * time.Minute, until: 130 * time.Second},
		"it crashes once":                     {at: func(b *box, now time.Duration) { crash(b, now, time.Minute) }, fit: true, after: 3 * time.Minute, until: 200 * time.Second},
		"it crashes all the time":             {at: func(b *box, now time.Duration) { b.up = now % (20 * time.Second) }, failed: CheckExchange, words: "began anew 3 times", after: 60 * time.Second, until: 70 * time.Second},
		"carriers let nobody in":              {at: func(b *box, _ time.Duration) { b.x.Trunks.Up = 0 }, fit: true, failed: CheckTrunks, words: "0 of 2 trunks are up, and 2 were before", after: 10 * time.Minute, until: 605 * time.Second},
		"the cable is out":                    {at: func(b *box, _ time.Duration) { b.x.Trunks.Up, b.x.Link = 0, false }, fit: true, failed: CheckTrunks, after: 2 * time.Minute, until: 130 * time.Second},
		"a carrier comes after five minutes": {at: func(b *box, now time.Duration) {
			if now < 5*time.Minute {
				b.x.Trunks.Up = 1
			}
		}, fit: true, after: 5 * time.Minute, until: 310 * time.Second},
		"carriers let nobody in, and then the call fails": {at: func(b *box, now time.Duration) {
			b.x.Trunks.Up = 0
			failFrom(b, now, CheckCall, 590*time.Second)
		}, failed: CheckCall, after: 680 * time.Second, until: 700 * time.Second},
		"it is ill and well by turns": {at: func(b *box, now time.Duration) {
			if now%(2*time.Minute) < time.Minute {
				b.fail(CheckCall)
			}
			if now%(2*time.Minute) < 30*time.Second {
				b.silent = "it is away"
			}
		}, failed: CheckExchange, after: 13 * time.Minute, until: 790 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			got, when, _ := trial(t, Usual("1.4.2"), c.at)
			if got.Fit != c.fit {
				t.Errorf("fit %v: %+v", got.Fit, got.Checks)
			}
			f, any := got.Failed()
			if any != (c.failed != "") || f.Name != c.failed || !strings.Contains(f.Words, c.words) {
				t.Errorf("named %+v", f)
			}
			if when < c.after || when > c.until {
				t.Errorf("decided after %v", when)
			}
		})
	}
}

func silentUntil(b *box, now, until time.Duration) {
	if b.up -= until; now < until {
		b.silent = "it is away"
	}
}

func silentFrom(b *box, now, from time.Duration) {
	if now >= from {
		b.silent = "it is away"
	}
}

func failUntil(b *box, now time.Duration, name string, until time.Duration) {
	if now < until {
		b.fail(name)
	}
}

func failFrom(b *box, now time.Duration, name string, from time.Duration) {
	if now >= from {
		b.fail(name)
	}
}

func crash(b *box, now, when time.Duration) {
	if now >= when {
		b.up = now - when
	}
}

// A healthy box is asked for few calls: each is load, and audio on a machine that may have calls of its own.
func TestAHealthyBoxIsExaminedTwice(t *testing.T) {
	if _, _, whole := trial(t, Usual("1.4.2"), func(*box, time.Duration) {}); whole != 2 {
		t.Errorf("%d examinations", whole)
	}
}

// Whatever befalls a box: there is a verdict in time, it names its reason, and trunks alone never speak against it.
func TestWhateverHappensTheJudgeKeepsItsWord(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		onlyTrunks := seed%2 == 0
		r := Usual("1.4.2")
		got, when, _ := trial(t, r, func(b *box, _ time.Duration) {
			b.x.Trunks.Up, b.x.Link = rng.IntN(3), rng.IntN(2) == 0
			if onlyTrunks {
				return
			}
			switch rng.IntN(12) {
			case 0:
				b.silent = "it is away"
			case 1:
				b.fail([]string{CheckCall, CheckStore, CheckPage}[rng.IntN(3)])
			case 2:
				if rng.IntN(20) == 0 {
					b.up = 0
				}
			}
		})
		f, any := got.Failed()
		switch {
		case onlyTrunks && !got.Fit:
			t.Fatalf("seed %d: the world outside had the release given up: %+v", seed, got)
		case !got.Fit && (!any || f.Name == CheckTrunks || f.Words == ""):
			t.Fatalf("seed %d: no reason: %+v", seed, got)
		case got.Fit && any && f.Name != CheckTrunks:
			t.Fatalf("seed %d: it is kept with %+v", seed, f)
		case when > r.Limit+r.Patience:
			t.Fatalf("seed %d: a verdict after %v", seed, when)
		}
	}
}
