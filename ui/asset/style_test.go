package asset

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/lamp/eye"
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

var token = regexp.MustCompile(`--([a-z]+): #([0-9A-F]{6});`)

// themes reads the colour tokens: the first :root is light, the second dark.
func themes(t *testing.T) map[string]map[string]eye.Colour {
	t.Helper()
	parts := strings.SplitN(style(t), ":root {", 3)
	all := map[string]map[string]eye.Colour{"light": {}, "dark": {}}
	for i, theme := range []string{"light", "dark"} {
		block, _, _ := strings.Cut(parts[i+1], "}")
		for _, m := range token.FindAllStringSubmatch(block, -1) {
			n, err := strconv.ParseUint(m[2], 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			all[theme][m[1]] = eye.Colour{R: uint8(n >> 16), G: uint8(n >> 8), B: uint8(n)}
		}
		if len(all[theme]) != 14 {
			t.Fatalf("%d colour tokens in %s, want 14", len(all[theme]), theme)
		}
	}
	return all
}

// mix is color-mix(in srgb, a share, b).
func mix(a, b eye.Colour, share float64) eye.Colour {
	part := func(x, y uint8) uint8 { return uint8(math.Round(float64(x)*share + float64(y)*(1-share))) }
	return eye.Colour{R: part(a.R, b.R), G: part(a.G, b.G), B: part(a.B, b.B)}
}

// contrast is the ratio of WCAG 2.2.
func contrast(a, b eye.Colour) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(c eye.Colour) float64 {
	l := c.Linear()
	return 0.2126*l[0] + 0.7152*l[1] + 0.0722*l[2]
}

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

func TestStatesDifferForEveryEye(t *testing.T) {
	states := []string{"ready", "ringing", "talking", "wrap", "paused", "out", "fault"}
	for theme, c := range themes(t) {
		for _, kind := range eye.Kinds() {
			name := kind.Name
			least, worst := math.Inf(1), ""
			for i, a := range states {
				for _, b := range states[i+1:] {
					if d := kind.Distance(c[a], c[b]); d < least {
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
	animation = regexp.MustCompile(`((?:\.[a-z_]+ > \.bulb::before(?:, )?)+) \{ animation: lamp-([a-z_]+) ([0-9.]+)s step-end infinite; \}`)
	blinking  = regexp.MustCompile(`\.([a-z_]+) > `)
	hidden    = regexp.MustCompile(`(?m)^\..*\.bulb::before \{ visibility: hidden; \}$`)
	keyframe  = regexp.MustCompile(`([0-9.]+)% \{ opacity: ([0-9.]+) \}`)
)

func TestTheLampOnThePageKeepsTheTimeOfTheLampOnTheDesk(t *testing.T) {
	css := style(t)
	seconds, frames := map[string]float64{}, map[string]string{}
	for _, m := range animation.FindAllStringSubmatch(css, -1) {
		for _, s := range blinking.FindAllStringSubmatch(m[1], -1) {
			seconds[s[1]], _ = strconv.ParseFloat(m[3], 64)
			frames[s[1]] = m[2]
		}
	}
	looks := map[string]lamp.Pattern{}
	for _, s := range []lamp.State{
		lamp.Help, lamp.QueueCalm, lamp.QueueWaits, lamp.QueueLate, lamp.StackCalm, lamp.StackWaits, lamp.StackLate,
		lamp.LineOff, lamp.LineIdle, lamp.LineInUse, lamp.LineFault, lamp.SystemWell, lamp.SystemTrouble, lamp.Failure,
	} {
		looks[string(s)] = lamp.Usual().Of(s)
	}
	for _, s := range tel.AgentStates() {
		looks[s.String()] = lamp.Usual().Of(lamp.OfAgent(s))
	}
	for s, pattern := range looks {
		if len(pattern) == 1 { // steady: on unless the style says otherwise
			dark := slices.ContainsFunc(blinking.FindAllStringSubmatch(hidden.FindString(css), -1), func(m []string) bool { return m[1] == s })
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
		_, body, _ := strings.Cut(css, "@keyframes lamp-"+frames[s]+" {")
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
