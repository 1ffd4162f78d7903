// Package eye says how far apart two colours are for people, also for those who see some colours badly. It is pure.
package eye

import "math"

// Colour is one of a screen or a lamp, in sRGB (IEC 61966-2-1).
type Colour struct{ R, G, B uint8 }

// Light is a colour in linear light, red, green and blue of 0 to 1.
type Light [3]float64

// Linear is the colour in linear light.
func (c Colour) Linear() (l Light) {
	for i, v := range []uint8{c.R, c.G, c.B} {
		if x := float64(v) / 255; x <= 0.04045 {
			l[i] = x / 12.92
		} else {
			l[i] = math.Pow((x+0.055)/1.055, 2.4)
		}
	}
	return l
}

// Kind is a kind of eyes.
type Kind struct {
	Name string // "usual", or without the cones for long, middle or short waves
	left [3]Light
}

// Kinds are the usual eye and three that lack one sort of cones wholly: G. M. Machado, M. M. Oliveira, L. A. F.
// Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009, severity 1.0.
func Kinds() []Kind {
	return []Kind{
		{"usual", [3]Light{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
		{"protanopia", [3]Light{{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}}},
		{"deuteranopia", [3]Light{{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}}},
		{"tritanopia", [3]Light{{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}},
	}
}

// sees is what is left of a light for the kind of eyes.
func (k Kind) sees(l Light) (s Light) {
	for i, row := range k.left {
		s[i] = min(max(row[0]*l[0]+row[1]*l[1]+row[2]*l[2], 0), 1)
	}
	return s
}

// lab is CIE L*a*b* of a light under D65 (CIE 15:2004, section 8.2.1).
func lab(l Light) [3]float64 {
	f := func(v float64) float64 {
		if v > 216.0/24389 {
			return math.Cbrt(v)
		}
		return (24389.0/27*v + 16) / 116
	}
	x := f((0.4124564*l[0] + 0.3575761*l[1] + 0.1804375*l[2]) / 0.95047)
	y := f(0.2126729*l[0] + 0.7151522*l[1] + 0.0721750*l[2])
	z := f((0.0193339*l[0] + 0.1191920*l[1] + 0.9503041*l[2]) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// Distance is how far two colours are apart for the kind of eyes (CIE76): some 2 are just seen, 100 are black and
// white.
func (k Kind) Distance(a, b Colour) float64 {
	p, q := lab(k.sees(a.Linear())), lab(k.sees(b.Linear()))
	return math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2])
}

// Distance is how far two colours are apart for the kind of eyes that tells them apart worst.
func Distance(a, b Colour) float64 {
	least := math.Inf(1)
	for _, k := range Kinds() {
		least = min(least, k.Distance(a, b))
	}
	return least
}
