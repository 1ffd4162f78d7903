package wiring

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func boardOf(t *testing.T, id string) model.Board {
	t.Helper()
	i := slices.IndexFunc(model.Models(), func(m model.Model) bool { return m.ID == id })
	if i < 0 {
		t.Fatalf("there is no board %q", id)
	}
	return model.Board{Model: model.Models()[i], Says: model.Models()[i].Name, Known: true}
}

// said is a sheet as lines: "pin 11 yellow 330 Ω > led lamp1 +".
func said(s Sheet) (all []string) {
	for _, w := range s.Wires {
		from := fmt.Sprint("pin ", w.Pin.Number)
		if w.Pin.Number == 0 {
			from = w.Source
		}
		p := s.Parts[w.Part]
		words := []string{from, string(w.Colour), w.Through, ">", p.Key, p.Name, p.Terminals[w.Terminal]}
		all = append(all, strings.Join(slices.DeleteFunc(words, func(x string) bool { return x == "" }), " "))
	}
	for _, p := range s.Parts {
		for _, o := range p.Outputs {
			all = append(all, strings.TrimSpace(strings.Join([]string{p.Key, p.Name, o.Name, "->", o.Lamp, o.Colour}, " ")))
		}
	}
	return all
}

// Worked out by hand from the data sheets and the drawing of the header.
func TestEachKindIsWiredAsItsDataSheetSays(t *testing.T) {
	for kind, want := range map[Kind][]string{
		LED:    {"pin 11 yellow 330 Ω > led lamp1 +", "pin 9 black > led lamp1 −", "pin 13 green 330 Ω > led lamp2 +", "pin 14 black > led lamp2 −"},
		RGB:    {"pin 29 yellow 330 Ω > rgb lamp1 R", "pin 31 green 330 Ω > rgb lamp1 G", "pin 33 blue 330 Ω > rgb lamp1 B", "pin 30 black > rgb lamp1 −"},
		Relay:  {"pin 16 yellow > uln2803 lamp1 1B (1)", "pin 14 black > uln2803 lamp1 GND (9)", "supply red > uln2803 lamp1 COM (10)", "uln2803 lamp1 1C (18) -> lamp1"},
		Button: {"pin 37 yellow > button lamp1 1", "pin 39 black > button lamp1 2"},
		Shift: {
			"pin 19 yellow > 74hc595 1 SER (14)", "pin 23 green > 74hc595 1 SRCLK (11)", "pin 24 blue > 74hc595 1 RCLK (12)", "pin 17 orange > 74hc595 1 VCC (16)",
			"pin 17 orange > 74hc595 1 SRCLR (10)", "pin 25 black > 74hc595 1 GND (8)", "pin 25 black > 74hc595 1 OE (13)", "74hc595 1 QA (15) -> lamp1", "74hc595 1 QB (1) -> lamp2",
		},
		MCP: {
			"pin 3 yellow > mcp23017 0x20 SDA (13)", "pin 5 green > mcp23017 0x20 SCL (12)", "pin 1 orange > mcp23017 0x20 VDD (9)", "pin 1 orange > mcp23017 0x20 RESET (18)",
			"pin 6 black > mcp23017 0x20 VSS (10)", "pin 6 black > mcp23017 0x20 A0 (15)", "pin 6 black > mcp23017 0x20 A1 (16)", "pin 6 black > mcp23017 0x20 A2 (17)",
			"mcp23017 0x20 GPA0 (21) -> lamp1", "mcp23017 0x20 GPB0 (1) -> lamp2",
		},
		PCA: {
			"pin 3 yellow > pca9685 0x40 SDA", "pin 5 green > pca9685 0x40 SCL", "pin 1 orange > pca9685 0x40 VCC", "pin 6 black > pca9685 0x40 GND", "pin 6 black > pca9685 0x40 OE",
			"pca9685 0x40 PWM 0 -> lamp1 red", "pca9685 0x40 PWM 1 -> lamp1 green", "pca9685 0x40 PWM 2 -> lamp1 blue",
		},
		APA: {
			"pin 19 yellow > 74ahct125 1A (2)", "pin 23 green > 74ahct125 2A (5)", "pin 2 red > 74ahct125 VCC (14)", "pin 20 black > 74ahct125 GND (7)", "pin 20 black > 74ahct125 1OE (1)",
			"pin 20 black > 74ahct125 2OE (4)", "pin 2 red > strip apa102 5 V", "pin 20 black > strip apa102 GND", "74ahct125  1Y (3) → DI ->", "74ahct125  2Y (6) → CI ->",
			"strip apa102 LED 0 -> lamp1", "strip apa102 LED 1 -> lamp2",
		},
		WS: {
			"pin 19 yellow > 74ahct125 1A (2)", "pin 2 red > 74ahct125 VCC (14)", "pin 20 black > 74ahct125 GND (7)", "pin 20 black > 74ahct125 1OE (1)", "pin 2 red > strip ws2812 5 V",
			"pin 20 black > strip ws2812 GND", "74ahct125  1Y (3) → DIN ->", "strip ws2812 LED 0 -> lamp1", "strip ws2812 LED 1 -> lamp2",
		},
		USB: {"usb grey > usb lamp1 USB"},
	} {
		sheets := Sheets(boardOf(t, "pi5"), Examples(kind))
		if len(sheets) != 1 || len(sheets[0].Lost) > 0 {
			t.Fatalf("%s: %+v", kind, sheets)
		}
		if got := said(sheets[0]); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", kind, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if len(Kinds()) != 10 || Examples("candle") != nil {
		t.Error("a kind is judged by nobody")
	}
}

