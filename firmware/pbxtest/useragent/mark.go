package useragent

import "encoding/binary"

// A mark says in a packet's payload which stream it is of, which of its packets it is and when it
// left. Each bit is the sign of one sample, so that a mark survives a server that turns A-law into
// µ-law or back, changes the level or puts several packets into one; a codec that is no table of
// samples, a resampler or a jitter buffer that conceals destroys it.
type mark struct {
	stream, seq uint32
	at          int64 // ns since 1970
}

const (
	frameSize = 160 // bytes of audio in 20 ms
	markSize  = frameSize / 8
	markMagic = 0x5ac3
)

// signs has the eight bytes for each octet of a mark, by codec.
type signs [256]uint64

func signsOf(c Codec) *signs {
	var s signs
	for v := range s {
		for bit := range 8 {
			b := c.minus
			if v&(1<<bit) != 0 {
				b = c.plus
			}
			s[v] |= uint64(b) << (8 * bit)
		}
	}
	return &s
}

// put writes a mark over a frame. Run tells the marks of one generator from those of another.
func (m mark) put(frame []byte, run uint16, s *signs) {
	var raw [markSize]byte
	binary.BigEndian.PutUint16(raw[0:], markMagic)
	binary.BigEndian.PutUint16(raw[2:], run)
	binary.BigEndian.PutUint32(raw[4:], m.stream)
	binary.BigEndian.PutUint32(raw[8:], m.seq)
	binary.BigEndian.PutUint64(raw[12:], uint64(m.at))
	for i, v := range raw {
		binary.LittleEndian.PutUint64(frame[8*i:], s[v])
	}
}

// markIn reads the mark of a frame; false where there is none, or one of another run.
func markIn(frame []byte, run uint16) (m mark, ok bool) {
	if len(frame) < frameSize {
		return m, false
	}
	var raw [markSize]byte
	for i := range raw {
		// The product gathers the uppermost bit of each byte in the uppermost byte.
		raw[i] = byte((binary.LittleEndian.Uint64(frame[8*i:]) >> 7 & 0x0101010101010101) * 0x0102040810204080 >> 56)
	}
	if binary.BigEndian.Uint16(raw[0:]) != markMagic || binary.BigEndian.Uint16(raw[2:]) != run {
		return m, false
	}
	return mark{binary.BigEndian.Uint32(raw[4:]), binary.BigEndian.Uint32(raw[8:]), int64(binary.BigEndian.Uint64(raw[12:]))}, true
}
