package light

import (
	"errors"
	"fmt"
	"sync"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/host/v3/sysfs"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Clock and size of a chain. The 74HC595 takes 10 MHz and more; lamps on a desk's length of ribbon
// cable do not need it. The kernel's SPI driver takes 4,096 bytes at once, far beyond maxChain.
const (
	shiftClock = 1 * physic.MegaHertz
	maxChain   = 64
)

// ShiftLamp describes one lamp on a chain: one output for a one-colour light, or three for red,
// green and blue. Output n is Q(n mod 8) of chip n/8; chip 0 is the one wired to the box.
type ShiftLamp struct {
	Lamp      tel.LampID
	Outputs   []int
	ActiveLow bool // lit when the output is low
}

// SPIPort opens a bus of this machine: /dev/spidev<bus>.<select>.
func SPIPort(bus, chipSelect int) (spi.PortCloser, error) {
	p, err := sysfs.NewSPI(bus, chipSelect)
	if err != nil {
		return nil, fmt.Errorf("open SPI bus %d, select %d: %w", bus, chipSelect, err)
	}
	return p, nil
}

// OpenShift drives a chain of 74HC595 registers whose latch is wired to the chip select: the bits
// are shifted most significant first, the farthest chip's byte first, and the rising edge at the
// end of the transfer shows them all at once. All lamps are dark when it returns. The port is
// closed with the last light, or when opening fails.
func OpenShift(port spi.PortCloser, chips int, lamps []ShiftLamp) ([]lamp.Light, error) {
	fail := func(err error) ([]lamp.Light, error) { return nil, errors.Join(err, port.Close()) }
	if chips < 1 || chips > maxChain {
		return fail(fmt.Errorf("a chain of %d chips is not within 1 and %d", chips, maxChain))
	}
	c := &chain{port: port, bits: make([]byte, chips), wire: make([]byte, chips), open: len(lamps)}
	var lights []lamp.Light
	var errs []error
	owner := map[int]tel.LampID{}
	for _, l := range lamps {
		if len(l.Outputs) != 1 && len(l.Outputs) != 3 {
			errs = append(errs, fmt.Errorf("lamp %q: has %d outputs, want 1, or 3 for red, green and blue", l.Lamp, len(l.Outputs)))
		}
		for _, n := range l.Outputs {
			if n < 0 || n >= 8*chips {
				errs = append(errs, fmt.Errorf("lamp %q: no output %d, the chain has 0 to %d", l.Lamp, n, 8*chips-1))
				continue
			}
			if other, taken := owner[n]; taken {
				errs = append(errs, fmt.Errorf("lamp %q: output %d is already that of lamp %q", l.Lamp, n, other))
			}
			owner[n] = l.Lamp
			if l.ActiveLow {
				c.put(n, true)
			}
		}
		lights = append(lights, &shiftLight{chain: c, lamp: l})
	}
	if len(lamps) == 0 {
		errs = append(errs, errors.New("a chain without lamps"))
	}
	if len(errs) > 0 {
		return fail(errors.Join(errs...))
	}
	conn, err := port.Connect(shiftClock, spi.Mode0, 8)
	if err != nil {
		return fail(fmt.Errorf("connect to the shift registers: %w", err))
	}
	c.conn = conn
	if err := c.write(); err != nil {
		return fail(err)
	}
	return lights, nil
}

// chain is the state of all outputs, shared by the lights on it.
type chain struct {
	mu   sync.Mutex
	port spi.PortCloser
	conn spi.Conn
	bits []byte // by chip; bit n is Qn
	wire []byte // as sent: farthest chip first
	open int    // lights not yet closed
}

func (c *chain) put(output int, high bool) {
	if high {
		c.bits[output/8] |= 1 << (output % 8)
	} else {
		c.bits[output/8] &^= 1 << (output % 8)
	}
}

// write sends every output: the registers cannot be written one by one, and so each write also
// mends what a disturbance on the cable may have changed.
func (c *chain) write() error {
	for i, b := range c.bits {
		c.wire[len(c.wire)-1-i] = b
	}
	if err := c.conn.Tx(c.wire, nil); err != nil {
		return fmt.Errorf("write to the shift registers: %w", err)
	}
	return nil
}

// shiftLight is one lamp on a chain.
type shiftLight struct {
	chain  *chain
	lamp   ShiftLamp
	closed bool // guarded by chain.mu
}

// ID implements lamp.Light.
func (l *shiftLight) ID() tel.LampID { return l.lamp.Lamp }

// Set implements lamp.Light.
func (l *shiftLight) Set(v lamp.Level) error {
	l.chain.mu.Lock()
	defer l.chain.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	return l.show(v)
}

func (l *shiftLight) show(v lamp.Level) error {
	r, g, b := parts(v)
	lit := []bool{r, g, b}
	if len(l.lamp.Outputs) == 1 {
		lit = []bool{v.Brightness > 0}
	}
	for i, n := range l.lamp.Outputs {
		l.chain.put(n, lit[i] != l.lamp.ActiveLow)
	}
	return l.chain.write()
}

// Close implements lamp.Light.
func (l *shiftLight) Close() error {
	l.chain.mu.Lock()
	defer l.chain.mu.Unlock()
	if l.closed {
		return nil
	}
	err := l.show(lamp.Level{})
	l.closed = true
	if l.chain.open--; l.chain.open == 0 {
		err = errors.Join(err, l.chain.port.Close())
	}
	return err
}
