package peer

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// Refer asks the box to send the other party to a number (RFC 3515, a blind transfer).
func (c *Call) Refer(ctx context.Context, number string) error {
	return c.refer(ctx, fmt.Sprintf("<sip:%s@%s>", number, c.p.cfg.Box))
}

// ReferTo asks the box to connect the other party with that of another call of this peer (RFC 5589
// section 7, an attended transfer).
func (c *Call) ReferTo(ctx context.Context, other *Call) error {
	return c.refer(ctx, fmt.Sprintf("<sip:%s@%s?Replaces=%s>", other.Called, c.p.cfg.Box, url.QueryEscape(other.replaces())))
}

func (c *Call) refer(ctx context.Context, to string) error {
	c.p.mu.Lock()
	c.cseq++
	n := c.cseq
	c.p.mu.Unlock()
	b := branch()
	res, err := c.p.exchange(ctx, "REFER", b, c.message("REFER", b, n, "Refer-To: "+to+"\r\n", ""), c.flow)
	switch {
	case err != nil:
		return err
	case res.StatusCode != 202:
		return fmt.Errorf("refer: %d %s: %w", res.StatusCode, res.Reason, ErrStatus)
	}
	return nil
}

// Notes are the NOTIFY within the call: how a transfer goes, as status lines.
func (c *Call) Notes() <-chan Note { return c.notes }

// replaces names the dialog of the call as the box knows it (RFC 3891): its own tag comes last.
func (c *Call) replaces() string {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return fmt.Sprintf("%s;to-tag=%s;from-tag=%s", c.id, tagIn(c.to), tagIn(c.from))
}

func tagIn(address string) string {
	_, tag, _ := strings.Cut(address, ";tag=")
	tag, _, _ = strings.Cut(tag, ";")
	return tag
}

// Redirect answers a received call with 302 and a number of the box.
func (c *Call) Redirect(number string) {
	if req := c.pending(true); req != nil {
		c.p.reply(req, c.flow, 302, c.tag, fmt.Sprintf("Contact: <sip:%s@%s>\r\n", number, c.p.cfg.Box))
		c.finish(302, reasons[302], false)
	}
}
