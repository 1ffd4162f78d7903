package repository

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/pronto-pbx/pronto/ota/release"
)

// Repository is a directory with what a vendor publishes. It has one user at a time; the metadata itself is its only
// state. Everything that is written is safe from a power cut before something points to it.
type Repository struct {
	dir string
	now func() time.Time
}

// ErrNoRelease is returned for a release that a channel does not have.
var ErrNoRelease = errors.New("no such release")

// Open takes a directory that Create has filled.
func Open(dir string, now func() time.Time) (*Repository, error) {
	r := &Repository{dir, now}
	if _, err := r.root(); err != nil {
		return nil, fmt.Errorf("repository %s: %w", dir, err)
	}
	return r, nil
}

// Create begins a repository without any release. The directory must be empty or missing.
func Create(dir string, keys Signers, now func() time.Time) (*Repository, error) {
	if files, err := os.ReadDir(dir); err == nil && len(files) > 0 {
		return nil, fmt.Errorf("repository %s: %w", dir, fs.ErrExist)
	}
	for _, sub := range []string{"metadata", "targets", "parts"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	r := &Repository{dir, now}
	root := metadata.Root(r.until(Root))
	root.Signed.ConsistentSnapshot = true
	for _, rule := range Rules() {
		if slices.Contains(Channels(), rule.Role) {
			continue
		}
		role, err := roleFor(rule, keys[rule.Role], root.Signed.Keys)
		if err != nil {
			return nil, err
		}
		root.Signed.Roles[rule.Role] = role
	}
	if err := sign(root, keys[Root], root.Signed.Roles[Root]); err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	if _, err := put(r, fmt.Sprintf("%d.root.json", root.Signed.Version), root); err != nil {
		return nil, err
	}
	return r, r.begin(root, keys)
}

// begin makes the first metadata below the root.
func (r *Repository) begin(root *metadata.Metadata[metadata.RootType], keys Signers) error {
	targets := metadata.Targets(r.until(Targets))
	targets.Signed.Delegations = &metadata.Delegations{Keys: map[string]*metadata.Key{}}
	for _, channel := range Channels() {
		rule, _ := ruleOf(channel)
		role, err := roleFor(rule, keys[channel], targets.Signed.Delegations.Keys)
		if err != nil {
			return err
		}
		targets.Signed.Delegations.Roles = append(targets.Signed.Delegations.Roles, metadata.DelegatedRole{
			Name: channel, KeyIDs: role.KeyIDs, Threshold: role.Threshold, Terminating: true, Paths: []string{channel + "/*"},
		})
	}
	if err := sign(targets, keys[Targets], root.Signed.Roles[Targets]); err != nil {
		return fmt.Errorf("targets: %w", err)
	}
	snapshot := metadata.Snapshot(r.until(Snapshot))
	snapshot.Signed.Version = 0 // the first that is published is 1
	if err := putMeta(r, snapshot, Targets, targets.Signed.Version, targets); err != nil {
		return err
	}
	for _, channel := range Channels() {
		m := metadata.Targets(r.until(channel))
		if err := r.signChannel(targets, channel, m, keys); err != nil {
			return err
		}
		if err := putMeta(r, snapshot, channel, m.Signed.Version, m); err != nil {
			return err
		}
	}
	return r.publish(root, snapshot, 0, keys)
}

// roleFor makes a role of the keys that are to sign for it, and adds their public halves to a table.
func roleFor(rule Rule, keys []ed25519.PrivateKey, table map[string]*metadata.Key) (*metadata.Role, error) {
	if len(keys) != rule.Keys {
		return nil, fmt.Errorf("%w: %d of %s, which has %d", ErrKeys, len(keys), rule.Role, rule.Keys)
	}
	role := &metadata.Role{Threshold: rule.Threshold, KeyIDs: []string{}}
	for _, k := range keys {
		half, id, err := public(k)
		if err != nil {
			return nil, err
		}
		table[id] = half
		role.KeyIDs = append(role.KeyIDs, id)
	}
	return role, nil
}

// signChannel signs a channel's metadata as targets delegates it.
func (r *Repository) signChannel(targets *metadata.Metadata[metadata.TargetsType], channel string, m *metadata.Metadata[metadata.TargetsType], keys Signers) error {
	i := slices.IndexFunc(targets.Signed.Delegations.Roles, func(d metadata.DelegatedRole) bool { return d.Name == channel })
	if i < 0 {
		return fmt.Errorf("channel %s: %w", channel, fs.ErrNotExist)
	}
	d := targets.Signed.Delegations.Roles[i]
	if err := sign(m, keys[channel], &metadata.Role{KeyIDs: d.KeyIDs, Threshold: d.Threshold}); err != nil {
		return fmt.Errorf("channel %s: %w", channel, err)
	}
	return nil
}

// publish signs the snapshot anew, and then the timestamp, with which all that was written before becomes visible.
func (r *Repository) publish(root *metadata.Metadata[metadata.RootType], snapshot *metadata.Metadata[metadata.SnapshotType], timestampVersion int64, keys Signers) error {
	snapshot.Signed.Version++
	snapshot.Signed.Expires = r.until(Snapshot)
	if err := sign(snapshot, keys[Snapshot], root.Signed.Roles[Snapshot]); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	text, err := put(r, fmt.Sprintf("%d.snapshot.json", snapshot.Signed.Version), snapshot)
	if err != nil {
		return err
	}
	timestamp := metadata.Timestamp(r.until(Timestamp))
	timestamp.Signed.Version = timestampVersion + 1
	timestamp.Signed.Meta["snapshot.json"] = metaOf(snapshot.Signed.Version, text)
	if err := sign(timestamp, keys[Timestamp], root.Signed.Roles[Timestamp]); err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}
	_, err = put(r, "timestamp.json", timestamp)
	return err
}

