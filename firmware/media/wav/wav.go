// Package wav reads and writes WAV sound: linear 16-bit, A-law and µ-law, one or two channels. It also reads
// what sound editors write: 8, 24 and 32 bits, and floating point.
package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// Encoding is how samples are stored, by the format tag of the WAV header.
type Encoding uint16

// The encodings that are read and written.
const (
	PCM16 Encoding = 1
	ALaw  Encoding = 6
	MuLaw Encoding = 7
)

func (e Encoding) bytes() int {
	switch e {
	case PCM16:
		return 2
	case ALaw, MuLaw:
		return 1
	}
	return 0
}

// Format describes a WAV stream.
type Format struct {
	Encoding Encoding
	Channels int // 1 or 2
	Rate     int // Hz, 8,000 to 48,000
}

func (f Format) check() error {
	switch {
	case f.Encoding.bytes() == 0:
		return fmt.Errorf("%w: encoding %d", ErrUnsupported, f.Encoding)
	case f.Channels < 1 || f.Channels > 2:
		return fmt.Errorf("%w: %d channels", ErrUnsupported, f.Channels)
	case f.Rate < 8000 || f.Rate > 48000:
		return fmt.Errorf("%w: %d Hz", ErrUnsupported, f.Rate)
	}
	return nil
}

// Errors of a reader; each comes wrapped with what was found.
var (
	ErrMalformed   = errors.New("malformed WAV")
	ErrUnsupported = errors.New("unsupported WAV")
)

const (
	// maxHeader bounds what may stand before the sound, in bytes.
	maxHeader = 1 << 20
	// HeaderBytes is the length of the header that NewHeader makes.
	HeaderBytes = 44
)

// Reader reads the sound of a WAV stream as linear samples of 16 bits; the Format of a stream with more or
// fewer bits says PCM16.
type Reader struct {
	Format
	r    io.Reader
	left int64
	size int                // bytes of a sample
	get  func([]byte) int16 // decodes one
	buf  [4096]byte
}

// float is the format tag of samples between -1 and 1.
const float Encoding = 3

// samples tells how the samples of a format tag and a number of bits are stored; size is 0 for what is not read.
func samples(tag Encoding, bits uint16) (as Encoding, size int, get func([]byte) int16) {
	switch {
	case tag == ALaw && bits == 8:
		return ALaw, 1, func(b []byte) int16 { return codec.ALawToLinear(b[0]) }
	case tag == MuLaw && bits == 8:
		return MuLaw, 1, func(b []byte) int16 { return codec.MuLawToLinear(b[0]) }
	case tag == PCM16 && bits == 8: // alone without a sign
		return PCM16, 1, func(b []byte) int16 { return (int16(b[0]) - 128) << 8 }
	case tag == PCM16 && (bits == 16 || bits == 24 || bits == 32): // the upper 16 bits come last
		size := int(bits) / 8
		return PCM16, size, func(b []byte) int16 { return int16(binary.LittleEndian.Uint16(b[size-2:])) }
	case tag == float && bits == 32:
		return PCM16, 4, func(b []byte) int16 {
			v := math.Float32frombits(binary.LittleEndian.Uint32(b)) * 32768
			if v != v {
				return 0
			}
			return int16(max(-32768, min(32767, v)))
		}
	}
	return tag, 0, nil
}

// NewReader reads the header up to the sound. Chunks before it are passed over within 1 MiB.
func NewReader(r io.Reader) (*Reader, error) {
	var head [12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("%w: no header: %w", ErrMalformed, err)
	}
	if string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return nil, fmt.Errorf("%w: it begins with %q", ErrMalformed, head[:])
	}
	w := &Reader{r: r}
	passed := int64(len(head))
	for {
		var chunk [8]byte
		if _, err := io.ReadFull(r, chunk[:]); err != nil {
			return nil, fmt.Errorf("%w: no sound before its end: %w", ErrMalformed, err)
		}
		size := int64(binary.LittleEndian.Uint32(chunk[4:]))
		switch name := string(chunk[:4]); name {
		case "data":
			if w.Channels == 0 {
				return nil, fmt.Errorf("%w: sound before its format", ErrMalformed)
			}
			w.left = size
			return w, nil
		case "fmt ":
			if err := w.readFormat(size); err != nil {
				return nil, err
			}
			size = 0
		}
		size += size & 1 // chunks are padded to even lengths
		if passed += size + int64(len(chunk)); passed > maxHeader {
			return nil, fmt.Errorf("%w: more than %d bytes before the sound", ErrMalformed, maxHeader)
		}
		if _, err := io.CopyN(io.Discard, r, size); err != nil {
			return nil, fmt.Errorf("%w: a chunk ends early: %w", ErrMalformed, err)
		}
	}
}

