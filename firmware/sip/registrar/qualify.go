package registrar

import (
	"math/rand/v2"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	maxMisses   = 2               // probes in a row without an answer that make a binding unreachable
	probeWait   = 4 * time.Second // a phone on the LAN answers in milliseconds; Timer F's 32 s hide an outage
	probeRetry  = 5 * time.Second // until the second look after a miss
	probeSpread = 5               // the interval varies by a fifth, so that probes do not align
)

// probe is the OPTIONS probing of one binding.
type probe struct {
	due    time.Time // of the next probe
	sent   time.Time
	id     uint64 // of the probe under way; 0 = none
	misses int    // in a row
}

// begin starts a probe.
func (p probe) begin(id uint64, now time.Time) probe {
	p.id, p.sent = id, now
	return p
}

// overdue reports that the probe under way counts as missed.
func (p probe) overdue(now time.Time, every time.Duration) bool {
	return p.id != 0 && now.Sub(p.sent) >= min(probeWait, every)
}

// answered ends the probe under way with an answer.
func (probe) answered(now time.Time, wait time.Duration) probe { return probe{due: now.Add(wait)} }

// missed ends the probe under way without one: a second look soon, after that at the usual pace.
// silent = the binding counts as unreachable.
func (p probe) missed(now time.Time, wait time.Duration) (next probe, silent bool) {
	misses := min(p.misses+1, maxMisses)
	if misses < maxMisses {
		return probe{due: now.Add(min(probeRetry, wait)), misses: misses}, false
	}
	return probe{due: now.Add(wait), misses: misses}, true
}

func (o *owner) wait() time.Duration {
	q := o.r.cfg.Qualify
	return q - q/probeSpread + rand.N(2*q/probeSpread+1)
}

func (o *owner) probeDevice(id tel.DeviceID, d *device, now time.Time) {
	every := o.r.cfg.Qualify
	if every < 0 {
		return
	}
	changed := false
	for i := range d.entries {
		e := &d.entries[i]
		switch {
		case e.probe.overdue(now, every):
			changed = o.miss(e, now) || changed
		case e.probe.id == 0 && !e.probe.due.After(now):
			changed = o.send(id, e, now) || changed
		}
	}
	if changed {
		o.publish(id, now)
	}
}

func (o *owner) miss(e *entry, now time.Time) (changed bool) {
	var silent bool
	e.probe, silent = e.probe.missed(now, o.wait())
	changed = silent && e.Reachable
	e.Reachable = e.Reachable && !silent
	return changed
}

// send starts one OPTIONS (RFC 3261 section 11). Any final answer but 408 proves the phone alive;
// a 401 or 407 is never answered, it would hand a hash to whoever sits at that address.
func (o *owner) send(id tel.DeviceID, e *entry, now time.Time) (changed bool) {
	o.probes++
	number := o.probes
	e.probe = e.probe.begin(number, now)
	r := o.r
	_, err := r.cfg.Stack.Request(o.options(e), e.Flow, func(res stack.Result) {
		if res.Err == nil && res.Response.StatusCode < 200 {
			return
		}
		alive := res.Err == nil && res.Response.StatusCode != sip.StatusRequestTimeout
		at := time.Now()
		// A full mailbox loses the answer; the probe then counts as missed, and the next one tells.
		r.tell(func(o *owner) { o.probed(id, number, alive, at) })
	})
	return err != nil && o.miss(e, now)
}

func (o *owner) probed(id tel.DeviceID, number uint64, alive bool, at time.Time) {
	d := o.devices[id]
	if d == nil {
		return
	}
	for i := range d.entries {
		e := &d.entries[i]
		if e.probe.id != number {
			continue
		}
		changed := false
		if alive {
			e.RTT = at.Sub(e.probe.sent)
			e.probe = e.probe.answered(at, o.wait())
			e.Reachable, changed = true, true
		} else {
			changed = o.miss(e, at)
		}
		if changed {
			o.publish(id, at)
		}
		return
	}
}

func (o *owner) options(e *entry) *sip.Request {
	host, port := o.r.cfg.Stack.Contact(e.Flow)
	us := sip.Uri{Scheme: "sip", User: "pronto", Host: host, Port: port}
	req := sip.NewRequest(sip.OPTIONS, *e.Contact.Clone())
	for i := range e.Path {
		req.AppendHeader(&sip.RouteHeader{Address: *e.Path[i].Clone()})
	}
	forwards, callID := sip.MaxForwardsHeader(70), sip.CallIDHeader(rand16())
	req.AppendHeader(&forwards)
	req.AppendHeader(&sip.FromHeader{Address: us, Params: sip.HeaderParams{{K: "tag", V: rand16()}}})
	req.AppendHeader(&sip.ToHeader{Address: *e.Contact.Clone()})
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: sip.OPTIONS})
	req.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
	req.SetBody(nil)
	return req
}
