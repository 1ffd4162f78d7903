package model

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tree is what a device tree of Raspberry Pi's kernel 6.12.47 says, read from its file.
type tree struct {
	file, says string
	compatible []byte
	lines      []string // of the chip that has the header, by offset
}

func trees(t *testing.T) (all []tree) {
	t.Helper()
	text, err := os.ReadFile("testdata/trees.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(row, "\n"), "\t")
		all = append(all, tree{f[0], f[1], []byte(strings.ReplaceAll(f[2], " ", "\x00") + "\x00"), strings.Fields(f[3])})
	}
	if len(all) < 20 {
		t.Fatalf("only %d device trees", len(all))
	}
	return all
}

// The offset of a line is its GPIO number on every board, and its name is one that Named knows: so a pin is found
// whatever a kernel calls it.
func TestTheLinesOfEveryDeviceTreeAreThoseOfTheHeader(t *testing.T) {
	for _, tr := range trees(t) {
		b := Identify(Facts{Compatible: tr.compatible, Tree: append([]byte(tr.says), 0)})
		if !b.Known || b.Says != tr.says || b.Hardware.Chip == "" {
			t.Errorf("%s: %+v", tr.file, b)
		}
		for offset, name := range tr.lines {
			p, ok := Named(name)
			if !ok && b.Hardware.Header {
				t.Errorf("%s: line %d is %q, which no pin is called", tr.file, offset, name)
				continue
			}
			if ok && p.GPIO != offset {
				t.Errorf("%s: line %d is %q, that of GPIO%d", tr.file, offset, name, p.GPIO)
			}
		}
	}
}

// Each tree of an image belongs to a board that the list says it is for.
func TestEveryTreeOfTheListIsOneOfTheKernel(t *testing.T) {
	all := trees(t)
	for _, m := range Models() {
		for _, file := range m.Trees {
			i := slices.IndexFunc(all, func(tr tree) bool { return tr.file == file })
			if i < 0 {
				t.Errorf("%s: the kernel has no tree %s", m.Name, file)
			} else if of, _ := Of(all[i].compatible); of.ID != m.ID {
				t.Errorf("%s is of %s, not of %s", file, of.Name, m.Name)
			}
		}
	}
}

// Numbers worked out by hand from the drawing of the header.
func TestPinsAreWhereTheDrawingOfTheHeaderHasThem(t *testing.T) {
	for number, want := range map[int]string{
		1: "3.3 V", 2: "5 V", 3: "2", 4: "5 V", 5: "3", 6: "ground", 7: "4", 8: "14", 9: "ground", 10: "15", 11: "17", 12: "18", 13: "27", 14: "ground",
		15: "22", 16: "23", 17: "3.3 V", 18: "24", 19: "10", 20: "ground", 21: "9", 22: "25", 23: "11", 24: "8", 25: "ground", 26: "7", 27: "0", 28: "1",
		29: "5", 30: "ground", 31: "6", 32: "12", 33: "13", 34: "ground", 35: "19", 36: "16", 37: "26", 38: "20", 39: "ground", 40: "21",
	} {
		p, ok := Named("pin " + strconv.Itoa(number))
		got := string(p.Kind)
		if p.Kind == Signal {
			got = strconv.Itoa(p.GPIO)
		}
		if !ok || p.Number != number || got != want {
			t.Errorf("pin %d is %s, want %s", number, got, want)
		}
	}
	roles := map[string]string{"pin 19": "SPI0 MOSI", "pin 23": "SPI0 SCLK", "pin 24": "SPI0 CE0", "pin 26": "SPI0 CE1", "pin 3": "I2C1 SDA", "pin 5": "I2C1 SCL", "pin 8": "UART TXD", "pin 33": "PWM1", "pin 35": "PWM1", "pin 38": "SPI1 MOSI"}
	for name, role := range roles {
		if p, _ := Named(name); !slices.Contains(p.Roles, role) {
			t.Errorf("%s is %v, not %s", name, p.Roles, role)
		}
	}
	seen := map[int]bool{}
	for _, p := range Pins() {
		if p.Kind == Signal {
			if again, ok := PinOf(p.GPIO); seen[p.GPIO] || !ok || again.Number != p.Number {
				t.Errorf("GPIO%d is twice on the header, or is found at pin %d", p.GPIO, again.Number)
			}
			seen[p.GPIO] = true
		}
	}
	if _, ok := PinOf(28); ok {
		t.Error("GPIO28 is on no header")
	}
}

