package quality

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// rate is that of the sound in these tests, in Hz.
const rate = 8000

// hop is how many samples have one level.
const hop = int(rate * EchoStep / time.Second)

// talks is something like the speech of one who talks in turns: syllables of random length, loudness and colour,
// with pauses between words and sentences. Share is the part of the time in which it talks.
func talks(r *rand.Rand, seconds int, share float64) []float64 {
	pcm := make([]float64, seconds*rate)
	for at := 0; at < len(pcm); {
		if r.Float64() > share { // the other's turn
			at += int((0.5 + 3*r.Float64()) * rate)
			continue
		}
		for end := min(len(pcm), at+int((1+3*r.Float64())*rate)); at < end; {
			n := int((0.08 + 0.2*r.Float64()) * rate)
			loud, pitch, noise := 1500*math.Exp(0.8*r.NormFloat64()), 90+150*r.Float64(), r.Float64()
			for i := 0; i < n && at+i < len(pcm); i++ {
				shape := math.Sqrt(math.Sin(math.Pi * float64(i) / float64(n)))
				phase := math.Mod(pitch*float64(i)/rate, 1)
				pcm[at+i] = loud * shape * ((1-noise)*3*(0.5-phase) + noise*r.NormFloat64()) // a saw, as of a voice
			}
			at += n + int(r.ExpFloat64()*0.06*rate)
			if r.IntN(6) == 0 {
				at += int(0.3 * r.Float64() * rate)
			}
		}
	}
	return pcm
}

// room adds what comes back of far to near: after delay, loss dB weaker, over a few ways of different length.
func room(r *rand.Rand, near, far []float64, delay time.Duration, loss float64) []float64 {
	taps := []float64{1, 0.4 * r.NormFloat64(), 0.3 * r.NormFloat64(), 0.2 * r.NormFloat64()}
	sum := 0.0
	for _, t := range taps {
		sum += t * t
	}
	gain := math.Pow(10, -loss/20) / math.Sqrt(sum)
	out := make([]float64, len(near))
	copy(out, near)
	first := int(delay * rate / time.Second)
	for k, t := range taps {
		for i := first + 7*k*k; i < len(out); i++ {
			out[i] += gain * t * far[i-first-7*k*k]
		}
	}
	return out
}

// hiss is the noise of an office or of a line.
func hiss(r *rand.Rand, pcm []float64, dbm0 float64) {
	rms := 32124 / math.Sqrt2 * math.Pow(10, (dbm0-3.14)/20)
	for i := range pcm {
		pcm[i] += rms * r.NormFloat64()
	}
}

// measures lets Echo hear a conversation, coded as G.711, in the order in which a relay sees it; what comes back
// is heard before what is said at the same time.
func measures(sent, heard []float64) *Echo {
	e := &Echo{}
	enc, dec := codec.NewEncoder(codec.PCMA), codec.NewDecoder(codec.PCMA)
	level := func(pcm []float64) float32 {
		var in [hop]int16
		var coded [hop]byte
		for i, v := range pcm {
			in[i] = int16(max(-32000, min(32000, v)))
		}
		enc.Encode(coded[:], in[:])
		dec.Decode(in[:], coded[:])
		sum := 0.0
		for _, v := range in {
			sum += float64(v) * float64(v)
		}
		return Level(sum / float64(hop))
	}
	for at := 0; at+160 <= len(sent); at += 160 {
		for i := range 160 / hop {
			if step := int64(at/hop + i); !e.Idle(step) {
				e.Heard(step, level(heard[at+hop*i:][:hop]))
			}
		}
		for i := range 160 / hop {
			e.Sent(int64(at/hop+i), level(sent[at+hop*i:][:hop]))
		}
	}
	return e
}

// conversation is a call of 40 s: who is told, and what comes from there.
type conversation struct {
	name  string
	echo  bool
	share [2]float64 // of the time in which each talks
	delay func(r *rand.Rand) time.Duration
	loss  func(r *rand.Rand) float64
}

func between(least, most time.Duration) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration { return least + time.Duration(r.Int64N(int64(most-least))) }
}

func decibels(least, most float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return least + (most-least)*r.Float64() }
}

var conversations = []conversation{
	{"a hybrid near by", true, [2]float64{0.5, 0.4}, between(20*time.Millisecond, 120*time.Millisecond), decibels(8, 20)},
	{"a speakerphone behind a mobile network", true, [2]float64{0.5, 0.4}, between(150*time.Millisecond, 550*time.Millisecond), decibels(10, 24)},
	{"echo beside much double talk", true, [2]float64{0.7, 0.6}, between(80*time.Millisecond, 400*time.Millisecond), decibels(8, 18)},
	{"an ordinary conversation", false, [2]float64{0.5, 0.5}, nil, nil},
	{"double talk all the time", false, [2]float64{0.9, 0.9}, nil, nil},
	{"one talks, one listens", false, [2]float64{0.8, 0.1}, nil, nil},
	{"an echo that nobody hears", false, [2]float64{0.5, 0.4}, between(80*time.Millisecond, 400*time.Millisecond), decibels(55, 65)},
}

