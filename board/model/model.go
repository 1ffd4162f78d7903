// Package model says which boards a box can be made of, and how Pronto comes to each.
package model

import (
	"bytes"
	"fmt"
	"strings"
)

// Way is how Pronto comes to a machine.
type Way string

// The ways.
const (
	Image   Way = "image"   // the card image, with its own system
	Package Way = "package" // the .deb, or the container, in a system of the owner
	Nowhere Way = "not at all"
)

// Model is a kind of board.
type Model struct {
	ID         string // by which a page names it, such as "pi4"
	Name       string
	Compatible []string // as its device tree names it first; none: a PC
	Trees      []string // device trees of the image for it
	Way        Way
	Updates    string // what updates of the image need; empty: the system's own package manager
	Why        string
	Hardware   Hardware
}

// updates are what a switch between two slots needs of a boot loader; ready is what every board of the latest kind has.
const (
	updates = "EEPROM of 2022-10-18 or later (tryboot_a_b)"
	ready   = "any EEPROM: tryboot_a_b is older than the board"
)

// Models lists the boards, those with an image first.
func Models() []Model {
	return []Model{
		{
			ID: "pi5", Name: "Raspberry Pi 5, 500",
			Compatible: []string{"raspberrypi,5-model-b", "raspberrypi,500"},
			Trees:      []string{"bcm2712-rpi-5-b.dtb", "bcm2712-d-rpi-5-b.dtb", "bcm2712d0-rpi-5-b.dtb", "bcm2712-rpi-500.dtb"},
			Way:        Image, Updates: ready, Why: "wired network on the board, a clock that keeps time with a battery, the fastest",
			Hardware: rp1(),
		},
		{
			ID: "cm5", Name: "Raspberry Pi Compute Module 5",
			Compatible: []string{"raspberrypi,5-compute-module", "raspberrypi,5-compute-module-lite"},
			Trees:      []string{"bcm2712-rpi-cm5-cm4io.dtb", "bcm2712-rpi-cm5-cm5io.dtb", "bcm2712-rpi-cm5l-cm4io.dtb", "bcm2712-rpi-cm5l-cm5io.dtb"},
			Way:        Image, Updates: ready, Why: "eMMC instead of a card",
			Hardware: rp1().onCarrier(true),
		},
		{
			ID: "pi4", Name: "Raspberry Pi 4 Model B, 400",
			Compatible: []string{"raspberrypi,4-model-b", "raspberrypi,400"},
			Trees:      []string{"bcm2711-rpi-4-b.dtb", "bcm2711-rpi-400.dtb"},
			Way:        Image, Updates: updates, Why: "wired network on the board; no clock: it asks the network for the time",
			Hardware: bcm("pinctrl-bcm2711"),
		},
		{
			ID: "cm4", Name: "Raspberry Pi Compute Module 4",
			Compatible: []string{"raspberrypi,4-compute-module", "raspberrypi,4-compute-module-s"},
			Trees:      []string{"bcm2711-rpi-cm4.dtb", "bcm2711-rpi-cm4-io.dtb", "bcm2711-rpi-cm4s.dtb"},
			Way:        Image, Updates: updates, Why: "eMMC instead of a card",
			Hardware: bcm("pinctrl-bcm2711").onCarrier(true),
		},
		{
			ID: "pi3", Name: "Raspberry Pi 3 Model A+, B, B+",
			Compatible: []string{"raspberrypi,3-model-b", "raspberrypi,3-model-b-plus", "raspberrypi,3-model-a-plus"},
			Way:        Package, Why: "its boot loader has no EEPROM and so no safe switch between two systems; its network hangs on USB, with the modems",
			Hardware: bcm("pinctrl-bcm2835"),
		},
		{
			ID: "zero2", Name: "Raspberry Pi Zero 2 W",
			Compatible: []string{"raspberrypi,model-zero-2-w"},
			Way:        Package, Why: "as Raspberry Pi 3; half a gigabyte of memory, and no wired network",
			Hardware: bcm("pinctrl-bcm2835"),
		},
		{
			ID: "cm3", Name: "Raspberry Pi Compute Module 3",
			Compatible: []string{"raspberrypi,3-compute-module"},
			Way:        Package, Why: "as Raspberry Pi 3; its network is that of its carrier",
			Hardware: bcm("pinctrl-bcm2835").onCarrier(false),
		},
		{
			ID: "old", Name: "Raspberry Pi 1, 2, Zero",
			Compatible: []string{"raspberrypi,model-b", "raspberrypi,model-b-plus", "raspberrypi,2-model-b", "raspberrypi,model-zero", "raspberrypi,model-zero-w"},
			Way:        Nowhere, Why: "32 bits and too slow: the programs build for ARMv7 (`make build`), nobody packs or tries them",
		},
		{
			ID: "arm64", Name: "other boards with a 64-bit ARM processor",
			Compatible: []string{"rockchip,", "hardkernel,", "radxa,", "friendlyarm,", "pine64,", "xunlong,"},
			Way:        Package, Why: "another boot loader on each; Debian or Ubuntu for arm64 brings it",
			Hardware: Hardware{Hot: 85, Lines: true},
		},
		{
			ID: "pc", Name: "PC or virtual machine",
			Way: Package, Why: "Debian or Ubuntu for amd64, or the container with the network of its host; no pins for lamps",
			Hardware: Hardware{Hot: 90},
		},
	}
}

// Of finds the model of what a device tree says in /compatible: names that end with a zero byte, the most exact
// one first (Devicetree Specification 2.3.1). Without any it is a PC. ok is false for a board that nobody knows.
func Of(compatible []byte) (m Model, ok bool) {
	all := Models()
	if len(compatible) == 0 {
		return all[len(all)-1], true
	}
	for name := range bytes.SplitSeq(compatible, []byte{0}) {
		for _, m := range all {
			for _, c := range m.Compatible {
				if string(name) == c || strings.HasSuffix(c, ",") && bytes.HasPrefix(name, []byte(c)) {
					return m, true
				}
			}
		}
	}
	return Model{}, false
}

// Table is the list for people, in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| board | image | updates | package | why |\n|---|---|---|---|---|\n")
	mark := map[bool]string{true: "yes", false: "no"}
	for _, m := range Models() {
		needs := m.Updates
		if needs == "" {
			needs = map[Way]string{Package: "by the package", Nowhere: "no"}[m.Way]
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", m.Name, mark[m.Way == Image], needs, mark[m.Way != Nowhere], m.Why)
	}
	return b.String()
}
