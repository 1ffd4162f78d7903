package lightsim_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/light/lightsim"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/lamp/lamptest"
	"github.com/pronto-pbx/pronto/firmware/lamp/panel"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestContract(t *testing.T) {
	lamptest.Contract(t, func(*testing.T) lamptest.Rig {
		l := lightsim.New("sim1")
		return lamptest.Rig{Light: l, ID: "sim1", Lit: func() bool { return l.Level().Brightness > 0 }}
	})
}

func TestTransitionsTellWhatWasSeenAndWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lightsim.New("sim1")
		p := panel.New(panel.Config{Lights: []panel.Assignment{{Light: l, Subject: lamp.Subject{Kind: lamp.Agent, ID: "anna"}}}})
		time.Sleep(3 * time.Second) // when the shared clock begins this pattern anew
		start := time.Now()
		p.Show("anna", tel.AgentPaused)
		time.Sleep(3*time.Second - time.Millisecond)
		synctest.Wait()
		var at []time.Duration
		for _, x := range l.Transitions() {
			at = append(at, x.At.Sub(start))
		}
		want := []time.Duration{0, 140 * time.Millisecond, 420 * time.Millisecond, 560 * time.Millisecond}
		if len(at) != len(want) {
			t.Fatalf("transitions at %v, want %v", at, want)
		}
		for i := range at {
			if (at[i] - want[i]).Abs() > lamp.Frame {
				t.Fatalf("transitions at %v, want %v", at, want)
			}
		}
		p.Close()
		if l.Level() != (lamp.Level{}) {
			t.Fatal("lit after Close")
		}
	})
}

func TestTheMemoryIsBoundedAndKeepsTheLatest(t *testing.T) {
	l := lightsim.New("sim1")
	for i := range 10000 {
		if err := l.Set(lamp.Level{Brightness: uint8(1 + i%2)}); err != nil {
			t.Fatal(err)
		}
	}
	past := l.Transitions()
	if len(past) > 2400 || past[len(past)-1].Level != l.Level() || l.Writes() != 10000 {
		t.Fatalf("%d transitions, %d writes", len(past), l.Writes())
	}
	broken := errors.New("pulled")
	l.Fail(broken)
	if err := l.Set(lamp.Level{}); !errors.Is(err, broken) || l.Level().Brightness == 0 {
		t.Fatalf("a broken light answered %v and shows %+v", err, l.Level())
	}
}
