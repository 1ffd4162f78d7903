package fxo

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	// pushing bounds one write of sound: a port that stalls must not keep the link from reading.
	pushing = 20 * time.Millisecond
	// chunk is the most that is given at once, in samples: 200 ms.
	chunk = 1600
	// maxLead bounds the sound that a modem holds before it plays, in ms: more would make a conversation impossible.
	maxLead = 500
)

// clocks couples the modem's sample clock with ours, one buffer each way. It outlives a call, because what was learned
// of the clocks holds for the next one.
type clocks struct {
	mu   sync.Mutex   // held for microseconds: the link and the caller of Media share the buffers
	hear *dsp.Elastic // modem to box
	say  *dsp.Elastic // box to modem
}

func newClocks() *clocks {
	return &clocks{hear: dsp.NewElastic(dsp.ElasticConfig{}), say: dsp.NewElastic(dsp.ElasticConfig{})}
}

// sound is the audio of one call. The link's goroutine reads the port and gives as many samples as it took, so that
// the modem's own clock paces both ways.
type sound struct {
	clocks *clocks
	coding coding
	live   atomic.Bool // between Connected and Ended
	over   atomic.Bool
	told   func(heard)
	played func() // the last digit is out

	framesIn, framesOut, underruns, overruns atomic.Uint64
	received, silent, stalls, complaints     atomic.Uint64 // samples, samples without sound, writes that did not fit, <DLE>u
	lead                                     atomic.Int64  // ms that the modem holds

	commands chan func() // what the owner wants done on the link's goroutine

	// Owned by the link's goroutine.
	odd     []byte
	payload []byte
	pcm     []int16
	out     [chunk]int16
	coded   []byte
	rest    []byte // what the port did not take
	rough   uint32
	owed    int // samples that the modem has given and not got
	ear     *ear
	line    *listener
	given   []int16 // that the modem got and has not answered with as much
	gone    []int16
	digits  *dsp.Generator
}

// newSound makes the audio of a call; lead is the ms that the modem must hold before it plays.
func newSound(c *clocks, f coding, lead int, e *ear, l *listener, told func(heard), played func()) *sound {
	c.mu.Lock()
	c.hear.Reset()
	c.say.Reset()
	c.mu.Unlock()
	e.reset()
	l.reset()
	s := &sound{
		clocks: c, coding: f, told: told, played: played, ear: e, line: l, given: make([]int16, 0, 4*chunk), gone: make([]int16, 0, 4096), owed: lead * sampleRate / 1000,
		commands: make(chan func(), 8), rest: make([]byte, 0, 8*chunk), coded: make([]byte, 0, 2*chunk), pcm: make([]int16, 0, 4096),
		payload: make([]byte, 0, 4096), odd: make([]byte, 0, 2),
	}
	s.lead.Store(int64(lead))
	return s
}

// again makes it ready for the next stream of the same call. Nobody reads the port's sound meanwhile.
func (s *sound) again() {
	s.clocks.mu.Lock()
	s.clocks.hear.Reset()
	s.clocks.say.Reset()
	s.clocks.mu.Unlock()
	s.odd, s.rest, s.given, s.digits = s.odd[:0], s.rest[:0], s.given[:0], nil
	s.owed = s.leadNow() * sampleRate / 1000
	s.line.echo.Underrun() // what it learned of the delay
}

// stop ends what the consumer sees of it.
func (s *sound) stop() {
	s.live.Store(false)
	s.over.Store(true)
}

// tell has the link's goroutine do f with the next samples.
func (s *sound) tell(f func()) {
	select {
	case s.commands <- f:
	default: // the stream stands still, and the link will say so
	}
}

// listen lets the ear begin anew.
func (s *sound) listen() { s.tell(s.ear.reset) }

// listenForVoice lets the ear tell a voice that goes on, too.
func (s *sound) listenForVoice() { s.tell(func() { s.ear.loud, s.ear.voiced = 0, false }) }

// play sends tones in place of what the box says.
func (s *sound) play(t dsp.Tone) { s.tell(func() { s.digits = dsp.NewGenerator(t) }) }

// underrun is the modem's complaint that it ran dry: it gets more in hand.
func (s *sound) underrun() {
	s.complaints.Add(1)
	s.line.echo.Underrun()
	if more := min(80, maxLead-s.leadNow()); more > 0 && s.complaints.Load() > 1 { // one at the start is usual
		s.lead.Add(int64(more))
		s.owed += more * sampleRate / 1000
	}
}

func (s *sound) leadNow() int { return int(s.lead.Load()) }

