package delta

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/pronto-pbx/pronto/images/zst"
)

// Apply writes the new content to w, made of the old one and a delta. ErrEncoder and ErrDamaged tell that the whole has
// to be fetched instead; errors of w come as they are. What was written before an error is of no use.
func Apply(ctx context.Context, w io.Writer, old io.ReaderAt, from io.Reader) error {
	var start [len(magic)]byte
	if _, err := io.ReadFull(from, start[:]); err != nil || string(start[:]) != magic {
		return damaged("it begins with %q", start)
	}
	stream, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(piece*2), zstd.WithDecoderLowmem(true))
	if err != nil {
		return damaged("%v", err)
	}
	defer stream.Close()
	in := bufio.NewReader(stream)
	name, err := some(in, 256)
	if err != nil {
		return err
	}
	if string(name) != zst.Name {
		return ErrEncoder
	}
	size, err := number(in, maxSize)
	if err != nil {
		return err
	}
	var sum [sha256.Size]byte
	if _, err := io.ReadFull(in, sum[:]); err != nil {
		return damaged("%v", err)
	}
	a := &apply{ctx: ctx, old: old, in: in, out: &limited{w: w, left: size, sum: sha256.New()}}
	for a.out.left > 0 {
		if err := a.op(); err != nil {
			return err
		}
	}
	if [sha256.Size]byte(a.out.sum.Sum(nil)) != sum {
		return damaged("what comes out is not what was meant")
	}
	return nil
}

// apply is one delta being applied.
type apply struct {
	ctx context.Context //nolint:containedctx // lives as long as the call
	old io.ReaderAt
	in  *bufio.Reader
	out *limited
}

// limited is a writer that sums up, and takes no more than it should.
type limited struct {
	w    io.Writer
	left int64
	sum  hash.Hash
}

func (l *limited) Write(b []byte) (int, error) {
	if int64(len(b)) > l.left {
		return 0, damaged("more comes out than it says")
	}
	l.left -= int64(len(b))
	l.sum.Write(b)
	return l.w.Write(b)
}

func (a *apply) op() error {
	if err := a.ctx.Err(); err != nil {
		return err
	}
	kind, err := a.in.ReadByte()
	if err != nil {
		return damaged("an operation: %v", err)
	}
	switch kind {
	case 'c':
		part, err := a.stretch()
		if err != nil {
			return err
		}
		return a.copy(part, part.Size())
	case 'l':
		n, err := number(a.in, maxSize)
		if err != nil {
			return err
		}
		return a.copy(a.in, n)
	case 'f':
		return a.frame()
	}
	return damaged("the operation %q", kind)
}

// stretch is the part of the old content that an operation names.
func (a *apply) stretch() (*io.SectionReader, error) {
	offset, err := number(a.in, maxSize)
	if err != nil {
		return nil, err
	}
	length, err := number(a.in, maxSize)
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(a.old, offset, length), nil
}

// copy passes n bytes on, and looks now and then whether it is to end.
func (a *apply) copy(from io.Reader, n int64) error {
	b := make([]byte, 64<<10)
	for n > 0 {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		part := b[:min(n, int64(len(b)))]
		if _, err := io.ReadFull(from, part); err != nil {
			return damaged("%v", err)
		}
		if _, err := a.out.Write(part); err != nil {
			return err
		}
		n -= int64(len(part))
	}
	return nil
}

// frame unpacks an old initramfs, turns it into the new one and packs that.
func (a *apply) frame() (err error) {
	part, err := a.stretch()
	if err != nil {
		return err
	}
	size, err := number(a.in, maxSize)
	if err != nil {
		return err
	}
	unpacked, err := zstd.NewReader(part, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(frameMax), zstd.WithDecoderLowmem(true))
	if err != nil {
		return damaged("the old frame: %v", err)
	}
	defer unpacked.Close()
	packer, err := zst.NewWriter(a.out, size)
	if err != nil {
		return err
	}
	files := &archive{from: unpacked}
	out := &limited{w: packer, left: size, sum: sha256.New()}
	for done := false; err == nil && !done; {
		done, err = a.record(files, out)
	}
	if err == nil && out.left > 0 {
		err = damaged("an archive that is %d bytes too short", out.left)
	}
	return errors.Join(err, packer.Close())
}

