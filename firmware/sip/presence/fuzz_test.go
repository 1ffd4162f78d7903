package presence

import (
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/presence/core"
	"github.com/pronto-pbx/pronto/firmware/sip/registrar"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Whatever a phone puts into the headers of a SUBSCRIBE: what is accepted makes a NOTIFY that can be
// read again with the same dialog, and comes back the same from the journal.
func FuzzSubscribe(f *testing.F) {
	f.Add(newPhone("202").text("SUBSCRIBE", "201", "", "Event: dialog;id=7", "Expires: 600", "Record-Route: <sip:192.0.2.9;lr>, <sip:192.0.2.8:5080;lr>"))
	f.Add(newPhone("202").text("SUBSCRIBE", "*41%23", "", "o: message-summary", "Accept: application/*", "Record-Route: <sip:strict.example>"))
	f.Add(strings.Replace(newPhone("202").text("SUBSCRIBE", "201", "", "Event: reg"), `"Anna"`, `"An\"na \\ <x>"`, 1))
	f.Add(strings.ReplaceAll(newPhone("202").text("SUBSCRIBE", "201", "", "Event: presence", "Accept: */*"), "192.0.2.50", "[2001:db8::1]"))
	s := &Server{cfg: Config{Stack: &network{dead: map[stack.Flow]bool{}}, Phones: &book{bindings: map[tel.DeviceID][]registrar.Binding{}}, Watch: func(tel.DeviceID, Package, string) (string, int) { return "", 0 }}}
	s.cfg.setDefaults()
	s.facts, s.inbox = newFacts(), newInbox()
	o := newOwner(s)
	f.Fuzz(func(t *testing.T, text string) {
		msg, err := sip.NewParser().ParseSIP([]byte(text))
		req, ok := msg.(*sip.Request)
		if err != nil || !ok || req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil {
			return // the dialog room does not pass it on
		}
		w, no := s.readSubscribe(req)
		if no != nil {
			return
		}
		w.Flow = lanFlow
		sub := &subscription{ID: "ours", Package: w.pkg, EventID: w.eventID, User: w.user, Resource: w.user, Watcher: "202", path: w.path, place: -1}
		value, err := encode(sub)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decode(value)
		if err != nil {
			t.Fatalf("%v\n%s", err, value)
		}
		if again, _ := encode(back); string(again) != string(value) {
			t.Fatalf("%s\n%s", value, again)
		}
		n := core.Notify{CSeq: 1, Left: 60e9}
		out, err := o.request(sub, n, o.document(sub, n))
		if err != nil {
			t.Fatal(err)
		}
		out.PrependHeader(&sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "UDP", Host: "192.0.2.1", Params: sip.NewParams()})
		read, err := sip.NewParser().ParseSIP([]byte(out.String()))
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		notify := read.(*sip.Request)
		if notify.CallID() == nil || notify.CallID().Value() != w.CallID || tagOf(notify.To().Params) != w.RemoteTag || tagOf(notify.From().Params) != "ours" || len(notify.GetHeaders("event")) != 1 {
			t.Errorf("another dialog:\n%s", notify)
		}
	})
}