func (c conversation) held(r *rand.Rand) (e *Echo, delay time.Duration, loss float64) {
	told, said := talks(r, 40, c.share[0]), talks(r, 40, c.share[1])
	for i := range said {
		said[i] *= 0.7
	}
	if c.delay != nil {
		delay, loss = c.delay(r), c.loss(r)
		said = room(r, said, told, delay, loss)
	}
	hiss(r, told, -68+6*r.Float64())
	hiss(r, said, -68+6*r.Float64())
	return measures(told, said), delay, loss
}

// Echo is found in at least 95 of 100 calls that have it, with its delay and loss, and in fewer than 5 that have not.
func TestEchoIsToldFromConversation(t *testing.T) {
	calls := 40
	if testing.Short() {
		calls = 10
	}
	for _, c := range conversations {
		t.Run(c.name, func(t *testing.T) {
			right, late, off := 0, 0, 0.0
			for seed := range calls {
				e, delay, loss := c.held(rand.New(rand.NewPCG(uint64(seed), 99)))
				got, ok := e.Returned()
				if ok == c.echo {
					right++
				}
				if ok && c.echo {
					if d := got.Delay - delay; d < -15*time.Millisecond || d > 15*time.Millisecond {
						late++
					}
					off += math.Abs(got.Loss - loss)
				}
			}
			t.Logf("%d of %d right, %d with another delay, loss off by %.1f dB", right, calls, late, off/float64(max(1, right)))
			if right*100 < 95*calls || late*100 > 5*calls {
				t.Errorf("%d of %d right, %d with another delay", right, calls, late)
			}
			if c.echo && off/float64(max(1, right)) > 6 {
				t.Errorf("the loss is off by %.1f dB", off/float64(right))
			}
		})
	}
}

func TestAnEchoIsTheTroubleOfItsLeg(t *testing.T) {
	l := Leg{Codec: G711, In: Way{Received: 3000}, Carrier: true}
	without := l.Diagnose()
	l.Echo, l.Echoes = Returned{Delay: 300 * time.Millisecond, Loss: 15}, true
	f := l.Diagnose()
	if f.Trouble != tel.SoundEcho || f.Place != tel.SoundAtCarrier || f.Heard > without.Heard-0.5 {
		t.Errorf("%+v, without echo %+v", f, without)
	}
	l.Echo.Delay = 10 * time.Millisecond // as of one's own ear
	if f := l.Diagnose(); f.Trouble != tel.SoundFine {
		t.Errorf("what returns at once is %v", f.Trouble)
	}
	l.In.Lost, l.Echo.Delay = 300, 300*time.Millisecond
	if f := l.Diagnose(); f.Trouble != tel.SoundLoss {
		t.Errorf("beside much loss the trouble is %v", f.Trouble)
	}
}

func TestEchoAllocatesNothingAndPauses(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	e := &Echo{}
	idle, step := 0, int64(0)
	if n := testing.AllocsPerRun(20_000, func() {
		step++
		e.Sent(step, float32(-50+45*r.Float64()))
		if e.Idle(step) {
			idle++
			return
		}
		e.Heard(step, float32(-50+45*r.Float64()))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if idle < 10_000 {
		t.Errorf("of 100 s it paused in %d steps", idle)
	}
}

// Whatever order and levels come, nothing breaks.
func FuzzEcho(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 100, 255, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		e := &Echo{}
		step := int64(0)
		for i, b := range in {
			step += int64(int8(b)) * int64(i%7) * int64(i%11)
			e.Sent(step, float32(int8(b)))
			e.Heard(step-int64(b), float32(b)-200)
			if r, ok := e.Returned(); ok && (r.Delay < 0 || math.IsNaN(r.Loss)) {
				t.Fatalf("%+v", r)
			}
		}
	})
}

func BenchmarkEcho(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 5))
	var levels [1024]float32
	for i := range levels {
		levels[i] = float32(-50 + 45*r.Float64())
	}
	e := &Echo{}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.rests = 0
		e.Sent(int64(i), levels[i&1023])
		e.Heard(int64(i), levels[(i*7)&1023]-20)
	}
}

func TestALevelIsThatOfTheLogarithm(t *testing.T) {
	for square := 0.0; square < 2e9; square = square*1.003 + 1e-4 {
		want := 10*math.Log10(square/(32124.0*32124/2)+1e-12) + 3.14
		if got := float64(Level(square)); math.Abs(got-want) > 0.01 {
			t.Fatalf("%g: %g, want %g", square, got, want)
		}
	}
}
