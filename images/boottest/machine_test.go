package boottest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/loader"
	"github.com/vishvananda/netlink"
)

// patience is how long anything of an emulated machine may take on a busy computer.
const patience = 90 * time.Second

// pi3Tells is what the kernel is told on the emulated Raspberry Pi 3. Opening the watchdog of this machine resets it at
// once. It has no VideoCore to answer the kernel's VCHIQ, which then gives back the memory that its own threads go on
// to use: of four starts on a busy computer one ended there, before the console was there to say so.
const pi3Tells = " console=ttyAMA1 pronto.watchdog=off initcall_blacklist=vchiq_driver_init"

// machine is a QEMU with a box in it.
type machine struct {
	t   *testing.T
	cmd *exec.Cmd

	mu      sync.Mutex
	lines   []string
	changed chan struct{}  // closed at each new line or event
	events  []string       // of QMP
	answers map[int]string // of its monitor, by the number of the question
	asked   int
	silent  int // console and events that have ended
	gone    bool

	qmp     net.Conn
	readers sync.WaitGroup
	begun   time.Time
}

// options are what one machine differs from another by.
type options struct {
	disk     string // empty: none
	readOnly bool
	initrd   string // default: the image's own
	kernel   string // default: the image's own
	cable    *cable
	stick    string        // image of one that lies beside the machine; plug and pull move it
	modem    bool          // a serial port at USB
	pi3      bool          // an emulated Raspberry Pi 3: a card of its own kind, and a network that hangs on USB
	i2c      []chip        // on the bus of its header
	once     bool          // a machine that starts anew ends instead: what starts next is for chosen to say
	loaded   *loader.Start // what the stand-in of a boot loader has read from the card; nil: kernel and initrd
}

// chosen is what the boot loader of a board would start from a card: the initramfs of slot A, or of the recovery
// system. It reads the choice as that does, as a file.
func chosen(t *testing.T, disk string) (initrd string) {
	t.Helper()
	text, err := fat.Read(t.Context(), disk, layout.Offset(layout.Select), choice.File)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case strings.HasPrefix(string(text), "[all]\ntryboot_a_b=1\nboot_partition=1\n"):
		return "recovery.initramfs"
	case strings.HasPrefix(string(text), "[all]\ntryboot_a_b=1\nboot_partition=2\n"):
		return "initramfs.zst"
	}
	t.Fatalf("a boot loader would not know what to start: %q", text)
	return ""
}

// card copies the image and gives the copy the size of a card.
func card(t *testing.T, size int64) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "card-") // QEMU takes no comma in a path, and the names of tests have some
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	at := filepath.Join(dir, "card")
	if out, err := exec.Command("cp", "--sparse=always", made("one/pronto.img"), at).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
	if err := os.Truncate(at, size); err != nil {
		t.Fatal(err)
	}
	return at
}

