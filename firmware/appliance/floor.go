package appliance

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd"
	"github.com/pronto-pbx/pronto/firmware/acd/ledger"
	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/conference/chair"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/view"
	"github.com/pronto-pbx/pronto/ui/web"
)

// offered remembers for each waiting caller whom the queues rang last, and why. It is lost in a restart,
// as the log has it.
type offered struct {
	mu   sync.Mutex
	last map[tel.CallID]tel.QueueOffered // guarded by mu
}

// note follows the queues. Of several agents who ring at once the first has the reason.
func (o *offered) note(e tel.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch e := e.(type) {
	case tel.QueueOffered:
		if e.Why.Merit != tel.MeritRingsAlong {
			if o.last == nil {
				o.last = map[tel.CallID]tel.QueueOffered{}
			}
			o.last[e.Call] = e
		}
	case tel.QueueLeft:
		delete(o.last, e.Call)
	case tel.CallbackChanged:
		if e.State == tel.CallbackEnded {
			delete(o.last, e.Call)
		}
	}
}

func (o *offered) of(call tel.CallID) (tel.QueueOffered, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e, ok := o.last[call]
	return e, ok
}

// floor is a picture of queues and agents with the names that pages show.
type floor struct {
	acd.View
	names  map[tel.AgentID]string
	queues map[tel.QueueID]string
}

func (b *Box) floor(ctx context.Context) (floor, error) {
	v, err := b.queues.Snapshot(ctx)
	if err != nil {
		return floor{}, err
	}
	f := floor{View: v, names: map[tel.AgentID]string{}, queues: map[tel.QueueID]string{}}
	for _, a := range v.Agents {
		f.names[a.ID] = cmp.Or(a.Name, string(a.ID))
	}
	for _, q := range v.Queues {
		f.queues[q.ID] = cmp.Or(q.Name, string(q.ID))
	}
	return f, nil
}

// callers are those who wait in the queues, in order of queue and service, with what is expected of their waits.
func (f floor) callers(expected func(tel.CallID) (tel.WaitExpected, bool)) (all []page.Caller) {
	for _, q := range f.Queues {
		for i, c := range q.Waiting {
			left, _ := expected(c.Call)
			all = append(all, page.Caller{
				Call: c.Call, Queue: q.ID, QueueName: f.queues[q.ID], Number: c.Caller, Name: c.Name, Since: c.Since,
				Place: i + 1, Of: len(q.Waiting), Due: c.Due, From: left.From, To: left.To, Needs: c.Needs, Last: f.names[c.Last],
			})
		}
	}
	return all
}

// supervisable lists the queues to which a supervisor can be limited.
func (b *Box) supervisable() (all []page.Choice) {
	for _, q := range b.config().Queues {
		all = append(all, page.Choice{ID: string(q.ID), Name: cmp.Or(q.Name, string(q.ID))})
	}
	return all
}

// waitingCaller is the page of a waiting caller; nil of a call that does not wait.
func (b *Box) waitingCaller(ctx context.Context, call tel.CallID) (*page.Caller, error) {
	f, err := b.floor(ctx)
	if err != nil {
		return nil, err
	}
	all := f.callers(b.present.expected)
	i := slices.IndexFunc(all, func(c page.Caller) bool { return c.Call == call })
	if i < 0 {
		return nil, nil
	}
	c := all[i]
	why, err := b.queues.Explain(ctx, call)
	if err != nil {
		return nil, err
	}
	for _, x := range why {
		c.Verdicts = append(c.Verdicts, f.verdict(x))
	}
	if o, ok := b.offered.of(call); ok {
		c.Offer = f.offer(o, b.location())
	}
	for _, q := range f.Queues {
		if q.ID != c.Queue {
			c.Queues = append(c.Queues, page.Choice{ID: string(q.ID), Name: f.queues[q.ID]})
		}
	}
	for _, a := range f.Agents {
		if a.State != tel.AgentLoggedOut {
			c.People = append(c.People, page.Person{ID: a.ID, Name: f.names[a.ID]})
		}
	}
	return &c, nil
}

