package gsm

import (
	"encoding/binary"
	"io"
	"math"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/line/linetest"
)

// tape is an audio port that keeps what is written and takes at most room bytes per write.
type tape struct {
	written []byte
	room    int // 0 = all
}

func (*tape) Read([]byte) (int, error)         { return 0, io.EOF }
func (*tape) Close() error                     { return nil }
func (*tape) SetReadDeadline(time.Time) error  { return nil }
func (*tape) SetWriteDeadline(time.Time) error { return nil }

func (p *tape) Write(b []byte) (int, error) {
	n := len(b)
	var err error
	if p.room > 0 && n > p.room {
		n, err = p.room, os.ErrDeadlineExceeded
	}
	p.written = append(p.written, b[:n]...)
	return n, err
}

// liveSound is a connected call without its goroutine.
func liveSound(p serialport.Stream) *sound {
	s := &sound{port: p, clocks: newClocks(), quit: make(chan struct{}), done: make(chan struct{})}
	s.live.Store(true)
	return s
}

func encode(pcm []int16) []byte {
	b := make([]byte, 0, 2*len(pcm))
	for _, v := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}

func decode(b []byte) []int16 {
	pcm := make([]int16, len(b)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return pcm
}

// Ten minutes with a modem whose clock is off: no frame is made up or thrown away on either way, the
// delay stays where it was, and the tones stay clean.
func TestClocksThatDifferLoseNoFrame(t *testing.T) {
	for _, ppm := range []float64{200, -200} {
		synctest.Test(t, func(t *testing.T) {
			port := &tape{}
			s := liveSound(port)
			far, near := linetest.Tone{Hz: 1004}, linetest.Tone{Hz: 1004}
			var heard []int16
			lowest, highest := time.Hour, time.Duration(0)
			start := time.Now()
			const span = 10 * time.Minute
			period := 20 * float64(time.Millisecond)
			modem := period / (1 + ppm*1e-6)
			for box, sent := 0.0, 0.0; box*period < float64(span); {
				if sent*modem <= box*period {
					time.Sleep(time.Until(start.Add(time.Duration(sent * modem))))
					var f line.Frame
					far.Fill(&f)
					if err := s.exchange(encode(f[:])); err != nil {
						t.Fatal(err)
					}
					sent++
					continue
				}
				time.Sleep(time.Until(start.Add(time.Duration(box * period))))
				var f line.Frame
				ok := s.ReadFrame(&f)
				if !ok && box > 20 {
					t.Fatalf("no sound after %v", time.Since(start))
				}
				if heard = append(heard, f[:]...); len(heard) > 16000 {
					heard = heard[8000:]
				}
				if box > 500 {
					d := s.Stats().Delay
					lowest, highest = min(lowest, d), max(highest, d)
				}
				near.Fill(&f)
				s.WriteFrame(&f)
				box++
				if len(port.written) > 64000 {
					port.written = port.written[32000:]
				}
			}
			st := s.Stats()
			t.Logf("%+v ppm: measured %+.1f, delay %v to %v, purity in %.1f dB, out %.1f dB", ppm, st.PPM, lowest, highest,
				linetest.Purity(heard[len(heard)-8000:], 1004*(1+ppm*1e-6)), linetest.Purity(decode(port.written[len(port.written)-16000:]), 1004/(1+ppm*1e-6)))
			if highest-lowest > 40*time.Millisecond {
				t.Errorf("the delay went from %v to %v", lowest, highest)
			}
			if math.Abs(st.PPM-ppm) > 20 {
				t.Errorf("measured %.1f ppm, want %v", st.PPM, ppm)
			}
			if in, out := s.clocks.hear.Stats(), s.clocks.say.Stats(); in.Lost+in.Underruns+out.Lost+out.Underruns != 0 {
				t.Errorf("in %+v, out %+v", in, out)
			}
			if p := linetest.Purity(heard[len(heard)-8000:], 1004*(1+ppm*1e-6)); p < 50 {
				t.Errorf("the box hears %.1f dB", p)
			}
			if p := linetest.Purity(decode(port.written[len(port.written)-16000:]), 1004/(1+ppm*1e-6)); p < 50 {
				t.Errorf("the modem hears %.1f dB", p)
			}
		})
	}
}

func TestReadsThatEndInTheMiddleOfASampleKeepTheSoundWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := liveSound(&tape{})
		far := linetest.Tone{Hz: 1004}
		var heard []int16
		var bytes []byte
		for n := range 100 {
			var f line.Frame
			far.Fill(&f)
			bytes = append(bytes, encode(f[:])...)
			cut := len(bytes) - n%3 // some reads end with half a sample
			if err := s.exchange(bytes[:cut]); err != nil {
				t.Fatal(err)
			}
			bytes = append([]byte(nil), bytes[cut:]...)
			s.ReadFrame(&f)
			heard = append(heard, f[:]...)
			time.Sleep(20 * time.Millisecond)
		}
		if p := linetest.Purity(heard[8000:], 1004); p < 40 {
			t.Errorf("purity %.1f dB", p)
		}
	})
}

