package load_test

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/load"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/useragent"
)

// The benchmarks measure a prontod of its own process over real SIP and RTP on loopback: 50 phones,
// 20 agents, 2 queues. Generator and box share the machine, so figures per second say less than
// those per call. Run with -benchtime 1x: each round is a whole measurement.

// printMachine says what the figures were measured on.
func printMachine(b *testing.B) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		b.Fatal(err)
	}
	kernel := unix.ByteSliceToString(u.Release[:])
	b.Logf("machine: %d cores, Linux %s, %s %s/%s", runtime.NumCPU(), kernel, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// meter reads what the box has used since it was made.
type meter struct {
	b   *testing.B
	box *load.Box
	cpu time.Duration
	rss int64
	at  time.Time
}

func newMeter(b *testing.B, box *load.Box) *meter {
	b.Helper()
	m := &meter{b: b, box: box}
	var err1, err2 error
	m.rss, err1 = box.RSS()
	m.at = time.Now()
	m.cpu, err2 = box.CPU()
	must(b, err1, err2)
	return m
}

// used is the box's CPU time in ms and the growth of its memory in KB.
func (m *meter) used() (cpu, kb float64) {
	m.b.Helper()
	now, err1 := m.box.CPU()
	rss, err2 := m.box.RSS()
	must(m.b, err1, err2)
	return ms(now - m.cpu), float64(rss-m.rss) / 1024
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// spread gives the median, the 99th percentile and the largest, in ms.
func spread(all []time.Duration) (p50, p99, most float64) {
	if len(all) == 0 {
		return 0, 0, 0
	}
	slices.Sort(all)
	return ms(all[len(all)/2]), ms(all[len(all)*99/100]), ms(all[len(all)-1])
}

// BenchmarkRelay500Calls puts up 500 calls between 50 phones and lets everybody talk for ten seconds.
func BenchmarkRelay500Calls(b *testing.B) {
	const calls, talk = 500, 10 * time.Second
	for b.Loop() {
		audio, err := useragent.NewAudio("127.0.0.63", 2*calls)
		must(b, err)
		rings := make(chan *useragent.Call, 1)
		s := opened(b, load.Work{}, load.Phones, func(_ int, c *useragent.Call) { rings <- c })
		to := make([]netip.AddrPort, 2*calls)
		out := make([]*useragent.Call, calls)
		before := newMeter(b, s.box)
		for i := range calls {
			out[i] = s.phones[i%load.Phones].Invite(load.Extension((i+i/load.Phones+1)%load.Phones), audio.Addr(2*i))
			in := came(b, rings)
			in.Ring()
			in.Answer(audio.Addr(2*i + 1))
			_, err := happens(out[i], useragent.Answered)
			must(b, err)
			to[2*i], to[2*i+1] = out[i].Audio(), in.Audio()
		}
		audio.Talk(to, time.Second)
		_, kb := before.used()
		during := newMeter(b, s.box)
		h := audio.Talk(to, talk)
		cpu, _ := during.used()
		for _, c := range out {
			c.Hangup()
		}
		s.quiet(b, load.Phones)
		audio.Close()
		if want := 2 * calls * int(talk/(20*time.Millisecond)); h.Sent < want {
			b.Errorf("the generator sent only %d of %d packets: the figures say nothing", h.Sent, want)
		}
		if h.Received != h.Sent {
			b.Errorf("%d of %d packets were lost", h.Sent-h.Received, h.Sent)
		}
		perCall := cpu / (calls * talk.Seconds())
		printMachine(b)
		b.Logf("%d relayed G.711 calls, %d packets: %d lost, added delay p50 %.2f ms, p99 %.2f ms, max %.2f ms; prontod %.3f ms CPU per call-second, %.0f KB per call",
			calls, h.Sent, h.Sent-h.Received, ms(h.P50), ms(h.P99), ms(h.Max), perCall, kb/calls)
		b.ReportMetric(float64(h.Sent-h.Received), "lost")
		b.ReportMetric(ms(h.P50), "delay-p50-ms")
		b.ReportMetric(ms(h.P99), "delay-p99-ms")
		b.ReportMetric(perCall, "cpu-ms/call-s")
		b.ReportMetric(kb/calls, "KB/call")
	}
}

// BenchmarkQueueSetup measures from a caller's INVITE to that of the agent's phone, with agents free.
func BenchmarkQueueSetup(b *testing.B) {
	for _, from := range []string{"carrier", "phone-with-digest"} {
		b.Run(from, func(b *testing.B) {
			for b.Loop() {
				rings := make(chan *useragent.Call, 1)
				s := opened(b, load.Work{}, load.Phones, func(_ int, c *useragent.Call) { rings <- c })
				queueSetup(b, s, 50, from, rings)
				told, err := s.box.History()
				must(b, err)
				const calls = 500
				m := newMeter(b, s.box)
				delays := queueSetup(b, s, calls, from, rings)
				cpu, _ := m.used()
				after, err := s.box.History()
				must(b, err)
				if n := len(after.Calls) - len(told.Calls); n != calls {
					b.Errorf("%d call records of %d calls", n, calls)
				}
				p50, p99, most := spread(delays)
				perCall, written := cpu/calls, float64(after.Bytes-told.Bytes)/1024/calls
				printMachine(b)
				b.Logf("queue set-up from %s, %d calls: INVITE in to INVITE out p50 %.2f ms, p99 %.2f ms, max %.2f ms; prontod %.2f ms CPU per whole queue call, %.1f KB of history",
					from, calls, p50, p99, most, perCall, written)
				b.ReportMetric(p50, "p50-ms")
				b.ReportMetric(p99, "p99-ms")
				b.ReportMetric(perCall, "cpu-ms/call")
				b.ReportMetric(written, "history-KB/call")
			}
		})
	}
}

// queueSetup makes n calls, one after the other, each answered and hung up by the agent.
func queueSetup(b *testing.B, s *site, n int, from string, rings <-chan *useragent.Call) (delays []time.Duration) {
	b.Helper()
	for i := range n {
		var out *useragent.Call
		if from == "carrier" {
			out = s.carrier.Invite(load.SalesNumber, netip.AddrPortFrom(s.carrier.Addr().Addr(), 40000))
		} else {
			p := s.phones[load.Agents+i%(load.Phones-load.Agents)]
			out = p.Invite(load.SalesQueue, netip.AddrPortFrom(p.Addr().Addr(), 40000))
		}
		in := came(b, rings)
		delays = append(delays, in.Began().Sub(out.Began()))
		in.Ring()
		in.Answer(netip.AddrPortFrom(s.phones[0].Addr().Addr(), 40002))
		_, err1 := happens(out, useragent.Answered)
		_, err2 := happens(in, useragent.Confirmed)
		in.Hangup()
		_, err3 := happens(in, useragent.Ended)
		_, err4 := happens(out, useragent.Ended)
		must(b, err1, err2, err3, err4)
	}
	s.quiet(b, load.Phones)
	return delays
}

// BenchmarkQueueNext measures how fast an agent who hangs up gets the next waiting caller.
func BenchmarkQueueNext(b *testing.B) {
	const calls = 500
	for b.Loop() {
		rings := make(chan *useragent.Call, load.Agents)
		s := opened(b, load.Work{}, load.Agents, func(_ int, c *useragent.Call) { rings <- c })
		audio := netip.AddrPortFrom(s.carrier.Addr().Addr(), 40000)
		call := func() { s.carrier.Invite(load.SalesNumber, audio) }
		var talking []*useragent.Call
		take := func() *useragent.Call {
			in := came(b, rings)
			in.Ring()
			in.Answer(audio)
			_, err := happens(in, useragent.Confirmed)
			must(b, err)
			return in
		}
		for range load.Agents {
			call()
			talking = append(talking, take())
		}
		for range 10 { // who waits
			call()
		}
		s.until(b, func(now load.Now) string {
			if len(now.Waits) != 10 {
				return fmt.Sprintf("%d wait", len(now.Waits))
			}
			return ""
		})
		var delays []time.Duration
		m := newMeter(b, s.box)
		for range calls {
			leaver := talking[0]
			freed := time.Now()
			leaver.Hangup()
			next := take()
			delays = append(delays, next.Began().Sub(freed))
			talking = append(talking[1:], next)
			_, err := happens(leaver, useragent.Ended)
			must(b, err)
			call()
			time.Sleep(2 * time.Millisecond) // the new caller is taken in before the clock runs again
		}
		cpu, _ := m.used()
		p50, p99, most := spread(delays)
		printMachine(b)
		b.Logf("%d agents who hang up with 10 waiting: BYE in to next INVITE out p50 %.2f ms, p99 %.2f ms, max %.2f ms; prontod %.2f ms CPU per whole queue call",
			calls, p50, p99, most, cpu/calls)
		b.ReportMetric(p50, "p50-ms")
		b.ReportMetric(p99, "p99-ms")
		b.ReportMetric(cpu/calls, "cpu-ms/call")
	}
}

// BenchmarkPhoneToPhone sets up and ends calls between phones, each INVITE challenged, from 12
// callers at a time.
func BenchmarkPhoneToPhone(b *testing.B) {
	const calls, callers = 2000, 12
	for b.Loop() {
		s := opened(b, load.Work{}, load.Phones, func(i int, c *useragent.Call) {
			c.Ring()
			c.Answer(netip.MustParseAddrPort("127.0.0.63:40002"))
		})
		m := newMeter(b, s.box)
		var left atomic.Int64
		left.Store(calls)
		var wg sync.WaitGroup
		failed := make(chan error, callers)
		for i := range callers {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					out := s.phones[i].Invite(load.Extension(load.Phones-1-i), netip.MustParseAddrPort("127.0.0.63:40000"))
					_, err := happens(out, useragent.Answered)
					if err == nil {
						out.Hangup()
						_, err = happens(out, useragent.Ended)
					}
					if err != nil {
						failed <- err
						return
					}
				}
			})
		}
		wg.Wait()
		took := time.Since(m.at)
		cpu, _ := m.used()
		close(failed)
		for err := range failed {
			b.Error(err)
		}
		s.quiet(b, load.Phones)
		rate, perCall := calls/took.Seconds(), cpu/calls
		printMachine(b)
		b.Logf("phone to phone with digest, %d calls from %d callers at a time: %.0f set-ups per second beside the generator, prontod %.2f ms CPU per call with its end",
			calls, callers, rate, perCall)
		b.ReportMetric(rate, "setups/s")
		b.ReportMetric(perCall, "cpu-ms/setup")
	}
}

