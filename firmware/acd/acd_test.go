package acd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/acd/replay"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record is one that the history was given.
type record struct {
	Kind string
	Body []byte
}

// house stands for everything around the queues: calls, observers and both journals.
type house struct {
	mu      sync.Mutex
	sent    []tel.ToCall
	events  []tel.Event
	hot     map[string][]byte
	history []record
	order   []string // what happened in which order: "hot", "history", "send", "publish"
	broken  error
	full    error // of the history alone
}

func newHouse() *house { return &house{hot: map[string][]byte{}} }

func (h *house) Put(kind, key string, v []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken != nil {
		return h.broken
	}
	if kind != HotKind {
		return fmt.Errorf("kind %q", kind)
	}
	h.hot[key] = append([]byte(nil), v...)
	h.order = append(h.order, "hot")
	return nil
}

func (h *house) Delete(_, key string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.hot, key)
	return h.broken
}

func (h *house) Append(kind string, b []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := cmp.Or(h.broken, h.full); err != nil {
		return err
	}
	h.history = append(h.history, record{kind, append([]byte(nil), b...)})
	h.order = append(h.order, "history")
	return nil
}

// again decides the whole history again.
func (h *house) again(t *testing.T) *replay.Check {
	t.Helper()
	var c replay.Check
	for _, r := range h.history {
		do(t, c.Take(r.Kind, r.Body))
	}
	return &c
}

func (h *house) send(m tel.ToCall) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent = append(h.sent, m)
	h.order = append(h.order, "send")
}

func (h *house) publish(e tel.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
	h.order = append(h.order, "publish")
}

func (h *house) offers() []tel.Offer {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []tel.Offer
	for _, m := range h.sent {
		if o, ok := m.(tel.Offer); ok {
			list = append(list, o)
		}
	}
	return list
}

func (h *house) config() Config {
	return Config{
		Queues: []plan.QueueSpec{{ID: "q", Members: []tel.AgentID{"anna", "bruno"}, WrapUp: 10 * time.Second}},
		Agents: []plan.AgentSpec{{ID: "anna", Name: "Anna"}, {ID: "bruno", Name: "Bruno"}},
		Send:   h.send, Publish: h.publish, History: h, Journal: h,
	}
}

func open(t *testing.T, cfg Config) *ACD {
	t.Helper()
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func tell(t *testing.T, a *ACD, m tel.ToQueue) {
	t.Helper()
	if !a.Tell(m) {
		t.Fatalf("%T was not taken", m)
	}
	synctest.Wait()
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func stateOf(t *testing.T, a *ACD, id tel.AgentID) AgentView {
	t.Helper()
	v, err := a.Snapshot(t.Context())
	do(t, err)
	for _, ag := range v.Agents {
		if ag.ID == id {
			return ag
		}
	}
	t.Fatalf("no agent %s", id)
	return AgentView{}
}

func TestACallerIsOfferedAnsweredAndWrappedUpOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		a := open(t, h.config())
		defer a.Close()
		tell(t, a, tel.AgentReachable{Agent: "anna", Reachable: true})
		do(t, a.Login(t.Context(), "anna"))
		tell(t, a, tel.Enqueue{Call: "c1", Queue: "q", Caller: "0612345678", EnqueuedAt: time.Now()})
		offers := h.offers()
		if len(offers) != 1 || offers[0].Agent != "anna" || offers[0].For() != "c1" {
			t.Fatalf("offers %+v", offers)
		}
		tell(t, a, tel.OfferRinging{Offer: offers[0].Offer})
		tell(t, a, tel.OfferAnswered{Offer: offers[0].Offer})
		if s := stateOf(t, a, "anna"); s.State != tel.AgentTalking || s.Call != "c1" {
			t.Fatalf("anna %+v", s)
		}
		tell(t, a, tel.TalkEnded{Offer: offers[0].Offer})
		time.Sleep(10*time.Second - time.Millisecond)
		if s := stateOf(t, a, "anna"); s.State != tel.AgentWrapUp {
			t.Fatalf("anna %+v", s)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if s := stateOf(t, a, "anna"); s.State != tel.AgentReady || time.Since(s.Since) != 0 {
			t.Fatalf("anna %+v at %v", s, time.Now())
		}
	})
}

