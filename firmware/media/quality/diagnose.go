package quality

import "time"

// Trouble is what is wrong with the sound of a leg.
type Trouble string

// The troubles, those first that hide the others.
const (
	None       Trouble = ""
	OneWay     Trouble = "one_way"    // packets go one way only
	Stall      Trouble = "stall"      // the box itself was late
	Bursts     Trouble = "bursts"     // many packets are lost one after the other
	Loss       Trouble = "loss"       // packets are lost here and there
	Jitter     Trouble = "jitter"     // packets come too late or at uneven times
	Reordering Trouble = "reordering" // packets overtake each other
	Drift      Trouble = "drift"      // the clock of the far end is wrong
	Silence    Trouble = "silence"    // packets come, but nobody is heard: a muted or broken microphone
)

// Place is where a trouble has its cause.
type Place string

// The places.
const (
	Nowhere Place = ""
	Phone   Place = "phone_network" // between the box and the phone: cables, Wi-Fi, the phone itself
	Carrier Place = "carrier"       // between the box and the carrier, and beyond
	Box     Place = "box"
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
	// wait is the delay of a phone's jitter buffer, packet and both codecs, in ms.
	wait = 60
)

// Finding is what is wrong with a leg and where, and how it is heard.
type Finding struct {
	Trouble Trouble
	Place   Place
	Heard   float64 // MOS of what others hear of the party, 0: not known
	Hears   float64 // MOS of what the party hears of others, by its reports, 0: not known
}

// Diagnose names the worst trouble of a leg.
func (l Leg) Diagnose() Finding {
	f := Finding{Place: Phone}
	if l.Carrier {
		f.Place = Carrier
	}
	delay := float64(l.RoundTrip.Milliseconds())/2 + wait
	if l.In.Received > 0 {
		f.Heard = MOS(Path{Codec: l.Codec, Loss: l.In.Loss(), BurstR: l.In.BurstR, Delay: delay}.R())
	}
	if l.Reported {
		f.Hears = MOS(Path{Codec: l.Codec, Loss: l.OutLoss, Delay: delay}.R())
	}
	if f.Trouble = l.trouble(); f.Trouble == Stall {
		f.Place = Box
	} else if f.Trouble == None {
		f.Place = Nowhere
	}
	return f
}

func (l Leg) trouble() Trouble {
	w := l.In
	all := float64(w.Received + w.Lost)
	part := func(n uint64) float64 { return float64(n) / max(1, all) }
	lost, late := part(w.Lost), part(w.Late)
	switch {
	case l.Sent >= muchSent && w.Received*fewReceived <= l.Sent && !l.Quiet, l.Reported && l.OutLoss >= outOneWay:
		return OneWay
	case l.Stalled >= muchStalled && late+lost > muchLate/2:
		return Stall
	case lost >= muchLoss && lost >= late:
		if w.BurstR >= burstRatio {
			return Bursts
		}
		return Loss
	case late >= muchLate, w.Jitter >= muchJitter:
		return Jitter
	case l.Reported && l.OutLoss >= muchLoss:
		return Loss
	case part(w.Reordered) >= muchReorder:
		return Reordering
	case l.Reported && l.OutJitter >= muchJitter:
		return Jitter
	case w.Drift >= muchDrift, w.Drift <= -muchDrift:
		return Drift
	case w.Looked >= muchLooked && w.Loud == 0:
		return Silence
	}
	return None
}
