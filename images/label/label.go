// Package label draws what is stuck on a box: its name, its code, and both as a QR code that a telephone's
// camera opens.
package label

import (
	"encoding/csv"
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// Label is what a box says of itself.
type Label struct {
	ID   string // of the box
	Name string // of its host, without .local
	Code string // the secret with which its owner claims it, as it is typed
	Text string // the same, as it is read: in groups
}

// Address is what the QR code says: the page on which a new owner claims the box. The code stands behind #,
// so that a browser sends it to nobody but the page itself.
func (l Label) Address() string { return "http://" + l.Name + ".local/claim#" + l.Code }

// Geometry of the drawing, in millimetres; a module is one dot of the QR code.
const (
	width, height = 62.0, 29.0 // a common roll of labels
	side          = 25.0
	edge          = 2.0
	quiet         = 4 // modules of white around the code (ISO/IEC 18004)
)

// SVG draws the label.
func (l Label) SVG(w io.Writer) error {
	code, err := qr.Encode(l.Address(), qr.M, qr.Auto)
	if err != nil {
		return fmt.Errorf("label of %s: %w", l.ID, err)
	}
	n := code.Bounds().Dx()
	module := side / float64(n+2*quiet)
	var dots strings.Builder
	for y := range n {
		for x := range n {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				fmt.Fprintf(&dots, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	text := func(y float64, size float64, s string) string {
		return fmt.Sprintf("<text x=\"%g\" y=\"%g\" font-size=\"%g\">%s</text>\n", side+2*edge, y, size, html.EscapeString(s))
	}
	_, err = fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%gmm" height="%gmm" viewBox="0 0 %g %g" font-family="sans-serif">
<rect width="100%%" height="100%%" fill="#fff"/>
<g transform="translate(%g %g) scale(%.5f)" shape-rendering="crispEdges"><path d="%s"/></g>
%s%s%s%s</svg>
`, width, height, width, height, edge, edge, module, dots.String(),
		text(8, 5, "Pronto"), text(14, 3, l.Name+".local"), text(21, 4, l.Text), text(26, 2.5, l.ID))
	if err != nil {
		return fmt.Errorf("label of %s: %w", l.ID, err)
	}
	return nil
}

// CSV writes labels as a table with a heading, for whoever prints them elsewhere.
func CSV(w io.Writer, all []Label) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"box", "name", "code", "address"}}
	for _, l := range all {
		rows = append(rows, []string{l.ID, l.Name + ".local", l.Text, l.Address()})
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	return nil
}