func TestAnUnansweredOfferMovesOnWhenTheRingTimeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		a := open(t, h.config())
		defer a.Close()
		for _, id := range []tel.AgentID{"anna", "bruno"} {
			tell(t, a, tel.AgentReachable{Agent: id, Reachable: true})
			do(t, a.Login(t.Context(), id))
		}
		tell(t, a, tel.Enqueue{Call: "c1", Queue: "q", EnqueuedAt: time.Now()})
		tell(t, a, tel.OfferRinging{Offer: h.offers()[0].Offer})
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if o := h.offers(); len(o) != 2 || o[1].Agent != "bruno" {
			t.Fatalf("offers %+v", o)
		}
		x, err := a.Explain(t.Context(), "c1")
		do(t, err)
		if len(x) != 2 || x[0].Verdict != plan.Resting || x[1].Verdict != plan.TookCall {
			t.Fatalf("explanation %+v", x)
		}
	})
}

func TestAKilledProcessKeepsPlacesTalksAndTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		a := open(t, h.config())
		for _, id := range []tel.AgentID{"anna", "bruno"} {
			tell(t, a, tel.AgentReachable{Agent: id, Reachable: true})
			do(t, a.Login(t.Context(), id))
		}
		start := time.Now()
		tell(t, a, tel.Enqueue{Call: "talks", Queue: "q", EnqueuedAt: start})
		tell(t, a, tel.OfferAnswered{Offer: h.offers()[0].Offer})
		tell(t, a, tel.Enqueue{Call: "rings", Queue: "q", EnqueuedAt: start})
		for i, c := range []tel.CallID{"w1", "gone", "w2"} {
			time.Sleep(time.Second)
			tell(t, a, tel.Enqueue{Call: c, Queue: "q", EnqueuedAt: start.Add(time.Duration(i+1) * time.Second)})
		}
		kept := maps.Clone(h.hot) // what a kill -9 leaves
		a.Close()

		time.Sleep(2 * time.Second)
		h2 := newHouse()
		kept["offer/torn"] = []byte(`{"v":1,"off`)
		h2.hot = maps.Clone(kept)
		cfg := h2.config()
		cfg.Kept, cfg.Restored = kept, h.survive("talks", "rings", "w1", "w2")
		b := open(t, cfg)
		defer b.Close()
		synctest.Wait()
		v, err := b.Snapshot(t.Context())
		do(t, err)
		var order []tel.CallID
		for _, c := range v.Queues[0].Waiting {
			order = append(order, c.Call)
		}
		if fmt.Sprint(order) != "[rings w1 w2]" || !v.Queues[0].Waiting[1].Since.Equal(start.Add(time.Second)) {
			t.Fatalf("waiting %+v", v.Queues[0].Waiting)
		}
		if s := stateOf(t, b, "anna"); s.State != tel.AgentTalking || s.Call != "talks" {
			t.Fatalf("anna %+v", s)
		}
		// What rang rings no more when the phone says so, and not by the clock.
		if s := stateOf(t, b, "bruno"); s.State != tel.AgentReady || len(h2.offers()) != 0 {
			t.Fatalf("bruno %+v, offered %+v", s, h2.offers())
		}
		tell(t, b, tel.OfferSettled{Offer: h.offers()[1].Offer})
		if s := stateOf(t, b, "bruno"); s.State != tel.AgentReserved || s.Call != "rings" {
			t.Fatalf("bruno %+v", s)
		}
		for _, key := range []string{"entry/gone", "offer/torn"} {
			if _, there := h2.hot[key]; there {
				t.Fatalf("%s is still in the journal", key)
			}
		}
		// Who looks at the new process sees what the old one had shown.
		h2.mu.Lock()
		shown, agents := []tel.CallID{}, map[tel.AgentID]tel.AgentState{}
		for _, e := range h2.events {
			switch e := e.(type) {
			case tel.QueueJoined:
				shown = append(shown, e.Call)
			case tel.QueueLeft:
				shown = slices.DeleteFunc(shown, func(c tel.CallID) bool { return c == e.Call })
			case tel.AgentChanged:
				agents[e.Agent] = e.State
			}
		}
		h2.mu.Unlock()
		if fmt.Sprint(shown) != "[rings w1 w2]" || agents["anna"] != tel.AgentTalking || agents["bruno"] != tel.AgentReserved {
			t.Errorf("observers see %v waiting and %v", shown, agents)
		}
		// The conversation that lived on ends as if nothing had happened.
		tell(t, b, tel.TalkEnded{Offer: h.offers()[0].Offer})
		if s := stateOf(t, b, "anna"); s.State != tel.AgentWrapUp {
			t.Fatalf("anna %+v", s)
		}
	})
}

func TestNothingLeavesBeforeTheJournalsKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		a := open(t, h.config())
		defer a.Close()
		tell(t, a, tel.AgentReachable{Agent: "anna", Reachable: true})
		do(t, a.Login(t.Context(), "anna"))
		h.mu.Lock()
		h.order = nil
		h.mu.Unlock()
		tell(t, a, tel.Enqueue{Call: "c1", Queue: "q", EnqueuedAt: time.Now()})
		h.mu.Lock()
		defer h.mu.Unlock()
		acted := false
		for _, what := range h.order {
			switch what {
			case "send", "publish":
				acted = true
			default:
				if acted {
					t.Fatalf("order %v", h.order)
				}
			}
		}
		if !acted || h.order[0] != "history" {
			t.Fatalf("order %v", h.order)
		}
	})
}

func TestAnyPastMinuteCanBeReplayedFromTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		a := open(t, h.config())
		for _, id := range []tel.AgentID{"anna", "bruno"} {
			tell(t, a, tel.AgentReachable{Agent: id, Reachable: true})
			do(t, a.Login(t.Context(), id))
		}
		answered := 0
		for i := range 200 {
			tell(t, a, tel.Enqueue{Call: tel.CallID(fmt.Sprint("c", i)), Queue: "q", EnqueuedAt: time.Now()})
			time.Sleep(700 * time.Millisecond)
			synctest.Wait()
			for offers := h.offers(); answered < len(offers); answered++ {
				o := offers[answered].Offer
				if answered%3 == 0 {
					tell(t, a, tel.OfferFailed{Offer: o, Cause: tel.CauseRejected})
					continue
				}
				tell(t, a, tel.OfferAnswered{Offer: o})
				time.Sleep(time.Second)
				tell(t, a, tel.TalkEnded{Offer: o})
			}
		}
		synctest.Wait()
		a.Close()
		c := h.again(t)
		if c.Different+c.Passed > 0 || c.Decisions < 300 {
			t.Fatalf("%+v", c.Differences)
		}
		got, _ := c.State().Snapshot()
		want, _ := a.state.Snapshot()
		if string(got) != string(want) {
			t.Fatal("the replay ended in another state")
		}
		if len(h.history) < 300 {
			t.Fatalf("only %d records", len(h.history))
		}
		// A record that lies is found.
		for i, r := range h.history {
			if r.Kind == replay.KindDecision && i > 100 {
				h.history[i].Body = []byte(replaceOnce(string(r.Body), `"effects":[`, `"effects":[{},`))
				break
			}
		}
		if c := h.again(t); c.Different != 1 || len(c.Differences) != 1 || c.Passed == 0 {
			t.Fatalf("a forged decision: %d differ, %d were passed over", c.Different, c.Passed)
		}
	})
}

func replaceOnce(s, old, with string) string {
	for i := range s {
		if len(s)-i >= len(old) && s[i:i+len(old)] == old {
			return s[:i] + with + s[i+len(old):]
		}
	}
	return s
}

func TestCommandsAnswerWithTheirReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		a := open(t, h.config())
		ctx := t.Context()
		for _, c := range []struct {
			what string
			err  error
			want error
		}{
			{"a stranger logs in", a.Login(ctx, "zoe"), plan.ErrUnknownAgent},
			{"pause before login", a.Pause(ctx, "anna", "x"), plan.ErrLoggedOut},
			{"resume without a pause", a.Resume(ctx, "anna"), plan.ErrNotPaused},
			{"finish without wrap-up", a.FinishWrapUp(ctx, "anna"), plan.ErrNoWrapUp},
			{"extend without wrap-up", a.ExtendWrapUp(ctx, "anna", time.Minute), plan.ErrNoWrapUp},
			{"a bad configuration", a.Update(ctx, []plan.QueueSpec{{ID: "q", Strategy: "x"}}, nil), plan.ErrConfig},
			{"login", a.Login(ctx, "anna"), nil},
			{"login again", a.Login(ctx, "anna"), nil},
			{"logout", a.Logout(ctx, "anna"), nil},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: %v, want %v", c.what, c.err, c.want)
			}
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		a.Close()
		if err := a.Login(ctx, "anna"); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if _, err := a.Snapshot(gone); err == nil {
			t.Error("a cancelled question was answered after Close")
		}
		if a.Tell(tel.CallerGone{Call: "c"}) {
			t.Error("a closed ACD took a message")
		}
	})
}

func TestAFullMailboxRefusesAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		cfg := h.config()
		cfg.Mailbox = 4
		hold, held := make(chan struct{}), make(chan struct{})
		var once sync.Once
		cfg.Publish = func(e tel.Event) {
			if _, joined := e.(tel.QueueJoined); joined {
				once.Do(func() { close(held); <-hold })
			}
		}
		a := open(t, cfg)
		defer a.Close()
		tell(t, a, tel.Enqueue{Call: "c0", Queue: "q", EnqueuedAt: time.Now()})
		<-held
		taken := 0
		for i := range 10 {
			if a.Tell(tel.CallerGone{Call: tel.CallID(fmt.Sprint(i))}) {
				taken++
			}
		}
		if taken != 4 || a.Dropped() != 6 {
			t.Fatalf("took %d, dropped %d", taken, a.Dropped())
		}
		close(hold)
	})
}

func TestABrokenJournalStopsNoCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		h.broken = errors.New("no space left on device")
		a := open(t, h.config())
		defer a.Close()
		tell(t, a, tel.AgentReachable{Agent: "anna", Reachable: true})
		do(t, a.Login(t.Context(), "anna"))
		tell(t, a, tel.Enqueue{Call: "c1", Queue: "q", EnqueuedAt: time.Now()})
		if len(h.offers()) != 1 {
			t.Fatal("no offer")
		}
		if a.Faults() == 0 {
			t.Fatal("the fault was not counted")
		}
	})
}

// The disk of the history is full, and the process is killed: the hot journal lies elsewhere, and must have followed.
func TestAKillWhileTheHistoryTakesNothingLosesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		a := open(t, h.config())
		synctest.Wait() // it has begun, and reads the disk no more until it is told something
		h.full = errors.New("no space left on device")
		tell(t, a, tel.AgentReachable{Agent: "anna", Reachable: true})
		do(t, a.Login(t.Context(), "anna"))
		tell(t, a, tel.Enqueue{Call: "talks", Queue: "q", EnqueuedAt: time.Now()})
		tell(t, a, tel.OfferAnswered{Offer: h.offers()[0].Offer})
		tell(t, a, tel.Enqueue{Call: "w1", Queue: "q", EnqueuedAt: time.Now()})
		tell(t, a, tel.Enqueue{Call: "w2", Queue: "q", EnqueuedAt: time.Now()})
		kept := maps.Clone(h.hot) // what a kill -9 leaves
		a.Close()

		h2 := newHouse()
		h2.hot, h2.full = maps.Clone(kept), h.full
		cfg := h2.config()
		cfg.Kept, cfg.Restored = kept, h.survive("talks", "w1", "w2")
		b := open(t, cfg)
		defer b.Close()
		synctest.Wait()
		v, err := b.Snapshot(t.Context())
		do(t, err)
		var order []tel.CallID
		for _, c := range v.Queues[0].Waiting {
			order = append(order, c.Call)
		}
		if s := stateOf(t, b, "anna"); fmt.Sprint(order) != "[w1 w2]" || s.State != tel.AgentTalking || s.Call != "talks" {
			t.Errorf("%v wait, anna %+v", order, s)
		}
		if a.Faults() == 0 || b.Faults() == 0 {
			t.Error("the faults were not counted")
		}
	})
}

