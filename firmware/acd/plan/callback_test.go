package plan

import (
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// callbackQueue offers callbacks by key 1: three attempts, a minute apart.
func callbackQueue(members ...tel.AgentID) []QueueSpec {
	qs := q1(members...)
	qs[0].Waiting.Callback = CallbackSpec{Enabled: true, Key: "1", Attempts: 3, Gap: time.Minute, Promise: time.Hour}
	qs[0].Waiting.Return = 2 * time.Minute
	return qs
}

// asks has a caller wait for a minute and then ask to be called back.
func (o *office) asks(call tel.CallID, n tel.Number) *Callback {
	o.t.Helper()
	o.from(call, n)
	o.wait(time.Minute)
	o.tell(tel.CallerKey{Call: call, Key: '1'})
	if m := sent[tel.AskCallback](o); len(m) != 1 {
		o.t.Fatalf("key 1 sent %+v", o.out)
	}
	o.tell(tel.WantCallback{Call: call, Number: n})
	if m := sent[tel.CallbackAnswered](o); len(m) != 1 || !m[0].OK || m[0].Call != call {
		o.t.Fatalf("the wish was answered by %+v", o.out)
	}
	return o.s.callbackOf("q", n)
}

func TestACallerWhoWillBeCalledBackIsToldWithinWhatTime(t *testing.T) {
	for name, c := range map[string]struct {
		promise time.Duration
		before  func(o *office)
		want    tel.CallbackAnswered
	}{
		"what is promised, unless the forecast knows": {10*time.Minute - time.Second, nil, tel.CallbackAnswered{OK: true, Estimate: true, WaitTo: 10}},
		"what the forecast knows alone":               {0, nil, tel.CallbackAnswered{OK: true, Estimate: true}},
		"no promise that is too long for minutes":     {longestSaid + 1, nil, tel.CallbackAnswered{OK: true, Estimate: true}},
		"nothing at night":                            {time.Hour, func(o *office) { o.do(Hours{"q", false}) }, tel.CallbackAnswered{OK: true}},
		"nothing when there is no place left":         {time.Hour, func(o *office) { o.s.Queues["q"].Spec.Waiting.Callback.Enabled = false }, tel.CallbackAnswered{}},
		"what is left of an earlier promise": {time.Hour, func(o *office) {
			o.asks("c0", customer)
			o.wait(15 * time.Minute)
			o.from("c9", "0212345678")
		}, tel.CallbackAnswered{OK: true, Estimate: true, WaitTo: 45}},
	} {
		o := newOffice(t, callbackQueue("a"), "a")
		o.s.Queues["q"].Spec.Waiting.Callback.Promise = c.promise
		if c.before != nil {
			c.before(o)
		}
		call := tel.CallID("c9")
		if o.s.Entries[call] == nil {
			o.from(call, customer)
		}
		o.tell(tel.WantCallback{Call: call, Number: customer})
		c.want.Call = call
		if m := sent[tel.CallbackAnswered](o); len(m) != 1 || m[0] != c.want {
			t.Errorf("%s: %+v, want %+v", name, m, c.want)
		}
	}
}

// ended is how each callback ended, in order.
func (o *office) ended() []tel.CallbackOutcome {
	var all []tel.CallbackOutcome
	for _, e := range o.events {
		if c, ok := e.(tel.CallbackChanged); ok && c.State == tel.CallbackEnded {
			all = append(all, c.Outcome)
		}
	}
	return all
}

func (o *office) wantEnded(want tel.CallbackOutcome) {
	o.t.Helper()
	if got := o.ended(); len(got) != 1 || got[0] != want || len(o.s.Callbacks) != 0 || len(o.s.Entries) != 0 {
		o.t.Fatalf("callbacks ended %v, left are %v and %v; want %s", got, o.s.Callbacks, o.s.Entries, want)
	}
}

func TestACallbackKeepsItsPlaceAndCallsTheAgentFirst(t *testing.T) {
	o := newOffice(t, callbackQueue("a"), "a")
	c := o.asks("c1", customer)
	o.wantLeft(0, tel.OutcomeCallback, "")
	if o.left()[0].Callback != c.ID || !c.Promise.Equal(o.now.Add(time.Hour)) {
		t.Fatalf("record %+v, callback %+v", o.left()[0], c)
	}
	o.from("c2", "0212345678") // came later
	o.tell(tel.AgentReachable{Agent: "a", Reachable: true})
	o.do(Login{"a"})
	of := o.one()
	if of.Callback != (tel.Callback{ID: c.ID, Number: customer}) || of.Call == "c1" {
		t.Fatalf("offer %+v", of)
	}
	o.tell(tel.OfferRinging{Offer: of.Offer})
	o.tell(tel.OfferAccepted{Offer: of.Offer})
	o.wantState("a", tel.AgentTalking)
	o.wait(40 * time.Second) // the customer's phone rings
	o.tell(tel.OfferAnswered{Offer: of.Offer})
	if got := o.ended(); len(got) != 1 || got[0] != tel.CallbackReached {
		t.Fatalf("ended %v", got)
	}
	o.tell(tel.TalkEnded{Offer: of.Offer})
	o.wantState("a", tel.AgentWrapUp)
	o.wait(10 * time.Second)
	if o.s.Agents["a"].Offer == "" || o.s.Offers[o.s.Agents["a"].Offer].Call != "c2" {
		t.Fatal("the next caller is not served")
	}
}

func TestAnAgentIsFreeWithoutBlameWhenTheCustomerDoesNotAnswer(t *testing.T) {
	qs := callbackQueue("a")
	qs[0].AutoPause = 1
	o := staffed(t, qs, "a")
	o.do(Pause{"a", ""})
	c := o.asks("c1", customer)
	idle := o.s.Agents["a"].IdleSince
	for attempt := 1; attempt <= 3; attempt++ {
		o.do(Resume{"a"})
		of := o.one()
		o.tell(tel.OfferAccepted{Offer: of.Offer})
		o.tell(tel.CallbackMissed{Offer: of.Offer, Cause: tel.CauseNoAnswer})
		a := o.s.Agents["a"]
		if a.Misses != 0 || a.Fails != 0 || a.Paused || !a.WrapUntil.IsZero() || !a.IdleSince.Equal(idle) {
			t.Fatalf("attempt %d: agent %+v", attempt, a)
		}
		if attempt == 3 {
			break
		}
		if c.Attempts != attempt || !c.Next.Equal(o.now.Add(time.Minute)) || len(o.offers()) != 0 {
			t.Fatalf("attempt %d: %+v", attempt, c)
		}
		o.do(Pause{"a", ""})
		o.wait(time.Minute)
	}
	o.wantEnded(tel.CallbackUnreached)
}

// FreePBX#525 and cloudspire#46: two or three agents called the same customer.
func TestFreePBX525ACustomerHasOneCallbackAndOneAttempt(t *testing.T) {
	qs := callbackQueue("a", "b")
	qs[0].Strategy = RingAll
	o := newOffice(t, qs, "a", "b")
	c := o.asks("c1", customer)
	o.from("c2", "") // from another phone, with the same wish
	o.tell(tel.WantCallback{Call: "c2", Number: "3331234567"})
	if m := sent[tel.CallbackAnswered](o); len(m) != 1 || !m[0].OK || len(o.s.Callbacks) != 1 || o.s.Entries[c.Call] == nil {
		t.Fatalf("answered %+v, callbacks %+v", m, o.s.Callbacks)
	}
	for _, a := range []tel.AgentID{"a", "b"} {
		o.tell(tel.AgentReachable{Agent: a, Reachable: true})
		o.do(Login{a})
	}
	if w := o.s.Waiting("q"); len(w) != 1 || len(w[0].Offers) != 2 {
		t.Fatalf("waiting %+v", w)
	}
	offers := slices.Clone(o.s.Waiting("q")[0].Offers)
	o.tell(tel.OfferAccepted{Offer: offers[0]})
	if w := o.withdrawals(); len(w) != 1 || w[0].Offer != offers[1] || w[0].Cause != tel.CauseAnsweredElsewhere {
		t.Fatalf("withdrawals %+v", w)
	}
	if len(o.offers()) != 0 {
		t.Fatalf("a second agent is offered the customer: %+v", o.offers())
	}
	o.tell(tel.OfferAccepted{Offer: offers[1]}) // picked up in the same moment
	if w := o.s.Waiting("q"); len(w[0].Offers) != 1 {
		t.Fatalf("two agents for one customer: %+v", w)
	}
}

func TestTheEndsOfACallback(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*office, *Callback)
		want tel.CallbackOutcome
	}{
		{"the customer calls again", func(o *office, c *Callback) {
			at := c.EnqueuedAt
			o.from("c9", "3331234567")
			if w := o.s.Waiting("q"); len(w) != 1 || !w[0].EnqueuedAt.Equal(at) {
				o.t.Errorf("waiting %+v", w)
			}
			o.tell(tel.CallerGone{Call: "c9", Cause: tel.CauseCancelled})
		}, tel.CallbackReturned},
		{"nobody has time for a day", func(o *office, _ *Callback) { o.wait(24 * time.Hour) }, tel.CallbackExpired},
		{"somebody drops it", func(o *office, c *Callback) { o.do(DropCallback{c.ID}) }, tel.CallbackDropped},
		{"the customer is erased", func(o *office, c *Callback) {
			o.do(Erase{[]Alias{{"0612345678", "#*0000000002"}, {c.Number, "#*0000000001"}}})
			for _, x := range o.events {
				if e, ok := x.(tel.CallbackChanged); ok && e.State == tel.CallbackEnded && (e.Number != "#*0000000001" || e.Name != "") {
					o.t.Errorf("told %+v", e)
				}
			}
		}, tel.CallbackDropped},
		{"the queue is gone", func(o *office, _ *Callback) { o.do(Configure{Agents: []AgentSpec{{ID: "a"}}}) }, tel.CallbackDropped},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, callbackQueue("a"), "a")
			tt.do(o, o.asks("c1", customer))
			o.wantEnded(tt.want)
		})
	}
}

