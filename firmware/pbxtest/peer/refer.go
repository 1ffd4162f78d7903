package peer

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Refer asks the box to send the call's partner to a number or URI (RFC 3515) and returns the status of
// the answer. Progress comes on Notes.
func (c *Call) Refer(ctx context.Context, to string) (int, error) {
	if !strings.Contains(to, ":") {
		to = fmt.Sprintf("sip:%s@%s", to, c.p.cfg.Box)
	}
	res, err := c.ask(ctx, "REFER", "Refer-To: <"+to+">\r\nReferred-By: "+c.p.contact()+"\r\n", "")
	if err != nil {
		return 0, err
	}
	return int(res.StatusCode), nil
}

// ReferInto asks the box to send the call's partner into the place that the peer has in another call
// (RFC 5589 section 7).
func (c *Call) ReferInto(ctx context.Context, other *Call) (int, error) {
	return c.Refer(ctx, fmt.Sprintf("sip:%s@%s?Replaces=%s", other.Called, c.p.cfg.Box, url.QueryEscape(other.Replaces())))
}

// Replaces names this call to the box as RFC 3891 does: an INVITE with it takes the call's place.
func (c *Call) Replaces() string {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return fmt.Sprintf("%s;to-tag=%s;from-tag=%s", c.id, cmp.Or(tagOf(c.to), tagOf(c.early)), tagOf(c.from))
}

func tagOf(header string) string {
	_, tag, _ := strings.Cut(header, ";tag=")
	tag, _, _ = strings.Cut(tag, ";")
	return tag
}

// Notes are the NOTIFY inside of the call, in their order; each has been answered with 200.
func (c *Call) Notes() <-chan Note { return c.notes }

// ask is a transaction in the dialog other than INVITE, with header lines and a session description.
func (c *Call) ask(ctx context.Context, method, headers, body string) (*sip.Response, error) {
	c.p.mu.Lock()
	c.cseq++
	n := c.cseq
	c.p.mu.Unlock()
	b := branch()
	return c.p.exchange(ctx, method, b, c.message(method, b, n, headers, body), c.flow)
}

// Update is Reoffer by UPDATE (RFC 3311).
func (c *Call) Update(ctx context.Context, edit func(sdp string) string) error {
	res, err := c.ask(ctx, "UPDATE", "", edit(c.sdp("sendrecv")))
	switch {
	case err != nil:
		return err
	case res.StatusCode != 200 || !c.hear(res.Body()):
		return fmt.Errorf("UPDATE: %d %s: %w", res.StatusCode, res.Reason, ErrStatus)
	}
	return nil
}

// updated answers an UPDATE of the box.
func (c *Call) updated(req *sip.Request, from netip.AddrPort) {
	extra := "Contact: " + c.p.contact() + "\r\n"
	if len(req.Body()) > 0 {
		if !c.hear(req.Body()) {
			c.p.reply(req, from, 488, c.tag, "")
			return
		}
		extra += "\r\n" + c.sdp(answerTo(c.Direction()))
	}
	c.p.reply(req, from, 200, c.tag, extra)
}

// answerTo is the direction that answers one (RFC 3264 section 6.1).
func answerTo(direction string) string {
	switch direction {
	case "sendonly":
		return "recvonly"
	case "recvonly":
		return "sendonly"
	case "inactive":
		return "inactive"
	}
	return "sendrecv"
}

// Early says 183 to a received call, with the peer's own audio. A fork is the same from somebody else
// whom the call has also reached: with that tag, and with the voice of a stranger.
func (c *Call) Early(fork string, voice *Stranger) {
	req := c.pending(false)
	if req == nil {
		return
	}
	tag, body := cmp.Or(fork, c.tag), ""
	if voice != nil {
		law, events, keys := voice.agreed()
		body = writeSDP(voice.Local(), law, events, keys, 1, "sendrecv")
	} else {
		body = c.sdp("sendrecv")
	}
	c.p.reply(req, c.flow, 183, tag, "Contact: "+c.p.contact()+"\r\n\r\n"+body)
}

// Progress says 183 to a received call, without audio.
func (c *Call) Progress() {
	if req := c.pending(false); req != nil {
		c.p.reply(req, c.flow, 183, c.tag, "Contact: "+c.p.contact()+"\r\n")
	}
}

// Redirect refuses a received call with 302 to a number at the box.
func (c *Call) Redirect(number string) {
	if req := c.pending(true); req != nil {
		c.p.reply(req, c.flow, 302, c.tag, fmt.Sprintf("Contact: <sip:%s@%s>\r\n", number, c.p.cfg.Box))
		c.finish(302, reasons[302], false)
	}
}
