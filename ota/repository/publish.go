package repository

import (
	"fmt"
	"path"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/pronto-pbx/pronto/ota/release"
)

// Publish offers a release in a channel, or, when the channel has that version, replaces what it says. The bytes of
// its parts and deltas must have been added. It needs the keys of the channel, of snapshot and of timestamp.
func (r *Repository) Publish(channel string, m release.Manifest, keys Signers) error {
	if err := m.Validate(); err != nil {
		return err
	}
	for _, p := range m.Parts {
		if err := r.has(p.Packed); err != nil {
			return fmt.Errorf("part %s: %w", p.Name, err)
		}
	}
	for _, d := range m.Deltas {
		if err := r.has(d.Blob); err != nil {
			return fmt.Errorf("delta of %s: %w", d.Part, err)
		}
	}
	text, err := encode(m)
	if err != nil {
		return err
	}
	if len(text) > release.MaxManifest {
		return fmt.Errorf("%w: %d bytes, %d at most", release.ErrManifest, len(text), release.MaxManifest)
	}
	return r.change(channel, keys, func(all map[string]*metadata.TargetFiles) error {
		at := target(channel, m.Version)
		info, err := metadata.TargetFile().FromBytes(at, text, "sha256")
		if err != nil {
			return err
		}
		info.Path = at
		all[at] = info
		return write(path.Join(r.dir, fileOf(info)), text)
	})
}

// target is the path of a release among the targets.
func target(channel, version string) string { return channel + "/" + version + ".release.json" }

// Percent changes how many boxes take a release; 0 stops it for those that have not restarted yet.
func (r *Repository) Percent(channel, version string, percent float64, keys Signers) error {
	all, err := r.Releases(channel)
	if err != nil {
		return err
	}
	m, ok := all[version]
	if !ok {
		return fmt.Errorf("%s in %s: %w", version, channel, ErrNoRelease)
	}
	m.Rollout.Percent = percent
	return r.Publish(channel, m, keys)
}

// Withdraw takes a release out of a channel. A box that has it ready drops it before it restarts.
func (r *Repository) Withdraw(channel, version string, keys Signers) error {
	return r.change(channel, keys, func(all map[string]*metadata.TargetFiles) error {
		at := target(channel, version)
		if _, ok := all[at]; !ok {
			return fmt.Errorf("%s in %s: %w", version, channel, ErrNoRelease)
		}
		delete(all, at)
		return nil
	})
}

// change signs another version of a channel.
func (r *Repository) change(channel string, keys Signers, edit func(map[string]*metadata.TargetFiles) error) error {
	c, err := r.current()
	if err != nil {
		return err
	}
	m, ok := c.channels[channel]
	if !ok {
		return fmt.Errorf("channel %q: there are %v", channel, Channels())
	}
	if err := edit(m.Signed.Targets); err != nil {
		return err
	}
	m.Signed.Version++
	m.Signed.Expires = r.until(channel)
	if err := r.signChannel(c.targets, channel, m, keys); err != nil {
		return err
	}
	if err := putMeta(r, c.snapshot, channel, m.Signed.Version, m); err != nil {
		return err
	}
	return r.publish(c.root, c.snapshot, c.timestamp.Signed.Version, keys)
}

// Refresh signs again what has no other change: always snapshot and timestamp, which is what somebody has to have done
// every day, and those of the named roles. Root is signed again by Rotate.
func (r *Repository) Refresh(keys Signers, roles ...string) error {
	c, err := r.current()
	if err != nil {
		return err
	}
	for _, role := range roles {
		m := c.targets
		if role != Targets {
			m = c.channels[role]
		}
		if m == nil {
			return fmt.Errorf("role %q cannot be signed by itself", role)
		}
		m.Signed.Version++
		m.Signed.Expires = r.until(role)
		if role == Targets {
			err = sign(m, keys[Targets], c.root.Signed.Roles[Targets])
		} else {
			err = r.signChannel(c.targets, role, m, keys)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", role, err)
		}
		if err := putMeta(r, c.snapshot, role, m.Signed.Version, m); err != nil {
			return err
		}
	}
	return r.publish(c.root, c.snapshot, c.timestamp.Signed.Version, keys)
}
