package main_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var (
	roundsFlag = flag.Int("crash.rounds", 20, "how often the crash test kills prontod (soak: 200)")
	writesFlag = flag.Bool("crash.writes", true, "some of the kills fall right after a write of the hot journal, or in place of one")
	everyFlag  = flag.Int("crash.every", 4, "which of the kills do: each fourth one, or as said here")
	seedFlag   = flag.Uint64("crash.seed", 0, "of what happens in the crash test, and when; 0: another one each time")
)

func rounds() int {
	if testing.Short() {
		return 2
	}
	return *roundsFlag
}

// The changes of a round begin within changing; the kill falls anywhere in killing.
const (
	changing = 250 * time.Millisecond
	killing  = 400 * time.Millisecond
)

// An office with every state at once is killed again and again while calls are answered, ended, held, resumed and begun.
// The kill falls uniformly in time, and in each fourth round between a change and the message that depends on it, or between
// a message and the next change. Nobody redials, nobody is hung up on, nobody loses the place.
func TestCallsOutliveCrashes(t *testing.T) {
	fragile := fragileBench(t)
	began := time.Now()
	d := openDay(t, fragile, nil)
	opened := time.Since(began)
	for round := range rounds() {
		d.crash(round)
	}
	d.close()
	d.o.CallRecords(d.finished)
	judgeJournal(t, d.o)
	d.o.Alarm("books", false)
	d.gapsAreShort()
	t.Logf("%d crashes, %d of them at a write of the journal; a sequence wrapped before the kill or while nobody looked in %d rounds, after it in %d; %d changes of a call were said again; the queue stood in its order again after at most %v; opened in %.1f s, all in %.1f s",
		rounds(), d.died, rounds()-d.wrapsAfter, d.wrapsAfter, d.saidAgain.Load(), d.slowest.Round(time.Millisecond), opened.Seconds(), time.Since(began).Seconds())
	if t.Logf("%d calls were ended by BYE of the box, all of them by intent", d.byes); d.byes < 3*rounds() {
		t.Error("too few: in each round three calls are ended by their other party")
	}
	if due := rounds() / max(1, *everyFlag); *writesFlag && d.died < due/2 {
		t.Errorf("only %d of %d crashes fell between a change and its message", d.died, due)
	}
}

// gapsAreShort judges how long those heard nothing who must hear something.
func (d *day) gapsAreShort() {
	d.t.Helper()
	slices.Sort(d.gaps)
	p := func(percent int) time.Duration {
		return d.gaps[(len(d.gaps)-1)*percent/100].Round(time.Millisecond)
	}
	if d.t.Logf("%d gaps in received audio: p50 %v, p95 %v, longest %v", len(d.gaps), p(50), p(95), p(100)); p(95) > 3*time.Second {
		d.t.Errorf("one gap in twenty is longer than 3 s: %v", p(95))
	}
}

// crash is one round.
func (d *day) crash(round int) {
	t := d.t
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("round %d of seed %d", round+1, d.seed)
		}
	}()
	d.meet()
	inside := d.inside.dial("220")
	d.ringsInside = d.insideTo.ring()
	within(t, "who calls inside to hear it ring", inside.Ringing())
	before := d.orderly()
	for _, c := range d.unbroken() {
		c.Audio().Forget()
	}
	var dies func(time.Duration) bool
	if every := max(1, *everyFlag); *writesFlag && round%every == every-1 {
		at := d.o.DieAt
		if d.r.IntN(2) == 0 {
			at = d.o.DieBefore
		}
		dies = at(1 + d.r.IntN(24))
	}
	start := time.Now()
	changed := d.change(round)
	secret := d.inner[len(d.inner)-1].a.Audio()
	if dies != nil {
		if dies(killing) {
			d.died++
		}
	} else {
		time.Sleep(time.Duration(d.r.Int64N(int64(killing))))
		d.o.Kill()
	}
	if secret.Said() < toWrap { // the supervisor has started the next program by now
		d.wrapsAfter++
	}
	changed()
	d.moveOn()
	d.soundAgain(round, start)
	d.keptTheirPlaces(before, d.orderly())
	d.answerInside(inside)
	d.hearEachOther(round)
	d.leave(inside)
	if t.Failed() {
		t.FailNow()
	}
}

