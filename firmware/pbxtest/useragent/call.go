package useragent

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// EventKind is what a call tells.
type EventKind uint8

// The events of a call. Ended, Refused or Cancelled is the last one.
const (
	Ringing   EventKind = iota + 1 // 18x came
	Answered                       // 200 came and was acknowledged; Audio is where to send
	Confirmed                      // our 200 was acknowledged
	Moved                          // the server wants our audio elsewhere; Audio is where
	Cancelled                      // the caller gave up before our answer
	Refused                        // Status
	Ended                          // BYE, theirs or ours
	Silent                         // the server did not answer a request, though it was sent again and again
)

// Event is one happening on one call.
type Event struct {
	Kind   EventKind
	Status int
	Reason string    // the server's words beside Status
	Theirs bool      // of Ended: the other side hung up
	At     time.Time // when the kernel received the message
}

// Call is one dialog of a phone.
type Call struct {
	Events chan Event

	phone    *Phone
	id       string
	incoming bool
	began    time.Time // when the INVITE came or was first sent

	mu        sync.Mutex
	invite    message // incoming
	localTag  string
	remote    string // From or To of the other side, with its tag
	target    string // request URI inside the dialog
	routes    string // Route headers inside the dialog
	cseq      int
	audio     netip.AddrPort // theirs
	own       netip.AddrPort
	last      string // last response to the INVITE, or last INVITE sent
	branch    string
	uri       string
	retry     *time.Timer
	answered  bool
	confirmed bool
	cancelled bool // CANCEL was sent, or is to be sent
	heard     bool // any response to our INVITE
	over      bool
	leaving   bool // BYE was sent
	ack       string
	tried     int // answers to challenges of the INVITE
	byeTried  bool
}

func newCall(p *Phone, id string) *Call {
	return &Call{phone: p, id: id, Events: make(chan Event, 64)}
}

// Began is when the INVITE came, by the kernel's stamp, or was sent, the challenged first one.
func (c *Call) Began() time.Time { return c.began }

// Caller is the From of an incoming call.
func (c *Call) Caller() string { return uriOf(c.invite.header("From")) }

// ID is the Call-ID.
func (c *Call) ID() string { return c.id }

// Audio is where the server wants our audio; invalid before an SDP came, and when it takes none of our codec.
func (c *Call) Audio() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.audio
}

// Incoming reports who began.
func (c *Call) Incoming() bool { return c.incoming }

func (c *Call) tell(e Event) {
	select {
	case c.Events <- e:
	default:
		c.phone.strange.Add(1)
	}
}

// end is called with mu held.
func (c *Call) end(e Event) {
	if c.over {
		return
	}
	c.over = true
	c.stopRetry()
	c.phone.forget(c)
	c.tell(e)
}

func (c *Call) quiet() {
	c.mu.Lock()
	c.stopRetry()
	c.over = true
	c.mu.Unlock()
}

func (c *Call) stopRetry() {
	if c.retry != nil {
		c.retry.Stop()
	}
}

// t1 is that of RFC 3261 section 17.1.1.1.
const t1 = 500 * time.Millisecond

// Unanswered is after how long a request of a call counts as not answered at all, having been sent five times.
const Unanswered = 23 * t1

// again sends text now and, until stopRetry, at the intervals of RFC 3261 timer A (or G). Requests are not repeated
// over TCP.
func (c *Call) again(text string) {
	c.stopRetry()
	c.phone.send(text)
	select {
	case <-c.phone.done: // the connection is gone
		c.end(Event{Kind: Silent, At: time.Now()})
		return
	default:
	}
	once := c.phone.Transport == TCP && !strings.HasPrefix(text, "SIP/2.0")
	wait, total := t1, time.Duration(0)
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.over || c.retry != timer {
			return
		}
		total += wait
		if total >= Unanswered {
			c.end(Event{Kind: Silent, At: time.Now()})
			return
		}
		if !once {
			c.phone.resent.Add(1)
			c.phone.send(text)
		}
		wait = min(2*wait, 4*time.Second, Unanswered-total)
		timer.Reset(wait)
	})
	c.retry = timer
}

// Invite calls a number, with audio at own. A challenge is answered.
func (p *Phone) Invite(number string, own netip.AddrPort) *Call {
	n := p.serial.Add(1)
	c := newCall(p, fmt.Sprintf("c%d-%d-%s", n, p.addr.Port(), p.User))
	c.localTag = fmt.Sprintf("t%d", n)
	c.own = own
	c.uri = fmt.Sprintf("sip:%s@%s", number, p.home())
	c.remote = "<" + c.uri + ">"
	c.target = c.uri
	p.mu.Lock()
	p.calls[c.id] = c
	p.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.began = time.Now()
	c.sendInvite("")
	return c
}

