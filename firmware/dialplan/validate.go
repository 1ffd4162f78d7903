package dialplan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Validate returns every fault of the plan at once, or nil. queues lists the queues that exist.
func (p Plan) Validate(queues []tel.QueueID) error {
	v := validator{plan: p, queues: queues, numbers: map[tel.Number]string{}}
	v.extensions()
	v.groups()
	v.queueNumbers()
	v.conferences()
	v.slots()
	v.codes()
	v.hours()
	v.ways()
	v.inbound()
	v.callers("plan", p.Blocked, p.Anonymous)
	v.callers("plan.vip", p.VIP, "")
	v.emergencyTest()
	v.loops()
	return errors.Join(v.errs...)
}

type validator struct {
	plan    Plan
	queues  []tel.QueueID
	numbers map[tel.Number]string // internal numbers and where they are defined
	errs    []error
}

func (v *validator) bad(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf(format, args...))
}

// number claims an internal number.
func (v *validator) number(at string, n tel.Number) {
	if !isDigits(string(n)) || len(n) > 6 {
		v.bad("%s: %q cannot be dialled as an internal number", at, n)
		return
	}
	if e, ok := v.plan.emergency(n); ok {
		v.bad("%s: %s would hide the emergency number %s", at, n, e)
	}
	if other, taken := v.numbers[n]; taken {
		v.bad("%s: %s is already taken by %s", at, n, other)
	}
	v.numbers[n] = at
}

func (v *validator) extensions() {
	owner := map[tel.DeviceID]string{}
	for i, x := range v.plan.Extensions {
		at := fmt.Sprintf("extensions[%d]", i)
		v.number(at+".number", x.Number)
		for _, d := range x.Devices {
			if other, taken := owner[d]; taken {
				v.bad("%s.devices: %q already belongs to %s", at, d, other)
			}
			owner[d] = at
		}
		v.classes(at+".allow", x.Allow)
		v.classes(at+".pin_allow", x.PINAllow)
		if len(x.PINAllow) > 0 && x.PIN == "" {
			v.bad("%s.pin: missing, but classes are opened by it", at)
		}
		if x.PIN != "" && !IsPIN(x.PIN) {
			v.bad("%s.pin: use %d to %d digits, not all alike", at, minPIN, maxPIN)
		}
		if x.Ring < 0 || x.Ring > maxRing {
			v.bad("%s.ring: %v is not between 0 and %v", at, x.Ring, maxRing)
		}
		for j, step := range x.Follow {
			v.rings(fmt.Sprintf("%s.follow[%d]", at, j), step.To, step.After, x.Number)
		}
		for _, f := range []struct{ when, to string }{
			{"always", x.Forward.Always}, {"busy", x.Forward.Busy}, {"no_answer", x.Forward.NoAnswer}, {"unreachable", x.Forward.Unreachable},
		} {
			v.destinationAs(fmt.Sprintf("%s.forward.%s", at, f.when), f.to, x.Number)
		}
		v.callers(at, x.Blocked, x.Anonymous)
	}
}

// The lengths of a PIN.
const (
	minPIN = 4
	maxPIN = 10 // scripts collect no more
)

// IsPIN reports whether digits can be a PIN: long enough, and not one digit over and over.
func IsPIN(s string) bool {
	return isDigits(s) && len(s) >= minPIN && len(s) <= maxPIN && strings.Trim(s, s[:1]) != ""
}

// maxRing bounds how long anything rings; carriers give up before.
const maxRing = 3 * time.Minute

func (v *validator) classes(at string, classes []Class) {
	for _, c := range classes {
		if !slices.Contains(Classes(), c) {
			v.bad("%s: unknown class %q", at, c)
		}
	}
}

// rings checks a destination that rings beside others.
func (v *validator) rings(at, to string, after time.Duration, as tel.Number) {
	d, err := ParseDestination(to)
	switch {
	case err != nil || d.Kind != "ext" && d.Kind != "outside":
		v.bad("%s.to: %q cannot ring beside others; write ext:NUMBER or outside:NUMBER", at, to)
	case d.Kind == "ext" && tel.Number(d.What) == as:
		v.bad("%s.to: %s would ring itself", at, as)
	default:
		v.destinationAs(at+".to", to, as)
	}
	if after < 0 || after > maxRing {
		v.bad("%s.after: %v is not between 0 and %v", at, after, maxRing)
	}
}

