package repository_test

import (
	"archive/zip"
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/repository"
	"github.com/pronto-pbx/pronto/ota/repository/repositorytest"
	"github.com/pronto-pbx/pronto/ota/trust"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var begin = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// office is a vendor with a clock, and a box that knows only the first root.
type office struct {
	*repositorytest.Vendor
	t   *testing.T
	now time.Time
}

func newOffice(t *testing.T) *office {
	o := &office{t: t, now: begin}
	o.Vendor = repositorytest.New(t, func() time.Time { return o.now })
	return o
}

// offers says what a box that has just come from the factory is offered.
func (o *office) offers(channel string) (string, error) {
	o.t.Helper()
	k, err := trust.Open(o.Root, o.t.TempDir(), o.t.TempDir())
	if err != nil {
		o.t.Fatal(err)
	}
	m, err := k.Online(trust.Files{FS: os.DirFS(o.Dir)}, channel).Latest(o.t.Context(), o.now, release.Box{ID: "x", Model: "pi4", Version: "1.0.0", Data: 1})
	return m.Version, err
}

func (o *office) gets(version string) {
	o.t.Helper()
	if got, err := o.offers("stable"); err != nil || got != version {
		o.t.Fatalf("offered %q, %v; want %s", got, err, version)
	}
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

func TestTheLifeOfARelease(t *testing.T) {
	o := newOffice(t)
	o.Release("stable", "1.1.0", []byte("one"), func(m *release.Manifest) { m.Rollout.Percent = 0 })
	if got, err := o.offers("stable"); !errors.Is(err, release.ErrNone) {
		t.Fatalf("at no percent: %q, %v", got, err)
	}
	o.must(o.Percent("stable", "1.1.0", 100, o.Keys))
	o.gets("1.1.0")
	o.Release("stable", "1.2.0", []byte("two"))
	o.gets("1.2.0")
	o.must(o.Withdraw("stable", "1.2.0", o.Keys))
	o.gets("1.1.0")
	all, err := o.Releases("stable")
	o.must(err)
	if len(all) != 1 || all["1.1.0"].Rollout.Percent != 100 {
		t.Errorf("%+v", all)
	}
	if err := o.Percent("stable", "1.2.0", 1, o.Keys); !errors.Is(err, repository.ErrNoRelease) {
		t.Errorf("a withdrawn one: %v", err)
	}
	if err := o.Withdraw("beta", "1.1.0", o.Keys); !errors.Is(err, repository.ErrNoRelease) {
		t.Errorf("of another channel: %v", err)
	}
	if err := o.Publish("nightly", o.Manifest("1.3.0", []byte("x")), o.Keys); err == nil {
		t.Error("published in a channel that there is not")
	}
}

func TestSomebodyWhoSignsEveryDayKeepsTheRestGoing(t *testing.T) {
	o := newOffice(t)
	o.Release("stable", "1.1.0", []byte("one"))
	daily := repository.Signers{repository.Snapshot: o.Keys[repository.Snapshot], repository.Timestamp: o.Keys[repository.Timestamp]}
	for range 60 {
		o.now = o.now.Add(day)
		o.must(o.Refresh(daily))
	}
	o.gets("1.1.0")
	o.now = o.now.Add(15 * day)
	if _, err := o.offers("stable"); !errors.Is(err, release.ErrExpired) {
		t.Errorf("after 15 days without: %v", err)
	}
	if err := o.Refresh(daily, repository.Stable); !errors.Is(err, repository.ErrKeys) {
		t.Errorf("signed for a channel without its key: %v", err)
	}
	o.now = begin.Add(360 * day)
	o.must(o.Refresh(o.Keys, repository.Targets, repository.Stable, repository.Beta, repository.Security))
	o.now = begin.Add(500 * day)
	o.must(o.Refresh(o.Keys, repository.Stable, repository.Beta, repository.Security))
	o.gets("1.1.0")
	for _, role := range []string{repository.Root, repository.Snapshot, "nobody"} {
		if err := o.Refresh(o.Keys, role); err == nil {
			t.Errorf("signed %s by itself", role)
		}
	}
}

func TestWhatIsDueIsSaidWhenAThirdIsLeft(t *testing.T) {
	o := newOffice(t)
	for _, c := range []struct {
		after      time.Duration
		soon, over []string
	}{
		{9 * day, nil, nil},
		{10 * day, []string{"snapshot", "timestamp"}, nil},
		{14 * day, nil, []string{"snapshot", "timestamp"}},
		{120 * day, []string{"stable", "beta", "security"}, []string{"snapshot", "timestamp"}},
		{250 * day, []string{"targets"}, []string{"stable", "beta", "security", "snapshot", "timestamp"}},
		{490 * day, []string{"root"}, []string{"targets", "stable", "beta", "security", "snapshot", "timestamp"}},
		{730 * day, nil, []string{"root", "targets", "stable", "beta", "security", "snapshot", "timestamp"}},
	} {
		soon, over, err := o.Due(begin.Add(c.after))
		if err != nil || !slices.Equal(soon, c.soon) || !slices.Equal(over, c.over) {
			t.Errorf("after %v: %v and %v, %v; want %v and %v", c.after, soon, over, err, c.soon, c.over)
		}
	}
}

func TestEveryKeyCanBeReplaced(t *testing.T) {
	for _, rule := range repository.Rules() {
		t.Run(rule.Role, func(t *testing.T) {
			o := newOffice(t)
			o.Release("stable", "1.1.0", []byte("one"))
			stolen := maps.Clone(o.Keys)
			fresh, err := repository.NewKeys()
			o.must(err)
			o.must(o.Rotate(rule.Role, o.Keys, repository.Signers{rule.Role: fresh[rule.Role]}))
			o.gets("1.1.0")
			o.Keys = maps.Clone(o.Keys)
			o.Keys[rule.Role] = fresh[rule.Role]
			o.Release("stable", "1.2.0", []byte("two"))
			o.gets("1.2.0")
			var still error // of who has the old key, and does what needs it
			switch rule.Role {
			case repository.Beta, repository.Security:
				still = o.Refresh(stolen, rule.Role)
			case repository.Root:
				still = o.Rotate(repository.Timestamp, stolen, fresh)
			case repository.Targets:
				still = o.Rotate(repository.Beta, stolen, fresh)
			default:
				still = o.Publish("stable", o.Manifest("1.3.0", []byte("three")), stolen)
			}
			if !errors.Is(still, repository.ErrKeys) {
				t.Errorf("the old keys still sign: %v", still)
			}
			o.gets("1.2.0")
		})
	}
}

func TestARotationNeedsEnoughOfTheOldKeysAndAllOfTheNew(t *testing.T) {
	o := newOffice(t)
	fresh, err := repository.NewKeys()
	o.must(err)
	one := maps.Clone(o.Keys)
	one[repository.Root] = one[repository.Root][:1]
	if err := o.Rotate(repository.Timestamp, one, fresh); !errors.Is(err, repository.ErrKeys) {
		t.Errorf("with one key of root: %v", err)
	}
	if err := o.Rotate(repository.Root, o.Keys, repository.Signers{repository.Root: fresh[repository.Root][:2]}); !errors.Is(err, repository.ErrKeys) {
		t.Errorf("with two of three new ones: %v", err)
	}
	if err := o.Rotate("nobody", o.Keys, fresh); err == nil {
		t.Error("of nobody")
	}
	o.Release("stable", "1.1.0", []byte("one"))
	o.gets("1.1.0")
}

func TestAReleaseIsNotPublishedBeforeItsBytes(t *testing.T) {
	o := newOffice(t)
	m := o.Manifest("1.1.0", []byte("one"))
	before := o.files()
	m.Parts[0].Packed.SHA256 = strings.Repeat("0", 64)
	if err := o.Publish("stable", m, o.Keys); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without its part: %v", err)
	}
	m = o.Manifest("1.1.0", []byte("one"))
	o.must(os.WriteFile(filepath.Join(o.Dir, "parts", m.Parts[0].Packed.SHA256), []byte("other"), 0o600))
	if err := o.Publish("stable", m, o.Keys); !errors.Is(err, release.ErrBlob) {
		t.Errorf("with another part: %v", err)
	}
	m = o.Manifest("1.1.0", []byte("one"))
	m.Severity = "odd"
	if err := o.Publish("stable", m, o.Keys); !errors.Is(err, release.ErrManifest) {
		t.Errorf("with a wrong manifest: %v", err)
	}
	m = o.Manifest("1.1.0", []byte("one"))
	delta, err := o.Add(strings.NewReader("delta"))
	o.must(err)
	m.Deltas = []release.Delta{{Part: "slot", From: delta.SHA256, Blob: release.Blob{Size: 1, SHA256: delta.SHA256}}}
	if err := o.Publish("stable", m, o.Keys); !errors.Is(err, release.ErrBlob) {
		t.Errorf("with a delta of another size: %v", err)
	}
	if err := o.Publish("stable", o.Manifest("1.1.0", []byte("one")), repository.Signers{repository.Stable: o.Keys[repository.Beta]}); !errors.Is(err, repository.ErrKeys) {
		t.Errorf("with another channel's key: %v", err)
	}
	if after := o.files(); !slices.Equal(metadataOf(before), metadataOf(after)) {
		t.Errorf("what failed has left %q where %q was", metadataOf(after), metadataOf(before))
	}
	o.Release("stable", "1.1.0", []byte("one"))
	o.gets("1.1.0")
}

// files lists the vendor's.
func (o *office) files() (all []string) {
	o.t.Helper()
	o.must(fs.WalkDir(os.DirFS(o.Dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, name)
		}
		return err
	}))
	return all
}