func TestWritesThatStopInTheMiddleOfASampleKeepTheSoundWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port := &tape{room: 133}
		s := liveSound(port)
		near := linetest.Tone{Hz: 300}
		for range 100 {
			var f line.Frame
			near.Fill(&f)
			s.WriteFrame(&f)
			if err := s.exchange(make([]byte, 320)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if s.Stats().Overruns == 0 || s.stalls.Load() == 0 {
			t.Error("a port that takes too little was not noticed")
		}
		if len(s.rest) > 2*chunk {
			t.Errorf("%d bytes wait", len(s.rest))
		}
		pcm := decode(port.written)
		for i := 1; i < len(pcm); i++ {
			// A stream out of step swaps the halves of every sample and jumps over the whole range.
			if jump := int(pcm[i]) - int(pcm[i-1]); jump > 33000 || jump < -33000 {
				t.Fatalf("sample %d jumps by %d", i, jump)
			}
		}
	})
}

func TestFramesOfACallAllocateNothing(t *testing.T) {
	s := liveSound(&tape{})
	var f line.Frame
	if n := testing.AllocsPerRun(1000, func() {
		s.WriteFrame(&f)
		s.ReadFrame(&f)
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func TestEndedSoundGivesSilence(t *testing.T) {
	s := liveSound(&tape{})
	s.stop()
	f := line.Frame{1, 2, 3}
	if s.ReadFrame(&f) || s.WriteFrame(&f) || f != (line.Frame{}) {
		t.Error("an ended call has sound")
	}
}

func TestHealthOfTheAudioPortIsJudgedByItsBytes(t *testing.T) {
	tests := map[string]struct {
		received, sent, overruns uint64
		d                        time.Duration
		want                     bool
	}{
		"a steady stream":            {160000, 160000, 0, 10 * time.Second, true},
		"the modem takes too little": {160000, 80000, 0, 10 * time.Second, false},
		"the modem gives too little": {80000, 160000, 0, 10 * time.Second, false},
		"a short call says little":   {100, 100, 0, time.Second, true},
		"a short call that stalled":  {100, 100, 1, time.Second, false},
	}
	for name, tt := range tests {
		s := &sound{}
		s.received.Store(tt.received)
		s.sent.Store(tt.sent)
		s.overruns.Store(tt.overruns)
		if got := s.healthy(tt.d); got != tt.want {
			t.Errorf("%s: healthy %v", name, got)
		}
	}
}

func BenchmarkFrameBothWays(b *testing.B) {
	s := liveSound(&tape{})
	var f line.Frame
	in := make([]byte, 320)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.exchange(in); err != nil {
			b.Fatal(err)
		}
		s.WriteFrame(&f)
		s.ReadFrame(&f)
		s.port.(*tape).written = s.port.(*tape).written[:0]
	}
}
