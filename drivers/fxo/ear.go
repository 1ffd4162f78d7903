package fxo

import "github.com/pronto-pbx/pronto/firmware/media/dsp"

// heard is what the sound of a call says about its progress.
type heard uint8

const (
	heardDialTone    heard = iota + 1 // the exchange wants a number
	heardRingback                     // the far end rings
	heardAnswer                       // it rings no more, and no tone of the exchange has come since
	heardVoice                        // something that is no tone of the exchange
	heardBusy                         // the busy tone, two cadences
	heardCongestion                   // the congestion tone, as many
	heardInformation                  // an announcement follows that the call fails
	heardGone                         // four equal cadences of a tone that ends calls
	heardSilence                      // ten more seconds without any sound
)

var heardNames = [...]string{"nothing", "dial tone", "ringback", "answer", "voice", "busy", "congestion", "information", "gone", "silence"}

func (h heard) String() string { return heardNames[h] }

const (
	earBlock    = 160   // samples
	voiceFloor  = -38.0 // dBm0: what is softer is a noise of the line
	toneShare   = 2.2   // dB: so much less than the whole a tone may be that is alone
	voiceSpan   = 30    // blocks
	voiceBlocks = 10    // of those that must hold sound which is no tone
	answerQuiet = 75    // blocks without a tone, after the last ringing, that make an answer: 1.5 s
)

// ear listens for what an exchange says on a line. One goroutine owns it.
type ear struct {
	progress *dsp.Progress
	tones    []float64 // Hz of the network's signals

	rest     []int16
	loud     uint64 // one bit per block with sound that is no tone, the newest lowest
	rang     bool   // the far end has rung
	stopped  bool   // and rings no more
	toneless int    // blocks since the last tone
	voiced   bool   // told
}

func newEar(n dsp.Network, l dsp.Learned) *ear {
	e := &ear{progress: dsp.NewProgress(n, l), rest: make([]int16, 0, 2*earBlock)}
	for _, c := range n.Cadences {
		for _, hz := range c.Hz {
			if hz > 0 {
				e.tones = append(e.tones, hz)
			}
		}
	}
	return e
}

// reset is the beginning of another call, or of another part of one.
func (e *ear) reset() {
	e.progress.Reset()
	*e = ear{progress: e.progress, tones: e.tones, rest: e.rest[:0]}
}

// hear takes the next sound of the far end and calls tell for each thing that it says.
func (e *ear) hear(pcm []int16, tell func(heard)) {
	for len(pcm) > 0 {
		n := min(len(pcm), earBlock-len(e.rest))
		e.rest = append(e.rest, pcm[:n]...)
		if pcm = pcm[n:]; len(e.rest) == earBlock {
			e.block(e.rest, tell)
			e.rest = e.rest[:0]
		}
	}
}

func (e *ear) block(pcm []int16, tell func(heard)) {
	for _, p := range e.progress.Process(pcm) {
		e.signal(p, tell)
	}
	level := dsp.Level(pcm)
	tone := false
	for _, hz := range e.tones {
		tone = tone || dsp.ToneLevel(pcm, hz) >= level-toneShare
	}
	e.loud <<= 1
	switch {
	case level < voiceFloor:
		e.toneless++
	case tone:
		e.toneless = 0
	default:
		e.toneless++
		e.loud |= 1
	}
	voiced := 0
	for i := range voiceSpan {
		voiced += int(e.loud >> i & 1)
	}
	switch {
	case voiced >= voiceBlocks && !e.voiced:
		e.voiced = true
		tell(heardVoice)
	case voiced == 0:
		e.voiced = false
	}
	if e.rang && e.stopped && e.toneless >= answerQuiet {
		e.rang, e.stopped = false, false
		tell(heardAnswer)
	}
}

// signal reads one event of the detector.
func (e *ear) signal(p dsp.ProgressEvent, tell func(heard)) {
	switch {
	case p.Signal == dsp.SignalRingback:
		e.rang, e.stopped = true, p.Over
		if !p.Over {
			tell(heardRingback)
		}
	case p.Over:
	case p.HangUp:
		tell(heardGone)
	case p.Signal == dsp.SignalSilence:
		tell(heardSilence)
	case p.Signal == dsp.SignalDial:
		tell(heardDialTone)
	case p.Signal == dsp.SignalBusy:
		tell(heardBusy)
	case p.Signal == dsp.SignalCongestion:
		tell(heardCongestion)
	case p.Signal == dsp.SignalInformation:
		tell(heardInformation)
	}
}
