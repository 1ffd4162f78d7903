package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestNobodyElseRingsWhereAWithdrawnOfferMayStillRing(t *testing.T) {
	for name, withdraw := range map[string]func(o *office){
		"the caller gives up":               func(o *office) { o.tell(tel.CallerGone{Call: "c1", Cause: tel.CauseNormal}) },
		"the agent logs out and in again":   func(o *office) { o.do(Logout{"a"}); o.do(Login{"a"}) },
		"a pause that ends at once":         func(o *office) { o.do(Pause{"a", ""}); o.do(Resume{"a"}) },
		"the phone is lost and comes again": func(o *office) { o.reach("a", false); o.reach("a", true) },
		"a supervisor moves the caller":     func(o *office) { o.do(Move{"c1", "other", "carla"}) },
		"the agent calls a colleague": func(o *office) {
			o.tell(tel.AgentEngaged{Agent: "a", Call: "x"})
			o.tell(tel.AgentDisengaged{Agent: "a", Call: "x"})
		},
		"a colleague picks up": func(o *office) { o.tell(tel.CallerGone{Call: "c1", Cause: tel.CauseAnsweredElsewhere}) },
	} {
		for _, rings := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, ringing %v", name, rings), func(t *testing.T) {
				o := staffed(t, append(q1("a"), QueueSpec{ID: "other", Members: []tel.AgentID{"b"}}), "a", "b")
				o.do(Pause{"b", ""})
				first := o.call("c1", "q")[0]
				o.call("c2", "q")
				if rings {
					o.tell(tel.OfferRinging{Offer: first.Offer})
				}
				withdraw(o)
				if len(o.offers()) > 0 {
					t.Fatalf("%+v beside the ring that ends", o.offers())
				}
				o.tell(tel.OfferSettled{Offer: "of another"})
				o.wait(tel.SettleWithin - 1)
				if a := o.s.Agents["a"]; a.Offer != "" || !a.present() || !o.s.Queues["q"].EmptySince.IsZero() {
					t.Fatalf("%+v", a)
				}
				if x := o.s.Explain("c2", o.now); x[0].Verdict != Settles || !x[0].Until.Equal(o.now.Add(1)) {
					t.Fatalf("explained as %+v", x)
				}
				o.tell(tel.OfferSettled{Offer: first.Offer})
				if o.s.Agents["a"].Offer == "" {
					t.Fatal("nobody rings although all is quiet")
				}
				o.tell(tel.OfferSettled{Offer: first.Offer}) // once more: for nothing
				o.wantState("a", tel.AgentReserved)
			})
		}
	}
}

func (o *office) reach(a tel.AgentID, is bool) { o.tell(tel.AgentReachable{Agent: a, Reachable: is}) }

func TestAnAgentSettlesNoLongerThanTheLimit(t *testing.T) {
	for _, by := range []time.Duration{0, 24 * time.Hour, -24 * time.Hour} {
		o := staffed(t, q1("a"), "a")
		o.call("c1", "q")
		o.call("c2", "q")
		o.tell(tel.CallerGone{Call: "c1"})
		o.wait(time.Second)
		o.now = o.now.Add(by)
		o.do(ClockMoved{by})
		o.wait(tel.SettleWithin - time.Second - 1)
		o.wantState("a", tel.AgentReady)
		o.wait(1)
		o.wantState("a", tel.AgentReserved)
	}
}

func TestWhoLosesARingAllSettlesAndTheWinnerDoesNot(t *testing.T) {
	qs := q1("a", "b")
	qs[0].Strategy, qs[0].WrapUp = RingAll, 0
	o := staffed(t, qs, "a", "b")
	offers := o.call("c1", "q")
	o.tell(tel.OfferAnswered{Offer: offers[0].Offer})
	o.call("c2", "q")
	o.wantState("b", tel.AgentReady)
	o.tell(tel.TalkEnded{Offer: offers[0].Offer})
	if next := o.one(); next.Agent != offers[0].Agent {
		t.Fatalf("after the talk %s rings", next.Agent)
	}
	o.tell(tel.OfferSettled{Offer: offers[1].Offer})
	if next := o.one(); next.Agent != offers[1].Agent {
		t.Fatalf("then %s rings", next.Agent)
	}
}

