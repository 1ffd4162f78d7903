package stack

import (
	"strings"
	"testing"
)

func TestOptionsIsAnsweredWithWhatWeCanAndHardlyMoreBytesThanItHad(t *testing.T) {
	b := newBox(t, Config{}, &recorder{request: func(tx *ServerTx) { tx.Capabilities() }})
	p := newPhone(t, b, "127.0.0.2")
	ask := request("OPTIONS", "UDP", p.addr, 1)
	p.send(ask)
	res := p.hear(patience)
	if statusOf(res) != 200 || !strings.Contains(res, "Accept: application/sdp") || !strings.Contains(res, "Allow: INVITE") || !strings.Contains(res, "To: <sip:100@127.0.0.1>;tag=") {
		t.Errorf("answered %q", res)
	}
	if len(res) > len(ask)+120 {
		t.Errorf("%d bytes for %d", len(res), len(ask))
	}
	p.send(request("OPTIONS", "UDP", p.addr, 2, "Require: nothingSupportsThis"))
	if res := p.hear(patience); statusOf(res) != 420 || !strings.Contains(res, "Unsupported: nothingSupportsThis") {
		t.Errorf("what we do not know was answered %q", res)
	}
}

func TestWhatAStrangerGetsIsSaidOnceAndNeedsNoAck(t *testing.T) {
	h := &recorder{request: func(tx *ServerTx) { _ = tx.Respond(newRefusal(tx, 401)) }}
	b := newBox(t, Config{}, h)
	p := newPhone(t, b, "127.0.0.2")
	for range 2 { // a request that comes again is answered again
		p.send(request("INVITE", "UDP", p.addr, 1))
		if got := p.status(patience); got != 401 {
			t.Fatalf("answered %d", got)
		}
	}
	eventually(t, "no transaction is left", func() bool { return b.Stats().Transactions == 0 })
	if raw := p.hear(3 * t1); raw != "" {
		t.Errorf("the refusal came again: %q", raw)
	}
}

func TestARefusalAfterRingingIsRepeatedSinceNobodyAsksForItAgain(t *testing.T) {
	b := newBox(t, Config{}, &recorder{request: func(tx *ServerTx) {
		_ = tx.Respond(newRefusal(tx, 180))
		_ = tx.Respond(newRefusal(tx, 404))
	}})
	p := newPhone(t, b, "127.0.0.2")
	p.send(request("INVITE", "UDP", p.addr, 1))
	for _, want := range []int{180, 404, 404} {
		if got := p.status(patience); got != want {
			t.Errorf("answered %d, want %d", got, want)
		}
	}
}
