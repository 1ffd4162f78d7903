package main_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/useragent"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var soakFlag = flag.Duration("soak.for", 4*time.Second, "how long an office is under load (soak: 2h)")

// The load of the soak: so many calls a second through the queue, beside a talk with sound; after so many of them one
// that is given up, one whose phone refuses at first, and a stranger at the door.
const (
	soakRate      = 8
	givenUpEach   = 5
	strangersEach = 4
)

// sample is one look at the office.
type sample struct {
	at                      time.Duration // since the begin
	calls                   int
	rss, heap, goroutines   float64       // kB, kB, count
	descriptors, disk       float64       // count, kB
	latency, slowestLatency time.Duration // from a caller's INVITE to the agent's, since the sample before: median, longest
}

// soak is an office under load.
type soak struct {
	t      *testing.T
	o      *pbxtest.Office
	rings  chan *useragent.Call
	outer  *useragent.Phone
	audio  netip.AddrPort
	r      *rand.Rand
	placed int
	lately []time.Duration
	all    []sample
}

// An office is under load for a while. Nothing grows but the records: memory, goroutines and descriptors stay, the disk
// takes no more than 24 kB for each call, until the night makes room. How each goes is printed as a slope.
func TestAnOfficeUnderLoadGrowsByNothingButItsRecords(t *testing.T) {
	s := &soak{t: t, rings: make(chan *useragent.Call, 64), r: rand.New(rand.NewPCG(1, 2))}
	s.o = bench.Start(t, pbxtest.Setup{Agents: 6, LoggedIn: 4, Carrier: 5070, Queue: "waiting: {greeting: [none]}"})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var phones []*useragent.Phone
	for n := 201; n <= 204; n++ {
		p, err := useragent.NewPhone("127.0.0.1", strconv.Itoa(n), pbxtest.Password(n), s.o.SIP, func(c *useragent.Call) { s.rings <- c })
		must(err)
		t.Cleanup(p.Close)
		must(p.Register())
		phones = append(phones, p)
		s.o.Lamp(n, tel.AgentReady)
	}
	var err error
	s.outer, err = useragent.NewPhone(s.o.Carrier.String(), "+390655555", "", s.o.SIP, nil)
	must(err)
	t.Cleanup(s.outer.Close)
	s.audio = netip.AddrPortFrom(s.outer.Addr().Addr(), 40000)
	anna, bruno := deskAt(t, s.o, 205, hzAgent), deskAt(t, s.o, 206, hzCaller)
	c, at := connected(t, bruno, anna, "205")
	talking(t, "before", c, hzCaller, at, hzAgent)

	start := time.Now()
	each := max(*soakFlag/240, 500*time.Millisecond)
	refresh, renewed := min(20*time.Minute, *soakFlag/2), start // a phone is there for an hour
	for next := start; time.Since(start) < *soakFlag; time.Sleep(time.Second / soakRate) {
		s.call()
		if time.Since(renewed) > refresh {
			for _, p := range phones {
				must(p.Register())
			}
			renewed = time.Now()
		}
		if now := time.Now(); !now.Before(next) {
			s.look(time.Since(start))
			next = now.Add(each)
		}
	}
	talking(t, "at the end", c, hzCaller, at, hzAgent)
	over(t, c, at)
	s.o.Until("an empty office", func(n pbxtest.Now) bool { return len(n.Calls)+len(n.Waits)+len(n.Offers) == 0 })
	s.look(time.Since(start))
	s.judge()
}

