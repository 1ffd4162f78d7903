package jitter

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
)

const toneHz = 440

// packet is one of the sender's, with the time at which the network delivers it.
type packet struct {
	Packet
	at time.Duration
}

// sender makes the packets of a tone of -10 dBm0, ptime ms each, from the given start values.
type sender struct {
	id     codec.ID
	ptime  int
	ssrc   uint32
	seq    uint16
	ts     uint32
	ppm    float64
	silent func(at time.Duration) bool
}

func (s sender) packets(length time.Duration) []packet {
	enc := codec.NewEncoder(s.id)
	var out []packet
	n := s.ptime * ticksPerMs
	pcm := make([]int16, n)
	step := time.Duration(float64(s.ptime) * float64(time.Millisecond) / (1 + s.ppm*1e-6))
	sample, seq, ts := 0, s.seq, s.ts
	for at := time.Duration(0); at < length; at += step {
		for i := range pcm {
			pcm[i] = int16(dsp.Amplitude(-10) * math.Sin(2*math.Pi*toneHz*float64(sample+i)/8000))
		}
		sample += n
		payload := make([]byte, n)
		enc.Encode(payload, pcm)
		if s.silent == nil || !s.silent(at) {
			out = append(out, packet{Packet{s.ssrc, seq, ts, payload}, at + 5*time.Millisecond})
			seq++
		}
		ts += uint32(n)
	}
	return out
}

// call plays packets, in the order of their arrival, and returns the sound from our 20 ms clock.
type call struct {
	b     *Buffer
	epoch time.Time
	pcm   []int16
	delay []time.Duration
}

func newCall(id codec.ID) *call {
	return &call{b: New(codec.NewDecoder(id)), epoch: time.Unix(1000, 0)}
}

func (c *call) play(packets []packet, length time.Duration) {
	packets = slices.Clone(packets)
	slices.SortStableFunc(packets, func(a, b packet) int { return cmp.Compare(a.at, b.at) })
	var frame [160]int16
	for at := time.Duration(0); at < length; at += 20 * time.Millisecond {
		for len(packets) > 0 && packets[0].at <= at {
			c.b.Put(c.epoch.Add(packets[0].at), packets[0].Packet)
			packets = packets[1:]
		}
		c.b.Get(c.epoch.Add(at), frame[:])
		c.pcm = append(c.pcm, frame[:]...)
		c.delay = append(c.delay, c.b.Stats().Delay)
	}
}

func (c *call) stats() Stats { return c.b.Stats() }

// between is the sound of that time.
func (c *call) between(from, to time.Duration) []int16 {
	return c.pcm[from.Milliseconds()*ticksPerMs : to.Milliseconds()*ticksPerMs]
}

// clean is how far all else lies below the tone, in dB.
func clean(pcm []int16) float64 {
	tone := dsp.ToneLevel(pcm, toneHz)
	all := math.Pow(10, dsp.Level(pcm)/10) - math.Pow(10, tone/10)
	return tone - 10*math.Log10(max(all, 1e-9))
}

func TestASteadyStreamIsPlayedWholeForEveryCodecAndPacketTime(t *testing.T) {
	for _, id := range []codec.ID{codec.PCMA, codec.PCMU, codec.G722} {
		for _, ptime := range []int{10, 20, 30, 60} {
			t.Run(fmt.Sprintf("%v in packets of %d ms", id, ptime), func(t *testing.T) {
				c := newCall(id)
				// Sequence and timestamp wrap around within the call.
				s := sender{id: id, ptime: ptime, ssrc: 7, seq: 65500, ts: 1<<32 - 4000}
				c.play(s.packets(10*time.Second), 9900*time.Millisecond)
				if got := c.stats(); got.Lost+got.Late+got.Concealed+got.Duplicates+got.Restarts+got.Skips != 0 {
					t.Errorf("%+v", got)
				}
				if got := clean(c.between(5*time.Second, 9*time.Second)); got < 30 {
					t.Errorf("the tone is only %.1f dB above the rest", got)
				}
				if d := c.stats().Delay; d < 40*time.Millisecond || d > 90*time.Millisecond {
					t.Errorf("delay %v", d)
				}
			})
		}
	}
}

