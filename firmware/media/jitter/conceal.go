package jitter

const (
	shortestPitch = 40  // 200 Hz
	longestPitch  = 120 // 66 Hz
	pitchWindow   = 160
	historyLength = 2*longestPitch + pitchWindow

	fadeFrom = 10 * ticksPerMs // a repeated sound is kept whole this long ...
	fadeTo   = 60 * ticksPerMs // ... and is gone here, as in ITU-T G.711 Appendix I
	blend    = 5 * ticksPerMs  // cross-over from the repeated sound to the real one
)

// concealer hides gaps: it repeats the last pitch period while fading it, then gives the background
// noise of the line. Its history is the sound already handed on.
type concealer struct {
	history [historyLength]int16 // newest last
	period  [longestPitch + longestPitch/4]float32
	pitch   int
	at      int // position in the period
	gone    int // samples concealed in this gap, 0 outside one
	floor   float32
	random  uint32
}

// heard adds real sound. After a gap its start is blended with the continued repetition.
func (c *concealer) heard(pcm []int16) {
	if c.gone > 0 {
		n := min(blend, len(pcm))
		for i := range pcm[:n] {
			w := float32(i+1) / float32(n+1)
			pcm[i] = int16(float32(pcm[i])*w + c.next()*(1-w))
		}
		c.gone = 0
	}
	c.remember(pcm)
	c.measure(pcm)
}

// conceal fills dst with the best guess at what is missing.
func (c *concealer) conceal(dst []int16) {
	if c.gone == 0 {
		c.prepare()
	}
	for i := range dst {
		dst[i] = int16(c.next())
	}
	c.remember(dst)
}

// quiet fills dst with background noise, blending out of what was heard.
func (c *concealer) quiet(dst []int16) {
	if c.gone == 0 {
		c.prepare()
	}
	for i := range dst {
		v := c.noise()
		if c.gone < blend {
			w := float32(c.gone) / blend
			v = v*w + c.repeat()*(1-w)
		}
		c.gone++
		dst[i] = int16(v)
	}
	c.gone = max(c.gone, fadeTo)
	c.remember(dst)
}

func (c *concealer) next() float32 {
	gain := float32(1)
	if c.gone > fadeFrom {
		gain = max(0, 1-float32(c.gone-fadeFrom)/(fadeTo-fadeFrom))
	}
	c.gone++
	if gain == 0 {
		return c.noise()
	}
	return c.repeat()*gain + c.noise()*(1-gain)
}

func (c *concealer) repeat() float32 {
	v := c.period[c.at]
	if c.at++; c.at >= c.pitch {
		c.at = 0
	}
	return v
}

// prepare cuts the last period out of the history and makes it seamless: its end runs into its
// start over a quarter of its length.
func (c *concealer) prepare() {
	c.pitch = findPitch(c.history[:])
	p, q := c.pitch, c.pitch/4
	end := len(c.history)
	for i := range p {
		c.period[i] = float32(c.history[end-p+i])
	}
	for i := range q {
		w := float32(i+1) / float32(q+1)
		before := float32(c.history[end-p-q+i])
		c.period[p-q+i] = c.period[p-q+i]*(1-w) + before*w
	}
	c.at = 0
}

func (c *concealer) remember(pcm []int16) {
	if n := len(pcm) - historyLength; n > 0 {
		pcm = pcm[n:]
	}
	copy(c.history[:], c.history[len(pcm):])
	copy(c.history[historyLength-len(pcm):], pcm)
}

// measure follows the background noise: at once downwards, slowly upwards, and never above -50 dBm0.
func (c *concealer) measure(pcm []int16) {
	var sum float32
	for _, s := range pcm {
		if s < 0 {
			sum -= float32(s)
		} else {
			sum += float32(s)
		}
	}
	if len(pcm) == 0 {
		return
	}
	mean := sum / float32(len(pcm))
	if mean < c.floor {
		c.floor = mean
	} else {
		c.floor = min(64, c.floor+0.02*float32(len(pcm))/160+c.floor*0.01)
	}
}

// noise is white, with the mean magnitude of the floor.
func (c *concealer) noise() float32 {
	c.random = c.random*1664525 + 1013904223
	return float32(int32(c.random)) / (1 << 30) * c.floor
}

// findPitch gives the lag at which the end of pcm resembles itself most (normalised correlation).
func findPitch(pcm []int16) int {
	best, bestScore := longestPitch, float32(-1)
	end := pcm[len(pcm)-pitchWindow:]
	for lag := shortestPitch; lag <= longestPitch; lag++ {
		before := pcm[len(pcm)-pitchWindow-lag:]
		if score := resemblance(end, before[:pitchWindow]); score > bestScore*1.02 || bestScore < 0 && score > bestScore {
			best, bestScore = lag, score
		}
	}
	return best
}

// resemblance is the correlation of a and b in -1..1, looking at every second sample.
func resemblance(a, b []int16) float32 {
	var ab, aa, bb float32
	b = b[:len(a)]
	for i := 0; i < len(a); i += 2 {
		x, y := float32(a[i]), float32(b[i])
		ab += x * y
		aa += x * x
		bb += y * y
	}
	if aa*bb == 0 {
		return 0
	}
	r := ab * ab / (aa * bb)
	if ab < 0 {
		return -r
	}
	return r
}
