package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

const customer = tel.Number("+393331234567")

// from is a call of a number to the queue q.
func (o *office) from(id tel.CallID, n tel.Number) {
	o.tell(tel.Enqueue{Call: id, Queue: "q", Caller: n, EnqueuedAt: o.now})
}

// sent are the messages of one type that the last event sent.
func sent[M tel.ToCall](o *office) []M {
	var list []M
	for _, x := range o.out {
		if s, ok := x.(Send); ok {
			if m, ok := s.Message.(M); ok {
				list = append(list, m)
			}
		}
	}
	return list
}

func (o *office) wantLeft(i int, outcome tel.QueueOutcome, stage tel.AbandonStage) tel.QueueLeft {
	o.t.Helper()
	l := o.left()
	if len(l) <= i || l[i].Outcome != outcome || l[i].Stage != stage {
		o.t.Fatalf("record %d of %+v is not %s %s", i, l, outcome, stage)
	}
	return l[i]
}

func TestACallerWhoGivesUpTellsWhatHappenedAtThatMoment(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*office, tel.OfferID)
		want tel.AbandonStage
	}{
		{"the greeting is still said", func(*office, tel.OfferID) {}, tel.AbandonGreeting},
		{"nobody rings", func(o *office, of tel.OfferID) {
			o.tell(tel.CallerGreeted{Call: "c1"})
			o.tell(tel.OfferFailed{Offer: of, Cause: tel.CauseBusy})
		}, tel.AbandonWaiting},
		{"a phone rings", func(o *office, of tel.OfferID) { o.tell(tel.OfferRinging{Offer: of}) }, tel.AbandonRinging},
		{"the agent hears who waits", func(o *office, of tel.OfferID) { o.tell(tel.OfferAccepted{Offer: of}) }, tel.AbandonWhisper},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := staffed(t, q1("a"), "a")
			o.call("c1", "q")
			tt.do(o, o.one().Offer)
			o.tell(tel.CallerGone{Call: "c1", Cause: tel.CauseCancelled})
			o.wantLeft(0, tel.OutcomeAbandoned, tt.want)
			if a := o.s.Agents["a"]; a.Offer != "" || a.onLine() {
				t.Errorf("the agent is held: %+v", a)
			}
		})
	}
}

func TestAKeyLeavesTheQueueForItsDestination(t *testing.T) {
	qs := q1("a")
	qs[0].Waiting.ExitKeys = map[string]string{"9": "voicemail:201"}
	o := newOffice(t, qs, "a")
	o.call("c1", "q")
	if o.tell(tel.CallerKey{Call: "c1", Key: '8'}); len(o.left()) != 0 {
		t.Fatal("a key without a meaning moved the caller")
	}
	o.tell(tel.CallerKey{Call: "c1", Key: '9'})
	if m := sent[tel.Overflow](o); len(m) != 1 || m[0].To != "voicemail:201" || m[0].Why != "exit_key" {
		t.Fatalf("sent %+v", o.out)
	}
	o.wantLeft(0, tel.OutcomeExitKey, "")
}

func TestAQueueWithoutAgentsRefusesOnlyAfterItsGrace(t *testing.T) {
	qs := q1("a")
	qs[0].Waiting.RefuseEmpty, qs[0].EmptyGrace, qs[0].EmptyTo = true, 30*time.Second, "outside:3331234567"
	o := staffed(t, qs, "a")
	o.do(Pause{"a", "break"})
	o.wait(29 * time.Second)
	o.call("c1", "q")
	if len(o.left()) != 0 {
		t.Fatal("refused although somebody was there a moment ago")
	}
	o.wait(time.Second)
	o.call("c2", "q")
	if m := sent[tel.Overflow](o); len(m) != 1 || m[0].To != "outside:3331234567" || m[0].Why != "no_agents" {
		t.Fatalf("sent %+v", o.out)
	}
	o.wantLeft(0, tel.OutcomeRefused, "")
	o.do(Resume{"a"})
	o.call("c3", "q")
	if len(o.left()) != 1 {
		t.Fatal("refused although an agent is back")
	}
}

func TestACallerWhoCallsAgainSoonHasTheOldPlace(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration
		ours  bool // the line or the box failed, not the caller
		who   tel.Number
		again tel.Number
		first tel.CallID
	}{
		{"soon", 2*time.Minute - time.Second, false, customer, customer, "again"},
		{"soon, after a failure of ours", 2*time.Minute - time.Second, true, customer, customer, "again"},
		{"too late", 2 * time.Minute, false, customer, customer, "other"},
		{"another number", time.Minute, false, customer, "+393339999999", "other"},
		{"a withheld number", time.Minute, false, "", "", "other"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			qs := q1("a")
			qs[0].Waiting.Return = 2 * time.Minute
			o := newOffice(t, qs, "a")
			o.tell(tel.Enqueue{Call: "c1", Queue: "q", Caller: tt.who, EnqueuedAt: o.now, Priority: 0})
			o.wait(time.Minute)
			o.tell(tel.Enqueue{Call: "other", Queue: "q", Caller: "0212345678", EnqueuedAt: o.now})
			cause := tel.CauseCancelled
			if tt.ours {
				cause = tel.CauseInternalError
			}
			o.tell(tel.CallerGone{Call: "c1", Cause: cause})
			o.wait(tt.after)
			o.from("again", tt.again)
			if got := o.s.Waiting("q")[0].Call; got != tt.first {
				t.Errorf("first in line is %s, want %s", got, tt.first)
			}
			o.wait(10 * time.Minute)
			if len(o.s.Memories) != 0 {
				t.Errorf("remembered for ever: %+v", o.s.Memories)
			}
		})
	}
}

