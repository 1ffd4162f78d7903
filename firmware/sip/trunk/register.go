package trunk

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// answer takes the final response to a REGISTER (RFC 3261 section 10.2).
func (s state) answer(p policy, r reply, now time.Time, roll float64) (state, []effect) {
	if p.learn && r.seen.IsValid() {
		s.seen = r.seen
	}
	switch {
	case s.leaving && r.status != 401 && r.status != 407:
		return s.gone(now)
	case r.status >= 200 && r.status < 300:
		return s.registered(p, r, now, roll)
	case r.status == 401 || r.status == 407:
		return s.challenged(p, r, now, roll)
	case r.status == 423:
		if r.minExpires <= s.expires || r.minExpires > maxExpires {
			return s.fail(p, tel.LineDenied, 0, now, roll)
		}
		s.expires = r.minExpires
		return s.ask(p, now)
	case r.untrusted:
		return s.elsewhere(p, tel.LineTLSUntrusted, 0, now, roll)
	case r.status >= 400 && crowded(r.text):
		return s.fail(p, tel.LineTooManyRegistrations, r.retryAfter, now, roll)
	case r.status == 403:
		return s.refuse(p, now, roll)
	case r.status == 404:
		return s.fail(p, tel.LineWrongDomain, r.retryAfter, now, roll)
	case r.status == 0 || r.status == 408 || r.status >= 500 && r.status < 600:
		return s.elsewhere(p, tel.LineUnreachable, r.retryAfter, now, roll)
	case r.status == 480:
		return s.fail(p, tel.LineUnreachable, r.retryAfter, now, roll)
	default:
		// Redirections are not followed: they would take the credentials elsewhere.
		return s.fail(p, tel.LineDenied, r.retryAfter, now, roll)
	}
}

func (s state) registered(p policy, r reply, now time.Time, roll float64) (state, []effect) {
	life := s.expires
	if r.granted > 0 {
		life = min(r.granted, maxExpires)
	}
	inTime := now.Before(s.until)
	s.begun, s.until = now, now.Add(life)
	if s.life > 0 {
		life = min(life, s.life) // the carrier does not keep its word, so we come earlier
	}
	// Refresh at 80 to 90 %, so that a thousand boxes do not ask together after a carrier's restart.
	s.refresh = now.Add(time.Duration(float64(max(life, leastLife)) * (0.8 + 0.1*roll)))
	s.phase, s.failures, s.refusals, s.misses = waiting, 0, 0, 0
	s = s.serves(now)
	if s.last.Nonce != "" {
		s.realm = s.last.Realm
		if r.nextNonce != "" {
			s.last.Nonce = r.nextNonce
		}
	}
	switch {
	case r.others > 0:
		s.warnAccount = tel.LineTooManyRegistrations
	case s.warnAccount == tel.LineExpiredEarly && !inTime:
		// stays until a registration has lived through
	default:
		s.warnAccount = ""
	}
	s = s.stand(true, tel.LineOK, now)
	if s.seen != s.named && !s.adapted {
		// Our Contact named an address at which the carrier does not see us: once more, with the right one.
		s.adapted, s.answers = true, 0
		return s.ask(p, now)
	}
	s = s.rest(p, now, roll)
	return s, []effect{save{}, did{s.flow, true}}
}

// rest waits for the refresh, the next probe or the way back to the preferred server, whatever is first.
func (s state) rest(p policy, now time.Time, roll float64) state {
	s.due = s.refresh
	if p.qualify > 0 && (s.answered || s.misses < maxMisses) {
		if at := now.Add(pace(p.qualify, roll)); at.Before(s.due) {
			s.due = at
		}
	}
	if s.away() && s.back.Before(s.due) {
		s.due = s.back
	}
	return s
}

