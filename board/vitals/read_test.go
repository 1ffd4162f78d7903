package vitals_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/board/sim"
	"github.com/pronto-pbx/pronto/board/vitals"
)

func made(t *testing.T, board string) (dir string, root vitals.Root) {
	t.Helper()
	dir = t.TempDir()
	if err := sim.Make(dir, board); err != nil {
		t.Fatal(err)
	}
	return dir, sim.Root(dir)
}

func TestEachBoardTellsWhatItHas(t *testing.T) {
	const card = 62333952 * 512
	for board, want := range map[string]vitals.Reading{
		"pi5": {
			Heat: vitals.Heat{Told: true, Celsius: 48}, Power: vitals.Power{Told: true},
			Clock: vitals.Clock{Present: true, Name: "rpi-rtc soc@107c000000:rpi_rtc", Told: true, Battery: 3012, Charged: 3000},
			Disks: []vitals.Disk{{Name: "mmcblk0", Kind: vitals.Card, Size: card, Written: 180226 * 512}},
			Ports: []vitals.Port{{Name: "eth0", Up: true, Speed: 1000, Packets: 151221}, {Name: "wlan0", Wireless: true}},
		},
		"pi4": {
			Heat: vitals.Heat{Told: true, Celsius: 48}, Power: vitals.Power{Told: true},
			Disks: []vitals.Disk{{Name: "mmcblk0", Kind: vitals.Card, Size: card, Written: 180226 * 512}},
			Ports: []vitals.Port{{Name: "eth0", Up: true, Speed: 1000, Packets: 151221}, {Name: "wlan0", Wireless: true}},
		},
		"cm4": {
			Heat: vitals.Heat{Told: true, Celsius: 48}, Power: vitals.Power{Told: true},
			Disks: []vitals.Disk{{Name: "mmcblk0", Kind: vitals.EMMC, Size: card, Written: 180226 * 512, Worn: 20, Spare: 1}},
			Ports: []vitals.Port{{Name: "eth0", Up: true, Speed: 1000, Packets: 151221}},
		},
		"zero2": {
			Heat: vitals.Heat{Told: true, Celsius: 48}, Power: vitals.Power{Told: true},
			Disks: []vitals.Disk{{Name: "mmcblk0", Kind: vitals.Card, Size: card, Written: 180226 * 512}},
			Ports: []vitals.Port{{Name: "wlan0", Wireless: true}},
		},
		"arm64": {
			Heat: vitals.Heat{Told: true, Celsius: 44}, Clock: vitals.Clock{Present: true, Name: "rtc-hym8563 6-0051"},
			Disks: []vitals.Disk{{Name: "nvme0n1", Kind: vitals.Drive, Size: 500118192 * 512, Written: 700 * 512}},
		},
		"pc": {
			Heat: vitals.Heat{Told: true, Celsius: 52}, Clock: vitals.Clock{Present: true, Name: "rtc_cmos 00:01"},
			Disks: []vitals.Disk{{Name: "sda", Kind: vitals.Drive, Size: 1000215216 * 512, Written: 900 * 512}},
		},
	} {
		if _, root := made(t, board); !reflect.DeepEqual(vitals.Read(root), want) {
			t.Errorf("%s:\n%+v\nwant\n%+v", board, vitals.Read(root), want)
		}
	}
}

