//go:build guest

package inside

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/drivers/serialport"
)

// The EC25 of Quectel: what its interfaces are for, after the notes of the module's manual.
const (
	quectel, ec25 = 0x2c7c, 0x0125
	interfaces    = 4
	audioPort     = 1
	commandPort   = 2
)

// command and audio open one interface of a device with our drivers.
func command(t *testing.T, d serialport.USBDevice, iface int) *serialport.Command {
	t.Helper()
	p, err := serialport.OpenCommand(node(t, d, iface), 115200)
	must(t, err)
	return p
}

func audio(t *testing.T, d serialport.USBDevice, iface int) *serialport.Audio {
	t.Helper()
	p, err := serialport.OpenAudio(node(t, d, iface))
	must(t, err)
	return p
}

func node(t *testing.T, d serialport.USBDevice, iface int) string {
	t.Helper()
	path, ok := d.Port("/dev", iface)
	if !ok {
		t.Fatalf("%+v has no interface %d", d, iface)
	}
	return path
}

// insideOf opens the modem's own end of an interface. It must be open before the modem is plugged in:
// the kernel would echo what comes before the port is raw.
func insideOf(t *testing.T, g *gadget, iface int) *serialport.Audio {
	t.Helper()
	p, err := serialport.OpenAudio(g.ttys[iface])
	must(t, err)
	return p
}

// pass sends text through one end and expects it at the other.
func pass(t *testing.T, from io.Writer, to interface {
	io.Reader
	SetReadDeadline(time.Time) error
}, text string,
) {
	t.Helper()
	if _, err := io.WriteString(from, text); err != nil {
		t.Fatalf("write %q: %v", text, err)
	}
	must(t, to.SetReadDeadline(time.Now().Add(patience)))
	got := make([]byte, len(text))
	if _, err := io.ReadFull(to, got); err != nil || string(got) != text {
		t.Fatalf("got %q (%v), want %q", got, err, text)
	}
}

func TestEachInterfaceNumberLeadsToItsOwnFunctionOfTheModem(t *testing.T) {
	g := newGadget(t, 0, quectel, ec25, interfaces)
	var ends [interfaces]*serialport.Audio
	for i := range ends {
		ends[i] = insideOf(t, g, i)
		defer func() { _ = ends[i].Close() }()
	}
	g.plug()
	d := discovered(t, interfaces)
	if d.Vendor != quectel || d.Product != ec25 || d.Serial != "0123456789ABCDEF" || d.Socket == "" || d.Bus == 0 {
		t.Errorf("the device reads as %+v", d)
	}
	for i := range ends {
		p := audio(t, d, i)
		pass(t, ends[i], p, fmt.Sprintf("to the box by %d", i))
		pass(t, p, ends[i], fmt.Sprintf("to the modem by %d", i))
		if err := p.Close(); err != nil {
			t.Errorf("close interface %d: %v", i, err)
		}
	}
}

func TestTwoModemsOfOneKindAreToldApartByTheirSocket(t *testing.T) {
	one, two := newGadget(t, 0, quectel, ec25, interfaces), newGadget(t, 1, quectel, ec25, interfaces)
	ends := [2]*serialport.Audio{insideOf(t, one, commandPort), insideOf(t, two, commandPort)}
	for _, e := range ends {
		defer func() { _ = e.Close() }()
	}
	two.plug() // the first to come gets the lower numbers
	discovered(t, interfaces)
	one.plug()
	var all []serialport.USBDevice
	until(t, "both modems with all their ports", func() bool {
		var err error
		all, err = serialport.Discover("/sys")
		must(t, err)
		return len(all) == 2 && len(all[0].Ports) == interfaces && len(all[1].Ports) == interfaces
	})
	if all[0].Bus == all[1].Bus && all[0].Socket == all[1].Socket {
		t.Fatalf("both are in one socket: %+v", all)
	}
	if first := node(t, all[0], 0); first == "/dev/ttyUSB0" {
		t.Errorf("the order of plugging decides: %+v", all)
	}
	for i, e := range ends {
		p := audio(t, all[i], commandPort)
		pass(t, e, p, "mine")
		_ = p.Close()
	}
}