func (v *validator) groups() {
	seen := map[string]bool{}
	for i, g := range v.plan.Groups {
		at := fmt.Sprintf("groups[%d]", i)
		if g.ID == "" || seen[g.ID] {
			v.bad("%s: id %q is empty or taken", at, g.ID)
		}
		seen[g.ID] = true
		if g.Number != "" {
			v.number(at+".number", g.Number)
		}
		if len(g.Members) == 0 {
			v.bad("%s.members: a group needs somebody", at)
		}
		if g.Ring < 0 || g.Ring > maxRing {
			v.bad("%s.ring: %v is not between 0 and %v", at, g.Ring, maxRing)
		}
		for j, m := range g.Members {
			v.rings(fmt.Sprintf("%s.members[%d]", at, j), m.To, m.After, "")
		}
		v.destinationAs(at+".busy", g.Busy, "")
		v.destinationAs(at+".no_answer", g.NoAnswer, "")
	}
}

func (v *validator) queueNumbers() {
	for i, q := range v.plan.Queues {
		at := fmt.Sprintf("queues[%d]", i)
		if !slices.Contains(v.queues, q.Queue) {
			v.bad("%s: no queue %q", at, q.Queue)
		}
		v.number(at+".number", q.Number)
	}
}

func (v *validator) conferences() {
	seen := map[tel.ConferenceID]bool{}
	for i, c := range v.plan.Conferences {
		at := fmt.Sprintf("conferences[%d]", i)
		if c.ID == "" || seen[c.ID] {
			v.bad("%s: id %q is empty or taken", at, c.ID)
		}
		seen[c.ID] = true
		if c.Number != "" {
			v.number(at+".number", c.Number)
		}
	}
}

func (v *validator) slots() {
	s := v.plan.slots()
	if !s.has(s.First) || !s.has(s.Last) || len(s.First) > 6 || len(v.plan.ParkSlots()) == 0 {
		v.bad("slots: %q to %q is no range of numbers of equal length", s.First, s.Last)
	}
	for n, at := range v.numbers {
		if s.has(n) {
			v.bad("%s: %s lies among the parking slots %s to %s", at, n, s.First, s.Last)
		}
	}
	for _, n := range tel.EmergencyNumbers() {
		if s.has(n) {
			v.bad("slots: %s to %s would hide the emergency number %s", s.First, s.Last, n)
		}
	}
}

// codes finds codes that hide one another: what a person would dial for one must not mean another.
func (v *validator) codes() {
	type use struct {
		code   tel.Number
		behind bool
	}
	taken := map[use]Action{}
	for i, c := range v.plan.codes() {
		at := fmt.Sprintf("codes[%d]", i)
		if !slices.ContainsFunc(Codes(), func(known Code) bool { return known.Action == c.Action }) {
			v.bad("%s.action: %q is no feature", at, c.Action)
			continue
		}
		if len(c.Code) < 2 || strings.Trim(string(c.Code), "0123456789*#") != "" || !strings.ContainsAny(string(c.Code[:1]), "*#") {
			v.bad("%s.code: %q does not begin with * or #, or holds something else than digits, * and #", at, c.Code)
			continue
		}
		u := use{c.Code, c.Behind() != Nothing}
		if other, ok := taken[u]; ok {
			v.bad("%s.code: %s is %s already, and cannot be %s too", at, c.Code, other, c.Action)
			continue
		}
		taken[u] = c.Action
		for _, example := range v.examples(c) {
			if got, _, _ := v.plan.code(c.Code + tel.Number(example)); got != c {
				v.bad("%s.code: %s%s for %s would mean %s (%s)", at, c.Code, example, c.Action, got.Action, got.Code)
				break
			}
		}
	}
}

// examples are digits that people of this plan dial behind a code.
func (v *validator) examples(c Code) []string {
	switch c.Behind() {
	case QueueBehind:
		var all []string
		for _, q := range v.plan.Queues {
			all = append(all, string(q.Number))
		}
		return all
	case PersonBehind:
		var all []string
		for _, x := range v.plan.Extensions {
			all = append(all, string(x.Number))
		}
		return all
	case NumberBehind:
		return []string{"0287654321", "3331234567", "800123456", "00442071234567", "+442071234567"}
	case SlotBehind, SlotAndNumber:
		var all []string
		for slot := range 100 {
			rest := fmt.Sprintf("%02d", slot)
			if c.Behind() == SlotAndNumber {
				rest += "0287654321"
			}
			all = append(all, rest)
		}
		return all
	case HoursBehind:
		all := []string{""}
		for _, h := range v.plan.Hours {
			if h.Key > 0 {
				all = append(all, fmt.Sprint(h.Key))
			}
		}
		return all
	case PromptBehind:
		return []string{"1", "1234"}
	case DispositionBehind:
		return []string{"1", "12", "123"}
	default:
		return []string{""}
	}
}

