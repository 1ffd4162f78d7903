package dialog

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// mortal is a user agent that dies at a step which the test has chosen: right after a write of its journal, or right
// after a message has left. What it would do after that reaches neither the journal nor anybody else.
type mortal struct {
	n     *node
	left  int // steps until the end; 0: it lives
	kept  map[string][]byte
	inner *journal
}

// dies makes the end of n come at the step of that number from now on; j is its journal. Lost: a message that was its
// last step does not arrive.
func (p *pair) dies(n *node, j *journal, step int, lost bool) *mortal {
	m := &mortal{n: n, left: step, inner: j}
	n.ua.cfg.Journal = m
	p.drop = func(from, _ *node, _ sip.Message) bool {
		if from != n {
			return false
		}
		gone := m.n.dead // what a dead process says nobody hears
		m.step()
		return gone || lost && m.n.dead
	}
	return m
}

func (m *mortal) step() {
	if m.n.dead || m.left == 0 {
		return
	}
	if m.left--; m.left == 0 {
		m.n.dead, m.kept = true, maps.Clone(m.inner.kept)
	}
}

func (m *mortal) Put(kind, key string, value []byte) error {
	defer m.step()
	return m.inner.Put(kind, key, value)
}

func (m *mortal) Delete(kind, key string) error {
	defer m.step()
	return m.inner.Delete(kind, key)
}

// endings are the ways in which a call ends; each begins with a call that rings, or is up.
var endings = []struct {
	name string
	up   bool
	by   string // whose application wants the end
	end  func(p *pair)
}{
	{"the caller hangs up", true, "alice", func(p *pair) { p.aliceCall.Hangup(hangup) }},
	{"the callee hangs up", true, "bob", func(p *pair) { p.bobCall.Hangup(hangup) }},
	{"both hang up at once", true, "alice bob", func(p *pair) { p.aliceCall.Hangup(hangup); p.bobCall.Hangup(hangup) }},
	{"the callee hangs up while its hold is not answered", true, "bob", func(p *pair) {
		p.bobCall.Reoffer([]byte(hold))
		p.bobCall.Hangup(hangup)
	}},
	{"the caller hangs up while its hold is not answered", true, "alice", func(p *pair) {
		p.aliceCall.Reoffer([]byte(hold))
		p.aliceCall.Hangup(hangup)
	}},
	{"the caller cancels", false, "alice", func(p *pair) { p.aliceCall.Hangup(tel.CauseCancelled) }},
	{"the callee refuses", false, "bob", func(p *pair) { p.bobCall.Hangup(tel.CauseBusy) }},
	{"the callee rejects", false, "bob", func(p *pair) { p.bobCall.Reject(486) }},
	{"the callee hangs up what it has just answered", false, "bob", func(p *pair) {
		p.bobCall.Accept([]byte(answer))
		p.bobCall.Hangup(hangup)
	}},
	{"the caller cancels, the callee answers", false, "alice", func(p *pair) {
		p.bobCall.Accept([]byte(answer))
		p.aliceCall.Hangup(tel.CauseCancelled)
	}},
}

// At whichever step of the end of a call a process dies, after a write of its journal or after a message, both sides
// know that it is over, and nobody who says so is told that there is no such call. A session that the next process gives
// back to the application is hung up by it when the end was its own wish (its call is on the way out, or gone) or when
// it rings, which no call takes up again; what the other side has ended must end by itself.
func TestAtWhicheverStepOfAnEndAProcessDiesBothSidesKnowIt(t *testing.T) {
	deaths := 0
	for _, c := range endings {
		for _, victim := range []string{"alice", "bob"} {
			t.Run(c.name+", "+victim+" dies", func(t *testing.T) {
				for n, died := 0, true; died && !t.Failed(); n++ {
					step, lost := 1+n/2, n%2 == 1
					inWorld(t, uint64(step), func(w *world) {
						p := newPair(w)
						p.onCall = func(s *Session) { s.Provisional(180, nil) }
						p.call()
						p.run(tick)
						if c.up {
							p.bobCall.Accept([]byte(answer))
							p.run(tick)
							p.want("180 Answered", "Confirmed")
						}
						died = p.diesAtStep(victim, step, lost, func() { c.end(p) })
						if died {
							deaths++
							p.comesBack(victim, strings.Contains(c.by, victim))
						}
						p.run(2 * core.Life) // what was cancelled and never answered
						p.over()
						for _, denied := range []string{"481 BYE", "500 BYE", "481 CANCEL"} {
							p.counted(victim, denied, 0)
						}
					})
					if t.Failed() {
						t.Logf("death at step %d, its message lost: %v", step, lost)
					}
				}
			})
		}
	}
	if t.Logf("%d deaths", deaths); deaths < 140 {
		t.Errorf("only %d deaths", deaths)
	}
}

// diesAtStep lets a call end while one of the two dies at a step. False says that the end did not take so many.
func (p *pair) diesAtStep(name string, step int, lost bool, end func()) bool {
	n, j := p.alice, p.aliceJ
	if name == "bob" {
		n, j = p.bob, p.bobJ
	}
	m := p.dies(n, j, step, lost)
	end()
	p.run(300 * time.Millisecond)
	p.drop = nil
	if n.dead {
		j.kept = m.kept
	}
	return n.dead
}

// comesBack starts the next process of one of the two, which hears what happens from now on alone.
func (p *pair) comesBack(name string, wanted bool) {
	p.t.Helper()
	back := &p.aliceCall
	if name == "alice" {
		p.aliceEar = &ear{}
		p.killAlice()
	} else {
		p.bobEar = &ear{}
		p.killBob()
		back = &p.bobCall
	}
	if s := *back; s != nil && (wanted || s.Restored().Phase <= core.Ringing) {
		s.Hangup(hangup)
	}
}
