// Package repositorytest is a vendor for tests: keys that everybody has, and a repository signed with them. Its root is
// refused by repository.Known, so no image that leaves the house believes it.
package repositorytest

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/repository"
)

//go:embed testdata/keys
var keys embed.FS

// Keys are those of all roles.
func Keys(t testing.TB) repository.Signers {
	t.Helper()
	all := repository.Signers{}
	for _, rule := range repository.Rules() {
		for i := range rule.Keys {
			text, err := keys.ReadFile(fmt.Sprintf("testdata/keys/%s-%d.key", rule.Role, i+1))
			if err != nil {
				t.Fatal(err)
			}
			k, err := repository.Seed(string(text))
			if err != nil {
				t.Fatal(err)
			}
			all[rule.Role] = append(all[rule.Role], k)
		}
	}
	return all
}

// Vendor is a vendor with all keys and a repository.
type Vendor struct {
	*repository.Repository
	T    testing.TB
	Dir  string // what a web server would hand out
	Keys repository.Signers
	Root []byte // the first, as it is built into images
}

// New begins with an empty repository, by a clock.
func New(t testing.TB, now func() time.Time) *Vendor {
	t.Helper()
	v := &Vendor{T: t, Dir: filepath.Join(t.TempDir(), "repository"), Keys: Keys(t)}
	var err error
	if v.Repository, err = repository.Create(v.Dir, v.Keys, now); err == nil {
		v.Root, err = v.Repository.Root()
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Manifest is one that every pi4 takes at once, with one part of the given content, which the repository has.
func (v *Vendor) Manifest(version string, content []byte) release.Manifest {
	v.T.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		v.T.Fatal(err)
	}
	packed, err := v.Add(bytes.NewReader(w.EncodeAll(content, nil)))
	if err != nil {
		v.T.Fatal(err)
	}
	sum := sha256.Sum256(content)
	return release.Manifest{
		Version: version, Models: []string{"pi4"}, Severity: release.Bugfix, Data: release.Data{Writes: 1, Reads: 1},
		Parts:   []release.Part{{Name: "slot", Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Packed: packed}},
		Notes:   map[string]string{"it": "Correzioni.", "en": "Corrections."},
		Rollout: release.Rollout{Salt: version, Percent: 100},
	}
}

// Release publishes such a manifest, changed by edits.
func (v *Vendor) Release(channel, version string, content []byte, edits ...func(*release.Manifest)) release.Manifest {
	v.T.Helper()
	m := v.Manifest(version, content)
	for _, edit := range edits {
		edit(&m)
	}
	if err := v.Publish(channel, m, v.Keys); err != nil {
		v.T.Fatal(err)
	}
	return m
}
