package power

import (
	"context"
	"encoding/binary"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func event(kind, code uint16, value uint32) []byte {
	b := make([]byte, eventSize)
	binary.NativeEndian.PutUint16(b[16:], kind)
	binary.NativeEndian.PutUint16(b[18:], code)
	binary.NativeEndian.PutUint32(b[20:], value)
	return b
}

func TestOnlyThePowerButtonGoingDownCounts(t *testing.T) {
	for _, tc := range []struct {
		name  string
		event []byte
		want  bool
	}{
		{"down", event(evKey, keyPower, 1), true},
		{"up", event(evKey, keyPower, 0), false},
		{"held", event(evKey, keyPower, 2), false},
		{"another key", event(evKey, 30, 1), false},
		{"no key", event(0, keyPower, 1), false},
		{"half an event", event(evKey, keyPower, 1)[:eventSize-1], false},
	} {
		if pressed(tc.event) != tc.want {
			t.Errorf("%s: %v", tc.name, !tc.want)
		}
	}
}

func TestAPressOfAnyButtonIsTold(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"event0", "event1", "mouse0"} {
		if err := unix.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// First, because a pipe that nobody writes to is at its end: the device would be gone. For both ways, because that
	// waits for no reader.
	second, err := os.OpenFile(filepath.Join(dir, "event1"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	ctx, cancel := context.WithCancel(t.Context())
	presses := Button(ctx, filepath.Join(dir, "event*"), slog.New(slog.DiscardHandler))
	for range 3 {
		if _, err := second.Write(append(event(evKey, 30, 1), event(evKey, keyPower, 1)...)); err != nil {
			t.Fatal(err)
		}
		<-presses
	}
	cancel()
	if _, open := <-presses; open {
		t.Error("a press that nobody made")
	}
}

func FuzzPressed(f *testing.F) {
	f.Add(event(evKey, keyPower, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if pressed(b) && len(b) != eventSize {
			t.Fatal("half an event is a press")
		}
	})
}
