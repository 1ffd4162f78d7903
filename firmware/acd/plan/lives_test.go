package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// lives is what the random world knows of waits and callbacks from the events alone.
type lives struct {
	entered  int
	waiting  map[tel.CallID]bool
	ended    map[tel.QueueOutcome]int
	open     map[tel.CallbackID]tel.CallbackChanged
	over     map[tel.CallbackID]bool
	told     map[tel.CallID]time.Time // the last announcement
	accepted map[tel.OfferID]bool
	heldBack int // callers who waited for one agent beside others who were free
}

func newLives() lives {
	return lives{
		waiting: map[tel.CallID]bool{}, ended: map[tel.QueueOutcome]int{}, open: map[tel.CallbackID]tel.CallbackChanged{},
		over: map[tel.CallbackID]bool{}, told: map[tel.CallID]time.Time{}, accepted: map[tel.OfferID]bool{},
	}
}

// number is one of a few, so that people call again; sometimes it is withheld.
func (w *world) number() tel.Number {
	if w.r.IntN(5) == 0 {
		return ""
	}
	return tel.Number(fmt.Sprintf("+39333000%04d", w.r.IntN(12)))
}

func (w *world) waiting() WaitingSpec {
	var s WaitingSpec
	if w.r.IntN(2) == 0 {
		s.RefuseEmpty = w.r.IntN(4) == 0
		s.ExitKeys = map[string]string{"0": "ext:200"}
		s.Return = time.Duration(w.r.IntN(120)) * time.Second
		s.Whisper, s.WhisperWait = "sales", true
	}
	if w.r.IntN(2) == 0 {
		s.Announce = AnnounceSpec{
			Position: true, Wait: w.r.IntN(2) == 0, After: time.Duration(w.r.IntN(20)) * time.Second, Every: time.Duration(w.r.IntN(2)) * 30 * time.Second,
			OnlyUp: w.r.IntN(2) == 0, Head: w.r.IntN(2) == 0,
		}
		if w.r.IntN(2) == 0 {
			s.Announce.Limit, s.Announce.MoreThan = 3, w.r.IntN(2) == 0
		}
	}
	if w.r.IntN(2) == 0 {
		s.Announce.Messages, s.Announce.MessageEvery, s.Announce.Random = []string{"m1", "m2", "m3"}, 20*time.Second, w.r.IntN(2) == 0
	}
	if w.r.IntN(2) == 0 {
		s.Callback = CallbackSpec{
			Enabled: true, After: time.Duration(w.r.IntN(2)) * 10 * time.Second, Attempts: 1 + w.r.IntN(3),
			Gap: time.Duration(1+w.r.IntN(60)) * time.Second, Promise: time.Duration(w.r.IntN(2)) * time.Hour, Expire: time.Duration(1+w.r.IntN(10)) * time.Minute,
		}.defaults()
	}
	return s
}

func (w *world) randomLife() Event {
	switch w.r.IntN(12) {
	case 0:
		return Told{tel.CallerKey{Call: w.pickCall(), Key: rune("0123"[w.r.IntN(4)])}}
	case 1, 2:
		return Told{tel.CallerGreeted{Call: w.pickCall()}}
	case 3:
		return Told{tel.Announced{Call: w.pickCall()}}
	case 4, 5:
		return Told{tel.OfferAccepted{Offer: w.pickOffer()}}
	case 6, 7:
		return Told{tel.WantCallback{Call: w.pickCall(), Number: w.number()}}
	case 8, 9:
		return Told{tel.CallbackMissed{Offer: w.pickOffer(), Cause: tel.CauseNoAnswer}}
	case 10:
		if w.r.IntN(3) == 0 {
			return Hours{tel.QueueID(fmt.Sprintf("q%d", w.r.IntN(4))), w.r.IntN(4) > 0}
		}
		return Told{tel.CallerNamed{Call: w.pickCall(), Caller: w.number()}}
	}
	if len(w.lives.open) > 0 && w.r.IntN(4) == 0 {
		ids := sorted(w.lives.open)
		id := ids[w.r.IntN(len(ids))]
		if c := w.lives.open[id]; w.s.Memories[c.Number] != nil { // who asks to be erased loses both
			return Erase{[]Alias{{c.Number, "#*0000000001"}}}
		}
		return DropCallback{id}
	}
	var again Recall
	for _, id := range sorted(w.lives.open) { // those that are known change nothing
		again.Callbacks = append(again.Callbacks, w.lives.open[id])
	}
	return again
}

