package useragent

import "strings"

// Codec is an audio codec with a payload type that RFC 3551 fixes. All have a clock of 8,000 Hz in
// RTP and 160 bytes in each 20 ms.
type Codec struct {
	Name string // as in SDP
	PT   uint8
	// What a sample of either sign looks like, at a quarter of full scale or so. In PCMA and PCMU the
	// uppermost bit is the sign, and positive in both is 1: see mark.go.
	plus, minus byte
}

// The codecs that calls can offer.
var (
	PCMA = Codec{"PCMA", 8, 0x8d, 0x0d}
	PCMU = Codec{"PCMU", 0, 0xa7, 0x27}
	G722 = Codec{"G722", 9, 0x8d, 0x0d} // bytes that only a server which decodes nothing brings unchanged
)

// CodecNamed finds a codec by its name in SDP, in letters of either case.
func CodecNamed(name string) (Codec, bool) {
	for _, c := range []Codec{PCMA, PCMU, G722} {
		if strings.EqualFold(c.Name, name) {
			return c, true
		}
	}
	return Codec{}, false
}
