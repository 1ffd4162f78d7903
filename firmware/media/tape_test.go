package media

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
)

// reel is a tape's file in memory, with a disk that may be slow or refuse.
type reel struct {
	t   testing.TB
	key hpke.PrivateKey

	mu      sync.Mutex
	bytes   []byte
	refuse  error
	release chan struct{} // a write waits for it; nil: none does
	writing chan struct{} // told when one waits
	w       *tape.Writer
	done    chan Taped
	syncs   int
}

func newReel(t testing.TB) *reel {
	t.Helper()
	key, err := tape.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return &reel{t: t, key: key, done: make(chan Taped, 1)}
}

func (r *reel) WriteAt(b []byte, at int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		return 0, r.refuse
	}
	r.bytes = append(r.bytes[:at], b...)
	return len(b), nil
}

func (r *reel) Sound(track uint8, from, to uint32, b []byte) error {
	if r.release != nil {
		select {
		case r.writing <- struct{}{}:
		default:
		}
		<-r.release
	}
	return r.w.Sound(track, from, to, b)
}
func (r *reel) Mark(m tape.Mark) error { return r.w.Mark(m) }
func (r *reel) Sync() error            { r.syncs++; return nil }
func (r *reel) End(e tape.End) error   { return r.w.End(e) }
func (r *reel) Fail(error)             {}

func (r *reel) config(tracks int) TapeConfig {
	return TapeConfig{
		Open: func() (TapeFile, error) {
			about := tape.About{ID: "1", Tracks: make([]tape.Track, tracks)}
			var err error
			r.w, err = tape.NewWriter(r, r.key.PublicKey(), about)
			return r, err
		},
		Done: func(o Taped) { r.done <- o },
	}
}

// of begins to record legs.
func (r *reel) of(e *Engine, legs ...*Leg) *Tape {
	r.t.Helper()
	tp, err := e.Tape(r.config(len(legs)), legs...)
	if err != nil {
		r.t.Fatal(err)
	}
	return tp
}

// ended waits for the outcome and opens the file.
func (r *reel) ended() (Taped, *tape.Reader) {
	r.t.Helper()
	select {
	case o := <-r.done:
		r.mu.Lock()
		defer r.mu.Unlock()
		got, err := tape.Open(bytes.NewReader(r.bytes), int64(len(r.bytes)), r.key)
		if err != nil {
			r.t.Fatal(err)
		}
		return o, got
	case <-time.After(patience):
		r.t.Fatal("the tape does not end")
		return Taped{}, nil
	}
}

// both reads the two sides of a recording, each from its first word on: how long that took says the machine.
func both(t *testing.T, r *tape.Reader) (left, right []int16) {
	t.Helper()
	b := make([]int16, 2*r.Samples())
	if n := r.Read(b, 0); n != r.Samples() {
		t.Fatalf("%d of %d samples", n, r.Samples())
	}
	for i := range r.Samples() {
		left, right = append(left, b[2*i]), append(right, b[2*i+1])
	}
	return spoken(left), spoken(right)
}

func spoken(pcm []int16) []int16 {
	for i, s := range pcm {
		if s != 0 {
			return pcm[i:]
		}
	}
	return nil
}

// between is the sound from one sample to another, which must exist.
func between(t *testing.T, pcm []int16, from, to int) []int16 {
	t.Helper()
	if len(pcm) < to {
		t.Fatalf("%d samples, want %d", len(pcm), to)
	}
	return pcm[from:to]
}

