package page

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Caller is the page of one waiting caller: why who rings or does not, and what a supervisor can decide.
type Caller struct {
	Reader    Reader
	Box       string
	Said      Said
	Call      tel.CallID
	Queue     tel.QueueID
	QueueName string
	Number    tel.Number
	Name      string
	Since     time.Time  // first enqueue time
	Place, Of int        // in order of service, from 1
	Due       time.Time  // when the caller should have an agent
	From, To  int        // minutes that the wait will probably still last; both 0: not known, To 0: From or more
	Needs     []tel.Need // asked for by now
	Last      string     // name of who served the caller last, where that counts
	Offer     *Offer     // the last one; nil: none, or none that is remembered
	Verdicts  []Verdict
	Queues    []Choice // where the caller can be moved
	People    []Person // who can be made to ring
}

// Verdict is why one agent does or does not ring for a caller.
type Verdict struct {
	Person
	Says  Said
	Note  string    // reason of a pause
	Until time.Time // when time alone changes it; zero: it does not
}

// Choice is one thing that can be chosen from a list.
type Choice struct {
	ID   string
	Name string
}

// Agent is the page of one agent, for a supervisor.
type Agent struct {
	Reader  Reader
	Box     string
	Said    Said
	ID      tel.AgentID
	May     bool // the reader supervises a queue of the agent's
	Talks   bool // somebody may take part in the agent's conversation now
	Desk    Desk
	Others  []DeskQueue // of which the agent is no member
	Skills  []Skill     // what the agent can now
	Known   []string    // skills that the configuration names
	Waiting []Caller    // who can be picked for the agent, in order of queue and service
}

// Skill is what an agent can, and how well: 1 to 10.
type Skill struct {
	Name  string
	Level int
}

// Limit leaves of the page what a supervisor of some queues may do and see of others' callers.
func (a *Agent) Limit(may func(tel.QueueID) bool) {
	a.May = false
	for _, q := range a.Desk.Queues {
		a.May = a.May || may(q.ID)
	}
	for i := range a.Desk.Queues {
		a.Desk.Queues[i].Locked = !may(a.Desk.Queues[i].ID)
	}
	var others []DeskQueue
	for _, q := range a.Others {
		if may(q.ID) {
			others = append(others, q)
		}
	}
	var waiting []Caller
	for _, c := range a.Waiting {
		if a.May && may(c.Queue) {
			waiting = append(waiting, c)
		}
	}
	a.Others, a.Waiting = others, waiting
}

// Caller renders the page of a waiting caller.
func (r *Renderer) Caller(c Caller, now time.Time) ([]byte, error) {
	return r.shell("caller.html", "floor.caller", c.Box, c.Reader, c, now)
}

// Agent renders the page of an agent.
func (r *Renderer) Agent(a Agent, now time.Time) ([]byte, error) {
	return r.shell("agent.html", "floor.agent", a.Box, a.Reader, a, now)
}
