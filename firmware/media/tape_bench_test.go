package media

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	archive "github.com/pronto-pbx/pronto/firmware/record"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
)

// BenchmarkRecorded carries 250 calls, bridged and then bridged and recorded on the disk, sealed: figures of one run
// only. None of what is said may be lost, to a party or to the recording.
func BenchmarkRecorded(b *testing.B) {
	const calls = benchCalls / 2
	b.Run("bridged", func(b *testing.B) {
		for b.Loop() {
			benchRelay(b, calls, sdp.NoSuite, sdp.NoSuite)
		}
	})
	b.Run("recorded", func(b *testing.B) {
		for b.Loop() {
			benchRecorded(b, calls)
		}
	})
}

func benchRecorded(b *testing.B, calls int) {
	a, err := archive.Open(archive.Config{Log: slog.New(slog.DiscardHandler), Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			b.Error(err)
		}
	}()
	var ended, lost atomic.Int64
	n := 0
	o := benchBridges(b, calls, codec.PCMA, codec.PCMA, sdp.NoSuite, sdp.NoSuite, func(e *Engine, x, y *Leg) {
		n++
		about := tape.About{ID: fmt.Sprint("c-", n), Chain: "c", Began: time.Now(), Tracks: []tape.Track{{Leg: string(x.ID())}, {Leg: string(y.ID())}}}
		_, err := e.Tape(TapeConfig{
			Open: func() (TapeFile, error) { return a.Begin(about) },
			Done: func(t Taped) {
				if t.Err != nil {
					b.Error(t.Err)
				}
				ended.Add(1)
				lost.Add(int64(t.Lost))
			},
		}, x, y)
		if err != nil {
			b.Fatal(err)
		}
	})
	var bytes int64
	for _, r := range a.List(func(archive.Recording) bool { return true }) {
		bytes += r.Bytes
	}
	if ended.Load() != int64(calls) || lost.Load() > 0 || o.Received != o.Sent || bytes < int64(o.Sent)*160 {
		b.Errorf("%d recordings with %d pieces lost, %d of %d packets relayed, %d bytes on the disk", ended.Load(), lost.Load(), o.Received, o.Sent, bytes)
	}
	b.ReportMetric(float64(lost.Load()), "lost-pieces")
	b.ReportMetric(o.P99.Seconds()*1000, "p99-ms")
	b.ReportMetric(float64(bytes)/1024/(float64(calls)*benchTime.Seconds()), "KB/call-s")
}
