package appliance

import (
	"context"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
)

// rooms is the order in which a new configuration is committed. What needs the outside world, and so
// may fail, comes first; then what decides; numbers come after the queues and carriers that they
// lead to; the page shows the result. Going back runs the other way.
func (b *Box) rooms() []live.Room {
	return []live.Room{
		lineRoom{&b.lines},
		trunkRoom{&b.trunks},
		lampRoom{&b.lamps},
		doorRoom{&b.doors},
		queueRoom{b},
		voicemailRoom{b},
		numberRoom{b},
		pageRoom{b},
		fileRoom{b},
		startRoom{*b.opts.Live.Current()},
	}
}

// lineRoom follows with the modems.
type lineRoom struct{ l *lines }

// Name implements live.Room.
func (lineRoom) Name() string { return "lines" }

// Commit implements live.Room.
func (r lineRoom) Commit(ctx context.Context, _, to *config.Config) (live.Outcome, error) {
	return r.l.replace(ctx, to.Lines)
}

// trunkRoom follows with the carriers.
type trunkRoom struct{ t *trunks }

// Name implements live.Room.
func (trunkRoom) Name() string { return "trunks" }

// Verify implements live.Verifier.
func (r trunkRoom) Verify(_ context.Context, _, to *config.Config) error {
	return r.t.verify(to.Trunks)
}

// Commit implements live.Room.
func (r trunkRoom) Commit(_ context.Context, _, to *config.Config) (live.Outcome, error) {
	return r.t.replace(to.Trunks)
}

// lampRoom follows with the lamps.
type lampRoom struct{ l *lamps }

// Name implements live.Room.
func (lampRoom) Name() string { return "lamps" }

// Commit implements live.Room.
func (r lampRoom) Commit(_ context.Context, _, to *config.Config) (live.Outcome, error) {
	return r.l.replace(to)
}

// queueRoom follows with queues and agents.
type queueRoom struct{ b *Box }

// Name implements live.Room.
func (queueRoom) Name() string { return "queues" }

// Commit implements live.Room. Nothing after it can fail, because the way back would log out people
// who had been taken away.
func (r queueRoom) Commit(ctx context.Context, from, to *config.Config) (live.Outcome, error) {
	if !differs(from, to, func(c *config.Config) config.Config {
		return config.Config{Agents: c.Agents, Queues: c.Queues, Box: config.Box{Timezone: c.Box.Timezone}}
	}) {
		return live.Unchanged, nil
	}
	queues, agents := specs(to)
	if err := r.b.queues.Update(ctx, queues, agents); err != nil {
		return 0, err
	}
	if err := r.b.queueClock(ctx, from, to); err != nil {
		return 0, err
	}
	return live.Applied, nil
}

// numberRoom follows with everything that calls and phones look up: numbers, routes, passwords,
// networks. New calls see it, calls that are up keep what they were born with.
type numberRoom struct{ b *Box }

// Name implements live.Room.
func (numberRoom) Name() string { return "numbers and phones" }

// Verify implements live.Verifier.
func (numberRoom) Verify(_ context.Context, _, to *config.Config) error {
	_, err := newNumbering(*to)
	return err
}

// Commit implements live.Room.
func (r numberRoom) Commit(ctx context.Context, from, to *config.Config) (live.Outcome, error) {
	next := to.Clone()
	next.SIP.Realm = r.b.config().SIP.Realm // in every password's fingerprint, and so until the restart
	n, err := newNumbering(next)
	if err != nil {
		return 0, err
	}
	r.b.adopt(n)
	r.b.toll.SetRules(tollRules(next.Toll))
	r.b.texts.office.SetRules(smsRules(next.SMS))
	r.b.adoptPersonal(ctx, &next, n)
	r.b.conferences.chair.Configure(conferenceRooms(&next))
	for _, p := range from.Phones {
		if now, ok := phoneLike(to, p); !ok || now.Password != p.Password {
			r.b.registrar.Forget(p.ID) // else it could be called, and called from, until its time is up
			r.b.presence.Forget(p.ID)
		}
	}
	r.b.reach.start(r.b)
	r.b.renumber(from)
	if err := r.b.queues.Reschedule(ctx); err != nil {
		r.b.log.Warn("shifts end as they would have before", "err", err)
	}
	r.b.calls.Review() // who listens may have lost the right to
	r.b.alarms.Look()
	r.b.reportUnstaffed()
	switch {
	case differs(from, to, routing):
		return live.AfterDrain, nil
	case differs(from, to, entrance):
		return live.Applied, nil
	default:
		return live.Unchanged, nil
	}
}

