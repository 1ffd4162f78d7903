package vitals

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of what is believed of a file.
const (
	maxFile    = 4 << 10
	maxWait    = time.Second // for a file that can be waited for
	maxThings  = 64          // disks, ports or sensors
	coldest    = -40         // degrees Celsius
	hottest    = 150
	maxBattery = 6000 // mV
	sector     = 512  // bytes, in all of the kernel's counts
)

// read is the start of a file; nothing of one that is not there, does not end or does not answer.
func (r Root) read(root string, parts ...string) []byte {
	f, err := os.OpenFile(filepath.Join(append([]string{root}, parts...)...), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	_ = f.SetReadDeadline(time.Now().Add(maxWait)) // of what has one
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil
	}
	return b
}

func (r Root) word(parts ...string) string { return strings.TrimSpace(string(r.read(r.Sys, parts...))) }

// number is that of a file within bounds; ok is false for anything else.
func (r Root) number(lowest, highest int64, parts ...string) (n int64, ok bool) {
	return number(r.word(parts...), lowest, highest)
}

// number reads a decimal number, or one with 0x before it.
func number(text string, lowest, highest int64) (n int64, ok bool) {
	n, err := strconv.ParseInt(text, 0, 64)
	return n, err == nil && n >= lowest && n <= highest
}

// names are those below a directory, in their order.
func (r Root) names(parts ...string) (all []string) {
	f, err := os.Open(filepath.Join(append([]string{r.Sys}, parts...)...))
	if err != nil {
		return nil
	}
	defer f.Close()
	all, _ = f.Readdirnames(maxThings)
	slices.Sort(all)
	return all
}

func (r Root) has(parts ...string) bool {
	_, err := os.Lstat(filepath.Join(append([]string{r.Sys}, parts...)...))
	return err == nil
}

// Read looks at everything once. It takes a few milliseconds, and as long as a file of the kernel lets it wait.
func Read(r Root) Reading {
	return Reading{Heat: r.heat(), Power: r.power(), Clock: r.clock(), Disks: r.disks(), Ports: r.ports()}
}

func (r Root) heat() (h Heat) {
	for _, zone := range r.names("class/thermal") {
		if !strings.HasPrefix(zone, "thermal_zone") {
			continue
		}
		if milli, ok := r.number(coldest*1000, hottest*1000, "class/thermal", zone, "temp"); ok {
			if c := int(milli / 1000); !h.Told || c > h.Celsius {
				h = Heat{Told: true, Celsius: c}
			}
		}
	}
	return h
}

// Bits of the firmware's get_throttled.
const (
	lowNow  = 1 << 0
	slowNow = 1 << 2
	lowEver = 1 << 16
)

// power asks the voltage sensor of a Raspberry Pi, which remembers the last seconds, and its firmware, which remembers
// everything since the start where the kernel shows it.
func (r Root) power() (p Power) {
	for _, sensor := range r.names("class/hwmon") {
		if r.word("class/hwmon", sensor, "name") != "rpi_volt" {
			continue
		}
		if low, ok := r.number(0, 1, "class/hwmon", sensor, "in0_lcrit_alarm"); ok {
			p.Told, p.Low = true, low == 1
		}
	}
	found, _ := filepath.Glob(filepath.Join(r.Sys, "devices/platform/*/*firmware/get_throttled"))
	if len(found) > 0 {
		text := strings.TrimPrefix(strings.TrimSpace(string(r.read(found[0]))), "0x")
		if bits, err := strconv.ParseUint(text, 16, 32); err == nil {
			p.Told, p.Low, p.Was, p.Slow = true, p.Low || bits&lowNow != 0, bits&lowEver != 0, bits&slowNow != 0
		}
	}
	return p
}

func (r Root) clock() (c Clock) {
	for _, rtc := range r.names("class/rtc") {
		if !strings.HasPrefix(rtc, "rtc") {
			continue
		}
		c = Clock{Present: true, Name: clip(r.word("class/rtc", rtc, "name"))}
		if micro, ok := r.number(0, maxBattery*1000, "class/rtc", rtc, "battery_voltage"); ok {
			c.Told, c.Battery = true, int(micro/1000)
		}
		if micro, ok := r.number(0, maxBattery*1000, "class/rtc", rtc, "charging_voltage"); ok {
			c.Charged = int(micro / 1000)
		}
		return c
	}
	return c
}

// clip bounds a name that a driver gives.
func clip(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, name)
	return name[:min(len(name), 40)]
}

// virtual are what blocks that are on no hardware are called.
var virtual = []string{"loop", "ram", "zram", "dm-", "sr", "fd", "md", "nbd"}

func (r Root) disks() (all []Disk) {
	for _, name := range r.names("block") {
		// The boot parts of eMMC are devices of their own.
		if slices.ContainsFunc(virtual, func(p string) bool { return strings.HasPrefix(name, p) }) || strings.Contains(name, "boot") {
			continue
		}
		d := Disk{Name: clip(name), Kind: Drive}
		if sectors, ok := r.number(0, 1<<50, "block", name, "size"); ok {
			d.Size = uint64(sectors) * sector
		}
		if d.Size == 0 {
			continue // a reader without a card
		}
		d.Written = written(r.word("block", name, "stat"))
		switch {
		case r.word("block", name, "device/type") == "SD":
			d.Kind = Card
		case r.word("block", name, "device/type") == "MMC":
			d.Kind = EMMC
			d.Worn, d.Spare = worn(r.word("block", name, "device/life_time")), spare(r.word("block", name, "device/pre_eol_info"))
		case r.word("block", name, "removable") == "1":
			d.Kind = Stick
		}
		all = append(all, d)
	}
	return all
}

// written reads the bytes written of a block's stat: its seventh figure, in sectors (Documentation/block/stat.rst).
func written(stat string) uint64 {
	f := strings.Fields(stat)
	if len(f) < 7 {
		return 0
	}
	n, err := strconv.ParseUint(f[6], 10, 64)
	if err != nil || n > 1<<54 {
		return 0
	}
	return n * sector
}

// worn is the worse of the two estimates of life_time, in percent at most: 1 is up to 10, 11 is beyond its life.
func worn(text string) (percent int) {
	for _, f := range strings.Fields(text) {
		if n, ok := number(f, 1, 11); ok {
			percent = max(percent, int(n)*10)
		}
	}
	return percent
}

func spare(text string) int {
	n, ok := number(text, 1, 3)
	if !ok {
		return 0
	}
	return int(n)
}

func (r Root) ports() (all []Port) {
	for _, name := range r.names("class/net") {
		if !r.has("class/net", name, "device") {
			continue // of software alone
		}
		p := Port{Name: clip(name), Up: r.word("class/net", name, "operstate") == "up", Wireless: r.has("class/net", name, "phy80211")}
		if speed, ok := r.number(1, 1<<20, "class/net", name, "speed"); ok {
			p.Speed = int(speed)
		}
		p.Half = r.word("class/net", name, "duplex") == "half"
		for _, count := range []string{"rx_packets", "tx_packets"} {
			n, _ := r.number(0, 1<<62, "class/net", name, "statistics", count)
			p.Packets += uint64(n)
		}
		for _, count := range []string{"rx_errors", "tx_errors"} {
			n, _ := r.number(0, 1<<62, "class/net", name, "statistics", count)
			p.Errors += uint64(n)
		}
		all = append(all, p)
	}
	return all
}