func (v *validator) hours() {
	seen, keys := map[string]bool{}, map[int]string{}
	for i, h := range v.plan.Hours {
		at := fmt.Sprintf("hours[%d]", i)
		if h.ID == "" || seen[h.ID] {
			v.bad("%s: id %q is empty or taken", at, h.ID)
		}
		seen[h.ID] = true
		if other, taken := keys[h.Key]; h.Key != 0 && (taken || h.Key < 0 || h.Key > 9) {
			v.bad("%s.key: %d is not 1 to 9, or is the key of %q", at, h.Key, other)
		}
		keys[h.Key] = h.ID
		v.spans(at+".open", h.Open, true)
		v.spans(at+".eve", h.Eve, false)
		for j, e := range h.Exceptions {
			where := fmt.Sprintf("%s.exceptions[%d]", at, j)
			v.spans(where+".open", e.Open, false)
			if (e.From.Year == 0) != (e.To.Year == 0) || e.From.Month == 0 || e.To.Month == 0 || e.From.Year != 0 && e.From.order() > e.To.order() {
				v.bad("%s: needs two dates, both with a year and the first not after the second, or both without", where)
			}
		}
		if h.Then == "" {
			v.bad("%s.then: missing: where calls go while it is open", at)
		}
		for _, to := range []string{h.Then, h.Closed, h.Holiday} {
			v.destinationAs(at, to, "")
		}
	}
}

func (v *validator) spans(at string, spans []Span, days bool) {
	for j, s := range spans {
		if s.From < 0 || s.From >= 24*time.Hour || s.To < 0 || s.To > 24*time.Hour {
			v.bad("%s[%d]: %v to %v is not within a day", at, j, s.From, s.To)
		}
		if days && len(s.Days) == 0 {
			v.bad("%s[%d]: names no day", at, j)
		}
		for _, d := range s.Days {
			if d < time.Sunday || d > time.Saturday {
				v.bad("%s[%d]: no weekday %d", at, j, d)
			}
		}
	}
}

func (v *validator) ways() {
	known := map[string]bool{}
	for i, o := range v.plan.Outlets {
		if !isVia(o.Via) || known[o.Via] {
			v.bad("outlets[%d]: %q is no trunk or line, or is there twice", i, o.Via)
		}
		known[o.Via] = true
		for c, price := range o.Prices {
			if !slices.Contains(Classes(), c) || c == Internal || price < 0 {
				v.bad("outlets[%d].prices: %q at %s is no price of a class", i, c, price)
			}
		}
	}
	for i, r := range v.plan.Routes {
		at := fmt.Sprintf("routes[%d]", i)
		if len(r.Via) == 0 {
			v.bad("%s.via: empty", at)
		}
		for _, via := range r.Via {
			if !known[via] {
				v.bad("%s.via: no trunk or line %q", at, via)
			}
		}
		if r.Form != "" && r.Form != National && r.Form != E164 {
			v.bad("%s.form: unknown form %q", at, r.Form)
		}
		if r.Strip < 0 {
			v.bad("%s.strip: negative", at)
		}
		if r.Pattern != "" && (r.Prefix != "" || !IsPattern(r.Pattern)) {
			v.bad("%s.pattern: %q is not made of digits, X, Z, N and a final dot, or there is a prefix too", at, r.Pattern)
		}
		for _, n := range r.People {
			if _, ok := v.plan.extension(n); !ok {
				v.bad("%s.people: no extension %q", at, n)
			}
		}
		if _, ok := v.plan.hours(r.Hours); r.Hours != "" && !ok {
			v.bad("%s.hours: no opening hours %q", at, r.Hours)
		}
	}
}

func isVia(s string) bool {
	kind, name, _ := strings.Cut(s, ":")
	return (kind == "trunk" || kind == "line") && name != ""
}

func (v *validator) inbound() {
	for i, in := range v.plan.Inbound {
		at := fmt.Sprintf("inbound[%d]", i)
		if !isVia(in.Via) {
			v.bad("%s.via: %q is no trunk or line", at, in.Via)
		}
		v.destination(at+".to", in.To)
	}
}

