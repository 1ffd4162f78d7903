package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// Download is a file that grows.
type Download interface {
	io.ReaderAt
	io.WriterAt
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error
}

// Opener gives the bytes of a blob from an offset on.
type Opener func(ctx context.Context, offset int64) (io.ReadCloser, error)

const (
	// apart is how many bytes lie between two syncs: what a power cut costs, and what a card writes in one go while
	// it has a conversation to record.
	apart = 8 << 20
	// progress is how much must have come of a broken connection for the next one to be tried at once.
	progress = 256 << 10
	piece    = 64 << 10
)

// Fetch brings a blob into a download and goes on with what is there. When it returns nil the whole of it is on the
// disk and is what was signed. done is told how much is there. Failures: network, hash, disk_full, disk.
func Fetch(ctx context.Context, to Download, blob release.Blob, open Opener, done func(int64)) error {
	had, err := to.Size()
	if err != nil {
		return fail(slot.CodeDisk, err)
	}
	if had > blob.Size {
		had = 0
	}
	// A length that outlived a power cut says nothing about the bytes: a wrong sum has the whole fetched once more.
	switch err := fetch(ctx, to, blob, had, open, done); {
	case err == nil:
		return nil
	case CodeOf(err) != slot.CodeHash:
		return err
	case had == 0:
		return errors.Join(err, fail(slot.CodeDisk, to.Truncate(0)))
	}
	err = fetch(ctx, to, blob, 0, open, done)
	if err != nil && CodeOf(err) == slot.CodeHash {
		err = errors.Join(err, fail(slot.CodeDisk, to.Truncate(0)))
	}
	return err
}

// fetch takes what a download has up to at for good.
func fetch(ctx context.Context, to Download, blob release.Blob, at int64, open Opener, done func(int64)) error {
	if err := to.Truncate(at); err != nil {
		return fail(slot.CodeDisk, err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, reader{ctx, io.NewSectionReader(to, 0, at)}); err != nil {
		return fail(slot.CodeDisk, err)
	}
	done(at)
	for at < blob.Size {
		n, err := pull(ctx, to, blob, at, sum, open, done)
		at += n
		if err := to.Sync(); err != nil {
			return fail(slot.CodeDisk, err)
		}
		if err != nil && (n < progress || CodeOf(err) != slot.CodeNetwork || ctx.Err() != nil) {
			return err
		}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != blob.SHA256 {
		return failf(slot.CodeHash, "the download has the SHA-256 %s, not %s", got, blob.SHA256)
	}
	return nil
}

// pull reads what one opening gives, and tells how much of it is in the download.
func pull(ctx context.Context, to Download, blob release.Blob, at int64, sum hash.Hash, open Opener, done func(int64)) (n int64, err error) {
	from, err := open(ctx, at)
	if err != nil {
		return 0, fail(CodeOf(err), err)
	}
	defer from.Close()
	b := make([]byte, piece)
	for synced := at; at+n < blob.Size; {
		got, err := (reader{ctx, from}).Read(b[:min(piece, blob.Size-at-n)])
		if got > 0 {
			if _, err := to.WriteAt(b[:got], at+n); err != nil {
				return n, fail(slot.CodeDisk, err)
			}
			sum.Write(b[:got])
			n += int64(got)
			done(at + n)
		}
		switch {
		case errors.Is(err, io.EOF) && at+n < blob.Size:
			return n, failf(slot.CodeNetwork, "the connection ended after %d of %d bytes", at+n, blob.Size)
		case err != nil && !errors.Is(err, io.EOF):
			return n, fail(slot.CodeNetwork, fmt.Errorf("after %d of %d bytes: %w", at+n, blob.Size, err))
		}
		if at+n-synced >= apart {
			if err := to.Sync(); err != nil {
				return n, fail(slot.CodeDisk, err)
			}
			synced = at + n
		}
	}
	return n, nil
}

// reader ends when its context does.
type reader struct {
	ctx  context.Context
	from io.Reader
}

// Read implements io.Reader.
func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(b)
}
