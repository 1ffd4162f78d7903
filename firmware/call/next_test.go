package call

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func incoming() State {
	return State{
		Call: "c1", Direction: tel.Inbound, From: "+39061234567", To: "400", Language: "it", Stage: tel.StageRouting,
		Caller: LegState{ID: "caller", Party: "trunk:tim", Ref: "r0"},
	}
}

// brief writes effects as a line a person can read in a table.
func brief(effects []Effect) string {
	var out []string
	for _, e := range effects {
		switch e := e.(type) {
		case DoHangup:
			out = append(out, fmt.Sprintf("hangup(%s,%s)", e.Leg, e.Cause))
		case DoPlay:
			out = append(out, fmt.Sprintf("play(%s,%s)", e.Leg, strings.Join(e.Sound.Names, "+")))
		case DoHush:
			out = append(out, fmt.Sprintf("hush(%s)", e.Leg))
		case DoJoin:
			out = append(out, fmt.Sprintf("join(%s,%s)", e.A, e.B))
		case DoPart:
			out = append(out, fmt.Sprintf("part(%s)", e.Leg))
		case DoAlert:
			out = append(out, fmt.Sprintf("alert(%v)", e.Early))
		case DoAccept:
			if e.Leg == "caller" {
				out = append(out, "accept")
			} else {
				out = append(out, fmt.Sprintf("accept(%s)", e.Leg))
			}
		case DoDigit:
			out = append(out, fmt.Sprintf("digit(%s,%c)", e.To, e.Digit))
		case DoFlash:
			out = append(out, fmt.Sprintf("flash(%s)", e.To))
		case DoDialDevices:
			out = append(out, fmt.Sprintf("dial(%s,%v%s)", e.Key, e.Devices, e.Agent))
		case DoDialOut:
			out = append(out, fmt.Sprintf("out(%s,%s)", e.Via, e.Number))
		case DoTellQueue:
			out = append(out, fmt.Sprintf("queue(%T)", e.Message)[:len("queue(")]+strings.TrimPrefix(fmt.Sprintf("%T)", e.Message), "tel."))
		case DoCommand:
			out = append(out, fmt.Sprintf("command(%s,%s)", e.Agent, e.Command))
		case DoResolve:
			as := ""
			if e.As != "" {
				as = " as " + e.As
			}
			out = append(out, fmt.Sprintf("resolve(%s%s)", e.To, as))
		case DoRoute:
			out = append(out, fmt.Sprintf("route(%s as %s)", e.Number, e.As))
		case DoRedirect:
			out = append(out, fmt.Sprintf("redirect(%s,%s as %s)", e.Key, e.Number, e.As))
		case DoPark:
			out = append(out, fmt.Sprintf("park(%v)", e.Slots))
		case DoUnpark:
			out = append(out, fmt.Sprintf("unpark(%s)", e.Slot))
		case DoHandOver:
			out = append(out, strings.Join(strings.Fields(fmt.Sprintf("give(%s,%s %s %v)", e.Leg.ID, e.Target.Ref, e.Target.Slot, e.Target.Ringing)), " "))
		case DoTake:
			out = append(out, fmt.Sprintf("take(%s)", e.Leg))
		case DoDecline:
			out = append(out, fmt.Sprintf("decline(%s)", e.Cause))
		case DoAnswerRefer:
			out = append(out, fmt.Sprintf("refer(%s,%d)", e.Leg, e.Status))
		case DoNotifyRefer:
			final := ""
			if e.Final {
				final = ",final"
			}
			out = append(out, fmt.Sprintf("notify(%s,%d%s)", e.Leg, e.Status, final))
		case DoPage:
			out = append(out, fmt.Sprintf("page(%s,%v)", e.From, e.To))
		case DoEcho:
			out = append(out, fmt.Sprintf("echo(%s)", e.Leg))
		case DoRecord:
			out = append(out, fmt.Sprintf("record(%s,%s)", e.Leg, e.Name))
		case DoStopRecord:
			out = append(out, fmt.Sprintf("stop(%s)", e.Leg))
		case DoClerk:
			if d, ok := e.Order.(ivr.Deliver); ok {
				out = append(out, fmt.Sprintf("deliver(%s,%s,%s)", d.Box, d.Path, d.Length))
			}
		case DoPreempt:
			out = append(out, fmt.Sprintf("preempt(%v)", e.Vias))
		case DoWhisper:
			out = append(out, fmt.Sprintf("whisper(%s,%s)", e.Leg, strings.Join(e.words("it"), "+")))
		case DoForget:
			out = append(out, "forget")
		case DoEnd:
			out = append(out, fmt.Sprintf("end(%s,%s)", e.Record.Cause, e.Record.EndedBy))
		case DoMix:
			out = append(out, fmt.Sprintf("mix(%v,%v)", e.Parties, e.Watchers))
		case DoReview:
			out = append(out, "review")
		case DoWake:
		}
	}
	return strings.Join(out, " ")
}

