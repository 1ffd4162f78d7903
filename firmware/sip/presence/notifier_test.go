package presence

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/presence/document"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// dialogInfo is what a test looks at in a document.
type dialogInfo struct {
	Version uint32 `xml:"version,attr"`
	Entity  string `xml:"entity,attr"`
	Dialogs []struct {
		ID     string `xml:"id,attr"`
		CallID string `xml:"call-id,attr"`
		State  string `xml:"state"`
		Remote string `xml:"remote>identity"`
	} `xml:"dialog"`
}

// states is "id=state" of every dialog.
func states(t testing.TB, req sentRequest) (doc dialogInfo, text string) {
	t.Helper()
	if err := xml.Unmarshal(req.Body(), &doc); err != nil {
		t.Fatalf("%v\n%s", err, req.Body())
	}
	var all []string
	for _, d := range doc.Dialogs {
		all = append(all, d.ID+"="+d.State)
	}
	return doc, strings.Join(all, " ")
}

var ringing = Dialog{ID: "d1", Direction: document.Recipient, State: document.Early, RemoteNumber: "+393331234567", RemoteName: "Mario", CallID: "x", LocalTag: "l", RemoteTag: "r"}

func talking1() Dialog { d := ringing; d.State = document.Confirmed; return d }

// Idle, ringing, talking, over.
func TestRFC4235Section61BusyKeyFollowsACallFromRingToEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		p := newPhone("202")
		res := want(t, p.subscribe(b, Dialogs, "201", 600, "Accept: application/dialog-info+xml"), 200)
		if header(res, "Expires") != "600" || res.Contact() == nil || p.toTag == "" {
			t.Errorf("200 without its dialog: %s", res)
		}
		first := b.one()
		doc, got := states(t, first)
		if got != "" || doc.Version != 0 || doc.Entity != "sip:201@192.0.2.1" {
			t.Errorf("first document %+v", doc)
		}
		if header(first, "Subscription-State") != "active;expires=600" || header(first, "Event") != "dialog" ||
			first.CallID().Value() != p.callID || tagOf(first.From().Params) != p.toTag || tagOf(first.To().Params) != "phone" ||
			first.Recipient.String() != "sip:202@192.0.2.50:5070" || first.to != p.flow || first.Contact() == nil {
			t.Errorf("first NOTIFY:\n%s", first)
		}
		time.Sleep(time.Second)
		b.SetDialogs("201", []Dialog{ringing})
		doc, got = states(t, b.one())
		if got != "d1=early" || doc.Version != 1 || doc.Dialogs[0].Remote != "sip:+393331234567@192.0.2.1" || doc.Dialogs[0].CallID != "x" {
			t.Errorf("ringing: %+v", doc)
		}
		time.Sleep(time.Second)
		b.SetDialogs("201", []Dialog{talking1()})
		if _, got = states(t, b.one()); got != "d1=confirmed" {
			t.Errorf("talking: %s", got)
		}
		time.Sleep(time.Second)
		b.SetDialogs("201", nil)
		if doc, got = states(t, b.one()); got != "d1=terminated" || doc.Version != 3 {
			t.Errorf("over: %s, version %d", got, doc.Version)
		}
		time.Sleep(time.Second)
		b.SetDialogs("201", nil)
		b.none() // no news
	})
}

func TestSubscribeIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		const event, expires = "Event: dialog", "Expires: 600"
		for _, c := range []struct {
			name    string
			to      string
			headers []string
			change  func(*phone)
			status  int
			header  string // that the answer must have
		}{
			{name: "an unknown event", to: "201", headers: []string{"Event: weather", expires}, status: 489, header: "Allow-Events"},
			{name: "an event that is only published", to: "201", headers: []string{"Event: vq-rtcpxr", expires}, status: 489, header: "Allow-Events"},
			{name: "no event", to: "201", headers: []string{expires}, status: 489, header: "Allow-Events"},
			{name: "two events", to: "201", headers: []string{event, "Event: reg", expires}, status: 489},
			{name: "a document that we do not write", to: "201", headers: []string{event, expires, "Accept: application/cpim-pidf+xml"}, status: 406, header: "Accept"},
			{name: "too short", to: "201", headers: []string{event, "Expires: 59"}, status: 423, header: "Min-Expires"},
			{name: "no such number", to: "999", headers: []string{event, expires}, status: 404},
			{name: "a number that is nobody's business", to: "250", headers: []string{event, expires}, status: 403},
			{name: "no contact", to: "201", headers: []string{event, expires}, change: func(p *phone) { p.contact = "" }, status: 400},
			{name: "a contact that is none", to: "201", headers: []string{event, expires}, change: func(p *phone) { p.contact = "<tel:123>" }, status: 400},
			{name: "no such subscription", to: "201", headers: []string{event, expires}, change: func(p *phone) { p.toTag = "unknown" }, status: 481},
			{name: "an extension that we lack", to: "201", headers: []string{event, expires, "Require: eventlist"}, status: 420, header: "Unsupported"},
			{name: "the registrations of somebody else", to: "203", headers: []string{"Event: reg", expires}, status: 403},
		} {
			p := newPhone("202")
			if c.change != nil {
				c.change(p)
			}
			res := b.send(p.text("SUBSCRIBE", c.to, "", c.headers...), p.flow)
			if res.StatusCode != c.status {
				t.Errorf("%s: status %d %s, want %d", c.name, res.StatusCode, res.Reason, c.status)
			}
			if c.header != "" && header(res, c.header) == "" {
				t.Errorf("%s: no %s", c.name, c.header)
			}
		}
		stranger := strings.Replace(newPhone("202").text("SUBSCRIBE", "201", "", event), "Authorization: yes\r\n", "", 1)
		if res := want(t, b.send(stranger, udpFlow("203.0.113.9:5060")), 401); header(res, "WWW-Authenticate") == "" {
			t.Error("401 without a challenge")
		}
		b.none()
		if n := b.Counters().Subscriptions; n != 0 || len(b.journal.load()) != 0 {
			t.Errorf("%d subscriptions, %d in the journal", n, len(b.journal.load()))
		}
	})
}

func TestSubscriptionLastsAsLongAsAgreed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		number := 210
		for wish, lasts := range map[string]string{"Expires: 60": "60", "Expires: 7200": "3600", "X-None: 1": "3600"} {
			p := newPhone("202")
			p.callID = wish
			number++
			res := want(t, b.send(p.text("SUBSCRIBE", fmt.Sprint(number), "", "Event: dialog", wish), p.flow), 200)
			if header(res, "Expires") != lasts {
				t.Errorf("%s: lasts %s, want %s", wish, header(res, "Expires"), lasts)
			}
		}
		synctest.Wait()
		b.net.take()
		time.Sleep(61 * time.Second)
		end := b.one()
		if header(end, "Subscription-State") != "terminated;reason=timeout" {
			t.Errorf("at its end: %s", header(end, "Subscription-State"))
		}
		time.Sleep(time.Second)
		if n := b.Counters().Subscriptions; n != 2 || len(b.journal.load()) != 2 {
			t.Errorf("%d subscriptions, want 2", n)
		}
	})
}

func TestRefreshMovesTargetAndFlow(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		p := newPhone("202")
		want(t, p.subscribe(b, Dialogs, "201", 60), 200)
		b.one()
		time.Sleep(50 * time.Second)
		p.contact, p.flow = "<sip:202@192.0.2.77:5099>", udpFlow("192.0.2.77:5099")
		want(t, p.subscribe(b, Dialogs, "201", 60), 200)
		n := b.one()
		if n.Recipient.String() != "sip:202@192.0.2.77:5099" || n.to != p.flow || n.CSeq().SeqNo != 2 || header(n, "Subscription-State") != "active;expires=60" {
			t.Errorf("to %s by %+v:\n%s", n.Recipient.String(), n.to, n)
		}
		time.Sleep(50 * time.Second)
		b.none() // the refresh counts, not the first Expires
		p.cseq = 100
		want(t, p.subscribe(b, Dialogs, "201", 60), 500) // older than the last one
		other := newPhone("203")
		other.callID, other.toTag, other.cseq = p.callID, p.toTag, 500
		want(t, other.subscribe(b, Dialogs, "201", 60), 403)
		p.cseq = 900
		want(t, p.subscribe(b, Presences, "201", 60), 481)
	})
}

