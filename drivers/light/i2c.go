package light

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/host/v3/sysfs"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// outputs is how many outputs an MCP23017 and a PCA9685 have.
const outputs = 16

// ChipLamp describes one lamp on an I2C chip: one output for a one-colour light, or three for red, green and blue. The
// outputs of an MCP23017 are GPA0 to GPA7 and GPB0 to GPB7, those of a PCA9685 LED0 to LED15.
type ChipLamp struct {
	Lamp      tel.LampID
	Outputs   []int
	ActiveLow bool // lit when the output is low
}

// I2CBus opens a bus of this machine: /dev/i2c-<bus>.
func I2CBus(bus int) (i2c.BusCloser, error) {
	b, err := sysfs.NewI2C(bus)
	if err != nil {
		return nil, fmt.Errorf("open I2C bus %d: %w", bus, err)
	}
	return b, nil
}

// checkLamps finds what is wrong with the outputs of one chip.
func checkLamps(lamps []ChipLamp) error {
	var errs []error
	owner := map[int]tel.LampID{}
	for _, l := range lamps {
		if len(l.Outputs) != 1 && len(l.Outputs) != 3 {
			errs = append(errs, fmt.Errorf("lamp %q: has %d outputs, want 1, or 3 for red, green and blue", l.Lamp, len(l.Outputs)))
		}
		for _, n := range l.Outputs {
			if n < 0 || n >= outputs {
				errs = append(errs, fmt.Errorf("lamp %q: no output %d, the chip has 0 to %d", l.Lamp, n, outputs-1))
				continue
			}
			if other, taken := owner[n]; taken {
				errs = append(errs, fmt.Errorf("lamp %q: output %d is already that of lamp %q", l.Lamp, n, other))
			}
			owner[n] = l.Lamp
		}
	}
	if len(lamps) == 0 {
		errs = append(errs, errors.New("a chip without lamps"))
	}
	return errors.Join(errs...)
}

// Registers of the MCP23017 with IOCON.BANK = 0, as after its reset (data sheet DS20001952, table 3-1). Its address
// pointer steps on by itself.
const (
	mcpDirection = 0x00 // IODIRA, IODIRB: 0 is an output
	mcpLatch     = 0x14 // OLATA, OLATB
)

// OpenMCP23017 drives the outputs of one chip at an address from 0x20 to 0x27. What cannot be reached when it opens is
// a fault of its lights, which are written again at each refresh. The bus is closed with the last light, or when
// opening fails.
func OpenMCP23017(bus i2c.BusCloser, addr uint16, lamps []ChipLamp) ([]lamp.Light, error) {
	if err := errors.Join(checkLamps(lamps), within(addr, 0x20, 0x27)); err != nil {
		return nil, errors.Join(err, bus.Close())
	}
	var dark uint16
	for _, l := range lamps {
		for _, n := range l.Outputs {
			if l.ActiveLow {
				dark |= 1 << n
			}
		}
	}
	dev := i2c.Dev{Bus: bus, Addr: addr}
	// The latch is written before the direction, so that an output never shows what nobody meant; and both each time,
	// because a chip that lost its supply for a moment comes back with inputs.
	show := func(bits uint16) error {
		_, err := dev.Write([]byte{mcpLatch, byte(bits), byte(bits >> 8)})
		if err == nil {
			_, err = dev.Write([]byte{mcpDirection, 0, 0})
		}
		if err != nil {
			return fmt.Errorf("write to the MCP23017 at %#02x: %w", addr, err)
		}
		return nil
	}
	f := newFeeder(dark, len(lamps), show, bus.Close)
	lights := make([]lamp.Light, len(lamps))
	for i, l := range lamps {
		lights[i] = &fedLight[uint16]{id: l.Lamp, feeder: f, draw: func(bits *uint16, v lamp.Level) {
			lit := []bool{v.Brightness > 0}
			if len(l.Outputs) == 3 {
				r, g, b := parts(v)
				lit = []bool{r, g, b}
			}
			for i, n := range l.Outputs {
				if lit[i] != l.ActiveLow {
					*bits |= 1 << n
				} else {
					*bits &^= 1 << n
				}
			}
		}}
	}
	return lights, nil
}

