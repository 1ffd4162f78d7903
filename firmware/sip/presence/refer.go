package presence

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/presence/core"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Click to dial (RFC 5359 section 2.18): a phone, or the program beside it, asks by a REFER outside of
// any call that its person be connected with a number. The REFER makes a subscription (RFC 3515
// section 2.4.4) like every other one here; what it tells is how far the call is.

// Referrals is the package of the subscriptions that a REFER makes; nobody can ask for one.
const Referrals Package = "refer"

const (
	referralLife = 5 * time.Minute // as long as both ends may ring one after the other, with room to spare
	referralsOf  = 4               // under way of one phone
)

// Clicked is a REFER that asks for a call.
type Clicked struct {
	Call   tel.CallID   // names the call in SetProgress
	Device tel.DeviceID // who asks, proved by a password
	User   string       // whose phones shall ring: the user part of the request line
	Number tel.Number   // of the Refer-To
	Silent bool         // no SetProgress is wanted (RFC 4488)
}

// progress is how far a call is that a REFER has asked for: the status line of a message/sipfrag (RFC
// 3420).
type progress struct {
	Status int  `json:"status,omitempty"`
	Final  bool `json:"final,omitempty"`
}

// SetProgress says how far a call of Config.Call is; after final there is no more. It never blocks.
func (s *Server) SetProgress(c tel.CallID, status int, final bool) {
	s.state(Referrals, string(c), func(f *facts) bool {
		f.progress[string(c)] = progress{status, final}
		return true
	})
}

// setProgress notes it without telling anybody.
func (f *facts) setProgress(resource string, p progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.progress[resource] = p
}

// progressOf is how far a call is; known is false for one of which nothing is heard.
func (f *facts) progressOf(resource string) (p progress, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, known = f.progress[resource]
	return p, known
}

// forgetProgress lets a call go that nobody asks after.
func (f *facts) forgetProgress(resource string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.progress, resource)
}

// refer checks a REFER and hands it to the owner.
func (s *Server) refer(tx Transaction, dev tel.DeviceID) *refusal {
	req := tx.Request()
	if s.cfg.Call == nil {
		return refuse(sip.StatusForbidden, reasonOf(sip.StatusForbidden))
	}
	if tagOf(req.To().Params) != "" {
		return refuse(sip.StatusCallTransactionDoesNotExists, "Call Does Not Exist")
	}
	r, silent, err := dialog.ReadRefer(req)
	if err != nil {
		return refuse(sip.StatusBadRequest, "Malformed Refer-To")
	}
	if r.Replaces != nil { // another call is transferred from within it
		return refuse(sip.StatusForbidden, reasonOf(sip.StatusForbidden))
	}
	number, err := dialog.NumberOf(r.ReferTo)
	if err != nil {
		return refuse(sip.StatusNotFound, reasonOf(sip.StatusNotFound))
	}
	w, no := readPath(req)
	if no != nil {
		return no
	}
	w.Flow = tx.Flow()
	var ok bool
	if w.user, ok = userOf(req); !ok {
		return refuse(sip.StatusNotFound, reasonOf(sip.StatusNotFound))
	}
	c := Clicked{Device: dev, User: w.user, Number: number, Silent: silent}
	if !s.inbox.put(func(o *owner) { o.refer(tx, c, w) }, mailboxLimit) {
		return busy()
	}
	return nil
}

// refer is the owner's part: the subscription is kept before the phones ring.
func (o *owner) refer(tx Transaction, c Clicked, w wish) {
	for _, sub := range o.calls[w.CallID] {
		if sub.Package == Referrals && sub.RemoteTag == w.RemoteTag && sub.Watcher == c.Device && sub.State.Heard == w.cseq {
			o.answer(sub, tx, core.Answer{Status: sip.StatusOK}) // the process has died before our answer left
			return
		}
	}
	if wait := o.clicks.spend(c.Device, time.Now()); wait > 0 {
		o.s.refuse(tx, refuse(sip.StatusTemporarilyUnavailable, "Too Many Calls", retryIn(wait)))
		return
	}
	c.Call = tel.NewCallID()
	if c.Silent {
		o.silently(tx, c)
		return
	}
	under := 0
	for _, sub := range o.subs {
		if sub.Package == Referrals && sub.Watcher == c.Device {
			under++
		}
	}
	if under >= referralsOf || len(o.subs) >= o.s.cfg.Total {
		o.s.refuse(tx, busy())
		return
	}
	sub := &subscription{
		ID: rand.Text(), Package: Referrals, User: w.user, Resource: string(c.Call), Watcher: c.Device, path: w.path, place: -1,
		Progress: progress{Status: 100},
	}
	o.add(sub)
	o.keep(sub)
	if status := o.s.cfg.Call(c); status != 0 {
		o.drop(sub)
		o.s.refuse(tx, refuse(status, reasonOf(status)))
		return
	}
	o.feed(sub, core.Subscribe{CSeq: w.cseq, Lasts: referralLife}, tx)
}

// silently begins a call of which nobody wants to hear more (RFC 4488 section 4).
func (o *owner) silently(tx Transaction, c Clicked) {
	if status := o.s.cfg.Call(c); status != 0 {
		o.s.refuse(tx, refuse(status, reasonOf(status)))
		return
	}
	res := sip.NewResponseFromRequest(tx.Request(), sip.StatusAccepted, "Accepted", nil)
	res.AppendHeader(sip.NewHeader("Refer-Sub", "false"))
	res.AppendHeader(o.contact(c.User, tx.Flow()))
	o.s.respond(tx, res)
}

// progressed tells a referrer what is new; the end of the call ends the subscription (RFC 3515 section
// 2.4.7).
func (o *owner) progressed(sub *subscription) {
	p, known := o.s.facts.progressOf(sub.Resource)
	if !known {
		return
	}
	sub.Progress = p
	if p.Final {
		o.feed(sub, core.Terminate{Reason: core.NoResource}, nil)
		return
	}
	o.feed(sub, core.Change{}, nil)
}

// followed takes up the subscription of a REFER after a restart. A call that has not survived it is over.
func (o *owner) followed(sub *subscription) {
	if _, known := o.s.facts.progressOf(sub.Resource); !known && !sub.Progress.Final {
		o.s.facts.setProgress(sub.Resource, progress{sip.StatusServiceUnavailable, true})
	}
	o.progressed(sub)
}

// fragment is a message/sipfrag of the status line alone.
func fragment(p progress) []byte {
	return fmt.Appendf(nil, "SIP/2.0 %d %s\r\n", p.Status, dialog.Reason(p.Status))
}