func TestUnsubscribeAndFetch(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		p := newPhone("202")
		want(t, p.subscribe(b, Dialogs, "201", 600), 200)
		b.one()
		time.Sleep(time.Second)
		res := want(t, p.subscribe(b, Dialogs, "201", 0), 200)
		if header(res, "Expires") != "0" {
			t.Errorf("Expires %s", header(res, "Expires"))
		}
		if n := b.one(); header(n, "Subscription-State") != "terminated;reason=timeout" || len(n.Body()) == 0 {
			t.Errorf("the last NOTIFY:\n%s", n)
		}
		time.Sleep(time.Second)
		want(t, p.subscribe(b, Dialogs, "201", 600), 481)

		fetch := newPhone("203")
		want(t, fetch.subscribe(b, Presences, "201", 0), 200)
		if n := b.one(); header(n, "Subscription-State") != "terminated;reason=timeout" || !strings.Contains(string(n.Body()), "closed") {
			t.Errorf("the fetched state:\n%s", n)
		}
		time.Sleep(time.Second)
		if n := b.Counters().Subscriptions; n != 0 || len(b.journal.load()) != 0 {
			t.Errorf("%d subscriptions left, %d in the journal", n, len(b.journal.load()))
		}
	})
}

func TestNotifyThatIsNotTakenEndsTheSubscription(t *testing.T) {
	for name, answer := range map[string]func(*sip.Request, stack.Flow) stack.Result{
		"481": status(481), "404": status(404), "401": status(401, "WWW-Authenticate", `Digest realm="trap", nonce="1"`), "silence": silence,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *box) {
				b.net.answers(answer)
				want(t, newPhone("202").subscribe(b, Dialogs, "201", 600), 200)
				time.Sleep(33 * time.Second)
				b.one() // a challenge is not answered
				b.SetDialogs("201", []Dialog{ringing})
				b.none()
				if c := b.Counters(); c.Subscriptions != 0 || c.Failed != 1 {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}

func TestRetryAfterOfAPhoneIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.net.answers(status(503, "Retry-After", "10 (busy)"))
		want(t, newPhone("202").subscribe(b, Dialogs, "201", 600), 200)
		b.one()
		b.SetDialogs("201", []Dialog{ringing})
		time.Sleep(9 * time.Second)
		b.none()
		b.net.answers(nil)
		time.Sleep(2 * time.Second)
		if _, got := states(t, b.one()); got != "d1=early" {
			t.Errorf("then: %s", got)
		}
	})
}

func TestManyChangesAreToldAsFewNotifies(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		want(t, newPhone("202").subscribe(b, Dialogs, "201", 600), 200)
		time.Sleep(time.Second)
		b.net.take()
		for i := range 100 { // within one second
			d := ringing
			d.ID = strconv.Itoa(i)
			b.SetDialogs("201", []Dialog{d})
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		all := b.net.take()
		if len(all) < 5 || len(all) > 7 {
			t.Errorf("%d NOTIFY in the second, want 5 to 7", len(all))
		}
		if _, got := states(t, all[0]); got != "0=early" {
			t.Errorf("the first change came late: %s", got)
		}
		if _, got := states(t, all[len(all)-1]); !strings.HasPrefix(got, "99=early") {
			t.Errorf("the last state is not told: %s", got)
		}
		for i := 1; i < len(all); i++ {
			if d := all[i].at.Sub(all[i-1].at); d < 200*time.Millisecond {
				t.Errorf("two NOTIFY %v apart", d)
			}
		}
	})
}

