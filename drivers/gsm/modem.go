package gsm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/at"
	"github.com/pronto-pbx/pronto/drivers/gsm/sms"
	"github.com/pronto-pbx/pronto/drivers/gsm/ussd"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Ports are the device nodes of one modem. Audio is empty where sound stays in the modem.
type Ports struct {
	Command, Audio string
	Device         string // name of the USB device in sysfs, "1-1.2"; empty where the modem is no USB device
}

// PINMemory keeps, over restarts, that a PIN was tried and not proved right. A SIM locks itself after
// three wrong ones, and three reboots must not be enough for that.
type PINMemory interface {
	// Tried reports whether a try is on record under key.
	Tried(key string) bool
	// Remember puts a try on record, and returns when it is safe.
	Remember(key string) error
	// Forget removes it, after the PIN has proved right.
	Forget(key string) error
}

// Config describes one modem.
type Config struct {
	ID   tel.LineID
	Name string // for people
	Log  *slog.Logger
	// Locate finds the ports, at start and after every loss: AtPaths or OnUSB.
	// Each candidate is tried in turn: a port that is in use, silent or of another modem is passed over.
	Locate   func() ([]Ports, error)
	Identity Identity
	// Bus opens the ports that Locate has found; nil: the machine's device nodes.
	Bus serialport.Bus
	// Rebind and PowerCycle restart the USB device of a modem that its own command does not restart. Only the
	// recovery ladder calls them, while the ports are closed; nil: the rung is left out.
	Rebind, PowerCycle func(ctx context.Context, device string) error
	// Supply takes the modem's supply away when nothing else helps; nil: no pin does. The modem closes it.
	Supply line.Supply
	// Awake keeps the USB device from being suspended, which would lose callers; nil: it is not kept.
	Awake func(device string) error
	// SecondCaller lets who calls while the line talks wait for its end; else they get the busy tone.
	SecondCaller bool
	PIN          string
	PINs         PINMemory  // nil: a PIN is never sent
	Inbox        line.Inbox // takes what is received; nil: messages stay on the SIM
	Timing       Timing
}

const (
	eventBacklog = 256              // events that may wait for the consumer; the last 8 are kept for ends and status
	inboxLines   = 256              // unsolicited lines that may wait for the owner
	inboxSize    = inboxLines + 128 // the answers to every command that the engine can hold, and some
	maxDigits    = 64
)

// Health counts what went wrong with the modem since Open, for the support bundle and the page.
type Health struct {
	Opens, Losses, Resets  uint64
	SoundRetries           uint64 // audio switches that were refused at first
	SoundFailures          uint64 // calls that got no sound, or a dying one
	EarlyAnswers           uint64 // calls that rang after the modem had said "connected"
	UnknownLines           uint64
	EventOverflows         uint64
	Model, Firmware, IMEI  string
	Commands, Resyncs      uint64 // of the engine that runs now
	CommandEchoes, Strayed uint64
}

// Modem is one GSM line. It implements line.Line.
type Modem struct {
	cfg      Config
	log      *slog.Logger
	timing   Timing
	recorder *at.Recorder
	clocks   *clocks

	events   chan line.Event
	requests chan request
	cancel   context.CancelFunc
	done     chan struct{}
	media    atomic.Pointer[sound]
	deaf     atomic.Bool // no sound reaches the box
	caps     atomic.Pointer[line.Caps]
	ready    atomic.Bool // a message may be sent now
	radio    radio
	started  sync.WaitGroup

	opens, losses, resets, soundRetries, soundFailures, early, unknown, overflows atomic.Uint64
	session                                                                       atomic.Pointer[session] // written by run, read by Health

	// Owned by run.
	ctx         context.Context
	st          state
	outbox      []line.Event
	overflow    bool
	dialer      *request
	answerer    *request
	typist      *request      // sends digits
	closing     chan struct{} // closed when the ports of the session before are released; nil at first
	later       []func()
	up          chan bringUp
	tick        *time.Timer
	health      *time.Timer
	retry       *time.Timer
	recovery    recovery
	sound       *sound
	soundBegan  time.Time
	soundStop   context.CancelFunc
	soundOf     tel.LineSound // of the last call
	soundCalls  uint64
	soundTry    int       // which doSoundOn a late result belongs to
	lies        bool      // the modem says "connected" before the answer
	undervolted time.Time // the modem complained of its power
	ailing      string    // why the modem wants a restart between calls; "" = it does not
	status      tel.LineChanged
	network     network
	surveyed    time.Time
	initDone    time.Time
	seenNoise   map[string]bool

	mail       sms.State
	mailPlan   sms.Plan
	mailTick   *time.Timer
	letters    map[uint64]*letter // that wait for their outcome
	lastLetter uint64
	reportDue  bool // a +CDS came, and its PDU is the next line
	reportLen  int

	service     ussd.State
	serviceTick *time.Timer
	question    *question
	pieces      []string // of a +CUSD that goes on in the next line
}

// network is what the modem said about its radio.
type network struct {
	cs, eps  int // +CREG and +CEREG states, -1 unknown
	dBm      int
	operator string

	technology line.Technology
	band, code string // code: MCC and MNC
	volte      line.Readiness
}

type requestKind uint8

const (
	askDial requestKind = iota + 1
	askAnswer
	askHangup
	askDigits
	askAbandon // the caller of Dial has gone
	askMessage
	askForget // the caller of SendPart has gone
	askService
)

