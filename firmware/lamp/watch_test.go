package lamp

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestALampShowsThatItsAgentIsSupervised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, n := &fakeLight{id: "desk1"}, &notes{}
		p := NewPanel(Config{Lights: []Assignment{{l, "anna"}}, Publish: n.publish})
		defer p.Close()
		// shows counts the writes of before, and only then tells: the owner runs on another core, and may have
		// written before the teller reads on. It then waits until that is seen and compares a time that is longer
		// than any period.
		shows := func(when string, tell func(), want Pattern, watched bool) {
			t.Helper()
			told, had := time.Now(), len(l.writes())
			tell()
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if w := l.writes()[had:]; len(w) == 0 || w[0].at.Sub(told) > 100*time.Millisecond {
				t.Fatalf("%s: the light is not written within 100 ms", when)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			for _, w := range l.writes()[had:] {
				if !slices.ContainsFunc(want, func(s Step) bool { return s.Level == w.level }) {
					t.Fatalf("%s: %+v is no level of the pattern", when, w.level)
				}
			}
			if all := n.list(); all[len(all)-1].Watched != watched {
				t.Errorf("%s: observers were told %+v", when, all[len(all)-1])
			}
		}
		synctest.Wait() // the explicit off of the start
		shows("talking", func() { p.Show("anna", tel.AgentTalking) }, PatternFor(tel.AgentTalking, 255), false)
		shows("supervised", func() { p.Watch("anna", true) }, WatchedPattern(255), true)
		shows("after the call", func() { p.Show("anna", tel.AgentWrapUp) }, PatternFor(tel.AgentWrapUp, 255), true)
		shows("talking with a colleague", func() { p.Show("anna", tel.AgentInternal) }, WatchedPattern(255), true)
		shows("no more", func() { p.Watch("anna", false) }, PatternFor(tel.AgentInternal, 255), false)
		p.Watch("nobody", true) // has no lamp
	})
}
