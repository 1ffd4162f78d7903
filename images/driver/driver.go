// Package driver finds what an image needs of a kernel that has drivers as modules: those that a box uses, with what
// they need in turn, in the order of loading. An image has no program that would load them on demand.
package driver

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Module is a driver, as the kernel takes it.
type Module struct {
	Name  string // "virtio_blk"
	Image []byte // uncompressed
}

// Wanted are the drivers that the boards, the emulated machines and the programs of a box use, by the kernel's names,
// where it has them as modules; one that is built in, or that this kernel does not know, is passed over.
func Wanted() []string {
	return []string{
		// Cards, disks and sticks, and what is on them.
		"virtio_pci", "virtio_mmio", "virtio_blk", "mmc_block", "sdhci_iproc", "sdhci_brcmstb", "bcm2835", "sd_mod", "xhci_pci", "xhci_plat_hcd", "ehci_pci", "dwc2", "usb_storage", "uas",
		"ext4", "vfat", "exfat", "nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8",
		// Networks, and what keeps them shut.
		"virtio_net", "genet", "bcmgenet", "macb", "lan78xx", "smsc95xx", "r8152", "asix", "cdc_ether", "af_packet",
		"nf_tables", "nft_ct", "nft_limit", "nft_reject_inet",
		// Watchdogs, clocks, buttons, lamps and modems.
		"i6300esb", "bcm2835_wdt", "rtc_ds1307", "rtc_pcf85063", "evdev", "gpio_keys", "usbhid", "hid_generic", "spi_bcm2835", "spidev", "i2c_bcm2835", "i2c_dev",
		"option", "usb_wwan", "qcserial", "cdc_acm", "ftdi_sio", "pl2303", "cp210x", "ch341",
	}
}

// Pick reads the wanted drivers of a kernel, whose modules lie in a tree. Without a tree it has none.
func Pick(tree string, wanted []string) (all []Module, err error) {
	files := map[string]string{}
	err = filepath.WalkDir(tree, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == tree {
			return fs.SkipAll
		}
		if name, _, is := strings.Cut(filepath.Base(path), ".ko"); is && err == nil && !e.IsDir() {
			files[plain(name)] = path
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("drivers: %w", err)
	}
	done := map[string]bool{}
	var add func(name, by string) error
	add = func(name, by string) error {
		if name = plain(name); done[name] {
			return nil
		}
		done[name] = true // now: a circle must end
		path, is := files[name]
		if !is {
			if by != "" {
				return fmt.Errorf("drivers: %s needs %s, which is not in %s", by, name, tree)
			}
			return nil
		}
		image, err := unpacked(path)
		if err != nil {
			return fmt.Errorf("drivers: %s: %w", name, err)
		}
		before, ifThere, err := needs(image)
		if err != nil {
			return fmt.Errorf("drivers: %s: %w", name, err)
		}
		for _, n := range ifThere {
			if err := add(n, ""); err != nil {
				return err
			}
		}
		for _, n := range before {
			if err := add(n, name); err != nil {
				return err
			}
		}
		all = append(all, Module{Name: name, Image: image})
		return nil
	}
	for _, name := range wanted {
		if err := add(name, ""); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// plain is a name as the kernel compares it.
func plain(name string) string { return strings.ReplaceAll(name, "-", "_") }

// unpacked reads a module. There is no xz in our libraries; whoever unpacks Debian's kernel has the program.
func unpacked(path string) ([]byte, error) {
	switch filepath.Ext(path) {
	case ".xz":
		out, err := exec.Command("xz", "-dc", path).Output()
		if err != nil {
			return nil, fmt.Errorf("unpack it with xz: %w", err)
		}
		return out, nil
	case ".zst":
		packed, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		d, err := zstd.NewReader(nil)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		return d.DecodeAll(packed, nil)
	default:
		return os.ReadFile(path)
	}
}

// needs are the modules that must be loaded before this one, and those that must where there are any.
func needs(image []byte) (before, ifThere []string, err error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return nil, nil, fmt.Errorf("no module: %w", err)
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, nil, errors.New("no module: it says nothing of itself")
	}
	info, err := section.Data()
	if err != nil {
		return nil, nil, fmt.Errorf("no module: %w", err)
	}
	before, ifThere = told(info)
	return before, ifThere, nil
}

// told reads what a module says of itself: name=value, each with a zero behind it. "depends=a,b" names what it links
// to, "softdep=pre: c d post: e" what it asks for by name (modprobe.d(5)).
func told(info []byte) (before, ifThere []string) {
	for entry := range bytes.SplitSeq(info, []byte{0}) {
		name, value, _ := strings.Cut(string(entry), "=")
		switch name {
		case "depends":
			for n := range strings.SplitSeq(value, ",") {
				if n != "" {
					before = append(before, n)
				}
			}
		case "softdep":
			when := ""
			for _, n := range strings.Fields(value) {
				if strings.HasSuffix(n, ":") {
					when = n
				} else if when == "pre:" {
					ifThere = append(ifThere, n)
				}
			}
		}
	}
	return before, ifThere
}
