package trunk

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Times of the machine.
const (
	backoffMost  = 10 * time.Minute
	patience     = 45 * time.Second // for one step; over Timer F's 32 s, so it only catches a lost result
	leastLife    = 20 * time.Second // a registration granted for less is refreshed as if it were this long
	retryLater   = 10 * time.Second // second look after one missed OPTIONS
	returnAfter  = 10 * time.Minute // until the preferred server is tried again
	reflectPause = 30 * time.Second // after a registration, in which a new address of ours asks for no other one
	mostRetry    = time.Hour        // a longer Retry-After is not believed
)

// Limits of one attempt and of patience with refusals.
const (
	maxAnswers  = 2 // challenges answered in one attempt: the first, and one stale
	maxRefusals = 2 // refusals in a row that mean wrong credentials
	maxMisses   = 2 // OPTIONS in a row without answer that mean unreachable
)

// phase is what the trunk waits for.
type phase uint8

const (
	waiting   phase = iota // for the time due
	resolving              // for the addresses of the carrier
	asking                 // for the answer to REGISTER
	probing                // for the answer to OPTIONS
)

// state is everything a trunk knows about its standing with the carrier. It is one plain value.
type state struct {
	phase   phase
	due     time.Time // when to act if nothing else happens
	attempt uint64    // names the step under way; answers to earlier ones are ignored

	targets []stack.Flow // where the carrier is, the preferred server first
	server  int          // the one of targets that is being tried
	trial   stack.Flow   // on which the request under way was sent
	flow    stack.Flow   // that works: it carries calls
	home    stack.Flow   // that was preferred before the first failover
	back    time.Time    // when to try home again

	callID string
	tag    string
	token  string // user part of our Contact, which only the carrier learns
	cseq   uint32

	expires time.Duration  // to ask for; 423 raises it
	begun   time.Time      // when the registration was granted
	until   time.Time      // its end; zero = none
	refresh time.Time      // when to register again; a probe may be due earlier
	life    time.Duration  // after which the carrier forgot us against its word; 0 = it kept it
	realm   string         // of the registrar that let us in
	last    challenge      // of the registration, used again at the refresh
	answers int            // challenges answered in this attempt
	seen    netip.AddrPort // our address as the carrier sees it
	named   netip.AddrPort // what our last REGISTER named
	adapted bool           // this attempt repeats, because the carrier sees us elsewhere than we said
	leaving bool           // unregister, then nothing more

	failures int  // attempts in a row that failed
	refusals int  // of them, refused for the credentials
	misses   int  // OPTIONS in a row without an answer
	answered bool // the carrier has answered an OPTIONS: only then does its silence mean something

	lost        int           // calls out in a row that the carrier could not carry
	refusedRow  int           // calls out in a row that it refused for the number or the credentials
	warnAccount tel.LineCause // what is wrong although registered; empty = nothing
	warnCalls   tel.LineCause // what is wrong with calls; empty = nothing

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
	retry   time.Duration
	realm   string // the only one answered; empty = the registrar's
	blind   bool   // there is nothing to send to: inbound calls only
	learn   bool   // our Contact names the address that the carrier sees
	trial   bool   // the first refusal counts
}

// The events.
type (
	event interface{ event() }
	// due: the time came. usable = the flow at hand can still carry a message.
	due struct{ usable bool }
	// resolved: where the carrier is; none, and why.
	resolved struct {
		attempt   uint64
		targets   []stack.Flow
		public    netip.AddrPort // our address, by STUN
		untrusted bool
	}
	// replied: a final response, or none.
	replied struct {
		attempt uint64
		reply
	}
	// called: how a call over the trunk went.
	called struct{ Outcome }
	// leave: unregister and rest.
	leave struct{}
	// displaced: our own address changed, or the flow that carries calls carries nothing any more.
	displaced struct{}
	// reflected: the carrier sees us at another address than before.
	reflected struct{ at netip.AddrPort }
)

// reply is a final response reduced to what the machine needs; status 0 = no answer came.
type reply struct {
	status     int
	text       string // reason phrase and Warning
	challenges []challenge
	granted    time.Duration // of our contact in a 200; 0 = not said
	others     int           // contacts in a 200 that are not this box
	minExpires time.Duration
	retryAfter time.Duration
	nextNonce  string
	seen       netip.AddrPort // received and rport of our Via (RFC 3581)
	untrusted  bool           // the server's certificate is not trusted
}

