package quality

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// impairment makes what a leg of a minute is like when one thing is wrong, to a random degree, over a network
// that is never perfect.
type impairment struct {
	name    string
	trouble tel.SoundTrouble
	make    func(r *rand.Rand) Leg
}

const minute = 3000 // packets

// network is a leg whose packets fare as fate says, besides a little jitter and hardly any loss.
func network(r *rand.Rand, ppm float64, fate func(i int, p *sent)) Leg {
	waver := time.Duration(1+r.IntN(4)) * time.Millisecond
	w := arrive(speak(minute, ppm, func(i int, p *sent) {
		p.at += time.Duration(r.ExpFloat64() * float64(waver))
		p.lost = r.IntN(500) == 0
		fate(i, p)
	}))
	w.Looked, w.Loud = minute/3, uint64(100+r.IntN(400))
	return Leg{Codec: G711, In: w, Sent: minute, Reported: r.IntN(2) == 0, OutJitter: 3 * time.Millisecond, RoundTrip: 30 * time.Millisecond}
}

func well(int, *sent) {}

var impairments = []impairment{
	{"nothing", tel.SoundFine, func(r *rand.Rand) Leg { return network(r, 60*r.Float64()-30, well) }},
	{"random loss", tel.SoundLoss, func(r *rand.Rand) Leg {
		p := 0.015 + 0.13*r.Float64()
		return network(r, 0, func(_ int, s *sent) { s.lost = s.lost || r.Float64() < p })
	}},
	{"loss told by the far end", tel.SoundLoss, func(r *rand.Rand) Leg {
		l := network(r, 0, well)
		l.Reported, l.OutLoss = true, 0.02+0.1*r.Float64()
		return l
	}},
	{"bursts", tel.SoundBursts, func(r *rand.Rand) Leg { // a chain of two states (Gilbert)
		length := 5 + 10*r.Float64()
		loss := 0.03 + 0.07*r.Float64()
		bad := false
		return network(r, 0, func(_ int, s *sent) {
			if bad {
				bad = r.Float64() > 1/length
			} else {
				bad = r.Float64() < loss/(1-loss)/length
			}
			s.lost = s.lost || bad
		})
	}},
	{"jitter", tel.SoundJitter, func(r *rand.Rand) Leg { // queues that fill and empty: packets keep their order
		mean := float64(20+r.IntN(70)) * float64(time.Millisecond)
		var last time.Duration
		return network(r, 0, func(_ int, s *sent) {
			s.at = max(last+time.Millisecond, s.at+time.Duration(r.ExpFloat64()*mean))
			last = s.at
		})
	}},
	{"packets that overtake", tel.SoundReordering, func(r *rand.Rand) Leg {
		p := 0.02 + 0.1*r.Float64()
		return network(r, 0, func(_ int, s *sent) {
			if r.Float64() < p {
				s.at += time.Duration(25+r.IntN(35)) * time.Millisecond
			}
		})
	}},
	{"an echo that was measured", tel.SoundEcho, func(r *rand.Rand) Leg {
		l := network(r, 0, well)
		l.Echo, l.Echoes = Returned{Delay: time.Duration(40+r.IntN(500)) * time.Millisecond, Loss: 6 + 30*r.Float64()}, true
		return l
	}},
	{"a fast clock", tel.SoundDrift, func(r *rand.Rand) Leg { return network(r, 180+300*r.Float64(), well) }},
	{"a slow clock", tel.SoundDrift, func(r *rand.Rand) Leg { return network(r, -180-300*r.Float64(), well) }},
	{"nothing comes", tel.SoundOneWay, func(r *rand.Rand) Leg {
		return Leg{Codec: G711, Sent: uint64(300 + r.IntN(3000)), Reported: r.IntN(2) == 0}
	}},
	{"nothing of ours arrives", tel.SoundOneWay, func(r *rand.Rand) Leg {
		l := network(r, 0, well)
		l.Reported, l.OutLoss = true, 1-0.05*r.Float64()
		return l
	}},
	{"a muted microphone", tel.SoundSilence, func(r *rand.Rand) Leg {
		l := network(r, 0, well)
		l.In.Loud = 0
		return l
	}},
	{"a box that stalls", tel.SoundStall, func(r *rand.Rand) Leg {
		var until time.Duration
		var stalled time.Duration
		l := network(r, 0, func(_ int, s *sent) {
			if s.at > until && r.IntN(250) == 0 {
				pause := time.Duration(250+r.IntN(500)) * time.Millisecond
				until = s.at + pause
				stalled += pause
			}
			s.at = max(s.at, until)
		})
		l.Stalled = stalled
		return l
	}},
}

// The cause is named right in at least 95 of 100 calls of each kind.
func TestTheCauseOfBadSoundIsNamed(t *testing.T) {
	calls := 200
	if testing.Short() {
		calls = 40
	}
	for _, c := range impairments {
		t.Run(c.name, func(t *testing.T) {
			right := 0
			wrong := map[tel.SoundTrouble]int{}
			for seed := range calls {
				r := rand.New(rand.NewPCG(uint64(seed), 77))
				l := c.make(r)
				l.Carrier = r.IntN(2) == 0
				f := l.Diagnose()
				place := map[bool]tel.SoundPlace{true: tel.SoundAtCarrier, false: tel.SoundAtPhone}[l.Carrier]
				switch c.trouble {
				case tel.SoundFine:
					place = tel.SoundNowhere
				case tel.SoundStall:
					place = tel.SoundAtBox
				}
				if f.Trouble == c.trouble && f.Place == place {
					right++
				} else {
					wrong[f.Trouble]++
				}
			}
			t.Logf("%d of %d, else %v", right, calls, wrong)
			if right*100 < 95*calls {
				t.Errorf("named right in %d of %d calls, else %v", right, calls, wrong)
			}
		})
	}
}

func TestWhatIsHeardIsRated(t *testing.T) {
	good := Leg{Codec: G711, In: Way{Received: 3000}, Reported: true}.Diagnose()
	if good.Heard < 4.2 || good.Hears < 4.2 {
		t.Errorf("a good call: %+v", good)
	}
	bad := Leg{Codec: G711, In: Way{Received: 2700, Lost: 300, BurstR: 2}, Reported: true, OutLoss: 0.02, RoundTrip: 600 * time.Millisecond}.Diagnose()
	if bad.Heard > 3 || bad.Hears > 3.7 || bad.Heard >= bad.Hears {
		t.Errorf("a bad call: %+v", bad)
	}
	unknown := Leg{Codec: G711}.Diagnose()
	if unknown.Heard != 0 || unknown.Hears != 0 || unknown.Trouble != tel.SoundFine || math.IsNaN(unknown.Heard) {
		t.Errorf("a call without sound: %+v", unknown)
	}
}

func TestAPartyThatHoldsIsNotOneWay(t *testing.T) {
	l := Leg{Codec: G711, Sent: 3000, Quiet: true}
	if f := l.Diagnose(); f.Trouble != tel.SoundFine {
		t.Errorf("%+v", f)
	}
}