func legs(ids ...tel.LegID) []LegState {
	var all []LegState
	for _, id := range ids {
		all = append(all, LegState{ID: id, Party: "phone:" + string(id), Ref: "ref-" + string(id)})
	}
	return all
}

func TestCallsFollowTheirScript(t *testing.T) {
	offer := tel.Offer{Offer: "o1", Call: "c1", Queue: "sales", Agent: "anna", Ring: 15 * time.Second}
	toPhones := Begin{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"201", "202"}, Agent: "anna"}}
	toQueue := Begin{Decision{Kind: ToQueue, Queue: "sales"}}
	outside := Begin{Decision{Kind: ToOutside, Attempts: []Attempt{{Via: "trunk:a", Number: "+390612"}, {Via: "line:b", Number: "0612"}}}}
	scripts := map[string][]move{
		"two phones ring, the first to answer gets the caller, the other learns why": {
			{toPhones, "dial(direct,[201 202])"},
			{Dialed{Key: "direct", Legs: legs("x", "y")}, ""},
			{LegEvent{Leg: "x", Kind: LegProgress}, "alert(false)"},
			{LegEvent{Leg: "y", Kind: LegAnswered}, "hangup(x,answered_elsewhere) hush(caller) accept join(caller,y) queue(AgentEngaged)"},
			{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseAnsweredElsewhere}, ""},
			{LegEvent{Leg: "y", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, "hangup(caller,normal) queue(AgentDisengaged) end(normal,callee)"},
		},
		"a second 200 in the same instant loses": {
			{toPhones, "dial(direct,[201 202])"},
			{Dialed{Key: "direct", Legs: legs("x", "y")}, ""},
			{LegEvent{Leg: "x", Kind: LegAnswered}, "hangup(y,answered_elsewhere) hush(caller) accept join(caller,x) queue(AgentEngaged)"},
			{LegEvent{Leg: "y", Kind: LegAnswered}, ""},
		},
		"no phone is registered": {
			{toPhones, "dial(direct,[201 202])"},
			{Dialed{Key: "direct", Cause: tel.CauseUnreachable}, "hangup(caller,unreachable) end(unreachable,box)"},
		},
		"busy everywhere is busy for the caller": {
			{toPhones, "dial(direct,[201 202])"},
			{Dialed{Key: "direct", Legs: legs("x", "y")}, ""},
			{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseBusy}, ""},
			{LegEvent{Leg: "y", Kind: LegEnded, Cause: tel.CauseBusy}, "hangup(caller,busy) end(busy,box)"},
		},
		"the caller gives up while it rings": {
			{toPhones, "dial(direct,[201 202])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{LegEvent{Leg: "caller", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, "hangup(x,cancelled) end(cancelled,caller)"},
		},
		"the caller was answered elsewhere: no phone of ours has missed it": {
			{toPhones, "dial(direct,[201 202])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{
				LegEvent{Leg: "caller", Kind: LegEnded, Cause: tel.CauseAnsweredElsewhere, Remote: true},
				"hangup(x,answered_elsewhere) end(answered_elsewhere,caller)",
			},
		},
		"a queued caller is answered, waits with music, and gets the agent": {
			{toQueue, "accept play(caller,greeting+wait) queue(Enqueue)"},
			{LegEvent{Leg: "caller", Kind: LegPlayed}, "play(caller,music) queue(CallerGreeted)"},
			{offer, "dial(o1,[]anna)"},
			{Dialed{Key: "o1", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegProgress}, "queue(OfferRinging)"},
			{LegEvent{Leg: "x", Kind: LegAnswered}, "hush(caller) join(caller,x) queue(OfferAnswered)"},
			{LegEvent{Leg: "caller", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, "hangup(x,normal) queue(TalkEnded) end(normal,caller)"},
		},
		"an agent who declines is reported and the caller keeps waiting": {
			{toQueue, "accept play(caller,greeting+wait) queue(Enqueue)"},
			{offer, "dial(o1,[]anna)"},
			{Dialed{Key: "o1", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseRejected, Remote: true}, "queue(OfferFailed)"},
			{offer, "dial(o1,[]anna)"},
		},
		"a withdrawn offer stops ringing and is not reported back": {
			{toQueue, "accept play(caller,greeting+wait) queue(Enqueue)"},
			{offer, "dial(o1,[]anna)"},
			{Dialed{Key: "o1", Legs: legs("x")}, ""},
			{tel.Withdraw{Offer: "o1", Call: "c1", Cause: tel.CauseNoAnswer}, "hangup(x,no_answer)"},
		},
		"an offer withdrawn while its phones are being dialled": {
			{toQueue, "accept play(caller,greeting+wait) queue(Enqueue)"},
			{offer, "dial(o1,[]anna)"},
			{tel.Withdraw{Offer: "o1", Call: "c1", Cause: tel.CauseNoAnswer}, ""},
			{Dialed{Key: "o1", Legs: legs("x")}, "hangup(x,cancelled)"},
		},
		"overflow sends the waiting caller on": {
			{toQueue, "accept play(caller,greeting+wait) queue(Enqueue)"},
			{tel.Overflow{Call: "c1", To: "ext:201", Why: "max_wait"}, "hush(caller) resolve(ext:201)"},
			{Rerouted{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"201"}}}, "dial(direct,[201])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegProgress}, "play(caller,tone_ringback)"},
			{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseNoAnswer}, "play(caller,unavailable+goodbye)"},
			{LegEvent{Leg: "caller", Kind: LegPlayed}, "hangup(caller,no_answer) end(no_answer,box)"},
		},
		"the next line is tried when a carrier fails, not when the person is busy": {
			{outside, "out(trunk:a,+390612)"},
			{Dialed{Key: "out", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseCongestion}, "out(line:b,0612)"},
			{Dialed{Key: "out", Legs: legs("y")}, ""},
			{LegEvent{Leg: "y", Kind: LegProgress, Early: true}, "alert(true) join(caller,y)"},
			{LegEvent{Leg: "y", Kind: LegEnded, Cause: tel.CauseBusy}, "part(caller) hangup(caller,busy) end(busy,box)"},
		},
		"hold plays music to the other and comes back": {
			{toPhones, "dial(direct,[201 202])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegAnswered}, "hush(caller) accept join(caller,x) queue(AgentEngaged)"},
			{LegEvent{Leg: "x", Kind: LegHeld, Held: true}, "queue(AgentHeld) part(caller) play(caller,music)"},
			{LegEvent{Leg: "caller", Kind: LegHeld, Held: true}, "hush(caller)"},
			{LegEvent{Leg: "x", Kind: LegHeld}, "queue(AgentHeld) play(x,music)"},
			{LegEvent{Leg: "caller", Kind: LegHeld}, "hush(caller) hush(x) join(caller,x)"},
		},
		"a silent line is not hung up while held, but is while talking": {
			{toPhones, "dial(direct,[201 202])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegAnswered}, "hush(caller) accept join(caller,x) queue(AgentEngaged)"},
			{LegEvent{Leg: "x", Kind: LegHeld, Held: true}, "queue(AgentHeld) part(caller) play(caller,music)"},
			{LegEvent{Leg: "x", Kind: LegSilent}, ""},
			{LegEvent{Leg: "caller", Kind: LegSilent}, "hangup(x,media_timeout) hangup(caller,media_timeout) queue(AgentDisengaged) end(media_timeout,box)"},
		},
		"an agent logs in by code": {
			{Begin{Decision{Kind: AgentCommand, Agent: "anna", Command: "login"}}, "accept command(anna,login) play(caller,tone_confirm)"},
			{LegEvent{Leg: "caller", Kind: LegPlayed}, "hangup(caller,normal) end(normal,box)"},
		},
		"an unknown number is refused before the answer": {
			{Begin{Decision{Kind: Refuse, Cause: tel.CauseUnallocated}}, "hangup(caller,unallocated) end(unallocated,box)"},
		},
		"an offer for a call that has ended gives the agent back": {
			{Begin{Decision{Kind: Refuse, Cause: tel.CauseForbidden}}, "hangup(caller,forbidden) end(forbidden,box)"},
			{offer, "queue(OfferFailed)"},
		},
	}
	follow(t, scripts)
}