func TestACustomerWhoCallsWhileBeingCalledBackTakesThePlaceFromTheAttempt(t *testing.T) {
	o := staffed(t, callbackQueue("a"), "a")
	o.do(Pause{"a", ""})
	c := o.asks("c1", customer)
	at := c.EnqueuedAt
	o.do(Resume{"a"})
	of := o.one()
	o.tell(tel.OfferAccepted{Offer: of.Offer})
	o.from("c2", customer)
	if w := o.withdrawals(); len(w) != 1 || w[0].Offer != of.Offer {
		t.Fatalf("withdrawals %+v", w)
	}
	o.tell(tel.OfferSettled{Offer: of.Offer})
	next := o.one()
	if next.Call != "c2" || next.Callback.ID != "" || !o.s.Entries["c2"].EnqueuedAt.Equal(at) {
		t.Fatalf("offer %+v", next)
	}
}

func TestNobodyIsCalledBackAtNight(t *testing.T) {
	o := newOffice(t, callbackQueue("a"), "a")
	o.asks("c1", customer)
	o.do(Hours{"q", false})
	o.tell(tel.AgentReachable{Agent: "a", Reachable: true})
	o.do(Login{"a"})
	o.wait(12 * time.Hour)
	o.wantState("a", tel.AgentReady)
	if len(o.s.Offers) != 0 {
		t.Fatal("somebody rings")
	}
	o.do(Hours{"q", true})
	o.one()
}

