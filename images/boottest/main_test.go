package boottest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/cpio"
	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/pins"
	"go.uber.org/goleak"
)

var (
	boot     = flag.Bool("image.boot", false, "build images and start them in an emulated machine")
	packages = flag.Bool("deb.boot", false, "build packages and install them in a Debian that has been started")
	only     = flag.String("update.only", "", "of the releases that come to nothing, those of the classes that this regular expression matches")
	updates  = flag.Bool("update.boot", false, "build an image, and try releases on it in an emulated machine")
)

// insideEnv holds, in the run inside of a network namespace, the directory with what was built.
const insideEnv = "BOOTTEST_INSIDE"

// root is where the module file of Pronto lies.
const root = "../.."

func TestMain(m *testing.M) {
	flag.Parse()
	switch inside := os.Getenv(insideEnv); {
	case inside != "":
		machines := "2" // at a time: one of them mostly waits
		if *updates {
			machines = "3" // a trial does little but wait
		}
		if err := flag.Set("test.parallel", machines); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		goleak.VerifyTestMain(m)
	case !*boot && !*packages && !*updates:
		fmt.Println("left out: images are started by `make test-image`, packages by `make test-packages`, updates by `make test-update`")
	default:
		if err := outside(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// outside builds everything, while there is a network, and runs the tests in a namespace without one.
func outside() error {
	if os.Getuid() != 0 {
		return fmt.Errorf("root is needed: the tests make a network of their own")
	}
	dir, err := os.MkdirTemp("", "boottest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if *boot {
		if err := buildAll(dir); err != nil {
			return err
		}
	}
	if *updates {
		if err := buildReleases(dir); err != nil {
			return err
		}
	}
	if *packages {
		if err := packAll(dir); err != nil {
			return err
		}
	}
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideEnv+"="+dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// What is mounted for a test must not stay when that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	return cmd.Run()
}

// buildAll makes the image twice, compares both, gives one a box's identity, and unpacks what the boot loader
// of a real board would.
func buildAll(dir string) error {
	mkimage := filepath.Join(dir, "mkimage")
	if out, err := goBuild(mkimage, "./cmd/mkimage"); err != nil {
		return fmt.Errorf("mkimage: %w\n%s", err, out)
	}
	for _, name := range []string{"one", "two"} {
		start := time.Now()
		cmd := exec.Command(mkimage, "build", "-root", ".", "-time", fmt.Sprint(built.Unix()), "-version", "test", "-out", filepath.Join(dir, name))
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("build: %w\n%s", err, out)
		}
		if name == "one" {
			fmt.Printf("%s", out)
		}
		fmt.Printf("image %s built in %.0f s\n", name, time.Since(start).Seconds())
	}
	one, two := filepath.Join(dir, "one", "pronto.img"), filepath.Join(dir, "two", "pronto.img")
	a, err := sum(one)
	if err != nil {
		return err
	}
	b, err := sum(two)
	if err != nil {
		return err
	}
	if a != b {
		return fmt.Errorf("two builds of one source differ: %x and %x", a, b)
	}
	fmt.Printf("both builds are %x\n", a)
	if err := os.Remove(two); err != nil {
		return err
	}
	if err := unpack(dir, one); err != nil {
		return err
	}
	for name, at := range map[string]string{"intruder": "bin/prontod", "freezer": "init", "refuser": "bin/prontod", "glutton": "bin/recordd"} {
		if err := overlay(dir, name, at); err != nil {
			return err
		}
	}
	return another(dir, mkimage)
}

// another makes images with other kernels than that of the boards, as a vendor would, and takes those out of them: one
// with everything built in, and Debian's for virtual machines, whose drivers are modules.
// The device tree of a Raspberry Pi 3, which has no image, comes from the pinned kernel.
func another(dir, mkimage string) error {
	all, err := pins.Download(context.Background(), root, "images/boot.mod", pins.KernelARM64, pins.KernelRPi)
	if err != nil {
		return err
	}
	for from, to := range map[string]string{"bcm2710-rpi-3-b.dtb": "pi3.dtb", "vmlinuz": "pi3.kernel"} { // it unpacks no kernel
		b, err := os.ReadFile(filepath.Join(all[1].Dir, from))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, to), b, 0o600); err != nil {
			return err
		}
	}
	if err := pi3(dir); err != nil {
		return err
	}
	debians, err := fetch("kernel")
	if err != nil {
		return err
	}
	var failed [2]error
	var building sync.WaitGroup // each of them keeps one core busy
	for i, with := range []struct{ name, kernel string }{{"another", all[0].Dir}, {"modular", debians}} {
		building.Go(func() { failed[i] = imageWith(mkimage, with.kernel, filepath.Join(dir, with.name)) })
	}
	building.Wait()
	return errors.Join(failed[:]...)
}

