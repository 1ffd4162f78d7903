//go:build guest

package inside

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/light"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/lamp/lamptest"
	"github.com/pronto-pbx/pronto/firmware/lamp/panel"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// chip is a GPIO chip of the kernel's simulator, which shows through files what drivers do to its lines.
type chip struct {
	t         *testing.T
	dir, view string
}

// newChip makes a chip with 28 lines named as those of a Raspberry Pi's header.
func newChip(t *testing.T, name, label string) *chip {
	t.Helper()
	c := &chip{t: t, dir: "/sys/kernel/config/gpio-sim/" + name}
	bank := filepath.Join(c.dir, "bank0")
	must(t, os.MkdirAll(bank, 0o755))
	must(t, os.WriteFile(filepath.Join(bank, "num_lines"), []byte("28"), 0))
	must(t, os.WriteFile(filepath.Join(bank, "label"), []byte(label), 0))
	for i := range 28 {
		l := filepath.Join(bank, fmt.Sprintf("line%d", i))
		must(t, os.Mkdir(l, 0o755))
		must(t, os.WriteFile(filepath.Join(l, "name"), fmt.Appendf(nil, "GPIO%d", i), 0))
	}
	must(t, os.WriteFile(filepath.Join(c.dir, "live"), []byte("1"), 0))
	device, chipName := c.read("dev_name"), c.read("bank0/chip_name")
	c.view = filepath.Join("/sys/devices/platform", device, chipName)
	t.Cleanup(c.remove)
	return c
}

func (c *chip) read(file string) string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, file))
	must(c.t, err)
	return strings.TrimSpace(string(text))
}

// high is the level of a line.
func (c *chip) high(line int) bool {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.view, fmt.Sprintf("sim_gpio%d", line), "value"))
	must(c.t, err)
	return strings.TrimSpace(string(text)) == "1"
}

// pull puts a level on an input from outside.
func (c *chip) pull(line int, up bool) {
	c.t.Helper()
	to := "pull-down"
	if up {
		to = "pull-up"
	}
	must(c.t, os.WriteFile(filepath.Join(c.view, fmt.Sprintf("sim_gpio%d", line), "pull"), []byte(to), 0))
}

func (c *chip) remove() {
	if c.read("live") == "1" {
		c.kill()
	}
	for i := range 28 {
		must(c.t, os.Remove(filepath.Join(c.dir, "bank0", fmt.Sprintf("line%d", i))))
	}
	must(c.t, os.Remove(filepath.Join(c.dir, "bank0")))
	must(c.t, os.Remove(c.dir))
}

// kill takes the chip away, whoever holds its lines.
func (c *chip) kill() {
	c.t.Helper()
	must(c.t, os.WriteFile(filepath.Join(c.dir, "live"), []byte("0"), 0))
}

// chips opens those of the kernel until the end of the test.
func chips(t *testing.T) []light.Chip {
	t.Helper()
	all, err := light.KernelChips()
	must(t, err)
	t.Cleanup(func() {
		for _, c := range all {
			must(t, c.Close())
		}
	})
	return all
}

func TestALampOnALineOfTheKernelKeepsTheContract(t *testing.T) {
	for _, low := range []bool{false, true} {
		t.Run(fmt.Sprintf("active low %v", low), func(t *testing.T) {
			c := newChip(t, "pi", "pinctrl-rp1")
			lamptest.Contract(t, func(t *testing.T) lamptest.Rig {
				lights, err := light.OpenGPIO([]light.GPIO{{Lamp: "desk1", Pins: []light.Pin{{Chip: "pinctrl-rp1", Name: "GPIO17", ActiveLow: low}}}}, chips(t))
				must(t, err)
				// The simulator lets go of a line that nobody holds, so what a closed lamp shows is read only while it is held.
				return lamptest.Rig{Light: lights[0], ID: "desk1", Lit: func() bool { return c.high(17) != low && held(t, "GPIO17") }}
			})
		})
	}
}

// held reports whether the kernel says that somebody has the line.
func held(t *testing.T, name string) bool {
	t.Helper()
	all, err := light.KernelChips()
	must(t, err)
	defer func() {
		for _, c := range all {
			must(t, c.Close())
		}
	}()
	for _, c := range all {
		for i, line := range c.Lines() {
			if line != name {
				continue
			}
			l, err := c.Output(i, false, "test")
			if err != nil {
				return true
			}
			must(t, l.Close())
		}
	}
	return false
}

// The kernel has numbered the chips of a Pi 5 in three ways so far: each is found by its label and the line's name.
func TestTheChipIsFoundWhateverItsNumber(t *testing.T) {
	for _, order := range [][]string{{"pinctrl-rp1", "raspberrypi-exp-gpio"}, {"raspberrypi-exp-gpio", "pinctrl-rp1"}} {
		t.Run(strings.Join(order, " first, then "), func(t *testing.T) {
			made := map[string]*chip{}
			for i, label := range order {
				made[label] = newChip(t, fmt.Sprintf("chip%d", i), label)
			}
			lights, err := light.OpenGPIO([]light.GPIO{{Lamp: "a", Pins: []light.Pin{{Chip: "pinctrl-rp1", Name: "GPIO5"}}}}, chips(t))
			must(t, err)
			defer lights[0].Close()
			must(t, lights[0].Set(lamp.Level{Brightness: 255}))
			if !made["pinctrl-rp1"].high(5) || made["raspberrypi-exp-gpio"].high(5) {
				t.Error("another chip's line is lit")
			}
		})
	}
}

