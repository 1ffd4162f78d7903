package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// pair is two parties who talk.
type pair struct {
	name     string
	a, b     *peer.Call // customer and agent, or who called and who was called
	hzA, hzB int
}

// waiter is a customer in the queue.
type waiter struct {
	call   *peer.Call
	number string
	hz     int
}

// How many of each state the office of the crash test holds.
const (
	queueTalks = 8 // and two inside, one over TCP and one encrypted: ten
	heldTalks  = 2
	waitTalks  = 20 // beside the one for whom a phone rings
)

// The phones of the crash test: 201 to 211 are the agents of "sales", who talk, hold and ring; 212 is whispered to, 213
// does after-call work, 214 calls back when he comes to work; 215 over TCP talks to 216, 217 in SRTP to 218, 219 rings
// 220; SIPp at 221 and baresip over TCP at 222 wait where 214 works. Customers come through the carrier.
const salesAgents = 11

// day is that office.
type day struct {
	t        *testing.T
	o        *pbxtest.Office
	seed     uint64
	r        *rand.Rand
	carrier  *desk
	inside   *desk // 219, who calls 220
	insideTo *desk
	secret   *desk // 217
	secretTo *desk
	back     *desk // 214
	peers    map[string]*peer.Peer

	agents      chan *peer.Call // what rings at the agents of sales
	rung        []*peer.Call    // of it, what was looked at and not answered
	rings       *peer.Call      // the phone that rings for the first in the queue
	took        *peer.Call      // the same, once it was answered
	ringsInside *peer.Call      // at 220

	talks    []pair // with customers, the longest first
	inner    []pair // between colleagues
	held     []pair
	vip      *peer.Call // the customer for whom an agent is whispered to
	waiting  []waiter
	sipp     *pbxtest.SIPp
	baresip  *pbxtest.Baresip
	called   int // customers so far
	finished int // records that must exist
	gaps     []time.Duration
	died     int // crashes right after a write
	byes     int // that were looked at

	saidAgain  atomic.Int64
	slowest    time.Duration // until the queue stood in its order again
	wrapsAfter int           // rounds in which the encrypted sequence wraps after the crash

	mu        sync.Mutex      // guards what follows
	whisperTo *peer.Call      // at 212, the latest
	meant     map[string]bool // calls that the box may end by BYE, by their Call-IDs
}

// mayEnd notes that it is right when the box ends these calls: the other party has hung up, or the process that they had
// answered died before it heard of that.
func (d *day) mayEnd(calls ...*peer.Call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range calls {
		d.meant[c.ID()] = true
	}
}

// deniedNobody judges what reached the telephones and the carrier on the wire: no BYE but ours by intent, and no 481.
func (d *day) deniedNobody() {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byes = 0
	for name, p := range d.peers {
		if n := p.Told(481); n > 0 {
			d.t.Errorf("%s was told %d times that there is no such call", name, n)
		}
		for _, id := range p.Byes() {
			if d.byes++; !d.meant[id] {
				d.t.Errorf("%s was hung up on: %s", name, id)
			}
		}
	}
}

// toWrap is after how many packets both sequences of the encrypted talk wrap, 20 ms each: before the kill, after it, or
// while nobody looks.
const toWrap = 16

// phoneHz is the tone of a phone, customerHz that of a customer, which nobody else in the talks has. Around 2100 Hz
// answering machines for data are (V.25).
func phoneHz(phone int) int { return 440 + (phone-201)*50 }

func customerHz(n int) int { return 1560 + n%16*60 + n%16/8*240 }

const crashQueues = `{id: vip, name: Vip, number: "401", agents: [agent212], ring: 2m, wrap_up: 0s, waiting: {whisper: "prompt:name"}}
{id: post, name: Post, number: "402", agents: [agent213], wrap_up: 1h}
{id: back, name: Back, number: "403", agents: [agent214], ring: 2m, wrap_up: 0s, waiting: {callback: {key: "1", after: 10s, gap: 30s}}}`

