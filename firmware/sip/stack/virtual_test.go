package stack

import (
	"errors"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
)

// sent is a message that a stack put on its wire.
type sent struct {
	at  time.Duration // since the bench was made
	to  Flow
	raw string
	msg sip.Message
}

// bench is a stack without sockets, for a synctest bubble: what it sends is written down.
type bench struct {
	t     *testing.T
	stack *Stack
	start time.Time
	flow  Flow

	mu   sync.Mutex
	out  []sent
	fail error // of every send
}

func newBench(t *testing.T, cfg Config, h Handler) *bench {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, stack: s, start: time.Now(), flow: Flow{
		Transport: "udp",
		Local:     netip.MustParseAddrPort("127.0.0.1:5060"), Remote: netip.MustParseAddrPort("127.0.0.2:5062"),
	}}
	s.transmit = func(to Flow, raw []byte, failed func(error)) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.fail != nil {
			return b.fail
		}
		msg, err := sip.ParseMessage(raw)
		if err != nil {
			t.Errorf("sent what does not parse: %v\n%s", err, raw)
			return nil
		}
		b.out = append(b.out, sent{time.Since(b.start), to, string(raw), msg})
		return nil
	}
	s.handler.Store(&h)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// hear feeds a message as if it had come from the bench's remote.
func (b *bench) hear(text string) {
	b.t.Helper()
	msg, err := sip.ParseMessage([]byte(text))
	if err != nil {
		b.t.Fatalf("%v\n%s", err, text)
	}
	b.stack.receive(msg, b.flow)
	synctest.Wait()
}

// took returns and forgets what was sent.
func (b *bench) took() []sent {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.out
	b.out = nil
	return out
}

// one returns the only message sent.
func (b *bench) one() sent {
	b.t.Helper()
	out := b.took()
	if len(out) != 1 {
		b.t.Fatalf("%d messages were sent, not one: %v", len(out), firstLines(out))
	}
	return out[0]
}

func firstLines(out []sent) string {
	var lines []string
	for _, s := range out {
		line, _, _ := strings.Cut(s.raw, "\r\n")
		lines = append(lines, s.at.String()+" "+line)
	}
	return strings.Join(lines, "; ")
}

// text makes a message from lines; the last may be the body.
func text(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

func requestText(method, branch string, extra ...string) string {
	lines := []string{
		method + " sip:100@127.0.0.1 SIP/2.0",
		"Via: SIP/2.0/UDP 127.0.0.2:5062;branch=z9hG4bK" + branch + ";rport",
		"From: <sip:200@127.0.0.1>;tag=ft", "To: <sip:100@127.0.0.1>", "Call-ID: call-1",
		"CSeq: 7 " + method, "Max-Forwards: 70",
	}
	return text(append(append(lines, extra...), "Content-Length: 0")...)
}

// answerTo makes a response to a request that the stack sent.
func answerTo(req sip.Message, status int, reason, tag string) string {
	res := sip.NewResponseFromRequest(req.(*sip.Request), status, reason, nil)
	if tag != "" {
		res.To().Params.Add("tag", tag)
	}
	return string(wire(res))
}

// recorder is a Handler that writes down.
type recorder struct {
	mu      sync.Mutex
	txs     []*ServerTx
	acks    []*sip.Request
	strays  []*sip.Response
	request func(*ServerTx)
}

func (r *recorder) Request(tx *ServerTx) {
	r.mu.Lock()
	r.txs = append(r.txs, tx)
	r.mu.Unlock()
	if r.request != nil {
		r.request(tx)
	}
}

func (r *recorder) Ack(req *sip.Request, _ Flow) {
	r.mu.Lock()
	r.acks = append(r.acks, req)
	r.mu.Unlock()
}

func (r *recorder) StrayResponse(res *sip.Response, _ Flow) {
	r.mu.Lock()
	r.strays = append(r.strays, res)
	r.mu.Unlock()
}

func respond(t *testing.T, tx *ServerTx, status int, reason string) {
	t.Helper()
	if err := tx.Respond(sip.NewResponseFromRequest(tx.Request(), status, reason, nil)); err != nil {
		t.Errorf("Respond %d: %v", status, err)
	}
}

func newRequest(method sip.RequestMethod, callID string) *sip.Request {
	req := sip.NewRequest(method, sip.Uri{Scheme: "sip", User: "100", Host: "127.0.0.2", Port: 5062})
	from := &sip.FromHeader{Address: sip.Uri{Scheme: "sip", User: "200", Host: "127.0.0.1"}, Params: sip.NewParams()}
	from.Params.Add("tag", "ours")
	req.AppendHeader(from)
	req.AppendHeader(&sip.ToHeader{Address: req.Recipient, Params: sip.NewParams()})
	id := sip.CallIDHeader(callID)
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: method})
	return req
}

