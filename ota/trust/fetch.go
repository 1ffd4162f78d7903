package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/pronto-pbx/pronto/ota/release"
)

// fetcher reads files for one poll. It is go-tuf's way to the mirror: limits and inspection stand here, before go-tuf
// sees a byte.
type fetcher struct {
	ctx      context.Context //nolint:containedctx // go-tuf's interface has none, and a fetcher lives as long as a poll
	mirror   Mirror
	roots    map[int64][]byte // fetched, by version
	versions map[string]int64 // of the metadata that was fetched, by role
}

// DownloadFile implements go-tuf's Fetcher.
func (f *fetcher) DownloadFile(name string, limit int64, _ time.Duration) ([]byte, error) {
	text, err := f.read(name, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &metadata.ErrDownloadHTTP{StatusCode: http.StatusNotFound, URL: name}
	} else if err != nil {
		return nil, err
	}
	s, err := inspect(strings.TrimPrefix(name, "metadata/"), text)
	if err != nil {
		return nil, err
	}
	role := roleOf(name)
	f.versions[role] = s.Signed.Version
	if role == metadata.ROOT {
		f.roots[s.Signed.Version] = bytes.Clone(text)
	}
	return text, nil
}

// read takes a whole file, which has at most limit bytes.
func (f *fetcher) read(name string, limit int64) (text []byte, err error) {
	if limit <= 0 || limit > max(maxRoot, maxSnapshot, maxTargets, release.MaxManifest) {
		return nil, fmt.Errorf("%w: %s is to have %d bytes", ErrLimit, name, limit)
	}
	body, err := f.mirror.Open(f.ctx, name, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	text, err = io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrUnreachable, name, because(f.ctx, err))
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrLimit, name, limit)
	}
	return text, nil
}

// moment is when the timestamp and the snapshot of local media were in force, if that is before now. It believes what
// they say of it, since they are verified afterwards; who forges one is refused then.
func (f *fetcher) moment(now time.Time) time.Time {
	at := now
	earlier := func(name string, limit int64) (s signed) {
		text, err := f.read("metadata/"+name, limit)
		if err == nil {
			s, err = inspect(name, text)
		}
		if last := s.Signed.Expires.Add(-time.Second); err == nil && last.Before(at) {
			at = last
		}
		return s
	}
	timestamp := earlier("timestamp.json", maxTimestamp)
	earlier(fmt.Sprintf("%d.snapshot.json", timestamp.Signed.Meta["snapshot.json"].Version), maxSnapshot)
	return at
}