// archive is the old one, of which one file after the other is shown.
type archive struct {
	from io.Reader
	seen int64   // files that were shown, the last of which is
	now  *slider // its data
}

// file shows the file of an index, counted from 1.
func (f *archive) file(index int64) (*slider, error) {
	if index <= f.seen {
		return nil, damaged("the old archive is gone through backwards")
	}
	for f.seen < index {
		if f.now != nil {
			if err := f.now.skip(); err != nil {
				return nil, err
			}
		}
		c, err := readRecord(f.from)
		if err != nil {
			return nil, err
		}
		f.now = &slider{from: f.from, size: padded(c.size)}
		f.seen++
	}
	return f.now, nil
}

// record writes the next file of the new archive; done: there is none, and the end was written.
func (a *apply) record(files *archive, out io.Writer) (done bool, err error) {
	kind, err := a.in.ReadByte()
	switch {
	case err != nil:
		return false, damaged("a record: %v", err)
	case kind == 't':
		tail, err := some(a.in, maxTail)
		if err == nil {
			_, err = out.Write(tail)
		}
		return true, err
	case kind != 'r':
		return false, damaged("the record %q", kind)
	}
	head, err := some(a.in, maxHead)
	if err != nil {
		return false, err
	}
	if _, err := out.Write(head); err != nil {
		return false, err
	}
	index, err := number(a.in, 1<<20)
	if err != nil {
		return false, err
	}
	size, err := number(a.in, maxMember)
	if err != nil {
		return false, err
	}
	var before *slider
	if index > 0 {
		if before, err = files.file(index); err != nil {
			return false, err
		}
	}
	for at := int64(0); at < size; at += piece {
		if err := a.piece(before, at, min(piece, size-at), out); err != nil {
			return false, err
		}
	}
	return false, nil
}

// piece writes n bytes of a file from at on.
func (a *apply) piece(before *slider, at, n int64, out io.Writer) error {
	if err := a.ctx.Err(); err != nil {
		return err
	}
	kind, err := a.in.ReadByte()
	if err != nil {
		return damaged("a piece: %v", err)
	}
	var near []byte
	if before != nil {
		if near, err = before.stretch(around(at, n)); err != nil {
			return err
		}
	}
	switch kind {
	case 's':
		skip := min(at, margin) // of what lies before the piece
		if int64(len(near)) < skip+n {
			return damaged("a piece of an old file that ends before")
		}
		_, err = out.Write(near[skip : skip+n])
		return err
	case 'p':
		patch, err := some(a.in, maxPatch)
		if err != nil {
			return err
		}
		b, err := unpatch(patch, dictionary(near), n)
		if err != nil {
			return err
		}
		_, err = out.Write(b)
		return err
	}
	return damaged("the piece %q", kind)
}

// unpatch unpacks a piece, which has to have n bytes.
func unpatch(patch, near []byte, n int64) ([]byte, error) {
	// What a decoder may make is also the largest window that it takes, and a small piece has the window of a large one.
	options := []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxWindow), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true)}
	if near != nil {
		options = append(options, zstd.WithDecoderDictRaw(1, near))
	}
	d, err := zstd.NewReader(nil, options...)
	if err != nil {
		return nil, damaged("a piece: %v", err)
	}
	defer d.Close()
	b, err := d.DecodeAll(patch, make([]byte, 0, n))
	if err != nil || int64(len(b)) != n {
		return nil, damaged("a piece of %d bytes, not %d: %v", len(b), n, err)
	}
	return b, nil
}
