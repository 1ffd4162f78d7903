package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
)

// TapeFile is where a tape goes. It is used by one goroutine; End and Fail close it.
type TapeFile interface {
	// Sound keeps a block of pieces of a track, as tape.Writer.Sound does.
	Sound(track uint8, from, to uint32, b []byte) error
	Mark(m tape.Mark) error
	Sync() error
	End(e tape.End) error
	// Fail closes a file whose disk refuses; what it has taken stays.
	Fail(why error)
}

// TapeConfig says where a conversation is kept. Both functions run on a goroutine of the engine and may wait for
// the disk; neither must call Close of the engine.
type TapeConfig struct {
	Open func() (TapeFile, error)
	Done func(Taped) // once; nil: nobody asks
}

// Taped is the outcome of a tape.
type Taped struct {
	Length time.Duration
	Lost   int    // pieces of sound that found the disk too far behind, heard as silence
	Why    string // as given to End; TapeLeft when the engine was closed
	Err    error  // the disk refused; what it had taken stays
}

// TapeLeft is why a tape ended when the engine was closed or all its legs were: the next process, or the call,
// goes on in another one.
const TapeLeft = "left"

const (
	tapeWriters = 2
	// tapeSync is how often the sound of a tape is made safe from a power cut.
	tapeSync = 10 * time.Second
	// writerWork is for how long a writer works until it rests: a goroutine that works without a pause keeps the runtime
	// from looking at the network for up to 10 ms, and packets would wait for the sealing of a second of sound of every
	// recorded call.
	writerWork, writerRest = 300 * time.Microsecond, 100 * time.Microsecond
	// tapeMax bounds one tape, in samples: a day less a second.
	tapeMax = 24*60*60*clockRate - clockRate
)

// errNoTape is returned for a tape of nobody, or of too many.
var errNoTape = errors.New("a tape needs a file and one to eight legs")

// tapes are what an engine records of conversations.
type tapes struct {
	log     *slog.Logger
	chunks  chunks
	writers [tapeWriters]queue
	running sync.WaitGroup
	opening sync.RWMutex // held to read while a tape begins, and to write at the end
	closed  bool
}

func (ts *tapes) start(log *slog.Logger) {
	ts.log, ts.chunks.most = log, maxChunks
	for i := range ts.writers {
		q := &ts.writers[i]
		q.signal = make(chan struct{}, 1)
		ts.running.Go(func() {
			began := time.Now()
			for x := q.take(); x != nil; x = q.take() {
				ts.serve(x)
				if time.Since(began) >= writerWork {
					ts.rest()
					began = time.Now()
				}
			}
		})
	}
}

// rest lets others run, unless so much waits for the disk that sound may be lost.
func (ts *tapes) rest() {
	if !ts.chunks.scarce() {
		time.Sleep(writerRest)
	}
}

// close waits until all that was given to the writers is on the disk. The loops have ended.
func (ts *tapes) close() {
	ts.opening.Lock()
	ts.closed = true
	ts.opening.Unlock()
	for i := range ts.writers {
		ts.writers[i].close()
	}
	ts.running.Wait()
}

// Tape is one recording of a conversation: each leg is a track.
type Tape struct {
	engine *Engine
	cfg    TapeConfig
	writer *queue
	begun  time.Duration

	paused atomic.Bool
	ended  atomic.Bool

	mu   sync.Mutex // guards what follows
	gap  string     // why it is paused
	why  string
	stop time.Duration // when End was called, or the last leg left

	// Below: owned by the writer.
	file   TapeFile
	live   int // taps that have not ended
	over   bool
	lost   int
	to     int // behind the last sound, in samples
	synced time.Duration
}

// Tape keeps what the legs say from now on, each for itself, whoever hears them, until End. It does not wait
// for the disk. A leg that another tape had is taken from it. Legs that are gone are silent.
func (e *Engine) Tape(cfg TapeConfig, legs ...*Leg) (*Tape, error) {
	t, done, err := e.newTape(cfg, len(legs))
	if err != nil {
		return nil, err
	}
	defer done()
	for i, g := range legs {
		tp := t.newTap(i)
		err := g.ask(func(*loop) error {
			g.untap()
			g.tap = tp
			return nil
		})
		if err != nil { // nobody else knows the tap
			tp.hand(true)
		}
	}
	return t, nil
}

// newTape begins a tape of so many tracks at the writer that has the fewest. No engine closes before done is called.
func (e *Engine) newTape(cfg TapeConfig, tracks int) (t *Tape, done func(), err error) {
	if cfg.Open == nil || tracks == 0 || tracks > tape.MaxTracks {
		return nil, nil, errNoTape
	}
	if cfg.Done == nil {
		cfg.Done = func(Taped) {}
	}
	ts := &e.tapes
	ts.opening.RLock()
	if ts.closed || e.closed.Load() {
		ts.opening.RUnlock()
		return nil, nil, ErrClosed
	}
	t = &Tape{engine: e, cfg: cfg, begun: e.now(), live: tracks, writer: &ts.writers[0]}
	t.synced = t.begun
	for i := range ts.writers {
		if q := &ts.writers[i]; q.tapes.Load() < t.writer.tapes.Load() {
			t.writer = q
		}
	}
	t.writer.tapes.Add(1)
	t.writer.give(&chunk{order: func() { t.open() }})
	return t, ts.opening.RUnlock, nil
}

// Pause keeps nothing until Resume: what is said meanwhile is silence in the file, with its reason. Another reason
// takes its place without a sound between.
func (t *Tape) Pause(why string) {
	t.paused.Store(true)
	t.mu.Lock()
	was := t.gap
	t.gap = why
	t.mu.Unlock()
	if was != why {
		t.mark(tape.Mark{Why: why})
	}
}