func TestUnplugWithTheDescriptorOpenEndsReadAndWriteAndTheCloseReturns(t *testing.T) {
	for name, open := range map[string]func(serialport.USBDevice) serialport.Port{
		"command": func(d serialport.USBDevice) serialport.Port { return command(t, d, commandPort) },
		"audio":   func(d serialport.USBDevice) serialport.Port { return audio(t, d, commandPort) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGadget(t, 0, quectel, ec25, interfaces)
			g.plug()
			p := open(discovered(t, interfaces))
			ended := make(chan error, 1)
			go func() {
				_, err := p.Read(make([]byte, 8))
				ended <- err
			}()
			g.unplug()
			select {
			case err := <-ended:
				if err == nil || errors.Is(err, serialport.ErrClosed) {
					t.Errorf("the read ended with %v, want the device's own error", err)
				}
			case <-time.After(patience):
				t.Fatal("the read did not end")
			}
			must(t, p.SetWriteDeadline(time.Now().Add(patience)))
			if _, err := p.Write([]byte("AT\r")); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("write after the unplug: %v", err)
			}
			if err := p.Close(); err != nil {
				t.Errorf("close after the unplug: %v", err)
			}
		})
	}
}

// A descriptor that is still open keeps its number; a modem that comes back meanwhile gets others.
func TestReplugWithEveryDescriptorOpenRenumbersAndTheModemIsFoundAtItsSocket(t *testing.T) {
	g := newGadget(t, 0, quectel, ec25, interfaces)
	g.plug()
	before := discovered(t, interfaces)
	var held [interfaces]*serialport.Audio
	for i := range held {
		held[i] = audio(t, before, i)
	}
	g.unplug()
	until(t, "the ports to go", func() bool {
		all, err := serialport.Discover("/sys")
		must(t, err)
		return len(all) == 0
	})
	end := insideOf(t, g, commandPort)
	defer func() { _ = end.Close() }()
	g.plug()
	after := discovered(t, interfaces)
	for i, p := range after.Ports {
		if want := fmt.Sprintf("ttyUSB%d", interfaces+i); p.Name != want || p.Interface != i {
			t.Errorf("interface %d is %s, want %s", p.Interface, p.Name, want)
		}
	}
	if after.Bus != before.Bus || after.Socket != before.Socket {
		t.Errorf("the modem moved from %d:%s to %d:%s", before.Bus, before.Socket, after.Bus, after.Socket)
	}
	p := command(t, after, commandPort)
	if _, err := p.Write([]byte("AT\r")); err != nil {
		t.Error(err)
	}
	pass(t, nothing{}, end, "AT\r")
	for _, c := range append([]io.Closer{p}, held[0], held[1], held[2], held[3]) {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	g.unplug()
	g.plug()
	if again := discovered(t, interfaces); again.Ports[0].Name != "ttyUSB0" {
		t.Errorf("with all closed the numbers do not begin anew: %+v", again.Ports)
	}
}

// nothing takes what the test has written already.
type nothing struct{}

func (nothing) Write(p []byte) (int, error) { return len(p), nil }

// stall fills an interface that the modem does not read, until the deadline says so.
func stall(t *testing.T, p *serialport.Audio) (taken int) {
	t.Helper()
	frame := make([]byte, 320)
	for {
		must(t, p.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
		n, err := p.Write(frame)
		taken += n
		if err == nil && taken < 1<<20 {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("after %d bytes: %v, want a deadline", taken, err)
		}
		return taken
	}
}

func TestAudioThatTheModemDoesNotTakeEndsAtTheDeadlineAndTheCommandPortSpeaksOn(t *testing.T) {
	g := newGadget(t, 0, quectel, ec25, interfaces)
	end := insideOf(t, g, commandPort)
	defer func() { _ = end.Close() }()
	g.plug()
	d := discovered(t, interfaces)
	sound, at := audio(t, d, audioPort), audio(t, d, commandPort)
	t.Logf("the stalled port took %d bytes", stall(t, sound))
	pass(t, at, end, "AT\r")
	pass(t, end, at, "\r\nOK\r\n")
	for _, p := range []*serialport.Audio{sound, at} {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func TestCloseWithUnsentBytesReturnsBecauseClosingWaitIsNone(t *testing.T) {
	g := newGadget(t, 0, quectel, ec25, interfaces)
	g.plug()
	sound := audio(t, discovered(t, interfaces), audioPort)
	stall(t, sound)
	start := time.Now()
	if err := sound.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	t.Logf("close took %v", time.Since(start))
}

// A program without CAP_SYS_ADMIN may not change closing_wait, and the kernel then waits 30 s for bytes
// that nobody takes. Who closes is not kept; the pulled plug ends what is left.
func TestCloseWithUnsentBytesIsBoundedForAProgramThatMayNotSetClosingWait(t *testing.T) {
	g := newGadget(t, 0, quectel, ec25, interfaces)
	g.plug()
	d := discovered(t, interfaces)
	var sound *serialport.Audio
	opened := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread that has given up its right ends with this goroutine
		if err := dropAdmin(); err != nil {
			opened <- err
			return
		}
		var err error
		sound, err = serialport.OpenAudio(node(t, d, audioPort))
		opened <- err
	}()
	must(t, <-opened)
	stall(t, sound)
	if err := sound.Close(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("close: %v, want that it gave up waiting", err)
	}
	g.unplug()
}

// dropAdmin takes CAP_SYS_ADMIN from this thread.
func dropAdmin() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return err
	}
	data[0].Effective &^= 1 << unix.CAP_SYS_ADMIN
	return unix.Capset(&head, &data[0])
}

// The ports of a modem come one by one, and go one by one. Half a modem would be a line without sound.
func TestDiscoverShowsAModemWholeOrNotAtAll(t *testing.T) {
	g := newGadget(t, 0, quectel, ec25, interfaces)
	looks := 0
	for range 12 {
		for _, on := range []bool{true, false} {
			must(t, g.connect(on))
			until(t, fmt.Sprintf("the modem to be plugged in: %v", on), func() bool {
				all, err := serialport.Discover("/sys")
				must(t, err)
				looks++
				if len(all) > 0 && len(all[0].Ports) != interfaces {
					t.Errorf("a modem with the ports %+v", all[0].Ports)
				}
				return len(all) > 0 == on
			})
		}
	}
	t.Logf("%d looks", looks)
}

// enumeration is the number that a device gets anew each time that the kernel finds it; empty while it is away.
func enumeration(t *testing.T, d serialport.USBDevice) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/sys/bus/usb/devices", d.Path, "devnum"))
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ENODEV) {
		t.Fatal(err)
	}
	return string(b)
}

