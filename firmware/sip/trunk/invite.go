package trunk

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Errors of Invite.
var (
	ErrDown   = errors.New("the trunk is down")
	ErrNumber = errors.New("there is no number to call")
)

// Outgoing describes a call over a carrier.
type Outgoing struct {
	To          tel.Number
	From        tel.Number // who calls; empty = the trunk's own number
	Withhold    bool       // the caller is not to be shown to the called party (CLIR)
	Diverting   tel.Number // of a forwarded call: who forwarded it; From is then the original caller
	Why         string     // of a forwarded call: the reason in the words of RFC 5806 section 4; empty = "unconditional"
	Emergency   bool       // presents the trunk's own number, never withheld
	MaxForwards int        // that are left to the call, as in dialog.InviteRequest
	SDP         []byte
}

// Invite prepares a call over this carrier. The caller of Invite sets Events and Ring, and has a
// place from Acquire. ErrDown and ErrNumber say why there is no call.
//
// The presented number is always one of the trunk's, except under CallerPass. A withheld number is
// still asserted to the carrier, with Privacy: id (RFC 3325 section 9.3), and From is anonymous
// unless it names the account.
func (t *Trunk) Invite(o Outgoing) (dialog.InviteRequest, error) {
	v := t.view()
	switch {
	case !v.up || !v.flow.Remote.IsValid():
		return dialog.InviteRequest{}, fmt.Errorf("trunk %q: %w (%s)", t.cfg.ID, ErrDown, v.cause)
	case o.To == "":
		return dialog.InviteRequest{}, fmt.Errorf("trunk %q: %w", t.cfg.ID, ErrNumber)
	}
	target := t.at(t.cfg.Outgoing.Out(o.To))
	r := dialog.InviteRequest{
		From: dialog.Address{URI: t.account()}, To: dialog.Address{URI: target}, Target: target,
		Route: t.route(), Flow: v.flow, SDP: o.SDP, MaxForwards: o.MaxForwards, Auth: t.Auth(),
		SessionExpires: t.cfg.SessionExpires, Unreliable: t.cfg.Unreliable,
	}
	shown, diverting := t.presented(o)
	withhold := o.Withhold && !o.Emergency
	asserted := t.fromHeader(&r.From, shown, withhold)
	r.Headers = append(r.Headers, t.assertion(asserted, withhold)...)
	if diverting != "" {
		u := t.at(t.cfg.Outgoing.Out(diverting))
		r.Headers = append(r.Headers, sip.NewHeader("Diversion", "<"+u.String()+">;reason="+cmp.Or(o.Why, "unconditional")+";counter=1"))
	}
	if withhold {
		r.Headers = append(r.Headers, sip.NewHeader("Privacy", "id"))
	}
	return r, nil
}

// Another is a way to the carrier beside those that a call has tried; ok is false when there is none.
func (t *Trunk) Another(tried []stack.Flow) (f stack.Flow, ok bool) {
	for _, f := range t.view().targets {
		if !slices.ContainsFunc(tried, func(was stack.Flow) bool { return sameEnd(was, f) }) {
			return f, true
		}
	}
	return stack.Flow{}, false
}

// presented is the number to show and, beside it, who forwarded the call; empty = none.
func (t *Trunk) presented(o Outgoing) (shown, diverting tel.Number) {
	from := international(o.From)
	switch {
	case o.Emergency || t.cfg.Caller == CallerOwn:
		return t.cfg.Number, ""
	case t.cfg.Caller == CallerPass && o.Diverting != "" && o.From != "":
		by := international(o.Diverting)
		if !t.owns(by) {
			by = t.cfg.Number
		}
		if by != "" {
			return from, by
		}
	case t.owns(from):
		return from, ""
	}
	return t.cfg.Number, ""
}

// fromHeader fills in From and returns the URI to assert beside it; without a user there is nothing
// to assert.
func (t *Trunk) fromHeader(from *dialog.Address, shown tel.Number, withhold bool) sip.Uri {
	account := from.URI
	if shown == "" {
		return sip.Uri{}
	}
	written := t.at(t.cfg.Outgoing.Out(shown))
	switch t.cfg.From {
	case FromAccount:
		if !withhold {
			from.Display = written.User
		}
		return written
	case FromE164:
		written = t.at(E164.Out(shown))
	case FromNumber:
	}
	if withhold {
		*from = dialog.Address{Display: "Anonymous", URI: sip.Uri{Scheme: "sip", User: "anonymous", Host: "anonymous.invalid"}}
		return written
	}
	from.URI = written
	return account
}

// assertion is the caller in the headers that the carrier wants.
func (t *Trunk) assertion(who sip.Uri, withhold bool) []sip.Header {
	if who.User == "" {
		return nil
	}
	var all []sip.Header
	text := "<" + who.String() + ">"
	if t.cfg.Assert&AssertPAI != 0 {
		all = append(all, sip.NewHeader("P-Asserted-Identity", text))
	}
	if t.cfg.Assert&AssertPPI != 0 {
		all = append(all, sip.NewHeader("P-Preferred-Identity", text))
	}
	if t.cfg.Assert&AssertRPID != 0 {
		privacy := "off"
		if withhold {
			privacy = "full"
		}
		all = append(all, sip.NewHeader("Remote-Party-ID", text+";party=calling;screen=yes;privacy="+privacy))
	}
	return all
}

// at is a number at the carrier. The hash sign is not allowed in a user part (RFC 3261 section 25.1).
func (t *Trunk) at(n tel.Number) sip.Uri {
	u := t.cfg.home()
	u.User = strings.ReplaceAll(string(n), "#", "%23")
	return u
}
