package voicemail

import (
	"math"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

// frame is 20 ms of a voice, or of a quiet line.
func frame(voice bool) []int16 {
	pcm := make([]int16, 160)
	for i := range pcm {
		level := 20.0
		if voice {
			level = 6000
		}
		pcm[i] = int16(level * math.Sin(float64(i)/3))
	}
	return pcm
}

type end struct {
	length time.Duration
	why    string
}

// say writes speech and silence as a leg would.
func say(r *Recording, voice bool, d time.Duration) {
	f := frame(voice)
	for range d / (20 * time.Millisecond) {
		r.Write(f)
	}
}

func TestRecordingsEndAsTheyWereAsked(t *testing.T) {
	for name, c := range map[string]struct {
		act    func(*Recording)
		want   end
		sounds time.Duration // in the file
	}{
		"silence": {func(r *Recording) {
			say(r, true, 4*time.Second)
			say(r, false, 2*time.Second)
			say(r, true, 2*time.Second)
			say(r, false, 9*time.Second)
		}, end{8 * time.Second, ivr.WhySilence}, 8*time.Second + tail},
		"nothing said":     {func(r *Recording) { say(r, false, 9*time.Second) }, end{0, ivr.WhySilence}, tail},
		"the longest time": {func(r *Recording) { say(r, true, 40*time.Second) }, end{15 * time.Second, ivr.WhyMax}, 15 * time.Second},
		"a key":            {func(r *Recording) { say(r, true, 2*time.Second); r.Stop(ivr.WhyStopped) }, end{2 * time.Second, ivr.WhyStopped}, 2 * time.Second},
		"a hang-up at once": {func(r *Recording) { r.Stop(ivr.WhyLeft); r.Stop(ivr.WhyStopped); say(r, true, time.Second) },
			end{0, ivr.WhyLeft}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, t.TempDir())
			defer o.Close()
			got := make(chan end, 2)
			r, err := o.Record("201_c1_1", 15*time.Second, 5*time.Second, func(d time.Duration, why string) { got <- end{d, why} })
			if err != nil {
				t.Fatal(err)
			}
			c.act(r)
			if e := <-got; e != c.want {
				t.Errorf("%+v, want %+v", e, c.want)
			}
			f, err := os.Open(o.spool("201_c1_1"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			w, err := wav.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			if pcm, err := w.ReadAll(1 << 20); err != nil || lengthOf(len(pcm)) != c.sounds {
				t.Errorf("the file lasts %v, want %v (%v)", lengthOf(len(pcm)), c.sounds, err)
			}
		})
	}
}

func TestClosingTheStoreEndsRecordings(t *testing.T) {
	o := open(t, t.TempDir())
	var got end
	r, err := o.Record("201_c1_1", time.Minute, 5*time.Second, func(d time.Duration, why string) { got = end{d, why} })
	if err != nil {
		t.Fatal(err)
	}
	say(r, true, 3*time.Second)
	if _, err := o.Record("201_c1_1", time.Minute, time.Second, nil); err == nil {
		t.Error("two recordings in one file")
	}
	o.Close()
	if got != (end{3 * time.Second, ivr.WhyLeft}) {
		t.Errorf("%+v", got)
	}
}

// A disk that stands still costs the recording, never the loop that moves the audio.
func TestAStandingDiskDoesNotHoldUpTheAudio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		dir := t.TempDir()
		var got end
		r := &Recording{
			name: "x", wake: make(chan struct{}, 1), max: samplesOf(time.Hour), buf: make([]byte, 0, samplesOf(backlog)),
			file: func() (*os.File, error) { <-release; return os.Create(dir + "/x") },
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			got.length, got.why = r.write()
		}()
		say(r, true, 30*time.Second) // returns, although nothing is taken
		close(release)
		<-done
		if got != (end{backlog, ivr.WhyFailed}) {
			t.Errorf("%+v, want the %v before it stood", got, backlog)
		}
	})
}

func TestWritingSoundAllocatesNothing(t *testing.T) {
	r := &Recording{wake: make(chan struct{}, 1), max: samplesOf(10 * time.Hour), buf: make([]byte, 0, samplesOf(time.Hour))}
	f := frame(true)
	if n := testing.AllocsPerRun(1000, func() { r.Write(f) }); n != 0 {
		t.Errorf("%v allocations for a frame", n)
	}
}

func BenchmarkWrite(b *testing.B) {
	r := &Recording{wake: make(chan struct{}, 1), max: math.MaxInt, buf: make([]byte, 0, 1<<16)}
	f := frame(true)
	b.ReportAllocs()
	for b.Loop() {
		r.Write(f)
		r.buf = r.buf[:0]
	}
}

func TestAFullDiskIsToldAndLosesNothing(t *testing.T) {
	dir := smallDisk(t, 64<<10)
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
	got := make(chan end, 1)
	r, err := o.Record("201_c2_1", time.Minute, 5*time.Second, func(d time.Duration, why string) { got <- end{d, why} })
	if err != nil {
		t.Fatal(err)
	}
	say(r, true, 3*time.Second)
	if e := <-got; e.why != ivr.WhyFailed {
		t.Errorf("%+v", e)
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
