package appliance

import (
	"context"
	"errors"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/browser"
	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/sip/presence"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// restore takes over, in the order of dependence: audio, registrations, dialogs, then the calls that
// join them. What no call claims is ended.
func (b *Box) restore() {
	legs, errs := b.engine.Restore(b.hot.Load("leg"))
	if err := b.registrar.Restore(b.hot.Load("binding")); err != nil {
		errs = append(errs, err)
	}
	sessions, ending, more := b.dialogs.Restore(b.hot.Load("dialog"))
	errs = append(errs, more...)
	b.office.Restore(sessions, ending)
	errs = append(errs, b.browsers.phones.Restore(b.hot.Load(browser.JournalKind))...)
	b.reach.start(b)
	if _, err := b.engine.RecoverRecordings(b.voicemail.SpoolDir()); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, b.calls.RestoreWishes(b.hot.Load("completion"))...)
	states := b.hot.Load(call.JournalKind)
	found := len(legs)
	f := &finder{b: b, legs: legs, found: map[tel.LegID]bool{}}
	standings, more := b.calls.Restore(states, f)
	errs = append(errs, more...)
	b.conferencesReturned()
	b.restored <- standings // lets the queues decide again: their messages find the calls now
	if b.blank && len(states) > 0 {
		errs = append(errs, b.remind())
	}
	b.toll.Keep(func(l tel.LegID) bool { return f.found[l] })
	errs = append(errs, b.sweepRecordings(states))
	if err := b.presence.Restore(b.hot.Load(presence.JournalKind)); err != nil { // after the calls, which it tells of
		errs = append(errs, err)
	}
	for _, err := range errs {
		if err != nil {
			b.log.Warn("part of the earlier process is lost", "err", err)
		}
	}
	for _, leg := range f.legs {
		leg.Close()
	}
	b.browsers.phones.Forget()
	lost := b.office.Forget(context.Background())
	if len(states)+len(sessions)+found > 0 {
		b.log.Info("calls taken over from the earlier process", "calls", len(states), "sessions", len(sessions), "legs", found, "ended", lost)
	}
}

// anyCalls says that an earlier process left calls.
func (b *Box) anyCalls() bool { return len(b.hot.Load(call.JournalKind)) > 0 }

// remind tells the queues' owner, who remembers nothing, what is on disk and who begins the day at the desk.
func (b *Box) remind() error { return errors.Join(b.recall(), b.firstLogin()) }

// finder gives the calls their legs back; what is left in legs afterwards belongs to nobody.
type finder struct {
	b     *Box
	legs  map[tel.LegID]*media.Leg
	found map[tel.LegID]bool
}

// Find implements call.Finder.
func (f *finder) Find(id tel.LegID, ref, party string, events func(call.LegEvent)) (call.Leg, bool) {
	audio, events := f.legs[id], f.b.metered(id, events)
	var l call.Leg
	var ok bool
	if strings.HasPrefix(ref, "line:") {
		l, ok = f.b.lines.board.Find(ref, id, events)
	} else if l, ok = f.b.browsers.phones.Find(ref, id, audio, events); ok {
		delete(f.legs, id)
	} else if l, ok = f.b.office.Find(ref, party, audio, events); ok {
		delete(f.legs, id)
	}
	f.found[id] = ok
	return l, ok
}

// dialer implements call.Dialer over phones, trunks and lines.
type dialer struct{ b *Box }

// DialDevice implements call.Dialer.
func (d dialer) DialDevice(dev tel.DeviceID, o call.Outgoing, events func(call.LegEvent)) ([]call.Leg, error) {
	if legs, err := d.b.browsers.phones.DialDevice(dev, o, events); len(legs) > 0 || err != nil {
		return legs, err
	}
	return d.b.office.DialDevice(dev, o, events)
}

// WhenQuiet implements call.Dialer.
func (d dialer) WhenQuiet(devs []tel.DeviceID, fn func()) { d.b.office.WhenQuiet(devs, fn) }

// DialOut implements call.Dialer.
func (d dialer) DialOut(via string, to tel.Number, o call.Outgoing, events func(call.LegEvent)) (call.Leg, error) {
	return d.b.throughToll(d.b.tollRequest(via, to, o), events, func(events func(call.LegEvent)) (call.Leg, error) {
		kind, name, _ := strings.Cut(via, ":")
		if kind == "line" {
			return d.b.lines.board.DialLine(tel.LineID(name), to, o, events)
		}
		return d.b.office.DialTrunk(tel.TrunkID(name), to, o, events)
	})
}
