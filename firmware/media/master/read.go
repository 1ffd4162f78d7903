package master

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/hajimehoshi/go-mp3"

	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

// Errors of what is no announcement, wrapped with what was found.
var (
	ErrKind   = errors.New("neither WAV nor MP3") // another kind of file
	ErrBroken = errors.New("damaged sound")       // or one of a make that is not read
	ErrSilent = errors.New("nothing can be heard")
	ErrShort  = errors.New("too short")
	ErrLong   = errors.New("too long")
)

// source is a sound that is being read: samples between -1 and 1, its channels mixed.
type source struct {
	rate int // Hz
	next func(out []float32) (int, error)
}

// open finds out what kind of file r is and reads up to its sound.
func open(r io.Reader) (*source, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	head, err := b.Peek(12)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case len(head) == 12 && string(head[:4]) == "RIFF" && string(head[8:]) == "WAVE":
		return openWAV(b)
	case len(head) == 0:
		return nil, fmt.Errorf("%w: an empty file", ErrKind)
	}
	return openMP3(b)
}

func openWAV(r io.Reader) (*source, error) {
	w, err := wav.NewReader(r)
	if err != nil {
		return nil, broken(err)
	}
	var pcm [1024]int16 // as many as the reader gives at once in any encoding: whole frames of two channels
	return &source{rate: w.Rate, next: func(out []float32) (int, error) {
		n, err := w.Read(pcm[:min(len(pcm), len(out)*w.Channels)])
		if err != nil && !errors.Is(err, io.EOF) {
			err = broken(err)
		}
		return mixed(out, pcm[:n], w.Channels), err
	}}, nil
}

// broken tells a file that is damaged from one that could not be read.
func broken(err error) error {
	if errors.Is(err, wav.ErrMalformed) || errors.Is(err, wav.ErrUnsupported) {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return err
}

// mixed puts the mean of the channels into out and returns the number of its samples.
func mixed(out []float32, pcm []int16, channels int) int {
	n := len(pcm) / channels
	for i := range n {
		sum := 0
		for _, x := range pcm[i*channels : (i+1)*channels] {
			sum += int(x)
		}
		out[i] = float32(sum) / float32(32768*channels)
	}
	return n
}

const (
	// mostTags is how many ID3 tags may stand before the sound of an MP3.
	mostTags = 4
	// farthest is how many bytes of something else may stand before the first frame of an MP3.
	farthest = 4096
)

// openMP3 passes over tags itself: the decoder would make room for what they claim to be, up to 534 MB.
func openMP3(b *bufio.Reader) (*source, error) {
	for range mostTags {
		head, err := b.Peek(10)
		if err != nil || string(head[:3]) != "ID3" {
			break
		}
		size := 10
		for i, x := range head[6:] { // ID3v2.4 section 3.1: seven bits of each byte
			size += int(x&0x7f) << (7 * (3 - i))
		}
		if _, err := b.Discard(size); err != nil {
			return nil, fmt.Errorf("%w: a tag of %d bytes: %w", ErrBroken, size, err)
		}
	}
	if err := beginsMP3(b); err != nil {
		return nil, err
	}
	d := &decoder{r: b}
	if err := d.open(); err != nil {
		return nil, err
	}
	var raw [8192]byte // two channels of 16 bits, always
	var pcm [len(raw) / 2]int16
	kept := 0 // bytes of a sample that is not whole
	return &source{rate: d.mp3.SampleRate(), next: func(out []float32) (int, error) {
		want := min(len(raw), len(out)*4)
		n, err := d.read(raw[kept:want])
		n += kept
		whole := n / 4 * 4
		for i := range whole / 2 {
			pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
		}
		kept = copy(raw[:], raw[whole:n])
		return mixed(out, pcm[:whole/2], 2), err
	}}, nil
}

// beginsMP3 looks for the first frame: eleven bits that are set, layer III, and a rate and a frequency that
// exist (ISO/IEC 11172-3 section 2.4.1.3).
func beginsMP3(b *bufio.Reader) error {
	head, err := b.Peek(farthest)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for i := 0; i+4 <= len(head); i++ {
		h := head[i : i+4]
		if h[0] == 0xff && h[1]&0xe6 == 0xe2 && h[1]&0x18 != 0x08 && h[2]>>4 != 0 && h[2]>>4 != 15 && h[2]>>2&3 != 3 {
			_, err := b.Discard(i)
			return err
		}
	}
	return fmt.Errorf("%w: it begins with %q", ErrKind, bytes.ToValidUTF8(head[:min(len(head), 12)], nil))
}

// decoder turns what the library does with a damaged file, panics among it, into an error.
type decoder struct {
	r   io.Reader
	mp3 *mp3.Decoder
}

func (d *decoder) open() (err error) {
	defer d.save(&err)
	d.mp3, err = mp3.NewDecoder(struct{ io.Reader }{d.r}) // no Seeker: it would read the whole file first
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return err
}

func (d *decoder) read(buf []byte) (n int, err error) {
	defer d.save(&err)
	n, err = d.mp3.Read(buf)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return n, err
}

func (d *decoder) save(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrBroken, p)
	}
}