func TestEachBoardIsWhatItSaysItIs(t *testing.T) {
	for _, board := range sim.Boards() {
		if _, root := made(t, board); root.Identify().ID != board || root.Identify().Says == "" {
			t.Errorf("%s says that it is %+v", board, root.Identify())
		}
	}
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(path)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whatever the kernel's files hold, what cannot be true is not told, and the rest is.
func TestAFileThatLiesOrIsGoneCostsOnlyItsOwnFigure(t *testing.T) {
	const temp, battery, life, size = "sys/class/thermal/thermal_zone0/temp", "sys/class/rtc/rtc0/battery_voltage", "sys/block/mmcblk0/device/life_time", "sys/block/mmcblk0/size"
	for name, tc := range map[string]struct {
		file, content string
		told          func(vitals.Reading) string
		want          string
	}{
		"hotter than anything":         {temp, "999000\n", func(r vitals.Reading) string { return fmt.Sprint(r.Heat) }, "{false 0}"},
		"no number":                    {temp, "warm", func(r vitals.Reading) string { return fmt.Sprint(r.Heat) }, "{false 0}"},
		"an endless file":              {temp, strings.Repeat("4", 1<<20), func(r vitals.Reading) string { return fmt.Sprint(r.Heat) }, "{false 0}"},
		"below freezing":               {temp, "-5000\n", func(r vitals.Reading) string { return fmt.Sprint(r.Heat) }, "{true -5}"},
		"a battery of a thousand volt": {battery, "1000000000\n", func(r vitals.Reading) string { return fmt.Sprint(r.Clock.Told, r.Clock.Present) }, "false true"},
		"a life that is no figure":     {life, "0x00 0xff\n", func(r vitals.Reading) string { return fmt.Sprint(r.Disks[0].Worn) }, "0"},
		"the worse of two lives":       {life, "0x01 0x0b\n", func(r vitals.Reading) string { return fmt.Sprint(r.Disks[0].Worn) }, "110"},
		"a disk of no size":            {size, "0\n", func(r vitals.Reading) string { return fmt.Sprint(len(r.Disks)) }, "0"},
		"bytes that are not counted":   {"sys/block/mmcblk0/stat", "1 2 3", func(r vitals.Reading) string { return fmt.Sprint(r.Disks[0].Written) }, "0"},
		"a cable of no speed":          {"sys/class/net/eth0/speed", "-1\n", func(r vitals.Reading) string { return fmt.Sprint(r.Ports[0].Speed) }, "0"},
		"a supply that stammers":       {"sys/class/hwmon/hwmon1/in0_lcrit_alarm", "7\n", func(r vitals.Reading) string { return fmt.Sprint(r.Power) }, "{true false false false}"},
		"a supply with bits":           {"sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n", func(r vitals.Reading) string { return fmt.Sprint(r.Power) }, "{true true true true}"},
		"bits of which none is one":    {"sys/devices/platform/soc/soc:firmware/get_throttled", "zz\n", func(r vitals.Reading) string { return fmt.Sprint(r.Power) }, "{true false false false}"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, root := made(t, "cm5")
			before := vitals.Read(root)
			put(t, dir, tc.file, tc.content)
			r := vitals.Read(root)
			if got := tc.told(r); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
			if !strings.Contains(tc.file, "eth0") && !reflect.DeepEqual(r.Ports, before.Ports) {
				t.Errorf("the network is told otherwise: %+v", r.Ports)
			}
		})
	}
	if r := vitals.Read(vitals.Root{Proc: "/nothing", Sys: "/nothing"}); !reflect.DeepEqual(r, vitals.Reading{}) {
		t.Errorf("a machine without files tells %+v", r)
	}
}

// A pipe that somebody holds open and never writes to is what a driver that hangs looks like.
func TestAFileThatNeverAnswersIsGivenUp(t *testing.T) {
	dir, root := made(t, "pi5")
	temp := filepath.Join(dir, "sys/class/thermal/thermal_zone0/temp")
	if err := os.Remove(temp); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(temp, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(temp, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if r := vitals.Read(root); r.Heat.Told || !r.Power.Told || len(r.Disks) != 1 {
		t.Errorf("%+v", r)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("48312\n", "0x01 0x02\n", "50005\n", "1 2 3 4 5 6 7 8", "1000\n")
	f.Add("\xff", "0x", "ffffffffffffffff", "-1 -1 -1 -1 -1 -1 -1", "9223372036854775807")
	f.Fuzz(func(t *testing.T, temp, life, throttled, stat, speed string) {
		dir, root := made(t, "cm4")
		for name, content := range map[string]string{
			"sys/class/thermal/thermal_zone0/temp": temp, "sys/block/mmcblk0/device/life_time": life, "sys/block/mmcblk0/stat": stat,
			"sys/devices/platform/soc/soc:firmware/get_throttled": throttled, "sys/class/net/eth0/speed": speed, "sys/class/net/eth0/statistics/rx_errors": stat,
			"proc/device-tree/model": temp, "sys/class/hwmon/hwmon0/name": life,
		} {
			put(t, dir, name, content)
		}
		r := vitals.Read(root)
		if h := r.Heat; h.Told && (h.Celsius < -40 || h.Celsius > 150) {
			t.Fatalf("%+v", h)
		}
		for _, d := range r.Disks {
			if d.Worn < 0 || d.Worn > 110 || d.Spare < 0 || d.Spare > 3 {
				t.Fatalf("%+v", d)
			}
		}
		root.Identify()
	})
}
