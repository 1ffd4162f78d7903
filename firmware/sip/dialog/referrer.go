package dialog

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
)

// Refer asks the peer to call target instead of us (RFC 3515); with replaces, to take over the call
// that target has with us already, which then names it as target has it (RFC 5589 section 7).
// HandoverProgress tells how that goes. The call stays up: hang it up when the end is a success.
func (s *Session) Refer(target sip.Uri, replaces *ReplacesID) {
	uri := *target.Clone()
	if replaces != nil {
		uri.Headers = sip.HeaderParams{{K: "Replaces", V: escaped(FormatReplaces(*replaces))}}
	}
	s.post(func() {
		s.feed(core.DoRefer{Headers: headerLines([]sip.Header{
			sip.NewHeader("Refer-To", "<"+uri.String()+">"), sip.NewHeader("Referred-By", s.state.Local),
		})})
	})
}

// escaped writes a header value for the inside of a URI (RFC 3261 section 19.1.1): a blank is never
// a plus sign there.
func escaped(value string) string { return strings.ReplaceAll(url.QueryEscape(value), "+", "%20") }

// notify takes a NOTIFY inside the dialog: the progress of our REFER. Other events have dialogs of
// their own.
func (s *Session) notify(tx ServerTx, e core.GotRequest) {
	n, ok := notification(tx.Request())
	if !ok {
		s.ua.refuse(tx, 489, sip.NewHeader("Allow-Events", "refer")) // RFC 6665 section 4.1.3
		return
	}
	n.GotRequest = e
	s.current = tx
	s.feed(n)
	s.current = nil
}

// notification reads a NOTIFY of a REFER (RFC 3515 section 2.4.5).
func notification(req *sip.Request) (n core.GotNotify, ok bool) {
	events := append(req.GetHeaders("Event"), req.GetHeaders("o")...)
	if len(events) != 1 {
		return n, false
	}
	event, params, _ := strings.Cut(events[0].Value(), ";")
	if !strings.EqualFold(strings.TrimSpace(event), "refer") {
		return n, false
	}
	if id := parameter(params, "id"); id != "" {
		v, err := strconv.ParseUint(id, 10, 32)
		if err != nil || v == 0 {
			return n, false
		}
		n.ID = uint32(v)
	}
	if h := req.GetHeader("Subscription-State"); h != nil {
		state, _, _ := strings.Cut(h.Value(), ";")
		n.Over = strings.EqualFold(strings.TrimSpace(state), "terminated")
	}
	n.Status = fragment(req.Body())
	return n, true
}

// fragment reads the status of a message/sipfrag (RFC 3420), 0 when it has none.
func fragment(body []byte) int {
	line, _, _ := bytes.Cut(body, []byte("\n"))
	f := strings.Fields(string(line[:min(len(line), 256)]))
	if len(f) < 2 || !strings.EqualFold(f[0], "SIP/2.0") || len(f[1]) != 3 {
		return 0
	}
	status, err := strconv.Atoi(f[1])
	if err != nil || status < 100 || status > 699 {
		return 0
	}
	return status
}
