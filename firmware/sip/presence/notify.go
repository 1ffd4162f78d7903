package presence

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/presence/core"
	"github.com/pronto-pbx/pronto/firmware/sip/presence/document"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// document writes the present state for a watcher and notes what it named.
func (o *owner) document(sub *subscription, n core.Notify) []byte {
	of := document.Watched{Number: sub.Resource, Name: o.s.cfg.Name(sub.Resource), Host: o.host(sub)}
	switch sub.Package {
	case Referrals:
		return fragment(sub.Progress)
	case Dialogs:
		list := o.s.facts.dialogsOf(sub.Resource)
		gone := slices.DeleteFunc(slices.Clone(sub.Reported), func(id string) bool {
			return slices.ContainsFunc(list, func(d Dialog) bool { return d.ID == id })
		})
		sub.Reported = document.Alive(list)
		of.Number = sub.User // as the phone knows its key
		return document.DialogInfo(of, n.Version, list, gone)
	case Messages:
		m, _ := o.s.facts.messagesOf(sub.Resource)
		return document.Summary(of, m)
	case Presences:
		of.Number = sub.User
		return document.PIDF(of, o.s.facts.presenceOf(sub.Resource))
	default:
		list := o.contacts(tel.DeviceID(sub.Resource))
		sub.Reported = contactIDs(list)
		return document.RegInfo(of, n.Version, list)
	}
}

// host is what the watcher calls the box: the URIs of its document can be compared with its keys,
// and called.
func (o *owner) host(sub *subscription) string {
	var u sip.Uri
	if _, err := sip.ParseAddressValue(sub.Local, &u, nil); err == nil && u.Host != "" {
		return hostPort(u.Host, u.Port)
	}
	return hostPort(o.s.cfg.Stack.Contact(sub.Flow))
}

// hostPort leaves the usual port out.
func hostPort(host string, port int) string {
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	if port != 0 && port != 5060 {
		host += ":" + strconv.Itoa(port)
	}
	return host
}

// contacts are a phone's registrations.
func (o *owner) contacts(dev tel.DeviceID) []document.Contact {
	var list []document.Contact
	now := time.Now()
	for _, b := range o.s.cfg.Phones.Bindings(dev) {
		h := fnv.New64a()
		_, _ = h.Write([]byte(b.Contact.String() + b.Instance + b.CallID)) // a hash does not fail
		list = append(list, document.Contact{
			ID: strconv.FormatUint(h.Sum64(), 36), URI: b.Contact.String(), CallID: b.CallID, CSeq: b.CSeq, Left: b.Expires.Sub(now),
		})
	}
	return list
}

func contactIDs(list []document.Contact) []string {
	var ids []string
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	return ids
}

// answer is the response to a SUBSCRIBE or REFER: 200 (202) makes the dialog (RFC 6665 section 4.4.1).
func (o *owner) answer(sub *subscription, tx Transaction, a core.Answer) {
	if tx == nil {
		return
	}
	if a.Status != sip.StatusOK {
		o.s.refuse(tx, refuse(a.Status, reasonOf(a.Status)))
		return
	}
	res := sip.NewResponseFromRequest(tx.Request(), sip.StatusOK, "OK", nil)
	if tx.Request().Method == sip.REFER {
		res.StatusCode, res.Reason = sip.StatusAccepted, "Accepted"
	} else {
		res.AppendHeader(sip.NewHeader("Expires", strconv.FormatInt(int64(a.Lasts/time.Second), 10)))
	}
	to := res.To()
	to.Params.Remove("tag")
	to.Params.Add("tag", sub.ID)
	res.AppendHeader(o.contact(sub.User, tx.Flow()))
	res.AppendHeader(allowEvents())
	o.s.respond(tx, res)
}

// contact is our address on a flow.
func (o *owner) contact(user string, f stack.Flow) *sip.ContactHeader {
	host, port := o.s.cfg.Stack.Contact(f)
	c := &sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: document.User(user), Host: host, Port: port}}
	if f.Transport != "udp" {
		c.Address.UriParams = sip.HeaderParams{{K: "transport", V: f.Transport}}
	}
	return c
}

