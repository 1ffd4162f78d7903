package boottest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// lampsOfThePi are of one agent: on two lines of the header, of which one is lit when it is low, and on two chips of
// its I2C bus. They blink while the agent has no phone, and are steadily lit when there is one: neither ends by itself,
// so that a slow computer may take its time to look.
const lampsOfThePi = `lamps:
  - {id: high, driver: gpio, chip: pinctrl-bcm2835, line: GPIO17, shows: "agent:anna"}
  - {id: low, driver: gpio, chip: pinctrl-bcm2835, line: GPIO27, invert: true, shows: "agent:anna"}
  - {id: expander, driver: mcp23017, chip: "1:0x20", bit: 9, shows: "agent:anna"}
  - {id: dimmer, driver: pca9685, chip: "1:0x40", bit: 2, shows: "agent:anna"}
lights:
  rows:
    - {state: unreachable, colours: ["#ff0000"], rhythm: [700, 700]}
    - {state: ready, colours: ["#00ff78"], rhythm: [1000]}
    - {state: talking, colours: ["#ff0000"], rhythm: [3000, 1000]}
`

// registers are those of a chip on the I2C bus, twice: QEMU wants whole sectors of a disk, so that its memory has 512
// bytes. Of the nine bits of an address the highest is the lowest one of where the transfer before has ended.
type registers [512]byte

// odd is where a transfer writes after one that has ended at an odd register.
const odd = 256

// chip is what QEMU has at an address of the bus: a memory that is written and read as the registers of our chips are,
// by a first byte that says where and then steps on. What was written is in a file after each transfer.
type chip struct {
	t       *testing.T
	address int
	file    string
}

// newChip makes one whose registers hold 0xff, which no driver of ours writes there.
func newChip(t *testing.T, address int) chip {
	t.Helper()
	dir, err := os.MkdirTemp("", "chip-") // QEMU takes no comma in a path, and the names of tests have some
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := chip{t: t, address: address, file: filepath.Join(dir, "registers")}
	var fresh registers
	for i := range fresh {
		fresh[i] = 0xff
	}
	if err := os.WriteFile(c.file, fresh[:], 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c chip) read() (r registers) {
	c.t.Helper()
	b, err := os.ReadFile(c.file)
	if err != nil || copy(r[:], b) != len(r) {
		c.t.Fatalf("the registers of the chip at %#x: %d bytes, %v", c.address, len(b), err)
	}
	return r
}

// levels are what the lines of the lamps show: the machine's monitor reads the register GPLEV0 of the processor (BCM2835
// ARM Peripherals, section 6.1), which shares nothing with our driver or the kernel's.
type levels struct{ high, low bool }

func (m *machine) levels() levels {
	m.t.Helper()
	said := m.monitor("xp /1wx 0x3f200034")
	var at, word uint32
	if n, err := fmt.Sscanf(said, "%x: 0x%x", &at, &word); n != 2 || at != 0x3f200034 {
		m.t.Fatalf("the monitor says %q: %v", said, err)
	}
	return levels{high: word&(1<<17) != 0, low: word&(1<<27) != 0}
}

// until reads the pins again and again until what was seen is enough; it is told of each reading when that was made.
func (m *machine) until(what string, enough func(at time.Time, p levels) bool) {
	m.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		p := m.levels()
		if enough(time.Now(), p) {
			return
		}
		if time.Now().After(end) {
			m.t.Fatalf("not within %v: %s; at last %+v\n%s", patience, what, p, m.text())
		}
	}
}

// lit says that both lamps are: one by a high line, one by a low one.
var lit = levels{high: true, low: false}

// blinks waits for eight changes in a row of lamps that are lit for a share of their time that fits.
func (m *machine) blinks(what string, least, most float64) {
	m.t.Helper()
	var changes []time.Time
	var last levels
	m.until(what, func(at time.Time, p levels) bool {
		if p.high == p.low || p == last {
			return false // the two are written one after the other
		}
		last = p
		if changes = append(changes, at); len(changes) < 9 {
			return false
		}
		changes = changes[len(changes)-9:]
		var bright time.Duration
		for i := range 8 {
			if (p == lit) == (i%2 == 0) { // the ninth began what the first did
				bright += changes[i+1].Sub(changes[i])
			}
		}
		share := bright.Seconds() / changes[8].Sub(changes[0]).Seconds()
		return share >= least && share <= most
	})
}

// steady waits until the lamps are lit for longer than what blinks lets them.
func (m *machine) steady(what string) {
	m.t.Helper()
	var since time.Time
	m.until(what, func(at time.Time, p levels) bool {
		if p != lit {
			since = time.Time{}
			return false
		}
		if since.IsZero() {
			since = at
		}
		return at.Sub(since) > 3*time.Second
	})
}

// shows waits until the registers of a chip hold something.
func (c chip) shows(m *machine, what string, ok func(registers) bool) {
	c.t.Helper()
	for end := time.Now().Add(patience); !ok(c.read()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("the chip at %#x: not within %v: %s; it holds % x\n%s", c.address, patience, what, c.read(), m.text())
		}
	}
}

// lampsFollow looks at what the pins and chips of the machine show before and after the agent's phone is there.
func lampsFollow(t *testing.T, wire *cable, m *machine, mcp23017, pca9685 chip) {
	m.blinks("the lamps blink while the agent has no phone, lit for half of the time", 0.3, 0.7)
	phone(t, wire, "201", hzAgent, nil)
	m.steady("the lamps are lit when the agent has one")
	// Output 9 is GPB1: bit 1 of OLATB at 0x15; IODIRA and IODIRB make all of them outputs (DS20001952, table 3-1).
	mcp23017.shows(m, "its second output of port B is lit, and no other", func(r registers) bool {
		return r[0x14] == 0 && r[0x15] == 1<<1 && r[0] == 0 && r[1] == 0
	})
	// MODE1 awake and stepping on, MODE2 driven both ways, PRE_SCALE for 1 kHz; LED2 on in full, its neighbour off (NXP
	// PCA9685 revision 4, tables 4 to 8). All but the last of the setting up follows an odd register: that of MODE1 was
	// read before.
	pca9685.shows(m, "its output 2 is lit in full, and no other", func(r registers) bool {
		return r[0x00] == 0x20 && r[odd+0x01] == 0x04 && r[odd+0xfe] == 5 &&
			r[odd+0x0f]&0x10 != 0 && r[odd+0x11]&0x10 == 0 && r[odd+0x0b]&0x10 == 0 && r[odd+0x0d]&0x10 != 0
	})
}
