package media

import "time"

// frameSamples is 20 ms at 8,000 Hz; tick is that time.
const (
	frameSamples = 160
	tick         = 20 * time.Millisecond
)

// source names who feeds a stream: another leg's incoming stream or one of our own talkspurts.
type source struct {
	from  *Leg // nil = made by us
	epoch uint32
}

// stream is what a leg sends: one SSRC whose sequence numbers and timestamps go on without a break
// when the source behind it changes (prompt, music, one agent, another).
type stream struct {
	ssrc    uint32
	started bool

	src      source
	seqShift uint16 // ours = theirs + shift
	tsShift  uint32
	first    uint16 // theirs at the anchor
	guarded  bool   // packets before the anchor must still be expected

	high   uint16 // highest sequence number sent
	clock  uint32 // timestamp of the newest audio sent
	at     time.Duration
	length uint32 // of the newest packet that was cut anew, in timestamp units
	spurts uint32 // counts our own talkspurts

	packets, octets uint64
}

// resume prepares the next packet after a pause or a change of source: the next sequence number,
// and a timestamp that has gone on with the time.
func (s *stream) resume(now time.Duration) (seq uint16, ts uint32) {
	if !s.started {
		return s.high + 1, s.clock
	}
	elapsed := max(rtpClock(now-s.at), frameSamples, s.length)
	return s.high + 1, s.clock + elapsed
}

// anchor ties a source to the stream beginning with the source's packet seq, ts.
func (s *stream) anchor(src source, seq uint16, ts uint32, now time.Duration) {
	ourSeq, ourTS := s.resume(now)
	s.src, s.seqShift, s.tsShift = src, ourSeq-seq, ourTS-ts
	s.first, s.guarded = seq, true
}

// relayed maps one packet of src onto the stream. Gaps, order and jumps of the timestamp stay as
// they are, so that the far end's jitter buffer sees the truth. Audio is false for
// telephone-events, whose timestamp stands still. ok is false for a packet from before the anchor.
func (s *stream) relayed(src source, p *packet, audio bool, now time.Duration) (seq uint16, ts uint32, marker, ok bool) {
	marker = p.marker
	if s.src != src || !s.started {
		s.anchor(src, p.seq, p.ts, now)
		marker = true
	} else if s.guarded {
		ahead := int16(p.seq - s.first)
		if ahead < 0 {
			return 0, 0, false, false
		}
		s.guarded = ahead <= maxMisorder
	}
	seq, ts = p.seq+s.seqShift, p.ts+s.tsShift
	s.sent(seq, ts, audio, now)
	return seq, ts, marker, true
}

// made maps the next packet of our own making: offset is its place in the talkspurt, in timestamp
// units. A new spurt begins where time has come to and is marked.
func (s *stream) made(spurt uint32, offset uint32, audio bool, now time.Duration) (seq uint16, ts uint32, marker bool) {
	src := source{epoch: spurt}
	if s.src != src || !s.started {
		s.anchor(src, 0, offset, now)
		s.guarded = false
		marker = true
	}
	seq = s.high + 1
	ts = offset + s.tsShift
	s.sent(seq, ts, audio, now)
	return seq, ts, marker
}

// next maps a packet that was cut anew of what the anchored source says: theirs is the timestamp of its
// first sample there, length how many it has, 0 for a telephone-event. As many sequence numbers are left
// out as packets were lost before it.
func (s *stream) next(theirs uint32, lost uint16, length int, now time.Duration) (seq uint16, ts uint32) {
	s.length = max(s.length, uint32(length))
	seq, ts = s.high+1+lost, theirs+s.tsShift
	s.sent(seq, ts, length > 0, now)
	return seq, ts
}

// spurt begins a talkspurt of our own.
func (s *stream) spurt() uint32 {
	s.spurts++
	return s.spurts
}

func (s *stream) sent(seq uint16, ts uint32, audio bool, now time.Duration) {
	if !s.started || int16(seq-s.high) > 0 {
		s.high = seq
		if audio || !s.started {
			s.clock, s.at = ts, now
		}
	}
	s.started = true
}

// timestamp is the RTP time of now for sender reports (RFC 3550 section 6.4.1).
func (s *stream) timestamp(now time.Duration) uint32 {
	if !s.started {
		return s.clock
	}
	return s.clock + rtpClock(now-s.at)
}