func TestWhoLeavesTheConfigurationAndComesBackIsNotRungWhereSomethingStillRings(t *testing.T) {
	for name, end := range map[string]func(*office, tel.OfferID){
		"the call says that all is quiet": func(o *office, of tel.OfferID) { o.tell(tel.OfferSettled{Offer: of}) },
		"nobody says so":                  func(o *office, _ tel.OfferID) { o.wait(tel.SettleWithin) },
	} {
		t.Run(name, func(t *testing.T) {
			queue, agents := q1("a")[0].Defaults(), []AgentSpec{{ID: "a"}}
			nobody := queue
			nobody.Members = nil
			o := staffed(t, q1("a"), "a")
			of := o.call("c1", "q")[0]
			o.tell(tel.CallerGone{Call: "c1"})
			o.do(Configure{Queues: []QueueSpec{nobody}})
			if a := o.s.Agents["a"]; a == nil || !a.Removed {
				t.Fatalf("forgotten while a phone may still ring, or still there: %+v", a)
			}
			o.do(Configure{Queues: []QueueSpec{queue}, Agents: agents})
			o.tell(tel.AgentReachable{Agent: "a", Reachable: true})
			o.do(Login{"a"})
			if all := o.call("c2", "q"); len(all) != 0 {
				t.Fatalf("offered %+v beside the ring that ends", all)
			}
			end(o, of.Offer)
			o.one()

			// Who does not come back is forgotten as soon as all is quiet.
			o.tell(tel.CallerGone{Call: "c2"})
			o.do(Configure{Queues: []QueueSpec{nobody}})
			end(o, o.s.Agents["a"].Settling)
			if o.s.Agents["a"] != nil {
				t.Errorf("kept for ever: %+v", o.s.Agents["a"])
			}
		})
	}
}

func TestWhoPickedUpTooLateSettlesToo(t *testing.T) {
	qs := q1("a")
	o := staffed(t, qs, "a")
	of := o.call("c1", "q")[0]
	o.tell(tel.OfferFailed{Offer: of.Offer, Cause: tel.CauseAnsweredElsewhere})
	if w := o.withdrawals(); len(w) != 1 || len(o.offers()) != 0 {
		t.Fatalf("asked %+v, offered %+v", w, o.offers())
	}
	o.tell(tel.OfferSettled{Offer: of.Offer})
	o.one()
}

func TestAnAnswerThatCrossedTheWithdrawalEndsTheSettling(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	of := o.call("c1", "q")[0]
	o.do(Pause{"a", ""})
	o.tell(tel.OfferAnswered{Offer: of.Offer})
	if a := o.s.Agents["a"]; a.Settling != "" || !a.SettleBy.IsZero() || !a.Talking {
		t.Fatalf("%+v", a)
	}
}

func TestAnAssignmentWaitsForTheEndOfTheRingAndIsDroppedWithTheAgent(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(o *office)
		call      tel.CallID
	}{
		"the agent stays":      {func(*office) {}, "c2"},
		"the agent pauses":     {func(o *office) { o.do(Pause{"b", ""}) }, "c2"}, // a person asked for it
		"the agent goes home":  {func(o *office) { o.do(Logout{"b"}) }, ""},
		"the caller goes":      {func(o *office) { o.tell(tel.CallerGone{Call: "c2"}) }, "c1"},
		"a process ends":       {func(o *office) { o.restart() }, "c2"},
		"the agent has a call": {func(o *office) { o.tell(tel.AgentEngaged{Agent: "b", Call: "x"}) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := staffed(t, q1("b"), "b")
			first := o.call("c1", "q")[0]
			o.call("c2", "q")
			o.do(Assign{"c2", "b", "carla"})
			if len(o.offers()) != 0 {
				t.Fatalf("%+v beside the ring that ends", o.offers())
			}
			c.meanwhile(o)
			o.tell(tel.OfferSettled{Offer: first.Offer})
			of := o.s.Offers[o.s.Agents["b"].Offer]
			if c.call == "" && of != nil || c.call != "" && (of == nil || of.Call != c.call || of.Assigned != (c.call == "c2")) {
				t.Fatalf("offered %+v", of)
			}
		})
	}
}

// restart puts the state through its entities, as a kill of the process does.
func (o *office) restart() {
	kept := map[string][]byte{}
	for _, k := range o.s.Keys() {
		kept[k.String()], _, _ = o.s.Entity(k)
	}
	o.s, _ = RestoreEntities(kept)
}

func TestAnAgentWhosePhoneIsSilentIsOutUntilItAnswers(t *testing.T) {
	o := staffed(t, q1("a", "b"), "a", "b")
	o.do(Pause{"b", ""})
	of := o.call("c1", "q")[0]
	o.tell(tel.CallerGone{Call: "c1"})
	o.call("c2", "q")
	o.tell(tel.AgentReachable{Agent: "a", Silent: true}) // the office says so before the queue's own limit
	o.wait(tel.SettleWithin)
	if a := o.s.Agents["a"]; len(o.offers()) != 0 || a.Shown.State != tel.AgentUnreachable || a.Shown.Reason != ReasonSilent || a.present() {
		t.Fatalf("%+v is offered %+v", a, o.offers())
	}
	if x := o.s.Explain("c2", o.now); x[0].Verdict != PhoneSilent {
		t.Fatalf("explained as %+v", x)
	}
	o.tell(tel.AgentReachable{Agent: "a", Silent: true}) // once more: for nothing
	o.tell(tel.AgentReachable{Agent: "a"})               // its registration ends
	if a := o.s.Agents["a"]; a.Shown.State != tel.AgentUnreachable || a.Shown.Reason != "" {
		t.Fatalf("%+v", a.Shown)
	}
	o.tell(tel.OfferSettled{Offer: of.Offer})
	o.tell(tel.AgentReachable{Agent: "a", Reachable: true, Silent: true}) // reachable counts
	if o.one().Agent != "a" || o.s.Agents["a"].Silent {
		t.Fatal("an agent whose phone is back is not rung")
	}
}

