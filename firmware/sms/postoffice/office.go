// Package postoffice owns the short messages of a running box: it takes what lines receive, keeps it on
// the disk before the SIM forgets it, and sends what people ask for, once.
package postoffice

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/sms"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// fileVersion is written into the file.
const fileVersion = 1

const (
	// patience is how long a line may take for one part: longer than any driver waits for its network.
	patience = 3 * time.Minute
	// glance is how often a line that is in a call is looked at while a message waits for it.
	glance = 2 * time.Second
	// again is when a failed write to the disk, or to the history, is tried again.
	again = 10 * time.Second
	// backlog is how many happenings may wait for the owner.
	backlog = 256
)

// ErrNoLine is returned for a line that does not exist, or carries no messages.
var ErrNoLine = errors.New("no line of that name carries messages")

// Config wires the office to its neighbours. Functions must not block, and all are needed.
type Config struct {
	Log   *slog.Logger
	Path  string // of the state
	Rules sms.Rules
	// Line finds a line. ok is false when there is none that carries messages; then why says whether it
	// will come back: line.ErrDown, or ErrNoLine.
	Line func(tel.LineID) (l line.Messages, why error)
	// Permit refuses a recipient, with the reason.
	Permit  func(to tel.Number) error
	Publish func(tel.Event)
	// Record writes an event into the history journal; done is called once when it is safe there, or why
	// not.
	Record func(e tel.Event, done func(error))
	// Saved is told after each write of the state: nil, or why the disk does not have it.
	Saved func(error)
	// Full is told how many of the places for messages of a line are taken.
	Full func(l tel.LineID, used, total int)
	// Admitted is told of each received part: nil, or why it stays on the SIM.
	Admitted func(l tel.LineID, why error)
	Notify   func(l tel.LineID, text string) // of a service message of the network
}

// Office owns a sms.Box. It implements line.Inbox. Its methods may be called from any goroutine.
type Office struct {
	cfg     Config
	mailbox chan func()
	quit    chan struct{}
	wg      sync.WaitGroup // the owner and the senders
	ctx     context.Context
	cancel  context.CancelFunc
	written chan struct{} // holds one: results has something

	mu      sync.Mutex // guards results
	results []result   // of the history, bounded by what was given to it

	// Owned by run.
	box     *sms.Box
	dirty   bool
	acks    []func(error)       // wait for the state to be on the disk
	offered map[string]bool     // changes that were published; true while they are on their way to the history
	waiting []tel.SMS           // to be published as waiting, once it is on the disk
	out     map[tel.LineID]bool // a part is with the line
	tick    *time.Timer
	retry   time.Time // a write failed: nothing is sent before
	// rerecord is when what the history did not take is given to it again; zero = it took all.
	rerecord time.Time
}

var _ line.Inbox = (*Office)(nil)

// Open reads the state and starts the owner. A damaged file is put aside and said; nothing else is known
// then of messages that waited.
func Open(cfg Config) (*Office, error) {
	var kept sms.State
	err := statefile.Load(cfg.Path, fileVersion, &kept)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, statefile.ErrDamaged):
		cfg.Log.Error("messages that waited are lost", "err", err)
		kept = sms.State{}
	default:
		return nil, fmt.Errorf("open short messages: %w", err)
	}
	o := &Office{
		cfg: cfg, mailbox: make(chan func(), backlog), quit: make(chan struct{}),
		written: make(chan struct{}, 1),
		box:     sms.New(kept, cfg.Rules, tel.NewSMSID, time.Now()),
		offered: map[string]bool{}, out: map[tel.LineID]bool{}, tick: time.NewTimer(0), dirty: true,
	}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	o.wg.Go(o.run)
	return o, nil
}

// Close stops sending, writes the state and waits. A part that is with a line then is uncertain when the
// line has not answered. It must be called once, while the lines still answer.
func (o *Office) Close() {
	o.cancel()
	close(o.quit)
	o.wg.Wait()
}

// tell queues f for the owner; false when it is full or closed.
func (o *Office) tell(f func()) bool {
	select {
	case <-o.quit:
		return false
	default:
	}
	select {
	case o.mailbox <- f:
		return true
	default:
		return false
	}
}

// errLate is for a driver that has more than we can take now; it keeps it and offers it again.
var errLate = errors.New("too many messages arrive at once")

// Accept implements line.Inbox.
func (o *Office) Accept(p line.ReceivedPart, done func(error)) {
	ok := o.tell(func() {
		err := o.box.Admit(p, time.Now())
		o.cfg.Admitted(p.Line, err)
		if err != nil {
			done(err) // it stays where it is and is offered again
			return
		}
		if o.box.Accept(p, time.Now()) {
			o.dirty = true
		}
		o.acks = append(o.acks, done) // also of a known one: the disk may not have it yet
	})
	if !ok {
		done(errLate)
	}
}

// Storage implements line.Inbox.
func (o *Office) Storage(l tel.LineID, used, total int) { o.cfg.Full(l, used, total) }

// Notice implements line.Inbox.
func (o *Office) Notice(l tel.LineID, text string) { o.cfg.Notify(l, text) }

// Send takes a message. When it returns nil, the message is safe from a power cut and will be sent, and
// what becomes of it is an event. The error is in words for a person.
func (o *Office) Send(ctx context.Context, l tel.LineID, to tel.Number, text string) (tel.SMS, error) {
	type outcome struct {
		m   tel.SMS
		err error
	}
	reply := make(chan outcome, 1)
	f := func() {
		m, err := o.queue(l, to, text)
		if err != nil {
			reply <- outcome{m, err}
			return
		}
		o.dirty = true
		o.acks = append(o.acks, func(err error) { reply <- outcome{m, err} })
		o.waiting = append(o.waiting, m)
	}
	if err := o.ask(ctx, f); err != nil {
		return tel.SMS{}, err
	}
	select {
	case r := <-reply:
		return r.m, r.err
	case <-o.ctx.Done():
		return tel.SMS{}, line.ErrDown
	case <-ctx.Done():
		return tel.SMS{}, ctx.Err()
	}
}

// queue checks a message and puts it into the box.
func (o *Office) queue(l tel.LineID, to tel.Number, text string) (tel.SMS, error) {
	number, err := tel.ParseNumber(string(to))
	if err != nil {
		return tel.SMS{}, err
	}
	if err := o.cfg.Permit(number); err != nil {
		return tel.SMS{}, err
	}
	via, err := o.cfg.Line(l)
	if err != nil {
		return tel.SMS{}, err
	}
	parts, err := via.Parts(line.OutgoingMessage{To: number, Text: text})
	if err != nil {
		return tel.SMS{}, err
	}
	return o.box.Queue(l, number, text, parts, time.Now())
}

// ask queues f and waits for room.
func (o *Office) ask(ctx context.Context, f func()) error {
	select {
	case o.mailbox <- f:
		return nil
	case <-o.ctx.Done():
		return line.ErrDown
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Recent is the last messages, the newest last.
func (o *Office) Recent(ctx context.Context) ([]tel.SMS, error) {
	reply := make(chan []tel.SMS, 1)
	if err := o.ask(ctx, func() { reply <- o.box.Recent() }); err != nil {
		return nil, err
	}
	select {
	case all := <-reply:
		return all, nil
	case <-o.ctx.Done():
		return nil, line.ErrDown
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// LineUp says that a line is in service or free again: what waits for it is tried at once.
func (o *Office) LineUp(l tel.LineID) { o.tell(func() { o.box.LineUp(l) }) }

// SetRules changes the rules, also for what waits.
func (o *Office) SetRules(r sms.Rules) { o.tell(func() { o.box.SetRules(r) }) }