// call is one customer's call, to its end.
func (s *soak) call() {
	s.t.Helper()
	s.placed++
	if s.placed%strangersEach == 0 { // an account that does not exist: he is challenged, guesses, is refused
		p, err := useragent.NewPhone(fmt.Sprintf("127.99.%d.%d", s.r.IntN(250), 1+s.r.IntN(250)), "999", "guess", s.o.SIP, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		p.SendRaw(fmt.Sprintf("OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKs%d\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:%[1]s>\r\nCall-ID: soak%[3]d\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", s.o.SIP, p.Addr(), s.placed))
		p.Close()
	}
	out := s.outer.Invite(pbxtest.DID, s.audio)
	var in *useragent.Call
	select {
	case in = <-s.rings:
	case <-time.After(patience):
		s.t.Fatalf("call %d rings nowhere", s.placed)
	}
	s.lately = append(s.lately, in.Began().Sub(out.Began()))
	in.Ring()
	if s.placed%givenUpEach == 0 {
		s.happens(out, useragent.Answered) // by the music
		out.Hangup()
		s.happens(in, useragent.Cancelled)
		s.happens(out, useragent.Ended)
		return
	}
	in.Answer(netip.AddrPortFrom(s.audio.Addr(), 40002))
	s.happens(out, useragent.Answered)
	s.happens(in, useragent.Confirmed)
	in.Hangup()
	s.happens(in, useragent.Ended)
	s.happens(out, useragent.Ended)
}

// happens waits for one kind of event of a call.
func (s *soak) happens(c *useragent.Call, kind useragent.EventKind) {
	s.t.Helper()
	for timeout := time.After(patience); ; {
		select {
		case e := <-c.Events:
			if e.Kind == kind {
				return
			}
			if e.Kind >= useragent.Cancelled {
				s.t.Fatalf("call %d: event %d, status %d instead of event %d", s.placed, e.Kind, e.Status, kind)
			}
		case <-timeout:
			s.t.Fatalf("call %d: no event %d", s.placed, kind)
		}
	}
}

// look takes a sample.
func (s *soak) look(at time.Duration) {
	s.t.Helper()
	p, err := control.ProcessNow(s.t.Context(), s.o.Dir)
	if err != nil {
		s.t.Fatal(err)
	}
	m := sample{
		at: at, calls: s.placed, rss: float64(s.o.Status("VmRSS")), heap: float64(p.Heap) / 1024, goroutines: float64(p.Goroutines),
		descriptors: float64(s.o.Descriptors()), disk: float64(bytesIn(s.t, s.o.Dir)) / 1024,
	}
	if slices.Sort(s.lately); len(s.lately) > 0 {
		m.latency, m.slowestLatency = s.lately[len(s.lately)/2], s.lately[len(s.lately)-1]
	}
	s.lately = nil
	s.all = append(s.all, m)
}

// bytesIn is what the files below a directory take, but for the log of the office, which a box does not keep.
func bytesIn(t *testing.T, dir string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "office.log" {
			return ignored(err)
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return ignored(err)
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// ignored lets files go that are removed while they are counted.
func ignored(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// judge prints how everything went, and fails for what grew. What is filled only once (pools, the first segments, what
// the collector lets lie) is behind the first third.
func (s *soak) judge() {
	s.t.Helper()
	begin, end := s.all[0], s.all[len(s.all)-1]
	steady := s.all[len(s.all)/3:]
	hours := (end.at - steady[0].at).Hours()
	for _, f := range []struct {
		name, unit string
		of         func(sample) float64
		most       float64 // that the line through the samples may rise in the whole time; 0: anything
	}{
		{"memory in RAM", "kB", func(m sample) float64 { return m.rss }, 24 << 10},
		{"heap", "kB", func(m sample) float64 { return m.heap }, 16 << 10},
		{"goroutines", "", func(m sample) float64 { return m.goroutines }, 8},
		{"descriptors", "", func(m sample) float64 { return m.descriptors }, 8},
		{"disk", "kB", func(m sample) float64 { return m.disk }, 0},
		{"INVITE in to INVITE out, median", "ms", func(m sample) float64 { return float64(m.latency) / 1e6 }, 0},
		{"the same, longest", "ms", func(m sample) float64 { return float64(m.slowestLatency) / 1e6 }, 0},
	} {
		rise := slope(steady, f.of)
		s.t.Logf("%-32s %9.1f at the begin, %9.1f at the end; slope %+9.2f %s/h", f.name, f.of(begin), f.of(end), rise, f.unit)
		if f.most > 0 && rise*hours > f.most {
			s.t.Errorf("%s rises by %.1f %s in %.2f hours", f.name, rise*hours, f.unit, hours)
		}
	}
	calls := end.calls - begin.calls
	perCall := (end.disk - begin.disk) / float64(max(1, calls))
	s.t.Logf("%d calls in %v; %.1f kB on the disk for each", end.calls, end.at.Round(time.Second), perCall)
	// A segment of the journal and files of the store are made in steps.
	if perCall > 24 && end.disk-begin.disk > 32<<10 {
		s.t.Errorf("%.1f kB on the disk for each call", perCall)
	}
}

// slope is the rise of the line through the samples that leaves the least squares, for each hour.
func slope(all []sample, of func(sample) float64) float64 {
	var n, x, y, xx, xy float64
	for _, m := range all {
		h, v := m.at.Hours(), of(m)
		n, x, y, xx, xy = n+1, x+h, y+v, xx+h*h, xy+h*v
	}
	if d := n*xx - x*x; d > 0 {
		return (n*xy - x*y) / d
	}
	return 0
}
