package gsm

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The words of the table: an event, and what the machine does.
var (
	ring     = event{kind: evRing}
	caller   = event{kind: evCaller, number: "+393331234567"}
	withheld = event{kind: evCaller}
	dial     = event{kind: evDial, number: "0612345678"}
	answer   = event{kind: evAnswer}
	hangup   = event{kind: evHangup, cause: tel.CauseNormal}
	begin    = event{kind: evBegin}
	end      = event{kind: evEnd}
	carrier  = event{kind: evNoCarrier}
	soundOn  = event{kind: evSoundOn}
	soundOff = event{kind: evSoundOff}
	lost     = event{kind: evLost}
	tick     = event{kind: evTick}
	nobody   = event{kind: evList}
)

func dialedAs(v verdict) event   { return event{kind: evDialed, verdict: v} }
func acceptedAs(v verdict) event { return event{kind: evAccepted, verdict: v} }
func hungUp(v verdict) event     { return event{kind: evHungUp, verdict: v} }
func listOf(in bool, s callStat, n tel.Number) event {
	return event{kind: evList, calls: []call{{id: 1, inbound: in, stat: s, number: n}}}
}

func clcc(in bool, s callStat) event {
	return event{kind: evCall, call: call{id: 1, inbound: in, stat: s}}
}

// words writes actions as the table does.
func words(acts []action) string {
	var w []string
	for _, a := range acts {
		switch a.kind {
		case doDial:
			w = append(w, "ATD")
		case doAnswer:
			w = append(w, "ATA")
		case doHangup:
			w = append(w, fmt.Sprintf("hangup%d", a.rung))
		case doList:
			w = append(w, "list")
		case doAskReason:
			w = append(w, "ceer")
		case doSoundOn:
			w = append(w, "sound+")
		case doSoundOff:
			w = append(w, "sound-")
		case doReset:
			w = append(w, "reset")
		case doBlameSound:
			w = append(w, "blame")
		case doTurnAway:
			w = append(w, "chld0")
		case doHeardLie:
			w = append(w, "lie")
		case doDialDone:
			w = append(w, fmt.Sprintf("dial(%v)", a.err))
		case doAnswerDone:
			w = append(w, fmt.Sprintf("answer(%v)", a.err))
		case doTell:
			w = append(w, tellWord(a.event))
		}
	}
	return strings.Join(w, " ")
}

func tellWord(e line.Event) string {
	switch e.Kind {
	case line.Incoming:
		return "INCOMING:" + string(e.Number)
	case line.Proceeding:
		return "PROCEEDING"
	case line.Alerting:
		return "ALERTING"
	case line.Connected:
		return "CONNECTED"
	case line.Digit:
		return "DIGIT:" + string(e.Digit)
	case line.Ended:
		return "ENDED:" + e.Cause.String()
	case line.Recovered:
		return fmt.Sprintf("RECOVERED:%s:%v", e.Number, e.Inbound)
	}
	return "?"
}

// row is one step: an event, after a wait, and what follows from it.
type row struct {
	after time.Duration
	e     event
	does  string
	phase phase
}

var timing = Timing{}.withDefaults()

