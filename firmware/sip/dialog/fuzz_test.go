package dialog

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// FuzzMessages puts what parses as a SIP message into a live user agent with one call up, one
// ringing in and one ringing out. TAG, ID and PEER in the text stand for what a real peer of the
// call would write. No message may panic, and none but a well-formed one of the peer may end a call.
func FuzzMessages(f *testing.F) {
	head := "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKf\r\n"
	inside := head + "From: <sip:200@127.0.0.1>;tag=PEER\r\nTo: <sip:201@127.0.0.2>;tag=TAG\r\nCall-ID: ID\r\n"
	reply := head + "From: <sip:201@127.0.0.2>;tag=TAG\r\nTo: <sip:200@127.0.0.1>;tag=PEER\r\nCall-ID: ID\r\n"
	for _, seed := range []string{
		"BYE sip:x@127.0.0.2 SIP/2.0\r\n" + inside + "CSeq: 2 BYE\r\nReason: Q.850;cause=26, SIP;cause=200\r\n\r\n",
		"INVITE sip:x@127.0.0.2 SIP/2.0\r\n" + inside + "CSeq: 9 INVITE\r\nContact: <sip:a@b>\r\nContent-Type: application/sdp\r\n\r\n" + offer,
		"UPDATE sip:x@127.0.0.2 SIP/2.0\r\n" + inside + "CSeq: 9 UPDATE\r\nContact: *\r\n\r\n",
		"INFO sip:x@127.0.0.2 SIP/2.0\r\n" + inside + "CSeq: 4294967295 INFO\r\nContent-Type: a/b\r\n\r\nx",
		"ACK sip:x@127.0.0.2 SIP/2.0\r\n" + inside + "CSeq: 1 ACK\r\n\r\n",
		"CANCEL sip:x@127.0.0.2 SIP/2.0\r\n" + head + "CSeq: 1 CANCEL\r\n\r\n",
		"INVITE tel:+39 SIP/2.0\r\n" + head + "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: n\r\nCSeq: 1 INVITE\r\nContact: <sip:a@b>\r\nRecord-Route: <sip:p;lr>, <sip:q>\r\nExpires: 3\r\n\r\n",
		"REGISTER sip:b SIP/2.0\r\n" + head + "From: a\r\nTo: b\r\n\r\n",
		"SIP/2.0 200 OK\r\n" + reply + "CSeq: 1 INVITE\r\nContact: <sip:x@y>\r\nRecord-Route: <sip:p>\r\n\r\n",
		"SIP/2.0 180 Ringing\r\n" + reply + "CSeq: 1 INVITE\r\n\r\n",
		"SIP/2.0 407 Auth\r\n" + reply + "CSeq: 1 INVITE\r\nProxy-Authenticate: Digest nonce=\"\r\n\r\n",
		"SIP/2.0 302 Moved\r\n" + reply + "CSeq: 1 INVITE\r\nContact: <sip:x@y>;q=0.1, sip:z\r\nRetry-After: 99999999999 (x)\r\n\r\n",
		"SIP/2.0 999 \r\n\r\n",
		"PRACK sip:x@127.0.0.2 SIP/2.0\r\n" + inside + "CSeq: 9 PRACK\r\nRAck: 1 1 INVITE\r\nContent-Type: application/sdp\r\n\r\n" + offer,
		"UPDATE sip:x@127.0.0.2 SIP/2.0\r\n" + inside + "CSeq: 9 UPDATE\r\nSession-Expires: 90;refresher=uas\r\nMin-SE: 90\r\nSupported: timer\r\nAllow: UPDATE\r\n\r\n",
		"REFER sip:x@127.0.0.2 SIP/2.0\r\n" + inside + "CSeq: 9 REFER\r\nRefer-To: <sip:c@d?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\nRefer-Sub: true\r\nReferred-By: <sip:x@y>\r\n\r\n",
		"NOTIFY sip:x@127.0.0.2 SIP/2.0\r\n" + inside + "CSeq: 9 NOTIFY\r\nEvent: refer;id=2\r\nSubscription-State: terminated;reason=noresource\r\nContent-Type: message/sipfrag\r\n\r\nSIP/2.0 200 OK\r\n",
		"INVITE sip:x@y SIP/2.0\r\n" + head + "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: n\r\nCSeq: 1 INVITE\r\nContact: <sip:a@b>\r\nRequire: 100rel\r\nReplaces: ID;to-tag=TAG;from-tag=PEER\r\nSession-Expires: 1\r\n\r\n",
		"SIP/2.0 183 Progress\r\n" + reply + "CSeq: 1 INVITE\r\nRequire: 100rel\r\nRSeq: 7\r\nContact: <sip:x@127.0.0.1>\r\nContent-Type: application/sdp\r\n\r\n" + answer,
		"SIP/2.0 422 Small\r\n" + reply + "CSeq: 1 INVITE\r\nMin-SE: 4294967295\r\n\r\n",
		"SIP/2.0 200 OK\r\n" + reply + "CSeq: 1 INVITE\r\nContact: <sip:x@127.0.0.1>\r\nSession-Expires: 0;refresher=uac\r\n\r\n",
		// A Contact that would have made our BYE unreadable; found by this target.
		"SIP/2.0 200 OK\r\n" + reply + "CSeq: 1 INVITE\r\nContact: <aa: 0>\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		if _, err := sip.ParseMessage([]byte(text)); err != nil {
			return
		}
		synctest.Test(t, func(t *testing.T) { fuzzOne(t, text) })
	})
}

