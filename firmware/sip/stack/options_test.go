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