func TestReorderedAndDuplicatedPacketsMakeNoDifference(t *testing.T) {
	packets := sender{id: codec.PCMA, ptime: 20, ssrc: 7}.packets(5 * time.Second)
	plain := newCall(codec.PCMA)
	plain.play(packets, 5*time.Second)
	var mixed []packet
	for i, p := range packets {
		if i%10 == 3 {
			p.at += 30 * time.Millisecond // behind its successor
		}
		mixed = append(mixed, p)
		if i%7 == 0 {
			p.at += 3 * time.Millisecond
			mixed = append(mixed, p)
		}
	}
	c := newCall(codec.PCMA)
	c.play(mixed, 5*time.Second)
	if !slices.Equal(c.pcm, plain.pcm) {
		t.Error("the sound differs")
	}
	if s := c.stats(); s.Duplicates == 0 || s.Lost != 0 || s.Concealed != 0 || s.Late != 0 {
		t.Errorf("%+v", s)
	}
}

func TestASingleLostPacketIsHidden(t *testing.T) {
	packets := sender{id: codec.PCMA, ptime: 20, ssrc: 7}.packets(5 * time.Second)
	packets = slices.Delete(packets, 150, 151)
	c := newCall(codec.PCMA)
	c.play(packets, 4900*time.Millisecond)
	if s := c.stats(); s.Lost != 1 || s.Concealed != 160 {
		t.Errorf("%+v", s)
	}
	gap := c.between(3*time.Second, 3200*time.Millisecond)
	for at := 0; at+160 <= len(gap); at += 80 {
		if level := dsp.Level(gap[at : at+160]); level < -14 || level > -8 {
			t.Errorf("%d ms into it the level is %.1f dBm0", at/8, level)
		}
	}
	if got := clean(gap); got < 12 {
		t.Errorf("around the loss the tone is only %.1f dB above the rest", got)
	}
}

func TestALongLossFadesToQuietWithin60Milliseconds(t *testing.T) {
	packets := sender{id: codec.PCMA, ptime: 20, ssrc: 7}.packets(5 * time.Second)
	packets = slices.Delete(packets, 150, 165) // 300 ms
	c := newCall(codec.PCMA)
	c.play(packets, 4900*time.Millisecond)
	if s := c.stats(); s.Lost != 15 {
		t.Errorf("%+v", s)
	}
	if level := dsp.Level(c.between(3160*time.Millisecond, 3300*time.Millisecond)); level > -45 {
		t.Errorf("in the gap the level is %.1f dBm0", level)
	}
	if got := clean(c.between(3500*time.Millisecond, 4500*time.Millisecond)); got < 30 {
		t.Errorf("after it the tone is only %.1f dB above the rest", got)
	}
}

func TestTheWaitFollowsTheJitterAndComesDownAgain(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	packets := sender{id: codec.PCMA, ptime: 20, ssrc: 7}.packets(60 * time.Second)
	for i := range packets {
		if at := packets[i].at; at > 10*time.Second && at < 30*time.Second {
			packets[i].at += time.Duration(random.IntN(90)) * time.Millisecond
		}
	}
	c := newCall(codec.PCMA)
	c.play(packets, 59*time.Second)
	calm, rough, after := c.delay[450], c.delay[1450], c.delay[2900]
	if calm > 80*time.Millisecond || rough < 85*time.Millisecond || rough > 150*time.Millisecond || after > 75*time.Millisecond {
		t.Errorf("delay %v calm, %v rough, %v after", calm, rough, after)
	}
	if s := c.stats(); float64(s.Lost) > 0.04*20*50 {
		t.Errorf("%d lost of the 1000 rough packets: %+v", s.Lost, s)
	}
	if got := dsp.Level(c.between(12*time.Second, 30*time.Second)); math.Abs(got+10) > 1 {
		t.Errorf("level in the rough part %.1f dBm0", got)
	}
}

