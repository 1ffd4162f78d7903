package fxo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Port is the one port of a voice modem.
type Port struct {
	Name   string
	Device string // name of the USB device in sysfs, "1-1.2"; empty where the modem is no USB device
}

// ToneMemory keeps, over restarts, what was learned of an exchange's tones. Its methods may be called from any goroutine.
type ToneMemory interface {
	// Load is what was learned of a line; the zero value where that is nothing.
	Load(id tel.LineID) dsp.Learned
	// Save replaces it.
	Save(id tel.LineID, l dsp.Learned) error
}

// Recall is what a hook flash is good for on a line, and how many digits may follow it: where they are dialled by the
// exchange, no rule of the box about what calls may cost holds for them.
type Recall uint8

// The rules.
const (
	RecallSwitch Recall = iota // to a second caller and back: one digit
	RecallDial                 // to any number: Centrex, consultation calls
	RecallOff                  // the line has no such service
)

// Config describes one analog line.
type Config struct {
	ID   tel.LineID
	Name string // for people
	Log  *slog.Logger
	// Locate finds the port, at start and after every loss: AtPath or OnUSB. Each candidate is tried in turn.
	Locate func() ([]Port, error)
	// Chip is part of what the line's modem says of itself, such as CX93001; another one is refused. Empty: any.
	Chip string
	// Network is what the exchange's tones are; the zero value is Italy.
	Network dsp.Network
	// Country is the modem's setting for the line's electrical side (ITU-T T.35); 0: 59 hex, Italy.
	Country byte
	// Polarity: the exchange reverses the battery when the far end answers, so that an answer is known for sure.
	Polarity bool
	// AGC brings callers of any level to the same one, by at most 12 dB: for lines that are weak, or too loud.
	AGC bool
	// Recall is what the far end's exchange may be asked for in a call; the zero value is RecallSwitch.
	Recall Recall
	// Bus opens the port; nil: the machine's device nodes.
	Bus serialport.Bus
	// Rebind and PowerCycle restart the USB device of a modem that does not come into service, Supply takes its supply
	// away when nothing else helps; nil: not possible here. The line closes Supply.
	Rebind, PowerCycle func(ctx context.Context, device string) error
	Supply             line.Supply
	// Awake keeps the USB device from being suspended; nil: it is not kept.
	Awake  func(device string) error
	Tones  ToneMemory // nil: what is learned is forgotten with the process
	Timing Timing
}

const (
	eventBacklog = 256 // events that may wait for the consumer
	reserve      = 8   // of those, kept for the end of a call and the status that explains it
	inboxNews    = 256 // news that may wait for the owner
	inboxSize    = inboxNews + 64
	maxDigits    = 64
)

// Health counts what went wrong with the modem since Open, for the support bundle.
type Health struct {
	Opens, Losses, Resets, SoundFailures uint64
	Learned                              uint64 // calls whose end taught the line a tone
	Lies                                 uint64 // events of the modem that the sound contradicted
	Complaints                           uint64 // <DLE>u: it ran out of sound
	EventOverflows                       uint64
	Dialect, Said, Format                string
	Duplex                               bool
	Volts                                int // between the wires when measured last; -1: not known
}

// Modem is one analog line. It implements line.Line.
type Modem struct {
	cfg      Config
	log      *slog.Logger
	timing   Timing
	recorder *at.Recorder
	clocks   *clocks
	ear      *ear
	listener *listener

	events   chan line.Event
	requests chan request
	cancel   context.CancelFunc
	ctx      context.Context
	done     chan struct{}
	media    atomic.Pointer[sound]
	caps     atomic.Pointer[line.Caps]
	session  atomic.Pointer[session] // written by run, read by Health
	started  sync.WaitGroup

	opens, losses, resets, failures, lies, learned, complaints, overflows atomic.Uint64
	volts                                                                 atomic.Int64

	// Owned by run.
	st         state
	outbox     []line.Event
	overflow   bool
	dialer     *request
	answerer   *request
	typist     *request
	flasher    *request
	snooping   bool
	later      []func()
	up         chan bringUp
	taught     chan dsp.LearnedTone
	studying   chan struct{} // closed when the sound of the call before was looked at; nil at first
	closing    chan struct{} // closed when the port of the session before is released; nil at first
	tick       *time.Timer
	health     *time.Timer
	retry      *time.Timer
	recovery   recovery
	sound      *sound
	soundBegan bool
	soundOf    tel.LineSound
	soundCalls uint64
	lead       int // ms, learned from the modem's complaints
	fault      tel.LineCause
	tones      dsp.Learned // of the exchange
	toned      bool        // the call ended by a tone that is known
	liesOf     string      // events of this modem that are not believed alone
	low        int         // looks in a row that found the line held by another telephone
	status     tel.LineChanged
}

