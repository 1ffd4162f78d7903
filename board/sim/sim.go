// Package sim is a board in a directory: the files by which a kernel tells of one, for a laptop and for tests. Faults
// befall it by request, from any program that may write there.
package sim

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/pronto-pbx/pronto/board/vitals"
)

// Demo is the board of a demo office.
const Demo = "pi5"

// Root is where the files of a board in dir are.
func Root(dir string) vitals.Root {
	return vitals.Root{Proc: filepath.Join(dir, "proc"), Sys: filepath.Join(dir, "sys")}
}

// file is one of the kernel's, by its path below the board's directory; empty content: a directory.
type files map[string]string

// pi is what a Raspberry Pi tells: its tree, and what all of them have.
func pi(model, compatible string) files {
	return files{
		"proc/device-tree/model":                              model + "\x00",
		"proc/device-tree/compatible":                         compatible,
		"proc/cmdline":                                        "coherent_pool=1M 8250.nr_uarts=0 console=tty1 root=/dev/ram0\n",
		"sys/class/thermal/thermal_zone0/type":                "cpu-thermal\n",
		"sys/class/thermal/thermal_zone0/temp":                "48312\n",
		"sys/class/hwmon/hwmon0/name":                         "cpu_thermal\n",
		"sys/class/hwmon/hwmon1/name":                         "rpi_volt\n",
		"sys/class/hwmon/hwmon1/in0_lcrit_alarm":              "0\n",
		"sys/devices/platform/soc/soc:firmware/get_throttled": "0\n",
		"sys/block/loop0/size":                                "0\n",
		"sys/class/net/lo/operstate":                          "unknown\n",
		"sys/block/mmcblk0/size":                              "62333952\n",
		"sys/block/mmcblk0/stat":                              "    1203      301    98211     1022     4101     2011   180226     9022        0     8811    10044        0        0        0        0      112       31\n",
		"sys/block/mmcblk0/removable":                         "0\n",
		"sys/block/mmcblk0/device/type":                       "SD\n",
		"sys/block/mmcblk0/device/name":                       "SC32G\n",
	}
}

// and adds files to those of a board.
func (f files) and(more files) files {
	all := maps.Clone(f)
	maps.Copy(all, more)
	return all
}

// wire is an interface with a cable, wireless one without.
func wire(name, speed string) files {
	at := "sys/class/net/" + name + "/"
	return files{
		at + "device": "", at + "operstate": "up\n", at + "speed": speed + "\n", at + "duplex": "full\n",
		at + "statistics/rx_packets": "80211\n", at + "statistics/tx_packets": "71010\n", at + "statistics/rx_errors": "0\n", at + "statistics/tx_errors": "0\n",
	}
}

func wireless(name string) files {
	at := "sys/class/net/" + name + "/"
	return files{at + "device": "", at + "phy80211": "", at + "operstate": "down\n"}
}

// emmc is in place of the card of a board, a little used.
func emmc() files {
	return files{
		"sys/block/mmcblk0/device/type": "MMC\n", "sys/block/mmcblk0/device/name": "BJTD4R\n",
		"sys/block/mmcblk0/device/life_time": "0x02 0x01\n", "sys/block/mmcblk0/device/pre_eol_info": "0x01\n",
		"sys/block/mmcblk0boot0/size": "8192\n",
	}
}

// clock is that of a Raspberry Pi 5, with a full battery.
func clock() files {
	return files{
		"sys/class/rtc/rtc0/name": "rpi-rtc soc@107c000000:rpi_rtc\n", "sys/class/rtc/rtc0/battery_voltage": "3012000\n",
		"sys/class/rtc/rtc0/charging_voltage": "3000000\n", "sys/class/rtc/rtc0/charging_voltage_max": "4400000\n",
	}
}

