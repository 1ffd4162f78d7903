package call

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// mixed checks a mix against the state: nobody hears a conversation without a span that is on record.
func (w *world) mixed(t *testing.T, e DoMix) {
	t.Helper()
	if len(e.Parties) == 0 {
		return
	}
	for _, h := range e.Watchers {
		if mine := w.s.watching(h.Leg); mine != nil && (mine.Now.From.IsZero() || !slices.Contains(mine.Modes, mine.Now.Mode)) {
			t.Fatalf("%s hears without leave: %+v", h.Leg, *mine)
		}
	}
}

// supervised checks, between inputs, that whoever watches hears an agent who is there, with leave, or
// nobody.
func (w *world) supervised(t *testing.T, seed uint64) {
	t.Helper()
	seen := map[tel.LegID]bool{}
	for _, x := range w.s.Watchers {
		subject := w.s.subject(x.Now.Agent, x.Agent)
		switch {
		case !w.live[x.ID]:
			t.Fatalf("seed %d: %s watches and does not exist", seed, x.ID)
		case seen[x.ID]:
			t.Fatalf("seed %d: %s watches twice", seed, x.ID)
		case x.Live && (subject == nil || subject.Agent != x.Now.Agent || subject.Agent == x.Agent || x.Now.From.IsZero()):
			t.Fatalf("seed %d: %+v hears %+v", seed, x, subject)
		case !x.Live && subject != nil:
			t.Fatalf("seed %d: %s was not asked about in %s", seed, x.ID, w.s.Stage)
		case len(w.s.Watchers) > maxWatchers:
			t.Fatalf("seed %d: %d watch", seed, len(w.s.Watchers))
		}
		seen[x.ID] = true
	}
	for _, x := range w.s.Supervised {
		if x.To.Before(x.From) || x.Why == "" || x.Agent == "" && x.Leg != "" {
			t.Fatalf("seed %d: a span of supervision is %+v", seed, x)
		}
	}
}

// leave is what a random rule allows.
func (w *world) leave() Permit {
	p := Permit{Basis: "agreement 1", Follow: w.r.IntN(3) > 0, Tone: w.r.IntN(2) == 0}
	for _, m := range tel.SupervisionModes() {
		if w.r.IntN(4) > 0 {
			p.Modes = append(p.Modes, m)
		}
	}
	return p
}

// watch is a supervisor at the door of the call.
func (w *world) watch() any {
	if len(w.s.Watchers) > 0 && w.r.IntN(3) == 0 {
		return LegEvent{Leg: w.s.Watchers[0].ID, Kind: LegDigit, Digit: rune('3' + w.r.IntN(5))}
	}
	w.adopt = tel.LegID(w.name("boss"))
	a := Adopt{
		Leg:    LegState{ID: w.adopt, Party: "phone:9", Ref: string(w.adopt), Up: w.r.IntN(2) == 0, Agent: tel.AgentID(fmt.Sprint("boss", w.r.IntN(3)))},
		Target: Target{Watch: &Watch{Mode: tel.SupervisionModes()[w.r.IntN(4)]}}, Permit: w.leave(),
	}
	if w.r.IntN(2) == 0 {
		a.Target.Watch.Agent = "anna"
	}
	return a
}

func (w *world) review() Reviewed {
	r := Reviewed{Permits: map[tel.LegID]Permit{}}
	for _, x := range w.s.Watchers {
		r.Permits[x.ID] = w.leave()
	}
	return r
}

// shift is an office with a supervisor: 209 may supervise whom allow says.
type shift struct {
	*office
	customer, anna *fakeLeg
}

var everything = Permit{Modes: tel.SupervisionModes(), Basis: "agreement 7/2026", Follow: true}

// watched runs a test while Anna at 201 talks with a customer.
func watched(t *testing.T, name string, allow SuperviseFunc, do func(s *shift)) {
	o := &office{t: t}
	o.run(name, func(o *office) {
		o.x.cfg.Supervise = allow
		s := &shift{office: o}
		s.customer = o.dial("trunk:tim", "201")
		s.anna = o.phone("201")
		s.anna.answers()
		do(s)
	})
}