func (due) event()       {}
func (resolved) event()  {}
func (replied) event()   {}
func (called) event()    {}
func (leave) event()     {}
func (displaced) event() {}
func (reflected) event() {}

// The effects.
type (
	effect interface{ effect() }
	// resolve asks for the addresses of the carrier.
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
	// did tells the directory how a flow does.
	did struct {
		flow stack.Flow
		well bool
	}
	// left: the carrier has been told, or does not answer.
	left struct{}
)

func (resolve) effect()  {}
func (register) effect() {}
func (options) effect()  {}
func (save) effect()     {}
func (did) effect()      {}
func (left) effect()     {}

// next is the machine: what becomes of the trunk, and what to do. roll is uniform in [0, 1).
func next(p policy, s state, e event, now time.Time, roll float64) (state, []effect) {
	before := s
	s, effects := s.take(p, e, now, roll)
	if p.mode == Address && !p.blind && !s.leaving && (s.up != before.up || s.flow != before.flow) { // a registration is kept where it is made
		effects = append([]effect{save{}}, effects...)
	}
	return s, effects
}

func (s state) take(p policy, e event, now time.Time, roll float64) (state, []effect) {
	switch e := e.(type) {
	case due:
		return s.wake(p, e.usable, now, roll)
	case resolved:
		if s.phase != resolving || e.attempt != s.attempt {
			return s, nil
		}
		return s.found(p, e, now, roll)
	case replied:
		switch {
		case e.attempt != s.attempt:
		case s.phase == asking:
			return s.answer(p, e.reply, now, roll)
		case s.phase == probing:
			return s.probed(p, e.reply, now, roll)
		}
	case called:
		return s.learn(p, e.Outcome, now)
	case leave:
		return s.leave(p, now)
	case displaced:
		if !p.blind && !s.leaving && s.up {
			s.answers, s.adapted, s.refresh = 0, false, now
			return s.look(now)
		}
	case reflected:
		return s.reflect(p, e.at, now)
	}
	return s, nil
}

// reflect registers anew when a router has given us another address: what the carrier knows of us leads
// nowhere any more. A router that gives another one to every request must not make us ask forever.
func (s state) reflect(p policy, at netip.AddrPort, now time.Time) (state, []effect) {
	if p.mode != Register || s.leaving || !s.up || s.phase != waiting || at == s.named || now.Sub(s.begun) < reflectPause {
		return s, nil
	}
	s.answers, s.adapted, s.refresh = 0, false, now
	return s.look(now)
}

// wake starts an attempt, or ends one whose result was lost.
func (s state) wake(p policy, usable bool, now time.Time, roll float64) (state, []effect) {
	switch {
	case p.blind:
		// Nothing to ask: the carrier's calls come or they do not.
		s = s.stand(true, tel.LineOK, now)
		s.due = time.Time{}
		return s, nil
	case s.leaving:
		return s.gone(now)
	case s.phase == resolving:
		return s.fail(p, tel.LineUnreachable, 0, now, roll)
	case s.phase == probing:
		return s.probed(p, reply{}, now, roll)
	case s.phase == asking:
		return s.elsewhere(p, tel.LineUnreachable, 0, now, roll)
	}
	s.answers, s.adapted = 0, false
	homesick := s.away() && !now.Before(s.back)
	if p.mode == Register && s.up && usable && now.Before(s.refresh) && !homesick {
		s.trial = s.flow
		return s.probe(now)
	}
	if usable && s.failures == 0 && s.misses == 0 && !homesick && len(s.targets) > 0 {
		s.trial = s.flow
		return s.ask(p, now)
	}
	return s.look(now)
}

// look begins anew with the carrier's addresses: it may have moved.
func (s state) look(now time.Time) (state, []effect) {
	s.attempt++
	s.phase, s.due = resolving, now.Add(patience)
	return s, []effect{resolve{s.attempt}}
}

// found takes the addresses. A name server that fails takes nothing from a flow that works.
func (s state) found(p policy, e resolved, now time.Time, roll float64) (state, []effect) {
	switch {
	case len(e.targets) > 0:
		s.targets = e.targets
	case s.up && s.flow.Remote.IsValid():
		s.targets = []stack.Flow{s.flow}
	case e.untrusted:
		return s.fail(p, tel.LineTLSUntrusted, 0, now, roll)
	default:
		return s.fail(p, tel.LineDNSFailed, 0, now, roll)
	}
	s.server, s.trial = 0, s.targets[0]
	if e.public.IsValid() {
		s.seen = e.public
	}
	return s.ask(p, now)
}

