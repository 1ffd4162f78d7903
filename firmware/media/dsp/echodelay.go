package dsp

import "math"

const (
	delayStep   = 4                                      // samples that are looked at as one
	delayLags   = SampleRate/delayStep + delayStep*hop/4 // one second, and room for the echo's own length
	delayHops   = delayLags * delayStep / hop
	delayLeast  = 100    // lags
	delayRing   = 4096   // of the coarse past; a power of two
	delayKeeps  = 0.985  // of the correlation per hop: 0.66 s
	delayStands = 7.0    // a peak stands out of the rest by this ratio
	delayAlike  = 0.3    // least correlation
	delayWeak   = 1.5e-3 // of the power sent: less is noise, no echo (28 dB)
	delayTwice  = 4      // hops in a row that must find the same peak
	delayNear   = 3      // steps by which it may move among them
)

// echoDelay finds how long after a sound was sent its echo comes back: the lag at which the whitened sound
// sent and the whitened sound received resemble each other most. It looks at four samples at once, and
// spreads its work evenly.
type echoDelay struct {
	past  [2 * delayRing]float32 // of what was sent, twice, so that each stretch lies in a row
	at    int
	sum   [2]float32 // of the samples of the step so far: sent, received
	n     int
	like  [delayLags]float32 // correlation by lag
	power [2]float32         // energies of what was compared: sent, received
	lags  int                // of which something was compared
	found int                // lag of the newest peak, -1 for none
	times int                // hops in a row that found it
}

func (d *echoDelay) reset() {
	clear(d.like[:])
	d.found, d.times, d.lags, d.power = -1, 0, 0, [2]float32{}
}

// add takes the newest whitened samples; it compares only if the sound sent is worth it.
func (d *echoDelay) add(sent, received float32, compare bool) {
	d.sum[0] += sent
	d.sum[1] += received
	if d.n++; d.n < delayStep {
		return
	}
	d.past[d.at], d.past[d.at+delayRing] = d.sum[0], d.sum[0]
	if compare {
		// like[0] belongs to the oldest lag, so that both slices run the same way.
		d.lags = min(d.lags+1, delayLags)
		row := d.past[(d.at-delayLags+1+delayRing)%delayRing:][:delayLags]
		v := d.sum[1]
		d.power[0] += d.sum[0] * d.sum[0]
		d.power[1] += v * v
		like := d.like[:len(row)]
		for i, x := range row {
			like[i] += v * x
		}
	}
	if d.at++; d.at == delayRing {
		d.at = 0
	}
	d.sum, d.n = [2]float32{}, 0
}

// look is called once a hop in which sounds were compared. It returns the delay in samples once it is
// certain.
func (d *echoDelay) look() (delay int, ok bool) {
	d.power[0] *= delayKeeps
	d.power[1] *= delayKeeps
	var sum, most float32
	best := 0
	for i := range d.like {
		d.like[i] *= delayKeeps
		square := d.like[i] * d.like[i]
		sum += square
		if square > most {
			best, most = i, square
		}
	}
	mean := sum / float32(max(d.lags, delayLeast))
	if most < delayStands*delayStands*mean || most <= delayAlike*delayAlike*d.power[0]*d.power[1] ||
		d.power[1] < delayWeak*d.power[0] {
		d.times = 0
		return 0, false
	}
	lag := delayLags - 1 - best
	if d.times > 0 && math.Abs(float64(lag-d.found)) <= delayNear {
		d.times++
	} else {
		d.times = 1
	}
	d.found = lag
	return lag * delayStep, d.times >= delayTwice
}
