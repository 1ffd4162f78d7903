package presence

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

const plain = "Content-Type: text/plain;charset=UTF-8"

// RFC 3428 section 10: a text from phone to phone.
func TestTextReachesEveryPhoneAndTheFirstAnswerCounts(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		desk, hall := udpFlow("192.0.2.50:5070"), tcpFlow("192.0.2.51:5070")
		b.book.set("201", binding("201", "192.0.2.50", desk), binding("201", "192.0.2.51", hall))
		b.net.answers(func(_ *sip.Request, to stack.Flow) stack.Result {
			if to == desk {
				return status(486)(nil, to)
			}
			return status(200)(nil, to)
		})
		want(t, b.send(newPhone("202").text("MESSAGE", "201", "Caffè?", plain), udpFlow("192.0.2.60:5070")), 200)
		all := b.net.take()
		if len(all) != 2 {
			t.Fatalf("%d requests", len(all))
		}
		for _, m := range all {
			if m.Method != sip.MESSAGE || string(m.Body()) != "Caffè?" || m.From().Address.User != "202" || m.From().DisplayName != `Anna \"A\"` ||
				m.CallID().Value() == "call-of-202" || tagOf(m.To().Params) != "" || m.Contact() != nil || header(m, "Authorization") != "" {
				t.Errorf("passed on as\n%s", m)
			}
		}
		if b.Counters().Delivered != 1 {
			t.Errorf("%+v", b.Counters())
		}
	})
}

func TestTextIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.book.set("201", binding("201", "192.0.2.50", udpFlow("192.0.2.50:5070")))
		gone := binding("203", "192.0.2.53", udpFlow("192.0.2.53:5070"))
		gone.Reachable = false
		b.book.set("203", gone)
		for _, c := range []struct {
			name, to, body, kind string
			status               int
			header               string
		}{
			{"nobody has that number", "999", "x", plain, 404, ""},
			{"a number outside", "+393331234567", "x", plain, 404, ""},
			{"nobody may write there", "250", "x", plain, 403, ""},
			{"no phone", "202", "x", plain, 480, ""},
			{"a phone that does not answer", "203", "x", plain, 480, ""},
			{"a page", "201", "<b>x</b>", "Content-Type: text/html", 415, "Accept"},
			{"no type", "201", "x", "X-None: 1", 415, "Accept"},
			{"another alphabet", "201", "x", "Content-Type: text/plain; charset=iso-8859-1", 415, "Accept"},
			{"packed", "201", "x", plain + "\r\nContent-Encoding: gzip", 415, "Accept"},
			{"too long", "201", strings.Repeat("x", 1301), plain, 413, ""},
			{"nothing", "201", "", plain, 400, ""},
			{"broken letters", "201", "\xff\xfe", plain, 400, ""},
		} {
			p := newPhone("204")
			res := b.send(p.text("MESSAGE", c.to, c.body, c.kind), p.flow)
			if res.StatusCode != c.status {
				t.Errorf("%s: %d %s, want %d", c.name, res.StatusCode, res.Reason, c.status)
			}
			if c.header != "" && header(res, c.header) == "" {
				t.Errorf("%s: no %s", c.name, c.header)
			}
		}
		inside := newPhone("204")
		inside.toTag = "call"
		want(t, b.send(inside.text("MESSAGE", "201", "x", plain), inside.flow), 481)
		b.none()
		longest := newPhone("204")
		want(t, b.send(longest.text("MESSAGE", "201", strings.Repeat("x", 1300), plain), longest.flow), 200)
	})
}

func TestTextToAPhoneThatIsSilentTimesOutBeforeTheSenderDoes(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.book.set("201", binding("201", "192.0.2.50", udpFlow("192.0.2.50:5070")))
		b.net.answers(silence)
		start := time.Now()
		want(t, b.send(newPhone("202").text("MESSAGE", "201", "x", plain), lanFlow), 408)
		if d := time.Since(start); d < messageLimit || d >= 32*time.Second {
			t.Errorf("answered after %v", d)
		}
		b.net.answers(status(503))
		want(t, b.send(newPhone("202").text("MESSAGE", "201", "x", plain), lanFlow), 480)
	})
}

var lanFlow = udpFlow("192.0.2.60:5070")

func TestPhoneThatWritesTooMuchIsSlowedDown(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		b.book.set("201", binding("201", "192.0.2.50", udpFlow("192.0.2.50:5070")))
		count := func(user string, n int) (taken int, last *sip.Response) {
			p := newPhone(user)
			for range n {
				last = b.send(p.text("MESSAGE", "201", "x", plain), p.flow)
				if last.StatusCode == 200 {
					taken++
				}
			}
			return taken, last
		}
		taken, last := count("202", 30)
		if taken != meterBurst || last.StatusCode != 480 || header(last, "Retry-After") == "" {
			t.Errorf("%d of 30 at once, then %d", taken, last.StatusCode)
		}
		if other, _ := count("203", 1); other != 1 {
			t.Error("another phone pays for it")
		}
		time.Sleep(3 * time.Second)
		if taken, _ = count("202", 30); taken != 3 {
			t.Errorf("%d after three seconds", taken)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if taken, _ = count("202", 30); taken != meterBurst {
			t.Errorf("%d after a minute", taken)
		}
	})
}

