package trust

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/pronto-pbx/pronto/ota/keep"
	"github.com/pronto-pbx/pronto/ota/release"
)

// Known is what a box knows of its vendor: the root that came with its image, and the newest metadata that it has
// verified. It is on disk, because who forgets it can be sent old releases again; who lost it begins with the root.
type Known struct {
	factory []byte
	dir     string
	scratch string

	mu  sync.Mutex // held for a poll
	now state

	seen atomic.Pointer[Seen] // of now; who shows it does not wait for a poll
}

// state is what is kept, as one value. Its text is verified again whenever it is read.
type state struct {
	Roots []([]byte)        `json:"roots"` // those after the factory's, each signed by the one before
	Roles map[string][]byte `json:"roles"` // timestamp, snapshot, targets and channels, as they were signed
}

const stateVersion = 1

// maxKept bounds how many roots are kept; later ones are fetched again.
const maxKept = 24

// Open begins with the root that the vendor has built into the image, and reads what is known from dir, which it
// makes. scratch is a directory whose files need not outlive a restart. A damaged file is put aside, and nothing is
// known then; an error is one of the disk, or a root that does not verify.
func Open(factory []byte, dir, scratch string) (*Known, error) {
	if _, err := inspect("root.json", factory); err != nil {
		return nil, fmt.Errorf("the factory's root: %w", err)
	}
	if err := guard(func() error { _, err := trustedmetadata.New(factory); return err }); err != nil {
		return nil, fmt.Errorf("the factory's root: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "manifests"), 0o700); err != nil {
		return nil, err
	}
	k := &Known{factory: bytes.Clone(factory), dir: dir, scratch: scratch}
	err := keep.Load(keep.Machine{}, k.path(), stateVersion, &k.now)
	if err != nil {
		k.now = state{}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, keep.ErrDamaged) {
		return nil, err
	}
	if k.now.Roles == nil {
		k.now.Roles = map[string][]byte{}
	}
	k.summarise()
	return k, nil
}

func (k *Known) path() string { return filepath.Join(k.dir, "known.json") }

// Online is the source behind a mirror for a box that follows a channel: stable, beta or security. Whoever follows
// beta also gets what is stable, and each gets what is of security.
func (k *Known) Online(m Mirror, channel string) *Source {
	return &Source{known: k, mirror: m, channel: channel}
}

// Local is a source at hand: a stick or a bundle that somebody brings to a box that may have no network. What is
// signed for days only may have expired on the way; it must not be older than what the box has seen.
func (k *Known) Local(m Mirror, channel string) *Source {
	return &Source{known: k, mirror: m, channel: channel, local: true}
}

// Seen is a summary of what is known, for who watches over a box.
type Seen struct {
	Root      int64     // version
	Timestamp int64     // version; 0: nothing was fetched yet
	Expires   time.Time // of the timestamp: the vendor has signed another before
}

// Stale says whether the vendor's signatures have been missing for so long that somebody should look.
func (s Seen) Stale(now time.Time) bool {
	return s.Timestamp > 0 && now.After(s.Expires.Add(14*24*time.Hour))
}

// Seen says what is known. While a poll is under way it is what was known before.
func (k *Known) Seen() Seen { return *k.seen.Load() }

// summarise brings the summary up to date.
func (k *Known) summarise() {
	var s Seen
	root, _ := k.walk()
	s.Root = version("root.json", root)
	if text, ok := k.now.Roles[metadata.TIMESTAMP]; ok {
		if in, err := inspect("timestamp.json", text); err == nil {
			s.Timestamp, s.Expires = in.Signed.Version, in.Signed.Expires
		}
	}
	k.seen.Store(&s)
}

// version reads that of metadata; 0: it has none.
func version(name string, text []byte) int64 {
	s, err := inspect(name, text)
	if err != nil {
		return 0
	}
	return s.Signed.Version
}

// walk goes from the factory's root over the kept ones as far as each is signed by the one before, and forgets the
// rest. It returns the last, and how many were gone over.
func (k *Known) walk() (root []byte, steps int) {
	root = k.factory
	_ = guard(func() error {
		t, err := trustedmetadata.New(k.factory)
		for ; err == nil && steps < len(k.now.Roots); steps++ {
			if _, err = t.UpdateRoot(k.now.Roots[steps]); err != nil {
				break
			}
			root = k.now.Roots[steps]
		}
		return err
	})
	k.now.Roots = k.now.Roots[:steps]
	return root, steps
}

// lay writes what is known where go-tuf reads it.
func (k *Known) lay(dir string) error {
	for role, text := range k.now.Roles {
		if !roleForm.MatchString(role) {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, role+".json"), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// gather takes over what go-tuf has verified and written into dir, and the roots that were fetched and verified up to
// a version; it keeps it on disk when it is new.
func (k *Known) gather(dir string, roots map[int64][]byte, upTo int64) error {
	next := state{Roots: k.now.Roots, Roles: map[string][]byte{}}
	first := version("root.json", k.factory)
	for v := first + int64(len(next.Roots)) + 1; v <= upTo && len(next.Roots) < maxKept; v++ {
		text, ok := roots[v]
		if !ok {
			break
		}
		next.Roots = append(next.Roots, text)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		role, ok := strings.CutSuffix(f.Name(), ".json")
		if !ok || role == metadata.ROOT || !roleForm.MatchString(role) {
			continue
		}
		if next.Roles[role], err = os.ReadFile(filepath.Join(dir, f.Name())); err != nil {
			return err
		}
	}
	same := len(next.Roots) == len(k.now.Roots) && maps.EqualFunc(next.Roles, k.now.Roles, bytes.Equal)
	k.now = next
	if same {
		return nil
	}
	k.summarise()
	return keep.Save(keep.Machine{}, k.path(), stateVersion, next)
}

// manifest reads one from the cache; it is verified by its hash, so a torn file is as good as none.
func (k *Known) manifest(b release.Blob) ([]byte, bool) {
	text, err := os.ReadFile(filepath.Join(k.dir, "manifests", b.SHA256))
	return text, err == nil && whole(b, text)
}

// remember puts a manifest into the cache.
func (k *Known) remember(b release.Blob, text []byte) error {
	return os.WriteFile(filepath.Join(k.dir, "manifests", b.SHA256), text, 0o600)
}

// forget removes the manifests that are not among those in use.
func (k *Known) forget(used map[string]bool) error {
	files, err := os.ReadDir(filepath.Join(k.dir, "manifests"))
	if err != nil {
		return err
	}
	var all []error
	for _, f := range files {
		if !used[f.Name()] {
			all = append(all, os.Remove(filepath.Join(k.dir, "manifests", f.Name())))
		}
	}
	return errors.Join(all...)
}

// guard makes a panic of what it calls an error: the library panicked at malformed metadata before it had looked at
// any signature (CVE-2026-23991), and what has one such place may have two.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %w: %v", ErrUntrusted, errPanic, p)
		}
	}()
	return f()
}

var errPanic = errors.New("what it sent made the library panic")

// versions are those of the metadata that is known, by role.
func (k *Known) versions() map[string]int64 {
	all := map[string]int64{}
	for role, text := range k.now.Roles {
		all[role] = version(role+".json", text)
	}
	return all
}
