package registrar

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// owner is the goroutine that all bindings belong to.
type owner struct {
	r       *Registrar
	devices map[tel.DeviceID]*device
	total   int    // bindings of all devices
	probes  uint64 // names the probes, so that a late answer is not taken for another one's
}

type device struct {
	entries  []entry
	reported tel.DeviceChanged // last state told to observers, without its time
	known    bool              // observers have been told something
}

// entry is a binding with its probing.
type entry struct {
	Binding
	probe probe
}

func newOwner(r *Registrar) *owner {
	return &owner{r: r, devices: map[tel.DeviceID]*device{}}
}

func (o *owner) run(ctx context.Context) {
	tick := time.NewTicker(o.tickEvery())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-o.r.inbox:
			o.safely(m)
		case <-tick.C:
			o.safely(func(o *owner) { o.tick(time.Now()) })
		}
	}
}

// tickEvery is how precisely expiry and probes are kept.
func (o *owner) tickEvery() time.Duration {
	if q := o.r.cfg.Qualify; q > 0 {
		return min(max(q/10, 20*time.Millisecond), time.Second)
	}
	return time.Second
}

// safely runs one step; what a message from outside brings to panic costs that step only.
func (o *owner) safely(step message) {
	defer func() {
		if p := recover(); p != nil {
			o.r.count.panics.Add(1)
			o.r.cfg.Log.Error("registrar step panicked", "panic", p)
		}
	}()
	step(o)
}

func (o *owner) device(id tel.DeviceID) *device {
	d := o.devices[id]
	if d == nil {
		d = &device{}
		o.devices[id] = d
	}
	return d
}

// bindings is a copy of the device's bindings.
func (d *device) bindings() []Binding {
	list := make([]Binding, len(d.entries))
	for i, e := range d.entries {
		list[i] = e.Binding
	}
	return list
}

// set replaces the device's bindings; the probing of those that stay goes on.
func (o *owner) set(id tel.DeviceID, next []Binding, now time.Time) {
	d := o.device(id)
	entries := make([]entry, len(next))
	for i, b := range next {
		entries[i] = entry{Binding: b, probe: probe{due: now.Add(o.firstProbe())}}
		for _, old := range d.entries {
			if old.Flow == b.Flow && sameContact(&old.Contact, &b.Contact) {
				entries[i].probe = old.probe
				if b.Updated.After(old.Updated) {
					entries[i].probe.misses = 0 // a REGISTER proves as much as an answer
				}
			}
		}
	}
	o.total += len(entries) - len(d.entries)
	d.entries = entries
	o.keep(id, next)
	o.publish(id, now)
}

// firstProbe spreads the probes of phones that all register at once, after a power cut.
func (o *owner) firstProbe() time.Duration {
	q := max(o.r.cfg.Qualify, 0)
	return q/4 + rand.N(q/2+1)
}

// keep writes the bindings to the hot journal before anybody is told of them.
func (o *owner) keep(id tel.DeviceID, list []Binding) {
	journal := o.r.cfg.Journal
	if journal == nil {
		return
	}
	var err error
	if len(list) == 0 {
		err = journal.Delete(KindBinding, string(id))
	} else {
		var value []byte
		if value, err = encodeBindings(list); err == nil {
			err = journal.Put(KindBinding, string(id), value)
		}
	}
	if err != nil {
		// The phone can be called all the same; only a crash would forget it.
		o.r.cfg.Log.Warn("binding not kept", "device", id, "error", err)
	}
}

// publish makes the device's state visible, and tells observers if it differs from the last time.
func (o *owner) publish(id tel.DeviceID, now time.Time) {
	d := o.device(id)
	bindings := d.bindings()
	o.r.mu.Lock()
	o.r.places.move(id, o.r.published[id], bindings)
	if len(bindings) == 0 {
		delete(o.r.published, id)
	} else {
		o.r.published[id] = bindings
	}
	o.r.mu.Unlock()

	state := d.summary(id)
	first := !d.known
	if len(d.entries) == 0 {
		delete(o.devices, id)
	}
	wasGone := first || !d.reported.Reachable
	if len(d.entries) == 0 && wasGone || !first && state == d.reported {
		return
	}
	d.reported, d.known = state, true
	state.At = now
	o.r.cfg.Log.Info("device changed", "device", id, "reachable", state.Reachable,
		"address", state.Address, "weak_auth", state.WeakAuth)
	o.r.cfg.Changed(state)
}

// summary describes a device by its most recent reachable binding, or else its most recent one.
// The address reported before is kept while it is reachable: two phones of one person that refresh
// in turns are not news.
func (d *device) summary(id tel.DeviceID) tel.DeviceChanged {
	s := tel.DeviceChanged{Device: id}
	kept := false
	for _, e := range d.entries {
		s.WeakAuth = s.WeakAuth || e.WeakAuth
		if !kept && (e.Reachable || !s.Reachable) {
			kept = e.Reachable && e.Flow.Remote.String() == d.reported.Address
			s.Address, s.UserAgent = e.Flow.Remote.String(), e.UserAgent
		}
		s.Reachable = s.Reachable || e.Reachable
	}
	return s
}

// tick ends what is over and probes what is due.
func (o *owner) tick(now time.Time) {
	for id, d := range o.devices {
		o.drop(id, d, func(e entry) bool { return !e.Expires.After(now) || !o.connected(e.Flow) }, now)
		o.probeDevice(id, d, now)
	}
}

// drop ends the bindings of a device that are gone.
func (o *owner) drop(id tel.DeviceID, d *device, gone func(entry) bool, now time.Time) {
	if slices.ContainsFunc(d.entries, gone) {
		left := slices.DeleteFunc(slices.Clone(d.entries), gone)
		o.set(id, (&device{entries: left}).bindings(), now)
	}
}

// closed ends the bindings of a connection that has ended.
func (o *owner) closed(f stack.Flow) {
	now := time.Now()
	for id, d := range o.devices {
		o.drop(id, d, func(e entry) bool { return e.Flow == f }, now)
	}
}

// connected is false for a binding whose TCP connection is gone: nobody but the phone can open it
// again (RFC 5626 section 5.3).
func (o *owner) connected(f stack.Flow) bool {
	return f.Transport == "udp" || o.r.cfg.Stack.Alive(f)
}

func (o *owner) forget(id tel.DeviceID) { o.set(id, nil, time.Now()) }

func (o *owner) restore(all map[tel.DeviceID][]Binding) {
	now := time.Now()
	for id, list := range all {
		live := make([]Binding, 0, len(list))
		for _, b := range list {
			// Wall time is all that survives a crash; set back, it must not keep a binding for ever.
			left := min(b.Expires.Sub(now), o.r.cfg.MaxExpires)
			if left <= 0 || !o.connected(b.Flow) {
				continue
			}
			b.Expires = now.Add(left)
			live = append(live, b)
		}
		o.set(id, live, now)
	}
}