func metadataOf(files []string) []string {
	return slices.DeleteFunc(slices.Clone(files), func(name string) bool { return !strings.HasPrefix(name, "metadata/") })
}

// A box that comes while a vendor publishes, or after his machine has died at it, sees the release before or the one after.
func TestWhileAVendorPublishesABoxSeesTheOldOrTheNew(t *testing.T) {
	o := newOffice(t)
	o.Release("stable", "1.1.0", []byte("one"))
	before := o.files()
	old, err := os.ReadFile(filepath.Join(o.Dir, "metadata", "timestamp.json"))
	o.must(err)
	o.Release("stable", "1.2.0", []byte("two"))
	o.gets("1.2.0")
	// With the timestamp of before everything that is newer may lie there, or not.
	o.must(os.WriteFile(filepath.Join(o.Dir, "metadata", "timestamp.json"), old, 0o600))
	o.gets("1.1.0")
	for _, name := range o.files() {
		if !slices.Contains(before, name) {
			o.must(os.Remove(filepath.Join(o.Dir, name)))
			o.gets("1.1.0")
		}
	}
}

func TestABundleHoldsOneReleaseAndNothingCompressed(t *testing.T) {
	o := newOffice(t)
	o.Release("stable", "1.1.0", []byte("one"))
	m := o.Release("stable", "1.2.0", []byte("two"))
	var b bytes.Buffer
	o.must(o.Bundle(&b, "stable", "1.2.0", []string{"slot"}))
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	o.must(err)
	parts := 0
	for _, f := range z.File {
		if f.Method != zip.Store {
			t.Errorf("%s is compressed", f.Name)
		}
		if strings.HasPrefix(f.Name, "parts/") {
			parts++
			if f.Name != "parts/"+m.Parts[0].Packed.SHA256 {
				t.Errorf("it holds %s", f.Name)
			}
		}
	}
	if parts != 1 {
		t.Errorf("%d parts", parts)
	}
	if err := o.Bundle(&b, "stable", "1.3.0", nil); !errors.Is(err, repository.ErrNoRelease) {
		t.Errorf("of a release that there is not: %v", err)
	}
}

