package fxo_test

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/fxo"
	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim"
	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim/farend"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// A modem that tells no number lets the line be heard between two rings, and the number is read from that.
func TestCallerIsReadFromTheSoundBetweenTwoRings(t *testing.T) {
	for _, c := range []struct {
		name   string
		line   fxosim.Line
		family fxosim.Family
		number string
		want   tel.Number
	}{
		{"V.23", fxosim.Line{}, fxosim.Conexant(), caller, "+390551234567"},
		{"V.23, a quiet line, over G.711", fxosim.Line{IDLevel: 250}, fxosim.SiliconLabs(), caller, "+390551234567"},
		{"Bell 202", fxosim.Line{ID: fxosim.Bell202}, fxosim.Conexant(), caller, "+390551234567"},
		{"keys", fxosim.Line{ID: fxosim.ByKeys}, fxosim.Conexant(), caller, "+390551234567"},
		{"withheld", fxosim.Line{}, fxosim.Conexant(), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(s *fxosim.Config, _ *fxo.Config) {
				c.line.Recall = true
				s.Line, s.Family = c.line, c.family
				s.Family.NoID = true
			}, func(t *testing.T, m *fxo.Modem, far *farend.End) {
				await(t, m, line.Status, inService)
				for range 2 { // and the next caller, too
					began := time.Now()
					if err := far.Ring(c.number); err != nil {
						t.Fatal(err)
					}
					e := await(t, m, line.Incoming, nil)
					if e.Number != c.want {
						t.Errorf("the caller is %q, want %q", e.Number, c.want)
					}
					if took := time.Since(began); took > 4900*time.Millisecond {
						t.Errorf("it is told after %v", took)
					}
					if err := m.Answer(t.Context()); err != nil {
						t.Fatal(err)
					}
					await(t, m, line.Connected, nil)
					talks(t, answerOf(t, m), far)
					hangsUp(t, m, far)
					time.Sleep(2 * time.Second)
				}
			})
		})
	}
}

// Most modems hear nothing on hook: they are asked once, and callers come without a number, as they did.
func TestModemThatIsDeafOnHookLosesNoCaller(t *testing.T) {
	bubble(t, func(s *fxosim.Config, _ *fxo.Config) { s.Family = deaf() }, func(t *testing.T, m *fxo.Modem, far *farend.End) {
		await(t, m, line.Status, inService)
		for range 2 {
			talks(t, answer(t, m, far), far)
			hangsUp(t, m, far)
			time.Sleep(2 * time.Second)
		}
	})
}

func deaf() fxosim.Family {
	f := fxosim.Conexant()
	f.NoID, f.Deaf = true, true
	return f
}

// Somebody who gives up while the number is listened for leaves a modem that takes the next call.
func TestCallerWhoGivesUpWhileTheNumberIsListenedFor(t *testing.T) {
	bubble(t, func(s *fxosim.Config, _ *fxo.Config) {
		s.Family = fxosim.Conexant()
		s.Family.NoID = true
	}, func(t *testing.T, m *fxo.Modem, far *farend.End) {
		await(t, m, line.Status, inService)
		if err := far.Ring(caller); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := far.Hangup(); err != nil {
			t.Fatal(err)
		}
		await(t, m, line.Ended, nil)
		talks(t, answer(t, m, far), far)
		hangsUp(t, m, far)
	})
}
