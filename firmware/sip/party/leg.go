package party

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/call/voice"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// refPrefix marks a leg of this package in a call's snapshot; the session's label follows.
const refPrefix = "sip:"

// leg is a call.Leg over SIP. Commands come from the call's goroutine, notices from the shard of
// the dialog; mu guards what both use and is never held while the other side is told something.
type leg struct {
	*voice.Half
	o       *Office
	audio   audio           // of Half
	talk    func() dialogue // the session of now
	events  func(call.LegEvent)
	release func() // gives a trunk's channel back; nil for phones
	carried carried
	label   string                         // names the leg after a restart, whatever server took the call
	current atomic.Pointer[dialog.Session] // changes only before anybody rings

	mu      sync.Mutex
	local   sdp.Local
	offer   *sdp.Session // theirs; nil: ours is open
	media   sdp.Media
	agreed  bool
	alerted bool
	ended   bool
	asked   uint32 // the referral that waits for AnswerRefer
	taken   uint32 // the referral that is under way

	move   move
	fax    fax
	ring   *ring  // of a phone that is called: until it has answered
	search search // of a call out over a carrier: the server that takes it

	redirect tel.Number // of a 302; the shard's
}

// dialogue is what offers inside of a call need of its dialog; *dialog.Session has it.
type dialogue interface {
	Incoming() bool
	Flow() stack.Flow
	ContactPort() uint16
	Reoffer(sdp []byte)
	AnswerReoffer(sdp []byte)
	RejectReoffer(status int)
}

// audio is what they need of the leg's audio; *media.Leg has it.
type audio interface {
	Ports() (rtp, rtcp uint16)
	Advertise() netip.Addr
	Readvertise(to netip.Addr) error
	Configure(m sdp.Media) error
	Stats() media.Stats
	Partner() tel.LegID
	Stranded() bool
	Close()
}

// wire gives the leg its audio.
func (l *leg) wire(half *voice.Half) {
	l.Half, l.audio = half, half.Media()
	l.talk = func() dialogue { return l.session() }
}

func (l *leg) isPhone() bool { return strings.HasPrefix(l.Party(), "phone:") }

func (l *leg) tell(e call.LegEvent) {
	e.Leg = l.ID()
	l.events(e)
}

// Ref implements call.Leg.
func (l *leg) Ref() string { return refPrefix + l.label }

// answer agrees with their offer once and returns our side of it. It is called with mu held.
func (l *leg) answer() ([]byte, error) {
	if l.offer == nil { // they let us offer; the answer comes with the ACK
		body := sdp.Offer(l.local)
		l.local.Last = body
		return body, nil
	}
	body, m, err := sdp.Answer(l.offer, l.local)
	if err != nil {
		return nil, err
	}
	l.local.Last = body
	return body, l.agree(m)
}

// agree takes a result of offer and answer into use. It is called with mu held.
func (l *leg) agree(m sdp.Media) error {
	if l.agreed && m == l.media {
		return nil
	}
	l.media, l.agreed = m, true
	return l.audio.Configure(m)
}

// Alert implements call.Leg.
func (l *leg) Alert(early bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !early || l.offer == nil {
		if !l.alerted {
			l.session().Provisional(180, nil)
		}
		l.alerted = true
		return
	}
	body, err := l.answer()
	if err != nil {
		l.session().Reject(rejection(err))
		return
	}
	l.alerted = true
	l.session().Provisional(183, body)
}

// Accept implements call.Leg.
func (l *leg) Accept() {
	l.connected()
	l.mu.Lock()
	defer l.mu.Unlock()
	body, err := l.answer()
	if err != nil {
		l.o.cfg.Log.Warn("offer cannot be answered", "party", l.Party(), "err", err)
		l.session().Reject(rejection(err))
		return
	}
	l.session().Accept(body)
}