// comesBack has the members of a queue come to work, lets somebody call again whose agent of the last time
// is in another call, and then nothing happens until the wait for that agent has long been over. Wherever
// a wake-up is missing, advance finds the caller beside agents who are free.
func (w *world) comesBack() {
	for _, number := range sorted(w.s.Memories) {
		last := w.s.Memories[number].Agent
		for _, q := range w.s.memberOf[last] {
			if q.Spec.Sticky == 0 || q.Spec.StickyWait == 0 {
				continue
			}
			for _, m := range slices.Clone(q.Spec.Members) {
				w.do(Told{tel.AgentReachable{Agent: m, Reachable: true}})
				w.do(Login{m})
				w.do(Resume{m})
				for x := range 3 {
					w.do(Told{tel.AgentDisengaged{Agent: m, Call: tel.CallID(fmt.Sprintf("x%d", x))}})
				}
			}
			w.calls++
			id := tel.CallID(fmt.Sprintf("c%d", w.calls))
			w.do(Told{tel.AgentEngaged{Agent: last, Call: "x0"}})
			w.do(Told{tel.Enqueue{Call: id, Queue: q.Spec.ID, Caller: number, EnqueuedAt: w.now}})
			if e := w.s.Entries[id]; e != nil && e.Sticky == last && e.pending() && len(q.free) > 0 {
				w.lives.heldBack++
			}
			w.advance(q.Spec.StickyWait + time.Second)
			return
		}
	}
}

// follow notes what observers were told.
func (w *world) follow(e Event, out []Effect) {
	l := &w.lives
	if c, ok := e.(ClockMoved); ok {
		for id, at := range l.told {
			l.told[id] = at.Add(c.By)
		}
	}
	for _, x := range out {
		switch x := x.(type) {
		case Publish:
			w.followEvent(x.Event)
		case Send:
			if m, ok := x.Message.(tel.Announce); ok {
				w.heard(m)
			}
		}
	}
}

func (w *world) followEvent(e tel.Event) {
	l := &w.lives
	switch e := e.(type) {
	case tel.QueueJoined:
		if !l.waiting[e.Call] {
			l.waiting[e.Call] = true
			l.entered++
		}
	case tel.QueueLeft:
		delete(l.told, e.Call)
		if (e.Outcome == tel.OutcomeAbandoned) != (e.Stage != "") || (e.Outcome == tel.OutcomeCallback) != (e.Callback != "") {
			w.t.Fatalf("record %+v", e)
		}
		if e.Outcome == tel.OutcomeRefused {
			return
		}
		if !l.waiting[e.Call] {
			w.t.Fatalf("%s left and had never entered", e.Call)
		}
		delete(l.waiting, e.Call)
		l.ended[e.Outcome]++
	case tel.CallbackChanged:
		switch {
		case l.over[e.Callback]:
			w.t.Fatalf("callback %s changes after its end: %+v", e.Callback, e)
		case e.State == tel.CallbackEnded:
			l.over[e.Callback] = true
			delete(l.open, e.Callback)
		default:
			l.open[e.Callback] = e
		}
	}
}

// heard: no caller is spoken to twice within the gap, or while a phone rings for the caller.
func (w *world) heard(m tel.Announce) {
	l := &w.lives
	if last, again := l.told[m.Call]; again && w.now.Sub(last) < announceGap {
		w.t.Fatalf("%s is told something %v after the last time", m.Call, w.now.Sub(last))
	}
	l.told[m.Call] = w.now
	if m.Position == 0 && m.MoreThan == 0 && !m.Estimate && m.Callback == 0 && m.Message == "" {
		w.t.Fatalf("%s is told nothing", m.Call)
	}
}

