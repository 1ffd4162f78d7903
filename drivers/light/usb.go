package light

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// USBLamp describes one busy light that is plugged in by USB.
type USBLamp struct {
	Lamp tel.LampID
	// Place is the USB socket, such as "1-1.2", or the serial number; empty: the only light there is.
	Place string
}

// hidMaker is a family of busy lights: how a colour is said to it.
type hidMaker struct {
	name    string
	devices []string // vendor:product
	reports func(rgb) [][]byte
	feature bool // the report goes as a feature report, not as an output report
}

// makers are the families we speak. Layouts are facts of their vendors' notes and of programs that drive them.
func makers() []hidMaker {
	return []hidMaker{
		{
			name: "Kuando Busylight", reports: kuando,
			devices: []string{"27bb:3bca", "27bb:3bcb", "27bb:3bcd", "27bb:3bce", "27bb:3bcf", "04d8:f848"},
		},
		{name: "Luxafor Flag", reports: luxafor, devices: []string{"04d8:f372"}},
		{
			name: "Embrava Blynclight", reports: blynclight,
			devices: []string{"2c0d:0001", "2c0d:0002", "2c0d:0003", "2c0d:000a", "2c0d:000c", "2c0d:0010", "0e53:2516", "0e53:2517", "0e53:2519"},
		},
		{name: "blink(1)", reports: blink1, devices: []string{"27b8:01ed"}, feature: true},
	}
}

// kuando is a program of one step that jumps to itself, 64 bytes with their sum at the end (percent of each colour),
// and a keep-alive: without one the light goes dark within half a minute, which is what a light of a box that died
// should do.
func kuando(c rgb) [][]byte {
	const jump, keepAlive = 0x10, 0x80
	percent := func(v uint8) byte { return byte((int(v)*100 + 254) / 255) }
	steps := [][]byte{
		{jump, 1, percent(c.r), percent(c.g), percent(c.b), 1, 0, 0},
		{keepAlive | 15},
	}
	for i, s := range steps {
		report := make([]byte, 65) // the first byte is the number of the report
		copy(report[1:], s)
		sum := 0
		for _, b := range report[:63] {
			sum += int(b)
		}
		report[63], report[64] = byte(sum>>8), byte(sum)
		steps[i] = report
	}
	return steps
}

func luxafor(c rgb) [][]byte {
	const static, all = 1, 0xff
	return [][]byte{{0, static, all, c.r, c.g, c.b, 0, 0, 0}}
}

// blynclight has its colours in the order red, blue, green, and a flag that says off.
func blynclight(c rgb) [][]byte {
	flags := byte(0)
	if c == (rgb{}) {
		flags = 1
	}
	return [][]byte{{0, c.r, c.b, c.g, flags, 0, 0, 0xff, 0x22}}
}

func blink1(c rgb) [][]byte {
	return [][]byte{{1, 'c', c.r, c.g, c.b, 0, 0, 0}}
}

// hidLight is a light as it was found.
type hidLight struct {
	maker          hidMaker
	node           string // "hidraw0"
	socket, serial string
}

func (l hidLight) String() string {
	s := l.maker.name + " at USB socket " + l.socket
	if l.serial != "" {
		s += " with serial number " + l.serial
	}
	return s
}

// findHID lists the lights of this machine, by socket.
func findHID(sys string) ([]hidLight, error) {
	nodes, err := filepath.Glob(filepath.Join(sys, "class", "hidraw", "*"))
	if err != nil {
		return nil, err
	}
	var found []hidLight
	for _, node := range nodes {
		device, err := filepath.EvalSymlinks(filepath.Join(node, "device"))
		if err != nil {
			continue // it has just gone
		}
		text, err := os.ReadFile(filepath.Join(device, "uevent"))
		if err != nil {
			continue
		}
		id, serial := readUevent(string(text))
		i := slices.IndexFunc(makers(), func(m hidMaker) bool { return slices.Contains(m.devices, id) })
		if i < 0 {
			continue
		}
		// .../1-1.2/1-1.2:1.0/0003:04D8:F372.0001
		l := hidLight{maker: makers()[i], node: filepath.Base(node), socket: filepath.Base(filepath.Dir(filepath.Dir(device))), serial: serial}
		if !slices.ContainsFunc(found, func(o hidLight) bool { return o.socket == l.socket }) { // its first interface is the light
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b hidLight) int { return strings.Compare(a.socket, b.socket) })
	return found, nil
}

