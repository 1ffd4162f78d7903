package call

import (
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// talking brings a call to the conversation of the caller with phone x.
func talking(more ...move) []move {
	return append([]move{
		{Begin{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"x"}, Agent: "anna"}}, "dial(direct,[x])"},
		{Dialed{Key: "direct", Legs: legs("x")}, ""},
		{LegEvent{Leg: "x", Kind: LegAnswered}, "hush(caller) accept join(caller,x) queue(AgentEngaged)"},
	}, more...)
}

// inQueueTalk is the same through a queue.
func inQueueTalk(more ...move) []move {
	return append([]move{
		{Begin{Decision{Kind: ToQueue, Queue: "sales"}}, "accept play(caller,greeting+wait) queue(Enqueue)"},
		{tel.Offer{Offer: "o1", Call: "c1", Queue: "sales", Agent: "anna", Ring: 15 * time.Second}, "dial(o1,[]anna)"},
		{Dialed{Key: "o1", Legs: legs("x")}, ""},
		{LegEvent{Leg: "x", Kind: LegAnswered}, "hush(caller) join(caller,x) queue(OfferAnswered)"},
	}, more...)
}

var (
	refer202 = LegEvent{Leg: "x", Kind: LegRefer, To: "202"}
	to202    = Rerouted{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"202"}, Agent: "bruno"}}
)

// Behind a flash an exchange dials what it is told: it is for people in the office, while they talk with somebody outside.
func TestOnlyTheOfficeFlashes(t *testing.T) {
	follow(t, map[string][]move{
		"the agent's R is for the line of the outside party": talking(move{LegEvent{Leg: "x", Kind: LegFlash}, "flash(caller)"}),
		"the outside party's is for nobody":                  talking(move{LegEvent{Leg: "caller", Kind: LegFlash}, ""}),
		"nothing is talked yet": {
			{Begin{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"x"}, Agent: "anna"}}, "dial(direct,[x])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegFlash}, ""},
		},
	})
}

