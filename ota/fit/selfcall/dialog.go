package selfcall

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// uri is whom the call is for.
func (c *caller) uri() string { return "sip:" + c.Number + "@" + c.Address.String() }

// host is an address as a URI has it (RFC 3986 section 3.2.2).
func host(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

func newBranch() string { return "z9hG4bK" + rand.Text() } // RFC 3261 section 8.1.1.7

// request writes one. The sockets are of the same machine, so host and port are what the other end sees.
func (c *caller) request(method, uri, branch string, cseq int, body string, extra ...string) []byte {
	at := c.sip.LocalAddr().String()
	lines := []string{
		method + " " + uri + " SIP/2.0", "Via: SIP/2.0/UDP " + at + ";branch=" + branch, "Max-Forwards: 70",
		"From: <sip:" + c.User + "@" + host(c.Address.Addr()) + ">;tag=" + c.tag, "To: " + c.remote,
		"Call-ID: " + c.callID, fmt.Sprintf("CSeq: %d %s", cseq, method), "Contact: <sip:" + c.User + "@" + at + ">",
		"User-Agent: Pronto health check",
	}
	lines = append(lines, extra...)
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)), "", body)
	return []byte(strings.Join(lines, "\r\n"))
}

func (c *caller) send(raw []byte) error {
	if _, err := c.sip.WriteTo(raw, net.UDPAddrFromAddrPort(c.Address)); err != nil {
		return fmt.Errorf("the exchange cannot be reached at %s: %w", c.Address, err)
	}
	return nil
}

// errSilent is for a request that nobody answers.
var errSilent = errors.New("no answer")

// transact sends a request and waits for its final response (RFC 3261 sections 17.1.1 and 17.1.2). For an INVITE
// progress ends the repeating; what else comes meanwhile is answered.
func (c *caller) transact(ctx context.Context, raw []byte, method, branch string, cseq int, within time.Duration) (message, error) {
	if err := c.send(raw); err != nil {
		return message{}, err
	}
	limit := time.NewTimer(within)
	defer limit.Stop()
	wait := t1
	again := time.NewTimer(wait)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			if err := c.send(raw); err != nil {
				return message{}, err
			}
			if wait *= 2; method != "INVITE" {
				wait = min(wait, t2)
			}
			again.Reset(wait)
		case m := <-c.messages:
			mine := m.status > 0 && m.method == method && m.number == cseq && parameter(m.get("via"), "branch") == branch
			switch {
			case mine && m.status >= 200:
				return m, nil
			case mine && method == "INVITE":
				again.Stop()
			case !mine:
				if err := c.meanwhile(m); err != nil && method != "BYE" {
					return message{}, err
				}
			}
		case <-limit.C:
			return message{}, errSilent
		case <-ctx.Done():
			return message{}, fmt.Errorf("the call was broken off: %w", ctx.Err())
		}
	}
}

// invite calls, with the password when it is asked for, and tells where our audio is taken.
func (c *caller) invite(ctx context.Context) (port int, err error) {
	own, err := netip.ParseAddrPort(c.rtp.LocalAddr().String())
	if err != nil {
		return 0, fmt.Errorf("our own address: %w", err)
	}
	body := offer(own.Addr().String(), int(own.Port()))
	m, err := c.ask(ctx, body)
	if err == nil && m.status == 401 {
		ch, err := challenged(m)
		if err != nil {
			return 0, fmt.Errorf("the exchange asks for a password in no way that we know: %w", err)
		}
		c.cseq++
		m, err = c.ask(ctx, body, "Authorization: "+ch.answer(c.User, c.Password, "INVITE", c.uri()))
		if err == nil && m.status == 401 {
			return 0, errors.New("the exchange does not take the password that it has given")
		}
		if err != nil {
			return 0, err
		}
	}
	if err != nil {
		return 0, err
	}
	if m.status >= 300 {
		return 0, fmt.Errorf("the exchange answers the call with %d %s", m.status, m.reason)
	}
	c.remote, c.invited = m.get("to"), c.cseq
	if contact := address(m.get("contact")); contact != "" {
		c.target = contact
	}
	c.branch = newBranch()
	if err := c.acknowledge(); err != nil {
		return 0, err
	}
	if port, err = answered(m.body); err != nil {
		return 0, errors.Join(err, c.bye(ctx))
	}
	return port, nil
}

// ask sends one INVITE; a refusal is acknowledged (RFC 3261 section 17.1.1.3), and one that nobody answers is
// cancelled.
func (c *caller) ask(ctx context.Context, body string, extra ...string) (message, error) {
	branch := newBranch()
	m, err := c.transact(ctx, c.request("INVITE", c.uri(), branch, c.cseq, body, extra...), "INVITE", branch, c.cseq, answerWithin)
	switch {
	case errors.Is(err, errSilent):
		_ = c.send(c.request("CANCEL", c.uri(), branch, c.cseq, "")) // who is silent may be told in vain
		return m, fmt.Errorf("the exchange does not answer a call within %v", answerWithin)
	case err != nil:
		return m, err
	case m.status >= 300:
		before := c.remote
		c.remote = m.get("to")
		err = c.send(c.request("ACK", c.uri(), branch, c.cseq, ""))
		c.remote = before
	}
	return m, err
}

// acknowledge answers a 200, also one that comes again (RFC 3261 section 13.2.2.4).
func (c *caller) acknowledge() error {
	return c.send(c.request("ACK", c.target, c.branch, c.invited, ""))
}

// errHungUp is for a call that the exchange ends.
var errHungUp = errors.New("the exchange hangs up")

// meanwhile answers what comes unasked. An error says that the call has ended.
func (c *caller) meanwhile(m message) error {
	switch {
	case m.status >= 200 && m.status < 300 && m.method == "INVITE" && m.number == c.invited && c.branch != "":
		return c.acknowledge()
	case m.status > 0 || m.method == "ACK":
		return nil
	case m.method == "BYE":
		return errors.Join(errHungUp, c.respond(m, "200 OK"))
	default: // nothing else is needed for a call of a second
		return c.respond(m, "501 Not Implemented")
	}
}

// respond answers a request (RFC 3261 section 8.2.6).
func (c *caller) respond(to message, status string) error {
	lines := []string{"SIP/2.0 " + status}
	for _, h := range to.headers {
		switch h.name {
		case "via", "from", "to", "call-id", "cseq":
			lines = append(lines, h.name+": "+h.value)
		}
	}
	return c.send([]byte(strings.Join(append(lines, "content-length: 0", "", ""), "\r\n")))
}

// bye takes leave. Of a context that has ended it still tries, for the exchange's sake.
func (c *caller) bye(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), byeWithin+time.Second)
	defer cancel()
	c.cseq++
	branch := newBranch()
	m, err := c.transact(ctx, c.request("BYE", c.target, branch, c.cseq, ""), "BYE", branch, c.cseq, byeWithin)
	switch {
	case errors.Is(err, errSilent):
		return fmt.Errorf("the exchange does not answer a BYE within %v", byeWithin)
	case err != nil:
		return err
	case m.status >= 300:
		return fmt.Errorf("the exchange answers a BYE with %d %s", m.status, m.reason)
	}
	return nil
}
