package tape

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

// frameBytes is one sample of both sides.
const frameBytes = 4

var errSeek = errors.New("seek before the beginning of a recording")

// WAV is a recording as a stereo WAV file of 16 bits, of which any part can be read.
type WAV struct {
	r    *Reader
	head [wav.HeaderBytes]byte
	at   int64
	buf  [2 * 4096]int16
}

// NewWAV reads a recording as WAV.
func NewWAV(r *Reader) (*WAV, error) {
	h, err := wav.NewHeader(wav.Format{Encoding: wav.PCM16, Channels: 2, Rate: Rate}, int64(r.Samples())*frameBytes)
	if err != nil {
		return nil, err
	}
	w := &WAV{r: r}
	copy(w.head[:], h[:])
	return w, nil
}

// Size is the length of the file in bytes.
func (w *WAV) Size() int64 { return int64(len(w.head)) + int64(w.r.Samples())*frameBytes }

// Seek implements io.Seeker.
func (w *WAV) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += w.at
	case io.SeekEnd:
		offset += w.Size()
	}
	if offset < 0 {
		return 0, errSeek
	}
	w.at = offset
	return offset, nil
}

// Read implements io.Reader.
func (w *WAV) Read(b []byte) (int, error) {
	if w.at >= w.Size() {
		return 0, io.EOF
	}
	if w.at < int64(len(w.head)) {
		n := copy(b, w.head[w.at:])
		w.at += int64(n)
		return n, nil
	}
	place := w.at - int64(len(w.head))
	n := w.r.Read(w.buf[:], int(place/frameBytes))
	var pcm [2 * len(w.buf)]byte
	for i, s := range w.buf[:2*n] {
		binary.LittleEndian.PutUint16(pcm[2*i:], uint16(s))
	}
	got := copy(b, pcm[place%frameBytes:frameBytes*n])
	w.at += int64(got)
	return got, nil
}
