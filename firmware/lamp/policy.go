package lamp

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Frame is the grid on which patterns change: 50 Hz.
const Frame = 20 * time.Millisecond

// Step is a part of a pattern during which the light does not change. For is a whole number of
// frames.
type Step struct {
	For   time.Duration
	Level Level
}

// Pattern repeats its steps for ever. Its on and off times alone name the state; colour and
// brightness only help.
type Pattern []Step

// PatternFor returns what a lamp shows for a state, at the given full brightness (1-255).
//
// The on/off times are those of a one-colour busy light. Talking and internal differ there only in
// brightness, which a light on a plain output pin cannot show, so internal also has a short gap
// every two seconds, and a call to the outside two. No pattern turns on more than 2.5 times a second
// (WCAG 2.3.1 allows 3).
func PatternFor(state tel.AgentState, full uint8) Pattern {
	on := func(frames int, r, g, b uint8) Step {
		return Step{time.Duration(frames) * Frame, Level{Brightness: full, R: r, G: g, B: b}}
	}
	off := func(frames int) Step { return Step{For: time.Duration(frames) * Frame} }
	switch state {
	case tel.AgentReady: // 60 ms each 4 s, green
		return Pattern{on(3, 0, 255, 0), off(197)}
	case tel.AgentRinging: // 2 Hz, amber
		return Pattern{on(13, 255, 140, 0), off(12)}
	case tel.AgentTalking: // steady, red
		return Pattern{on(50, 255, 0, 0)}
	case tel.AgentInternal: // steady at 40 % with a gap of 100 ms each 2 s, blue
		dim := on(95, 0, 0, 255)
		dim.Level.Brightness = uint8(max(1, int(full)*40/100))
		return Pattern{dim, off(5)}
	case tel.AgentOutbound: // steady with two gaps of 100 ms each 2 s, red
		return Pattern{on(75, 255, 0, 0), off(5), on(15, 255, 0, 0), off(5)}
	case tel.AgentHold: // 0.5 Hz, three quarters on, red
		return Pattern{on(75, 255, 0, 0), off(25)}
	case tel.AgentReserved: // 1 Hz, amber
		return Pattern{on(25, 255, 140, 0), off(25)}
	case tel.AgentWrapUp: // 0.5 Hz, violet
		return Pattern{on(50, 150, 0, 255), off(50)}
	case tel.AgentPaused: // double blink each 3 s, white
		return Pattern{on(7, 255, 255, 255), off(14), on(7, 255, 255, 255), off(122)}
	case tel.AgentUnreachable: // three flashes each 5 s, red
		return Pattern{on(6, 255, 0, 0), off(15), on(6, 255, 0, 0), off(15), on(6, 255, 0, 0), off(202)}
	default: // logged out
		return Pattern{off(50)}
	}
}

// HelpPattern is what the lamp of an agent shows who asks for a supervisor, whatever the agent does: a
// double blink each second, purple.
func HelpPattern(full uint8) Pattern {
	lit := Level{Brightness: full, R: 160, B: 160}
	return Pattern{{5 * Frame, lit}, {15 * Frame, Level{}}, {5 * Frame, lit}, {25 * Frame, Level{}}}
}

// WatchedPattern is what the lamp of an agent shows who talks while a supervisor takes part: lit with
// two gaps of 100 ms close to each other, purple.
func WatchedPattern(full uint8) Pattern {
	lit := Level{Brightness: full, R: 160, B: 220}
	return Pattern{{50 * Frame, lit}, {5 * Frame, Level{}}, {20 * Frame, lit}, {5 * Frame, Level{}}}
}

// FindPattern is what a lamp shows that somebody looks for: 240 ms of each 480 ms, white.
func FindPattern(full uint8) Pattern {
	return Pattern{{12 * Frame, Level{Brightness: full, R: 255, G: 255, B: 255}}, {12 * Frame, Level{}}}
}

// AlarmPattern is what every lamp of the house shows after an emergency call: 600 ms of each 800 ms, red.
func AlarmPattern(full uint8) Pattern {
	return Pattern{{30 * Frame, Level{Brightness: full, R: 255}}, {10 * Frame, Level{}}}
}

// Period is the time after which the pattern repeats.
func (p Pattern) Period() time.Duration {
	var sum time.Duration
	for _, s := range p {
		sum += s.For
	}
	return sum
}

// At returns the level at t after the pattern's beginning and how long it lasts from then on.
// A pattern of one step lasts for ever, which is told as a negative time.
func (p Pattern) At(t time.Duration) (Level, time.Duration) {
	if len(p) == 1 {
		return p[0].Level, -1
	}
	t %= p.Period()
	for _, s := range p {
		if t < s.For {
			return s.Level, s.For - t
		}
		t -= s.For
	}
	return p[0].Level, p[0].For // not reached: t is below the period
}

// Entry is where the pattern should begin when the light shows now: at the first step that looks
// different, so that a change of state is seen at once and not a blink later.
func (p Pattern) Entry(now Level) time.Duration {
	var at time.Duration
	for _, s := range p {
		if (s.Level.Brightness > 0) != (now.Brightness > 0) {
			return at
		}
		at += s.For
	}
	return 0
}
