package appliance

import (
	"encoding/json"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/sip/presence"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func (b *Box) openPresence() {
	now := b.numbering.Load
	b.presence = presence.New(presence.Config{
		Log: b.log.With("room", "presence"), Stack: b.stack, Phones: b.registrar, Journal: b.hot,
		Watch:       func(w tel.DeviceID, p presence.Package, user string) (string, int) { return now().watch(w, p, user) },
		Name:        func(resource string) string { return now().nameOf(resource) },
		Send:        func(from tel.DeviceID, user string) (presence.Recipient, int) { return now().recipient(from, user) },
		Unsolicited: func() bool { return now().cfg.Presence.UnsolicitedMWI },
		Mailbox:     func(d tel.DeviceID) string { return string(now().extensionAt(d)) },
		Owners:      func(resource string) []tel.DeviceID { return now().phonesOf(resource) },
		Quality:     b.qualityReported,
		Call:        b.click,
	})
}

// watch decides what a phone sees that asks for a number (presence.Config.Watch): its own
// registrations and messages, and the lines and the presence of everybody.
func (n *numbering) watch(watcher tel.DeviceID, p presence.Package, user string) (resource string, status int) {
	if _, ok := n.accounts[string(watcher)]; !ok {
		return "", 403
	}
	own := string(n.extensionAt(watcher))
	switch p {
	case presence.Registrations:
		if user == string(watcher) || user == own {
			return string(watcher), 0
		}
		return "", 403
	case presence.Messages:
		switch {
		case own == "":
			return "", 404 // a phone of nobody has no mailbox
		case user == string(watcher) || user == own:
			return own, 0
		}
		return "", 403
	}
	resource, personal := n.watchable(watcher, user)
	switch {
	case resource == "", p == presence.Presences && n.phonesOf(resource) == nil:
		return "", 404
	case resource != own && !personal && len(n.cfg.Presence.Watchers) > 0 && !slices.Contains(n.cfg.Presence.Watchers, watcher):
		return "", 403
	}
	return resource, 0
}

// watchable finds what a key can be set to: an extension, by its number or one of its phones, a
// queue, or a code; empty for anything else. The codes by which an agent logs in or pauses are
// personal: each watcher sees a resource of its own.
func (n *numbering) watchable(watcher tel.DeviceID, user string) (resource string, personal bool) {
	if x := n.extensionAt(tel.DeviceID(user)); x != "" {
		return string(x), false
	}
	p := n.now()
	agent, _, _ := n.AgentAt(watcher)
	switch w := p.Watched(watcher, tel.Number(user)); w.Kind {
	case dialplan.WatchExtension, dialplan.WatchSlot:
		return string(w.Number), false
	case dialplan.WatchDND, dialplan.WatchForward, dialplan.WatchOut:
		return personalKey(tel.Number(user), w.Agent), true
	case dialplan.WatchHours:
		return user, false
	}
	for _, q := range p.Queues {
		if string(q.Number) == user {
			return user, false
		}
	}
	for _, f := range p.FeatureCodes() {
		switch {
		case string(f.Code) != user:
		case !lampOf(f.Action):
			return user, false
		case agent != "":
			return personalKey(f.Code, agent), true
		}
	}
	return "", false
}

// extensionAt is the number of who uses a phone.
func (n *numbering) extensionAt(d tel.DeviceID) tel.Number {
	_, number, _ := n.AgentAt(d)
	return number
}

// lampOf reports whether a code's key shows the state of the agent who looks at it.
func lampOf(a dialplan.Action) bool {
	switch a {
	case dialplan.Login, dialplan.Logout, dialplan.Pause, dialplan.Resume, dialplan.FinishWrapUp, dialplan.Help:
		return true
	}
	return false
}

// personalKey is the resource of an agent's own key for a code.
func personalKey(code tel.Number, a tel.AgentID) string { return string(code) + "@" + string(a) }

func (n *numbering) nameOf(resource string) string {
	for _, e := range n.plan.Extensions {
		if string(e.Number) == resource {
			return e.Name
		}
	}
	for _, q := range n.cfg.Queues {
		if string(q.Number) == resource {
			return q.Name
		}
	}
	return ""
}