// change begins what happens in the round, each at a time of its own; the function that it returns waits until all of it
// is said.
func (d *day) change(round int) (wait func()) {
	old, held := d.talks[0], d.held[round%len(d.held)]
	var all sync.WaitGroup
	at := func(f func()) {
		pause := time.Duration(d.r.Int64N(int64(changing)))
		all.Go(func() { time.Sleep(pause); f() })
	}
	took := d.rings
	d.took, d.rings = took, nil
	at(func() { took.Answer() })
	if d.r.IntN(2) == 0 {
		at(old.a.Hangup)
	} else {
		at(old.b.Hangup)
	}
	at(func() {
		for _, on := range []bool{false, true} {
			if err := d.holds(held.b, on); err != nil {
				d.t.Errorf("hold %v at %s: %v", on, held.name, err)
			}
		}
	})
	at(func() { d.join() })
	if ring := d.ringsInside; d.r.IntN(2) == 0 {
		at(func() { ring.Answer() })
	}
	return all.Wait
}

// holds presses a phone's hold key. A change that was under way when the box died is answered by the next one with 500
// and Retry-After, and is said again (RFC 3261 sections 14.2 and 20.33).
func (d *day) holds(c *peer.Call, on bool) error {
	err := c.Hold(d.t.Context(), on)
	if err == nil || !strings.Contains(err.Error(), "500") {
		return err
	}
	d.saidAgain.Add(1)
	time.Sleep(time.Second) // what Retry-After asks for
	return c.Hold(d.t.Context(), on)
}

// moveOn waits until who was first in the queue talks, who talked longest is gone, and the next one rings.
func (d *day) moveOn() {
	d.t.Helper()
	old := d.talks[0]
	d.mayEnd(old.a, old.b)
	within(d.t, "the end of the longest talk at one side", old.a.Ended())
	within(d.t, "and at the other", old.b.Ended())
	d.finished++
	d.talks = append(slices.Clone(d.talks[1:]), d.serve(d.waiting[0]))
	d.waiting = d.waiting[1:]
}