func TestAnInviteIsAnswered100After200msAndRepeatedRequestsGetTheLastAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{}
		b := newBench(t, Config{}, rec)
		b.hear(requestText("INVITE", "a"))
		time.Sleep(199 * time.Millisecond)
		if out := b.took(); len(out) != 0 {
			t.Fatalf("answered early: %s", firstLines(out))
		}
		time.Sleep(2 * time.Millisecond)
		if s := b.one(); s.msg.(*sip.Response).StatusCode != 100 || s.at != 200*time.Millisecond {
			t.Errorf("sent %s", firstLines([]sent{s}))
		}
		respond(t, rec.txs[0], 180, "Ringing")
		ringing := b.one()
		b.hear(requestText("INVITE", "a"))
		if again := b.one(); again.raw != ringing.raw {
			t.Errorf("the repeated INVITE got another answer:\n%s\n%s", again.raw, ringing.raw)
		}
		if len(rec.txs) != 1 {
			t.Errorf("the handler saw %d transactions", len(rec.txs))
		}
		respond(t, rec.txs[0], 486, "Busy Here")
	})
}

func TestARefusalIsRepeatedUntilItsAckWhichNobodyElseSees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{}
		b := newBench(t, Config{}, rec)
		b.hear(requestText("INVITE", "a"))
		respond(t, rec.txs[0], 486, "Busy Here")
		time.Sleep(3600 * time.Millisecond)
		if out := b.took(); len(out) != 4 { // 0, 0.5, 1.5, 3.5 s
			t.Fatalf("repeated at %s", firstLines(out))
		}
		b.hear(requestText("ACK", "a"))
		time.Sleep(time.Minute)
		if out := b.took(); len(out) != 0 {
			t.Errorf("still sending after the ACK: %s", firstLines(out))
		}
		if len(rec.acks) != 0 {
			t.Error("the ACK of a refusal reached the handler")
		}
		if s := b.stack.Stats(); s.Transactions != 0 {
			t.Errorf("%d transactions left", s.Transactions)
		}
	})
}

func TestAnAckOf2xxReachesTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{}
		b := newBench(t, Config{}, rec)
		b.hear(requestText("INVITE", "a"))
		respond(t, rec.txs[0], 200, "OK")
		first := b.one()
		respond(t, rec.txs[0], 200, "OK") // repeated by the layer above
		if again := b.one(); again.msg.(*sip.Response).StatusCode != 200 || first.at > again.at {
			t.Error("the repeated 200 was not sent")
		}
		if err := rec.txs[0].Respond(sip.NewResponseFromRequest(rec.txs[0].Request(), 486, "Busy", nil)); err != ErrDone {
			t.Errorf("a refusal after the 200: %v", err)
		}
		b.hear(requestText("ACK", "another"))
		if len(rec.acks) != 1 {
			t.Errorf("the handler saw %d ACKs", len(rec.acks))
		}
		time.Sleep(33 * time.Second)
		if s := b.stack.Stats(); s.Transactions != 0 {
			t.Errorf("%d transactions left", s.Transactions)
		}
	})
}

func TestCancelIsAnswered200AndToldOnceAndUnmatchedGets481(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cancels := 0
		rec := &recorder{}
		rec.request = func(tx *ServerTx) {
			tx.OnCancel(func(*sip.Request) {
				cancels++
				respond(t, tx, 487, "Request Terminated")
			})
		}
		b := newBench(t, Config{}, rec)
		b.hear(requestText("CANCEL", "a"))
		if s := b.one(); s.msg.(*sip.Response).StatusCode != 481 {
			t.Errorf("a CANCEL of nothing got %s", firstLines([]sent{s}))
		}
		b.hear(requestText("INVITE", "a"))
		respond(t, rec.txs[0], 180, "Ringing")
		ringing := b.one().msg.(*sip.Response)
		b.hear(requestText("CANCEL", "a"))
		out := b.took()
		if len(out) != 2 || out[0].msg.(*sip.Response).CSeq().MethodName != sip.CANCEL ||
			out[0].msg.(*sip.Response).StatusCode != 200 || out[1].msg.(*sip.Response).StatusCode != 487 {
			t.Fatalf("sent %s", firstLines(out))
		}
		tagOf := func(r *sip.Response) string { tag, _ := r.To().Params.Get("tag"); return tag }
		if got := tagOf(out[0].msg.(*sip.Response)); got != tagOf(ringing) {
			t.Errorf("the CANCEL's answer has tag %q, the INVITE's %q", got, tagOf(ringing))
		}
		b.hear(requestText("CANCEL", "a"))
		if s := b.one(); s.msg.(*sip.Response).StatusCode != 200 || cancels != 1 {
			t.Errorf("a repeated CANCEL got %s, told %d times", firstLines([]sent{s}), cancels)
		}
	})
}

