package dialog

import (
	"errors"
	"net/url"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
)

var errReferTo = errors.New("a REFER has exactly one Refer-To with a SIP URI")

// referred reads what a REFER asks for (RFC 3515 section 2.1, RFC 3891 section 7.3).
func referred(req *sip.Request) (core.Referred, error) {
	var r core.Referred
	all := append(req.GetHeaders("Refer-To"), req.GetHeaders("r")...)
	if len(all) != 1 {
		return r, errReferTo
	}
	var uri sip.Uri
	if _, err := sip.ParseAddressValue(all[0].Value(), &uri, nil); err != nil {
		return r, errReferTo
	}
	if method, ok := uri.UriParams.Get("method"); ok && !strings.EqualFold(method, "INVITE") {
		return r, errors.New("a call is transferred by an INVITE only")
	}
	var err error
	for _, kv := range uri.Headers { // the headers of the request that the URI describes
		if !strings.EqualFold(kv.K, "Replaces") {
			continue
		}
		var text string
		if text, err = url.PathUnescape(kv.V); err != nil || r.Replaces != nil {
			return r, ErrReplaces
		}
		id, err := ParseReplaces(text)
		if err != nil {
			return r, err
		}
		r.Replaces = &id
	}
	uri.Headers = nil
	uri.UriParams.Remove("method")
	if !usable(uri) {
		return r, errReferTo
	}
	r.ReferTo = uri.String()
	for _, name := range []string{"Referred-By", "b"} {
		if h := req.GetHeader(name); h != nil && !strings.ContainsAny(h.Value(), "\r\n") {
			r.ReferredBy = h.Value()
		}
	}
	return r, nil
}

// ReadRefer reads what a REFER outside of our dialogs asks for, without ID, and whether its sender wants no
// NOTIFY of it (RFC 3515, RFC 4488). The error is in words for who has sent it.
func ReadRefer(req *sip.Request) (r Referred, quiet bool, err error) {
	r, err = referred(req)
	return r, silent(req), err
}

// silent reports whether a REFER wants no NOTIFY (RFC 4488).
func silent(req *sip.Request) bool {
	h := req.GetHeader("Refer-Sub")
	if h == nil {
		return false
	}
	value, _, _ := strings.Cut(h.Value(), ";")
	return strings.EqualFold(strings.TrimSpace(value), "false")
}

// refer takes a REFER inside the dialog.
func (s *Session) refer(tx ServerTx, e core.GotRequest) {
	req := tx.Request()
	r, err := referred(req)
	if err != nil {
		s.ua.refuse(tx, 400, sip.NewHeader("Warning", `399 pronto "`+err.Error()+`"`))
		return
	}
	if s.refers == nil {
		s.refers = make(map[uint32]ServerTx)
	}
	s.current = tx
	if s.refers[e.CSeq] == nil { // a second one with this number is refused as s.current
		s.refers[e.CSeq] = tx
	}
	s.feed(core.GotRefer{GotRequest: e, Referred: r, Silent: silent(req)})
	s.current = nil
	s.forgetRefers()
}

// forgetRefers drops the transactions that have their answer.
func (s *Session) forgetRefers() {
	for id := range s.refers {
		waits := false
		for _, r := range s.state.Referrals {
			waits = waits || r.ID == id && r.Asked
		}
		if !waits {
			delete(s.refers, id)
		}
	}
}

// AnswerRefer answers the REFER that Referred has named: 202 to try the transfer, which the referrer
// then hears of, or 300 to 699 to refuse it. It may follow Ended: who transfers may hang up first.
func (s *Session) AnswerRefer(id uint32, status int) {
	s.command(core.DoAnswerRefer{ID: id, Status: status})
}

// NotifyRefer tells the referrer how far the transfer is: the status of the call to the target, and
// with final its end. It may follow Ended. Without a final word the subscription ends after
// core.ReferLife.
func (s *Session) NotifyRefer(id uint32, status int, reason string, final bool) {
	reason = strings.Map(printable, reason)
	s.command(core.DoNotifyRefer{ID: id, Progress: core.Progress{Status: status, Reason: reason, Final: final}})
}
