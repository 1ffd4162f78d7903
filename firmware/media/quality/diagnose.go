package quality

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Leg is what is known of the sound of one party.
type Leg struct {
	Carrier bool  // the party is behind a carrier, else it is a phone
	Codec   Codec // of both directions
	In      Way   // what the box received
	Sent    uint64
	// Out is what the far end says of what it received (RFC 3550 section 6.4); Reported is false if it said nothing.
	Reported  bool
	OutLoss   float64 // 0 to 1
	OutJitter time.Duration
	RoundTrip time.Duration // 0: not known
	Stalled   time.Duration // for how long in all the box was late
	Echo      Returned      // what others say to the party comes back from it
	Echoes    bool          // it does
	Quiet     bool          // the party need not send: it only listens, or holds
}

// What is too much. Loss below 1 % is hardly heard where it is concealed (G.113: 5 points of R); bursts are
// what lasts twice as long as chance would have it; phones have crystals better than 100 ppm.
const (
	muchLoss    = 0.01
	muchLate    = 0.01
	burstRatio  = 2
	muchJitter  = 30 * time.Millisecond
	muchReorder = 0.01
	muchDrift   = 150 // parts per million
	muchStalled = 200 * time.Millisecond
	muchSent    = 250 // packets, 5 s: who has not answered by then does not
	fewReceived = 50  // one packet for so many of ours is no sound
	muchLooked  = 500 // frames without any loudness that make a silence: half a minute where one in three is looked at
	outOneWay   = 0.9
	// What returns sooner is taken for one's own voice in the ear, and what is weaker is not heard (ITU-T G.131: 30 dB
	// of TELR suffice at 20 ms, 50 dB at 300).
	echoHeard = 25 * time.Millisecond
	echoFaint = 40 // dB
	// wait is the delay of a phone's jitter buffer, packet and both codecs, in ms.
	wait = 60
)

// Finding is what is wrong with a leg and where, and how it is heard.
type Finding struct {
	Trouble tel.SoundTrouble
	Place   tel.SoundPlace
	Heard   float64 // MOS of what others hear of the party, 0: not known
	Hears   float64 // MOS of what the party hears of others, by its reports, 0: not known
}

// Diagnose names the worst trouble of a leg.
func (l Leg) Diagnose() Finding {
	f := Finding{Place: tel.SoundAtPhone}
	if l.Carrier {
		f.Place = tel.SoundAtCarrier
	}
	delay := float64(l.RoundTrip.Milliseconds())/2 + wait
	if l.In.Received > 0 {
		p := Path{Codec: l.Codec, Loss: l.In.Loss(), BurstR: l.In.BurstR, Delay: delay}
		if l.Echoes {
			p.Echo = slr + rlr + l.Echo.Loss
			p.Delay = max(delay, float64(l.Echo.Delay.Milliseconds())/2)
		}
		f.Heard = MOS(p.R())
	}
	if l.Reported {
		f.Hears = MOS(Path{Codec: l.Codec, Loss: l.OutLoss, Delay: delay}.R())
	}
	if f.Trouble = l.trouble(); f.Trouble == tel.SoundStall {
		f.Place = tel.SoundAtBox
	} else if f.Trouble == tel.SoundFine {
		f.Place = tel.SoundNowhere
	}
	return f
}

func (l Leg) trouble() tel.SoundTrouble {
	w := l.In
	all := float64(w.Received + w.Lost)
	part := func(n uint64) float64 { return float64(n) / max(1, all) }
	lost, late := part(w.Lost), part(w.Late)
	switch {
	case l.Sent >= muchSent && w.Received*fewReceived <= l.Sent && !l.Quiet, l.Reported && l.OutLoss >= outOneWay:
		return tel.SoundOneWay
	case l.Stalled >= muchStalled && late+lost > muchLate/2:
		return tel.SoundStall
	case lost >= muchLoss && lost >= late:
		if w.BurstR >= burstRatio {
			return tel.SoundBursts
		}
		return tel.SoundLoss
	case late >= muchLate, w.Jitter >= muchJitter:
		return tel.SoundJitter
	case l.Reported && l.OutLoss >= muchLoss:
		return tel.SoundLoss
	case part(w.Reordered) >= muchReorder:
		return tel.SoundReordering
	case l.Reported && l.OutJitter >= muchJitter:
		return tel.SoundJitter
	case l.Echoes && l.Echo.Delay >= echoHeard && l.Echo.Loss < echoFaint:
		return tel.SoundEcho
	case w.Drift >= muchDrift, w.Drift <= -muchDrift:
		return tel.SoundDrift
	case w.Looked >= muchLooked && w.Loud == 0:
		return tel.SoundSilence
	}
	return tel.SoundFine
}