func TestAConversationIsRecordedByPartyAndStaysOnTheFastPath(t *testing.T) {
	e := startEngine(t, 23400, 23419, nil)
	for _, id := range []codec.ID{codec.PCMA, codec.PCMU, codec.G722} {
		t.Run(id.Name(), func(t *testing.T) {
			a, b := bridged(t, e, as(id), as(id))
			defer a.leg.Close()
			defer b.leg.Close()
			r := newReel(t)
			tp := r.of(e, a.leg, b.leg)
			a.talk(&wave{hz: 700}, id, codec.NewEncoder(id), 90, nil)
			b.talk(&wave{hz: 1300}, id, codec.NewEncoder(id), 90, nil)
			settle(t, a.leg)
			settle(t, b.leg)
			for range 90 {
				b.receive()
			}
			if !a.leg.Stats().Fast {
				t.Error("a recorded call is not relayed on the fast path")
			}
			tp.End("done")
			tp.End("once more")
			o, file := r.ended()
			if o.Err != nil || o.Why != "done" || o.Lost != 0 || file.End == nil || file.End.Why != "done" || duration(file.Samples()) != o.Length {
				t.Fatalf("%+v, %+v", o, file.End)
			}
			left, right := both(t, file)
			clean(t, "left", between(t, left, 0, 13000), 700, 1300)
			clean(t, "right", between(t, right, 0, 13000), 1300, 700)
			if a.leg.tap != nil || e.tapes.chunks.taken != 0 {
				t.Errorf("%d chunks are left", e.tapes.chunks.taken)
			}
		})
	}
}

func TestAMixedConversationIsRecordedWithWhoeverTakesPart(t *testing.T) {
	e := startEngine(t, 23420, 23429, nil)
	a, b := bridged(t, e, as(codec.PCMA), as(codec.G722))
	boss := join(t, e, "127.0.0.35", pcmu, nil)
	if err := e.Mix([]*Leg{a.leg, b.leg}, []*Leg{boss.leg}, gains("barge")); err != nil {
		t.Fatal(err)
	}
	r := newReel(t)
	tp := r.of(e, a.leg, b.leg, boss.leg)
	for _, p := range []struct {
		*phone
		id codec.ID
		hz float64
	}{{a, codec.PCMA, 700}, {b, codec.G722, 1300}, {boss, codec.PCMU, 1900}} {
		p.talk(&wave{hz: p.hz}, p.id, codec.NewEncoder(p.id), 90, nil)
		settle(t, p.leg)
	}
	tp.End("done")
	_, file := r.ended()
	left, right := both(t, file)
	clean(t, "left", between(t, left, 0, 13000), 700, 1300)
	right = between(t, right, 6000, 13000)
	if one, other := dsp.ToneLevel(right, 1300), dsp.ToneLevel(right, 1900); one < -20 || other < -20 || dsp.ToneLevel(right, 700) > -45 {
		t.Errorf("right: %.1f and %.1f dBm0", one, other)
	}
}

func TestALineIsRecordedBesideAPhone(t *testing.T) {
	e := startEngine(t, 23430, 23439, nil)
	modem := &lineFake{wave: wave{hz: 700}}
	g, err := e.Open(LegConfig{Line: modem})
	if err != nil {
		t.Fatal(err)
	}
	clock := byHand(t, g)
	r := newReel(t)
	tp := r.of(e, g)
	clock.tick(60)
	tp.End("done")
	_, file := r.ended()
	left, _ := both(t, file)
	clean(t, "the line", left, 700, 1300)
}

