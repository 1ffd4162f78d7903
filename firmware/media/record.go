package media

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// Errors of Record.
var (
	ErrRecording   = errors.New("the leg or the file is being recorded already")
	errNoRecording = errors.New("the recording needs a file and a length that is not negative")
)

// RecordConfig says what of a party's voice is kept. Sound begins with the first packet.
type RecordConfig struct {
	// Path is the file: WAV, 16 bits, 8,000 Hz, one channel. It exists when Done is called; until then
	// the sound is in Path+PartSuffix. A part that an earlier process left is continued.
	Path    string
	Max     time.Duration // the longest; 0: MaxRecording
	Silence time.Duration // so long without a voice ends it and is not kept; 0: never
	// Done is called once from a goroutine of the engine, also when the leg is closed; not when the
	// engine is, because the next process goes on. It must not call Close of the engine.
	Done func(Recorded)
}

// MaxRecording bounds a recording that states no Max.
const MaxRecording = time.Hour

// RecordEnd is why a recording ended.
type RecordEnd string

// The reasons.
const (
	RecordStopped RecordEnd = "stopped" // StopRecord
	RecordLimit   RecordEnd = "limit"   // Max was reached
	RecordSilence RecordEnd = "silence" // nobody spoke for Silence
	RecordEnded   RecordEnd = "ended"   // the leg was closed
	RecordFailed  RecordEnd = "failed"  // the disk refused; what it had taken is kept if it can be

	recordLeft RecordEnd = "left" // the engine was closed: the next process goes on
)

// Recorded is the outcome of one Record.
type Recorded struct {
	Path   string        // the file; empty when there is none: nothing came, or the disk refused even that
	Length time.Duration // of the sound in it
	Why    RecordEnd
	Err    error // of RecordFailed
	Lost   int   // pieces of sound that found the writer too late, heard as silence
}

const (
	// pieceBytes is the most sound of one piece: 60 ms of each codec, 30 ms of linear sound.
	pieceBytes = 480
	// pieces is how many may wait for the disk: five seconds of 20 ms packets. What comes on top is
	// lost to the recording and never delays the call.
	pieces = 256
)

// piece is what the loop hands to the writer: sound, or only the time when it has no sound.
type piece struct {
	at    time.Duration // since the recording began
	epoch uint32        // changes with the sender
	ts    uint32
	codec codec.ID // 0: linear samples, little endian, or no sound at all
	size  int
	bytes [pieceBytes]byte
}

// recording is one Record. The loop fills free pieces; one goroutine writes them.
type recording struct {
	cfg   RecordConfig
	begun time.Duration
	free  chan *piece
	full  chan *piece
	end   chan RecordEnd // one, from the loop
	over  atomic.Bool    // the writer has ended by itself
	lost  atomic.Int64

	lineTS uint32 // of a line, which has no timestamps
}

// Record writes down what the party says, whatever it hears meanwhile. It does not wait for the disk:
// a file that cannot be made is told to Done.
func (g *Leg) Record(cfg RecordConfig) error {
	if cfg.Path == "" || cfg.Max < 0 || cfg.Silence < 0 {
		return errNoRecording
	}
	if cfg.Max == 0 || cfg.Max > MaxRecording {
		cfg.Max = MaxRecording
	}
	if cfg.Done == nil {
		cfg.Done = func(Recorded) {}
	}
	r := &recording{
		cfg: cfg, free: make(chan *piece, pieces), full: make(chan *piece, pieces), end: make(chan RecordEnd, 1),
	}
	for range pieces {
		r.free <- new(piece)
	}
	err := g.ask(func(l *loop) error {
		if g.record != nil && !g.record.over.Load() || !g.engine.recorders.begin(r) {
			return ErrRecording
		}
		r.begun = l.now
		g.record = r
		g.engine.recorders.running.Go(func() { g.engine.recorders.write(r) })
		return nil
	})
	if err != nil {
		return fmt.Errorf("record leg %s: %w", g.id, err)
	}
	return nil
}

// StopRecord ends the recording; Done follows when the file is closed. Without one it does nothing.
func (g *Leg) StopRecord() error {
	return g.tell(func(*loop) { g.endRecord(RecordStopped) })
}

// endRecord is called by the loop.
func (g *Leg) endRecord(why RecordEnd) {
	if g.record != nil {
		g.record.end <- why // room for one, and g.record is gone after it
		g.record = nil
	}
}

// piece gives an empty piece, or nil when the disk is too slow or nothing records any more.
func (g *Leg) piece(now time.Duration) *piece {
	r := g.record
	if r == nil {
		return nil
	}
	if r.over.Load() {
		g.record = nil
		return nil
	}
	select {
	case p := <-r.free:
		p.at, p.epoch, p.ts, p.codec, p.size = now-r.begun, 0, 0, 0, 0
		return p
	default:
		r.lost.Add(1)
		return nil
	}
}

// keepPacket records a packet of sound. Every codec has one byte per timestamp unit.
func (g *Leg) keepPacket(p *packet, now time.Duration) {
	for at := 0; at < len(p.payload); at += pieceBytes {
		q := g.piece(now)
		if q == nil {
			return
		}
		q.codec, q.epoch, q.ts = g.media.Codec, g.in.epoch, p.ts+uint32(at)
		q.size = copy(q.bytes[:], p.payload[at:])
		g.record.full <- q // as much room as there are pieces
	}
}

// keepFrame records a frame of a line.
func (g *Leg) keepFrame(f *line.Frame, now time.Duration) {
	if g.record == nil {
		return
	}
	ts := g.record.lineTS
	g.record.lineTS += frameSamples
	q := g.piece(now)
	if q == nil {
		return
	}
	q.ts, q.size = ts, 2*len(f)
	for i, s := range f {
		q.bytes[2*i], q.bytes[2*i+1] = byte(s), byte(uint16(s)>>8)
	}
	g.record.full <- q
}

// keepTime lets the writer know how late it is, so that silence and length end a recording to which
// no sound comes.
func (g *Leg) keepTime(now time.Duration) {
	if g.record == nil || len(g.record.free) < pieces/2 {
		return // who is that busy knows the time
	}
	if q := g.piece(now); q != nil {
		g.record.full <- q
	}
}
