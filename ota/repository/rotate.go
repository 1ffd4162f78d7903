package repository

import (
	"fmt"
	"maps"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Rotate gives a role of the root other keys, or, with the same ones, signs the root for another term. The new root is
// signed by who signed the old one and, where the keys of root itself change, by the new ones too; boxes follow from
// root to root. old has to hold enough keys of root as it is. next holds the new keys of the role, all of them; what
// the role signs is signed by them at once, so of targets, snapshot and timestamp the keys at hand have to be in old
// or next.
func (r *Repository) Rotate(role string, old, next Signers) error {
	c, err := r.current()
	if err != nil {
		return err
	}
	rule, ok := ruleOf(role)
	if !ok {
		return fmt.Errorf("role %q: there is none", role)
	}
	if slices.Contains(Channels(), role) {
		return r.rotateChannel(c, rule, old, next)
	}
	before := *c.root.Signed.Roles[Root]
	fresh, err := roleFor(rule, next[role], c.root.Signed.Keys)
	if err != nil {
		return err
	}
	c.root.Signed.Roles[role] = fresh
	forgetKeys(c.root.Signed.Keys, c.root.Signed.Roles)
	c.root.Signed.Version++
	c.root.Signed.Expires = r.until(Root)
	if err := sign(c.root, old[Root], &before); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	if role == Root {
		for _, k := range next[Root] {
			if err := add(c.root, k); err != nil {
				return err
			}
		}
	}
	if err := c.root.VerifyDelegate(Root, c.root); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	// A box that comes between the new root and the new timestamp believes nothing, and asks again later.
	keys := maps.Clone(old)
	keys[role] = next[role]
	if role == Targets {
		c.targets.Signed.Version++
		c.targets.Signed.Expires = r.until(Targets)
		if err := sign(c.targets, keys[Targets], fresh); err != nil {
			return fmt.Errorf("targets: %w", err)
		}
		if err := putMeta(r, c.snapshot, Targets, c.targets.Signed.Version, c.targets); err != nil {
			return err
		}
	}
	if _, err := put(r, fmt.Sprintf("%d.root.json", c.root.Signed.Version), c.root); err != nil {
		return err
	}
	return r.publish(c.root, c.snapshot, c.timestamp.Signed.Version, keys)
}

// rotateChannel has targets delegate a channel to another key.
func (r *Repository) rotateChannel(c current, rule Rule, old, next Signers) error {
	d := c.targets.Signed.Delegations
	fresh, err := roleFor(rule, next[rule.Role], d.Keys)
	if err != nil {
		return err
	}
	roles := map[string]*metadata.Role{}
	for i := range d.Roles {
		if d.Roles[i].Name == rule.Role {
			d.Roles[i].KeyIDs = fresh.KeyIDs
		}
		roles[d.Roles[i].Name] = &metadata.Role{KeyIDs: d.Roles[i].KeyIDs}
	}
	forgetKeys(d.Keys, roles)
	keys := maps.Clone(old)
	keys[rule.Role] = next[rule.Role]
	c.targets.Signed.Version++
	c.targets.Signed.Expires = r.until(Targets)
	if err := sign(c.targets, keys[Targets], c.root.Signed.Roles[Targets]); err != nil {
		return fmt.Errorf("targets: %w", err)
	}
	m := c.channels[rule.Role]
	m.Signed.Version++
	m.Signed.Expires = r.until(rule.Role)
	if err := r.signChannel(c.targets, rule.Role, m, keys); err != nil {
		return err
	}
	if err := putMeta(r, c.snapshot, Targets, c.targets.Signed.Version, c.targets); err != nil {
		return err
	}
	if err := putMeta(r, c.snapshot, rule.Role, m.Signed.Version, m); err != nil {
		return err
	}
	return r.publish(c.root, c.snapshot, c.timestamp.Signed.Version, keys)
}

// forgetKeys removes the keys that no role has any more.
func forgetKeys(keys map[string]*metadata.Key, roles map[string]*metadata.Role) {
	maps.DeleteFunc(keys, func(id string, _ *metadata.Key) bool {
		for _, role := range roles {
			if slices.Contains(role.KeyIDs, id) {
				return false
			}
		}
		return true
	})
}
