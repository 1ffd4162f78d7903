package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf16"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The tones of the two ends.
const (
	boxHz = 1000
	farHz = 600
)

// phone is the line as the box needs it.
type phone interface {
	line.Line
	line.Messages
}

// box takes the events of a line, notes them, and speaks and hears while a call is up.
type box struct {
	book *book
	line phone
	done chan struct{}
	join byte // of messages

	far tone.Generator // used by the modem's audio clock

	mu          sync.Mutex         // guards what follows
	heard, back []int16            // the last second: at the box, at the far end
	texts       map[int][][]uint16 // parts of messages that are not whole
}

func newBox(b *book) *box {
	return &box{book: b, done: make(chan struct{}), far: tone.Generator{Hz: farHz}, texts: map[int][][]uint16{}}
}

func (b *box) open(l phone) {
	b.line = l
	go b.run()
}

// close ends the line and waits.
func (b *box) close() error {
	err := b.line.Close()
	<-b.done
	return err
}

// run serves the line; the box's 20 ms clock runs while a call is up.
func (b *box) run() {
	defer close(b.done)
	var media line.Media
	var due time.Time
	clock := time.NewTimer(time.Hour)
	defer clock.Stop()
	near := tone.Generator{Hz: boxHz}
	for {
		select {
		case e, ok := <-b.line.Events():
			if !ok {
				return
			}
			b.event(e)
			switch e.Kind {
			case line.Connected:
				media, _ = b.line.Media() // without one the call has ended meanwhile
				due = time.Now()
				clock.Reset(0)
			case line.Ended:
				media = nil
			}
		case <-clock.C:
			if media == nil {
				continue
			}
			due = due.Add(20 * time.Millisecond)
			clock.Reset(time.Until(due))
			var f line.Frame
			media.ReadFrame(&f)
			b.mu.Lock()
			b.heard = lastSecond(b.heard, f[:])
			b.mu.Unlock()
			near.Fill(f[:])
			media.WriteFrame(&f)
		}
	}
}

func lastSecond(all, f []int16) []int16 {
	all = append(all, f...)
	if over := len(all) - tone.Rate; over > 0 {
		all = all[:copy(all, all[over:])]
	}
	return all
}

func (b *box) event(e line.Event) {
	if e.Kind != line.Status && e.Kind != line.Digit {
		b.mu.Lock()
		b.heard, b.back = nil, nil // what was heard before is not what is heard now
		b.mu.Unlock()
	}
	switch e.Kind {
	case line.Status:
		b.status(e.Status)
	case line.Incoming:
		b.book.change(func() { b.book.begun++ })
		b.book.note("ringing", string(e.Number))
	case line.Proceeding:
		b.book.change(func() { b.book.begun++ })
	case line.Recovered:
		b.book.change(func() { b.book.begun++ })
		go func() { _ = b.line.Hangup(context.Background(), tel.CauseInterfaceFailure) }() // nobody knows that call any more
	case line.Alerting:
		b.book.note("alerting", "")
	case line.Connected:
		b.book.note("connected", "")
	case line.Digit:
		b.book.note("key", string(rune(e.Digit)))
	case line.Ended:
		b.book.change(func() { b.book.ended++ })
		b.book.note("end", e.Cause.String())
	}
}

func (b *box) status(s tel.LineChanged) {
	was, said := false, ""
	b.book.change(func() {
		was = b.book.up
		b.book.up = s.Up
	})
	switch {
	case s.Up && !was:
		said = "service"
	case !s.Up:
		said = "outage"
	}
	if said == "outage" {
		b.book.note(said, string(s.Cause))
	} else if said != "" {
		b.book.note(said, "")
	}
}

// farSays and farHears are the other end of the call, on the modem's clock.
func (b *box) farSays(f *[gsmsim.FrameSamples]int16) { b.far.Fill(f[:]) }

func (b *box) farHears(f *[gsmsim.FrameSamples]int16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.back = lastSecond(b.back, f[:])
}

// hear waits until each end has heard half a second of the other.
func (b *box) hear(ctx context.Context, limit time.Duration) bool {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	in, out := false, false
	for start := time.Now(); time.Since(start) < limit; {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
		}
		b.mu.Lock()
		in = in || heard(b.heard, farHz, boxHz)
		out = out || heard(b.back, boxHz, farHz)
		b.mu.Unlock()
		if in && out {
			return true
		}
	}
	return false
}

func heard(pcm []int16, want, other int) bool {
	return len(pcm) >= tone.Rate/2 && tone.Heard(pcm[len(pcm)-tone.Rate/2:], want, other) == nil
}

// commandLimit bounds one command of the box; the driver's own limits are below it.
const commandLimit = 2 * time.Minute

// step plays the box's part.
func (b *box) step(ctx context.Context, s Step) error {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	switch a := s.Args; s.Words {
	case "box answers":
		return b.line.Answer(ctx)
	case "box dials":
		return b.line.Dial(ctx, tel.Number(a["1"]))
	case "box presses":
		return b.line.SendDTMF(ctx, a["1"])
	case "box hangs_up":
		return b.line.Hangup(ctx, tel.CauseNormal)
	case "box writes":
		b.join++
		return b.write(ctx, line.OutgoingMessage{To: tel.Number(a["to"]), Text: a["1"], Join: b.join})
	}
	return fmt.Errorf("no box plays %q", s.Words)
}

// write sends all parts of a message; a line that is busy for a moment is asked again.
func (b *box) write(ctx context.Context, m line.OutgoingMessage) error {
	parts, err := b.line.Parts(m)
	for part := 0; part < parts && err == nil; {
		if _, err = b.line.SendPart(ctx, m, part); !errors.Is(err, line.ErrBusy) {
			part++
			continue
		}
		select {
		case <-time.After(time.Second):
			err = nil
		case <-ctx.Done():
		}
	}
	return err
}

// Accept implements line.Inbox: a message is noted when all its parts are here.
func (b *box) Accept(p line.ReceivedPart, done func(error)) {
	defer done(nil)
	if p.Kind != line.TextPart {
		return
	}
	units := p.Text
	if p.Parts > 1 && p.Part >= 1 && p.Part <= p.Parts {
		b.mu.Lock()
		all := b.texts[p.Join]
		if len(all) != p.Parts {
			all = make([][]uint16, p.Parts)
		}
		all[p.Part-1] = p.Text
		b.texts[p.Join] = all
		lacks := slices.ContainsFunc(all, func(part []uint16) bool { return part == nil })
		units = slices.Concat(all...)
		if !lacks {
			delete(b.texts, p.Join)
		}
		b.mu.Unlock()
		if lacks {
			return
		}
	}
	b.book.note("message", string(utf16.Decode(units)))
}

// Storage implements line.Inbox.
func (*box) Storage(tel.LineID, int, int) {}

// Notice implements line.Inbox.
func (b *box) Notice(_ tel.LineID, text string) { b.book.note("message", text) }
