package call

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// crash kills the exchange between prepare and after; the legs that prepare returns survive.
func crash(t *testing.T, prepare func(o *office) []*fakeLeg, after func(o *office, legs []*fakeLeg)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		legs := prepare(o)
		if err := o.x.Abandon(context.Background()); err != nil {
			t.Fatal(err)
		}
		find := finder{}
		for _, l := range legs {
			find[l.ref] = l
		}
		o.records, o.queue, o.parties = nil, nil, map[tel.LegID]tel.PartyChanged{}
		o.x = o.exchange()
		said, errs := o.x.Restore(o.journal.load(), find)
		o.said = said
		for _, err := range errs {
			t.Errorf("restore: %v", err)
		}
		synctest.Wait()
		after(o, legs)
		if err := o.x.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestEachStateOfACallSurvivesACrash(t *testing.T) {
	talk := func(o *office) (customer, anna *fakeLeg) {
		customer = o.dial("trunk:tim", "201")
		anna = o.phone("201")
		anna.answers()
		return customer, anna
	}
	for unanswered, heard := range map[bool][]string{true: {"accept", "play music"}, false: {"play music"}} {
		t.Run(fmt.Sprintf("waiting: who was noted as answered and is unanswered=%v", unanswered), func(t *testing.T) {
			crash(t, func(o *office) []*fakeLeg {
				customer := o.dial("trunk:tim", "400")
				customer.unanswered = unanswered
				return []*fakeLeg{customer}
			}, func(o *office, l []*fakeLeg) { o.wants("the customer", l[0], heard...) })
		})
	}
	for _, held := range []bool{false, true} {
		t.Run(fmt.Sprintf("talking out of a queue: the queue hears it again, held=%v", held), func(t *testing.T) {
			crash(t, func(o *office) []*fakeLeg {
				customer := o.dial("trunk:tim", "400")
				o.x.Deliver(tel.Offer{Offer: "o1", Call: o.x.Calls()[0], Queue: "sales", Agent: "agent201", Ring: time.Minute})
				synctest.Wait()
				anna := o.phone("201")
				anna.answers()
				if held {
					anna.says(LegEvent{Kind: LegHeld, Held: true})
				}
				return []*fakeLeg{customer, anna}
			}, func(o *office, _ []*fakeLeg) {
				o.says(tel.Standing{Call: o.x.Calls()[0], Holds: []tel.HeldOffer{{Offer: "o1", Queue: "sales", Agent: "agent201", Talking: true, Since: time.Now(), Held: held}}})
				if len(o.queue) > 0 {
					o.t.Errorf("and the queue is told %+v", o.queue)
				}
			})
		})
	}
	t.Run("held: the held party hears music, resume joins", func(t *testing.T) {
		crash(t, func(o *office) []*fakeLeg {
			customer, anna := talk(o)
			anna.says(LegEvent{Kind: LegHeld, Held: true})
			return []*fakeLeg{customer, anna}
		}, func(o *office, l []*fakeLeg) {
			o.wants("the customer", l[0], "play music")
			l[1].says(LegEvent{Kind: LegHeld})
			o.wants("the customer", l[0], "hush", "join "+string(l[1].id))
		})
	})
	t.Run("parked: the place is kept and can be fetched, and the time goes on", func(t *testing.T) {
		for _, fetch := range []bool{true, false} {
			crash(t, func(o *office) []*fakeLeg {
				customer, anna := talk(o)
				anna.says(LegEvent{Kind: LegRefer, To: "*70"})
				return []*fakeLeg{customer}
			}, func(o *office, l []*fakeLeg) {
				o.wants("the customer", l[0], "play music")
				if fetch {
					bruno := o.dial("phone:202", "701")
					o.wants("the customer", l[0], "join "+string(bruno.id))
					return
				}
				time.Sleep(time.Minute + time.Second)
				synctest.Wait()
				anna := o.phone("201")
				o.wants("Anna", anna, "rings for +39061234567")
				anna.answers()
				l[0].says(LegEvent{Kind: LegEnded, Cause: tel.CauseNormal, Remote: true})
				if r := o.records[len(o.records)-1]; len(r.Moves) != 3 || r.Moves[1].Kind != tel.MoveParked || r.Moves[2].Kind != tel.MoveReturned {
					o.t.Errorf("the record tells of %+v", r.Moves)
				}
			})
		}
	})
	t.Run("consultation pending: both calls stay, and the transfer works afterwards", func(t *testing.T) {
		crash(t, func(o *office) []*fakeLeg {
			customer, anna := talk(o)
			anna.says(LegEvent{Kind: LegHeld, Held: true})
			consult := o.dial("phone:201", "202")
			bruno := o.phone("202")
			bruno.answers()
			return []*fakeLeg{customer, anna, consult, bruno}
		}, func(o *office, l []*fakeLeg) {
			o.wants("the customer", l[0], "play music")
			o.wants("Anna's other leg", l[2], "join "+string(l[3].id))
			l[1].says(LegEvent{Kind: LegRefer, Replaces: l[2].ref})
			o.wants("the customer", l[0], "join "+string(l[3].id))
			o.wants("Anna", l[1], "notify 200 final", "hangup transferred")
		})
	})
	t.Run("supervised: who listens hears both again, and one whose phone is gone is on record", func(t *testing.T) {
		for _, lost := range []bool{false, true} {
			crash(t, func(o *office) []*fakeLeg {
				o.supervise = allow(everything)
				o.x.cfg.Supervise = o.supervise
				customer, anna := talk(o)
				boss := o.dial("phone:208", "*51201")
				boss.says(LegEvent{Kind: LegDigit, Digit: '5'})
				if lost {
					return []*fakeLeg{customer, anna}
				}
				return []*fakeLeg{customer, anna, boss}
			}, func(o *office, l []*fakeLeg) {
				if lost {
					o.wants("the customer", l[0], "join "+string(l[1].id))
				} else {
					o.wants("Anna", l[1], "mix "+string(l[0].id)+" "+string(l[2].id))
					o.wants("the customer", l[0], "mix "+string(l[1].id))
				}
				l[0].hangsUp()
				want := "listen of agent201: mode, whisper of agent201: call_ended"
				if lost {
					want = "listen of agent201: mode, whisper of agent201: lost"
				}
				if got := spans(o.records[len(o.records)-1]); got != want {
					o.t.Errorf("the record says %q, want %q", got, want)
				}
			})
		}
	})
	t.Run("blind transfer ringing: the target rings again", func(t *testing.T) {
		crash(t, func(o *office) []*fakeLeg {
			customer, anna := talk(o)
			anna.says(LegEvent{Kind: LegRefer, To: "202"})
			return []*fakeLeg{customer, anna, o.phone("202")}
		}, func(o *office, l []*fakeLeg) {
			o.wants("the phone that rang", l[2], "hangup cancelled")
			bruno := o.phone("202")
			if bruno == l[2] {
				o.t.Fatal("202 does not ring again")
			}
			bruno.answers()
			o.wants("Anna", l[1], "notify 200 final", "hangup transferred")
			o.wants("the customer", l[0], "join "+string(bruno.id))
		})
	})
}

// says fails unless the only call that was restored says this of itself.
func (o *office) says(want tel.Standing) {
	o.t.Helper()
	if len(o.said) != 1 || said(o.said[0]) != said(want) {
		o.t.Errorf("the call says %s, want %s", said(o.said[0]), said(want))
	}
}

// said is a standing in words that can be compared.
func said(s tel.Standing) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestAfterACrashAnOfferIsSettledWhenWhatTheEarlierProcessHungUpIsQuiet(t *testing.T) {
	crash(t, func(o *office) []*fakeLeg {
		customer := o.dial("trunk:tim", "400")
		call := o.x.Calls()[0]
		o.x.Deliver(tel.Offer{Offer: "o1", Call: call, Queue: "sales", Agent: "agent201", Ring: time.Minute})
		synctest.Wait()
		anna := o.phone("201")
		anna.mu.Lock()
		anna.rings = true
		anna.mu.Unlock()
		o.x.Deliver(tel.Withdraw{Offer: "o1", Call: call})
		synctest.Wait()
		if s, err := Restore(o.journal.load()[string(call)]); err != nil || len(s.Owed) != 1 || s.Owed[0].Asked != 1 {
			o.t.Errorf("the journal knows %+v %v", s.Owed, err)
		}
		return []*fakeLeg{customer}
	}, func(o *office, l []*fakeLeg) {
		quiet := map[tel.DeviceID][]func(){}
		o.whenQuiet = func(devs []tel.DeviceID, fn func()) { quiet[devs[0]] = append(quiet[devs[0]], fn) }
		call := o.x.Calls()[0]
		for offer, asked := range map[tel.OfferID]tel.CallID{"o1": call, "o0": "a call that has ended before the crash"} {
			o.x.Deliver(tel.Withdraw{Offer: offer, Call: asked, Agent: "agent201"})
			synctest.Wait()
			settled := tel.ToQueue(tel.OfferSettled{Offer: offer})
			if slices.Contains(o.queue, settled) || len(quiet["201"]) != 1 {
				o.t.Fatalf("the queue was told %+v, %d wait", o.queue, len(quiet["201"]))
			}
			quiet["201"][0]()
			if delete(quiet, "201"); !slices.Contains(o.queue, settled) {
				o.t.Errorf("the queue was told %+v", o.queue)
			}
		}
		l[0].hangsUp()
		if n := len(o.x.Calls()); n != 0 {
			o.t.Errorf("%d calls stay", n)
		}
	})
}