// openDay brings every state up.
func openDay(t *testing.T, programs *pbxtest.Bench, before func(dir string)) *day {
	t.Helper()
	seed := newSeed()
	t.Logf("seed %d", seed)
	d := &day{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 0)), agents: make(chan *peer.Call, 64), peers: map[string]*peer.Peer{}, meant: map[string]bool{}}
	srtp := make([]string, 22)
	for i := range srtp {
		srtp[i] = "off"
	}
	srtp[16] = "required"
	d.o = programs.Start(t, pbxtest.Setup{
		Agents: 22, LoggedIn: 13, Carrier: 5070, Ring: 2 * time.Minute, SRTP: srtp, LongestPause: 50 * time.Millisecond,
		Apart: []int{212, 213, 214, 215, 216, 217, 218, 219, 220, 221, 222}, Queue: "waiting: {greeting: [none]}",
		Queues: strings.Split(crashQueues, "\n"), Extra: "prompts: {list: [{id: name, name: Name, number: \"1\"}]}\n",
		Numbers: `"+390612345679": "queue:vip", "+390612345680": "queue:back"`,
		Routes:  `{prefix: "+39333", via: ["trunk:carrier"]}`,
		Before: func(dir string) {
			if before != nil {
				before(dir)
			}
			longPrompt(t, dir)
		},
		After: func(dir string) {
			if before != nil { // gave it disks of its own
				for _, at := range []string{filepath.Join(dir, "run"), dir} {
					if err := unix.Unmount(at, 0); err != nil {
						t.Errorf("unmount: %v: something still holds the disk", err)
					}
				}
			}
		},
	})
	d.agentsComeToWork()
	d.peopleTalkInside()
	d.customersTalkAndWait()
	d.others()
	return d
}

