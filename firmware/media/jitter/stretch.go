package jitter

// shorten takes one pitch period out of pcm by overlapping it with the next, and returns the new
// length. Where the sound does not repeat itself and is not quiet, pcm stays as it is.
func shorten(pcm []int16) int {
	p, ok := repeats(pcm)
	if !ok {
		return len(pcm)
	}
	for i := range p {
		w := float32(i+1) / float32(p+1)
		pcm[i] = int16(float32(pcm[i])*(1-w) + float32(pcm[p+i])*w)
	}
	copy(pcm[p:], pcm[2*p:])
	return len(pcm) - p
}

// lengthen repeats one pitch period of pcm[:n], whose array must have room for it, and returns the
// new length.
func lengthen(pcm []int16, n int) int {
	p, ok := repeats(pcm[:n])
	if !ok || n+p > len(pcm) {
		return n
	}
	copy(pcm[2*p:], pcm[p:n])
	for i := range p {
		w := float32(i+1) / float32(p+1)
		pcm[p+i] = int16(float32(pcm[2*p+i])*(1-w) + float32(pcm[i])*w)
	}
	return n + p
}

// repeats finds the period with which the start of pcm repeats itself.
func repeats(pcm []int16) (p int, ok bool) {
	const window = 80
	if len(pcm) < 2*longestPitch {
		return 0, false
	}
	quiet := true
	for _, s := range pcm[:2*longestPitch] {
		if s > 200 || s < -200 {
			quiet = false
			break
		}
	}
	if quiet {
		return 80, true
	}
	best := float32(0)
	for lag := shortestPitch; lag <= longestPitch; lag++ {
		if r := resemblance(pcm[:window], pcm[lag:lag+window]); r > best {
			p, best = lag, r
		}
	}
	return p, best > 0.5
}