// Nobody waited while the process was down: the two seconds begin anew, and the call is asked once more.
func TestWhoSettledWhenTheProcessWasKilledSettlesOnAndTheCallIsAskedAgain(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	of := o.call("c1", "q")[0]
	o.tell(tel.CallerGone{Call: "c1"})
	o.call("c2", "q")
	o.restart()
	o.now = o.now.Add(tel.SettleWithin)
	o.do(Reconcile{Live: []tel.CallID{"c2"}}) // c1 has ended long ago
	if w := o.withdrawals(); len(w) != 1 || w[0].Offer != of.Offer || w[0].Agent != "a" || len(o.offers()) != 0 {
		t.Fatalf("asked %+v, offered %+v", w, o.offers())
	}
	o.wait(tel.SettleWithin - 1)
	if len(o.offers()) != 0 {
		t.Fatalf("offered %+v", o.offers())
	}
	o.tell(tel.OfferSettled{Offer: of.Offer})
	o.one()
}

func TestWhatRangWhenTheProcessWasKilledIsWithdrawnAndNobodyIsBlamed(t *testing.T) {
	for name, rings := range map[string]func(o *office, of tel.OfferID){
		"reserved": func(*office, tel.OfferID) {},
		"ringing":  func(o *office, of tel.OfferID) { o.tell(tel.OfferRinging{Offer: of}) },
		"accepted": func(o *office, of tel.OfferID) { o.tell(tel.OfferAccepted{Offer: of}) },
	} {
		o := staffed(t, q1("a"), "a")
		of := o.call("c1", "q")[0].Offer
		rings(o, of)
		o.restart()
		o.do(Reconcile{Live: []tel.CallID{"c1"}})
		asked := o.withdrawals()
		o.tell(tel.OfferFailed{Offer: of, Cause: tel.CauseCancelled}) // so says the call, which has hung up
		asked = append(asked, o.withdrawals()...)
		a := o.s.Agents["a"]
		if len(asked) != 1 || a.Settling != of || a.Fails != 0 || !a.RestUntil.IsZero() || o.s.Entries["c1"].spared("a", o.now) {
			t.Fatalf("%s: asked %+v, agent %+v", name, asked, a)
		}
		o.tell(tel.OfferSettled{Offer: of})
		o.one()
	}
}

func TestASnapshotOfTheProgramBeforeHasNobodySettling(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	now, err := o.s.Snapshot()
	if err != nil || strings.Contains(string(now), "settl") || strings.Contains(string(now), `"next"`) {
		t.Fatalf("who settles not writes of it: %s %v", now, err)
	}
	o.call("c1", "q")
	o.tell(tel.CallerGone{Call: "c1"})
	b, _ := o.s.Snapshot()
	half := strings.Replace(string(b), `"settle_by"`, `"settle_when"`, 1)
	if s, err := Restore([]byte(half)); err != nil || s.Agents["a"].Settling != "" || !s.Agents["a"].free() {
		t.Fatalf("a settling without an end: %+v %v", s.Agents["a"], err)
	}
	if s, err := Restore(b); err != nil || s.Agents["a"].Settling == "" || s.Agents["a"].free() {
		t.Fatalf("restored %+v %v", s.Agents["a"], err)
	}
}

// rings is what the random world knows of phones that may still ring, from the messages alone.
type rings struct {
	at    map[tel.OfferID]tel.AgentID
	until map[tel.OfferID]time.Time // withdrawn: a phone may ring for it until the call says no, or until then
}

// follow demands that no offer is made for an agent at whose phone another may still ring.
func (r *rings) follow(w *world, e Event, out []Effect) {
	// Somebody has picked up, or the phone is quiet: it does not ring, whatever is withdrawn in this step.
	var answered, settled tel.OfferID
	switch e := e.(type) {
	case ClockMoved:
		for id, at := range r.until {
			r.until[id] = at.Add(e.By)
		}
	case Told:
		switch m := e.Message.(type) {
		case tel.OfferSettled:
			settled = m.Offer
			delete(r.until, m.Offer)
		case tel.OfferAnswered:
			answered = m.Offer
			delete(r.until, m.Offer)
		}
	}
	for id, at := range r.until {
		if !at.After(w.now) {
			delete(r.until, id)
		}
	}
	for _, x := range out {
		switch x := x.(type) {
		case Send:
			if m, ok := x.Message.(tel.Withdraw); ok && m.Offer != answered && m.Offer != settled {
				r.until[m.Offer] = w.now.Add(tel.SettleWithin)
			}
		case Publish:
			ev, ok := x.Event.(tel.QueueOffered)
			if !ok {
				continue
			}
			for id := range r.until {
				if r.at[id] == ev.Agent {
					w.t.Fatalf("%s is offered %s while a phone may still ring for %s", ev.Agent, ev.Offer, id)
				}
			}
			r.at[ev.Offer] = ev.Agent
		}
	}
}
