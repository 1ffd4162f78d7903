package media

import "encoding/binary"

// headerSize is the fixed RTP header (RFC 3550 section 5.1).
const headerSize = 12

// maxPacket bounds what we take from the network: an Ethernet frame. Longer datagrams are junk.
const maxPacket = 1500

// packet is one RTP packet in the buffer of a loop; the fields are read once, and a relay changes
// the bytes in place.
type packet struct {
	bytes   []byte
	payload []byte
	marker  bool
	pt      uint8
	seq     uint16
	ts      uint32
	ssrc    uint32
	coded   bool // the payload is Opus as it came
}

// parse reads an RTP packet (RFC 3550 section 5.1 and appendix A.1) without copying. It returns
// false for anything that is not one: another version, or lengths that do not fit.
func (p *packet) parse(b []byte) bool {
	if len(b) < headerSize || len(b) > maxPacket || b[0]>>6 != 2 {
		return false
	}
	start := headerSize + 4*int(b[0]&0x0f) // contributing sources
	if b[0]&0x10 != 0 {                    // header extension
		if len(b) < start+4 {
			return false
		}
		start += 4 + 4*int(binary.BigEndian.Uint16(b[start+2:]))
	}
	end := len(b)
	if start > end {
		return false
	}
	if b[0]&0x20 != 0 { // padding
		pad := int(b[end-1])
		if pad == 0 || pad > end-start {
			return false
		}
		end -= pad
	}
	p.bytes, p.payload, p.coded = b, b[start:end], false
	p.marker = b[1]&0x80 != 0
	p.pt = b[1] & 0x7f
	p.seq = binary.BigEndian.Uint16(b[2:])
	p.ts = binary.BigEndian.Uint32(b[4:])
	p.ssrc = binary.BigEndian.Uint32(b[8:])
	return true
}

// looksLikeRTCP tells RTCP from RTP on a shared port (RFC 5761 section 4).
func looksLikeRTCP(b []byte) bool {
	return len(b) >= 8 && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223
}

// putHeader writes a fixed header without extension, padding or contributing sources.
func putHeader(b []byte, pt uint8, marker bool, seq uint16, ts, ssrc uint32) {
	b[0] = 2 << 6
	putMapped(b, pt, marker, seq, ts, ssrc)
}

// putMapped changes the fields that a relay maps and leaves the rest of the packet as it came.
func putMapped(b []byte, pt uint8, marker bool, seq uint16, ts, ssrc uint32) {
	b[1] = pt & 0x7f
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], ssrc)
}
