package gsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	// hearing is the wait for bytes of a modem that sends 50 times a second; it also bounds a stop.
	hearing = 200 * time.Millisecond
	// pushing bounds one write: an endpoint that stalls must not keep us from reading.
	pushing = 20 * time.Millisecond
	// chunk is the most that one read takes, in bytes: 200 ms.
	chunk = 3200
	// burst is how much a modem delivers at once over USB; 40 ms more are absorbed when it comes late.
	burst = 20 * time.Millisecond
)

// clocks couples the modem's sample clock with ours, one buffer each way. It outlives a call, because
// what was learned of the clocks holds for the next one.
type clocks struct {
	mu   sync.Mutex   // held for microseconds: the audio goroutine and the caller of Media share the buffers
	hear *dsp.Elastic // modem to box
	say  *dsp.Elastic // box to modem

	takes, gives int // bytes that say and hear are fit for
}

func newClocks() *clocks {
	return &clocks{
		hear: dsp.NewElastic(dsp.ElasticConfig{Burst: burst}),
		say:  dsp.NewElastic(dsp.ElasticConfig{Burst: burst}),
	}
}

// fit sizes the buffers for a modem that takes and gives its sound in blocks of so many bytes; 0 = as it comes.
func (c *clocks) fit(takes, gives int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if takes != c.takes {
		c.takes, c.say = takes, dsp.NewElastic(dsp.ElasticConfig{Burst: lasting(takes)})
	}
	if gives != c.gives {
		c.gives, c.hear = gives, dsp.NewElastic(dsp.ElasticConfig{Burst: lasting(gives)})
	}
}

// lasting is how long a block of bytes is heard.
func lasting(block int) time.Duration {
	return max(burst, time.Duration(block/2)*time.Second/dsp.SampleRate)
}

// sound is the audio of one call. One goroutine reads the port and writes as many samples as it read,
// so that the modem's own clock paces both ways.
type sound struct {
	port    serialport.Stream
	clocks  *clocks
	quit    chan struct{}
	done    chan struct{}
	once    sync.Once
	live    atomic.Bool // between Connected and Ended
	held    atomic.Bool // the modem wants no bytes now
	listens atomic.Bool // the ear is on

	framesIn, framesOut, underruns, overruns atomic.Uint64
	received, sent, stalls, droughts         atomic.Uint64 // bytes, bytes, writes that did not fit, reads without bytes
	silent                                   atomic.Uint64 // samples of reads without any sound

	// Owned by the audio goroutine.
	odd     []byte // half a sample that a read left
	rest    []byte // what the port did not take, a part of a sample perhaps
	pcm     [chunk/2 + 1]int16
	out     [chunk]int16
	owed    int // samples that the modem has given and not got
	block   int // samples of one write; 0 = as they come
	ear     ear
	tell    func(heard)
	payload []byte
}

// startSound runs the audio of a call over port, which it closes in the end. failed is called once
// when the port dies by itself, on the audio goroutine.
func startSound(port serialport.Stream, c *clocks, block int, tell func(heard), failed func(error)) *sound {
	c.mu.Lock()
	c.hear.Reset()
	c.say.Reset()
	c.mu.Unlock()
	s := &sound{
		port: port, clocks: c, quit: make(chan struct{}), done: make(chan struct{}),
		rest: make([]byte, 0, 3*chunk), payload: make([]byte, 0, chunk+2), block: block / 2, tell: tell,
	}
	s.listens.Store(tell != nil)
	go s.run(failed)
	return s
}

// stop ends the audio without waiting; done is closed when the port is.
func (s *sound) stop() {
	s.live.Store(false)
	s.once.Do(func() { close(s.quit) })
}