// challenged answers a challenge of our realm, twice at most: once, and once more if only the nonce
// was too old.
func (s state) challenged(p policy, r reply, now time.Time, roll float64) (state, []effect) {
	for _, c := range r.challenges {
		if !realmAllowed(p.realm, s.realm, c.Realm) {
			continue
		}
		if s.answers >= maxAnswers || s.answers > 0 && !c.Stale {
			return s.refuse(p, now, roll)
		}
		c.Stale = false
		s.last = c
		s.answers++
		return s.ask(p, now)
	}
	return s.fail(p, tel.LineDenied, r.retryAfter, now, roll)
}

// refuse counts a refusal of the credentials. One alone may be the carrier's hiccup, unless somebody waits for
// the answer of a trial.
func (s state) refuse(p policy, now time.Time, roll float64) (state, []effect) {
	s.refusals++
	cause := tel.LineRegistering
	if s.refusals >= maxRefusals || p.trial {
		cause = tel.LineRefused
	}
	n := s.refusals
	s.last = challenge{}
	s, effects := s.fail(p, cause, 0, now, roll)
	s.refusals = n
	return s, effects
}

// forget takes note that the carrier no longer knows a registration that should still run, and
// registers anew at once, from then on more often.
func (s state) forget(now time.Time) state {
	s.life = max(now.Sub(s.begun), leastLife)
	s.warnAccount = tel.LineExpiredEarly
	s.until, s.refresh, s.due, s.phase = now, now, now, waiting
	return s.stand(false, tel.LineExpiredEarly, now)
}

// probed takes the answer to an OPTIONS: any answer but 408 and 503 proves the carrier there,
// whatever it thinks of the method. A challenge is not answered.
func (s state) probed(p policy, r reply, now time.Time, roll float64) (state, []effect) {
	s.phase = waiting
	if p.learn && r.seen.IsValid() {
		s.seen = r.seen
	}
	if r.status == 0 || r.status == 408 || r.status == 503 {
		return s.missed(p, r, now, roll)
	}
	s.misses, s.answered = 0, true
	if p.mode == Register {
		if unknownToCarrier(r.status, r.text) {
			return s.forget(now), nil
		}
		if p.learn && s.seen != s.named && now.Sub(s.begun) >= reflectPause {
			s.answers, s.adapted, s.refresh = 0, false, now
			return s.ask(p, now)
		}
		return s.rest(p, now, roll), nil
	}
	s.failures = 0
	s = s.serves(now)
	s.due = now.Add(pace(p.qualify, roll))
	return s.stand(true, tel.LineOK, now), []effect{did{s.flow, true}}
}

// missed counts silence. A registered trunk believes it only of a carrier that has answered OPTIONS
// before: some never do.
func (s state) missed(p policy, r reply, now time.Time, roll float64) (state, []effect) {
	s.misses = min(s.misses+1, maxMisses)
	switch {
	case p.mode == Register && s.misses < maxMisses:
		s.due = now.Add(min(pace(p.qualify, roll), retryLater))
		if s.refresh.Before(s.due) {
			s.due = s.refresh
		}
		return s, nil
	case p.mode == Register && !s.answered:
		return s.rest(p, now, roll), nil
	case p.mode == Register:
		s.refresh = now
		s, effects := s.look(now)
		return s, append([]effect{did{s.flow, false}}, effects...)
	}
	cause := tel.LineUnreachable
	if r.untrusted {
		cause = tel.LineTLSUntrusted
	}
	homeStillAway := s.away() && !sameEnd(s.trial, s.flow)
	if s.misses < maxMisses && !homeStillAway {
		s.due = now.Add(min(pace(p.qualify, roll), retryLater))
		return s, nil
	}
	if s.server+1 < len(s.targets) {
		return s.elsewhere(p, cause, 0, now, roll)
	}
	s.due = now.Add(pace(p.qualify, roll))
	return s.stand(false, cause, now), []effect{did{s.trial, false}}
}

// pace is a time between two probes, +-10 %.
func pace(qualify time.Duration, roll float64) time.Duration {
	return time.Duration(float64(qualify) * (0.9 + 0.2*roll))
}
