package presence

import (
	"crypto/rand"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/presence/document"
	"github.com/pronto-pbx/pronto/firmware/sip/registrar"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// unsolicited tells the phones of a mailbox that have not asked.
func (o *owner) unsolicited(resource string) {
	if !o.s.cfg.Unsolicited() {
		return
	}
	for _, dev := range o.s.cfg.Owners(resource) {
		o.pushMessages(dev, resource)
	}
}

// greet tells a phone that has just come, and has not asked, of its mailbox.
func (o *owner) greet(dev tel.DeviceID) {
	if !o.s.cfg.Unsolicited() {
		return
	}
	if resource := o.s.cfg.Mailbox(dev); resource != "" {
		o.pushMessages(dev, resource)
	}
}

// pushMessages sends a message summary outside of any subscription to each contact of a phone. The
// phone's answer changes nothing: the next change is sent all the same.
func (o *owner) pushMessages(dev tel.DeviceID, resource string) {
	m, known := o.s.facts.messagesOf(resource)
	if !known {
		return
	}
	for _, sub := range o.topics[topic{Messages, resource}] {
		if sub.Watcher == dev {
			return // it asks, and so it is told
		}
	}
	for _, b := range o.s.cfg.Phones.Bindings(dev) {
		if !b.Reachable || !o.s.cfg.Stack.Alive(b.Flow) {
			continue
		}
		host := hostPort(o.s.cfg.Stack.Contact(b.Flow))
		req := o.outside(sip.NOTIFY, b, document.URI(resource, host), "")
		req.AppendHeader(o.contact(resource, b.Flow))
		req.AppendHeader(sip.NewHeader("Event", string(Messages)))
		req.AppendHeader(sip.NewHeader("Subscription-State", "terminated;reason=noresource"))
		kind := sip.ContentTypeHeader(document.SummaryType)
		req.AppendHeader(&kind)
		req.SetBody(document.Summary(document.Watched{Number: resource, Host: host}, m))
		if _, err := o.s.cfg.Stack.Request(req, b.Flow, func(stack.Result) {}); err != nil {
			o.s.cfg.Log.Debug("messages not told", "device", dev, "err", err)
			continue
		}
		o.s.count.notified.Add(1)
	}
}

// outside is a request to a phone that belongs to no dialog.
func (o *owner) outside(method sip.RequestMethod, b registrar.Binding, from, name string) *sip.Request {
	req := sip.NewRequest(method, *b.Contact.Clone())
	for i := range b.Path {
		req.AppendHeader(&sip.RouteHeader{Address: *b.Path[i].Clone()})
	}
	us := &sip.FromHeader{DisplayName: quoted(name), Params: sip.HeaderParams{{K: "tag", V: rand.Text()[:16]}}}
	_ = sip.ParseUri(from, &us.Address) // document.URI writes what can be read
	id := sip.CallIDHeader(rand.Text())
	req.AppendHeader(us)
	req.AppendHeader(&sip.ToHeader{Address: *b.Contact.Clone()})
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: method})
	return req
}

// quoted escapes a display name for the inside of a quoted-string (RFC 3261 section 25.1).
func quoted(s string) string {
	var out []rune
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', r)
		case r >= ' ' && r != 0x7f:
			out = append(out, r)
		}
	}
	return string(out)
}