func TestCallsFollowTheTable(t *testing.T) {
	s := time.Second
	talkingIn := []row{
		{0, ring, "list", ringing},
		{0, caller, "INCOMING:+393331234567", incoming},
		{0, answer, "ATA", answering},
		{0, acceptedAs(accepted), "answer(<nil>)", answering},
		{0, begin, "sound+", connecting},
		{0, soundOn, "CONNECTED", talking},
	}
	talkingOut := []row{
		{0, dial, "ATD", dialing},
		{0, dialedAs(accepted), "dial(<nil>) PROCEEDING", proceeding},
		{0, clcc(false, statDialing), "", proceeding},
		{0, clcc(false, statAlerting), "ALERTING", alerting},
		{0, begin, "sound+", connecting},
		{0, clcc(false, statActive), "", connecting},
		{0, soundOn, "CONNECTED", talking},
	}
	tests := map[string][]row{
		"a caller talks and hangs up": append(talkingIn[:6:6],
			row{0, event{kind: evDigit, digit: '5'}, "DIGIT:5", talking},
			row{0, end, "ENDED:normal sound-", settling},
			row{0, carrier, "", idle}),
		"a caller without number is announced after the wait": {
			{0, ring, "list", ringing}, {0, withheld, "", ringing}, {1500 * time.Millisecond, tick, "INCOMING:", incoming},
		},
		"the list knows the number before +CLIP does": {
			{0, ring, "list", ringing}, {0, listOf(true, statIncoming, "06111"), "INCOMING:06111", incoming}, {0, caller, "", incoming},
		},
		"one call per burst of RING": {
			{0, ring, "list", ringing},
			{0, caller, "INCOMING:+393331234567", incoming},
			{5 * s, ring, "", incoming},
			{0, caller, "", incoming},
			{5 * s, tick, "", incoming},
			{0, ring, "", incoming},
		},
		"a caller gives up: no RING, and the list is empty": {
			{0, ring, "list", ringing},
			{0, caller, "INCOMING:+393331234567", incoming},
			{7 * s, tick, "list", incoming},
			{0, nobody, "ENDED:cancelled", settling},
			{s, tick, "", idle},
		},
		"a lost RING is no lost call": {
			{0, ring, "list", ringing},
			{0, caller, "INCOMING:+393331234567", incoming},
			{7 * s, tick, "list", incoming},
			{0, listOf(true, statIncoming, ""), "", incoming},
			{7 * s, tick, "list", incoming},
		},
		"the old call's NO CARRIER does not end a new ring": {
			{0, ring, "list", ringing},
			{0, caller, "INCOMING:+393331234567", incoming},
			{0, carrier, "list", incoming},
			{0, listOf(true, statIncoming, ""), "", incoming},
		},
		"an empty list at the first RING decides nothing": {
			{0, ring, "list", ringing}, {0, nobody, "", ringing}, {0, caller, "INCOMING:+393331234567", incoming},
		},
		"ATA meets the caller's hang-up": {
			{0, ring, "list", ringing},
			{0, caller, "INCOMING:+393331234567", incoming},
			{0, answer, "ATA", answering},
			{0, acceptedAs(dropped), "ENDED:cancelled answer(the other party is gone)", settling},
		},
		"BEGIN before the OK of ATA": {
			{0, ring, "list", ringing},
			{0, caller, "INCOMING:+393331234567", incoming},
			{0, answer, "ATA", answering},
			{0, begin, "answer(<nil>) sound+", connecting},
			{0, acceptedAs(accepted), "", connecting},
		},
		"a lost BEGIN is found in the list": {
			{0, ring, "list", ringing},
			{0, caller, "INCOMING:+393331234567", incoming},
			{0, answer, "ATA", answering},
			{0, acceptedAs(accepted), "answer(<nil>)", answering},
			{1500 * time.Millisecond, tick, "list", answering},
			{0, listOf(true, statActive, ""), "sound+", connecting},
		},
		"answering without a call": {{0, answer, "answer(no call on the line)", idle}},
		"dialled, answered, hung up by us": append(talkingOut[:7:7],
			row{0, hangup, "hangup0", ending},
			row{0, hungUp(accepted), "list", ending},
			row{0, nobody, "ENDED:normal sound-", settling},
			row{0, end, "", settling},
			row{0, carrier, "", idle}),
		"hang-up climbs the ladder, then the modem is reset": append(talkingOut[:7:7],
			row{0, hangup, "hangup0", ending},
			row{2 * s, tick, "hangup1", ending},
			row{3 * s, tick, "hangup2", ending},
			row{3 * s, tick, "ENDED:normal sound- reset", settling}),
		"two hang-ups are one": append(talkingOut[:7:7],
			row{0, hangup, "hangup0", ending},
			row{0, event{kind: evHangup, cause: tel.CausePreempted}, "", ending},
			row{0, end, "ENDED:normal sound-", settling},
			row{0, hangup, "", settling}),
		"the far end is busy": {
			{0, dial, "ATD", dialing},
			{0, dialedAs(accepted), "dial(<nil>) PROCEEDING", proceeding},
			{0, event{kind: evBusy}, "ENDED:busy", settling},
		},
		"busy as the answer to ATD": {
			{0, dial, "ATD", dialing}, {0, dialedAs(busyTone), "dial(<nil>) PROCEEDING ENDED:busy", settling},
		},
		"the network's reason is asked for": {
			{0, dial, "ATD", dialing},
			{0, dialedAs(accepted), "dial(<nil>) PROCEEDING", proceeding},
			{0, carrier, "ceer", asking},
			{0, event{kind: evReason, cause: tel.CauseUnallocated}, "ENDED:unallocated", settling},
		},
		"a reason that nobody gives": {
			{0, dial, "ATD", dialing},
			{0, dialedAs(accepted), "dial(<nil>) PROCEEDING", proceeding},
			{0, clcc(false, statAlerting), "ALERTING", alerting},
			{0, end, "ceer", asking},
			{s, tick, "ENDED:rejected", settling},
		},
		"the modem refuses to dial": {
			{0, dial, "ATD", dialing}, {0, dialedAs(refused), "dial(the modem or the network refused)", settling}, {s, tick, "", idle},
		},
		"hang-up while ATD is pending tells nobody": {
			{0, dial, "ATD", dialing},
			{0, hangup, "dial(the other party is gone) hangup0", ending},
			{0, dialedAs(accepted), "", ending},
			{0, hungUp(accepted), "list", ending},
			{0, nobody, "", settling},
		},
		"glare: the incoming call wins": {
			{0, dial, "ATD", dialing},
			{0, ring, "", dialing},
			{0, dialedAs(refused), "dial(line is in use) list", ringing},
			{0, listOf(true, statIncoming, "06111"), "INCOMING:06111", incoming},
		},
		"dialling on a ringing line is busy": {
			{0, ring, "list", ringing}, {0, dial, "dial(line is in use)", ringing},
		},
		"dialling right after a call waits for its last words": append(talkingIn[:6:6],
			row{0, end, "ENDED:normal sound-", settling},
			row{0, dial, "", settling},
			row{0, carrier, "ATD", dialing}),
		"an end that nobody signalled is found in two lists": append(talkingOut[:7:7],
			row{5 * s, tick, "list", talking},
			row{0, nobody, "", talking},
			row{s, tick, "list", talking},
			row{0, nobody, "ENDED:normal sound-", settling}),
		"one empty list among full ones ends nothing": append(talkingOut[:7:7],
			row{5 * s, tick, "list", talking}, row{0, nobody, "", talking},
			row{s, tick, "list", talking}, row{0, listOf(false, statActive, ""), "", talking},
			row{5 * s, tick, "list", talking}, row{0, nobody, "", talking}),
		"a modem that answers no list is gone": append(talkingOut[:7:7],
			row{5 * s, tick, "list", talking}, row{5 * s, tick, "list", talking}, row{5 * s, tick, "list", talking},
			row{5 * s, tick, "ENDED:interface_failure sound- reset", settling}),
		"the port disappears in a call":        append(talkingOut[:7:7], row{0, lost, "ENDED:interface_failure", idle}),
		"the port disappears while we hang up": append(talkingOut[:7:7], row{0, hangup, "hangup0", ending}, row{0, lost, "ENDED:normal", idle}),
		"sound that does not come up ends the call": append(talkingIn[:5:5],
			row{0, soundOff, "blame hangup0", ending}, row{0, end, "ENDED:interface_failure sound-", settling}),
		"a call of an earlier process is taken over": {
			{0, event{kind: evFound, calls: []call{{id: 1, inbound: true, stat: statActive, number: "06111"}}}, "RECOVERED:06111:true sound+", connecting},
			{0, soundOn, "CONNECTED", talking},
			{0, end, "ENDED:normal sound-", settling},
		},
		"a dialled call of an earlier process goes on": {
			{0, event{kind: evFound, calls: []call{{id: 1, stat: statAlerting, number: "06111"}}}, "RECOVERED:06111:false ALERTING", alerting},
			{0, begin, "sound+", connecting},
		},
		"a call that nobody of ours made is ended": {{0, clcc(false, statActive), "hangup0", ending}, {0, nobody, "", settling}},
		"a caller who never stops ringing is refused": {
			{0, ring, "list", ringing},
			{0, caller, "INCOMING:+393331234567", incoming},
			{179 * s, ring, "", incoming},
			{7 * s, tick, "hangup0", ending},
		},
	}
	for name, rows := range tests {
		t.Run(name, func(t *testing.T) {
			var st state
			now := time.Unix(1_000_000, 0)
			for i, r := range rows {
				now = now.Add(r.after)
				var acts []action
				st, acts = next(st, r.e, now, &timing, traits{sound: true})
				if got := words(acts); got != r.does || st.phase != r.phase {
					t.Fatalf("step %d: %q in %v, want %q in %v", i, got, st.phase, r.does, r.phase)
				}
			}
		})
	}
}

