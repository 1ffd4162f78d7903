package lamp

import "github.com/pronto-pbx/pronto/firmware/tel"

// Light is the port that drivers implement: one physical output, or one RGB group, for one lamp.
// Set is called only by the lamp owner's goroutine and must return within a few milliseconds; an
// error makes the owner show a fault and retry with back-off, it never affects calls.
type Light interface {
	ID() tel.LampID
	// Set shows a level now: brightness 0-255 and a colour that one-colour lights ignore.
	Set(Level) error
	// Close turns the light off and releases it.
	Close() error
}

// Level is what a light shows at one instant.
type Level struct {
	Brightness uint8 // 0 is off, 255 is fully on
	R, G, B    uint8
}

// Dimmed is the level where fully on is full. What is lit stays lit.
func (l Level) Dimmed(full uint8) Level {
	if l.Brightness == 0 {
		return l
	}
	l.Brightness = uint8(max(1, (int(l.Brightness)*int(full)+127)/255))
	return l
}

// Button is the port of a push button at a desk; each press is sent once, debounced.
type Button interface {
	ID() tel.LampID // its own, or that of the lamp that it is beside
	Presses() <-chan struct{}
	Close() error
}