// Registers and bits of the PCA9685 (NXP data sheet revision 4, section 7.3).
const (
	pcaMode1    = 0x00
	pcaMode2    = 0x01
	pcaFirst    = 0x06 // LED0_ON_L; four registers an output
	pcaPrescale = 0xfe

	pcaAwake    = 0x20 // MODE1: auto-increment, not asleep
	pcaAsleep   = 0x30 // MODE1: auto-increment, asleep; the prescaler can be set only so
	pcaRestart  = 0x80 // MODE1: reads 1 after a sleep
	pcaTotem    = 0x04 // MODE2: outputs are driven both ways
	pcaFull     = 0x10 // LEDn_ON_H: always on; LEDn_OFF_H: always off
	pcaSteps    = 4096
	pcaDivisor  = 5 // round(25 MHz / 4096 / 1 kHz) - 1: no flicker to the eye or a camera
	pcaStarting = 500 * time.Microsecond
)

// OpenPCA9685 drives the outputs of one chip, which can dim, at an address from 0x40 to 0x7f. Otherwise it is like
// OpenMCP23017.
func OpenPCA9685(bus i2c.BusCloser, addr uint16, lamps []ChipLamp) ([]lamp.Light, error) {
	if err := errors.Join(checkLamps(lamps), within(addr, 0x40, 0x7f)); err != nil {
		return nil, errors.Join(err, bus.Close())
	}
	dev := &pca9685{i2c.Dev{Bus: bus, Addr: addr}}
	var low [outputs]bool
	for _, l := range lamps {
		for _, n := range l.Outputs {
			low[n] = l.ActiveLow
		}
	}
	show := func(lit [outputs]uint16) error {
		if err := dev.show(lit, low); err != nil {
			return fmt.Errorf("write to the PCA9685 at %#02x: %w", addr, err)
		}
		return nil
	}
	f := newFeeder([outputs]uint16{}, len(lamps), show, bus.Close)
	lights := make([]lamp.Light, len(lamps))
	for i, l := range lamps {
		lights[i] = &fedLight[[outputs]uint16]{id: l.Lamp, feeder: f, draw: func(lit *[outputs]uint16, v lamp.Level) {
			share := []uint8{255}
			if len(l.Outputs) == 3 {
				share = []uint8{v.R, v.G, v.B}
				if v.R == 0 && v.G == 0 && v.B == 0 {
					share = []uint8{255, 255, 255}
				}
			}
			for i, n := range l.Outputs {
				lit[n] = uint16(dimmed(v.Brightness, share[i], pcaSteps))
			}
		}}
	}
	return lights, nil
}

func within(addr, lo, hi uint16) error {
	if addr < lo || addr > hi {
		return fmt.Errorf("address %#02x is not within %#02x and %#02x", addr, lo, hi)
	}
	return nil
}

type pca9685 struct{ dev i2c.Dev }

// show lights each output for a share of 4,096; it sets the chip up when it is asleep, as after a loss of its supply.
func (p *pca9685) show(lit [outputs]uint16, low [outputs]bool) error {
	mode := make([]byte, 1)
	if err := p.dev.Tx([]byte{pcaMode1}, mode); err != nil {
		return err
	}
	if mode[0]&^pcaRestart != pcaAwake {
		for _, w := range [][]byte{{pcaMode1, pcaAsleep}, {pcaPrescale, pcaDivisor}, {pcaMode2, pcaTotem}, {pcaMode1, pcaAwake}} {
			if err := p.dev.Tx(w, nil); err != nil {
				return err
			}
		}
		time.Sleep(pcaStarting) // of its oscillator, section 7.3.1.1
	}
	frame := make([]byte, 1, 1+4*outputs)
	frame[0] = pcaFirst
	for i, share := range lit {
		if low[i] {
			share = pcaSteps - share
		}
		frame = slices.Concat(frame, pulse(share))
	}
	return p.dev.Tx(frame, nil)
}

// pulse is the four registers of an output that is high for a share of 4,096.
func pulse(share uint16) []byte {
	switch share {
	case 0:
		return []byte{0, 0, 0, pcaFull}
	case pcaSteps:
		return []byte{0, pcaFull, 0, 0}
	default:
		return []byte{0, 0, byte(share), byte(share >> 8)}
	}
}
