package document

import (
	"fmt"
	"strings"
	"time"
)

// Contact is one place where an account is registered.
type Contact struct {
	ID     string // stays the same for as long as the registration lives
	URI    string
	CallID string
	CSeq   uint32
	Left   time.Duration // until it ends
}

// RegInfo is the full state of an account's registrations (RFC 3680 section 5). An account without
// any is in its initial state.
func RegInfo(of Watched, version uint32, contacts []Contact) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, header+`<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="%d" state="full">`+"\n", version)
	state := "init"
	if len(contacts) > 0 {
		state = "active"
	}
	fmt.Fprintf(&b, `<registration aor="%s" id="%s" state="%s">`+"\n", text(URI(of.Number, of.Host)), text(of.Number), state)
	for _, c := range contacts {
		fmt.Fprintf(&b, `<contact id="%s" state="active" event="registered" expires="%d"`, text(c.ID), int64(max(c.Left, 0)/time.Second))
		attribute(&b, "callid", c.CallID)
		fmt.Fprintf(&b, ` cseq="%d">`+"\n<uri>%s</uri>\n</contact>\n", c.CSeq, text(c.URI))
	}
	b.WriteString("</registration>\n</reginfo>\n")
	return []byte(b.String())
}
