package stack

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
)

// flood is what somebody pours over a box while a good client asks beside.
type flood struct {
	method  string
	sources int
	rate    int // messages per second of all together
	length  time.Duration
}

// pour sends the flood and returns how long each answer to the good client took; one that did not
// come is left out.
func (f flood) pour(t testing.TB, b *box) (asked int, took []time.Duration) {
	t.Helper()
	var socks []*net.UDPConn
	for i := range f.sources {
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 20+byte(i/250), byte(1+i%250))}, net.UDPAddrFromAddrPort(b.udp))
		if err != nil {
			t.Fatal(err)
		}
		socks = append(socks, conn)
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
			for range f.rate / 100 {
				n++
				conn := socks[n%len(socks)]
				_, _ = conn.Write([]byte(f.message(addrPortOf(conn.LocalAddr()), n)))
			}
		}
	})
	good := newPhone(t, b, "127.0.0.9")
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for start := time.Now(); time.Since(start) < f.length; asked++ {
		<-pace.C
		at := time.Now()
		for wait := t1; wait < 8*t1; wait *= 2 { // it repeats what is not answered, as every client does
			good.send(request("OPTIONS", "UDP", good.addr, 5_000_000+asked))
			if good.status(wait) == 200 {
				took = append(took, time.Since(at))
				break
			}
		}
	}
	close(stop)
	wg.Wait()
	for _, c := range socks {
		_ = c.Close()
	}
	return asked, took
}

func (f flood) message(from netip.AddrPort, n int) string {
	switch f.method {
	case "junk":
		return strings.Repeat("\x00\xff", 200)
	case "malformed":
		return "INVITE sip:a SIP/2.0\r\nVia: x\r\n\r\n"
	case "response":
		return fmt.Sprintf("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKr%d\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: r%d\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n", from, n, n)
	}
	return request(f.method, "UDP", from, n)
}

func floods(length time.Duration) (all []flood) {
	for _, method := range []string{
		"OPTIONS", "INVITE", "REGISTER", "ACK", "BYE", "CANCEL", "SUBSCRIBE", "MESSAGE", "REFER", "NOTIFY", "PUBLISH",
		"INFO", "PRACK", "UPDATE", "GARBAGE", "response", "malformed", "junk",
	} {
		for _, sources := range []int{1, 500} {
			all = append(all, flood{method, sources, 2000, length})
		}
	}
	return all
}

// stranger is how the layers above have it: whoever they do not know is refused before anything is
// kept of him, but for the good client's OPTIONS.
func stranger(req *sip.Request, _ Flow) *Refusal {
	if req.Method == sip.OPTIONS {
		return nil
	}
	return &Refusal{Status: 403, Reason: "Forbidden"}
}

// quiet answers every request 200 and keeps nothing of the rest.
type quiet struct{ deaf }

func (quiet) Request(tx *ServerTx) {
	_ = tx.Respond(sip.NewResponseFromRequest(tx.Request(), 200, "OK", nil))
}

// screenedBox is a box whose layers above refuse strangers.
func screenedBox(t testing.TB, cfg Config) *box {
	t.Helper()
	return newBox(t, cfg, quiet{}, func(s *Stack) { s.Screen(stranger) })
}

func TestFloodsOfEveryMethodLeaveAGoodClientServed(t *testing.T) {
	b := screenedBox(t, Config{MaxTransactions: 1000}) // a small table is full soon
	for _, f := range floods(150 * time.Millisecond) {
		asked, took := f.pour(t, b)
		if len(took)*100 < asked*99 {
			t.Errorf("%s from %d sources: %d of %d answers came", f.method, f.sources, len(took), asked)
		}
	}
	if n := b.Stats().Panics; n > 0 {
		t.Errorf("%d panics", n)
	}
}

// BenchmarkFlood pours each flood for two seconds and prints how a good client fared.
func BenchmarkFlood(b *testing.B) {
	for _, f := range floods(2 * time.Second) {
		b.Run(fmt.Sprintf("%s-%d", f.method, f.sources), func(b *testing.B) {
			var worst []time.Duration
			var asked, answered int
			for range b.N {
				box := screenedBox(b, Config{})
				n, took := f.pour(b, box)
				asked += n
				answered += len(took)
				worst = append(worst, took...)
			}
			slices.Sort(worst)
			if len(worst) > 0 {
				b.ReportMetric(float64(worst[len(worst)*95/100].Microseconds())/1000, "p95-ms")
			}
			b.ReportMetric(100*float64(answered)/float64(max(asked, 1)), "served-%")
		})
	}
}

func TestAFloodLeavesNoMemoryBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{Queue: 1 << 14}, quiet{})
		b.stack.transmit = func(Flow, []byte, func(error)) error { return nil }
		b.stack.Screen(stranger)
		before := int64(heapInUse())
		for n := range 60_000 { // 2,000 a second for half a minute, from 500 sources
			if n%2000 == 0 {
				time.Sleep(time.Second)
				synctest.Wait()
			}
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(n % 500 / 250), byte(n % 250)}), 5060)
			f := flood{method: []string{"OPTIONS", "INVITE", "REGISTER", "response"}[n%4]}
			msg, err := sip.ParseMessage([]byte(f.message(from, n)))
			if err != nil {
				t.Fatal(err)
			}
			b.stack.receive(msg, Flow{Transport: "udp", Local: b.flow.Local, Remote: from})
		}
		synctest.Wait()
		if s := b.stack.Stats(); s.Transactions == 0 || s.Transactions > 10_000/lingerShare || s.Refused > 0 || s.Dropped > 0 {
			t.Errorf("in the flood: %+v", s)
		}
		time.Sleep(2 * giveUp)
		synctest.Wait()
		if s := b.stack.Stats(); s.Transactions != 0 || len(b.stack.shares.open) != 0 {
			t.Errorf("afterwards: %+v, %d sources", s, len(b.stack.shares.open))
		}
		if grown := int64(heapInUse()) - before; grown > 8<<20 {
			t.Errorf("the heap grew by %d bytes", grown)
		}
	})
}
