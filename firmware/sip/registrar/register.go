package registrar

import (
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/ban"
	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// Transaction is what the registrar needs of a *stack.ServerTx, whose methods may be called from
// any goroutine.
type Transaction interface {
	Request() *sip.Request
	Flow() stack.Flow
	Respond(*sip.Response) error
}

// Register answers a REGISTER. It is called on the Call-ID's shard and does not block: the form
// and the password are checked here, the bindings by their owner.
func (r *Registrar) Register(tx Transaction) {
	defer func() {
		if p := recover(); p != nil {
			r.count.panics.Add(1)
			r.cfg.Log.Error("REGISTER panicked", "source", tx.Flow().Remote, "panic", p)
		}
	}()
	r.count.registers.Add(1)
	req, flow, now := tx.Request(), tx.Flow(), time.Now()
	if !r.rate.allow(flow.Remote.Addr(), now) {
		r.count.shed.Add(1)
		r.answer(tx, busy())
		return
	}
	reg, refused := readRegister(req, flow, r.cfg.STUN)
	if refused != nil {
		if refused.status == sip.StatusBadRequest {
			r.count.malformed.Add(1)
		}
		r.answer(tx, refused)
		return
	}
	who := r.gate.admit(req, flow, reg.user, now)
	if who.status != 0 {
		if who.status == sip.StatusBadRequest {
			r.count.malformed.Add(1)
		}
		r.answer(tx, &final{status: who.status, reason: who.reason, headers: who.challenge})
		return
	}
	if who.account.OwnMachine {
		r.answer(tx, &final{status: sip.StatusForbidden, reason: "Forbidden"})
		return
	}
	if !r.tell(func(o *owner) { o.register(tx, reg, who) }) {
		r.count.shed.Add(1)
		r.answer(tx, busy())
	}
}

// busy asks the phone to come again, before anything was done for it.
func busy() *final {
	return &final{
		status: sip.StatusServiceUnavailable, reason: "Busy",
		headers: []sip.Header{sip.NewHeader("Retry-After", strconv.Itoa(retryAfter))},
	}
}

// register is the owner's part: change, keep, publish, answer.
func (o *owner) register(tx Transaction, reg registration, who admission) {
	now := time.Now()
	id := who.account.Device
	lim := limits{o.r.cfg.MinExpires, o.r.cfg.MaxExpires, who.account.MaxBindings}
	if lim.maxBindings <= 0 {
		lim.maxBindings = defaultMaxBindings
	}
	var have []Binding
	if d := o.devices[id]; d != nil {
		have = d.bindings()
	}
	next, refused := apply(have, reg, tx.Flow(), who.weak, lim, now)
	if more := len(next) - len(have); refused == nil && more > 0 && o.total+more > o.r.cfg.MaxBindings {
		o.r.count.shed.Add(1)
		refused = busy()
	}
	if refused == nil && (reg.removeAll || len(reg.contacts) > 0) {
		o.set(id, next, now)
	}
	if refused == nil {
		headers := append(contactHeaders(next, now), reg.flowHeaders()...)
		headers = append(headers, reg.pathHeaders()...)
		if g := o.r.gate; g.nonces.Aging(who.nonce, now) {
			source := ban.SourceOf(tx.Flow().Remote.Addr()).String()
			headers = append(headers, sip.NewHeader("Authentication-Info",
				digest.Confirmation{NextNonce: g.nonces.Issue(now, source)}.String()))
		}
		refused = &final{status: sip.StatusOK, reason: "OK", headers: headers}
	}
	o.r.answer(tx, refused)
}

// answer sends a final response.
func (r *Registrar) answer(tx Transaction, with *final) {
	res := sip.NewResponseFromRequest(tx.Request(), with.status, with.reason, nil)
	for _, h := range with.headers {
		res.AppendHeader(h)
	}
	if err := tx.Respond(res); err != nil {
		r.cfg.Log.Debug("REGISTER answer not sent", "source", tx.Flow().Remote, "error", err)
	}
}

// contactHeaders lists every binding with what is left of its time, rounded up (RFC 3261 section
// 10.3 step 8).
func contactHeaders(list []Binding, now time.Time) []sip.Header {
	headers := make([]sip.Header, 0, len(list)+2)
	for _, b := range list {
		left := (b.Expires.Sub(now) + time.Second - 1) / time.Second
		h := &sip.ContactHeader{Address: *b.Contact.Clone()}
		h.Params = append(h.Params, sip.HeaderKV{K: "expires", V: strconv.FormatInt(int64(left), 10)})
		if b.Instance != "" {
			h.Params = append(h.Params, sip.HeaderKV{K: "+sip.instance", V: `"` + b.Instance + `"`})
		}
		if b.RegID > 0 {
			h.Params = append(h.Params, sip.HeaderKV{K: "reg-id", V: strconv.Itoa(b.RegID)})
		}
		headers = append(headers, h)
	}
	return headers
}

// pathHeaders give the phone its Path back, if it knows what that is (RFC 3327 section 5.3).
func (reg *registration) pathHeaders() []sip.Header {
	if len(reg.path) == 0 || !reg.knowsPath {
		return nil
	}
	headers := make([]sip.Header, 0, len(reg.path)+1)
	for i := range reg.path {
		headers = append(headers, sip.NewHeader("Path", "<"+reg.path[i].String()+">"))
	}
	return append(headers, sip.NewHeader("Supported", "path, outbound"))
}
