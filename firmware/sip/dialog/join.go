package dialog

import (
	"errors"
	"fmt"

	"github.com/emiago/sipgo/sip"
)

// ErrJoin says that a Join header field cannot be read.
var ErrJoin = errors.New("a Join names a Call-ID, a to-tag and a from-tag")

// joinOf reads the Join of a request (RFC 3911 section 7.1, which writes it as a Replaces); ok is false
// when there is none.
func joinOf(req *sip.Request) (id ReplacesID, ok bool, err error) {
	switch all := req.GetHeaders("Join"); {
	case len(all) == 0:
		return ReplacesID{}, false, nil
	case len(all) > 1: // section 4; together with a Replaces it is refused as that one
		return ReplacesID{}, false, fmt.Errorf("more than one dialog named: %w", ErrJoin)
	default:
		if id, err = ParseReplaces(all[0].Value()); err != nil {
			return ReplacesID{}, false, ErrJoin
		}
		return id, true, nil
	}
}

// Joins returns the dialog whose conversation their INVITE asks to join (RFC 3911). The user agent has
// found that there is one, and refuses the call with 481 or 603 otherwise; who may join it is for the
// application to decide, and Match finds it.
func (s *Session) Joins() (ReplacesID, bool) {
	if !s.incoming || s.request == nil {
		return ReplacesID{}, false
	}
	id, ok, _ := joinOf(s.request)
	return id, ok
}

// joins refuses an INVITE whose Join cannot be served (RFC 3911 section 4); false when it did. A call
// that rings has no conversation to join.
func (ua *UA) joins(tx ServerTx) bool {
	id, ok, err := joinOf(tx.Request())
	if err != nil {
		ua.refuse(tx, 400, sip.NewHeader("Warning", `399 pronto "`+err.Error()+`"`))
		return false
	}
	if !ok {
		return true
	}
	switch _, standing := ua.standingOf(id); standing {
	case standingUp:
		return true
	case standingOver:
		ua.refuse(tx, 603)
	default:
		ua.refuse(tx, 481)
	}
	return false
}
