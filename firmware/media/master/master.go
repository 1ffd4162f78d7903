package master

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

const (
	// MaxLength is the longest announcement, MinLength the shortest.
	MaxLength = 5 * time.Minute
	MinLength = 200 * time.Millisecond
	// Target is the loudness of every announcement, in LUFS: the median of the sentences that come with the box.
	Target = -19.5
	// mostGain is how much a quiet sound is raised, in dB: what is quieter than that is noise.
	mostGain = 36.0
)

// Take is an announcement, ready for the telephone.
type Take struct {
	PCM     []int16       // one channel at Rate
	Was     float64       // loudness before, in LUFS
	Is      float64       // loudness now: Target, or less where peaks stand far out
	Clipped bool          // it was recorded too loud: that cannot be undone
	Cut     time.Duration // silence that was taken away
}

// Length is how long it takes to say it.
func (t *Take) Length() time.Duration { return time.Duration(len(t.PCM)) * time.Second / Rate }

// Make reads a WAV or MP3 and makes an announcement of it; pause is the silence that is left at each end.
// Errors: ErrKind, ErrBroken, ErrSilent, ErrShort, ErrLong, or that of r.
func Make(r io.Reader, pause time.Duration) (Take, error) {
	src, err := open(r)
	if err != nil {
		return Take{}, err
	}
	pcm, clipped, err := read(src)
	if err != nil {
		return Take{}, err
	}
	return finish(pcm, clipped, pause)
}

// read is the whole sound at Rate.
func read(src *source) (pcm []float32, clipped bool, err error) {
	const most = int(MaxLength/time.Second) * Rate
	var (
		to      = newResampler(src.rate)
		chunk   [1024]float32
		ceiling clips
	)
	for {
		n, err := src.next(chunk[:])
		ceiling.add(chunk[:n])
		if src.rate == Rate {
			pcm = append(pcm, chunk[:n]...)
		} else {
			pcm = to.add(pcm, chunk[:n])
		}
		switch {
		case len(pcm) > most:
			return nil, false, fmt.Errorf("%w: more than %v", ErrLong, MaxLength)
		case errors.Is(err, io.EOF):
			if src.rate != Rate {
				pcm = to.end(pcm)
			}
			return pcm, ceiling.many(), nil
		case err != nil:
			return nil, false, err
		}
	}
}

// clips counts samples that stand at full scale in a row: a microphone's or an editor's ceiling.
type clips struct{ row, count, all int }

func (c *clips) add(pcm []float32) {
	for _, x := range pcm {
		if abs(x) < 0.998 {
			c.row = 0
			continue
		}
		if c.row++; c.row >= 3 {
			c.count++
		}
	}
	c.all += len(pcm)
}

// many: one sample in a thousand is heard as a rattle.
func (c *clips) many() bool { return c.count*1000 > c.all }

// finish takes away hum and silence and brings the sound to its loudness.
func finish(pcm []float32, clipped bool, pause time.Duration) (Take, error) {
	rumble(pcm)
	before := len(pcm)
	pcm = trim(pcm, int(pause*Rate/time.Second))
	t := Take{Clipped: clipped, Cut: time.Duration(before-len(pcm)) * time.Second / Rate, Was: Loudness(pcm, Rate)}
	switch {
	case t.Was < Target-mostGain:
		return Take{}, fmt.Errorf("%w: %.0f LUFS", ErrSilent, t.Was)
	case time.Duration(len(pcm))*time.Second/Rate-2*pause < MinLength:
		return Take{}, fmt.Errorf("%w: less than %v of sound", ErrShort, MinLength)
	}
	t.Is = t.Was
	for range 3 { // the limiter takes some of it away again
		gain := float32(decibel(Target - t.Is))
		for i := range pcm {
			pcm[i] *= gain
		}
		limit(pcm)
		if t.Is = Loudness(pcm, Rate); t.Is > Target-0.2 {
			break
		}
	}
	fade(pcm)
	t.PCM = make([]int16, len(pcm))
	for i, x := range pcm {
		t.PCM[i] = int16(math.Round(float64(x) * 32767))
	}
	return t, nil
}

// rumble takes away what no telephone carries, below some 100 Hz: it would count for the loudness.
func rumble(pcm []float32) {
	const hz, q = 100.0, math.Sqrt2 / 2
	k := math.Tan(math.Pi * hz / Rate)
	a0 := 1 + k/q + k*k
	f := biquad{b0: 1 / a0, b1: -2 / a0, b2: 1 / a0, a1: 2 * (k*k - 1) / a0, a2: (1 - k/q + k*k) / a0}
	for i, x := range pcm {
		pcm[i] = float32(f.next(float64(x)))
	}
}

// trim cuts the silence at both ends down to a pause, and fills up what is shorter.
func trim(pcm []float32, pause int) []float32 {
	const window = Rate / 100 // 10 ms
	var levels []float64
	loudest := 0.0
	for i := 0; i+window <= len(pcm); i += window {
		var sum float64
		for _, x := range pcm[i : i+window] {
			sum += float64(x) * float64(x)
		}
		levels = append(levels, sum/window)
		loudest = max(loudest, sum/window)
	}
	if loudest == 0 {
		return nil
	}
	// Speech goes down to some 35 dB below its loudest; a quiet room lies below.
	least := loudest * math.Pow(10, -4)
	first, last := 0, len(levels)-1
	for levels[first] < least {
		first++
	}
	for levels[last] < least {
		last--
	}
	from, to := first*window-pause, (last+1)*window+pause
	out := make([]float32, to-from)
	copy(out[max(0, -from):], pcm[max(0, from):min(len(pcm), to)])
	return out
}

// fade keeps the cut from clicking: 5 ms at each end.
func fade(pcm []float32) {
	n := min(Rate/200, len(pcm)/2)
	for i := range n {
		pcm[i] *= float32(i) / float32(n)
		pcm[len(pcm)-1-i] *= float32(i) / float32(n)
	}
}