// take is what the modem sent, its shield taken off.
func (s *sound) take(p []byte) {
	for {
		select {
		case f := <-s.commands:
			f()
			continue
		default:
		}
		break
	}
	s.payload = append(append(s.payload[:0], s.odd...), p...)
	var left int
	s.pcm, left = s.coding.expand(s.pcm[:0], s.payload)
	s.odd = append(s.odd[:0], s.payload[len(s.payload)-left:]...)
	pcm := s.pcm
	s.line.echo.Process(s.echoed(len(pcm)), pcm)
	s.line.learner.Process(pcm)
	s.received.Add(uint64(len(pcm)))
	if dsp.Level(pcm) < voiceFloor {
		s.silent.Add(uint64(len(pcm)))
	}
	s.ear.hear(pcm, s.told)
	if s.line.gains {
		s.line.gain.Process(pcm)
	}
	s.clocks.mu.Lock()
	s.clocks.hear.Write(pcm, time.Now())
	s.clocks.mu.Unlock()
	s.owed += len(pcm)
}

// echoed are the next n samples of what the modem got: both of its directions have one clock.
func (s *sound) echoed(n int) []int16 {
	k := min(n, len(s.given))
	s.gone = append(s.gone[:0], s.given[:k]...)
	s.given = s.given[:copy(s.given, s.given[k:])]
	for len(s.gone) < n {
		s.gone = append(s.gone, 0)
	}
	return s.gone
}

// give pays the modem what it is owed.
func (s *sound) give(port serialport.Stream) error {
	for s.owed > 0 {
		if len(s.rest) > 0 {
			if ok, err := s.push(port); !ok {
				if err == nil && s.owed > maxLead*sampleRate/1000+chunk { // what it does not take now is late when it does
					s.overruns.Add(uint64(s.owed) / line.FrameSamples)
					s.owed = 0
				}
				return err
			}
		}
		n := min(s.owed, chunk)
		s.owed -= n
		due := s.out[:n]
		s.fill(due)
		if s.given = append(s.given, due...); len(s.given) > 2*sampleRate { // the modem gives less than it takes
			s.given = s.given[:copy(s.given, s.given[len(s.given)-sampleRate:])]
		}
		s.coded = s.coding.compress(s.coded[:0], due, &s.rough)
		s.rest = shield(s.rest, s.coded)
	}
	_, err := s.push(port)
	return err
}

// fill takes the next samples from the digits that are being sent, or from the box.
func (s *sound) fill(due []int16) {
	if s.digits != nil {
		if !s.digits.Next(due) {
			s.digits = nil
			s.played()
		}
		return
	}
	now := time.Now()
	s.clocks.mu.Lock()
	for rest := due; len(rest) > 0; { // silence where nobody speaks: the modem wants a steady stream
		piece := rest[:min(len(rest), line.FrameSamples)]
		s.clocks.say.Read(piece, now)
		rest = rest[len(piece):]
	}
	s.clocks.mu.Unlock()
}

// push writes what is left and reports whether the port took all. What did not fit stays, so that a DLE pair is never
// torn.
func (s *sound) push(port serialport.Stream) (bool, error) {
	if len(s.rest) == 0 {
		return true, nil
	}
	err := port.SetWriteDeadline(time.Now().Add(pushing))
	n := 0
	if err == nil {
		n, err = port.Write(s.rest)
	}
	s.rest = s.rest[:copy(s.rest, s.rest[n:])]
	if err != nil {
		s.stalls.Add(1)
	}
	return len(s.rest) == 0, err
}

// ReadFrame implements line.Media.
func (s *sound) ReadFrame(f *line.Frame) bool {
	if !s.live.Load() {
		clear(f[:])
		return false
	}
	s.clocks.mu.Lock()
	ok := s.clocks.hear.Read(f[:], time.Now())
	s.clocks.mu.Unlock()
	if ok {
		s.framesIn.Add(1)
	} else {
		s.underruns.Add(1)
	}
	return ok
}

// WriteFrame implements line.Media.
func (s *sound) WriteFrame(f *line.Frame) bool {
	if !s.live.Load() {
		return false
	}
	s.clocks.mu.Lock()
	s.clocks.say.Write(f[:], time.Now())
	s.clocks.mu.Unlock()
	s.framesOut.Add(1)
	return true
}

// Stats implements line.Media.
func (s *sound) Stats() line.MediaStats {
	s.clocks.mu.Lock()
	delay, ppm := s.clocks.hear.Delay(), s.clocks.hear.PPM()
	s.clocks.mu.Unlock()
	return line.MediaStats{
		FramesIn: s.framesIn.Load(), FramesOut: s.framesOut.Load(),
		Underruns: s.underruns.Load(), Overruns: s.overruns.Load(), Delay: delay, PPM: ppm,
	}
}

// report is the health of the call's sound.
func (s *sound) report() tel.LineSound {
	st := s.Stats()
	return tel.LineSound{
		Received: s.received.Load() / line.FrameSamples, Missing: st.Underruns, Dropped: st.Overruns, Stalls: s.stalls.Load(),
		Silent: int(s.silent.Load() / sampleRate), Delay: int(st.Delay / time.Millisecond), PPM: int(math.Round(st.PPM)),
	}
}
