package tel

import "fmt"

// Cause says why a leg or a call ended, independent of the technology that carried it.
type Cause uint8

// The causes. CauseNone means "still up".
const (
	CauseNone              Cause = iota
	CauseNormal                  // a party hung up after talking
	CauseCancelled               // the caller gave up before an answer
	CauseAnsweredElsewhere       // another device took the call
	CauseBusy                    // user busy
	CauseNoAnswer                // rang until the time ran out
	CauseRejected                // the person declined
	CauseUnreachable             // no registered device, or the device did not react
	CauseUnallocated             // the number does not exist
	CauseForbidden               // not allowed to call there
	CauseNotAcceptable           // no common codec, or an offer without audio
	CauseCongestion              // no line or no capacity now
	CauseNetworkFailure          // carrier or transport failure
	CauseInterfaceFailure        // the modem or its port disappeared
	CauseTimeout                 // a protocol peer stopped answering
	CauseMediaTimeout            // no audio arrived for too long
	CausePreempted               // cut to free the line for an emergency call
	CauseInternalError           // our own fault; always logged
	CauseTransferred             // the party went on in another call
	CauseLoop                    // the call came round to where it had been (RFC 7332)
	CauseAnonymous               // who withholds the number is not welcome (RFC 5079)
)

// causeFacts is one row per cause: stable name, SIP status towards a caller who has no answer yet
// (RFC 3261 section 21) and Q.850 cause for the Reason header (RFC 3326).
var causeFacts = [...]struct {
	name string
	sip  int
	q850 int
}{
	CauseNone:              {"none", 0, 0},
	CauseNormal:            {"normal", 480, 16},
	CauseCancelled:         {"cancelled", 487, 16},
	CauseAnsweredElsewhere: {"answered_elsewhere", 487, 26},
	CauseBusy:              {"busy", 486, 17},
	CauseNoAnswer:          {"no_answer", 480, 19},
	CauseRejected:          {"rejected", 603, 21},
	CauseUnreachable:       {"unreachable", 480, 20},
	CauseUnallocated:       {"unallocated", 404, 1},
	CauseForbidden:         {"forbidden", 403, 21},
	CauseNotAcceptable:     {"not_acceptable", 488, 88},
	CauseCongestion:        {"congestion", 503, 34},
	CauseNetworkFailure:    {"network_failure", 502, 38},
	CauseInterfaceFailure:  {"interface_failure", 503, 27},
	CauseTimeout:           {"timeout", 408, 102},
	CauseMediaTimeout:      {"media_timeout", 480, 31},
	CausePreempted:         {"preempted", 503, 8},
	CauseInternalError:     {"internal_error", 500, 41},
	CauseTransferred:       {"transferred", 480, 16},
	CauseLoop:              {"loop", 483, 25},
	CauseAnonymous:         {"anonymous", 433, 24},
}

// String returns the stable name used in journals, records and APIs.
func (c Cause) String() string {
	if int(c) < len(causeFacts) {
		return causeFacts[c].name
	}
	return fmt.Sprintf("cause_%d", uint8(c))
}

// Causes lists the causes of an end, in the order of their definition.
func Causes() (all []Cause) {
	for i := range causeFacts {
		if Cause(i) != CauseNone {
			all = append(all, Cause(i))
		}
	}
	return all
}

// SIPStatus is the final response for a caller who has not been answered. Never 6xx towards a
// carrier: a 603 would stop its other routes too; callers of this method decide.
func (c Cause) SIPStatus() int {
	if int(c) < len(causeFacts) {
		return causeFacts[c].sip
	}
	return 500
}

// Q850 is the ITU-T Q.850 cause value.
func (c Cause) Q850() int {
	if int(c) < len(causeFacts) {
		return causeFacts[c].q850
	}
	return 41
}

// CauseFromSIP maps a final response (RFC 3261 section 21) to a cause.
func CauseFromSIP(status int) Cause {
	switch status {
	case 401, 402, 403, 407:
		return CauseForbidden
	case 404, 410, 484, 485, 604:
		return CauseUnallocated
	case 408:
		return CauseTimeout
	case 415, 488, 606:
		return CauseNotAcceptable
	case 480:
		return CauseNoAnswer
	case 433:
		return CauseAnonymous
	case 486, 600:
		return CauseBusy
	case 487:
		return CauseCancelled
	case 603, 607, 608:
		return CauseRejected
	case 482, 483:
		return CauseLoop
	case 503:
		return CauseCongestion
	}
	switch {
	case status >= 200 && status < 300:
		return CauseNormal
	case status >= 500:
		return CauseNetworkFailure
	default:
		return CauseRejected
	}
}

// MarshalText writes the stable name.
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the stable name; an unknown name is an error.
func (c *Cause) UnmarshalText(b []byte) error {
	for i := range causeFacts {
		if causeFacts[i].name == string(b) {
			*c = Cause(i)
			return nil
		}
	}
	return fmt.Errorf("unknown cause %q", b)
}