// callers checks lists of callers and where anonymous ones go.
func (v *validator) callers(at string, blocked []string, anonymous string) {
	for i, pattern := range blocked {
		if !IsCallerPattern(pattern) {
			v.bad("%s.blocked[%d]: %q is no number, and no beginning of one with * behind it", at, i, pattern)
		}
	}
	if anonymous != "" && anonymous != "reject" {
		v.destination(at+".anonymous", anonymous)
	}
}

// IsCallerPattern reports whether text is a number, or the beginning of one and *.
func IsCallerPattern(s string) bool {
	start := strings.TrimSuffix(s, "*")
	n, err := tel.ParseNumber(start)
	return err == nil && string(n) == start && !strings.ContainsAny(start, "*#")
}

func (v *validator) emergencyTest() {
	to := v.plan.EmergencyTest
	if to == "" {
		return
	}
	d, err := ParseDestination(to)
	x, known := v.plan.extension(tel.Number(d.What))
	switch {
	case err != nil || d.Kind != "ext" && d.Kind != "say" && d.Kind != "echo":
		v.bad("emergency_test: %q: a test leads to ext:NUMBER, say:PROMPT or echo", to)
	case d.Kind == "ext" && (!known || len(x.Devices) == 0):
		v.bad("emergency_test: there is no phone at extension %q", d.What)
	}
}

// destinationAs checks a destination that may be missing, and that the extension whose rights it uses
// may call there.
func (v *validator) destinationAs(at, to string, as tel.Number) {
	if to == "" {
		return
	}
	d, err := ParseDestination(to)
	if err == nil && as != "" && d.Kind == "outside" {
		if out := v.plan.outside(tel.Number(d.What), Request{As: as}); out.Action == Reject && out.Why == WhyForbidden {
			v.bad("%s: %s may not dial %s, and so cannot send calls there", at, as, d.What)
			return
		}
	}
	v.destination(at, to)
}

// destination checks that a place exists. Whether it answers is for the moment of the call.
func (v *validator) destination(at, to string) {
	d, err := ParseDestination(to)
	if err != nil {
		v.bad("%s: %w", at, err)
		return
	}
	ok := true
	switch d.Kind {
	case "queue":
		ok = slices.Contains(v.queues, tel.QueueID(d.What))
	case "ext":
		_, ok = v.plan.extension(tel.Number(d.What))
	case "voicemail":
		var x Extension
		x, ok = v.plan.extension(tel.Number(d.What))
		ok = ok && x.Mailbox
	case "group":
		ok = slices.ContainsFunc(v.plan.Groups, func(g Group) bool { return g.ID == d.What })
	case "conference":
		ok = slices.ContainsFunc(v.plan.Conferences, func(c ConferenceNumber) bool { return string(c.ID) == d.What })
	case "menu":
		ok = slices.Contains(v.plan.Menus, d.What)
	case "hours":
		_, ok = v.plan.hours(d.What)
	case "outside":
		if _, emergency := v.plan.emergency(tel.Number(d.What)); emergency {
			v.bad("%s: calls cannot be sent to the emergency number %s", at, d.What)
			return
		}
		_, ok = ClassOf(tel.Number(d.What))
	}
	if !ok {
		v.bad("%s: %q leads nowhere: there is no %s %q", at, to, d.Kind, d.What)
	}
}

// loops follows what always happens: unconditional forwards, and opening hours whatever their state.
func (v *validator) loops() {
	next := map[string][]string{}
	for _, x := range v.plan.Extensions {
		next["ext:"+string(x.Number)] = []string{x.Forward.Always}
	}
	for _, h := range v.plan.Hours {
		next["hours:"+h.ID] = []string{h.Then, h.Closed, h.Holiday}
	}
	var back func(from, at string, seen map[string]bool) bool
	back = func(from, at string, seen map[string]bool) bool {
		for _, to := range next[at] {
			if to == from {
				return true
			}
			if to != "" && !seen[to] {
				seen[to] = true
				if back(from, to, seen) {
					return true
				}
			}
		}
		return false
	}
	for _, from := range slices.Sorted(maps.Keys(next)) {
		if back(from, from, map[string]bool{}) {
			v.bad("%s: the chain of destinations comes back to where it began", from)
		}
	}
}

// ValidateDestination says why a destination of another part of the configuration, such as a
// queue's overflow, leads nowhere.
func (p Plan) ValidateDestination(s string, queues []tel.QueueID) error {
	v := validator{plan: p, queues: queues}
	v.destination("destination", s)
	return errors.Join(v.errs...)
}