func allow(p Permit) SuperviseFunc {
	return func(_, _ tel.AgentID, _ tel.QueueID, _ time.Time) Permit { return p }
}

// boss dials a code of supervision at phone 208.
func (s *shift) boss(code string) *fakeLeg { return s.dial("phone:208", tel.Number(code)) }

// hear checks whom a leg hears since the last mix.
func (s *shift) hear(who string, l *fakeLeg, whom ...*fakeLeg) {
	s.t.Helper()
	var ids []string
	for _, x := range whom {
		ids = append(ids, string(x.id))
	}
	last := ""
	for _, what := range l.told() {
		if strings.HasPrefix(what, "mix") {
			last = what
		}
	}
	if want := "mix " + strings.Join(ids, " "); last != want {
		s.t.Errorf("%s: %q, want %q", who, last, want)
	}
}

// spans are the modes and ends of the supervisions that are on record, in order.
func spans(r tel.CallEnded) string {
	var all []string
	for _, s := range r.Supervised {
		all = append(all, fmt.Sprintf("%s of %s: %s", s.Mode, s.Agent, s.Why))
	}
	return strings.Join(all, ", ")
}

// published are the kinds of the events about supervision, with their modes.
func (s *shift) published() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, e := range s.events {
		switch e := e.(type) {
		case tel.SupervisionStarted:
			all = append(all, "+"+string(e.Mode)+" "+string(e.Agent))
		case tel.SupervisionEnded:
			all = append(all, "-"+string(e.Mode)+" "+string(e.Agent))
		case tel.SupervisionRefused:
			all = append(all, "!"+string(e.Why))
		}
	}
	return strings.Join(all, ", ")
}

