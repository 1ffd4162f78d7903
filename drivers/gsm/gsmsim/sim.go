package gsmsim

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/drivers/serialport"
)

// FrameSamples is 20 ms at 8,000 Hz, the unit of Source and Sink.
const FrameSamples = 160

// Config describes one modem and its network. Zero durations take the defaults of a real one.
type Config struct {
	Log            *slog.Logger
	Command, Audio string // symbolic links to publish: "var/modem0-at", "var/modem0-pcm"
	IMEI           string // default 860000000000001
	Firmware       string // AT+CGMR; default one of its family
	Model          string // default SIMCOM_SIM7600E-H; its beginning chooses the dialect, what is not known is 27.007
	ICCID          string // of the SIM; default 8939010000000000001
	NoSerialSound  bool   // this unit's firmware has no sound for a serial port
	Early          bool   // it says "connected" when the far end begins to ring, as some firmware does
	PIN            string // empty: the SIM asks for none
	PINTries       int    // left; 0 is the usual 3, and less is none: it wants its PUK
	NoSIM          bool
	PPM            float64 // offset of the modem's sample clock from ours
	// Ports makes the device's ends of the two ports at each plug; nil makes pseudo-terminals. What they
	// are called is then Ports' business: Command and Audio mean nothing.
	Ports        func() (command, audio serialport.Stream, err error)
	Boot         time.Duration // plug to first word; default 0
	RingEvery    time.Duration // default 5 s
	Connect      time.Duration // ATA to VOICE CALL: BEGIN; default 100 ms
	SoundRefused time.Duration // after BEGIN, AT+CPCMREG=1 is refused so long; default 0
	// Dialed tells the network's side of a call that the box makes; it may call methods of the Sim.
	Dialed func(number string)
	// Digit is called for each DTMF digit that the box sends.
	Digit func(digit byte)
	// Ended is called when a call is over, for whatever reason.
	Ended func()
	// Messaged is called for each complete message that the box has sent.
	Messaged     func(Message)
	Places       int           // for messages, on the SIM and in the modem each; default 20
	MessageEvery time.Duration // deletion to the next message of the centre; default 0
	SendTime     time.Duration // that the network takes for a part; default 0
	ReportTime   time.Duration // part sent to delivery report; default 0
	PushReports  bool          // this modem cannot store delivery reports
	// Service answers a service code (USSD); menu says that the network waits for a choice. Nil knows none.
	Service func(code string) (text string, menu bool)
	USSD    USSDForm

	ServiceTime time.Duration // service code to answer; default 0
	// Source fills the next 20 ms that the far end says; nil is silence. Sink gets what it hears.
	// Both run on the audio clock's goroutine, only while a call is up.
	Source, Sink func(*[FrameSamples]int16)
}

// Faults are the ways in which modems fail; each is on while its field is set.
type Faults struct {
	Mute        bool          // answers nothing and says nothing
	EchoStuck   bool          // ATE0 has no effect
	DoubledCR   bool          // every line ends and begins with two CR
	Split       bool          // one byte per write
	Late        time.Duration // every answer comes so much later
	LosePrefix  string        // unsolicited lines that begin so are lost, or All
	StuckPrompt bool          // the next command is taken for the text of a message
	DeafHangup  bool          // hang-up commands answer OK and do nothing
	SoundStall  bool          // the audio port takes no bytes
	SoundDead   bool          // AT+CPCMREG=1 is always refused
	RefuseDial  bool          // ATD answers ERROR
	DoubledURC  bool          // unsolicited lines come twice
	Errors      bool          // every command answers ERROR
	Unset       bool          // no setting is taken

	LosePrompt    bool // AT+CMGS opens the prompt and does not show it
	LoseSent      bool // the network takes a message and the answer is lost
	RefuseMessage int  // +CMS ERROR of every message
	NoReport      bool // no delivery report comes
	ReportStatus  byte // TP-ST of delivery reports; 0 is delivered
	HalfPDU       int  // so many times only half of a stored PDU passes the port
	MessagesFail  bool // every command about stored messages fails
	Undeletable   bool // AT+CMGD fails
	ServiceMute   bool // the network does not answer to service codes
}

