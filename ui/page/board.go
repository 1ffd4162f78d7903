package page

import (
	"time"

	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/ui/wiring"
)

// BoardState is how the machine is. What it does not tell is nil, false or 0.
type BoardState struct {
	Wrong   []Said
	Heated  bool // it tells how hot it is
	Heat    int  // degrees Celsius
	Limit   int  // from which on it is too hot
	Power   *BoardPower
	Clock   *BoardClock // nil: it has none
	Disks   []BoardDisk
	Ports   []BoardPort
	Console bool // the kernel talks at pins 8 and 10
}

// BoardPower is the supply of a board.
type BoardPower struct{ Low, Was, Slow bool }

// Key is the sentence about it.
func (p BoardPower) Key() string {
	switch {
	case p.Low:
		return "board.power.low"
	case p.Was:
		return "board.power.was"
	default:
		return "board.power.good"
	}
}

// BoardClock is a clock that keeps time without power.
type BoardClock struct {
	Told    bool    // how full its battery is
	Volt    float64 // of the battery
	Charged bool    // it is charged by the board
}

// BoardDisk is what the box writes to.
type BoardDisk struct {
	Name, Kind string
	GB         float64
	Worn       int     // percent of its life at most; 0: it does not tell
	Scarce     bool    // few spare blocks are left
	PerDay     float64 // GB written in a day; 0: it is too early to say
}

// BoardPort is an interface of the network.
type BoardPort struct {
	Name     string
	Up       bool
	Wireless bool
	Speed    int // Mbit/s
	Half     bool
	Errors   uint64
}

// Support is how lamps of a driver can hang on the board.
type Support struct{ Driver, Says string }

// MachinePage is the page of the machine.
type MachinePage struct {
	Reader  Reader
	Box     string
	Machine model.Board
	State   *BoardState // nil: it tells nothing
	Lights  []Support
}

// Machine renders the page of the machine.
func (r *Renderer) Machine(m MachinePage, now time.Time) ([]byte, error) {
	return r.shell("board.html", "board", m.Box, m.Reader, m, now)
}

// Wiring is where the wires of the lamps go.
type Wiring struct {
	Reader  Reader
	Box     string
	Board   model.Board
	Boards  []Option
	Kinds   []Option
	Sheets  []Drawn
	Example bool // nobody has such a lamp
}

// Drawn is a sheet with its drawing.
type Drawn struct {
	wiring.Sheet
	wiring.Drawing
	Limit int // mA that all pins may give together
}

// Wiring renders where the wires of the lamps go.
func (r *Renderer) Wiring(w Wiring, now time.Time) ([]byte, error) {
	return r.shell("wiring.html", "wiring", w.Box, w.Reader, w, now)
}

// PartOf is the part at which a wire ends.
func (d Drawn) PartOf(w wiring.Wire) wiring.Part { return d.Parts[w.Part] }

// TerminalOf is the terminal at which a wire ends.
func (d Drawn) TerminalOf(w wiring.Wire) string { return d.Parts[w.Part].Terminals[w.Terminal] }