func TestSubscriptionSurvivesACrash(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		p := newPhone("202")
		want(t, p.subscribe(b, Dialogs, "201", 600, "Record-Route: <sip:192.0.2.9;lr>"), 200)
		b.SetDialogs("201", []Dialog{ringing})
		time.Sleep(time.Second)
		sent := b.net.take()
		before := sent[len(sent)-1]
		b.crash() // the call ends meanwhile
		time.Sleep(2 * time.Second)
		n := b.one()
		doc, got := states(t, n)
		if got != "d1=terminated" || doc.Version != 2 {
			t.Errorf("after the crash %s, version %d", got, doc.Version)
		}
		if n.CSeq().SeqNo != before.CSeq().SeqNo+1001 || n.CallID().Value() != p.callID || tagOf(n.From().Params) != p.toTag || tagOf(n.To().Params) != "phone" ||
			n.Route() == nil || n.Route().Address.Host != "192.0.2.9" || n.to != p.flow || header(n, "Subscription-State") != "active;expires=598" {
			t.Errorf("before:\n%s\nafter:\n%s", before, n)
		}
		time.Sleep(time.Second)
		want(t, p.subscribe(b, Dialogs, "201", 600), 200) // the phone noticed nothing
		b.one()
		time.Sleep(590 * time.Second)
		b.crash()
		time.Sleep(20 * time.Second) // its time goes on
		if n := b.net.take(); len(n) == 0 || header(n[len(n)-1], "Subscription-State") != "terminated;reason=timeout" {
			t.Errorf("after the second crash: %v", n)
		}
	})
}

func TestRecordThatCannotBeReadIsSkipped(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		want(t, newPhone("202").subscribe(b, Dialogs, "201", 600), 200)
		time.Sleep(time.Second)
		b.net.take()
		b.Close()
		kept := b.journal.load()
		for key, bad := range map[string]string{"a": "{", "b": `{"v":9}`, "c": `{"v":1}`, "d": `{"v":1,"subscription":{"id":"d","call_id":"x","remote_tag":"y","package":"dialog","target":"<>"}}`} {
			kept[key] = []byte(bad)
		}
		b.Server = New(b.cfg)
		err := b.Restore(kept)
		if err == nil || strings.Count(err.Error(), "\n") != 3 {
			t.Errorf("four broken records: %v", err)
		}
		time.Sleep(2 * time.Second)
		b.one()
	})
}

func TestSubscriptionsFollowAChangeOfTheNumbers(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		stays, goes := newPhone("202"), newPhone("203")
		want(t, stays.subscribe(b, Dialogs, "201", 600), 200)
		want(t, goes.subscribe(b, Dialogs, "260", 600), 200)
		time.Sleep(time.Second)
		b.net.take()
		b.takeAway("260")
		time.Sleep(time.Second)
		got := map[string]string{}
		for _, n := range b.net.take() {
			got[n.Recipient.User] = header(n, "Subscription-State")
		}
		if got["203"] != "terminated;reason=noresource" || !strings.HasPrefix(got["202"], "active") {
			t.Errorf("%v", got)
		}
		b.mu.Lock()
		b.moved = map[string]string{"201": "211"}
		b.mu.Unlock()
		b.Review()
		b.one()
		b.SetDialogs("201", []Dialog{ringing})
		b.none()
		time.Sleep(time.Second)
		b.SetDialogs("211", []Dialog{ringing})
		if doc, got := states(t, b.one()); got != "d1=early" || doc.Entity != "sip:201@192.0.2.1" {
			t.Errorf("a number that leads elsewhere: %+v", doc)
		}
		time.Sleep(time.Second)
		b.Forget("202")
		if n := b.one(); header(n, "Subscription-State") != "terminated;reason=deactivated" {
			t.Errorf("a phone with a new password: %s", header(n, "Subscription-State"))
		}
	})
}

