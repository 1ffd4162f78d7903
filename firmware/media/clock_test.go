package media

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/prompt"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

// beats drives the clock of a leg's loop by hand, so that tests of the slow path take no time and
// know which tick they are in.
type beats struct {
	t   testing.TB
	leg *Leg
}

// byHand puts the loop's clock on a timer that nobody reads; ticks come from tick only.
func byHand(t testing.TB, g *Leg) *beats {
	t.Helper()
	b := &beats{t, g}
	b.do(func(l *loop) {
		unread, err := newTimer()
		if err != nil {
			t.Error(err)
			return
		}
		l.set(l.ticker, 0)
		l.ticker.expirations()
		kernel := l.ticker
		t.Cleanup(func() { _ = unix.Close(int(kernel)) })
		l.ticker = unread // closed with the loop
	})
	return b
}

func (b *beats) do(f func(*loop)) {
	b.t.Helper()
	if err := b.leg.ask(func(l *loop) error { f(l); return nil }); err != nil {
		b.t.Fatal(err)
	}
}

// tick runs n ticks one by one, each at the time that it was due.
func (b *beats) tick(n int) {
	b.t.Helper()
	b.do(func(l *loop) {
		for range n {
			l.now = l.clock.beat + tick
			l.tick(1)
		}
	})
}

// sentence is a sound whose frames say what they are.
type sentence struct {
	name   string
	frames int
}

func (s sentence) Frames(id codec.ID) [][]byte {
	var all [][]byte
	for i := range s.frames {
		f := fmt.Appendf(nil, "%s %v %d;", s.name, id, i)
		all = append(all, append(f, bytes.Repeat([]byte{'.'}, frameSamples-len(f))...))
	}
	return all
}

func said(p *rtp.Packet) string {
	text, _, _ := strings.Cut(string(p.Payload), ";")
	return text
}

func TestAPromptIsHeardFromItsFirstFrameToItsLast(t *testing.T) {
	e := startEngine(t, 23000, 23003, nil)
	a := join(t, e, "127.0.0.33", pcmu, nil)
	clock := byHand(t, a.leg)
	done := make(chan struct{})
	if err := a.leg.Play([]Sound{sentence{"you are number", 3}, sentence{"two", 2}}, false, func() { close(done) }); err != nil {
		t.Fatal(err)
	}
	clock.tick(6)
	var first *rtp.Packet
	for i, want := range []string{"you are number PCMU 0", "you are number PCMU 1", "you are number PCMU 2", "two PCMU 0", "two PCMU 1"} {
		got := a.receive()
		if first == nil {
			first = got
		}
		if said(got) != want || got.Marker != (i == 0) || got.PayloadType != 0 ||
			got.SequenceNumber != first.SequenceNumber+uint16(i) || got.Timestamp != first.Timestamp+160*uint32(i) {
			t.Errorf("packet %d says %q (%v), want %q", i, said(got), got, want)
		}
	}
	await[PlayDone](t, a.sink)
	<-done
	// What comes later begins a talkspurt of its own, with the time that has passed.
	if err := a.leg.Play([]Sound{sentence{"bye", 1}}, false, nil); err != nil {
		t.Fatal(err)
	}
	clock.tick(1)
	if got := a.receive(); !got.Marker || got.SequenceNumber != first.SequenceNumber+5 || got.Timestamp-first.Timestamp < 5*160 {
		t.Errorf("after %v came %v", first, got)
	}
}

func TestPromptsArePlayedAtThePaceOfSpeech(t *testing.T) {
	e := startEngine(t, 23004, 23007, nil)
	a := join(t, e, "127.0.0.33", pcmu, nil)
	begin := time.Now()
	if err := a.leg.Play([]Sound{sentence{"x", 12}}, false, nil); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		a.receive()
	}
	// The first comes after one tick; a slow machine may bunch a few, never the whole.
	if d := time.Since(begin); d < 200*time.Millisecond {
		t.Errorf("12 frames came within %v", d)
	}
}

