package party

import (
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/registrar"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// silentAfter is how long a phone may leave a call unanswered that we have taken back, before it counts as
// silent. A phone that lives has answered the CANCEL, or our second INVITE (RFC 3261 section 17.1.1.2), by then; the
// queues wait a little longer (tel.SettleWithin), so that they hear of it first.
const silentAfter = 1500 * time.Millisecond

// bells knows at which phones a call may still ring: from its INVITE until the phone's answer or the end of the
// transaction (RFC 3261 section 9.1: a CANCEL waits for the first response, which a dead phone never gives).
// No queue offers a second call there meanwhile.
type bells struct {
	changed func(dev tel.DeviceID) // a phone has fallen silent or is quiet; nil: nobody asks

	mu      sync.Mutex // guards what follows
	at      map[bell]*rung
	waiting []quietWish
}

// bell names one phone: a device and where it is registered.
type bell struct {
	dev     tel.DeviceID
	contact string
}

// rung counts the calls at one bell.
type rung struct{ open, silent int }

// quietWish is run once nothing rings at any of the devices.
type quietWish struct {
	devs []tel.DeviceID
	run  func()
}

// ring is one call at one bell. A nil ring is that of a call which no bell counts.
type ring struct {
	b      *bells
	at     bell
	clock  *time.Timer // until the phone counts as silent
	silent bool
	over   bool
}

func newBells(changed func(tel.DeviceID)) *bells {
	return &bells{changed: changed, at: map[bell]*rung{}}
}

// begin notes an INVITE that is about to leave.
func (b *bells) begin(at bell) *ring {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.at[at]
	if n == nil {
		n = &rung{}
		b.at[at] = n
	}
	n.open++
	return &ring{b: b, at: at}
}

// withdrawn notes that nobody wants the call any more.
func (r *ring) withdrawn() {
	if r == nil {
		return
	}
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	if !r.over && r.clock == nil {
		r.clock = time.AfterFunc(silentAfter, r.unheard)
	}
}

// unheard has the phone count as silent until the call's end there.
func (r *ring) unheard() {
	r.b.mu.Lock()
	news := !r.over && !r.silent
	if news {
		r.silent = true
		r.b.at[r.at].silent++
	}
	r.b.mu.Unlock()
	if news && r.b.changed != nil {
		r.b.changed(r.at.dev)
	}
}

// end notes that the phone has answered, or that nothing of the call is left there.
func (r *ring) end() {
	if r == nil {
		return
	}
	r.b.mu.Lock()
	if r.over {
		r.b.mu.Unlock()
		return
	}
	r.over = true
	if r.clock != nil {
		r.clock.Stop()
	}
	n := r.b.at[r.at]
	n.open--
	if r.silent {
		n.silent--
	}
	if n.open == 0 {
		delete(r.b.at, r.at)
	}
	due := r.b.due()
	r.b.mu.Unlock()
	if r.silent && r.b.changed != nil { // before the queue may offer again
		r.b.changed(r.at.dev)
	}
	for _, w := range due {
		w.run()
	}
}

// due takes the wishes whose time has come. It wants mu held.
func (b *bells) due() (due []quietWish) {
	b.waiting = slices.DeleteFunc(b.waiting, func(w quietWish) bool {
		if b.ringsAny(w.devs) {
			return false
		}
		due = append(due, w)
		return true
	})
	return due
}

func (b *bells) ringsAny(devs []tel.DeviceID) bool {
	for at := range b.at {
		if slices.Contains(devs, at.dev) {
			return true
		}
	}
	return false
}

// whenQuiet runs fn once nothing rings at any of the devices; at once if nothing does.
func (b *bells) whenQuiet(devs []tel.DeviceID, fn func()) {
	b.mu.Lock()
	later := b.ringsAny(devs)
	if later {
		b.waiting = append(b.waiting, quietWish{devs, fn})
	}
	b.mu.Unlock()
	if !later {
		fn()
	}
}

// count is how many calls may ring at a bell, and for how many of them it counts as silent.
func (b *bells) count(at bell) rung {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.at[at]; n != nil {
		return *n
	}
	return rung{}
}

// bellOf is the bell of a registration.
func bellOf(dev tel.DeviceID, b registrar.Binding) bell { return bell{dev, b.Contact.String()} }

// rings tells whether something may still ring at a phone, whichever of its flows carried it.
func (o *Office) rings(dev tel.DeviceID, flows []registrar.Binding) bool {
	return slices.ContainsFunc(flows, func(b registrar.Binding) bool { return o.bells.count(bellOf(dev, b)).open > 0 })
}

// Silent reports that a registered phone has not answered a call which was taken back, not even with what ends
// it. It is until it does, or until the transaction is dead (RFC 3261 section 17.1.1.2, Timer B).
func (o *Office) Silent(dev tel.DeviceID, b registrar.Binding) bool {
	return o.bells.count(bellOf(dev, b)).silent > 0
}

// WhenQuiet implements part of call.Dialer.
func (o *Office) WhenQuiet(devs []tel.DeviceID, fn func()) { o.bells.whenQuiet(devs, fn) }

// restoreBell counts what an earlier process has ringing; live is false for what it has cancelled already.
// The call's name of a carrier's number is no device and harms nobody.
func (o *Office) restoreBell(s *dialog.Session, live bool) *ring {
	req := s.Request()
	if s.Incoming() || req == nil || req.To() == nil {
		return nil
	}
	r := o.bells.begin(bell{tel.DeviceID(req.To().Address.User), req.Recipient.String()})
	if !live {
		r.withdrawn()
	}
	s.Cleared(r.end)
	return r
}