// All is a LosePrefix that every unsolicited line has.
const All = "*"

// Errors of the network's side.
var (
	ErrClosed    = errors.New("the simulated modem is closed")
	ErrBusy      = errors.New("the simulated line is in a call")
	ErrNoCall    = errors.New("no call is in that state")
	ErrUnplugged = errors.New("the simulated modem is unplugged")
	ErrStarting  = errors.New("the simulated modem is still starting")
	ErrNoKeys    = errors.New("the simulated modem tells no keys of the far end")
)

// Stats counts since New.
type Stats struct {
	Commands, Resets, Plugs    uint64
	FramesHeard, FramesMissing uint64 // of the far end: got from the box, or silence for want of it
	PartsSent, Deleted         uint64 // of messages: taken from the box, deleted by it
	Stops                      uint64 // of the flow of sound from the box
}

// Sim is one modem. Its methods may be called from any goroutine, and from Dialed, Digit and Ended.
type Sim struct {
	cfg     Config
	log     *slog.Logger
	mailbox chan func()
	quit    chan struct{}
	done    chan struct{}
	closing sync.Once

	soundOn atomic.Bool // written by run, read by the audio's goroutines
	stalled atomic.Bool
	stopped atomic.Bool // the box was told to stop its sound

	commands, resets, plugs, heard, missing atomic.Uint64
	partsSent, deleted, stops               atomic.Uint64
	family                                  *family

	// Owned by run.
	modem
}

// New plugs the modem in and publishes its ports.
func New(cfg Config) (*Sim, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.IMEI == "" {
		cfg.IMEI = "860000000000001"
	}
	if cfg.Model == "" {
		cfg.Model = "SIMCOM_SIM7600E-H"
	}
	if cfg.ICCID == "" {
		cfg.ICCID = "8939010000000000001"
	}
	if cfg.RingEvery <= 0 {
		cfg.RingEvery = 5 * time.Second
	}
	if cfg.Places <= 0 {
		cfg.Places = 20
	}
	if cfg.Connect <= 0 {
		cfg.Connect = 100 * time.Millisecond
	}
	s := &Sim{
		cfg: cfg, log: cfg.Log, family: familyOf(cfg.Model),
		mailbox: make(chan func(), 256), quit: make(chan struct{}), done: make(chan struct{}),
	}
	if cfg.PINTries == 0 {
		cfg.PINTries = 3
	}
	s.modem = modem{noSIM: cfg.NoSIM, tries: max(0, cfg.PINTries), signal: 20, registered: 1, texts: make(map[string]string), radio: FourG()}
	s.emptyMemories()
	if err := s.plugIn(); err != nil {
		return nil, err
	}
	go s.run()
	return s, nil
}

func (s *Sim) run() {
	defer close(s.done)
	for {
		var input <-chan []byte
		if s.plug != nil {
			input = s.plug.input
		}
		select {
		case <-s.quit:
			s.hangAllTimers()
			s.unplug()
			return
		case f := <-s.mailbox:
			f()
		case p := <-input:
			s.read(p)
		}
	}
}

// tell queues f for the owner; false when the Sim is closed.
func (s *Sim) tell(f func()) bool {
	select {
	case s.mailbox <- f:
		return true
	case <-s.quit:
		return false
	}
}

// ask runs f on the owner and waits.
func (s *Sim) ask(f func() error) error {
	answer := make(chan error, 1)
	if !s.tell(func() { answer <- f() }) {
		return ErrClosed
	}
	select {
	case err := <-answer:
		return err
	case <-s.done:
		return ErrClosed
	}
}

// notify calls one of the callbacks outside the owner, so that it may call back in. Close does not wait
// for it.
func notify(f func()) {
	if f != nil {
		go f()
	}
}

// after runs f on the owner later, unless the modem restarts before.
func (s *Sim) after(d time.Duration, f func()) {
	life := s.life
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		s.tell(func() {
			delete(s.timers, t)
			if s.life == life {
				f()
			}
		})
	})
	if s.timers == nil {
		s.timers = make(map[*time.Timer]bool)
	}
	s.timers[t] = true
}

