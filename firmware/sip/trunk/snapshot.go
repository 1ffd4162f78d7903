package trunk

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	snapshotVersion = 1
	restartJump     = 1000             // requests that left after the last record stay below our next CSeq
	leastLeft       = 10 * time.Second // of a registration that is worth keeping
)

// record is what the hot journal keeps: who we are to the registrar, and until when; of a carrier without
// registration, where it answered last.
type record struct {
	V       int            `json:"v"`
	Flow    stack.Flow     `json:"flow"`
	Targets []stack.Flow   `json:"targets,omitempty"`
	Home    stack.Flow     `json:"home,omitzero"`
	Seen    netip.AddrPort `json:"seen,omitzero"`
	CallID  string         `json:"call_id"`
	Tag     string         `json:"tag"`
	Token   string         `json:"token"`
	CSeq    uint32         `json:"cseq"`
	Expires time.Duration  `json:"expires"` // nanoseconds
	Until   time.Time      `json:"until,omitzero"`
	Due     time.Time      `json:"due,omitzero"` // when to register again
	Begun   time.Time      `json:"begun,omitzero"`
	Life    time.Duration  `json:"life,omitempty"` // nanoseconds; how long the carrier really keeps us
	Realm   string         `json:"realm,omitempty"`
	Up      bool           `json:"up,omitempty"`
}

func encode(s state) ([]byte, error) {
	return json.Marshal(record{
		V: snapshotVersion, Flow: s.flow, Targets: s.targets, Home: s.home, Seen: s.seen,
		CallID: s.callID, Tag: s.tag, Token: s.token, CSeq: s.cseq,
		Expires: s.expires, Until: s.until, Due: s.refresh, Begun: s.begun, Life: s.life, Realm: s.realm, Up: s.up,
	})
}

func decode(value []byte) (record, error) {
	var rec record
	if err := json.Unmarshal(value, &rec); err != nil {
		return rec, fmt.Errorf("read trunk state: %w", err)
	}
	if rec.V != snapshotVersion {
		return rec, fmt.Errorf("trunk state is of version %d, this program reads %d", rec.V, snapshotVersion)
	}
	if rec.Token == "" || rec.CallID == "" || rec.Tag == "" {
		return rec, fmt.Errorf("trunk state without identity: token, Call-ID and tag are needed")
	}
	return rec, nil
}

// resume continues where an earlier process stood. A registration that still runs is not repeated:
// it is refreshed when it would have been. A carrier that is known by its address is believed to be
// where it was. alive = the flow can carry a message.
func resume(p policy, fresh state, rec record, alive bool, now time.Time) state {
	s := fresh
	s.callID, s.tag, s.token, s.realm = rec.CallID, rec.Tag, rec.Token, rec.Realm
	s.cseq = (rec.CSeq + restartJump) & (1<<31 - 1) // RFC 3261 section 8.1.1.5
	s.expires = min(max(rec.Expires, fresh.expires), maxExpires)
	s.seen, s.life = rec.Seen, min(max(rec.Life, 0), maxExpires)
	if p.mode == Address {
		if rec.Up && alive {
			// It is looked for anew at once, but calls need not wait for that: the emergency call that the
			// kill has cut least of all.
			s.flow, s.trial, s.home, s.due = rec.Flow, rec.Flow, rec.Home, now
			s = s.stand(true, tel.LineOK, now)
		}
		return s
	}
	left := min(rec.Until.Sub(now), maxExpires)
	if rec.Until.IsZero() || left < leastLeft || !alive {
		return s
	}
	s.flow, s.trial, s.until, s.begun = rec.Flow, rec.Flow, now.Add(left), rec.Begun
	s.targets, s.home = rec.Targets, rec.Home
	s.named = s.seen
	s.refresh = now.Add(min(max(rec.Due.Sub(now), 0), left))
	s.due = s.refresh
	if at := now.Add(p.qualify); p.qualify > 0 && at.Before(s.due) {
		s.due = at
	}
	if rec.Up {
		s = s.stand(true, tel.LineOK, now)
	} else {
		s.due, s.refresh = now, now
	}
	return s
}