func TestBlindTransfer(t *testing.T) {
	follow(t, map[string][]move{
		"the agent's talk ends at the transfer, the target answers, the transferor learns it (RFC 5589 section 6.1)": inQueueTalk(
			move{LegEvent{Leg: "x", Kind: LegHeld, Held: true}, "queue(AgentHeld) part(caller) play(caller,music)"},
			move{refer202, "refer(x,202) part(caller) queue(TalkEnded) route(202 as phone:x)"},
			move{to202, "dial(direct,[202])"},
			move{Dialed{Key: "direct", Legs: legs("y")}, ""},
			move{LegEvent{Leg: "y", Kind: LegProgress}, "notify(x,180) play(caller,tone_ringback)"},
			move{LegEvent{Leg: "y", Kind: LegAnswered}, "hush(caller) join(caller,y) queue(AgentEngaged) notify(x,200,final) hangup(x,transferred)"},
			move{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseTransferred}, ""},
			move{LegEvent{Leg: "caller", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, "hangup(y,normal) queue(AgentDisengaged) end(normal,caller)"},
		),
		"a target that does not answer gives the party back on the leg that is still up": talking(
			move{refer202, "refer(x,202) part(caller) queue(AgentDisengaged) route(202 as phone:x)"},
			move{to202, "dial(direct2,[202])"},
			move{Dialed{Key: "direct2", Legs: legs("y")}, ""},
			move{LegEvent{Leg: "y", Kind: LegEnded, Cause: tel.CauseNoAnswer}, "notify(x,480,final) queue(AgentEngaged) hush(caller) hush(x) join(caller,x)"},
		),
		"a transferor who has hung up is rung again when nobody answers, and sees the caller": talking(
			move{refer202, "refer(x,202) part(caller) queue(AgentDisengaged) route(202 as phone:x)"},
			move{to202, "dial(direct2,[202])"},
			move{Dialed{Key: "direct2", Legs: legs("y")}, ""},
			move{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, ""},
			move{LegEvent{Leg: "y", Kind: LegEnded, Cause: tel.CauseNoAnswer}, "play(caller,tone_ringback) dial(direct3,[x])"},
			move{Dialed{Key: "direct3", Legs: legs("z")}, ""},
			move{LegEvent{Leg: "z", Kind: LegAnswered}, "hush(caller) join(caller,z)"},
		),
		"when the transferor does not answer either the caller is told and let go": talking(
			move{refer202, "refer(x,202) part(caller) queue(AgentDisengaged) route(202 as phone:x)"},
			move{to202, "dial(direct2,[202])"},
			move{Dialed{Key: "direct2", Cause: tel.CauseUnreachable}, "notify(x,480,final) queue(AgentEngaged) hush(caller) hush(x) join(caller,x)"},
			move{refer202, "refer(x,202) part(caller) queue(AgentDisengaged) route(202 as phone:x)"},
			move{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, ""},
			move{Rerouted{Decision{Kind: Refuse, Cause: tel.CauseForbidden}}, "play(caller,tone_ringback) dial(direct3,[x])"},
			move{Dialed{Key: "direct3", Cause: tel.CauseUnreachable}, "play(caller,unavailable+goodbye)"},
			move{LegEvent{Leg: "caller", Kind: LegPlayed}, "hangup(caller,unreachable) end(unreachable,box)"},
		),
		"a transfer that the transferor may not dial is refused and the talk goes on": talking(
			move{refer202, "refer(x,202) part(caller) queue(AgentDisengaged) route(202 as phone:x)"},
			move{Rerouted{Decision{Kind: Refuse, Cause: tel.CauseForbidden}}, "notify(x,403,final) queue(AgentEngaged) hush(caller) hush(x) join(caller,x)"},
		),
		"a transfer into a queue is done when the place is taken": talking(
			move{refer202, "refer(x,202) part(caller) queue(AgentDisengaged) route(202 as phone:x)"},
			move{Rerouted{Decision{Kind: ToQueue, Queue: "desk"}}, "notify(x,200,final) hangup(x,transferred) play(caller,greeting+wait) queue(Enqueue)"},
		),
		"the caller can transfer the called one": talking(
			move{LegEvent{Leg: "caller", Kind: LegRefer, To: "203"}, "refer(caller,202) part(x) route(203 as trunk:tim)"},
			move{Rerouted{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"203"}}}, "dial(direct2,[203])"},
			move{Dialed{Key: "direct2", Legs: legs("y")}, ""},
			move{LegEvent{Leg: "y", Kind: LegAnswered}, "hush(x) join(x,y) notify(caller,200,final) hangup(caller,transferred)"},
		),
		"the party hangs up while its transfer rings": talking(
			move{refer202, "refer(x,202) part(caller) queue(AgentDisengaged) route(202 as phone:x)"},
			move{to202, "dial(direct2,[202])"},
			move{Dialed{Key: "direct2", Legs: legs("y")}, ""},
			move{LegEvent{Leg: "caller", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, "hangup(y,cancelled) notify(x,503,final) hangup(x,normal) end(normal,caller)"},
		),
		"a second transfer while one is under way is declined": talking(
			move{refer202, "refer(x,202) part(caller) queue(AgentDisengaged) route(202 as phone:x)"},
			move{to202, "dial(direct2,[202])"},
			move{refer202, "refer(x,603)"},
		),
		"nobody can transfer what only rings": {
			{Begin{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"x"}}}, "dial(direct,[x])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{LegEvent{Leg: "caller", Kind: LegRefer, To: "203"}, "refer(caller,603)"},
		},
	})
}

