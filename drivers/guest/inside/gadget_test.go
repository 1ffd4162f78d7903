//go:build guest

package inside

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/serialport"
)

// gadget is a USB modem seen from its inside: the other end of dummy_hcd.
type gadget struct {
	t    *testing.T
	dir  string
	udc  string // the controller: its socket
	ttys []string
}

// newGadget makes a modem with so many vendor-specific serial functions, not yet plugged in.
func newGadget(t *testing.T, socket int, vendor, product uint16, functions int) *gadget {
	t.Helper()
	g := &gadget{t: t, dir: fmt.Sprintf("/sys/kernel/config/usb_gadget/modem%d", socket), udc: fmt.Sprintf("dummy_udc.%d", socket)}
	for path, text := range map[string]string{
		"idVendor": fmt.Sprintf("%#04x", vendor), "idProduct": fmt.Sprintf("%#04x", product),
		"strings/0x409/serialnumber": "0123456789ABCDEF", "strings/0x409/manufacturer": "simulated", "strings/0x409/product": "modem",
	} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(g.dir, path)), 0o755))
		must(t, os.WriteFile(filepath.Join(g.dir, path), []byte(text), 0))
	}
	config := filepath.Join(g.dir, "configs/c.1")
	must(t, os.MkdirAll(config, 0o755))
	for i := range functions {
		f := filepath.Join(g.dir, fmt.Sprintf("functions/gser.u%d", i))
		must(t, os.MkdirAll(f, 0o755))
		must(t, os.Symlink(f, filepath.Join(config, filepath.Base(f))))
		port, err := os.ReadFile(filepath.Join(f, "port_num"))
		must(t, err)
		g.ttys = append(g.ttys, "/dev/ttyGS"+strings.TrimSpace(string(port)))
	}
	t.Cleanup(g.remove)
	return g
}

// connect puts the modem into its socket, or pulls it out.
func (g *gadget) connect(on bool) error {
	controller := "\n"
	if on {
		controller = g.udc
	}
	return os.WriteFile(filepath.Join(g.dir, "UDC"), []byte(controller), 0)
}

// plug puts the modem into its socket.
func (g *gadget) plug() {
	g.t.Helper()
	must(g.t, g.connect(true))
}

// unplug pulls it out.
func (g *gadget) unplug() {
	g.t.Helper()
	must(g.t, g.connect(false))
}

func (g *gadget) remove() {
	_ = g.connect(false) // it may be out already
	links, _ := filepath.Glob(filepath.Join(g.dir, "configs/c.1/gser.*"))
	for _, l := range links {
		must(g.t, os.Remove(l))
	}
	functions, _ := filepath.Glob(filepath.Join(g.dir, "functions/gser.*"))
	for _, d := range append(functions, filepath.Join(g.dir, "configs/c.1"), filepath.Join(g.dir, "strings/0x409"), g.dir) {
		must(g.t, os.Remove(d))
	}
}

// patience bounds every wait for the kernel and for other programs: ModemManager calls the mute ports of a
// modem for half a minute.
const patience = 2 * time.Minute

// until waits for a fact that nothing tells of.
func until(t *testing.T, what string, fact func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !fact(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// discovered waits for one device with so many ports.
func discovered(t *testing.T, ports int) serialport.USBDevice {
	t.Helper()
	var all []serialport.USBDevice
	until(t, fmt.Sprintf("a device with %d ports", ports), func() bool {
		var err error
		all, err = serialport.Discover("/sys")
		must(t, err)
		return len(all) == 1 && len(all[0].Ports) == ports
	})
	return all[0]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
