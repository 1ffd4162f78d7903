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
			o := benchRecorded(b, calls)
			o.cost(b)
			b.ReportMetric(o.P99.Seconds()*1000, "p99-ms")
		}
	})
}

// recordedDelay is by how much recording may lengthen the way of a packet through the box, at the 99th percentile: less
// than the timers of the phones are exact to.
const recordedDelay = time.Millisecond

// quietDelay is what bridged calls keep on a machine that does nothing else: the bar of the relay.
const quietDelay = 5 * time.Millisecond

// BenchmarkRecorded300 carries 300 calls, bridged and bridged and recorded in turns, and fails when recording delays them.
// Of each the best of its rounds counts: what else the machine does only adds to a delay.
func BenchmarkRecorded300(b *testing.B) {
	const calls, rounds = 300, 3
	for b.Loop() {
		var plain, taped outcome
		for range rounds {
			plain = better(plain, benchBridges(b, calls, codec.PCMA, codec.PCMA, sdp.NoSuite, sdp.NoSuite))
			taped = better(taped, benchRecorded(b, calls))
		}
		if plain.P99 > quietDelay {
			b.Errorf("of bridged calls one packet in a hundred takes %v: the machine is too busy, the figures say nothing", plain.P99)
		}
		if added := taped.P99 - plain.P99; added > recordedDelay {
			b.Errorf("of recorded calls one packet in a hundred takes %v, of those that are not %v: recording adds %v", taped.P99, plain.P99, added)
		}
		lost := plain.Sent - plain.Received + taped.Sent - taped.Received
		if lost > 0 {
			b.Errorf("%d packets were lost", lost)
		}
		for name, o := range map[string]outcome{"bridged": plain, "recorded": taped} {
			b.ReportMetric(o.P50.Seconds()*1000, name+"-p50-ms")
			b.ReportMetric(o.P99.Seconds()*1000, name+"-p99-ms")
			b.ReportMetric(o.CPU, name+"-cpu-ms/call-s")
		}
		b.ReportMetric(float64(lost), "lost")
	}
}

// better is the outcome of two with the shorter delay, of all the packets and the least cost of both.
func better(x, y outcome) outcome {
	if x.Sent == 0 {
		return y
	}
	best := x
	if y.P99 < x.P99 {
		best = y
	}
	best.Sent, best.Received, best.CPU = x.Sent+y.Sent, x.Received+y.Received, min(x.CPU, y.CPU)
	return best
}

func benchRecorded(b *testing.B, calls int) outcome {
	a, err := archive.Open(archive.Config{Log: slog.New(slog.DiscardHandler), Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			b.Error(err)
		}
	}()
	var opened, ended, lost atomic.Int64
	n := 0
	o := benchBridges(b, calls, codec.PCMA, codec.PCMA, sdp.NoSuite, sdp.NoSuite, func(e *Engine, x, y *Leg) {
		n++
		about := tape.About{ID: fmt.Sprint("c-", n), Chain: "c", Began: time.Now(), Tracks: []tape.Track{{Leg: string(x.ID())}, {Leg: string(y.ID())}}}
		_, err := e.Tape(TapeConfig{
			Open: func() (TapeFile, error) { defer opened.Add(1); return a.Begin(about) },
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
		for n == calls && opened.Load() < int64(n) { // calls do not begin all in one instant; their files are open when they talk
			time.Sleep(time.Millisecond)
		}
	})
	var bytes int64
	for _, r := range a.List(func(archive.Recording) bool { return true }) {
		bytes += r.Bytes
	}
	if ended.Load() != int64(calls) || lost.Load() > 0 || o.Received != o.Sent || bytes < int64(o.Sent)*160 {
		b.Errorf("%d recordings with %d pieces lost, %d of %d packets relayed, %d bytes on the disk", ended.Load(), lost.Load(), o.Received, o.Sent, bytes)
	}
	b.ReportMetric(float64(bytes)/1024/(float64(calls)*benchTime.Seconds()), "KB-on-disk/call-s")
	return o
}