type requestKind uint8

const (
	askDial requestKind = iota + 1
	askAnswer
	askHangup
	askDigits
	askFlash
	askAbandon // the caller of Dial has gone
)

type request struct {
	kind   requestKind
	ctx    context.Context
	number tel.Number
	digits string
	cause  tel.Cause
	of     *request
	reply  chan error // buffered
}

// session is one life of an opened modem.
type session struct {
	link    *link
	port    Port
	dialect *dialect
	said    string // of itself
	format  format
	duplex  bool
	snoops  bool // it tells no number of a caller, and it was not found to be deaf on hook
	flashes bool // the modem's own hook flash is as long as the exchange wants it
	found   bool // a call of an earlier process was up
	inbox   chan item
}

// item is what reaches the owner from a session, in one order.
type item struct {
	news news
	then func()
}

var _ line.Line = (*Modem)(nil)

// Open starts the line. It returns at once: a modem that is not there yet is waited for, and Status events say so. The
// error is about cfg alone.
func Open(cfg Config) (*Modem, error) {
	if cfg.ID == "" || cfg.Locate == nil {
		return nil, errors.New("open analog line: the config names no line or no port")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Bus == nil {
		cfg.Bus = serialport.Nodes{Baud: 115200}
	}
	if len(cfg.Network.Cadences) == 0 {
		cfg.Network = dsp.Italy()
	}
	if cfg.Country == 0 {
		cfg.Country = 0x59
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &Modem{
		cfg: cfg, log: cfg.Log.With("line", cfg.ID), timing: cfg.Timing.withDefaults(),
		recorder: at.NewRecorder(), clocks: newClocks(), listener: newListener(cfg.AGC),
		events: make(chan line.Event, 16), requests: make(chan request, 16),
		cancel: cancel, ctx: ctx, done: make(chan struct{}), up: make(chan bringUp, 1), taught: make(chan dsp.LearnedTone),
		tick: stopped(), health: stopped(), retry: stopped(), fault: tel.LineOK,
	}
	if cfg.Tones != nil {
		m.tones = cfg.Tones.Load(cfg.ID)
	}
	m.ear = newEar(cfg.Network, m.tones)
	m.volts.Store(-1)
	m.status = tel.LineChanged{Line: "line:" + string(cfg.ID), Name: cfg.Name, Type: "fxo", Cause: tel.LineNoModem, Since: time.Now()}
	m.setCaps(true)
	go m.run()
	return m, nil
}

func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

func (m *Modem) setCaps(duplex bool) {
	caps := line.Caps{FullDuplex: duplex, CallerID: true, Flash: duplex && m.cfg.Recall != RecallOff, AnswerSupervision: line.AnswerAssumed}
	switch {
	case m.cfg.Polarity:
		caps.AnswerSupervision = line.AnswerReal
	case !duplex:
		caps.AnswerSupervision = line.AnswerUnknown
	}
	m.caps.Store(&caps)
}

// ID implements line.Line.
func (m *Modem) ID() tel.LineID { return m.cfg.ID }

// Caps implements line.Line. Keys of the far end are left to who hears the sound: what chips say of them is not to be
// trusted.
func (m *Modem) Caps() line.Caps { return *m.caps.Load() }

// Events implements line.Line.
func (m *Modem) Events() <-chan line.Event { return m.events }

// Dial implements line.Line. It waits for the dial tone. When it returns an error no event of that call was or will be
// sent; when it returns nil, Proceeding and one Ended are. Emergency numbers are dialled without a dial tone too.
func (m *Modem) Dial(ctx context.Context, to tel.Number) error {
	n, err := tel.ParseNumber(string(to))
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	r := request{kind: askDial, ctx: ctx, number: n, reply: make(chan error, 1)}
	if err := m.post(ctx, r); err != nil {
		return err
	}
	select {
	case err := <-r.reply:
		return err
	case <-m.done:
		return line.ErrDown
	case <-ctx.Done():
	}
	// Whether the call exists is the owner's to say: it may have been accepted in this very moment.
	select {
	case m.requests <- request{kind: askAbandon, of: &r, reply: make(chan error, 1)}:
	case <-m.done:
	}
	select {
	case err := <-r.reply:
		if err == nil {
			return nil
		}
	case <-m.done:
	}
	return ctx.Err()
}

// Answer implements line.Line.
func (m *Modem) Answer(ctx context.Context) error { return m.ask(ctx, request{kind: askAnswer}) }

// Hangup implements line.Line. A caller who rings cannot be refused on an analog line: the call ends here, and rings on
// for the caller alone.
func (m *Modem) Hangup(ctx context.Context, why tel.Cause) error {
	if why == tel.CauseNone {
		why = tel.CauseNormal
	}
	return m.ask(ctx, request{kind: askHangup, cause: why})
}

// SendDTMF implements line.Line. It returns when the last digit is on its way.
func (m *Modem) SendDTMF(ctx context.Context, digits string) error {
	if len(digits) == 0 || len(digits) > maxDigits {
		return fmt.Errorf("send digits: %d of them: %w", len(digits), line.ErrNoSupport)
	}
	if _, ok := dsp.Digits(digits, keyOn, keyOff); !ok {
		return fmt.Errorf("send digits: not all of %q are: %w", digits, line.ErrNoSupport)
	}
	return m.ask(ctx, request{kind: askDigits, digits: digits})
}

// Flash implements line.Line. The sound stops for about a second: a modem breaks the loop in its command state only.
func (m *Modem) Flash(ctx context.Context) error {
	if !m.caps.Load().Flash {
		return line.ErrNoSupport
	}
	return m.ask(ctx, request{kind: askFlash})
}

// keyOn and keyOff are the times of a digit and of the pause after it, as networks like them.
const keyOn, keyOff = 100 * time.Millisecond, 100 * time.Millisecond

// Media implements line.Line.
func (m *Modem) Media() (line.Media, error) {
	if !m.caps.Load().FullDuplex {
		return nil, line.ErrNoSupport
	}
	if s := m.media.Load(); s != nil {
		return s, nil
	}
	return nil, line.ErrNoCall
}

// Recorder holds the last commands and answers, for the support bundle.
func (m *Modem) Recorder() *at.Recorder { return m.recorder }

// Health may be called from any goroutine.
func (m *Modem) Health() Health {
	h := Health{
		Opens: m.opens.Load(), Losses: m.losses.Load(), Resets: m.resets.Load(), SoundFailures: m.failures.Load(),
		Lies: m.lies.Load(), Learned: m.learned.Load(), Complaints: m.complaints.Load(), EventOverflows: m.overflows.Load(), Volts: int(m.volts.Load()),
	}
	if s := m.session.Load(); s != nil {
		h.Dialect, h.Said, h.Format, h.Duplex = s.dialect.name, s.said, s.format.coding.String(), m.caps.Load().FullDuplex
	}
	return h
}

// Close implements line.Line.
func (m *Modem) Close() error {
	m.cancel()
	<-m.done
	if m.cfg.Supply != nil {
		return m.cfg.Supply.Close()
	}
	return nil
}

func (m *Modem) post(ctx context.Context, r request) error {
	select {
	case m.requests <- r:
		return nil
	case <-m.done:
		return line.ErrDown
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Modem) ask(ctx context.Context, r request) error {
	r.ctx, r.reply = ctx, make(chan error, 1)
	if err := m.post(ctx, r); err != nil {
		return err
	}
	select {
	case err := <-r.reply:
		return err
	case <-m.done:
		return line.ErrDown
	case <-ctx.Done():
		return ctx.Err()
	}
}
