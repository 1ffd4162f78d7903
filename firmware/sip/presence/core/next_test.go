package core

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// step is one event of a story, so long after the one before, and the effects that it must have.
type step struct {
	after time.Duration
	event Event
	want  []Effect
}

func TestSubscription(t *testing.T) {
	hour := Subscribe{CSeq: 10, Lasts: time.Hour}
	first := []Effect{Keep{}, Answer{Status: 200, Lasts: time.Hour}, Notify{CSeq: 1, Version: 0, Left: time.Hour}}
	ok := func(cseq uint32) Answered { return Answered{CSeq: cseq, Status: 200} }
	notify := func(cseq, version uint32, left time.Duration) []Effect {
		return []Effect{Keep{}, Notify{CSeq: cseq, Version: version, Left: left}}
	}
	last := func(cseq, version uint32, why Reason) []Effect {
		return []Effect{Keep{}, Notify{CSeq: cseq, Version: version, Reason: why}}
	}
	forget := []Effect{Forget{}}
	stories := map[string][]step{
		"the state is told at once, and each change after it": {
			{0, hour, first},
			{time.Second, ok(1), nil},
			{time.Minute, Change{}, notify(2, 1, time.Hour-time.Minute-time.Second)},
		},
		"one NOTIFY is under way at a time, the next tells the last state": {
			{0, hour, first},
			{time.Second, Change{}, nil},
			{0, Change{}, nil},
			{time.Second, ok(1), notify(2, 1, time.Hour-2*time.Second)},
			{0, ok(2), nil},
		},
		"changes in quick succession are told together": {
			{0, hour, first},
			{0, ok(1), nil},
			{time.Second, Change{}, notify(2, 1, time.Hour-time.Second)},
			{0, ok(2), nil},
			{10 * time.Millisecond, Change{}, nil},
			{10 * time.Millisecond, Change{}, nil},
			{100 * time.Millisecond, Wake{}, nil},
			{80 * time.Millisecond, Wake{}, notify(3, 2, time.Hour-1200*time.Millisecond)},
		},
		"a refresh is answered and told at once": {
			{0, hour, first},
			{0, ok(1), nil},
			{time.Millisecond, Subscribe{CSeq: 11, Lasts: time.Minute}, []Effect{Keep{}, Answer{Status: 200, Lasts: time.Minute}, Notify{CSeq: 2, Version: 1, Left: time.Minute}}},
		},
		"a SUBSCRIBE out of order is refused": {
			{0, hour, first},
			{0, Subscribe{CSeq: 10, Lasts: time.Minute}, []Effect{Answer{Status: 500}}},
			{0, Subscribe{CSeq: 9, Lasts: time.Minute}, []Effect{Answer{Status: 500}}},
		},
		"Expires 0 ends it with a last NOTIFY": {
			{0, hour, first},
			{0, ok(1), nil},
			{0, Subscribe{CSeq: 11}, []Effect{Keep{}, Answer{Status: 200}, Notify{CSeq: 2, Version: 1, Reason: Timeout}}},
			{0, Subscribe{CSeq: 12, Lasts: time.Hour}, []Effect{Answer{Status: 481}}},
			{0, ok(2), forget},
		},
		"Expires 0 while a NOTIFY is under way ends it after that one": {
			{0, hour, first},
			{0, Subscribe{CSeq: 11}, []Effect{Keep{}, Answer{Status: 200}}},
			{0, ok(1), last(2, 1, Timeout)},
			{0, ok(2), forget},
		},
		"a fetch gets the state once": {
			{0, Subscribe{CSeq: 1}, []Effect{Keep{}, Answer{Status: 200}, Notify{CSeq: 1, Version: 0, Reason: Timeout}}},
			{0, Change{}, nil},
			{0, ok(1), forget},
		},
		"it ends when its time is up": {
			{0, hour, first},
			{0, ok(1), nil},
			{time.Hour - 1, Wake{}, nil},
			{1, Wake{}, last(2, 1, Timeout)},
			{0, Lost{CSeq: 2}, forget},
		},
		"it ends when the number goes": {
			{0, hour, first},
			{0, ok(1), nil},
			{0, Terminate{NoResource}, last(2, 1, NoResource)},
			{0, Terminate{Deactivated}, nil},
			{0, Answered{CSeq: 2, Status: 481}, forget},
		},
		"481 to a NOTIFY ends it": {{0, hour, first}, {0, Answered{CSeq: 1, Status: 481, RetryAfter: time.Second}, forget}},
		"408 to a NOTIFY ends it": {{0, hour, first}, {0, Answered{CSeq: 1, Status: 408}, forget}},
		"401 to a NOTIFY ends it": {{0, hour, first}, {0, Answered{CSeq: 1, Status: 401}, forget}},
		"silence ends it":         {{0, hour, first}, {32 * time.Second, Lost{CSeq: 1}, forget}},
		"503 with Retry-After puts the state off": {
			{0, hour, first},
			{0, Answered{CSeq: 1, Status: 503, RetryAfter: 3 * time.Second}, nil},
			{time.Second, Change{}, nil},
			{2 * time.Second, Wake{}, notify(2, 1, time.Hour-3*time.Second)},
		},
		"a late answer to an earlier NOTIFY means nothing": {
			{0, hour, first},
			{0, ok(1), nil},
			{0, Change{}, nil},
			{time.Second, Wake{}, notify(2, 1, time.Hour-time.Second)},
			{0, Answered{CSeq: 1, Status: 481}, nil},
			{0, Lost{CSeq: 1}, nil},
		},
		"a provisional answer is none": {
			{0, hour, first},
			{0, Answered{CSeq: 1, Status: 100}, nil},
			{time.Second, Change{}, nil},
			{0, ok(1), notify(2, 1, time.Hour-time.Second)},
		},
		"a watcher puts the state off for five minutes at most": {
			{0, hour, first},
			{0, Answered{CSeq: 1, Status: 503, RetryAfter: time.Hour}, nil},
			{5 * time.Minute, Wake{}, notify(2, 1, 55*time.Minute)},
		},
		"the last NOTIFY is not sent again": {
			{0, hour, first},
			{0, ok(1), nil},
			{0, Terminate{NoResource}, last(2, 1, NoResource)},
			{0, Answered{CSeq: 2, Status: 503, RetryAfter: time.Second}, forget},
		},
		"after a restart CSeq jumps, the version goes on, and the state is told when the box has settled": {
			{0, hour, first},
			{time.Second, Restored{}, []Effect{Keep{}}},
			{0, Change{}, nil},
			{Settle, Wake{}, notify(1002, 1, time.Hour-time.Second-Settle)},
		},
		"what was ending at a restart ends after it": {
			{0, hour, first},
			{0, Terminate{NoResource}, nil},
			{0, Restored{}, []Effect{Keep{}}},
			{Settle, Wake{}, last(1002, 1, NoResource)},
			{0, ok(1002), forget},
		},
		"nothing is restored of nothing": {{0, Restored{}, forget}, {0, Change{}, nil}},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			var s State
			now := noon
			for i, st := range story {
				now = now.Add(st.after)
				var got []Effect
				s, got = Next(s, st.event, now)
				if !slices.Equal(got, st.want) {
					t.Fatalf("step %d, %T: effects %+v, want %+v", i, st.event, got, st.want)
				}
			}
		})
	}
}

