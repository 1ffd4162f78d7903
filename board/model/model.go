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
	Name       string
	Compatible []string // as its device tree names it first; none: a PC
	Trees      []string // device trees of the image for it
	Way        Way
	Updates    string // what updates of the image need; empty: the system's own package manager
	Why        string
}

// updates are what a switch between two slots needs of a boot loader.
const updates = "EEPROM of 2022-10-18 or later (tryboot_a_b)"

// Models lists the boards, those with an image first.
func Models() []Model {
	return []Model{
		{
			"Raspberry Pi 5, 500",
			[]string{"raspberrypi,5-model-b", "raspberrypi,500"},
			[]string{"bcm2712-rpi-5-b.dtb", "bcm2712-d-rpi-5-b.dtb", "bcm2712d0-rpi-5-b.dtb", "bcm2712-rpi-500.dtb"},
			Image, "any EEPROM: tryboot_a_b is older than the board", "wired network on the board, a clock that keeps time with a battery, the fastest",
		},
		{
			"Raspberry Pi Compute Module 5",
			[]string{"raspberrypi,5-compute-module", "raspberrypi,5-compute-module-lite"},
			[]string{"bcm2712-rpi-cm5-cm4io.dtb", "bcm2712-rpi-cm5-cm5io.dtb", "bcm2712-rpi-cm5l-cm4io.dtb", "bcm2712-rpi-cm5l-cm5io.dtb"},
			Image, "any EEPROM: tryboot_a_b is older than the board", "eMMC instead of a card",
		},
		{
			"Raspberry Pi 4 Model B, 400",
			[]string{"raspberrypi,4-model-b", "raspberrypi,400"},
			[]string{"bcm2711-rpi-4-b.dtb", "bcm2711-rpi-400.dtb"},
			Image, updates, "wired network on the board; no clock: it asks the network for the time",
		},
		{
			"Raspberry Pi Compute Module 4",
			[]string{"raspberrypi,4-compute-module", "raspberrypi,4-compute-module-s"},
			[]string{"bcm2711-rpi-cm4.dtb", "bcm2711-rpi-cm4-io.dtb", "bcm2711-rpi-cm4s.dtb"},
			Image, updates, "eMMC instead of a card",
		},
		{
			"Raspberry Pi 3 Model A+, B, B+",
			[]string{"raspberrypi,3-model-b", "raspberrypi,3-model-b-plus", "raspberrypi,3-model-a-plus"},
			nil,
			Package, "", "its boot loader has no EEPROM and so no safe switch between two systems; its network hangs on USB, with the modems",
		},
		{
			"Raspberry Pi Zero 2 W, Compute Module 3",
			[]string{"raspberrypi,model-zero-2-w", "raspberrypi,3-compute-module"},
			nil,
			Package, "", "as Raspberry Pi 3; half a gigabyte of memory, and no wired network on the Zero",
		},
		{
			"Raspberry Pi 1, 2, Zero",
			[]string{"raspberrypi,model-b", "raspberrypi,model-b-plus", "raspberrypi,2-model-b", "raspberrypi,model-zero", "raspberrypi,model-zero-w"},
			nil,
			Nowhere, "", "32 bits and too slow: the programs build for ARMv7 (`make build`), nobody packs or tries them",
		},
		{
			"other boards with a 64-bit ARM processor",
			[]string{"rockchip,", "hardkernel,", "radxa,", "friendlyarm,", "pine64,", "xunlong,"},
			nil,
			Package, "", "another boot loader on each; Debian or Ubuntu for arm64 brings it",
		},
		{
			"PC or virtual machine", nil, nil,
			Package, "", "Debian or Ubuntu for amd64, or the container with the network of its host; no pins for lamps",
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
