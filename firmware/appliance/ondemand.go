package appliance

import (
	"errors"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// errNoTape is returned for a wish about the recording of who is in no conversation.
var errNoTape = errors.New("nobody talks there now")

// tapeWish is what a button of the page wants of a recording; ok is false for another button.
func tapeWish(do string) (what call.TapeWish, ok bool) {
	what, ok = map[string]call.TapeWish{
		"record": call.TapeStart, "record_stop": call.TapeStop, "record_pause": call.TapePause, "record_resume": call.TapeResume,
	}[do]
	return what, ok
}

// tapeOrder carries out what somebody wants of the recording of an agent's conversation. The agent hears what came of
// it, as with the keys of a phone.
func (b *Box) tapeOrder(agent tel.AgentID, what call.TapeWish) error {
	if err := b.calls.Tape(agent, what); err != nil {
		return errNoTape
	}
	return nil
}

// tapeOf is how it stands with the recording of what an agent talks now; talks is whether there is a conversation.
func (b *Box) tapeOf(agent tel.AgentID, talks bool) page.Tape {
	if on, paused, ends := b.taping.stands(agent); on {
		return page.Tape{On: true, Paused: paused, Ends: ends}
	}
	asked := slices.ContainsFunc(b.config().Recording.Rules, func(r config.RecordingRule) bool {
		return r.Record == config.RecordDemand && len(r.Conferences) == 0 && (len(r.Agents) == 0 || slices.Contains(r.Agents, agent))
	})
	return page.Tape{Offer: talks && asked && b.taping.archive != nil}
}

// stands tells of the part that is recorded of an agent now.
func (t *taping) stands(agent tel.AgentID) (on, paused, ends bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.running {
		if slices.Contains(r.agents, agent) && !r.over {
			on, paused, ends = true, r.paused, ends || r.demanded
			if !r.held {
				return on, paused, r.demanded // of several conversations the one that is talked
			}
		}
	}
	return on, paused, ends
}

// noted notes a pause or an end of a part that runs.
func (t *taping) noted(id string, note func(*running)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.running[id]; r != nil {
		note(r)
	}
}
