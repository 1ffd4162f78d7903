package light

import (
	"math"

	"github.com/pronto-pbx/pronto/firmware/lamp"
)

// gamma is the exponent between how bright a light should look and how long a LED must be lit: the eye takes a fifth
// of the light for half of the brightness (CIE 1931 lightness is close to it).
const gamma = 2.2

// dimmed is the share of full light, of full, that shows a part of a level. What is lit at all stays lit.
func dimmed(brightness, part uint8, full int) int {
	if brightness == 0 || part == 0 {
		return 0
	}
	share := math.Pow(float64(brightness)/255*float64(part)/255, gamma)
	return max(1, int(math.Round(share*float64(full))))
}

// rgb is what one colour LED shows, each part of 0 to 255.
type rgb struct{ r, g, b uint8 }

// colour is a level as a colour LED shows it; a level without a colour is white.
func colour(l lamp.Level) rgb {
	if l.R == 0 && l.G == 0 && l.B == 0 {
		l.R, l.G, l.B = 255, 255, 255
	}
	return rgb{uint8(dimmed(l.Brightness, l.R, 255)), uint8(dimmed(l.Brightness, l.G, 255)), uint8(dimmed(l.Brightness, l.B, 255))}
}
