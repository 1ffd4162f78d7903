package call

import (
	"fmt"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestWhisper(t *testing.T) {
	whisper := tel.Whisper{Prompt: "prompt:sales", Since: noon.Add(-2 * time.Minute)}
	offer := tel.Offer{Offer: "o1", Call: "c1", Queue: "sales", Agent: "anna", Ring: 15 * time.Second, Whisper: whisper}
	second := tel.Offer{Offer: "o2", Call: "c1", Queue: "sales", Agent: "bruno", Ring: 15 * time.Second, Whisper: whisper}
	rings := func(more ...move) []move {
		return append([]move{
			{Begin{Decision{Kind: ToQueue, Queue: "sales", Greeting: []string{}}}, "accept play(caller,music) queue(Enqueue) queue(CallerGreeted)"},
			{offer, "dial(o1,[]anna)"},
			{Dialed{Key: "o1", Legs: legs("x", "x2")}, ""},
			{second, "dial(o2,[]bruno)"},
			{Dialed{Key: "o2", Legs: legs("y")}, ""},
		}, more...)
	}
	picksUp := move{LegEvent{Leg: "x", Kind: LegAnswered}, "hangup(x2,answered_elsewhere) queue(OfferAccepted) whisper(x,prompt:sales+whisper_waited+digit_2+whisper_minutes)"}
	follow(t, map[string][]move{
		"the agent hears who waits, others ring until the bridge": rings(
			picksUp,
			move{LegEvent{Leg: "x", Kind: LegPlayed}, "hangup(y,answered_elsewhere) hush(caller) join(caller,x) queue(OfferAnswered)"},
			move{LegEvent{Leg: "x", Kind: LegEnded, Remote: true, Cause: tel.CauseNormal}, "hangup(caller,normal) queue(TalkEnded) end(normal,callee)"},
		),
		"asterisk#1557: the agent hangs up, the other takes the caller": rings(
			picksUp,
			move{LegEvent{Leg: "x", Kind: LegEnded, Remote: true, Cause: tel.CauseNormal}, "queue(OfferFailed)"},
			move{LegEvent{Leg: "y", Kind: LegAnswered}, "queue(OfferAccepted) whisper(y,prompt:sales+whisper_waited+digit_2+whisper_minutes)"},
			move{LegEvent{Leg: "y", Kind: LegPlayed}, "hush(caller) join(caller,y) queue(OfferAnswered)"},
		),
		"who picks up second was too late": rings(
			picksUp,
			move{LegEvent{Leg: "y", Kind: LegAnswered}, "hangup(y,answered_elsewhere) queue(OfferFailed)"},
			move{LegEvent{Leg: "x", Kind: LegPlayed}, "hush(caller) join(caller,x) queue(OfferAnswered)"},
		),
		"the caller gives up": rings(
			picksUp,
			move{LegEvent{Leg: "caller", Kind: LegEnded, Remote: true, Cause: tel.CauseNormal}, "hangup(y,cancelled) hangup(x,cancelled) queue(CallerGone) end(cancelled,caller)"},
		),
		"the queue takes the offer back": rings(
			picksUp,
			move{tel.Withdraw{Offer: "o1", Call: "c1", Cause: tel.CauseTimeout}, "hangup(x,timeout)"},
			move{LegEvent{Leg: "y", Kind: LegAnswered}, "queue(OfferAccepted) whisper(y,prompt:sales+whisper_waited+digit_2+whisper_minutes)"},
		),
		"the caller leaves by key": rings(
			picksUp,
			move{LegEvent{Leg: "caller", Kind: LegDigit, Digit: '0'}, "queue(CallerKey)"},
			move{tel.Overflow{Call: "c1", To: "ext:200", Why: "exit_key"}, "hangup(y,cancelled) hangup(x,cancelled) hush(caller) resolve(ext:200)"},
		),
		"a colleague picks the caller up": rings(
			picksUp,
			move{Adopt{Leg: LegState{ID: "p", Party: "phone:203", Ref: "rp"}, Target: Target{Ringing: []tel.DeviceID{"y"}}}, "take(p) hangup(y,answered_elsewhere) hangup(x,answered_elsewhere) hush(caller) accept(p) join(caller,p) queue(CallerGone)"},
		),
		"an agent who puts the call on hold before the bridge is not joined": rings(
			picksUp,
			move{LegEvent{Leg: "x", Kind: LegHeld, Held: true}, ""},
			move{LegEvent{Leg: "x", Kind: LegPlayed}, "hangup(y,answered_elsewhere) hush(caller) play(caller,music) queue(OfferAnswered) queue(AgentHeld)"},
			move{LegEvent{Leg: "x", Kind: LegHeld}, "queue(AgentHeld) hush(caller) hush(x) join(caller,x)"},
		),
	})
}

func TestAWaitingCallerIsToldThingsOverTheMusic(t *testing.T) {
	toQueue := Begin{Decision{Kind: ToQueue, Queue: "sales"}}
	begin := "accept play(caller,greeting+wait) queue(Enqueue)"
	played := LegEvent{Leg: "caller", Kind: LegPlayed}
	greeted := move{played, "play(caller,music) queue(CallerGreeted)"}
	follow(t, map[string][]move{
		"the place and the wait": {
			{toQueue, begin},
			greeted,
			{tel.Announce{Call: "c1", Position: 3, WaitFrom: 3, WaitTo: 6}, "play(caller,queue_ahead+digit_2+queue_people+wait_between+digit_3+and+digit_6+wait_minutes)"},
			{played, "queue(Announced)"},
			{tel.Announce{Call: "c1", MoreThan: 10, Callback: '*'}, "play(caller,queue_more_than+number_10+queue_people+queue_callback+key_star)"},
			{played, "queue(Announced)"},
			{tel.Announce{Call: "c1", Message: "prompt:web"}, "play(caller,prompt:web)"},
			{played, "queue(Announced)"},
		},
		"an estimate that nobody can give is not said": {
			{toQueue, begin},
			greeted,
			{tel.Announce{Call: "c1", Estimate: true}, "queue(Announced)"},
		},
		"the answer cuts it off": {
			{toQueue, begin},
			greeted,
			{tel.Announce{Call: "c1", Position: 1}, "play(caller,position_first)"},
			{tel.Offer{Offer: "o1", Call: "c1", Queue: "sales", Agent: "anna", Ring: time.Second}, "dial(o1,[]anna)"},
			{Dialed{Key: "o1", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegAnswered}, "hush(caller) join(caller,x) queue(OfferAnswered)"},
		},
	})
	s, _ := Next(incoming(), toQueue, noon)
	s, _ = Next(s, played, noon)
	_, out := Next(s, tel.Announce{Call: "c1", Position: 1}, noon)
	if p, ok := out[0].(DoPlay); !ok || !p.Sound.Over || p.Sound.Language != "it" {
		t.Errorf("the music stops: %+v", out)
	}
}

func TestACallerAgreesOnACallbackAndHangsUp(t *testing.T) {
	begin := []move{
		{Begin{Decision{Kind: ToQueue, Queue: "sales"}}, "accept play(caller,greeting+wait) queue(Enqueue)"},
		{LegEvent{Leg: "caller", Kind: LegPlayed}, "play(caller,music) queue(CallerGreeted)"},
	}
	digit := func(r rune) LegEvent { return LegEvent{Leg: "caller", Kind: LegDigit, Digit: r} }
	yes := Scripted{ivr.Checked{OK: true}}
	number := "play(caller,callback_number+digit_0+digit_6+digit_1+digit_2+digit_3+digit_4+digit_5+digit_6+digit_7+callback_keys)"
	talk := func(more ...move) []move {
		return append(append([]move{}, begin...), append([]move{
			{digit('1'), "queue(CallerKey)"},
			{tel.AskCallback{Call: "c1"}, ""}, // the number is checked
			{yes, number},
		}, more...)...)
	}
	follow(t, map[string][]move{
		"the number that was shown": talk(
			move{digit('1'), "hush(caller) queue(WantCallback)"},
			move{tel.CallbackAnswered{Call: "c1", OK: true}, "play(caller,callback_agreed+goodbye)"},
			move{LegEvent{Leg: "caller", Kind: LegPlayed}, "hangup(caller,normal) end(normal,box)"},
		),
		"and is told when": talk(
			move{digit('1'), "hush(caller) queue(WantCallback)"},
			move{
				tel.CallbackAnswered{Call: "c1", OK: true, WaitFrom: 5, WaitTo: 10},
				"play(caller,callback_agreed+callback_in_between+digit_5+and+number_10+wait_minutes+goodbye)",
			},
			move{LegEvent{Leg: "caller", Kind: LegPlayed}, "hangup(caller,normal) end(normal,box)"},
		),
		"an agent answers in the middle of it": talk(
			move{tel.Offer{Offer: "o1", Call: "c1", Queue: "sales", Agent: "anna", Ring: time.Second}, "dial(o1,[]anna)"},
			move{Dialed{Key: "o1", Legs: legs("x")}, ""},
			move{LegEvent{Leg: "x", Kind: LegAnswered}, "hush(caller) join(caller,x) queue(OfferAnswered)"},
			move{digit('1'), "digit(x,1)"},
		),
		"the caller would rather wait": talk(
			move{digit('*'), "hush(caller) play(caller,callback_go_on)"},
			move{LegEvent{Leg: "caller", Kind: LegPlayed}, "play(caller,music) queue(Enqueue) queue(CallerGreeted)"},
			move{digit('0'), "queue(CallerKey)"},
		),
		"the queue cannot keep the place": talk(
			move{digit('1'), "hush(caller) queue(WantCallback)"},
			move{tel.CallbackAnswered{Call: "c1"}, "play(caller,callback_failed)"},
			move{LegEvent{Leg: "caller", Kind: LegPlayed}, "play(caller,music) queue(Enqueue) queue(CallerGreeted)"},
		),
		"nothing is announced meanwhile": talk(
			move{tel.Announce{Call: "c1", Position: 2}, "queue(Announced)"},
		),
		"the longest wait is over": talk(
			move{tel.Overflow{Call: "c1", To: "voicemail:201", Why: "max_wait"}, "hush(caller) resolve(voicemail:201)"},
		),
		"the caller hangs up before": talk(
			move{LegEvent{Leg: "caller", Kind: LegEnded, Remote: true, Cause: tel.CauseNormal}, "queue(CallerGone) end(normal,caller)"},
		),
		"the caller hangs up after": talk(
			move{digit('1'), "hush(caller) queue(WantCallback)"},
			move{tel.CallbackAnswered{Call: "c1", OK: true}, "play(caller,callback_agreed+goodbye)"},
			move{LegEvent{Leg: "caller", Kind: LegEnded, Remote: true, Cause: tel.CauseNormal}, "end(normal,caller)"},
		),
	})
}

// customerCall is a call as the exchange begins it when an agent is offered a callback.
func customerCall() State {
	return State{
		Call: "c1", Direction: tel.Outbound, From: "+393331234567", To: "+393331234567", Language: "it", Stage: tel.StageWaiting,
		Queue: "sales", Waiting: true, Callback: &Customer{ID: "cb1", Number: "+393331234567"},
	}
}

func TestACallback(t *testing.T) {
	offer := tel.Offer{
		Offer: "o1", Call: "c1", Queue: "sales", Agent: "anna", Ring: 15 * time.Second,
		Whisper: tel.Whisper{Prompt: "digits:40"}, Callback: tel.Callback{ID: "cb1", Number: "+393331234567"},
	}
	second := offer
	second.Offer, second.Agent = "o2", "bruno"
	picksUp := []move{
		{offer, "dial(o1,[]anna)"},
		{Dialed{Key: "o1", Legs: legs("x")}, ""},
		{LegEvent{Leg: "x", Kind: LegProgress}, "queue(OfferRinging)"},
		{LegEvent{Leg: "x", Kind: LegAnswered}, "queue(OfferAccepted) whisper(x,digit_4+digit_0+whisper_callback)"},
		{LegEvent{Leg: "x", Kind: LegPlayed}, "resolve(callback:sales/+393331234567)"},
	}
	toCustomer := move{Rerouted{Decision{Kind: ToOutside, Attempts: []Attempt{{Via: "trunk:tim", Number: "3331234567"}}}}, "out(trunk:tim,3331234567)"}
	dials := func(more ...move) []move {
		return append(append([]move{}, picksUp...), append([]move{toCustomer, {Dialed{Key: "out", Legs: legs("c")}, ""}}, more...)...)
	}
	followFrom(t, customerCall, map[string][]move{
		"agent first, then the customer": dials(
			move{LegEvent{Leg: "c", Kind: LegProgress}, "play(x,tone_ringback)"},
			move{LegEvent{Leg: "c", Kind: LegAnswered}, "hush(x) join(x,c) queue(OfferAnswered)"},
			move{LegEvent{Leg: "c", Kind: LegEnded, Remote: true, Cause: tel.CauseNormal}, "hangup(x,normal) queue(TalkEnded) end(normal,callee)"},
		),
		"the customer does not answer": dials(
			move{LegEvent{Leg: "c", Kind: LegEnded, Remote: true, Cause: tel.CauseNoAnswer}, "play(x,unavailable+goodbye)"},
			move{LegEvent{Leg: "x", Kind: LegPlayed}, "hangup(x,no_answer) queue(CallbackMissed) end(no_answer,box)"},
		),
		"the customer does not answer and the agent hangs up first": dials(
			move{LegEvent{Leg: "c", Kind: LegEnded, Remote: true, Cause: tel.CauseBusy}, "play(x,unavailable+goodbye)"},
			move{LegEvent{Leg: "x", Kind: LegEnded, Remote: true, Cause: tel.CauseNormal}, "queue(CallbackMissed) end(cancelled,caller)"},
		),
		"the agent hangs up before the customer answers": dials(
			move{LegEvent{Leg: "x", Kind: LegEnded, Remote: true, Cause: tel.CauseNormal}, "hangup(c,cancelled) queue(OfferFailed) end(cancelled,caller)"},
		),
		"the number may not be called": append(append([]move{}, picksUp...),
			move{Rerouted{Decision{Kind: Refuse, Cause: tel.CauseForbidden}}, "play(x,unavailable+goodbye)"},
			move{LegEvent{Leg: "x", Kind: LegPlayed}, "hangup(x,forbidden) queue(CallbackMissed) end(forbidden,box)"},
		),
		"the queue takes the offer back because the customer calls": dials(
			move{tel.Withdraw{Offer: "o1", Call: "c1", Cause: tel.CauseCancelled}, "hangup(c,cancelled) hangup(x,cancelled) end(cancelled,box)"},
		),
		"no agent picks up: no record": {
			{offer, "dial(o1,[]anna)"},
			{Dialed{Key: "o1", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegEnded, Remote: true, Cause: tel.CauseRejected}, "queue(OfferFailed) queue(CallerGone) forget"},
		},
		"the ring time is over: no record": {
			{offer, "dial(o1,[]anna)"},
			{Dialed{Key: "o1", Legs: legs("x")}, ""},
			{tel.Withdraw{Offer: "o1", Call: "c1", Cause: tel.CauseNoAnswer}, "hangup(x,no_answer) queue(CallerGone) forget"},
		},
		"two agents ring and one calls": {
			{offer, "dial(o1,[]anna)"},
			{Dialed{Key: "o1", Legs: legs("x")}, ""},
			{second, "dial(o2,[]bruno)"},
			{Dialed{Key: "o2", Legs: legs("y")}, ""},
			{LegEvent{Leg: "y", Kind: LegAnswered}, "hangup(x,answered_elsewhere) queue(OfferAccepted) whisper(y,digit_4+digit_0+whisper_callback)"},
			{tel.Withdraw{Offer: "o1", Call: "c1", Cause: tel.CauseAnsweredElsewhere}, ""},
		},
		"what rings for it cannot be picked up by others": {
			{offer, "dial(o1,[]anna)"},
			{Dialed{Key: "o1", Legs: legs("x")}, ""},
			{Adopt{Leg: LegState{ID: "p"}, Target: Target{Ringing: []tel.DeviceID{"x"}}}, "decline(unallocated)"},
		},
	})
}

func TestACircleOfOverflowsEndsInWords(t *testing.T) {
	s, _ := Next(incoming(), Begin{Decision{Kind: ToQueue, Queue: "a"}}, noon)
	var out []Effect
	for range maxOverflows {
		if s, out = Next(s, tel.Overflow{Call: "c1", To: "queue:b", Why: "queue_full"}, noon); brief(out) != "hush(caller) resolve(queue:b)" {
			t.Fatal(brief(out))
		}
		s, _ = Next(s, Rerouted{Decision{Kind: ToQueue, Queue: "b"}}, noon)
	}
	s, out = Next(s, tel.Overflow{Call: "c1", To: "queue:b", Why: "queue_full"}, noon)
	if got := brief(out); got != "hush(caller) play(caller,busy_all+goodbye)" {
		t.Errorf("got %s", got)
	}
	if _, out = Next(s, LegEvent{Leg: "caller", Kind: LegPlayed}, noon); brief(out) != "hangup(caller,congestion) end(congestion,box)" {
		t.Errorf("got %s", brief(out))
	}
}

func TestACallerWhoIsTransferredBackKeepsTheFirstPlaceUnlessTheQueueSaysOtherwise(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		s, _ := Next(incoming(), Begin{Decision{Kind: ToQueue, Queue: "sales"}}, noon)
		s, _ = Next(s, tel.Offer{Offer: "o1", Call: "c1", Queue: "sales", Agent: "anna", Ring: time.Second}, noon)
		s, _ = Next(s, Dialed{Key: "o1", Legs: legs("x")}, noon)
		s, _ = Next(s, LegEvent{Leg: "x", Kind: LegAnswered}, noon)
		later := noon.Add(5 * time.Minute)
		s, _ = Next(s, LegEvent{Leg: "x", Kind: LegRefer, To: "400"}, later)
		_, out := Next(s, Rerouted{Decision{Kind: ToQueue, Queue: "sales", NewPlace: fresh}}, later)
		want := noon
		if fresh {
			want = later
		}
		found := false
		for _, e := range out {
			if q, ok := e.(DoTellQueue); ok {
				if m, ok := q.Message.(tel.Enqueue); ok {
					found = true
					if !m.EnqueuedAt.Equal(want) {
						t.Errorf("new place %v: enqueued at %v, want %v", fresh, m.EnqueuedAt, want)
					}
				}
			}
		}
		if !found {
			t.Errorf("not enqueued: %s", brief(out))
		}
	}
}