func TestTheOtherWayRoundIsDrawnTheOtherWayRound(t *testing.T) {
	for name, tc := range map[string]struct {
		lamp config.Lamp
		want []string
	}{
		"an LED to the supply": {config.Lamp{ID: "a", Driver: "gpio", Line: "GPIO17", Invert: true}, []string{"pin 17 orange > led a +", "pin 11 yellow 330 Ω > led a −"}},
		"a common anode": {
			config.Lamp{ID: "a", Driver: "gpio", Lines: []string{"pin 36", "pin 38", "pin 40"}, Invert: true},
			[]string{"pin 36 yellow 330 Ω > rgb a R", "pin 38 green 330 Ω > rgb a G", "pin 40 blue 330 Ω > rgb a B", "pin 17 orange > rgb a +"},
		},
		"a module that closes when its input is low": {
			config.Lamp{ID: "a", Driver: "gpio", Line: "pin 16", Relay: true, Invert: true},
			[]string{"pin 16 yellow > relay a IN", "pin 17 orange > relay a VCC", "pin 4 red > relay a JD-VCC", "pin 14 black > relay a GND"},
		},
		"a button to the supply": {
			config.Lamp{ID: "a", Driver: "sim", Button: "gpio", ButtonLine: "pin 15", ButtonSupply: true},
			[]string{"pin 15 yellow > button a 1", "pin 17 orange > button a 2"},
		},
		"an address of other bits": {
			config.Lamp{ID: "a", Driver: "pca9685", Chip: "1:0x45", Bit: 15},
			[]string{
				"pin 3 yellow > pca9685 0x45 SDA", "pin 5 green > pca9685 0x45 SCL", "pin 1 orange > pca9685 0x45 VCC", "pin 6 black > pca9685 0x45 GND", "pin 6 black > pca9685 0x45 OE",
				"pin 1 orange > pca9685 0x45 A0", "pin 1 orange > pca9685 0x45 A2", "pca9685 0x45 PWM 15 -> a",
			},
		},
		"a long strip has its own supply": {
			config.Lamp{ID: "a", Driver: "ws2812", Chip: "1.2", Bit: 3, LEDs: 20},
			[]string{
				"pin 38 yellow > 74ahct125 1A (2)", "pin 2 red > 74ahct125 VCC (14)", "pin 20 black > 74ahct125 GND (7)", "pin 20 black > 74ahct125 1OE (1)", "supply red > strip ws2812 5 V",
				"pin 20 black > strip ws2812 GND", "74ahct125  1Y (3) → DIN ->", "strip ws2812 LED 3–22 -> a",
			},
		},
	} {
		sheets := Sheets(boardOf(t, "pi4"), []config.Lamp{tc.lamp})
		if len(sheets) != 1 || !slices.Equal(said(sheets[0]), tc.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(said(sheets[0]), "\n"), strings.Join(tc.want, "\n"))
		}
	}
}

