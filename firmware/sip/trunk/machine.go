package trunk

import (
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Times of the machine.
const (
	backoffFirst = 30 * time.Second
	backoffMost  = 10 * time.Minute
	patience     = 45 * time.Second // for one step; over Timer F's 32 s, so it only catches a lost result
	leastLife    = 20 * time.Second // a registration granted for less is refreshed as if it were this long
	retryLater   = 10 * time.Second // second look after one missed OPTIONS
	mostRetry    = time.Hour        // a longer Retry-After is not believed
)

// Limits of one attempt and of patience with refusals.
const (
	maxAnswers  = 2 // challenges answered in one attempt: the first, and one stale
	maxRefusals = 2 // refusals in a row that mean wrong credentials
	maxMisses   = 2 // OPTIONS without answer in a row that mean unreachable
)

// phase is what the trunk waits for.
type phase uint8

const (
	waiting   phase = iota // for the time due
	resolving              // for the address of the carrier
	asking                 // for the answer to REGISTER or OPTIONS
)

// state is everything a trunk knows about its standing with the carrier. It is one plain value.
type state struct {
	phase   phase
	due     time.Time // when to act if nothing else happens
	attempt uint64    // names the step under way; answers to earlier ones are ignored

	flow   stack.Flow
	callID string
	tag    string
	token  string // user part of our Contact, which only the carrier learns
	cseq   uint32

	expires time.Duration // to ask for; 423 raises it
	until   time.Time     // end of the registration; zero = none
	realm   string        // of the registrar that let us in
	last    challenge     // of the registration, used again at the refresh
	answers int           // challenges answered in this attempt

	failures int // attempts in a row that failed
	refusals int // of them, refused for the credentials
	misses   int // OPTIONS in a row without an answer

	up    bool
	cause tel.LineCause
	since time.Time
}

// challenge is one of the carrier's, with the header it came in.
type challenge struct {
	digest.Challenge
	proxy bool // 407 and Proxy-Authorization instead of 401 and Authorization
}

// policy is what the config says to the machine.
type policy struct {
	mode    Mode
	qualify time.Duration
	realm   string // the only one answered; empty = the registrar's
	blind   bool   // there is nothing to send to: inbound calls only
}

// The events.
type (
	event interface{ event() }
	// due: the time came. usable = the flow at hand can still carry a message.
	due struct{ usable bool }
	// resolved: where the carrier is, or not.
	resolved struct {
		attempt uint64
		flow    stack.Flow
		failed  bool
	}
	// replied: a final response, or none.
	replied struct {
		attempt uint64
		reply
	}
)

// reply is a final response reduced to what the machine needs; status 0 = no answer came.
type reply struct {
	status     int
	challenges []challenge
	granted    time.Duration // of our contact in a 200; 0 = not said
	minExpires time.Duration
	retryAfter time.Duration
	nextNonce  string
}

func (due) event()      {}
func (resolved) event() {}
func (replied) event()  {}

// The effects.
type (
	effect interface{ effect() }
	// resolve asks for the address of the carrier.
	resolve struct{ attempt uint64 }
	// register sends a REGISTER, with credentials if there is a challenge to answer.
	register struct {
		attempt   uint64
		challenge challenge
	}
	// options sends an OPTIONS.
	options struct{ attempt uint64 }
	// save keeps the state in the hot journal.
	save struct{}
)

func (resolve) effect()  {}
func (register) effect() {}
func (options) effect()  {}
func (save) effect()     {}

// next is the machine: what becomes of the trunk, and what to do. roll is uniform in [0, 1).
func next(p policy, s state, e event, now time.Time, roll float64) (state, []effect) {
	switch e := e.(type) {
	case due:
		return s.wake(p, e.usable, now, roll)
	case resolved:
		if s.phase != resolving || e.attempt != s.attempt {
			return s, nil
		}
		if e.failed {
			return s.fail(tel.LineDNSFailed, 0, now, roll)
		}
		s.flow = e.flow
		return s.ask(p, now)
	case replied:
		if s.phase != asking || e.attempt != s.attempt {
			return s, nil
		}
		if p.mode == Address {
			return s.probed(p, e.reply, now, roll)
		}
		return s.answered(p, e.reply, now, roll)
	}
	return s, nil
}

// wake starts an attempt, or ends one whose result was lost.
func (s state) wake(p policy, usable bool, now time.Time, roll float64) (state, []effect) {
	switch {
	case p.blind:
		// Nothing to ask: the carrier's calls come or they do not.
		s = s.stand(true, tel.LineOK, now)
		s.due = time.Time{}
		return s, nil
	case s.phase != waiting && p.mode == Address:
		return s.probed(p, reply{}, now, roll)
	case s.phase != waiting:
		return s.fail(tel.LineUnreachable, 0, now, roll)
	}
	s.answers = 0
	if usable && s.failures == 0 && s.misses == 0 {
		return s.ask(p, now)
	}
	// The last try failed or the connection is gone: the carrier may have moved.
	s.attempt++
	s.phase, s.due = resolving, now.Add(patience)
	return s, []effect{resolve{s.attempt}}
}

// ask sends the request of the mode.
func (s state) ask(p policy, now time.Time) (state, []effect) {
	s.attempt++
	s.cseq++
	s.phase, s.due = asking, now.Add(patience)
	if p.mode == Address {
		return s, []effect{options{s.attempt}}
	}
	// The contact's token must be known to the next process before the carrier learns it.
	return s, []effect{save{}, register{s.attempt, s.last}}
}

// answered takes the final response to a REGISTER (RFC 3261 section 10.2).
func (s state) answered(p policy, r reply, now time.Time, roll float64) (state, []effect) {
	switch {
	case r.status >= 200 && r.status < 300:
		return s.registered(r, now, roll)
	case r.status == 401 || r.status == 407:
		return s.challenged(p, r, now, roll)
	case r.status == 403:
		return s.refuse(now, roll)
	case r.status == 404:
		return s.fail(tel.LineWrongDomain, r.retryAfter, now, roll)
	case r.status == 423:
		if r.minExpires <= s.expires || r.minExpires > maxExpires {
			return s.fail(tel.LineDenied, 0, now, roll)
		}
		s.expires = r.minExpires
		return s.ask(p, now)
	case r.status == 0 || r.status == 408 || r.status == 480 || r.status >= 500 && r.status < 600:
		return s.fail(tel.LineUnreachable, r.retryAfter, now, roll)
	default:
		// Redirections are not followed: they would take the credentials elsewhere.
		return s.fail(tel.LineDenied, r.retryAfter, now, roll)
	}
}

func (s state) registered(r reply, now time.Time, roll float64) (state, []effect) {
	life := s.expires
	if r.granted > 0 {
		life = min(r.granted, maxExpires)
	}
	s.until = now.Add(life)
	// Refresh at 80 to 90 %, so that a thousand boxes do not ask together after a carrier's restart.
	s.due = now.Add(time.Duration(float64(max(life, leastLife)) * (0.8 + 0.1*roll)))
	s.phase, s.failures, s.refusals = waiting, 0, 0
	if s.last.Nonce != "" {
		s.realm = s.last.Realm
		if r.nextNonce != "" {
			s.last.Nonce = r.nextNonce
		}
	}
	return s.stand(true, tel.LineOK, now), []effect{save{}}
}

// challenged answers a challenge of our realm, twice at most: once, and once more if only the nonce
// was too old.
func (s state) challenged(p policy, r reply, now time.Time, roll float64) (state, []effect) {
	for _, c := range r.challenges {
		if !realmAllowed(p.realm, s.realm, c.Realm) {
			continue
		}
		if s.answers >= maxAnswers || s.answers > 0 && !c.Stale {
			return s.refuse(now, roll)
		}
		c.Stale = false
		s.last = c
		s.answers++
		return s.ask(p, now)
	}
	return s.fail(tel.LineDenied, r.retryAfter, now, roll)
}

// realmAllowed holds the rule that credentials go to one realm only: the configured one, else the
// one that has let us in before, else, at the first registration, that of the registrar.
func realmAllowed(configured, learned, asked string) bool {
	switch {
	case configured != "":
		return strings.EqualFold(asked, configured)
	case learned != "":
		return strings.EqualFold(asked, learned)
	}
	return true
}

// refuse counts a refusal of the credentials. One alone may be the carrier's hiccup.
func (s state) refuse(now time.Time, roll float64) (state, []effect) {
	s.refusals++
	cause := tel.LineRegistering
	if s.refusals >= maxRefusals {
		cause = tel.LineRefused
	}
	n := s.refusals
	s.last = challenge{}
	s, effects := s.fail(cause, 0, now, roll)
	s.refusals = n
	return s, effects
}

// fail ends an attempt: try again after 30 s doubling to 10 min, or when the carrier says.
func (s state) fail(cause tel.LineCause, retryAfter time.Duration, now time.Time, roll float64) (state, []effect) {
	s.failures++
	s.refusals = 0
	s.phase = waiting
	wait := backoff(s.failures, roll)
	if retryAfter > 0 {
		wait = min(retryAfter, mostRetry)
	}
	s.due = now.Add(wait)
	return s.stand(false, cause, now), nil
}

// backoff doubles from 30 s to 10 min, +-10 %.
func backoff(failures int, roll float64) time.Duration {
	d := backoffMost
	if shift := failures - 1; shift < 5 { // 30 s << 5 is over 10 min
		d = min(backoffFirst<<max(shift, 0), backoffMost)
	}
	return time.Duration(float64(d) * (0.9 + 0.2*roll))
}

// probed takes the answer to an OPTIONS: any answer proves the carrier there, whatever it thinks of
// the method. A challenge is not answered.
func (s state) probed(p policy, r reply, now time.Time, roll float64) (state, []effect) {
	s.phase = waiting
	pace := time.Duration(float64(p.qualify) * (0.9 + 0.2*roll))
	if r.status != 0 && r.status != 408 {
		s.misses, s.failures = 0, 0
		s.due = now.Add(pace)
		return s.stand(true, tel.LineOK, now), nil
	}
	s.misses = min(s.misses+1, maxMisses)
	s.due = now.Add(min(pace, retryLater))
	if s.misses < maxMisses {
		return s, nil
	}
	s.due = now.Add(pace)
	return s.stand(false, tel.LineUnreachable, now), nil
}

// stand sets the standing; since moves only with a change.
func (s state) stand(up bool, cause tel.LineCause, now time.Time) state {
	if s.up != up || s.cause != cause {
		s.up, s.cause, s.since = up, cause, now
	}
	return s
}
