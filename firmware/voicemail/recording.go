package voicemail

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

const (
	// backlog is how long the disk may stand still before sound is lost.
	backlog = 20 * time.Second
	// flushEvery is how much sound is written at a time, and so how much a killed process loses.
	flushEvery = time.Second
	// voiceLevel tells a voice from the noise of a line, in dBm0.
	voiceLevel = -42
	// tail is how much of the silence at the end stays, so that the last word is not cut.
	tail = 300 * time.Millisecond
)

// Recording writes what a caller says into the spool. Its zero value is none: Record makes it.
type Recording struct {
	name         string
	file         func() (*os.File, error)
	max, silence int // samples
	ended        func(length time.Duration, why string)

	wake    chan struct{}
	closing <-chan struct{} // of the store

	mu      sync.Mutex // guards what follows; held for copies in memory only
	buf     []byte     // A-law that is not on the disk yet
	samples int
	voice   int    // the sample after the last voice
	why     string // it is over
}

// Record begins a recording by the name of an ivr.Record: it ends after longest, after silence
// without a voice, or by Stop; then ended is called once, from the recording's goroutine, with the
// length without the silence at the end and one of the Why constants of ivr. The name must be free.
func (s *Store) Record(name string, longest, silence time.Duration, ended func(length time.Duration, why string)) (*Recording, error) {
	if !plainName(name) {
		return nil, fmt.Errorf("%w: %q", ErrName, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recording[name] {
		return nil, fmt.Errorf("%w: %q is recorded already", ErrName, name)
	}
	s.recording[name] = true
	r := &Recording{
		name: name, ended: ended, wake: make(chan struct{}, 1), closing: s.closing, max: samplesOf(longest), silence: samplesOf(silence),
		buf: make([]byte, 0, samplesOf(backlog)),
		file: func() (*os.File, error) {
			return os.OpenFile(s.spool(name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		},
	}
	s.wg.Go(func() {
		length, why := r.write()
		s.release(name)
		r.ended(length, why)
	})
	return r, nil
}

func samplesOf(d time.Duration) int { return int(d * codec.SampleRate / time.Second) }

func lengthOf(samples int) time.Duration {
	return time.Duration(samples) * time.Second / codec.SampleRate
}

// Write adds sound at 8,000 Hz. It never waits for the disk and allocates nothing, so that the loop
// that moves the audio may call it. After the end it does nothing.
func (r *Recording) Write(pcm []int16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.why != "" {
		return
	}
	if len(r.buf)+len(pcm) > cap(r.buf) {
		r.end(ivr.WhyFailed) // the disk does not follow
		return
	}
	for _, v := range pcm {
		r.buf = append(r.buf, codec.LinearToALaw(v))
	}
	r.samples += len(pcm)
	if dsp.Level(pcm) > voiceLevel {
		r.voice = r.samples
	}
	switch {
	case r.samples >= r.max:
		r.end(ivr.WhyMax)
	case r.silence > 0 && r.samples-r.voice >= r.silence:
		r.end(ivr.WhySilence)
	case len(r.buf) >= samplesOf(flushEvery):
		r.signal()
	}
}

// Stop ends the recording; why is ivr.WhyStopped or ivr.WhyLeft.
func (r *Recording) Stop(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.why == "" {
		r.end(why)
	}
}

// end is called with mu held.
func (r *Recording) end(why string) {
	r.why = why
	r.signal()
}

func (r *Recording) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// write moves sound to the disk until the end.
func (r *Recording) write() (time.Duration, string) {
	f, err := r.file()
	if err == nil {
		h, _ := wav.NewHeader(recordingFormat(), 0) // the format is one that wav writes
		_, err = f.Write(h[:])
	}
	chunk := make([]byte, 0, samplesOf(backlog))
	for err == nil {
		select {
		case <-r.wake:
		case <-r.closing:
			r.Stop(ivr.WhyLeft)
		}
		r.mu.Lock()
		chunk = append(chunk[:0], r.buf...)
		r.buf = r.buf[:0]
		over := r.why != ""
		r.mu.Unlock()
		_, err = f.Write(chunk)
		if over {
			break
		}
	}
	r.mu.Lock()
	if err != nil {
		r.why = ivr.WhyFailed
	}
	why, voice, samples := r.why, r.voice, r.samples
	r.mu.Unlock()
	if f == nil {
		return 0, why
	}
	if size, e := f.Seek(0, io.SeekEnd); e == nil { // what the disk really took
		samples = min(samples, max(0, int(size)-wav.HeaderBytes))
	}
	samples = min(samples, voice+samplesOf(tail))
	voice = min(voice, samples)
	err = errors.Join(err, f.Truncate(wav.HeaderBytes+int64(samples)))
	if h, e := wav.NewHeader(recordingFormat(), int64(samples)); e == nil {
		_, e = f.WriteAt(h[:], 0)
		err = errors.Join(err, e)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		why = ivr.WhyFailed
	}
	return lengthOf(voice), why
}