// until is when a signature of a role that is made now ends, in whole seconds.
func (r *Repository) until(role string) time.Time {
	rule, _ := ruleOf(role)
	return r.now().Add(rule.Lifetime).UTC().Truncate(time.Second)
}

// Due lists the roles that should be signed again at a moment, and those whose signatures have ended.
func (r *Repository) Due(now time.Time) (soon, over []string, err error) {
	c, err := r.current()
	if err != nil {
		return nil, nil, err
	}
	ends := map[string]time.Time{
		Root: c.root.Signed.Expires, Targets: c.targets.Signed.Expires,
		Snapshot: c.snapshot.Signed.Expires, Timestamp: c.timestamp.Signed.Expires,
	}
	for name, m := range c.channels {
		ends[name] = m.Signed.Expires
	}
	for _, rule := range Rules() {
		switch end := ends[rule.Role]; {
		case !now.Before(end):
			over = append(over, rule.Role)
		case !now.Before(end.Add(-rule.Lifetime / 3)):
			soon = append(soon, rule.Role)
		}
	}
	return soon, over, nil
}

// Releases lists what a channel has, by version.
func (r *Repository) Releases(channel string) (map[string]release.Manifest, error) {
	c, err := r.current()
	if err != nil {
		return nil, err
	}
	m, ok := c.channels[channel]
	if !ok {
		return nil, fmt.Errorf("channel %q: %w", channel, fs.ErrNotExist)
	}
	all := map[string]release.Manifest{}
	for _, at := range slices.Sorted(maps.Keys(m.Signed.Targets)) {
		text, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(fileOf(m.Signed.Targets[at]))))
		if err != nil {
			return nil, err
		}
		manifest, err := release.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		all[manifest.Version] = manifest
	}
	return all, nil
}

// fileOf is where the file of a target lies in a repository.
func fileOf(t *metadata.TargetFiles) string {
	dir, name, _ := strings.Cut(t.Path, "/")
	return "targets/" + dir + "/" + fmt.Sprintf("%x", []byte(t.Hashes["sha256"])) + "." + name
}

// Root is the newest root, which is built into images.
func (r *Repository) Root() ([]byte, error) {
	root, err := r.root()
	if err != nil {
		return nil, err
	}
	return os.ReadFile(r.meta(fmt.Sprintf("%d.root.json", root.Signed.Version)))
}

func (r *Repository) meta(name string) string { return filepath.Join(r.dir, "metadata", name) }

// encode writes JSON that people can read too.
func encode(v any) ([]byte, error) { return json.MarshalIndent(v, "", " ") }
