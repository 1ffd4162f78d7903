package model

import (
	"bytes"
	"fmt"
	"strings"
)

// Facts are what a machine says of itself. Each is the content of a file; empty: there is none.
type Facts struct {
	Compatible []byte // /proc/device-tree/compatible
	Tree       []byte // /proc/device-tree/model
	Vendor     []byte // /sys/class/dmi/id/sys_vendor, of a PC
	Product    []byte // /sys/class/dmi/id/product_name
	Arguments  []byte // /proc/cmdline
}

// Board is one machine.
type Board struct {
	Model
	Says    string // what it calls itself
	Known   bool   // the list of boards has it
	Console bool   // the kernel talks at pins 8 and 10
}

// maxSays bounds what a machine calls itself.
const maxSays = 80

// Identify tells which board a machine is. One that nobody knows is taken for one with lines of its own names.
func Identify(f Facts) Board {
	m, known := Of(f.Compatible)
	b := Board{Model: m, Known: known}
	if !known {
		for _, other := range Models() {
			if other.ID == "arm64" {
				b.Model = other
			}
		}
	}
	b.Says = printable(f.Tree)
	if b.Says == "" {
		b.Says = strings.TrimSpace(printable(f.Vendor) + " " + printable(f.Product))
	}
	if b.Says == "" {
		b.Says = b.Name
	}
	b.Console = b.Hardware.Header && consoleAtHeader(string(f.Arguments))
	return b
}

// printable is one short line of a file's content; what is no text is left out.
func printable(raw []byte) string {
	raw, _, _ = bytes.Cut(raw, []byte{0})
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\ufffd' {
			return -1
		}
		return r
	}, string(bytes.ToValidUTF8(raw, nil)))
	if len(text) > maxSays {
		text = strings.ToValidUTF8(text[:maxSays], "")
	}
	return strings.TrimSpace(text)
}

// consoleAtHeader tells whether a console of the kernel is at the header's UART. ttyAMA10 is the debug connector of a
// Raspberry Pi 5; serial0 is what the boot loader has replaced by the name of the header's.
func consoleAtHeader(arguments string) bool {
	for _, word := range strings.Fields(arguments) {
		device, ok := strings.CutPrefix(word, "console=")
		device, _, _ = strings.Cut(device, ",")
		if ok && (device == "serial0" || device == "ttyS0" || device == "ttyAMA0") {
			return true
		}
	}
	return false
}

// Pin finds a pin of the board's header that a lamp can have. The error says in words why it can not.
func (b Board) Pin(text string) (Pin, error) {
	p, ok := Named(text)
	switch {
	case !b.Hardware.Header:
		return Pin{}, fmt.Errorf("%s has no header that is known: write the label of the chip and the name of the line", b.Says)
	case !ok && Counted(text):
		return Pin{}, fmt.Errorf("there is no %q: the header has pins 1 to 40", text)
	case !ok:
		return Pin{}, fmt.Errorf("the header of %s has no line %q: write pin 1 to 40, or GPIO2 to GPIO27", b.Says, text)
	case p.Kind != Signal:
		return Pin{}, fmt.Errorf("pin %d is %s, no signal", p.Number, p.Kind)
	case p.Identity:
		return Pin{}, fmt.Errorf("%s is kept for the memory of expansion boards", p)
	case b.Console && (p.GPIO == 14 || p.GPIO == 15):
		return Pin{}, fmt.Errorf("%s belongs to the console of the kernel", p)
	}
	return p, nil
}