func TestLineWithoutAudioConnectsAtOnce(t *testing.T) {
	st := state{phase: answering, told: true, inbound: true}
	st, acts := next(st, begin, time.Now(), &timing, traits{})
	if got := words(acts); got != "CONNECTED" || st.phase != talking {
		t.Errorf("%q in %v", got, st.phase)
	}
}

// walk checks every action of one machine against what must always hold.
type walk struct {
	t                      *testing.T
	is                     traits
	st                     state
	now                    time.Time
	calls                  int // told and not ended
	ended, begun           int
	connected, sound       bool
	dialsAsked, dialsSaid  int
	answersAsked, answered int
	history                []string
}

func (w *walk) step(e event) {
	w.t.Helper()
	before := w.st
	var acts []action
	w.st, acts = next(w.st, e, w.now, &timing, w.is)
	w.history = append(w.history, fmt.Sprintf("%v --%d--> %v: %s", before.phase, e.kind, w.st.phase, words(acts)))
	for _, a := range acts {
		w.check(a)
	}
	if e.kind == evLost {
		w.sound = false // went with the modem
	}
	if w.st.phase != idle && w.st.deadline.IsZero() {
		w.fail("no exit by timeout from %v", w.st.phase)
	}
	if w.st.phase == idle && (w.st != state{}) {
		w.fail("an idle line remembers %+v", w.st)
	}
}

