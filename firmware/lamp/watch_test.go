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
		// shows waits until what was told is seen and compares a time that is longer than any period.
		shows := func(when string, want Pattern, watched bool) {
			t.Helper()
			told, had := time.Now(), len(l.writes())
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
		p.Show("anna", tel.AgentTalking)
		shows("talking", PatternFor(tel.AgentTalking, 255), false)
		p.Watch("anna", true)
		shows("supervised", WatchedPattern(255), true)
		p.Show("anna", tel.AgentWrapUp)
		shows("after the call", PatternFor(tel.AgentWrapUp, 255), true)
		p.Show("anna", tel.AgentInternal)
		shows("talking with a colleague", WatchedPattern(255), true)
		p.Watch("anna", false)
		shows("no more", PatternFor(tel.AgentInternal, 255), false)
		p.Watch("nobody", true) // has no lamp
	})
}