// start switches a machine on.
func start(t *testing.T, o options) *machine {
	t.Helper()
	args, err := os.ReadFile(made("cmdline.txt"))
	if err != nil {
		t.Fatal(err)
	}
	// What the device trees of a Raspberry Pi say, before all that the card does.
	args = append([]byte("cgroup_disable=memory "), args...)
	if o.initrd == "" {
		o.initrd = "initramfs.zst"
	}
	if o.kernel == "" {
		o.kernel = "kernel8.img"
	}
	dir, err := os.MkdirTemp("", "qmp-") // QEMU takes no comma in a path, and the names of tests have some
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	kernel, initrd := made(o.kernel), made(o.initrd)
	if l := o.loaded; l != nil {
		kernel, initrd, args = filepath.Join(dir, "kernel"), filepath.Join(dir, "initrd"), []byte("cgroup_disable=memory "+l.Arguments)
		if err := errors.Join(os.WriteFile(kernel, l.Kernel, 0o600), os.WriteFile(initrd, l.Initramfs, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(dir, "qmp")
	command := []string{
		"-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "512", "-display", "none", "-serial", "stdio",
		"-kernel", kernel, "-initrd", initrd, "-append", string(args) + " console=ttyAMA0",
		"-device", "i6300esb", "-watchdog-action", "reset", "-qmp", "unix:" + socket + ",server=on,wait=off",
	}
	if o.disk != "" {
		drive := "if=none,id=card,format=raw,file=" + o.disk
		if o.readOnly {
			drive += ",readonly=on"
		}
		command = append(command, "-drive", drive, "-device", "virtio-blk-pci,drive=card")
	}
	if o.stick != "" {
		command = append(command, "-device", "qemu-xhci", "-drive", "if=none,id=stick,format=raw,file="+o.stick)
	}
	if o.once {
		command = append(command, "-no-reboot")
	}
	if o.cable != nil {
		command = append(command, "-netdev", "tap,id=net,script=no,downscript=no,ifname="+o.cable.name, "-device", "virtio-net-pci,netdev=net,romfile=,mac="+o.cable.mac)
	} else {
		command = append(command, "-nic", "none")
	}
	if o.pi3 {
		command = []string{
			"-M", "raspi3b", "-display", "none", "-serial", "stdio", "-qmp", "unix:" + socket + ",server=on,wait=off",
			"-kernel", made(o.kernel), "-dtb", made("pi3.dtb"), "-initrd", made(o.initrd), "-append", string(args) + pi3Tells,
			"-drive", "if=sd,format=raw,file=" + o.disk,
			"-netdev", "tap,id=net,script=no,downscript=no,ifname=" + o.cable.name, "-device", "usb-net,netdev=net,mac=" + o.cable.mac,
		}
	}
	if o.modem {
		command = append(command, "-device", "qemu-xhci", "-chardev", "null,id=modem", "-device", "usb-serial,chardev=modem,always-plugged=on")
	}
	program := "qemu-system-aarch64"
	if o.pi3 {
		program = made("qemu")
		for i, c := range o.i2c {
			command = append(command, "-drive", fmt.Sprintf("if=none,id=chip%d,format=raw,file=%s", i, c.file),
				"-device", fmt.Sprintf("at24c-eeprom,bus=i2c-bus.1,address=%#x,address-size=1,rom-size=%d,drive=chip%d", c.address, len(registers{}), i))
		}
	}
	m := &machine{t: t, cmd: exec.Command(program, command...), changed: make(chan struct{}), answers: map[int]string{}, begun: time.Now()}
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	m.cmd.Stderr = m.cmd.Stdout
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m.readers.Go(func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			m.note(func() { m.lines = append(m.lines, strings.TrimRight(s.Text(), "\r")) })
		}
		m.note(m.left)
	})
	t.Cleanup(m.cut)
	m.connect(socket)
	return m
}

// left is told by the console and by the events: when both have ended the machine is gone, and all is known of it.
func (m *machine) left() {
	m.silent++
	m.gone = m.silent == 2
}

func (m *machine) note(do func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	do()
	close(m.changed)
	m.changed = make(chan struct{})
}

// connect speaks QMP with the machine: commands, and events as they happen.
func (m *machine) connect(socket string) {
	m.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			m.qmp = conn
			break
		}
		if time.Now().After(end) {
			m.t.Fatalf("QEMU does not listen: %v\n%s", err, m.text())
		}
	}
	m.readers.Go(func() {
		for dec := json.NewDecoder(m.qmp); ; {
			var e struct {
				Event string `json:"event"`
				Data  struct {
					Reason string `json:"reason"`
				} `json:"data"`
				ID     int             `json:"id"` // 0: of a command that nobody waits for
				Return json.RawMessage `json:"return"`
			}
			if dec.Decode(&e) != nil {
				m.note(m.left)
				return
			}
			if e.ID != 0 {
				m.note(func() { m.answers[e.ID] = string(e.Return) })
			}
			if e.Event != "" {
				m.note(func() { m.events = append(m.events, strings.TrimSpace(e.Event+" "+e.Data.Reason)) })
			}
		}
	})
	m.execute("qmp_capabilities")
}

func (m *machine) execute(command string) { m.order(fmt.Sprintf("{\"execute\":%q}", command)) }

func (m *machine) order(command string) {
	m.t.Helper()
	if _, err := fmt.Fprintln(m.qmp, command); err != nil {
		m.t.Fatalf("%s: %v", command, err)
	}
}

// monitor puts a command to the machine's monitor and returns what it says.
func (m *machine) monitor(command string) (said string) {
	m.t.Helper()
	m.mu.Lock()
	m.asked++
	id := m.asked
	m.mu.Unlock()
	m.order(fmt.Sprintf(`{"execute":"human-monitor-command","arguments":{"command-line":%q},"id":%d}`, command, id))
	var raw string
	m.await("the monitor's answer to "+command, patience, func([]string, []string) (there bool) {
		raw, there = m.answers[id]
		return there
	})
	m.mu.Lock()
	delete(m.answers, id)
	m.mu.Unlock()
	if err := json.Unmarshal([]byte(raw), &said); err != nil {
		m.t.Fatalf("%s: %q: %v", command, raw, err)
	}
	return said
}

// plug puts the stick into the machine.
func (m *machine) plug() {
	m.t.Helper()
	m.order(`{"execute":"device_add","arguments":{"driver":"usb-storage","id":"plugged","drive":"stick","removable":true}}`)
}

// cut takes the power away, and waits for the end.
func (m *machine) cut() {
	_ = m.cmd.Process.Kill()
	if m.qmp != nil {
		_ = m.qmp.Close()
	}
	m.readers.Wait()
	_ = m.cmd.Wait()
}

func (m *machine) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.lines, "\n")
}