func TestAFaultInAStepCostsTheEventAndNotTheQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		cfg := h.config()
		bad := true
		cfg.Publish = func(e tel.Event) {
			if _, ok := e.(tel.QueueJoined); ok && bad {
				bad = false
				panic("an observer broke")
			}
			h.publish(e)
		}
		a := open(t, cfg)
		defer a.Close()
		tell(t, a, tel.Enqueue{Call: "c1", Queue: "q", EnqueuedAt: time.Now()})
		tell(t, a, tel.Enqueue{Call: "c2", Queue: "q", EnqueuedAt: time.Now()})
		tell(t, a, tel.AgentReachable{Agent: "anna", Reachable: true})
		do(t, a.Login(t.Context(), "anna"))
		if o := h.offers(); len(o) != 1 || o[0].Call != "c1" {
			t.Fatalf("offers %+v", o)
		}
		if a.Faults() != 1 {
			t.Fatalf("%d faults", a.Faults())
		}
	})
}

func TestAClockSetByTheNetworkEndsNoWrapUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		a := open(t, h.config())
		tell(t, a, tel.AgentReachable{Agent: "anna", Reachable: true})
		do(t, a.Login(t.Context(), "anna"))
		tell(t, a, tel.Enqueue{Call: "c1", Queue: "q", EnqueuedAt: time.Now()})
		o := h.offers()[0].Offer
		tell(t, a, tel.OfferAnswered{Offer: o})
		tell(t, a, tel.TalkEnded{Offer: o})
		a.Close()
		// The owner is still; its clock ran a day behind and is now told the truth.
		a.shift -= 24 * time.Hour
		_ = a.next(plan.ClockMoved{By: -24 * time.Hour})
		before := a.state.Agents["anna"].WrapUntil
		_ = a.step(plan.Tick{})
		anna := a.state.Agents["anna"]
		if anna.State() != tel.AgentWrapUp || anna.WrapUntil.Sub(before) != 24*time.Hour {
			t.Fatalf("wrap-up until %v, before %v, %v", anna.WrapUntil, before, anna.State())
		}
	})
}

func TestACallWritesLittleToTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		a := open(t, h.config())
		defer a.Close()
		tell(t, a, tel.AgentReachable{Agent: "anna", Reachable: true})
		do(t, a.Login(t.Context(), "anna"))
		h.mu.Lock()
		h.history = nil
		h.mu.Unlock()
		tell(t, a, tel.Enqueue{Call: tel.NewCallID(), Queue: "q", Caller: "+390612345678", Name: "Mario Rossi", EnqueuedAt: time.Now()})
		o := h.offers()[0].Offer
		tell(t, a, tel.OfferRinging{Offer: o})
		tell(t, a, tel.OfferAnswered{Offer: o})
		tell(t, a, tel.TalkEnded{Offer: o})
		time.Sleep(time.Minute)
		synctest.Wait()
		h.mu.Lock()
		defer h.mu.Unlock()
		n := 0
		for _, r := range h.history {
			n += len(r.Body)
		}
		t.Logf("%d records, %d bytes", len(h.history), n)
		if n > 4096 {
			t.Fatalf("%d bytes of history for one call, the bar is 8 KB for all rooms together", n)
		}
	})
}

// BenchmarkCallerInToAgentRung is the time from Tell(Enqueue) to Send(Offer) with a free agent, both
// journals in memory, and from the end of a talk to the next caller's offer.
func BenchmarkCallerInToAgentRung(b *testing.B) {
	h := newHouse()
	cfg := h.config()
	cfg.Queues[0].WrapUp = 0
	rung := make(chan tel.Offer, 16)
	cfg.Send = func(m tel.ToCall) {
		if o, ok := m.(tel.Offer); ok {
			rung <- o
		}
	}
	cfg.Publish, cfg.History = func(tel.Event) {}, nil
	a, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	a.Tell(tel.AgentReachable{Agent: "anna", Reachable: true})
	if err := a.Login(b.Context(), "anna"); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		a.Tell(tel.Enqueue{Call: tel.CallID(fmt.Sprint(i)), Queue: "q", EnqueuedAt: time.Now()})
		o := <-rung
		a.Tell(tel.OfferAnswered{Offer: o.Offer})
		a.Tell(tel.TalkEnded{Offer: o.Offer})
	}
}

// guess is somebody who estimates waits.
