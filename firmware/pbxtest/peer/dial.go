package peer

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Outgoing describes a call to make.
type Outgoing struct {
	To   string // number or name that is called
	URI  string // request line; empty: To at the box
	From string // user part of From; empty: the peer's own
	Hz   int    // the voice of this call; 0: the peer's
	Mute bool   // begin without a voice
	SDP  string // offer to send instead of the peer's own: for wrong ones

	Direction string // of the audio offered; empty: sendrecv
	Offerless bool   // the box offers, the ACK answers
	Headers   string // further header lines, each with its CRLF, such as Replaces
	Forwards  int    // Max-Forwards; 0: 70
}

// Dial begins a call and returns at once; Ringing, Answered and Ended tell what becomes of it.
func (p *Peer) Dial(o Outgoing) (*Call, error) { return p.dial(o, p.cfg.Box) }

func (p *Peer) dial(o Outgoing, at netip.AddrPort) (*Call, error) {
	c, err := p.newCall(rand.Text(), at)
	if err != nil {
		return nil, err
	}
	if o.Hz != 0 {
		c.audio.Voice(o.Hz)
	}
	c.audio.Mute(o.Mute)
	c.Forwards = cmp.Or(o.Forwards, forwards)
	from := cmp.Or(o.From, p.name())
	c.Caller, c.Called = from, o.To
	host := at.String()
	home := host
	if p.cfg.User == "" {
		home = p.Local().String() // a carrier's callers are in its own domain
	}
	p.mu.Lock()
	c.cseq = 1
	c.from = fmt.Sprintf("<sip:%s@%s>;tag=%s", from, home, c.tag)
	c.to = fmt.Sprintf("<sip:%s@%s>", o.To, host)
	c.target = cmp.Or(o.URI, fmt.Sprintf("sip:%s@%s", o.To, host))
	p.mu.Unlock()
	body := cmp.Or(o.SDP, c.sdp(cmp.Or(o.Direction, "sendrecv")))
	if o.Offerless {
		body = ""
	}
	p.spawn(func() {
		c.place(body, o.Headers)
		c.forgetAtEnd()
	})
	return c, nil
}

// place runs the INVITE to its end, answering one challenge.
func (c *Call) place(body, headers string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	uri := c.target
	auth := ""
	for n := 1; ; n++ {
		c.p.mu.Lock()
		c.cseq = n
		c.p.mu.Unlock()
		res, err := c.transact(ctx, n, headers+auth, body, c.hangup)
		if err != nil {
			c.finish(0, err.Error(), errors.Is(err, ErrTimeout))
			return
		}
		header, reply := "WWW-Authenticate", "Authorization"
		if res.StatusCode == 407 {
			header, reply = "Proxy-Authenticate", "Proxy-Authorization"
		}
		switch {
		case (res.StatusCode == 401 || res.StatusCode == 407) && auth == "":
			value := credentials(values(res, header), c.p.cfg.Algorithm, c.p.cfg.User, c.p.cfg.Password, "INVITE", uri)
			if value == "" {
				c.finish(res.StatusCode, "no challenge that I can answer", true)
				return
			}
			auth = reply + ": " + value + "\r\n"
		case res.StatusCode < 300:
			c.taken(res)
			return
		default:
			c.finish(res.StatusCode, res.Reason, true)
			return
		}
	}
}

// taken is a 2xx to the call's first INVITE.
func (c *Call) taken(res *sip.Response) {
	if !c.hear(res.Body()) {
		c.answerOnce.Do(func() { close(c.answered) })
		c.Hangup()
		return
	}
	c.ringOnce.Do(func() { close(c.ringing) })
	c.answerOnce.Do(func() { close(c.answered) })
	select {
	case <-c.hangup: // the answer crossed our giving up
		c.Hangup()
	default:
	}
}

