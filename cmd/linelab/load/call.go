package load

import (
	"context"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/useragent"
)

const (
	// ringLimit is how long a call may ring.
	ringLimit = time.Minute
	// drain is how long before the BYE nobody speaks any more, so that what is under way, in a jitter buffer too, still
	// comes.
	drain = 300 * time.Millisecond
)

// farewell is how long a BYE is sent to a server that is known to be gone: it might be coming back.
const farewell = 1500 * time.Millisecond

// patience is how long the answer to a BYE or CANCEL is waited for.
func (r *run) patience() time.Duration {
	if r.gone.Load() {
		return farewell
	}
	return useragent.Unanswered + time.Second
}

// outcome is what became of a call that we placed.
type outcome struct {
	began, ringing, answered, bye, ended time.Time

	status    int    // of a refusal
	reason    string // its words
	cancelled bool   // we gave up: it rang too long, or the run was stopped
	unheard   bool   // the INVITE was never answered
	cut       bool   // the server ended it before its time
	theirs    bool   // by a BYE
	open      bool   // BYE or CANCEL was never answered
	noAudio   bool   // answered without our codec
	failed    error  // no socket for it
}

// call places one call and sees to its end.
func (r *run) call(ctx context.Context, p *useragent.Phone, number string) {
	s, err := r.audio.Open(p.Addr().Addr(), true)
	if err != nil {
		r.tally.called(&outcome{failed: err})
		return
	}
	o := &outcome{}
	c := p.Invite(number, s.Addr())
	o.began = c.Began()
	r.follow(ctx, c, s, o)
	if !o.answered.IsZero() {
		r.tally.up(-1)
	}
	if o.unheard || o.open {
		r.silent()
	}
	r.tally.called(o)
	r.tally.stream(s.Close(), true, o.theirs)
}

// follow drives a call from its INVITE to its last event.
func (r *run) follow(ctx context.Context, c *useragent.Call, s *useragent.Stream, o *outcome) {
	timer := time.NewTimer(ringLimit)
	defer timer.Stop()
	stopped, leaving := ctx.Done(), false
	leave := func() {
		leaving = true
		if o.answered.IsZero() {
			o.cancelled = true
			c.Hangup()
			timer.Reset(r.patience())
			return
		}
		s.Stop()
		if other := s.Peer(); other != nil {
			other.Stop()
		}
		timer.Reset(drain)
	}
	for {
		select {
		case e := <-c.Events:
			if r.happened(c, s, o, e) {
				return
			}
			if e.Kind == useragent.Answered && !leaving {
				timer.Reset(r.cfg.For)
			}
		case <-timer.C:
			switch {
			case !leaving:
				leave()
			case !o.answered.IsZero() && o.bye.IsZero():
				o.bye = time.Now()
				c.Hangup()
				timer.Reset(r.patience())
			default:
				o.open = true
				c.Abandon()
				return
			}
		case <-stopped:
			stopped = nil
			if !leaving {
				leave()
			}
		}
	}
}

// happened notes an event of a call that we placed, and reports that it was the last.
func (r *run) happened(c *useragent.Call, s *useragent.Stream, o *outcome, e useragent.Event) (last bool) {
	switch e.Kind {
	case useragent.Ringing:
		if o.ringing.IsZero() {
			o.ringing = e.At
		}
	case useragent.Answered:
		o.answered = e.At
		r.tally.up(1)
		if o.cancelled {
			o.bye = e.At // the phone hangs up at once
			return false
		}
		if o.noAudio = !c.Audio().IsValid() || c.Audio().Port() == 0; !o.noAudio {
			s.Start(c.Audio())
		}
	case useragent.Moved:
		if to := c.Audio(); to.IsValid() && to.Port() > 0 {
			s.Move(to)
		}
	case useragent.Refused:
		o.status, o.reason = e.Status, e.Reason
		return true
	case useragent.Ended, useragent.Silent:
		o.ended = e.At
		if o.answered.IsZero() {
			o.unheard, o.open = !o.cancelled, o.cancelled
			return true
		}
		o.cut, o.theirs = o.bye.IsZero(), e.Theirs
		o.open = !o.cut && e.Kind == useragent.Silent
		return true
	}
	return false
}

// answer takes a call that came in, until somebody hangs up.
func (r *run) answer(c *useragent.Call) {
	s, err := r.audio.Open(c.Phone().Addr().Addr(), false)
	if err != nil {
		r.tally.note(err.Error())
		c.Reject(486)
		return
	}
	c.Ring()
	c.Answer(s.Addr())
	spoke, dismissed := false, r.answerer.Done()
	orderly := false
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
loop:
	for {
		select {
		case e := <-c.Events:
			switch e.Kind {
			case useragent.Confirmed, useragent.Moved:
				to := c.Audio()
				switch usable := to.IsValid() && to.Port() > 0; {
				case usable && spoke:
					s.Move(to)
				case usable:
					s.Start(to)
					spoke = true
				}
			case useragent.Ended:
				orderly = true
				break loop
			case useragent.Cancelled, useragent.Refused, useragent.Silent:
				break loop
			}
		case <-dismissed:
			dismissed = nil
			r.tally.leftOpen()
			c.Hangup()
			timer.Reset(r.patience())
		case <-timer.C:
			c.Abandon()
			break loop
		}
	}
	r.tally.reached(spoke)
	r.tally.stream(s.Close(), false, orderly)
}
