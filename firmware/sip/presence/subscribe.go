package presence

import (
	"crypto/rand"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/presence/core"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// allowEvents lists what can be subscribed to (RFC 6665 section 8.2.2).
func allowEvents() sip.Header {
	return sip.NewHeader("Allow-Events", "dialog, message-summary, presence, reg, refer")
}

// wish is a SUBSCRIBE reduced to what it asks for. In a subscription that exists only cseq, lasts,
// target and flow count.
type wish struct {
	tag     string // of the subscription; empty: a new one
	pkg     Package
	eventID string
	user    string // the number asked for
	cseq    uint32
	lasts   time.Duration
	path
}

// path is what a NOTIFY needs to reach its watcher.
type path struct {
	CallID    string     `json:"call_id"`
	RemoteTag string     `json:"remote_tag"`
	Local     string     `json:"local"`  // name-addr of To, without its tag
	Remote    string     `json:"remote"` // name-addr of From, without its tag
	Target    string     `json:"target"`
	Routes    []string   `json:"routes,omitempty"`
	Flow      stack.Flow `json:"flow"`
}

// subscribe checks a SUBSCRIBE and hands it to the owner.
func (s *Server) subscribe(tx Transaction, dev tel.DeviceID) *refusal {
	w, no := s.readSubscribe(tx.Request())
	if no != nil {
		return no
	}
	w.Flow = tx.Flow()
	resource := ""
	if w.tag == "" {
		if w.pkg == Referrals { // only a REFER makes one (RFC 3515 section 2.4.4)
			return refuse(sip.StatusForbidden, reasonOf(sip.StatusForbidden))
		}
		var status int
		if resource, status = s.cfg.Watch(dev, w.pkg, w.user); status != 0 {
			return refuse(status, reasonOf(status))
		}
	}
	if !s.inbox.put(func(o *owner) { o.subscribe(tx, dev, resource, w) }, mailboxLimit) {
		return busy()
	}
	return nil
}

// readSubscribe checks the form of a SUBSCRIBE (RFC 6665 section 4.2.1).
func (s *Server) readSubscribe(req *sip.Request) (wish, *refusal) {
	w, no := readPath(req)
	if no != nil {
		return w, no
	}
	var ok bool
	if w.pkg, w.eventID, ok = event(req); !ok || w.pkg.mediaType() == "" {
		return w, refuse(489, "Bad Event", allowEvents())
	}
	if !accepts(req, w.pkg.mediaType()) {
		return w, refuse(sip.StatusNotAcceptable, "Not Acceptable", sip.NewHeader("Accept", w.pkg.mediaType()))
	}
	if w.lasts, ok = seconds(req, "expires"); !ok {
		w.lasts = s.cfg.MaxExpires
	}
	if w.lasts = min(w.lasts, s.cfg.MaxExpires); w.lasts > 0 && w.lasts < s.cfg.MinExpires {
		least := strconv.Itoa(int(s.cfg.MinExpires / time.Second))
		return w, refuse(sip.StatusIntervalToBrief, "Interval Too Brief", sip.NewHeader("Min-Expires", least))
	}
	if w.user, ok = userOf(req); !ok && w.tag == "" {
		return w, refuse(sip.StatusNotFound, "Not Found")
	}
	return w, nil
}

// readPath reads how who sends a request is reached in the dialog that it makes, or is of.
func readPath(req *sip.Request) (w wish, no *refusal) {
	var ok bool
	bad := func(what string) (wish, *refusal) { return w, refuse(sip.StatusBadRequest, what) }
	if w.Target, ok = target(req); !ok {
		return bad("Malformed Or Missing Contact")
	}
	if w.Routes, ok = routes(req); !ok {
		return bad("Malformed Record-Route")
	}
	from, to := req.From(), req.To()
	w.tag, w.RemoteTag, w.CallID, w.cseq = tagOf(to.Params), tagOf(from.Params), req.CallID().Value(), req.CSeq().SeqNo
	if w.RemoteTag == "" || w.RemoteTag != token(w.RemoteTag) || w.CallID == "" || w.CallID != printable(w.CallID, maxText) {
		return bad("Malformed Tag Or Call-ID")
	}
	if w.Remote, ok = party(from.DisplayName, from.Address, from.Params); !ok {
		return bad("Malformed From")
	}
	if w.Local, ok = party(to.DisplayName, to.Address, to.Params); !ok {
		return bad("Malformed To")
	}
	return w, nil
}

// subscribe is the owner's part: it finds or makes the subscription.
func (o *owner) subscribe(tx Transaction, dev tel.DeviceID, resource string, w wish) {
	if w.tag != "" {
		o.refresh(tx, dev, w)
		return
	}
	o.replace(dev, w)
	o.doubt(dev, topic{w.pkg, resource}, w.eventID)
	switch {
	case len(o.subs) >= o.s.cfg.Total:
		o.s.refuse(tx, busy())
		return
	case o.watchers[dev] >= o.s.cfg.PerWatcher:
		o.s.refuse(tx, refuse(sip.StatusForbidden, "Too Many Subscriptions"))
		return
	}
	sub := &subscription{
		ID: rand.Text(), Package: w.pkg, EventID: w.eventID, User: w.user, Resource: resource, Watcher: dev, path: w.path, place: -1,
	}
	o.add(sub)
	o.feed(sub, core.Subscribe{CSeq: w.cseq, Lasts: w.lasts}, tx)
}

// replace drops what a phone asks for anew in the same call: it has not heard our answer.
func (o *owner) replace(dev tel.DeviceID, w wish) {
	for _, sub := range o.calls[w.CallID] {
		if sub.RemoteTag == w.RemoteTag && sub.Watcher == dev && sub.Package == w.pkg && sub.EventID == w.eventID {
			o.drop(sub)
		}
	}
}

// doubt asks what a phone watches already, when it asks for the same anew: a phone that was restarted
// has forgotten its subscriptions and says so by 481. Where its number of subscriptions is used up,
// the one that was told least lately is dropped at once.
func (o *owner) doubt(dev tel.DeviceID, t topic, eventID string) {
	var oldest *subscription
	for _, sub := range o.topics[t] {
		if sub.Watcher != dev || sub.EventID != eventID {
			continue
		}
		o.feed(sub, core.Change{}, nil)
		if oldest == nil || sub.State.Sent.Before(oldest.State.Sent) {
			oldest = sub
		}
	}
	if oldest != nil && o.watchers[dev] >= o.s.cfg.PerWatcher {
		o.drop(oldest)
	}
}

// refresh is a SUBSCRIBE within a subscription. Its Contact is the new target, and the path that it
// came by leads back to a phone that has moved (RFC 6665 section 4.2.1.3).
func (o *owner) refresh(tx Transaction, dev tel.DeviceID, w wish) {
	sub := o.subs[w.tag]
	if sub == nil || sub.CallID != w.CallID || sub.RemoteTag != w.RemoteTag || sub.Package != w.pkg || sub.EventID != w.eventID {
		o.s.refuse(tx, refuse(sip.StatusCallTransactionDoesNotExists, reasonOf(sip.StatusCallTransactionDoesNotExists)))
		return
	}
	if sub.Watcher != dev {
		o.s.refuse(tx, refuse(sip.StatusForbidden, "Forbidden"))
		return
	}
	if w.cseq > sub.State.Heard {
		sub.Target, sub.Flow = w.Target, w.Flow
	}
	o.feed(sub, core.Subscribe{CSeq: w.cseq, Lasts: w.lasts}, tx)
}
