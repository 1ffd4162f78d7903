package trust

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/rollout"
)

// What a source answers when it has no release to give; they are those of package release. Each is about the moment:
// calls go on, and the next poll asks again.
var (
	ErrNone        = release.ErrNone
	ErrExpired     = release.ErrExpired
	ErrUntrusted   = release.ErrUntrusted
	ErrOlder       = release.ErrOlder
	ErrUnreachable = release.ErrUnreachable
	ErrLimit       = release.ErrLimit
	ErrMedium      = release.ErrMedium
)

// Source is one place of releases, the vendor's server or a stick, seen by a box that follows one channel.
type Source struct {
	known   *Known
	mirror  Mirror
	channel string
	local   bool
	again   bool
}

// Again is the source as a box sees it that has no system left to work with: what it ran before is to be had too, and
// so is what came before that, unless the vendor has withdrawn that with its epoch. From a server a box gets what it had,
// or what it is among the percentage of; of a bundle that which has its content in it.
func (s *Source) Again() *Source {
	again := *s
	again.again = true
	return &again
}

// Latest fetches what the vendor has signed and returns the newest release that is meant for the box at now: of its
// channel, not refused by it, started, and with the box among the percentage of the day. ErrNone, as *release.Refusal
// where there is a newer one that the box refuses, tells that there is none. Call it again right before a trial: who
// then gets another release, or none, drops the first, which was withdrawn.
//
// A release from a stick is somebody's wish: percentages do not count, except for 0, which stops a release.
func (s *Source) Latest(ctx context.Context, now time.Time, box release.Box) (release.Manifest, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, pollLimit, fmt.Errorf("%w: more than %v for one poll", ErrLimit, pollLimit))
	defer cancel()
	all, err := s.poll(ctx, now, box)
	if err != nil {
		return release.Manifest{}, err
	}
	return s.choose(ctx, all, now, box)
}

// choose takes the newest of the manifests that the box may have.
func (s *Source) choose(ctx context.Context, all []offer, now time.Time, box release.Box) (release.Manifest, error) {
	slices.SortFunc(all, func(a, b offer) int { return b.version.Compare(a.version) })
	var broken error
	var refused *release.Refusal
	for _, o := range all {
		if o.err != nil {
			broken = cmp.Or(broken, o.err)
			continue
		}
		reasons := o.manifest.Refuses(box)
		if s.again {
			reasons = slices.DeleteFunc(reasons, notNewer)
		}
		switch {
		case slices.ContainsFunc(reasons, notNewer):
		case len(reasons) > 0:
			if refused == nil {
				refused = &release.Refusal{Version: o.manifest.Version, Reasons: reasons}
			}
		case s.offered(o.manifest, now, box) && s.holds(ctx, o.manifest, box):
			return o.manifest, nil
		}
	}
	switch {
	case refused != nil:
		return release.Manifest{}, refused
	case broken != nil:
		return release.Manifest{}, broken
	}
	return release.Manifest{}, ErrNone
}

func notNewer(r release.Reason) bool { return r.Code == release.NotNewer }

func (s *Source) offered(m release.Manifest, now time.Time, box release.Box) bool {
	if s.local || s.again && m.Version == strings.TrimPrefix(box.Version, "v") {
		return m.Rollout.Percent > 0
	}
	return rollout.Started(m, now) && rollout.Includes(m.Rollout, box.ID, now)
}

// holds says whether a bundle has what a box would install: it names all releases of its channel and brings one.
func (s *Source) holds(ctx context.Context, m release.Manifest, box release.Box) bool {
	part, ok := m.Part(box)
	if !s.again || !s.local || !ok {
		return true
	}
	content, err := s.Open(ctx, part.Packed, 0)
	if err != nil {
		return false
	}
	_ = content.Close() // nothing was read
	return true
}

// Open reads a part or a delta from offset on. Nothing of it is verified, except that it does not go on behind its end:
// see release.Blob.Verify. Where the source breaks off it ends with io.ErrUnexpectedEOF: open it again from there.
func (s *Source) Open(ctx context.Context, blob release.Blob, offset int64) (io.ReadCloser, error) {
	if offset < 0 || offset > blob.Size {
		return nil, fmt.Errorf("offset %d of %d bytes", offset, blob.Size)
	}
	body, err := s.mirror.Open(ctx, "parts/"+blob.SHA256, offset)
	if err != nil {
		return nil, missing(err)
	}
	return &exactly{body, blob.Size - offset}, nil
}

// missing makes an absent file a place that has not got all yet, which is what a server is while it is written to.
func missing(err error) error {
	if errors.Is(err, errAbsent) {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return err
}
