package codec

// halfband holds the outer taps of a 2:1 half-band filter, scaled by 1<<14, from the middle outwards:
// a sinc under a Kaiser window (beta 5). Flat to 3,400 Hz, -54 dB from 4,600 Hz on. The other phase
// of the filter is a single tap of one half, which costs nothing.
var halfband = [12]int32{10399, -3360, 1893, -1229, 839, -580, 397, -266, 171, -103, 57, -26}

// delayLine keeps the last 24 samples in one contiguous window without moving them: each is written
// twice, 24 apart.
type delayLine struct {
	at  int
	buf [48]int32
}

// push adds the newest sample and returns the window, oldest first.
func (l *delayLine) push(s int32) *[24]int32 {
	l.buf[l.at], l.buf[l.at+24] = s, s
	if l.at++; l.at == 24 {
		l.at = 0
	}
	return (*[24]int32)(l.buf[l.at : l.at+24])
}

// between is the value half-way between the two middle samples of the window.
func between(w *[24]int32) int32 {
	var sum int32
	for k, c := range halfband {
		sum += c * (w[11-k] + w[12+k]) >> 2
	}
	return saturate((sum + 1<<11) >> 12)
}
