package failpoint

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// dies is the environment variable that makes the test program the one that dies; it holds the file.
const dies = "PRONTO_TEST_FAILPOINT"

func TestMain(m *testing.M) {
	if path := os.Getenv(dies); path != "" {
		d := &Disk{}
		d.After(3)
		writes(d, path, 5)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// writes appends one byte n times, or as often as the program lives.
func writes(d *Disk, path string, n int) {
	f, err := d.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		panic(err)
	}
	for i := range n {
		if _, err := f.WriteAt([]byte("x"), int64(i)); err != nil {
			panic(err)
		}
	}
	_ = f.Close()
}

func TestTheProgramDiesOfSIGKILLRightAfterTheChosenWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), dies+"="+path)
	err = cmd.Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || !exit.Sys().(syscall.WaitStatus).Signaled() || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the program ended with %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || !bytes.Equal(text, []byte("xxx")) {
		t.Errorf("%q was written, %v", text, err)
	}
}

func TestOnlyTheChosenWriteIsTheLast(t *testing.T) {
	ends := 0
	d := &Disk{die: func() { ends++ }}
	path := filepath.Join(t.TempDir(), "a")
	writes(d, path, 10) // nobody has chosen one
	d.After(4)
	writes(d, path, 3)
	if ends != 0 {
		t.Errorf("%d ends before the fourth write", ends)
	}
	writes(d, path, 10)
	if ends != 1 {
		t.Errorf("%d ends", ends)
	}
	d.Before(3)
	writes(d, path, 2)
	if ends != 1 {
		t.Errorf("%d ends before the third write", ends)
	}
	d.die = func() {
		ends++
		if info, err := os.Stat(path); err != nil || info.Size() != 2 {
			t.Errorf("the write at which the program dies is done: %v, %v", info, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	d.Before(3)
	writes(d, path, 10)
	if ends != 2 {
		t.Errorf("%d ends", ends)
	}
	d.After(5)
	d.After(0)
	writes(d, path, 10)
	if ends != 2 {
		t.Errorf("%d ends, the last of which was called off", ends)
	}
}
