package boottest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pronto-pbx/pronto/images/ext4"
	"github.com/pronto-pbx/pronto/images/layout"
)

// mustNot is what the intruder says it was refused. It tries more, and must have succeeded in nothing.
var mustNot = []string{
	"read /data/ota/root.json", "read /data/box.json", "read /data/records", "write /dev/vda", "write /dev/vda2", "write /dev/vda3", "read /dev/vda4",
	"write /dev/watchdog", "make a device", "trace the first program", "end the first program", "end everything", "see the other programs",
	"look into the first program", "become root", "have a user namespace", "mount", "remount the system", "change the root", "restart the box",
	"load a module", "bpf", "io_uring_setup", "open_by_handle_at", "a raw socket", "a packet socket", "listen at port 22", "listen at port 67",
	"take an interface down", "become /bin/sh", "become /bin/recordd", "become /data/pronto/planted", "start a program", "write /run/firewall", "write /etc/planted",
	"take a larger share", "leave its control group",
}

var may = []string{
	"write into the office", "listen", "listen for datagrams", "know the start of the kernel", "know the interfaces", "keep a file", "rename it", "remove it",
	"use /dev/gpiochip0", "switch /sys/bus/usb/drivers/usb/bind",
}

// The exchange in this one tries everything, is then ready, hangs, is killed, is ready again ... The supervisor
// cannot help it.
func TestAProgramPlantedAsTheExchangeGetsNowhereAndTheHardwareResetsABoxWhoseExchangeHangs(t *testing.T) {
	t.Parallel()
	disk, wire := card(t, layout.ImageSize), lay(t, 3)
	personalise(t, disk, "-id", boxID)
	trust := filepath.Join(t.TempDir(), "root.json")
	if err := os.WriteFile(trust, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("%s?offset=%d", disk, layout.Offset(layout.Data))
	if out, err := exec.Command("debugfs", "-w", "-R", "mkdir /ota", at).CombinedOutput(); err != nil {
		t.Fatalf("debugfs: %v\n%s", err, out)
	}
	if err := ext4.Put(t.Context(), disk, layout.Offset(layout.Data), "ota/root.json", trust); err != nil {
		t.Fatal(err)
	}
	m := start(t, options{disk: disk, initrd: "intruder.initramfs", cable: wire, modem: true})
	m.says("intruder: that was all", 1)
	said := m.text()
	for line := range strings.Lines(said) {
		if strings.Contains(line, "intruder: DONE:") || strings.Contains(line, "intruder: MAY NOT:") {
			t.Error(strings.TrimSpace(line))
		}
	}
	for _, what := range mustNot {
		if !strings.Contains(said, "intruder: refused: "+what+": ") {
			t.Errorf("it was not refused: %s", what)
		}
	}
	for _, what := range may {
		if !strings.Contains(said, "intruder: may: "+what+"\n") {
			t.Errorf("the exchange may not: %s", what)
		}
	}
	if t.Failed() {
		t.Log(said)
	}
	t.Run("nobody reaches where it listens", func(t *testing.T) { closed(t, wire, m) })
	// What is plugged in later becomes the exchange's when it is there; the intruder looks again at each start.
	m.says("intruder: may: use /dev/ttyUSB0", 1)
	m.says("service gives no sign of life", 3)
	m.reports("WATCHDOG", 8*time.Minute)
	m.says("the watchdog is not fed any more", 1)
	m.says("msg=Pronto", 2)
}

// closed tries the ports that the intruder listens at. The box answers others: it is not that there is no way.
func closed(t *testing.T, c *cable, m *machine) {
	m.says("msg=firewall service=prontoinit interface=eth0 openings=0", 1)
	conn, err := net.DialTimeout("tcp", netip.AddrPortFrom(c.box, 9999).String(), patience)
	if err == nil {
		_ = conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("port 9999: %v", err)
	}
	u, err := net.Dial("udp", netip.AddrPortFrom(c.box, 9998).String())
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	_ = u.SetDeadline(time.Now().Add(patience))
	if _, err := u.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if n, err := u.Read(make([]byte, 100)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("port 9998: %d bytes, %v", n, err)
	}
}

// scanDatagrams asks every port what SIP, DNS and a plain echo would answer, and takes note of who does. That
// a port is silent proves nothing about it: that no other one speaks is what is shown.
func scanDatagrams(t *testing.T, c *cable, want ...int) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.us, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	probes := [][]byte{
		fmt.Appendf(nil, "OPTIONS sip:%v SIP/2.0\r\nVia: SIP/2.0/UDP %v;branch=z9hG4bKscan;rport\r\nMax-Forwards: 70\r\nFrom: <sip:scan@%v>;tag=1\r\n"+
			"To: <sip:%v>\r\nCall-ID: scan\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", c.box, conn.LocalAddr(), c.us, c.box),
		question("pronto-9qxa.local"),
	}
	answered := map[int]bool{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := make([]byte, 2000); ; {
			_, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return // the deadline
			}
			if from.Addr() == c.box {
				answered[int(from.Port())] = true
			}
		}
	}()
	for port := 1; port <= 65535; port++ {
		if port%64 == 0 {
			time.Sleep(2 * time.Millisecond) // an emulated box drops what comes faster
		}
		for _, p := range probes {
			if _, err := conn.WriteToUDPAddrPort(p, netip.AddrPortFrom(c.box, uint16(port))); err != nil {
				t.Fatalf("port %d: %v", port, err)
			}
		}
	}
	for range 3 { // those that must answer once more: a datagram may have been lost in the crowd
		for _, port := range want {
			for _, p := range probes {
				_, _ = conn.WriteToUDPAddrPort(p, netip.AddrPortFrom(c.box, uint16(port)))
			}
		}
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	<-done
	var open []int
	for port := range answered {
		open = append(open, port)
	}
	slices.Sort(open)
	if !slices.Equal(open, want) {
		t.Errorf("ports %v answer datagrams, documented are %v", open, want)
	}
}