func (s *sound) run(failed func(error)) {
	defer close(s.done)
	defer func() { _ = s.port.Close() }()
	defer func() {
		if r := recover(); r != nil { // a fault of ours in one call's sound is no reason to end the others'
			s.live.Store(false)
			failed(fmt.Errorf("audio of the call: %v", r))
		}
	}()
	buf := make([]byte, chunk)
	for {
		select {
		case <-s.quit:
			return
		default:
		}
		err := s.port.SetReadDeadline(time.Now().Add(hearing))
		n := 0
		if err == nil {
			n, err = s.port.Read(buf)
		}
		if n > 0 {
			err = s.exchange(buf[:n])
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.droughts.Add(1)
			s.owed += s.block // a modem that wants blocks wants them from us, whatever it gives
			s.give()
		default:
			s.live.Store(false)
			failed(err)
			return
		}
	}
}

// exchange takes what the modem sent and gives it as many samples.
func (s *sound) exchange(p []byte) error {
	s.received.Add(uint64(len(p)))
	s.payload = append(append(s.payload[:0], s.odd...), p...)
	n := len(s.payload) / 2
	pcm := s.pcm[:n]
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(s.payload[2*i:]))
	}
	s.odd = append(s.odd[:0], s.payload[2*n:]...)
	if quiet(pcm) {
		s.silent.Add(uint64(n))
	}
	s.clocks.mu.Lock()
	s.clocks.hear.Write(pcm, time.Now())
	s.clocks.mu.Unlock()
	if s.listens.Load() {
		s.ear.hear(pcm, s.tell)
	}
	s.owed += n
	s.give()
	return nil
}

// quiet reports that no sample is louder than the noise of a line.
func quiet(pcm []int16) bool {
	const floor = 64 // -54 dB of the full scale
	for _, v := range pcm {
		if v > floor || v < -floor {
			return false
		}
	}
	return true
}

// report is the health of the call's sound.
func (s *sound) report() tel.LineSound {
	st := s.Stats()
	return tel.LineSound{
		Received: s.received.Load() / (2 * line.FrameSamples), Missing: st.Underruns, Dropped: st.Overruns, Stalls: s.stalls.Load(),
		Silent: int(s.silent.Load() / dsp.SampleRate), Delay: int(st.Delay / time.Millisecond), PPM: int(math.Round(st.PPM)),
	}
}

// give pays the modem the samples that it is owed: the same number, so that its own clock paces both ways.
func (s *sound) give() {
	if s.owed == 0 || s.owed < s.block {
		return
	}
	n, at, owed := min(s.owed, len(s.out)), line.FrameSamples, 0
	if s.block > 0 {
		// A block is one step of the buffer's clock: in frames each would find less than the one before, and the
		// mean of that is not the level that the buffer was begun with.
		n, at, owed = s.block, s.block, s.owed-s.block
	}
	s.owed = owed
	due := s.out[:n]
	now := time.Now()
	s.clocks.mu.Lock()
	for rest := due; len(rest) > 0; { // silence where nobody speaks: the modem wants a steady stream
		piece := rest[:min(len(rest), at)]
		s.clocks.say.Read(piece, now)
		rest = rest[len(piece):]
	}
	s.clocks.mu.Unlock()
	late := s.held.Load() || len(s.rest) > 0 && !s.push() // what it does not take now is late when it does
	if late {
		s.overruns.Add(uint64(len(due)+line.FrameSamples-1) / line.FrameSamples)
		return
	}
	for _, v := range due {
		s.rest = binary.LittleEndian.AppendUint16(s.rest, uint16(v))
	}
	s.push()
}

// push writes what is left and reports whether the port took all. Bytes that did not fit stay, so that
// the stream never continues in the middle of a sample.
func (s *sound) push() bool {
	_ = s.port.SetWriteDeadline(time.Now().Add(pushing))
	n, err := s.port.Write(s.rest)
	s.sent.Add(uint64(n))
	s.rest = s.rest[:copy(s.rest, s.rest[n:])]
	if err != nil {
		s.stalls.Add(1)
	}
	return len(s.rest) == 0
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

// healthy judges the audio of a call that lasted d: an endpoint that has gone bad takes or gives fewer
// bytes than the 16,000 of each second.
func (s *sound) healthy(d time.Duration) bool {
	if d < 5*time.Second {
		return s.overruns.Load() == 0
	}
	want := uint64(d.Seconds() * 2 * dsp.SampleRate * 3 / 4)
	return s.received.Load() >= want && s.sent.Load() >= want
}
