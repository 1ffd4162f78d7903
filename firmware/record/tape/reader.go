package tape

import (
	"crypto/cipher"
	"crypto/hpke"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// Reader reads one file as stereo: the first track on the left, the sum of the others on the right. It is used
// by one goroutine at a time.
type Reader struct {
	About About
	Marks []Mark // pauses and their ends
	// Voices are the parties of a mix, in the order in which they came; one that came again is there again.
	Voices []Voice
	End    *End // nil: the file was cut off

	f      io.ReaderAt
	aead   cipher.AEAD
	sound  []block
	length int
	whole  int64 // bytes up to the last whole block

	decoded [decodedBlocks]decoded // the blocks that were read last
	next    int
	damaged error
}

// decodedBlocks is how many blocks stay decoded: those around a place, of each track.
const decodedBlocks = 2 * MaxTracks

// decoded is the sound of one block.
type decoded struct {
	block  int // index and 1; 0: none
	pieces []heard
}

type heard struct {
	at  int
	pcm []int16
}

// Open reads the head of a file of so many bytes and finds its blocks. A file that was cut off is read up to its
// last whole block; one that was changed in what describes it is ErrDamaged, one of another box ErrKey.
func Open(f io.ReaderAt, size int64, key hpke.PrivateKey) (*Reader, error) {
	head := make([]byte, headerSize)
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if size < int64(headerSize) || string(head[:len(magic)]) != magic {
		return nil, ErrFormat
	}
	_, kdf, seal := suite()
	secret, err := hpke.Open(key, kdf, seal, []byte(sealInfo), head[len(magic):])
	if err != nil || len(secret) != keySize {
		return nil, ErrKey
	}
	aead, err := newAEAD(secret)
	clear(secret)
	if err != nil {
		return nil, err
	}
	r := &Reader{f: f, aead: aead, whole: int64(headerSize)}
	if err := r.scan(size); err != nil {
		return nil, err
	}
	return r, nil
}

// scan finds the blocks and reads those that are no sound.
func (r *Reader) scan(size int64) error {
	var head [HeadRoom]byte
	for seq := uint64(0); r.End == nil && r.whole+HeadRoom <= size; seq++ {
		if _, err := r.f.ReadAt(head[:], r.whole); err != nil {
			return err
		}
		b, ok := readBlock(head[:])
		if !ok {
			return r.tail(seq)
		}
		b.at, b.seq = r.whole+HeadRoom, seq
		if b.at+int64(b.size) > size {
			return r.tail(seq) // torn by the death of who wrote it
		}
		if (seq == 0) != (b.kind == kindAbout) {
			return fmt.Errorf("%w: a block of kind %d at its beginning", ErrDamaged, b.kind)
		}
		if err := r.take(b); err != nil {
			return err
		}
		r.whole = b.at + int64(b.size)
	}
	return r.tail(1)
}

// tail ends a scan; without a first block there is no recording. Who was there at the end was so up to it.
func (r *Reader) tail(seq uint64) error {
	for i := range r.Voices {
		if v := &r.Voices[i]; v.There.To == maxSamples {
			v.There.To = max(v.There.From, uint32(r.length))
		}
	}
	if seq == 0 || len(r.About.Tracks) == 0 {
		return fmt.Errorf("%w: it ends before it says what it is", ErrDamaged)
	}
	return nil
}

// take reads a block's words, or notes where its sound is.
func (r *Reader) take(b block) error {
	if b.kind == kindSound {
		if int(b.track) >= len(r.About.Tracks) {
			return fmt.Errorf("%w: sound of a track that it has not", ErrDamaged)
		}
		r.sound = append(r.sound, b)
		r.length = max(r.length, int(b.to))
		return nil
	}
	body, err := r.open(b)
	if err != nil {
		return err
	}
	switch b.kind {
	case kindAbout:
		err = json.Unmarshal(body, &r.About)
		if err == nil && (len(r.About.Tracks) == 0 || len(r.About.Tracks) > MaxTracks) {
			err = errTrack
		}
	case kindMark:
		var m Mark
		switch err = json.Unmarshal(body, &m); {
		case err != nil || m.At >= maxSamples || m.Since > m.At:
		case m.Leg != "":
			r.voice(m)
		default:
			r.Marks = append(r.Marks, m)
		}
	default:
		var e End
		if err = json.Unmarshal(body, &e); err == nil && e.Length < maxSamples {
			r.End, r.length = &e, max(r.length, int(e.Length))
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// voice follows what a party of a mix does.
func (r *Reader) voice(m Mark) {
	i := len(r.Voices) - 1
	for i >= 0 && r.Voices[i].Leg != m.Leg {
		i--
	}
	switch {
	case m.What == Came && len(r.Voices) < maxVoices:
		r.Voices = append(r.Voices, Voice{Leg: m.Leg, Party: m.Party, There: Span{m.At, maxSamples}})
	case i < 0:
	case m.What == Went:
		r.Voices[i].There.To = m.At
	case m.What == Spoke && len(r.Voices[i].Spoke) < maxSpans:
		r.Voices[i].Spoke = append(r.Voices[i].Spoke, Span{m.Since, m.At})
	}
}

// open reads and unseals the body of a block.
func (r *Reader) open(b block) ([]byte, error) {
	buf := make([]byte, HeadRoom+b.size)
	if _, err := r.f.ReadAt(buf, b.at-HeadRoom); err != nil {
		return nil, err
	}
	n := nonce(b.seq)
	body, err := r.aead.Open(buf[HeadRoom:HeadRoom], n[:], buf[HeadRoom:], buf[:HeadRoom])
	if err != nil {
		return nil, fmt.Errorf("%w: block %d is not what was written", ErrDamaged, b.seq)
	}
	return body, nil
}

// Samples is the length of the recording.
func (r *Reader) Samples() int { return r.length }

// Whole is how many bytes of the file are whole blocks.
func (r *Reader) Whole() int64 { return r.whole }

// Check reads the whole file; what is not as it was written is named.
func (r *Reader) Check() error {
	for _, b := range r.sound {
		if _, err := r.open(b); err != nil {
			return err
		}
	}
	return nil
}

// Read fills dst with samples from a place on, left and right alternating, and returns how many samples of
// each it gave: fewer than fit at the end. A block that is damaged is heard as silence, and told by Damaged.
func (r *Reader) Read(dst []int16, at int) int {
	n := min(len(dst)/2, r.length-at)
	if n <= 0 || at < 0 {
		return 0
	}
	clear(dst[:2*n])
	side := make([]int16, n)
	for track := range r.About.Tracks {
		clear(side)
		if !r.track(side, track, at) {
			continue
		}
		channel := min(track, 1)
		for i, s := range side {
			p := &dst[2*i+channel]
			*p = int16(max(-32768, min(32767, int(*p)+int(s))))
		}
	}
	return n
}

// track fills one party's sound; false when there is none.
func (r *Reader) track(dst []int16, track, at int) (any bool) {
	before := -1
	for i := range r.sound {
		b := &r.sound[i]
		if int(b.track) != track {
			continue
		}
		if int(b.from) < at+len(dst) && int(b.to) > at {
			for _, p := range r.decode(i, before) {
				if from := max(0, p.at-at); from < len(dst) && p.at+len(p.pcm) > at {
					copy(dst[from:], p.pcm[max(0, at-p.at):])
					any = true
				}
			}
		}
		before = i
	}
	return any
}

// decode is the sound of a block. The block before of the same track, or -1, warms up a codec that remembers.
func (r *Reader) decode(i, before int) []heard {
	for _, d := range r.decoded {
		if d.block == i+1 {
			return d.pieces
		}
	}
	var state decoders
	body, err := r.open(r.sound[i])
	if err == nil && before >= 0 && hasMemory(body) {
		if earlier, err := r.open(r.sound[before]); err == nil {
			state.pieces(earlier)
		}
	}
	if err != nil {
		r.damaged = err
		body = nil
	}
	pieces := state.pieces(body)
	r.decoded[r.next] = decoded{i + 1, pieces}
	r.next = (r.next + 1) % decodedBlocks
	return pieces
}

// Damaged is why some of what was read is silence; nil: nothing is.
func (r *Reader) Damaged() error { return r.damaged }

// hasMemory reports whether the decoder of a body's first piece depends on what came before.
func hasMemory(body []byte) bool {
	_, id, _, _, ok := nextPiece(body)
	return ok && id == codec.G722
}

// decoders hold the decoder of a track.
type decoders struct {
	id  codec.ID
	dec codec.Decoder
}

func (d *decoders) pieces(body []byte) (all []heard) {
	for {
		at, id, payload, rest, ok := nextPiece(body)
		if !ok {
			return all
		}
		body = rest
		h := heard{at: int(at)}
		if id == 0 {
			h.pcm = make([]int16, len(payload)/2)
			for i := range h.pcm {
				h.pcm[i] = int16(binary.LittleEndian.Uint16(payload[2*i:]))
			}
		} else {
			if d.dec == nil || d.id != id {
				d.id, d.dec = id, codec.NewDecoder(id)
			}
			h.pcm = make([]int16, len(payload))
			h.pcm = h.pcm[:d.dec.Decode(h.pcm, payload)]
		}
		all = append(all, h)
	}
}