// question asks for the address of a name (RFC 1035 section 4.1).
func question(name string) []byte {
	b := []byte{0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0, 0, 1, 0, 1)
}

// An image has its programs, a few files of its own, and nothing with which one could look around in it.
func TestAnImageHoldsNoShellAndNoWayToDebug(t *testing.T) {
	packed, err := os.ReadFile(made("initramfs.zst"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	system, err := d.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	names := contents(t, system)
	programs := []string{"bin/otad", "bin/prontod", "bin/prontoinit", "bin/recordd"}
	for _, name := range names {
		if (strings.HasPrefix(name, "bin/") && !slices.Contains(programs, name)) || strings.HasPrefix(name, "sbin/") || strings.HasPrefix(name, "usr/bin/") || strings.Contains(name, "busybox") {
			t.Errorf("the image holds %s", name)
		}
	}
	for _, p := range programs {
		if !slices.Contains(names, p) {
			t.Errorf("the image does not hold %s: nothing is shown", p)
		}
	}
	for _, word := range []string{"net/http/pprof.Index", "expvar.Handler", "/debug/pprof/"} {
		if bytes.Contains(system, []byte(word)) {
			t.Errorf("a program of the image knows %s", word)
		}
	}
}

// contents lists the names in an archive (cpio's newc: 13 fields of eight hexadecimal digits after the magic).
func contents(t *testing.T, archive []byte) (names []string) {
	t.Helper()
	for len(archive) >= 110 {
		var size, length int
		if _, err := fmt.Sscanf(string(archive[54:62])+" "+string(archive[94:102]), "%x %x", &size, &length); err != nil || string(archive[:6]) != "070701" {
			t.Fatalf("not an archive: %v", err)
		}
		name := string(archive[110 : 110+length-1])
		if name == "TRAILER!!!" {
			return names
		}
		names = append(names, name)
		archive = archive[(110+length+3)/4*4:][(size+3)/4*4:]
	}
	t.Fatal("the archive does not end")
	return nil
}
