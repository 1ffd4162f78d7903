package party

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/call/voice"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// leg is a call.Leg over a telephone line. Modem commands take seconds, so each runs in a goroutine
// that the post's Close waits for.
type leg struct {
	*voice.Half
	post   *post
	events func(call.LegEvent)
	sound  *lateMedia
	lost   *time.Timer // of a recovered call whose modem has not spoken yet; set before use

	once sync.Once // guards the one LegEnded
}

func (l *leg) tell(e call.LegEvent) {
	e.Leg = l.ID()
	l.events(e)
}

// Ref implements call.Leg.
func (l *leg) Ref() string { return refPrefix + string(l.post.line.ID()) }

// Alert implements call.Leg: the network already rings the caller's ear.
func (l *leg) Alert(bool) {}

// Accept implements call.Leg.
func (l *leg) Accept() {
	l.command("answer", l.post.line.Answer, func(error) {
		// The caller may have gone in this instant; the line says so by Ended. A modem that refuses
		// while the call rings on is hung up.
		l.post.hangup(tel.CauseInterfaceFailure)
	})
}

// Hangup implements call.Leg.
func (l *leg) Hangup(why tel.Cause) {
	l.command("hang up", func(ctx context.Context) error { return l.post.line.Hangup(ctx, why) }, nil)
}

// SendDTMF implements call.Leg.
func (l *leg) SendDTMF(digits string) {
	l.command("send digits", func(ctx context.Context) error { return l.post.line.SendDTMF(ctx, digits) }, nil)
}

// Flash implements call.Flasher.
func (l *leg) Flash() { l.command("flash", l.post.line.Flash, nil) }

// PassesDTMF implements call.Leg: digits travel beside the audio.
func (l *leg) PassesDTMF() bool { return false }

// command gives the modem one command without making the call wait.
func (l *leg) command(what string, do func(context.Context) error, failed func(error)) {
	l.post.b.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
		defer cancel()
		if err := do(ctx); err != nil {
			l.post.log.Warn("line refused a command", "command", what, "err", err)
			if failed != nil {
				failed(err)
			}
		}
	})
}

func (l *leg) event(e line.Event) {
	switch e.Kind {
	case line.Alerting:
		l.tell(call.LegEvent{Kind: call.LegProgress})
	case line.Connected:
		l.sound.connect(l.post)
		l.tell(call.LegEvent{Kind: call.LegAnswered})
	case line.Digit:
		l.tell(call.LegEvent{Kind: call.LegDigit, Digit: rune(e.Digit), Beside: true})
	case line.Ended:
		l.ended(call.LegEvent{Cause: e.Cause, Remote: true})
	case line.Incoming, line.Proceeding, line.Recovered, line.Status:
	}
}

// ended frees the line for its next call, once.
func (l *leg) ended(e call.LegEvent) {
	l.once.Do(func() {
		if l.lost != nil {
			l.lost.Stop()
		}
		l.Media().Close()
		l.post.mu.Lock()
		last := l.post.leg == l && l.post.retired
		if l.post.leg == l {
			l.post.leg = nil
		}
		l.post.mu.Unlock()
		if last {
			l.post.b.wg.Go(l.post.release)
		}
		e.Kind = call.LegEnded
		l.tell(e)
	})
}

// lateMedia is the line's audio, silent until the line is connected: the media leg exists before.
type lateMedia struct {
	line  line.Line
	media atomic.Pointer[line.Media]
}

func (m *lateMedia) connect(p *post) {
	got, err := m.line.Media()
	if err != nil {
		p.log.Error("line is connected but has no audio", "err", err)
		return
	}
	m.media.Store(&got)
}

// ReadFrame implements line.Media.
func (m *lateMedia) ReadFrame(f *line.Frame) bool {
	if got := m.media.Load(); got != nil {
		return (*got).ReadFrame(f)
	}
	clear(f[:])
	return false
}

// WriteFrame implements line.Media.
func (m *lateMedia) WriteFrame(f *line.Frame) bool {
	if got := m.media.Load(); got != nil {
		return (*got).WriteFrame(f)
	}
	return false
}

// Stats implements line.Media.
func (m *lateMedia) Stats() line.MediaStats {
	if got := m.media.Load(); got != nil {
		return (*got).Stats()
	}
	return line.MediaStats{}
}