func TestSubscriptionsAreBounded(t *testing.T) {
	small := func(c *Config) { c.PerWatcher, c.Total = 3, 5 }
	inBubble(t, func(t *testing.T, b *box) {
		ask := func(user string, n int) *sip.Response {
			p := newPhone(user)
			p.callID = fmt.Sprint("call", user, n)
			return p.subscribe(b, Dialogs, fmt.Sprint(210+n), 600)
		}
		for n := range 3 {
			want(t, ask("202", n), 200)
		}
		want(t, ask("202", 3), 403)
		for n := range 2 {
			want(t, ask("203", n), 200)
		}
		if res := want(t, ask("204", 0), 503); header(res, "Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		// A phone that did not hear the answer asks again in the same call: that is no second one.
		want(t, ask("203", 1), 200)
		if n := b.Counters().Subscriptions; n != 5 {
			t.Errorf("%d subscriptions", n)
		}
	}, small)
}

func TestPhoneThatWasRestartedDoesNotPileUpSubscriptions(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		boot := 0
		ask := func(n int) {
			p := newPhone("202")
			p.callID = fmt.Sprintf("boot-%d-key-%d", boot, n)
			want(t, p.subscribe(b, Dialogs, fmt.Sprint(210+n), 600), 200)
		}
		b.net.answers(func(req *sip.Request, to stack.Flow) stack.Result {
			if !strings.HasPrefix(req.CallID().Value(), fmt.Sprintf("boot-%d-", boot)) {
				return status(481)(req, to)
			}
			return status(200)(req, to)
		})
		for boot = range 4 {
			for n := range 5 { // of seven that it may have
				ask(n)
			}
			time.Sleep(time.Second)
			if n := b.Counters().Subscriptions; n != 5 {
				t.Fatalf("%d subscriptions after %d restarts", n, boot)
			}
		}
	}, func(c *Config) { c.PerWatcher = 7 })
}

func TestPhoneOverTCPThatReconnectedIsToldOnItsNewConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		p := newPhone("202")
		p.flow = tcpFlow("192.0.2.50:40001")
		want(t, p.subscribe(b, Dialogs, "201", 600), 200)
		n := b.one()
		if tp, _ := n.Contact().Address.UriParams.Get("transport"); n.to != p.flow || tp != "tcp" {
			t.Errorf("to %+v, contact %s", n.to, n.Contact())
		}
		time.Sleep(time.Second)
		b.net.kill(p.flow)
		again := tcpFlow("192.0.2.50:40002")
		b.book.set("202", binding("202", "192.0.2.50", again))
		b.SetDialogs("201", []Dialog{ringing})
		if n := b.one(); n.to != again {
			t.Errorf("sent to %+v", n.to)
		}
		time.Sleep(time.Second)
		b.net.kill(again)
		b.SetDialogs("201", nil)
		b.none()
		if c := b.Counters(); c.Subscriptions != 0 || c.Failed != 1 {
			t.Errorf("a phone that is gone is still watched: %+v", c)
		}
	})
}

// RFC 3842 section 4.
func TestRFC3842Section41MessageLampGoesOnAndOff(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		want(t, newPhone("201").subscribe(b, Messages, "201", 600, "Accept: application/simple-message-summary"), 200)
		if n := b.one(); !strings.HasPrefix(string(n.Body()), "Messages-Waiting: no\r\n") || header(n, "Content-Type") != "application/simple-message-summary" {
			t.Errorf("at first:\n%s", n)
		}
		time.Sleep(time.Second)
		b.SetMessages("201", 2, 8, 0, 2)
		if n := b.one(); string(n.Body()) != "Messages-Waiting: yes\r\nMessage-Account: sip:201@192.0.2.1\r\nVoice-Message: 2/8 (0/2)\r\n" {
			t.Errorf("two messages:\n%s", n)
		}
		time.Sleep(time.Second)
		b.SetMessages("201", 0, 10, 0, 2)
		if n := b.one(); !strings.HasPrefix(string(n.Body()), "Messages-Waiting: no\r\n") {
			t.Errorf("heard:\n%s", n)
		}
	})
}

