package dialplan

import (
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// PauseReason is a reason that can be dialled behind the code of a pause.
type PauseReason struct {
	Code string // one to three digits
	Name string // as reports and the page show it
}

// Disposition is what came of a call, and can be dialled behind its code.
type Disposition struct {
	Code string // one to three digits
	Name string // as reports and the page show it
}

// Pauses is which reasons a pause can have.
type Pauses struct {
	Reasons []PauseReason
	Only    bool // no others, and none is no reason
}

// pauseReason is the reason behind a code: the name of a listed one, else the digits where others may be
// given.
func (p Plan) pauseReason(digits string) (string, bool) {
	for _, r := range p.Pauses.Reasons {
		if r.Code == digits {
			return r.Name, true
		}
	}
	return digits, !p.Pauses.Only
}

// queueAt finds a queue by its internal number.
func (p Plan) queueAt(n tel.Number) (tel.QueueID, bool) {
	for _, q := range p.Queues {
		if q.Number == n {
			return q.Queue, true
		}
	}
	return "", false
}

// loginHere brings a person to work at the phone that was used: at a foreign desk with the PIN, which is
// taken as the seat; at an own one like the code without digits.
func (p Plan) loginHere(x Extension, d Decision, r Request) Decision {
	if x.Agent == "" || r.Device == "" {
		return reject(d.Number, tel.CauseForbidden, WhyNobody)
	}
	own := slices.Contains(x.Devices, r.Device) && p.Personal.Seats[r.Device] == ""
	if !own || x.LoginPIN {
		if asked, ok := p.needPIN(x, r); ok {
			return asked
		}
	}
	d.Action, d.Agent = LoginHere, x.Agent
	if !own {
		d.Change = Change{Kind: Sit, Agent: x.Agent, Device: r.Device}
	}
	return d
}

// shiftDays is how far ahead the end of a shift is looked for: past every bridge of holidays.
const shiftDays = 21

// ShiftEnd is when the working day ends that goes on at a moment, or the next one that begins: the end of
// the last span of its day by the zone's clock. The lunch break of a divided day ends no shift. It is the
// zero time when none of the next three weeks' days is worked.
func (h Hours) ShiftEnd(at time.Time, zone *time.Location, c Calendar) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	y, m, d := at.In(zone).Date()
	for i := -1; i <= shiftDays; i++ { // a night shift belongs to the day on which it starts
		spans, _ := h.day(time.Date(y, m, d+i, 12, 0, 0, 0, time.UTC), c)
		var last time.Duration
		for _, s := range spans {
			to := s.To
			if to <= s.From {
				to += 24 * time.Hour
			}
			last = max(last, to)
		}
		if end := time.Date(y, m, d+i, 0, int(last/time.Minute), 0, 0, zone); last > 0 && end.After(at) {
			return end
		}
	}
	return time.Time{}
}

// Worked is how much of the time from one moment to another lies within the hours, by the zone's clock. A night belongs
// to the day on which it starts, as for StateAt; hours that overlap count once.
func (h Hours) Worked(from, to time.Time, zone *time.Location, c Calendar) (sum time.Duration) {
	if zone == nil {
		zone = time.UTC
	}
	type stretch struct{ from, to time.Time }
	var all []stretch
	y, m, d := from.In(zone).Date()
	for i := -1; ; i++ {
		if !time.Date(y, m, d+i, 0, 0, 0, 0, zone).Before(to) {
			break
		}
		spans, _ := h.day(time.Date(y, m, d+i, 12, 0, 0, 0, time.UTC), c)
		for _, s := range spans {
			end := s.To
			if end <= s.From {
				end += 24 * time.Hour
			}
			all = append(all, stretch{
				time.Date(y, m, d+i, 0, int(s.From/time.Minute), 0, 0, zone), time.Date(y, m, d+i, 0, int(end/time.Minute), 0, 0, zone),
			})
		}
	}
	slices.SortFunc(all, func(a, b stretch) int { return a.from.Compare(b.from) })
	for _, s := range all {
		if s.from.Before(from) {
			s.from = from
		}
		if s.to.After(to) {
			s.to = to
		}
		if s.to.After(s.from) {
			sum, from = sum+s.to.Sub(s.from), s.to // what was counted is behind
		}
	}
	return sum
}
