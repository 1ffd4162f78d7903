package stack

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// BenchmarkOptions asks over real UDP sockets and waits for each answer, with 32 on the way. Each
// operation is a whole server transaction; the asking side's sockets are part of the cost.
func BenchmarkOptions(b *testing.B) {
	box := newBox(b, Config{SourceRate: 1 << 28, MaxTransactions: 1 << 28, Shards: 4}, &echoer{})
	p := newPhone(b, box, "127.0.0.2")
	template := request("OPTIONS", "UDP", p.addr, 4242)
	ask := func(i int) { p.send(strings.ReplaceAll(template, "4242", fmt.Sprintf("x%d", i))) }
	b.ReportAllocs()
	const window = 32
	for i := range min(window, b.N) {
		ask(i)
	}
	for i := window; i < b.N+window; i++ {
		if p.status(patience) != 200 {
			b.Fatal("an answer was lost")
		}
		if i < b.N {
			ask(i)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "options/s")
}

// BenchmarkOptionsTCP is the same over one TCP connection, where each message is parsed twice.
func BenchmarkOptionsTCP(b *testing.B) {
	box := newBox(b, Config{SourceRate: 1 << 28, MaxTransactions: 1 << 28, Shards: 4}, &echoer{})
	l := dialBox(b, box, "127.0.0.2")
	template := request("OPTIONS", "TCP", l.addr(), 4242)
	ask := func(i int) { l.send(strings.ReplaceAll(template, "4242", fmt.Sprintf("x%d", i))) }
	b.ReportAllocs()
	const window = 32
	for i := range min(window, b.N) {
		ask(i)
	}
	for i := window; i < b.N+window; i++ {
		if l.status(patience) != 200 {
			b.Fatal("an answer was lost")
		}
		if i < b.N {
			ask(i)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "options/s")
}

// BenchmarkAlarms sets and stops a timer, as each transaction does a few times.
func BenchmarkAlarms(b *testing.B) {
	q := newAlarms()
	for b.Loop() {
		q.stop(q.set(time.Second, func() {}))
	}
}