// move is one input and the effects that it must have.
type move struct {
	in   any
	want string
}

// follow plays each script on a new incoming call, a second between two moves.
func follow(t *testing.T, scripts map[string][]move) {
	t.Helper()
	followFrom(t, incoming, scripts)
}

// followFrom plays each script on a call of its own.
func followFrom(t *testing.T, begin func() State, scripts map[string][]move) {
	t.Helper()
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			s := begin()
			for i, m := range script {
				before := s.clone()
				was := fmt.Sprintf("%+v", before)
				var out []Effect
				s, out = Next(s, m.in, noon.Add(time.Duration(i)*time.Second))
				if got := brief(out); got != m.want {
					t.Fatalf("step %d (%T):\n got %s\nwant %s", i, m.in, got, m.want)
				}
				if is := fmt.Sprintf("%+v", before); is != was {
					t.Fatalf("step %d (%T) changed the state that it was given:\n was %s\n  is %s", i, m.in, was, is)
				}
			}
		})
	}
}

func TestRingingEndsAtItsDeadlineAndNotBefore(t *testing.T) {
	s, _ := Next(incoming(), Begin{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"201"}}}, noon)
	s, _ = Next(s, Dialed{Key: "direct", Legs: legs("x")}, noon)
	s, out := Next(s, Wake{"direct"}, noon.Add(time.Second))
	if len(out) != 0 {
		t.Fatalf("an early timer did something: %s", brief(out))
	}
	_, out = Next(s, Wake{"direct"}, noon.Add(ringDirect+grace))
	if got := brief(out); got != "hangup(x,no_answer) hangup(caller,no_answer) end(no_answer,box)" {
		t.Fatal(got)
	}
}

func TestOverflowKeepsTheFirstEnqueueTime(t *testing.T) {
	s, _ := Next(incoming(), Begin{Decision{Kind: ToQueue, Queue: "sales"}}, noon)
	s, _ = Next(s, tel.Overflow{Call: "c1", To: "queue:desk"}, noon.Add(time.Minute))
	_, out := Next(s, Rerouted{Decision{Kind: ToQueue, Queue: "desk"}}, noon.Add(time.Minute))
	for _, e := range out {
		if q, ok := e.(DoTellQueue); ok {
			if at := q.Message.(tel.Enqueue).EnqueuedAt; !at.Equal(noon) {
				t.Errorf("enqueued at %v, want the first time %v", at, noon)
			}
			return
		}
	}
	t.Error("not enqueued")
}