func TestRandomCallbacksLeaveNothingBehind(t *testing.T) {
	for seed := range uint64(6000) {
		w := newWorld(seed, 3)
		w.s = customerCall()
		delete(w.live, "caller")
		at := noon
		for range 40 {
			at = at.Add(time.Duration(w.r.IntN(5000)) * time.Millisecond)
			w.apply(t, w.random(at), at)
			if w.s.Stage == tel.StageEnded {
				break
			}
		}
		w.settle(t, at)
		w.apply(t, End{tel.CauseNormal}, at)
		w.quieten(t, at)
		switch {
		case w.ended+w.forgotten != 1:
			t.Fatalf("seed %d: %d records, %d times forgotten", seed, w.ended, w.forgotten)
		case len(w.live) != 0:
			t.Fatalf("seed %d: legs left up: %v", seed, w.live)
		case w.talking != "":
			t.Fatalf("seed %d: the queue thinks that %s still talks", seed, w.talking)
		case w.accepted != "" && w.offers[w.accepted] == "open":
			t.Fatalf("seed %d: the queue never learns how %s went", seed, w.accepted)
		}
	}
}

func TestAWhisperSaysWhatIsKnown(t *testing.T) {
	for want, e := range map[string]DoWhisper{
		"[prompt:sales]": {Prompt: "prompt:sales"},
		"[digit_4 digit_0 whisper_waited whisper_short]":            {Prompt: "digits:40", Wait: true},
		"[whisper_callback whisper_waited digit_3 whisper_minutes]": {Callback: true, Wait: true, Waited: 3 * time.Minute},
	} {
		if got := fmt.Sprint(e.words("it")); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
