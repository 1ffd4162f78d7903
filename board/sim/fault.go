package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Fault is what can befall a board.
type Fault struct {
	Name, Says string
	bad        files
}

// Faults lists what can befall a board of the demo, which is Demo.
func Faults() []Fault {
	const volt, throttled = "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "sys/devices/platform/soc/soc:firmware/get_throttled"
	return []Fault{
		{"hot", "it is 86 °C hot, and slows down", files{"sys/class/thermal/thermal_zone0/temp": "86120\n", throttled: "e000c\n"}},
		{"undervoltage", "its power supply is too weak", files{volt: "1\n", throttled: "50005\n"}},
		{"worn", "its eMMC is at the end of its life", emmc().and(files{"sys/block/mmcblk0/device/life_time": "0x0a 0x0b\n", "sys/block/mmcblk0/device/pre_eol_info": "0x03\n"})},
		{"nobattery", "the battery of its clock is empty", files{"sys/class/rtc/rtc0/battery_voltage": "412000\n"}},
		{"halfduplex", "its cable carries 10 Mbit/s, one side at a time", files{"sys/class/net/eth0/speed": "10\n", "sys/class/net/eth0/duplex": "half\n"}},
	}
}

// mark is the file that tells of a fault that lasts.
func mark(dir, name string) string { return filepath.Join(dir, "faults", name) }

// Lasting lists the faults that last at the board in dir.
func Lasting(dir string) (names []string) {
	for _, f := range Faults() {
		if _, err := os.Stat(mark(dir, f.Name)); err == nil {
			names = append(names, f.Name)
		}
	}
	return names
}

// Strike lets a fault befall the board in dir.
func Strike(dir, name string) error {
	i := slices.IndexFunc(Faults(), func(f Fault) bool { return f.Name == name })
	if i < 0 {
		return unknown(name)
	}
	if _, err := os.Stat(filepath.Join(dir, "sys")); err != nil {
		return fmt.Errorf("sim: there is no board in %s: start the demo office first", dir)
	}
	if err := os.MkdirAll(filepath.Dir(mark(dir, name)), 0o755); err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	if err := os.WriteFile(mark(dir, name), nil, 0o644); err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	return write(dir, Faults()[i].bad)
}

// Heal ends a fault, or all of them, which makes the board a new one with the faults that are left.
func Heal(dir, name string) error {
	left := Lasting(dir)
	if name != "all" {
		i := slices.Index(left, name)
		if i < 0 {
			if slices.ContainsFunc(Faults(), func(f Fault) bool { return f.Name == name }) {
				return fmt.Errorf("sim: the board has no %s now", name)
			}
			return unknown(name)
		}
		left = slices.Delete(left, i, i+1)
	} else {
		left = nil
	}
	if err := os.RemoveAll(filepath.Join(dir, "faults")); err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	if err := write(dir, boards()[Demo]); err != nil {
		return err
	}
	for _, gone := range []string{"life_time", "pre_eol_info"} { // of a card in place of eMMC
		_ = os.Remove(filepath.Join(dir, "sys/block/mmcblk0/device", gone))
	}
	for _, f := range left {
		if err := Strike(dir, f); err != nil {
			return err
		}
	}
	return nil
}

func unknown(name string) error {
	var all []string
	for _, f := range Faults() {
		all = append(all, f.Name)
	}
	return fmt.Errorf("sim: there is no such fault: %q; there are %v", name, all)
}
