package trunk

import (
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Outcome is how one call over a trunk went, for Observe.
type Outcome struct {
	Incoming bool
	Status   int    // final response to the INVITE; 0 = none came
	Q850     int    // of its Reason header (RFC 3326); 0 = none
	Text     string // reason phrase and the texts of Reason and Warning
	OneWay   bool   // it was answered, and no audio came from the carrier
	BothWays bool   // it was answered, and audio came
}

const (
	lostCalls    = 3 // calls in a row that mean that the carrier carries none
	refusedCalls = 2 // refusals in a row that mean the number or the credentials, not one caller's mistake
)

// learn takes note of a call. What it says never takes the trunk down: a call that succeeds must be
// able to take it back.
func (s state) learn(p policy, o Outcome, now time.Time) (state, []effect) {
	if s.leaving {
		return s, nil
	}
	switch {
	case o.OneWay:
		s.warnCalls = tel.LineOneWayAudio
	case o.BothWays && s.warnCalls == tel.LineOneWayAudio:
		s.warnCalls = ""
	}
	if o.Incoming || o.OneWay || o.BothWays {
		return s, nil
	}
	cause := diagnose(o)
	if cause != tel.LineRefusedNumber && cause != tel.LineRefused {
		s.refusedRow = 0
	}
	if cause != tel.LineCarrierDown {
		s.lost = 0
	}
	switch cause {
	case tel.LineOK:
		if s.warnCalls != tel.LineOneWayAudio {
			s.warnCalls = ""
		}
	case tel.LineCarrierDown:
		if s.lost++; s.lost >= lostCalls {
			s.warnCalls = cause
		}
		return s.shun(p, o, now)
	case tel.LineRefusedNumber, tel.LineRefused:
		if s.refusedRow++; s.refusedRow >= refusedCalls {
			s.warnCalls = cause
		}
	case tel.LineExpiredEarly:
		if p.mode == Register && s.up && s.phase == waiting {
			s = s.forget(now)
		}
	default:
		s.warnCalls = cause
	}
	return s, nil
}

// shun makes the next call go to another server after one that could not be reached, if there is one.
func (s state) shun(p policy, o Outcome, now time.Time) (state, []effect) {
	if p.blind || s.phase != waiting || !s.up || o.Status != 0 && o.Status != 408 && o.Status != 503 || len(s.targets) < 2 {
		return s, nil
	}
	bad := did{s.flow, false}
	if !s.home.Remote.IsValid() {
		s.home = s.flow
	}
	for i, f := range s.targets {
		if sameEnd(f, s.flow) {
			s.server = (i + 1) % len(s.targets)
		}
	}
	s.trial, s.answers, s.adapted = s.targets[s.server], 0, false
	s, effects := s.ask(p, now)
	return s, append([]effect{bad}, effects...)
}

// diagnose reads a failure of a call out; LineOK means that the carrier did its part.
func diagnose(o Outcome) tel.LineCause {
	text := strings.ToLower(o.Text)
	switch {
	case o.Status >= 200 && o.Status < 300:
		return tel.LineOK
	case o.Status == 402, o.Status >= 400 && contains(text, "credit", "balance", "saldo", "ricarica", "plafond", "spending", "spend limit"):
		return tel.LineSpendLimit
	case o.Status == 401, o.Status == 407:
		return tel.LineRefused
	case unknownToCarrier(o.Status, o.Text):
		return tel.LineExpiredEarly
	case o.Q850 == 65, o.Q850 == 79, o.Q850 == 88, o.Q850 == 0 && (o.Status == 415 || o.Status == 488 || o.Status == 606):
		return tel.LineCodecMismatch
	case o.Q850 == 28, o.Q850 == 0 && (o.Status == 403 || o.Status == 416 || o.Status == 484):
		return tel.LineRefusedNumber
	}
	switch Failure(o.Status, o.Q850) {
	case tel.CauseCongestion, tel.CauseNetworkFailure, tel.CauseTimeout, tel.CauseInternalError, tel.CauseInterfaceFailure:
		return tel.LineCarrierDown
	default:
		return tel.LineOK
	}
}

// unknownToCarrier reports a refusal that says in words that we are not registered. There is no
// status for it: carriers use 401, 403, 404 and 480.
func unknownToCarrier(status int, text string) bool {
	return status >= 400 && status < 500 && contains(strings.ToLower(text),
		"not registered", "unregistered", "registration expired", "no registration", "not logged in", "non registrato", "user not online")
}

// crowded reports a refusal that says in words that too many are registered with the account.
func crowded(text string) bool {
	return contains(strings.ToLower(text), "too many", "maximum number", "max contacts", "max registrations", "maximum contacts",
		"maximum registrations", "registration limit", "already registered", "multiple registration", "contacts exceeded")
}

func contains(text string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}