func fuzzOne(t *testing.T, text string) {
	w := &world{t: t, nodes: map[netip.AddrPort]*node{}, r: rand.New(rand.NewPCG(1, 1))}
	p := newPair(w)
	p.up()
	up := p.bobCall
	p.call()
	p.run(tick)
	ringingIn := p.bobCall
	out := &ear{}
	r := p.request()
	r.Flow, r.Events = p.bob.flow(p.alice), out.hear
	p.alice.ua.cfg.Invite = func(s *Session) { s.Bind(nil); s.Provisional(180, nil) }
	ringingOut, err := p.bob.ua.Invite(r)
	if err != nil {
		t.Fatal(err)
	}
	p.run(tick)
	for _, s := range []*Session{up, ringingIn, ringingOut} {
		peer := s.state.Peer.Tag
		if peer == "" && len(s.state.Forks) > 0 {
			peer = s.state.Forks[0].Tag
		}
		msg, err := sip.ParseMessage([]byte(strings.NewReplacer("TAG", s.id, "PEER", peer, "ID", s.callID).Replace(text)))
		if err != nil {
			continue
		}
		p.inject(s, msg)
		p.run(tick)
	}
	if up.state.Phase > core.Up && !strings.Contains(text, "TAG") {
		t.Errorf("a message that does not know the tag has ended the call:\n%s", text)
	}
	for _, s := range []*Session{up, ringingIn, ringingOut} {
		s.Hangup(hangup)
	}
	p.run(4 * core.Life)
	if n := p.bob.ua.Panics() + p.alice.ua.Panics(); n > 0 {
		t.Errorf("%d panics after:\n%s", n, text)
	}
}

// inject hands msg to bob as the stack would, without the stack's own checks.
func (p *pair) inject(s *Session, msg sip.Message) {
	flow := p.bob.flow(p.alice)
	switch m := msg.(type) {
	case *sip.Request:
		if m.Method == sip.ACK {
			p.bob.ua.Ack(m, flow)
			return
		}
		p.bob.ua.receive(&lenient{fakeServer{n: p.bob, req: m, flow: flow}}, func() bool { return false })
	case *sip.Response:
		p.bob.ua.StrayResponse(m, flow)
		if c, ok := s.client.(*fakeClient); ok && s.state.Phase < core.Up {
			c.sink(stack.Result{Response: m})
		}
	}
}

// lenient is a server transaction that sends nothing: a stranger's Via leads nowhere.
type lenient struct{ fakeServer }

func (l *lenient) Respond(res *sip.Response) error {
	if res.StatusCode < 100 || res.CSeq() == nil {
		l.n.w.t.Errorf("broken response %s", res)
	}
	return nil
}
