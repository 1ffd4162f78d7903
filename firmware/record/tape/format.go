package tape

import (
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// Errors of files.
var (
	ErrFormat  = errors.New("this is no recording of this program")
	ErrKey     = errors.New("the recording is sealed to another key")
	ErrDamaged = errors.New("the recording is damaged")
	errTrack   = errors.New("a recording has one to eight tracks")
)

// Rate is that of the timeline and of the sound that is read, in samples per second.
const Rate = codec.SampleRate

const (
	magic   = "PRONTOR1"
	keySize = chacha20poly1305.KeySize
	// encSize is the length of an encapsulated X25519 key (RFC 9180 section 7.1).
	encSize    = 32
	headerSize = len(magic) + encSize + keySize + chacha20poly1305.Overhead

	// HeadRoom is what a block needs before its body, Overhead what it needs behind.
	HeadRoom = 16
	Overhead = chacha20poly1305.Overhead

	// maxBlock bounds the sealed body of a block.
	maxBlock = 64 << 10
	// pieceHead stands before each piece of sound in a block: place, length, codec, how many were lost before.
	pieceHead = 8
	// MaxTracks is how many parties one file has.
	MaxTracks = 8
	// sealInfo binds the sealed key to its use.
	sealInfo = "pronto recording 1"
)

// kind is what a block holds.
type kind uint8

const (
	kindAbout kind = iota + 1
	kindSound
	kindMark
	kindEnd
)

// About is what a file says of itself, sealed like its sound.
type About struct {
	ID     string    `json:"id"`    // also of its file
	Chain  string    `json:"chain"` // shared by all parts of one conversation, whoever it was passed to
	Call   string    `json:"call"`
	Began  time.Time `json:"began"`
	Tracks []Track   `json:"tracks"`

	Purpose string    `json:"purpose,omitempty"` // what it is kept for, as the configuration of that moment said
	Until   time.Time `json:"until,omitzero"`    // when it is deleted
	Queue   string    `json:"queue,omitempty"`   // that the call came from
	Agents  []string  `json:"agents,omitempty"`  // who speak in it
}

// Track is one party. The first track is heard on the left, all others on the right.
type Track struct {
	Leg   string `json:"leg"`
	Party string `json:"party"`
}

// Mark is an event on the timeline. One without a leg is a pause or its end: the sound between a pause and the next
// resumption was not kept. One with a leg is of a party of a mix, whose track is that of many.
type Mark struct {
	At     uint32 `json:"at"` // samples
	Resume bool   `json:"resume,omitempty"`
	Why    string `json:"why,omitempty"` // of a pause: "card", "hold"

	Leg   string   `json:"leg,omitempty"`
	Party string   `json:"party,omitempty"` // of who came
	What  Presence `json:"what,omitempty"`
	Since uint32   `json:"since,omitempty"` // of Spoke: where it began; At is its end
}

// Presence is what a party of a mix does.
type Presence string

// What a party does.
const (
	Came  Presence = "came" // from here on what it says is in the mix
	Went  Presence = "went"
	Spoke Presence = "spoke"
)

// Voice is a party of a mix: from when to when it was there, and when it spoke. Places are in samples.
type Voice struct {
	Leg, Party string
	There      Span
	Spoke      []Span
}

// Span is a part of the timeline, in samples.
type Span struct{ From, To uint32 }

const (
	// maxVoices bounds who comes into one recording, maxSpans how often one of them speaks that is told: what is
	// heard beyond it is there, and only not listed.
	maxVoices = 1000
	maxSpans  = 5000
)

// End closes a file. One without it was cut off.
type End struct {
	Length uint32 `json:"length"` // samples, from the beginning to the end of the recording
	Lost   int    `json:"lost"`   // pieces of sound for which the disk was too slow
	Why    string `json:"why"`
}

// block is the head of a block, which stands readable before its body and is sealed with it.
type block struct {
	size     int // of the sealed body
	kind     kind
	track    uint8
	from, to uint32 // of sound: first sample and the one behind the last

	at  int64 // of the body in the file
	seq uint64
}

func (b *block) put(h []byte) {
	binary.LittleEndian.PutUint32(h, uint32(b.size))
	h[4], h[5], h[6], h[7] = byte(b.kind), b.track, 0, 0
	binary.LittleEndian.PutUint32(h[8:], b.from)
	binary.LittleEndian.PutUint32(h[12:], b.to)
}

// readBlock reads a head; false for one that no writer makes.
func readBlock(h []byte) (b block, ok bool) {
	b = block{
		size: int(binary.LittleEndian.Uint32(h)), kind: kind(h[4]), track: h[5],
		from: binary.LittleEndian.Uint32(h[8:]), to: binary.LittleEndian.Uint32(h[12:]),
	}
	return b, b.size >= Overhead && b.size <= maxBlock && b.kind >= kindAbout && b.kind <= kindEnd && b.track < MaxTracks && b.from <= b.to && b.to < maxSamples
}

// maxSamples bounds a timeline: a day.
const maxSamples = 24 * 60 * 60 * Rate

// nonce is the place of a block in its file. Each file has a key of its own.
func nonce(seq uint64) (n [chacha20poly1305.NonceSize]byte) {
	binary.BigEndian.PutUint64(n[4:], seq)
	return n
}

// PutPiece puts a piece of sound into a block's body: size bytes of payload must already stand behind its head.
// Codec 0 is linear, 16 bits, little endian.
func PutPiece(b []byte, at uint32, id codec.ID, lost, size int) {
	binary.LittleEndian.PutUint32(b, at)
	binary.LittleEndian.PutUint16(b[4:], uint16(size))
	b[6], b[7] = byte(id), byte(min(lost, 255))
}

// PieceHead is how many bytes PutPiece needs before a payload.
const PieceHead = pieceHead

// nextPiece splits a body behind its first piece; false when there is none.
func nextPiece(b []byte) (at uint32, id codec.ID, payload, rest []byte, ok bool) {
	if len(b) < pieceHead {
		return 0, 0, nil, nil, false
	}
	at, id = binary.LittleEndian.Uint32(b), codec.ID(b[6])
	end := pieceHead + int(binary.LittleEndian.Uint16(b[4:]))
	if end > len(b) || at >= maxSamples || id != 0 && !id.Audio() {
		return 0, 0, nil, nil, false
	}
	return at, id, b[pieceHead:end], b[end:], true
}

// The suite of the sealed key.
func suite() (hpke.KEM, hpke.KDF, hpke.AEAD) {
	return hpke.DHKEM(ecdh.X25519()), hpke.HKDFSHA256(), hpke.ChaCha20Poly1305()
}

// NewKey makes the key of a box, by which its recordings are read.
func NewKey() (hpke.PrivateKey, error) {
	kem, _, _ := suite()
	return kem.GenerateKey()
}

// ParseKey reads the bytes of a key.
func ParseKey(b []byte) (hpke.PrivateKey, error) {
	kem, _, _ := suite()
	return kem.NewPrivateKey(b)
}

func newAEAD(key []byte) (cipher.AEAD, error) { return chacha20poly1305.New(key) }
