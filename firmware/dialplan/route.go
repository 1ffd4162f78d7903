package dialplan

import (
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Request is one number that somebody dialled. Exactly one of Device, Trunk and Line is set.
type Request struct {
	Device tel.DeviceID
	Trunk  tel.TrunkID
	Line   tel.LineID
	Dialed tel.Number
	Caller tel.Number // as presented; not used to grant anything
	At     time.Time
}

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

// Action is what shall happen with a call.
type Action string

// The actions.
const (
	Reject       Action = "reject"
	Devices      Action = "devices" // ring the devices of an extension
	Queue        Action = "queue"
	Outside      Action = "outside"   // try the attempts in order
	Emergency    Action = "emergency" // as Outside; may take a busy line
	Echo         Action = "echo"
	Login        Action = "login"
	Logout       Action = "logout"
	Pause        Action = "pause"
	Resume       Action = "resume"
	FinishWrapUp Action = "finish_wrap_up"
)

// Attempt is one way out.
type Attempt struct {
	Via    string     // "trunk:tim" or "line:gsm0"
	Number tel.Number // as that trunk or line shall get it
}

// Decision is where a call goes.
type Decision struct {
	Action   Action
	Cause    tel.Cause // of a Reject; never one that becomes a 6xx towards a carrier
	Why      string    // of a Reject, one of a closed list: the Why constants
	Number   tel.Number
	Devices  []tel.DeviceID
	Agent    tel.AgentID // whose phones ring, or who dialled a feature code
	Queue    tel.QueueID
	Attempts []Attempt
	Class    Class  // of an Outside call
	Reason   string // digits after a pause code
}

// The reasons of a Reject.
const (
	WhyUnknown   = "unknown_number"
	WhyForbidden = "class_not_allowed"
	WhyStranger  = "unknown_phone"
	WhyNoRoute   = "no_route"
	WhyClosed    = "closed"
	WhyNobody    = "nobody_at_this_phone" // a feature for agents, dialled from a phone of nobody
	WhyNoPhone   = "no_phone"             // the extension has no device
)

// Route decides where a dialled number goes.
func Route(p Plan, r Request) Decision {
	if via := r.via(); via != "" {
		return p.inbound(via, r)
	}
	if n, ok := p.emergency(r.Dialed); ok {
		return p.emergencyCall(n)
	}
	from, ok := p.owner(r.Device)
	if !ok {
		return reject(r.Dialed, tel.CauseForbidden, WhyStranger)
	}
	if d, ok := p.feature(from, r.Dialed); ok {
		return d
	}
	if d, ok := p.internal(r.Dialed); ok {
		if !from.may(Internal) {
			return reject(r.Dialed, tel.CauseForbidden, WhyForbidden)
		}
		return d
	}
	number, ok := p.outsideNumber(r.Dialed)
	if !ok {
		return reject(r.Dialed, tel.CauseUnallocated, WhyUnknown)
	}
	class, ok := ClassOf(number)
	if !ok {
		return reject(number, tel.CauseUnallocated, WhyUnknown)
	}
	if !from.may(class) {
		return reject(number, tel.CauseForbidden, WhyForbidden)
	}
	return p.outside(number, class)
}

// To decides where a destination of the plan leads: an overflow, or the target of an inbound rule.
// The configuration wrote it, so no permission is asked.
func To(p Plan, destination string) Decision {
	kind, what, _ := strings.Cut(destination, ":")
	switch kind {
	case "queue":
		return Decision{Action: Queue, Queue: tel.QueueID(what)}
	case "ext":
		if d, ok := p.internal(tel.Number(what)); ok {
			return d
		}
	case "outside":
		if class, ok := ClassOf(tel.Number(what)); ok {
			return p.outside(tel.Number(what), class)
		}
	case "echo":
		return Decision{Action: Echo}
	}
	return reject(tel.Number(what), tel.CauseUnallocated, WhyUnknown)
}

func reject(n tel.Number, cause tel.Cause, why string) Decision {
	return Decision{Action: Reject, Number: n, Cause: cause, Why: why}
}

// inbound follows the table of called numbers. A call from outside goes where the plan sends it and
// never where its dialled number would lead a phone: that would be a free way out for strangers.
func (p Plan) inbound(via string, r Request) Decision {
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
	to := rule.To
	if rule.Hours != "" {
		i := slices.IndexFunc(p.Hours, func(h Hours) bool { return h.Name == rule.Hours })
		if i >= 0 && !p.Hours[i].OpenAt(r.At, p.Zone) {
			if to = rule.Closed; to == "" {
				return reject(r.Dialed, tel.CauseUnreachable, WhyClosed)
			}
		}
	}
	return To(p, to)
}

// sameNumber compares called numbers in the forms in which carriers write them: +39 02..., 0039 02...
// and 02....
func sameNumber(a, b tel.Number) bool {
	if a == b {
		return true
	}
	x, okX := a.E164()
	y, okY := b.E164()
	return okX && okY && x == y
}

// emergency recognises an emergency number also behind the outside prefix and behind +39: whoever
// dials it means it.
func (p Plan) emergency(n tel.Number) (tel.Number, bool) {
	if n.Emergency() {
		return n, true
	}
	for _, prefix := range []tel.Number{p.OutsidePrefix, "+39", "0039"} {
		if rest, ok := strings.CutPrefix(string(n), string(prefix)); ok && prefix != "" && tel.Number(rest).Emergency() {
			return tel.Number(rest), true
		}
	}
	return "", false
}

// emergencyCall tries marked lines first, then everything else that leads out.
func (p Plan) emergencyCall(n tel.Number) Decision {
	d := Decision{Action: Emergency, Number: n}
	for _, marked := range []bool{true, false} {
		for _, o := range p.Outlets {
			if o.Emergency == marked {
				d.Attempts = append(d.Attempts, Attempt{o.Via, n})
			}
		}
	}
	return d
}

// owner finds the extension to which a phone belongs.
func (p Plan) owner(dev tel.DeviceID) (Extension, bool) {
	for _, x := range p.Extensions {
		if slices.Contains(x.Devices, dev) {
			return x, true
		}
	}
	return Extension{}, false
}

func (x Extension) may(c Class) bool {
	if x.Allow == nil {
		return slices.Contains(DefaultClasses(), c)
	}
	return slices.Contains(x.Allow, c)
}

func (p Plan) features() []Feature {
	if p.Features == nil {
		return DefaultFeatures()
	}
	return p.Features
}

// feature recognises the longest code. Only a pause takes digits behind it.
func (p Plan) feature(from Extension, dialed tel.Number) (Decision, bool) {
	var best Feature
	for _, f := range p.features() {
		fits := dialed == f.Code || f.Action == Pause && f.Code != "" && strings.HasPrefix(string(dialed), string(f.Code))
		if fits && len(f.Code) > len(best.Code) {
			best = f
		}
	}
	if best.Code == "" {
		return Decision{}, false
	}
	if best.Action != Echo && from.Agent == "" {
		return reject(dialed, tel.CauseForbidden, WhyNobody), true
	}
	return Decision{
		Action: best.Action, Number: dialed, Agent: from.Agent,
		Reason: strings.TrimPrefix(string(dialed), string(best.Code)),
	}, true
}

func (p Plan) internal(n tel.Number) (Decision, bool) {
	for _, x := range p.Extensions {
		if x.Number != n {
			continue
		}
		if len(x.Devices) == 0 {
			return reject(n, tel.CauseUnreachable, WhyNoPhone), true
		}
		return Decision{Action: Devices, Number: n, Devices: slices.Clone(x.Devices), Agent: x.Agent}, true
	}
	for _, q := range p.Queues {
		if q.Number == n {
			return Decision{Action: Queue, Number: n, Queue: q.Queue}, true
		}
	}
	return Decision{}, false
}

// outsideNumber removes the outside prefix; ok is false when it is missing.
func (p Plan) outsideNumber(n tel.Number) (tel.Number, bool) {
	if p.OutsidePrefix == "" || strings.HasPrefix(string(n), "+") {
		return n, true
	}
	rest, ok := strings.CutPrefix(string(n), string(p.OutsidePrefix))
	return tel.Number(rest), ok && rest != ""
}

// satellite and premium country codes: Inmarsat, global mobile satellite, international networks
// and international premium rate (ITU-T E.164 assigned codes).
var costly = []string{"+870", "+881", "+882", "+883", "+979"}

// ClassOf says which permission an outside number needs; ok is false for what is no outside number.
func ClassOf(n tel.Number) (c Class, ok bool) {
	national := italian(n)
	if national != n && strings.HasPrefix(string(national), "00") {
		return "", false // +39 00 44...: would leave as an international call in a national dress
	}
	switch n.Kind() {
	case tel.KindGeographic, tel.KindNomadic, tel.KindTollFree, tel.KindSharedCost:
		return Local, true
	case tel.KindMobile:
		return Mobile, true
	case tel.KindPremium:
		return Premium, true
	case tel.KindShort:
		if strings.HasPrefix(string(national), "12") { // directory enquiries
			return Premium, true
		}
		return Local, true
	case tel.KindInternational:
		e164, ok := n.E164()
		if !ok {
			return "", false
		}
		for _, prefix := range costly {
			if strings.HasPrefix(string(e164), prefix) {
				return Premium, true
			}
		}
		return International, true
	default:
		return "", false
	}
}

// italian removes the country code of Italy.
func italian(n tel.Number) tel.Number {
	for _, prefix := range []string{"+39", "0039"} {
		if rest, ok := strings.CutPrefix(string(n), prefix); ok {
			return tel.Number(rest)
		}
	}
	return n
}

// outside finds the ways out for a number.
func (p Plan) outside(n tel.Number, class Class) Decision {
	wide, hasE164 := n.E164()
	if !hasE164 {
		wide = n
	}
	var best *OutsideRoute
	for i := range p.Routes {
		r := &p.Routes[i]
		if strings.HasPrefix(string(wide), string(r.Prefix)) && (best == nil || len(r.Prefix) > len(best.Prefix)) {
			best = r
		}
	}
	if best == nil || len(best.Via) == 0 {
		return reject(n, tel.CauseCongestion, WhyNoRoute)
	}
	d := Decision{Action: Outside, Number: wide, Class: class}
	for _, via := range best.Via {
		d.Attempts = append(d.Attempts, Attempt{via, best.write(wide)})
	}
	return d
}

// write puts a number into the form of the route.
func (r OutsideRoute) write(n tel.Number) tel.Number {
	s := string(n)
	if r.Form != E164 {
		if rest, ok := strings.CutPrefix(s, "+39"); ok {
			s = rest
		} else if rest, ok := strings.CutPrefix(s, "+"); ok {
			s = "00" + rest
		}
	}
	return r.Prepend + tel.Number(s[min(max(r.Strip, 0), len(s)):])
}
