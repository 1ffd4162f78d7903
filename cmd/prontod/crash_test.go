//go:build !soak

package main_test

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// pair is two parties who talk.
type pair struct {
	name     string
	a, b     *peer.Call
	hzA, hzB int
}

// day is the office of the crash test: four talks with customers, one between colleagues, four
// customers who wait, one phone that rings. Each party has a tone of its own.
type day struct {
	t       *testing.T
	o       *pbxtest.Office
	carrier *peer.Peer
	caller  *peer.Peer // phone 207, who calls 208

	mu    sync.Mutex            // guards taken
	taken map[string]*peer.Call // what agents answered, by the customer's number

	talks    []pair
	waiting  []*peer.Call
	numbers  []string // of the waiting
	called   int      // customers so far
	finished int      // records that must exist
	rings    chan *peer.Call
	gaps     []time.Duration
	up       time.Time // when the box was started last
}

// hz gives each customer a tone that nobody else on the phone has at that time.
func customerHz(n int) int { return 1500 + n%12*120 }

func customerNumber(n int) string { return fmt.Sprintf("+39333%07d", 1000000+n) }

var roundsFlag = flag.Int("crash.rounds", 20, "how often the crash test kills prontod (soak: 200)")

// rounds of the crash test: as many as the issue asks for.
func rounds() int {
	if testing.Short() {
		return 3
	}
	return *roundsFlag
}

func TestCallsOutliveTwentyCrashes(t *testing.T) {
	o := bench.Start(t, pbxtest.Setup{Agents: 8, LoggedIn: 4, Carrier: 5070})
	d := &day{t: t, o: o, taken: map[string]*peer.Call{}, rings: make(chan *peer.Call, 4)}
	d.open()
	for round := range rounds() {
		d.crash(round)
		if t.Failed() {
			t.Fatalf("round %d failed", round+1)
		}
	}
	judgeJournal(t, o)
	o.Alarm("books", false)
	slices.Sort(d.gaps)
	p := func(percent int) time.Duration {
		return d.gaps[(len(d.gaps)-1)*percent/100].Round(time.Millisecond)
	}
	t.Logf("%d crashes, %d gaps in received audio: p50 %v, p95 %v, longest %v", rounds(), len(d.gaps), p(50), p(95), p(100))
}

func (d *day) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *day) await(what string, ch <-chan struct{}) {
	d.t.Helper()
	select {
	case <-ch:
	case <-time.After(10 * time.Second):
		d.t.Fatalf("waited in vain for %s", what)
	}
}

// open brings ten calls up.
func (d *day) open() {
	t, o := d.t, d.o
	for n := 201; n <= 204; n++ {
		phone(t, o, n, agentHz(n), func(c *peer.Call) {
			c.Ring()
			d.mu.Lock()
			d.taken[c.Caller] = c
			d.mu.Unlock()
			c.Answer()
		})
		o.Lamp(n, tel.AgentReady)
	}
	colleague := make(chan *peer.Call, 1)
	anna := phone(t, o, 205, 440, nil)
	phone(t, o, 206, 520, func(c *peer.Call) { c.Answer(); colleague <- c })
	d.caller = phone(t, o, 207, 600, nil)
	phone(t, o, 208, 680, func(c *peer.Call) { c.Ring(); d.rings <- c })
	var err error
	d.carrier, err = peer.New(peer.Config{Listen: netip.AddrPortFrom(o.Carrier, o.CarrierPort), Box: o.SIP, Law: tone.ALaw})
	d.must(err)
	t.Cleanup(d.carrier.Close)
	for range 4 {
		c, number, hz := d.customer()
		d.talks = append(d.talks, d.answered(c, number, hz))
	}
	c, err := anna.Dial(peer.Outgoing{To: "206"})
	d.must(err)
	d.await("the colleague's answer", c.Answered())
	d.talks = append(d.talks, pair{"colleagues", c, <-colleague, 440, 520})
	for range 4 {
		d.join()
	}
}

func agentHz(phone int) int { return 760 + (phone-201)*80 }

// customer calls the queue through the carrier.
func (d *day) customer() (c *peer.Call, number string, hz int) {
	d.t.Helper()
	number, hz = customerNumber(d.called), customerHz(d.called)
	d.called++
	c, err := d.carrier.Dial(peer.Outgoing{To: pbxtest.DID, From: number, Hz: hz})
	d.must(err)
	return c, number, hz
}

// join adds a customer to the end of the queue.
func (d *day) join() {
	d.t.Helper()
	c, number, _ := d.customer()
	d.waiting, d.numbers = append(d.waiting, c), append(d.numbers, number)
	d.o.Until(number+" to wait", func(n pbxtest.Now) bool { return slices.Equal(callers(n), d.numbers) })
	c.Audio().Forget()
	for deadline := time.Now().Add(patience); c.Audio().Packets() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("%s hears no music", number)
		}
	}
}

func callers(n pbxtest.Now) []string {
	var all []string
	for _, w := range n.Waits {
		all = append(all, string(w.Caller))
	}
	return all
}

// answered waits until an agent talks with that customer.
func (d *day) answered(c *peer.Call, number string, hz int) pair {
	d.t.Helper()
	d.await(number+" to be connected", c.Answered())
	var agent *peer.Call
	for deadline := time.Now().Add(10 * time.Second); agent == nil; time.Sleep(10 * time.Millisecond) {
		d.mu.Lock()
		agent = d.taken[number]
		d.mu.Unlock()
		if time.Now().After(deadline) {
			d.t.Fatalf("no agent took %s", number)
		}
	}
	d.await("the agent's answer to "+number, agent.Answered())
	var phone int
	if _, err := fmt.Sscan(agent.Called, &phone); err != nil {
		d.t.Fatal(err)
	}
	return pair{number + " and " + agent.Called, c, agent, hz, agentHz(phone)}
}

