package trust

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"github.com/pronto-pbx/pronto/ota/release"
)

// offer is one release of a channel, or why what is offered there is none.
type offer struct {
	version  release.Version
	manifest release.Manifest
	err      error
}

// poll is one round of the client's workflow (TUF specification, section 5) with a go-tuf updater of its own, which can
// refresh only once. What it has verified is kept even where it fails later.
func (s *Source) poll(ctx context.Context, now time.Time, box release.Box) (all []offer, err error) {
	k := s.known
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := os.MkdirAll(k.scratch, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(k.scratch, "tuf-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := k.lay(dir); err != nil {
		return nil, err
	}
	root, steps := k.walk()
	f := &fetcher{ctx: ctx, mirror: s.mirror, roots: map[int64][]byte{}, versions: map[string]int64{}}
	first := version("root.json", k.factory) + int64(steps)
	u, err := s.updater(f, root, dir)
	if err != nil {
		return nil, s.classify(f, err)
	}
	last := first
	err = guard(func() error { return s.refresh(u, f, now) })
	if !errors.Is(err, errPanic) {
		last = u.GetTrustedMetadataSet().Root.Signed.Version
	}
	if err := k.gather(dir, f.roots, last); err != nil {
		return nil, fmt.Errorf("keep what the vendor has signed: %w", err)
	}
	if err == nil {
		err = guard(func() error { all, err = s.offers(u, f, now, box); return err })
		if err := k.gather(dir, f.roots, last); err != nil {
			return nil, fmt.Errorf("keep what the vendor has signed: %w", err)
		}
	}
	return all, s.classify(f, err)
}

func (s *Source) updater(f *fetcher, root []byte, dir string) (u *updater.Updater, err error) {
	c, err := config.New("metadata", root)
	if err != nil {
		return nil, err
	}
	c.Fetcher, c.LocalMetadataDir, c.LocalTargetsDir = f, dir, dir
	c.MaxRootRotations, c.MaxDelegations = maxRoots, maxRoles
	c.RootMaxLength, c.TimestampMaxLength, c.SnapshotMaxLength, c.TargetsMaxLength = maxRoot, maxTimestamp, maxSnapshot, maxTargets
	err = guard(func() error { u, err = updater.New(c); return err })
	return u, err
}

// refresh brings the four roles up to date. For local media the moment at which expiry is judged is moved back to when
// timestamp and snapshot were in force; the others have to be in force now.
func (s *Source) refresh(u *updater.Updater, f *fetcher, now time.Time) error {
	at := now
	if s.local {
		at = f.moment(now)
	}
	u.UnsafeSetRefTime(at)
	if err := u.Refresh(); err != nil {
		return err
	}
	t := u.GetTrustedMetadataSet()
	if t.Root.Signed.IsExpired(now) {
		return fmt.Errorf("%w: root", ErrExpired)
	}
	if t.Targets[metadata.TARGETS].Signed.IsExpired(now) {
		return fmt.Errorf("%w: targets", ErrExpired)
	}
	return nil
}

// channels lists what a box gets by the channel that it follows.
func channels(follows string) []string {
	switch follows {
	case "beta":
		return []string{"security", "stable", "beta"}
	case "security":
		return []string{"security"}
	}
	return slices.Compact([]string{"security", cmp.Or(follows, "stable")})
}

// offers reads the manifests of the box's channels that are newer than what it runs; for a box without a system all.
func (s *Source) offers(u *updater.Updater, f *fetcher, now time.Time, box release.Box) (all []offer, err error) {
	runs, errRuns := release.ParseVersion(box.Version)
	used := map[string]bool{}
	for _, channel := range channels(s.channel) {
		targets, err := channelOf(u, channel, now)
		if err != nil {
			return nil, err
		}
		for _, at := range targets {
			v, err := release.ParseVersion(strings.TrimSuffix(path.Base(at), ".release.json"))
			if err != nil || errRuns == nil && v.Compare(runs) <= 0 && !s.again {
				continue
			}
			text, err := s.manifest(u, f, at, used)
			if err != nil {
				return nil, err
			}
			m, err := release.Parse(text)
			if err == nil && m.Version != path.Base(strings.TrimSuffix(at, ".release.json")) {
				err = fmt.Errorf("%w: it says that it is %s", release.ErrManifest, m.Version)
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", at, err)
			}
			all = append(all, offer{v, m, err})
		}
	}
	return all, s.known.forget(used)
}

// channelOf lists the paths of a channel's releases, the newest first; none where the vendor has no such channel. Asking
// for a path loads all that may sign for it: a role that the list does not come from cannot sign for the channel.
func channelOf(u *updater.Updater, channel string, now time.Time) (all []string, err error) {
	top := u.GetTrustedMetadataSet().Targets[metadata.TARGETS].Signed.Delegations
	if top == nil || !slices.ContainsFunc(top.Roles, func(r metadata.DelegatedRole) bool { return r.Name == channel }) {
		return nil, nil
	}
	_, notFound := u.GetTargetInfo(channel + "/none")
	role := u.GetTrustedMetadataSet().Targets[channel]
	switch {
	case role == nil:
		return nil, cmp.Or(notFound, fmt.Errorf("%w: channel %s signs for nothing of its own", ErrUntrusted, channel))
	case role.Signed.IsExpired(now):
		return nil, fmt.Errorf("%w: channel %s", ErrExpired, channel)
	case len(role.Signed.Targets) > maxOffers:
		return nil, fmt.Errorf("%w: %d releases in channel %s", ErrLimit, len(role.Signed.Targets), channel)
	}
	for at := range role.Signed.Targets {
		if offeredIn(at) == channel {
			all = append(all, at)
		}
	}
	slices.Sort(all)
	return all, nil
}

// manifest reads one release as it was signed, out of the cache where it is there.
func (s *Source) manifest(u *updater.Updater, f *fetcher, at string, used map[string]bool) (text []byte, err error) {
	info, err := u.GetTargetInfo(at)
	if err != nil {
		return nil, err
	}
	b := release.Blob{Size: info.Length, SHA256: hex.EncodeToString(info.Hashes["sha256"])}
	if len(info.Hashes["sha256"]) != 32 || b.Size > release.MaxManifest {
		return nil, fmt.Errorf("%w: %s: %d bytes with the SHA-256 %q", ErrUntrusted, at, b.Size, b.SHA256)
	}
	used[b.SHA256] = true
	if text, ok := s.known.manifest(b); ok {
		return text, nil
	}
	if text, err = f.read("targets/"+path.Dir(at)+"/"+b.SHA256+"."+path.Base(at), b.Size); err != nil {
		return nil, missing(err)
	}
	if !whole(b, text) {
		return nil, fmt.Errorf("%w: %s is not what was signed", ErrUntrusted, at)
	}
	return text, s.known.remember(b, text)
}

// whole says whether a text is a file.
func whole(b release.Blob, text []byte) bool {
	_, err := io.Copy(io.Discard, b.Verify(bytes.NewReader(text)))
	return err == nil
}

// classify says what an error means for the box.
func (s *Source) classify(f *fetcher, err error) error {
	var http *metadata.ErrDownloadHTTP
	switch {
	case err == nil:
		return nil
	case errors.As(err, &http):
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	case slices.ContainsFunc([]error{ErrExpired, ErrUntrusted, ErrUnreachable, ErrLimit, ErrMedium, release.ErrManifest, context.Canceled}, func(ours error) bool { return errors.Is(err, ours) }):
		return err
	case errors.Is(err, &metadata.ErrExpiredMetadata{}):
		return fmt.Errorf("%w: %w", ErrExpired, err)
	case errors.Is(err, &metadata.ErrDownloadLengthMismatch{}):
		return fmt.Errorf("%w: %w", ErrLimit, err)
	}
	for role, was := range s.known.versions() {
		if is, ok := f.versions[role]; ok && is < was {
			return fmt.Errorf("%w: %w", ErrOlder, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrUntrusted, err)
}