// What the INVITE's owner writes down when it hears of a CANCEL is on record before the other side knows that its
// CANCEL was taken, which does not come again then.
func TestACancelIsAnsweredWhenTheOwnerOfTheINVITEHasHeardOfIt(t *testing.T) {
	for name, owner := range map[string]func(tx *ServerTx){
		"one that answers at once": func(tx *ServerTx) { respond(t, tx, 487, "Request Terminated") },
		"one that takes its time":  func(*ServerTx) {},
		"one that fails":           func(*ServerTx) { panic("of the test") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := &recorder{}
				b := newBench(t, Config{}, rec)
				var before []sent
				rec.request = func(tx *ServerTx) {
					tx.OnCancel(func(*sip.Request) {
						b.mu.Lock()
						before = append(before, b.out...)
						b.mu.Unlock()
						owner(tx)
					})
				}
				b.hear(requestText("INVITE", "a"))
				respond(t, rec.txs[0], 180, "Ringing")
				b.took()
				b.hear(requestText("CANCEL", "a"))
				if len(before) > 0 {
					t.Errorf("before the owner has heard of it: %s", firstLines(before))
				}
				if out := b.took(); len(out) == 0 || out[0].msg.(*sip.Response).CSeq().MethodName != sip.CANCEL || out[0].msg.(*sip.Response).StatusCode != 200 {
					t.Errorf("sent %s", firstLines(out))
				}
			})
		})
	}
}

func TestACancelBeforeOnCancelIsToldWhenSomebodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{}
		b := newBench(t, Config{}, rec)
		b.hear(requestText("INVITE", "a"))
		b.hear(requestText("CANCEL", "a"))
		told := false
		rec.txs[0].OnCancel(func(*sip.Request) { told = true })
		synctest.Wait()
		if !told {
			t.Error("the early CANCEL was lost")
		}
	})
}

func TestAClientCancelWaitsForThe1xx(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, &recorder{})
		var got []Result
		tx, err := b.stack.Request(newRequest(sip.INVITE, "c1"), b.flow, func(r Result) { got = append(got, r) })
		if err != nil {
			t.Fatal(err)
		}
		invite := b.one()
		if err := tx.Cancel(sip.NewHeader("Reason", `SIP;cause=200;text="Call completed elsewhere"`)); err != nil {
			t.Fatal(err)
		}
		if out := b.took(); len(out) != 0 {
			t.Fatalf("sent %s before any response", firstLines(out))
		}
		b.hear(answerTo(invite.msg, 180, "Ringing", "t1"))
		cancel := b.one().msg.(*sip.Request)
		if cancel.Method != sip.CANCEL || cancel.Via().Value() != invite.msg.Via().Value() ||
			cancel.CSeq().SeqNo != 1 || cancel.GetHeader("Reason") == nil || cancel.To().Params.Has("tag") {
			t.Errorf("the CANCEL is wrong:\n%s", cancel)
		}
		b.hear(answerTo(cancel, 200, "OK", "t1"))
		b.hear(answerTo(invite.msg, 487, "Request Terminated", "t1"))
		ack := b.one().msg.(*sip.Request)
		tag, _ := ack.To().Params.Get("tag")
		if ack.Method != sip.ACK || ack.Via().Value() != invite.msg.Via().Value() || tag != "t1" || ack.CSeq().SeqNo != 1 {
			t.Errorf("the ACK is wrong:\n%s", ack)
		}
		if len(got) != 2 || got[1].Response.StatusCode != 487 {
			t.Errorf("heard %v", got)
		}
		if err := tx.Cancel(); err != ErrDone {
			t.Errorf("cancelling what is over: %v", err)
		}
	})
}

