package install

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// Sector is what a card writes whole, in bytes. Without its first one a slot does not start.
const Sector = 512

// stride is how much is compared and written at once.
const stride = 1 << 20

// Invalidate makes that nothing starts the slot. When it returns nil no power cut brings the slot back.
func Invalidate(t Target) error {
	if _, err := t.WriteAt(make([]byte, Sector), 0); err != nil {
		return fail(slot.CodeWrite, err)
	}
	return fail(slot.CodeWrite, t.Sync())
}

// Write invalidates the slot and brings the content into it, but for the first sector, which it returns: Check writes
// it. What lies there already, from before a restart, is left alone. done is told how much was looked at. Failures:
// too_large, hash, slot_write, and whatever the content fails with.
func Write(ctx context.Context, t Target, content io.Reader, part release.Part, done func(int64)) (first []byte, err error) {
	return write(ctx, t, content, part, done, stride, apart)
}

// write syncs each apart bytes, and handles stride at once.
func write(ctx context.Context, t Target, content io.Reader, part release.Part, done func(int64), stride, apart int64) (first []byte, err error) {
	size, err := t.Size()
	if err != nil {
		return nil, fail(slot.CodeRead, err)
	}
	if part.Size > size {
		return nil, failf(slot.CodeLarge, "%d bytes do not go into a slot of %d", part.Size, size)
	}
	if err := Invalidate(t); err != nil {
		return nil, err
	}
	if f, ok := t.(Fitter); ok {
		if err := f.Fit(part.Size); err != nil {
			return nil, fail(slot.CodeWrite, err)
		}
	}
	sum := sha256.New()
	is, has := make([]byte, stride), make([]byte, stride)
	synced := int64(0)
	for at := int64(0); at < part.Size; {
		n, err := io.ReadFull(reader{ctx, content}, is[:min(stride, part.Size-at)])
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, failf(slot.CodeHash, "the content ends after %d of %d bytes", at+int64(n), part.Size)
		}
		if err != nil {
			return nil, fail(slot.CodeHash, err)
		}
		sum.Write(is[:n])
		from := int64(0)
		if at == 0 {
			from = int64(min(n, Sector))
			first = bytes.Clone(is[:from])
		}
		if err := put(t, is[from:n], has[from:n], at+from); err != nil {
			return nil, err
		}
		at += int64(n)
		if at-synced >= apart {
			synced = at
			if err := errors.Join(t.Sync(), t.DropCache()); err != nil {
				return nil, fail(slot.CodeWrite, err)
			}
		}
		done(at)
	}
	if n, _ := content.Read(is[:1]); n > 0 {
		return nil, failf(slot.CodeHash, "the content is longer than %d bytes", part.Size)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != part.SHA256 {
		return nil, failf(slot.CodeHash, "the content has the SHA-256 %s, not %s", got, part.SHA256)
	}
	return first, fail(slot.CodeWrite, t.Sync())
}

// put writes what is not there yet. has is room for what is there.
func put(t Target, is, has []byte, at int64) error {
	if _, err := t.ReadAt(has, at); err == nil && bytes.Equal(is, has) {
		return nil
	}
	_, err := t.WriteAt(is, at)
	return fail(slot.CodeWrite, err)
}

// Check reads the slot back from the card, and writes its first sector when all the rest is as it must be. It may be
// called again at any time after Write. Failures: slot_read, slot_write, slot_differs.
func Check(ctx context.Context, t Target, first []byte, part release.Part, done func(int64)) error {
	if int64(len(first)) != min(part.Size, Sector) {
		return failf(slot.CodeDiffers, "the first sector has %d bytes", len(first))
	}
	if err := errors.Join(t.Sync(), t.DropCache()); err != nil {
		return fail(slot.CodeWrite, err)
	}
	sum := sha256.New()
	sum.Write(first)
	b := make([]byte, stride)
	for at := int64(len(first)); at < part.Size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(stride, part.Size-at)
		if err := read(t, b[:n], at); err != nil {
			return err
		}
		sum.Write(b[:n])
		at += n
		done(at)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != part.SHA256 {
		return failf(slot.CodeDiffers, "the card gives back the SHA-256 %s, not %s", got, part.SHA256)
	}
	has := make([]byte, len(first))
	if err := read(t, has, 0); err == nil && bytes.Equal(has, first) {
		return nil
	}
	if _, err := t.WriteAt(first, 0); err != nil {
		return fail(slot.CodeWrite, err)
	}
	if err := errors.Join(t.Sync(), t.DropCache()); err != nil {
		return fail(slot.CodeWrite, err)
	}
	if err := read(t, has, 0); err != nil {
		return err
	}
	if !bytes.Equal(has, first) {
		return failf(slot.CodeDiffers, "the card gives back another first sector")
	}
	return nil
}

// read fills b.
func read(t Target, b []byte, at int64) error {
	n, err := t.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	return fail(slot.CodeRead, errors.Join(err, io.ErrUnexpectedEOF))
}
