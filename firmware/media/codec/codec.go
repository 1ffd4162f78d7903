// Package codec turns linear 16-bit audio into the payloads of the telephone codecs and back.
//
// Encoders and decoders hold the state of one direction of one call, are used by one goroutine at a
// time and allocate nothing after they are made.
package codec

import (
	"fmt"
	"strings"
)

// SampleRate is the rate of all linear audio in the house, in Hz.
const SampleRate = 8000

// ID names a payload format. The zero value names none.
type ID uint8

// The payload formats that the box knows.
const (
	PCMU           ID = iota + 1 // G.711 µ-law
	PCMA                         // G.711 A-law
	G722                         // G.722 at 64 kbit/s
	TelephoneEvent               // RFC 4733 digits; it has no encoder or decoder
	Opus                         // RFC 6716; its encoder and decoder, which have packets and not bytes, are those of package opus
)

// OpusClock is the RTP clock of Opus in Hz, whatever rate is encoded (RFC 7587 section 4.1).
const OpusClock = 48000

// format is what SDP and RTP say about an ID.
type format struct {
	name  string
	pt    uint8
	clock int
}

func (id ID) format() format {
	switch id {
	case PCMU:
		return format{"PCMU", 0, 8000}
	case PCMA:
		return format{"PCMA", 8, 8000}
	case G722:
		// RFC 3551 section 4.5.2: the clock is 8,000 Hz by an old mistake that must be kept.
		return format{"G722", 9, 8000}
	case TelephoneEvent:
		return format{"telephone-event", 101, 8000}
	case Opus:
		return format{"opus", 111, OpusClock}
	}
	return format{}
}

// Name is the encoding name of RFC 3551 section 6 or RFC 4733, and empty for an unknown ID.
func (id ID) Name() string { return id.format().name }

// String is Name, or "codec(n)" for an unknown ID.
func (id ID) String() string {
	if n := id.Name(); n != "" {
		return n
	}
	return fmt.Sprintf("codec(%d)", uint8(id))
}

// PayloadType is the RTP payload type that we use when we choose: the static one of RFC 3551 section 6,
// 101 for telephone-event and 111 for Opus.
func (id ID) PayloadType() uint8 { return id.format().pt }

// ClockRate is the RTP timestamp rate in Hz, and 0 for an unknown ID.
func (id ID) ClockRate() int { return id.format().clock }

// Audio reports whether the ID carries sound.
func (id ID) Audio() bool { return id == PCMU || id == PCMA || id == G722 || id == Opus }

// PayloadBytes is the length of a payload that carries ms milliseconds of sound: 8 bytes for each. It is 0
// for an ID without sound and for Opus, whose packets have any length.
func (id ID) PayloadBytes(ms int) int {
	if !id.Audio() || id == Opus {
		return 0
	}
	return 8 * ms
}

// Silence is the payload byte that stands for digital silence where a format has one: µ-law and
// A-law. G.722 has state, so it has no such byte.
func (id ID) Silence() (b byte, ok bool) {
	switch id {
	case PCMU:
		return 0xFF, true
	case PCMA:
		return 0xD5, true
	}
	return 0, false
}

// Memory is how many bytes of payload a decoder must have heard before it decodes as if it had heard all:
// 0 where every byte stands for itself.
func (id ID) Memory() int {
	if id == G722 {
		return 1280 // of the slowest coefficients less than a hundredth is left
	}
	return 0
}

// MarshalText writes the name, so that journals stay readable and survive a renumbering.
func (id ID) MarshalText() ([]byte, error) {
	if id == 0 {
		return []byte{}, nil
	}
	n := id.Name()
	if n == "" {
		return nil, fmt.Errorf("codec %d has no name", uint8(id))
	}
	return []byte(n), nil
}

// UnmarshalText reads a name in any letter case; the empty text is the zero ID.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = 0
		return nil
	}
	got, ok := ByName(string(text))
	if !ok {
		return fmt.Errorf("unknown codec %q", text)
	}
	*id = got
	return nil
}

// ByName finds an ID by its encoding name in any letter case (RFC 4855 section 3).
func ByName(name string) (ID, bool) {
	for _, id := range [...]ID{PCMU, PCMA, G722, TelephoneEvent, Opus} {
		if strings.EqualFold(id.Name(), name) {
			return id, true
		}
	}
	return 0, false
}

// ByStaticPayloadType finds the ID of a payload type that RFC 3551 section 6 fixes.
func ByStaticPayloadType(pt uint8) (ID, bool) {
	switch pt {
	case 0:
		return PCMU, true
	case 8:
		return PCMA, true
	case 9:
		return G722, true
	}
	return 0, false
}

// Encoder turns 8,000 Hz audio into payload bytes.
type Encoder interface {
	// Encode writes the payload of as many whole samples as fit and returns the bytes written.
	Encode(dst []byte, pcm []int16) int
}

// Decoder turns payload bytes into 8,000 Hz audio.
type Decoder interface {
	// Decode writes as many samples as fit and returns their number.
	Decode(dst []int16, payload []byte) int
}

// NewEncoder makes the encoder of one direction of one call, and nil for an ID without sound and for Opus.
func NewEncoder(id ID) Encoder {
	switch id {
	case PCMU:
		return muLaw{}
	case PCMA:
		return aLaw{}
	case G722:
		return NewG722Encoder()
	}
	return nil
}

// Follow lets an encoder go on where another one stopped, whose last payloads the far end has heard: it
// does nothing to one without memory.
func Follow(e Encoder, heard []byte) {
	if e, ok := e.(*G722Encoder); ok {
		e.follow(heard)
	}
}

// NewDecoder makes the decoder of one direction of one call, and nil for an ID without sound and for Opus. It goes on
// behind the payloads heard, of which there may be none: who joins in the middle hears no burst.
func NewDecoder(id ID, heard ...byte) Decoder {
	switch id {
	case PCMU:
		return muLaw{}
	case PCMA:
		return aLaw{}
	case G722:
		d := NewG722Decoder()
		var lost [block]int16
		for at := 0; at < len(heard); at += block {
			d.Decode(lost[:], heard[at:min(at+block, len(heard))])
		}
		return d
	}
	return nil
}
