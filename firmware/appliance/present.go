package appliance

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// present remembers the last event of everything that exists, so that an observer who comes late or
// lost its place starts from what holds now.
type present struct {
	mu    sync.Mutex // guards all below
	last  map[string]tel.Event
	order map[string]uint64
	n     uint64
	zone  *time.Location
	day   cdr.Figures
}

func newPresent(zone *time.Location) *present {
	return &present{last: map[string]tel.Event{}, order: map[string]uint64{}, zone: zone, day: cdr.Today(time.Now().In(zone))}
}

// apply remembers an event and returns the day's figures when they changed by it.
func (p *present) apply(e tel.Event) (tel.FiguresChanged, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := e.(type) {
	case tel.AgentChanged:
		p.put("agent/"+string(e.Agent), e)
	case tel.MembershipChanged:
		key := "out/" + string(e.Queue) + "/" + string(e.Agent)
		if e.Serving {
			p.drop(key)
		} else {
			p.put(key, e)
		}
	case tel.QueueJoined:
		p.put("wait/"+string(e.Call), e)
	case tel.WaitExpected:
		if _, waits := p.last["wait/"+string(e.Call)]; waits {
			p.put("expected/"+string(e.Call), e)
		}
	case tel.QueueOffered:
		p.put("offer/"+string(e.Offer), e)
	case tel.QueueOfferEnded:
		p.drop("offer/" + string(e.Offer))
	case tel.QueueLeft:
		p.left(e)
	case tel.CallbackChanged:
		if e.State == tel.CallbackEnded {
			p.drop("callback/" + string(e.Callback))
			p.dropOffers(e.Call)
		} else {
			p.put("callback/"+string(e.Callback), e)
		}
	case tel.MissedChanged:
		if e.Closed != "" {
			p.drop("missed/" + string(e.Number))
		} else {
			p.put("missed/"+string(e.Number), e)
		}
	case tel.CallChanged:
		if e.Stage == tel.StageEnded {
			p.drop("call/" + string(e.Call))
		} else {
			p.put("call/"+string(e.Call), e)
		}
	case tel.ConferenceChanged:
		if len(e.Members) == 0 {
			p.drop("conference/" + string(e.Conference))
		} else {
			p.put("conference/"+string(e.Conference), e)
		}
	case tel.SupervisionStarted:
		p.put("supervision/"+string(e.Call)+"/"+string(e.Leg), e)
	case tel.SupervisionEnded:
		p.drop("supervision/" + string(e.Call) + "/" + string(e.Leg))
	case tel.RTPTraceChanged:
		if e.On {
			p.put("rtp_trace", e)
		} else {
			p.drop("rtp_trace")
		}
	case tel.LineChanged:
		p.put("line/"+e.Line, e)
	case tel.DeviceChanged:
		p.put("device/"+string(e.Device), e)
	case tel.LampChanged:
		p.put("lamp/"+string(e.Lamp), e)
	case tel.HealthChanged:
		p.put("health/"+e.Condition, e)
	case tel.SMSReceived:
		p.putText(e.SMS, e)
	case tel.SMSWaits:
		p.putText(e.SMS, e)
	case tel.SMSSent:
		p.putText(e.SMS, e)
	case tel.SMSDelivered:
		p.putText(e.SMS, e)
	case tel.SMSFailed:
		p.putText(e.SMS, e)
	case tel.VoicemailChanged:
		p.put("voicemail/"+string(e.Box), e)
	}
	return p.count(e)
}

// shownTexts is how many messages an observer who comes late is told of.
const shownTexts = 12

// putText remembers the last word about a message, and forgets the oldest beyond a few.
func (p *present) putText(m tel.SMS, e tel.Event) {
	key := "sms/" + string(m.ID)
	p.drop(key) // so that it is the newest
	p.put(key, e)
	oldest, n := "", 0
	for k := range p.last {
		if strings.HasPrefix(k, "sms/") {
			if n++; oldest == "" || p.order[k] < p.order[oldest] {
				oldest = k
			}
		}
	}
	if n > shownTexts {
		p.drop(oldest)
	}
}

func (p *present) left(e tel.QueueLeft) {
	p.drop("wait/" + string(e.Call))
	p.drop("expected/" + string(e.Call))
	p.dropOffers(e.Call)
}

