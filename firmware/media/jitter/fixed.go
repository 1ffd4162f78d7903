package jitter

import "time"

// Fix makes the buffer transparent, for the sound of modems: each sample is played after the same wait,
// however the packets come; nothing is stretched, and what is lost is silence instead of a likely
// sound. It cannot be undone. The sound begins anew after the wait.
func (b *Buffer) Fix(wait time.Duration) {
	b.fixed = max(1, wait.Microseconds()*ticksPerMs/1000)
	b.timing.target = b.fixed
	b.playing = false
}

// hold keeps the wait after each packet, from which a buffer for voices learns another.
func (b *Buffer) hold() {
	if b.fixed != 0 {
		b.timing.target = b.fixed
	}
}
