package codec

import "math/bits"

// The tables are filled once from the formulas below and only read afterwards. Encoding indexes by
// the bits that the law looks at: the upper 12 of A-law, the upper 14 of µ-law.
var (
	aLawToLinear  = tabulate[[256]int16](func(t *[256]int16, i int) { t[i] = expandALaw(byte(i)) }, 256)
	muLawToLinear = tabulate[[256]int16](func(t *[256]int16, i int) { t[i] = expandMuLaw(byte(i)) }, 256)
	linearToALaw  = tabulate[[4096]byte](func(t *[4096]byte, i int) { t[i] = compressALaw(int16(i << 4)) }, 4096)
	linearToMuLaw = tabulate[[16384]byte](func(t *[16384]byte, i int) { t[i] = compressMuLaw(int16(i << 2)) }, 16384)
)

func tabulate[T any](set func(t *T, i int), n int) *T {
	t := new(T)
	for i := range n {
		set(t, i)
	}
	return t
}

// compressALaw is ITU-T G.711 table 1: 13-bit magnitude, 8 segments, even bits inverted.
func compressALaw(s int16) byte {
	sign := byte(0x80)
	if s < 0 {
		sign = 0
		s = ^s // the law is symmetric about -1/2, so -1 maps like 0
	}
	m := s >> 4
	if m > 15 {
		seg := bits.Len16(uint16(m)) - 4
		m = m>>(seg-1) - 16 + int16(seg)<<4
	}
	return (sign | byte(m)) ^ 0x55
}

func expandALaw(b byte) int16 {
	b ^= 0x55
	seg := b >> 4 & 7
	m := int16(b&15)<<4 + 8
	if seg > 0 {
		m = (m + 0x100) << (seg - 1)
	}
	if b&0x80 == 0 {
		return -m
	}
	return m
}

// compressMuLaw is ITU-T G.711 table 2: bias 33 at 14 bits, 8 segments, all bits inverted.
func compressMuLaw(s int16) byte {
	const bias, clip = 33, 0x1FFF
	sign := byte(0x80)
	if s < 0 {
		sign = 0
		s = ^s
	}
	m := min(s>>2+bias, clip)
	seg := bits.Len16(uint16(m)) - 6
	return sign | ^(byte(seg<<4)|byte(m>>(seg+1)&15))&0x7F
}

func expandMuLaw(b byte) int16 {
	b = ^b
	m := (int16(b&15)<<3+0x84)<<(b>>4&7) - 0x84
	if b&0x80 != 0 {
		return -m
	}
	return m
}

// LinearToALaw encodes one sample by ITU-T G.711.
func LinearToALaw(s int16) byte { return linearToALaw[uint16(s)>>4] }

// ALawToLinear decodes one sample by ITU-T G.711.
func ALawToLinear(b byte) int16 { return aLawToLinear[b] }

// LinearToMuLaw encodes one sample by ITU-T G.711.
func LinearToMuLaw(s int16) byte { return linearToMuLaw[uint16(s)>>2] }

// MuLawToLinear decodes one sample by ITU-T G.711.
func MuLawToLinear(b byte) int16 { return muLawToLinear[b] }

// The codes of one law in the other.
var (
	aLawToMuLaw = tabulate[[256]byte](func(t *[256]byte, i int) { t[i] = LinearToMuLaw(ALawToLinear(byte(i))) }, 256)
	muLawToALaw = tabulate[[256]byte](func(t *[256]byte, i int) { t[i] = LinearToALaw(MuLawToLinear(byte(i))) }, 256)
)

// Recode gives the byte of one format for each of another, where that is all there is to it: between the
// two laws of G.711. Else it is nil.
func Recode(from, to ID) *[256]byte {
	switch {
	case from == PCMA && to == PCMU:
		return aLawToMuLaw
	case from == PCMU && to == PCMA:
		return muLawToALaw
	}
	return nil
}

type aLaw struct{}

func (aLaw) Encode(dst []byte, pcm []int16) int {
	n := min(len(dst), len(pcm))
	dst = dst[:n]
	for i, s := range pcm[:n] {
		dst[i] = linearToALaw[uint16(s)>>4]
	}
	return n
}

func (aLaw) Decode(dst []int16, payload []byte) int {
	n := min(len(dst), len(payload))
	dst = dst[:n]
	for i, b := range payload[:n] {
		dst[i] = aLawToLinear[b]
	}
	return n
}

type muLaw struct{}

func (muLaw) Encode(dst []byte, pcm []int16) int {
	n := min(len(dst), len(pcm))
	dst = dst[:n]
	for i, s := range pcm[:n] {
		dst[i] = linearToMuLaw[uint16(s)>>2]
	}
	return n
}

func (muLaw) Decode(dst []int16, payload []byte) int {
	n := min(len(dst), len(payload))
	dst = dst[:n]
	for i, b := range payload[:n] {
		dst[i] = muLawToLinear[b]
	}
	return n
}