// serve has the agents who ring for a customer pick up until the two talk: what was answered at the moment of the kill
// may not have been heard.
func (d *day) serve(w waiter) pair {
	d.t.Helper()
	at := d.took
	d.took = nil
	for deadline := time.Now().Add(2 * patience); ; {
		if at == nil || isOver(at) {
			if at != nil {
				d.mayEnd(at)
			}
			at = d.ringFor(w.number)
			at.Answer()
		}
		if !isOver(at) && isTalking(d.o, w.number) {
			return pair{w.number + " and " + at.Called, w.call, at, w.hz, agentHz(d.t, at)}
		}
		if time.Now().After(deadline) {
			n, err := d.o.Now()
			d.t.Fatalf("%s is not served: %+v, %v", w.number, n.Calls, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// ringFor is the phone that rings for a customer now.
func (d *day) ringFor(number string) *peer.Call {
	d.t.Helper()
	for timeout := time.After(patience); ; {
		d.rung = slices.DeleteFunc(d.rung, isOver)
		if i := slices.IndexFunc(d.rung, func(c *peer.Call) bool { return c.Caller == number }); i >= 0 {
			c := d.rung[i]
			d.rung = slices.Delete(d.rung, i, i+1)
			return c
		}
		select {
		case c := <-d.agents:
			d.rung = append(d.rung, c)
		case <-time.After(10 * time.Millisecond): // who rang may have been cancelled
		case <-timeout:
			n, err := d.o.Now()
			d.t.Fatalf("no phone rings for %s: offered are %+v, %v", number, n.Offers, err)
		}
	}
}

// unsettled is for how long a phone may be left out because nobody knows whether it rings: the life of its transaction
// (RFC 3261 section 17.1.1.2, Timer B), and some.
const unsettled = 32*time.Second + patience

// orderly waits until the office is as it is between two rounds, and tells how it stands.
func (d *day) orderly() pbxtest.Now {
	d.t.Helper()
	numbers := d.numbers()
	var n pbxtest.Now
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		var err error
		n, err = d.o.Now()
		if err == nil && slices.Equal(callers(n), numbers) && d.isOffered(n, numbers[0]) && n.Agents["agent213"].State == tel.AgentWrapUp && len(n.Callbacks) == 1 {
			d.slowest = max(d.slowest, time.Since(began))
			break
		}
		if time.Since(began) > unsettled {
			d.t.Fatalf("the queue is not in its order, with the first one ringing, and everything else as it was: %+v, %v", n, err)
		}
	}
	if d.rings == nil || isOver(d.rings) {
		d.rings = d.ringFor(numbers[0])
	}
	return n
}

// isOffered reports that an agent rings for the first in line and for nobody else of the queue.
func (d *day) isOffered(n pbxtest.Now, first string) bool {
	var to []tel.CallID
	for _, o := range n.Offers {
		if o.Queue == "sales" {
			to = append(to, o.Call)
		}
	}
	return len(to) == 1 && slices.ContainsFunc(n.Waits, func(w tel.QueueJoined) bool { return w.Call == to[0] && string(w.Caller) == first })
}

// callers are those who wait in the queue "sales", in their order.
func callers(n pbxtest.Now) []string {
	var all []string
	for _, w := range n.Waits {
		if w.Queue == "sales" {
			all = append(all, string(w.Caller))
		}
	}
	return all
}

// keptTheirPlaces compares who waited before and waits after, in every queue, and what else lasts longer than a round.
func (d *day) keptTheirPlaces(before, after pbxtest.Now) {
	d.t.Helper()
	was := map[tel.CallID]tel.QueueJoined{}
	for _, w := range before.Waits {
		was[w.Call] = w
	}
	last, talks := map[tel.QueueID]time.Time{}, map[tel.CallID]bool{}
	for _, c := range after.Calls {
		talks[c.Call] = c.Stage == tel.StageTalking
	}
	for _, w := range after.Waits {
		if w.At.Before(last[w.Queue]) {
			d.t.Errorf("%s came to %s %v and stands behind somebody who came %v", w.Caller, w.Queue, w.At, last[w.Queue])
		}
		last[w.Queue] = w.At
		if b, ok := was[w.Call]; ok {
			delete(was, w.Call)
			if !b.At.Equal(w.At) || b.Queue != w.Queue {
				d.t.Errorf("%s waited in %s since %v, waits in %s since %v", w.Caller, b.Queue, b.At, w.Queue, w.At)
			}
		}
	}
	served := 0
	for _, w := range was {
		if served++; !talks[w.Call] {
			d.t.Errorf("%s waited in %s since %v, and neither waits nor talks", w.Caller, w.Queue, w.At)
		}
	}
	if served == 0 {
		d.t.Error("nobody was served")
	}
	if b, a := before.Agents["agent213"], after.Agents["agent213"]; !a.Until.Equal(b.Until) || !a.Since.Equal(b.Since) {
		d.t.Errorf("the after-call work was %v to %v and is %v to %v", b.Since, b.Until, a.Since, a.Until)
	}
	if b, a := before.Callbacks[0], after.Callbacks[0]; a.Callback != b.Callback || !a.EnqueuedAt.Equal(b.EnqueuedAt) || a.Attempts != b.Attempts {
		d.t.Errorf("the callback was %+v and is %+v", b, a)
	}
}

// soundAgain waits until everybody who must hear something hears again, and notes the gaps.
func (d *day) soundAgain(round int, start time.Time) {
	d.t.Helper()
	back := time.Now()
	for _, c := range d.unbroken() {
		for c.Audio().Last().Before(back) {
			if isOver(c) {
				status, reason, byBox := c.Outcome()
				d.t.Fatalf("round %d: the call of %s to %s is over (%d %s, by the box: %v)", round+1, c.Caller, c.Called, status, reason, byBox)
			}
			if time.Since(start) > patience {
				d.t.Fatalf("round %d: the call of %s to %s is silent since %v", round+1, c.Caller, c.Called, time.Since(c.Audio().Last()))
			}
			time.Sleep(5 * time.Millisecond)
		}
		gap := c.Audio().Gap()
		if d.gaps = append(d.gaps, gap); gap > 5*time.Second {
			d.t.Errorf("round %d: the call of %s to %s heard nothing for %v", round+1, c.Caller, c.Called, gap)
		}
	}
}

// answerInside has the phone that rang through the crash answered. The next process cancels the INVITE of the one
// before and rings the phone anew, or lets an answer stand that it has heard of; the caller must not notice.
func (d *day) answerInside(caller *peer.Call) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if isOver(caller) {
			status, reason, _ := caller.Outcome()
			d.t.Fatalf("who heard it ring inside is turned away: %d %s", status, reason)
		}
		select {
		case again := <-d.insideTo.rings:
			d.mayEnd(d.ringsInside)
			d.ringsInside = again
		default:
		}
		if !isOver(d.ringsInside) {
			d.ringsInside.Answer()
			select {
			case <-caller.Answered():
				if !isOver(d.ringsInside) {
					return
				}
			default:
			}
		}
		if time.Now().After(deadline) {
			d.t.Fatal("the phone that rang inside does not ring any more")
		}
	}
}

// hearEachOther judges what everybody hears after the crash, all in the same window.
func (d *day) hearEachOther(round int) {
	d.t.Helper()
	var voices []int
	talks := append(slices.Clone(d.talks), d.inner...)
	for _, p := range talks {
		voices = append(voices, p.hzA, p.hzB)
	}
	whispered := d.whispered()
	settles(d.t, fmt.Sprintf("round %d", round+1), func() error {
		all := d.unbroken()
		hearing(append(all, whispered)...)
		var wrong []error
		for _, p := range talks {
			wrong = append(wrong,
				each(p.name+": first party", tone.Heard(p.a.Audio().Heard(), p.hzB, tone.Others(voices, p.hzB)...)),
				each(p.name+": second party", tone.Heard(p.b.Audio().Heard(), p.hzA, tone.Others(voices, p.hzA)...)))
		}
		for _, p := range d.held {
			wrong = append(wrong, each(p.name+", who is held", ear{p.name, p.a, musicHeard}.judge()))
		}
		for _, w := range d.waiting {
			if n := w.call.Audio().Packets(); n < 25 {
				wrong = append(wrong, fmt.Errorf("%s, who waits, got %d packets", w.number, n))
			}
		}
		return errors.Join(append(wrong, each("who is whispered to", tone.Heard(whispered.Audio().Heard(), hzName, voices...)))...)
	}, append(d.unbroken(), whispered)...)
}

// leave ends the calls of this round alone, and looks whether the box has denied any call.
func (d *day) leave(inside *peer.Call) {
	d.t.Helper()
	inside.Hangup()
	within(d.t, "the end inside", d.ringsInside.Ended())
	secret := d.inner[len(d.inner)-1]
	d.inner = d.inner[:len(d.inner)-1]
	secret.a.Hangup()
	within(d.t, "the end of the secret talk", secret.b.Ended())
	d.finished += 2
	if n := secret.a.Audio().Forged(); n > 0 {
		d.t.Errorf("%d packets were not encrypted as agreed", n)
	}
	d.mayEnd(inside, d.ringsInside, secret.a, secret.b)
	d.deniedNobody()
}

// Without the page's port a started prontod would refuse to run, and calls with it.
func TestNobodyTakesThePagesPortDuringACrash(t *testing.T) {
	o := bench.Start(t, pbxtest.Setup{Agents: 1})
	stop, taken := make(chan struct{}), make(chan int, 1)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				taken <- n
				return
			default:
			}
			if l, err := net.Listen("tcp", o.Web); err == nil {
				n++
				_ = l.Close()
			}
		}
	}()
	o.Kill()
	o.Until("the page", func(pbxtest.Now) bool { return true })
	close(stop)
	if n := <-taken; n > 0 {
		t.Errorf("another program could take %s %d times", o.Web, n)
	}
}

// agentHz is the tone of the phone that a call has reached.
func agentHz(t *testing.T, c *peer.Call) int {
	t.Helper()
	var phone int
	if _, err := fmt.Sscan(strings.TrimPrefix(c.Called, "sip:"), &phone); err != nil {
		t.Fatal(err)
	}
	return phoneHz(phone)
}

func newSeed() uint64 {
	if *seedFlag != 0 {
		return *seedFlag
	}
	return rand.Uint64()
}
