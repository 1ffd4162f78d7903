package webrtc_test

import (
	"context"
	"log/slog"
	"net/netip"
	"runtime"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/media/webrtc"
	"github.com/pronto-pbx/pronto/firmware/media/webrtc/webrtctest"
)

// BenchmarkSessions tells what eight sessions cost in memory and goroutines until their browsers connect.
func BenchmarkSessions(b *testing.B) {
	const sessions = 8
	offer := webrtctest.New(b).Offer
	for b.Loop() {
		g, err := webrtc.Open(webrtc.Config{Log: slog.New(slog.DiscardHandler), Listen: netip.MustParseAddrPort("127.0.0.1:0"), Max: sessions})
		if err != nil {
			b.Fatal(err)
		}
		before, begun := used(), runtime.NumGoroutine()
		var all []*webrtc.Session
		for range sessions {
			s, _, err := g.Answer(context.Background(), offer, 26999, nil)
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, s)
		}
		b.ReportMetric(float64(used()-before)/1024/sessions, "KB/session")
		b.ReportMetric(float64(runtime.NumGoroutine()-begun)/sessions, "goroutines/session")
		runtime.KeepAlive(all)
		if err := g.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// used is the memory of heap and stacks that is in use.
func used() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