// BenchmarkRegister has 50 phones, each from an address of its own, register over and over: as after
// a power cut, with the challenge each time (two requests), and as every day, with the nonce of the
// last time (one request). The processor time of the box is the kernel's count for its process; the
// generator's own is shown beside it.
func BenchmarkRegister(b *testing.B) {
	const registrations = 20_000 // below what the box allows each address at once
	for _, kind := range []string{"login", "refresh"} {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				s := opened(b, load.Work{}, load.Phones, nil)
				m := newMeter(b, s.box)
				own := generatorCPU(b)
				registerAll(b, s, registrations, kind == "login")
				took := time.Since(m.at)
				cpu, kb := m.used()
				mine := generatorCPU(b) - own
				rate, each := registrations/took.Seconds(), cpu/registrations
				printMachine(b)
				b.Logf("%s over UDP with digest, %d from %d phones at a time: %.0f per second beside the generator; prontod %.3f ms CPU each, the generator %.3f ms; memory %+.0f KB",
					kind, registrations, load.Phones, rate, each, ms(mine)/registrations, kb)
				b.ReportMetric(rate, "registers/s")
				b.ReportMetric(each, "cpu-ms/register")
				b.ReportMetric(ms(mine)/registrations, "generator-ms/register")
			}
		})
	}
}

