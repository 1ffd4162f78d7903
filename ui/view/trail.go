package view

import (
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Trail is the way of one call through the office as it really happens: line, queue, phone, lamp. It holds facts
// of events; what a page shows of them is Nodes.
type Trail struct {
	Call  tel.CallID
	From  tel.Number
	Via   string // "trunk:tim", "line:gsm0", "phone:201"; empty: nobody has answered yet whom the box rings
	Queue tel.QueueID
	Agent tel.AgentID // who talks, or rang last

	Joined   bool
	Rang     bool
	Answered bool
	HasLamp  bool // of the agent
	LampRang bool
	Lit      bool // the lamp showed the conversation
	Fault    bool // it does not answer
	Over     bool
	Outcome  tel.QueueOutcome // how the wait ended; empty: it has not, or there was none
	Cause    tel.Cause        // why the last phone did not answer
}

// The states of a node.
const (
	NodeAhead = "ahead" // the call has not come there
	NodeNow   = "now"   // it is there
	NodeDone  = "done"
	NodeNone  = "none" // there is none: a lamp of an agent without one, a line of a call from inside
	NodeLost  = "lost" // the call ended before it
)

// Node is one station of a trail. Page key "trail." + Key + "." + State is its sentence.
type Node struct {
	Key   string // line, queue, phone, lamp
	State string
	ID    string // of the line, the queue, the agent; empty: not known yet
}

// Nodes are the stations in their order.
func (t Trail) Nodes() []Node {
	node := func(key, id string, done, now bool) Node {
		n := Node{Key: key, ID: id, State: NodeAhead}
		switch {
		case done:
			n.State = NodeDone
		case t.Over:
			n.State = NodeLost
		case now:
			n.State = NodeNow
		}
		return n
	}
	line := node("line", t.Via, t.Via != "", true)
	if strings.HasPrefix(t.Via, "phone:") {
		line.State = NodeNone
	}
	lamp := node("lamp", string(t.Agent), t.Lit, t.LampRang)
	if t.Agent != "" && !t.HasLamp && !t.Lit {
		lamp.State = NodeNone
	}
	if t.Fault && !t.Lit {
		lamp.State = NodeLost
	}
	return []Node{
		line, node("queue", string(t.Queue), t.Joined, t.Via != ""), node("phone", string(t.Agent), t.Answered, t.Rang || t.Joined), lamp,
	}
}

// Passed tells whether a call went all the way: a person has answered it out of a queue, and the lamp showed so
// where there is one.
func (t Trail) Passed() bool { return t.Joined && t.Answered && (t.Lit || !t.HasLamp) }

// Outside tells whether it came over a line.
func (t Trail) Outside() bool {
	return strings.HasPrefix(t.Via, "trunk:") || strings.HasPrefix(t.Via, "line:")
}

// mostTrails bounds how many calls Trails follows.
const mostTrails = 32

// Trails follows the latest calls. It is a plain value built from events.
type Trails struct {
	all   []Trail // the oldest first
	lamps map[tel.AgentID]tel.LampChanged
}

// Of finds the trail of a call; empty asks for the newest that came over a line or into a queue.
func (ts *Trails) Of(call tel.CallID) (Trail, bool) {
	for _, t := range slices.Backward(ts.all) {
		if t.Call == call || call == "" && (t.Joined || t.Outside()) {
			return t, true
		}
	}
	return Trail{}, false
}

// Apply follows an event and returns the trail that it changed.
func (ts *Trails) Apply(e tel.Event) (t Trail, changed bool) {
	switch e := e.(type) {
	case tel.CallChanged:
		return ts.call(e)
	case tel.QueueJoined:
		return ts.change(e.Call, func(t *Trail) { t.Joined, t.Queue = true, e.Queue })
	case tel.QueueOffered:
		return ts.change(e.Call, func(t *Trail) {
			t.Rang, t.Agent = true, e.Agent
			ts.light(t)
		})
	case tel.QueueOfferEnded:
		return ts.change(e.Call, func(t *Trail) { t.Cause = e.Cause })
	case tel.QueueLeft:
		return ts.change(e.Call, func(t *Trail) {
			t.Outcome = e.Outcome
			if e.Outcome == tel.OutcomeAnswered {
				t.Answered, t.Rang = true, true
				if e.Agent != "" {
					t.Agent = e.Agent
				}
				ts.light(t)
			}
		})
	case tel.LampChanged:
		if e.Agent == "" {
			return Trail{}, false
		}
		if ts.lamps == nil {
			ts.lamps = map[tel.AgentID]tel.LampChanged{}
		}
		ts.lamps[e.Agent] = e
		for i := range ts.all {
			if x := &ts.all[i]; x.Agent == e.Agent && !x.Over {
				was := *x
				if ts.light(x); *x != was {
					t, changed = *x, true
				}
			}
		}
	}
	return t, changed
}

// Restart forgets what was followed but for the ways that are over: after a gap what holds is told anew.
func (ts *Trails) Restart() { ts.lamps = nil }

func (ts *Trails) call(e tel.CallChanged) (Trail, bool) {
	i := slices.IndexFunc(ts.all, func(t Trail) bool { return t.Call == e.Call })
	if i < 0 {
		if e.Stage == tel.StageEnded {
			return Trail{}, false
		}
		if len(ts.all) == mostTrails {
			ts.all = slices.Delete(ts.all, 0, 1)
		}
		ts.all = append(ts.all, Trail{Call: e.Call})
		i = len(ts.all) - 1
	}
	t := &ts.all[i]
	was := *t
	t.From, t.Over = e.From, e.Stage == tel.StageEnded
	if e.Via != "" {
		t.Via = e.Via
	}
	if e.Queue != "" {
		t.Queue, t.Joined = e.Queue, true
	}
	if e.Stage == tel.StageTalking && e.Agent != "" && t.Joined {
		t.Agent, t.Rang, t.Answered = e.Agent, true, true
	}
	ts.light(t)
	return *t, *t != was
}

func (ts *Trails) change(call tel.CallID, do func(*Trail)) (Trail, bool) {
	for i := range ts.all {
		if t := &ts.all[i]; t.Call == call {
			was := *t
			do(t)
			return *t, *t != was
		}
	}
	return Trail{}, false
}

// light follows the lamp of the agent to whom the call came.
func (ts *Trails) light(t *Trail) {
	l, ok := ts.lamps[t.Agent]
	if t.Agent == "" || !ok || t.Over {
		return
	}
	t.HasLamp, t.Fault = true, l.Fault
	switch {
	case l.Fault:
	case l.State == tel.AgentRinging:
		t.LampRang = true
	case l.State == tel.AgentTalking && t.Answered:
		t.LampRang, t.Lit = true, true
	}
}
