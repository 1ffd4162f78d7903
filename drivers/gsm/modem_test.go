package gsm_test

import (
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim/farend"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/drivers/serialport/wire"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/line/linetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick are the waits of a modem that has no radio: shorter where a test waits for them to pass, and long
// enough elsewhere that a busy machine is not taken for a silent modem.
var quick = gsm.Timing{
	Announce: 150 * time.Millisecond, RingGap: 3 * time.Second, Command: 5 * time.Second,
	AudioOn: 5 * time.Second, AudioTry: 50 * time.Millisecond, Poll: 500 * time.Millisecond,
	Rung:  [3]time.Duration{300 * time.Millisecond, 300 * time.Millisecond, 300 * time.Millisecond},
	Cause: 500 * time.Millisecond, Settle: 50 * time.Millisecond, Probe: 400 * time.Millisecond,
	Reply: 2 * time.Second, Health: time.Second, Survey: 2 * time.Second, BootGrace: 10 * time.Second,
	Reopen: []time.Duration{50 * time.Millisecond},
}

// farEnd is the far end of a rig, with its faults.
type farEnd struct{ *farend.End }

func (f *farEnd) faults(x gsmsim.Faults) { f.SetFaults(func(o *gsmsim.Faults) { *o = x }) }

// rig is a modem on its own ptys. edit may change the simulated modem and the driver's config.
func rig(t *testing.T, edit func(*gsmsim.Config, *gsm.Config)) (*gsm.Modem, *farEnd) {
	t.Helper()
	t.Parallel() // these tests mostly wait
	dir := t.TempDir()
	command, audio := filepath.Join(dir, "modem0-at"), filepath.Join(dir, "modem0-pcm")
	return plugged(t, gsmsim.Config{Command: command, Audio: audio}, gsm.Config{Locate: gsm.AtPaths(command, audio)}, edit)
}

// virtualRig is one on ports in memory, for a bubble.
func virtualRig(t *testing.T, edit func(*gsmsim.Config, *gsm.Config)) (*gsm.Modem, *farEnd) {
	t.Helper()
	bus := &wire.Bus{}
	return plugged(t, gsmsim.Config{
		Ports: func() (command, audio serialport.Stream, err error) { return bus.Plug("at"), bus.Plug("pcm"), nil },
	}, gsm.Config{Bus: bus, Locate: gsm.AtPaths("at", "pcm")}, edit)
}

// plugged is a modem with its far end, on the ports of sc and gc.
func plugged(t *testing.T, sc gsmsim.Config, gc gsm.Config, edit func(*gsmsim.Config, *gsm.Config)) (*gsm.Modem, *farEnd) {
	t.Helper()
	sc.RingEvery, sc.Connect = 200*time.Millisecond, 20*time.Millisecond
	gc.ID, gc.Name, gc.Timing = "gsm0", "Mobile", quick
	if edit != nil {
		edit(&sc, &gc)
	}
	end, err := farend.New(sc)
	if err != nil {
		t.Fatal(err)
	}
	far := &farEnd{end}
	t.Cleanup(func() {
		if err := end.Close(); err != nil {
			t.Error(err)
		}
	})
	m, err := gsm.Open(gc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m, far
}

func TestModemKeepsTheContractOfALine(t *testing.T) {
	linetest.Run(t, func(t *testing.T) linetest.Rig {
		m, far := rig(t, nil)
		return linetest.Rig{Line: m, Far: far}
	})
}

// The same contract must hold on a bad day of the same modem.
func TestModemKeepsTheContractWithEchoDoubledCRAndSplitBytes(t *testing.T) {
	linetest.RunInBubble(t, func(t *testing.T) linetest.Rig {
		m, far := virtualRig(t, nil)
		far.faults(gsmsim.Faults{EchoStuck: true, DoubledCR: true, Split: true})
		return linetest.Rig{Line: m, Far: far}
	})
}

// deafMedia loses one direction.
type deafMedia struct {
	line.Media
	in, out bool
}

func (d deafMedia) ReadFrame(f *line.Frame) bool {
	ok := d.Media.ReadFrame(f)
	if d.in {
		clear(f[:])
	}
	return ok
}

func (d deafMedia) WriteFrame(f *line.Frame) bool {
	if d.out {
		return d.Media.WriteFrame(&line.Frame{})
	}
	return d.Media.WriteFrame(f)
}

func TestTheSuiteNoticesAMutedDirection(t *testing.T) {
	m, far := rig(t, nil)
	media := connect(t, m, far)
	if err := linetest.BothWays(media, far); err != nil {
		t.Fatal(err)
	}
	for _, d := range []deafMedia{{media, true, false}, {media, false, true}} {
		if err := linetest.BothWays(d, far); err == nil {
			t.Errorf("in muted %v, out muted %v: the suite heard both", d.in, d.out)
		}
	}
}

// await reads events until one of the kind comes.
func await(t *testing.T, m *gsm.Modem, kind line.EventKind, match func(line.Event) bool) line.Event {
	t.Helper()
	timeout := time.After(15 * time.Second)
	var passed []line.Event
	defer func() {
		if t.Failed() {
			t.Logf("events meanwhile: %+v; health %+v", passed, m.Health())
			_ = m.Recorder().Dump(t.Output())
		}
	}()
	for {
		select {
		case e, ok := <-m.Events():
			if !ok {
				t.Fatal("the events ended")
			}
			passed = append(passed, e)
			if e.Kind == kind && (match == nil || match(e)) {
				return e
			}
		case <-timeout:
			t.Fatalf("event %d did not come", kind)
		}
	}
}

func inService(e line.Event) bool { return e.Status.Up }

// connect brings a caller to Connected.
func connect(t *testing.T, m *gsm.Modem, far *farEnd) line.Media {
	t.Helper()
	await(t, m, line.Status, inService)
	if err := far.Ring("+393331234567"); err != nil {
		t.Fatal(err)
	}
	await(t, m, line.Incoming, nil)
	if err := m.Answer(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, m, line.Connected, nil)
	media, err := m.Media()
	if err != nil {
		t.Fatal(err)
	}
	return media
}

func TestOpenNeedsALineAndItsPorts(t *testing.T) {
	if _, err := gsm.Open(gsm.Config{}); err == nil {
		t.Error("an empty config opened")
	}
	if _, err := gsm.Open(gsm.Config{ID: "gsm0"}); err == nil {
		t.Error("a config without ports opened")
	}
}
