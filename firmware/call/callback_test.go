package call

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// messages are what the queues were told, by type, in order.
func (b *bench) messages() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, m := range b.queue {
		all = append(all, fmt.Sprintf("%T", m)[len("tel."):])
	}
	return all
}

func customerOffer() tel.Offer {
	return tel.Offer{
		Offer: "o1", Call: "cb1", Queue: "sales", Agent: "anna", Ring: 15 * time.Second,
		Callback: tel.Callback{ID: "cb", Number: "+393331234567", Name: "Rossi"},
	}
}

var toCustomer = Decision{Kind: ToOutside, Attempts: []Attempt{{Via: "trunk:tim", Number: "3331234567"}}}

func TestTheOfferOfACallbackBeginsACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(toCustomer)
		defer b.close(t)
		b.x.Deliver(customerOffer())
		synctest.Wait()
		agent := b.dialer.legs[0]
		agent.events(LegEvent{Leg: agent.id, Kind: LegAnswered})
		synctest.Wait()
		if told := agent.told(); !slices.Equal(told, []string{"play whisper_callback"}) {
			t.Fatalf("the agent was told %q", told)
		}
		agent.events(LegEvent{Leg: agent.id, Kind: LegPlayed}) // every line is taken
		synctest.Wait()
		agent.events(LegEvent{Leg: agent.id, Kind: LegPlayed})
		synctest.Wait()
		if got := b.messages(); !slices.Equal(got, []string{"OfferAccepted", "CallbackMissed"}) {
			t.Errorf("the queues were told %q", got)
		}
		if len(b.x.Calls()) != 0 || len(b.records) != 1 {
			t.Fatalf("%d calls, records %+v", len(b.x.Calls()), b.records)
		}
		if r := b.records[0]; r.Direction != tel.Outbound || r.In != "phone:201" || r.From != "201" || r.To != "+393331234567" || r.Agent != "anna" || r.Queue != "sales" {
			t.Errorf("record %+v", r)
		}
	})
}

func TestAnAttemptThatNoAgentTookLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(toCustomer)
		defer b.close(t)
		b.x.Deliver(customerOffer())
		synctest.Wait()
		b.x.Deliver(tel.Withdraw{Offer: "o1", Call: "cb1", Cause: tel.CauseNoAnswer})
		synctest.Wait()
		if len(b.x.Calls()) != 0 || len(b.records) != 0 || len(b.journal.load()) != 0 {
			t.Errorf("%d calls, %d records, journal %v", len(b.x.Calls()), len(b.records), b.journal.load())
		}
		if told := b.dialer.legs[0].told(); !slices.Equal(told, []string{"hangup no_answer"}) {
			t.Errorf("the agent's phone was told %q", told)
		}
	})
}

func TestAFullBoxGivesTheOfferOfACallbackBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(toSales)
		defer b.close(t)
		b.x.cfg.MaxCalls = 1
		b.arrive(t, false)
		b.queue = nil
		b.x.Deliver(customerOffer())
		synctest.Wait()
		if got := b.messages(); !slices.Equal(got, []string{"OfferFailed"}) {
			t.Errorf("the queues were told %q", got)
		}
	})
}

// An agent who waits for a customer stays on the line through a crash, and the customer is dialled anew; an
// attempt that rang is given back to the queue.
func TestACallbackSurvivesACrashOfTheProcess(t *testing.T) {
	for _, accepted := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(toCustomer)
			b.x.Deliver(customerOffer())
			synctest.Wait()
			agent := b.dialer.legs[0]
			if accepted {
				agent.events(LegEvent{Leg: agent.id, Kind: LegAnswered})
				synctest.Wait()
			}
			if err := b.x.Abandon(context.Background()); err != nil {
				t.Fatal(err)
			}
			b.queue = nil
			b.x = b.exchange(toCustomer)
			says, errs := b.x.Restore(b.journal.load(), finder{"dialled": agent})
			for _, err := range errs {
				t.Errorf("restore: %v", err)
			}
			synctest.Wait()
			defer b.close(t)
			want, told, holds := []string{"CallerGone"}, []string{"hangup cancelled"}, 0
			if accepted {
				want, holds, told = nil, 1, []string{"play tone_ringback", "play busy_all"} // and then the sorry of a line that is taken
			}
			if got := b.messages(); !slices.Equal(got, want) {
				t.Errorf("accepted %v: the queues were told %q, want %q", accepted, got, want)
			}
			if got := agent.told(); !slices.Equal(got, told) {
				t.Errorf("accepted %v: the agent was told %q, want %q", accepted, got, told)
			}
			if len(says) != 1 || says[0].Waits != nil || len(says[0].Holds) != holds || holds > 0 && says[0].Holds[0].Talking {
				t.Errorf("accepted %v: the call says %+v", accepted, says)
			}
		})
	}
}

func TestAWhisperThatACrashCutsIsGivenBackToTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(toSales)
		caller, id := b.arrive(t, false)
		b.x.Deliver(tel.Offer{Offer: "o1", Call: id, Queue: "sales", Agent: "anna", Ring: 10 * time.Second, Whisper: tel.Whisper{Prompt: "prompt:sales"}})
		synctest.Wait()
		agent := b.dialer.legs[0]
		agent.events(LegEvent{Leg: agent.id, Kind: LegAnswered})
		synctest.Wait()
		if err := b.x.Abandon(context.Background()); err != nil {
			t.Fatal(err)
		}
		b.queue = nil
		b.x = b.exchange(toSales)
		says, errs := b.x.Restore(b.journal.load(), finder{"dialled": agent, "arrived": caller})
		for _, err := range errs {
			t.Errorf("restore: %v", err)
		}
		synctest.Wait()
		defer b.close(t)
		if got := b.messages(); len(got) > 0 || len(says) != 1 || says[0].Waits == nil || says[0].Waits.Queue != "sales" || len(says[0].Holds) > 0 {
			t.Errorf("the queues were told %q, and the call says %+v", got, says)
		}
		if got := agent.told(); !slices.Equal(got, []string{"hangup cancelled"}) {
			t.Errorf("the agent was told %q", got)
		}
		if got := caller.told(); !slices.Equal(got, []string{"play music"}) {
			t.Errorf("the caller was told %q", got)
		}
	})
}
