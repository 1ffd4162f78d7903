package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"golang.org/x/sys/unix"
)

// Errors of the medium. They wrap the kernel's own error and are never fatal: the same call works
// again when its cause is gone.
var (
	ErrNoSpace = errors.New("no space left for the journal")
	ErrIO      = errors.New("the journal's disk reports an error")
	ErrVersion = errors.New("journal was written by a newer version")
)

const (
	suffix        = ".journal"
	strange       = ".newer" // behind the name of a segment that a newer program wrote
	scratch       = ".tmp"
	readable      = 0o640 // by the group too, which is recordd's on a box; the directory decides whether it gets that far
	segmentHeader = 40
	version       = 1
	allocateStep  = 256 * 1024
)

// segmentMagic opens every segment; then version, zero, journal id, first position, CRC32C, zero.
const segmentMagic = "PRONTOJL"

// segment is one file that is being written. Only its owner, under its lock, touches it.
type segment struct {
	f         durable.File
	path      string
	first     Pos
	salt      uint32
	off       int64 // where the next record goes
	allocated int64 // bytes promised by the file system
	plain     bool  // the file system cannot promise: append without

	// What is not yet synced stays here too: after a failed fsync the kernel may drop the dirty
	// pages, and the only way to try again is to write them again.
	pending   []byte
	pendingAt int64
	fresh     bool // its name in the directory is not yet synced
	sealed    bool // nothing is added any more
}

// saltOf seeds the checksums of a segment. It follows from the name, so that a damaged header
// does not take the records with it.
func saltOf(first Pos) uint32 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(first))
	return crc32.Checksum(b[:], castagnoli)
}

func segmentPath(dir string, first Pos) string {
	return filepath.Join(dir, fmt.Sprintf("%016x%s", uint64(first), suffix))
}

func appendSegmentHeader(dst []byte, id ID, first Pos) []byte {
	start := len(dst)
	dst = append(dst, segmentMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, version)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(id))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(first))
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
	return binary.LittleEndian.AppendUint32(dst, 0)
}

// readSegmentHeader returns the journal's id; errCorrupt when the header is damaged, ErrVersion
// when it is whole and newer than this program.
func readSegmentHeader(b []byte) (ID, error) {
	if len(b) < segmentHeader || string(b[:8]) != segmentMagic ||
		crc32.Checksum(b[:32], castagnoli) != binary.LittleEndian.Uint32(b[32:]) {
		return 0, errCorrupt
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v > version {
		return 0, fmt.Errorf("%w: format %d, this program reads up to %d", ErrVersion, v, version)
	}
	return ID(binary.LittleEndian.Uint64(b[16:])), nil
}

// createSegment makes a segment that holds body after its header. It gets its name only when it
// is whole, so that a name in the directory always is a readable segment.
func createSegment(on durable.FileSystem, dir string, id ID, first Pos, body []byte) (_ *segment, err error) {
	path := segmentPath(dir, first)
	f, err := on.OpenFile(path+scratch, os.O_RDWR|os.O_CREATE|os.O_TRUNC, readable)
	if err != nil {
		return nil, medium("create segment", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = on.Remove(path + scratch)
		}
	}()
	s := &segment{f: f, path: path, first: first, salt: saltOf(first), fresh: true}
	head := append(appendSegmentHeader(make([]byte, 0, segmentHeader+len(body)), id, first), body...)
	if err := s.write(head); err != nil {
		return nil, err
	}
	if err := on.Rename(path+scratch, path); err != nil {
		return nil, medium("name segment", err)
	}
	return s, nil
}

// write puts b at the end. After an error nothing of b counts as written.
func (s *segment) write(b []byte) error {
	if err := s.reserve(int64(len(b))); err != nil {
		return err
	}
	if _, err := s.f.WriteAt(b, s.off); err != nil {
		// Cut the torn part off; should that fail too, its position makes it stale for readers.
		if s.f.Truncate(s.off) == nil {
			s.allocated = s.off
		}
		return medium("write "+filepath.Base(s.path), err)
	}
	s.off += int64(len(b))
	return nil
}

// reserve makes the file system promise room for n more bytes, in steps, so that a write does not
// meet a full disk half way.
func (s *segment) reserve(n int64) error {
	for !s.plain && s.off+n > s.allocated {
		want := max(s.off+n-s.allocated, allocateStep)
		err := s.f.Reserve(s.allocated, want)
		if errors.Is(err, unix.ENOSPC) && want > s.off+n-s.allocated {
			want = s.off + n - s.allocated
			err = s.f.Reserve(s.allocated, want)
		}
		switch {
		case err == nil:
			s.allocated += want
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			s.plain = true
		default:
			return medium("extend "+filepath.Base(s.path), err)
		}
	}
	return nil
}

// medium turns the kernel's error into ours, keeping both; nil stays nil.
func medium(doing string, err error) error {
	if err == nil {
		return nil
	}
	kind := ErrIO
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG) {
		kind = ErrNoSpace
	}
	return fmt.Errorf("%s: %w: %w", doing, kind, err)
}

// listSegments returns the first positions of the segments in dir, in order.
func listSegments(on durable.FileSystem, dir string) ([]Pos, error) {
	names, err := on.List(dir)
	if err != nil {
		return nil, fmt.Errorf("list journal: %w", err)
	}
	var firsts []Pos
	for _, full := range names {
		name, ok := strings.CutSuffix(full, suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(name, 16, 64)
		if err == nil && len(name) == 16 {
			firsts = append(firsts, Pos(n))
		}
	}
	slices.Sort(firsts)
	return firsts, nil
}

// sweep removes what a death in the middle of making a segment left behind.
func sweep(on durable.FileSystem, dir string) { removeAll(on, dir, suffix+scratch) }

// removeAll removes the files whose names end so.
func removeAll(on durable.FileSystem, dir, ending string) {
	names, err := on.List(dir)
	if err != nil {
		return
	}
	for _, name := range names {
		if strings.HasSuffix(name, ending) {
			_ = on.Remove(filepath.Join(dir, name))
		}
	}
}

// putAside takes a segment that a newer program wrote out of the way: after an update that was taken back, calls
// matter more than what it holds. One set of them is kept for those who want to know.
func putAside(on durable.FileSystem, dir string, first Pos, why error) (Damage, error) {
	path := segmentPath(dir, first)
	d := Damage{Segment: filepath.Base(path), Aside: filepath.Base(path) + strange, Why: why.Error()}
	if err := on.Rename(path, path+strange); err != nil {
		return d, medium("put "+d.Segment+" aside", err)
	}
	return d, nil
}

// forgetAsides removes what an earlier start has put aside.
func forgetAsides(on durable.FileSystem, dir string) { removeAll(on, dir, suffix+strange) }