func TestThePlaceOfACallerIsGivenBackOnce(t *testing.T) {
	qs := q1("a")
	qs[0].Waiting.Return = 2 * time.Minute
	o := newOffice(t, qs, "a")
	o.from("c1", customer)
	o.wait(time.Minute)
	o.tell(tel.CallerGone{Call: "c1", Cause: tel.CauseCancelled})
	o.from("c2", customer)
	o.from("c3", customer) // a second line of the same company
	w := o.s.Waiting("q")
	if !w[0].EnqueuedAt.Equal(t0) || w[0].Call != "c2" || !w[1].EnqueuedAt.Equal(o.now) {
		t.Fatalf("waiting %+v", w)
	}
}

func TestACallerWhoWasServedIsNoReturningCaller(t *testing.T) {
	qs := q1("a")
	qs[0].Waiting.Return, qs[0].WrapUp = 2*time.Minute, 0
	o := staffed(t, qs, "a")
	o.from("c0", customer)
	first := o.one()
	o.from("c1", customer) // waits beside
	o.tell(tel.CallerGone{Call: "c1", Cause: tel.CauseCancelled})
	o.tell(tel.OfferAnswered{Offer: first.Offer})
	o.wait(30 * time.Second)
	o.from("c2", customer)
	if w := o.s.Waiting("q"); !w[0].EnqueuedAt.Equal(o.now) {
		t.Fatalf("waiting %+v", w)
	}
}

// A ring-all queue goes on ringing until the bridge is confirmed (asterisk#1557).
func TestAsterisk1557AHangUpDuringTheWhisperGoesOnWithTheOthersThatRing(t *testing.T) {
	qs := q1("a", "b")
	qs[0].Strategy, qs[0].Waiting.Whisper, qs[0].Waiting.WhisperWait = RingAll, "sales", true
	o := staffed(t, qs, "a", "b")
	offers := o.call("c1", "q")
	if len(offers) != 2 || offers[0].Whisper.Prompt != "sales" || !offers[0].Whisper.Since.Equal(o.now) {
		t.Fatalf("offers %+v", offers)
	}
	at := o.now
	o.tell(tel.OfferAccepted{Offer: offers[0].Offer})
	if w := o.withdrawals(); len(w) != 0 {
		t.Fatalf("the others stopped ringing before the bridge: %+v", w)
	}
	o.wantState(offers[0].Agent, tel.AgentTalking)
	o.tell(tel.OfferFailed{Offer: offers[0].Offer, Cause: tel.CauseRejected})
	w := o.s.Waiting("q")
	if len(w) != 1 || !w[0].EnqueuedAt.Equal(at) || len(w[0].Offers) != 1 || w[0].Offers[0] != offers[1].Offer {
		t.Fatalf("waiting %+v", w)
	}
	o.tell(tel.OfferAnswered{Offer: offers[1].Offer})
	o.wantLeft(0, tel.OutcomeAnswered, "")
}

func TestTheBridgeCancelsTheOthersAsAnsweredElsewhere(t *testing.T) {
	qs := q1("a", "b")
	qs[0].Strategy, qs[0].Waiting.Whisper = RingAll, "sales"
	o := staffed(t, qs, "a", "b")
	offers := o.call("c1", "q")
	o.tell(tel.OfferAccepted{Offer: offers[0].Offer})
	o.tell(tel.OfferAnswered{Offer: offers[0].Offer})
	if w := o.withdrawals(); len(w) != 1 || w[0].Offer != offers[1].Offer || w[0].Cause != tel.CauseAnsweredElsewhere {
		t.Fatalf("withdrawals %+v", w)
	}
}

func TestAWhisperThatNeverEndsFreesTheAgentWithoutBlame(t *testing.T) {
	qs := q1("a")
	qs[0].Waiting.Whisper, qs[0].AutoPause = "sales", 1
	o := staffed(t, qs, "a")
	of := o.call("c1", "q")[0]
	o.tell(tel.OfferAccepted{Offer: of.Offer})
	o.wait(whisperFor)
	o.tell(tel.OfferSettled{Offer: of.Offer})
	if a := o.s.Agents["a"]; a.Misses != 0 || a.Paused || a.Accepted {
		t.Fatalf("agent %+v", a)
	}
	if w := o.s.Waiting("q"); len(w) != 1 || len(w[0].Offers) != 1 || w[0].Offers[0] == of.Offer {
		t.Fatalf("the caller is not offered again: %+v", w)
	}
}

