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

// Whatever a phone puts into a REFER: what is accepted names a number as people dial it, and its NOTIFY
// can be read again.
func FuzzRefer(f *testing.F) {
	f.Add(newPhone("202").text("REFER", "202", "", "Refer-To: <sip:0612345@192.0.2.1>", "Referred-By: <sip:202@192.0.2.1>"))
	f.Add(newPhone("202").text("REFER", "202", "", "r: <sip:*41%23@192.0.2.1;method=INVITE?Subject=x>", "Refer-Sub: false"))
	f.Add(newPhone("202").text("REFER", "202", "", "Refer-To: <sip:203@192.0.2.1?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>"))
	f.Add(newPhone("202").text("REFER", "202", "", "Refer-To: sip:+39%2006@192.0.2.1;user=phone", "Record-Route: <sip:192.0.2.9;lr>"))
	var accepted *Clicked
	s := &Server{cfg: Config{
		Stack: &network{dead: map[stack.Flow]bool{}}, Phones: &book{bindings: map[tel.DeviceID][]registrar.Binding{}},
		Watch: func(tel.DeviceID, Package, string) (string, int) { return "", 0 },
		Call:  func(c Clicked) int { accepted = &c; return 0 },
	}}
	s.cfg.setDefaults()
	f.Fuzz(func(t *testing.T, text string) {
		msg, err := sip.NewParser().ParseSIP([]byte(text))
		req, ok := msg.(*sip.Request)
		if err != nil || !ok || req.Method != sip.REFER || req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil {
			return // the dialog room does not pass it on
		}
		s.facts, s.inbox, accepted = newFacts(), newInbox(), nil
		o := newOwner(s)
		tx := &fakeTx{req, lanFlow, make(chan *sip.Response, 4)}
		if no := s.refer(tx, "202"); no != nil {
			if no.status < 400 || no.status > 499 {
				t.Fatalf("refused with %d", no.status)
			}
			return
		}
		for _, task := range s.inbox.take() {
			task(o)
		}
		res := <-tx.got
		if res.StatusCode != 202 || accepted == nil {
			t.Fatalf("answered with %d, call %+v", res.StatusCode, accepted)
		}
		if again, err := tel.ParseNumber(string(accepted.Number)); err != nil || again != accepted.Number {
			t.Fatalf("%q is called: %v", accepted.Number, err)
		}
		if len(o.subs) == 0 != accepted.Silent {
			t.Fatalf("%d subscriptions, silent %v", len(o.subs), accepted.Silent)
		}
		for _, sub := range o.subs {
			out, err := o.request(sub, core.Notify{CSeq: 1, Left: 60e9}, o.document(sub, core.Notify{}))
			if err != nil {
				t.Fatal(err)
			}
			out.PrependHeader(&sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "UDP", Host: "192.0.2.1", Params: sip.NewParams()})
			if _, err := sip.NewParser().ParseSIP([]byte(out.String())); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
	})
}