// notify sends one NOTIFY (RFC 6665 section 4.2.2); false when it cannot be sent.
func (o *owner) notify(sub *subscription, n core.Notify, body []byte) bool {
	sub.Flow = o.flow(sub)
	req, err := o.request(sub, n, body)
	if err == nil {
		inbox, id, cseq := o.s.inbox, sub.ID, n.CSeq
		_, err = o.s.cfg.Stack.Request(req, sub.Flow, func(r stack.Result) {
			if r.Err == nil && r.Response.IsProvisional() {
				return
			}
			inbox.put(func(o *owner) { o.answered(id, cseq, r) }, 0)
		})
	}
	if err != nil {
		o.s.cfg.Log.Info("NOTIFY not sent", "device", sub.Watcher, "package", sub.Package, "err", err)
		return false
	}
	o.s.count.notified.Add(1)
	return true
}

func (o *owner) answered(id string, cseq uint32, r stack.Result) {
	sub := o.subs[id]
	switch {
	case sub == nil:
	case r.Err != nil:
		o.lost(sub, cseq)
	default:
		// A 401 or 407 ends the subscription: no password is ever told to a phone.
		o.outcome(sub, core.Answered{CSeq: cseq, Status: r.Response.StatusCode, RetryAfter: retryAfter(r.Response)})
	}
}

// flow is the way to the watcher: that of its last SUBSCRIBE, or, when that connection is gone, the
// one by which the same phone has registered anew.
func (o *owner) flow(sub *subscription) stack.Flow {
	if o.s.cfg.Stack.Alive(sub.Flow) {
		return sub.Flow
	}
	var alive []stack.Flow
	for _, b := range o.s.cfg.Phones.Bindings(sub.Watcher) {
		if !o.s.cfg.Stack.Alive(b.Flow) {
			continue
		}
		if b.Contact.String() == sub.Target {
			return b.Flow
		}
		alive = append(alive, b.Flow)
	}
	if len(alive) == 1 {
		return alive[0]
	}
	return sub.Flow
}

// request is a NOTIFY within the subscription's dialog (RFC 3261 section 12.2.1.1).
func (o *owner) request(sub *subscription, n core.Notify, body []byte) (*sip.Request, error) {
	var uri sip.Uri
	if err := sip.ParseUri(sub.Target, &uri); err != nil {
		return nil, fmt.Errorf("remote target: %w", err)
	}
	set := make([]sip.Uri, len(sub.Routes))
	for i, r := range sub.Routes {
		if err := sip.ParseUri(r, &set[i]); err != nil {
			return nil, fmt.Errorf("route set: %w", err)
		}
	}
	if len(set) > 0 && !set[0].UriParams.Has("lr") { // a strict router wants to be the request line itself
		uri, set = set[0], append(set[1:], uri)
	}
	req := sip.NewRequest(sip.NOTIFY, uri)
	for _, r := range set {
		req.AppendHeader(&sip.RouteHeader{Address: r})
	}
	from, to := &sip.FromHeader{}, &sip.ToHeader{}
	var err error
	if from.DisplayName, err = sip.ParseAddressValue(sub.Local, &from.Address, &from.Params); err != nil {
		return nil, fmt.Errorf("local party: %w", err)
	}
	if to.DisplayName, err = sip.ParseAddressValue(sub.Remote, &to.Address, &to.Params); err != nil {
		return nil, fmt.Errorf("remote party: %w", err)
	}
	from.Params.Add("tag", sub.ID)
	to.Params.Add("tag", sub.RemoteTag)
	id := sip.CallIDHeader(sub.CallID)
	req.AppendHeader(from)
	req.AppendHeader(to)
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: n.CSeq, MethodName: sip.NOTIFY})
	req.AppendHeader(o.contact(sub.User, sub.Flow))
	event := string(sub.Package)
	if sub.EventID != "" {
		event += ";id=" + sub.EventID
	}
	req.AppendHeader(sip.NewHeader("Event", event))
	req.AppendHeader(sip.NewHeader("Subscription-State", substate(n)))
	req.AppendHeader(allowEvents())
	kind := sip.ContentTypeHeader(sub.Package.mediaType())
	if sub.Package == Referrals {
		kind += ";version=2.0" // RFC 3420 section 7
	}
	req.AppendHeader(&kind)
	req.SetBody(body)
	return req, nil
}

// substate is the value of Subscription-State (RFC 6665 section 8.2.3).
func substate(n core.Notify) string {
	if n.Reason != "" {
		return "terminated;reason=" + string(n.Reason)
	}
	return "active;expires=" + strconv.FormatInt(int64((n.Left+time.Second-1)/time.Second), 10)
}
