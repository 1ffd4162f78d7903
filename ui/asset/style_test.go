package asset

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func style(t *testing.T) string {
	t.Helper()
	b, err := Files.ReadFile("pronto.css")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// rgb is a colour of linear light, 0 to 1.
type rgb [3]float64

var token = regexp.MustCompile(`--([a-z]+): #([0-9A-F]{6});`)

// themes reads the colour tokens: the first :root is light, the second dark.
func themes(t *testing.T) map[string]map[string]rgb {
	t.Helper()
	parts := strings.SplitN(style(t), ":root {", 3)
	all := map[string]map[string]rgb{"light": {}, "dark": {}}
	for i, theme := range []string{"light", "dark"} {
		block, _, _ := strings.Cut(parts[i+1], "}")
		for _, m := range token.FindAllStringSubmatch(block, -1) {
			n, err := strconv.ParseUint(m[2], 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			all[theme][m[1]] = rgb{linear(n >> 16), linear(n >> 8 & 255), linear(n & 255)}
		}
		if len(all[theme]) != 14 {
			t.Fatalf("%d colour tokens in %s, want 14", len(all[theme]), theme)
		}
	}
	return all
}

// linear undoes the sRGB transfer curve (IEC 61966-2-1) of one byte.
func linear(b uint64) float64 {
	v := float64(b) / 255
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func gamma(v float64) float64 {
	v = min(max(v, 0), 1)
	if v <= 0.0031308 {
		return v * 12.92
	}
	return 1.055*math.Pow(v, 1/2.4) - 0.055
}

// mix is color-mix(in srgb, a share, b).
func mix(a, b rgb, share float64) rgb {
	var m rgb
	for i := range m {
		g := gamma(a[i])*share + gamma(b[i])*(1-share)
		m[i] = linear(uint64(math.Round(g * 255)))
	}
	return m
}

// contrast is the ratio of WCAG 2.2.
func contrast(a, b rgb) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(c rgb) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }

func TestEveryTextCanBeRead(t *testing.T) {
	for theme, c := range themes(t) {
		for _, pair := range []struct {
			text, on string
			least    float64
		}{
			{"fg", "bg", 4.5},
			{"fg", "card", 4.5},
			{"muted", "bg", 4.5},
			{"muted", "card", 4.5},
			{"accent", "bg", 4.5},
			{"accent", "card", 4.5},
			{"fault", "card", 4.5}, // "broken" at a lamp
			{"out", "card", 4.5},   // the tile of who is logged out
			{"solid", "talking", 4.5},
			{"solid", "fault", 4.5},
			// Shapes and borders: 3, WCAG 1.4.11.
			{"ready", "card", 3},
			{"ringing", "card", 3},
			{"wrap", "card", 3},
			{"paused", "card", 3},
			{"talking", "card", 3},
			{"line", "card", 3},
			{"ready", "bg", 3},
			{"ringing", "bg", 3},
			{"wrap", "bg", 3},
			{"paused", "bg", 3},
			{"talking", "bg", 3},
			{"out", "bg", 3},
			{"fault", "bg", 3},
		} {
			text, ok := c[pair.text]
			on, ok2 := c[pair.on]
			if got := contrast(text, on); !ok || !ok2 || got < pair.least {
				t.Errorf("%s: %s on %s is %.2f, want %.1f", theme, pair.text, pair.on, got, pair.least)
			}
		}
		// The patterns of tiles lie under text.
		for state, share := range map[string]float64{"ringing": 0.18, "wrap": 0.28, "paused": 0.22} {
			if !strings.Contains(style(t), fmt.Sprintf("var(--c) %.0f%%, var(--card)", share*100)) {
				t.Errorf("no pattern of %.0f %% in the style: the test is out of date", share*100)
			}
			if got := contrast(c["fg"], mix(c[state], c["card"], share)); got < 4.5 {
				t.Errorf("%s: text on the pattern of %s is %.2f", theme, state, got)
			}
		}
	}
}

// Simulations of full colour blindness: G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, "A
// Physiologically-based Model for Simulation of Color Vision Deficiency", 2009, severity 1.0.
var eyes = map[string][3]rgb{
	"usual":        {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritanopia":   {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

// lab is CIE L*a*b* under D65 of a colour as an eye sees it.
func lab(c rgb, eye [3]rgb) [3]float64 {
	var s rgb
	for i, row := range eye {
		s[i] = min(max(row[0]*c[0]+row[1]*c[1]+row[2]*c[2], 0), 1)
	}
	f := func(v float64) float64 {
		if v > 216.0/24389 {
			return math.Cbrt(v)
		}
		return (24389.0/27*v + 16) / 116
	}
	x := f((0.4124564*s[0] + 0.3575761*s[1] + 0.1804375*s[2]) / 0.95047)
	y := f(0.2126729*s[0] + 0.7151522*s[1] + 0.0721750*s[2])
	z := f((0.0193339*s[0] + 0.1191920*s[1] + 0.9503041*s[2]) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

func TestStatesDifferForEveryEye(t *testing.T) {
	states := []string{"ready", "ringing", "talking", "wrap", "paused", "out", "fault"}
	for theme, c := range themes(t) {
		for name, eye := range eyes {
			least, worst := math.Inf(1), ""
			for i, a := range states {
				for _, b := range states[i+1:] {
					p, q := lab(c[a], eye), lab(c[b], eye)
					if d := math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2]); d < least {
						least, worst = d, a+" and "+b
					}
				}
			}
			t.Logf("%s, %s: least distance %.1f, %s", theme, name, least, worst)
			if least < 20 {
				t.Errorf("%s, %s: %s differ by %.1f (CIE76), want 20", theme, name, worst, least)
			}
		}
	}
}

var (
	animation = regexp.MustCompile(`\.([a-z_]+) > \.bulb::before \{ animation: lamp-([a-z_]+) ([0-9.]+)s step-end infinite; \}`)
	keyframe  = regexp.MustCompile(`([0-9.]+)% \{ opacity: ([0-9.]+) \}`)
)

func TestTheLampOnThePageKeepsTheTimeOfTheLampOnTheDesk(t *testing.T) {
	css := style(t)
	seconds := map[string]float64{}
	for _, m := range animation.FindAllStringSubmatch(css, -1) {
		if m[1] != m[2] {
			t.Errorf("the lamp of %s blinks as %s", m[1], m[2])
		}
		seconds[m[1]], _ = strconv.ParseFloat(m[3], 64)
	}
	looks := map[string]lamp.Pattern{"help": lamp.Usual().Of(lamp.Help)}
	for _, s := range tel.AgentStates() {
		looks[s.String()] = lamp.Usual().Of(lamp.OfAgent(s))
	}
	for s, pattern := range looks {
		if len(pattern) == 1 { // steady: on unless the style says otherwise
			dark := strings.Contains(css, "."+s+" > .bulb::before, .broken > .bulb::before { visibility: hidden; }")
			if lit := pattern[0].Level.Brightness > 0; lit == dark || seconds[s] != 0 {
				t.Errorf("%s: lit %v on the desk, dark %v on the page, period %v", s, lit, dark, seconds[s])
			}
			continue
		}
		period := time.Duration(seconds[s] * float64(time.Second))
		if period != pattern.Period() {
			t.Errorf("%s: period %v on the page, %v on the desk", s, period, pattern.Period())
			continue
		}
		_, body, _ := strings.Cut(css, "@keyframes lamp-"+s+" {")
		body, _, _ = strings.Cut(body, "\n")
		var at time.Duration
		steps := keyframe.FindAllStringSubmatch(body, -1)
		if len(steps) != len(pattern) {
			t.Errorf("%s: %d steps on the page, %d on the desk", s, len(steps), len(pattern))
			continue
		}
		for i, step := range pattern {
			percent, _ := strconv.ParseFloat(steps[i][1], 64)
			opacity, _ := strconv.ParseFloat(steps[i][2], 64)
			begins := time.Duration(percent / 100 * float64(period))
			if (begins - at).Abs() > lamp.Frame/4 {
				t.Errorf("%s, step %d: begins at %v on the page, %v on the desk", s, i, begins, at)
			}
			if want := float64(step.Level.Brightness) / 255; math.Abs(opacity-want) > 0.01 {
				t.Errorf("%s, step %d: %.2f bright on the page, %.2f on the desk", s, i, opacity, want)
			}
			at += step.For
		}
	}
}