func TestAttendedTransfer(t *testing.T) {
	attended := LegEvent{Leg: "x", Kind: LegRefer, Replaces: "sip:other"}
	newcomer := LegState{ID: "new", Party: "trunk:tim", Ref: "sip:new", Up: true, Number: "+39333", Name: "Carla"}
	follow(t, map[string][]move{
		"the party leaves for the call of the transferor, this call ends": inQueueTalk(
			move{attended, "refer(x,202) give(caller,sip:other [])"},
			move{HandedOver{Leg: "caller", Into: "c2", OK: true}, "notify(x,200,final) hangup(x,transferred) queue(TalkEnded) end(transferred,box)"},
		),
		"when the other call is gone the talk goes on": talking(
			move{attended, "refer(x,202) give(caller,sip:other [])"},
			move{HandedOver{Leg: "caller", Cause: tel.CauseUnallocated}, "notify(x,404,final)"},
			move{LegEvent{Leg: "caller", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, "hangup(x,normal) queue(AgentDisengaged) end(normal,caller)"},
		),
		"an answer that comes after its time changes nothing": talking(
			move{attended, "refer(x,202) give(caller,sip:other [])"},
			move{HandedOver{Leg: "caller", Cause: tel.CauseTimeout}, "notify(x,404,final)"},
			move{HandedOver{Leg: "caller", Cause: tel.CauseUnallocated}, ""},
		)[:4],
		"in the other call the newcomer takes the place of the transferor": talking(
			move{Adopt{Leg: newcomer, Target: Target{Ref: "ref-x"}}, "take(new) part(x) queue(AgentDisengaged) hangup(x,transferred) hush(caller) hush(new) join(caller,new)"},
			move{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseTransferred}, ""},
			move{LegEvent{Leg: "new", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, "hangup(caller,normal) end(normal,callee)"},
		),
		"semi-attended: the newcomer becomes the caller of what still rings": {
			{Begin{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"x"}}}, "dial(direct,[x])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{Adopt{Leg: newcomer, Target: Target{Ref: "r0"}}, "take(new) hangup(caller,transferred) play(new,tone_ringback)"},
			{LegEvent{Leg: "x", Kind: LegAnswered}, "hush(new) join(new,x)"},
		},
		"a newcomer into a queue keeps the place": {
			{Begin{Decision{Kind: ToQueue, Queue: "sales"}}, "accept play(caller,greeting+wait) queue(Enqueue)"},
			{Adopt{Leg: newcomer, Target: Target{Ref: "r0"}}, "take(new) hangup(caller,transferred) play(new,music) queue(CallerNamed) queue(CallerGreeted)"},
			{LegEvent{Leg: "new", Kind: LegEnded, Remote: true, Cause: tel.CauseNormal}, "queue(CallerGone) end(cancelled,caller)"},
		},
		"a leg that is not there is declined (481)": talking(
			move{Adopt{Leg: newcomer, Target: Target{Ref: "nobody"}}, "decline(unallocated)"},
		),
		"early-only does not take an answered place (RFC 3891 section 3)": talking(
			move{Adopt{Leg: newcomer, Target: Target{Ref: "ref-x", EarlyOnly: true}}, "decline(busy)"},
		),
		"a held partner hears music until it is taken back": talking(
			move{LegEvent{Leg: "caller", Kind: LegHeld, Held: true}, "part(caller) play(x,music)"},
			move{Adopt{Leg: newcomer, Target: Target{Ref: "ref-x"}}, "take(new) part(x) queue(AgentDisengaged) hangup(x,transferred) play(new,music)"},
		),
		"a call that is being transferred itself does not take another's party": talking(
			move{refer202, "refer(x,202) part(caller) queue(AgentDisengaged) route(202 as phone:x)"},
			move{Adopt{Leg: newcomer, Target: Target{Ref: "r0"}}, "decline(congestion)"},
		),
	})
}

func TestPickup(t *testing.T) {
	picker := LegState{ID: "p", Party: "phone:203", Ref: "sip:p", Agent: "carla", Number: "203"}
	follow(t, map[string][]move{
		"who picks up gets the caller, the phone that rang learns why": {
			{Begin{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"x"}, Agent: "anna"}}, "dial(direct,[x])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{Adopt{Leg: picker, Target: Target{Ringing: []tel.DeviceID{"x"}}}, "take(p) hangup(x,answered_elsewhere) hush(caller) accept accept(p) join(caller,p) queue(AgentEngaged)"},
		},
		"by the dialog that rings (RFC 3891, early)": {
			{Begin{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"x"}, Agent: "anna"}}, "dial(direct,[x])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{Adopt{Leg: picker, Target: Target{Ref: "ref-x", EarlyOnly: true}}, "take(p) hangup(x,answered_elsewhere) hush(caller) accept accept(p) join(caller,p) queue(AgentEngaged)"},
		},
		"a queue's caller who is picked up leaves the queue, and the agent is free again": {
			{Begin{Decision{Kind: ToQueue, Queue: "sales"}}, "accept play(caller,greeting+wait) queue(Enqueue)"},
			{tel.Offer{Offer: "o1", Call: "c1", Queue: "sales", Agent: "anna", Ring: 15 * time.Second}, "dial(o1,[]anna)"},
			{Dialed{Key: "o1", Legs: legs("x")}, ""},
			{Adopt{Leg: picker, Target: Target{Ringing: []tel.DeviceID{"x"}}}, "take(p) hangup(x,answered_elsewhere) hush(caller) accept(p) join(caller,p) queue(CallerGone) queue(AgentEngaged)"},
		},
		"nothing rings there any more": talking(
			move{Adopt{Leg: picker, Target: Target{Ringing: []tel.DeviceID{"x"}}}, "decline(unallocated)"},
		),
		"the picker's own call ends when its leg is taken, and is refused when nothing rings": {
			{Begin{Decision{Kind: ToPickup, Pickup: []tel.DeviceID{"201"}}}, "give(caller, [201])"},
			{HandedOver{Leg: "caller", Cause: tel.CauseUnallocated}, "hangup(caller,unallocated) end(unallocated,box)"},
		},
	})
}

