package light

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/conntest"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/conn/v3/spi/spitest"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/lamp/lamptest"
	"github.com/pronto-pbx/pronto/firmware/lamp/panel"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// board is a GPIO chip in memory. It models what the driver may rely on: a line belongs to one
// user, and what it shows after its release is undefined (here: lit, the worst case).
type board struct {
	name, label string
	lines       []string
	level       map[int]bool // electrical
	user        map[int]string
	pull        map[int]bool // of inputs: up
	pressed     map[int]func()
	broken      error
}

func newBoard(name, label string, lines ...string) *board {
	return &board{name: name, label: label, lines: lines, level: map[int]bool{}, user: map[int]string{}, pull: map[int]bool{}, pressed: map[int]func(){}}
}

func (b *board) Name() string    { return b.name }
func (b *board) Label() string   { return b.label }
func (b *board) Lines() []string { return b.lines }
func (b *board) Close() error    { return nil }

func (b *board) Output(offset int, activeLow bool, user string) (Line, error) {
	if b.user[offset] != "" {
		return nil, errors.New("device or resource busy")
	}
	b.user[offset] = user
	b.level[offset] = activeLow
	return &boardLine{b, offset, activeLow}, nil
}

func (b *board) Input(offset int, activeLow bool, user string, pressed func()) (io.Closer, error) {
	if b.user[offset] != "" {
		return nil, errors.New("device or resource busy")
	}
	b.user[offset], b.pull[offset], b.pressed[offset] = user, activeLow, pressed
	return &boardLine{b, offset, activeLow}, nil
}

// edge puts a level on an input, as a finger does.
func (b *board) edge(offset int, high bool) {
	if pressed := b.pressed[offset]; pressed != nil && b.user[offset] != "" && high != b.pull[offset] {
		pressed()
	}
}

type boardLine struct {
	b         *board
	offset    int
	activeLow bool
}

func (l *boardLine) SetValue(v int) error {
	if l.b.broken != nil {
		return l.b.broken
	}
	l.b.level[l.offset] = (v == 1) != l.activeLow
	return nil
}

func (l *boardLine) Close() error { delete(l.b.user, l.offset); return nil }

func pi4() []Chip {
	main := newBoard("gpiochip0", "pinctrl-bcm2711")
	for i := range 28 {
		main.lines = append(main.lines, fmt.Sprintf("GPIO%d", i))
	}
	return []Chip{main, newBoard("gpiochip1", "raspberrypi-exp-gpio", "BT_ON", "WL_ON")}
}

func TestGPIOContract(t *testing.T) {
	for _, low := range []bool{false, true} {
		t.Run(fmt.Sprintf("one colour, active low %v", low), func(t *testing.T) {
			lamptest.Contract(t, func(t *testing.T) lamptest.Rig {
				chips := pi4()
				lights, err := OpenGPIO([]GPIO{{"desk1", []Pin{{Chip: "pinctrl-bcm2711", Name: "GPIO17", ActiveLow: low}}}}, chips)
				if err != nil {
					t.Fatal(err)
				}
				b := chips[0].(*board)
				return lamptest.Rig{Light: lights[0], ID: "desk1", Lit: func() bool { return b.level[17] != low }}
			})
		})
	}
	t.Run("three colours", func(t *testing.T) {
		lamptest.Contract(t, func(t *testing.T) lamptest.Rig {
			chips := pi4()
			lights, err := OpenGPIO([]GPIO{{"desk1", []Pin{
				{Chip: "pinctrl-bcm2711", Name: "GPIO5"}, {Chip: "pinctrl-bcm2711", Name: "GPIO6"}, {Chip: "pinctrl-bcm2711", Offset: 7},
			}}}, chips)
			if err != nil {
				t.Fatal(err)
			}
			b := chips[0].(*board)
			return lamptest.Rig{Light: lights[0], ID: "desk1", Lit: func() bool { return b.level[5] || b.level[6] || b.level[7] }}
		})
	})
}

