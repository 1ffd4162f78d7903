package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/images/imagetest"
	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/otatest"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// debian is a machine in a directory: its packages are installed by the real dpkg, and its systemd does at once what it
// is told to, or keeps it for later.
type debian struct {
	t     *testing.T
	root  string
	timer []string // what the timer would do
	now   time.Time
	deaf  string // program that fails
}

func newDebian(t *testing.T) (*debian, *Deb) {
	t.Helper()
	imagetest.Programs(t, "dpkg", "dpkg-deb", "dpkg-query")
	m := &debian{t: t, root: t.TempDir(), now: time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)}
	for _, dir := range []string{"root/admin/info", "root/admin/updates", "cache", "update"} {
		if err := os.MkdirAll(filepath.Join(m.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"root/admin/status", "root/admin/available"} {
		if err := os.WriteFile(filepath.Join(m.root, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return m, &Deb{Dir: filepath.Join(m.root, "update"), Package: "pronto", Arch: "amd64", Caches: filepath.Join(m.root, "cache"), Root: filepath.Join(m.root, "root"), Run: m.run, Now: func() time.Time { return m.now }}
}

// pack makes a package of a version.
func (m *debian) pack(version string) []byte {
	m.t.Helper()
	dir := filepath.Join(m.t.TempDir(), "pack")
	control := "Package: pronto\nVersion: " + version + "\nArchitecture: all\nMaintainer: Nobody <nobody@example.com>\nDescription: a test\n"
	err := errors.Join(os.MkdirAll(filepath.Join(dir, "DEBIAN"), 0o755), os.WriteFile(filepath.Join(dir, "DEBIAN", "control"), []byte(control), 0o644),
		os.WriteFile(filepath.Join(dir, "DEBIAN", "postinst"), []byte("#!/bin/sh\nexit 0\n"), 0o755),
		os.MkdirAll(filepath.Join(dir, "usr/share/pronto"), 0o755), os.WriteFile(filepath.Join(dir, "usr/share/pronto/version"), []byte(version), 0o644))
	if err != nil {
		m.t.Fatal(err)
	}
	to := dir + ".deb"
	if out, err := exec.Command("dpkg-deb", "--build", "--root-owner-group", dir, to).CombinedOutput(); err != nil {
		m.t.Fatalf("%v: %s", err, out)
	}
	content, err := os.ReadFile(to)
	if err != nil {
		m.t.Fatal(err)
	}
	return content
}

// installs is what an administrator did before there were updates.
func (m *debian) installs(version string, cached bool) {
	m.t.Helper()
	at := filepath.Join(m.root, "pronto_"+version+"_all.deb")
	if cached {
		at = filepath.Join(m.root, "cache", filepath.Base(at))
	}
	if err := os.WriteFile(at, m.pack(version), 0o644); err != nil {
		m.t.Fatal(err)
	}
	if _, err := m.run(m.t.Context(), "dpkg", "--install", at); err != nil {
		m.t.Fatal(err)
	}
}

func (m *debian) run(ctx context.Context, argv ...string) ([]byte, error) {
	if argv[0] == m.deaf {
		return nil, errors.New("it fails")
	}
	switch argv[0] {
	case "systemd-run":
		at := slices.Index(argv, "dpkg")
		if slices.ContainsFunc(argv, func(a string) bool { return strings.HasPrefix(a, "--on-active=") }) {
			m.timer = argv[at:]
			return nil, nil
		}
		return m.run(ctx, argv[at:]...)
	case "systemctl":
		m.timer = nil
		return nil, nil
	case "dpkg":
		argv = append([]string{"dpkg", "--force-not-root", "--force-bad-path", "--force-script-chrootless", "--admindir=" + m.root + "/root/admin", "--instdir=" + m.root + "/root"}, argv[1:]...)
	case "dpkg-query":
		argv = append([]string{"dpkg-query", "--admindir=" + m.root + "/root/admin"}, argv[1:]...)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return out, err
}

func (m *debian) has() string {
	b, err := os.ReadFile(filepath.Join(m.root, "root/usr/share/pronto/version"))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(b)
}

// bring writes a package into the idle slot, as the updater does.
func bring(t *testing.T, d *Deb, content []byte) {
	t.Helper()
	idle, err := d.Idle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	part := release.Part{Name: "deb-amd64", Size: int64(len(content)), SHA256: otatest.Sum(content)}
	first, err := install.Write(t.Context(), idle, bytes.NewReader(content), part, func(int64) {})
	if err == nil {
		err = install.Check(t.Context(), idle, first, part, func(int64) {})
	}
	if err := errors.Join(err, idle.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestAPackageIsTriedKeptAndTheOneBeforeIsTheNextWayBack(t *testing.T) {
	m, d := newDebian(t)
	m.installs("1.0.0", true)
	bring(t, d, append(m.pack("1.5.0"), make([]byte, 5000)...)) // cut off later: a longer one lies there already
	for n, version := range []string{"2.0.0", "3.0.0"} {
		bring(t, d, m.pack(version))
		if err := d.Try(t.Context(), version, "token"); err != nil {
			t.Fatal(err)
		}
		f, err := d.State(t.Context())
		if err != nil || !f.Trying || f.Running != slot.SlotB-n || f.Last.Version != version || f.Left != backAfter || m.has() != version {
			t.Fatalf("%+v, %v, %s", f, err, m.has())
		}
		if len(m.timer) == 0 {
			t.Fatal("no timer would bring the package of before back")
		}
		if idle, err := d.Idle(t.Context()); err == nil {
			t.Errorf("the way back is lent: %v", idle)
		}
		if err := d.Keep(t.Context()); err != nil || m.timer != nil {
			t.Fatalf("%v, the timer would still do %v", err, m.timer)
		}
		if f, err := d.State(t.Context()); err != nil || f.Trying || f.Running != slot.SlotB-n || f.Last.Outcome != slot.TrialKept {
			t.Fatalf("%+v, %v", f, err)
		}
	}
}

func TestAPackageThatIsUnfitIsReplacedByTheOneBefore(t *testing.T) {
	m, d := newDebian(t)
	m.installs("1.0.0", true)
	bring(t, d, m.pack("2.0.0"))
	if err := d.Try(t.Context(), "2.0.0", "token"); err != nil {
		t.Fatal(err)
	}
	if err := d.Back(t.Context(), "fit_call", "no tone"); err != nil {
		t.Fatal(err)
	}
	f, err := d.State(t.Context())
	if err != nil || f.Trying || f.Running != slot.SlotA || f.Last.Why != "fit_call" || f.Last.Outcome != slot.TrialBack || m.has() != "1.0.0" {
		t.Errorf("%+v, %v, %s", f, err, m.has())
	}
}

// The updater is started anew in the middle of an installation: what is half there is not judged, unless the time of the
// trial is over.
func TestAPackageIsNotJudgedBeforeItIsInstalled(t *testing.T) {
	m, d := newDebian(t)
	m.installs("1.0.0", true)
	bring(t, d, m.pack("2.0.0"))
	if err := d.Try(t.Context(), "2.0.0", ""); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(m.root, "root/admin/status")
	text, err := os.ReadFile(at)
	if err == nil {
		err = os.WriteFile(at, bytes.ReplaceAll(text, []byte("install ok installed"), []byte("install ok half-configured")), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if f, err := d.State(t.Context()); !errors.Is(err, errUnder) {
		t.Errorf("%+v, %v", f, err)
	}
	m.now = m.now.Add(backAfter)
	if f, err := d.State(t.Context()); err != nil || !f.Trying {
		t.Errorf("nobody ever judges it: %+v, %v", f, err)
	}
}

// Whatever becomes of the new updater, the timer brings the package of before back after ten minutes.
func TestTheTimerBringsThePackageOfBeforeBack(t *testing.T) {
	m, d := newDebian(t)
	m.installs("1.0.0", true)
	bring(t, d, m.pack("2.0.0"))
	if err := d.Try(t.Context(), "2.0.0", "token"); err != nil {
		t.Fatal(err)
	}
	m.now = m.now.Add(backAfter)
	if _, err := m.run(t.Context(), m.timer...); err != nil {
		t.Fatal(err)
	}
	f, err := d.State(t.Context())
	if err != nil || f.Trying || f.Running != slot.SlotA || f.Last.Why != slot.CodeExpired || f.Last.Outcome != slot.TrialBack || m.has() != "1.0.0" {
		t.Errorf("%+v, %v, %s", f, err, m.has())
	}
}

func TestNoPackageIsTriedWithoutAWayBack(t *testing.T) {
	m, d := newDebian(t)
	m.installs("1.0.0", false)
	bring(t, d, m.pack("2.0.0"))
	for _, deaf := range []string{"systemd-run", "dpkg-query", "dpkg-deb"} {
		m.deaf = deaf
		if err := d.Try(t.Context(), "2.0.0", ""); err == nil || m.has() != "1.0.0" {
			t.Errorf("without %s: %v, %s", deaf, err, m.has())
		}
		m.deaf = ""
		if f, err := d.State(t.Context()); err != nil || f.Trying || f.Last != (slot.Trial{}) {
			t.Errorf("without %s: %+v, %v", deaf, f, err)
		}
	}
	if err := os.Remove(d.path(slot.SlotA)); err != nil {
		t.Fatal(err)
	}
	// What somebody has changed by hand is nothing to come back to.
	if err := os.WriteFile(filepath.Join(m.root, "root/usr/share/pronto/version"), []byte("1.0.0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := d.Try(t.Context(), "2.0.0", ""); install.CodeOf(err) != slot.CodeWayBack || m.has() != "1.0.0\n" {
		t.Errorf("%v, %s", err, m.has())
	}
}

// apt throws away what it has installed: the way back is then made of that, scripts included.
func TestAPackageThatNobodyKeptIsMadeAnewOfWhatIsInstalled(t *testing.T) {
	m, d := newDebian(t)
	m.installs("1.0.0", false)
	bring(t, d, m.pack("2.0.0"))
	was := unix.Umask(0o077) // as the unit of the updater has it
	err := d.Try(t.Context(), "2.0.0", "")
	unix.Umask(was)
	if err != nil || m.has() != "2.0.0" {
		t.Fatalf("%v, %s", err, m.has())
	}
	out, err := exec.Command("dpkg-deb", "--contents", d.path(slot.SlotA)).Output()
	if err != nil || !strings.Contains(string(out), "-rw-r--r-- root/root") || !strings.Contains(string(out), "./usr/share/pronto/version") || strings.Contains(string(out), "drwx------") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, script := range []string{"control", "postinst"} {
		was, is := m.control(m.pack("1.0.0"), script), m.control(nil, script, d.path(slot.SlotA))
		if was != is || was == "" {
			t.Errorf("%s was\n%s\nand is\n%s", script, was, is)
		}
	}
	if err := d.Back(t.Context(), "fit_call", "no tone"); err != nil || m.has() != "1.0.0" {
		t.Fatalf("%v, %s", err, m.has())
	}
}

// control is a file of what a package says of itself.
func (m *debian) control(deb []byte, name string, path ...string) string {
	m.t.Helper()
	if len(path) == 0 {
		path = []string{filepath.Join(m.t.TempDir(), "x.deb")}
		if err := os.WriteFile(path[0], deb, 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	out, err := exec.Command("dpkg-deb", "--info", path[0], name).Output()
	if err != nil {
		m.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if name == "control" { // the order of its fields says nothing
		slices.Sort(lines)
	}
	return strings.Join(lines, "\n")
}

// A card that keeps something else must not be installed in the place of what does not work.
func TestAWayBackThatIsNotWhatWasKeptIsNotInstalled(t *testing.T) {
	m, d := newDebian(t)
	m.installs("1.0.0", true)
	bring(t, d, m.pack("2.0.0"))
	if err := d.Try(t.Context(), "2.0.0", ""); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(d.path(slot.SlotA))
	if err != nil {
		t.Fatal(err)
	}
	kept[len(kept)-20] ^= 1
	if err := os.WriteFile(d.path(slot.SlotA), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Back(t.Context(), "fit_call", "no tone"); install.CodeOf(err) != slot.CodeWayBack || m.has() != "2.0.0" {
		t.Errorf("%v, %s", err, m.has())
	}
}

func TestWhatIsNoPackageIsNotTried(t *testing.T) {
	m, d := newDebian(t)
	m.installs("1.0.0", true)
	bring(t, d, []byte(strings.Repeat("no package ", 100)))
	if err := d.Try(t.Context(), "2.0.0", "token"); install.CodeOf(err) != slot.CodePackage || m.has() != "1.0.0" || m.timer != nil {
		t.Errorf("%v, %s", err, m.has())
	}
}
