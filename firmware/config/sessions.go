package config

import "time"

// leastSE is the shortest interval of refreshes that a call may have (RFC 4028 section 5).
const leastSE = 90 * time.Second

// sessions checks the timers that end calls whose other end is gone without a word.
func (v *validator) sessions() {
	s := &v.c.SIP
	v.duration("sip.min_se", s.MinSE, leastSE, time.Hour)
	if s.SessionExpires != 0 {
		v.duration("sip.session_expires", s.SessionExpires, max(s.MinSE, leastSE), 24*time.Hour)
	}
}

func (v *validator) trunkSessions(path string, t *Trunk) {
	if t.SessionExpires != 0 {
		v.duration(path+".session_expires", t.SessionExpires, max(v.c.SIP.MinSE, leastSE), 24*time.Hour)
	}
	if t.SessionExpires != 0 && t.NoSessionTimer {
		v.found.add(path+".no_session_timer", "pair", "contradicts session_expires")
	}
}
