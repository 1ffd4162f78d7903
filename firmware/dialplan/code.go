package dialplan

import (
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Code is one feature code: what a phone dials to do something.
type Code struct {
	Code   tel.Number // begins with * or #
	Action Action
}

// Key names the sentence that explains the code in the page's catalogue.
func (c Code) Key() string { return "code." + string(c.Action) }

// Behind says which digits follow the code.
func (c Code) Behind() Behind { return behind[c.Action] }

// Behind is what follows a feature code.
type Behind string

// What can follow.
const (
	Nothing       Behind = ""
	ReasonBehind  Behind = "reason"    // up to three digits
	PersonBehind  Behind = "extension" // an internal number
	NumberBehind  Behind = "number"    // any number as it would be dialled
	SlotBehind    Behind = "slot"      // two digits of a speed dial
	SlotAndNumber Behind = "slot_number"
	HoursBehind   Behind = "hours"  // the key of a table of opening hours; none = the first table
	PromptBehind  Behind = "prompt" // up to four digits that name a prompt
	QueueBehind   Behind = "queue"  // the internal number of a queue

	DispositionBehind Behind = "disposition" // one to three digits
)

var behind = map[Action]Behind{
	Pause: ReasonBehind, Dispose: DispositionBehind, LoginHere: PersonBehind, EnterQueue: QueueBehind, LeaveQueue: QueueBehind,
	Pickup: PersonBehind, Intercom: PersonBehind, SeatIn: PersonBehind, ToMailbox: PersonBehind,
	TheirMessages: PersonBehind, SpeedDial: SlotBehind, SpeedClear: SlotBehind, SpeedSet: SlotAndNumber,
	AlwaysOn: NumberBehind, BusyOn: NumberBehind, NoAnswerOn: NumberBehind, UnreachOn: NumberBehind,
	DialAnonymous: NumberBehind, Block: NumberBehind, Unblock: NumberBehind,
	Listen: PersonBehind, Whisper: PersonBehind, Barge: PersonBehind, TakeOver: PersonBehind,
	HoursOpen: HoursBehind, HoursClosed: HoursBehind, HoursAuto: HoursBehind, RecordPrompt: PromptBehind,
}

// Codes is every feature code with the digits that a plan without Codes uses; the page lists them in
// this order. One code may do two things when only one of them has digits behind it.
func Codes() []Code {
	return []Code{
		{"*41", Login},
		{"*41", LoginHere},
		{"*410", Logout},
		{"*42", Pause},
		{"*420", Resume},
		{"*44", FinishWrapUp},
		{"*440", ExtendWrapUp},
		{"*49", Dispose},
		{"*47", Help},
		{"#47", HelpDone},
		{"*48", EnterQueue},
		{"#48", LeaveQueue},
		{"*78", DNDOn},
		{"*79", DNDOff},
		{"*26", WaitingOn},
		{"#26", WaitingOff},
		{"*21", AlwaysOn},
		{"#21", AlwaysOff},
		{"*67", BusyOn},
		{"#67", BusyOff},
		{"*61", NoAnswerOn},
		{"#61", NoAnswerOff},
		{"*62", UnreachOn},
		{"#62", UnreachOff},
		{"*8", Pickup},
		{"*8", GroupPickup},
		{"*70", Park},
		{"*80", Intercom},
		{"*37", CallWhenFree},
		{"#37", StopWhenFree},
		{"*97", Messages},
		{"*98", TheirMessages},
		{"*99", ToMailbox},
		{"*0", SpeedDial},
		{"*75", SpeedSet},
		{"#75", SpeedClear},
		{"*11", SeatIn},
		{"#11", SeatOut},
		{"#31#", DialAnonymous},
		{"*30", BlockLast},
		{"*31", Block},
		{"#30", Unblock},
		{"*28", HoursOpen},
		{"*29", HoursClosed},
		{"*27", HoursAuto},
		{"*51", Listen},
		{"*52", Whisper},
		{"*53", Barge},
		{"*54", TakeOver},
		{"*77", RecordPrompt},
		{"*43", Echo},
		{"*45", Milliwatt},
		{"*46", PromptTest},
	}
}

func (p Plan) codes() []Code {
	if p.Codes == nil {
		return Codes()
	}
	return p.Codes
}

// FeatureCodes are the codes of this plan, in the order in which the page lists them.
func (p Plan) FeatureCodes() []Code { return p.codes() }

// fits reports whether digits can follow a code.
func (b Behind) fits(rest string) bool {
	switch b {
	case Nothing:
		return rest == ""
	case ReasonBehind:
		return rest == "" || isDigits(rest) && len(rest) <= 3
	case DispositionBehind:
		return isDigits(rest) && len(rest) <= 3
	case PersonBehind, QueueBehind:
		return isDigits(rest) && len(rest) <= 6
	case NumberBehind:
		return isDigits(strings.TrimPrefix(rest, "+"))
	case SlotBehind:
		return isDigits(rest) && len(rest) == 2
	case SlotAndNumber:
		return len(rest) > 2 && isDigits(rest[:2]) && isDigits(strings.TrimPrefix(rest[2:], "+"))
	case HoursBehind:
		return rest == "" || isDigits(rest) && len(rest) == 1
	case PromptBehind:
		return isDigits(rest) && len(rest) <= 4
	default:
		return false
	}
}

// code recognises a feature code: the longest one that what follows fits. The way in which mobile
// phones write codes, *21*NUMBER#, is understood as well.
func (p Plan) code(dialed tel.Number) (best Code, rest string, ok bool) {
	for _, c := range p.codes() {
		r, begins := strings.CutPrefix(string(dialed), string(c.Code))
		if !begins || c.Code == "" || len(c.Code) < len(best.Code) {
			continue
		}
		if b := c.Behind(); !b.fits(r) {
			r = strings.TrimSuffix(strings.TrimPrefix(r, "*"), "#")
			if !b.fits(r) {
				continue
			}
		}
		best, rest, ok = c, r, true
	}
	return best, rest, ok
}

// forEverybody are the codes that work at a phone of nobody.
func (a Action) forEverybody() bool {
	switch a {
	case Echo, Milliwatt, PromptTest, SeatIn, SeatOut, LoginHere:
		return true
	default:
		return false
	}
}

// personal are the codes that need a person, not only an extension.
func (a Action) personal() bool {
	switch a {
	case Login, Logout, Pause, Resume, FinishWrapUp, ExtendWrapUp, Help, HelpDone, Dispose, EnterQueue, LeaveQueue, CallWhenFree, StopWhenFree, Messages, Listen, Whisper, Barge, TakeOver:
		return true
	default:
		_, sets := settings[a]
		return sets && a != SeatIn && a != SeatOut
	}
}

// obey carries a feature code out.
func (p Plan) obey(c Code, rest string, from Extension, r Request) Decision {
	switch {
	case from.Number == "" && !c.Action.forEverybody():
		return reject(r.Dialed, tel.CauseForbidden, WhyStranger)
	case from.Agent == "" && c.Action.personal():
		return reject(r.Dialed, tel.CauseForbidden, WhyNobody)
	}
	d := Decision{Action: c.Action, Number: r.Dialed, Agent: from.Agent, As: from.Number}
	switch c.Action {
	case Login:
		if asked, ok := p.needPIN(from, r); from.LoginPIN && ok {
			return asked
		}
	case Pause:
		reason, ok := p.pauseReason(rest)
		if !ok {
			return reject(r.Dialed, tel.CauseUnallocated, WhyNothing)
		}
		d.Reason = reason
	case Dispose:
		i := slices.IndexFunc(p.Dispositions, func(x Disposition) bool { return x.Code == rest })
		if i < 0 {
			return reject(r.Dialed, tel.CauseUnallocated, WhyNothing)
		}
		d.Reason = p.Dispositions[i].Name
	case EnterQueue, LeaveQueue:
		q, ok := p.queueAt(tel.Number(rest))
		if !ok {
			return reject(r.Dialed, tel.CauseUnallocated, WhyUnknown)
		}
		d.Queue = q
	case Pickup, Intercom, ToMailbox, TheirMessages, SeatIn, LoginHere, Listen, Whisper, Barge, TakeOver:
		return p.colleague(c.Action, tel.Number(rest), from, r)
	case GroupPickup:
		return p.groupPickup(from, d)
	case SpeedDial:
		n := p.Personal.People[from.Agent].Speed[rest]
		if n == "" || from.Agent == "" {
			return reject(r.Dialed, tel.CauseUnallocated, WhyNothing)
		}
		return p.again(from, n, r)
	case DialAnonymous:
		hidden := p.again(from, tel.Number(rest), r)
		hidden.Hide = hidden.Action == Outside
		return hidden
	case Messages:
		if !from.Mailbox {
			return reject(r.Dialed, tel.CauseUnallocated, WhyNothing)
		}
		d.Mailbox = from.Number
	case RecordPrompt:
		if !from.Office {
			return reject(r.Dialed, tel.CauseForbidden, WhyNotOffice)
		}
		d.Prompt = rest
	case Logout, Resume, FinishWrapUp, ExtendWrapUp, Help, HelpDone, Park, CallWhenFree, StopWhenFree, Echo, Milliwatt, PromptTest:
	default:
		return p.setting(c.Action, rest, from, r)
	}
	return d
}

// again dials a number on behalf of a code; it cannot be a code itself, but an emergency number it can.
func (p Plan) again(from Extension, n tel.Number, r Request) Decision {
	if e, ok := p.emergency(n); ok {
		return p.emergencyCall(e, r)
	}
	r.Hops++
	return p.dial(from, n, r)
}

// colleague carries out a code that names an extension.
func (p Plan) colleague(a Action, n tel.Number, from Extension, r Request) Decision {
	x, ok := p.extension(n)
	switch {
	case !ok:
		return reject(n, tel.CauseUnallocated, WhyUnknown)
	case a != SeatIn && a != LoginHere && !from.may(Internal):
		return reject(n, tel.CauseForbidden, WhyForbidden)
	}
	d := Decision{Action: a, Number: n, Agent: x.Agent, As: from.Number}
	switch a {
	case Pickup:
		d.Devices, d.Agent = p.Phones(x), from.Agent
	case Intercom:
		d.Devices = p.Phones(x)
		if p.Personal.People[x.Agent].DND {
			return reject(n, tel.CauseBusy, WhyDND)
		}
		if len(d.Devices) == 0 {
			return reject(n, tel.CauseUnreachable, WhyNoPhone)
		}
	case Listen, Whisper, Barge, TakeOver: // whether this person may is asked with the call at hand
		if x.Agent == "" {
			return reject(n, tel.CauseUnallocated, WhyNobody)
		}
	case ToMailbox:
		return To(p, "voicemail:"+string(n), r)
	case TheirMessages:
		if !x.Mailbox {
			return reject(n, tel.CauseUnallocated, WhyNothing)
		}
		d.Action, d.Mailbox = Messages, n // the mailbox has a code of its own, and asks for it
	case SeatIn:
		if x.Agent == "" || r.Device == "" {
			return reject(n, tel.CauseForbidden, WhyNobody)
		}
		if asked, ok := p.needPIN(x, r); ok {
			return asked
		}
		d.Action, d.Change = Set, Change{Kind: Sit, Agent: x.Agent, Device: r.Device}
	case LoginHere:
		return p.loginHere(x, d, r)
	}
	return d
}

func (p Plan) groupPickup(from Extension, d Decision) Decision {
	if from.Pickup == "" {
		return reject(d.Number, tel.CauseForbidden, WhyNothing)
	}
	d.Action = Pickup
	for _, x := range p.Extensions {
		if x.Pickup == from.Pickup && x.Number != from.Number {
			d.Devices = append(d.Devices, p.Phones(x)...)
		}
	}
	slices.Sort(d.Devices)
	d.Devices = slices.Compact(d.Devices)
	return d
}
