package party

import (
	"net/netip"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// calm is how long a call that a restart found is left alone: trunks have to learn first how they are
// seen.
const calm = 10 * time.Second

// moveLimit is when a re-INVITE of ours is over at the latest, whatever was lost of it.
const moveLimit = 2 * time.Minute

// move is the re-INVITE with which a leg tells the other end a new address of ours.
type move struct {
	begun   time.Time // zero: none is under way
	to      sdp.Local // our side, if the other end agrees
	port    uint16    // of our Contact in it
	told    uint16    // the port of our Contact that the other end knows; 0: not looked at yet
	refused netip.AddrPort
	from    time.Time // not earlier
}

// Mover is a call that is up and whose other end sends to an address that is no longer ours.
type Mover interface {
	// Moved sends the other end the new address in SDP and Contact, and the port of the latter
	// (RFC 3261 section 14). It does not wait.
	Moved(to netip.AddrPort)
}

// Displaced finds the calls whose SDP names another address than it would now, or whose Contact
// another port, as after a restart of the router, with both. A call whose other end has refused them
// is left alone until there are others.
func (o *Office) Displaced() map[Mover]netip.AddrPort {
	o.mu.RLock()
	all := make([]*leg, 0, len(o.answered))
	for l := range o.answered {
		all = append(all, l)
	}
	o.mu.RUnlock()
	found := map[Mover]netip.AddrPort{}
	for _, l := range all {
		if to := l.present(); l.displaced(to) {
			found[l] = to
		}
	}
	return found
}

// up is called with the leg's mu held.
func (o *Office) up(l *leg) {
	if l.ended {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answered[l] = true
}

func (o *Office) down(l *leg) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.answered, l)
	delete(o.later, l.label)
}

// present is the address that our SDP would name now, with the port of our Contact; invalid while no
// way leads to the other end.
func (l *leg) present() netip.AddrPort {
	a := l.o.cfg.Advertise(l.talk().Flow())
	if a.IsUnspecified() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a, l.talk().ContactPort())
}

func (l *leg) displaced(to netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.move.told == 0 && !time.Now().Before(l.move.from) {
		l.move.told = to.Port()
	}
	return l.mayMove(to)
}

// mayMove is called with mu held.
func (l *leg) mayMove(to netip.AddrPort) bool {
	free := !l.busy()
	elsewhere := to.Addr() != l.local.Addr || to.Port() != l.move.told
	return free && elsewhere && !l.ended && to.Addr().IsValid() && to != l.move.refused && !time.Now().Before(l.move.from)
}

// Moved implements Mover.
func (l *leg) Moved(to netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.mayMove(to) {
		return
	}
	l.move.begun, l.move.to, l.move.port = time.Now(), l.local, to.Port()
	l.move.to.Addr = to.Addr()
	l.move.to.Last = sdp.Offer(l.move.to)
	l.o.cfg.Log.Info("our address changed during a call", "party", l.Party(), "was", netip.AddrPortFrom(l.local.Addr, l.move.told), "now", to)
	l.talk().Reoffer(l.move.to.Last)
}

// settle has an answer of ours name the address of now. It is called with mu held.
func (l *leg) settle() {
	to := l.present()
	if !to.Addr().IsValid() {
		return
	}
	l.move.told = to.Port()
	if to.Addr() != l.local.Addr {
		l.local.Addr = to.Addr()
		l.readvertise(to.Addr())
	}
}

// moved takes the end of our re-INVITE.
func (l *leg) moved(e dialog.ReofferDone) {
	if held, ok := l.arrived(e); ok {
		l.tell(call.LegEvent{Kind: call.LegHeld, Held: held})
	}
}

// arrived reports whether the other end agreed, and whether it holds the call. After 491 its own offer
// came first: our answer to that named the new address, or Displaced finds the call again.
func (l *leg) arrived(e dialog.ReofferDone) (held, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.move.begun.IsZero() {
		return false, false
	}
	to, port := l.move.to, l.move.port
	l.move.begun, l.move.to = time.Time{}, sdp.Local{}
	switch {
	case e.Status == 491:
		return false, false
	case e.Status != 200:
		l.move.refused = netip.AddrPortFrom(to.Addr, port)
		l.o.cfg.Log.Warn("our new address was refused: audio may stop", "party", l.Party(), "status", e.Status)
		return false, false
	}
	l.local, l.move.told = to, port
	l.readvertise(to.Addr)
	answer, err := sdp.Parse(e.SDP)
	if err != nil {
		l.o.cfg.Log.Warn("the answer to our new address cannot be read", "party", l.Party(), "err", err)
		return false, false
	}
	m, err := sdp.Accept(to, answer)
	if err == nil {
		err = l.agree(m)
	}
	if err != nil {
		l.o.cfg.Log.Warn("the answer to our new address cannot be used", "party", l.Party(), "err", err)
		return false, false
	}
	return !m.Direction.Sends(), true
}

// readvertise has a restart know the address that the other end knows.
func (l *leg) readvertise(to netip.Addr) {
	if err := l.audio.Readvertise(to); err != nil {
		l.o.cfg.Log.Warn("a restart would not know our new address", "party", l.Party(), "err", err)
	}
}

// Reflected tells the trunks that the other end of a flow sees the box at another address than before.
func (o *Office) Reflected(f stack.Flow, at netip.AddrPort) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, t := range o.trunks {
		t.Reflected(f, at)
	}
}
