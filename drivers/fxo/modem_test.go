package fxo_test

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/drivers/fxo"
	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim"
	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim/farend"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/drivers/serialport/wire"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/line/linetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a line with its far end, on a port in memory; it is for a bubble.
func rig(t *testing.T, edit func(*fxosim.Config, *fxo.Config)) (*fxo.Modem, *farend.End) {
	t.Helper()
	bus := &wire.Bus{}
	sc := fxosim.Config{Line: fxosim.Line{Recall: true}, Port: func() (serialport.Stream, error) { return bus.Plug("modem0"), nil }}
	fc := fxo.Config{ID: "fxo0", Name: "Analog", Bus: bus, Locate: fxo.AtPath("modem0")}
	if edit != nil {
		edit(&sc, &fc)
	}
	end, err := farend.New(sc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := end.Close(); err != nil {
			t.Error(err)
		}
	})
	m, err := fxo.Open(fc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, end
}

// The contract of a line must hold whatever the modem is and however its exchange ends a call.
func TestLineKeepsTheContract(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*fxosim.Config, *fxo.Config)
	}{
		{"Conexant, busy tone", nil},
		{"Conexant, congestion tone", func(s *fxosim.Config, _ *fxo.Config) { s.Line.Supervision = fxosim.ByCongestion }},
		{"Conexant, loop drop", func(s *fxosim.Config, _ *fxo.Config) { s.Line.Supervision = fxosim.ByLoopDrop }},
		{"Silicon Labs, polarity", func(s *fxosim.Config, f *fxo.Config) {
			s.Family, s.Line.Supervision, f.Polarity = fxosim.SiliconLabs(), fxosim.ByPolarity, true
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			linetest.RunInBubble(t, func(t *testing.T) linetest.Rig {
				m, far := rig(t, func(s *fxosim.Config, f *fxo.Config) {
					if f.Timing.Recall = 3 * time.Second; c.edit != nil {
						c.edit(s, f)
					}
				})
				return linetest.Rig{Line: m, Far: far}
			})
		})
	}
}

// await reads events until one of the kind comes that fits.
func await(t *testing.T, m *fxo.Modem, kind line.EventKind, fits func(line.Event) bool) line.Event {
	t.Helper()
	var passed []line.Event
	timeout := time.After(3 * time.Minute)
	for {
		select {
		case e, ok := <-m.Events():
			if !ok {
				t.Fatal("the events ended")
			}
			passed = append(passed, e)
			if e.Kind == kind && (fits == nil || fits(e)) {
				return e
			}
		case <-timeout:
			t.Logf("events meanwhile: %+v; health %+v", passed, m.Health())
			_ = m.Recorder().Dump(t.Output())
			t.Fatalf("event %d did not come", kind)
		}
	}
}

func inService(e line.Event) bool { return e.Status.Up }

// bubble runs a test with a line in virtual time.
func bubble(t *testing.T, edit func(*fxosim.Config, *fxo.Config), play func(t *testing.T, m *fxo.Modem, far *farend.End)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, far := rig(t, edit)
		play(t, m, far)
		_ = m.Close()
		for range m.Events() {
			continue
		}
	})
}
