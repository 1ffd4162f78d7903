package delta

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/pronto-pbx/pronto/images/vfat"
	"github.com/pronto-pbx/pronto/images/zst"
)

// System is the file of a slot that is taken apart.
const System = "initramfs.zst"

// Make returns the delta from an old content of a slot to another, after it has applied it. It is made on the vendor's
// machine, which has room for both, unpacked, several times.
func Make(ctx context.Context, old, fresh []byte) ([]byte, error) {
	was, err := find(old)
	if err != nil {
		return nil, fmt.Errorf("the old slot: %w", err)
	}
	is, err := find(fresh)
	if err != nil {
		return nil, fmt.Errorf("the new slot: %w", err)
	}
	if err := remade(is.unpacked, fresh[is.at:is.at+is.length]); err != nil {
		return nil, fmt.Errorf("the new slot: %w", err)
	}
	var body bytes.Buffer
	m := &maker{&body}
	m.some([]byte(zst.Name))
	m.number(int64(len(fresh)))
	sum := sha256.Sum256(fresh)
	body.Write(sum[:])
	blocks := index(old)
	m.raw(old, blocks, fresh, 0, is.at)
	if err := m.frame(ctx, was, is); err != nil {
		return nil, err
	}
	m.raw(old, blocks, fresh, is.at+is.length, len(fresh))
	out := bytes.NewBufferString(magic)
	w, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(piece))
	if err == nil {
		_, err = w.Write(body.Bytes())
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, err
	}
	back := newComparer(fresh)
	if err := Apply(ctx, back, bytes.NewReader(old), bytes.NewReader(out.Bytes())); err != nil {
		return nil, fmt.Errorf("the delta does not lead to the new slot: %w", err)
	}
	return out.Bytes(), nil
}

// system is the initramfs of a slot.
type system struct {
	at, length int // of its frame in the slot
	unpacked   []byte
}

// find looks for the initramfs in the file system of a slot, where it lies in one piece, as on a disk that is written
// once.
func find(slot []byte) (s system, err error) {
	v, err := vfat.Open(bytes.NewReader(slot))
	if err != nil {
		return s, err
	}
	frame, err := v.Read(System, maxSize)
	if err != nil {
		return s, fmt.Errorf("%s: %w", System, err)
	}
	if s.at = bytes.Index(slot, frame); s.at < 0 {
		return s, fmt.Errorf("%s lies in pieces", System)
	}
	s.length = len(frame)
	d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxSize), zstd.WithDecoderMaxWindow(frameMax))
	if err != nil {
		return s, err
	}
	defer d.Close()
	s.unpacked, err = d.DecodeAll(frame, nil)
	return s, err
}

