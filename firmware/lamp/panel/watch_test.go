package panel

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestALampShowsThatItsAgentIsSupervised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, n := &fakeLight{id: "desk1"}, &notes{}
		p := New(Config{Lights: []Assignment{{l, ofAgent("anna")}}, Publish: n.publish})
		defer p.Close()
		// shows waits until what was told is seen and compares a time that is longer than any period.
		shows := func(when string, act func(), want lamp.Pattern, watched bool) {
			t.Helper()
			told, had := time.Now(), len(l.writes()) // before the act, which may be written at once
			act()
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if w := l.writes()[had:]; len(w) == 0 || w[0].at.Sub(told) > 100*time.Millisecond {
				t.Fatalf("%s: the light is not written within 100 ms", when)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			for _, w := range l.writes()[had:] {
				if !slices.ContainsFunc(want, func(s lamp.Step) bool { return s.Level == w.level }) {
					t.Fatalf("%s: %+v is no level of the pattern", when, w.level)
				}
			}
			if all := n.list(); all[len(all)-1].Watched != watched {
				t.Errorf("%s: observers were told %+v", when, all[len(all)-1])
			}
		}
		synctest.Wait() // the explicit off of the start
		shows("talking", func() { p.Show("anna", tel.AgentTalking) }, lamp.Usual().Of(lamp.OfAgent(tel.AgentTalking)), false)
		shows("supervised", func() { p.Watch("anna", true) }, lamp.Usual().Of(lamp.Supervised), true)
		shows("after the call", func() { p.Show("anna", tel.AgentWrapUp) }, lamp.Usual().Of(lamp.OfAgent(tel.AgentWrapUp)), true)
		shows("talking with a colleague", func() { p.Show("anna", tel.AgentInternal) }, lamp.Usual().Of(lamp.Supervised), true)
		shows("no more", func() { p.Watch("anna", false) }, lamp.Usual().Of(lamp.OfAgent(tel.AgentInternal)), false)
		p.Watch("nobody", true) // has no lamp
	})
}

func TestACallForHelpIsShownInsteadOfTheStateAndTheStateAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		anna, bruno := &fakeLight{id: "desk1"}, &fakeLight{id: "desk2"}
		var told []tel.LampChanged
		p := New(Config{
			Lights:  []Assignment{{anna, ofAgent("anna")}, {bruno, ofAgent("bruno")}},
			Publish: func(e tel.Event) { told = append(told, e.(tel.LampChanged)) }, // by the panel's goroutine alone
		})
		defer p.Close()
		p.Show("anna", tel.AgentTalking)
		p.Show("bruno", tel.AgentTalking)
		synctest.Wait()
		p.ShowHelp("anna", true)
		p.ShowHelp("nobody", true)
		synctest.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		purple, red := lamp.Level{Brightness: 255, R: 160, B: 160}, lamp.Level{Brightness: 255, R: 255}
		flashes := 0
		for _, w := range anna.writes() {
			if w.level == purple {
				flashes++
			}
		}
		if flashes < 2*59 {
			t.Errorf("%d flashes in a minute, want two a second", flashes)
		}
		if bruno.last() != red {
			t.Errorf("a colleague's lamp shows %+v", bruno.last())
		}
		p.Show("anna", tel.AgentPaused) // behind the call for help
		synctest.Wait()
		p.ShowHelp("anna", false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if last := told[len(told)-1]; last.Lamp != "desk1" || last.Help || last.State != tel.AgentPaused {
			t.Errorf("told last %+v", last)
		}
		white := 0
		for _, w := range anna.writes() {
			if w.level == (lamp.Level{Brightness: 255, R: 255, G: 255, B: 255}) {
				white++
			}
		}
		if white < 2*19 {
			t.Errorf("%d blinks of the pause in a minute, want 40", white)
		}
	})
}
