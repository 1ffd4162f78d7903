//go:build guest

package inside

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// The lamps of the queue are steadily lit while nobody waits.
const litOffice = `version: 1
sip: {listen: "127.0.0.1:5060"}
media: {bind: 127.0.0.1}
web: {listen: "127.0.0.1:8080"}
agents: [{id: anna, extension: "201"}]
queues: [{id: sales, number: "400", agents: [anna]}]
lamps:
  - {id: pin, driver: gpio, chip: pinctrl-rp1, line: GPIO17, shows: "queue:sales"}
  - {id: stick, driver: usb, chip: SNdark, shows: "queue:sales"}
lights:
  rows: [{state: queue_calm, colours: ["#ff0000"], rhythm: [1000]}, {state: queue_waits, colours: ["#ffb400"], rhythm: [800, 800]}]
`

// A busy light by USB goes on to show what it was told when the exchange is killed: that is why somebody has to put it
// out. (The simulated pins of this kernel fall when nobody holds them, those of a board do not.)
func TestTheLampsOfAKilledExchangeArePutOut(t *testing.T) {
	loopback(t)
	c := newChip(t, "pi", "pinctrl-rp1")
	h := newHID(t, 0x04d8, 0xf372, "SNdark", false)
	exchange, said := office(t, litOffice)
	running := exchange()
	must(t, running.Start())
	lit := func() bool { r := h.last(); return len(r) > 5 && r[1] == 1 && r[3] == 255 }
	h.until("both lamps to be lit", func() bool { return lit() && c.high(17) })
	must(t, running.Process.Kill())
	_ = running.Wait()
	if !lit() {
		t.Errorf("the kernel itself puts the light out; it was told % x", h.last())
	}
	told := h.count()
	if err := exchange("-dark").Run(); err != nil {
		t.Errorf("put out: %v\n%s", err, said())
	}
	h.until("the light to be told to go out", func() bool { return h.count() > told && !lit() })
	if c.high(17) {
		t.Errorf("afterwards the pin is high\n%s", said())
	}
}

// office writes a configuration and returns what makes a prontod of it, and what all of them have said.
func office(t *testing.T, config string) (exchange func(args ...string) *exec.Cmd, said func() string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "pronto.yaml")
	must(t, os.WriteFile(file, []byte(config), 0o600))
	log, err := os.Create(filepath.Join(dir, "said"))
	must(t, err)
	t.Cleanup(func() { _ = log.Close() })
	exchange = func(args ...string) *exec.Cmd {
		cmd := exec.Command("/usr/bin/prontod", append(args, "-config", file, "-var", filepath.Join(dir, "var"), "-board", "linux")...)
		cmd.Stdout, cmd.Stderr = log, log
		return cmd
	}
	return exchange, func() string {
		b, err := os.ReadFile(log.Name())
		must(t, err)
		return string(b)
	}
}

// loopback brings it up, which no other test of the guest needs.
func loopback(t *testing.T) {
	t.Helper()
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	must(t, err)
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	must(t, err)
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	must(t, unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo))
}
