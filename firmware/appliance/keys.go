package appliance

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/sip/presence"
	"github.com/pronto-pbx/pronto/firmware/sip/presence/document"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// keys follows the calls of each extension by the events that everybody sees, for the busy keys of
// the phones. It knows who calls whom and not yet the SIP dialogs behind it, so a key shows a call
// and cannot pick it up by its dialog.
type keys struct {
	mu     sync.Mutex // guards all below, and keeps what is told in the order of the events
	calls  map[tel.CallID]*keyCall
	active map[string]map[tel.CallID]bool // extension -> calls that it is part of
}

// keyCall is one call with the agents who ring for it.
type keyCall struct {
	id    tel.CallID
	now   tel.CallChanged // zero until the call has told of itself
	rings map[tel.AgentID]bool
}

// apply follows an event and tells every extension whose calls have changed.
func (k *keys) apply(n *numbering, e tel.Event, tell func(extension string, list []presence.Dialog)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var id tel.CallID
	switch e := e.(type) {
	case tel.CallChanged:
		id = e.Call
		if c := k.call(id); e.Stage == tel.StageEnded {
			delete(k.calls, id)
		} else {
			c.now = e
			if e.Stage == tel.StageTalking {
				clear(c.rings)
			}
		}
	case tel.QueueOffered:
		id = e.Call
		k.call(id).rings[e.Agent] = true
	case tel.QueueOfferEnded:
		id = e.Call
		delete(k.call(id).rings, e.Agent)
	case tel.QueueLeft:
		id = e.Call
		for a := range k.call(id).rings {
			if a != e.Agent { // who has answered rings until the call says that they talk
				delete(k.calls[id].rings, a)
			}
		}
	default:
		return
	}
	if c := k.calls[id]; c != nil && c.now.Call == "" && len(c.rings) == 0 {
		delete(k.calls, id) // a queue event of a call that has ended
	}
	k.tell(n, id, tell)
}

func (k *keys) call(id tel.CallID) *keyCall {
	if k.calls == nil {
		k.calls, k.active = map[tel.CallID]*keyCall{}, map[string]map[tel.CallID]bool{}
	}
	c := k.calls[id]
	if c == nil {
		c = &keyCall{id: id, rings: map[tel.AgentID]bool{}}
		k.calls[id] = c
	}
	return c
}

// tell works out anew every extension that is, or was, part of the call.
func (k *keys) tell(n *numbering, id tel.CallID, tell func(string, []presence.Dialog)) {
	affected := map[string]bool{}
	for ext, calls := range k.active {
		if calls[id] {
			affected[ext] = true
			delete(calls, id)
		}
	}
	if c := k.calls[id]; c != nil {
		for ext := range c.parts(n) {
			affected[ext] = true
			if k.active[ext] == nil {
				k.active[ext] = map[tel.CallID]bool{}
			}
			k.active[ext][id] = true
		}
	}
	for ext := range affected {
		var list []presence.Dialog
		for id := range k.active[ext] {
			if c := k.calls[id]; c != nil {
				if d, ok := c.parts(n)[ext]; ok {
					list = append(list, d)
				}
			}
		}
		slices.SortFunc(list, func(a, b presence.Dialog) int { return cmp.Compare(a.ID, b.ID) })
		tell(ext, list)
		if len(k.active[ext]) == 0 {
			delete(k.active, ext)
		}
	}
}

// parts are the extensions of a call with what each sees of it.
func (c *keyCall) parts(n *numbering) map[string]presence.Dialog {
	all := map[string]presence.Dialog{}
	e := c.now
	callee := n.agents[e.Agent].Extension
	if callee == "" && e.Queue == "" && e.Direction != tel.Outbound {
		if slices.ContainsFunc(n.plan.Extensions, func(x dialplan.Extension) bool { return x.Number == e.To }) {
			callee = e.To
		}
	}
	if callee != "" && (e.Stage == tel.StageRinging || e.Stage == tel.StageTalking) {
		all[string(callee)] = c.dialog(n, document.Recipient, calleeState(e.Stage), e.From)
	}
	for a := range c.rings {
		if ext := n.agents[a].Extension; ext != "" && ext != callee {
			all[string(ext)] = c.dialog(n, document.Recipient, document.Early, e.From)
		}
	}
	if device, ok := strings.CutPrefix(e.Via, "phone:"); ok {
		if ext := n.owners[tel.DeviceID(device)].Extension; ext != "" {
			remote := e.To
			if callee != "" {
				remote = callee
			}
			all[string(ext)] = c.dialog(n, document.Initiator, callerState(e), remote)
		}
	}
	return all
}

func (c *keyCall) dialog(n *numbering, d document.Direction, s document.DialogState, remote tel.Number) presence.Dialog {
	return presence.Dialog{ID: string(c.id), Direction: d, State: s, RemoteNumber: remote, RemoteName: n.nameOf(string(remote))}
}

func calleeState(s tel.CallStage) document.DialogState {
	if s == tel.StageTalking {
		return document.Confirmed
	}
	return document.Early
}

// callerState: a queue answers its callers, an extension only rings.
func callerState(e tel.CallChanged) document.DialogState {
	switch {
	case e.Stage == tel.StageRouting:
		return document.Trying
	case e.Stage == tel.StageRinging && e.Queue == "":
		return document.Early
	}
	return document.Confirmed
}
