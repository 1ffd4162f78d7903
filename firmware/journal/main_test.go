package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// victimEnv makes the test binary play a process that writes until it is killed.
const victimEnv = "JOURNAL_TEST_VICTIM"

func TestMain(m *testing.M) {
	if role := os.Getenv(victimEnv); role != "" {
		victim(role, os.Getenv("JOURNAL_TEST_DIR"))
	}
	goleak.VerifyTestMain(m)
}

// victim writes without end and prints each number that was acknowledged. It never returns.
func victim(role, dir string) {
	out := bufio.NewWriterSize(os.Stdout, 64)
	say := func(n int) { fmt.Fprintln(out, n); _ = out.Flush() }
	die := func(err error) { fmt.Fprintln(os.Stderr, err); os.Exit(3) }
	start, err := strconv.Atoi(os.Getenv("JOURNAL_TEST_START"))
	if err != nil {
		die(err)
	}
	switch role {
	case "hot":
		h, err := OpenHot(dir, 64<<10) // small, so that kills hit compaction too
		if err != nil {
			die(err)
		}
		for n := start; ; n++ {
			if err := h.Put("call", strconv.Itoa(n%50), []byte(strings.Repeat("x", n%700)+"="+strconv.Itoa(n))); err != nil {
				die(err)
			}
			say(n)
		}
	case "history":
		h, err := OpenHistory(HistoryConfig{Dir: dir})
		if err != nil {
			die(err)
		}
		for n := start; ; n++ {
			if _, err := h.Append("call_ended", []byte(strings.Repeat("y", n%900)+"="+strconv.Itoa(n))); err != nil {
				die(err)
			}
			say(n)
		}
	}
	die(errors.New("unknown role"))
}

// killAWriter runs a victim, kills it with SIGKILL after a while and returns the last number it
// had acknowledged.
func killAWriter(t *testing.T, role, dir string, start int, after time.Duration) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+role, "JOURNAL_TEST_DIR="+dir, "JOURNAL_TEST_START="+strconv.Itoa(start))
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := start - 1
	lines := bufio.NewScanner(pipe)
	kill := time.Time{}
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			break // a line cut by the kill
		}
		last = n
		if kill.IsZero() {
			kill = time.Now().Add(after)
		}
		if time.Now().After(kill) {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	if last < start {
		t.Fatal("the writer never wrote")
	}
	return last
}

// smallDisk mounts a tmpfs of its own for the test. Without the right to mount, the test is left
// out, which is a failure where everything must run.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(bytes)); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("mount a small tmpfs: %v; with CI=true this test may not be left out", err)
		}
		t.Skipf("left out: cannot mount a small tmpfs (%v); run as root", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			_ = unix.Unmount(dir, unix.MNT_DETACH)
			t.Errorf("unmount: %v: something still holds the disk", err)
		}
	})
	return dir
}

// fill writes a file until not one byte more fits, and returns its path.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 16, 1 << 12, 1} {
		for block := make([]byte, size); ; {
			if _, err := f.Write(block); errors.Is(err, unix.ENOSPC) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	return path
}

// syncing is the machine's disk with a sync of its own.
type syncing struct {
	durable.Disk
	sync func(durable.File) error
}

// OpenFile implements durable.FileSystem.
func (s syncing) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	f, err := s.Disk.OpenFile(name, flag, perm)
	return synced{f, s.sync}, err
}

type synced struct {
	durable.File
	sync func(durable.File) error
}

// Sync implements durable.File.
func (s synced) Sync() error { return s.sync(s.File) }