// ask sends the request of the mode on the flow that is tried.
func (s state) ask(p policy, now time.Time) (state, []effect) {
	if p.mode == Address {
		return s.probe(now)
	}
	s.attempt++
	s.cseq++
	s.named = s.seen
	s.phase, s.due = asking, now.Add(patience)
	if s.leaving {
		return s, []effect{register{s.attempt, s.last}}
	}
	// The contact's token must be known to the next process before the carrier learns it.
	return s, []effect{save{}, register{s.attempt, s.last}}
}

func (s state) probe(now time.Time) (state, []effect) {
	s.attempt++
	s.cseq++
	s.phase, s.due = probing, now.Add(patience)
	return s, []effect{options{s.attempt}}
}

// elsewhere goes on with the next server, or ends the attempt when all have failed.
func (s state) elsewhere(p policy, cause tel.LineCause, retryAfter time.Duration, now time.Time, roll float64) (state, []effect) {
	bad := did{s.trial, false}
	last := s.server+1 >= len(s.targets)
	if last && p.mode == Register && s.up && now.Before(s.refresh) && !sameEnd(s.trial, s.flow) {
		// It was only tried for the sake of calls: the server that we are registered with stays.
		s.phase, s.back = waiting, now.Add(returnAfter)
		return s.rest(p, now, roll), []effect{bad}
	}
	if last {
		s, effects := s.fail(p, cause, retryAfter, now, roll)
		return s, append([]effect{bad}, effects...)
	}
	if !s.home.Remote.IsValid() {
		s.home = s.trial
	}
	s.server++
	s.trial, s.answers = s.targets[s.server], 0
	s, effects := s.ask(p, now)
	return s, append([]effect{bad}, effects...)
}

// serves makes the server that answered the one that carries calls.
func (s state) serves(now time.Time) state {
	s.flow = s.trial
	switch {
	case !s.home.Remote.IsValid() || sameEnd(s.home, s.flow) || !slices.ContainsFunc(s.targets, func(f stack.Flow) bool { return sameEnd(f, s.home) }):
		s.home, s.back = s.flow, time.Time{}
	case s.back.IsZero() || !now.Before(s.back):
		s.back = now.Add(returnAfter)
	}
	return s
}

// away reports that a server other than the preferred one carries calls.
func (s state) away() bool { return s.home.Remote.IsValid() && !sameEnd(s.home, s.flow) }

// fail ends an attempt: try again after the retry time doubling to 10 min, or when the carrier says.
func (s state) fail(p policy, cause tel.LineCause, retryAfter time.Duration, now time.Time, roll float64) (state, []effect) {
	if s.leaving {
		return s.gone(now)
	}
	s.failures++
	s.refusals = 0
	s.phase = waiting
	wait := backoff(p.retry, s.failures, roll)
	if retryAfter > 0 {
		wait = min(retryAfter, mostRetry)
	}
	s.due = now.Add(wait)
	return s.stand(false, cause, now), nil
}

// backoff doubles from first to 10 min, or stays at first if that is longer; +-10 %.
func backoff(first time.Duration, failures int, roll float64) time.Duration {
	most := max(first, backoffMost)
	d := most
	if shift := failures - 1; shift < 7 { // 10 s << 6 is over 10 min
		d = min(first<<max(shift, 0), most)
	}
	return time.Duration(float64(d) * (0.9 + 0.2*roll))
}

// leave unregisters a trunk that is registered; another has nothing to say.
func (s state) leave(p policy, now time.Time) (state, []effect) {
	if p.mode != Register || !s.until.After(now) || !s.flow.Remote.IsValid() {
		return s.gone(now)
	}
	s.leaving, s.answers, s.trial = true, 0, s.flow
	return s.ask(p, now)
}

// gone is the rest after leaving.
func (s state) gone(now time.Time) (state, []effect) {
	s.leaving, s.phase = true, waiting
	s.due, s.until, s.refresh = time.Time{}, time.Time{}, time.Time{}
	return s.stand(false, tel.LineDisabled, now), []effect{left{}}
}

// stand sets the standing; since moves only with a change.
func (s state) stand(up bool, cause tel.LineCause, now time.Time) state {
	if s.up != up || s.cause != cause {
		s.up, s.cause, s.since = up, cause, now
	}
	return s
}

// shown is the cause that people see: of a trunk that is up, what is wrong all the same.
func (s state) shown() tel.LineCause {
	if !s.up {
		return s.cause
	}
	return cmp.Or(s.warnCalls, s.warnAccount, s.cause)
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