func TestPark(t *testing.T) {
	slots := []tel.Number{"701", "702"}
	fetcher := LegState{ID: "f", Party: "phone:203", Ref: "sip:f", Agent: "carla", Number: "203"}
	parked := func(more ...move) []move {
		return talking(append([]move{
			{LegEvent{Leg: "x", Kind: LegRefer, To: "*70"}, "refer(x,202) part(caller) queue(AgentDisengaged) route(*70 as phone:x)"},
			{Rerouted{Decision{Kind: ToPark, Slots: slots, ParkFor: 3 * time.Second}}, "park([701 702])"},
			{ParkedAt{"701"}, "notify(x,200,final) hangup(x,transferred) play(caller,music)"},
		}, more...)...)
	}
	follow(t, map[string][]move{
		"a parked caller is fetched by who dials the place": parked(
			move{Adopt{Leg: fetcher, Target: Target{Slot: "701"}}, "take(f) unpark(701) accept(f) queue(AgentEngaged) hush(caller) hush(f) join(caller,f)"},
		),
		"nobody fetches it: back to who parked it": parked(
			move{Wake{wakePark}, ""},
			move{Wake{wakePark}, ""},
			move{Wake{wakePark}, "unpark(701) play(caller,tone_ringback) dial(direct2,[x])"},
			move{Dialed{Key: "direct2", Legs: legs("z")}, ""},
			move{LegEvent{Leg: "z", Kind: LegAnswered}, "hush(caller) join(caller,z)"},
		),
		"a caller who gives up frees the place": parked(
			move{LegEvent{Leg: "caller", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, "unpark(701) end(normal,caller)"},
		),
		"another place is not this one": parked(
			move{Adopt{Leg: fetcher, Target: Target{Slot: "702"}}, "decline(unallocated)"},
		),
		"no place is free: the party goes back": talking(
			move{LegEvent{Leg: "x", Kind: LegRefer, To: "*70"}, "refer(x,202) part(caller) queue(AgentDisengaged) route(*70 as phone:x)"},
			move{Rerouted{Decision{Kind: ToPark, Slots: slots}}, "park([701 702])"},
			move{ParkedAt{}, "notify(x,503,final) queue(AgentEngaged) hush(caller) hush(x) join(caller,x)"},
		),
		"who dials the code hears the place and then transfers a party into it": {
			{Begin{Decision{Kind: ToPark, Slots: slots}}, "accept park([701 702])"},
			{ParkedAt{"702"}, "play(caller,digit_7+digit_0+digit_2)"},
			{Adopt{Leg: LegState{ID: "b", Party: "trunk:tim", Ref: "sip:b", Up: true}, Target: Target{Ref: "r0"}}, "take(b) hangup(caller,transferred) play(b,music)"},
		},
		"the place of a call that ended meanwhile is given back": {
			{Begin{Decision{Kind: ToPark, Slots: slots}}, "accept park([701 702])"},
			{LegEvent{Leg: "caller", Kind: LegEnded, Remote: true}, "end(normal,caller)"},
			{ParkedAt{"701"}, "unpark(701)"},
		},
	})
}

// The record tells every forward once, whoever followed it and however often the program died meanwhile;
// the carrier is told why.
func TestForwardsAreInTheRecord(t *testing.T) {
	always := tel.Move{Kind: tel.MoveForward, By: "ext:201", To: "ext:202", Why: tel.DivertAlways}
	ring := Ring{Branches: []Branch{{Devices: []tel.DeviceID{"x"}}}, OnBusy: "outside:+39333", As: "ext:202"}
	s, _ := Next(incoming(), Begin{Decision{Kind: ToRing, Ring: ring, Forwards: []tel.Move{always}}}, noon)
	s.Recovered = true
	s, _ = Next(s, Rerouted{Decision{Kind: ToRing, Ring: ring, Forwards: []tel.Move{always}}}, noon.Add(time.Second))
	s, _ = Next(s, Dialed{Key: "direct2", Legs: legs("x")}, noon)
	s.Groups = s.Groups[1:] // what rang before the crash
	s, _ = Next(s, LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseBusy}, noon)
	want := []tel.Move{always, {Kind: tel.MoveForward, By: "ext:202", To: "outside:+39333", Why: tel.DivertBusy}}
	for i := range want {
		want[i].At = noon
	}
	if !slices.Equal(s.Moves, want) {
		t.Errorf("moves %+v", s.Moves)
	}
	for party, why := range map[string]tel.Diversion{"ext:201": tel.DivertAlways, "ext:202": tel.DivertBusy, "ext:203": "", "": ""} {
		if got := s.divertedBy(party); got != why {
			t.Errorf("%q has forwarded the call because of %q, want %q", party, got, why)
		}
	}
}

