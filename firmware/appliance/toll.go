package appliance

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/toll"
	"github.com/pronto-pbx/pronto/firmware/toll/meter"
)

// openToll starts the guard over what calls to the outside cost.
func (b *Box) openToll() error {
	var err error
	b.toll, err = meter.Open(meter.Config{
		Log: b.log.With("room", "toll"), Path: filepath.Join(b.opts.Dir, "toll.json"), Rules: tollRules(b.config().Toll),
		Publish: b.publish, End: func(l tel.LegID) { b.calls.EndWith(l, tel.CauseForbidden) },
		Calm:    func() { b.report("toll_limit", true, "") },
		Saved:   func(err error) { b.report("toll", err == nil, "the counters of the toll guard are not on the disk") },
		Records: b.tollRecords, Journal: b.hot,
	})
	return err
}

// tollRules are the limits of a configuration.
func tollRules(t config.Toll) toll.Rules {
	r := toll.Rules{
		Countries: t.Countries, Premium: t.Premium, Person: toll.Caps(t.Person), Line: toll.Caps(t.Line), Box: toll.Caps(t.Box),
	}
	if t.Night != "" {
		r.NightDial = []dialplan.Class{}
		for _, c := range t.NightDial {
			r.NightDial = append(r.NightDial, dialplan.Class(c))
		}
	}
	return r
}

// tollRecords gives the calls to the outside that ended since a moment.
func (b *Box) tollRecords(since time.Time) []toll.Record {
	var all []toll.Record
	err := b.history.Read(0, func(r journal.Record) error {
		e, err := cdr.Decode(r.Kind, r.Body)
		if c, ok := e.(tel.CallEnded); ok && err == nil && c.Ended.After(since) {
			if record, ok := tollRecord(c); ok {
				all = append(all, record)
			}
		}
		return nil
	})
	if err != nil {
		b.log.Warn("toll counters are rebuilt from a part of the records", "err", err)
	}
	return all
}

// tollRecord reads what a finished call cost; ok is false when it did not leave the box.
func tollRecord(c tel.CallEnded) (r toll.Record, ok bool) {
	outside := tel.OutsideParty
	if c.Direction == tel.Outbound && outside(c.In) && !outside(c.Out) { // the box rang who came in: it cost from the answer, at the latest from the start
		return toll.Record{Via: c.In, Number: c.From, Answered: c.Started, Ended: c.Ended}, true
	}
	if !outside(c.Out) {
		return r, false
	}
	r = toll.Record{Via: c.Out, Number: c.To, Answered: c.Answered, Ended: c.Ended}
	if c.Direction != tel.Inbound {
		r.Person = string(c.From)
	}
	return r, true
}

// tollRequest is an attempt as the guard sees it.
func (b *Box) tollRequest(via string, to tel.Number, o call.Outgoing) toll.Request {
	r := toll.Request{
		ID: string(tel.NewLegID()), Call: o.Call, Number: o.Attempt.Dialed, Via: via, Person: string(o.Attempt.Person),
		Price: o.Attempt.Price, Priced: o.Attempt.Priced, Night: b.night(b.numbering.Load()),
	}
	if r.Number == "" {
		r.Number = to
	}
	return r
}

// night says whether the rules for the night hold now.
func (b *Box) night(n *numbering) bool {
	id := n.cfg.Toll.Night
	return id != "" && !n.now().OpenAt(id, time.Now()).Open
}

// throughToll makes an attempt if the guard permits it, and tells the guard of its answer and its end.
func (b *Box) throughToll(r toll.Request, events func(call.LegEvent), dial func(func(call.LegEvent)) (call.Leg, error)) (call.Leg, error) {
	if r.Number.Emergency() {
		return dial(events)
	}
	if _, err := b.toll.Allow(r); err != nil {
		return nil, fmt.Errorf("toll guard: %w", err)
	}
	leg, err := dial(func(e call.LegEvent) {
		switch e.Kind {
		case call.LegAnswered:
			b.toll.Started(r.ID)
		case call.LegEnded:
			b.toll.Ended(r.ID)
		default:
		}
		events(e)
	})
	switch {
	case err != nil:
		b.toll.Ended(r.ID)
	case leg != nil:
		b.toll.Named(r.ID, leg.ID())
	}
	return leg, err
}

// metered lets the guard see the end of a leg that survived a restart.
func (b *Box) metered(id tel.LegID, events func(call.LegEvent)) func(call.LegEvent) {
	return func(e call.LegEvent) {
		if e.Kind == call.LegEnded {
			b.toll.EndedLeg(id)
		}
		events(e)
	}
}
