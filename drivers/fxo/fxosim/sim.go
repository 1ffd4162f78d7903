package fxosim

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/drivers/serialport/pty"
)

// Errors of the far end's acts.
var (
	ErrClosed = errors.New("the simulation is closed")
	ErrNoCall = errors.New("there is no such call on the line now")
	ErrBusy   = errors.New("the line is in use, or dead")
	ErrGone   = errors.New("the modem is not plugged in")
)

// Config makes a modem with its line. Callbacks run on the simulation's goroutine: they must not block or call it.
type Config struct {
	Path   string                            // where the modem's pseudo-terminal appears; "" with Port
	Port   func() (serialport.Stream, error) // in place of a pseudo-terminal: the device's end of a new port
	Family Family                            // zero: Conexant
	Line   Line
	PPM    float64      // how much faster the modem's clock is
	Source func(*Frame) // what the other party says
	Sink   func(*Frame) // what the other party hears
	Dialed func(number string)
	Digit  func(key byte) // that the line sent in a call
	Ended  func()         // the exchange is done with a call
	Recall func()         // the exchange has recognised a hook flash
	Log    *slog.Logger
}

// Sim is a running modem with its line. Its methods may be called from any goroutine.
type Sim struct {
	cfg  Config
	acts chan func()
	quit chan struct{}
	done chan struct{}
	once sync.Once

	// Owned by run.
	plug   *plug
	modem  *modem
	faults Faults
	struck []string
	office office
	next   time.Time
}

// plug is one stay on the bus.
type plug struct {
	port  serialport.Stream
	input chan []byte
	quit  chan struct{}
	wg    sync.WaitGroup
}

