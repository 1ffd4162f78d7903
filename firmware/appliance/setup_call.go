package appliance

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// callMe rings an extension or a number outside and makes who answers a caller of a queue. A number outside is
// charged to the agent who wants it, and only called if that person may; nobody's goes by the configuration.
func (b *Box) callMe(queue tel.QueueID, number tel.Number, by tel.AgentID) (tel.CallID, string, error) {
	n := b.numbering.Load()
	q, ok := n.cfg.QueueOf(queue)
	if !ok {
		return "", "floor.no_queue", nil
	}
	to := "queue:" + string(queue)
	if devices := n.Phones(number); len(devices) > 0 {
		return b.visit(devices, to, q.Number)
	}
	var d call.Decision
	if who := n.agents[by]; who.Extension != "" {
		d = n.Route("ext:"+string(who.Extension), who.Extension, number, time.Now())
	} else {
		d = n.Resolve("outside:"+string(number), "", time.Now())
	}
	if d.Kind != call.ToOutside || d.Emergency || number.Emergency() {
		return "", "callme.refused", nil
	}
	id, err := b.calls.Visit(call.Visit{Attempts: d.Attempts, To: to, Shows: q.Number})
	return visited(id, err)
}

// playAt rings an extension; who answers hears what callers hear first.
func (b *Box) playAt(number tel.Number) (tel.CallID, string, error) {
	return b.visit(b.numbering.Load().Phones(number), "say:greeting", number)
}

// visit rings telephones that are here.
func (b *Box) visit(devices []tel.DeviceID, to string, shows tel.Number) (tel.CallID, string, error) {
	here := slices.DeleteFunc(slices.Clone(devices), func(d tel.DeviceID) bool { return !reachable(b, []tel.DeviceID{d}) })
	if len(here) == 0 {
		return "", "callme.no_phone", nil
	}
	id, err := b.calls.Visit(call.Visit{Devices: here, To: to, Shows: shows})
	return visited(id, err)
}

// visited is the sentence for a call that was not begun.
func visited(id tel.CallID, err error) (tel.CallID, string, error) {
	switch {
	case errors.Is(err, call.ErrNobody):
		return "", "callme.no_phone", nil
	case errors.Is(err, call.ErrFull):
		return "", "callme.full", nil
	default:
		return id, "", err
	}
}

// trialOf begins the destination of a call that tries a line.
const trialOf = "trial:"

// trialDecision leads who was called over a line into its trial.
func (n *numbering) trialDecision() call.Decision {
	s := ivr.New("", n.cfg.Box.Language, &ivr.Trial{Names: []string{"greeting"}, Key: '1'})
	return call.Decision{Kind: call.ToScript, Script: &s}
}

// lineTests are the tests of lines: that a call goes out and is heard in both directions, and that one comes in.
// They are lost in a restart, as a test that was cut short has to be made again.
type lineTests struct {
	mu    sync.Mutex // guards all below
	lines map[string]page.LineTest
	calls map[tel.CallID]string // of tests, with their lines
}

func (t *lineTests) all() map[string]page.LineTest {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := map[string]page.LineTest{}
	for line, x := range t.lines {
		all[line] = x
	}
	return all
}

func (t *lineTests) change(line string, do func(*page.LineTest)) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lines == nil {
		t.lines, t.calls = map[string]page.LineTest{}, map[tel.CallID]string{}
	}
	x := t.lines[line]
	was := x
	x.Line = line
	do(&x)
	t.lines[line] = x
	return x != was
}

// begin notes that a line is tested by a call, end that it is not any more.
func (t *lineTests) begin(call tel.CallID, line, name string, own tel.Number) {
	t.change(line, func(x *page.LineTest) { x.Name, x.Number, x.Out, x.Cause = name, own, "calling", tel.CauseNone })
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls[call] = line
}

func (t *lineTests) end(call tel.CallID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.calls, call)
}

// of is the line that a call tests; empty: none.
func (t *lineTests) of(call tel.CallID) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.calls[call]
}

// testLine calls a number over one line and no other.
func (b *Box) testLine(line string, number tel.Number) (sentence string, err error) {
	name, own, ok := b.lineNamed(line)
	if !ok {
		return "setup.line_gone", nil
	}
	if number.Emergency() {
		return "callme.refused", nil
	}
	id := tel.NewCallID()
	b.lineTests.begin(id, line, name, own) // before the call: it may be answered at once
	_, err = b.calls.Visit(call.Visit{Call: id, Attempts: []call.Attempt{{Via: line, Number: number, Dialed: number}}, To: trialOf + line, Shows: own})
	_, sentence, err = visited(id, err)
	if sentence != "" || err != nil {
		b.lineTests.end(id)
		b.lineTests.change(line, func(t *page.LineTest) { t.Out = "none" })
	}
	b.trails.tell()
	return sentence, err
}

// lineNamed is what people call a line, and the number that they dial to reach it.
func (b *Box) lineNamed(line string) (name string, own tel.Number, ok bool) {
	kind, id, _ := strings.Cut(line, ":")
	c := b.config()
	for _, t := range c.Trunks {
		if kind == "trunk" && string(t.ID) == id && !t.Disabled {
			return cmp.Or(t.Name, id), t.Number, true
		}
	}
	for _, l := range c.Lines {
		if kind == "line" && string(l.ID) == id {
			return cmp.Or(l.Name, id), "", true
		}
	}
	return "", "", false
}

// tested follows the calls of tests and those that come in.
func (b *Box) tested(e tel.Event) (changed bool) {
	switch e := e.(type) {
	case tel.CallChanged:
		if line := b.lineTests.of(e.Call); line != "" {
			if e.Stage != tel.StageMenu {
				return false
			}
			return b.lineTests.change(line, func(t *page.LineTest) {
				if t.Out == "calling" {
					t.Out = "answered"
				}
			})
		}
		if name, own, ok := b.lineNamed(e.Via); ok && e.Direction == tel.Inbound {
			return b.lineTests.change(e.Via, func(t *page.LineTest) { t.Name, t.Number, t.In = name, own, "heard" })
		}
	case tel.CallEnded:
		if line := b.lineTests.of(e.Call); line != "" {
			b.lineTests.end(e.Call)
			return b.lineTests.change(line, func(t *page.LineTest) {
				switch t.Out {
				case "calling":
					t.Out, t.Cause = "failed", e.Cause
				case "answered":
					t.Out = "silent"
				}
			})
		}
	}
	return false
}

// lineProved notes that somebody who was called over a line has pressed the key.
func (b *Box) lineProved(call tel.CallID) {
	if line := b.lineTests.of(call); line != "" {
		b.lineTests.change(line, func(t *page.LineTest) { t.Out = "proved" })
		b.trails.tell()
	}
}
