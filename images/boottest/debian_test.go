package boottest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// suites are the Debians on which the packages are installed: the oldest that is served, and today's.
var suites = []string{"bookworm", "trixie"}

// The versions of the packages that are built.
const earlier, later = "0.1.0", "0.2.0"

// packAll makes the packages and the image for containers, all of a version twice, and the trees of Debian.
func packAll(dir string) error {
	mkimage := filepath.Join(dir, "mkimage")
	if out, err := goBuild(mkimage, "./cmd/mkimage"); err != nil {
		return fmt.Errorf("mkimage: %w\n%s", err, out)
	}
	for _, p := range []struct{ to, version, arch string }{{"debs", earlier, "amd64"}, {"debs", later, "amd64,arm64"}, {"again", later, "amd64,arm64"}} {
		cmd := exec.Command(mkimage, "deb", "-root", ".", "-time", fmt.Sprint(built.Unix()), "-version", p.version, "-arch", p.arch, "-out", filepath.Join(dir, p.to))
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("deb: %w\n%s", err, out)
		}
		fmt.Printf("%s", out)
	}
	for _, to := range []string{"pronto.tar", "again.tar"} {
		cmd := exec.Command(mkimage, "oci", "-root", ".", "-time", fmt.Sprint(built.Unix()), "-version", later, "-out", filepath.Join(dir, to))
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("oci: %w\n%s", err, out)
		}
		fmt.Printf("%s", out)
	}
	if out, err := goBuild(filepath.Join(dir, "deaf-amd64"), "./images/boottest/testdata/deaf", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64"); err != nil {
		return fmt.Errorf("deaf: %w\n%s", err, out)
	}
	for _, suite := range suites {
		cmd := exec.Command("./.ci/fetch-debian", suite)
		cmd.Dir, cmd.Stderr = root, os.Stderr
		tree, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("fetch-debian %s: %w", suite, err)
		}
		if err := os.Symlink(strings.TrimSpace(string(tree)), filepath.Join(dir, suite)); err != nil {
			return err
		}
	}
	return nil
}

func debOf(version, arch string) string { return "pronto_" + version + "_" + arch + ".deb" }

func TestThePackagesAreTheSameEachTimeAndLintianFindsNothing(t *testing.T) {
	pairs := [][2]string{{"pronto.tar", "again.tar"}}
	for _, arch := range []string{"amd64", "arm64"} {
		name := debOf(later, arch)
		pairs = append(pairs, [2]string{"debs/" + name, "again/" + name})
		out, err := exec.Command("lintian", "--allow-root", "--fail-on", "error,warning", "--display-info", "--tag-display-limit", "0", made("debs/"+name)).CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("E: ")) || bytes.Contains(out, []byte("W: ")) {
			t.Errorf("lintian: %v\n%s", err, out)
		}
	}
	for _, p := range pairs {
		a, err := sum(made(p[0]))
		if err != nil {
			t.Fatal(err)
		}
		b, err := sum(made(p[1]))
		if err != nil {
			t.Fatal(err)
		}
		if a != b {
			t.Errorf("two of one source differ: %s is %x and %x", p[0], a, b)
		}
		fmt.Printf("%s: %x\n", p[0], a)
	}
}

// debian is a Debian under its own systemd, in our network; what is changed in it lies in memory.
type debian struct {
	t      *testing.T
	leader int // process number of its first program
}