func TestASecondRegisterIsFedByTheFirst(t *testing.T) {
	s := Sheets(boardOf(t, "pi4"), []config.Lamp{{ID: "a", Driver: "74hc595", Chip: "0.1", Bit: 6, Colour: true}})[0]
	got := said(s)
	for _, want := range []string{"pin 26 blue > 74hc595 1 RCLK (12)", "previous violet QH′ (9) > 74hc595 2 SER (14)", "pin 26 blue > 74hc595 2 RCLK (12)", "74hc595 1 QG (6) -> a red", "74hc595 1 QH (7) -> a green", "74hc595 2 QA (15) -> a blue"} {
		if !slices.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, strings.Join(got, "\n"))
		}
	}
}

func TestWhatCannotBeWiredIsNamedWithTheReason(t *testing.T) {
	for _, tc := range []struct {
		name, board string
		lamps       []config.Lamp
		lost        string
	}{
		{"a ground", "pi5", []config.Lamp{{ID: "a", Driver: "gpio", Line: "pin 6"}}, "a: pin 6 is ground"},
		{"a second lamp on a pin", "pi5", []config.Lamp{{ID: "a", Driver: "gpio", Line: "pin 11"}, {ID: "b", Driver: "gpio", Line: "GPIO17"}}, "b: pin 11 (GPIO17) already belongs to a"},
		{"the chip of another board", "pi5", []config.Lamp{{ID: "a", Driver: "gpio", Chip: "pinctrl-bcm2711", Line: "GPIO17"}}, `a: its chip is "pinctrl-bcm2711"`},
		{"a PC has no pins", "pc", []config.Lamp{{ID: "a", Driver: "gpio", Line: "pin 11"}}, "a: PC or virtual machine has no header"},
		{"a bus that is not on the header", "pi5", []config.Lamp{{ID: "a", Driver: "apa102", Chip: "5.0"}}, "a: the header has no SPI device 5.0"},
		{"another I2C bus", "pi5", []config.Lamp{{ID: "a", Driver: "pca9685", Chip: "7:0x40"}}, "a: the header has no I2C bus 7"},
	} {
		var lost []string
		for _, s := range Sheets(boardOf(t, tc.board), tc.lamps) {
			for _, l := range s.Lost {
				lost = append(lost, l.Lamp+": "+l.Why)
			}
		}
		if len(lost) != 1 || !strings.HasPrefix(lost[0], tc.lost) {
			t.Errorf("%s: %q, want %q", tc.name, lost, tc.lost)
		}
	}
}

func TestWarningsAreThoseOfTheKindAndTheBoard(t *testing.T) {
	many := func(n int) (all []config.Lamp) {
		for i := range n {
			all = append(all, config.Lamp{ID: tel.LampID(fmt.Sprint("l", i)), Driver: "gpio", Line: fmt.Sprint("GPIO", i+4)})
		}
		return all
	}
	for _, tc := range []struct {
		name, board string
		lamps       []config.Lamp
		want        string
		ma          int
	}{
		{"two LEDs", "pi5", many(2), "off volt sum", 8},
		{"twelve are as many as the pins bear", "pi5", many(12), "off volt sum", 48},
		{"thirteen are too many", "pi5", many(13), "off volt sum toomuch", 52},
		{"a relay", "pi5", Examples(Relay), "off volt mains", 0},
		{"a strip of a Pi 4", "pi4", Examples(WS), "off volt core", 0},
		{"a strip of a Pi 5", "pi5", Examples(WS), "off volt", 0},
		{"a long strip", "pi5", []config.Lamp{{ID: "a", Driver: "apa102", Chip: "0.0", LEDs: 9}}, "off volt supply", 0},
		{"a module", "cm4", Examples(Button), "off volt carrier", 0},
		{"USB", "pi4", Examples(USB), "", 0},
		{"nothing that can be wired", "pc", Examples(LED), "", 0},
	} {
		s := Sheets(boardOf(t, tc.board), tc.lamps)[0]
		if got := strings.Join(s.Warnings, " "); got != tc.want || s.MA != tc.ma {
			t.Errorf("%s: %q, %d mA; want %q, %d", tc.name, got, s.MA, tc.want, tc.ma)
		}
	}
}

var begins = regexp.MustCompile(`^M(\d+) (\d+)`)