func TestOneSecondAfterAStallTheDelayIsBackToNormal(t *testing.T) {
	for _, stall := range []time.Duration{300 * time.Millisecond, time.Second, 5 * time.Second} {
		t.Run(stall.String(), func(t *testing.T) {
			packets := sender{id: codec.PCMA, ptime: 20, ssrc: 7}.packets(20 * time.Second)
			end := 5*time.Second + stall
			for i := range packets {
				if at := packets[i].at; at > 5*time.Second && at < end {
					packets[i].at = end + time.Duration(i)*10*time.Microsecond // all at once, in order
				}
			}
			c := newCall(codec.PCMA)
			c.play(packets, 15*time.Second)
			before, after := c.delay[240], c.delay[(end+time.Second)/(20*time.Millisecond)]
			if after > before+20*time.Millisecond || after < 30*time.Millisecond {
				t.Errorf("delay %v before, %v a second after", before, after)
			}
			from := end + time.Second
			if got := clean(c.between(from, from+2*time.Second)); got < 30 {
				t.Errorf("a second after it the tone is only %.1f dB above the rest", got)
			}
		})
	}
}

func TestAFastOrSlowSenderIsFollowedForMinutes(t *testing.T) {
	for _, ppm := range []float64{-300, 300} {
		packets := sender{id: codec.PCMA, ptime: 20, ssrc: 7, ppm: ppm}.packets(4 * time.Minute)
		c := newCall(codec.PCMA)
		c.play(packets, 239*time.Second)
		for i, d := range c.delay {
			if i > 50 && (d < 20*time.Millisecond || d > 100*time.Millisecond) {
				t.Fatalf("%+v ppm: delay %v after %v s", ppm, d, i/50)
			}
		}
		if s := c.stats(); s.Lost != 0 || s.Late != 0 || s.Skips != 0 || s.Concealed > 320 {
			t.Errorf("%+v ppm: %+v", ppm, s)
		}
		if got := dsp.Level(c.between(10*time.Second, 230*time.Second)); math.Abs(got+10) > 0.2 {
			t.Errorf("%+v ppm: level %.2f dBm0", ppm, got)
		}
	}
}

func TestANewSenderTakesOverAtOnce(t *testing.T) {
	first := sender{id: codec.PCMA, ptime: 20, ssrc: 7, seq: 100, ts: 5000}.packets(3 * time.Second)
	second := sender{id: codec.PCMA, ptime: 20, ssrc: 8, seq: 9, ts: 4_000_000_000}.packets(3 * time.Second)
	for i := range second {
		second[i].at += 3 * time.Second
	}
	c := newCall(codec.PCMA)
	c.play(append(first, second...), 6*time.Second)
	if s := c.stats(); s.Restarts != 1 || s.Lost != 0 || s.Late != 0 {
		t.Errorf("%+v", s)
	}
	if got := clean(c.between(3200*time.Millisecond, 5500*time.Millisecond)); got < 30 {
		t.Errorf("the second sender's tone is only %.1f dB above the rest", got)
	}
}

func TestAJumpOfTheTimestampsIsANewTimeline(t *testing.T) {
	for _, jump := range []uint32{100_000, 1 << 31, 1<<32 - 100_000} {
		packets := sender{id: codec.PCMA, ptime: 20, ssrc: 7}.packets(6 * time.Second)
		for i := range packets {
			if i >= 150 {
				packets[i].Timestamp += jump
			}
		}
		c := newCall(codec.PCMA)
		c.play(packets, 6*time.Second)
		if s := c.stats(); s.Restarts != 1 {
			t.Errorf("jump of %d: %+v", jump, s)
		}
		if got := clean(c.between(3200*time.Millisecond, 5500*time.Millisecond)); got < 30 {
			t.Errorf("after a jump of %d the tone is only %.1f dB above the rest", jump, got)
		}
	}
}