// pi3 prepares the emulated Raspberry Pi 3: a QEMU that gives it I2C, and a device tree that switches on the bus of its
// header, as a line of the card's config.txt has the boot loader of a real one do.
func pi3(dir string) error {
	qemu, err := fetch("qemu")
	if err != nil {
		return err
	}
	if err := os.Symlink(qemu, filepath.Join(dir, "qemu")); err != nil {
		return err
	}
	if out, err := exec.Command("fdtput", "-t", "s", filepath.Join(dir, "pi3.dtb"), "/soc/i2c@7e804000", "status", "okay").CombinedOutput(); err != nil {
		return fmt.Errorf("fdtput: %w\n%s", err, out)
	}
	return nil
}

// fetch has a program of .ci fetch something, and returns where it lies.
func fetch(what string) (string, error) {
	cmd := exec.Command("./.ci/fetch-" + what)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	at, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("fetch-%s: %w", what, err)
	}
	return strings.TrimSpace(string(at)), nil
}

// imageWith makes an image with a kernel in a directory, and unpacks it there.
func imageWith(mkimage, kernel, to string) error {
	cmd := exec.Command(mkimage, "build", "-root", ".", "-time", fmt.Sprint(built.Unix()), "-version", "test", "-kernel", kernel, "-out", to)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("build with the kernel of %s: %w\n%s", kernel, err, out)
	}
	fmt.Printf("%s", out)
	return unpack(to, filepath.Join(to, "pronto.img"))
}

// built is the time that the image under test says it was made.
var built = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func goBuild(to, pkg string, env ...string) ([]byte, error) {
	cmd := exec.Command("go", "build", "-o", to, pkg)
	cmd.Dir, cmd.Env = root, append(os.Environ(), env...)
	return cmd.CombinedOutput()
}

func sum(at string) (s [32]byte, err error) {
	f, err := os.Open(at)
	if err != nil {
		return s, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return [32]byte(h.Sum(nil)), err
}

// unpack takes from slot A, and from the partition of the recovery system, what the boot loader of a board would
// load.
func unpack(dir, image string) error {
	for _, f := range []struct {
		partition int
		name, to  string
	}{
		{layout.SlotA, "kernel8.img", "kernel8.img"},
		{layout.SlotA, "initramfs.zst", "initramfs.zst"},
		{layout.SlotA, "cmdline.txt", "cmdline.txt"},
		{layout.Select, "initramfs.zst", "recovery.initramfs"},
	} {
		b, err := fat.Read(context.Background(), image, layout.Offset(f.partition), f.name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, f.to), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// overlay makes an initramfs in which a program of testdata has the place of another one: the kernel unpacks
// one archive after the other.
func overlay(dir, name, place string) error {
	at := filepath.Join(dir, name)
	if out, err := goBuild(at, "./images/boottest/testdata/"+name, "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64"); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	program, err := os.ReadFile(at)
	if err != nil {
		return err
	}
	all, err := os.ReadFile(filepath.Join(dir, "initramfs.zst"))
	if err != nil {
		return err
	}
	all = append(all, make([]byte, (4-len(all)%4)%4)...)
	var more bytes.Buffer
	if err := cpio.Write(&more, []cpio.Entry{{Name: place, Mode: 0o755, Data: program}}); err != nil {
		return err
	}
	return os.WriteFile(at+".initramfs", append(all, more.Bytes()...), 0o600)
}

// personalise gives an image an identity and the office of the tests; it returns what the program says.
func personalise(t *testing.T, image string, more ...string) string {
	t.Helper()
	cmd := exec.Command(made("mkimage"), append([]string{"personalise", "-image", image}, more...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("personalise: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// made is the path of something that was built.
func made(name string) string { return filepath.Join(os.Getenv(insideEnv), name) }