// Resume ends a pause.
func (t *Tape) Resume() {
	t.mu.Lock()
	t.gap = ""
	t.mu.Unlock()
	if t.paused.Swap(false) {
		t.mark(tape.Mark{Resume: true})
	}
}

func (t *Tape) mark(m tape.Mark) {
	t.engine.tapes.opening.RLock()
	defer t.engine.tapes.opening.RUnlock()
	m.At = uint32(min(tapeMax, samples(t.engine.now()-t.begun)))
	t.note(m)
}

// note has the writer keep a mark behind what it was given before.
func (t *Tape) note(m tape.Mark) {
	t.writer.give(&chunk{order: func() {
		if !t.over && t.file != nil {
			t.failed(t.file.Mark(m))
		}
	}})
}

// End ends the tape; Done follows when the file is closed. It may be called more than once: the first reason
// counts.
func (t *Tape) End(why string) {
	t.mu.Lock()
	if t.why == "" {
		t.why, t.stop = why, t.engine.now()
	}
	t.mu.Unlock()
	t.ended.Store(true) // each leg sees it at its next packet or look, within a quarter of a second
}

// left notes when a leg went.
func (t *Tape) left(now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.why == "" {
		t.stop = max(t.stop, now)
	}
}

// serve does what a chunk asks for. A fault costs one recording and not the process.
func (ts *tapes) serve(x *chunk) {
	if x.order != nil {
		ts.guard(nil, x.order)
		return
	}
	from := x.tap
	t, last := from.tape, x.last
	ts.guard(t, func() { t.take(x) })
	if x != &from.final {
		ts.chunks.put(x)
	}
	if last {
		t.lost += from.lost // since its last piece; the loop has let go of it
		ts.guard(t, t.trackEnded)
	}
}

func (ts *tapes) guard(t *Tape, do func()) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		ts.log.Error("panic in the writer of recordings", "panic", p, "stack", string(debug.Stack()))
		if t != nil && !t.over {
			t.failed(fmt.Errorf("panic: %v", p))
		}
	}()
	do()
}

// open makes the file. It runs on the writer, as all below.
func (t *Tape) open() {
	f, err := t.cfg.Open()
	if err == nil {
		t.file = f
	}
	t.failed(err)
}

// failed ends a tape whose disk refuses.
func (t *Tape) failed(err error) {
	if err == nil || t.over {
		return
	}
	if t.file != nil {
		t.file.Fail(err)
	}
	t.ended.Store(true)
	t.finish(Taped{Length: duration(samples(t.engine.now() - t.begun)), Lost: t.lost, Err: fmt.Errorf("record a conversation: %w", err)})
}

func (t *Tape) finish(out Taped) {
	t.over, t.file = true, nil
	t.writer.tapes.Add(-1)
	t.cfg.Done(out)
}

// take writes the sound of a chunk as a block of the file.
func (t *Tape) take(x *chunk) {
	if t.over || t.file == nil || x.n == 0 {
		return
	}
	from, to, n := x.block(&t.lost)
	t.to = max(t.to, int(to))
	if n > 0 {
		if err := t.file.Sound(x.tap.track, from, to, x.b[:tape.HeadRoom+n]); err != nil {
			t.failed(err)
			return
		}
	}
	if now := t.engine.now(); now-t.synced >= tapeSync {
		t.synced = now
		t.failed(t.file.Sync())
	}
}

// trackEnded closes the file with its last track.
func (t *Tape) trackEnded() {
	if t.live--; t.live > 0 || t.over {
		return
	}
	t.mu.Lock()
	why, stop := t.why, t.stop
	t.mu.Unlock()
	if why == "" {
		why = TapeLeft
	}
	length := min(tapeMax, max(t.to, samples(stop-t.begun)))
	if err := t.file.End(tape.End{Length: uint32(length), Lost: t.lost, Why: why}); err != nil {
		t.failed(err)
		return
	}
	t.finish(Taped{Length: duration(length), Lost: t.lost, Why: why})
}

// block makes the pieces of a chunk those of a block, in place, each where it was said. It returns what they
// span and their length in bytes, and adds what was lost.
func (x *chunk) block(lost *int) (from, to uint32, n int) {
	b := x.b[tape.HeadRoom:]
	line := &x.tap.line
	for r := 0; r+tapHead <= x.n; {
		at, ts := binary.LittleEndian.Uint32(b[r:]), binary.LittleEndian.Uint32(b[r+4:])
		epoch, gone := binary.LittleEndian.Uint16(b[r+8:]), int(binary.LittleEndian.Uint16(b[r+10:]))
		id, size := codec.ID(b[r+12]), int(binary.LittleEndian.Uint16(b[r+14:]))
		payload := b[r+tapHead : r+tapHead+size]
		r += tapHead + size
		*lost += gone
		bytes := 1 // of a sample
		if id == 0 {
			bytes = sampleBytes
		}
		place, fits := line.place(duration(int(at)), uint32(epoch), ts, size/bytes)
		if fits == 0 {
			continue
		}
		line.end = max(line.end, place+fits)
		if n == 0 || uint32(place) < from {
			from = uint32(place)
		}
		to = max(to, uint32(place+fits))
		copy(b[n+tape.PieceHead:], payload[:fits*bytes]) // heads become shorter: nothing is overtaken
		tape.PutPiece(b[n:], uint32(place), id, gone, fits*bytes)
		n += tape.PieceHead + fits*bytes
	}
	return from, to, n
}
