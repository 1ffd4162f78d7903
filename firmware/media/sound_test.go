package media

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

// talk sends n frames of a tone, or of silence, but those that fate loses.
func (b *beats) talk(p *phone, id codec.ID, n int, hz float64, lost func(i int) bool) {
	w := wave{hz: hz}
	for i := range n {
		f := w.frame()
		payload := make([]byte, 160)
		codec.NewEncoder(id).Encode(payload, f[:])
		if lost(i) {
			p.packet(payload)
		} else {
			b.deliver(p, payload)
		}
		b.tick(1)
	}
}

func TestWhatIsLostOfAVoiceIsCountedOnEveryWay(t *testing.T) {
	e := startEngine(t, 23340, 23359, nil)
	for name, to := range map[string]codec.ID{"relayed": codec.PCMA, "transcoded": codec.PCMU, "listened to": codec.PCMA} {
		t.Run(name, func(t *testing.T) {
			a, b := bridged(t, e, as(codec.PCMA), as(to))
			listened := name == "listened to"
			if listened {
				boss := join(t, e, "127.0.0.35", as(codec.PCMA), nil)
				defer boss.leg.Close()
				if err := e.Mix([]*Leg{a.leg, b.leg}, []*Leg{boss.leg}, gains("listen")); err != nil {
					t.Fatal(err)
				}
			}
			clock := byHand(t, a.leg)
			clock.talk(a, codec.PCMA, 200, 700, func(i int) bool { return i%20 == 10 || i >= 100 && i < 105 })
			s := a.leg.Stats()
			if s.In.Lost != 15 || s.In.Received != 185 || s.In.Bursts != 1 || s.In.Late != 0 {
				t.Errorf("%+v", s.In)
			}
			if s.In.Loud*10 < s.In.Looked*9 || s.In.Looked < 60 { // a jitter buffer that fills is silent
				t.Errorf("%d of %d frames are loud", s.In.Loud, s.In.Looked)
			}
			if (s.Concealed >= 200*time.Millisecond) != listened || s.Concealed > 700*time.Millisecond {
				t.Errorf("%v is invented", s.Concealed)
			}
			before := s.Concealed
			e.Unbridge(a.leg)
			if s := a.leg.Stats(); s.Concealed != before {
				t.Errorf("after the bridge %v, before %v", s.Concealed, before)
			}
			a.leg.Close()
			b.leg.Close()
			b.leg.Stats()
		})
	}
}

func TestAMutedMicrophoneIsNotLoud(t *testing.T) {
	e := startEngine(t, 23360, 23369, nil)
	a, _ := bridged(t, e, as(codec.PCMA), as(codec.PCMA))
	clock := byHand(t, a.leg)
	clock.talk(a, codec.PCMA, 90, 0, func(int) bool { return false }) // 0 Hz is silence
	if s := a.leg.Stats(); s.In.Looked != 30 || s.In.Loud != 0 {
		t.Errorf("%d of %d frames are loud", s.In.Loud, s.In.Looked)
	}
}

func TestABoxThatWasLateKnowsIt(t *testing.T) {
	e := startEngine(t, 23370, 23379, nil)
	a := join(t, e, "127.0.0.33", pcmu, nil)
	before := a.leg.Stats().Stalled // the machine of the test may be late itself
	if err := a.leg.ask(func(l *loop) error {
		l.now = l.tendDue + 300*time.Millisecond
		l.tend()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if s := a.leg.Stats(); s.Stalled < before+300*time.Millisecond {
		t.Errorf("late for %v, before %v", s.Stalled, before)
	}
}

func TestAPhoneThatHoldsNeedNotSend(t *testing.T) {
	e := startEngine(t, 23380, 23389, nil)
	a := join(t, e, "127.0.0.33", pcmu, nil)
	if a.leg.Stats().Quiet {
		t.Error("who talks need not send")
	}
	m := pcmu
	m.Direction = sdp.SendOnly
	a.configure(m)
	if !a.leg.Stats().Quiet {
		t.Error("who holds must send")
	}
}