func TestACallbackSurvivesARestartAndAPowerCut(t *testing.T) {
	o := staffed(t, callbackQueue("a"), "a")
	o.do(Pause{"a", ""})
	c := *o.asks("c1", customer)
	o.do(Resume{"a"})
	of := o.one()
	o.tell(tel.OfferAccepted{Offer: of.Offer})
	var last tel.CallbackChanged
	for _, e := range o.events {
		if m, ok := e.(tel.CallbackChanged); ok {
			last = m
		}
	}
	if last.State != tel.CallbackDialing || last.Agent != "a" {
		t.Fatalf("observers were told %+v", last)
	}

	kept := map[string][]byte{}
	for _, k := range o.s.Keys() {
		b, _, err := o.s.Entity(k)
		if err != nil {
			t.Fatal(err)
		}
		kept[k.String()] = b
	}
	restored, errs := RestoreEntities(kept)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	o.s = restored
	o.do(Reconcile{}) // the call of the attempt did not survive
	if next := o.one(); next.Callback.Number != customer || next.Call == of.Call {
		t.Fatalf("offer %+v", next)
	}

	o.s = NewState() // the memory is gone, the record is not
	again := Configure{[]QueueSpec{callbackQueue("a")[0].Defaults()}, []AgentSpec{{ID: "a"}}}
	o.do(again)
	o.do(Recall{Callbacks: []tel.CallbackChanged{last, last}})
	w := o.s.Waiting("q")
	if len(w) != 1 || !w[0].EnqueuedAt.Equal(c.EnqueuedAt) || w[0].Caller != customer {
		t.Fatalf("waiting %+v", w)
	}
	o.do(again)
	if len(o.s.Callbacks) != 1 {
		t.Fatalf("callbacks %+v", o.s.Callbacks)
	}
}

func TestAWishThatCannotBeKeptLeavesTheCallerWhereHeIs(t *testing.T) {
	o := staffed(t, callbackQueue("a"), "a")
	o.from("c1", customer)
	of := o.one()
	o.tell(tel.WantCallback{Call: "c1"})
	if m := sent[tel.CallbackAnswered](o); len(m) != 1 || m[0].OK {
		t.Fatalf("a wish without a number: %+v", o.out)
	}
	o.tell(tel.OfferAccepted{Offer: of.Offer})
	o.tell(tel.WantCallback{Call: "c1", Number: customer})
	if m := sent[tel.CallbackAnswered](o); len(m) != 1 || m[0].OK || o.s.Entries["c1"] == nil {
		t.Fatalf("an agent has picked up: %+v", o.out)
	}
}

func TestAWishThatCrossesTheAgentsAnswerIsNotCarriedOut(t *testing.T) {
	o := staffed(t, callbackQueue("a"), "a")
	o.from("c1", customer)
	of := o.one()
	o.tell(tel.WantCallback{Call: "c1", Number: customer})
	o.tell(tel.OfferAnswered{Offer: of.Offer}) // the call had connected them before it read the answer
	o.wantState("a", tel.AgentTalking)
	o.wantEnded(tel.CallbackReturned)
}

func TestCallbacksDoNotCountAsCallersOfAFullQueue(t *testing.T) {
	qs := callbackQueue("a")
	qs[0].MaxLength = 1
	o := newOffice(t, qs, "a")
	o.asks("c1", customer)
	o.from("c2", "0212345678")
	if len(o.left()) != 1 {
		t.Fatalf("records %+v", o.left())
	}
	o.from("c3", "0212345679")
	o.wantLeft(1, tel.OutcomeRefused, "")
}
