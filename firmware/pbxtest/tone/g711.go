package tone

import (
	"encoding/binary"
	"slices"
)

// Law is one of the two companding laws of G.711; its value is the RTP payload type (RFC 3551).
type Law uint8

// The laws.
const (
	MuLaw Law = 0 // PCMU
	ALaw  Law = 8 // PCMA
)

// String returns the encoding's name in SDP.
func (l Law) String() string {
	if l == MuLaw {
		return "PCMU"
	}
	return "PCMA"
}

// expand returns the sample of one byte, from the tables of G.711: the sign is the top bit, three
// bits of exponent and four of mantissa follow.
func (l Law) expand(b byte) int16 {
	var v int
	if l == MuLaw {
		b = ^b
		v = (int(b&15)*8+132)<<(b>>4&7) - 132
	} else {
		b ^= 0xd5 // every second bit is inverted on the wire, and the sign
		v = int(b&15)*16 + 8
		if e := b >> 4 & 7; e > 0 {
			v = (v + 256) << (e - 1)
		}
	}
	if b&0x80 != 0 {
		return int16(-v)
	}
	return int16(v)
}

// step is one value that a law can say.
type step struct {
	value int16
	code  byte
}

// Coder translates between samples and bytes of one law. It never changes and may be shared.
type Coder struct {
	law    Law
	values [256]int16
	steps  []step // in the order of their values
}

// NewCoder prepares the tables of a law.
func NewCoder(l Law) *Coder {
	c := &Coder{law: l}
	for i := range 256 {
		c.values[i] = l.expand(byte(i))
		c.steps = append(c.steps, step{c.values[i], byte(i)})
	}
	slices.SortFunc(c.steps, func(a, b step) int { return int(a.value) - int(b.value) })
	return c
}

// Law is the coder's law.
func (c *Coder) Law() Law { return c.law }

// Decode appends the samples of a payload to dst.
func (c *Coder) Decode(dst []int16, payload []byte) []int16 {
	for _, b := range payload {
		dst = append(dst, c.values[b])
	}
	return dst
}

// Encode appends the nearest byte of each sample to dst.
func (c *Coder) Encode(dst []byte, pcm []int16) []byte {
	for _, v := range pcm {
		i, _ := slices.BinarySearchFunc(c.steps, v, func(s step, v int16) int { return int(s.value) - int(v) })
		switch {
		case i == len(c.steps):
			i--
		case i > 0 && int(v)-int(c.steps[i-1].value) < int(c.steps[i].value)-int(v):
			i--
		}
		dst = append(dst, c.steps[i].code)
	}
	return dst
}

// WAV wraps samples of 8,000 Hz as a mono 16-bit RIFF file, which phones and sox read.
func WAV(pcm []int16) []byte {
	size := uint32(2 * len(pcm))
	b := []byte("RIFF")
	b = binary.LittleEndian.AppendUint32(b, 36+size)
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"...)
	b = binary.LittleEndian.AppendUint32(b, Rate)
	b = binary.LittleEndian.AppendUint32(b, 2*Rate)
	b = append(b, "\x02\x00\x10\x00data"...)
	b = binary.LittleEndian.AppendUint32(b, size)
	for _, v := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}

// FromWAV returns the samples of a mono 16-bit file of 8,000 Hz. A data chunk that ends early, as a
// recorder leaves it that was stopped, is taken as far as it goes; ok is false for everything else.
func FromWAV(b []byte) (pcm []int16, ok bool) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return nil, false
	}
	for b = b[12:]; len(b) >= 8; {
		name, size := string(b[:4]), int(min(binary.LittleEndian.Uint32(b[4:]), 1<<30))
		body := b[8:min(len(b), 8+size)]
		switch name {
		case "fmt ":
			if len(body) < 16 || binary.LittleEndian.Uint16(body[2:]) != 1 || binary.LittleEndian.Uint32(body[4:]) != Rate ||
				binary.LittleEndian.Uint16(body[14:]) != 16 {
				return nil, false
			}
			ok = true
		case "data":
			for i := 0; i+1 < len(body); i += 2 {
				pcm = append(pcm, int16(binary.LittleEndian.Uint16(body[i:])))
			}
			return pcm, ok
		}
		b = b[min(len(b), 8+size+size%2):]
	}
	return nil, false
}
