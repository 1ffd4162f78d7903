package linetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Letterbox is a line.Inbox in memory. Its methods may be called from any goroutine.
type Letterbox struct {
	mu      sync.Mutex // guards what follows
	hold    func(line.ReceivedPart) error
	parts   []line.ReceivedPart
	notices []string
	fullest [2]int // used and total places, at the worst moment

	came chan struct{} // one for each part and notice
}

// NewLetterbox is empty, and takes everything.
func NewLetterbox() *Letterbox { return &Letterbox{came: make(chan struct{}, 4096)} }

// Hold lets f decide whether a part is safe.
func (b *Letterbox) Hold(f func(line.ReceivedPart) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hold = f
}

// Accept implements line.Inbox.
func (b *Letterbox) Accept(p line.ReceivedPart, done func(error)) {
	b.mu.Lock()
	hold := b.hold
	b.mu.Unlock()
	if hold != nil {
		if err := hold(p); err != nil {
			done(err)
			return
		}
	}
	b.mu.Lock()
	b.parts = append(b.parts, p)
	b.mu.Unlock()
	done(nil)
	b.came <- struct{}{}
}

// Storage implements line.Inbox.
func (b *Letterbox) Storage(_ tel.LineID, used, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if used >= b.fullest[0] {
		b.fullest = [2]int{used, total}
	}
}

// Fullest are the used and the total places of the storage at its worst moment.
func (b *Letterbox) Fullest() (used, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fullest[0], b.fullest[1]
}

// Notice implements line.Inbox.
func (b *Letterbox) Notice(_ tel.LineID, text string) {
	b.mu.Lock()
	b.notices = append(b.notices, text)
	b.mu.Unlock()
	b.came <- struct{}{}
}

// Await waits for n more parts or notices, while it drops the line's events, and returns all parts; fewer
// came when ok is false.
func (b *Letterbox) Await(l line.Line, n int) (all []line.ReceivedPart, ok bool) {
	limit := time.After(patience)
	for n > 0 {
		select {
		case <-b.came:
			n--
		case <-limit:
			return b.All(), false
		case <-l.Events():
		}
	}
	return b.All(), true
}

// All are the parts so far.
func (b *Letterbox) All() []line.ReceivedPart {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]line.ReceivedPart(nil), b.parts...)
}

// Notices are the service messages so far.
func (b *Letterbox) Notices() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.notices...)
}

// Words is the text of a part.
func Words(p line.ReceivedPart) string { return string(utf16.Decode(p.Text)) }

// Centre is the message centre behind a line.
type Centre interface {
	Deliver(from, text string) error
	Stored() (inside, waiting int) // on the SIM and in the modem, and outside
	Texts() []string               // whole messages that it has got, as "number text"
	RefuseTexts(on bool)
	LoseAnswers(on bool) // it takes messages, and its answer is lost
}

// PostRig is a line that carries messages, with its far end. Line is closed by the suite.
type PostRig struct {
	Rig
	Centre Centre
	Box    *Letterbox // the Inbox of the line
}

var messageCases = []struct {
	name string
	play func(*postRun)
}{
	{"a message is handed over, and deleted when it is safe", safeMessage},
	{"a message that is not safe stays, and is offered again", unsafeMessage},
	{"a long message is sent in as many parts as it is said to have", longMessage},
	{"what cannot be sent is refused without the network", unsendable},
	{"a call goes before messages", callFirst},
	{"the network's refusal has its reason, and the next one is sent", refusedMessage},
	{"an answer that is lost leaves doubt, and the next one is sent", lostAnswer},
	{"who does not wait is let go, and a closed line sends no message", goneSender},
}

// RunMessages proves the contract of line.Messages and of its Inbox. open makes a rig whose modem is
// plugged in; it is called once for each case.
func RunMessages(t *testing.T, open func(t *testing.T) PostRig) {
	for _, c := range messageCases {
		t.Run(c.name, func(t *testing.T) { proveMessages(t, open, c.play) })
	}
}

// RunMessagesInBubble proves it in virtual time, for a rig that waits for nothing outside of it.
func RunMessagesInBubble(t *testing.T, open func(t *testing.T) PostRig) {
	for _, c := range messageCases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { proveMessages(t, open, c.play) })
		})
	}
}

func proveMessages(t *testing.T, open func(t *testing.T) PostRig, play func(*postRun)) {
	rig := open(t)
	r := &postRun{run: &run{T: t, Rig: rig.Rig}, post: rig.Line.(line.Messages), Centre: rig.Centre, Box: rig.Box}
	defer func() { _ = r.Line.Close() }()
	r.service(true)
	r.ready()
	play(r)
}

type postRun struct {
	*run
	post   line.Messages
	Centre Centre
	Box    *Letterbox
}

// ready waits until the line would send.
func (r *postRun) ready() {
	r.Helper()
	for limit := time.Now().Add(patience); !r.post.Ready(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			r.Fatal("the line is never ready for a message")
		}
	}
}

func (r *postRun) emptied() {
	r.Helper()
	for limit := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		in, out := r.Centre.Stored()
		if in+out == 0 {
			return
		}
		if time.Now().After(limit) {
			r.Fatalf("%d messages are stored, %d wait", in, out)
		}
	}
}

func (r *postRun) send(text string, part int) error {
	_, err := r.post.SendPart(r.Context(), line.OutgoingMessage{To: "+393331234567", Text: text, Join: 9}, part)
	return err
}

