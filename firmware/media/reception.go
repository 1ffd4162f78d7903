package media

import "time"

// Limits of RFC 3550 appendix A.1: how far a sequence may jump ahead, and how far a packet may be
// late, before the sender is taken for restarted.
const (
	maxDropout  = 3000
	maxMisorder = 100
)

// clockRate is the RTP clock of every codec we speak, in Hz (G.722 too: RFC 3551 section 4.5.2).
const clockRate = 8000

// arrival is what the sequence number of a packet says about its stream.
type arrival uint8

const (
	arrivalInOrder   arrival = iota // next or ahead: gaps are losses
	arrivalLate                     // reordered or doubled by the network
	arrivalRestarted                // first packet of a new stream: SSRC changed or the sender restarted
	arrivalRejected                 // a wild sequence number; believed only if the next one follows it
)

// reception follows one incoming stream and keeps the numbers of receiver reports (RFC 3550
// section 6.4 and appendix A).
type reception struct {
	started bool
	epoch   uint32 // counts streams: a relay anchors anew when it changes
	ssrc    uint32
	base    uint16
	high    uint16
	cycles  uint32
	next    uint16 // the sequence number that would confirm a restart
	suspect bool

	received      uint64
	streamPackets uint32 // of this stream
	expectedPrior uint32
	receivedPrior uint32
	earlierLost   uint64 // by earlier streams

	transit    int32
	hasTransit bool
	jitter     uint32 // in timestamp units times 16
	lastTS     uint32
}

// packet takes one packet of the believed source that arrived at now. Timed says that the
// timestamp is the sampling instant; telephone-events repeat the timestamp of their start.
func (r *reception) packet(p *packet, timed bool, now time.Duration) arrival {
	switch {
	case !r.started || p.ssrc != r.ssrc:
		return r.restart(p, timed, now)
	case p.seq-r.high < maxDropout:
		if p.seq < r.high {
			r.cycles += 1 << 16
		}
		r.high = p.seq
		r.count(p, timed, now)
		return arrivalInOrder
	case r.high-p.seq <= maxMisorder:
		r.count(p, false, now)
		return arrivalLate
	case r.suspect && p.seq == r.next:
		return r.restart(p, timed, now)
	}
	r.suspect, r.next = true, p.seq+1
	return arrivalRejected
}

func (r *reception) restart(p *packet, timed bool, now time.Duration) arrival {
	*r = reception{
		started: true, epoch: r.epoch + 1, ssrc: p.ssrc, base: p.seq, high: p.seq,
		received: r.received, earlierLost: r.lost(), jitter: r.jitter,
	}
	r.count(p, timed, now)
	return arrivalRestarted
}

func (r *reception) count(p *packet, timed bool, now time.Duration) {
	r.suspect = false
	r.received++
	r.streamPackets++
	if !timed || (r.hasTransit && p.ts == r.lastTS) {
		return
	}
	// RFC 3550 appendix A.8, all modulo 2^32.
	transit := int32(rtpClock(now) - p.ts)
	if r.hasTransit {
		d := int64(transit) - int64(r.transit)
		if d < 0 {
			d = -d
		}
		// A jump of seconds is a change of timestamps, not jitter.
		if d < 2*clockRate {
			r.jitter += uint32(d) - (r.jitter+8)>>4
		}
	}
	r.transit, r.hasTransit, r.lastTS = transit, true, p.ts
}

// extended is the highest sequence number with its count of wraps.
func (r *reception) extended() uint32 { return r.cycles + uint32(r.high) }

func (r *reception) expected() uint32 {
	if !r.started {
		return 0
	}
	return r.extended() - uint32(r.base) + 1
}

// lost counts what never came, over all streams; duplicates can make it too small, never negative.
func (r *reception) lost() uint64 {
	if e := r.expected(); e > r.streamPackets {
		return r.earlierLost + uint64(e-r.streamPackets)
	}
	return r.earlierLost
}

// interval returns the fraction lost since the last call, in 1/256, and the cumulative loss of this
// stream as RFC 3550 section 6.4.1 wants it: signed, in 24 bits.
func (r *reception) interval() (fraction uint8, cumulative int32) {
	expected := r.expected()
	lost := int32(expected - r.expectedPrior - (r.streamPackets - r.receivedPrior))
	if span := expected - r.expectedPrior; span > 0 && lost > 0 {
		fraction = uint8(min(uint64(lost)*256/uint64(span), 255))
	}
	r.expectedPrior, r.receivedPrior = expected, r.streamPackets
	return fraction, max(-0x800000, min(0x7fffff, int32(expected-r.streamPackets)))
}

// jitterTime is the interarrival jitter of RFC 3550 section 6.4.1.
func (r *reception) jitterTime() time.Duration {
	return time.Duration(r.jitter>>4) * time.Second / clockRate
}

// rtpClock converts an instant of the engine to RTP timestamp units, modulo 2^32.
func rtpClock(now time.Duration) uint32 {
	return uint32(int64(now) / (int64(time.Second) / clockRate))
}
