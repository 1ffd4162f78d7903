package erasure

import (
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// mostKnown bounds what a Match remembers of numbers that it has looked at.
const mostKnown = 1 << 16

// A number within a text has so many digits: fewer are extensions and amounts, more are none (ITU-T E.164: 15, and
// the 00 of a way abroad).
const (
	leastDigits = 6
	mostDigits  = 17
)

// Match knows erased numbers when it sees them. It is used by one goroutine.
type Match struct {
	list  List
	known map[string]int // text of digits -> entry, -1: of none
}

// Match prepares to look for the numbers of the list.
func (l List) Match() *Match { return &Match{list: l, known: map[string]int{}} }

// Empty tells that nothing would be found.
func (m *Match) Empty() bool { return len(m.list) == 0 }

// Number tells whether a number, written down at a moment, is erased, and by what alias it is known now.
func (m *Match) Number(n tel.Number, at time.Time) (alias tel.Number, ok bool) {
	return m.digits(string(n), at)
}

// Has is Number for who needs no alias.
func (m *Match) Has(n tel.Number, at time.Time) bool {
	_, ok := m.Number(n, at)
	return ok
}

// Recordings are the identifiers of what was recorded of erased persons.
func (m *Match) Recordings() (all []string) {
	for _, e := range m.list {
		all = union(all, e.Recordings)
	}
	return all
}

// digits looks a text up that may be a number as it is shown, dialled or sent.
func (m *Match) digits(s string, at time.Time) (tel.Number, bool) {
	if len(m.list) == 0 || s == "" {
		return "", false
	}
	i, known := m.known[s]
	if !known {
		i = m.find(s)
		if len(m.known) >= mostKnown {
			clear(m.known)
		}
		m.known[strings.Clone(s)] = i
	}
	if i < 0 {
		return "", false
	}
	for ; i < len(m.list); i++ { // the same person may have been erased twice: the first that covers the moment
		if e := &m.list[i]; e.covers(at) && m.written(s, e) {
			return e.Alias, true
		}
	}
	return "", false
}

// find is the first entry of a number in any of its spellings, -1 for none.
func (m *Match) find(s string) int {
	for i := range m.list {
		if m.written(s, &m.list[i]) {
			return i
		}
	}
	return -1
}

// written tells whether a text is the number of an entry: as it is, or as carriers send it, without its +.
func (m *Match) written(s string, e *Entry) bool {
	if n, ok := tel.Number(s).E164(); ok && e.is(n) {
		return true
	}
	if s[0] == '+' || s[0] == '0' {
		return false
	}
	n, ok := tel.Number("+" + s).E164()
	return ok && e.is(n)
}

// Text replaces erased numbers in a text by their aliases, wherever in it they stand.
func (m *Match) Text(s string, at time.Time) (out string, changed bool) {
	b, changed := m.replace([]byte(s), at)
	if !changed {
		return s, false
	}
	return string(b), true
}

// replace is Text; b itself is not changed.
func (m *Match) replace(b []byte, at time.Time) (out []byte, changed bool) {
	done := 0
	for from, to := number(b, 0); from >= 0; from, to = number(b, to) {
		alias, ok := m.digits(string(b[from:to]), at)
		if !ok {
			continue
		}
		out = append(append(out, b[done:from]...), alias...)
		done, changed = to, true
	}
	if !changed {
		return b, false
	}
	return append(out, b[done:]...), true
}

// In tells whether a text has an erased number in it.
func (m *Match) In(b []byte, at time.Time) bool {
	for from, to := number(b, 0); from >= 0; from, to = number(b, to) {
		if _, ok := m.digits(string(b[from:to]), at); ok {
			return true
		}
	}
	return false
}

// number finds the next run of digits that may be a number, with the + before it; from is -1 when there is none.
// Fractions of seconds are not looked at.
func number(b []byte, at int) (from, to int) {
	for at < len(b) {
		if b[at] < '0' || b[at] > '9' {
			at++
			continue
		}
		from, to = at, at
		for to < len(b) && b[to] >= '0' && b[to] <= '9' {
			to++
		}
		at = to
		if n := to - from; n < leastDigits || n > mostDigits || from > 0 && b[from-1] == '.' {
			continue
		}
		if from > 0 && b[from-1] == '+' {
			from--
		}
		return from, to
	}
	return -1, -1
}