func boards() map[string]files {
	return map[string]files{
		"pi5":   pi("Raspberry Pi 5 Model B Rev 1.0", "raspberrypi,5-model-b\x00brcm,bcm2712\x00").and(clock()).and(wire("eth0", "1000")).and(wireless("wlan0")),
		"cm5":   pi("Raspberry Pi Compute Module 5 Rev 1.0", "raspberrypi,5-compute-module\x00brcm,bcm2712\x00").and(clock()).and(emmc()).and(wire("eth0", "1000")),
		"pi4":   pi("Raspberry Pi 4 Model B Rev 1.4", "raspberrypi,4-model-b\x00brcm,bcm2711\x00").and(wire("eth0", "1000")).and(wireless("wlan0")),
		"cm4":   pi("Raspberry Pi Compute Module 4 Rev 1.0", "raspberrypi,4-compute-module\x00brcm,bcm2711\x00").and(emmc()).and(wire("eth0", "1000")),
		"pi3":   pi("Raspberry Pi 3 Model B Plus Rev 1.3", "raspberrypi,3-model-b-plus\x00brcm,bcm2837\x00").and(wire("eth0", "1000")).and(wireless("wlan0")),
		"cm3":   pi("Raspberry Pi Compute Module 3 Rev 1.0", "raspberrypi,3-compute-module\x00brcm,bcm2837\x00").and(emmc()),
		"zero2": pi("Raspberry Pi Zero 2 W Rev 1.0", "raspberrypi,model-zero-2-w\x00brcm,bcm2837\x00").and(wireless("wlan0")),
		"arm64": {
			"proc/device-tree/model": "Radxa ROCK 5B\x00", "proc/device-tree/compatible": "radxa,rock-5b\x00rockchip,rk3588\x00",
			"sys/class/thermal/thermal_zone0/temp": "41000\n", "sys/class/thermal/thermal_zone1/temp": "44384\n",
			"sys/class/rtc/rtc0/name": "rtc-hym8563 6-0051\n",
			"sys/block/nvme0n1/size":  "500118192\n", "sys/block/nvme0n1/stat": "1 2 3 4 5 6 700 8 9 10 11\n", "sys/block/nvme0n1/removable": "0\n",
		},
		"pc": {
			"sys/class/dmi/id/sys_vendor": "LENOVO\n", "sys/class/dmi/id/product_name": "20QDCTO1WW\n",
			"sys/class/thermal/thermal_zone0/temp": "27800\n", "sys/class/thermal/thermal_zone1/temp": "52000\n",
			"sys/class/rtc/rtc0/name": "rtc_cmos 00:01\n",
			"sys/block/sda/size":      "1000215216\n", "sys/block/sda/stat": "1 2 3 4 5 6 900 8 9 10 11\n", "sys/block/sda/removable": "0\n",
			"sys/block/sr0/size": "2097151\n",
		},
	}
}

// Boards lists what a board can be made as, by the names of board/model.
func Boards() []string { return slices.Sorted(maps.Keys(boards())) }

// Make makes a board in dir, which forgets the one that was there.
func Make(dir, board string) error {
	all, ok := boards()[board]
	if !ok {
		return fmt.Errorf("sim: there is no board %q; make one of %v", board, Boards())
	}
	for _, tree := range []string{"proc", "sys"} {
		if err := os.RemoveAll(filepath.Join(dir, tree)); err != nil {
			return fmt.Errorf("sim: %w", err)
		}
	}
	return write(dir, all)
}

// Keep makes a board in dir unless there is one already, so that its faults outlive who looks at it.
func Keep(dir, board string) error {
	_, err := os.Stat(filepath.Join(dir, "sys"))
	if errors.Is(err, fs.ErrNotExist) {
		return Make(dir, board)
	} else if err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	return nil
}

// write replaces each file as a whole: who reads one meanwhile sees the old content or the new one.
func write(dir string, all files) error {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		path, content := filepath.Join(dir, filepath.FromSlash(name)), all[name]
		if content == "" {
			if err := os.MkdirAll(path, 0o755); err != nil {
				return fmt.Errorf("sim: %w", err)
			}
			continue
		}
		fresh := path + ".new"
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(fresh, []byte(content), 0o644)
		}
		if err == nil {
			err = os.Rename(fresh, path)
		}
		if err != nil {
			return fmt.Errorf("sim: %w", err)
		}
	}
	return nil
}