func (w *walk) fail(format string, args ...any) {
	w.t.Helper()
	n := max(0, len(w.history)-12)
	w.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(w.history[n:], "\n"))
}

func (w *walk) check(a action) {
	w.t.Helper()
	switch a.kind {
	case doSoundOn:
		if w.sound {
			w.fail("sound switched on twice")
		}
		w.sound = true
	case doSoundOff:
		if !w.sound {
			w.fail("sound switched off that was not on")
		}
		w.sound = false
	case doDialDone:
		w.dialsSaid++
	case doAnswerDone:
		w.answered++
	case doTell:
		w.tell(a.event)
	}
}

func (w *walk) tell(e line.Event) {
	w.t.Helper()
	first := e.Kind == line.Incoming || e.Kind == line.Proceeding || e.Kind == line.Recovered
	switch {
	case first && w.calls != 0:
		w.fail("a second call began")
	case first:
		w.calls, w.connected = 1, false
		w.begun++
	case w.calls == 0:
		w.fail("%s without a call", tellWord(e))
	case e.Kind == line.Ended:
		w.calls = 0
		w.ended++
	case e.Kind == line.Connected:
		if w.connected || !w.sound {
			w.fail("connected twice, or without sound")
		}
		w.connected = true
	case e.Kind == line.Digit && !w.connected:
		w.fail("a digit before Connected")
	}
}

