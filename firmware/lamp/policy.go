package lamp

import (
	"maps"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Colour is what a colour lamp shows; a lamp of one colour ignores it.
type Colour struct{ R, G, B uint8 }

// Row is how one state is shown.
type Row struct {
	State State
	// Colours are taken in turn by the lit steps of the rhythm, which is repeated until each had its turn.
	Colours []Colour
	Percent int // brightness when lit, of fully on: 1 to 100; a lamp on a plain output pin cannot show it
	// Rhythm is how long the lamp is lit, dark, lit ...; a single time: it is steady; none: it is dark.
	Rhythm []time.Duration
}

// Policy is the table of what each state looks like.
type Policy map[State]Row

// Usual is the table of a box whose owner has changed nothing.
//
// The on and off times are those of a busy light of one colour. Talking and internal differ there only in brightness,
// which a light on a plain output pin cannot show, so internal also has a short gap every two seconds, and a call to
// the outside two. No pattern turns on more than 2.5 times a second (WCAG 2.3.1 allows 3).
//
// The colours are apart for eyes that see no red, no green or no blue (see Distance), and lamps of three plain output
// pins show them as green, yellow, red, blue, magenta and white.
func Usual() Policy {
	var (
		green  = Colour{0, 255, 120}
		amber  = Colour{255, 180, 0}
		red    = Colour{255, 0, 0}
		blue   = Colour{0, 0, 255}
		violet = Colour{190, 90, 255}
		purple = Colour{160, 0, 160}
		white  = Colour{255, 255, 255}
	)
	all := Policy{}
	add := func(s State, c Colour, ms ...int) {
		r := Row{State: s, Colours: []Colour{c}, Percent: 100}
		for _, n := range ms {
			r.Rhythm = append(r.Rhythm, time.Duration(n)*time.Millisecond)
		}
		all[s] = r
	}
	add(OfAgent(tel.AgentLoggedOut), white)
	add(OfAgent(tel.AgentReady), green, 60, 3940)
	add(OfAgent(tel.AgentRinging), amber, 260, 240)
	add(OfAgent(tel.AgentTalking), red, 1000)
	add(OfAgent(tel.AgentInternal), blue, 1900, 100)
	add(OfAgent(tel.AgentOutbound), red, 1500, 100, 300, 100)
	add(OfAgent(tel.AgentHold), red, 1500, 500)
	add(OfAgent(tel.AgentReserved), amber, 500, 500)
	add(OfAgent(tel.AgentWrapUp), violet, 1000, 1000)
	add(OfAgent(tel.AgentPaused), white, 140, 280, 140, 2440)
	add(OfAgent(tel.AgentUnreachable), red, 120, 300, 120, 300, 120, 4040)
	add(Help, purple, 100, 300, 100, 500)
	add(Supervised, purple, 1000, 100, 400, 100)

	add(QueueCalm, green, 60, 3940)
	add(QueueWaits, amber, 1000)
	add(QueueLate, amber, 500, 500)
	add(StackCalm, green, 1000)
	add(StackWaits, amber, 1000)
	add(StackLate, red, 500, 500)
	add(LineOff, white)
	add(LineIdle, green, 60, 3940)
	add(LineInUse, red, 1000)
	add(LineFault, red, 400, 100)
	add(SystemWell, green, 60, 3940)
	add(SystemTrouble, red, 120, 300, 120, 300, 120, 4040)

	add(Failure, white, 60, 4940)
	add(Alarm, red, 600, 200)
	add(Find, white, 100, 300)
	add(Test, red, 1000)
	change := func(s State, f func(*Row)) { r := all[s]; f(&r); all[s] = r }
	change(OfAgent(tel.AgentInternal), func(r *Row) { r.Percent = 40 })
	change(LineFault, func(r *Row) { r.Colours = []Colour{red, amber} })
	change(Test, func(r *Row) { r.Colours = []Colour{red, {0, 255, 0}, blue, white} })
	return all
}

// Of is the pattern of a state; a state without a row is dark.
func (p Policy) Of(s State) Pattern { return p[s].Pattern() }

// Pattern is what the row looks like at full brightness.
func (r Row) Pattern() (p Pattern) {
	if len(r.Rhythm) == 0 || len(r.Colours) == 0 {
		return Pattern{{For: 50 * Frame}}
	}
	lit := 0
	for {
		for i, d := range r.Rhythm {
			step := Step{For: d}
			if i%2 == 0 {
				c := r.Colours[lit%len(r.Colours)]
				step.Level = Level{Brightness: uint8(max(1, 255*r.Percent/100)), R: c.R, G: c.G, B: c.B}
				lit++
			}
			p = append(p, step)
		}
		if lit >= len(r.Colours) {
			return p
		}
	}
}

// States lists every state that has a row, in an order for people.
func States() (all []State) {
	for _, f := range families() {
		for _, s := range f {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return append(all, StackCalm, StackWaits, StackLate, Test)
}

// families are the states that one lamp can show, who must be told apart. The lamps of a stack tell by their place;
// a test is made by who looks on.
func families() [][]State {
	var agent []State
	for _, s := range tel.AgentStates() {
		agent = append(agent, OfAgent(s))
	}
	any := []State{Failure, Alarm, Find}
	return [][]State{
		slices.Concat(agent, []State{Help, Supervised}, any),
		slices.Concat([]State{QueueCalm, QueueWaits, QueueLate}, any),
		slices.Concat([]State{LineOff, LineIdle, LineInUse, LineFault}, any),
		slices.Concat([]State{SystemWell, SystemTrouble}, any),
	}
}

// With is the table with some rows replaced.
func (p Policy) With(rows ...Row) Policy {
	q := maps.Clone(p)
	for _, r := range rows {
		q[r.State] = r
	}
	return q
}