// remade proves that our encoder makes a frame again.
func remade(unpacked, frame []byte) error {
	back := newComparer(frame)
	w, err := zst.NewWriter(back, int64(len(unpacked)))
	if err == nil {
		_, err = w.Write(unpacked)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil || len(back.want) > 0 {
		return fmt.Errorf("%w: %s was packed by another", ErrEncoder, System)
	}
	return nil
}

// comparer is a writer that wants to be written something.
type comparer struct{ want []byte }

func newComparer(want []byte) *comparer { return &comparer{want} }

var errDiffers = errors.New("other bytes")

func (c *comparer) Write(b []byte) (int, error) {
	if !bytes.HasPrefix(c.want, b) {
		return 0, errDiffers
	}
	c.want = c.want[len(b):]
	return len(b), nil
}

// maker writes operations.
type maker struct{ out *bytes.Buffer }

func (m *maker) number(n int64) { m.out.Write(binary.AppendUvarint(nil, uint64(n))) }

func (m *maker) some(b []byte) { m.number(int64(len(b))); m.out.Write(b) }

// block is how the old content is found again outside of the initramfs: by the sectors in which files begin.
const block = 512

func index(old []byte) map[[block]byte]int {
	all := map[[block]byte]int{}
	for at := 0; at+block <= len(old); at += block {
		b := [block]byte(old[at:])
		if _, ok := all[b]; !ok {
			all[b] = at
		}
	}
	return all
}

// raw makes the bytes of the new content from lo to hi, of old ones and new ones.
func (m *maker) raw(old []byte, blocks map[[block]byte]int, fresh []byte, lo, hi int) {
	from := lo // where the new ones begin that are not written yet
	literal := func(to int) {
		if to > from {
			m.out.WriteByte('l')
			m.some(fresh[from:to])
		}
	}
	for at := (lo + block - 1) / block * block; at+block <= hi; {
		was, ok := blocks[[block]byte(fresh[at:])]
		if !ok {
			at += block
			continue
		}
		n := block
		for at+n < hi && was+n < len(old) && fresh[at+n] == old[was+n] {
			n++
		}
		if at+n < hi {
			n -= n % block // the next one begins in a sector
		}
		literal(at)
		m.out.WriteByte('c')
		m.number(int64(was))
		m.number(int64(n))
		at += n
		from = at
	}
	literal(hi)
}

// member is a file of an archive in memory.
type member struct {
	record
	data []byte // with what pads it
}

// members takes an archive apart.
func members(unpacked []byte) (all []member, tail []byte, err error) {
	r := bytes.NewReader(unpacked)
	for {
		c, err := readRecord(r)
		if err != nil {
			return nil, nil, err
		}
		at := len(unpacked) - r.Len()
		end := at + int(padded(c.size))
		if end > len(unpacked) {
			return nil, nil, damaged("an archive that is cut off")
		}
		all = append(all, member{c, unpacked[at:end]})
		if c.name == trailer {
			return all, unpacked[end:], nil
		}
		if _, err := r.Seek(int64(end), io.SeekStart); err != nil {
			return nil, nil, err
		}
	}
}

// frame turns one initramfs into another.
func (m *maker) frame(ctx context.Context, was, is system) error {
	olds, _, err := members(was.unpacked)
	if err != nil {
		return fmt.Errorf("the old slot: %w", err)
	}
	news, tail, err := members(is.unpacked)
	if err != nil {
		return fmt.Errorf("the new slot: %w", err)
	}
	if len(tail) > maxTail {
		return fmt.Errorf("the new slot: %d bytes follow the archive", len(tail))
	}
	m.out.WriteByte('f')
	m.number(int64(was.at))
	m.number(int64(was.length))
	m.number(int64(len(is.unpacked)))
	next := 0 // of the old files that have not been passed
	for _, n := range news {
		m.out.WriteByte('r')
		m.some(n.head)
		var before []byte
		i := next
		for i < len(olds) && olds[i].name != n.name {
			i++
		}
		if i < len(olds) {
			before, next = olds[i].data, i+1
			m.number(int64(i + 1))
		} else {
			m.number(0)
		}
		m.number(int64(len(n.data)))
		if err := m.pieces(ctx, before, n.data); err != nil {
			return err
		}
	}
	m.out.WriteByte('t')
	m.some(tail)
	return nil
}

func (m *maker) pieces(ctx context.Context, before, data []byte) error {
	for at := 0; at < len(data); at += piece {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := data[at:min(len(data), at+piece)]
		if at+len(part) <= len(before) && bytes.Equal(part, before[at:at+len(part)]) {
			m.out.WriteByte('s')
			continue
		}
		lo, hi := around(int64(at), int64(len(part)))
		size := int64(len(before))
		lo, hi = min(max(lo, 0), size), min(max(hi, 0), size)
		options := []zstd.EOption{zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxWindow)}
		if near := dictionary(before[lo:hi]); near != nil {
			options = append(options, zstd.WithEncoderDictRaw(1, near))
		}
		e, err := zstd.NewWriter(nil, options...)
		if err != nil {
			return err
		}
		m.out.WriteByte('p')
		m.some(e.EncodeAll(part, nil))
		if err := e.Close(); err != nil {
			return err
		}
	}
	return nil
}