func TestSupervision(t *testing.T) {
	watched(t, "listen, whisper and barge: each is heard by whom it shall, changed by the keys 4, 5 and 6", allow(everything), func(s *shift) {
		boss := s.boss("*51201")
		s.wants("the supervisor", boss, "accept", "mix "+string(s.customer.id)+" "+string(s.anna.id))
		s.hear("listen: the customer", s.customer, s.anna)
		s.hear("listen: Anna", s.anna, s.customer)
		boss.says(LegEvent{Kind: LegDigit, Digit: '5'})
		s.hear("whisper: the customer", s.customer, s.anna)
		s.hear("whisper: Anna", s.anna, s.customer, boss)
		boss.says(LegEvent{Kind: LegDigit, Digit: '6'})
		s.hear("barge: the customer", s.customer, s.anna, boss)
		s.hear("barge: Anna", s.anna, s.customer, boss)
		boss.says(LegEvent{Kind: LegDigit, Digit: '9'}) // means nothing
		boss.says(LegEvent{Kind: LegDigit, Digit: '4'})
		s.hear("listen again: Anna", s.anna, s.customer)
		boss.hangsUp()
		s.wants("the customer", s.customer, "join "+string(s.anna.id))
		s.customer.hangsUp()
		r := s.records[len(s.records)-1]
		if got, want := spans(r), "listen of agent201: mode, whisper of agent201: mode, barge of agent201: mode, listen of agent201: left"; got != want {
			s.t.Errorf("the record says %q, want %q", got, want)
		}
		if x := r.Supervised[0]; x.By != "agent208" || x.Party != "phone:208" || x.Basis != "agreement 7/2026" || x.From.IsZero() {
			s.t.Errorf("the first span is %+v", x)
		}
		if got, want := s.published(), "+listen agent201, -listen agent201, +whisper agent201, -whisper agent201, +barge agent201, -barge agent201, +listen agent201, -listen agent201"; got != want {
			s.t.Errorf("observers were told %q", got)
		}
	})
	watched(t, "who plays with the keys fills no memory", allow(everything), func(s *shift) {
		boss := s.boss("*51201")
		for i := range 2 * maxSpans {
			boss.says(LegEvent{Kind: LegDigit, Digit: rune('4' + i%3)})
		}
		s.customer.hangsUp()
		if n := len(s.records[len(s.records)-1].Supervised); n != maxSpans+1 {
			s.t.Errorf("%d spans on record", n)
		}
	})
	watched(t, "take over: the supervisor talks, the agent leaves, the call is his", allow(everything), func(s *shift) {
		boss := s.boss("*54201")
		s.wants("Anna", s.anna, "part", "hangup transferred")
		s.wants("the customer", s.customer, "join "+string(boss.id))
		s.customer.hangsUp()
		r := s.records[len(s.records)-1]
		if r.Agent != "agent208" || len(r.Moves) != 1 || r.Moves[0].Kind != tel.MoveTakenOver || spans(r) != "take_over of agent201: taken_over" {
			s.t.Errorf("record %+v", r)
		}
	})
	watched(t, "take over by who listens already, from the page", allow(everything), func(s *shift) {
		boss := s.boss("*51201")
		if err := s.x.Watch(Watch{Agent: "agent201", Mode: tel.SuperviseTakeOver}, "agent208", "208"); err != nil {
			s.t.Fatal(err)
		}
		synctest.Wait()
		s.wants("Anna", s.anna, "hangup transferred")
		s.wants("the customer", s.customer, "join "+string(boss.id))
		s.customer.hangsUp()
		s.wants("the supervisor", boss, "hangup normal")
	})
	watched(t, "while the agent holds who listens hears the customer, and the music is the customer's alone", allow(everything), func(s *shift) {
		boss := s.boss("*51201")
		s.anna.says(LegEvent{Kind: LegHeld, Held: true})
		s.wants("Anna", s.anna, "part", "hush")
		s.hear("the supervisor", boss, s.customer)
		s.wants("the customer", s.customer, "mix ", "play music")
		boss.says(LegEvent{Kind: LegDigit, Digit: '6'})
		s.wants("the customer, who is talked to now", s.customer, "mix "+string(boss.id), "hush")
		s.anna.says(LegEvent{Kind: LegHeld})
		s.hear("Anna", s.anna, s.customer, boss)
		s.anna.says(LegEvent{Kind: LegHeld, Held: true})
		s.customer.says(LegEvent{Kind: LegHeld, Held: true})
		s.hear("with both away the supervisor", boss)
	})
	watched(t, "blind transfer: who listens waits in silence and follows the customer to the next agent", allow(everything), func(s *shift) {
		boss := s.boss("*51201")
		s.anna.says(LegEvent{Kind: LegRefer, To: "202"})
		s.hear("meanwhile the supervisor", boss)
		bruno := s.phone("202")
		bruno.answers()
		s.hear("the supervisor", boss, s.customer, bruno)
		s.customer.hangsUp()
		s.wants("the supervisor", boss, "hangup normal")
		if got := spans(s.records[len(s.records)-1]); got != "listen of agent201: moved, listen of agent202: call_ended" {
			s.t.Errorf("the record says %q", got)
		}
	})
	onlyAnna := func(_, agent tel.AgentID, _ tel.QueueID, _ time.Time) Permit {
		if agent == "agent201" {
			return everything
		}
		return Permit{Why: tel.SupervisionNotYours}
	}
	watched(t, "blind transfer to somebody who is not his: the supervisor hears nothing of it and is let go", onlyAnna, func(s *shift) {
		boss := s.boss("*51201")
		s.anna.says(LegEvent{Kind: LegRefer, To: "202"})
		bruno := s.phone("202")
		bruno.answers()
		s.hear("the supervisor", boss)
		s.wants("the supervisor", boss, "hangup forbidden")
		s.wants("the customer", s.customer, "join "+string(bruno.id))
		s.customer.hangsUp()
		if got := spans(s.records[len(s.records)-1]); got != "listen of agent201: moved, listen of agent202: not_yours" {
			s.t.Errorf("the record says %q", got)
		}
	})
	stays := everything
	stays.Follow = false
	watched(t, "where the rule says so, who listens is let go when the agent leaves", allow(stays), func(s *shift) {
		boss := s.boss("*51201")
		s.anna.says(LegEvent{Kind: LegRefer, To: "202"})
		s.wants("the supervisor", boss, "hangup normal")
	})
	watched(t, "attended transfer: the supervisor goes with the customer into the other call", allow(everything), func(s *shift) {
		boss := s.boss("*51201")
		consult := s.dial("phone:201", "202")
		bruno := s.phone("202")
		bruno.answers()
		s.anna.says(LegEvent{Kind: LegRefer, Replaces: consult.ref})
		s.wants("Anna", s.anna, "hangup transferred")
		s.hear("the supervisor", boss, s.customer, bruno)
		boss.says(LegEvent{Kind: LegDigit, Digit: '6'})
		s.hear("the customer", s.customer, bruno, boss)
		bruno.hangsUp()
		s.wants("the supervisor", boss, "hangup normal")
		if len(s.x.Calls()) != 0 {
			s.t.Errorf("calls left: %v", s.x.Calls())
		}
	})
	ofSales := func(_, _ tel.AgentID, q tel.QueueID, _ time.Time) Permit {
		if q == "sales" {
			return everything
		}
		return Permit{Why: tel.SupervisionNotYours}
	}
	watched(t, "attended transfer of a queue's customer: who supervises the queue goes with him", ofSales, func(s *shift) {
		customer := s.dial("trunk:tim", "400")
		s.x.Deliver(tel.Offer{Offer: "o1", Call: s.queue[len(s.queue)-1].(tel.Enqueue).Call, Queue: "sales", Agent: "agent203", Ring: 10 * time.Second})
		synctest.Wait()
		carla := s.phone("203")
		carla.answers()
		boss := s.boss("*51203")
		s.hear("the supervisor", boss, customer, carla)
		consult := s.dial("phone:203", "202")
		bruno := s.phone("202")
		bruno.answers()
		carla.says(LegEvent{Kind: LegRefer, Replaces: consult.ref})
		s.hear("the supervisor", boss, customer, bruno)
		s.wants("who would listen to Anna", s.boss("*51201"), "accept", "play supervision_refused")
	})
	watched(t, "attended transfer from the other call: the supervisor stays with the customer", allow(everything), func(s *shift) {
		boss := s.boss("*51201")
		consult := s.dial("phone:201", "202")
		bruno := s.phone("202")
		bruno.answers()
		consult.says(LegEvent{Kind: LegRefer, Replaces: s.anna.ref})
		s.hear("the supervisor", boss, s.customer, bruno)
	})
	watched(t, "an attended transfer to the supervisor himself ends his listening", allow(everything), func(s *shift) {
		boss := s.boss("*51201")
		consult := s.dial("phone:201", "208")
		second := s.phone("208")
		second.answers()
		s.anna.says(LegEvent{Kind: LegRefer, Replaces: consult.ref})
		s.wants("the supervisor's first call", boss, "hangup forbidden")
		s.wants("the customer", s.customer, "join "+string(second.id))
	})
	watched(t, "a parked customer is heard by nobody, and who fetches is supervised", allow(everything), func(s *shift) {
		boss := s.boss("*51201")
		s.anna.says(LegEvent{Kind: LegRefer, To: "*70"})
		s.hear("the supervisor", boss)
		bruno := s.dial("phone:202", "701")
		s.hear("the supervisor", boss, s.customer, bruno)
		boss.hangsUp()
		s.wants("the customer", s.customer, "join "+string(bruno.id))
	})
	watched(t, "the customer goes on to an outside number: nobody of ours is there to be supervised", allow(everything), func(s *shift) {
		boss := s.boss("*51201")
		s.anna.says(LegEvent{Kind: LegRefer, To: "333"})
		s.lineUse.answers()
		s.hear("the supervisor", boss)
		s.wants("the supervisor", boss, "hangup forbidden")
	})
}

