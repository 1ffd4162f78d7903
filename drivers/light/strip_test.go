package light

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"periph.io/x/conn/v3/conntest"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/lamp/lamptest"
)

// shown reads the last transfer as the LEDs do.
func shown(t testing.TB, ops []conntest.IO, decode func([]byte) ([]rgb, error)) []rgb {
	t.Helper()
	if len(ops) == 0 {
		return nil
	}
	leds, err := decode(ops[len(ops)-1].W)
	if err != nil {
		t.Fatal(err)
	}
	return leds
}

// readAPA102 follows the data sheet: a start of 32 zeros, then frames that begin with three ones, until one does not.
func readAPA102(w []byte) (leds []rgb, err error) {
	if len(w) < 4 || w[0]|w[1]|w[2]|w[3] != 0 {
		return nil, fmt.Errorf("no start frame: % x", w[:min(4, len(w))])
	}
	w = w[4:]
	for len(w) >= 4 && w[0]>>5 == 0b111 {
		if w[0]&0x1f != 31 {
			return nil, fmt.Errorf("LED %d has a common brightness of %d", len(leds), w[0]&0x1f)
		}
		leds = append(leds, rgb{w[3], w[2], w[1]})
		w = w[4:]
	}
	// 32 zeros for the SK9822, and a half clock for each LED.
	if 8*len(w) < 32+len(leds)/2 {
		return nil, fmt.Errorf("%d bits at the end of %d LEDs", 8*len(w), len(leds))
	}
	for _, b := range w {
		if b != 0 {
			return nil, fmt.Errorf("the end lights LEDs: % x", w)
		}
	}
	return leds, nil
}

// readWS2812 measures the line as the LEDs do: in time, from the bus's clock. Data sheet of the WS2812B: a 0 is high for
// 0.4 us, a 1 for 0.8 us, each +-150 ns; a bit takes 1.25 us +-600 ns; a low of 280 us shows.
func readWS2812(w []byte) (leds []rgb, err error) {
	const bit = 1e9 / 2.4e6 // ns
	var line []bool
	for _, b := range w {
		for i := 7; i >= 0; i-- {
			line = append(line, b>>i&1 == 1)
		}
	}
	var parts []byte
	var value, count int
	for i := 0; i < len(line); {
		high, low := 0, 0
		for i < len(line) && line[i] {
			high++
			i++
		}
		for i < len(line) && !line[i] {
			low++
			i++
		}
		up, down := float64(high)*bit, float64(low)*bit
		if high > 0 {
			switch {
			case up > 250 && up < 550:
				value = value << 1
			case up > 650 && up < 950:
				value = value<<1 | 1
			default:
				return nil, fmt.Errorf("a pulse of %.0f ns", up)
			}
			if down < 280_000 && (up+down < 650 || up+down > 1850) {
				return nil, fmt.Errorf("a bit of %.0f ns", up+down)
			}
			if count++; count == 8 {
				parts, value, count = append(parts, byte(value)), 0, 0
			}
		}
		if down >= 280_000 && len(parts) > 0 {
			if len(parts)%3 != 0 || count != 0 || i < len(line) {
				return nil, fmt.Errorf("%d colours and %d bits, then a pause at %d of %d", len(parts), count, i, len(line))
			}
			for c := range slices.Chunk(parts, 3) {
				leds = append(leds, rgb{c[1], c[0], c[2]})
			}
			return leds, nil
		}
	}
	return nil, fmt.Errorf("what was sent is never shown")
}

func strips() map[string]struct {
	kind   StripKind
	decode func([]byte) ([]rgb, error)
} {
	return map[string]struct {
		kind   StripKind
		decode func([]byte) ([]rgb, error)
	}{"apa102": {APA102(), readAPA102}, "ws2812": {WS2812(), readWS2812}}
}

func TestStripContract(t *testing.T) {
	for name, s := range strips() {
		t.Run(name, func(t *testing.T) {
			lamptest.Contract(t, func(t *testing.T) lamptest.Rig {
				p := &port{}
				lights, err := OpenStrip(p, s.kind, []StripLamp{{"other", 0, 2}, {"desk1", 3, 2}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = lights[0].Close() })
				return lamptest.Rig{Light: lights[1], ID: "desk1", Lit: func() bool {
					leds := shown(t, p.Ops, s.decode)
					if leds[3] != leds[4] {
						t.Errorf("the LEDs of one lamp differ: %v", leds)
					}
					return leds[4] != rgb{}
				}}
			})
		})
	}
}

func TestAStripShowsTheColoursOfEachLampAndNoOthers(t *testing.T) {
	for name, s := range strips() {
		t.Run(name, func(t *testing.T) {
			p := &port{}
			lights, err := OpenStrip(p, s.kind, []StripLamp{{"a", 0, 1}, {"b", 2, 3}})
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lights {
				defer l.Close()
			}
			_ = lights[0].Set(lamp.Level{Brightness: 255, R: 255, G: 128})
			_ = lights[1].Set(lamp.Level{Brightness: 128, B: 255})
			want := []rgb{{255, 56, 0}, {}, {0, 0, 56}, {0, 0, 56}, {0, 0, 56}} // 255*(128/255)^2.2 = 56
			if got := shown(t, p.Ops, s.decode); !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
			if p.clock != s.kind.clock {
				t.Errorf("clock %v", p.clock)
			}
		})
	}
}

func TestTheLongestStripFitsIntoOneTransferOfTheKernel(t *testing.T) {
	for name, s := range strips() {
		leds := make([]rgb, s.kind.most)
		if n := len(s.kind.encode(leds)); n > 4096 {
			t.Errorf("%s: %d LEDs are %d bytes", name, len(leds), n)
		}
		if got, err := s.decode(s.kind.encode(leds)); err != nil || len(got) != len(leds) {
			t.Errorf("%s: %d LEDs, %v", name, len(got), err)
		}
	}
}

// The frames of two LEDs by hand: the first full red, the second dark.
func TestFramesByHand(t *testing.T) {
	got := apa102([]rgb{{255, 0, 0}, {}})
	want := []byte{0, 0, 0, 0, 0xff, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0}
	if !slices.Equal(got, want) {
		t.Errorf("apa102: % x", got)
	}
	// A 1 is 110, a 0 is 100: green 0, red ff, blue 0, then three times 0.
	zero, ones := []byte{0b10010010, 0b01001001, 0b00100100}, []byte{0b11011011, 0b01101101, 0b10110110}
	want = slices.Concat(make([]byte, ws2812Latch), zero, ones, zero, zero, zero, zero, make([]byte, ws2812Latch))
	if got := ws2812([]rgb{{255, 0, 0}, {}}); !slices.Equal(got, want) {
		t.Errorf("ws2812: % x", got)
	}
}

func TestFaultsOfAStripAreToldTogetherAndReleaseThePort(t *testing.T) {
	p := &port{}
	_, err := OpenStrip(p, WS2812(), []StripLamp{{"a", 0, 3}, {"b", 2, 1}, {"c", 429, 2}, {"d", -1, 1}})
	if err == nil || p.closed != 1 {
		t.Fatalf("%v, closed %d times", err, p.closed)
	}
	for _, want := range []string{`lamp "b": LED 2 is already that of lamp "a"`, `lamp "c": LEDs 429 to 430`, `lamp "d"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word about %s in %v", want, err)
		}
	}
}
