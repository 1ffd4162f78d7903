// Package opus turns packets of the Opus codec (RFC 6716) into linear 8,000 Hz sound and back. It is the
// only importer of the library that does so, which is young: whatever that library does with a packet, a fault
// of it ends here, and costs the sound of that packet.
//
// Encoders and decoders hold the state of one direction of one call and are used by one goroutine at a time.
package opus

import (
	"errors"
	"fmt"

	"github.com/thesyncim/gopus"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

const (
	// MaxSamples is the longest packet: 120 ms (RFC 6716 section 3.2.5).
	MaxSamples = codec.SampleRate * 120 / 1000
	// MaxPacket is the longest packet that is decoded, in bytes: what fits into an Ethernet frame.
	MaxPacket = 1500
	// Bitrate is what our speech takes in bits per second, where the far end wants no less: RFC 7587 section
	// 3.1.1 advises 8 to 12 kbit/s for narrow-band speech, and the double costs nothing but bits.
	Bitrate = 20_000
	// MinBitrate and MaxBitrate are what RFC 7587 section 6.1 allows a far end to want.
	MinBitrate, MaxBitrate = 6000, 510_000
	// complexity is how hard the encoder tries, 0 to 10. At 8,000 Hz more than 1 is hardly heard, and 9 takes
	// twice the time.
	complexity = 1
	// quantum is the shortest frame, 2.5 ms, of which all lengths are multiples.
	quantum = codec.SampleRate / 400
)

// errFault is what a panic of the library becomes.
var errFault = errors.New("the Opus library failed inside")

// frames are the lengths of a packet of one frame, in samples (RFC 6716 section 2.1.4), from 10 ms on.
var frames = [...]int{80, 160, 320, 480}

// Frame is the shortest packet that holds n samples of sound, in samples: 10, 20, 40 or 60 ms.
func Frame(n int) int {
	for _, f := range frames {
		if n <= f {
			return f
		}
	}
	return frames[len(frames)-1]
}

// Encoder makes packets of sound.
type Encoder struct {
	bitrate  int
	constant bool
	library  *gopus.Encoder
	frame    int // what the library expects, in samples
	padded   [480]int16
	faults   uint64
}

// NewEncoder makes an encoder for a far end that wants at most bitrate bits per second (0: it does not care) and
// perhaps packets of constant length (RFC 7587 section 6.1, maxaveragebitrate and cbr).
func NewEncoder(bitrate int, constant bool) *Encoder {
	if bitrate == 0 {
		bitrate = Bitrate
	}
	return &Encoder{bitrate: max(MinBitrate, min(bitrate, Bitrate)), constant: constant}
}

// Encode writes the packet of at most 480 samples into dst and returns its length; silence fills it up to the
// next length that a packet may have. 0 means that there is none.
func (e *Encoder) Encode(dst []byte, pcm []int16) int {
	n := Frame(len(pcm))
	if len(pcm) != n {
		clear(e.padded[copy(e.padded[:], pcm):n])
		pcm = e.padded[:n]
	}
	size, err := e.encode(dst, pcm)
	if err != nil {
		e.faults++
		e.library = nil // what it holds now is not to be trusted
		return 0
	}
	return size
}

// Faults counts what could not be encoded.
func (e *Encoder) Faults() uint64 { return e.faults }

// Reset begins a stream anew, for a decoder that has heard something else in between.
func (e *Encoder) Reset() { e.library = nil }

func (e *Encoder) encode(dst []byte, pcm []int16) (n int, err error) {
	defer contain(&err)
	if e.library == nil {
		if err := e.open(); err != nil {
			return 0, err
		}
	}
	if e.frame != len(pcm) {
		if err := e.library.SetFrameSize(len(pcm)); err != nil {
			return 0, err
		}
		e.frame = len(pcm)
	}
	n, err = e.library.EncodeInt16(pcm, dst)
	if n < 0 || n > len(dst) {
		return 0, errFault
	}
	return n, err
}

func (e *Encoder) open() error {
	library, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: codec.SampleRate, Channels: 1, Application: gopus.ApplicationVoIP})
	if err != nil {
		return err
	}
	mode := gopus.BitrateModeCVBR
	if e.constant {
		mode = gopus.BitrateModeCBR
	}
	err = errors.Join(library.SetComplexity(complexity), library.SetBitrate(e.bitrate), library.SetBitrateMode(mode))
	if err != nil {
		return err
	}
	e.library, e.frame = library, 0
	return nil
}

// Decoder makes sound of packets.
type Decoder struct {
	library *gopus.Decoder
	faults  uint64
	float   [MaxSamples]float32
}

// NewDecoder makes a decoder.
func NewDecoder() *Decoder { return &Decoder{} }

// Decode writes the sound of a packet into dst, which has room for MaxSamples, and returns its length: 0 of a
// packet that is none.
func (d *Decoder) Decode(dst []int16, packet []byte) int {
	return d.with(packet, func(l *gopus.Decoder) (int, error) { return l.DecodeInt16(packet, dst[:MaxSamples]) })
}

// Recover writes the sound of the packet before this one, which was lost and had lost samples, as far as this one
// repeats it (RFC 6716 section 2.1.7), and returns its length: 0 where nothing is repeated. It comes before Decode of
// the same packet.
func (d *Decoder) Recover(dst []int16, packet []byte, lost int) int {
	if len(packet) == 0 || lost <= 0 || lost > MaxSamples || lost%quantum != 0 || d.library == nil || !d.repeats(packet) {
		return 0
	}
	return d.with(packet, func(l *gopus.Decoder) (int, error) {
		n, err := l.DecodeWithFEC(packet, d.float[:lost], true)
		if n < 0 || n > MaxSamples {
			return 0, errFault
		}
		for i, s := range d.float[:n] {
			dst[i] = int16(max(-1, min(s, 1)) * 32767)
		}
		return n, err
	})
}

// Faults counts the packets that could not be decoded.
func (d *Decoder) Faults() uint64 { return d.faults }

// Reset forgets the stream.
func (d *Decoder) Reset() { d.library = nil }

func (d *Decoder) repeats(packet []byte) (yes bool) {
	var err error
	defer contain(&err)
	return gopus.PacketHasLBRR(packet)
}

func (d *Decoder) with(packet []byte, decode func(*gopus.Decoder) (int, error)) int {
	if len(packet) == 0 || len(packet) > MaxPacket {
		d.faults++
		return 0
	}
	n, err := d.try(decode)
	if errors.Is(err, errFault) || n < 0 || n > MaxSamples {
		d.library = nil // what it holds now is not to be trusted
		err = errFault
	}
	if err != nil {
		d.faults++
		return 0
	}
	return n
}

func (d *Decoder) try(decode func(*gopus.Decoder) (int, error)) (n int, err error) {
	defer contain(&err)
	if d.library == nil {
		library, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(codec.SampleRate, 1))
		if err != nil {
			return 0, errFault
		}
		d.library = library
	}
	return decode(d.library)
}

// contain makes an error of a panic.
func contain(err *error) {
	if fault := recover(); fault != nil {
		*err = fmt.Errorf("%w: %v", errFault, fault)
	}
}