func TestWithoutALegalBasisNobodyListensAndTheAttemptIsRecorded(t *testing.T) {
	none := Permit{Why: tel.SupervisionNoBasis}
	watched(t, "by a code: words, a record, and the agent hears nothing", allow(none), func(s *shift) {
		boss := s.boss("*51201")
		s.wants("the supervisor", boss, "accept", "play supervision_no_basis")
		boss.says(LegEvent{Kind: LegPlayed})
		s.wants("the customer", s.customer, "join "+string(s.anna.id))
		r := s.records[0]
		if r.In != "phone:208" || r.Cause != tel.CauseForbidden || spans(r) != "listen of agent201: no_basis" || r.Supervised[0].By != "agent208" {
			s.t.Errorf("record %+v", r)
		}
		if got := s.published(); got != "!no_basis" {
			s.t.Errorf("observers were told %q", got)
		}
		idle := s.boss("*51203") // who talks with nobody: the answer tells nothing else
		s.wants("the supervisor", idle, "accept", "play supervision_no_basis")
	})
	watched(t, "from the page: the reason, and a record", allow(none), func(s *shift) {
		err := s.x.Watch(Watch{Agent: "agent201", Mode: tel.SuperviseBarge}, "agent208", "208")
		if why, ok := errors.AsType[RefusedError](err); !ok || why.Why != tel.SupervisionNoBasis || !strings.Contains(err.Error(), "art. 4") {
			s.t.Errorf("got %v", err)
		}
		if len(s.records) != 1 || spans(s.records[0]) != "barge of agent201: no_basis" || s.rung["208"] != nil {
			s.t.Errorf("records %+v", s.records)
		}
	})
	watched(t, "by signalling: 403", allow(none), func(s *shift) {
		joins := s.arrive(Arrival{From: "phone:208", Dialed: "201", Join: s.anna.ref})
		s.wants("who joins", joins, "hangup forbidden")
		if spans(s.records[0]) != "barge of : no_basis" {
			s.t.Errorf("record %+v", s.records[0])
		}
	})
	some := Permit{Modes: []tel.SupervisionMode{tel.SuperviseListen}}
	watched(t, "a mode that is not allowed is said to be so, by key as well", allow(some), func(s *shift) {
		s.wants("who would barge", s.boss("*53201"), "accept", "play supervision_refused")
		boss := s.boss("*51201")
		boss.says(LegEvent{Kind: LegDigit, Digit: '6'})
		s.wants("who listens", boss, "play supervision_refused")
		s.hear("the customer", s.customer, s.anna)
	})
	watched(t, "without a rule at all", nil, func(s *shift) {
		s.wants("the supervisor", s.boss("*51201"), "accept", "play supervision_no_basis")
	})
	watched(t, "a call for help is heard by nobody", allow(everything), func(s *shift) {
		s.dial("phone:202", "112")
		s.lineUse.answers()
		s.wants("the supervisor", s.boss("*51202"), "accept", "play supervision_refused")
		if err := s.x.Watch(Watch{Agent: "agent202", Mode: tel.SuperviseListen}, "agent208", "208"); err == nil {
			s.t.Error("from the page it can be")
		}
	})
	watched(t, "nobody is sent into the conversation of others", allow(everything), func(s *shift) {
		other := s.dial("trunk:tim", "202")
		bruno := s.phone("202")
		bruno.answers()
		bruno.says(LegEvent{Kind: LegRefer, To: "*51201"})
		s.wants("Bruno gets his customer back", bruno, "notify 403 final", "hush")
		s.wants("the other customer", other, "hush", "join "+string(bruno.id))
	})
}