func (n *numbering) phonesOf(resource string) []tel.DeviceID { return n.Phones(tel.Number(resource)) }

// recipient finds the phones of an internal number for a text message; nothing leaves the house.
func (n *numbering) recipient(from tel.DeviceID, user string) (presence.Recipient, int) {
	if !n.cfg.Presence.Messages {
		return presence.Recipient{}, 403
	}
	to := presence.Recipient{Devices: n.phonesOf(user), FromNumber: tel.Number(from)}
	if _, ok := n.accounts[user]; ok && to.Devices == nil {
		to.Devices = []tel.DeviceID{tel.DeviceID(user)}
	}
	if to.Devices == nil {
		if n.nameOf(user) == "" {
			return to, 404
		}
		return to, 480 // a person without a phone, or a queue
	}
	if _, number, name := n.AgentAt(from); number != "" {
		to.FromNumber, to.FromName = number, name
	}
	return to, 0
}

// showPresence tells the phones that watch what an event means for them.
func (b *Box) showPresence(e tel.Event) {
	n := b.numbering.Load()
	switch e := e.(type) {
	case tel.AgentChanged:
		b.showAgent(e.Agent)
	case tel.MembershipChanged:
		b.showMembership(e)
	case tel.DeviceChanged:
		b.presence.Registered(e.Device, e.Reachable)
		agent, _, _ := n.AgentAt(e.Device)
		b.showAgent(agent)
	case tel.PartyChanged:
		b.keys.party(n, e, b.office.Dialog, b.presence.SetDialogs)
	case tel.CallChanged:
		b.keys.parked(n, e, b.presence.SetDialogs)
	case tel.VoicemailChanged:
		b.presence.SetMessages(string(e.Box), e.New, e.Old, 0, 0)
	case tel.PersonalChanged:
		b.showSettings(e.Agent)
	case tel.HoursForced:
		b.showSettings("")
	}
}

// showAgent shows a person's state, and the lamps of that person's own keys. Events of queues and
// phones come side by side; each shows what holds now, so the last one is right.
func (b *Box) showAgent(id tel.AgentID) {
	b.people.Lock()
	defer b.people.Unlock()
	n := b.numbering.Load()
	a, known := n.agents[id]
	e, told := b.present.agent(id)
	if !known || !told {
		return
	}
	if e.State == tel.AgentLoggedOut && !n.serves(e.Agent) {
		// Who serves no queue never logs in, and can be called as long as a phone rings.
		e.State = tel.AgentUnreachable
		if reachable(b, n.Devices(id)) {
			e.State = tel.AgentReady
		}
	}
	b.presence.SetPresence(string(a.Extension), presenceOf(e, n.cfg.Box.Language))
	for _, f := range n.plan.FeatureCodes() {
		on := false
		switch f.Action {
		case dialplan.Login:
			on = n.serves(e.Agent) && e.State != tel.AgentLoggedOut
		case dialplan.Pause:
			on = e.State == tel.AgentPaused
		case dialplan.FinishWrapUp:
			on = e.State == tel.AgentWrapUp
		case dialplan.Help:
			on = e.Help
		}
		if lampOf(f.Action) {
			b.presence.SetLamp(personalKey(f.Code, e.Agent), on, false)
		}
	}
}

// showMembership lights the agent's own key by which a queue is left, while it is left.
func (b *Box) showMembership(e tel.MembershipChanged) {
	n := b.numbering.Load()
	for _, q := range n.plan.Queues {
		if q.Queue != e.Queue {
			continue
		}
		for _, f := range n.plan.FeatureCodes() {
			if f.Action == dialplan.LeaveQueue {
				b.presence.SetLamp(personalKey(f.Code+q.Number, e.Agent), !e.Serving, false)
			}
		}
	}
}

// serves reports whether an agent is a member of a queue.
func (n *numbering) serves(a tel.AgentID) bool {
	return slices.ContainsFunc(n.cfg.Queues, func(q config.Queue) bool { return slices.Contains(q.Agents, a) })
}

