package registrar

import (
	"net/netip"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// Strangers from outside who ask by UDP may be forged: what is sent to them goes to whoever's address
// stands on the datagram. No honest phone is among them, since from outside phones log in by TLS; so
// few answers a second are enough, for a technician to see that somebody is here.
const (
	strangerRate, strangerBurst   = 5, 20   // answers per second to one source, and at once
	strangersRate, strangersBurst = 50, 200 // to all together
)

// replies bounds the answers to strangers who may be forged.
type replies struct{ each, all *rates }

func newReplies() replies {
	return replies{newRates(strangerRate, strangerBurst), newRates(strangersRate, strangersBurst)}
}

func (r replies) allow(src netip.Addr, now time.Time) bool {
	return r.each.allow(src, now) && r.all.allow(netip.Addr{}, now)
}

// Screen answers requests that need a password and whose sender has not answered a challenge yet,
// before anything is kept of them; nil = the request goes on, to Register or Authenticate. It may be
// called from any goroutine and does not block.
func (r *Registrar) Screen(req *sip.Request, flow stack.Flow) *stack.Refusal {
	switch req.Method {
	case sip.REGISTER, sip.INVITE, sip.SUBSCRIBE, sip.MESSAGE, sip.PUBLISH, sip.REFER:
	default:
		return nil
	}
	user, ok := sender(req)
	if !ok {
		return nil // malformed: those whose business it is say how
	}
	lan := r.cfg.LAN(flow.Remote.Addr().Unmap())
	now := time.Now()
	_, no := r.gate.screen(req, flow, user, now)
	if no.status == 0 {
		return nil
	}
	from := flow.Remote.Addr().Unmap()
	if flow.Transport == "udp" && !lan && !r.Known(flow.Remote) && !r.reply.allow(from, now) {
		r.count.silent.Add(1)
		return &stack.Refusal{}
	}
	if req.Method == sip.REGISTER {
		r.count.registers.Add(1)
		if !r.rate.allow(from, now) {
			r.count.shed.Add(1)
			no = admission{status: sip.StatusServiceUnavailable, reason: "Busy", challenge: busy().headers}
		}
	}
	if no.status == sip.StatusBadRequest {
		r.count.malformed.Add(1)
	}
	return &stack.Refusal{Status: no.status, Reason: no.reason, Headers: no.challenge}
}