func TestPhoneThatDoesNotAskIsToldOfMessagesWhereWanted(t *testing.T) {
	wanted := true
	inBubble(t, func(t *testing.T, b *box) {
		b.book.set("201", binding("201", "192.0.2.50", udpFlow("192.0.2.50:5070")), binding("201", "192.0.2.51", udpFlow("192.0.2.51:5070")))
		b.Registered("201", true)
		b.none() // nothing is known of its mailbox
		b.SetMessages("201", 1, 0, 0, 0)
		synctest.Wait()
		if all := b.net.take(); len(all) != 2 || header(all[0], "Event") != "message-summary" || !strings.HasPrefix(string(all[1].Body()), "Messages-Waiting: yes") {
			t.Errorf("%v", all)
		}
		b.book.set("201", binding("201", "192.0.2.50", udpFlow("192.0.2.50:5070")))
		b.Registered("201", true)
		b.one() // a phone that comes back
		want(t, newPhone("201").subscribe(b, Messages, "201", 600), 200)
		b.one()
		time.Sleep(time.Second)
		b.SetMessages("201", 0, 1, 0, 0)
		if n := b.one(); tagOf(n.To().Params) == "" { // by its subscription only
			t.Errorf("unsolicited to a phone that asks:\n%s", n)
		}
	}, func(c *Config) { c.Unsolicited = func() bool { return wanted } })
	wanted = false
	inBubble(t, func(t *testing.T, b *box) {
		b.book.set("201", binding("201", "192.0.2.50", udpFlow("192.0.2.50:5070")))
		b.SetMessages("201", 1, 0, 0, 0)
		b.none()
	}, func(c *Config) { c.Unsolicited = func() bool { return wanted } })
}

func TestPresenceSaysWhyAPersonCannotBeCalled(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.SetPresence("201", Presence{Open: true})
		want(t, newPhone("202").subscribe(b, Presences, "201", 600), 200)
		if n := b.one(); !strings.Contains(string(n.Body()), "<basic>open</basic>") {
			t.Errorf("at first:\n%s", n)
		}
		time.Sleep(time.Second)
		b.SetPresence("201", Presence{Note: "Paused: lunch"})
		if n := b.one(); !strings.Contains(string(n.Body()), "<basic>closed</basic>") || !strings.Contains(string(n.Body()), "<note>Paused: lunch</note>") {
			t.Errorf("paused:\n%s", n)
		}
	})
}

// RFC 3680: a phone hears of its own registrations, also of a contact that comes beside another.
func TestRegistrationsOfOnesOwnAccountAreTold(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		want(t, newPhone("201").subscribe(b, Registrations, "201", 600), 200)
		if n := b.one(); !strings.Contains(string(n.Body()), `state="init"`) {
			t.Errorf("at first:\n%s", n)
		}
		time.Sleep(time.Second)
		b.book.set("201", binding("201", "192.0.2.50", udpFlow("192.0.2.50:5070")))
		b.Registered("201", true)
		if n := b.one(); !strings.Contains(string(n.Body()), "<uri>sip:201@192.0.2.50:5070</uri>") {
			t.Errorf("registered:\n%s", n)
		}
		b.book.set("201", binding("201", "192.0.2.50", udpFlow("192.0.2.50:5070")), binding("201", "192.0.2.51", udpFlow("192.0.2.51:5070")))
		time.Sleep(6 * time.Second) // nobody says so
		if n := b.one(); strings.Count(string(n.Body()), "<contact ") != 2 {
			t.Errorf("a second contact:\n%s", n)
		}
		time.Sleep(20 * time.Second)
		b.none()
	})
}

func TestKeyOfAFeatureShowsItsLamp(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		want(t, newPhone("202").subscribe(b, Dialogs, "*41", 600), 200)
		if doc, got := states(t, b.one()); got != "" || doc.Entity != "sip:*41@192.0.2.1" {
			t.Errorf("dark: %+v", doc)
		}
		for _, c := range []struct {
			on, blink bool
			want      string
		}{{true, false, "lamp=confirmed"}, {true, true, "lamp=early"}, {false, false, "lamp=terminated"}} {
			time.Sleep(time.Second)
			b.SetLamp("*41", c.on, c.blink)
			if _, got := states(t, b.one()); got != c.want {
				t.Errorf("on %v, blink %v: %s", c.on, c.blink, got)
			}
		}
		b.Drop("*41")
		b.none()
	})
}

func TestServerLeavesOtherMethodsAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		for _, m := range []string{"OPTIONS", "NOTIFY", "REGISTER", "INFO"} {
			msg, err := sip.NewParser().ParseSIP([]byte(newPhone("202").text(m, "201", "")))
			if err != nil {
				t.Fatal(err)
			}
			if b.Request(&fakeTx{req: msg.(*sip.Request)}) {
				t.Errorf("it takes %s", m)
			}
		}
	})
}
