package toll

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Request is one attempt to call outside.
type Request struct {
	ID     string // of the attempt, unique while its call exists
	Call   tel.CallID
	Person string     // whose rights the dial plan used, as Decision.As says; empty = the configuration's own
	Number tel.Number // in any usual form
	Via    string     // "trunk:tim" or "line:gsm0"
	Price  tel.Money  // per minute
	Priced bool       // Price is known; else a usual one counts
	Night  bool       // outside the hours in which everything may be dialled
}

// Permit lets one attempt be made. The zero Permit is that of an emergency call, which is not counted.
type Permit struct {
	ID     string         `json:"id"`
	Call   tel.CallID     `json:"call"`
	Person string         `json:"person,omitempty"`
	Via    string         `json:"via"`
	Class  dialplan.Class `json:"class"`
	Price  tel.Money      `json:"price"`
}

// accounts are whom a permit is charged to.
func (p Permit) accounts() []string {
	all := []string{box, p.Via}
	if p.Person != "" {
		all = append(all, person+p.Person)
	}
	return all
}

const (
	box    = "box"
	person = "person:"
)

// State is everything a guard knows, as one plain value.
type State struct {
	// Clock is the time that has passed for the counters. It never goes back, whatever the wall
	// clock does.
	Clock  time.Duration    `json:"clock"`
	Last   time.Time        `json:"last"` // wall time of Clock
	Used   map[string][]Use `json:"used,omitempty"`
	Active map[string]Talk  `json:"active,omitempty"` // attempts and calls by id
}

// Use is what an account used within one slot of the clock.
type Use struct {
	Slot  int64 `json:"slot"`
	Talk  int64 `json:"talk"`  // milliseconds
	Price int64 `json:"price"` // Money per minute x milliseconds: divided only once, when it is compared
}

// Talk is an attempt; it costs from its answer on. Its leg may move from call to call, by transfers and
// pick-ups: whoever has it in the end, it costs whom it was permitted to.
type Talk struct {
	Permit
	Leg     tel.LegID `json:"leg,omitempty"`
	Started bool      `json:"started,omitempty"`
}

const (
	slot = 5 * time.Minute
	// The windows, in slots before the current one: a window is never shorter than its name.
	hour = int64(time.Hour / slot)
	day  = int64(24 * time.Hour / slot)
)

// Guard counts and decides. It is not safe for use by several goroutines.
type Guard struct {
	rules Rules
	s     State
	last  time.Time // with the monotonic clock of this process, when the caller's times have it
}

// New continues from a state, which may be the zero State.
func New(r Rules, s State, at time.Time) *Guard {
	g := &Guard{rules: r, s: s.clone(), last: s.Last}
	if s.Last.IsZero() {
		g.s.Clock, g.last = 48*time.Hour, at // so that records of yesterday have a slot
	}
	g.advance(at)
	return g
}

// SetRules changes the rules; Over tells which calls they end.
func (g *Guard) SetRules(r Rules) { g.rules = r }

// State is a copy of what the guard knows.
func (g *Guard) State() State { return g.s.clone() }

func (s State) clone() State {
	s.Used, s.Active = maps.Clone(s.Used), maps.Clone(s.Active)
	for a := range s.Used {
		s.Used[a] = slices.Clone(s.Used[a])
	}
	return s
}

// advance lets time pass: running calls are charged. A wall clock that jumps back makes no time pass; it
// takes nothing from the counters.
func (g *Guard) advance(at time.Time) {
	passed := at.Sub(g.last)
	switch {
	case passed < 0:
		g.last, passed = at, 0
	default:
		passed = passed.Truncate(time.Millisecond) // the rest passes with the next step
		g.last = g.last.Add(passed)
	}
	g.s.Last = g.last.Round(0)
	before := g.slot()
	g.s.Clock += passed
	for _, t := range g.s.Active {
		if t.Started {
			for _, a := range t.accounts() {
				g.charge(a, g.slot(), passed, t.Price)
			}
		}
	}
	if g.slot() != before {
		for a := range g.s.Used {
			g.compact(a)
		}
	}
}

// compact forgets what lies before every window, and keeps what lies before the last hour by the hour:
// as if it had been used at that hour's end.
func (g *Guard) compact(account string) {
	old := g.slot() - hour
	var kept []Use
	for _, u := range g.s.Used[account] {
		if u.Slot < old {
			u.Slot = min(u.Slot-u.Slot%hour+hour-1, old-1)
		}
		switch i := slices.IndexFunc(kept, func(k Use) bool { return k.Slot == u.Slot }); {
		case u.Slot < g.slot()-day:
		case i < 0:
			kept = append(kept, u)
		default:
			kept[i].Talk += u.Talk
			kept[i].Price += u.Price
		}
	}
	if g.s.Used[account] = kept; len(kept) == 0 {
		delete(g.s.Used, account)
	}
}

func (g *Guard) slot() int64 { return int64(g.s.Clock / slot) }

func (g *Guard) charge(account string, in int64, talk time.Duration, price tel.Money) {
	if talk <= 0 {
		return
	}
	if g.s.Used == nil {
		g.s.Used = map[string][]Use{}
	}
	uses := g.s.Used[account]
	i := slices.IndexFunc(uses, func(u Use) bool { return u.Slot == in })
	if i < 0 {
		uses, i = append(uses, Use{Slot: in}), len(uses)
	}
	uses[i].Talk += talk.Milliseconds()
	uses[i].Price += talk.Milliseconds() * int64(price)
	g.s.Used[account] = uses
}

