package appliance

import (
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/light"
	"github.com/pronto-pbx/pronto/drivers/light/lightsim"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// A lamp, a chip and a button that are gone at a start cost their own light and press, never the exchange.
func TestABoxWhoseLampsAreGoneStartsAndTellsWhich(t *testing.T) {
	b := startWith(t, strings.Replace(shop, "lamps:\n", "lamps:\n  - {id: broken, shows: system, driver: sim}\n", 1)+`
buttons:
  - {id: gone, of: "agent:anna", use: help, driver: gpio, chip: no such chip, line: L1}
  - {id: there, of: "agent:anna", use: ready, driver: sim}
`, func(o *Options) { o.Board = &testBoard{} }, func(*Box) {})
	b.eventually("the lamp that is there shows something, the other is told as broken", func() bool {
		at := map[tel.LampID]tel.LampChanged{}
		for _, e := range b.box.present.snapshot().([]tel.Event) {
			if l, ok := e.(tel.LampChanged); ok {
				at[l.Lamp] = l
			}
		}
		whole, known := at["desk1"]
		return known && !whole.Fault && at["broken"].Fault
	})
	for _, want := range []string{"lamps", "buttons"} {
		b.eventually("the page is told of "+want, func() bool { return !b.notice(want).OK })
	}
	if !b.box.lamps.press("there") {
		t.Error("the button that is there is deaf")
	}
}

func TestALampThatCouldNotBeHadIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opened atomic.Int32
		sim := lightsim.New("a")
		lights, err := lightsOf(litBy(func([]config.Lamp) ([]lamp.Light, error) {
			if opened.Add(1) < 4 { // all at once, each alone, and the first time anew
				return nil, errors.New("no such bus")
			}
			return []lamp.Light{sim}, nil
		}), []config.Lamp{{ID: "a", Driver: "mcp23017", Chip: "1:0x20"}})
		if err == nil || len(lights) != 1 {
			t.Fatalf("%d lights, %v", len(lights), err)
		}
		set := func() error { return lights[0].Set(lamp.Level{Brightness: 255}) }
		for range 5 { // within its rest
			if set() == nil || opened.Load() != 2 {
				t.Fatalf("opened %d times", opened.Load())
			}
		}
		time.Sleep(askAbsent)
		if set() == nil || opened.Load() != 3 {
			t.Errorf("opened %d times", opened.Load())
		}
		time.Sleep(askAbsent)
		if err := set(); err != nil {
			t.Errorf("it is there now: %v", err)
		}
		if err := lights[0].Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(askAbsent)
		if set(); opened.Load() != 4 {
			t.Errorf("opened after its end, %d times", opened.Load())
		}
	})
}

func TestAButtonThatCouldNotBeHadIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, all atomic.Int32
		real := light.NewButton("b")
		board := buttonsBy(func(c []config.Button) ([]lamp.Button, error) {
			if asked.Add(1) < 6 { // both at once, each alone, and the first time anew
				return nil, errors.New("no such pin")
			}
			return []lamp.Button{map[tel.LampID]*light.Button{"a": light.NewButton("a"), "b": real}[c[0].ID]}, nil
		})
		buttons, err := buttonsOf(board, []config.Button{{ID: "a"}, {ID: "b"}}, func() { all.Add(1) })
		if err == nil || len(buttons) != 2 || asked.Load() != 3 {
			t.Fatalf("%d buttons, asked %d times, %v", len(buttons), asked.Load(), err)
		}
		time.Sleep(askAbsent - time.Second)
		synctest.Wait()
		if asked.Load() != 3 {
			t.Errorf("asked %d times within their rest", asked.Load())
		}
		time.Sleep(2 * askAbsent)
		synctest.Wait()
		if asked.Load() != 7 || all.Load() != 1 {
			t.Errorf("asked %d times, told %d times that all are there", asked.Load(), all.Load())
		}
		if !real.Press() {
			t.Fatal("the button does not take a press")
		}
		for _, b := range buttons {
			if b.ID() == "b" {
				<-b.Presses()
			}
		}
		real.Press() // one that nobody takes must not keep the end waiting
		synctest.Wait()
		for _, b := range buttons {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			if _, open := <-b.Presses(); open {
				t.Error("a press after its end")
			}
		}
		if real.Press() {
			t.Error("the pin is still taken")
		}
	})
}

// buttonsBy is a board with buttons of a test's own.
type buttonsBy func([]config.Button) ([]lamp.Button, error)

func (buttonsBy) Lights([]config.Lamp) ([]lamp.Light, error)           { return nil, nil }
func (b buttonsBy) Buttons(all []config.Button) ([]lamp.Button, error) { return b(all) }
func (buttonsBy) Line(config.Line, LineMemory, line.Supply, line.Inbox, *slog.Logger) (line.Line, error) {
	return nil, errors.ErrUnsupported
}

// litBy is a board with lights of a test's own.
type litBy func([]config.Lamp) ([]lamp.Light, error)

func (b litBy) Lights(all []config.Lamp) ([]lamp.Light, error) { return b(all) }
func (litBy) Buttons([]config.Button) ([]lamp.Button, error)   { return nil, nil }
func (litBy) Line(config.Line, LineMemory, line.Supply, line.Inbox, *slog.Logger) (line.Line, error) {
	return nil, errors.ErrUnsupported
}
