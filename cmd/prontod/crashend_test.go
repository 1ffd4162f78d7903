package main_test

import (
	"fmt"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// farewell is one way in which calls end. begin brings up as many as records says; end has the peers hang up.
type farewell struct {
	name    string
	records int
	begin   func(f *farewells) []*peer.Call
	end     func(all []*peer.Call)
	refuses bool // who is rung for it again refuses again
}

// farewells is the office in which they happen.
type farewells struct {
	t                        *testing.T
	o                        *pbxtest.Office
	anna, bruno, carla, dora *desk // 201 is the agent, 203 speaks TCP, 204 does not answer
	carrier                  *desk
	n                        int // customers so far
	deaths, records          int
}

func (f *farewells) customer() *peer.Call {
	f.n++
	return f.carrier.customer(number(f.n % 100))
}

// served is a customer who talks to the agent.
func (f *farewells) served() []*peer.Call {
	f.t.Helper()
	f.o.Lamp(201, tel.AgentReady)
	c := f.customer()
	at := f.ringsAtTheAgent()
	at.Answer()
	within(f.t, "the answer", at.Answered())
	within(f.t, "the answer at the customer's", c.Answered())
	f.o.Lamp(201, tel.AgentTalking)
	return []*peer.Call{c, at}
}

// ringsAtTheAgent is the call that rings there next. A phone whose refusal was acknowledged the moment before the box died
// has nothing more to say of its INVITE: it is left out until that is dead.
func (f *farewells) ringsAtTheAgent() *peer.Call {
	f.t.Helper()
	select {
	case c := <-f.anna.rings:
		return c
	case <-time.After(unsettled):
		f.t.Fatal("nobody is rung")
		return nil
	}
}

// consults is a customer on hold while the agent asks a colleague.
func (f *farewells) consults() []*peer.Call {
	f.t.Helper()
	all := f.served()
	hold(f.t, all[1], true)
	a, b := connected(f.t, f.anna, f.bruno, "202")
	f.inStage(tel.StageTalking, 2)
	return append(all, a, b)
}

func (f *farewells) talk(from, to *desk, number string) []*peer.Call {
	f.t.Helper()
	a, b := connected(f.t, from, to, number)
	f.inStage(tel.StageTalking, 1)
	return []*peer.Call{a, b}
}

// rung is a call that rings at a phone where nobody answers.
func (f *farewells) rung() []*peer.Call {
	f.t.Helper()
	a := f.bruno.dial("204")
	within(f.t, "ringing", a.Ringing())
	at := f.dora.ring()
	f.inStage(tel.StageRinging, 1)
	return []*peer.Call{a, at}
}

// inStage waits until the box knows of so many calls in a stage: what they take to get there is on record then.
func (f *farewells) inStage(stage tel.CallStage, calls int) {
	f.t.Helper()
	f.o.Until(fmt.Sprintf("%d calls to be %v", calls, stage), func(n pbxtest.Now) bool {
		in := 0
		for _, c := range n.Calls {
			if c.Stage == stage {
				in++
			}
		}
		return in == calls
	})
}

func hangUp(which ...int) func([]*peer.Call) {
	return func(all []*peer.Call) {
		for _, i := range which {
			all[i].Hangup()
		}
	}
}

var allFarewells = []farewell{
	{"the customer hangs up", 1, (*farewells).served, hangUp(0), false},
	{"the agent hangs up", 1, (*farewells).served, hangUp(1), false},
	{"both hang up", 1, (*farewells).served, hangUp(0, 1), false},
	{"who is held hangs up", 1, func(f *farewells) []*peer.Call { all := f.served(); hold(f.t, all[1], true); return all }, hangUp(0), false},
	{"who holds hangs up", 1, func(f *farewells) []*peer.Call { all := f.served(); hold(f.t, all[1], true); return all }, hangUp(1), false},
	{"the agent hangs up customer and colleague", 2, (*farewells).consults, hangUp(1, 2), false},
	{"customer and colleague hang up", 2, (*farewells).consults, hangUp(0, 3), false},
	{"the customer gives up while it rings", 1, func(f *farewells) []*peer.Call {
		f.o.Lamp(201, tel.AgentReady)
		c := f.customer()
		within(f.t, "the answer of the queue", c.Answered())
		at := f.ringsAtTheAgent()
		f.inStage(tel.StageRinging, 1)
		return []*peer.Call{c, at}
	}, hangUp(0), false},
	{"a caller cancels", 1, (*farewells).rung, hangUp(0), false},
	{"who is called refuses", 1, (*farewells).rung, func(all []*peer.Call) { all[1].Reject(486) }, true},
	{"a phone over TCP hangs up", 1, func(f *farewells) []*peer.Call { return f.talk(f.carla, f.bruno, "202") }, hangUp(0), false},
	{"the other end of a phone over TCP hangs up", 1, func(f *farewells) []*peer.Call { return f.talk(f.carla, f.bruno, "202") }, hangUp(1), false},
	{"who was called over TCP hangs up", 1, func(f *farewells) []*peer.Call { return f.talk(f.bruno, f.carla, "203") }, hangUp(1), false},
	{"who called a phone over TCP hangs up", 1, func(f *farewells) []*peer.Call { return f.talk(f.bruno, f.carla, "203") }, hangUp(0), false},
	{"who called outside hangs up", 1, func(f *farewells) []*peer.Call { return f.talk(f.bruno, f.carrier, "0698765432") }, hangUp(0), false},
	{"who was called outside hangs up", 1, func(f *farewells) []*peer.Call { return f.talk(f.bruno, f.carrier, "0698765432") }, hangUp(1), false},
}

// At whichever write of its journal the box dies while calls end, right after it or in place of it (each second write, by
// turns; in the soak each write in both ways): every party learns that its call is over, nobody who hangs up is told that there is no such call, and each
// call is one record.
func TestEveryPartyLearnsOfTheEndAtWhicheverWriteTheBoxDies(t *testing.T) {
	t.Parallel()
	began := time.Now()
	o := fragileBench(t).Start(t, pbxtest.Setup{Agents: 4, LoggedIn: 1, Carrier: 5070, LongestPause: 50 * time.Millisecond, Queue: "waiting: {greeting: [none]}"})
	f := &farewells{
		t: t, o: o, anna: deskAt(t, o, 201, hzAgent), bruno: deskAt(t, o, 202, hzCaller), dora: deskAt(t, o, 204, hzStranger),
		carla: overTCP(t, o, 203, hzModem), carrier: carrierOf(t, o, hzCarrier),
	}
	for i, way := range allFarewells {
		if testing.Short() && i%5 > 0 {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			f.t = t
			f.dies(way, i)
		})
		if t.Failed() {
			t.FailNow()
		}
	}
	o.CallRecords(f.records)
	for name, d := range map[string]*desk{"201": f.anna, "202": f.bruno, "203": f.carla, "204": f.dora, "the carrier": f.carrier} {
		for _, status := range []int{481, 500} {
			if told := d.Told(status); told > 0 {
				t.Errorf("%s was told %d times %d", name, told, status)
			}
		}
	}
	t.Logf("%d deaths in %d calls, in %.1f s", f.deaths, f.records, time.Since(began).Seconds())
}