// await waits until ok; both lists grow only.
func (m *machine) await(what string, limit time.Duration, ok func(lines, events []string) bool) {
	m.t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		m.mu.Lock()
		done, gone, changed := ok(m.lines, m.events), m.gone, m.changed
		m.mu.Unlock()
		switch {
		case done:
			return
		case gone:
			m.t.Fatalf("the machine ended before %s\n%s", what, m.text())
		}
		select {
		case <-changed:
		case <-timer.C:
			m.t.Fatalf("not within %v: %s; events %q\n%s", limit, what, m.events, m.text())
		}
	}
}

// says waits for n lines with a text and returns the last of them.
func (m *machine) says(text string, n int) (line string) {
	m.t.Helper()
	m.await(fmt.Sprintf("it says %q %d times", text, n), patience, func(lines, _ []string) bool {
		found := 0
		for _, l := range lines {
			if strings.Contains(l, text) {
				found, line = found+1, l
			}
		}
		return found >= n
	})
	return line
}

// reports waits for an event of the machine itself.
func (m *machine) reports(event string, limit time.Duration) {
	m.t.Helper()
	m.await("the event "+event, limit, func(_, events []string) bool { return slices.Contains(events, event) })
}

// off waits until the machine has switched itself off.
func (m *machine) off() { m.t.Helper(); m.ends("SHUTDOWN guest-shutdown", patience) }

// switchOff presses the machine's button and waits for its end.
func (m *machine) switchOff() {
	m.t.Helper()
	m.press(`msg="the box ends" service=prontoinit how=off`)
	m.off()
}

// again is how long a press that was seen may take to be told of.
const again = 15 * time.Second

// press presses the machine's button until it says that it was seen. QEMU holds it for 100 ms of its own clock, and on
// a busy computer the guest may not run at all in that time.
func (m *machine) press(said string) {
	m.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		m.execute("system_powerdown")
		for pause := time.Now().Add(again); time.Now().Before(pause); time.Sleep(20 * time.Millisecond) {
			if strings.Contains(m.text(), said) {
				return
			}
			m.mu.Lock()
			gone := m.gone
			m.mu.Unlock()
			if gone {
				return // who waits for the end sees how
			}
		}
	}
	m.t.Fatalf("its button was pressed in vain; it does not say %q\n%s", said, m.text())
}

// restarts waits until a machine that was to start once wants to start anew.
func (m *machine) restarts() { m.t.Helper(); m.ends("SHUTDOWN guest-reset", patience) }

func (m *machine) ends(how string, limit time.Duration) {
	m.t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		m.mu.Lock()
		gone, events := m.gone, slices.Clone(m.events)
		m.mu.Unlock()
		if gone {
			if !slices.Contains(events, how) {
				m.t.Fatalf("the machine ended otherwise than by %s: %q\n%s", how, events, m.text())
			}
			return
		}
		if time.Now().After(end) {
			m.t.Fatalf("the machine does not end\n%s", m.text())
		}
	}
}

// cable is a network between the machine and us, with a DHCP server at our end.
type cable struct {
	name, mac string
	us, box   netip.Addr
}

// lay makes the cable number n.
func lay(t *testing.T, n int) *cable {
	t.Helper()
	c := &cable{
		name: fmt.Sprintf("tap%d", n), mac: fmt.Sprintf("52:54:00:50:52:%02x", n),
		us: netip.AddrFrom4([4]byte{192, 168, byte(70 + n), 1}), box: netip.AddrFrom4([4]byte{192, 168, byte(70 + n), 50}),
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	lo, err := netlink.LinkByName("lo")
	must(err)
	must(netlink.LinkSetUp(lo))
	must(netlink.LinkAdd(&netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: c.name}, Mode: netlink.TUNTAP_MODE_TAP}))
	tap, err := netlink.LinkByName(c.name)
	must(err)
	t.Cleanup(func() { _ = netlink.LinkDel(tap) })
	addr, err := netlink.ParseAddr(c.us.String() + "/24")
	must(err)
	must(netlink.AddrAdd(tap, addr))
	must(netlink.LinkSetUp(tap))
	// The machine's end of QEMU's usb-net has 40 for the first byte of its address.
	server := exec.Command("dnsmasq", "-k", "-p", "0", "-i", c.name, "--bind-dynamic", "-C", "/dev/null", "--user=root", "--pid-file=", "--dhcp-leasefile="+filepath.Join(t.TempDir(), "leases"),
		fmt.Sprintf("--dhcp-range=%v,%v,1h", c.box, c.box.Next()), "--dhcp-host="+c.mac+",40"+c.mac[2:]+","+c.box.String(), "--dhcp-authoritative", "--no-ping")
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(server.Start())
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	return c
}

// partition copies one partition of a card out.
func partition(t *testing.T, disk string, n int) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), "partition")
	cmd := exec.Command("dd", "if="+disk, "of="+at, "bs=4M", "conv=sparse", "status=none", fmt.Sprintf("skip=%d", layout.Offset(n)/(4*layout.MiB)))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("dd: %v\n%s", err, out)
	}
	return at
}
