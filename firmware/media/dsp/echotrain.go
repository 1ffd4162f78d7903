package dsp

import "math"

// lesson is a place of the conversation at which the filter is trained: now, or some time ago, as what was
// heard lately can teach more than once. It goes by whitened sound, which voices teach faster: all of a
// stretch by the predictor of its middle, so that both sides of the echo are filtered alike.
type lesson struct {
	ago      int // samples
	teaches  bool
	whitener predictor
	white    [echoTaps + hop]float32 // what may echo there
	past     [predictOrder]float32   // of what was sent
	heard    [predictOrder]float32   // of what was received
}

// prepare looks at what may echo in the next hop of the lesson.
func (l *lesson) prepare(e *Echo, ago int) {
	l.ago = ago
	l.teaches = false
	if e.bulk < 0 || ago+e.bulk+echoTaps+2*hop > echoRing {
		return
	}
	first, tone := (ago+e.bulk)/hop, false
	for i := range echoTaps/hop + 2 {
		w := e.hopAgo(first + i)
		l.teaches = l.teaches || w.active
		tone = tone || w.tone && w.active
	}
	l.teaches = l.teaches && !tone
	for i := range 3 {
		l.teaches = l.teaches && (ago == 0 || !e.hopAgo(ago/hop+i-1).voice)
	}
	if !l.teaches && ago > 0 {
		return
	}
	l.whitener = e.hopAgo((ago + e.bulk + echoAhead) / hop).filter
	from := (e.at - ago - e.bulk - echoTaps + 1 - predictOrder + 2*echoRing) % echoRing
	row := e.sent[from:][:predictOrder+echoTaps-1]
	for i, v := range row[:predictOrder] {
		l.past[predictOrder-1-i] = v
	}
	for i, v := range row[predictOrder:] { // all but the newest sample under the filter
		l.white[i] = l.whitener.left(v, &l.past)
		push(&l.past, v)
	}
	from = (e.at - ago - predictOrder + 2*echoRing) % echoRing
	for i, v := range e.received[from:][:predictOrder] {
		l.heard[predictOrder-1-i] = v
	}
}

// step takes the n-th sample of the hop, and trains if it may.
func (l *lesson) step(e *Echo, n int, may bool) {
	at := (e.at - l.ago + echoRing) % echoRing
	d, x := e.received[at], e.sent[(at-e.bulk+echoRing)%echoRing]
	l.white[n+echoTaps-1] = l.whitener.left(x, &l.past)
	push(&l.past, x)
	if l.teaches && may {
		white := (*[echoTaps]float32)(l.white[n:])
		out, norm := shares(&e.trained, white, &e.share)
		wrong := l.whitener.left(d, &l.heard) - out
		train(&e.trained, white, &e.share, e.step*wrong/(norm+echoRegular))
	}
	push(&l.heard, d)
}

// dot is what a filter makes of a stretch of sound.
func dot(w, x *[echoTaps]float32) float32 {
	var a, b, c, d float32
	for i := 0; i < echoTaps; i += 4 {
		a += w[i] * x[i]
		b += w[i+1] * x[i+1]
		c += w[i+2] * x[i+2]
		d += w[i+3] * x[i+3]
	}
	return a + b + c + d
}

// shares is what a filter makes of a stretch of sound, and the energy of that, each sample counting as its
// weight's share.
func shares(w, x, share *[echoTaps]float32) (out, norm float32) {
	var a, b, c, d float32
	for i := 0; i < echoTaps; i += 2 {
		a += w[i] * x[i]
		b += share[i] * x[i] * x[i]
		c += w[i+1] * x[i+1]
		d += share[i+1] * x[i+1] * x[i+1]
	}
	return a + c, b + d
}

// train moves a filter along a stretch of sound.
func train(w, x, share *[echoTaps]float32, step float32) {
	for i := 0; i < echoTaps; i += 4 {
		w[i] += step * share[i] * x[i]
		w[i+1] += step * share[i+1] * x[i+1]
		w[i+2] += step * share[i+2] * x[i+2]
		w[i+3] += step * share[i+3] * x[i+3]
	}
}

// divide says which share of each training step the weights of a filter take: half is alike for all, half
// goes to the large ones, as an echo is short and most of the filter empty.
func divide(share, w *[echoTaps]float32) {
	var sum float32
	for _, v := range w {
		sum += max(v, -v)
	}
	for i, v := range w {
		share[i] = 0.5 + 0.5*echoTaps*max(v, -v)/(sum+1e-3)
	}
}

// echoFloor is the power at echoActive, and echoRegular the energy that keeps weak sound from being
// learned from too eagerly.
var (
	echoFloor   = math.Pow(Amplitude(echoActive), 2) / 2
	echoRegular = float32(math.Pow(Amplitude(-60), 2) / 2 * echoTaps)
)