// checkLives: the accounts agree, one request per number, and nothing is forgotten.
func (w *world) checkLives(out []Effect) {
	l := &w.lives
	sum, callers := 0, 0
	for outcome, n := range l.ended {
		switch outcome {
		case tel.OutcomeAnswered, tel.OutcomeAbandoned, tel.OutcomeTimedOut, tel.OutcomeExitKey, tel.OutcomeEmpty, tel.OutcomeCallback,
			tel.OutcomeWithdrawn, tel.OutcomeFailed:
			sum += n
		default:
			w.t.Fatalf("%d waits ended as %q", n, outcome)
		}
	}
	for _, e := range w.s.Entries {
		if e.Callback == "" {
			callers++
		}
	}
	if l.entered != sum+callers || callers != len(l.waiting) {
		w.t.Fatalf("%d entered, %d have left, %d wait: %v", l.entered, sum, callers, l.ended)
	}
	w.checkCallbacks()
	w.checkSpeech()
	if len(w.s.Memories) > maxMemories {
		w.t.Fatalf("%d memories", len(w.s.Memories))
	}
	next, ok := w.s.Deadline()
	for _, m := range w.s.Memories {
		if !m.Until.After(w.now) || !ok || next.After(m.Until) {
			w.t.Fatalf("the memory of %s ends at %v; it is %v, the next wake-up %v", m.Caller, m.Until, w.now, next)
		}
	}
}

func (w *world) checkCallbacks() {
	next, ok := w.s.Deadline()
	seen := map[string]tel.CallbackID{}
	if len(w.lives.open) != len(w.s.Callbacks) {
		w.t.Fatalf("observers know %d callbacks, there are %d", len(w.lives.open), len(w.s.Callbacks))
	}
	for id, c := range w.s.Callbacks {
		key := string(c.Queue) + "/" + string(c.Number)
		if other := seen[key]; other != "" {
			w.t.Fatalf("callbacks %s and %s are for the same number", id, other)
		}
		seen[key] = id
		e := w.s.Entries[c.Call]
		switch {
		case c.Call != "" && (e == nil || e.Callback != id || e.Queue != c.Queue || !e.EnqueuedAt.Equal(c.EnqueuedAt)):
			w.t.Fatalf("callback %+v and entry %+v disagree after %s %s", c, e, w.log[len(w.log)-1].kind, w.log[len(w.log)-1].body)
		case c.Call == "" && c.Next.IsZero() && !w.s.Queues[c.Queue].Closed:
			w.t.Fatalf("callback %+v is in limbo", c)
		case c.Call != "" && !c.Next.IsZero():
			w.t.Fatalf("callback %+v rests and waits", c)
		}
		if at := w.s.wakes(c); !at.IsZero() && (!at.After(w.now) || !ok || next.After(at)) {
			w.t.Fatalf("callback %s is due at %v; it is %v, the next wake-up %v", id, at, w.now, next)
		}
		if e != nil && w.s.accepted(e) && len(e.Offers) > 1 {
			w.t.Fatalf("two agents for the customer of %s: %v", id, e.Offers)
		}
	}
	for _, e := range w.s.Entries {
		if e.Callback != "" && w.s.Callbacks[e.Callback] == nil {
			w.t.Fatalf("entry %+v is of no callback", e)
		}
	}
}

func (w *world) checkSpeech() {
	next, ok := w.s.Deadline()
	for _, e := range w.s.Entries {
		at := w.s.nextSpeech(e)
		if !at.IsZero() && (!at.After(w.now) || !ok || next.After(at)) {
			w.t.Fatalf("%s is to be told something at %v; it is %v, the next wake-up %v", e.Call, at, w.now, next)
		}
	}
	for _, q := range w.s.queues {
		callers := len(slices.DeleteFunc(slices.Clone(q.waiting), func(e *Entry) bool { return e.Callback != "" }))
		if callers != q.callers {
			w.t.Fatalf("%d callers, the index says %d", callers, q.callers)
		}
	}
}