// Unanswered implements call.Unanswered.
func (l *leg) Unanswered() bool {
	s := l.session()
	return s.Incoming() && s.Restored().Live && s.Restored().Phase == core.Offered
}

// rejection is the status for an offer that we cannot take (RFC 3261 section 13.3.1.3).
func rejection(err error) int {
	switch {
	case errors.Is(err, sdp.ErrMalformed):
		return 400
	case errors.Is(err, sdp.ErrNoAudio), errors.Is(err, sdp.ErrNoCodec), errors.Is(err, sdp.ErrNoImage):
		return 488
	default:
		return 500
	}
}

// session is what the leg stands on now.
func (l *leg) session() *dialog.Session { return l.current.Load() }

// Hangup implements call.Leg.
func (l *leg) Hangup(why tel.Cause) {
	l.stay()
	if !l.refuse(why) {
		l.session().Hangup(why)
	}
}

// SendDTMF implements call.Leg.
func (l *leg) SendDTMF(digits string) {
	if err := l.Media().SendDTMF(digits); err != nil {
		l.o.cfg.Log.Warn("digits cannot be sent", "party", l.Party(), "err", err)
	}
}

// Flash implements call.Flasher: behind a gateway there may be an analog line.
func (l *leg) Flash() {
	if err := l.Media().Flash(); err != nil {
		l.o.cfg.Log.Warn("a hook flash cannot be sent", "party", l.Party(), "err", err)
	}
}

// PassesDTMF implements call.Leg: events are read and tones are listened to by the media engine, which
// says them anew where the other party would not hear them.
func (l *leg) PassesDTMF() bool { return true }

// notice takes what the dialog tells, on its shard.
func (l *leg) notice(e dialog.Event) {
	switch e := e.(type) {
	case dialog.Provisional:
		l.found(e.Status)
		early := e.SDP != nil && l.answered(e.SDP) == nil
		if e.Status > 100 {
			l.tell(call.LegEvent{Kind: call.LegProgress, Early: early})
		}
	case dialog.Answered:
		l.found(200)
		l.ring.end()
		if err := l.answered(e.SDP); err != nil {
			l.o.cfg.Log.Warn("answer cannot be used", "party", l.Party(), "err", err)
			l.session().Hangup(tel.CauseNotAcceptable)
			return
		}
		l.connected()
		l.tell(call.LegEvent{Kind: call.LegAnswered})
		l.tellHeld()
	case dialog.Confirmed:
		if len(e.SDP) > 0 {
			if err := l.answered(e.SDP); err != nil {
				l.session().Hangup(tel.CauseNotAcceptable)
				return
			}
			l.tell(call.LegEvent{Kind: call.LegHeld, Held: l.held()})
			return
		}
		l.tellHeld()
	case dialog.Reoffered:
		l.reoffered(e.SDP)
	case dialog.Info:
		if infoFlash(e.ContentType, e.Body) {
			l.tell(call.LegEvent{Kind: call.LegFlash, Beside: true})
		} else if d, ok := infoDigit(e.ContentType, e.Body); ok {
			l.tell(call.LegEvent{Kind: call.LegDigit, Digit: d, Beside: true})
		}
	case dialog.Rejected:
		if l.elsewhere(e) {
			return
		}
		l.o.cfg.Log.Info("call was not taken", "party", l.Party(), "status", e.Status, "reason", e.Reason)
		l.failed(e)
		l.redirect = l.redirected(e)
	case dialog.Ended:
		l.end(e)
	case dialog.Referred:
		l.referred(e)
	case dialog.ReofferDone:
		if !l.faxed(e) {
			l.moved(e)
		}
	case dialog.Ignored:
		if e.Command == "answer reoffer" {
			l.tooLate()
		}
	case dialog.EarlyAnswered, dialog.Identified, dialog.Refreshed, dialog.Updated, dialog.HandoverProgress:
	}
}