func randomEvent(r *rand.Rand) event {
	kinds := []event{
		ring, caller, withheld, hangup, begin, end, carrier, soundOn, soundOff, tick, tick, nobody,
		dialedAs(accepted), dialedAs(busyTone), dialedAs(dropped), dialedAs(refused), dialedAs(noReply), dialedAs(unanswered),
		acceptedAs(accepted), acceptedAs(dropped), acceptedAs(refused), acceptedAs(noReply), hungUp(accepted), hungUp(refused),
		{kind: evBusy},
		{kind: evNoAnswer},
		{kind: evMissed},
		{kind: evDigit, digit: '1'},
		{kind: evReason},
		{kind: evKnock, number: "06222"},
		{kind: evHeard, heard: heardRingback},
		{kind: evHeard, heard: heardVoice},
		{kind: evHeard, heard: heardBusy},
		{kind: evEnd, cause: tel.CauseBusy},
		lost,
	}
	i := r.IntN(len(kinds) + 4)
	if i < len(kinds) {
		return kinds[i]
	}
	c := call{id: 1 + r.IntN(2), inbound: r.IntN(2) == 0, stat: callStat(r.IntN(7)), number: "06111"}
	switch i - len(kinds) {
	case 0:
		return event{kind: evFound, calls: []call{c}}
	case 1:
		return event{kind: evList, calls: []call{c}}
	default:
		return event{kind: evCall, call: c}
	}
}

func TestRandomWalksKeepThePromisesOfALine(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := &walk{t: t, now: time.Unix(1_000_000, 0), is: traits{sound: true, doubt: seed%2 == 1, knock: seed%4 > 1}}
		if seed%5 == 4 {
			w.is.weakEnd, w.is.look = 40*time.Second, 2*time.Second
		}
		for range 2000 {
			if r.IntN(3) == 0 {
				w.now = w.now.Add(time.Duration(r.IntN(4000)) * time.Millisecond)
			}
			switch k := r.IntN(12); {
			case k == 0 && w.dialsAsked == w.dialsSaid:
				w.dialsAsked++
				w.step(dial)
			case k == 1 && w.answersAsked == w.answered:
				w.answersAsked++
				w.step(answer)
			default:
				w.step(randomEvent(r))
			}
			if w.dialsSaid > w.dialsAsked || w.answered > w.answersAsked {
				w.fail("an outcome that nobody waits for")
			}
		}
		// Silence alone must lead back to idle, with everything settled.
		begin := w.now
		for w.st.phase != idle {
			w.now = w.st.deadline
			w.step(tick)
			if w.now.Sub(begin) > 5*time.Minute {
				w.fail("still %v after five minutes of silence", w.st.phase)
			}
		}
		if w.begun != w.ended || w.sound || w.dialsAsked != w.dialsSaid || w.answersAsked != w.answered {
			w.fail("%d calls began, %d ended; sound %v; dial %d/%d; answer %d/%d",
				w.begun, w.ended, w.sound, w.dialsSaid, w.dialsAsked, w.answered, w.answersAsked)
		}
	}
}

func TestEndIsBoundedFromEveryPhase(t *testing.T) {
	bound := timing.Rung[0] + timing.Rung[1] + timing.Rung[2]
	for p := ringing; p <= asking; p++ {
		now := time.Unix(1_000_000, 0)
		st := state{phase: p, told: true, since: now, deadline: now.Add(time.Second)}
		st, acts := next(st, hangup, now, &timing, traits{sound: true})
		start := now
		for !strings.Contains(words(acts), "ENDED") {
			if now = st.deadline; now.Sub(start) > bound {
				t.Fatalf("%v: no end after %v", p, bound)
			}
			st, acts = next(st, tick, now, &timing, traits{sound: true})
		}
	}
}