func TestAPinIsNamedByItsNumberOrByItsLineAndRefusedInWordsOtherwise(t *testing.T) {
	pi := Identify(Facts{Compatible: []byte("raspberrypi,5-model-b\x00brcm,bcm2712\x00"), Tree: []byte("Raspberry Pi 5 Model B Rev 1.0\x00")})
	talking := Identify(Facts{Compatible: []byte("raspberrypi,4-model-b\x00"), Arguments: []byte("console=tty1 console=serial0,115200 root=x\n")})
	bench := Identify(Facts{Compatible: []byte("raspberrypi,5-model-b\x00"), Arguments: []byte("console=ttyAMA10,115200")})
	rock := Identify(Facts{Compatible: []byte("radxa,rock-5b\x00rockchip,rk3588\x00"), Tree: []byte("Radxa ROCK 5B\x00")})
	for _, tc := range []struct {
		name  string
		on    Board
		text  string
		pin   int
		wrong string
	}{
		{"by number", pi, "pin 11", 11, ""},
		{"without a space", pi, "Pin11", 11, ""},
		{"by GPIO", pi, "GPIO17", 11, ""},
		{"by another tree's name", pi, "SPI_MOSI", 19, ""},
		{"a ground", pi, "pin 6", 0, "pin 6 is ground"},
		{"a supply", pi, "pin 2", 0, "pin 2 is 5 V"},
		{"a pin of the memory", pi, "GPIO0", 0, "kept for the memory"},
		{"beyond the header", pi, "pin 41", 0, "pins 1 to 40"},
		{"no pin at all", pi, "pin 0", 0, "pins 1 to 40"},
		{"a line that is on no header", pi, "GPIO40", 0, "has no line"},
		{"the console's", talking, "pin 8", 0, "console of the kernel"},
		{"beside the console", talking, "pin 12", 12, ""},
		{"the debug connector has its own pins", bench, "pin 8", 8, ""},
		{"a board whose header nobody knows", rock, "pin 11", 0, "Radxa ROCK 5B has no header"},
	} {
		p, err := tc.on.Pin(tc.text)
		if p.Number != tc.pin || (err == nil) != (tc.wrong == "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
			t.Errorf("%s: pin %d, %v; want %d, %q", tc.name, p.Number, err, tc.pin, tc.wrong)
		}
	}
}

func TestAMachineSaysWhatItIs(t *testing.T) {
	for name, tc := range map[string]struct {
		facts    Facts
		id, says string
		known    bool
	}{
		"a Pi":                    {Facts{Compatible: []byte("raspberrypi,3-model-b-plus\x00brcm,bcm2837\x00"), Tree: []byte("Raspberry Pi 3 Model B Plus Rev 1.3\x00")}, "pi3", "Raspberry Pi 3 Model B Plus Rev 1.3", true},
		"a PC":                    {Facts{Vendor: []byte("LENOVO\n"), Product: []byte("20QD\n")}, "pc", "LENOVO 20QD", true},
		"a machine without words": {Facts{}, "pc", "PC or virtual machine", true},
		"a Pi of later":           {Facts{Compatible: []byte("raspberrypi,6-model-b\x00"), Tree: []byte("Raspberry Pi 6\x00")}, "arm64", "Raspberry Pi 6", false},
		"noise":                   {Facts{Compatible: []byte{0xff, 0, 0xff}, Tree: []byte("\x1b[2J\xffPi\x01\x00more")}, "arm64", "[2JPi", false},
	} {
		if b := Identify(tc.facts); b.ID != tc.id || b.Says != tc.says || b.Known != tc.known {
			t.Errorf("%s: %s, %q, %v", name, b.ID, b.Says, b.Known)
		}
	}
}

func TestEveryModelSaysWhichLampsItHas(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Models() {
		if m.ID == "" || seen[m.ID] {
			t.Errorf("%q is the name of two, or of %s", m.ID, m.Name)
		}
		seen[m.ID] = true
		if h := m.Hardware; h.Header != (h.PinMA > 0) && !h.Carrier || h.Header && (h.Chip == "" || h.SumMA == 0) || m.Way != Nowhere && h.Hot == 0 {
			t.Errorf("%s: %+v", m.Name, h)
		}
	}
	for _, tc := range []struct{ id, driver, want string }{
		{"pi5", "gpio", "yes"},
		{"pi5", "ws2812", "yes"},
		{"pi4", "ws2812", "with core_freq=250 in config.txt"},
		{"pc", "gpio", "no"},
		{"pc", "usb", "yes"},
		{"arm64", "gpio", "by the names of its lines"},
		{"cm3", "pca9685", "if its system has the bus"},
		{"old", "usb", "no"},
		{"pi4", "candle", "no"},
	} {
		i := slices.IndexFunc(Models(), func(m Model) bool { return m.ID == tc.id })
		if got := Models()[i].Supports(tc.driver); got != tc.want {
			t.Errorf("%s at %s: %q, want %q", tc.driver, tc.id, got, tc.want)
		}
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add([]byte("raspberrypi,4-model-b\x00brcm,bcm2711\x00"), []byte("Raspberry Pi 4\x00"), []byte("console=serial0,115200"), "pin 11")
	f.Add([]byte{}, []byte("\xff"), []byte("console="), "GPIO17")
	f.Fuzz(func(t *testing.T, compatible, says, arguments []byte, line string) {
		b := Identify(Facts{Compatible: compatible, Tree: says, Vendor: says, Arguments: arguments})
		if b.Says == "" || len(b.Says) > 2*maxSays+1 || strings.ContainsFunc(b.Says, func(r rune) bool { return r < ' ' }) {
			t.Fatalf("%q", b.Says)
		}
		if p, err := b.Pin(line); err == nil && (p.Kind != Signal || p.Identity || !b.Hardware.Header) {
			t.Fatalf("%q is %v", line, p)
		}
	})
}
