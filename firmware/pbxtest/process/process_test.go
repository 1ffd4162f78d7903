package process

import (
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The kernel's own answer about this process (getrusage) lies between two readings, but for the ticks that are not full.
func TestProcessorTimeIsThatOfTheKernel(t *testing.T) {
	own := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	for x := 0; own() < 200*time.Millisecond; x++ {
		_ = x // work
	}
	before := own()
	got, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if got < before-2*tick || got > own()+2*tick {
		t.Errorf("%v; the kernel says %v", got, before)
	}
}

func TestMemoryOfAProcessGrowsByWhatItTouches(t *testing.T) {
	before, err := RSS(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	b := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		b[i] = 1
	}
	after, err := RSS(os.Getpid())
	if err != nil || after-before < size/2 {
		t.Errorf("%d bytes before, %d after %d were touched, %v", before, after, size, err)
	}
	if b[4096] != 1 {
		t.Error("the memory was not kept")
	}
}

func TestTheMachineIsBusyOrIdle(t *testing.T) {
	busy, idle, err := Machine()
	if err != nil || busy <= 0 || idle <= 0 {
		t.Errorf("busy %v, idle %v, %v", busy, idle, err)
	}
}

func TestAProcessThatIsGoneIsAnError(t *testing.T) {
	const none = 1 << 30 // above every pid
	if _, err := CPU(none); err == nil {
		t.Error("processor time of nobody")
	}
	if _, err := RSS(none); err == nil {
		t.Error("memory of nobody")
	}
}