func TestForwards(t *testing.T) {
	ring := Ring{Branches: []Branch{{Devices: []tel.DeviceID{"x"}}}, OnBusy: "voicemail:201", OnNoAnswer: "outside:+39333", OnUnreachable: "queue:sales", As: "phone:201"}
	turn := Ring{Branches: []Branch{{Devices: []tel.DeviceID{"a"}}, {Devices: []tel.DeviceID{"b"}, After: 10 * time.Second}, {Attempts: []Attempt{{Via: "trunk:t", Number: "333"}}, After: 20 * time.Second}}}
	follow(t, map[string][]move{
		"busy goes where the person said, with the person's rights": {
			{Begin{Decision{Kind: ToRing, Ring: ring}}, "dial(direct,[x])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseBusy}, "resolve(voicemail:201 as phone:201)"},
		},
		"no answer goes elsewhere": {
			{Begin{Decision{Kind: ToRing, Ring: ring}}, "dial(direct,[x])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseNoAnswer}, "resolve(outside:+39333 as phone:201)"},
			{Rerouted{Decision{Kind: ToOutside, Attempts: []Attempt{{Via: "trunk:a", Number: "333"}}}}, "out(trunk:a,333)"},
		},
		"no phone at all goes to the third": {
			{Begin{Decision{Kind: ToRing, Ring: ring}}, "dial(direct,[x])"},
			{Dialed{Key: "direct", Cause: tel.CauseUnreachable}, "resolve(queue:sales as phone:201)"},
		},
		"in turn: the next is rung at its time and the first keeps ringing": {
			{Begin{Decision{Kind: ToRing, Ring: turn}}, "dial(direct,[a])"},
			{Dialed{Key: "direct", Legs: legs("a")}, ""},
			{Wake{wakeBranch}, ""},
			{LegEvent{Leg: "a", Kind: LegEnded, Cause: tel.CauseBusy}, "dial(direct2,[b])"}, // nothing rings: at once
			{Dialed{Key: "direct2", Legs: legs("b")}, ""},
			{Wake{wakeBranch}, ""},
			{Wake{wakeBranch}, ""},
			{Wake{wakeBranch}, ""},
			{Wake{wakeBranch}, ""},
			{Wake{wakeBranch}, ""},
			{Wake{wakeBranch}, ""},
			{Wake{wakeBranch}, ""},
			{Wake{wakeBranch}, ""},
			{Wake{wakeBranch}, "out(trunk:t,333)"},
			{Dialed{Key: "out3", Legs: legs("m")}, ""},
			{LegEvent{Leg: "m", Kind: LegProgress, Early: true}, "alert(false)"}, // two ring: no one's early audio
			{LegEvent{Leg: "b", Kind: LegAnswered}, "hangup(m,answered_elsewhere) hush(caller) accept join(caller,b)"},
		},
		"a circle of forwards ends": func() []move {
			moves := []move{{Begin{Decision{Kind: ToRing, Ring: ring}}, "dial(direct,[x])"}}
			for i := range maxHops {
				key := "direct"
				if i > 0 {
					key = "direct" + string(rune('1'+i))
				}
				again := "dial(direct" + string(rune('2'+i)) + ",[x])"
				moves = append(moves, move{Dialed{Key: key, Cause: tel.CauseBusy}, "resolve(voicemail:201 as phone:201)"}, move{Rerouted{Decision{Kind: ToRing, Ring: ring}}, again})
			}
			return append(moves, move{Dialed{Key: "direct" + string(rune('1'+maxHops)), Cause: tel.CauseBusy}, "hangup(caller,congestion) end(congestion,box)"})
		}(),
		"a phone that redirects (302) uses the rights of its person": {
			{Begin{Decision{Kind: ToRing, Ring: ring}}, "dial(direct,[x])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseRejected, Redirect: "00882123"}, "redirect(direct,00882123 as phone:x)"},
			{Redirected{"direct", Decision{Kind: Refuse, Cause: tel.CauseForbidden}}, "resolve(outside:+39333 as phone:201)"}, // as if nobody had answered
		},
		"and rings where it may": {
			{Begin{Decision{Kind: ToRing, Ring: ring}}, "dial(direct,[x])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseRejected, Redirect: "333"}, "redirect(direct,333 as phone:x)"},
			{Redirected{"direct", Decision{Kind: ToOutside, Attempts: []Attempt{{Via: "trunk:a", Number: "333"}}}}, "out(trunk:a,333)"},
			{Dialed{Key: "out2", Legs: legs("y")}, ""},
			{LegEvent{Leg: "y", Kind: LegAnswered}, "hush(caller) accept join(caller,y)"},
		},
	})
}

func TestAnEmergencyCallGetsALine(t *testing.T) {
	emergency := Begin{Decision{Kind: ToOutside, Emergency: true, Attempts: []Attempt{{Via: "line:gsm0", Number: "112"}, {Via: "trunk:a", Number: "112"}}}}
	follow(t, map[string][]move{
		"every line is tried whatever the first says; then one is cut and all are tried again": {
			{emergency, "out(line:gsm0,112)"},
			{Dialed{Key: "out", Cause: tel.CauseBusy}, "out(trunk:a,112)"},
			{Dialed{Key: "out", Cause: tel.CauseCongestion}, "preempt([line:gsm0 trunk:a])"},
			{Freed{}, "out(line:gsm0,112)"},
			{Dialed{Key: "out2", Cause: tel.CauseBusy}, "out(trunk:a,112)"}, // the modem still hangs up
			{Dialed{Key: "out2", Cause: tel.CauseCongestion}, ""},
			{Wake{wakePreempt}, "out(line:gsm0,112)"},
			{Dialed{Key: "out3", Legs: legs("y")}, ""},
			{LegEvent{Leg: "y", Kind: LegAnswered}, "hush(caller) accept join(caller,y)"},
		},
		"also when a phone has sent the call there": {
			{Begin{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"201"}}}, "dial(direct,[201])"},
			{Dialed{Key: "direct", Legs: legs("x")}, ""},
			{LegEvent{Leg: "x", Kind: LegEnded, Cause: tel.CauseRejected, Redirect: "112"}, "redirect(direct,112 as phone:x)"},
			{Redirected{"direct", emergency.Decision}, "out(line:gsm0,112)"},
			{Dialed{Key: "out2", Cause: tel.CauseBusy}, "out(trunk:a,112)"},
			{Dialed{Key: "out2", Cause: tel.CauseCongestion}, "preempt([line:gsm0 trunk:a])"},
		},
	})
}

// Busy keys are told again when a phone says that it rings: its dialog is complete only then, and who wants
// to pick the call up needs both tags.
func TestAPhoneThatSaysItRingsChangesItsPart(t *testing.T) {
	s := incoming()
	at := func() tel.PartyChanged { return s.parties()[1] }
	for _, in := range []any{Begin{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"201"}}}, Dialed{Key: "direct", Legs: legs("x")}} {
		s, _ = Next(s, in, noon)
	}
	before := at()
	s, _ = Next(s, LegEvent{Leg: "x", Kind: LegProgress}, noon)
	if after := at(); before.Alerted || !after.Alerted || before.Leg != "x" || after.Phase != tel.PartyRinging {
		t.Errorf("before %+v, after %+v", before, after)
	}
}