func TestACancelThatCrossesA200LeavesThe200ToTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // finding 3
		b := newBench(t, Config{}, &recorder{})
		var got []int
		tx, err := b.stack.Request(newRequest(sip.INVITE, "c1"), b.flow, func(r Result) { got = append(got, r.Response.StatusCode) })
		if err != nil {
			t.Fatal(err)
		}
		invite := b.one()
		b.hear(answerTo(invite.msg, 180, "Ringing", "t1"))
		if err := tx.Cancel(); err != nil {
			t.Fatal(err)
		}
		b.took()
		b.hear(answerTo(invite.msg, 200, "OK", "t1"))
		b.hear(answerTo(invite.msg, 200, "OK", "t2")) // a second branch of the fork
		if len(got) != 3 || got[1] != 200 || got[2] != 200 {
			t.Errorf("heard %v: the caller cannot send ACK and BYE", got)
		}
	})
}

func TestAnInviteThatNobodyAnswersIsSentSevenTimesThenTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, &recorder{})
		var got []Result
		if _, err := b.stack.Request(newRequest(sip.INVITE, "c1"), b.flow, func(r Result) { got = append(got, r) }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40 * time.Second)
		out := b.took()
		if len(out) != 7 || out[6].at != 31500*time.Millisecond || out[6].raw != out[0].raw {
			t.Errorf("sent %s", firstLines(out))
		}
		if len(got) != 1 || got[0].Err != ErrTimeout || b.stack.Stats().Timeouts != 1 {
			t.Errorf("heard %v", got)
		}
	})
}

func TestARepeatedRequestIsTheSameBytesEvenWhenTheCallerChangesTheMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, &recorder{})
		req := newRequest(sip.OPTIONS, "c1")
		if _, err := b.stack.Request(req, b.flow, func(Result) {}); err != nil {
			t.Fatal(err)
		}
		req.CSeq().SeqNo = 99
		time.Sleep(600 * time.Millisecond)
		if out := b.took(); len(out) != 2 || out[0].raw != out[1].raw {
			t.Errorf("sent %s", firstLines(out))
		}
	})
}

func TestABrokenTransportIsToldFromTheShardNotFromWithinRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, &recorder{})
		b.fail = ErrTransport
		var got error
		b.stack.Run("c1", func() {
			returned := false
			_, err := b.stack.Request(newRequest(sip.INVITE, "c1"), b.flow, func(r Result) {
				if !returned {
					t.Error("the sink ran inside Request")
				}
				got = r.Err
			})
			if err != nil {
				t.Error(err)
			}
			returned = true
		})
		synctest.Wait()
		if got != ErrTransport {
			t.Errorf("heard %v", got)
		}
	})
}

func TestFinding2_200Unread180sLeaveNoGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, &recorder{})
		heard := 0
		if _, err := b.stack.Request(newRequest(sip.INVITE, "c1"), b.flow, func(r Result) {
			if r.Response != nil {
				heard++
			}
		}); err != nil {
			t.Fatal(err)
		}
		invite := b.one()
		before := runtime.NumGoroutine()
		for range 200 {
			b.hear(answerTo(invite.msg, 180, "Ringing", "t1"))
		}
		if after := runtime.NumGoroutine(); after > before || heard != 200 {
			t.Errorf("%d goroutines before, %d after; %d of 200 heard", before, after, heard)
		}
		for range 20 { // finding 2, second half: a repeated refusal is acknowledged at once, each time
			b.hear(answerTo(invite.msg, 486, "Busy Here", "t1"))
		}
		if out := b.took(); len(out) != 20 || out[19].at != out[0].at {
			t.Errorf("sent %s", firstLines(out))
		}
	})
}

func TestRunAfterAndMessagesOfOneCallNeverOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := false
		enter := func() {
			if busy {
				t.Error("two of one call ran at once")
			}
			busy = true
			time.Sleep(time.Millisecond)
			busy = false
		}
		b := newBench(t, Config{Shards: 4}, &recorder{request: func(*ServerTx) { enter() }})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { b.stack.Run("call-1", enter) })
			wg.Go(func() { b.stack.After("call-1", 3*time.Millisecond, enter) })
		}
		for i := range 20 {
			b.hear(requestText("OPTIONS", string(rune('a'+i))))
		}
		wg.Wait()
		time.Sleep(time.Second)
	})
}

func TestAStoppedTimerDoesNotFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, &recorder{})
		fired := ""
		b.stack.Run("x", func() {
			stop := b.stack.After("x", 0, func() { fired += "stopped" })
			stop()
			b.stack.After("x", time.Second, func() { fired += "later" })
		})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if fired != "later" {
			t.Errorf("fired %q", fired)
		}
	})
}

func TestAPanicEndsNothingButItsMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{request: func(tx *ServerTx) {
			if tx.Request().IsInvite() {
				panic("a defect above")
			}
			respond(t, tx, 200, "OK")
		}}
		b := newBench(t, Config{}, rec)
		b.hear(requestText("INVITE", "a"))
		if s := b.one(); s.msg.(*sip.Response).StatusCode != 500 {
			t.Errorf("sent %s", firstLines([]sent{s}))
		}
		b.stack.Run("call-1", func() { panic("another") })
		b.hear(requestText("OPTIONS", "b"))
		if s := b.one(); s.msg.(*sip.Response).StatusCode != 200 {
			t.Errorf("sent %s", firstLines([]sent{s}))
		}
		if n := b.stack.Stats().Panics; n != 2 {
			t.Errorf("%d panics counted", n)
		}
	})
}

func TestAboveMaxTransactionsNewCallsGet503AndCallsThatExistGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{}
		b := newBench(t, Config{MaxTransactions: 3}, rec)
		for i := range 5 {
			b.hear(requestText("OPTIONS", string(rune('a'+i))))
		}
		out := b.took()
		if len(rec.txs) != 3 || len(out) != 2 {
			t.Fatalf("%d let in; sent %s", len(rec.txs), firstLines(out))
		}
		res := out[0].msg.(*sip.Response)
		if res.StatusCode != 503 || res.GetHeader("Retry-After") == nil || !res.To().Params.Has("tag") {
			t.Errorf("the refusal is wrong:\n%s", res)
		}
		b.hear(strings.Replace(requestText("BYE", "z"), "To: <sip:100@127.0.0.1>", "To: <sip:100@127.0.0.1>;tag=x", 1))
		if len(rec.txs) != 4 {
			t.Error("a BYE was refused")
		}
		time.Sleep(33 * time.Second) // forgotten by the handler: they end by themselves
		b.hear(requestText("OPTIONS", "new"))
		if len(rec.txs) != 5 {
			t.Error("room that became free was not used")
		}
	})
}

func TestTheAckOfAStatelessRefusalReachesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{}
		b := newBench(t, Config{MaxTransactions: 1}, rec)
		b.hear(requestText("OPTIONS", "a"))
		b.hear(requestText("INVITE", "b"))
		refusal := b.one().msg.(*sip.Response)
		b.hear(strings.Replace(requestText("ACK", "b"), "To: <sip:100@127.0.0.1>", "To: "+refusal.To().Value(), 1))
		if len(rec.acks) != 0 {
			t.Error("the ACK of a 503 reached the handler")
		}
	})
}

func TestAFullShardRefusesNewCallsFirstAndDropsLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := newBench(t, Config{Shards: 1, Queue: 8}, &recorder{})
		b.stack.Run("x", func() { <-release })
		synctest.Wait()
		for i := range 10 {
			b.hear(requestText("OPTIONS", string(rune('a'+i))))
		}
		if s := b.stack.Stats(); s.Refused != 4 || s.Dropped != 0 {
			t.Errorf("%d refused, %d dropped", s.Refused, s.Dropped)
		}
		bye := strings.Replace(requestText("BYE", "z"), "To: <sip:100@127.0.0.1>", "To: <sip:100@127.0.0.1>;tag=x", 1)
		for range 3 {
			b.hear(bye)
		}
		if s := b.stack.Stats(); s.Dropped != 1 {
			t.Errorf("%d dropped", s.Dropped)
		}
		close(release)
	})
}

func TestStrayResponsesReachTheHandlerOnlyWhenTheyWantAnAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{}
		b := newBench(t, Config{}, rec)
		req := newRequest(sip.INVITE, "c1")
		b.stack.finishRequest(req, b.flow, sip.GenerateBranch())
		b.hear(answerTo(req, 200, "OK", "t1"))
		b.hear(answerTo(req, 180, "Ringing", "t1"))
		options := newRequest(sip.OPTIONS, "c2")
		b.stack.finishRequest(options, b.flow, sip.GenerateBranch())
		b.hear(answerTo(options, 200, "OK", "t1"))
		if len(rec.strays) != 1 || b.stack.Stats().Strays != 3 {
			t.Errorf("%d reached the handler, %d counted", len(rec.strays), b.stack.Stats().Strays)
		}
	})
}

