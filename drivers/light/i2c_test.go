package light

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/physic"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/lamp/lamptest"
	"github.com/pronto-pbx/pronto/firmware/lamp/panel"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// wire is an I2C bus in memory with one chip, modelled by its registers from the data sheets, not from the driver.
type wire struct {
	mu     sync.Mutex
	addr   uint16
	chip   interface{ write(reg, value byte) }
	read   func(reg byte) byte
	next   func(reg byte) byte // the register after one
	stuck  chan struct{}       // while not nil, a transfer waits for it
	absent bool
	closed int
}

func (w *wire) String() string                  { return "wire" }
func (w *wire) SetSpeed(physic.Frequency) error { return nil }
func (w *wire) Close() error                    { w.mu.Lock(); defer w.mu.Unlock(); w.closed++; return nil }

func (w *wire) Tx(addr uint16, out, in []byte) error {
	w.mu.Lock()
	stuck := w.stuck
	w.mu.Unlock()
	if stuck != nil {
		<-stuck
		return errors.New("connection timed out")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if addr != w.addr || w.absent {
		return errors.New("no such device or address") // nobody acknowledges
	}
	reg := out[0]
	for _, b := range out[1:] {
		w.chip.write(reg, b)
		reg = w.next(reg)
	}
	for i := range in {
		in[i] = w.read(reg)
		reg = w.next(reg)
	}
	return nil
}

// mcp is an MCP23017 with IOCON.BANK 0 (DS20001952): an output shows its latch only when its direction bit is 0.
type mcp struct{ regs [0x16]byte }

func newMCP() *mcp {
	c := &mcp{}
	c.regs[0], c.regs[1] = 0xff, 0xff // after a reset all are inputs
	return c
}

func (c *mcp) write(reg, value byte) {
	if reg == 0x12 || reg == 0x13 { // a write to GPIO is one to OLAT
		reg += 2
	}
	c.regs[reg%0x16] = value
}

// high is the level of output n; an input floats, which a lamp shows as dark with either polarity here.
func (c *mcp) high(n int) (level, driven bool) {
	bit := byte(1) << (n % 8)
	return c.regs[0x14+n/8]&bit != 0, c.regs[n/8]&bit == 0
}

func mcpWire(c *mcp) *wire {
	return &wire{addr: 0x20, chip: c, read: func(reg byte) byte { return c.regs[reg%0x16] }, next: func(reg byte) byte { return (reg + 1) % 0x16 }}
}

// pca is a PCA9685 (NXP, rev. 4): it sleeps after a reset with every output fully off, its prescaler can be written
// only then, and it steps to the next register only with MODE1.AI.
type pca struct {
	regs     [256]byte
	prescale int // writes of the prescaler that were ignored
}

func newPCA() *pca {
	c := &pca{}
	c.regs[0], c.regs[1], c.regs[0xfe] = 0x11, 0x04, 0x1e
	for n := range 16 {
		c.regs[9+4*n] = 0x10
	}
	return c
}

func (c *pca) write(reg, value byte) {
	if reg == 0xfe && c.regs[0]&0x10 == 0 {
		c.prescale++
		return
	}
	c.regs[reg] = value
}

// share is for how many of 4,096 steps output n is high.
func (c *pca) share(n int) int {
	r := c.regs[6+4*n : 10+4*n]
	switch {
	case c.regs[0]&0x10 != 0, r[3]&0x10 != 0:
		return 0
	case r[1]&0x10 != 0:
		return 4096
	default:
		return int(r[2]) + int(r[3]&0xf)<<8 - int(r[0]) - int(r[1]&0xf)<<8
	}
}

func pcaWire(c *pca) *wire {
	return &wire{addr: 0x40, chip: c, read: func(reg byte) byte { return c.regs[reg] }, next: func(reg byte) byte {
		if c.regs[0]&0x20 == 0 {
			return reg
		}
		return reg + 1
	}}
}

// shows sets a level and returns when the device has answered, however busy the machine is: nothing here hangs.
func shows(l lamp.Light, v lamp.Level) error {
	err := l.Set(v)
	for errors.Is(err, ErrSlow) {
		time.Sleep(time.Millisecond)
		err = l.Set(v)
	}
	return err
}

// settled is a light whose Set does that.
type settled struct{ lamp.Light }

func (l settled) Set(v lamp.Level) error { return shows(l.Light, v) }

func TestMCP23017Contract(t *testing.T) {
	for _, low := range []bool{false, true} {
		t.Run(fmt.Sprintf("active low %v", low), func(t *testing.T) {
			lamptest.Contract(t, func(t *testing.T) lamptest.Rig {
				c := newMCP()
				w := mcpWire(c)
				lights, err := OpenMCP23017(w, 0x20, []ChipLamp{{"desk1", []int{11}, low}})
				if err != nil {
					t.Fatal(err)
				}
				return lamptest.Rig{Light: settled{lights[0]}, ID: "desk1", Lit: func() bool {
					w.mu.Lock()
					defer w.mu.Unlock()
					level, driven := c.high(11)
					return driven && level != low
				}}
			})
		})
	}
}

func TestPCA9685Contract(t *testing.T) {
	for _, low := range []bool{false, true} {
		t.Run(fmt.Sprintf("active low %v", low), func(t *testing.T) {
			lamptest.Contract(t, func(t *testing.T) lamptest.Rig {
				c := newPCA()
				w := pcaWire(c)
				lights, err := OpenPCA9685(w, 0x40, []ChipLamp{{"desk1", []int{15}, low}})
				if err != nil {
					t.Fatal(err)
				}
				return lamptest.Rig{Light: settled{lights[0]}, ID: "desk1", Lit: func() bool {
					w.mu.Lock()
					defer w.mu.Unlock()
					return c.regs[0]&0x10 == 0 && (c.share(15) > 0) != low || low && c.share(15) < 4096 && c.regs[0]&0x10 == 0
				}}
			})
		})
	}
}

func TestAPCA9685DimsEachColourAndIsSetUpAsItsDataSheetAsks(t *testing.T) {
	c := newPCA()
	lights, err := OpenPCA9685(pcaWire(c), 0x40, []ChipLamp{{"rgb", []int{0, 1, 2}, false}, {"white", []int{8}, false}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(shows(lights[0], lamp.Level{Brightness: 255, R: 255, G: 128}), shows(lights[1], lamp.Level{Brightness: 102})); err != nil {
		t.Fatal(err)
	}
	// (128/255)^2.2 and (102/255)^2.2 of 4,096
	for n, want := range map[int]int{0: 4096, 1: 899, 2: 0, 8: 546, 3: 0} {
		if got := c.share(n); got < want-1 || got > want+1 {
			t.Errorf("output %d is high for %d of 4096, want %d", n, got, want)
		}
	}
	if c.regs[0xfe] != 5 || c.prescale != 0 || c.regs[1]&0x04 == 0 {
		t.Errorf("prescaler %d, written %d times awake, mode 2 %#x", c.regs[0xfe], c.prescale, c.regs[1])
	}
	*c = *newPCA() // a loss of its supply
	if err := shows(lights[0], lamp.Level{Brightness: 255, G: 255}); err != nil {
		t.Fatal(err)
	}
	if c.share(1) != 4096 || c.share(0) != 0 || c.share(8) == 0 {
		t.Errorf("after a loss of supply: %d %d %d", c.share(0), c.share(1), c.share(8))
	}
	for _, l := range lights {
		_ = l.Close()
	}
}

func TestAnMCP23017ThatLostItsSupplyShowsItsLampsAgain(t *testing.T) {
	c := newMCP()
	w := mcpWire(c)
	lights, err := OpenMCP23017(w, 0x20, []ChipLamp{{"a", []int{0}, false}, {"rgb", []int{8, 9, 10}, false}})
	if err != nil {
		t.Fatal(err)
	}
	if err := shows(lights[0], lamp.Level{Brightness: 9}); err != nil {
		t.Fatal(err)
	}
	*c = *newMCP()
	if err := shows(lights[1], lamp.Level{Brightness: 255, R: 200, B: 255}); err != nil {
		t.Fatal(err)
	}
	var lit []int
	for n := range 16 {
		if level, driven := c.high(n); level && driven {
			lit = append(lit, n)
		}
	}
	if fmt.Sprint(lit) != "[0 8 10]" {
		t.Errorf("lit: %v", lit)
	}
	if w.closed != 0 {
		t.Error("closed too early")
	}
	_, _ = lights[0].Close(), lights[1].Close()
	if w.closed != 1 {
		t.Errorf("the bus is closed %d times", w.closed)
	}
}

func TestAChipThatIsNotThereIsAFaultOfItsLampsAndComesBack(t *testing.T) {
	c := newMCP()
	w := mcpWire(c)
	w.absent = true
	lights, err := OpenMCP23017(w, 0x20, []ChipLamp{{"a", []int{3}, false}})
	if err != nil {
		t.Fatal(err)
	}
	defer lights[0].Close()
	if err := shows(lights[0], lamp.Level{Brightness: 255}); err == nil || !strings.Contains(err.Error(), "MCP23017 at 0x20: no such device") {
		t.Fatalf("%v", err)
	}
	w.mu.Lock()
	w.absent = false
	w.mu.Unlock()
	if err := shows(lights[0], lamp.Level{Brightness: 255}); err != nil {
		t.Fatal(err)
	}
	if level, driven := c.high(3); !level || !driven {
		t.Error("dark")
	}
}

func TestABusThatHangsHoldsUpNoOtherLamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMCP()
		w := mcpWire(c)
		w.stuck = make(chan struct{})
		lights, err := OpenMCP23017(w, 0x20, []ChipLamp{{"hung", []int{0}, false}})
		if err != nil {
			t.Fatal(err)
		}
		p := &port{}
		good, err := OpenShift(p, 1, []ShiftLamp{{"good", []int{0}, false}})
		if err != nil {
			t.Fatal(err)
		}
		var faults []tel.LampID
		all := panel.New(panel.Config{
			Lights: []panel.Assignment{
				{Light: lights[0], Subject: lamp.Subject{Kind: lamp.Agent, ID: "anna"}}, {Light: good[0], Subject: lamp.Subject{Kind: lamp.Agent, ID: "bruno"}},
			},
			Publish: func(e tel.Event) {
				if l, ok := e.(tel.LampChanged); ok && l.Fault {
					faults = append(faults, l.Lamp)
				}
			},
		})
		all.Show("bruno", tel.AgentTalking)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if !registers(1, p.Ops)[0] {
			t.Error("the lamp on the good bus waits for the other")
		}
		all.Show("anna", tel.AgentTalking)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(faults) == 0 || faults[0] != "hung" {
			t.Errorf("faults %v", faults)
		}
		w.mu.Lock()
		close(w.stuck)
		w.stuck = nil
		w.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if level, driven := c.high(0); !level || !driven {
			t.Error("after the bus came back the lamp is dark")
		}
		all.Close()
	})
}

func TestFaultsOfAChipAreToldTogetherAndReleaseTheBus(t *testing.T) {
	w := mcpWire(newMCP())
	_, err := OpenMCP23017(w, 0x28, []ChipLamp{{"a", []int{16}, false}, {"b", []int{1, 2}, false}, {"c", []int{2}, false}})
	if err == nil || w.closed != 1 {
		t.Fatalf("%v, closed %d times", err, w.closed)
	}
	for _, want := range []string{`lamp "a": no output 16`, `lamp "b": has 2 outputs`, `lamp "c": output 2 is already`, "0x28 is not within"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word about %s in %v", want, err)
		}
	}
}