// readUevent takes "vendor:product", in lower case, and the serial number out of what the kernel says of a HID device.
func readUevent(text string) (id, serial string) {
	for l := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(l), "=")
		switch key {
		case "HID_ID": // bus:vendor:product, padded with zeros
			p := strings.Split(value, ":")
			if len(p) != 3 {
				continue
			}
			vendor, err1 := strconv.ParseUint(p[1], 16, 16)
			product, err2 := strconv.ParseUint(p[2], 16, 16)
			if err1 == nil && err2 == nil {
				id = fmt.Sprintf("%04x:%04x", vendor, product)
			}
		case "HID_UNIQ":
			serial = value
		}
	}
	return id, serial
}

// choose picks the light of a place.
func choose(place string, found []hidLight) (hidLight, error) {
	list := "there is no busy light that I know"
	var names []string
	for _, l := range found {
		names = append(names, l.String())
	}
	if len(names) > 0 {
		list = "found " + strings.Join(names, ", ")
	}
	if place == "" {
		if len(found) == 1 {
			return found[0], nil
		}
		return hidLight{}, fmt.Errorf("want one busy light by USB, or its socket; %s", list)
	}
	for _, l := range found {
		if l.socket == place || l.serial != "" && l.serial == place {
			return l, nil
		}
	}
	return hidLight{}, fmt.Errorf("no busy light at USB socket or with serial number %q; %s", place, list)
}

// OpenUSB drives busy lights through the kernel's hidraw devices below sys and dev, "/sys" and "/dev". One that is not
// plugged in is a fault of its light, which is looked for again at each refresh, so that it may come later or move.
func OpenUSB(lamps []USBLamp, sys, dev string) ([]lamp.Light, error) {
	owner := map[string]tel.LampID{}
	for _, l := range lamps {
		if other, taken := owner[l.Place]; taken {
			return nil, fmt.Errorf("lamp %q: USB light %q is already that of lamp %q", l.Lamp, l.Place, other)
		}
		owner[l.Place] = l.Lamp
	}
	var lights []lamp.Light
	for _, l := range lamps {
		d := &hidDevice{place: l.Place, sys: sys, dev: dev}
		f := newFeeder(lamp.Level{}, 1, d.show, d.close)
		lights = append(lights, &fedLight[lamp.Level]{id: l.Lamp, feeder: f, draw: func(t *lamp.Level, v lamp.Level) { *t = v }})
	}
	return lights, nil
}

// hidDevice is one light that comes and goes. It is used by one goroutine.
type hidDevice struct {
	place, sys, dev string
	maker           hidMaker
	file            *os.File // nil while it is not there
}

func (d *hidDevice) show(v lamp.Level) error {
	if d.file == nil {
		found, err := findHID(d.sys)
		if err != nil {
			return err
		}
		l, err := choose(d.place, found)
		if err != nil {
			return err
		}
		f, err := os.OpenFile(filepath.Join(d.dev, l.node), os.O_RDWR|unix.O_NONBLOCK, 0)
		if err != nil {
			return fmt.Errorf("open the %s: %w", l, err)
		}
		d.file, d.maker = f, l.maker
	}
	for _, report := range d.maker.reports(colour(v)) {
		if err := d.send(report); err != nil {
			err = fmt.Errorf("write to the %s: %w", d.maker.name, err)
			return errors.Join(err, d.close()) // it may come back under another number
		}
	}
	return nil
}

func (d *hidDevice) send(report []byte) error {
	if d.maker.feature {
		return setFeature(d.file, report)
	}
	n, err := d.file.Write(report)
	if err == nil && n != len(report) {
		err = io.ErrShortWrite
	}
	return err
}

func (d *hidDevice) close() error {
	if d.file == nil {
		return nil
	}
	err := d.file.Close()
	d.file = nil
	return err
}