func (s *Sim) hangAllTimers() {
	for t := range s.timers {
		t.Stop()
	}
	s.timers = nil
}

// Close unplugs the modem and waits.
func (s *Sim) Close() error {
	s.closing.Do(func() { close(s.quit) })
	<-s.done
	for _, link := range []string{s.cfg.Command, s.cfg.Audio} {
		if link == "" || s.cfg.Ports != nil {
			continue
		}
		if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("withdraw a port: %w", err)
		}
	}
	return nil
}

// Stats may be called at any time.
func (s *Sim) Stats() Stats {
	return Stats{
		Commands: s.commands.Load(), Resets: s.resets.Load(), Plugs: s.plugs.Load(),
		FramesHeard: s.heard.Load(), FramesMissing: s.missing.Load(),
		PartsSent: s.partsSent.Load(), Deleted: s.deleted.Load(), Stops: s.stops.Load(),
	}
}

// SetFaults edits the faults that are on.
func (s *Sim) SetFaults(edit func(*Faults)) {
	_ = s.ask(func() error {
		edit(&s.faults)
		s.faultsChanged()
		return nil
	})
}

// Ring lets number call the box; an empty one is withheld. The network reaches no modem that is unplugged,
// starting, in a call or not registered.
func (s *Sim) Ring(number string) error {
	return s.ask(func() error {
		switch {
		case s.plug == nil:
			return ErrUnplugged
		case !s.booted, !s.unlocked, s.noSIM, s.registered != 1 && s.registered != 5:
			return ErrStarting
		case s.call != nil:
			return ErrBusy
		}
		s.call = &call{id: 1, inbound: true, stat: statIncoming, number: number}
		s.callChanged()
		s.ring()
		return nil
	})
}

// RemoteAlert lets the far end ring, after the box has dialled.
func (s *Sim) RemoteAlert() error {
	return s.onCall(func(c *call) error {
		if c.inbound || c.stat != statDialing {
			return ErrNoCall
		}
		if s.family.early || s.cfg.Early {
			s.begin() // and the far end only rings
			c.answered = false
			return nil
		}
		c.stat = statAlerting
		s.callChanged()
		return nil
	})
}

// RemoteAnswer lets the far end answer.
func (s *Sim) RemoteAnswer() error {
	return s.onCall(func(c *call) error {
		if c.inbound || c.answered {
			return ErrNoCall
		}
		if c.answered = true; c.stat != statActive {
			s.begin()
		}
		return nil
	})
}

// RemoteBusy lets the far end be busy.
func (s *Sim) RemoteBusy() error {
	return s.onCall(func(c *call) error {
		if c.inbound || c.answered {
			return ErrNoCall
		}
		s.over("BUSY", "User busy")
		return nil
	})
}

// RemoteReject ends a dialled call before its answer, with the words that AT+CEER will say.
func (s *Sim) RemoteReject(why string) error {
	return s.onCall(func(c *call) error {
		if c.inbound || c.answered {
			return ErrNoCall
		}
		s.over("NO CARRIER", why)
		return nil
	})
}

// RemoteHangup lets the far end hang up, in whatever state.
func (s *Sim) RemoteHangup() error {
	return s.onCall(func(*call) error {
		s.over("NO CARRIER", "Normal call clearing")
		return nil
	})
}

// RemoteDTMF lets the far end press a key.
func (s *Sim) RemoteDTMF(digit byte) error {
	return s.onCall(func(c *call) error {
		if c.stat != statActive {
			return ErrNoCall
		}
		if s.family.key == nil {
			return ErrNoKeys
		}
		s.urc(s.family.key(digit))
		return nil
	})
}

func (s *Sim) onCall(f func(*call) error) error {
	return s.ask(func() error {
		if s.call == nil {
			return ErrNoCall
		}
		return f(s.call)
	})
}

