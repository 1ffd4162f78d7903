package journal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

// Pos is the place of a record in a journal: it grows by at least one with every record and is
// never used twice in one journal. The zero Pos lies before the first record.
type Pos uint64

// ID names one journal from its creation on. A position means something only together with it.
type ID uint64

// Class says what may be given up when a history outgrows its quota.
type Class uint8

// The classes, from the first to go to the one that never goes.
const (
	Statistic Class = iota // goes first
	State                  // goes when no statistics are left, oldest first
	Finished               // never dropped: finished call and queue records
)

// Record is one entry as it was written.
type Record struct {
	Pos    Pos
	Class  Class
	Kind   string        // what it is, e.g. "call_ended"
	Key    string        // which one, in a hot journal; empty in a history
	Body   []byte        // valid only during the call that delivers it
	Wall   time.Time     // wall clock at the write, for display and schedules
	Boot   time.Duration // CLOCK_BOOTTIME at the write, for spans within one boot
	BootID BootID        // which boot Boot belongs to

	erase bool // a hot journal's Delete
}

// Limits of one record.
const (
	MaxKind = 64         // bytes of a kind
	MaxKey  = 512        // bytes of a key
	MaxBody = 256 * 1024 // bytes of a body
)

// Errors of a caller's own making.
var (
	ErrTooLarge = errors.New("journal: record exceeds the limits")
	ErrClosed   = errors.New("journal: closed")
)

// The frame of a record, little endian: magic, CRC32C of all that follows, whole size, operation,
// class, length of kind, zero, length of key, six zeros, position, wall, boot, boot id; then kind,
// key, body. The magic cannot occur in UTF-8 text, so that a search for it after damage does not
// stop inside every JSON body.
const (
	magic      = 0xF5FF4A50
	headerSize = 64
	maxRecord  = headerSize + MaxKind + MaxKey + MaxBody

	opKeep  = 1
	opErase = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errBlank   = errors.New("nothing written here")
	errCorrupt = errors.New("not a whole record")
)

// appendRecord adds the frame of r to dst. The caller has checked the limits.
func appendRecord(dst []byte, salt uint32, r *Record) []byte {
	start := len(dst)
	var h [headerSize]byte
	size := headerSize + len(r.Kind) + len(r.Key) + len(r.Body)
	binary.LittleEndian.PutUint32(h[0:], magic)
	binary.LittleEndian.PutUint32(h[8:], uint32(size))
	h[12] = opKeep
	if r.erase {
		h[12] = opErase
	}
	h[13] = byte(r.Class)
	h[14] = byte(len(r.Kind))
	binary.LittleEndian.PutUint16(h[16:], uint16(len(r.Key)))
	binary.LittleEndian.PutUint64(h[24:], uint64(r.Pos))
	binary.LittleEndian.PutUint64(h[32:], uint64(r.Wall.UnixNano()))
	binary.LittleEndian.PutUint64(h[40:], uint64(r.Boot))
	copy(h[48:], r.BootID[:])
	dst = append(dst, h[:]...)
	dst = append(dst, r.Kind...)
	dst = append(dst, r.Key...)
	dst = append(dst, r.Body...)
	crc := crc32.Update(salt, castagnoli, dst[start+8:])
	binary.LittleEndian.PutUint32(dst[start+4:], crc)
	return dst
}

// decode reads the record at the start of b; its Body aliases b. The salt ties a record to its
// segment, so that bytes left over from another file or carried inside a body never count.
func decode(b []byte, salt uint32) (Record, int, error) {
	if len(b) < 4 || binary.LittleEndian.Uint32(b) == 0 {
		return Record{}, 0, errBlank
	}
	if len(b) < headerSize || binary.LittleEndian.Uint32(b) != magic {
		return Record{}, 0, errCorrupt
	}
	size := int64(binary.LittleEndian.Uint32(b[8:]))
	kind, key := int(b[14]), int(binary.LittleEndian.Uint16(b[16:]))
	if size > int64(len(b)) || size > maxRecord || kind > MaxKind || key > MaxKey ||
		size < int64(headerSize+kind+key) || size-int64(headerSize+kind+key) > MaxBody {
		return Record{}, 0, errCorrupt
	}
	b = b[:size]
	if crc32.Update(salt, castagnoli, b[8:]) != binary.LittleEndian.Uint32(b[4:]) {
		return Record{}, 0, errCorrupt
	}
	if op := b[12]; (op != opKeep && op != opErase) || b[13] > byte(Finished) {
		return Record{}, 0, errCorrupt
	}
	r := Record{
		Pos:   Pos(binary.LittleEndian.Uint64(b[24:])),
		Class: Class(b[13]),
		Kind:  string(b[headerSize : headerSize+kind]),
		Key:   string(b[headerSize+kind : headerSize+kind+key]),
		Body:  b[headerSize+kind+key:],
		Wall:  time.Unix(0, int64(binary.LittleEndian.Uint64(b[32:]))),
		Boot:  time.Duration(binary.LittleEndian.Uint64(b[40:])),
		erase: b[12] == opErase,
	}
	copy(r.BootID[:], b[48:])
	return r, int(size), nil
}

// within reports whether kind, key and body keep the limits.
func within(kind, key string, body []byte) bool {
	return kind != "" && len(kind) <= MaxKind && len(key) <= MaxKey && len(body) <= MaxBody
}