func TestALineThatAnotherHoldsIsNamed(t *testing.T) {
	newChip(t, "pi", "pinctrl-rp1")
	all := chips(t)
	wanted := []light.GPIO{{Lamp: "a", Pins: []light.Pin{{Chip: "pinctrl-rp1", Name: "GPIO4"}}}}
	first, err := light.OpenGPIO(wanted, all)
	must(t, err)
	_, err = light.OpenGPIO(wanted, all)
	if err == nil || !strings.Contains(err.Error(), `lamp "a": take pinctrl-rp1/GPIO4`) || !strings.Contains(err.Error(), "busy") {
		t.Errorf("%v", err)
	}
	must(t, first[0].Close())
	again, err := light.OpenGPIO(wanted, all)
	must(t, err)
	must(t, again[0].Close())
}

func TestAButtonOnALineOfTheKernelIsPressedOnceThoughItBounces(t *testing.T) {
	c := newChip(t, "pi", "pinctrl-rp1")
	all, err := light.OpenButtons([]light.ButtonPin{{ID: "desk1", Pin: light.Pin{Chip: "pinctrl-rp1", Name: "GPIO27", ActiveLow: true}}}, chips(t))
	must(t, err)
	b := all[0]
	if !c.high(27) {
		t.Fatal("the line of a button to ground is not pulled up")
	}
	rest := func() { time.Sleep(50 * time.Millisecond) } // longer than what the kernel filters
	rest()
	for range 3 {
		for chatter := time.Hour; chatter > 5*time.Millisecond; { // a slow machine presses in place of chattering
			c.pull(27, true)
			rest()
			for len(b.Presses()) > 0 {
				<-b.Presses()
			}
			start := time.Now()
			for range 5 {
				c.pull(27, false)
				c.pull(27, true)
			}
			c.pull(27, false)
			chatter = time.Since(start)
		}
		select {
		case <-b.Presses():
		case <-time.After(20 * time.Second):
			t.Fatal("a press was not seen")
		}
		rest()
		if n := len(b.Presses()); n != 0 {
			t.Errorf("%d presses too many", n)
		}
	}
	must(t, b.Close())
}

func TestAChipThatGoesIsAFaultOfItsLampsAlone(t *testing.T) {
	stays := newChip(t, "stays", "pinctrl-rp1")
	goes := newChip(t, "goes", "expander")
	lights, err := light.OpenGPIO([]light.GPIO{
		{Lamp: "stays", Pins: []light.Pin{{Chip: "pinctrl-rp1", Name: "GPIO5"}}}, {Lamp: "goes", Pins: []light.Pin{{Chip: "expander", Name: "GPIO6"}}},
	}, chips(t))
	must(t, err)
	faults := make(chan tel.LampID, 100)
	p := panel.New(panel.Config{
		Lights: []panel.Assignment{
			{Light: lights[0], Subject: lamp.Subject{Kind: lamp.Agent, ID: "anna"}}, {Light: lights[1], Subject: lamp.Subject{Kind: lamp.Agent, ID: "bruno"}},
		},
		Publish: func(e tel.Event) {
			if l, ok := e.(tel.LampChanged); ok && l.Fault {
				faults <- l.Lamp
			}
		},
	})
	defer p.Close()
	goes.kill()
	p.Show("bruno", tel.AgentTalking)
	select {
	case id := <-faults:
		if id != "goes" {
			t.Errorf("the fault is told of lamp %q", id)
		}
	case <-time.After(20 * time.Second):
		t.Error("no fault is told")
	}
	p.Show("anna", tel.AgentTalking)
	for end := time.Now().Add(20 * time.Second); !stays.high(5); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the other lamp stays dark")
		}
	}
}

func TestAUSBLightOfTheKernelIsDriven(t *testing.T) {
	for name, f := range map[string]struct {
		vendor, product uint32
		feature         bool
		lit             func(report []byte) bool
	}{
		"luxafor":    {0x04d8, 0xf372, false, func(r []byte) bool { return r[0] == 0 && r[1] == 1 && r[3] == 255 }},
		"blynclight": {0x2c0d, 0x0001, false, func(r []byte) bool { return r[1] == 255 && r[4] == 0 }},
		"kuando":     {0x27bb, 0x3bcd, false, func(r []byte) bool { return len(r) == 65 && r[1] == 0x10 && r[3] == 100 }},
		"blink(1)":   {0x27b8, 0x01ed, true, func(r []byte) bool { return r[0] == 1 && r[1] == 'c' && r[2] == 255 }},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHID(t, f.vendor, f.product, "SN"+name, f.feature)
			lights, err := light.OpenUSB([]light.USBLamp{{Lamp: "desk1", Place: "SN" + name}}, "/sys", "/dev")
			must(t, err)
			defer lights[0].Close()
			red := lamp.Level{Brightness: 255, R: 255}
			h.until("the light to be lit", func() bool {
				if err := lights[0].Set(red); err != nil && !errors.Is(err, light.ErrSlow) {
					t.Log(err) // its node appears a moment after the device
				}
				return h.any(f.lit)
			})
			h.unplug()
			h.until("a fault after the light is pulled out", func() bool {
				err := lights[0].Set(red)
				return err != nil && !errors.Is(err, light.ErrSlow)
			})
			again := newHID(t, f.vendor, f.product, "SN"+name, f.feature)
			again.until("the light to be lit again", func() bool {
				_ = lights[0].Set(red)
				return again.any(f.lit)
			})
		})
	}
}
