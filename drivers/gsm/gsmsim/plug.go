package gsmsim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/drivers/serialport/pty"
)

// plug is one stay of the modem on the bus.
type plug struct {
	command, audio serialport.Stream
	input          chan []byte
	turned         chan struct{} // the sound was switched on or off
	flows          chan struct{} // the audio port may take bytes again
	quit           chan struct{}
	running        sync.WaitGroup

	mu sync.Mutex
	up []byte // what the box wrote to the audio port and the clock has not played yet

	down []byte // owned by clock: what is delivered with the next block
}

const (
	// upLimit bounds what waits to be played, in bytes: one second.
	upLimit = 16000
	// upStart is what gathers before playing starts: 60 ms.
	upStart = 960
)

// terminals makes pseudo-terminals under the configured names.
func (s *Sim) terminals() (command, audio serialport.Stream, err error) {
	var made [2]*pty.Pty
	for i, path := range []string{s.cfg.Command, s.cfg.Audio} {
		if made[i], err = pty.Open(); err == nil && path != "" {
			err = made[i].Publish(path)
		}
		if err != nil {
			for _, p := range made {
				if p != nil {
					_ = p.Close()
				}
			}
			return nil, nil, err
		}
	}
	return made[0], made[1], nil
}

func (s *Sim) plugIn() error {
	open := s.terminals
	if s.cfg.Ports != nil {
		open = s.cfg.Ports
	}
	command, audio, err := open()
	if err != nil {
		return err
	}
	p := &plug{
		command: command, audio: audio, input: make(chan []byte, 16), quit: make(chan struct{}),
		turned: make(chan struct{}, 1), flows: make(chan struct{}, 1),
	}
	s.plug = p
	s.plugs.Add(1)
	p.running.Add(3)
	go p.readCommands()
	go p.readAudio(s)
	go p.clock(s)
	s.powerOn()
	return nil
}

func (s *Sim) unplug() {
	p := s.plug
	if p == nil {
		return
	}
	s.plug = nil
	s.life++
	s.setSound(false)
	if s.call != nil {
		s.call = nil
		notify(s.cfg.Ended)
	}
	for _, link := range []string{s.cfg.Command, s.cfg.Audio} {
		if link != "" && s.cfg.Ports == nil {
			if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
				s.log.Warn("port link not withdrawn", "error", err)
			}
		}
	}
	close(p.quit)
	_, _ = p.command.Close(), p.audio.Close()
	p.running.Wait()
}