func TestWhatIsSaidInAPauseIsNotInTheFile(t *testing.T) {
	e := startEngine(t, 23440, 23449, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	r := newReel(t)
	tp := r.of(e, a.leg, b.leg)
	enc := codec.NewEncoder(codec.PCMU)
	a.talk(&wave{hz: 700}, codec.PCMU, enc, 30, nil)
	settle(t, a.leg)
	tp.Pause("card")
	tp.Pause("card") // paused already
	tp.Pause("hold")
	a.talk(&wave{hz: 1300}, codec.PCMU, enc, 30, nil)
	settle(t, a.leg)
	tp.Resume()
	tp.Resume()
	a.talk(&wave{hz: 700}, codec.PCMU, enc, 30, nil)
	settle(t, a.leg)
	tp.End("done")
	_, file := r.ended()
	left, _ := both(t, file)
	left = between(t, left, 0, 90*frameSamples-frameSamples)

	if level := dsp.ToneLevel(left, 1300); level > -60 {
		t.Errorf("what was said in the pause is heard at %.1f dBm0", level)
	}
	if quiet := dsp.Level(left[31*frameSamples : 59*frameSamples]); quiet > dsp.Floor {
		t.Errorf("the pause sounds at %.1f dBm0", quiet)
	}
	clean(t, "before", left[:29*frameSamples], 700, 1300)
	clean(t, "after", left[61*frameSamples:], 700, 1300)
	if len(file.Marks) != 3 || file.Marks[0].Why != "card" || file.Marks[0].Resume || file.Marks[1].Why != "hold" || !file.Marks[2].Resume {
		t.Errorf("marks %+v", file.Marks)
	}
}

func TestATapeGoesOnWhenALegIsGoneAndEndsWithTheEngine(t *testing.T) {
	e := startEngine(t, 23450, 23459, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	r := newReel(t)
	r.of(e, a.leg, b.leg)
	a.leg.Close()
	b.talk(&wave{hz: 700}, codec.PCMU, codec.NewEncoder(codec.PCMU), 50, nil)
	settle(t, b.leg)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	o, file := r.ended()
	if o.Why != TapeLeft || o.Err != nil || file.End == nil {
		t.Fatalf("%+v, %+v", o, file.End)
	}
	_, right := both(t, file)
	clean(t, "right", between(t, right, 0, 49*frameSamples), 700, 1300)
	if _, err := e.Tape(r.config(1), b.leg); !errors.Is(err, ErrClosed) {
		t.Errorf("a tape of a closed engine: %v", err)
	}
}

func TestALegChangesItsTape(t *testing.T) {
	e := startEngine(t, 23460, 23469, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	gone := join(t, e, "127.0.0.35", pcmu, nil)
	gone.leg.Close()
	first, second, nobody := newReel(t), newReel(t), newReel(t)
	first.of(e, a.leg, gone.leg)
	a.talk(&wave{hz: 700}, codec.PCMU, codec.NewEncoder(codec.PCMU), 50, nil)
	settle(t, a.leg)
	tp := second.of(e, a.leg, b.leg)
	a.talk(&wave{hz: 1300}, codec.PCMU, codec.NewEncoder(codec.PCMU), 50, nil)
	settle(t, a.leg)
	if o, file := first.ended(); o.Why != TapeLeft {
		t.Errorf("%+v", o)
	} else {
		left, _ := both(t, file)
		clean(t, "the first", left, 700, 1300)
	}
	tp.End("done")
	_, file := second.ended()
	left, _ := both(t, file)
	clean(t, "the second", between(t, left, 0, 49*frameSamples), 1300, 700)

	nobody.of(e, gone.leg)
	if o, file := nobody.ended(); o.Err != nil || file.Samples() != 0 {
		t.Errorf("of nobody: %+v, %d samples", o, file.Samples())
	}
	for _, legs := range [][]*Leg{nil, make([]*Leg, tape.MaxTracks+1)} {
		if _, err := e.Tape(first.config(1), legs...); err == nil {
			t.Errorf("a tape of %d legs begins", len(legs))
		}
	}
}

func TestADiskThatRefusesEndsTheTapeAndNotTheCall(t *testing.T) {
	e := startEngine(t, 23470, 23479, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	full := errors.New("no space left on device")
	r := newReel(t)
	r.of(e, a.leg, b.leg)
	enc := codec.NewEncoder(codec.PCMU)
	a.talk(&wave{hz: 700}, codec.PCMU, enc, 60, nil) // more than one chunk
	settle(t, a.leg)
	for range 60 {
		b.receive()
	}
	r.mu.Lock()
	r.refuse = full
	r.mu.Unlock()
	a.talk(&wave{hz: 700}, codec.PCMU, enc, 60, nil)
	settle(t, a.leg)
	for range 60 {
		b.receive() // the call goes on
	}
	if o := <-r.done; !errors.Is(o.Err, full) {
		t.Errorf("%+v", o)
	}

	missing := newReel(t)
	cfg := missing.config(1)
	cfg.Open = func() (TapeFile, error) { return nil, full }
	if _, err := e.Tape(cfg, b.leg); err != nil {
		t.Fatal(err)
	}
	if o := <-missing.done; !errors.Is(o.Err, full) {
		t.Errorf("a file that cannot be made: %+v", o)
	}
	if err := e.Close(); err != nil || e.tapes.chunks.taken != 0 {
		t.Errorf("%v, %d chunks are left", err, e.tapes.chunks.taken)
	}
}

func TestADiskThatIsTooSlowCostsTheRecordingAndNotTheCall(t *testing.T) {
	e := startEngine(t, 23480, 23489, nil)
	e.tapes.chunks.most = 3
	a, b := bridged(t, e, pcmu, pcmu)
	r := newReel(t)
	r.release, r.writing = make(chan struct{}), make(chan struct{}, 1)
	tp := r.of(e, a.leg, b.leg)
	for i := range 400 {
		word := string(rune('a'+i%26)) + "x" + string(make([]byte, 158))
		a.send(word)
		b.hearsFirst(word)
	}
	<-r.writing
	close(r.release)
	tp.End("done")
	if o, file := r.ended(); o.Err != nil || o.Lost == 0 || o.Lost > 400 || file.End.Lost != o.Lost {
		t.Errorf("%+v, %+v", o, file.End)
	}
}

// A wild decoder or file costs one recording.
func TestAFaultOfTheFileEndsOneTape(t *testing.T) {
	lines := &logLines{}
	e := startEngine(t, 23490, 23499, func(c *Config) { c.Log = lines.logger() })
	a, b := bridged(t, e, pcmu, pcmu)
	bad := newReel(t)
	cfg := bad.config(1)
	cfg.Open = func() (TapeFile, error) { return badReel{}, nil }
	if _, err := e.Tape(cfg, a.leg); err != nil {
		t.Fatal(err)
	}
	good := newReel(t)
	tp := good.of(e, b.leg)
	for _, p := range []*phone{a, b} {
		p.talk(&wave{hz: 700}, codec.PCMU, codec.NewEncoder(codec.PCMU), 90, nil)
		settle(t, p.leg)
	}
	if o := <-bad.done; o.Err == nil {
		t.Errorf("%+v", o)
	}
	tp.End("done")
	if o, _ := good.ended(); o.Err != nil {
		t.Errorf("%+v", o)
	}
}

type badReel struct{ TapeFile }

func (badReel) Sound(uint8, uint32, uint32, []byte) error { panic("a fault") }
func (badReel) Fail(error)                                {}

func TestARecordedPacketAllocatesNothing(t *testing.T) {
	e := startEngine(t, 23500, 23503, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	r := newReel(t)
	tp := r.of(e, a.leg, b.leg)
	a.send("x")
	b.hearsFirst("x")
	sender := &socket{family: unix.AF_INET}
	raw, err := a.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	per := math.Inf(1)
	err = raw.Control(func(fd uintptr) {
		sender.fd = int(fd)
		to := sender.address(a.to)
		audio, _ := a.packet(make([]byte, 160)).Marshal()
		if err := a.leg.ask(func(l *loop) error {
			e := unix.EpollEvent{Fd: a.leg.rtpSlot, Pad: int32(l.slots[a.leg.rtpSlot].generation)}
			per = testing.AllocsPerRun(40, func() { // within one chunk: the writer, beside us, may allocate
				if audio[3]++; sender.send(audio, &to) != 0 {
					panic("not sent")
				}
				l.readable(&e)
			})
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	if err != nil || per != 0 {
		t.Errorf("%v allocations per packet, %v", per, err)
	}
	tp.End("done")
	if o, _ := r.ended(); o.Err != nil {
		t.Error(o.Err)
	}
}

// Whatever arrives in whatever order, the pieces of a block are where the timeline says, once, and readable.
func FuzzChunk(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, uint32(7))
	f.Fuzz(func(t *testing.T, moves []byte, ts uint32) {
		tp := &tap{tape: &Tape{engine: &Engine{}}, line: timeline{max: tapeMax, absolute: true}, most: chunkBody}
		tp.tape.engine.tapes.chunks.most = 2
		var now time.Duration
		for i, m := range moves {
			now += time.Duration(m) * time.Millisecond
			ts += uint32(int8(m)) * 40
			size := 1 + int(m)
			if tp.chunk != nil && tp.chunk.n+tapHead+size > chunkBody {
				break
			}
			b := tp.room(size, now)
			tp.head(b, codec.ID(i%4), uint32(m)/100, ts, size, now)
		}
		if tp.chunk == nil {
			return
		}
		lost, was := 0, tp.chunk.n
		from, to, n := tp.chunk.block(&lost)
		if n > was || from > to || to > tapeMax || n == 0 && len(moves) == 0 {
			t.Fatalf("%d bytes of %d, %d to %d", n, was, from, to)
		}
	})
}
