package updater

import (
	"context"
	"errors"
	"time"

	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/rollout"
	"github.com/pronto-pbx/pronto/ota/slot"

	"golang.org/x/sys/unix"
)

func (u *Updater) pollIn(d time.Duration) {
	u.poll.next = u.cfg.Now().Add(d)
	u.in(d, jobPoll)
}

// pollNow asks the vendor. answered, where there is one, hears how it went.
func (u *Updater) pollNow(answered func(error)) {
	if u.cfg.Vendor == nil || !u.known || u.jobs[jobPoll] != nil {
		if answered != nil {
			answered(nil) // what is on its way will do
		}
		u.pollIn(factsAgain)
		return
	}
	vendor, now, box := u.cfg.Vendor, u.cfg.Now(), u.box()
	source := vendor.Online(u.m.Settings.Channel)
	u.never(jobPoll)
	u.start(jobPoll, func(ctx context.Context) func() {
		m, err := source.Latest(ctx, now, box)
		stale := vendor.Stale(now)
		return func() {
			u.poll.stale = stale
			u.polled(m, err)
			if answered != nil {
				answered(err)
			}
		}
	})
}

// polled is what the vendor has said.
func (u *Updater) polled(m release.Manifest, err error) {
	answered := err == nil || errors.Is(err, release.ErrNone)
	if !answered {
		u.poll.failures++
		u.complain(install.CodeOf(err), err)
		u.pollIn(rollout.Next(u.poll.failures, u.cfg.Draw()))
		return
	}
	u.poll.failures = 0
	switch u.trouble {
	case slot.CodeNetwork, slot.CodeMetadata, slot.CodeTrust:
		u.trouble, u.words = slot.None, ""
	default:
	}
	now := u.m
	now.Checked = u.cfg.Now()
	u.keep(now)
	u.pollIn(rollout.Next(0, u.cfg.Draw()))
	u.offered(m, err)
}

// offered is a release of the vendor's server, or err, which is ErrNone.
func (u *Updater) offered(m release.Manifest, err error) {
	s := u.m.Slot
	if s.Busy() && s.Want.Local {
		return // who brought a bundle knows what is wanted
	}
	u.refused = nil
	if err != nil {
		u.offer = nil
		if refused, ok := errors.AsType[*release.Refusal](err); ok {
			u.refused = refused
		}
		u.tell(slot.Withdrawn{Now: u.cfg.Now()})
		return
	}
	u.offer = &m
	if (u.m.Settings.Auto && u.cfg.Off == "" || s.Busy()) && u.take(m, s.Busy() && s.Want.Asked, false) {
		return
	}
	if s.Busy() && s.Want.Version != m.Version { // what came after it was given up here
		u.tell(slot.Withdrawn{Now: u.cfg.Now()})
	}
}

// take has a release installed, unless it came to nothing here before and nobody asks for it.
func (u *Updater) take(m release.Manifest, asked, local bool) bool {
	part, ok := m.Part(u.box())
	if !ok {
		return false // Refuses has said so
	}
	r := wanted(m, part, asked, local)
	if _, barred := u.m.Slot.Against(r); barred && !asked {
		return false
	}
	begins := u.m.Slot.Phase != slot.Trying && !u.facts.Trying
	u.tellWith(slot.Offered{Release: r, Facts: u.facts}, func(now *memory) {
		if begins {
			now.Manifest, now.Before = &m, nil
		}
	})
	return true
}

// codeOfDisk is why something could not be written to the disk of the data.
func codeOfDisk(err error) slot.Code {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return slot.CodeFull
	}
	return slot.CodeDisk
}

// watch looks at who is on the phone, while a release waits.
func (u *Updater) watch() {
	u.start(jobWatch, func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, askFor)
		defer cancel()
		x, err := u.cfg.Fit.Now(ctx)
		busy := x.Busy
		return func() {
			u.in(look, jobWatch)
			if err != nil {
				u.quiet.since, u.quiet.waits, u.quiet.until = time.Time{}, remote.ForExchange, time.Time{}
				return
			}
			u.quiet.busy = busy
			u.lives(x.Zone)
			switch {
			case !busy.Quiet():
				u.quiet.since = time.Time{}
			case u.quiet.since.IsZero():
				u.quiet.since = time.Now()
			}
			u.decide()
		}
	})
}
