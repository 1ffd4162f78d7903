package fxo

// The bytes of ITU-T V.253 chapter 9 that mean something in a stream of sound. All but dle follow a dle.
const (
	dle = 0x10
	sub = 0x1a // from the modem: two literal dle
	etx = 0x03 // the end of the stream
	can = 0x18 // to the modem: throw away what waits to be played
)

// maxPacket bounds an event in several bytes (<DLE>X ... <DLE>.): what is longer is no packet but damage.
const maxPacket = 256

// decoder takes the shield off a modem's stream. The zero value stands at its beginning. What it gives depends on the
// bytes alone and never on how they were cut into reads.
type decoder struct {
	shielded bool // the byte before was a dle that shields the next one
	packet   int  // bytes since <DLE>X, 0 = not in one
}

// decode appends the samples in p to dst and calls event for each event in it, in order. It stops behind an end of
// the stream, and returns the count of bytes that it took: fewer than len(p) only there.
func (d *decoder) decode(dst, p []byte, event func(code byte)) (out []byte, taken int, ended bool) {
	for i, c := range p {
		switch {
		case d.shielded:
			d.shielded = false
			switch {
			case c == etx:
				d.packet = 0
				return dst, i + 1, true
			case d.packet > 0:
				if c == '.' {
					d.packet = 0
				}
			case c == dle:
				dst = append(dst, dle)
			case c == sub:
				dst = append(dst, dle, dle)
			case c == 'X':
				d.packet = 1
			default:
				event(c)
			}
		case c == dle:
			d.shielded = true
		case d.packet > 0:
			if d.packet++; d.packet > maxPacket {
				d.packet = 0
			}
		default:
			dst = append(dst, c)
		}
	}
	return dst, len(p), false
}

// shield appends p to dst with every dle doubled.
func shield(dst, p []byte) []byte {
	for _, c := range p {
		if c == dle {
			dst = append(dst, dle)
		}
		dst = append(dst, c)
	}
	return dst
}