func TestASupervisorIsRungFromThePage(t *testing.T) {
	watched(t, "the phone rings with the agent's number, who answers listens, and then changes the mode", allow(everything), func(s *shift) {
		ask := func(mode tel.SupervisionMode) {
			s.t.Helper()
			if err := s.x.Watch(Watch{Agent: "agent201", Mode: mode}, "agent208", "208"); err != nil {
				s.t.Fatal(err)
			}
			synctest.Wait()
		}
		ask(tel.SuperviseListen)
		boss := s.phone("208")
		s.wants("the supervisor", boss, "rings for 201")
		boss.answers()
		s.hear("the supervisor", boss, s.customer, s.anna)
		ask(tel.SuperviseBarge)
		s.hear("the customer", s.customer, s.anna, boss)
		if s.phone("208") != boss {
			s.t.Error("the phone is rung again for a change of mode")
		}
	})
	watched(t, "whose phone does not answer does not listen", allow(everything), func(s *shift) {
		if err := s.x.Watch(Watch{Agent: "agent201", Mode: tel.SuperviseListen}, "agent208", "208"); err != nil {
			s.t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		s.wants("the supervisor", s.phone("208"), "hangup no_answer")
		s.wants("the customer", s.customer, "join "+string(s.anna.id))
	})
	watched(t, "nobody is rung for an agent who talks with nobody", allow(everything), func(s *shift) {
		if err := s.x.Watch(Watch{Agent: "agent203", Mode: tel.SuperviseListen}, "agent208", "208"); !errors.Is(err, ErrNoConversation) {
			s.t.Errorf("got %v", err)
		}
		s.wants("the supervisor", s.boss("*51203"), "accept", "play supervision_no_call")
		if err := s.x.Watch(Watch{Agent: "agent201", Mode: tel.SuperviseListen}, "agent208", ""); !errors.Is(err, ErrNoPhone) {
			s.t.Errorf("without a phone: %v", err)
		}
	})
	watched(t, "of an agent's two conversations the one that is not held is heard", allow(everything), func(s *shift) {
		s.anna.says(LegEvent{Kind: LegHeld, Held: true})
		consult := s.dial("phone:201", "202")
		s.phone("202").answers()
		s.hear("the supervisor", s.boss("*51201"), consult, s.phone("202"))
	})
	watched(t, "an INVITE with Join barges in", allow(everything), func(s *shift) {
		joins := s.arrive(Arrival{From: "phone:208", Dialed: "201", Join: s.anna.ref})
		s.hear("the customer", s.customer, s.anna, joins)
		s.hear("who joins", joins, s.customer, s.anna)
	})
	rule := everything
	changing := func(_, _ tel.AgentID, _ tel.QueueID, _ time.Time) Permit { return rule }
	watched(t, "when the legal basis ends, who listens is let go at once", changing, func(s *shift) {
		rule = everything
		boss := s.boss("*51201")
		s.x.Review()
		synctest.Wait()
		s.hear("while it holds, the supervisor", boss, s.customer, s.anna)
		rule = Permit{Why: tel.SupervisionExpired}
		s.x.Review()
		synctest.Wait()
		s.wants("the supervisor", boss, "hangup forbidden")
		s.wants("the customer", s.customer, "join "+string(s.anna.id))
		s.customer.hangsUp()
		if got := spans(s.records[len(s.records)-1]); got != "listen of agent201: expired" {
			s.t.Errorf("the record says %q", got)
		}
	})
	var lastMinute time.Time
	untilThen := func(_, _ tel.AgentID, _ tel.QueueID, at time.Time) Permit {
		if at.After(lastMinute) {
			return Permit{Why: tel.SupervisionExpired}
		}
		return everything
	}
	watched(t, "when the last day of the basis ends in mid-call, who listens is let go within a minute", untilThen, func(s *shift) {
		lastMinute = time.Now().Add(5 * time.Minute)
		boss := s.boss("*51201")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		s.hear("till then, the supervisor", boss, s.customer, s.anna)
		time.Sleep(reviewEvery)
		synctest.Wait()
		s.wants("the supervisor", boss, "hangup forbidden")
		s.wants("the customer", s.customer, "join "+string(s.anna.id))
	})
	tone := everything
	tone.Tone = true
	watched(t, "the agent hears a tone where the rule says so, and the customer does not", allow(tone), func(s *shift) {
		s.boss("*51201")
		s.wants("Anna", s.anna, "mix "+string(s.customer.id), "play tone_watched")
		s.wants("the customer", s.customer, "mix "+string(s.anna.id))
	})
	watched(t, "a supervisor whose phone falls silent is let go, the call is not", allow(everything), func(s *shift) {
		boss := s.boss("*51201")
		boss.says(LegEvent{Kind: LegSilent})
		s.wants("the supervisor", boss, "hangup media_timeout")
		s.wants("the customer", s.customer, "join "+string(s.anna.id))
	})
}
