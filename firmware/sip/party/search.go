package party

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// patience is how long a carrier's server may say nothing at all before another one is asked. The
// INVITE has gone out four times by then (RFC 3261 section 17.1.1.2, Timer A).
const patience = 6 * time.Second

// search is a call out on its way to a server of the carrier that takes it (RFC 3263 section 4.3): as
// long as nobody rings the leg may change its session. It is guarded by the leg's mu.
type search struct {
	req   dialog.InviteRequest
	tried []stack.Flow
	heard bool        // the server has said something
	over  bool        // it is a server's call now, or given up
	clock *time.Timer // patience
}

// ask sends the INVITE and makes its session the leg's. It is called with mu held, which holds back the
// first event until the session is known. What comes from an earlier session is not heard any more.
func (l *leg) ask(req dialog.InviteRequest) error {
	try := len(l.search.tried)
	req.Events = func(e dialog.Event) {
		l.mu.Lock()
		stale := len(l.search.tried) != try+1
		l.mu.Unlock()
		if !stale {
			l.notice(e)
		}
	}
	s, err := l.o.ua.Invite(req)
	if err != nil {
		return err
	}
	l.current.Store(s)
	if l.isPhone() {
		s.Cleared(func() {
			l.ring.end() // first: the queue may offer again when it hears that all is quiet
			l.tell(call.LegEvent{Kind: call.LegQuiet})
		})
	}
	l.search.req, l.search.heard = req, false
	l.search.tried = append(l.search.tried, req.Flow)
	if l.carried.trunk != nil {
		l.search.clock = time.AfterFunc(patience, func() { l.impatient(try + 1) })
	}
	return nil
}

// found takes note that the server is there, and with the first ringing that it has the call.
func (l *leg) found(status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.search.heard = true
	if status > 100 {
		l.search.over = true
	}
	l.wait()
}

// stay ends the search.
func (l *leg) stay() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.search.over = true
	l.wait()
}

// wait stops the clock. It is called with mu held.
func (l *leg) wait() {
	if l.search.clock != nil {
		l.search.clock.Stop()
	}
}

// impatient asks another server when the one that was asked in this try has said nothing.
func (l *leg) impatient(try int) {
	l.mu.Lock()
	silent := l.session()
	moved := len(l.search.tried) == try && !l.search.heard && l.next()
	l.mu.Unlock()
	if moved {
		silent.Hangup(tel.CauseTimeout)
		l.passedOver(trunk.Outcome{})
	}
}

// elsewhere asks another server after one that is out of service or could not be reached.
func (l *leg) elsewhere(e dialog.Rejected) bool {
	l.mu.Lock()
	moved := (e.Status == 503 || e.Status == 408 && !l.search.heard) && l.next()
	l.mu.Unlock()
	if moved {
		l.passedOver(trunk.Outcome{Status: e.Status, Q850: e.Q850, Text: e.Reason})
	}
	return moved
}

func (l *leg) passedOver(o trunk.Outcome) {
	l.o.cfg.Log.Info("another server of the carrier is asked", "party", l.Party(), "status", o.Status)
	l.carried.trunk.Observe(o)
}

// next asks the next server, if there is one and the call is still wanted. It is called with mu held.
func (l *leg) next() bool {
	if l.carried.trunk == nil || l.search.over || l.ended {
		return false
	}
	flow, ok := l.carried.trunk.Another(l.search.tried)
	if !ok {
		return false
	}
	l.wait()
	req := l.search.req
	req.CallID, req.Label, req.Flow = "", l.label, flow
	if a := l.o.cfg.Advertise(flow); a.IsValid() && a != l.local.Addr {
		l.local.Addr, l.local.Last = a, nil
		req.SDP = sdp.Offer(l.local)
		l.local.Last = req.SDP
		l.readvertise(a)
	}
	if err := l.ask(req); err != nil {
		l.o.cfg.Log.Warn("another server of the carrier cannot be asked", "party", l.Party(), "err", err)
		return false
	}
	l.o.moved(l)
	return true
}

// moved remembers the session of a leg that is not named after it.
func (o *Office) moved(l *leg) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if id := l.session().ID(); id != l.label {
		o.later[l.label] = id
	}
}

// sessionOf is the id of the session of a leg.
func (o *Office) sessionOf(label string) string {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if id, ok := o.later[label]; ok {
		return id
	}
	return label
}

// survived keeps what an earlier process left. When it died between two servers both sessions have the
// label, and the later one counts: the other is hung up by Forget. It is called with mu held.
func (o *Office) survived(v *survivor) {
	label := v.session.Label()
	if other := o.restored[label]; other != nil {
		if v.session.ID() == label {
			v, other = other, v
		}
		o.restored["passed over "+other.session.ID()] = other
	}
	o.restored[label] = v
}
