package serialport_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/drivers/serialport/pty"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openPty(t *testing.T) *pty.Pty {
	t.Helper()
	p, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// opened is what both kinds of port share.
type opened interface {
	serialport.Port
}

var kinds = map[string]func(string) (opened, error){
	"command": func(path string) (opened, error) { return serialport.OpenCommand(path, 115200) },
	"audio":   func(path string) (opened, error) { return serialport.OpenAudio(path) },
}

func eachKind(t *testing.T, f func(t *testing.T, open func(string) (opened, error))) {
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) { f(t, open) })
	}
}

func TestEveryByteValuePassesBothWaysUnchanged(t *testing.T) {
	eachKind(t, func(t *testing.T, open func(string) (opened, error)) {
		modem := openPty(t)
		port, err := open(modem.Name())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = port.Close() }()
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		for name, way := range map[string]struct {
			from io.Writer
			to   io.Reader
		}{"out": {port, modem}, "in": {modem, port}} {
			if _, err := way.from.Write(all); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got := make([]byte, len(all))
			if _, err := io.ReadFull(way.to, got); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !bytes.Equal(got, all) {
				t.Errorf("%s: the line discipline changed the bytes", name)
			}
		}
	})
}

func TestSecondOpenSaysInUse(t *testing.T) {
	eachKind(t, func(t *testing.T, open func(string) (opened, error)) {
		modem := openPty(t)
		first, err := open(modem.Name())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := open(modem.Name()); !errors.Is(err, serialport.ErrInUse) {
			t.Errorf("second open: %v, want ErrInUse", err)
		}
		if err := first.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		again, err := open(modem.Name())
		if err != nil {
			t.Fatalf("open after close: %v", err)
		}
		_ = again.Close()
	})
}

func TestAbsentNodeSaysMissing(t *testing.T) {
	eachKind(t, func(t *testing.T, open func(string) (opened, error)) {
		if _, err := open(filepath.Join(t.TempDir(), "ttyUSB9")); !errors.Is(err, serialport.ErrMissing) {
			t.Errorf("%v, want ErrMissing", err)
		}
	})
}

func TestCloseEndsABlockedRead(t *testing.T) {
	eachKind(t, func(t *testing.T, open func(string) (opened, error)) {
		port, err := open(openPty(t).Name())
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := port.Read(make([]byte, 8))
			ended <- err
		}()
		time.Sleep(20 * time.Millisecond) // lets the read block; an early close must end it as well
		if err := port.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		select {
		case err := <-ended:
			if !errors.Is(err, serialport.ErrClosed) {
				t.Errorf("read ended with %v, want ErrClosed", err)
			}
		case <-time.After(15 * time.Second):
			t.Fatal("the read did not end")
		}
	})
}

func TestUnplugEndsABlockedRead(t *testing.T) {
	eachKind(t, func(t *testing.T, open func(string) (opened, error)) {
		modem := openPty(t)
		port, err := open(modem.Name())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = port.Close() }()
		ended := make(chan error, 1)
		go func() {
			_, err := port.Read(make([]byte, 8))
			ended <- err
		}()
		_ = modem.Close()
		select {
		case err := <-ended:
			if err == nil || errors.Is(err, serialport.ErrClosed) {
				t.Errorf("read ended with %v, want the device's own error", err)
			}
		case <-time.After(15 * time.Second):
			t.Fatal("the read did not end")
		}
	})
}

func TestWriteToAStalledPortEndsAtItsDeadlineAndCloseIsQuick(t *testing.T) {
	eachKind(t, func(t *testing.T, open func(string) (opened, error)) {
		port, err := open(openPty(t).Name())
		if err != nil {
			t.Fatal(err)
		}
		if err := port.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := port.Write(make([]byte, 1<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n >= 1<<20 {
			t.Errorf("wrote %d bytes with %v, want a deadline", n, err)
		}
		start := time.Now()
		if err := port.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if d := time.Since(start); d > 10*time.Second { // the kernel would wait for 30
			t.Errorf("close took %v with unsent bytes", d)
		}
	})
}

func TestControlLinesOfAPtyAreNotAvailable(t *testing.T) {
	port, err := serialport.OpenCommand(openPty(t).Name(), 115200)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = port.Close() }()
	var lines serialport.ControlLines = port
	if err := lines.SetDTR(true); !errors.Is(err, serialport.ErrNotAvailable) {
		t.Errorf("SetDTR: %v, want ErrNotAvailable", err)
	}
	if err := lines.SetRTS(true); !errors.Is(err, serialport.ErrNotAvailable) {
		t.Errorf("SetRTS: %v, want ErrNotAvailable", err)
	}
}

// A box with many calls has more descriptors than select(2) can name; the port must still work.
func TestCommandPortWorksAboveTheSelectLimit(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur < 1200 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("only %d files may be open here; with CI=true this test may not be left out", limit.Cur)
		}
		t.Skipf("NOT RUN: only %d files may be open here", limit.Cur)
	}
	modem := openPty(t)
	var many []int
	defer func() {
		for _, fd := range many {
			_ = unix.Close(fd)
		}
	}()
	for len(many) == 0 || many[len(many)-1] < 1024 {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		many = append(many, fd)
	}
	port, err := serialport.OpenCommand(modem.Name(), 115200)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := modem.Write([]byte("OK")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	if n, err := port.Read(b); err != nil || string(b[:n]) != "OK" {
		t.Errorf("read %q, %v", b[:n], err)
	}
	if err := port.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestPublishedNameFollowsThePty(t *testing.T) {
	link := filepath.Join(t.TempDir(), "modem0-at")
	for range 2 {
		modem := openPty(t)
		if err := modem.Publish(link); err != nil {
			t.Fatal(err)
		}
		got, err := os.Readlink(link)
		if err != nil || got != modem.Name() {
			t.Errorf("link points to %q (%v), want %q", got, err, modem.Name())
		}
	}
}