func (c *Call) sendInvite(auth string) {
	c.cseq++
	c.branch = fmt.Sprintf("z9hG4bK%s-%d", c.id, c.cseq)
	c.last = c.request("INVITE", c.cseq, c.branch, auth+c.session("sendrecv"))
	c.again(c.last)
}

// session is the end of a message that holds our SDP.
func (c *Call) session(direction string) string {
	body := sdpFor(c.own, c.phone.Codec, direction)
	return fmt.Sprintf("Contact: %s\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", c.phone.contact(), len(body), body)
}

// request makes a request of the caller's or callee's side; rest holds the headers that differ.
func (c *Call) request(method string, cseq int, branch, rest string) string {
	target := c.target
	if method == "INVITE" || method == "CANCEL" {
		target = c.uri
	}
	if rest == "" {
		rest = "Content-Length: 0\r\n\r\n"
	}
	return fmt.Sprintf("%s %s SIP/2.0\r\n%s%sMax-Forwards: 70\r\nFrom: %s;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n%s",
		method, target, c.phone.via(branch), c.routes, c.local(), c.localTag, c.remote, c.id, cseq, method, rest)
}

func (c *Call) local() string {
	if c.incoming {
		return c.invite.header("To")
	}
	home := c.phone.Domain
	if c.phone.Password == "" {
		home = c.phone.addr.Addr().String() // a carrier's callers are not of the server's domain
	}
	return "<sip:" + c.phone.User + "@" + home + ">"
}

// Ring answers an incoming INVITE with 180.
func (c *Call) Ring() { c.respond(180, "Ringing", "") }

// Reject refuses an incoming INVITE.
func (c *Call) Reject(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.answered || !c.incoming {
		return
	}
	c.refuse(status, "Refused", Event{Kind: Refused, Status: status, At: time.Now()})
}

// refuse sends a final refusal again until its ACK. It is called with mu held. The call counts as
// ended at once; only the timer lives on.
func (c *Call) refuse(status int, reason string, e Event) {
	text := reply(&c.invite, status, reason, c.localTag, "")
	c.last = text
	c.phone.send(text)
	c.end(e)
}

// Answer takes an incoming call, with audio at own.
func (c *Call) Answer(own netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.answered || !c.incoming {
		return
	}
	c.answered, c.own = true, own
	_, direction, _ := audioOf(c.invite.body, c.phone.Codec)
	c.last = reply(&c.invite, 200, "OK", c.localTag, c.session(answering(direction)))
	c.again(c.last)
}

func (c *Call) respond(status int, reason, rest string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.answered || !c.incoming {
		return
	}
	c.last = reply(&c.invite, status, reason, c.localTag, rest)
	c.phone.send(c.last)
}

// Hangup ends the call in whatever way its phase asks for: CANCEL, BYE or a refusal.
func (c *Call) Hangup() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over || c.leaving:
	case c.incoming && !c.answered:
		c.refuse(480, "Temporarily Unavailable", Event{Kind: Refused, Status: 480, At: time.Now()})
	case !c.incoming && !c.answered:
		c.cancelled = true
		if c.heard { // RFC 3261 section 9.1: not before a provisional response
			c.cancel()
		}
	default:
		c.bye()
	}
}

func (c *Call) cancel() {
	c.again(c.request("CANCEL", c.cseq, c.branch, ""))
}

func (c *Call) bye() {
	if c.leaving {
		return
	}
	c.leaving = true
	c.cseq++
	c.again(c.request("BYE", c.cseq, fmt.Sprintf("z9hG4bK%s-bye-%d", c.id, c.cseq), ""))
}