// used sums up an account's window.
func (g *Guard) used(account string, window int64) (minutes float64, money tel.Money) {
	var talk, price int64
	for _, u := range g.s.Used[account] {
		if u.Slot >= g.slot()-window {
			talk += u.Talk
			price += u.Price
		}
	}
	minute := time.Minute.Milliseconds()
	return float64(talk) / float64(minute), tel.Money((price + minute - 1) / minute)
}

func (g *Guard) caps(account string) Caps {
	switch {
	case account == box:
		return g.rules.Box
	case len(account) > len(person) && account[:len(person)] == person:
		return g.rules.Person
	default:
		return g.rules.Line
	}
}

// spent says which limit of an account is reached.
func (g *Guard) spent(account string) (Why, bool) {
	c := g.caps(account)
	hourMinutes, hourMoney := g.used(account, hour)
	dayMinutes, dayMoney := g.used(account, day)
	switch {
	case c.HourMinutes > 0 && hourMinutes >= float64(c.HourMinutes):
		return WhyHourMinutes, true
	case c.DayMinutes > 0 && dayMinutes >= float64(c.DayMinutes):
		return WhyDayMinutes, true
	case c.HourMoney > 0 && hourMoney >= c.HourMoney:
		return WhyHourMoney, true
	case c.DayMoney > 0 && dayMoney >= c.DayMoney:
		return WhyDayMoney, true
	}
	return "", false
}

// Allow decides about one attempt. The permit counts as a call until Ended, or EndedLeg.
func (g *Guard) Allow(r Request, at time.Time) (Permit, error) {
	g.advance(at)
	if r.Number.Emergency() {
		return Permit{}, nil
	}
	class, ok := dialplan.ClassOf(r.Number)
	if !ok {
		return Permit{}, Refusal{WhyNumber, box}
	}
	if why, ok := g.rules.mayGo(r.Number, class, r.Night); !ok {
		return Permit{}, Refusal{why, box}
	}
	p := Permit{ID: r.ID, Call: r.Call, Person: r.Person, Via: r.Via, Class: class, Price: r.Price}
	if !r.Priced {
		p.Price = usual(class)
	}
	for _, a := range p.accounts() {
		calls := 0
		for id, t := range g.s.Active {
			if id != r.ID && slices.Contains(t.accounts(), a) {
				calls++
			}
		}
		if limit := g.caps(a).Calls; limit > 0 && calls >= limit {
			return Permit{}, Refusal{WhyCalls, a}
		}
		if why, reached := g.spent(a); reached {
			return Permit{}, Refusal{why, a}
		}
	}
	if g.s.Active == nil {
		g.s.Active = map[string]Talk{}
	}
	g.s.Active[p.ID] = Talk{Permit: p}
	return p, nil
}

// Active goes over the attempts and calls that count now, by id.
func (g *Guard) Active() iter.Seq2[string, Talk] { return maps.All(g.s.Active) }

// Started says that an attempt was answered: it costs from now on.
func (g *Guard) Started(id string, at time.Time) {
	g.advance(at)
	if t, ok := g.s.Active[id]; ok {
		t.Started = true
		g.s.Active[id] = t
	}
}

// Ended says that an attempt is over.
func (g *Guard) Ended(id string, at time.Time) {
	g.advance(at)
	delete(g.s.Active, id)
}

// Named says which leg an attempt became: a later process knows it by that.
func (g *Guard) Named(id string, leg tel.LegID) {
	if t, ok := g.s.Active[id]; ok {
		t.Leg = leg
		g.s.Active[id] = t
	}
}

// EndedLeg says that a leg is over.
func (g *Guard) EndedLeg(leg tel.LegID, at time.Time) {
	g.advance(at)
	maps.DeleteFunc(g.s.Active, func(_ string, t Talk) bool { return t.Leg == leg })
}

// Keep drops the legs that did not survive a restart.
func (g *Guard) Keep(live func(tel.LegID) bool, at time.Time) {
	g.advance(at)
	maps.DeleteFunc(g.s.Active, func(_ string, t Talk) bool { return t.Leg == "" || !live(t.Leg) })
}

// Overrun is a leg that must end, and why.
type Overrun struct {
	Talk
	Refusal
}

// Over lists the attempts and calls that have reached a limit, in order of their ids.
func (g *Guard) Over(at time.Time) []Overrun {
	g.advance(at)
	var all []Overrun
	for _, id := range slices.Sorted(maps.Keys(g.s.Active)) {
		t := g.s.Active[id]
		for _, a := range t.accounts() {
			if why, reached := g.spent(a); reached {
				all = append(all, Overrun{t, Refusal{why, a}})
				break
			}
		}
	}
	return all
}

// Record is a finished call to the outside, as the call records have it.
type Record struct {
	Person          string
	Via             string
	Number          tel.Number
	Answered, Ended time.Time // wall time
}

// Rebuild counts finished calls when the counters were lost. Every started minute counts, at a usual
// price: rather too much than too little.
func (g *Guard) Rebuild(records []Record, at time.Time) {
	g.advance(at)
	for _, r := range records {
		class, ok := dialplan.ClassOf(r.Number)
		if !ok || r.Answered.IsZero() || r.Ended.Before(r.Answered) {
			continue
		}
		ago := max(0, at.Sub(r.Ended))
		if ago > 24*time.Hour {
			continue
		}
		long := (r.Ended.Sub(r.Answered) + time.Minute - 1).Truncate(time.Minute)
		for _, a := range (Permit{Person: r.Person, Via: r.Via}).accounts() {
			g.charge(a, int64((g.s.Clock-ago)/slot), long, usual(class))
		}
	}
}