// agentPage is the page of an agent for a supervisor; nil of who is none.
func (b *Box) agentPage(ctx context.Context, id tel.AgentID) (*page.Agent, error) {
	f, err := b.floor(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(f.Agents, func(a acd.AgentView) bool { return a.ID == id })
	if i < 0 {
		return nil, nil
	}
	a := f.Agents[i]
	p := &page.Agent{ID: id, Waiting: f.callers(b.present.expected), Known: skillsOf(b.config()), Desk: page.Desk{
		Name: f.names[id], State: a.State, Since: a.Since, Reason: a.Reason, By: a.By, Help: a.Help,
		Tape: b.tapeOf(id, view.Talks(a.State)),
	}}
	for _, r := range b.config().Pauses.Reasons {
		p.Desk.Reasons = append(p.Desk.Reasons, r.Name)
	}
	for _, q := range f.Queues {
		own := page.DeskQueue{ID: q.ID, Name: f.queues[q.ID], Serving: slices.Contains(a.Queues, q.ID)}
		if own.Serving || slices.Contains(a.Out, q.ID) {
			p.Desk.Queues = append(p.Desk.Queues, own)
		} else {
			p.Others = append(p.Others, own)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Skills)) {
		p.Skills = append(p.Skills, page.Skill{Name: name, Level: a.Skills[name]})
	}
	return p, nil
}

// skillsOf names every skill of the configuration, whether people have it or callers need it.
func skillsOf(c *config.Config) []string {
	all := map[string]bool{}
	for _, a := range c.Agents {
		for name := range a.Skills {
			all[name] = true
		}
	}
	for _, q := range c.Queues {
		needs := q.Distribution.Always()
		for lang := range q.Distribution.Languages {
			needs = append(needs, q.Distribution.NeedsOf(lang)...)
		}
		for _, n := range needs {
			all[n.Skill] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// orderFromPage carries out what a supervisor has decided on the page and writes down who decided what
// about whom. It returns the sentence that says why not.
func (b *Box) orderFromPage(ctx context.Context, o web.Order) (sentence string, err error) {
	deed, whom, err := b.carryOut(ctx, o)
	if err != nil {
		return refusedOrder(err)
	}
	b.noteAccess(access.Note{At: time.Now(), What: deed, User: o.By, Whom: whom, From: o.From})
	return "", nil
}

func (b *Box) carryOut(ctx context.Context, o web.Order) (deed access.Deed, whom string, err error) {
	agent, call := string(o.Agent), string(o.Call)
	if wish, ok := tapeWish(o.Do); ok {
		return access.DeedRecordingOrdered, agent + " " + string(wish), b.tapeOrder(o.Agent, wish)
	}
	switch o.Do {
	case "drop":
		return access.DeedCallbackDropped, string(o.Callback), b.queues.DropCallback(ctx, o.Callback)
	case "dismiss":
		return access.DeedDismissed, o.With, b.ledger.Dismiss(ctx, tel.Number(o.With))
	case "conference":
		return b.leadConference(ctx, o)
	case "move":
		return access.DeedMoved, call + " " + o.With, b.queues.Move(ctx, o.Call, tel.QueueID(o.With), o.By)
	case "assign":
		return access.DeedAssigned, call + " " + agent, b.force(ctx, o.By, o.Agent, "assign", call)
	case string(dialplan.Pause):
		if o.With != "" && !slices.ContainsFunc(b.config().Pauses.Reasons, func(r config.PauseReason) bool { return r.Name == o.With }) {
			return "", "", errReason
		}
		return access.DeedPaused, agent, b.force(ctx, o.By, o.Agent, o.Do, o.With)
	case string(dialplan.Logout):
		return access.DeedLoggedOut, agent, b.force(ctx, o.By, o.Agent, o.Do, "")
	case "add":
		return access.DeedPutIn, agent + " " + o.With, b.force(ctx, o.By, o.Agent, o.Do, o.With)
	case "remove":
		return access.DeedTakenOut, agent + " " + o.With, b.force(ctx, o.By, o.Agent, o.Do, o.With)
	case "skill":
		return access.DeedSkill, agent + " " + o.With, b.setSkill(ctx, o)
	default:
		return "", "", errCommand
	}
}

// setSkill changes one skill of an agent and leaves the others; level 0 takes it away.
func (b *Box) setSkill(ctx context.Context, o web.Order) error {
	v, err := b.queues.Snapshot(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(v.Agents, func(a acd.AgentView) bool { return a.ID == o.Agent })
	if i < 0 {
		return plan.ErrUnknownAgent
	}
	skills := map[string]int{}
	maps.Copy(skills, v.Agents[i].Skills)
	if skills[o.With] = o.Level; o.Level == 0 {
		delete(skills, o.With)
	}
	return b.queues.SetSkills(ctx, o.Agent, skills, o.By)
}

// refusedOrder is the sentence for a refusal of the queues; what is none is an error.
func refusedOrder(err error) (sentence string, fault error) {
	for _, x := range []struct {
		err      error
		sentence string
	}{
		{plan.ErrNoCaller, "floor.gone"},
		{plan.ErrUnknownCallback, "callbacks.gone"},
		{ledger.ErrUnknown, "missed.gone"},
		{chair.ErrNoRoom, "conferences.gone"},
		{chair.ErrNoMember, "conferences.left"},
		{chair.ErrNoTape, "conferences.unrecorded"},
		{plan.ErrUnknownAgent, "floor.no_agent"},
		{plan.ErrUnknownQueue, "floor.no_queue"},
		{plan.ErrSameQueue, "floor.same_queue"},
		{plan.ErrLoggedOut, "floor.logged_out"},
		{plan.ErrUnreachable, "floor.unreachable"},
		{plan.ErrBusy, "floor.busy"},
		{plan.ErrNotMember, "floor.not_member"},
		{plan.ErrConfig, "form.unread"},
		{errReason, "form.unread"},
		{errCommand, "form.unread"},
		{errNoTape, "tape.none"},
	} {
		if errors.Is(err, x.err) {
			return x.sentence, nil
		}
	}
	return "", err
}
