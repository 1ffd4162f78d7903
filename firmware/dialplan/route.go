package dialplan

import (
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Request is one number that somebody dialled. Exactly one of Device, Trunk and Line is set; none of
// them for a Stranger.
type Request struct {
	Device tel.DeviceID
	Trunk  tel.TrunkID
	Line   tel.LineID
	// Stranger is a phone on the local network that did not say who it is: it may dial an emergency
	// number and nothing else.
	Stranger bool
	Dialed   tel.Number
	Caller   tel.Number // as presented; empty = withheld; not used to grant anything
	PIN      string     // what was entered after an AskPIN
	Last     tel.Number // who called this phone last, for the code that blocks the last caller
	At       time.Time
	// As is the extension whose rights an outside number needs when a destination is resolved: who
	// set the forward. Route sets it to the user of Device. Empty = the configuration wrote it.
	As tel.Number
	// Hops counts the forwards that the call went through.
	Hops int

	direct bool // the user of Device dialled the number: a PIN can be asked for
}

// maxHops bounds chains of forwards, opening hours and speed dials.
const maxHops = 5

// via names a request's trunk or line as the plan writes it; empty for a phone.
func (r Request) via() string {
	switch {
	case r.Trunk != "":
		return "trunk:" + string(r.Trunk)
	case r.Line != "":
		return "line:" + string(r.Line)
	default:
		return ""
	}
}

// Decision is where a call goes. Which fields say something depends on Action.
type Decision struct {
	Action  Action
	Cause   tel.Cause // of a Reject; never one that becomes a 6xx towards a carrier
	Why     string    // of a Reject, one of a closed list: the Why constants
	Number  tel.Number
	Agent   tel.AgentID // whose phones ring, or who dialled a feature code
	Ring    *Ring
	Devices []tel.DeviceID // whose ringing calls may be taken (Pickup), or that answer by themselves (Intercom)
	Queue   tel.QueueID
	Menu    string
	// Conference is the room of a Conference.
	Conference tel.ConferenceID
	Prompt     string     // name of a prompt to be played or recorded
	Mailbox    tel.Number // extension whose voicemail it is
	Slot       tel.Number // of a parked call
	Attempts   []Attempt  // of Outside and Emergency, in order
	Class      Class      // of an Outside call
	As         tel.Number // whose rights and caps an Outside call uses; empty = the configuration's
	Hide       bool       // the caller's number is not shown (CLIR)
	Reason     string     // digits after a pause code
	Change     Change     // when its Kind is set, a setting to be kept whatever Action is
	VIP        bool       // the caller is on the list
	Test       bool       // an emergency number dialled in test mode
	Forwards   []Diverted // that led here, the first one first
}

// Diverted is one step on the way of a call that somebody has sent elsewhere.
type Diverted struct {
	By  tel.Number // the extension; empty: a group, by the configuration
	To  string     // the destination
	Why tel.Diversion
}

// The reasons of a Reject.
const (
	WhyUnknown   = "unknown_number"
	WhyForbidden = "class_not_allowed"
	WhyStranger  = "unknown_phone"
	WhyNoRoute   = "no_route"
	WhyClosed    = "closed"
	WhyNobody    = "nobody_at_this_phone" // a feature for people, dialled from a phone of nobody
	WhyNoPhone   = "no_phone"             // the extension has no device
	WhyDND       = "do_not_disturb"
	WhyBlocked   = "caller_blocked"
	WhyAnonymous = "anonymous_caller"
	WhyLoop      = "forward_loop" // more forwards than maxHops
	WhyWrongPIN  = "wrong_pin"
	WhyPINLocked = "pin_locked" // too many wrong PINs at this phone
	WhyNotOffice = "not_for_this_person"
	WhyNothing   = "nothing_to_do" // no last caller, an empty speed dial, no mailbox
	WhyEmergency = "emergency_is_no_destination"
)

// Route decides where a dialled number goes.
func Route(p Plan, r Request) Decision {
	if via := r.via(); via != "" {
		return p.inbound(via, r)
	}
	if n, ok := p.emergency(r.Dialed); ok {
		return p.emergencyCall(n, r)
	}
	if r.Stranger {
		return reject(r.Dialed, tel.CauseForbidden, WhyStranger)
	}
	from, known := p.At(r.Device)
	r.As, r.direct = from.Number, true
	if c, rest, ok := p.code(r.Dialed); ok {
		return p.obey(c, rest, from, r)
	}
	if !known {
		return reject(r.Dialed, tel.CauseForbidden, WhyStranger)
	}
	return p.dial(from, r.Dialed, r)
}

// dial follows an internal or outside number that a person dialled.
func (p Plan) dial(from Extension, n tel.Number, r Request) Decision {
	if to, ok := p.internal(n); ok {
		if !from.may(Internal) {
			return reject(n, tel.CauseForbidden, WhyForbidden)
		}
		if to.Kind == "slot" {
			return Decision{Action: Unpark, Number: n, Slot: n, Agent: from.Agent}
		}
		return To(p, to.String(), r)
	}
	number, ok := p.outsideNumber(n)
	if !ok {
		return reject(n, tel.CauseUnallocated, WhyUnknown)
	}
	return p.outside(number, r)
}

// internal finds what an internal number means; the kind "slot" is no destination of a configuration.
func (p Plan) internal(n tel.Number) (Destination, bool) {
	if n == "" {
		return Destination{}, false
	}
	if _, ok := p.extension(n); ok {
		return Destination{"ext", string(n)}, true
	}
	for _, q := range p.Queues {
		if q.Number == n {
			return Destination{"queue", string(q.Queue)}, true
		}
	}
	for _, g := range p.Groups {
		if g.Number == n {
			return Destination{"group", g.ID}, true
		}
	}
	for _, c := range p.Conferences {
		if c.Number == n {
			return Destination{"conference", string(c.ID)}, true
		}
	}
	return Destination{"slot", string(n)}, p.slots().has(n)
}

// To decides where a destination leads: an overflow, a forward, the target of an inbound rule. Only At,
// Caller, As and Hops of the request, and where it came from, are looked at.
func To(p Plan, destination string, r Request) Decision {
	d, err := ParseDestination(destination)
	if err != nil {
		return reject(tel.Number(destination), tel.CauseUnallocated, WhyUnknown)
	}
	if r.Hops > maxHops {
		return reject(tel.Number(d.What), tel.CauseUnreachable, WhyLoop)
	}
	switch d.Kind {
	case "queue":
		return Decision{Action: Queue, Queue: tel.QueueID(d.What), VIP: p.vip(r)}
	case "ext":
		if x, ok := p.extension(tel.Number(d.What)); ok {
			return p.reach(x, r)
		}
	case "group":
		if i := slices.IndexFunc(p.Groups, func(g Group) bool { return g.ID == d.What }); i >= 0 {
			if p.Groups[i].Page {
				return p.page(p.Groups[i], r)
			}
			return p.ringGroup(p.Groups[i], r)
		}
	case "menu":
		if slices.Contains(p.Menus, d.What) {
			return Decision{Action: Menu, Menu: d.What, VIP: p.vip(r)}
		}
	case "conference":
		if slices.ContainsFunc(p.Conferences, func(c ConferenceNumber) bool { return string(c.ID) == d.What }) {
			return Decision{Action: Conference, Conference: tel.ConferenceID(d.What)}
		}
	case "hours":
		if h, ok := p.hours(d.What); ok {
			return p.byHours(h, r)
		}
	case "voicemail":
		if x, ok := p.extension(tel.Number(d.What)); ok && x.Mailbox {
			return Decision{Action: Voicemail, Number: x.Number, Mailbox: x.Number, Agent: x.Agent}
		}
	case "outside":
		return p.outside(tel.Number(d.What), r)
	case "say":
		return Decision{Action: Say, Prompt: d.What}
	case "echo":
		return Decision{Action: Echo}
	case "hangup":
		return Decision{Action: Hangup}
	}
	return reject(tel.Number(d.What), tel.CauseUnallocated, WhyUnknown)
}

// hop follows a further destination on behalf of an extension.
func (p Plan) hop(destination string, as tel.Number, r Request) Decision {
	r.As, r.Hops, r.direct = as, r.Hops+1, false
	return To(p, destination, r)
}

// divert follows a destination of somebody's own, with the rights of as.
func (p Plan) divert(f Diverted, as tel.Number, r Request) Decision {
	d := p.hop(f.To, as, r)
	d.Forwards = slices.Insert(d.Forwards, 0, f)
	return d
}

func reject(n tel.Number, cause tel.Cause, why string) Decision {
	return Decision{Action: Reject, Number: n, Cause: cause, Why: why}
}

// hours finds a table by its id.
func (p Plan) hours(id string) (Hours, bool) {
	i := slices.IndexFunc(p.Hours, func(h Hours) bool { return h.ID == id })
	if i < 0 {
		return Hours{}, false
	}
	return p.Hours[i], true
}

// OpenAt says whether a table of the plan is open, also when somebody forced it.
func (p Plan) OpenAt(id string, at time.Time) OpenState {
	h, _ := p.hours(id)
	return h.StateAt(at, p.Zone, p.Calendar, p.Personal.Hours[id])
}

func (p Plan) byHours(h Hours, r Request) Decision {
	to := h.destination(p.OpenAt(h.ID, r.At))
	if to == "" {
		return reject(r.Dialed, tel.CauseUnreachable, WhyClosed)
	}
	return p.hop(to, r.As, r)
}

// inbound follows the table of called numbers. A call from outside goes where the plan sends it and
// never where its dialled number would lead a phone: that would be a free way out for strangers.
func (p Plan) inbound(via string, r Request) Decision {
	r.As, r.direct = "", false
	var rule *Inbound
	for i := range p.Inbound {
		in := &p.Inbound[i]
		if in.Via != via {
			continue
		}
		if in.Number != "" && sameNumber(in.Number, r.Dialed) {
			rule = in
			break
		}
		if in.Number == "" && rule == nil {
			rule = in
		}
	}
	if rule == nil {
		return reject(r.Dialed, tel.CauseUnallocated, WhyUnknown)
	}
	if d, ok := p.screen(p.Blocked, p.Anonymous, "", r); ok {
		return d
	}
	return To(p, rule.To, r)
}

// screen turns away callers from outside that the box or a person does not want. A blocked caller
// hears what any caller of a busy phone hears.
func (p Plan) screen(blocked []string, anonymous string, as tel.Number, r Request) (Decision, bool) {
	switch {
	case r.via() == "" || p.vip(r):
		return Decision{}, false
	case r.Caller == "" && anonymous == "reject":
		return reject(r.Dialed, tel.CauseAnonymous, WhyAnonymous), true
	case r.Caller == "" && anonymous != "":
		return p.hop(anonymous, as, r), true
	case matchesAny(blocked, r.Caller):
		return reject(r.Dialed, tel.CauseBusy, WhyBlocked), true
	}
	return Decision{}, false
}

func (p Plan) vip(r Request) bool { return r.via() != "" && matchesAny(p.VIP, r.Caller) }

// matchesAny compares a caller with numbers and beginnings, all in any usual form.
func matchesAny(patterns []string, n tel.Number) bool {
	if n == "" {
		return false
	}
	wide, ok := n.E164()
	if !ok {
		wide = n
	}
	for _, pattern := range patterns {
		start, isPrefix := strings.CutSuffix(pattern, "*")
		switch {
		case isPrefix && start == "": // everybody would be a mistake
		case isPrefix && (strings.HasPrefix(string(wide), widePrefix(start)) || strings.HasPrefix(string(n), start)):
			return true
		case !isPrefix && sameNumber(tel.Number(pattern), n):
			return true
		}
	}
	return false
}

// widePrefix writes the beginning of a number in international form; it may be too short for
// tel.Number.E164 to know it.
func widePrefix(s string) string {
	switch {
	case strings.HasPrefix(s, "+"):
		return s
	case strings.HasPrefix(s, "00"):
		return "+" + s[2:]
	default:
		return "+39" + s
	}
}

// sameNumber compares numbers in the forms in which carriers write them: +39 02..., 0039 02...
// and 02....
func sameNumber(a, b tel.Number) bool {
	if a == b {
		return true
	}
	x, okX := a.E164()
	y, okY := b.E164()
	return okX && okY && x == y
}
