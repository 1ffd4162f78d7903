package stack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

var fuzzSeeds = []string{
	requestText("OPTIONS", "a"),
	requestText("INVITE", "a", "Contact: <sip:200@127.0.0.2>", "Record-Route: <sip:p;lr>, <sip:q;lr>"),
	requestText("CANCEL", "a"), requestText("ACK", "a"),
	"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n",
	"OPTIONS sip:a@[::1 SIP/2.0\r\nv: SIP/2.0/UDP [::1;branch=z9hG4bKa\r\nf: \"\r\n\tx\r\nt: <\r\ni: \r\nCSeq: 1\r\nl: 5\r\n\r\nab",
	"INVITE sip:a@b:99999999999999999999?x=y&%%% SIP/2.0\r\nVia: //\r\n\r\n",
	"REGISTER sip:x;;;=;\"; SIP/2.0\r\nContact: *\r\nVia: SIP/2.0/UDP h:;rport;branch\r\nTo: <sip:@>;tag=\"a b\";x=y\r\n\r\n",
	"\r\n\r\n", "\x00\x00\x00\x00", "SIP/2.0 \r\n\r\n",
}

// FuzzDatagram sends bytes through socket, sipgo's transport, dispatcher and transactions. After
// each the stack must still serve, and no panic may even have been recovered.
func FuzzDatagram(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add([]byte(s))
	}
	b := newBox(f, Config{SourceRate: 1 << 28, MaxTransactions: 1 << 28}, &echoer{})
	p := newPhone(f, b, "127.0.0.2")
	n := 0
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 60_000 || len(data) == 0 {
			return
		}
		p.t = t
		p.send(string(data))
		n++
		marker := fmt.Sprintf("z9hG4bKb%d;", n)
		p.send(strings.Replace(request("BYE", "UDP", p.addr, n), "To: <sip:100@127.0.0.1>", "To: <sip:100@127.0.0.1>;tag=in", 1))
		for raw := p.hear(patience); !strings.Contains(raw, marker); raw = p.hear(patience) {
			if raw == "" {
				t.Fatal("the stack serves no more")
			}
		}
		if n := b.Stats().Panics; n > 0 {
			t.Fatalf("%d panics", n)
		}
	})
}

// FuzzStream reads bytes as a TCP connection does, cut in two, and checks that what is handed on
// parses without error: sipgo's reader runs where nobody could recover it.
func FuzzStream(f *testing.F) {
	for i, s := range fuzzSeeds {
		f.Add([]byte(s+s), uint16(i*7))
	}
	s, err := New(Config{SourceRate: 1 << 28})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		c := s.newConn(Flow{Transport: "tcp", Remote: netip.MustParseAddrPort("127.0.0.2:5060")}, true)
		c.assembly = assembly{stream: s.parser.NewSIPStream(), opened: time.Now(), kept: true}
		at := min(int(cut), len(data))
		c.take(bytes.Clone(data[:at]))
		if !c.assembly.broken {
			c.take(bytes.Clone(data[at:]))
		}
		handed := c.assembly.pending[:c.assembly.ready]
		again := sip.NewParser().NewSIPStream()
		defer again.Close()
		if _, err := again.Write(handed); err != nil {
			t.Fatal(err)
		}
		for again.Buffer().Len() > 0 {
			if _, _, err := again.ParseNext(); err != nil {
				t.Fatalf("handed on what does not parse: %v\n%q", err, handed)
			}
		}
		if n := s.Stats().Panics; n > 0 {
			t.Fatalf("%d panics", n)
		}
	})
}

// FuzzSalvage checks that what is answered to a broken request is itself whole, and hardly longer
// than the request: nobody can use us to flood a third party.
func FuzzSalvage(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		res := salvage(raw, "400", "Bad Request", "tag")
		if res == nil {
			return
		}
		if len(res) > len(raw)+200 {
			t.Errorf("%d bytes answered to %d", len(res), len(raw))
		}
		head, rest, ok := bytes.Cut(res, []byte("\r\n\r\n"))
		if !ok || len(rest) != 0 {
			t.Errorf("more than one head: %q", res)
		}
		for line := range bytes.SplitSeq(head, []byte("\r\n")) {
			if bytes.ContainsAny(line, "\r\n\x00") {
				t.Errorf("a control character in %q", line)
			}
		}
	})
}

// FuzzReceive checks that every message the parser accepts can be answered, matched and refused
// without a panic anywhere.
func FuzzReceive(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add([]byte(s))
	}
	s, err := New(Config{Shards: 1})
	if err != nil {
		f.Fatal(err)
	}
	var h Handler = &echoer{}
	s.handler.Store(&h)
	s.transmit = func(to Flow, raw []byte, _ func(error)) error {
		if _, err := sip.ParseMessage(raw); err != nil && !errors.Is(err, io.EOF) {
			return err // an answer may repeat a header that only our tolerance accepted
		}
		return nil
	}
	f.Cleanup(func() { _ = s.Close() })
	flow := Flow{Transport: "udp", Local: netip.MustParseAddrPort("127.0.0.1:5060"), Remote: netip.MustParseAddrPort("[2001:db8::1]:5060")}
	f.Fuzz(func(t *testing.T, raw []byte) {
		msg, err := sip.ParseMessage(raw)
		if err != nil {
			return
		}
		if !s.guard("fuzz", func() { s.receive(msg, flow) }) {
			t.Fatal("a panic in receive")
		}
		done := make(chan struct{})
		if !s.Run(callIDOf(msg), func() { close(done) }) {
			t.Fatal("the shard is full")
		}
		<-done
		if n := s.Stats().Panics; n > 0 {
			t.Fatalf("%d panics", n)
		}
	})
}

func callIDOf(msg sip.Message) string {
	if id := msg.CallID(); id != nil {
		return id.Value()
	}
	return ""
}
