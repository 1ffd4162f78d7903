package lamp

import (
	"fmt"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/lamp/eye"
)

// Limits of a row.
const (
	fastest     = 400 * time.Millisecond // from one lighting up to the next: 2.5 times a second
	shortest    = 2 * Frame
	longest     = time.Minute
	mostSteps   = 16
	mostColours = 4
	leastApart  = 20 // of two colours of one lamp, as CIE76 for the eye that tells them apart worst
)

// Fault is why a table is not fit for a house.
type Fault struct {
	State State
	Code  string // "rhythm", "fast", "percent", "colour", "alike" (in time) or "hue" (of colours that some eyes cannot tell apart)
	Other State  // of alike and hue: which one it is confused with
	Text  string
}

// Check finds what makes a table unfit: a row that cannot be shown, one that blinks too fast for people with
// epilepsy, two states of one lamp that look alike to who sees no colour, and colours that are not far enough apart
// for who sees some badly.
func (p Policy) Check() (all []Fault) {
	sound := map[State]bool{}
	for _, s := range States() {
		f, bad := p[s].check(s)
		if bad {
			all = append(all, f)
		}
		sound[s] = !bad
	}
	seen := map[[2]State]bool{}
	for _, family := range families() {
		for i, a := range family {
			for _, b := range family[i+1:] {
				if !sound[a] || !sound[b] || seen[[2]State{a, b}] {
					continue
				}
				seen[[2]State{a, b}] = true
				all = append(all, p.confused(a, b)...)
			}
		}
	}
	return all
}

func (r Row) check(s State) (f Fault, bad bool) {
	fault := func(code, format string, args ...any) (Fault, bool) {
		return Fault{State: s, Code: code, Text: fmt.Sprintf(format, args...)}, true
	}
	if len(r.Rhythm) == 0 {
		return Fault{}, false // dark
	}
	switch {
	case r.Percent < 1 || r.Percent > 100:
		return fault("percent", "%s: the brightness is within 1 and 100 percent", s)
	case len(r.Colours) == 0 || len(r.Colours) > mostColours:
		return fault("colour", "%s: a lit lamp has 1 to %d colours", s, mostColours)
	case len(r.Rhythm) > mostSteps || len(r.Rhythm) > 1 && len(r.Rhythm)%2 == 1:
		return fault("rhythm", "%s: a rhythm is one time, or up to %d that are lit and dark in turn", s, mostSteps)
	}
	for _, c := range r.Colours {
		if c == (Colour{}) {
			return fault("colour", "%s: black is no colour of a lit lamp", s)
		}
	}
	for i, d := range r.Rhythm {
		if d%Frame != 0 || d < shortest || d > longest {
			return fault("rhythm", "%s: %v is not within %v and %v, in steps of %v", s, d, shortest, longest, Frame)
		}
		if i%2 == 1 && r.Rhythm[i-1]+d < fastest {
			return fault("fast", "%s: it lights up again after %v; faster than 2.5 times a second is dangerous for some people", s, r.Rhythm[i-1]+d)
		}
	}
	return Fault{}, false
}

func (p Policy) confused(a, b State) (all []Fault) {
	if alike(runs(p.Of(a)), runs(p.Of(b))) {
		all = append(all, Fault{a, "alike", b, fmt.Sprintf("%s and %s are lit and dark for the same times: who sees no colours cannot tell them apart", a, b)})
	}
	if len(p[a].Rhythm) == 0 || len(p[b].Rhythm) == 0 {
		return all
	}
	for _, x := range p[a].Colours {
		for _, y := range p[b].Colours {
			if d := Distance(x, y); x != y && d < leastApart {
				return append(all, Fault{a, "hue", b, fmt.Sprintf("the colours of %s and %s are %.0f apart for some eyes, want the same or at least %d", a, b, d, leastApart)})
			}
		}
	}
	return all
}

// runs are the lengths of what an eye sees that sees no colour and no brightness: lit, dark, lit ... Only one length
// is given for what never changes, negative when it is dark. A pattern that repeats itself is given once.
func runs(p Pattern) (all []time.Duration) {
	for _, s := range p {
		d := s.For
		if s.Level.Brightness == 0 {
			d = -d
		}
		if n := len(all); n > 0 && (all[n-1] < 0) == (d < 0) {
			all[n-1] += d
		} else {
			all = append(all, d)
		}
	}
	if len(all)%2 == 1 && len(all) > 1 { // begins as it ends
		all[0] += all[len(all)-1]
		all = all[:len(all)-1]
	}
	for n := 2; n < len(all); n += 2 {
		if len(all)%n == 0 && slices.Equal(all[n:], all[:len(all)-n]) {
			return all[:n]
		}
	}
	return all
}

// alike says that an eye cannot tell two runs apart, whenever it begins to look: each time is within a fifth of the
// other's, or within 40 ms.
func alike(a, b []time.Duration) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) == 1 {
		return (a[0] < 0) == (b[0] < 0)
	}
	for turn := range len(b) {
		same := true
		for i, x := range a {
			y := b[(i+turn)%len(b)]
			if (x < 0) != (y < 0) || !near(x.Abs(), y.Abs()) {
				same = false
				break
			}
		}
		if same {
			return true
		}
	}
	return false
}

func near(x, y time.Duration) bool {
	return (x-y).Abs() <= 40*time.Millisecond || float64(max(x, y)) <= 1.2*float64(min(x, y))
}

// Distance is how far two colours are apart (CIE76) for the one of four kinds of eyes that tells them apart worst.
func Distance(a, b Colour) float64 { return eye.Distance(eye.Colour(a), eye.Colour(b)) }
