package trust

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/repository"
	"github.com/pronto-pbx/pronto/ota/repository/repositorytest"
)

// begin is when the vendor of the tests begins.
var begin = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// world is a vendor, and what lies between it and a box.
type world struct {
	*repositorytest.Vendor
	t     testing.TB
	now   time.Time
	wire  *wire
	dir   string // of the box
	known *Known
	box   release.Box
}

// wire is the vendor's directory as a thief lets a box see it.
type wire struct {
	dir      string
	forged   map[string][]byte // instead of what lies there; nil: nothing lies there
	requests []string
	bytes    int64
}

func (w *wire) Open(_ context.Context, name string, offset int64) (io.ReadCloser, error) {
	w.requests = append(w.requests, name)
	text, ok := w.forged[name]
	if !ok {
		var err error
		if text, err = os.ReadFile(filepath.Join(w.dir, name)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
	} else if text == nil {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	w.bytes += int64(len(text)) - offset
	return io.NopCloser(bytes.NewReader(text[offset:])), nil
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: begin, dir: t.TempDir(), box: release.Box{ID: "PRN-7Q2F", Model: "pi4", Version: "1.0.0", Data: 1}}
	w.Vendor = repositorytest.New(t, func() time.Time { return w.now })
	w.wire = &wire{dir: w.Dir, forged: map[string][]byte{}}
	w.restart()
	return w
}

// restart has the box forget all but what is on its disk.
func (w *world) restart() {
	w.t.Helper()
	var err error
	if w.known, err = Open(w.Root, w.dir, filepath.Join(w.dir, "scratch")); err != nil {
		w.t.Fatal(err)
	}
}

// polls asks the server for a release.
func (w *world) polls() (release.Manifest, error) {
	w.wire.requests, w.wire.bytes = nil, 0
	return w.known.Online(w.wire, "stable").Latest(w.t.Context(), w.now, w.box)
}

// gets wants a version to be offered.
func (w *world) gets(version string) {
	w.t.Helper()
	if m, err := w.polls(); err != nil || m.Version != version {
		w.t.Fatalf("offered %q, %v; want %s", m.Version, err, version)
	}
}

// file reads one of the vendor's.
func (w *world) file(name string) []byte {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.Dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// everything is a copy of what the vendor publishes now.
func (w *world) everything() map[string][]byte {
	w.t.Helper()
	all := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(w.Dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all[name] = w.file(name)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// forge changes metadata and signs it with the keys that a thief has; none: the signatures stay as they were.
func forge[T metadata.Roles](t testing.TB, text []byte, edit func(*T), keys ...ed25519.PrivateKey) []byte {
	t.Helper()
	m, err := (&metadata.Metadata[T]{}).FromBytes(text)
	if err != nil {
		t.Fatal(err)
	}
	edit(&m.Signed)
	if len(keys) > 0 {
		m.ClearSignatures()
	}
	for _, k := range keys {
		signer, err := signature.LoadSigner(k, crypto.Hash(0))
		if err == nil {
			_, err = m.Sign(signer)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	out, err := m.ToBytes(false)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// meta names a text as the metadata above it does.
func meta(version int64, text []byte) *metadata.MetaFiles {
	return &metadata.MetaFiles{Version: version, Length: int64(len(text))}
}

// online forges the chain of who has both online keys: a snapshot that names a role's text, and a timestamp for it.
func (w *world) online(role string, version int64, text []byte) {
	w.t.Helper()
	t, err := metadata.Timestamp().FromBytes(w.file("metadata/timestamp.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	was := t.Signed.Meta["snapshot.json"].Version
	snapshot := forge(w.t, w.file(fmt.Sprintf("metadata/%d.snapshot.json", was)), func(s *metadata.SnapshotType) {
		s.Version++
		s.Meta[role+".json"] = meta(version, text)
	}, w.Keys[repository.Snapshot]...)
	w.wire.forged[fmt.Sprintf("metadata/%d.%s.json", version, role)] = text
	w.wire.forged[fmt.Sprintf("metadata/%d.snapshot.json", was+1)] = snapshot
	w.wire.forged["metadata/timestamp.json"] = forge(w.t, w.file("metadata/timestamp.json"), func(s *metadata.TimestampType) {
		s.Version++
		s.Meta["snapshot.json"] = meta(was+1, snapshot)
	}, w.Keys[repository.Timestamp]...)
}

// newest is the file of a role's newest metadata.
func (w *world) newest(role string) (name string, version int64) {
	w.t.Helper()
	for v := int64(1); ; v++ {
		next := fmt.Sprintf("metadata/%d.%s.json", v, role)
		if _, err := os.Stat(filepath.Join(w.Dir, next)); err != nil {
			if name == "" {
				w.t.Fatalf("%s has no metadata", role)
			}
			return name, version
		}
		name, version = next, v
	}
}

// keys are those of a role, as many as a thief has.
func (w *world) keys(role string, n int) []ed25519.PrivateKey { return slices.Clone(w.Keys[role][:n]) }

// overlaid is a mirror with one other file.
type overlaid struct {
	Mirror
	name string
	body io.Reader
}

func (o overlaid) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	if name == o.name {
		return io.NopCloser(o.body), nil
	}
	return o.Mirror.Open(ctx, name, offset)
}
