package dialog

import "github.com/pronto-pbx/pronto/firmware/sip/dialog/core"

// Event is what the application learns of a Session, in order. The last one is Ended.
type Event = core.Notice

// The events.
type (
	// Provisional reports a 101 to 199 response to our INVITE; SDP is early media, or nil.
	Provisional = core.Provisional
	// Answered reports the 2xx to our INVITE, already acknowledged, with the answer to our offer.
	Answered = core.Answered
	// Confirmed reports the ACK of our 2xx. SDP is the answer when our 2xx carried the offer.
	Confirmed = core.Confirmed
	// Rejected reports the final failure of our INVITE; Contacts are those of a 3xx.
	Rejected = core.Rejected
	// Reoffered asks for AnswerReoffer or RejectReoffer within core.AnswerWithin. A nil SDP asks for an offer.
	Reoffered = core.Reoffered
	// ReofferDone reports the end of our Reoffer: 200 with the answer, or the status that refused it.
	ReofferDone = core.ReofferDone
	// EarlyAnswered reports the answer in a PRACK to the offer of our reliable provisional.
	EarlyAnswered = core.EarlyAnswered
	// Identified tells what the peer says of who is at his end, when that has changed.
	Identified = core.Identified
	// Refreshed reports that the peer's description has changed in its reply to our session refresh.
	Refreshed = core.Refreshed
	// Updated reports the final status of an Update without an offer.
	Updated = core.Updated
	// Referred asks for AnswerRefer within core.AnswerWithin: the peer wants the call transferred.
	Referred = core.Referred
	// HandoverProgress tells how far our Refer is.
	HandoverProgress = core.HandoverProgress
	// Ended is the last event of each session; Remote says that the peer ended it.
	Ended = core.Ended
	// Info reports an INFO request, already answered with 200.
	Info = core.Info
	// Ignored reports a command that the session's phase did not allow.
	Ignored = core.Ignored
)
