package jitter

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// noise is packets whose every sample is known: data of a modem look like noise.
func noise(length time.Duration, late func(i int) time.Duration) (packets []packet, sound []int16) {
	random := rand.New(rand.NewPCG(4, 4))
	dec := codec.NewDecoder(codec.PCMA)
	for i := range int(length / (20 * time.Millisecond)) {
		payload := make([]byte, 160)
		for k := range payload {
			payload[k] = byte(random.Uint32())
		}
		pcm := make([]int16, 160)
		dec.Decode(pcm, payload)
		sound = append(sound, pcm...)
		if d := late(i); d >= 0 {
			packets = append(packets, packet{Packet{9, uint16(65500 + i), uint32(i * 160), payload}, time.Duration(i)*20*time.Millisecond + d})
		}
	}
	return packets, sound
}

// starts is where in heard the first samples of sound are.
func starts(heard, sound []int16) int {
	for at := range heard[:len(heard)-160] {
		if slices.Equal(heard[at:at+160], sound[:160]) {
			return at
		}
	}
	return -1
}

func TestATransparentBufferKeepsEverySampleWhileTheNetworkJitters(t *testing.T) {
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 3))
		packets, sound := noise(20*time.Second, func(int) time.Duration { return time.Duration(random.IntN(80)) * time.Millisecond })
		c := newCall(codec.PCMA)
		c.b.Fix(100 * time.Millisecond)
		c.play(packets, 20*time.Second)
		at := starts(c.pcm, sound)
		if at < 80*8 || at > 200*8 {
			t.Fatalf("seed %d: the sound begins at sample %d, want after about 100 ms", seed, at)
		}
		if !slices.Equal(c.pcm[at:], sound[:len(c.pcm)-at]) {
			t.Errorf("seed %d: the sound is changed", seed)
		}
		if !slices.Equal(c.pcm[:at], make([]int16, at)) {
			t.Errorf("seed %d: something is heard before it", seed)
		}
	}
}

func TestATransparentBufferInventsNothing(t *testing.T) {
	packets, sound := noise(10*time.Second, func(i int) time.Duration {
		if i%25 == 7 || i%25 == 8 {
			return -1
		}
		return 0
	})
	for i := range len(sound) / 160 {
		if i%25 == 7 || i%25 == 8 {
			clear(sound[160*i : 160*i+160])
		}
	}
	c := newCall(codec.PCMA)
	c.b.Fix(100 * time.Millisecond)
	c.play(packets, 10*time.Second)
	at := starts(c.pcm, sound)
	if at < 0 || !slices.Equal(c.pcm[at:], sound[:len(c.pcm)-at]) {
		t.Error("what is lost is not silence, or what is not lost is changed")
	}
	if s := c.stats(); s.Lost == 0 {
		t.Error("the losses are not counted")
	}
}

func TestABufferTurnsTransparentInTheMiddleOfACall(t *testing.T) {
	packets, sound := noise(10*time.Second, func(int) time.Duration { return 0 })
	c := newCall(codec.PCMA)
	half := len(packets) / 2
	c.play(packets[:half], 5*time.Second)
	c.b.Fix(100 * time.Millisecond)
	c.epoch = c.epoch.Add(5 * time.Second)
	for i := range packets[half:] {
		packets[half+i].at -= 5 * time.Second
	}
	c.pcm = nil
	c.play(packets[half:], 5*time.Second)
	rest := sound[160*(half+10):]
	at := starts(c.pcm, rest)
	if at < 0 || !slices.Equal(c.pcm[at:], rest[:len(c.pcm)-at]) {
		t.Error("200 ms after the change the sound is still changed")
	}
}