func TestAModemWhosePortOfTheHubIsSwitchedOffAndOnIsEnumeratedAnew(t *testing.T) {
	g := newGadget(t, 0, quectel, ec25, interfaces)
	g.plug()
	before := discovered(t, interfaces)
	number := enumeration(t, before)
	must(t, serialport.PowerCycle(t.Context(), "/sys", before.Path))
	until(t, "a new enumeration", func() bool { n := enumeration(t, before); return n != "" && n != number })
	if after := discovered(t, interfaces); !reflect.DeepEqual(after, before) {
		t.Errorf("it came back as %+v, was %+v", after, before)
	}
}

func TestAModemThatIsReboundHasItsPortsAgainAndSpeaks(t *testing.T) {
	g := newGadget(t, 0, quectel, ec25, interfaces)
	g.plug()
	before := discovered(t, interfaces)
	must(t, serialport.Rebind(t.Context(), "/sys", before.Path))
	after := discovered(t, interfaces)
	if !reflect.DeepEqual(after, before) {
		t.Errorf("it came back as %+v, was %+v", after, before)
	}
	end := insideOf(t, g, commandPort) // its earlier ends were hung up
	defer func() { _ = end.Close() }()
	at := audio(t, after, commandPort)
	pass(t, at, end, "AT\r")
	pass(t, end, at, "\r\nOK\r\n")
	must(t, at.Close())
}

func TestAModemIsKeptAwake(t *testing.T) {
	g := newGadget(t, 0, quectel, ec25, interfaces)
	g.plug()
	d := discovered(t, interfaces)
	control := filepath.Join("/sys/bus/usb/devices", d.Path, "power/control")
	must(t, os.WriteFile(control, []byte("auto"), 0))
	must(t, serialport.KeepAwake("/sys", d.Path))
	if b, err := os.ReadFile(control); err != nil || strings.TrimSpace(string(b)) != "on" {
		t.Errorf("power/control is %q (%v)", b, err)
	}
}
