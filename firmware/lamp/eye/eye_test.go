package eye

import (
	"math"
	"testing"
)

// The values are those that tables of sRGB under D65 list.
func TestColoursHaveTheLightnessAndHueOfTheTables(t *testing.T) {
	for name, c := range map[string]struct {
		colour Colour
		want   [3]float64
	}{
		"black":   {Colour{0, 0, 0}, [3]float64{0, 0, 0}},
		"white":   {Colour{255, 255, 255}, [3]float64{100, 0, 0}},
		"grey":    {Colour{128, 128, 128}, [3]float64{53.585, 0, 0}},
		"red":     {Colour{255, 0, 0}, [3]float64{53.241, 80.092, 67.203}},
		"green":   {Colour{0, 255, 0}, [3]float64{87.735, -86.183, 83.179}},
		"blue":    {Colour{0, 0, 255}, [3]float64{32.297, 79.188, -107.860}},
		"yellow":  {Colour{255, 255, 0}, [3]float64{97.139, -21.554, 94.478}},
		"magenta": {Colour{255, 0, 255}, [3]float64{60.324, 98.234, -60.825}},
	} {
		got := lab(c.colour.Linear())
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > 0.02 {
				t.Errorf("%s: %.3f, want %.3f", name, got, c.want)
				break
			}
		}
	}
}

func TestNoKindOfEyesSeesGreyInColour(t *testing.T) {
	for _, k := range Kinds() {
		for v := range 256 {
			l := lab(k.sees(Colour{uint8(v), uint8(v), uint8(v)}.Linear()))
			if math.Abs(l[1]) > 0.5 || math.Abs(l[2]) > 0.5 {
				t.Fatalf("%s sees grey %d as %.2f", k.Name, v, l)
			}
		}
	}
}

func TestTheDistanceIsThatOfTheEyeThatTellsWorst(t *testing.T) {
	red, green, blue, teal := Colour{R: 255}, Colour{G: 255}, Colour{B: 255}, Colour{G: 128, B: 128}
	kinds := map[string]Kind{}
	for _, k := range Kinds() {
		kinds[k.Name] = k
	}
	if len(kinds) != 4 {
		t.Fatalf("%d kinds", len(kinds))
	}
	// Who lacks cones for long or middle waves confuses red with green, who lacks those for short ones blue with green.
	for _, c := range []struct {
		kind string
		a, b Colour
	}{{"protanopia", red, green}, {"deuteranopia", red, green}, {"tritanopia", blue, teal}} {
		if usual, left := kinds["usual"].Distance(c.a, c.b), kinds[c.kind].Distance(c.a, c.b); left > usual*0.75 {
			t.Errorf("%s: %.1f of %.1f", c.kind, left, usual)
		}
	}
	for _, c := range [][2]Colour{{red, green}, {red, blue}, {blue, teal}} {
		least := math.Inf(1)
		for _, k := range kinds {
			least = min(least, k.Distance(c[0], c[1]))
		}
		if d := Distance(c[0], c[1]); d != least || d != Distance(c[1], c[0]) {
			t.Errorf("%v: %.2f, want %.2f either way", c, d, least)
		}
	}
	if d := Distance(red, red); d != 0 {
		t.Errorf("red is %.2f from red", d)
	}
}
