package peer

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Call is one call of a peer, dialled or received. Its methods may be called from any goroutine.
type Call struct {
	p     *Peer
	id    string
	flow  netip.AddrPort
	tag   string // ours
	audio *Audio
	start time.Time

	Caller, Called string // user parts of From and To
	Forwards       int    // Max-Forwards of the INVITE

	ringing, answered, ended      chan struct{} // closed when it is so
	ringOnce, answerOnce, endOnce sync.Once
	hangup                        chan struct{} // closed: give the dialled call up
	hangupOnce, byeOnce           sync.Once

	// Guarded by p.mu.
	from, to  string // header values of our side and theirs, with tags
	early     string // as to, of the last provisional response
	target    string // URI of the other side
	routes    []string
	cseq      int
	version   int
	acks      map[string]string // by branch of our INVITE
	pracks    map[string]bool   // provisional responses that were acknowledged, by RSeq
	invite    *sip.Request      // received and not answered yet, or being answered
	confirmed chan struct{}     // closed by the ACK of the INVITE being answered
	status    int               // of the end, or of the answer
	reason    string
	byThem    bool
	direction string       // theirs, in the last SDP
	described string       // the last SDP itself
	cause     string       // Reason of the BYE or CANCEL that ended the call
	first     *sip.Request // the INVITE that came
	fax       *Fax         // takes offers of T.38; nil: they are refused
	notes     chan Note    // NOTIFY within the dialog: how a transfer goes
}

func (p *Peer) newCall(id string, flow netip.AddrPort) (*Call, error) {
	a, err := newAudio(p.Local().Addr(), p.cfg)
	if err != nil {
		return nil, err
	}
	c := &Call{
		p: p, id: id, flow: flow, tag: rand.Text(), Forwards: forwards, audio: a, start: time.Now(), acks: map[string]string{}, direction: "sendrecv",
		notes: make(chan Note, 64), ringing: make(chan struct{}), answered: make(chan struct{}), ended: make(chan struct{}), hangup: make(chan struct{}),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		a.close()
		return nil, ErrClosed
	}
	p.calls[id] = c
	return c, nil
}

// Audio is what is said and heard.
func (c *Call) Audio() *Audio { return c.audio }

// ID is the Call-ID.
func (c *Call) ID() string { return c.id }

// Ringing is closed when the far end rings, or at the answer.
func (c *Call) Ringing() <-chan struct{} { return c.ringing }

// Answered is closed when the call is up.
func (c *Call) Answered() <-chan struct{} { return c.answered }

// Ended is closed when the call is over, or never came to be.
func (c *Call) Ended() <-chan struct{} { return c.ended }

// Outcome is the last status and its words, and whether the box ended the call.
func (c *Call) Outcome() (status int, reason string, byBox bool) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.status, c.reason, c.byThem
}

// Acknowledged counts the provisional responses that the box sent reliably (RFC 3262).
func (c *Call) Acknowledged() int {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return len(c.pracks)
}

// Header is a header of the INVITE that came; empty when it had none.
func (c *Call) Header(name string) string {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.first == nil {
		return ""
	}
	if h := c.first.GetHeader(name); h != nil {
		return h.Value()
	}
	return ""
}

// Cause is the Reason (RFC 3326) with which the box ended the call; empty when it gave none.
func (c *Call) Cause() string {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.cause
}

// because notes why the box ends the call.
func (c *Call) because(req *sip.Request) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if h := req.GetHeader("Reason"); h != nil {
		c.cause = h.Value()
	}
}

// Direction is what the box's last SDP said: sendrecv, sendonly, recvonly or inactive.
func (c *Call) Direction() string {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.direction
}

// Described is the box's last SDP.
func (c *Call) Described() string {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.described
}

func (c *Call) up() bool {
	select {
	case <-c.answered:
		return true
	default:
		return false
	}
}

func (c *Call) over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// finish ends the call on our side; the first end counts.
func (c *Call) finish(status int, reason string, byThem bool) {
	c.endOnce.Do(func() {
		c.p.mu.Lock()
		c.status, c.reason, c.byThem = status, reason, byThem
		c.p.mu.Unlock()
		c.audio.close() // first: who sees the end may use its port for another call
		close(c.ended)
		c.hangupOnce.Do(func() { close(c.hangup) })
	})
}

