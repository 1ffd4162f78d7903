package call

import (
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr/spoken"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// callbackRing is how long the phone of a customer rings who is called back.
const callbackRing = 45 * time.Second

// callbackTo begins the destination of a call to a customer; the queue's id and the number follow,
// parted by a slash. The configuration decides whether and how the number is called.
const callbackTo = "callback:"

// Customer is who is called back by this call. The agent is rung first, as the caller of the call, and
// then calls the customer.
type Customer struct {
	ID      tel.CallbackID `json:"id"`
	Number  tel.Number     `json:"number"`
	Name    string         `json:"name,omitempty"`
	Reached bool           `json:"reached,omitempty"`
	Dialed  bool           `json:"dialed,omitempty"` // the agent has heard who it is
	Left    bool           `json:"left,omitempty"`   // the agent hung up before the customer answered
	Cause   tel.Cause      `json:"cause,omitempty"`  // why the customer was not reached
}

// The effects of callbacks and whispers.
type (
	// DoWhisper tells an agent who waits, in the language of the box.
	DoWhisper struct {
		Leg      tel.LegID
		Prompt   string
		Callback bool
		Wait     bool // Waited is said
		Waited   time.Duration
	}
	// DoForget ends the call without a record: nobody has spoken and nobody was called outside.
	DoForget struct{}
)

func (DoWhisper) effect() {}
func (DoForget) effect()  {}

// words are the prompts of a whisper.
func (e DoWhisper) words(lang string) []string {
	var say []string
	switch number, isNumber := strings.CutPrefix(e.Prompt, digitsOf); {
	case isNumber:
		say = spoken.Digits(tel.Number(number))
	case e.Prompt != "":
		say = []string{e.Prompt}
	}
	if e.Callback {
		say = append(say, "whisper_callback")
	}
	if e.Wait {
		say = append(say, spoken.Waited(lang, e.Waited)...)
	}
	return say
}

// digitsOf begins the prompt of a queue without a recorded name: its number is said.
const digitsOf = "digits:"

// callCustomer begins a call to a customer with the first agent who is offered it.
func (x *Exchange) callCustomer(o tel.Offer) bool {
	plan := x.cfg.Plan()
	s := State{
		Call: o.Call, Direction: tel.Outbound, From: o.Callback.Number, FromName: o.Callback.Name, To: o.Callback.Number,
		Language: plan.Language(), Zone: plan.Zone(), Stage: tel.StageWaiting, Queue: o.Queue, Waiting: true,
		Started: time.Now(), Since: time.Now(),
		Callback: &Customer{ID: o.Callback.ID, Number: o.Callback.Number, Name: o.Callback.Name},
	}
	a := newActor(x, plan, s)
	if err := x.add(a); err != nil {
		x.cfg.Log.Warn("a customer is not called back", "err", err)
		return false
	}
	a.tell(o)
	x.begin(a)
	return true
}

// agentForCallback makes the agent who has picked up the caller of the customer.
func (st *step) agentForCallback(agent LegState, g int) {
	s := st.s
	group := s.Groups[g]
	st.othersLose(agent.ID)
	s.Groups = nil
	agent.Up, agent.Offer = true, group.Offer
	if agent.Agent == "" {
		agent.Agent = group.Agent
	}
	s.Caller, s.In, s.From, s.FromName, s.Agent, s.Waiting = agent, agent.Party, agent.Number, agent.Name, agent.Agent, false
	st.stage(tel.StageGreeting)
	st.tell(tel.OfferAccepted{Offer: group.Offer})
	st.do(DoWhisper{
		Leg: agent.ID, Prompt: group.Whisper.Prompt, Callback: true, Wait: !group.Whisper.Since.IsZero(), Waited: waited(group.Whisper.Since, st.now),
	})
}

// callCustomer dials the number, if the configuration lets it be dialled.
func (st *step) callCustomer() {
	s := st.s
	s.Callback.Dialed = true
	st.stage(tel.StageRouting)
	st.do(DoResolve{To: s.callbackTo()})
}

func (s *State) callbackTo() string {
	return callbackTo + string(s.Queue) + "/" + string(s.Callback.Number)
}

// calling says that a customer is to be reached by this call and was not yet.
func (s *State) calling() bool { return s.Callback != nil && !s.Callback.Reached }

// reached is the customer's answer.
func (st *step) reached() {
	s := st.s
	s.Callback.Reached = true
	s.Agent = s.Caller.Agent
	st.answered(&s.Caller)
}

// missed tells the queue why an agent has no customer on the line.
func (st *step) missed(l *LegState) {
	switch c := st.s.Callback; {
	case c.Cause != tel.CauseNone:
		st.tell(tel.CallbackMissed{Offer: l.Offer, Cause: c.Cause})
	case c.Left:
		st.tell(tel.OfferFailed{Offer: l.Offer, Cause: tel.CauseRejected})
	default:
		st.tell(tel.OfferFailed{Offer: l.Offer, Cause: tel.CauseCancelled})
	}
}
