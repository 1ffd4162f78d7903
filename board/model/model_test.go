package model

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write BOARDS.md anew")

const head = "# Which boards\n\nWhat `board/model` says, for people; a test compares the two. No real board has started the image yet, and nothing\nupdates an image yet.\n\n"

const lamps = "\n" +
	"## Which lamps hang on which\n" +
	"\n" +
	"The pins are those of the header seen from above; the page of the wiring draws them. A pin's chip is found by its label:\n" +
	"its number changes with the kernel. A clock without a battery, and a board without a clock, ask the network for the time.\n" +
	"\n"

// tail is what people have to know of a kernel; the table of boards stands before it.
const tail = "\n" +
	"## What the kernel of an image must do\n" +
	"\n" +
	"The pinned one does all of it. Another one (`mkimage build -kernel DIR`) may lack some: the box then works without, and\n" +
	"its console says in words what is missing.\n" +
	"\n" +
	"| of the kernel | for | without it |\n" +
	"|---|---|---|\n" +
	"| control groups v2 with memory and processes (`CONFIG_MEMCG`, `CONFIG_CGROUP_PIDS`) | a program that takes all the memory is ended before the others feel it | it takes the memory from the others, until the kernel ends one of them. Device trees of a Raspberry Pi say `cgroup_disable=memory`; the image's arguments take that back with `cgroup_enable=memory`, which kernels for a Raspberry Pi understand |\n" +
	"| Landlock, of Linux 5.19 or later | programs are kept from each other's files by walls | they are kept from them by their users alone |\n" +
	"| the drivers of its boards, ext4, FAT and nftables, built in or as modules in `DIR/lib/modules` | card, network, firewall; `images/driver` lists them by name, and an image carries the modules among them | without that of its card a box starts with its data in memory, and says so |\n"

func TestTheListForPeopleIsThatOfTheProgram(t *testing.T) {
	want := head + Table() + lamps + HardwareTable() + tail
	if *update {
		if err := os.WriteFile("BOARDS.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile("BOARDS.md"); err != nil || string(got) != want {
		t.Errorf("BOARDS.md says something else; -update writes it anew: %v", err)
	}
}

func TestABoardIsKnownByItsDeviceTree(t *testing.T) {
	for _, tc := range []struct {
		name, compatible, want string
		way                    Way
	}{
		{"a Pi 4", "raspberrypi,4-model-b\x00brcm,bcm2711\x00", "Raspberry Pi 4 Model B, 400", Image},
		{"a Pi 5", "raspberrypi,5-model-b\x00brcm,bcm2712\x00", "Raspberry Pi 5, 500", Image},
		{"a module", "raspberrypi,4-compute-module\x00brcm,bcm2711\x00", "Raspberry Pi Compute Module 4", Image},
		{"a Pi 3", "raspberrypi,3-model-b\x00brcm,bcm2837\x00", "Raspberry Pi 3 Model A+, B, B+", Package},
		{"a board of another maker", "radxa,rock-5b\x00rockchip,rk3588\x00", "other boards with a 64-bit ARM processor", Package},
		{"no device tree", "", "PC or virtual machine", Package},
		{"an emulated machine", "linux,dummy-virt\x00", "", ""},
		{"a later Pi", "raspberrypi,6-model-b\x00brcm,bcm2713\x00", "", ""},
	} {
		if m, ok := Of([]byte(tc.compatible)); m.Name != tc.want || m.Way != tc.way || ok != (tc.want != "") {
			t.Errorf("%s: %q, %q, %v", tc.name, m.Name, m.Way, ok)
		}
	}
}

func TestEachBoardWithAnImageHasADeviceTreeAndSaysWhatUpdatesNeed(t *testing.T) {
	seen := map[string]string{}
	for _, m := range Models() {
		if (m.Way == Image) != (len(m.Trees) > 0) || (m.Way == Image) != (m.Updates != "") || m.Why == "" {
			t.Errorf("%+v", m)
		}
		for _, c := range m.Compatible {
			if seen[c] != "" || strings.ContainsRune(c, 0) {
				t.Errorf("%s is of %s and %s", c, seen[c], m.Name)
			}
			seen[c] = m.Name
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add([]byte("raspberrypi,4-model-b\x00brcm,bcm2711\x00"))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, compatible []byte) {
		if m, ok := Of(compatible); ok != (m.Name != "") {
			t.Fatalf("%+v, %v", m, ok)
		}
	})
}