// answered takes their answer to our offer into use.
func (l *leg) answered(body []byte) error {
	answer, err := sdp.Parse(body)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	m, err := sdp.Accept(l.local, answer)
	if err != nil {
		return err
	}
	return l.agree(m)
}

// held reports whether the other end wants to hear nothing (RFC 3264 section 8.4).
func (l *leg) held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.media.Direction.Sends()
}

// tellHeld tells of a call that begins on hold: its silence is no fault, and the other end is not to
// hear nothing.
func (l *leg) tellHeld() {
	if l.held() {
		l.tell(call.LegEvent{Kind: call.LegHeld, Held: true})
	}
}

// reoffered answers a re-INVITE or UPDATE: hold, resume, a new address or codec.
func (l *leg) reoffered(body []byte) {
	if l.passes(body) {
		return
	}
	held, status, out := l.renegotiate(body)
	if status != 0 {
		l.talk().RejectReoffer(status)
		return
	}
	l.talk().AnswerReoffer(out)
	if body != nil {
		l.tell(call.LegEvent{Kind: call.LegHeld, Held: held})
	}
}

func (l *leg) renegotiate(body []byte) (held bool, status int, out []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fax.before = nil
	l.local.Version++
	l.settle()
	if body == nil {
		out = sdp.Offer(l.local)
		l.local.Last = out
		return false, 0, out
	}
	offer, err := sdp.Parse(body)
	if err != nil {
		return false, rejection(err), nil
	}
	out, m, err := sdp.Answer(offer, l.local)
	if err != nil {
		return false, rejection(err), nil
	}
	if err := l.agree(m); err != nil {
		return false, 500, nil
	}
	l.local.Last = out
	if l.fax.mute = false; !m.Image {
		l.local.Image = nil // a partner that is in T.38 yet is Stranded
	}
	return !m.Direction.Sends(), 0, out
}

func (l *leg) end(e dialog.Ended) {
	l.mu.Lock()
	first := !l.ended
	l.ended = true
	if l.carried.why != tel.CauseNone {
		e.Cause = l.carried.why
	}
	l.mu.Unlock()
	if !first {
		return
	}
	l.o.down(l)
	l.endFax()
	l.ring.withdrawn()
	l.stay()
	l.settled()
	l.heard()
	l.audio.Close()
	if l.release != nil {
		l.release()
	}
	l.tell(call.LegEvent{Kind: call.LegEnded, Cause: e.Cause, Remote: e.Remote, Redirect: l.redirect})
}

// infoDigit reads the two forms of DTMF in INFO that phones use.
func infoDigit(contentType string, body []byte) (rune, bool) {
	text := strings.TrimSpace(string(body))
	switch strings.ToLower(strings.TrimSpace(strings.Split(contentType, ";")[0])) {
	case "application/dtmf-relay":
		for line := range strings.Lines(text) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "Signal="); ok {
				return oneDigit(strings.TrimSpace(v))
			}
		}
	case "application/dtmf":
		if n, err := strconv.Atoi(text); err == nil && (n == 10 || n == 11) {
			return rune("*#"[n-10]), true
		}
		return oneDigit(text)
	}
	return 0, false
}

// infoFlash reads the two forms of a hook flash in INFO: a body of its own, and the event 16 among the keys.
func infoFlash(contentType string, body []byte) bool {
	text := strings.ToLower(strings.TrimSpace(string(body)))
	switch strings.ToLower(strings.TrimSpace(strings.Split(contentType, ";")[0])) {
	case "application/hook-flash":
		return true
	case "application/dtmf-relay":
		for line := range strings.Lines(text) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "signal="); ok {
				v = strings.TrimSpace(v)
				return v == "16" || v == "hf" || v == "!"
			}
		}
	case "application/dtmf":
		return text == "16" || text == "hf" || text == "!"
	}
	return false
}

func oneDigit(s string) (rune, bool) {
	if len(s) == 1 && strings.Contains("0123456789*#ABCD", s) {
		return rune(s[0]), true
	}
	return 0, false
}