func TestARepositoryIsNotBegunWhereSomethingIs(t *testing.T) {
	o := newOffice(t)
	clock := func() time.Time { return o.now }
	if _, err := repository.Create(o.Dir, o.Keys, clock); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another: %v", err)
	}
	if _, err := repository.Open(t.TempDir(), clock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty one: %v", err)
	}
	if _, err := repository.Create(filepath.Join(t.TempDir(), "x"), repository.Signers{}, clock); !errors.Is(err, repository.ErrKeys) {
		t.Errorf("without keys: %v", err)
	}
	r, err := repository.Open(o.Dir, clock)
	o.must(err)
	if root, err := r.Root(); err != nil || !bytes.Equal(root, o.Root) {
		t.Errorf("%s, %v", root, err)
	}
}

// TestKeys: whatever lies in a testdata folder of this source is known to everybody, so no image that leaves the house
// may believe it.
func TestKeys(t *testing.T) {
	keys, roots := 0, 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/testdata/") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if root, err := metadata.Root().FromBytes(text); err == nil {
			roots++
			for _, k := range root.Signed.Keys {
				public, err := hex.DecodeString(k.Value.PublicKey)
				if err != nil || !published(t, public) {
					t.Errorf("%s has a key that Known lets through: %v", path, err)
				}
			}
		}
		for _, k := range ed25519In(text) {
			keys++
			if public, ok := k.Public().(ed25519.PublicKey); !ok || !published(t, public) {
				t.Errorf("%s is a key that Known lets through", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if keys < 11 {
		t.Errorf("only %d keys were found: this proves nothing", keys)
	}
	fmt.Printf("repository: %d keys and %d roots in testdata, all refused\n", keys, roots)
	o := newOffice(t)
	if err := repository.Known(o.Root); !errors.Is(err, repository.ErrPublished) {
		t.Errorf("the tests' own root: %v", err)
	}
	own, err := repository.NewKeys()
	o.must(err)
	r, err := repository.Create(filepath.Join(t.TempDir(), "own"), own, time.Now)
	o.must(err)
	root, err := r.Root()
	o.must(err)
	if err := repository.Known(root); err != nil {
		t.Errorf("a vendor's own root: %v", err)
	}
	for name, text := range map[string][]byte{"nothing": nil, "a root without a signature": bytes.Replace(root, []byte(`"signatures":[`), []byte(`"signatures":[],"x":[`), 1)} {
		if err := repository.Known(text); err == nil || errors.Is(err, repository.ErrPublished) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// ed25519In are the keys of a file: a seed in hex, as ours are kept, or PEM.
func ed25519In(text []byte) (all []ed25519.PrivateKey) {
	if k, err := repository.Seed(string(text)); err == nil {
		all = append(all, k)
	}
	for b, rest := pem.Decode(text); b != nil; b, rest = pem.Decode(rest) {
		if k, err := x509.ParsePKCS8PrivateKey(b.Bytes); err == nil {
			if k, ok := k.(ed25519.PrivateKey); ok {
				all = append(all, k)
			}
		}
	}
	return all
}

func TestARootWithKeysOfAnotherKindIsRefused(t *testing.T) {
	keys, err := repository.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	r, err := repository.Create(filepath.Join(t.TempDir(), "r"), keys, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.Root()
	if err != nil {
		t.Fatal(err)
	}
	root, err := metadata.Root().FromBytes(text)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := metadata.KeyFromPublicKey(&other.PublicKey)
	if err == nil {
		err = root.Signed.AddKey(k, repository.Snapshot)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := repository.Signed(root, keys[repository.Root]); !errors.Is(err, repository.ErrKeys) {
		t.Errorf("%v", err)
	}
}

// published makes a root of which one key is given, and asks whether it is refused for it.
func published(t *testing.T, half ed25519.PublicKey) bool {
	t.Helper()
	keys, err := repository.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	r, err := repository.Create(filepath.Join(t.TempDir(), "r"), keys, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.Root()
	if err != nil {
		t.Fatal(err)
	}
	root, err := metadata.Root().FromBytes(text)
	if err != nil {
		t.Fatal(err)
	}
	k, err := metadata.KeyFromPublicKey(half)
	if err == nil {
		err = root.Signed.AddKey(k, repository.Snapshot)
	}
	if err != nil {
		t.Fatal(err)
	}
	return errors.Is(repository.Signed(root, keys[repository.Root]), repository.ErrPublished)
}