// registerAll spreads n registrations over all phones, which work side by side.
func registerAll(b *testing.B, s *site, n int, anew bool) {
	b.Helper()
	var wg sync.WaitGroup
	failed := make(chan error, len(s.phones))
	for _, p := range s.phones {
		wg.Go(func() {
			for range n / len(s.phones) {
				do := p.Refresh
				if anew {
					do = p.Register
				}
				if err := do(); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		b.Error(err)
	}
}

// generatorCPU is the processor time of this process so far.
func generatorCPU(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	must(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkIdle starts the demo office of `make run` and leaves it alone.
func BenchmarkIdle(b *testing.B) {
	for b.Loop() {
		text, err := os.ReadFile("../../../cmd/prontoctl/office.yaml")
		must(b, err)
		ports, err := load.FreePorts("127.0.0.61", "127.0.0.61")
		must(b, err)
		config := strings.NewReplacer("127.0.0.1:5060", ports[0].String(), "127.0.0.1:8080", ports[1].String(), "127.0.0.1:8443", "127.0.0.61:0", "bind: 127.0.0.1", "bind: 127.0.0.61").Replace(string(text))
		box := started(b, load.OfficeOf(config, ports[0], ports[1]))
		time.Sleep(3 * time.Second) // the start's garbage has gone
		m := newMeter(b, box)
		time.Sleep(5 * time.Second)
		cpu, _ := m.used()
		rss, err := box.RSS()
		must(b, err)
		goroutines, err := box.Goroutines()
		must(b, err)
		mb := float64(rss) / (1 << 20)
		printMachine(b)
		b.Logf("demo office without calls: %.1f MB resident, %d goroutines, %.2f ms CPU per second", mb, goroutines, cpu/5)
		b.ReportMetric(mb, "rss-MB")
		b.ReportMetric(float64(goroutines), "goroutines")
		b.ReportMetric(cpu/5, "cpu-ms/s")
	}
}