// longPrompt is the whisper: longer than a round.
func longPrompt(t *testing.T, dir string) {
	path := filepath.Join(dir, "voicemail", "prompt", "name.wav")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, tone.WAV(tone.Sine(hzName, 90*tone.Rate)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// at is a phone of the office, rings and all.
func (d *day) at(number int, cfg peer.Config) *desk {
	d.t.Helper()
	k := &desk{t: d.t, hz: phoneHz(number), rings: make(chan *peer.Call, 8)}
	cfg.Listen, cfg.Box, cfg.User, cfg.Password = netip.MustParseAddrPort("127.0.0.1:0"), d.o.SIP, strconv.Itoa(number), pbxtest.Password(number)
	cfg.Law, cfg.Hz = tone.ALaw, k.hz
	if cfg.Incoming == nil {
		cfg.Incoming = func(c *peer.Call) { c.Ring(); k.rings <- c }
	}
	var err error
	if k.Peer, err = peer.New(cfg); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(k.Close)
	if _, err := k.Register(d.t.Context(), time.Hour); err != nil {
		d.t.Fatal(err)
	}
	d.o.Phone(number)
	d.peers[strconv.Itoa(number)] = k.Peer
	return k
}

func (d *day) agentsComeToWork() {
	d.t.Helper()
	for n := range salesAgents {
		d.at(201+n, peer.Config{Incoming: func(c *peer.Call) { c.Ring(); d.agents <- c }})
		d.o.Lamp(201+n, tel.AgentReady)
	}
	d.at(212, peer.Config{Incoming: func(c *peer.Call) {
		c.Ring()
		d.mayEnd(c) // each crash cuts the whisper, and the agent is called again
		d.mu.Lock()
		d.whisperTo = c
		d.mu.Unlock()
		c.Answer()
	}})
	d.carrier = carrierOf(d.t, d.o, 0)
	d.peers["the carrier"] = d.carrier.Peer
}

// peopleTalkInside are the phones that no queue reaches.
func (d *day) peopleTalkInside() {
	d.t.Helper()
	over, under := d.at(215, peer.Config{TCP: true}), d.at(216, peer.Config{})
	a, b := connected(d.t, over, under, "216")
	d.inner = append(d.inner, pair{"colleagues, one over TCP", a, b, over.hz, under.hz})
	d.secret, d.secretTo = d.at(217, peer.Config{SRTP: true, First: 1<<16 - toWrap}), d.at(218, peer.Config{First: 1<<16 - toWrap})
	d.inside, d.insideTo = d.at(219, peer.Config{}), d.at(220, peer.Config{})
}

// meet begins the encrypted talk of a round.
func (d *day) meet() {
	d.t.Helper()
	a, b := connected(d.t, d.secret, d.secretTo, "218")
	d.inner = append(d.inner, pair{"colleagues, one encrypted", a, b, d.secret.hz, d.secretTo.hz})
}

// customersTalkAndWait fills the queue: the first two are held, eight talk, one rings, twenty wait.
func (d *day) customersTalkAndWait() {
	d.t.Helper()
	for n := range heldTalks + queueTalks {
		p := d.serve(d.customer())
		if n < heldTalks {
			hold(d.t, p.b, true)
			d.held = append(d.held, p)
		} else {
			d.talks = append(d.talks, p)
		}
	}
	for range 1 + waitTalks {
		d.join()
		d.o.Until("the queue in its order", func(n pbxtest.Now) bool { return slices.Equal(callers(n), d.numbers()) })
	}
}

// customer calls the queue through the carrier.
func (d *day) customer() waiter {
	d.t.Helper()
	w := waiter{number: fmt.Sprintf("+39333%07d", 1000000+d.called), hz: customerHz(d.called)}
	d.called++
	w.call = d.carrier.call(peer.Outgoing{To: pbxtest.DID, From: w.number, Hz: w.hz})
	return w
}

// join adds a customer to the end of the queue.
func (d *day) join() { d.t.Helper(); d.waiting = append(d.waiting, d.customer()) }

func (d *day) numbers() (all []string) {
	for _, w := range d.waiting {
		all = append(all, w.number)
	}
	return all
}

// others are the whisper, the after-call work, the callback, and who waits with a real telephone.
func (d *day) others() {
	t, o := d.t, d.o
	t.Helper()
	post := d.at(213, peer.Config{})
	o.Lamp(213, tel.AgentReady)
	c, at := connected(t, d.inside, post, "402")
	o.Lamp(213, tel.AgentTalking)
	d.mayEnd(c, at)
	over(t, c, at)
	o.Lamp(213, tel.AgentWrapUp)

	asks := d.carrier.call(peer.Outgoing{To: "+390612345680", From: mobileNumber})
	d.mayEnd(asks)
	listen(t, "who asks for a callback", asks)
	asks.Audio().Press("1")
	agrees(t, asks)
	d.finished += 2
	o.Until("the callback", func(n pbxtest.Now) bool { return len(n.Callbacks) == 1 })

	d.vip = d.carrier.call(peer.Outgoing{To: "+390612345679", From: "+390298765432"})
	hearsTone(t, "the agent who is whispered to", d.whispered(), hzName)

	d.back = d.at(214, peer.Config{})
	if testing.Short() {
		return
	}
	waits := func(n int) {
		o.Until("those with real telephones to wait", func(now pbxtest.Now) bool {
			in := 0
			for _, w := range now.Waits {
				if w.Queue == "back" {
					in++
				}
			}
			return in == n
		})
	}
	d.sipp = o.SIPpPhone(221, pbxtest.Password(221)).RunFor(t, time.Minute+time.Duration(rounds())*20*time.Second, "testdata/crash/waits.xml", map[string]string{"callee": "403"})
	waits(1)
	d.baresip = o.BaresipTCP(222, hzModem)
	d.baresip.Dial("403")
	d.baresip.Until("CALL_ESTABLISHED")
	waits(2)
}

// whispered is the call at 212, which is being told who waits.
func (d *day) whispered() *peer.Call {
	d.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		d.mu.Lock()
		c := d.whisperTo
		d.mu.Unlock()
		if c != nil && !isOver(c) {
			select {
			case <-c.Answered():
				return c
			default:
			}
		}
		if time.Now().After(deadline) {
			d.t.Fatal("nobody is whispered to")
		}
	}
}

// unbroken are the calls that must not fall silent, whatever changes in a round but the end of the longest talk.
func (d *day) unbroken() []*peer.Call {
	all := []*peer.Call{d.vip}
	for _, w := range d.waiting {
		all = append(all, w.call)
	}
	for _, p := range d.held {
		all = append(all, p.a)
	}
	for _, p := range append(slices.Clone(d.talks), d.inner...) {
		all = append(all, p.a, p.b)
	}
	return all
}

// close lets the day end: who asked for it is called back, once, then those with real telephones are served in their
// order.
func (d *day) close() {
	t, o := d.t, d.o
	t.Helper()
	whispered := d.whispered()
	d.vip.Hangup()
	within(t, "the end of the whisper", whispered.Ended())
	d.finished++
	o.Phone(214)
	back := d.back
	back.code("*41")
	d.finished++ // the code is a call as well
	at := back.ring()
	if at.Caller != mobileNumber {
		t.Errorf("%s is called back", at.Caller)
	}
	at.Answer()
	out := d.carrier.ring()
	if out.Called != mobileNumber {
		t.Errorf("%s is called", out.Called)
	}
	out.Answer()
	o.Lamp(214, tel.AgentTalking)
	over(t, out, at)
	d.finished++
	if d.sipp != nil {
		at = back.picksUp()
		o.Lamp(214, tel.AgentTalking)
		at.Hangup()
		d.sipp.Wait()
		at = back.picksUp()
		o.Lamp(214, tel.AgentTalking)
		at.Hangup()
		d.baresip.Until("CALL_CLOSED")
		d.finished += 2
	}
	d.carrier.quiet("everybody was called back")
}