func TestMusicHasOnePlayheadForAllListeners(t *testing.T) {
	e := startEngine(t, 23010, 23019, func(c *Config) { c.Loops = 1 })
	a := join(t, e, "127.0.0.33", pcmu, nil)
	music := []Sound{sentence{"music", 500}}
	play := func(p *phone) {
		t.Helper()
		if err := p.leg.Play(music, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	clock := byHand(t, a.leg)
	play(a)
	clock.tick(3)
	b := join(t, e, "127.0.0.34", pcmu, nil)
	play(b)
	for range 3 {
		a.receive()
	}
	clock.tick(5)
	for range 5 {
		x, y := a.receive(), b.receive()
		if said(x) != said(y) {
			t.Errorf("one hears %q, the other %q", said(x), said(y))
		}
	}
	if err := a.leg.Stop(); err != nil {
		t.Fatal(err)
	}
	clock.leg = b.leg
	clock.tick(1)
	b.receive()
	if pkt, err := a.read(time.Millisecond); err == nil {
		t.Errorf("after Stop: %q", said(pkt))
	}
	if n := len(slices.DeleteFunc(a.sink.all(), func(e Event) bool { _, ok := e.(PlayDone); return !ok })); n != 0 {
		t.Error("music reported its end")
	}
}

func TestATonesRhythmBeginsForEachListenerAndBeginsAgain(t *testing.T) {
	e := startEngine(t, 23150, 23153, func(c *Config) { c.Loops = 1 })
	a := join(t, e, "127.0.0.33", pcmu, nil)
	clock := byHand(t, a.leg)
	for range 2 { // whenever it is begun
		clock.tick(2)
		if err := a.leg.Play([]Sound{sentence{"tone", 3}}, true, nil); err != nil {
			t.Fatal(err)
		}
		clock.tick(4)
		for _, want := range []string{"tone PCMU 0", "tone PCMU 1", "tone PCMU 2", "tone PCMU 0"} {
			if got := said(a.receive()); got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
		if err := a.leg.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAPromptOverABridgeReplacesThePeerForItsTime(t *testing.T) {
	e := startEngine(t, 23020, 23029, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	a.send("before")
	b.hearsFirst("before")
	clock := byHand(t, b.leg)
	if err := b.leg.Play([]Sound{sentence{"whisper", 1}}, false, nil); err != nil {
		t.Fatal(err)
	}
	a.send("not heard")
	settle(t, a.leg)
	clock.tick(2)
	if got := b.receive(); said(got) != "whisper PCMU 0" || !got.Marker {
		t.Errorf("b hears %q", said(got))
	}
	await[PlayDone](t, b.sink)
	a.send("again")
	if got := b.receive(); string(got.Payload) != "again" || !got.Marker {
		t.Errorf("after the prompt: %q", got.Payload)
	}
}

func TestBridgingEndsAPrompt(t *testing.T) {
	e := startEngine(t, 23030, 23039, nil)
	a := join(t, e, "127.0.0.33", pcmu, nil)
	b := join(t, e, "127.0.0.34", pcmu, nil)
	if err := a.leg.Play([]Sound{sentence{"music", 50}}, true, nil); err != nil {
		t.Fatal(err)
	}
	if got := a.receive(); !strings.HasPrefix(said(got), "music") {
		t.Errorf("a hears %q", said(got))
	}
	if err := e.Bridge(a.leg, b.leg); err != nil {
		t.Fatal(err)
	}
	for drained := false; !drained; {
		_, err := a.read(quiet)
		drained = err != nil
	}
	b.send("hello")
	a.hearsFirst("hello")
}

func TestPacketsHaveTheNegotiatedLength(t *testing.T) {
	for _, ptime := range []int{10, 20, 30, 40, 60} {
		t.Run(fmt.Sprint(ptime, " ms"), func(t *testing.T) {
			e := startEngine(t, 23040, 23043, nil)
			m := pcmu
			m.Ptime = ptime
			a := join(t, e, "127.0.0.33", m, nil)
			clock := byHand(t, a.leg)
			if err := a.leg.Play([]Sound{sentence{"x", 12}}, false, nil); err != nil {
				t.Fatal(err)
			}
			clock.tick(12)
			var got []byte
			var first *rtp.Packet
			for i := range 240 / ptime {
				p := a.receive()
				if first == nil {
					first = p
				}
				if len(p.Payload) != 8*ptime || p.Timestamp-first.Timestamp != uint32(8*ptime*i) || p.SequenceNumber != first.SequenceNumber+uint16(i) {
					t.Fatalf("packet %d: %v", i, p)
				}
				got = append(got, p.Payload...)
			}
			if want := slices.Concat(sentence{"x", 12}.Frames(codec.PCMU)...); !bytes.Equal(got, want) {
				t.Error("the sound is not whole")
			}
		})
	}
}

func TestAfterALongStallThePromptGoesOnWithoutABurst(t *testing.T) {
	e := startEngine(t, 23050, 23053, nil)
	a := join(t, e, "127.0.0.33", pcmu, nil)
	clock := byHand(t, a.leg)
	if err := a.leg.Play([]Sound{sentence{"x", 100}}, false, nil); err != nil {
		t.Fatal(err)
	}
	clock.tick(1)
	before := a.receive()
	late := func(ticks int) {
		clock.do(func(l *loop) {
			l.now = l.clock.beat + time.Duration(ticks)*tick
			l.tick(ticks)
		})
	}
	late(3) // short: made up for
	for i := range 3 {
		if got := a.receive(); got.Timestamp != before.Timestamp+160*uint32(i+1) || got.Marker {
			t.Fatalf("after %v came %v", before, got)
		}
	}
	late(50) // a second: one frame, and the time has gone on
	got := a.receive()
	if d := got.Timestamp - before.Timestamp; d < 160*52 || d > 160*54 || !got.Marker || got.SequenceNumber != before.SequenceNumber+4 {
		t.Errorf("after %v came %v", before, got)
	}
	if pkt, err := a.read(time.Millisecond); err == nil {
		t.Errorf("a burst: %v", pkt)
	}
	if c := e.Counters(); c.Missed != 49 {
		t.Errorf("counters %+v, want 49 ticks left out", c)
	}
}

// wave makes a tone and keeps its phase from frame to frame.
type wave struct {
	hz float64
	n  int
}

func (w *wave) frame() (f line.Frame) {
	for i := range f {
		f[i] = int16(8000 * math.Sin(2*math.Pi*w.hz*float64(w.n)/8000))
		w.n++
	}
	return f
}

// clean fails unless pcm holds the tone at least 20 dB above the other.
func clean(t *testing.T, who string, pcm []int16, hz, other float64) {
	t.Helper()
	if len(pcm) < 4000 {
		t.Fatalf("%s heard %d samples", who, len(pcm))
	}
	pcm = pcm[len(pcm)-4000:]
	want, not := dsp.ToneLevel(pcm, hz), dsp.ToneLevel(pcm, other)
	if want < -20 || want-not < 20 {
		t.Errorf("%s hears %.0f Hz at %.1f dBm0 and %.0f Hz at %.1f dBm0", who, hz, want, other, not)
	}
	if total := dsp.Level(pcm); total-want > 1 {
		t.Errorf("%s hears %.1f dBm0 in all, the tone is %.1f dBm0 of it", who, total, want)
	}
}

// talkers sends a tone from each of two phones for n ticks and returns what each heard.
func talkers(t *testing.T, clock *beats, a, b *phone, m, n sdp.Media, ticks int) (heardA, heardB []int16) {
	t.Helper()
	waves := [2]*wave{{hz: 700}, {hz: 1300}}
	phones, media := [2]*phone{a, b}, [2]sdp.Media{m, n}
	var enc [2]codec.Encoder
	var dec [2]codec.Decoder
	var heard [2][]int16
	for i := range 2 {
		enc[i], dec[i] = codec.NewEncoder(media[i].Codec), codec.NewDecoder(media[i].Codec)
	}
	for range ticks {
		for i, p := range phones {
			f := waves[i].frame()
			payload := make([]byte, 160)
			enc[i].Encode(payload, f[:])
			clock.deliver(p, payload)
		}
		clock.tick(1)
	}
	for i, p := range phones {
		for {
			pkt, err := p.read(quiet)
			if err != nil {
				break
			}
			pcm := make([]int16, 2*len(pkt.Payload))
			heard[i] = append(heard[i], pcm[:dec[i].Decode(pcm, pkt.Payload)]...)
		}
	}
	return heard[0], heard[1]
}

// deliver hands the phone's next packet to its leg as if it arrived at the time of the last beat.
func (b *beats) deliver(p *phone, payload []byte) {
	b.t.Helper()
	raw, err := p.packet(payload).Marshal()
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(func(l *loop) {
		l.now = l.clock.beat
		from := p.leg.ports.rtp.address(p.addr())
		l.arrived(p.leg, raw, &from)
	})
}

func TestLegsOfDifferentCodecsHearEachOther(t *testing.T) {
	for _, pair := range [][2]codec.ID{{codec.PCMU, codec.PCMA}, {codec.PCMA, codec.G722}} {
		t.Run(fmt.Sprint(pair), func(t *testing.T) {
			e := startEngine(t, 23060, 23069, nil)
			m, n := pcmu, pcmu
			m.Codec, m.SendPT, m.RecvPT = pair[0], pair[0].PayloadType(), pair[0].PayloadType()
			n.Codec, n.SendPT, n.RecvPT = pair[1], pair[1].PayloadType(), pair[1].PayloadType()
			a, b := bridged(t, e, m, n)
			if s := a.leg.Stats(); !s.Bridged || s.Fast || s.Clocked {
				t.Fatalf("stats %+v", s)
			}
			clock := byHand(t, a.leg)
			heardA, heardB := talkers(t, clock, a, b, m, n, 60)
			clean(t, "a", heardA, 1300, 700)
			clean(t, "b", heardB, 700, 1300)
		})
	}
}

func TestLegsOfDifferentPacketLengthsHearEachOther(t *testing.T) {
	e := startEngine(t, 23070, 23079, nil)
	m, n := pcmu, pcmu
	n.Ptime = 30
	a, b := bridged(t, e, m, n)
	clock := byHand(t, a.leg)
	heardA, heardB := talkers(t, clock, a, b, m, n, 60)
	clean(t, "a", heardA, 1300, 700)
	clean(t, "b", heardB, 700, 1300)
}

// lineFake is a line that sends a tone and keeps what it is given.
type lineFake struct {
	wave  wave
	mute  bool
	heard []int16
	in    uint64
}

func (l *lineFake) ReadFrame(f *line.Frame) bool {
	*f = line.Frame{}
	if l.mute {
		return false
	}
	*f = l.wave.frame()
	l.in++
	return true
}

func (l *lineFake) WriteFrame(f *line.Frame) bool {
	l.heard = append(l.heard, f[:]...)
	return true
}

func (l *lineFake) Stats() line.MediaStats { return line.MediaStats{FramesIn: l.in, FramesOut: 7} }

func TestALineAndAPhoneHearEachOther(t *testing.T) {
	e := startEngine(t, 23080, 23089, nil)
	modem := &lineFake{wave: wave{hz: 700}}
	leg, err := e.Open(LegConfig{Line: modem})
	if err != nil {
		t.Fatal(err)
	}
	if rtp, rtcp := leg.Ports(); rtp != 0 || rtcp != 0 {
		t.Errorf("a line leg has ports %d and %d", rtp, rtcp)
	}
	if err := leg.Configure(pcmu); err != ErrLineLeg {
		t.Errorf("configure: %v", err)
	}
	if err := leg.SendDTMF("1"); err != ErrLineLeg {
		t.Errorf("digits: %v", err)
	}
	b := join(t, e, "127.0.0.34", pcmu, nil)
	if err := e.Bridge(leg, b.leg); err != nil {
		t.Fatal(err)
	}
	clock := byHand(t, leg)
	tone := wave{hz: 1300}
	enc, dec := codec.NewEncoder(codec.PCMU), codec.NewDecoder(codec.PCMU)
	clock.do(func(*loop) { modem.heard = nil })
	for range 60 {
		f := tone.frame()
		payload := make([]byte, 160)
		enc.Encode(payload, f[:])
		clock.deliver(b, payload)
		clock.tick(1)
	}
	var heard, atLine []int16
	for {
		pkt, err := b.read(quiet)
		if err != nil {
			break
		}
		pcm := make([]int16, 160)
		heard = append(heard, pcm[:dec.Decode(pcm, pkt.Payload)]...)
	}
	clock.do(func(*loop) { atLine = slices.Clone(modem.heard) })
	clean(t, "the phone", heard, 700, 1300)
	clean(t, "the line", atLine, 1300, 700)
	if s := leg.Stats(); s.Received == 0 || s.Sent != 7 || !s.Bridged {
		t.Errorf("stats %+v", s)
	}
}

func TestALineHearsPromptsAndOtherwiseSilence(t *testing.T) {
	e := startEngine(t, 23090, 23093, nil)
	modem := &lineFake{mute: true}
	leg, err := e.Open(LegConfig{Line: modem})
	if err != nil {
		t.Fatal(err)
	}
	clock := byHand(t, leg)
	clock.do(func(*loop) { modem.heard = nil })
	clock.tick(2)
	if err := leg.Play([]Sound{tonePrompt{}}, false, nil); err != nil {
		t.Fatal(err)
	}
	clock.tick(32)
	var heard []int16
	clock.do(func(*loop) { heard = slices.Clone(modem.heard) })
	if len(heard) < 33*160 {
		t.Fatalf("the line got %d samples in 34 ticks", len(heard))
	}
	if quiet := dsp.Level(heard[:320]); quiet > -80 {
		t.Errorf("before the prompt the line hears %.1f dBm0", quiet)
	}
	clean(t, "the line", heard[320:320+30*160], 440, 1300)
}

// tonePrompt is 30 frames of 440 Hz.
type tonePrompt struct{}

func (tonePrompt) Frames(id codec.ID) (all [][]byte) {
	enc, tone := codec.NewEncoder(id), wave{hz: 440}
	for range 30 {
		f := tone.frame()
		b := make([]byte, 160)
		enc.Encode(b, f[:])
		all = append(all, b)
	}
	return all
}

// slowSound notes on which goroutine it is encoded first.
type slowSound struct {
	sentence
	mu     *sync.Mutex
	onLoop *[]codec.ID
	known  map[codec.ID]bool
}

func (s slowSound) Frames(id codec.ID) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known[id] {
		s.known[id] = true
		stack := make([]byte, 1<<14)
		if strings.Contains(string(stack[:runtime.Stack(stack, false)]), "(*loop).run") {
			*s.onLoop = append(*s.onLoop, id)
		}
	}
	return s.sentence.Frames(id)
}

func TestSoundsAreEncodedByWhoPlaysThemNotByTheLoop(t *testing.T) {
	e := startEngine(t, 23130, 23139, nil)
	var onLoop []codec.ID
	s := slowSound{sentence{"x", 2}, new(sync.Mutex), &onLoop, map[codec.ID]bool{}}
	play := func(g *Leg) {
		t.Helper()
		if err := g.Play([]Sound{s}, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	a := join(t, e, "127.0.0.33", pcmu, nil)
	play(a.leg)
	a.receive()
	m := pcmu
	m.Codec, m.SendPT, m.RecvPT = codec.G722, 9, 9
	a.configure(m)
	for pt := uint8(0); pt != 9; {
		pt = a.receive().PayloadType
	}
	waiting, err := e.Open(LegConfig{})
	if err != nil {
		t.Fatal(err)
	}
	play(waiting) // before any codec is known
	m.Codec, m.Remote = codec.PCMA, a.addr()
	if err := waiting.Configure(m); err != nil {
		t.Fatal(err)
	}
	a.receive()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(onLoop) != 0 || len(s.known) != 3 {
		t.Errorf("encoded on the loop: %v; in all: %v", onLoop, s.known)
	}
}

func TestTheLibrarysSoundsCanBePlayed(t *testing.T) {
	library, err := prompt.New()
	if err != nil {
		t.Fatal(err)
	}
	e := startEngine(t, 23140, 23143, nil)
	a := join(t, e, "127.0.0.33", pcmu, nil)
	clock := byHand(t, a.leg)
	ringback, err := library.Tone("ringback")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.leg.Play([]Sound{ringback}, false, nil); err != nil {
		t.Fatal(err)
	}
	clock.tick(40)
	clean(t, "the caller", a.pcm(codec.PCMU), 425, 1300)
}