func safeMessage(r *postRun) {
	if err := r.Centre.Deliver("+393331234567", "Perché no? [€]"); err != nil {
		r.Fatal(err)
	}
	all, ok := r.Box.Await(r.Line, 1)
	if !ok || all[0].Line != r.Line.ID() || all[0].Kind != line.TextPart || all[0].From != "+393331234567" ||
		Words(all[0]) != "Perché no? [€]" || all[0].Part != 1 || all[0].Parts != 1 || all[0].Raw == "" || all[0].Sent.IsZero() {
		r.Errorf("received %+v", all)
	}
	r.emptied()
	if n := len(r.Box.All()); n != 1 {
		r.Errorf("offered %d times", n)
	}
}

func unsafeMessage(r *postRun) {
	fails := 0
	r.Box.Hold(func(line.ReceivedPart) error { // on the line's goroutine only
		if in, _ := r.Centre.Stored(); in != 1 {
			r.Errorf("%d messages are stored while one is not safe", in)
		}
		if fails++; fails < 3 {
			return errors.New("disk full")
		}
		return nil
	})
	if err := r.Centre.Deliver("TIM", "Credito"); err != nil {
		r.Fatal(err)
	}
	if all, ok := r.Box.Await(r.Line, 1); !ok || all[0].From != "TIM" || fails != 3 {
		r.Errorf("received %+v at try %d", all, fails)
	}
	r.emptied()
}

func longMessage(r *postRun) {
	text := strings.Repeat("Il suo ordine è pronto 😀 ", 12)
	n, err := r.post.Parts(line.OutgoingMessage{To: "+393331234567", Text: text})
	if err != nil || n < 2 {
		r.Fatalf("%d parts, %v", n, err)
	}
	for i := range n {
		if err := r.send(text, i); err != nil {
			r.Fatal(err)
		}
	}
	if got := r.Centre.Texts(); len(got) != 1 || got[0] != "+393331234567 "+text {
		r.Errorf("the centre has %q", got)
	}
}

func unsendable(r *postRun) {
	for _, m := range []line.OutgoingMessage{{To: "+393331234567"}, {To: "anna", Text: "x"}, {Text: "x"}} {
		if _, err := r.post.Parts(m); !errors.Is(err, line.ErrUnsendable) {
			r.Errorf("parts of %+v: %v", m, err)
		}
		if _, err := r.post.SendPart(r.Context(), m, 0); !errors.Is(err, line.ErrUnsendable) {
			r.Errorf("sending %+v: %v", m, err)
		}
	}
	if _, err := r.post.Parts(line.OutgoingMessage{To: "333", Text: strings.Repeat("я", 67*line.MaxParts+1)}); !errors.Is(err, line.ErrTooLong) {
		r.Errorf("a book: %v", err)
	}
	if err := r.send("x", 1); !errors.Is(err, line.ErrUnsendable) {
		r.Errorf("part 2 of 1: %v", err)
	}
}

func callFirst(r *postRun) {
	if err := r.Far.Ring("+393330000000"); err != nil {
		r.Fatal(err)
	}
	r.want(line.Incoming)
	if err := r.send("x", 0); !errors.Is(err, line.ErrBusy) || r.post.Ready() {
		r.Errorf("while it rings: %v, ready %v", err, r.post.Ready())
	}
	if err := r.Far.Hangup(); err != nil {
		r.Fatal(err)
	}
	r.want(line.Ended)
	r.ready()
	if err := r.send("x", 0); err != nil {
		r.Errorf("after the call: %v", err)
	}
}

func refusedMessage(r *postRun) {
	r.Centre.RefuseTexts(true)
	var refused *line.RefusedMessage
	if err := r.send("no", 0); !errors.Is(err, line.ErrRefused) || !errors.As(err, &refused) || refused.Why == "" {
		r.Errorf("refused: %v", err)
	}
	r.Centre.RefuseTexts(false)
	r.ready()
	if err := r.send("yes", 0); err != nil {
		r.Errorf("the next one: %v", err)
	}
	if got := r.Centre.Texts(); len(got) != 1 || got[0] != "+393331234567 yes" {
		r.Errorf("the centre has %q", got)
	}
}

func lostAnswer(r *postRun) {
	r.Centre.LoseAnswers(true)
	if err := r.send("one", 0); !errors.Is(err, line.ErrUncertain) {
		r.Errorf("lost: %v", err)
	}
	r.Centre.LoseAnswers(false)
	r.ready()
	if err := r.send("two", 0); err != nil {
		r.Errorf("the next one: %v", err)
	}
	if got := r.Centre.Texts(); len(got) != 2 {
		r.Errorf("the centre has %q", got)
	}
}

func goneSender(r *postRun) {
	r.Centre.LoseAnswers(true)
	ctx, cancel := context.WithTimeout(r.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := r.post.SendPart(ctx, line.OutgoingMessage{To: "333", Text: "x"}, 0)
	if !errors.Is(err, line.ErrUncertain) { // the network has it: the context makes no certainty of that
		r.Errorf("a sender who went: %v", err)
	}
	if err := r.Line.Close(); err != nil {
		r.Fatal(err)
	}
	if err := r.send("x", 0); !errors.Is(err, line.ErrDown) {
		r.Errorf("closed: %v", err)
	}
}