// SetNetwork sets the registration state (1 home, 2 searching, 3 denied, 5 roaming) and the signal
// (0..31) and tells the box.
func (s *Sim) SetNetwork(registered, signal int) error {
	return s.ask(func() error {
		s.registered, s.signal = registered, signal
		s.urc(fmt.Sprintf("+CREG: %d", registered))
		s.urc(fmt.Sprintf("+CEREG: %d", registered))
		s.urc(fmt.Sprintf("+CSQ: %d,99", signal))
		s.forward()
		return nil
	})
}

// Radio is the network that the modem has found, in the modem's words.
type Radio struct {
	Access int    // the last value of +COPS: 0 GSM, 2 UTRAN, 7 LTE
	System string // the answer to AT+CPSI?
	IMS    string // of +CIREG, behind the mode: "1,1" is registered for calls over LTE
}

// FourG is the radio of an ordinary day.
func FourG() Radio {
	return Radio{7, "+CPSI: LTE,Online,222-01,0x1A2B,123456789,297,EUTRAN-BAND3,1350,5,5,-94,-850,-545,15", "1,1"}
}

// FourGNoVoLTE is that of a SIM without telephony over LTE.
func FourGNoVoLTE() Radio { return Radio{7, FourG().System, "0"} }

// ThreeG is that of a corner that has 3G alone.
func ThreeG() Radio {
	return Radio{2, "+CPSI: WCDMA,Online,222-01,0xED2E,WCDMA IMT 2000,0x17cd6a5,10713,4,0,9,49,24,14,500", "0"}
}

// SetRadio changes the network's technology and tells the box as SIMCom's modems do.
func (s *Sim) SetRadio(r Radio) error {
	return s.ask(func() error {
		s.radio = r
		if _, simcom := s.known("+CNSMOD"); simcom {
			s.urc(fmt.Sprintf("+CNSMOD: %d", systemMode(r.Access)))
		}
		s.urc("+CIREG: " + r.IMS)
		return nil
	})
}

// Say writes raw bytes to the command port: garbage, or a line that nobody expects.
func (s *Sim) Say(raw string) error {
	return s.ask(func() error {
		if s.plug == nil {
			return ErrUnplugged
		}
		s.write(raw)
		return nil
	})
}

// Restart is a crash of the modem's own firmware: its ports stay, its settings and calls go.
func (s *Sim) Restart() error {
	return s.ask(func() error {
		if s.plug == nil {
			return ErrUnplugged
		}
		s.powerOn()
		return nil
	})
}

// Unplug removes the modem and its ports.
func (s *Sim) Unplug() error {
	return s.ask(func() error {
		if s.plug == nil {
			return ErrUnplugged
		}
		s.unplug()
		return nil
	})
}

// Plug brings it back, on other pseudo-terminals under the same links.
func (s *Sim) Plug() error {
	return s.ask(func() error {
		if s.plug != nil {
			return nil
		}
		return s.plugIn()
	})
}

// Replug is the modem that resets itself: it goes and comes back at once, while the box still has its old
// ports open, so that it gets others.
func (s *Sim) Replug() error {
	return s.ask(func() error {
		if s.plug == nil {
			return ErrUnplugged
		}
		s.replug()
		return nil
	})
}

// BrownOut lets the voltage break down: the modem falls off the bus in the middle of a word and is back
// after d.
func (s *Sim) BrownOut(d time.Duration) error {
	return s.ask(func() error {
		if s.plug == nil {
			return ErrUnplugged
		}
		s.write("\r\nUNDER-VOLTAGE WARN")
		s.unplug()
		s.after(d, func() {
			if s.plug == nil {
				s.replug()
			}
		})
		return nil
	})
}

// SIM puts the SIM in or takes it out, with the modem running.
func (s *Sim) SIM(in bool) error {
	return s.ask(func() error {
		if s.noSIM == !in {
			return nil
		}
		s.noSIM = !in
		switch {
		case s.plug == nil:
		case s.noSIM:
			if s.call != nil {
				s.over("NO CARRIER", "SIM removed")
			}
			s.urc("+CPIN: NOT INSERTED")
		case s.booted:
			s.unlocked = s.cfg.PIN == ""
			if !s.unlocked {
				s.urc("+CPIN: SIM PIN")
				return nil
			}
			s.simReady()
		}
		return nil
	})
}
