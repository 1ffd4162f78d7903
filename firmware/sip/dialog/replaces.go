package dialog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
)

// ReplacesID names a dialog that a new call or a transfer refers to (RFC 3891).
type ReplacesID = core.ReplacesID

// ErrReplaces says that a Replaces header field cannot be read.
var ErrReplaces = errors.New("a Replaces names a Call-ID, a to-tag and a from-tag")

// ParseReplaces reads the value of a Replaces header field (RFC 3891 section 6.1).
func ParseReplaces(value string) (ReplacesID, error) {
	var id ReplacesID
	parts := split(value, ';')
	id.CallID = strings.TrimSpace(parts[0])
	for _, p := range parts[1:] {
		name, v, _ := strings.Cut(p, "=")
		v = strings.TrimSpace(v)
		var field *string
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "to-tag":
			field = &id.ToTag
		case "from-tag":
			field = &id.FromTag
		case "early-only":
			id.EarlyOnly = true
			continue
		default:
			continue
		}
		if *field != "" || v == "" {
			return ReplacesID{}, ErrReplaces
		}
		*field = v
	}
	if id.CallID == "" || id.ToTag == "" || id.FromTag == "" || strings.ContainsAny(value, "\r\n") {
		return ReplacesID{}, ErrReplaces
	}
	return id, nil
}

// FormatReplaces is the value of a Replaces header field that names id.
func FormatReplaces(id ReplacesID) string {
	value := id.CallID + ";to-tag=" + id.ToTag + ";from-tag=" + id.FromTag
	if id.EarlyOnly {
		value += ";early-only"
	}
	return value
}

// replacesOf reads the Replaces of a request; ok is false when there is none.
func replacesOf(req *sip.Request) (id ReplacesID, ok bool, err error) {
	switch all := req.GetHeaders("Replaces"); {
	case len(all) == 0:
		return ReplacesID{}, false, nil
	case len(all) > 1, len(req.GetHeaders("Join")) > 0: // RFC 3891 section 3
		return ReplacesID{}, false, fmt.Errorf("more than one dialog named: %w", ErrReplaces)
	default:
		id, err = ParseReplaces(all[0].Value())
		return id, err == nil, err
	}
}

// Replaces returns the dialog that their INVITE asks to replace (RFC 3891). The user agent has found
// that there is one, and refuses the call with 481, 486 or 603 otherwise; who may replace it is for
// the application to decide, and Match finds it.
func (s *Session) Replaces() (ReplacesID, bool) {
	if !s.incoming || s.request == nil {
		return ReplacesID{}, false
	}
	id, ok, _ := replacesOf(s.request)
	return id, ok
}

// face is what other shards may know of a session. It is replaced whole, never changed.
type face struct {
	standing standing
	tags     [2]string // of the peer: of the dialog, or of the only early one
	more     []string  // of further early dialogs
}

// standing is how far a dialog is, as RFC 3891 section 3 asks.
type standing uint8

const (
	standingNone  standing = iota // early, and not begun by us: never replaced
	standingEarly                 // early, and begun by us
	standingUp
	standingOver
)

// show publishes what Match needs, when it has changed.
func (s *Session) show() {
	f := face{tags: [2]string{s.state.Peer.Tag}}
	switch p := s.state.Phase; {
	case !s.state.Live():
		f.standing = standingOver
	case p == core.Up, p == core.Accepted:
		f.standing = standingUp
	case p == core.Ringing:
		f.standing = standingEarly
		for i, fork := range s.state.Forks {
			if i < len(f.tags) {
				f.tags[i] = fork.Tag
				continue
			}
			f.more = append(f.more, fork.Tag)
		}
	}
	old := s.shown.Load()
	if old != nil && old.standing == f.standing && old.tags == f.tags && len(old.more) == len(f.more) {
		return // forks are only ever added
	}
	s.shown.Store(&f)
}

func (f *face) knows(tag string) bool {
	if tag == "" {
		return false
	}
	for _, t := range append(f.tags[:], f.more...) {
		if t == tag {
			return true
		}
	}
	return false
}

// Tags names the dialog of the session with that id: Call-ID, our tag and the peer's, which is empty
// until it is known. It may be called from anywhere.
func (ua *UA) Tags(id string) (callID, local, remote string) {
	ua.mu.RLock()
	s := ua.sessions[id]
	ua.mu.RUnlock()
	if s == nil {
		return "", "", ""
	}
	if f := s.shown.Load(); f != nil {
		remote = f.tags[0]
	}
	return s.callID, s.id, remote
}

// standingOf finds the session that id names and how far it is. The tags may come in either order:
// a phone that picks up what a lamp shows (RFC 4235) names the dialog as the watched phone has it,
// and the box, which stands in for that phone, has the same dialog from the other end. No tag can be
// guessed, so this opens nothing.
func (ua *UA) standingOf(id ReplacesID) (*Session, standing) {
	for _, tags := range [][2]string{{id.ToTag, id.FromTag}, {id.FromTag, id.ToTag}} {
		s := ua.find(tags[0], id.CallID)
		if s == nil {
			continue
		}
		if f := s.shown.Load(); f != nil && f.knows(tags[1]) {
			return s, f.standing
		}
	}
	return nil, standingNone
}

// Match finds the live call that id names (RFC 3891 section 3): an established one, or with early an
// outgoing one that rings. An incoming one that rings is never matched: only who began an early
// dialog may have it replaced. It may be called from anywhere; the call can change meanwhile.
func (ua *UA) Match(id ReplacesID) (s *Session, early, ok bool) {
	switch s, standing := ua.standingOf(id); standing {
	case standingUp:
		return s, false, true
	case standingEarly:
		return s, true, true
	}
	return nil, false, false
}

// Held finds the live call that id names whoever began it: what a party of ours may refer to when it
// transfers its partner into its own other call, also while that one still rings (RFC 5589 section
// 7.3, semi-attended). It may be called from anywhere.
func (ua *UA) Held(id ReplacesID) (*Session, bool) {
	s := ua.find(id.ToTag, id.CallID)
	if s == nil {
		return nil, false
	}
	f := s.shown.Load()
	return s, f != nil && f.standing != standingOver && f.knows(id.FromTag)
}

// replaceable is the status that refuses an INVITE with id, 0 when the dialog can be replaced.
func (ua *UA) replaceable(id ReplacesID) int {
	switch _, standing := ua.standingOf(id); standing {
	case standingUp:
		if id.EarlyOnly {
			return 486
		}
		return 0
	case standingEarly:
		return 0
	case standingOver:
		return 603
	}
	return 481
}