// dropOffers forgets what was offered for a call that left its queue.
func (p *present) dropOffers(call tel.CallID) {
	for k, x := range p.last {
		if o, ok := x.(tel.QueueOffered); ok && o.Call == call {
			p.drop(k)
		}
	}
}

// count adds finished records to the figures of the day. It is called with mu held.
func (p *present) count(e tel.Event) (tel.FiguresChanged, bool) {
	if now := time.Now().In(p.zone); !now.Before(p.day.To) {
		p.day = cdr.Today(now)
	}
	if !p.day.Add(e) {
		return tel.FiguresChanged{}, false
	}
	f := tel.FiguresChanged{
		Calls: p.day.Calls, Answered: p.day.WaitAnswered, Lost: p.day.Abandoned, SentOn: p.day.SentOn, AverageWait: p.day.AverageWait(), Hours: p.day.Hours(),
	}
	p.put("figures", f)
	return f, true
}

func (p *present) put(key string, e tel.Event) {
	if _, ok := p.order[key]; !ok {
		p.n++
		p.order[key] = p.n
	}
	p.last[key] = e
}

func (p *present) drop(key string) {
	delete(p.last, key)
	delete(p.order, key)
}

// snapshot lists what holds now, in the order in which it came to be.
func (p *present) snapshot() any {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := make([]string, 0, len(p.last))
	for k := range p.last {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Compare(p.order[a], p.order[b]) })
	events := make([]tel.Event, len(keys))
	for i, k := range keys {
		events[i] = p.last[k]
	}
	return events
}

// agent is the last word about an agent.
func (p *present) agent(id tel.AgentID) (tel.AgentChanged, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.last["agent/"+string(id)].(tel.AgentChanged)
	return e, ok
}

// expected is how long a waiting caller has probably still to wait; false of whom nothing was said.
func (p *present) expected(call tel.CallID) (tel.WaitExpected, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.last["expected/"+string(call)].(tel.WaitExpected)
	return e, ok
}

// supervised reports whether a supervisor takes part in an agent's conversation.
func (p *present) supervised(id tel.AgentID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.last {
		if s, ok := e.(tel.SupervisionStarted); ok && s.Agent == id {
			return true
		}
	}
	return false
}

// forget drops what no longer exists; the key is the one of apply.
func (p *present) forget(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(key)
}

// adopt follows a change of configuration: people and lamps that are gone are dropped, people who
// have another name are shown with it, the day ends by the box's clock. Phones that are gone tell so
// themselves before they are dropped; lines are dropped when they are closed.
func (p *present) adopt(n *numbering) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.zone = n.plan.Zone
	for key, e := range p.last {
		switch e := e.(type) {
		case tel.AgentChanged:
			a, ok := n.agents[e.Agent]
			if !ok {
				p.drop(key)
				continue
			}
			e.Name = a.Name
			p.last[key] = e
		case tel.MembershipChanged:
			if _, ok := n.agents[e.Agent]; !ok || !slices.ContainsFunc(n.cfg.Queues, func(q config.Queue) bool { return q.ID == e.Queue }) {
				p.drop(key)
			}
		case tel.DeviceChanged:
			if _, ok := n.accounts[string(e.Device)]; !ok {
				p.drop(key)
			}
		case tel.VoicemailChanged:
			if !slices.ContainsFunc(n.cfg.Voicemail.Boxes, func(m config.Mailbox) bool { return m.Number == e.Box }) {
				p.drop(key)
			}
		case tel.LampChanged:
			if !slices.ContainsFunc(n.cfg.Lamps, func(l config.Lamp) bool { return l.ID == e.Lamp }) {
				p.drop(key)
			}
		}
	}
}

// darkLamps lists the lamps that do not answer.
func (p *present) darkLamps() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.last {
		if l, ok := e.(tel.LampChanged); ok && l.Fault {
			all = append(all, string(l.Lamp))
		}
	}
	slices.Sort(all)
	return all
}

// anyLineUp reports whether an outside line works, or none is configured.
func (p *present) anyLineUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	any := false
	for _, e := range p.last {
		if l, ok := e.(tel.LineChanged); ok {
			if l.Up {
				return true
			}
			any = true
		}
	}
	return !any
}

// document is the snapshot as JSON for prontoctl and for tests: kind and event of everything that
// holds.
func (p *present) document() ([]byte, error) {
	return control.EncodePresent(p.snapshot().([]tel.Event))
}