// What holds whatever happens: one NOTIFY at a time, numbers that rise, kept before sent, nothing
// after the end, no more than one change per Interval, and at the end the watcher knows the last state.
func TestSubscriptionKeepsItsPromisesWhateverHappens(t *testing.T) {
	for seed := range uint64(3000) {
		if msg := walk(rand.New(rand.NewPCG(seed, 7))); msg != "" {
			t.Fatalf("seed %d: %s", seed, msg)
		}
	}
}

// watcher is what the other side saw, and what it should have seen.
type watcher struct {
	s        State
	now      time.Time
	open     uint32 // CSeq of the NOTIFY under way
	cseq     uint32
	version  int64
	changes  int // of the watched state
	told     int
	forgot   bool
	lastSent time.Time
}

func walk(dice *rand.Rand) string {
	w := &watcher{now: noon, version: -1}
	heard := uint32(1)
	if msg := w.feed(Subscribe{CSeq: heard, Lasts: time.Minute}); msg != "" {
		return msg
	}
	for range 60 {
		w.now = w.now.Add(time.Duration(dice.IntN(400)) * time.Millisecond)
		var e Event
		switch n := dice.IntN(20); {
		case n < 8:
			w.changes++
			e = Change{}
		case n < 13:
			e = Answered{CSeq: w.open, Status: 200}
		case n < 16:
			e = Wake{}
		case n < 17:
			heard++
			e = Subscribe{CSeq: heard, Lasts: time.Duration(dice.IntN(3)) * time.Minute}
		case n < 18:
			e = Answered{CSeq: w.open, Status: 500, RetryAfter: time.Second}
		case n < 19 && dice.IntN(6) == 0:
			e = Restored{}
		default:
			e = Lost{CSeq: w.open + uint32(dice.IntN(2))}
		}
		if _, ok := e.(Restored); ok {
			w.open = 0
		}
		if msg := w.feed(e); msg != "" {
			return fmt.Sprintf("%T: %s", e, msg)
		}
	}
	return w.rest()
}

// rest lets the other side answer until nothing is left to say.
func (w *watcher) rest() string {
	for range 20 {
		if w.forgot {
			return ""
		}
		e := Event(Wake{})
		switch at, ok := w.s.Due(); {
		case w.open != 0:
			e = Answered{CSeq: w.open, Status: 200}
		case !w.s.Changed:
			if w.told != w.changes {
				return fmt.Sprintf("told %d changes of %d", w.told, w.changes)
			}
			return ""
		case !ok:
			return "something is to be told, and nothing is due"
		default:
			w.now = at
		}
		if msg := w.feed(e); msg != "" {
			return msg
		}
	}
	return "it does not come to rest"
}

func (w *watcher) feed(e Event) string {
	_, isChange := e.(Change)
	_, isWake := e.(Wake)
	if a, ok := e.(Answered); ok && a.CSeq == w.open {
		w.open = 0
	}
	var effects []Effect
	w.s, effects = Next(w.s, e, w.now)
	kept := false
	for _, ef := range effects {
		if w.forgot {
			if _, refused := ef.(Answer); !refused {
				return fmt.Sprintf("%T after the end", ef)
			}
		}
		switch ef := ef.(type) {
		case Keep:
			kept = true
		case Answer:
			if ef.Status == 200 && !kept {
				return "answered before it was kept"
			}
		case Forget:
			w.forgot = true
		case Notify:
			switch {
			case !kept:
				return "sent before it was kept"
			case w.open != 0:
				return "two NOTIFY at a time"
			case ef.CSeq <= w.cseq:
				return "CSeq does not rise"
			case int64(ef.Version) != w.version+1:
				return "version does not rise by one"
			case (isChange || isWake) && ef.Reason == "" && w.now.Sub(w.lastSent) < Interval:
				return "changes too fast"
			}
			w.open, w.cseq, w.version, w.told, w.lastSent = ef.CSeq, ef.CSeq, int64(ef.Version), w.changes, w.now
		}
	}
	return ""
}
