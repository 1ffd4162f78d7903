package boottest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/layout"
)

// No image is meant for a Raspberry Pi 3; it is the only one that QEMU gives a network, and so the only proof of
// the boards' kernel on the hardware of its family.
func TestTheKernelOfTheBoardsServesOnAnEmulatedRaspberryPi(t *testing.T) {
	t.Parallel()
	disk, wire := card(t, 2<<30), lay(t, 31) // cards of this machine have a power of two for a size
	file := filepath.Join(t.TempDir(), "office.yaml")
	if err := os.WriteFile(file, []byte(office+lampsOfThePi), 0o600); err != nil {
		t.Fatal(err)
	}
	personalise(t, disk, "-id", boxID, "-office", file, "-labels", t.TempDir())
	mcp23017, pca9685 := newChip(t, 0x20), newChip(t, 0x40)
	m := start(t, options{disk: disk, kernel: "pi3.kernel", cable: wire, pi3: true, i2c: []chip{mcp23017, pca9685}})
	wire.answers(t, m)
	fmt.Printf("Raspberry Pi 3, emulated: first answer of the page %.1f s after power-on\n", time.Since(m.begun).Seconds())
	lampsFollow(t, wire, m, mcp23017, pca9685)
}

func TestAnImageWithAnotherKernelAnswers(t *testing.T) {
	t.Parallel()
	wire := lay(t, 30)
	m := start(t, options{kernel: "another/kernel8.img", initrd: "another/initramfs.zst", cable: wire})
	wire.answers(t, m)
	m.says(" kernel=7.1.3 ", 1)
	// It is not one for a Raspberry Pi, and does not know how to take back what a device tree of those says.
	m.says("this kernel does not count memory", 1)
	m.says("msg=share service=prontoinit of=prontod memory_MB=0 ", 1)
}

// Debian's kernel has disks, networks, firewall and FAT as modules. It has no driver for a USB port, the watchdog or the
// button of this machine, whose power is cut at the end.
func TestAnImageWhoseKernelHasItsDriversAsModulesAnswersWithTheDataOfItsCard(t *testing.T) {
	t.Parallel()
	disk, wire := card(t, layout.ImageSize), lay(t, 33)
	personalise(t, disk, "-id", boxID)
	m := start(t, options{disk: disk, kernel: "modular/kernel8.img", initrd: "modular/initramfs.zst", cable: wire})
	wire.answers(t, m)
	fmt.Println(m.says("msg=drivers service=prontoinit loaded=", 1))
	m.says("id="+boxID+" name=pronto-9qxa new=false", 1) // from the card
	m.says("msg=firewall service=prontoinit interface=eth0 openings=", 1)
	if strings.Contains(m.text(), "drivers that the kernel does not take") {
		t.Errorf("%s", m.text())
	}
}
