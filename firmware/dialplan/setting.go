package dialplan

import (
	"crypto/subtle"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// settings says which change each code that becomes a Set makes.
var settings = map[Action]Change{
	DNDOn: {Kind: DND, On: true}, DNDOff: {Kind: DND}, WaitingOn: {Kind: CallWaiting, On: true}, WaitingOff: {Kind: CallWaiting},
	AlwaysOn: {Kind: Forward, When: Always, On: true}, AlwaysOff: {Kind: Forward, When: Always},
	BusyOn: {Kind: Forward, When: OnBusy, On: true}, BusyOff: {Kind: Forward, When: OnBusy},
	NoAnswerOn: {Kind: Forward, When: OnNoAnswer, On: true}, NoAnswerOff: {Kind: Forward, When: OnNoAnswer},
	UnreachOn: {Kind: Forward, When: OnUnreachable, On: true}, UnreachOff: {Kind: Forward, When: OnUnreachable},
	SpeedSet: {Kind: Speed, On: true}, SpeedClear: {Kind: Speed}, SeatIn: {Kind: Sit, On: true}, SeatOut: {Kind: Leave},
	Block: {Kind: Blocking, On: true}, BlockLast: {Kind: Blocking, On: true}, Unblock: {Kind: Blocking},
	HoursOpen: {Kind: ForceHours, Override: ForceOpen}, HoursClosed: {Kind: ForceHours, Override: ForceClosed},
	HoursAuto: {Kind: ForceHours, Override: Auto},
}

// setting turns a code into the change it makes, or says why it may not. A forward, and a speed dial,
// must lead where the person could have dialled at this instant.
func (p Plan) setting(a Action, rest string, from Extension, r Request) Decision {
	ch := settings[a]
	ch.Agent, ch.Device = from.Agent, r.Device
	switch ch.Kind {
	case Leave:
		if p.Personal.Seats[r.Device] == "" {
			return reject(r.Dialed, tel.CauseUnallocated, WhyNothing)
		}
		ch.Agent = p.Personal.Seats[r.Device]
	case Forward:
		if ch.On {
			to, refused := p.forwardTo(tel.Number(rest), from, r)
			if to == "" {
				return refused
			}
			ch.To = to
		}
	case Speed:
		ch.Slot = rest
		if ch.On {
			ch.Slot, ch.Number = rest[:2], tel.Number(rest[2:])
			_, emergency := p.emergency(ch.Number)
			if d := p.dial(from, ch.Number, r); !emergency && d.Action == Reject && (d.Why == WhyForbidden || d.Why == WhyUnknown) {
				return d
			}
		}
	case Blocking:
		if ch.Number = tel.Number(rest); a == BlockLast {
			ch.Number = r.Last
		}
		if ch.Number == "" {
			return reject(r.Dialed, tel.CauseUnallocated, WhyNothing)
		}
	case ForceHours:
		if !from.Office {
			return reject(r.Dialed, tel.CauseForbidden, WhyNotOffice)
		}
		h, ok := p.hoursByKey(rest)
		if !ok {
			return reject(r.Dialed, tel.CauseUnallocated, WhyNothing)
		}
		ch.Hours = h.ID
	}
	d := Decision{Action: Set, Number: r.Dialed, Agent: ch.Agent, As: from.Number, Change: ch}
	if ch.Kind == Forward && ch.On {
		after := p
		after.Personal = p.Personal.With(ch)
		if ch.When == Always && after.reach(from, Request{Device: r.Device, At: r.At}).Why == WhyLoop {
			return reject(r.Dialed, tel.CauseForbidden, WhyLoop)
		}
	}
	return d
}

// forwardTo writes a dialled number as a destination. It is empty when the person may not forward
// there; the decision then says why.
func (p Plan) forwardTo(n tel.Number, from Extension, r Request) (string, Decision) {
	if _, emergency := p.emergency(n); emergency {
		return "", reject(n, tel.CauseForbidden, WhyEmergency)
	}
	if to, ok := p.internal(n); ok {
		if to.Kind == "slot" || n == from.Number || !from.may(Internal) {
			return "", reject(n, tel.CauseForbidden, WhyForbidden)
		}
		return to.String(), Decision{}
	}
	number, ok := p.outsideNumber(n)
	if !ok {
		return "", reject(n, tel.CauseUnallocated, WhyUnknown)
	}
	r.direct = false // one call is what a PIN opens, not a forward
	if d := p.outside(number, r); d.Action != Outside {
		return "", d
	}
	return "outside:" + string(number), Decision{}
}

// hoursByKey finds the table behind a code; without a digit the first that has a key.
func (p Plan) hoursByKey(digit string) (Hours, bool) {
	for _, h := range p.Hours {
		if h.Key > 0 && (digit == "" || digit == string(rune('0'+h.Key))) {
			return h, true
		}
	}
	return Hours{}, false
}

// The limits of PINs: so many wrong ones at a phone close it for a while.
const (
	maxWrongPINs = 5
	pinPenalty   = 10 * time.Minute
)

// needPIN asks for an extension's PIN, or refuses; ok is false once it was given.
func (p Plan) needPIN(x Extension, r Request) (d Decision, ok bool) {
	tries := p.Personal.Wrong[r.Device]
	switch {
	case x.PIN == "":
		return reject(r.Dialed, tel.CauseForbidden, WhyForbidden), true
	case tries.Count >= maxWrongPINs && r.At.Sub(tries.Last) < pinPenalty:
		return reject(r.Dialed, tel.CauseForbidden, WhyPINLocked), true
	case r.PIN == "":
		return Decision{Action: AskPIN, Number: r.Dialed, Agent: x.Agent, As: x.Number}, true
	case subtle.ConstantTimeCompare([]byte(r.PIN), []byte(x.PIN)) != 1:
		d := reject(r.Dialed, tel.CauseForbidden, WhyWrongPIN)
		d.Change = Change{Kind: WrongPIN, Device: r.Device, At: r.At}
		return d, true
	}
	return Decision{}, false
}
