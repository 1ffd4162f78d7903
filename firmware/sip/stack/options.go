package stack

import "github.com/emiago/sipgo/sip"

// Capabilities answers an OPTIONS outside any dialog (RFC 3261 section 11.2): with it carriers and
// phones see that we are there. It is hardly longer than the question, since anybody may ask. What the
// question demands in Require is nothing that an answer to it needs, and so unsupported.
func (tx *ServerTx) Capabilities() {
	res := sip.NewResponseFromRequest(tx.req, sip.StatusOK, "OK", nil)
	if unknown := tx.req.GetHeader("Require"); unknown != nil {
		res = sip.NewResponseFromRequest(tx.req, sip.StatusBadExtension, "Bad Extension", nil)
		res.AppendHeader(sip.NewHeader("Unsupported", unknown.Value()))
	} else {
		res.AppendHeader(sip.NewHeader("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS"))
		res.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
	}
	if to := res.To(); to != nil && !hasTag(to) {
		to.Params.Add("tag", sip.GenerateTagN(16))
	}
	_ = tx.Respond(res) // who misses it asks again
}