// all are the calls that must not fall silent.
func (d *day) all() []*peer.Call {
	all := slices.Clone(d.waiting)
	for _, p := range d.talks {
		all = append(all, p.a, p.b)
	}
	return all
}

// crash is one round: kill, look at everything, and move the day on by one call.
func (d *day) crash(round int) {
	t, o := d.t, d.o
	t.Helper()
	ringing, err := d.caller.Dial(peer.Outgoing{To: "208"})
	d.must(err)
	d.await("208 to ring", ringing.Ringing())
	rings := <-d.rings
	before := o.Until("the queue", func(n pbxtest.Now) bool { return slices.Equal(callers(n), d.numbers) })
	for _, c := range d.all() {
		c.Audio().Forget()
	}
	// Crashing again within 3 s would be a crash loop, in which the supervisor rightly waits longer.
	time.Sleep(time.Until(d.up.Add(3200 * time.Millisecond)))
	start := time.Now()
	o.Kill()
	d.up = time.Now()
	d.soundAgain(round, start)
	after := o.Until("the same queue", func(n pbxtest.Now) bool { return slices.Equal(callers(n), d.numbers) })
	for i := range before.Waits {
		if b, a := before.Waits[i], after.Waits[i]; a.Call != b.Call || !a.At.Equal(b.At) {
			t.Errorf("round %d: place %d was %s since %v, is %s since %v", round, i, b.Call, b.At, a.Call, a.At)
		}
	}
	d.hearEachOther(round)
	d.answerRinging(ringing, rings)
	d.moveOn()
	o.CallRecords(d.finished)
}

// soundAgain waits until every talking and waiting call hears again, and notes the gaps.
func (d *day) soundAgain(round int, start time.Time) {
	d.t.Helper()
	d.o.Until("the box after the crash", func(pbxtest.Now) bool { return true })
	back := time.Now()
	for _, c := range d.all() {
		for c.Audio().Last().Before(back) {
			if time.Since(start) > 10*time.Second {
				d.t.Fatalf("round %d: call of %s to %s is silent since %v", round, c.Caller, c.Called, time.Since(c.Audio().Last()))
			}
			time.Sleep(5 * time.Millisecond)
		}
		gap := c.Audio().Gap()
		if d.gaps = append(d.gaps, gap); gap > 3*time.Second {
			d.t.Errorf("round %d: call of %s to %s heard nothing for %v", round, c.Caller, c.Called, gap)
		}
	}
}

// hearEachOther judges the sound of the talks after the crash.
func (d *day) hearEachOther(round int) {
	d.t.Helper()
	var tones []int
	for _, p := range d.talks {
		tones = append(tones, p.hzA, p.hzB)
	}
	settles(d.t, fmt.Sprintf("round %d", round), func() error {
		hearing(d.all()...)
		var wrong []error
		for _, p := range d.talks {
			wrong = append(wrong,
				each(p.name+": first party", tone.Heard(p.a.Audio().Heard(), p.hzB, tone.Others(tones, p.hzB)...)),
				each(p.name+": second party", tone.Heard(p.b.Audio().Heard(), p.hzA, tone.Others(tones, p.hzA)...)))
		}
		for i, c := range d.waiting {
			if n := c.Audio().Packets(); n < 25 {
				wrong = append(wrong, fmt.Errorf("waiting caller %d got %d packets", i, n))
			}
		}
		return errors.Join(wrong...)
	}, d.all()...)
}

// answerRinging lets the phone that rang through the crash be answered. The next process cancels the INVITE of the
// one before and rings the phone anew, but the caller must not notice.
func (d *day) answerRinging(caller, callee *peer.Call) {
	d.t.Helper()
	d.await("the end of the first ringing", callee.Ended())
	select {
	case callee = <-d.rings:
	case <-time.After(patience):
		d.t.Fatal("the phone that rang during the crash stopped ringing")
	}
	select {
	case <-caller.Ended():
		status, reason, _ := caller.Outcome()
		d.t.Fatalf("the caller who heard ringing during the crash was turned away: %d %s", status, reason)
	default:
	}
	callee.Answer()
	d.await("the answer to the call that rang during the crash", caller.Answered())
	eachHears(d.t, "the call that rang", []int{600, 680}, caller, 600, callee, 680)
	caller.Hangup()
	d.await("the end of the call that rang", callee.Ended())
	d.finished++
}

// moveOn ends the oldest talk with a customer: the first in the queue must be the next, and somebody
// new joins at the end.
func (d *day) moveOn() {
	d.t.Helper()
	old := d.talks[0]
	old.a.Hangup()
	d.await("the agent's end", old.b.Ended())
	d.finished++
	next, number := d.waiting[0], d.numbers[0]
	var n int
	if _, err := fmt.Sscanf(number, "+39333%d", &n); err != nil {
		d.t.Fatal(err)
	}
	p := d.answered(next, number, customerHz(n-1000000))
	d.talks = slices.Concat(d.talks[1:4], []pair{p}, d.talks[4:])
	d.waiting, d.numbers = d.waiting[1:], d.numbers[1:]
	d.join()
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