func TestARestoredServerTransactionCanBeAnsweredAndCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := &recorder{}
		b := newBench(t, Config{}, before)
		b.hear(requestText("INVITE", "a"))
		ringing := sip.NewResponseFromRequest(before.txs[0].Request(), 180, "Ringing", nil)
		if err := before.txs[0].Respond(ringing); err != nil {
			t.Fatal(err)
		}
		first := b.one()

		rec := &recorder{}
		next := newBench(t, Config{}, rec)
		kept, err := sip.ParseMessage([]byte(before.txs[0].Request().String())) // as a journal would keep it
		if err != nil {
			t.Fatal(err)
		}
		tx, err := next.stack.RestoreServerTx(kept.(*sip.Request), before.txs[0].Flow(), ringing)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := next.stack.RestoreServerTx(kept.(*sip.Request), before.txs[0].Flow(), nil); err == nil {
			t.Error("the same transaction was restored twice")
		}
		time.Sleep(time.Second)
		if out := next.took(); len(out) != 0 {
			t.Errorf("restoring sent %s", firstLines(out))
		}
		next.hear(requestText("INVITE", "a"))
		if s := next.one(); s.raw != first.raw || len(rec.txs) != 0 {
			t.Errorf("a repeated INVITE got\n%s\nnot\n%s", s.raw, first.raw)
		}
		cancelled := false
		tx.OnCancel(func(*sip.Request) { cancelled = true })
		next.hear(requestText("CANCEL", "a"))
		next.took()
		respond(t, tx, 487, "Request Terminated")
		if s := next.one(); !cancelled || s.to != first.to {
			t.Errorf("cancelled %v, answered to %v", cancelled, s.to)
		}
	})
}

func TestARestoredClientTransactionHearsItsAnswerAndCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{}, &recorder{})
		tx, err := b.stack.Request(newRequest(sip.INVITE, "c1"), b.flow, func(Result) {})
		if err != nil {
			t.Fatal(err)
		}
		invite := b.one()
		next := newBench(t, Config{}, &recorder{})
		kept, err := sip.ParseMessage([]byte(tx.Request().String()))
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		again, err := next.stack.RestoreClientTx(kept.(*sip.Request), b.flow, func(r Result) { got = append(got, r.Response.StatusCode) })
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if out := next.took(); len(out) != 0 {
			t.Errorf("restoring sent %s", firstLines(out))
		}
		if err := again.Cancel(); err != nil {
			t.Fatal(err)
		}
		if s := next.one(); s.msg.(*sip.Request).Method != sip.CANCEL {
			t.Errorf("sent %s", firstLines([]sent{s}))
		}
		next.hear(answerTo(invite.msg, 487, "Request Terminated", "t1"))
		if len(got) != 1 || got[0] != 487 {
			t.Errorf("heard %v", got)
		}
		if s := next.one(); s.msg.(*sip.Request).Method != sip.ACK {
			t.Errorf("sent %s", firstLines([]sent{s}))
		}
	})
}

// RFC 3261 section 9.2: who never got the INVITE answers its CANCEL with 481, and will never answer the INVITE. In one
// process that may be said of an INVITE whose final response is on its way; after a restart it is the end.
func TestACancelOfAnINVITEThatNeverLeftIsTheEndOfIt(t *testing.T) {
	for name, restored := range map[string]bool{"of an earlier process": true, "of this one": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Config{}, &recorder{})
				var got []Result
				sink := func(r Result) { got = append(got, r) }
				tx, err := b.stack.Request(newRequest(sip.INVITE, "c1"), b.flow, sink)
				if err != nil {
					t.Fatal(err)
				}
				invite := b.one()
				if restored {
					b = newBench(t, Config{}, &recorder{})
					kept, err := sip.ParseMessage([]byte(tx.Request().String()))
					if err != nil {
						t.Fatal(err)
					}
					if tx, err = b.stack.RestoreClientTx(kept.(*sip.Request), b.flow, sink); err != nil {
						t.Fatal(err)
					}
				} else {
					b.hear(answerTo(invite.msg, 180, "Ringing", "t1"))
					got = nil
				}
				if err := tx.Cancel(); err != nil {
					t.Fatal(err)
				}
				b.hear(answerTo(b.one().msg, 481, "Call/Transaction Does Not Exist", "t2"))
				if restored && (len(got) != 1 || !errors.Is(got[0].Err, ErrUnknown)) || !restored && len(got) != 0 {
					t.Errorf("told %+v", got)
				}
			})
		})
	}
}