func startDebian(t *testing.T, suite string) *debian {
	t.Helper()
	tree, err := filepath.EvalSymlinks(made(suite))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("systemd-nspawn", "-q", "-D", tree, "--volatile=overlay", "--register=no", "--keep-unit", "--boot", "--console=pipe", "--machine=pronto-"+suite, "--bind-ro="+made("debs")+":/debs")
	// Both generations of systemd understand this form of control groups, whatever the machine's own is.
	cmd.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := &debian{t: t}
	t.Cleanup(func() {
		if d.leader > 0 {
			_ = syscall.Kill(d.leader, syscall.SIGKILL)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	d.until("the first program of "+suite, func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
		if err != nil {
			t.Fatalf("systemd-nspawn ended: %v\n%s", err, said.String())
		}
		for pid := range strings.FieldsSeq(string(b)) {
			if d.leader, err = strconv.Atoi(pid); err == nil {
				out, err := d.try("systemctl", "is-system-running", "--wait")
				return err == nil || strings.TrimSpace(out) == "degraded"
			}
		}
		return false
	})
	return d
}

// text is what the services have said.
func (d *debian) text() string {
	out, err := d.try("journalctl", "--no-pager", "-o", "cat", "-u", "pronto*", "-n", "60")
	return out + fmt.Sprint(err)
}

// until waits for something that can be seen.
func (d *debian) until(what string, seen func() bool) {
	d.t.Helper()
	for end := time.Now().Add(patience); !seen(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("not within %v: %s\n%s", patience, what, d.text())
		}
	}
}

// try runs a program inside.
func (d *debian) try(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"-t", strconv.Itoa(d.leader), "-a", "--", program}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (d *debian) do(program string, args ...string) string {
	d.t.Helper()
	out, err := d.try(program, args...)
	if err != nil {
		d.t.Fatalf("%s %q: %v\n%s\n%s", program, args, err, out, d.text())
	}
	return out
}

// property is one of what systemd knows of a unit.
func (d *debian) property(unit, name string) string {
	d.t.Helper()
	return strings.TrimSpace(d.do("systemctl", "show", "--value", "-p", name, unit))
}

// serves waits until the page of another process than before answers, and returns the number of that.
func (d *debian) serves(before string) (pid string) {
	d.t.Helper()
	d.until("the exchange serves", func() bool {
		if pid = d.property("prontod", "MainPID"); pid == before || pid == "0" {
			return false
		}
		res, err := browser.Get("http://127.0.0.1:8080/healthz")
		if err != nil {
			return false
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return pid
}

// silent tells whether nobody listens at the page's port any more.
func silent() bool {
	conn, err := net.Dial("tcp", "127.0.0.1:8080")
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// has tells whether there is such a file inside.
func (d *debian) has(path string) bool {
	_, err := d.try("test", "-e", path)
	return err == nil
}

// ownAddress is by which the machine could be reached, had it a cable.
const ownAddress = "10.77.0.1"

// loopback is all the network that a package needs here.
func loopback(t *testing.T) {
	t.Helper()
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err == nil {
		err = netlink.AddrReplace(lo, &netlink.Addr{IPNet: netlink.NewIPNet(net.ParseIP(ownAddress))})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// officeInHouse is the office of a box that only this machine can reach.
func officeInHouse() string {
	at := strings.NewReplacer("0.0.0.0:5060", "127.0.0.1:5060", "0.0.0.0:80", "127.0.0.1:8080", "0.0.0.0:443", "127.0.0.1:8443")
	return at.Replace(office) + "media: {bind: 127.0.0.1}\n"
}

func TestOnDebianAPackageServesACallThatOutlivesACrashAndAnUpgrade(t *testing.T) {
	loopback(t)
	for _, suite := range suites {
		t.Run(suite, func(t *testing.T) { lifeOfAPackage(t, startDebian(t, suite)) })
	}
}

// lifeOfAPackage goes from the first installation to the last trace.
func lifeOfAPackage(t *testing.T, d *debian) {
	here := netip.MustParseAddr("127.0.0.1")
	wire := &cable{us: here, box: here}

	start := time.Now()
	d.do("dpkg", "-i", "/debs/"+debOf(earlier, "amd64"))
	pid := d.serves("0")
	fmt.Printf("%s: installed, and its page answers, after %.1f s\n", t.Name(), time.Since(start).Seconds())
	if said := d.do("prontoctl", "claim"); !strings.Contains(said, "http://"+ownAddress+":8080/claim#") {
		t.Errorf("who stands at the machine is not told how to claim it: %q", said)
	}
	judgeUnits(t, d)

	// Its office, by hand.
	d.do("sh", "-c", "cat >/etc/pronto/pronto.yaml <<'EOF'\n"+officeInHouse()+"EOF\n")
	d.do("systemctl", "stop", "pronto")
	d.until("nobody listens", silent)
	d.do("systemctl", "start", "pronto")
	pid = d.serves(pid)

	d.do("prontoctl", "agent", "login", "anna") // who was not there at the last start is not on duty
	out, in := talk(t, wire, d)
	both := func(after string) {
		t.Helper()
		hears(t, "the agent, after "+after, in, hzCalls, hzAgent)
		hears(t, "the caller, after "+after, out, hzAgent, hzCalls)
	}
	d.do("systemctl", "kill", "-s", "KILL", "prontod")
	pid = d.serves(pid)
	both("a crash")
	if n := d.property("prontod", "NRestarts"); n != "1" {
		t.Errorf("restarted %s times", n)
	}
	records := d.property("pronto-records", "MainPID")
	d.do("systemctl", "restart", "prontod")
	pid = d.serves(pid)
	both("a restart")
	if now := d.property("pronto-records", "MainPID"); now != records {
		t.Error("the records were restarted with the exchange")
	}
	d.do("dpkg", "-i", "/debs/"+debOf(later, "amd64"))
	pid = d.serves(pid)
	both("an upgrade")
	out.Hangup()
	happens(t, d, "the agent's call ends", in.Ended())
	d.until("the call is on record", func() bool { return strings.Contains(d.do("prontoctl", "calls"), "202") })

	// A change of the file takes effect, and a mistake in it changes nothing.
	d.do("sh", "-c", "echo 'no: such field' >>/etc/pronto/pronto.yaml")
	if said, err := d.try("systemctl", "reload", "prontod"); err == nil {
		t.Errorf("a mistake was taken: %s", said)
	}
	d.do("sh", "-c", `sed -i -e '$d' -e 's/name: Bottega/name: Officina/' /etc/pronto/pronto.yaml`)
	d.do("systemctl", "reload", "prontod")
	if now := d.property("prontod", "MainPID"); now != pid {
		t.Error("it was restarted by a reload")
	}
	leave(t, d)
}

// leave goes through the ends of a package: installed again, removed, back again, purged.
func leave(t *testing.T, d *debian) {
	pid := d.property("prontod", "MainPID")
	for range 2 { // a script that was interrupted is run again
		d.do("/var/lib/dpkg/info/pronto.postinst", "configure", later)
		pid = d.serves(pid)
	}
	d.do("dpkg", "--remove", "pronto")
	d.until("nobody listens", silent)
	for _, path := range []string{"/etc/pronto/pronto.yaml", "/var/lib/pronto/access.json", "/var/lib/pronto/history"} {
		if !d.has(path) {
			t.Errorf("%s is gone, although nothing was purged", path)
		}
	}
	d.do("dpkg", "-i", "/debs/"+debOf(later, "amd64"))
	d.serves("0")
	if said := d.do("cat", "/etc/pronto/pronto.yaml"); !strings.Contains(said, "Officina") {
		t.Errorf("the office is another one: %s", said)
	}
	d.do("dpkg", "--purge", "pronto")
	d.until("nobody listens", silent)
	for _, path := range []string{"/etc/pronto", "/var/lib/pronto", "/run/pronto", "/usr/lib/pronto", "/var/lib/pronto-update", "/run/pronto-update", "/etc/systemd/system/multi-user.target.wants/pronto.service"} {
		if d.has(path) {
			t.Errorf("%s is still there", path)
		}
	}
	d.do("getent", "passwd", "pronto")
}

// bars are how exposed a unit may be, as systemd judges it: 0 is best, 10 worst.
var bars = map[string]float64{"prontod.service": 2.0, "pronto-records.service": 1.5, "pronto.service": 1.5, "pronto-updater.service": 2.0}

var exposure = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// memory is how much there is, in bytes.
func (d *debian) memory() uint64 {
	d.t.Helper()
	kB, err := strconv.ParseUint(strings.Fields(d.do("grep", "^MemTotal:", "/proc/meminfo"))[1], 10, 64)
	if err != nil {
		d.t.Fatal(err)
	}
	return kB * 1024
}

func judgeUnits(t *testing.T, d *debian) {
	t.Helper()
	for unit, share := range map[string]uint64{"prontod": 50, "pronto-records": 25} {
		most, err := strconv.ParseUint(d.property(unit, "MemoryMax"), 10, 64)
		said := fmt.Sprintf("msg=share memory_MB=%d", most/1e6)
		if total := d.memory(); err != nil || most < total*share/100-1<<20 || most > total*share/100+1<<20 {
			t.Errorf("%s may have %d bytes of %d, want %d %%", unit, most, total, share)
		}
		if counted := d.has("/sys/fs/cgroup/system.slice/" + unit + ".service/memory.max"); !counted {
			t.Logf("left out: the kernel of this machine counts no memory for %s, which then knows no share", unit)
		} else if log := d.do("journalctl", "-u", unit, "-o", "cat"); !strings.Contains(log, said) {
			t.Errorf("%s does not know its share: no %q in\n%s", unit, said, log)
		}
	}
	for unit, bar := range bars {
		if said, err := d.try("systemd-analyze", "verify", "--man=no", unit); err != nil || strings.Contains(said, "pronto") {
			t.Errorf("systemd-analyze verify %s: %v\n%s", unit, err, said)
		}
		m := exposure.FindStringSubmatch(d.do("systemd-analyze", "security", "--no-pager", unit))
		if m == nil {
			t.Fatalf("systemd does not say how exposed %s is", unit)
		}
		got, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%s: %s is exposed at %.1f, of %.1f at most\n", t.Name(), unit, got, bar)
		if got > bar {
			t.Errorf("%s is exposed at %.1f, more than %.1f", unit, got, bar)
		}
	}
}