func TestSilenceThatTheSenderMeansIsNotALoss(t *testing.T) {
	pause := func(at time.Duration) bool { return at > 2*time.Second && at < 4*time.Second }
	packets := sender{id: codec.PCMA, ptime: 20, ssrc: 7, silent: pause}.packets(6 * time.Second)
	c := newCall(codec.PCMA)
	c.play(packets, 5900*time.Millisecond)
	// The first moments of the pause look like a loss until the next packet tells.
	if s := c.stats(); s.Lost != 0 || s.Restarts != 0 {
		t.Errorf("%+v", s)
	}
	if level := dsp.Level(c.between(2200*time.Millisecond, 3900*time.Millisecond)); level > -48 {
		t.Errorf("level in the pause %.1f dBm0", level)
	}
	if got := clean(c.between(4200*time.Millisecond, 5800*time.Millisecond)); got < 30 {
		t.Errorf("after the pause the tone is only %.1f dB above the rest", got)
	}
}

func TestASenderWhoseClockPausesWithItIsHeardAgain(t *testing.T) {
	packets := sender{id: codec.PCMA, ptime: 20, ssrc: 7}.packets(6 * time.Second)
	for i := range packets {
		if i >= 100 {
			packets[i].at += 1500 * time.Millisecond // the timestamps go on as if nothing had been
		}
	}
	c := newCall(codec.PCMA)
	c.play(packets, 7400*time.Millisecond)
	if got := clean(c.between(3700*time.Millisecond, 7*time.Second)); got < 30 {
		t.Errorf("the tone is only %.1f dB above the rest: %+v", got, c.stats())
	}
	if d := c.stats().Delay; d > 90*time.Millisecond {
		t.Errorf("delay %v", d)
	}
}

func TestDigitsBetweenTheSoundAreNoLoss(t *testing.T) {
	packets := sender{id: codec.PCMA, ptime: 20, ssrc: 7}.packets(4 * time.Second)
	for i := 100; i < 105; i++ {
		packets[i].Payload = nil // the place of RFC 4733 packets in the sequence
	}
	c := newCall(codec.PCMA)
	c.play(packets, 3900*time.Millisecond)
	if s := c.stats(); s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}

func TestNoPacketCanPanicTheBuffer(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	b := New(codec.NewDecoder(codec.G722))
	now := time.Unix(0, 0)
	var frame [160]int16
	for range 200_000 {
		now = now.Add(time.Duration(random.Int64N(int64(15 * time.Millisecond))))
		p := Packet{
			SSRC: uint32(random.IntN(100) / 99), Sequence: uint16(random.Uint32()), Timestamp: random.Uint32(),
			Payload: make([]byte, random.IntN(600)),
		}
		if random.IntN(3) > 0 { // mostly near each other, so that overlaps occur
			p.Sequence, p.Timestamp = uint16(random.IntN(100)), uint32(random.IntN(20000))
		}
		b.Put(now, p)
		if random.IntN(2) == 0 {
			b.Get(now, frame[:])
		}
	}
	for i, s := range b.ring {
		if b.held>>i&1 != 0 && (s.n <= 0 || s.n > MaxPayload) {
			t.Errorf("slot %d holds a packet of %d bytes", i, s.n)
		}
	}
	if s := b.Stats(); s.Received != 200_000 {
		t.Errorf("%+v", s)
	}
}

func TestThePacketPathDoesNotAllocate(t *testing.T) {
	b := New(codec.NewDecoder(codec.G722))
	now := time.Unix(0, 0)
	p := Packet{SSRC: 1, Payload: make([]byte, 160)}
	var frame [160]int16
	if n := testing.AllocsPerRun(500, func() {
		b.Put(now, p)
		b.Get(now, frame[:])
		now = now.Add(20 * time.Millisecond)
		p.Sequence++
		p.Timestamp += 160
		if p.Sequence%9 == 0 { // some are lost
			p.Sequence++
			p.Timestamp += 160
		}
	}); n != 0 {
		t.Errorf("%v allocations per packet", n)
	}
}

func BenchmarkPacket(b *testing.B) {
	buf := New(codec.NewDecoder(codec.PCMA))
	now := time.Unix(0, 0)
	p := Packet{SSRC: 1, Payload: make([]byte, 160)}
	var frame [160]int16
	b.ReportAllocs()
	for b.Loop() {
		buf.Put(now, p)
		buf.Get(now, frame[:])
		now = now.Add(20 * time.Millisecond)
		p.Sequence++
		p.Timestamp += 160
	}
}
