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

// keys follows the legs of every phone, and the parked calls, for the busy keys of the phones.
type keys struct {
	mu      sync.Mutex // guards all below, and keeps what is told in the order of the events
	parties map[tel.LegID]tel.PartyChanged
	shown   map[tel.LegID]string // the extension under which a leg was told
	slots   map[tel.CallID]tel.Number
}

// tags names the SIP dialog of a leg, so that who watches can take what rings (RFC 3891); empty for a
// leg without one. The number that is watched lives at this box, so the local tag is ours: a phone
// copies it into the to-tag of its Replaces.
type tags func(ref string) (callID, local, remote string)

// party follows one leg and tells the extension whose phone it is on.
func (k *keys) party(n *numbering, e tel.PartyChanged, of tags, tell func(resource string, list []presence.Dialog)) {
	device, isPhone := strings.CutPrefix(e.Party, "phone:")
	if !isPhone {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.parties == nil {
		k.parties, k.shown = map[tel.LegID]tel.PartyChanged{}, map[tel.LegID]string{}
	}
	_, number, _ := n.AgentAt(tel.DeviceID(device))
	extension := string(number)
	if was := k.shown[e.Leg]; was != "" {
		extension = was // a seat that is taken in mid-call does not move the call
	}
	if e.Phase == tel.PartyGone {
		delete(k.parties, e.Leg)
		delete(k.shown, e.Leg)
	} else if extension != "" {
		k.parties[e.Leg], k.shown[e.Leg] = e, extension
	}
	if extension != "" {
		tell(extension, k.dialogs(n, extension, of))
	}
}

// dialogs are the calls of an extension. It is called with mu held.
func (k *keys) dialogs(n *numbering, extension string, of tags) []presence.Dialog {
	var list []presence.Dialog
	for leg, e := range k.parties {
		if k.shown[leg] != extension {
			continue
		}
		d := presence.Dialog{ID: string(e.Leg), Direction: document.Recipient, State: document.Confirmed, RemoteNumber: e.Remote, RemoteName: e.RemoteName}
		if d.RemoteName == "" {
			d.RemoteName = n.nameOf(string(e.Remote))
		}
		if e.Initiator {
			d.Direction = document.Initiator
		}
		if e.Phase == tel.PartyDialing || e.Phase == tel.PartyRinging {
			d.State = document.Early
		}
		d.CallID, d.LocalTag, d.RemoteTag = of(e.Ref)
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b presence.Dialog) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// parked shows a place for parked calls as busy with who waits there, or free.
func (k *keys) parked(n *numbering, e tel.CallChanged, tell func(resource string, list []presence.Dialog)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if was := k.slots[e.Call]; was != "" && was != e.Slot {
		delete(k.slots, e.Call)
		tell(string(was), nil)
	}
	if e.Slot == "" || e.Stage == tel.StageEnded {
		return
	}
	if k.slots == nil {
		k.slots = map[tel.CallID]tel.Number{}
	}
	k.slots[e.Call] = e.Slot
	tell(string(e.Slot), []presence.Dialog{{
		ID: string(e.Call), Direction: document.Recipient, State: document.Confirmed, RemoteNumber: e.From, RemoteName: n.nameOf(string(e.From)),
	}})
}

// showSettings lights the keys of the codes that a person has set, and of forced opening hours.
func (b *Box) showSettings(agent tel.AgentID) {
	n := b.numbering.Load()
	p := n.now()
	var phone tel.DeviceID
	if phones := n.Devices(agent); len(phones) > 0 {
		phone = phones[0]
	}
	for _, c := range p.FeatureCodes() {
		switch w := p.Watched(phone, c.Code); w.Kind {
		case dialplan.WatchDND, dialplan.WatchForward:
			if w.Agent == agent && agent != "" {
				b.presence.SetLamp(personalKey(c.Code, agent), w.On, false)
			}
		case dialplan.WatchHours:
			b.presence.SetLamp(string(c.Code), w.On, false)
		}
	}
}
