// Package vitals is how a board is: its heat, its supply, its clock, the wear of what it writes to, and its network, as
// the kernel tells of them in sysfs. Read looks once, Next judges what was seen, and Watch does both again and again.
// What a board does not tell is not known, which is no fault.
package vitals

import "github.com/pronto-pbx/pronto/board/model"

// Root is where the kernel's files are.
type Root struct{ Proc, Sys string }

// System is the machine that the program runs on.
func System() Root { return Root{Proc: "/proc", Sys: "/sys"} }

// Reading is what a board tells at one moment.
type Reading struct {
	Heat  Heat
	Power Power
	Clock Clock
	Disks []Disk
	Ports []Port
}

// Heat is the temperature of the hottest sensor.
type Heat struct {
	Told    bool
	Celsius int
}

// Power is the supply of a Raspberry Pi.
type Power struct {
	Told bool
	Low  bool // the voltage is too low, or was it within the last seconds
	Was  bool // it was since the board was switched on
	Slow bool // the processor is slowed down
}

// Clock is the clock that keeps time without power.
type Clock struct {
	Present bool
	Name    string
	Told    bool // how full its battery is
	Battery int  // mV
	Charged int  // mV up to which it is charged; 0: not
}

// Kinds of what is written to.
const (
	Card  = "card" // an SD card
	EMMC  = "emmc"
	Stick = "stick" // what can be pulled out
	Drive = "drive"
)

// Disk is what is written to. An SD card tells nothing of its wear; eMMC does from version 5.0 on (JESD84-B50,
// 7.4.40 to 7.4.42).
type Disk struct {
	Name    string // mmcblk0
	Kind    string
	Size    uint64 // bytes
	Written uint64 // bytes, since the board was switched on
	Worn    int    // percent of its life at most, in steps of ten; 0: not told
	Spare   int    // of its spare blocks: 1 enough, 2 less than a fifth, 3 nearly none; 0: not told
}

// Port is an interface of the network that is a piece of hardware.
type Port struct {
	Name     string
	Up       bool
	Wireless bool
	Speed    int  // Mbit/s; 0: not told
	Half     bool // one side at a time speaks
	Packets  uint64
	Errors   uint64 // packets that arrived broken, or that could not be sent
}

// Identify tells which board it is.
func (r Root) Identify() model.Board {
	return model.Identify(model.Facts{
		Compatible: r.read(r.Proc, "device-tree/compatible"), Tree: r.read(r.Proc, "device-tree/model"),
		Vendor: r.read(r.Sys, "class/dmi/id/sys_vendor"), Product: r.read(r.Sys, "class/dmi/id/product_name"),
		Arguments: r.read(r.Proc, "cmdline"),
	})
}