func TestLinesAreFoundByLabelAndNameWhateverTheirNumber(t *testing.T) {
	// A Pi 5 whose kernel put the header on gpiochip11, behind ten others.
	var chips []Chip
	for i := range 11 {
		chips = append(chips, newBoard(fmt.Sprint("gpiochip", i), "gpio-brcmstb@"+fmt.Sprint(i), "GPIO17"))
	}
	rp1 := newBoard("gpiochip11", "pinctrl-rp1", "ID_SDA", "ID_SCL", "GPIO17")
	chips = append(chips, rp1)
	lights, err := OpenGPIO([]GPIO{{"a-lamp-with-a-very-long-name-indeed", []Pin{{Chip: "pinctrl-rp1", Name: "GPIO17"}}}}, chips)
	if err != nil {
		t.Fatal(err)
	}
	if u := rp1.user[2]; !strings.HasPrefix(u, "pronto lamp a-lamp") || len(u) > 31 {
		t.Fatalf("user %q", u)
	}
	if err := lights[0].Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasFoundIsToldWhenAPinIsNotThere(t *testing.T) {
	twin := []Chip{newBoard("gpiochip2", "mcp23017", "A0"), newBoard("gpiochip3", "mcp23017", "A0", "B0"), newBoard("gpiochip4", "bare", "", "")}
	for _, c := range []struct {
		name  string
		chips []Chip
		pins  []Pin
		want  string
	}{
		{"no such chip", pi4(), []Pin{{Chip: "pinctrl-rp1", Name: "GPIO17"}}, `no GPIO chip with label "pinctrl-rp1"; found gpiochip0 "pinctrl-bcm2711" with 28 lines, gpiochip1`},
		{"no chip at all", nil, []Pin{{Chip: "x", Name: "y"}}, "found no chip at all"},
		{"no such line", pi4(), []Pin{{Chip: "raspberrypi-exp-gpio", Name: "GPIO17"}}, `has no line "GPIO17"; its lines are BT_ON WL_ON`},
		{"lines without names", twin, []Pin{{Chip: "bare", Name: "x"}}, "use an offset"},
		{"offset beyond the chip", pi4(), []Pin{{Chip: "raspberrypi-exp-gpio", Offset: 2}}, "lines 0 to 1"},
		{"negative offset", pi4(), []Pin{{Chip: "raspberrypi-exp-gpio", Offset: -1}}, "lines 0 to 1"},
		{"offset on twins", twin, []Pin{{Chip: "mcp23017", Offset: 0}}, "ambiguous"},
		{"a name on both twins", twin, []Pin{{Chip: "mcp23017", Name: "A0"}}, `2 lines are named "A0"`},
		{"two pins", pi4(), []Pin{{}, {}}, "has 2 pins"},
		{"the same pin twice", pi4(), []Pin{{Chip: "pinctrl-bcm2711", Name: "GPIO1"}, {Chip: "pinctrl-bcm2711", Offset: 1}, {Chip: "pinctrl-bcm2711", Name: "GPIO3"}}, "already the pin of lamp"},
	} {
		_, err := OpenGPIO([]GPIO{{"l", c.pins}}, c.chips)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		for _, chip := range c.chips {
			if n := len(chip.(*board).user); n > 0 {
				t.Errorf("%s: %d lines are still held", c.name, n)
			}
		}
	}
	if _, err := OpenGPIO([]GPIO{{"b", []Pin{{Chip: "mcp23017", Name: "B0"}}}}, twin); err != nil {
		t.Errorf("a name that only one twin has: %v", err)
	}
}

func TestKernelChipsRunsOnThisMachine(t *testing.T) {
	// No GPIO is promised here: this proves only that looking for it disturbs nothing.
	chips, err := KernelChips()
	t.Logf("%d chips, %v", len(chips), err)
	for _, c := range chips {
		if c.Label() == "" || len(c.Lines()) == 0 {
			t.Errorf("%s: label %q, %d lines", c.Name(), c.Label(), len(c.Lines()))
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// registers decodes the recorded transfers as a chain of 74HC595 would: each bit pushes the others
// one stage further, and the latch shows all at the end. It shares nothing with the driver.
func registers(chips int, ops []conntest.IO) (outputs []bool) {
	outputs = make([]bool, 8*chips)
	for _, op := range ops {
		for _, b := range op.W {
			for i := 7; i >= 0; i-- { // SPI sends the most significant bit first
				copy(outputs[1:], outputs[:len(outputs)-1])
				outputs[0] = b>>i&1 == 1
			}
		}
	}
	return outputs
}

func TestShiftContract(t *testing.T) {
	for _, c := range []struct {
		name    string
		outputs []int
		low     bool
	}{{"one colour", []int{11}, false}, {"active low", []int{0}, true}, {"three colours", []int{7, 8, 15}, false}} {
		t.Run(c.name, func(t *testing.T) {
			lamptest.Contract(t, func(t *testing.T) lamptest.Rig {
				rec := &spitest.Record{}
				lights, err := OpenShift(rec, 2, []ShiftLamp{{"s1", c.outputs, c.low}})
				if err != nil {
					t.Fatal(err)
				}
				return lamptest.Rig{Light: lights[0], ID: "s1", Lit: func() bool {
					out := registers(2, rec.Ops)
					return slices.ContainsFunc(c.outputs, func(n int) bool { return out[n] != c.low })
				}}
			})
		})
	}
}

func TestTheBytesOfAChainGoFarthestChipFirstMostSignificantBitFirst(t *testing.T) {
	rec := &spitest.Record{}
	lights, err := OpenShift(rec, 3, []ShiftLamp{{"near", []int{0}, false}, {"far", []int{23}, false}, {"low", []int{9}, true}, {"rgb", []int{1, 2, 3}, false}})
	if err != nil {
		t.Fatal(err)
	}
	on := lamp.Level{Brightness: 255, R: 255, B: 200, G: 10}
	for _, l := range []int{0, 1, 2, 3} {
		if err := lights[l].Set(on); err != nil {
			t.Fatal(err)
		}
	}
	want := [][]byte{
		{0x00, 0x02, 0x00}, // start: all dark, the active-low output high
		{0x00, 0x02, 0x01},
		{0x80, 0x02, 0x01},
		{0x80, 0x00, 0x01},
		{0x80, 0x00, 0x0b}, // red and blue, not green
	}
	if len(rec.Ops) != len(want) {
		t.Fatalf("%d transfers, want %d", len(rec.Ops), len(want))
	}
	for i, w := range want {
		if !slices.Equal(rec.Ops[i].W, w) {
			t.Errorf("transfer %d: % x, want % x", i, rec.Ops[i].W, w)
		}
	}
}

// port counts what the driver asks of the bus and fails on demand.
type port struct {
	spitest.Record
	clock  physic.Frequency
	mode   spi.Mode
	closed int
	broken atomic.Bool
}

func (p *port) Connect(f physic.Frequency, m spi.Mode, bits int) (spi.Conn, error) {
	p.clock, p.mode = f, m
	c, err := p.Record.Connect(f, m, bits)
	return &conn{c, p}, err
}

func (p *port) Close() error { p.closed++; return nil }

type conn struct {
	spi.Conn
	p *port
}

func (c *conn) Tx(w, r []byte) error {
	if c.p.broken.Load() {
		return errors.New("EIO")
	}
	return c.Conn.Tx(w, r)
}

func TestThePortIsClosedWithTheLastLight(t *testing.T) {
	p := &port{}
	lights, err := OpenShift(p, 1, []ShiftLamp{{"a", []int{0}, false}, {"b", []int{1}, false}})
	if err != nil {
		t.Fatal(err)
	}
	if p.mode != spi.Mode0 || p.clock > 10*physic.MegaHertz {
		t.Fatalf("mode %v at %v", p.mode, p.clock)
	}
	for i, l := range lights {
		if p.closed != 0 {
			t.Fatal("closed too early")
		}
		_ = l.Close()
		_ = l.Close()
		if want := i; p.closed != want {
			t.Fatalf("closed %d times after light %d", p.closed, i)
		}
	}
}

func TestFaultsOfAChainAreToldTogetherAndReleaseThePort(t *testing.T) {
	p := &port{}
	_, err := OpenShift(p, 1, []ShiftLamp{{"a", []int{8}, false}, {"b", []int{1, 2}, false}, {"c", []int{2}, false}})
	if err == nil || p.closed != 1 {
		t.Fatalf("%v, closed %d times", err, p.closed)
	}
	for _, want := range []string{`lamp "a": no output 8`, `lamp "b": has 2 outputs`, `lamp "c": output 2 is already`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word about %s in %v", want, err)
		}
	}
	for _, chips := range []int{0, 65} {
		if _, err := OpenShift(&port{}, chips, []ShiftLamp{{"a", []int{0}, false}}); err == nil {
			t.Errorf("%d chips were accepted", chips)
		}
	}
	dead := &port{}
	dead.broken.Store(true)
	if _, err := OpenShift(dead, 1, []ShiftLamp{{"a", []int{0}, false}}); err == nil {
		t.Error("a dead bus was accepted")
	}
}

func TestAPanelOnAChainShowsWhatItWasToldAfterTheBusComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &port{}
		var lamps []ShiftLamp
		for i := range 8 {
			lamps = append(lamps, ShiftLamp{tel.LampID(fmt.Sprint(i)), []int{i}, false})
		}
		lights, err := OpenShift(p, 1, lamps)
		if err != nil {
			t.Fatal(err)
		}
		var as []panel.Assignment
		for i, l := range lights {
			as = append(as, panel.Assignment{Light: l, Subject: lamp.Subject{Kind: lamp.Agent, ID: fmt.Sprint(i)}})
		}
		p.broken.Store(true)
		all := panel.New(panel.Config{Lights: as})
		all.Show("2", tel.AgentTalking)
		all.Show("5", tel.AgentTalking)
		time.Sleep(time.Second)
		synctest.Wait()
		p.broken.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		p.Lock()
		out := registers(1, p.Ops)
		p.Unlock()
		for i, lit := range out {
			if lit != (i == 2 || i == 5) {
				t.Fatalf("outputs %v", out)
			}
		}
		all.Close()
		if slices.Contains(registers(1, p.Ops), true) || p.closed != 1 {
			t.Fatal("lit after Close")
		}
	})
}
