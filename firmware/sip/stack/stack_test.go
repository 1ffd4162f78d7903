package stack

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/emiago/sipgo/sip"
)

func TestAFlowKeepsItsValueThroughJSON(t *testing.T) {
	for _, f := range []Flow{{}, {"udp", netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("[2001:db8::1]:40000")}} {
		raw, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var got Flow
		if err := json.Unmarshal(raw, &got); err != nil || got != f {
			t.Errorf("%s became %+v, %v", raw, got, err)
		}
	}
}

func TestCloseRunsWhatRunHasPromisedAndRefusesTheRest(t *testing.T) {
	s, err := New(Config{Shards: 2})
	if err != nil {
		t.Fatal(err)
	}
	var ran, promised atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for s.Run(fmt.Sprint(i), func() { ran.Add(1) }) || promised.Load() < 1000 {
				promised.Add(1)
			}
		})
	}
	for promised.Load() < 1000 {
		s.Run("x", func() {})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if s.Run("x", func() { t.Error("ran after Close") }) {
		t.Error("Run promised after Close")
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func TestRequestsThatCannotBeSentAreRefused(t *testing.T) {
	b := newBox(t, Config{}, &recorder{})
	to := Flow{Transport: "udp", Local: b.udp, Remote: b.udp}
	incomplete := newRequest(sip.OPTIONS, "x")
	incomplete.RemoveHeader("Call-ID")
	for name, req := range map[string]*sip.Request{
		"an ACK":   newRequest(sip.ACK, "x"),
		"a CANCEL": newRequest(sip.CANCEL, "x"), "one without Call-ID": incomplete,
	} {
		if _, err := b.Request(req, to, nil); err == nil {
			t.Errorf("%s was sent", name)
		}
	}
	if err := b.Send(incomplete, to); err != ErrRequest {
		t.Errorf("Send: %v", err)
	}
	if _, err := b.RestoreClientTx(newRequest(sip.OPTIONS, "x"), to, nil); err == nil {
		t.Error("an OPTIONS was restored")
	}
}

func TestSendGivesAnAckItsOwnBranchAndAResponseItsPath(t *testing.T) {
	b := newBox(t, Config{UserAgent: "Pronto"}, &recorder{})
	p := newPhone(t, b, "127.0.0.2")
	to := Flow{Transport: "udp", Local: b.udp, Remote: p.addr}
	ack := newRequest(sip.ACK, "x")
	var branches []string
	for range 2 {
		if err := b.Send(ack, to); err != nil {
			t.Fatal(err)
		}
		msg, err := sip.ParseMessage([]byte(p.hear(patience)))
		if err != nil {
			t.Fatal(err)
		}
		got := msg.(*sip.Request)
		branch, _ := got.Via().Params.Get("branch")
		branches = append(branches, branch)
		if len(got.GetHeaders("Via")) != 1 || got.MaxForwards() == nil || got.GetHeader("User-Agent") == nil || got.Via().Port != int(b.udp.Port()) {
			t.Errorf("sent\n%s", got)
		}
	}
	if branches[0] == branches[1] || !strings.HasPrefix(branches[0], "z9hG4bK") {
		t.Errorf("branches %q", branches)
	}
	req, err := sip.ParseMessage([]byte(request("INVITE", "UDP", p.addr, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Send(sip.NewResponseFromRequest(req.(*sip.Request), 200, "OK", nil), to); err != nil {
		t.Fatal(err)
	}
	if raw := p.hear(patience); statusOf(raw) != 200 || !strings.Contains(raw, "Server: Pronto") {
		t.Errorf("heard %q", raw)
	}
}

func TestAnyGoroutineMayAnswerAndCancelWhileMessagesArrive(t *testing.T) {
	var wg sync.WaitGroup
	defer wg.Wait()
	rec := &recorder{request: func(tx *ServerTx) {
		tx.OnCancel(func(*sip.Request) {})
		wg.Go(func() {
			_ = tx.Respond(sip.NewResponseFromRequest(tx.Request(), 180, "Ringing", nil))
			_ = tx.Respond(sip.NewResponseFromRequest(tx.Request(), 486, "Busy Here", nil))
			_ = tx.Done()
		})
	}}
	a, b := newBox(t, Config{}, rec), newBox(t, Config{}, rec)
	finals := make(chan int, 200)
	for i := range 200 {
		to := Flow{Transport: "udp", Local: a.udp, Remote: b.udp}
		if i%2 == 0 {
			to = Flow{Transport: "tcp", Remote: b.tcp}
		}
		tx, err := a.Request(newRequest(sip.INVITE, fmt.Sprint("race-", i)), to, func(r Result) {
			switch {
			case r.Err != nil:
				finals <- 0
			case r.Response.StatusCode >= 200:
				finals <- r.Response.StatusCode
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { _ = tx.Cancel() })
	}
	for i := range 200 {
		if got := <-finals; got != 486 {
			t.Fatalf("call %d ended with %d", i, got)
		}
	}
	eventually(t, "no transaction over TCP is left", func() bool { return b.Stats().Panics == 0 && b.Stats().Transactions <= 100 })
}
