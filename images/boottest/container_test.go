package boottest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// container is an image for containers, unpacked, and how it says that it is to be run.
type container struct {
	t      *testing.T
	root   string
	Config struct {
		User, WorkingDir, StopSignal string
		Entrypoint, Cmd, Env         []string
		Healthcheck                  struct{ Test []string }
	}

	mu   sync.Mutex
	said bytes.Buffer
	cmd  *exec.Cmd
}

// Write implements io.Writer for what the programs say.
func (c *container) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.Write(p)
}

func (c *container) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.String()
}

// unpackContainer follows the archive's index to the image of this machine.
func unpackContainer(t *testing.T, archive string) *container {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(archive)
	must(err)
	defer f.Close()
	blobs := map[string][]byte{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(err)
		blobs[h.Name], err = io.ReadAll(r)
		must(err)
	}
	type descriptor struct {
		Digest   string
		Platform struct{ Architecture string }
	}
	blob := func(d descriptor) []byte { return blobs["blobs/"+strings.Replace(d.Digest, ":", "/", 1)] }
	var top, index struct{ Manifests []descriptor }
	must(json.Unmarshal(blobs["index.json"], &top))
	must(json.Unmarshal(blob(top.Manifests[0]), &index))
	c := &container{t: t, root: t.TempDir()}
	for _, d := range index.Manifests {
		if d.Platform.Architecture != "amd64" {
			continue
		}
		var manifest struct {
			Config descriptor
			Layers []descriptor
		}
		must(json.Unmarshal(blob(d), &manifest))
		must(json.Unmarshal(blob(manifest.Config), c))
		for _, layer := range manifest.Layers {
			r, err := gzip.NewReader(bytes.NewReader(blob(layer)))
			must(err)
			unpackLayer(t, c.root, tar.NewReader(r))
		}
	}
	must(os.Chmod(c.root, 0o755))
	// What an engine adds.
	must(os.Mkdir(filepath.Join(c.root, "proc"), 0o555))
	must(unix.Mount("proc", filepath.Join(c.root, "proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""))
	t.Cleanup(func() { _ = unix.Unmount(filepath.Join(c.root, "proc"), unix.MNT_DETACH) })
	must(os.Mkdir(filepath.Join(c.root, "dev"), 0o755))
	must(unix.Mknod(filepath.Join(c.root, "dev", "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(os.Chmod(filepath.Join(c.root, "dev", "null"), 0o666))
	return c
}

func unpackLayer(t *testing.T, root string, r *tar.Reader) {
	t.Helper()
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		at := ""
		if err == nil {
			at = filepath.Join(root, h.Name)
			if h.Typeflag == tar.TypeDir {
				err = os.Mkdir(at, 0o700)
			} else {
				var b []byte
				if b, err = io.ReadAll(r); err == nil {
					err = os.WriteFile(at, b, 0o600)
				}
			}
		}
		if err == nil {
			err = errors.Join(os.Chmod(at, h.FileInfo().Mode().Perm()), os.Chown(at, h.Uid, h.Gid))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// command is a program inside, as the image's user, with the image's environment.
func (c *container) command(words ...string) *exec.Cmd {
	c.t.Helper()
	user, _, _ := strings.Cut(c.Config.User, ":")
	id, err := strconv.Atoi(user)
	if err != nil || id == 0 {
		c.t.Fatalf("the user is %q", c.Config.User)
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir, cmd.Env = c.Config.WorkingDir, c.Config.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root, Credential: &syscall.Credential{Uid: uint32(id), Gid: uint32(id)}, Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (c *container) start() {
	c.t.Helper()
	c.cmd = c.command(append(append([]string{}, c.Config.Entrypoint...), c.Config.Cmd...)...)
	c.cmd.Stdout, c.cmd.Stderr = c, c
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	cmd := c.cmd
	c.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
}

// stop ends it as an engine does, and waits.
func (c *container) stop() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(unix.SignalNum(c.Config.StopSignal)); err != nil {
		c.t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Fatalf("it ends with %v\n%s", err, c.text())
	}
}

func (c *container) control(words ...string) (string, error) {
	out, err := c.command(append([]string{c.Config.Entrypoint[0]}, words...)...).CombinedOutput()
	return string(out), err
}

// exchange is the process number of prontod inside; 0: it does not run.
func (c *container) exchange() int {
	var children []byte
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", c.cmd.Process.Pid)) // the pattern is well formed
	for _, at := range tasks {                                                            // any thread may have started it
		b, err := os.ReadFile(at)
		if err == nil {
			children = append(children, b...)
		}
	}
	for pid := range strings.FieldsSeq(string(children)) {
		if name, err := os.ReadFile("/proc/" + pid + "/comm"); err == nil && strings.TrimSpace(string(name)) == "prontod" {
			n, _ := strconv.Atoi(pid) // the kernel wrote a number
			return n
		}
	}
	return 0
}

// healthy waits until the image's own check finds the box well, and another exchange runs than before.
func (c *container) healthy(before int) int {
	c.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		out, err := c.command(c.Config.Healthcheck.Test[1:]...).CombinedOutput()
		if now := c.exchange(); err == nil && now != before && now > 0 {
			return now
		}
		if time.Now().After(end) {
			c.t.Fatalf("not healthy: %v %s\n%s", err, out, c.text())
		}
	}
}

func TestInAContainerACallOutlivesItsExchange(t *testing.T) {
	loopback(t)
	c := unpackContainer(t, made("pronto.tar"))
	c.start()
	c.healthy(0)
	if said, err := c.control("claim"); err != nil || !strings.Contains(said, "http://"+ownAddress+":8080/claim#") {
		t.Errorf("how it is claimed: %v %q", err, said)
	}
	if n := strings.Count(c.text(), authoritiesOfItsOwn); n != 2 {
		t.Errorf("%d programs have certificate authorities of their own\n%s", n, c.text())
	}
	c.stop()
	if out, err := c.command(c.Config.Healthcheck.Test[1:]...).CombinedOutput(); err == nil {
		t.Errorf("what does not run is healthy: %s", out)
	}

	file := filepath.Join(c.root, c.Config.WorkingDir, "pronto.yaml")
	if err := os.WriteFile(file, []byte(officeInHouse()), 0o600); err != nil { // the owner stays who he was
		t.Fatal(err)
	}
	c.start()
	pid := c.healthy(0)
	if said, err := c.control("agent", "login", "anna"); err != nil {
		t.Fatalf("%v %s", err, said)
	}
	here := netip.MustParseAddr("127.0.0.1")
	out, in := talk(t, &cable{us: here, box: here}, c)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.healthy(pid)
	hears(t, "the agent", in, hzCalls, hzAgent)
	hears(t, "the caller", out, hzAgent, hzCalls)
	out.Hangup()
	happens(t, c, "the agent's call ends", in.Ended())
	c.stop()
}
