package trunk

import "github.com/pronto-pbx/pronto/firmware/tel"

// refusals is what a carrier hears for a call that we do not take: a SIP status (RFC 3261 section 21)
// and a Q.850 cause for the Reason header (RFC 6432). There is no 6xx: a carrier takes one for the word
// of every place that could be asked, and some refuse to carry it.
var refusals = [...]struct{ status, q850 int }{
	tel.CauseNone:              {480, 31},
	tel.CauseNormal:            {480, 16},
	tel.CauseCancelled:         {487, 16},
	tel.CauseAnsweredElsewhere: {487, 26},
	tel.CauseBusy:              {486, 17},
	tel.CauseNoAnswer:          {480, 19},
	tel.CauseRejected:          {403, 21},
	tel.CauseUnreachable:       {480, 20},
	tel.CauseUnallocated:       {404, 1},
	tel.CauseForbidden:         {403, 21},
	tel.CauseNotAcceptable:     {488, 88},
	tel.CauseCongestion:        {503, 34},
	tel.CauseNetworkFailure:    {502, 38},
	tel.CauseInterfaceFailure:  {503, 27},
	tel.CauseTimeout:           {504, 102},
	tel.CauseMediaTimeout:      {480, 31},
	tel.CausePreempted:         {503, 42},
	tel.CauseInternalError:     {500, 41},
	tel.CauseTransferred:       {480, 16},
	tel.CauseLoop:              {483, 25},
	tel.CauseAnonymous:         {433, 24}, // RFC 5079
}

// Refusal is the final response towards a carrier for a call that ends without an answer, with the
// Q.850 cause that says more. It is never a 6xx.
func Refusal(why tel.Cause) (status, q850 int) {
	if int(why) < len(refusals) {
		r := refusals[why]
		return r.status, r.q850
	}
	return 500, 41
}

// isdn reads Q.850 causes (ITU-T Q.850 table 1). What a network says by number is more exact than
// the status that a gateway made of it. The call tries its next line after those causes that another
// line may not have; so a number that this carrier cannot read is forbidden here, not unallocated.
var isdn = map[int]tel.Cause{
	1:   tel.CauseUnallocated,
	2:   tel.CauseNetworkFailure, // no route to transit network
	3:   tel.CauseNetworkFailure, // no route to destination
	6:   tel.CauseCongestion,     // channel unacceptable
	8:   tel.CausePreempted,
	16:  tel.CauseNormal,
	17:  tel.CauseBusy,
	18:  tel.CauseNoAnswer,
	19:  tel.CauseNoAnswer,
	20:  tel.CauseNoAnswer, // subscriber absent: not there over another line either
	21:  tel.CauseRejected,
	22:  tel.CauseUnallocated, // number changed
	23:  tel.CauseUnallocated, // redirection to new destination
	24:  tel.CauseAnonymous,   // call rejected due to a feature at the destination
	25:  tel.CauseNetworkFailure,
	27:  tel.CauseInterfaceFailure, // destination out of order
	28:  tel.CauseForbidden,        // invalid number format
	29:  tel.CauseForbidden,        // facility rejected
	31:  tel.CauseNetworkFailure,   // normal, unspecified: of a call that never was
	34:  tel.CauseCongestion,
	38:  tel.CauseNetworkFailure,
	41:  tel.CauseNetworkFailure,
	42:  tel.CauseCongestion,
	44:  tel.CauseCongestion,
	47:  tel.CauseCongestion,
	50:  tel.CauseForbidden,
	52:  tel.CauseForbidden, // outgoing calls barred
	55:  tel.CauseForbidden,
	57:  tel.CauseForbidden,
	58:  tel.CauseCongestion,
	63:  tel.CauseCongestion,
	65:  tel.CauseNotAcceptable,
	69:  tel.CauseNotAcceptable,
	79:  tel.CauseNotAcceptable,
	88:  tel.CauseNotAcceptable,
	102: tel.CauseTimeout,
	111: tel.CauseNetworkFailure,
	127: tel.CauseNetworkFailure,
}

// answers reads the final responses (RFC 3261 section 21) that tel reads otherwise, since it knows no
// carrier.
var answers = map[int]tel.Cause{
	0:   tel.CauseTimeout,
	416: tel.CauseForbidden, // as Q.850 28
	420: tel.CauseNotAcceptable,
	421: tel.CauseNotAcceptable,
	484: tel.CauseForbidden, // as Q.850 28
	504: tel.CauseTimeout,
}

// Failure reads a carrier's final response of 300 or more. A Q.850 cause of its Reason header, if
// there is one (0 = none), is believed before the status. Status 0 means that no answer came.
func Failure(status, q850 int) tel.Cause {
	if c := tel.CauseFromSIP(status); c == tel.CauseLoop {
		return c // no number says it: Q.850 25 is also a carrier's wrong way, and another line may have a right one
	}
	if c, ok := isdn[q850]; ok {
		return c
	}
	if c, ok := answers[status]; ok {
		return c
	}
	return tel.CauseFromSIP(status)
}