// forget drops the call when nothing of it can come again.
func (c *Call) forget() {
	select {
	case <-time.After(life):
	case <-c.p.quit:
	}
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	delete(c.p.calls, c.id)
}

// hear takes the other side's SDP into use.
func (c *Call) hear(body []byte) bool {
	s, ok := readSDP(body)
	if ok {
		c.audio.use(s)
		if f := c.machine(); f != nil {
			f.over()
		}
		c.p.mu.Lock()
		c.direction, c.described = s.direction, string(body)
		c.p.mu.Unlock()
	}
	return ok
}

func (c *Call) sdp(direction string) string {
	c.p.mu.Lock()
	c.version++
	v := c.version
	c.p.mu.Unlock()
	law, events, keys := c.audio.agreed()
	return writeSDP(c.audio.Local(), law, events, keys, v, direction)
}

// message is a request in the dialog, or the one that begins it.
func (c *Call) message(method, branch string, cseq int, headers, body string) string {
	c.p.mu.Lock()
	target, from, to := c.target, c.from, c.to
	for _, r := range c.routes {
		headers = "Route: " + r + "\r\n" + headers
	}
	c.p.mu.Unlock()
	if body != "" {
		headers += "Content-Type: application/sdp\r\n"
	}
	return fmt.Sprintf("%s %s SIP/2.0\r\n%sFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %[1]s\r\nContact: %[8]s\r\nUser-Agent: peer\r\n%[9]sContent-Length: %[10]d\r\n\r\n%[11]s",
		method, target, c.p.hop(branch, c.Forwards), from, to, c.id, cseq, c.p.contact(), headers, len(body), body)
}

// Hangup ends the call as its state asks: CANCEL, a refusal, or BYE. It does not wait.
func (c *Call) Hangup() {
	c.p.mu.Lock()
	received := c.invite != nil
	c.p.mu.Unlock()
	switch {
	case c.over():
	case c.up():
		c.byeOnce.Do(c.bye)
	case received:
		c.Reject(480)
	default:
		c.hangupOnce.Do(func() { close(c.hangup) })
		if c.up() { // the answer came between the two looks, and may not have seen the wish
			c.byeOnce.Do(c.bye)
		}
	}
}

// bye ends a call that was answered.
func (c *Call) bye() {
	c.p.spawn(func() {
		// The box may be restarting: BYE is repeated until it answers.
		if _, err := c.ask(context.Background(), "BYE", "", ""); err != nil {
			c.p.cfg.Log.Warn("hang-up was not confirmed", "error", err)
		}
	})
	c.finish(200, "hung up", false)
}

// Hold sends a re-INVITE that stops or resumes the box's audio (RFC 3264 section 8.4), and waits.
func (c *Call) Hold(ctx context.Context, on bool) error {
	direction := "sendrecv"
	if on {
		direction = "sendonly"
	}
	return c.reinvite(ctx, c.sdp(direction))
}

// Reoffer sends a re-INVITE with an SDP like that of Hold, changed by edit, and waits. A nil edit leaves
// the SDP out: the box offers, and the ACK answers with sendrecv.
func (c *Call) Reoffer(ctx context.Context, edit func(sdp string) string) error {
	if edit == nil {
		return c.reinvite(ctx, "")
	}
	return c.reinvite(ctx, edit(c.sdp("sendrecv")))
}

func (c *Call) reinvite(ctx context.Context, body string) error {
	c.p.mu.Lock()
	c.cseq++
	n := c.cseq
	c.p.mu.Unlock()
	res, err := c.transact(ctx, n, "", body, nil)
	switch {
	case err != nil:
		return err
	case res.StatusCode != 200:
		return fmt.Errorf("re-INVITE: %d %s: %w", res.StatusCode, res.Reason, ErrStatus)
	case body != "" && !c.hear(res.Body()):
		return fmt.Errorf("re-INVITE: answer without audio: %w", ErrStatus)
	}
	return nil
}

// ---- received

