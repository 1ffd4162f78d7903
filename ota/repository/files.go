package repository

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/pronto-pbx/pronto/ota/release"
)

// current is the metadata in force, each as the one before names it.
type current struct {
	root      *metadata.Metadata[metadata.RootType]
	timestamp *metadata.Metadata[metadata.TimestampType]
	snapshot  *metadata.Metadata[metadata.SnapshotType]
	targets   *metadata.Metadata[metadata.TargetsType]
	channels  map[string]*metadata.Metadata[metadata.TargetsType]
}

func (r *Repository) current() (c current, err error) {
	if c.root, err = r.root(); err != nil {
		return c, err
	}
	if c.timestamp, err = metadata.Timestamp().FromFile(r.meta("timestamp.json")); err != nil {
		return c, err
	}
	named := c.timestamp.Signed.Meta["snapshot.json"]
	if named == nil {
		return c, errors.New("timestamp.json names no snapshot")
	}
	if c.snapshot, err = metadata.Snapshot().FromFile(r.meta(fmt.Sprintf("%d.snapshot.json", named.Version))); err != nil {
		return c, err
	}
	load := func(role string) (*metadata.Metadata[metadata.TargetsType], error) {
		named := c.snapshot.Signed.Meta[role+".json"]
		if named == nil {
			return nil, fmt.Errorf("the snapshot names no %s", role)
		}
		return metadata.Targets().FromFile(r.meta(fmt.Sprintf("%d.%s.json", named.Version, role)))
	}
	if c.targets, err = load(Targets); err != nil {
		return c, err
	}
	c.channels = map[string]*metadata.Metadata[metadata.TargetsType]{}
	for _, channel := range Channels() {
		if c.channels[channel], err = load(channel); err != nil {
			return c, err
		}
	}
	return c, nil
}

// root is the newest one.
func (r *Repository) root() (*metadata.Metadata[metadata.RootType], error) {
	names, err := filepath.Glob(r.meta("*.root.json"))
	if err != nil {
		return nil, err
	}
	newest := 0
	for _, name := range names {
		n, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(name), ".root.json"))
		if err == nil {
			newest = max(newest, n)
		}
	}
	return metadata.Root().FromFile(r.meta(fmt.Sprintf("%d.root.json", newest)))
}

// put writes metadata, and returns its text.
func put[T metadata.Roles](r *Repository, name string, m *metadata.Metadata[T]) ([]byte, error) {
	text, err := m.ToBytes(false)
	if err != nil {
		return nil, err
	}
	return text, write(r.meta(name), text)
}

// putMeta writes the metadata of a role that a snapshot names.
func putMeta(r *Repository, snapshot *metadata.Metadata[metadata.SnapshotType], role string, version int64, m *metadata.Metadata[metadata.TargetsType]) error {
	text, err := put(r, fmt.Sprintf("%d.%s.json", version, role), m)
	if err != nil {
		return err
	}
	snapshot.Signed.Meta[role+".json"] = metaOf(version, text)
	return nil
}

// metaOf describes metadata to who names it.
func metaOf(version int64, text []byte) *metadata.MetaFiles {
	sum := sha256.Sum256(text)
	return &metadata.MetaFiles{Version: version, Length: int64(len(text)), Hashes: metadata.Hashes{"sha256": sum[:]}}
}

// write replaces a file whole.
func write(path string, text []byte) error {
	return replace(path, func(w io.Writer) error { _, err := w.Write(text); return err })
}

func replace(path string, fill func(io.Writer) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = fill(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Add takes the bytes of a part or a delta into the repository. It can be there already.
func (r *Repository) Add(from io.Reader) (b release.Blob, err error) {
	dir := filepath.Join(r.dir, "parts")
	staged := filepath.Join(dir, ".staged")
	sum := sha256.New()
	err = replace(staged, func(w io.Writer) (err error) {
		b.Size, err = io.Copy(io.MultiWriter(w, sum), from)
		return err
	})
	if err != nil {
		return b, err
	}
	b.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if err := os.Rename(staged, filepath.Join(dir, b.SHA256)); err != nil {
		return b, err
	}
	return b, syncDir(dir)
}

// has says whether the bytes of a blob are there and whole.
func (r *Repository) has(b release.Blob) error {
	f, err := os.Open(filepath.Join(r.dir, "parts", b.SHA256))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("parts/%s: %w", b.SHA256, fs.ErrNotExist)
	} else if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, b.Verify(f))
	return errors.Join(err, f.Close())
}