// report is the shortest that names its call.
const report = "VQSessionReport: CallTerm\r\nCallID: abc@192.0.2.50\r\nLocalMetrics:\r\nQualityEst: MOSLQ=4.2 MOSCQ=4.1\r\nPacketLoss: NLR=1.5\r\n"

func TestVoiceQualityReportIsTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		res := want(t, b.send(newPhone("201").text("PUBLISH", "201", report, "Event: vq-rtcpxr", "Content-Type: application/vq-rtcpxr"), lanFlow), 200)
		if header(res, "SIP-ETag") == "" || header(res, "Expires") != "0" {
			t.Errorf("RFC 3903 wants an entity tag and its time:\n%s", res)
		}
		if len(b.reports) != 1 || b.reports[0].Device != "201" || b.reports[0].CallID != "abc@192.0.2.50" || *b.reports[0].Local.MOSLQ != 4.2 || !b.reports[0].At.Equal(time.Now()) {
			t.Errorf("%+v", b.reports)
		}
	})
}

func TestPhoneThatReportsTooMuchIsSlowedDown(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		p := newPhone("201")
		var res *sip.Response
		for range 30 {
			res = b.send(p.text("PUBLISH", "201", report, "Event: vq-rtcpxr", "Content-Type: application/vq-rtcpxr"), lanFlow)
		}
		if want(t, res, 480); header(res, "Retry-After") != "1" || len(b.reports) != meterBurst {
			t.Errorf("%d reports of 30 were taken, Retry-After %q", len(b.reports), header(res, "Retry-After"))
		}
	})
}

func TestPublicationIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		const event, kind = "Event: vq-rtcpxr", "Content-Type: application/vq-rtcpxr"
		for name, c := range map[string]struct {
			body    string
			headers []string
			status  int
			header  string
		}{
			"presence":             {"<presence/>", []string{"Event: presence", "Content-Type: application/pidf+xml"}, 489, "Allow-Events"},
			"no event":             {report, []string{kind}, 489, "Allow-Events"},
			"another type":         {report, []string{event, "Content-Type: text/plain"}, 415, "Accept"},
			"no type":              {report, []string{event}, 415, "Accept"},
			"no report":            {"hello", []string{event, kind}, 400, ""},
			"too long":             {report + strings.Repeat("X: 1\r\n", 3000), []string{event, kind}, 413, ""},
			"a state to change":    {report, []string{event, kind, "SIP-If-Match: 1"}, 412, ""},
			"an extension we lack": {report, []string{event, kind, "Require: foo"}, 420, "Unsupported"},
		} {
			p := newPhone("201")
			res := b.send(p.text("PUBLISH", "201", c.body, c.headers...), p.flow)
			if res.StatusCode != c.status || c.header != "" && header(res, c.header) == "" {
				t.Errorf("%s: %d %s, want %d with %s", name, res.StatusCode, res.Reason, c.status, c.header)
			}
		}
		stranger := strings.Replace(newPhone("201").text("PUBLISH", "201", report, event, kind), "Authorization: yes\r\n", "", 1)
		want(t, b.send(stranger, lanFlow), 401)
		if len(b.reports) != 0 {
			t.Errorf("%+v", b.reports)
		}
	})
}

func TestFloodIsAnswered503AndNothingIsLost(t *testing.T) {
	inBubble(t, func(t *testing.T, b *box) {
		hold, held := make(chan struct{}), make(chan struct{})
		b.inbox.put(func(*owner) { close(held); <-hold }, 0) // the owner is busy
		<-held
		var txs []*fakeTx
		for i := range mailboxLimit + 10 {
			p := newPhone(fmt.Sprint(2000 + i%800))
			p.callID = fmt.Sprint(i)
			msg, err := sip.NewParser().ParseSIP([]byte(p.text("SUBSCRIBE", "201", "", "Event: dialog", "Expires: 600")))
			if err != nil {
				t.Fatal(err)
			}
			tx := &fakeTx{msg.(*sip.Request), p.flow, make(chan *sip.Response, 2)}
			b.Request(tx)
			txs = append(txs, tx)
		}
		b.SetDialogs("201", []Dialog{ringing})
		close(hold)
		synctest.Wait()
		got := map[int]int{}
		for _, tx := range txs {
			got[(<-tx.got).StatusCode]++
		}
		if got[200] != mailboxLimit || got[503] != 10 || b.Counters().Shed != 10 {
			t.Errorf("answers %v, %+v", got, b.Counters())
		}
		time.Sleep(2 * time.Second)
		last := map[string]string{}
		for _, n := range b.net.take() {
			_, last[n.CallID().Value()] = states(t, n)
		}
		for id, s := range last {
			if s != "d1=early" {
				t.Fatalf("%s was last told %q", id, s)
			}
		}
		if len(last) != mailboxLimit {
			t.Errorf("%d watchers were told", len(last))
		}
	})
}