func (w *Reader) readFormat(size int64) error {
	if size < 16 || size > 256 {
		return fmt.Errorf("%w: a format of %d bytes", ErrMalformed, size)
	}
	buf := make([]byte, size+size&1)
	if _, err := io.ReadFull(w.r, buf); err != nil {
		return fmt.Errorf("%w: the format ends early: %w", ErrMalformed, err)
	}
	f := Format{
		Encoding: Encoding(binary.LittleEndian.Uint16(buf)),
		Channels: int(binary.LittleEndian.Uint16(buf[2:])),
	}
	if rate := binary.LittleEndian.Uint32(buf[4:]); rate <= 48000 {
		f.Rate = int(rate)
	}
	if f.Encoding == 0xFFFE && size >= 26 { // the extensible form names the encoding in its last part
		f.Encoding = Encoding(binary.LittleEndian.Uint16(buf[24:]))
	}
	bits := binary.LittleEndian.Uint16(buf[14:])
	as, width, get := samples(f.Encoding, bits)
	if width == 0 {
		return fmt.Errorf("%w: %d bits per sample in encoding %d", ErrUnsupported, bits, f.Encoding)
	}
	f.Encoding = as
	if err := f.check(); err != nil {
		return err
	}
	w.Format, w.size, w.get = f, width, get
	return nil
}

// Samples is how many samples are left by what the header says; a stream may end before.
func (w *Reader) Samples() int { return int(w.left) / w.size }

// Read fills pcm with samples, those of two channels in turns, and returns their number. At the
// end of the sound it returns io.EOF, also where the stream ends before what its header says, as
// that of a recording cut short by a power failure does.
func (w *Reader) Read(pcm []int16) (int, error) {
	size := w.size
	want := min(int64(len(pcm)), int64(len(w.buf)/size), w.left/int64(size))
	if len(pcm) == 0 {
		return 0, nil
	}
	if want == 0 {
		return 0, io.EOF
	}
	n, err := io.ReadFull(w.r, w.buf[:want*int64(size)])
	w.left -= int64(n)
	n /= size
	for i := range n {
		pcm[i] = w.get(w.buf[size*i:])
	}
	if n > 0 {
		return n, nil
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return 0, err
}

// ReadAll reads all samples, up to limit of them; more is an error.
func (w *Reader) ReadAll(limit int) ([]int16, error) {
	var all []int16
	var part [1024]int16
	for {
		n, err := w.Read(part[:])
		if len(all)+n > limit {
			return nil, fmt.Errorf("%w: more than %d samples", ErrUnsupported, limit)
		}
		all = append(all, part[:n]...)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// NewHeader makes the header of a sound of dataBytes. A recording in progress writes it with its
// present length and again at its end; a length of 4 GiB or more is written as the largest.
func NewHeader(f Format, dataBytes int64) ([HeaderBytes]byte, error) {
	var h [HeaderBytes]byte
	if err := f.check(); err != nil {
		return h, err
	}
	data := uint32(max(0, min(dataBytes, 1<<32-1-HeaderBytes)))
	frame := f.Encoding.bytes() * f.Channels
	le := binary.LittleEndian
	copy(h[0:], "RIFF")
	le.PutUint32(h[4:], HeaderBytes-8+data+data&1)
	copy(h[8:], "WAVEfmt ")
	le.PutUint32(h[16:], 16)
	le.PutUint16(h[20:], uint16(f.Encoding))
	le.PutUint16(h[22:], uint16(f.Channels))
	le.PutUint32(h[24:], uint32(f.Rate))
	le.PutUint32(h[28:], uint32(f.Rate*frame))
	le.PutUint16(h[32:], uint16(frame))
	le.PutUint16(h[34:], uint16(8*f.Encoding.bytes()))
	copy(h[36:], "data")
	le.PutUint32(h[40:], data)
	return h, nil
}

// Write writes a whole WAV: header and pcm, the samples of two channels in turns.
func Write(w io.Writer, f Format, pcm []int16) error {
	data := len(pcm) * f.Encoding.bytes()
	h, err := NewHeader(f, int64(data))
	if err != nil {
		return err
	}
	body := make([]byte, 0, len(h)+data+1)
	body = append(body, h[:]...)
	for _, s := range pcm {
		switch f.Encoding {
		case ALaw:
			body = append(body, codec.LinearToALaw(s))
		case MuLaw:
			body = append(body, codec.LinearToMuLaw(s))
		default:
			body = binary.LittleEndian.AppendUint16(body, uint16(s))
		}
	}
	if len(body)%2 != 0 {
		body = append(body, 0)
	}
	_, err = w.Write(body)
	return err
}