func TestPausingDuringTheWhisperWaitsForTheEndOfTheTalk(t *testing.T) {
	qs := q1("a")
	qs[0].Waiting.Whisper = "sales"
	o := staffed(t, qs, "a")
	of := o.call("c1", "q")[0]
	o.tell(tel.OfferAccepted{Offer: of.Offer})
	o.do(Pause{"a", "break"})
	if len(o.withdrawals()) != 0 {
		t.Fatal("the agent is cut off")
	}
	o.tell(tel.OfferAnswered{Offer: of.Offer})
	o.tell(tel.TalkEnded{Offer: of.Offer})
	o.wait(10 * time.Second)
	o.wantState("a", tel.AgentPaused)
}

func TestACustomerTransferredIntoAPlaceIsTheCallerFromThenOn(t *testing.T) {
	qs := q1("a")
	qs[0].Waiting.Return = time.Minute
	o := newOffice(t, qs, "a")
	o.from("c1", "201")
	o.tell(tel.CallerNamed{Call: "c1", Caller: customer, Name: "Rossi"})
	if w := o.s.Waiting("q"); w[0].Caller != customer || w[0].Name != "Rossi" {
		t.Fatalf("waiting %+v", w)
	}
	o.tell(tel.CallerGone{Call: "c1", Cause: tel.CauseCancelled})
	if o.s.Memories[customer] == nil {
		t.Fatal("the customer is not remembered")
	}
}

func TestFaultsOfTheWaitAreFoundInTheConfiguration(t *testing.T) {
	for _, tt := range []struct {
		fault string
		set   func(*WaitingSpec)
	}{
		{"exit key", func(w *WaitingSpec) { w.ExitKeys = map[string]string{"10": "hangup"} }},
		{"negative", func(w *WaitingSpec) { w.Return = -1 }},
		{"announce.every", func(w *WaitingSpec) { w.Announce.Every = 14 * time.Second }},
		{"message_every", func(w *WaitingSpec) { w.Announce.Messages = []string{"m"} }},
		{"more_than", func(w *WaitingSpec) { w.Announce.MoreThan = true }},
		{"callback key", func(w *WaitingSpec) { w.Callback = CallbackSpec{Enabled: true, Key: "A"} }},
		{"asks for a callback", func(w *WaitingSpec) {
			w.Callback = CallbackSpec{Enabled: true, Key: "1"}
			w.ExitKeys = map[string]string{"1": "hangup"}
		}},
		{"attempts", func(w *WaitingSpec) { w.Callback = CallbackSpec{Enabled: true, Attempts: 21} }},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			q := QueueSpec{ID: "q"}.Defaults()
			if err := Validate([]QueueSpec{q}, nil); err != nil {
				t.Fatal(err)
			}
			tt.set(&q.Waiting)
			err := Validate([]QueueSpec{q.Defaults()}, nil)
			if err == nil || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("error %v does not name %q", err, tt.fault)
			}
		})
	}
}

// A box is updated while callers wait: the program before knew no greeting, no announcement, no memory.
func TestTheWaitOfAnEarlierProgramGoesOn(t *testing.T) {
	s, err := Restore([]byte(`{"v":1,"seq":7,"queues":[{"spec":{"id":"q","strategy":"longest_idle","members":["a"],"ring":15000000000,"backoff":10000000000}}],
		"agents":[{"spec":{"id":"a"},"shown":{"state":"logged_out"}}],
		"entries":[{"call":"c1","queue":"q","caller":"0212345678","enqueued_at":"2026-03-02T08:59:00Z","arrived":"2026-03-02T08:59:00Z"}],"offers":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, s: s, now: t0}
	qs := q1("a")
	qs[0].Waiting.Announce, qs[0].Waiting.Return = AnnounceSpec{Position: true, Head: true}, time.Minute
	o.do(Configure{[]QueueSpec{qs[0].Defaults()}, []AgentSpec{{ID: "a"}}})
	o.tell(tel.CallerGreeted{Call: "c1"}) // the call says so when it is taken over
	if m := sent[tel.Announce](o); len(m) != 1 || m[0].Position != 1 {
		t.Errorf("told %+v", o.out)
	}
	o.tell(tel.CallerGone{Call: "c1", Cause: tel.CauseCancelled})
	if l := o.wantLeft(0, tel.OutcomeAbandoned, tel.AbandonWaiting); !l.Joined.Equal(t0.Add(-time.Minute)) {
		t.Errorf("record %+v", l)
	}
	if o.s.Memories["0212345678"] == nil {
		t.Error("nobody remembers the place")
	}
}