// got takes a message of this dialog.
func (c *Call) got(m message, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.status != 0 {
		c.response(&m, at)
		return
	}
	switch m.method {
	case "INVITE":
		if c.incoming && param(m.header("To"), "tag") == "" {
			if c.last != "" {
				c.phone.send(c.last) // repeated by the server
			}
			return
		}
		c.offered(&m, at)
	case "UPDATE":
		if m.body == "" {
			c.phone.send(reply(&m, 200, "OK", "", ""))
			return
		}
		c.offered(&m, at)
	case "ACK":
		if c.answered && !c.confirmed {
			c.confirmed = true
			if !c.leaving {
				c.stopRetry()
			}
			if m.body != "" { // its answer, when its INVITE had no offer
				c.audio, _, _ = audioOf(m.body, c.phone.Codec)
			}
			c.tell(Event{Kind: Confirmed, At: at})
		}
	case "CANCEL":
		c.phone.send(reply(&m, 200, "OK", c.localTag, ""))
		if !c.answered {
			c.refuse(487, "Request Terminated", Event{Kind: Cancelled, At: at})
		}
	case "BYE":
		c.phone.send(reply(&m, 200, "OK", "", ""))
		c.end(Event{Kind: Ended, Theirs: true, At: at})
	default:
		c.phone.send(reply(&m, 200, "OK", "", ""))
	}
}

// offered answers an offer of the server inside the call.
func (c *Call) offered(m *message, at time.Time) {
	to, direction, ok := audioOf(m.body, c.phone.Codec)
	if m.body != "" && !ok {
		c.phone.send(reply(m, 488, "Not Acceptable Here", "", ""))
		return
	}
	c.phone.send(reply(m, 200, "OK", "", c.session(answering(direction))))
	if m.body != "" && to != c.audio {
		c.audio = to
		c.tell(Event{Kind: Moved, At: at})
	}
}

// abandoned ends the call when it waits for an answer that will not come, or in any case.
func (c *Call) abandoned(anyway bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	waits := !c.incoming && !c.answered && (!c.heard || c.cancelled) || c.leaving || c.incoming && c.answered && !c.confirmed
	if anyway || waits {
		c.end(Event{Kind: Silent, At: time.Now()})
	}
}

func (c *Call) response(m *message, at time.Time) {
	n, method := m.sequence()
	switch method {
	case "INVITE":
		if n == c.cseq || c.answered {
			c.inviteResponse(m, at)
		}
	case "CANCEL":
		if c.cancelled && !c.answered {
			c.stopRetry() // the INVITE's own answer is next
		}
	case "BYE":
		if ch, ok := challengeOf(m); ok && c.phone.Password != "" && !c.byeTried {
			c.byeTried = true
			c.cseq++
			c.again(c.request("BYE", c.cseq, fmt.Sprintf("z9hG4bK%s-bye-%d", c.id, c.cseq),
				ch.authorization(c.phone.User, c.phone.Password, "BYE", c.target, 1)+"Content-Length: 0\r\n\r\n"))
			return
		}
		if m.status >= 200 && n == c.cseq {
			c.end(Event{Kind: Ended, Status: m.status, Reason: m.reason, At: at})
		}
	}
}

func (c *Call) inviteResponse(m *message, at time.Time) {
	switch {
	case c.answered:
		if m.status < 300 && c.ack != "" {
			c.phone.send(c.ack) // it repeats its 200
		}
	case m.status < 200:
		first := !c.heard
		c.heard = true
		c.stopRetry()
		if first && c.cancelled {
			c.cancel()
		}
		if m.status > 100 {
			c.tell(Event{Kind: Ringing, Status: m.status, At: at})
		}
	case m.status < 300:
		c.stopRetry()
		c.answered = true
		c.remote, c.target, c.routes = m.header("To"), cmp.Or(uriOf(m.header("Contact")), c.uri), m.routes(true)
		c.audio, _, _ = audioOf(m.body, c.phone.Codec)
		c.ack = c.request("ACK", c.cseq, fmt.Sprintf("z9hG4bK%s-ack", c.id), "")
		c.phone.send(c.ack)
		c.tell(Event{Kind: Answered, At: at})
		if c.cancelled { // it crossed our CANCEL
			c.bye()
		}
	default:
		c.stopRetry()
		to := c.remote
		c.remote = m.header("To")
		c.phone.send(c.request("ACK", c.cseq, c.branch, ""))
		c.remote = to
		if ch, ok := challengeOf(m); ok && c.phone.Password != "" && !c.cancelled && (c.tried == 0 || c.tried == 1 && ch.stale) {
			c.tried++
			c.heard = false
			c.sendInvite(ch.authorization(c.phone.User, c.phone.Password, "INVITE", c.uri, 1))
			return
		}
		c.end(Event{Kind: Refused, Status: m.status, Reason: m.reason, At: at})
	}
}

// Phone is whose call it is.
func (c *Call) Phone() *Phone { return c.phone }

// Abandon forgets a call that the server does not let end.
func (c *Call) Abandon() {
	c.quiet()
	c.phone.forget(c)
}