// renumber follows a change of the configuration: numbers that are gone are forgotten, people are
// shown at the numbers and in the language of today, and whoever watches is checked anew.
func (b *Box) renumber(from *config.Config) {
	n := b.numbering.Load()
	for _, a := range from.Agents {
		if n.phonesOf(string(a.Extension)) == nil && n.nameOf(string(a.Extension)) == "" {
			b.presence.Drop(string(a.Extension))
		}
	}
	for id := range n.agents {
		b.showAgent(id)
		b.showSettings(id)
	}
	for _, e := range b.present.snapshot().([]tel.Event) {
		if m, ok := e.(tel.MembershipChanged); ok {
			b.showMembership(m)
		}
	}
	b.presence.Review()
}

// presenceOf says whether an agent can be called, in the words of the box's language: one state, the
// same that lamp and page show.
func presenceOf(e tel.AgentChanged, language string) presence.Presence {
	words, ok := presenceWords()[language]
	if !ok {
		words = presenceWords()["en"]
	}
	p := presence.Presence{Open: e.State == tel.AgentReady, Note: words[e.State]}
	if e.State == tel.AgentPaused && e.Reason != "" {
		reason := e.Reason
		if word, ok := reasonWords()[language][reason]; ok {
			reason = word
		}
		p.Note += ": " + reason
	}
	return p
}

// reasonWords is the catalogue of the reasons that no person wrote, by language.
func reasonWords() map[string]map[string]string {
	return map[string]map[string]string{
		"it": {pausedByDND: "non disturbare", plan.ReasonMissed: "troppe chiamate non risposte", plan.ReasonForced: "dal supervisore"},
		"en": {pausedByDND: "do not disturb", plan.ReasonMissed: "too many calls not answered", plan.ReasonForced: "by a supervisor"},
	}
}

// presenceWords is the catalogue of the notes, by language.
func presenceWords() map[string]map[tel.AgentState]string {
	return map[string]map[tel.AgentState]string{
		"it": {
			tel.AgentLoggedOut: "Assente", tel.AgentRinging: "Squilla", tel.AgentTalking: "Al telefono", tel.AgentInternal: "Al telefono",
			tel.AgentReserved: "Squilla", tel.AgentOutbound: "Al telefono", tel.AgentHold: "Al telefono",
			tel.AgentWrapUp: "Lavoro dopo la chiamata", tel.AgentPaused: "In pausa", tel.AgentUnreachable: "Telefono non raggiungibile",
		},
		"en": {
			tel.AgentLoggedOut: "Away", tel.AgentRinging: "Ringing", tel.AgentTalking: "On the phone", tel.AgentInternal: "On the phone",
			tel.AgentReserved: "Ringing", tel.AgentOutbound: "On the phone", tel.AgentHold: "On the phone",
			tel.AgentWrapUp: "After-call work", tel.AgentPaused: "Paused", tel.AgentUnreachable: "Phone not reachable",
		},
	}
}

// qualityReported logs what a phone says of a call and writes it down as a statistic.
func (b *Box) qualityReported(r presence.Report) {
	e := tel.QualityReported{
		Device: r.Device, SIPCall: r.CallID, Stage: string(r.Kind), From: r.LocalURI, To: r.RemoteURI, Codec: r.Local.Codec,
		MOSLQ: r.Local.MOSLQ, MOSCQ: r.Local.MOSCQ, Loss: r.Local.Loss, Discarded: r.Local.Discard, Jitter: r.Local.Jitter,
		RoundTrip: r.Local.RoundTrip, At: r.At,
	}
	body, err := json.Marshal(qualityRecord{V: 1, Event: e})
	if err == nil {
		_, err = b.history.Append(e.Kind(), body)
	}
	if err != nil {
		b.log.Warn("voice quality report not written", "err", err)
	}
	b.log.Info("a phone reports its audio", "device", e.Device, "stage", e.Stage, "sip_call", e.SIPCall, "mos_lq", known(e.MOSLQ), "loss_percent", known(e.Loss))
	b.publish(e)
}

// qualityRecord is a report as the history journal keeps it.
type qualityRecord struct {
	V     int                 `json:"v"`
	Event tel.QualityReported `json:"event"`
}

// known is a figure for the log, -1 where the phone did not know it.
func known(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}
