package main_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// setups is how many calls each benchmark makes, one after the other.
const setups = 300

// stopwatch collects times and reports their quantiles in milliseconds.
type stopwatch []time.Duration

func (w stopwatch) report(b *testing.B, what string) {
	slices.Sort(w)
	ms := func(percent int) float64 { return float64(w[(len(w)-1)*percent/100].Microseconds()) / 1000 }
	b.ReportMetric(ms(50), what+"-p50-ms")
	b.ReportMetric(ms(99), what+"-p99-ms")
}

func next[T any](b *testing.B, what string, ch <-chan T) (got T) {
	b.Helper()
	select {
	case got = <-ch:
	case <-time.After(20 * time.Second):
		b.Fatalf("waited in vain for %s", what)
	}
	return got
}

func carrier(b *testing.B, o *pbxtest.Office) *peer.Peer {
	b.Helper()
	p, err := peer.New(peer.Config{Listen: netip.AddrPortFrom(o.Carrier, o.CarrierPort), Box: o.SIP, Law: tone.ALaw})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Close)
	return p
}

// BenchmarkQueueSetup measures a caller's INVITE in to the agent's INVITE out, with agents free.
func BenchmarkQueueSetup(b *testing.B) {
	o := bench.Start(b, pbxtest.Setup{Agents: 8, LoggedIn: 8, Carrier: 5070})
	idle := float64(o.Resident()) / (1 << 20)
	type ring struct {
		call *peer.Call
		at   time.Time
	}
	rings := make(chan ring, 8)
	for n := 201; n <= 208; n++ {
		phone(b, o, n, agentHz(n), func(c *peer.Call) { rings <- ring{c, time.Now()} })
		o.Lamp(n, tel.AgentReady)
	}
	customers := carrier(b, o)
	var in stopwatch
	before := o.CPU()
	for b.Loop() {
		for range setups {
			start := time.Now()
			c, err := customers.Dial(peer.Outgoing{To: pbxtest.DID, From: customerNumber(1), Hz: 440})
			if err != nil {
				b.Fatal(err)
			}
			r := next(b, "an agent's phone", rings)
			in = append(in, r.at.Sub(start))
			r.call.Answer()
			next(b, "the answer", r.call.Answered())
			c.Hangup()
			next(b, "the end", r.call.Ended())
		}
	}
	b.ReportMetric(float64((o.CPU()-before).Microseconds())/1000/float64(len(in)), "CPU-ms/call")
	b.ReportMetric(idle, "idle-RSS-MB")
	in.report(b, "INVITE-in-to-out")
}

// BenchmarkAgentFree measures an agent's BYE to the next caller's INVITE, with callers waiting.
func BenchmarkAgentFree(b *testing.B) {
	o := bench.Start(b, pbxtest.Setup{Agents: 1, LoggedIn: 1, Carrier: 5070})
	type ring struct {
		call *peer.Call
		at   time.Time
	}
	rings := make(chan ring, 8)
	phone(b, o, 201, agentHz(201), func(c *peer.Call) { rings <- ring{c, time.Now()} })
	o.Lamp(201, tel.AgentReady)
	customers := carrier(b, o)
	join := func() {
		if _, err := customers.Dial(peer.Outgoing{To: pbxtest.DID, From: customerNumber(1), Hz: 440}); err != nil {
			b.Fatal(err)
		}
	}
	for range 5 {
		join()
	}
	var free stopwatch
	r := next(b, "the first call", rings)
	for b.Loop() {
		for range setups {
			r.call.Answer()
			next(b, "the answer", r.call.Answered())
			join()
			start := time.Now()
			r.call.Hangup()
			r = next(b, "the next call", rings)
			free = append(free, r.at.Sub(start))
		}
	}
	free.report(b, "free-to-INVITE")
}

// BenchmarkPhoneToPhone measures what one call with digest costs, from INVITE to the last BYE.
func BenchmarkPhoneToPhone(b *testing.B) {
	o := bench.Start(b, pbxtest.Setup{Agents: 2, LoggedIn: 0})
	answered := make(chan *peer.Call, 1)
	anna := phone(b, o, 201, 440, nil)
	phone(b, o, 202, 620, func(c *peer.Call) { c.Answer(); answered <- c })
	var up stopwatch
	before := o.CPU()
	for b.Loop() {
		for range setups {
			start := time.Now()
			c, err := anna.Dial(peer.Outgoing{To: "202"})
			if err != nil {
				b.Fatal(err)
			}
			next(b, "the answer", c.Answered())
			up = append(up, time.Since(start))
			c.Hangup()
			next(b, "the end", next(b, "the colleague", answered).Ended())
		}
	}
	b.ReportMetric(float64((o.CPU()-before).Microseconds())/1000/float64(len(up)), "CPU-ms/setup")
	up.report(b, "INVITE-to-200")
}