func (p *Peer) invited(req *sip.Request, from netip.AddrPort) {
	if p.cfg.Accounts != nil && !p.admit(req, from, true) {
		return
	}
	if p.cfg.Reached != nil {
		p.cfg.Reached()
	}
	if p.cfg.Incoming == nil {
		p.reply(req, from, 486, rand.Text(), "")
		return
	}
	c, err := p.newCall(string(*req.CallID()), from)
	if err != nil {
		p.reply(req, from, 480, rand.Text(), "")
		return
	}
	c.Caller, c.Called = req.From().Address.User, req.Recipient.User
	if h := req.MaxForwards(); h != nil {
		c.Forwards = int(h.Val())
	}
	theirs, _ := strings.CutPrefix(req.From().String(), "From: ")
	ours, _ := strings.CutPrefix(req.To().String(), "To: ")
	p.mu.Lock()
	for _, other := range p.calls {
		if other != c && other.first != nil && other.invite != nil {
			p.doubles++
			break
		}
	}
	c.invite, c.first = req, req
	c.from, c.to = ours+";tag="+c.tag, theirs
	if ct := req.Contact(); ct != nil {
		c.target = ct.Address.String()
	}
	for _, h := range req.GetHeaders("Record-Route") {
		c.routes = append([]string{h.Value()}, c.routes...)
	}
	slow := p.slow
	p.mu.Unlock()
	p.spawn(c.forgetAtEnd)
	if slow == 0 {
		c.begin(req, from)
		return
	}
	p.spawn(func() {
		select {
		case <-time.After(slow):
			c.begin(req, from)
		case <-p.quit:
		}
	})
}

// begin is the phone's first word to a call that has come.
func (c *Call) begin(req *sip.Request, from netip.AddrPort) {
	p := c.p
	p.reply(req, from, 100, "", "")
	if len(req.Body()) > 0 && !c.hear(req.Body()) {
		c.Reject(488)
		return
	}
	p.spawn(func() { p.cfg.Incoming(c) })
}

func (c *Call) forgetAtEnd() {
	select {
	case <-c.ended:
	case <-c.p.quit:
	}
	c.forget()
}

// pending takes the INVITE that waits for an answer.
func (c *Call) pending(take bool) *sip.Request {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	req := c.invite
	if take {
		c.invite = nil
	}
	return req
}

// Ring says 180.
func (c *Call) Ring() {
	if req := c.pending(false); req != nil {
		c.p.reply(req, c.flow, 180, c.tag, "Contact: "+c.p.contact()+"\r\n")
	}
}

// Reject refuses a received call that is not answered; headers are further lines, each with its end.
func (c *Call) Reject(status int, headers ...string) {
	if req := c.pending(true); req != nil {
		c.p.reply(req, c.flow, status, c.tag, strings.Join(headers, ""))
		c.finish(status, reasons[status], false)
	}
}

// Answer takes the received call; false when it is over or was taken already.
func (c *Call) Answer() bool { return c.AnswerWith("sendrecv") }

// AnswerWith is Answer with a direction, such as "inactive" of somebody who holds from the beginning.
func (c *Call) AnswerWith(direction string) bool {
	req := c.pending(true)
	if req == nil || c.over() {
		return false
	}
	c.answerOnce.Do(func() { close(c.answered) })
	c.accept(req, c.flow, c.sdp(direction))
	return true
}

// accept sends a 200 to an INVITE and repeats it until the ACK (RFC 3261 section 13.3.1.4).
func (c *Call) accept(req *sip.Request, to netip.AddrPort, body string) {
	done := make(chan struct{})
	c.p.mu.Lock()
	c.confirmed = done
	c.p.mu.Unlock()
	text := c.p.reply(req, to, 200, c.tag, "Contact: "+c.p.contact()+"\r\n\r\n"+body)
	c.p.spawn(func() {
		giveUp := time.After(life)
		for wait := t1; ; wait = min(2*wait, t2) {
			select {
			case <-done:
				return
			case <-c.ended:
				return
			case <-c.p.quit:
				return
			case <-giveUp:
				c.Hangup()
				return
			case <-time.After(wait):
				c.p.send(text, to)
			}
		}
	})
}

func (c *Call) acked() {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.confirmed != nil {
		close(c.confirmed)
		c.confirmed = nil
	}
}

func (c *Call) cancelled() {
	if req := c.pending(true); req != nil {
		c.p.reply(req, c.flow, 487, c.tag, "")
		c.finish(487, "cancelled", true)
	}
}

// reinvited answers a new offer of the box in the dialog.
func (c *Call) reinvited(req *sip.Request, from netip.AddrPort) {
	if c.faxed(req, from) {
		return
	}
	if len(req.Body()) > 0 && !c.hear(req.Body()) {
		c.p.reply(req, from, 488, c.tag, "")
		return
	}
	c.accept(req, from, c.sdp(answerTo(c.Direction())))
}
