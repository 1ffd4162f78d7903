package tape

import (
	"crypto/cipher"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
)

// Writer writes one file. It is used by one goroutine.
type Writer struct {
	f    io.WriterAt
	at   int64
	seq  uint64
	aead cipher.AEAD
	sum  hash.Hash
}

// NewWriter begins a file that whoever has the private half of the key can read.
func NewWriter(f io.WriterAt, to hpke.PublicKey, about About) (*Writer, error) {
	if len(about.Tracks) == 0 || len(about.Tracks) > MaxTracks {
		return nil, errTrack
	}
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	_, kdf, seal := suite()
	sealed, err := hpke.Seal(to, kdf, seal, []byte(sealInfo), key)
	clear(key)
	if err != nil {
		return nil, fmt.Errorf("seal the key of a recording: %w", err)
	}
	w := &Writer{f: f, aead: aead, sum: sha256.New()}
	if err := w.write(append([]byte(magic), sealed...)); err != nil {
		return nil, err
	}
	return w, w.words(block{kind: kindAbout}, about)
}

// Sound writes a block of pieces of one track, from and to being the samples that they span. b has HeadRoom
// bytes before the body and room for Overhead behind it; it is sealed in place, so its content is gone then.
func (w *Writer) Sound(track uint8, from, to uint32, b []byte) error {
	return w.block(block{kind: kindSound, track: track, from: from, to: to}, b)
}

// Mark writes an event of the timeline.
func (w *Writer) Mark(m Mark) error { return w.words(block{kind: kindMark, from: m.At, to: m.At}, m) }

// End writes the last block.
func (w *Writer) End(e End) error { return w.words(block{kind: kindEnd, to: e.Length}, e) }

// Size is the length of the file up to its last whole block, Sum the SHA-256 of that.
func (w *Writer) Size() int64 { return w.at }

// Sum is the SHA-256 of what Size counts.
func (w *Writer) Sum() []byte { return w.sum.Sum(nil) }

func (w *Writer) words(k block, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b := make([]byte, HeadRoom, HeadRoom+len(body)+Overhead)
	return w.block(k, append(b, body...))
}

// block seals a body and writes it with its head in one piece.
func (w *Writer) block(k block, b []byte) error {
	k.size = len(b) - HeadRoom + Overhead
	if k.size > maxBlock {
		return fmt.Errorf("a block of a recording has %d bytes, more than %d", k.size, maxBlock)
	}
	k.put(b)
	n := nonce(w.seq)
	sealed := w.aead.Seal(b[HeadRoom:HeadRoom], n[:], b[HeadRoom:], b[:HeadRoom])
	w.seq++ // also when the disk refuses: no nonce is used twice
	return w.write(b[:HeadRoom+len(sealed)])
}

func (w *Writer) write(b []byte) error {
	if _, err := w.f.WriteAt(b, w.at); err != nil {
		return err
	}
	w.at += int64(len(b))
	w.sum.Write(b)
	return nil
}
