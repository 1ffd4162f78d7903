package updater

import (
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// State implements remote.Room.
func (u *Updater) State() remote.State {
	s := *u.seen.Load()
	s.Done, s.Total = u.at.Load(), u.of.Load()
	return s
}

// publish makes known how it stands.
func (u *Updater) publish() {
	s := u.m.Slot
	v := remote.State{
		Enabled: u.cfg.Vendor != nil && u.cfg.Off == "" && u.known, Backend: u.cfg.Backend,
		Running: remote.Slot{Version: u.cfg.Box.Version, State: remote.SlotRuns}, Idle: u.idle(), Offer: u.view(),
		Phase: s.Phase, Trouble: s.Trouble, Words: s.Words,
		Checked: u.m.Checked, NextCheck: u.poll.next, Settings: u.m.Settings, Stale: u.poll.stale,
	}
	switch {
	case u.cfg.Vendor == nil:
		v.Why = remote.OffVendor
	case u.cfg.Off != "":
		v.Why = u.cfg.Off
	case !u.known:
		v.Why = remote.OffSlots
	}
	if v.Phase == "" {
		v.Phase = slot.Idle
	}
	if s.Busy() {
		v.Version = s.Want.Version
	}
	if u.facts.Trying {
		v.Running.State = remote.SlotTrial
	}
	if v.Trouble == slot.None {
		v.Trouble, v.Words = u.trouble, u.words
	}
	switch {
	case !s.Retry.IsZero():
		v.WaitsFor, v.Until = remote.ForRetry, s.Retry
	case s.Phase == slot.Waiting:
		v.WaitsFor, v.Until = u.quiet.waits, u.quiet.until
	}
	if l := s.Last; l != nil {
		v.Last = &remote.Outcome{Version: l.Version, Result: string(l.Result), Code: l.Code, Words: l.Words, At: l.At, Seen: l.Seen}
	}
	u.seen.Store(&v)
}

// idle is what lies in the slot that does not run.
func (u *Updater) idle() remote.Slot {
	s, h := u.m.Slot, u.m.Held[u.facts.Other()]
	is := remote.Slot{Version: h.Version, State: remote.SlotBefore}
	switch {
	case !u.known:
		return remote.Slot{State: remote.SlotEmpty}
	case u.facts.Trying:
		return is // it is what the box goes back to
	case s.Phase == slot.Writing || s.Phase == slot.Checking:
		return remote.Slot{Version: s.Want.Version, State: remote.SlotWriting}
	case s.Phase == slot.Waiting || s.Phase == slot.Trying:
		is.State = remote.SlotReady
	case h == held{}:
		is.State = remote.SlotEmpty
	}
	return is
}

// view is what is on offer, or why what is newer is none.
func (u *Updater) view() *remote.Offer {
	m, local := u.offer, false
	if s := u.m.Slot; s.Busy() && u.m.Manifest != nil && u.m.Manifest.Version == s.Want.Version {
		m, local = u.m.Manifest, s.Want.Local
	}
	if m == nil {
		if u.refused == nil {
			return nil
		}
		return &remote.Offer{Version: u.refused.Version, Refused: reasons(u.refused)}
	}
	o := &remote.Offer{Version: m.Version, Severity: string(m.Severity), Notes: m.Notes, Homepage: m.Homepage, Deadline: m.Deadline, Local: local}
	part, ok := m.Part(u.box())
	if !ok {
		return o
	}
	o.Size = part.Packed.Size
	runs := u.m.Held[u.facts.Running]
	if d, ok := m.Delta(u.box(), runs.SHA256); ok && u.cfg.Earlier != nil && runs.Version == u.cfg.Box.Version {
		o.Size, o.Delta = d.Size, true
	}
	if b, barred := u.m.Slot.Against(wanted(*m, part, false, local)); barred {
		o.Refused = []remote.Refusal{{Code: "failed", Words: string(b.Code) + ": " + b.Words}}
	}
	return o
}

func reasons(r *release.Refusal) (all []remote.Refusal) {
	for _, why := range r.Reasons {
		all = append(all, remote.Refusal{Code: string(why.Code), Words: why.String()})
	}
	return all
}
