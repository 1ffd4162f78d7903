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

// verdict is what a carrier's word means to a call: how it ended, and whether another trunk may do
// better.
type verdict struct {
	cause tel.Cause
	next  bool
}

// isdn reads Q.850 causes (ITU-T Q.850 table 1). What a network says by number is more exact than
// the status that a gateway made of it.
var isdn = map[int]verdict{
	1:   {tel.CauseUnallocated, false},
	2:   {tel.CauseNetworkFailure, true}, // no route to transit network
	3:   {tel.CauseNetworkFailure, true}, // no route to destination
	6:   {tel.CauseCongestion, true},     // channel unacceptable
	8:   {tel.CausePreempted, true},
	16:  {tel.CauseNormal, false},
	17:  {tel.CauseBusy, false},
	18:  {tel.CauseNoAnswer, false},
	19:  {tel.CauseNoAnswer, false},
	20:  {tel.CauseUnreachable, false}, // subscriber absent
	21:  {tel.CauseRejected, false},
	22:  {tel.CauseUnallocated, false}, // number changed
	23:  {tel.CauseUnallocated, true},  // redirection to new destination
	25:  {tel.CauseNetworkFailure, true},
	27:  {tel.CauseInterfaceFailure, true}, // destination out of order
	28:  {tel.CauseUnallocated, true},      // invalid number format: another carrier writes numbers otherwise
	29:  {tel.CauseForbidden, true},        // facility rejected
	31:  {tel.CauseNormal, true},           // normal, unspecified
	34:  {tel.CauseCongestion, true},
	38:  {tel.CauseNetworkFailure, true},
	41:  {tel.CauseNetworkFailure, true},
	42:  {tel.CauseCongestion, true},
	44:  {tel.CauseCongestion, true},
	47:  {tel.CauseCongestion, true},
	50:  {tel.CauseForbidden, true},
	52:  {tel.CauseForbidden, true}, // outgoing calls barred
	55:  {tel.CauseForbidden, true},
	57:  {tel.CauseForbidden, true},
	58:  {tel.CauseCongestion, true},
	63:  {tel.CauseCongestion, true},
	65:  {tel.CauseNotAcceptable, true},
	69:  {tel.CauseNotAcceptable, true},
	79:  {tel.CauseNotAcceptable, true},
	88:  {tel.CauseNotAcceptable, true},
	102: {tel.CauseTimeout, true},
	111: {tel.CauseNetworkFailure, true},
	127: {tel.CauseNetworkFailure, true},
}

// answers reads final responses (RFC 3261 section 21, RFC 8197 for 607).
var answers = map[int]verdict{
	0:   {tel.CauseTimeout, true},
	401: {tel.CauseForbidden, true},
	402: {tel.CauseForbidden, true},
	403: {tel.CauseForbidden, true},
	404: {tel.CauseUnallocated, false},
	407: {tel.CauseForbidden, true},
	408: {tel.CauseTimeout, true},
	410: {tel.CauseUnallocated, false},
	415: {tel.CauseNotAcceptable, true},
	416: {tel.CauseUnallocated, true},
	420: {tel.CauseNotAcceptable, true},
	421: {tel.CauseNotAcceptable, true},
	480: {tel.CauseNoAnswer, false},
	482: {tel.CauseNetworkFailure, true},
	483: {tel.CauseNetworkFailure, true},
	484: {tel.CauseUnallocated, true},
	485: {tel.CauseUnallocated, false},
	486: {tel.CauseBusy, false},
	487: {tel.CauseCancelled, false},
	488: {tel.CauseNotAcceptable, true},
	500: {tel.CauseNetworkFailure, true},
	503: {tel.CauseCongestion, true},
	504: {tel.CauseTimeout, true},
	600: {tel.CauseBusy, false},
	603: {tel.CauseRejected, false},
	604: {tel.CauseUnallocated, false},
	606: {tel.CauseNotAcceptable, true},
	607: {tel.CauseRejected, false},
	608: {tel.CauseRejected, false},
}

// Failure reads a carrier's final response of 300 or more: how the call ended, and whether the next
// trunk is tried. A Q.850 cause of its Reason header, if there is one (0 = none), is believed before
// the status. Status 0 means that no answer came.
func Failure(status, q850 int) (cause tel.Cause, next bool) {
	if v, ok := isdn[q850]; ok && q850 != 0 {
		return v.cause, v.next
	}
	if v, ok := answers[status]; ok {
		return v.cause, v.next
	}
	cause = tel.CauseFromSIP(status)
	return cause, status < 600 && (status >= 500 || status < 400)
}