// Whatever an office has, each wire is drawn from the pin that the data says to the terminal that it names, each lamp
// has pins that no other has, no signal is wired to a supply, and whoever is not drawn is named.
func TestEveryWireOfEveryOfficeEndsOnItsPin(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		var lamps []config.Lamp
		for i := range 1 + rng.IntN(9) {
			l := config.Lamp{ID: tel.LampID(fmt.Sprint("lamp", i)), Driver: config.LampDrivers()[rng.IntN(8)], Bit: rng.IntN(13), Colour: rng.IntN(3) == 0, Invert: rng.IntN(3) == 0, LEDs: rng.IntN(12)}
			line := func() string { return []string{"pin ", "GPIO"}[rng.IntN(2)] + fmt.Sprint(rng.IntN(42)) }
			switch l.Driver {
			case "gpio":
				if l.Line, l.Relay = line(), rng.IntN(4) == 0; rng.IntN(4) == 0 {
					l.Line, l.Lines, l.Relay = "", []string{line(), line(), line()}, false
				}
			case "mcp23017":
				l.Chip = fmt.Sprintf("1:%#x", 0x20+rng.IntN(8))
			case "pca9685":
				l.Chip = fmt.Sprintf("1:%#x", 0x40+rng.IntN(62))
			case "usb", "sim":
			default:
				l.Chip = fmt.Sprintf("%d.%d", rng.IntN(2), rng.IntN(2))
			}
			if rng.IntN(3) == 0 {
				l.Button, l.ButtonLine, l.ButtonSupply = "gpio", line(), rng.IntN(2) == 0
			}
			lamps = append(lamps, l)
		}
		b := boardOf(t, []string{"pi5", "pi4", "pi3", "zero2", "cm5"}[rng.IntN(5)])
		for _, s := range Sheets(b, lamps) {
			judge(t, b, s, lamps)
		}
	}
}

func judge(t *testing.T, b model.Board, s Sheet, lamps []config.Lamp) {
	t.Helper()
	owner := map[int]string{}
	d := s.Draw()
	for i, w := range s.Wires {
		x, y := where(w.Pin.Number)
		line, box := d.Lines[i], d.Boxes[w.Part]
		m := begins.FindStringSubmatch(line.Path)
		if w.Pin.Number > 0 && (m == nil || m[1] != fmt.Sprint(x) || m[2] != fmt.Sprint(y) || line.Pin != w.Pin.Number || !d.Dots[w.Pin.Number-1].Used) {
			t.Fatalf("%s: the wire of %v is drawn as %q", s.Kind, w.Pin, line.Path)
		}
		if label := box.Labels[w.Terminal]; !strings.HasSuffix(line.Path, fmt.Sprintf("H%d", partX)) || label.Y-4 < box.Y || label.Y > box.Y+box.H || box.Y+box.H > d.Height {
			t.Fatalf("%s: the wire of %v ends at %+v of %+v", s.Kind, w.Pin, label, box)
		}
		if signal := slices.Contains(signalColours(), w.Colour); w.Pin.Number > 0 && signal != (w.Pin.Kind == model.Signal) || w.Pin.Identity {
			t.Fatalf("%s: a %s wire at %v", s.Kind, w.Colour, w.Pin)
		}
		if w.Lamp == "" || w.Pin.Number == 0 {
			continue
		}
		if owner[w.Pin.Number] != "" {
			t.Fatalf("%s: %v is that of %s and %s", s.Kind, w.Pin, owner[w.Pin.Number], w.Lamp)
		}
		owner[w.Pin.Number] = w.Lamp
		l := lamps[slices.IndexFunc(lamps, func(l config.Lamp) bool { return string(l.ID) == w.Lamp })]
		names := append(slices.Clone(l.Lines), l.Line, l.ButtonLine)
		if !slices.ContainsFunc(names, func(name string) bool { p, err := b.Pin(name); return err == nil && p.Number == w.Pin.Number }) {
			t.Fatalf("%s: %s has %v, which none of %q is", s.Kind, w.Lamp, w.Pin, names)
		}
	}
	var lost, drawn []string
	for _, l := range s.Lost {
		lost = append(lost, l.Lamp)
	}
	for _, w := range s.Wires {
		drawn = append(drawn, w.Lamp)
	}
	for _, p := range s.Parts {
		for _, o := range p.Outputs {
			drawn = append(drawn, o.Lamp)
		}
	}
	for _, l := range lamps {
		if of(l, s.Kind) && device(l, s.Kind) == s.Device && slices.Contains(lost, string(l.ID)) == slices.Contains(drawn, string(l.ID)) {
			t.Fatalf("%s: %s is drawn %v and lost %v", s.Kind, l.ID, drawn, lost)
		}
	}
}