// New plugs the modem in.
func New(cfg Config) (*Sim, error) {
	if cfg.Family.Name == "" {
		cfg.Family = Conexant()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	for _, f := range []*func(){&cfg.Ended} {
		if *f == nil {
			*f = func() {}
		}
	}
	if cfg.Dialed == nil {
		cfg.Dialed = func(string) {}
	}
	if cfg.Digit == nil {
		cfg.Digit = func(byte) {}
	}
	if cfg.Recall == nil {
		cfg.Recall = func() {}
	}
	s := &Sim{cfg: cfg, acts: make(chan func()), quit: make(chan struct{}), done: make(chan struct{})}
	s.office = office{
		line: cfg.Line, dialed: cfg.Dialed, key: cfg.Digit, ended: cfg.Ended, random: rand.New(rand.NewPCG(1, 2)),
		recall: recall{recalled: cfg.Recall},
		event: func(e loopEvent) {
			if s.modem != nil {
				s.modem.loop(e)
			}
		},
	}
	if err := s.plugIn(); err != nil {
		return nil, err
	}
	go s.run()
	return s, nil
}

func (s *Sim) plugIn() error {
	if s.plug != nil {
		return nil
	}
	var port serialport.Stream
	if s.cfg.Port != nil {
		p, err := s.cfg.Port()
		if err != nil {
			return err
		}
		port = p
	} else {
		p, err := pty.Open()
		if err == nil && s.cfg.Path != "" {
			if err = p.Publish(s.cfg.Path); err != nil {
				_ = p.Close()
			}
		}
		if err != nil {
			return fmt.Errorf("plug the modem in: %w", err)
		}
		port = p
	}
	p := &plug{port: port, input: make(chan []byte, 64), quit: make(chan struct{})}
	s.plug, s.modem = p, newModem(s)
	p.wg.Go(p.read)
	return nil
}

func (p *plug) read() {
	buf := make([]byte, 4096)
	for {
		n, err := p.port.Read(buf)
		if err != nil {
			return
		}
		select {
		case p.input <- append([]byte(nil), buf[:n]...):
		case <-p.quit:
			return
		}
	}
}

func (s *Sim) unplug() {
	p := s.plug
	if p == nil {
		return
	}
	s.plug, s.modem = nil, nil
	s.office.hook(false)
	if s.cfg.Port == nil && s.cfg.Path != "" {
		if err := os.Remove(s.cfg.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.cfg.Log.Warn("port link not withdrawn", "error", err)
		}
	}
	close(p.quit)
	_ = p.port.Close()
	p.wg.Wait()
}

func (s *Sim) run() {
	defer close(s.done)
	tick := time.Duration(20e6 / (1 + s.cfg.PPM/1e6))
	s.next = time.Now().Add(tick)
	clock := time.NewTimer(tick)
	defer clock.Stop()
	for {
		var input chan []byte
		if s.plug != nil {
			input = s.plug.input
		}
		select {
		case <-s.quit:
			s.unplug()
			return
		case f := <-s.acts:
			f()
		case p := <-input:
			s.modem.take(p)
		case <-clock.C:
			s.step()
			if s.next = s.next.Add(tick); time.Since(s.next) > time.Second {
				s.next = time.Now() // the machine slept
			}
			clock.Reset(time.Until(s.next))
		}
	}
}

func (s *Sim) step() {
	o := &s.office
	o.dead, o.stuck, o.shared = s.faults.NoVoltage, s.faults.StuckOffHook, s.faults.Shared
	var up, down Frame
	if s.modem != nil {
		s.modem.play(&up)
	}
	o.step(&up, &down, s.cfg.Source, s.cfg.Sink)
	if s.modem != nil {
		s.modem.record(&down)
	}
}

// do runs f on the simulation's goroutine.
func (s *Sim) do(f func() error) error {
	answer := make(chan error, 1)
	select {
	case s.acts <- func() { answer <- f() }:
		return <-answer
	case <-s.done:
		return ErrClosed
	}
}

func check(ok bool, otherwise error) error {
	if ok {
		return nil
	}
	return otherwise
}

// Ring has somebody call the line; an empty number is withheld.
func (s *Sim) Ring(number string) error {
	return s.do(func() error {
		if s.plug == nil {
			return ErrGone
		}
		if !s.office.ring(number) {
			return ErrBusy
		}
		// The first ring is there when Ring returns.
		s.step()
		return nil
	})
}

// RemoteAlert lets the dialled party ring, RemoteAnswer answer, RemoteBusy be busy or decline.
func (s *Sim) RemoteAlert() error {
	return s.do(func() error { return check(s.office.party(alerting), ErrNoCall) })
}

// RemoteAnswer lets it answer.
func (s *Sim) RemoteAnswer() error {
	return s.do(func() error { return check(s.office.party(talking), ErrNoCall) })
}

// RemoteBusy gives the busy tone.
func (s *Sim) RemoteBusy() error {
	return s.do(func() error { return check(s.office.party(released), ErrNoCall) })
}

// Wait has a second party call while the first one talks: the line hears that somebody waits. It says a tone of hz.
func (s *Sim) Wait(hz float64) error {
	return s.do(func() error { return check(s.office.wait(hz), ErrNoCall) })
}

// Second reports whether the subscriber talks with the second party now.
func (s *Sim) Second() bool {
	second := false
	_ = s.do(func() error { second = s.office.second && !s.office.register; return nil })
	return second
}

// RemoteHangup ends the call at the far end.
func (s *Sim) RemoteHangup() error {
	return s.do(func() error { return check(s.office.farGone(), ErrNoCall) })
}

// RemoteDTMF lets the far end press a key.
func (s *Sim) RemoteDTMF(key byte) error {
	return s.do(func() error {
		if s.office.st != talking {
			return ErrNoCall
		}
		s.office.keys = append(s.office.keys, key)
		if s.modem != nil {
			s.modem.event('/')
			s.modem.event(key)
			s.modem.event('~')
		}
		return nil
	})
}

// SetFaults changes what is wrong.
func (s *Sim) SetFaults(edit func(*Faults)) {
	_ = s.do(func() error { s.edit(edit); return nil })
}

func (s *Sim) edit(edit func(*Faults)) {
	before := s.faults
	edit(&s.faults)
	if s.faults.NoVoltage && !before.NoVoltage && s.office.offHk && s.modem != nil {
		s.modem.loop(loopCut)
	}
}

// SetLine changes how the exchange behaves from the next call on.
func (s *Sim) SetLine(l Line) { _ = s.do(func() error { s.office.line = l; return nil }) }

// SetFamily makes it another modem at the next plug-in.
func (s *Sim) SetFamily(f Family) error { return s.do(func() error { s.cfg.Family = f; return nil }) }

// Say puts bytes on the port, as noise does.
func (s *Sim) Say(text string) error {
	return s.do(func() error {
		if s.plug == nil {
			return ErrGone
		}
		s.modem.write([]byte(text))
		return nil
	})
}

// OffHook reports whether the modem holds the line.
func (s *Sim) OffHook() bool {
	off := false
	_ = s.do(func() error { off = s.office.offHk; return nil })
	return off
}

// Unplug pulls the modem out.
func (s *Sim) Unplug() error { return s.do(func() error { s.unplug(); return nil }) }

// Plug puts it back.
func (s *Sim) Plug() error { return s.do(s.plugIn) }

// Strike lets a fault of the catalogue befall the line until it is healed.
func (s *Sim) Strike(name string) error {
	f, err := FaultNamed(name)
	if err != nil {
		return err
	}
	return s.do(func() error {
		if !slices.Contains(s.struck, name) {
			s.struck = append(s.struck, name)
		}
		if f.set == nil {
			s.unplug()
			return nil
		}
		s.edit(func(x *Faults) { f.set(x, true) })
		return nil
	})
}

// Heal ends one.
func (s *Sim) Heal(name string) error {
	f, err := FaultNamed(name)
	if err != nil {
		return err
	}
	return s.do(func() error {
		s.struck = slices.DeleteFunc(s.struck, func(n string) bool { return n == name })
		if f.set == nil {
			return s.plugIn()
		}
		s.edit(func(x *Faults) { f.set(x, false) })
		return nil
	})
}

// Struck are the faults of the catalogue that last.
func (s *Sim) Struck() (names []string) {
	_ = s.do(func() error { names = slices.Clone(s.struck); return nil })
	return names
}

// Close unplugs the modem and waits.
func (s *Sim) Close() error {
	s.once.Do(func() { close(s.quit) })
	<-s.done
	return nil
}

// HealAll ends every one.
func (s *Sim) HealAll() error {
	var errs []error
	for _, name := range s.Struck() {
		errs = append(errs, s.Heal(name))
	}
	return errors.Join(errs...)
}
