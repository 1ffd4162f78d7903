package voicemail

import (
	"bytes"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

func TestARecordingIsRepairedWhateverItsWriterManaged(t *testing.T) {
	sound := func(f wav.Format, claims int64, bytes int) []byte {
		h, err := wav.NewHeader(f, claims)
		if err != nil {
			t.Fatal(err)
		}
		return append(h[:], make([]byte, bytes)...)
	}
	linear, alaw := recordingFormat(), wav.Format{Encoding: wav.ALaw, Channels: 1, Rate: 8000}
	for name, c := range map[string]struct {
		text []byte
		want time.Duration
	}{
		"whole":                      {sound(linear, 16000, 16000), time.Second},
		"a header without length":    {sound(linear, 0, 16000), time.Second},
		"a header that knows less":   {sound(linear, 320, 16000), time.Second},
		"a header that knows more":   {sound(linear, 32000, 16000), time.Second},
		"half a sample":              {sound(linear, 0, 16001), time.Second},
		"A-law":                      {sound(alaw, 0, 8000), time.Second},
		"a header of nothing":        {make([]byte, wav.HeaderBytes+16000), time.Second},
		"a header that was begun":    {[]byte("RIFF"), 0},
		"nothing at all":             {nil, 0},
		"a header, and no sound yet": {sound(linear, 0, 0), 0},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir() + "/x.wav"
			if err := os.WriteFile(path, c.text, 0o600); err != nil {
				t.Fatal(err)
			}
			length, _, err := repair(path)
			if err != nil || length != c.want {
				t.Fatalf("%v, %v", length, err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := wav.NewReader(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if pcm, err := r.ReadAll(1 << 20); err != nil || time.Duration(len(pcm))*time.Second/8000 != c.want {
				t.Errorf("%d samples, %v", len(pcm), err)
			}
		})
	}
}

func TestAFullDiskIsToldAndLosesNothing(t *testing.T) {
	dir := smallDisk(t, 128<<10)
	o := open(t, dir)
	defer o.Close()
	if err := speak(o.spool("201_c1_1"), 3*time.Second); err != nil {
		t.Fatal(err)
	}
	fill(t, dir)
	if err := o.Deliver("201_c1_1", Message{Box: "201"}, MinLength); err != nil {
		t.Fatal(err)
	}
	o.settle()
	if n := len(o.list("201")); n != 0 {
		t.Errorf("%d messages on a full disk", n)
	}
	if err := os.Remove(dir + "/ballast"); err != nil {
		t.Fatal(err)
	}
	o.again()
	if n := len(o.list("201")); n != 1 {
		t.Errorf("%d messages when there was room again", n)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.faults) != 2 || o.faults[0] != "the disk is full; messages wait in the spool" || o.faults[1] != "ok" {
		t.Errorf("told %q", o.faults)
	}
}

// smallDisk mounts a tmpfs of its own for the test, which needs the right to mount.
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

// fill leaves not one byte.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(dir + "/ballast")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
}
