package wiring

import (
	"fmt"

	"github.com/pronto-pbx/pronto/board/model"
)

// Drawing is a sheet on paper. Lengths are those of its SVG, which is Width wide.
type Drawing struct {
	Height int
	Board  Box // the header
	Dots   []Dot
	Lines  []Line
	Boxes  []Box
}

// Width of every drawing: that of a telephone, so that its letters are as large there as they are drawn.
const Width = 360

// Dot is a pin of the header, seen from above: pin 1 is at the top left.
type Dot struct {
	X, Y int
	Pin  model.Pin
	Used bool
}

// Line is a wire.
type Line struct {
	Path   string
	Colour Colour
	Pin    int    // at which it begins; 0: at a source
	Stub   string // the word at the beginning of a wire from a source: a key below wiring.from.
	X, Y   int    // of that word
}

// Box is a part.
type Box struct {
	X, Y, W, H int
	Part       Part
	Labels     []Label // of its terminals, then of its outputs
}

// Label is a word at the left edge of a box.
type Label struct {
	X, Y   int
	Text   string
	Lamp   string // of an output
	Colour string
}

// Where things stand.
const (
	headerX, headerY = 24, 34 // of pin 1
	pitch            = 22     // of the header
	channel          = headerX + pitch + 18
	partX            = 190
	partW            = Width - partX - 6
	partY            = 16
	lineH            = 20
	gap              = 12
)

// Draw lays a sheet out.
func (s Sheet) Draw() Drawing {
	d := Drawing{Board: Box{X: headerX - 14, Y: headerY - 14, W: pitch + 28, H: 19*pitch + 28}}
	used := map[int]bool{}
	for _, w := range s.Wires {
		used[w.Pin.Number] = true
	}
	for _, p := range model.Pins() {
		x, y := where(p.Number)
		d.Dots = append(d.Dots, Dot{x, y, p, used[p.Number]})
	}
	y := partY
	for _, p := range s.Parts {
		b := Box{X: partX, Y: y, W: partW, H: lineH*(1+len(p.Terminals)+len(p.Outputs)) + 6, Part: p}
		for i, t := range p.Terminals {
			b.Labels = append(b.Labels, Label{X: partX + 10, Y: y + lineH*(i+2) - 3, Text: t})
		}
		for i, o := range p.Outputs {
			b.Labels = append(b.Labels, Label{X: partX + 10, Y: y + lineH*(len(p.Terminals)+i+2) - 3, Text: o.Name, Lamp: o.Lamp, Colour: o.Colour})
		}
		d.Boxes = append(d.Boxes, b)
		y += b.H + gap
	}
	for i, w := range s.Wires {
		d.Lines = append(d.Lines, s.line(d, i, w))
	}
	d.Height = max(d.Board.Y+d.Board.H, y-gap) + 8
	return d
}

// where is the middle of a pin: odd ones in the left row.
func where(number int) (x, y int) {
	return headerX + (number-1)%2*pitch, headerY + (number-1)/2*pitch
}

// line leads a wire to the right, down or up in a channel of its own, and on to its terminal. One of the left row
// passes below its neighbour.
func (s Sheet) line(d Drawing, i int, w Wire) Line {
	end := d.Boxes[w.Part].Labels[w.Terminal].Y - 4
	if w.Pin.Number == 0 {
		const length = 14
		return Line{Path: fmt.Sprintf("M%d %dH%d", partX-length, end, partX), Colour: w.Colour, Stub: w.Source, X: partX - length - 4, Y: end + 4}
	}
	x, y := where(w.Pin.Number)
	// The channels are as far from each other as their number allows.
	lane := channel + i*(partX-8-channel)/max(1, len(s.Wires))
	path := fmt.Sprintf("M%d %d", x, y)
	if w.Pin.Number%2 == 1 {
		path += fmt.Sprintf("l%d %d", pitch/2, pitch/2)
	}
	return Line{Path: path + fmt.Sprintf("H%dV%dH%d", lane, end, partX), Colour: w.Colour, Pin: w.Pin.Number}
}
