package gsm

import (
	"math"

	"github.com/pronto-pbx/pronto/firmware/media/dsp"
)

// heard is what the sound of a dialled call says about its progress.
type heard uint8

const (
	heardRingback   heard = iota + 1 // the far end rings
	heardBusy                        // the busy tone, twice
	heardCongestion                  // the congestion tone, three times
	heardVoice                       // something that is no tone of the network
	heardNothing                     // no ringback any more, or never one: somebody listens, or is silent
)

// The tones of the network are 425 Hz in Italy and most of Europe (ITU-T E.180); they differ in cadence.
const (
	progressTone = 425.0
	earBlock     = 160 // samples, 20 ms

	toneFloor   = -40.0 // dBm0: what is softer is silence
	toneShare   = 0.6   // of the energy of a block that the tone must have
	ringbackMin = 35    // blocks: Italy 1 s, Spain 1.5 s; 0.7 s has no other tone but the dial tone
	busyMin     = 17    // blocks: 340 ms to 680 ms of the busy tone's 480 to 500
	busyMax     = 34
	jamMin      = 7 // blocks: 140 ms to 320 ms of the congestion tone's 200 to 250
	jamMax      = 16
	voiceBlocks = 10  // within voiceSpan
	voiceSpan   = 30  // blocks
	pauseMax    = 275 // blocks, 5.5 s: the longest pause of a ringback tone is 4 s
)

// ear listens for the tones of call progress. The zero value is ready; one goroutine owns it.
type ear struct {
	rest  []int16 // less than a block
	tone  int     // blocks that the tone has lasted
	quiet int     // blocks since it ended
	last  int     // blocks of the burst before
	same  int     // bursts of its kind in a row
	loud  uint64  // one bit per block with a sound that is no tone, newest lowest
	said  heard   // told last; each is told once in a row
}

// hear takes what the far end sent and calls tell for each thing that it says, once until another.
func (e *ear) hear(pcm []int16, tell func(heard)) {
	e.rest = append(e.rest, pcm...)
	for len(e.rest) >= earBlock {
		if h := e.block(e.rest[:earBlock]); h != 0 && h != e.said {
			e.said = h
			tell(h)
		}
		e.rest = e.rest[:copy(e.rest, e.rest[earBlock:])]
	}
}

func (e *ear) block(pcm []int16) heard {
	isTone, isLoud := judgeBlock(pcm)
	e.loud <<= 1
	if isLoud && !isTone {
		e.loud |= 1
	}
	voiced := 0
	for i := range voiceSpan {
		voiced += int(e.loud >> i & 1)
	}
	switch {
	case isTone:
		e.tone++
		e.quiet = 0
		if e.tone == ringbackMin {
			e.same = 0
			return heardRingback
		}
		return 0
	case voiced >= voiceBlocks:
		e.tone, e.quiet, e.same = 0, 0, 0
		return heardVoice
	}
	if e.tone > 0 {
		return e.burst()
	}
	if e.quiet++; e.quiet == pauseMax {
		e.same = 0
		return heardNothing
	}
	return 0
}

// burst judges a tone that has just ended.
func (e *ear) burst() heard {
	n := e.tone
	e.tone, e.quiet = 0, 1
	kind := func(n int) heard {
		switch {
		case n >= busyMin && n <= busyMax:
			return heardBusy
		case n >= jamMin && n <= jamMax:
			return heardCongestion
		}
		return 0
	}
	k := kind(n)
	if k != 0 && k == kind(e.last) {
		e.same++
	} else {
		e.same = 1
	}
	e.last = n
	switch {
	case k == heardBusy && e.same >= 2:
		return heardBusy
	case k == heardCongestion && e.same >= 3:
		return heardCongestion
	}
	return 0
}

// judgeBlock measures 20 ms: whether there is sound, and whether it is the network's tone alone (Goertzel).
func judgeBlock(pcm []int16) (tone, loud bool) {
	w := 2 * math.Cos(2*math.Pi*progressTone/dsp.SampleRate)
	var s1, s2, energy float64
	for _, v := range pcm {
		x := float64(v)
		energy += x * x
		s1, s2 = x+w*s1-s2, s1
	}
	n := float64(len(pcm))
	if dsp.Level(pcm) < toneFloor {
		return false, false
	}
	at := 2 * (s1*s1 + s2*s2 - w*s1*s2) / n // the energy of the tone within the block
	return at >= toneShare*energy, true
}