func (p *plug) readCommands() {
	defer p.running.Done()
	buf := make([]byte, 1024)
	for {
		n, err := p.command.Read(buf)
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

// setSound switches the audio port on or off and wakes its clock.
func (s *Sim) setSound(on bool) {
	if s.soundOn.Swap(on) != on && s.plug != nil {
		poke(s.plug.turned)
	}
}

// faultsChanged tells the audio's goroutines.
func (s *Sim) faultsChanged() {
	stall := s.faults.SoundStall
	if s.stalled.Swap(stall) == stall || s.plug == nil {
		return
	}
	if stall {
		_ = s.plug.audio.SetReadDeadline(time.Now()) // wakes the reader, who looks again
		return
	}
	poke(s.plug.flows)
}

// poke leaves word for who waits on c, or will.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// readAudio takes what the box says; a stalled endpoint takes nothing, so that the box's writes fill up.
func (p *plug) readAudio(s *Sim) {
	defer p.running.Done()
	buf := make([]byte, 4096)
	for {
		if s.stalled.Load() {
			select {
			case <-p.quit:
				return
			case <-p.flows:
				continue
			}
		}
		n, err := p.audio.Read(buf)
		if n > 0 && s.soundOn.Load() {
			p.mu.Lock()
			if p.up = append(p.up, buf[:n]...); len(p.up) > upLimit {
				p.up = append(p.up[:0], p.up[len(p.up)-upLimit:]...)
			}
			waiting := len(p.up)
			p.mu.Unlock()
			s.flow(waiting)
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			_ = p.audio.SetReadDeadline(time.Time{})
		case err != nil:
			return
		}
	}
}

// clock is the modem's sample clock, which runs while the sound is on.
func (p *plug) clock(s *Sim) {
	defer p.running.Done()
	for {
		select {
		case <-p.quit:
			return
		case <-p.turned:
		}
		if s.soundOn.Load() && !p.play(s) {
			return
		}
	}
}

// play passes 20 ms of the modem's own time at each turn, until the sound is switched off; false at the
// unplug.
func (p *plug) play(s *Sim) bool {
	p.mu.Lock()
	p.up, p.down = p.up[:0], p.down[:0]
	p.mu.Unlock()
	s.stopped.Store(false)
	period := float64(20*time.Millisecond) / (1 + s.cfg.PPM*1e-6)
	start := time.Now()
	t := time.NewTimer(0)
	defer t.Stop()
	playing := false
	for n := 1.0; ; {
		select {
		case <-p.quit:
			return false
		case <-p.turned:
			if !s.soundOn.Load() {
				return true
			}
			continue
		case <-t.C:
		}
		t.Reset(time.Until(start.Add(time.Duration(n * period))))
		n++
		p.speak(s)
		playing = p.hear(s, playing)
	}
}

func (p *plug) speak(s *Sim) {
	var f [FrameSamples]int16
	if s.cfg.Source != nil {
		s.cfg.Source(&f)
	}
	b := p.down
	for _, v := range f {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	if p.down = b; len(b) < s.family.block {
		return // it is delivered with the next
	}
	p.down = p.down[:0]
	_ = p.audio.SetWriteDeadline(time.Now().Add(5 * time.Millisecond))
	_, _ = p.audio.Write(b) // nobody reads: the sound is lost, as on the air
}

func (p *plug) hear(s *Sim, playing bool) bool {
	var f [FrameSamples]int16
	p.mu.Lock()
	playing = playing || len(p.up) >= upStart
	if playing && len(p.up) >= 2*FrameSamples {
		for i := range f {
			f[i] = int16(binary.LittleEndian.Uint16(p.up[2*i:]))
		}
		p.up = append(p.up[:0], p.up[2*FrameSamples:]...)
		s.heard.Add(1)
	} else {
		playing = false
		s.missing.Add(1)
	}
	waiting := len(p.up)
	p.mu.Unlock()
	s.flow(waiting)
	if s.cfg.Sink != nil {
		s.cfg.Sink(&f)
	}
	return playing
}

// write sends to the box as the faults say. Nobody reading is no reason to wait.
func (s *Sim) write(text string) {
	if s.plug == nil || s.faults.Mute {
		return
	}
	_ = s.plug.command.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	step := len(text)
	if s.faults.Split {
		step = 1
	}
	for len(text) > 0 {
		n, err := s.plug.command.Write([]byte(text[:min(step, len(text))]))
		if err != nil {
			s.log.Debug("the box does not read", "error", err)
			return
		}
		text = text[n:]
	}
}

func (s *Sim) frame(line string) string {
	if s.faults.DoubledCR {
		return "\r\r\n" + line + "\r\r\n"
	}
	return "\r\n" + line + "\r\n"
}

// powerOn is the start of the modem's firmware.
func (s *Sim) powerOn() {
	s.life++
	s.restarted()
	s.setSound(false)
	if s.call != nil {
		s.call = nil
		notify(s.cfg.Ended)
	}
	s.second, s.deaf = nil, false
	s.booted, s.unlocked, s.stuck, s.prompt = false, s.cfg.PIN == "", false, nil
	s.current, s.arrives, s.cnmi = "SM", "SM", nil
	s.echo, s.clip, s.clcc, s.cmee = true, false, false, false
	s.line = s.line[:0]
	clear(s.texts)
	s.after(s.cfg.Boot, func() {
		s.booted = true
		s.urc("RDY")
		switch {
		case s.noSIM:
			s.urc("+CPIN: NOT INSERTED")
		case s.unlocked:
			s.simReady()
		default:
			s.urc("+CPIN: SIM PIN")
		}
	})
}

func (s *Sim) simReady() {
	for _, l := range []string{"+CPIN: READY", "SMS DONE", "PB DONE"} {
		s.urc(l)
	}
	if s.family.ready != nil {
		s.family.ready(s)
	}
	s.forward()
}

// String names the modem for logs.
func (s *Sim) String() string { return fmt.Sprintf("gsmsim %s", s.cfg.IMEI) }