// dies has the box die while calls end in one way, until they take fewer writes.
func (f *farewells) dies(way farewell, i int) {
	f.t.Helper()
	write, deaths := 0, 0
	for died := true; died; {
		write++
		for n, at := range []func(int) func(time.Duration) bool{f.o.DieAt, f.o.DieBefore} {
			if soak := rounds() > 20; !soak && write > 1 && (write+i)%2+2*(write/2%2) != 2*n {
				continue
			}
			all := way.begin(f)
			dies := at(write)
			way.end(all)
			if died = dies(2 * time.Second); died {
				deaths++
			}
			f.records += way.records
			f.allKnow(fmt.Sprintf("death %s write %d", []string{"after", "in place of"}[n], write), way, all)
		}
	}
	f.deaths += deaths
	if f.t.Logf("%d deaths at up to %d writes", deaths, write-1); write < 5 {
		f.t.Errorf("the end took only %d writes", write-1)
	}
}

// allKnow waits until every party of a round knows that it is over, and the box as well. What rings again, since the
// box had not heard the whole of it, is refused once more by who refuses, and ended by who calls.
func (f *farewells) allKnow(when string, way farewell, all []*peer.Call) {
	f.t.Helper()
	timeout := time.After(patience)
	var again []*peer.Call
	for i, c := range all {
		for !isOver(c) {
			select {
			case <-c.Ended():
			case rings := <-f.dora.rings:
				if way.refuses {
					rings.Reject(486)
				}
				again = append(again, rings)
			case <-timeout:
				now, err := f.o.Now()
				f.t.Fatalf("%s: party %d, %s to %s, does not learn of the end: %+v, %v", when, i, c.Caller, c.Called, now.Calls, err)
			}
		}
	}
	f.o.Until(when+": the box knows it as well", func(n pbxtest.Now) bool { return len(n.Calls) == 0 })
	for _, d := range []*desk{f.anna, f.bruno, f.carla, f.dora, f.carrier} {
		for len(d.rings) > 0 {
			again = append(again, d.ring())
		}
	}
	for _, c := range again {
		within(f.t, when+": the end of what rings again", c.Ended())
	}
}

// overTCP is a phone that speaks TCP.
func overTCP(t *testing.T, o *pbxtest.Office, number, hz int) *desk {
	t.Helper()
	d := &desk{t: t, hz: hz, rings: make(chan *peer.Call, 8)}
	var err error
	d.Peer, err = peer.New(peer.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Box: o.SIP, User: strconv.Itoa(number), Password: pbxtest.Password(number),
		Law: tone.ALaw, Hz: hz, TCP: true, Incoming: func(c *peer.Call) { c.Ring(); d.rings <- c },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	if _, err := d.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	o.Phone(number)
	return d
}