// transact is one INVITE transaction with its ACK. give, when closed, sends a CANCEL.
func (c *Call) transact(ctx context.Context, n int, auth, body string, give <-chan struct{}) (*sip.Response, error) {
	b := branch()
	text := c.message("INVITE", b, n, auth, body)
	ch, end := c.p.open("INVITE", b)
	defer end()
	again, wait := time.NewTimer(0), t1
	defer again.Stop()
	giveUp := time.After(life)
	heard, cancelling := false, false
	for {
		if heard && cancelling {
			cancelling, give = false, nil
			c.p.spawn(func() { _, _ = c.p.exchange(ctx, "CANCEL", b, c.message("CANCEL", b, n, "", ""), c.flow) })
			giveUp = time.After(life)
		}
		select {
		case <-again.C:
			if wait > t1 {
				c.p.repeated("INVITE", b)
			}
			c.p.send(text, c.flow)
			again.Reset(wait)
			wait = min(2*wait, t2)
		case res := <-ch:
			if !heard {
				heard = true
				again.Stop()
				giveUp = time.After(5 * time.Minute)
			}
			if res.StatusCode >= 200 {
				c.confirm(res, b, n, body == "")
				return res, nil
			}
			c.progress(res)
			c.acknowledge(ctx, res, n)
		case <-give:
			cancelling, give = true, nil
			if !heard {
				giveUp = time.After(life)
			}
		case <-giveUp:
			return nil, ErrTimeout
		case <-c.p.quit:
			return nil, ErrClosed
		}
	}
}

// progress is a provisional response, perhaps with early audio.
func (c *Call) progress(res *sip.Response) {
	if res.StatusCode > 100 {
		if len(res.Body()) > 0 {
			c.hear(res.Body())
		}
		c.p.mu.Lock()
		c.early = res.To().Value()
		c.p.mu.Unlock()
		c.ringOnce.Do(func() { close(c.ringing) })
	}
}

// acknowledge sends the PRACK of a reliable provisional response (RFC 3262 section 4), once for each.
func (c *Call) acknowledge(ctx context.Context, res *sip.Response, invite int) {
	seq := res.GetHeader("RSeq")
	if seq == nil || res.Contact() == nil {
		return
	}
	c.p.mu.Lock()
	again := c.pracks[seq.Value()]
	if c.pracks == nil {
		c.pracks = map[string]bool{}
	}
	c.pracks[seq.Value()] = true
	kept, target := c.to, c.target
	c.cseq++
	n := c.cseq
	c.to, c.target = res.To().Value(), res.Contact().Address.String()
	c.p.mu.Unlock()
	b := branch()
	text := c.message("PRACK", b, n, fmt.Sprintf("RAck: %s %d INVITE\r\n", seq.Value(), invite), "")
	c.p.mu.Lock()
	c.to, c.target = kept, target
	c.p.mu.Unlock()
	if !again {
		c.p.spawn(func() { _, _ = c.p.exchange(ctx, "PRACK", b, text, c.flow) })
	}
}

// confirm sends the ACK of a final response and keeps it for when the response comes again. Of an INVITE
// without an offer it carries the answer to the box's.
func (c *Call) confirm(res *sip.Response, b string, n int, offerless bool) {
	answer, f := "", c.machine()
	switch {
	case !offerless || res.StatusCode >= 300:
	case c.hear(res.Body()):
		answer = c.sdp("sendrecv")
	case f != nil && f.use(res.Body()):
		answer = f.answer(c, res.Body())
	}
	ackBranch := b
	to := res.To().Value()
	c.p.mu.Lock()
	kept := c.to
	c.to = to
	if res.StatusCode < 300 {
		ackBranch = branch()
		if ct := res.Contact(); ct != nil {
			c.target = ct.Address.String()
		}
		if c.routes == nil {
			for _, h := range res.GetHeaders("Record-Route") {
				c.routes = append(c.routes, h.Value())
			}
		}
	}
	c.p.mu.Unlock()
	ack := c.message("ACK", ackBranch, n, "", answer)
	c.p.mu.Lock()
	c.acks[b] = ack
	if res.StatusCode >= 300 {
		c.to = kept // an INVITE with credentials begins anew
	}
	c.p.mu.Unlock()
	c.p.send(ack, c.flow)
}