type request struct {
	kind   requestKind
	ctx    context.Context
	number tel.Number
	digits string
	cause  tel.Cause
	of     *request   // askAbandon
	reply  chan error // buffered
	letter *letter    // askMessage, askForget

	question *question // askService
}

// session is one life of an opened modem.
type session struct {
	engine    *at.Engine
	ports     Ports
	dialect   *dialect
	inbox     chan item
	found     []call
	serial    bool   // sound passes over a serial port
	greeted   bool   // it took a command
	beacon    string // ^BOOT as it came last
	echoes    uint64 // commands that came back until the end of the initialisation
	echoStuck bool   // also those after ATE0
	network   network
	id        identity
}

// item is what reaches the owner from a session, in one order: a line, or the rest of a command.
type item struct {
	line string
	then func()
}

var _ line.Line = (*Modem)(nil)

// Open starts the line. It returns at once: a modem that is not there yet is waited for, and Status
// events say so. The error is about cfg alone.
func Open(cfg Config) (*Modem, error) {
	if cfg.ID == "" || cfg.Locate == nil {
		return nil, errors.New("open modem: the config names no line or no ports")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Bus == nil {
		cfg.Bus = serialport.Nodes{Baud: baud}
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &Modem{
		cfg: cfg, log: cfg.Log.With("line", cfg.ID), timing: cfg.Timing.withDefaults(),
		recorder: at.NewRecorder(), clocks: newClocks(),
		events:   make(chan line.Event, 16),
		requests: make(chan request, 16),
		cancel:   cancel, ctx: ctx, done: make(chan struct{}),
		up:      make(chan bringUp, 1),
		letters: make(map[uint64]*letter), mailTick: stoppedTimer(), serviceTick: stoppedTimer(),
		tick: stoppedTimer(), health: stoppedTimer(), retry: stoppedTimer(),
		seenNoise: make(map[string]bool),
	}
	m.status = tel.LineChanged{Line: "line:" + string(cfg.ID), Name: cfg.Name, Type: "gsm", Cause: tel.LineNoModem, Since: time.Now()}
	m.caps.Store(&line.Caps{FullDuplex: true, CallerID: true, DTMFDetect: true, AnswerSupervision: line.AnswerReal})
	go m.run()
	return m, nil
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// ID implements line.Line.
func (m *Modem) ID() tel.LineID { return m.cfg.ID }

// Caps implements line.Line.
func (m *Modem) Caps() line.Caps {
	return *m.caps.Load()
}

// Events implements line.Line.
func (m *Modem) Events() <-chan line.Event { return m.events }

// Dial implements line.Line. When it returns an error no event of that call was or will be sent; when
// it returns nil, Proceeding and one Ended are. Emergency numbers are tried without registration too.
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
	abandon := request{kind: askAbandon, of: &r, reply: make(chan error, 1)}
	select {
	case m.requests <- abandon:
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
func (m *Modem) Answer(ctx context.Context) error {
	return m.ask(ctx, request{kind: askAnswer})
}

// Hangup implements line.Line.
func (m *Modem) Hangup(ctx context.Context, why tel.Cause) error {
	if why == tel.CauseNone {
		why = tel.CauseNormal
	}
	return m.ask(ctx, request{kind: askHangup, cause: why})
}

// SendDTMF implements line.Line. It returns when the modem has taken the last digit.
func (m *Modem) SendDTMF(ctx context.Context, digits string) error {
	if len(digits) == 0 || len(digits) > maxDigits {
		return fmt.Errorf("send digits: %d of them: %w", len(digits), line.ErrNoSupport)
	}
	for i := range len(digits) {
		if !validDigit(digits[i]) {
			return fmt.Errorf("send digits: %q is none: %w", digits[i], line.ErrNoSupport)
		}
	}
	return m.ask(ctx, request{kind: askDigits, digits: digits})
}

// Flash implements line.Line. A mobile network has no loop to break; what it does with two calls is another service
// (3GPP TS 22.030), which this line does not have.
func (m *Modem) Flash(context.Context) error { return line.ErrNoSupport }

// Media implements line.Line.
func (m *Modem) Media() (line.Media, error) {
	if m.deaf.Load() {
		return nil, line.ErrNoSupport
	}
	if s := m.media.Load(); s != nil {
		return s, nil
	}
	return nil, line.ErrNoCall
}

// Recorder holds the last bytes of the command port, for the support bundle.
func (m *Modem) Recorder() *at.Recorder { return m.recorder }

// Health may be called from any goroutine.
func (m *Modem) Health() Health {
	h := Health{
		Opens: m.opens.Load(), Losses: m.losses.Load(), Resets: m.resets.Load(),
		SoundRetries: m.soundRetries.Load(), SoundFailures: m.soundFailures.Load(), EarlyAnswers: m.early.Load(),
		UnknownLines: m.unknown.Load(), EventOverflows: m.overflows.Load(),
	}
	if s := m.session.Load(); s != nil {
		st := s.engine.Stats()
		h.Model, h.Firmware, h.IMEI = s.id.model, s.id.firmware, s.id.imei
		h.Commands, h.Resyncs, h.CommandEchoes, h.Strayed = st.Commands, st.Resyncs, st.Echoes, st.Strays
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
