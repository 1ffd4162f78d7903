package gsm_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// talks lets a caller talk with the box for a while and returns the line's state afterwards.
func (d *desk) talks(t *testing.T, how func()) tel.LineChanged {
	t.Helper()
	if !d.until(serviceBar, func() bool { return d.up }) {
		t.Fatalf("never in service: %+v", d.status)
	}
	d.mu.Lock()
	before, calls := d.answered, d.status.Sound.Calls
	d.mu.Unlock()
	if err := d.sim.Ring("+393331234567"); err != nil {
		t.Fatal(err)
	}
	if !d.until(time.Minute, func() bool { return d.answered > before }) {
		t.Fatal("the call was not answered")
	}
	how()
	_ = d.sim.RemoteHangup()
	if !d.until(time.Minute, func() bool { return d.begun == d.ended && d.status.Sound.Calls > calls }) {
		t.Fatalf("the health of the sound was not told: %+v", d.status)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status
}

func TestTheHealthOfTheSoundIsToldAfterEachCallAndBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, func(s *gsmsim.Config, _ *gsm.Config) { s.PPM = 100 })
		d.hz.Store(farTone)
		good := d.talks(t, func() { time.Sleep(60 * time.Second) }).Sound
		if good.Received < 2900 || good.Dropped != 0 || good.Stalls != 0 || good.Silent != 0 || good.Calls != 1 || good.Faults != 0 || good.Delay == 0 {
			t.Errorf("a good call: %+v", good)
		}
		d.hz.Store(0)
		mute := d.talks(t, func() { time.Sleep(20 * time.Second) }).Sound
		if mute.Silent < 18 || mute.Silent > 20 || mute.Calls != 2 {
			t.Errorf("a silent far end: %+v", mute)
		}
		d.hz.Store(farTone)
		stalled := d.talks(t, func() {
			time.Sleep(5 * time.Second)
			if err := d.sim.Strike("audio_stall", ""); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Second)
		}).Sound
		if stalled.Dropped == 0 || stalled.Stalls == 0 || stalled.Faults != 1 {
			t.Errorf("a stalled port: %+v", stalled)
		}
		if !d.until(time.Minute, func() bool { return !d.up }) { // it is repaired between calls, and never in one
			t.Fatal("nothing is done about a stalled port")
		}
		again := d.talks(t, func() { time.Sleep(20 * time.Second) }).Sound
		if again.Dropped != 0 || again.Stalls != 0 || again.Faults != 1 || again.Restarts != 1 || again.Calls != 4 {
			t.Errorf("the call after it: %+v", again)
		}
	})
}

// farTone is the tone of the far end, as a desk keeps it.
var farTone = math.Float64bits(farHz)