// routing is what a call keeps from its first moment on.
func routing(c *config.Config) config.Config {
	return config.Config{
		Box: c.Box, Agents: c.Agents, Queues: c.Queues, Trunks: c.Trunks, Lines: c.Lines, Routes: c.Routes,
		Dialling: c.Dialling, Groups: c.Groups, Hours: c.Hours, Contacts: c.Contacts, Pauses: c.Pauses, Dispositions: c.Dispositions,
		Conferences: c.Conferences,
	}
}

// entrance is what phones meet.
func entrance(c *config.Config) config.Config {
	return config.Config{Toll: c.Toll, SMS: c.SMS, MissedCallers: c.MissedCallers, Phones: c.Phones, Presence: c.Presence, Supervision: c.Supervision, SIP: config.SIP{
		Advertise: c.SIP.Advertise, LAN: c.SIP.LAN, Bans: c.SIP.Bans,
		Registrations: config.Registrations{PerPhone: c.SIP.Registrations.PerPhone},
	}}
}

func phoneLike(c *config.Config, like config.Phone) (config.Phone, bool) {
	for _, p := range c.Phones {
		if p.ID == like.ID {
			return p, true
		}
	}
	return config.Phone{}, false
}

// pageRoom has the page, and everybody else who watches, begin anew with the names of today.
type pageRoom struct{ b *Box }

// Name implements live.Room.
func (pageRoom) Name() string { return "page" }

// Commit implements live.Room.
func (r pageRoom) Commit(_ context.Context, from, to *config.Config) (live.Outcome, error) {
	if !differs(from, to, shown) {
		return live.Unchanged, nil
	}
	r.b.present.adopt(r.b.numbering.Load())
	r.b.judgeLamps()
	r.b.feed.Resync()
	return live.Applied, nil
}

// shown is what the page names.
func shown(c *config.Config) config.Config {
	return config.Config{Box: c.Box, Phones: c.Phones, Agents: c.Agents, Queues: c.Queues, Trunks: c.Trunks, Lines: c.Lines, Lamps: c.Lamps, Voicemail: c.Voicemail}
}

// startRoom stands for what is only read when prontod starts. It compares with what was read then,
// so that a restart that is due is not forgotten by the next change.
type startRoom struct{ read config.Config }

// Name implements live.Room.
func (startRoom) Name() string { return "addresses, ports and realm" }

// Commit implements live.Room.
func (r startRoom) Commit(_ context.Context, _, to *config.Config) (live.Outcome, error) {
	fixed := func(c *config.Config) config.Config {
		return config.Config{
			SIP:   config.SIP{Listen: c.SIP.Listen, TLSListen: c.SIP.TLSListen, DSCP: c.SIP.DSCP, Realm: c.SIP.Realm, SessionExpires: c.SIP.SessionExpires, MinSE: c.SIP.MinSE, Registrations: fixedLimits(c)},
			TLS:   c.TLS,
			Media: c.Media, Web: config.Web{Listen: c.Web.Listen, TLSListen: c.Web.TLSListen}, Voicemail: config.Voicemail{QuotaMB: c.Voicemail.QuotaMB},
		}
	}
	if differs(&r.read, to, fixed) {
		return live.NeedsRestart, nil
	}
	return live.Unchanged, nil
}

// differs compares two configurations by the part that a room is about.
func differs(a, b *config.Config, part func(*config.Config) config.Config) bool {
	return len(config.Diff(part(a), part(b))) > 0
}
