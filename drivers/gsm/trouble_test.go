package gsm_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/line/linetest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func withCause(c tel.LineCause) func(line.Event) bool {
	return func(e line.Event) bool { return e.Status.Cause == c }
}

func endedAs(t *testing.T, m *gsm.Modem, cause tel.Cause) {
	t.Helper()
	if e := await(t, m, line.Ended, nil); e.Cause != cause {
		t.Errorf("ended as %v, want %v", e.Cause, cause)
	}
}

func TestLostVoiceCallLinesAreMadeUpForByTheListOfCalls(t *testing.T) {
	m, far := rig(t, nil)
	far.faults(gsmsim.Faults{LosePrefix: "VOICE CALL"})
	connect(t, m, far)
	far.faults(gsmsim.Faults{LosePrefix: "+CLCC"})
	if err := far.Hangup(); err != nil {
		t.Fatal(err)
	}
	endedAs(t, m, tel.CauseNormal)
}

func TestHangupThatTheModemIgnoresEndsAndRestartsIt(t *testing.T) {
	m, far := rig(t, nil)
	connect(t, m, far)
	far.faults(gsmsim.Faults{DeafHangup: true})
	start := time.Now()
	if err := m.Hangup(t.Context(), tel.CauseNormal); err != nil {
		t.Fatal(err)
	}
	endedAs(t, m, tel.CauseNormal)
	if d := time.Since(start); d > hangUpBar {
		t.Errorf("the end took %v", d)
	}
	await(t, m, line.Status, withCause(tel.LineRestarting))
	far.faults(gsmsim.Faults{})
	await(t, m, line.Status, inService)
	if h := m.Health(); h.Resets != 1 || far.Stats().Resets != 1 {
		t.Errorf("driver counts %d resets, modem %d", h.Resets, far.Stats().Resets)
	}
}

func TestSoundThatIsRefusedAtFirstIsTriedAgain(t *testing.T) {
	m, far := rig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.SoundRefused = time.Second }) // however late the driver asks first
	media := connect(t, m, far)
	if err := linetest.BothWays(media, far); err != nil {
		t.Error(err)
	}
	if h := m.Health(); h.SoundRetries != 1 || h.SoundFailures != 0 {
		t.Errorf("health %+v", h)
	}
}

func TestCallWithoutSoundEndsAndTheModemIsRestartedWhenIdle(t *testing.T) {
	m, far := rig(t, func(_ *gsmsim.Config, g *gsm.Config) { g.Timing.AudioOn = time.Second })
	await(t, m, line.Status, inService)
	far.faults(gsmsim.Faults{SoundDead: true})
	if err := far.Ring("0611111"); err != nil {
		t.Fatal(err)
	}
	await(t, m, line.Incoming, nil)
	if err := m.Answer(t.Context()); err != nil {
		t.Fatal(err)
	}
	endedAs(t, m, tel.CauseInterfaceFailure)
	await(t, m, line.Status, withCause(tel.LineRestarting))
	far.faults(gsmsim.Faults{})
	await(t, m, line.Status, inService)
	if h := m.Health(); h.SoundFailures == 0 || h.Resets != 1 {
		t.Errorf("health %+v", h)
	}
	media := connectAgain(t, m, far)
	if err := linetest.BothWays(media, far); err != nil {
		t.Error(err)
	}
}

// connectAgain is connect on a line that is in service already.
func connectAgain(t *testing.T, m *gsm.Modem, far *farEnd) line.Media {
	t.Helper()
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

func TestStalledAudioPortNeitherBlocksTheCallersClockNorTheHangup(t *testing.T) {
	m, far := rig(t, nil)
	media := connect(t, m, far)
	far.faults(gsmsim.Faults{SoundStall: true})
	deadline := time.Now().Add(10 * time.Second)
	worst := time.Duration(0)
	for media.Stats().Overruns == 0 && time.Now().Before(deadline) {
		start := time.Now()
		var f line.Frame
		media.ReadFrame(&f)
		media.WriteFrame(&f)
		worst = max(worst, time.Since(start))
		time.Sleep(20 * time.Millisecond) // the box's clock
	}
	if media.Stats().Overruns == 0 {
		t.Error("a port that takes nothing was not noticed")
	}
	t.Logf("the slowest frame took %v", worst)
	start := time.Now()
	if err := m.Hangup(t.Context(), tel.CauseNormal); err != nil {
		t.Fatal(err)
	}
	endedAs(t, m, tel.CauseNormal)
	if d := time.Since(start); d > hangUpBar {
		t.Errorf("hang-up took %v", d)
	}
	await(t, m, line.Status, withCause(tel.LineRestarting)) // between calls, never in one
	far.faults(gsmsim.Faults{})
	await(t, m, line.Status, inService)
}

func TestModemThatRestartsInACallEndsItAndIsSetUpAgain(t *testing.T) {
	m, far := rig(t, nil)
	connect(t, m, far)
	if err := far.Restart(); err != nil {
		t.Fatal(err)
	}
	endedAs(t, m, tel.CauseInterfaceFailure)
	await(t, m, line.Status, inService)
	// The number arrives, so +CLIP was switched on again.
	media := connectAgain(t, m, far)
	if err := linetest.BothWays(media, far); err != nil {
		t.Error(err)
	}
}

func TestStuckPromptLosesOneCommandAndNoMore(t *testing.T) {
	m, far := rig(t, nil)
	await(t, m, line.Status, inService)
	far.faults(gsmsim.Faults{StuckPrompt: true})
	if err := m.Dial(t.Context(), "0612345678"); !errors.Is(err, line.ErrRefused) {
		// A sign of life may have met the prompt before the dial; then the dial goes through.
		if err != nil {
			t.Fatalf("dial: %v", err)
		}
		await(t, m, line.Proceeding, nil)
		return
	}
	if err := m.Dial(t.Context(), "0612345678"); err != nil {
		t.Fatalf("dial after the prompt: %v", err)
	}
	await(t, m, line.Proceeding, nil)
}

func TestFloodOfLinesEndsWithTheLineInService(t *testing.T) {
	m, far := rig(t, nil)
	connect(t, m, far)
	for range 50 {
		if err := far.Say(strings.Repeat("\r\n+NOISE: 1\r\n", 100)); err != nil {
			t.Fatal(err)
		}
	}
	// The call may have been given up for it, and found again; the line may not be given up.
	if err := far.Hangup(); err != nil {
		t.Fatal(err)
	}
	await(t, m, line.Ended, nil)
	deadline := time.Now().Add(10 * time.Second)
	err := m.Dial(t.Context(), "0612345678")
	for err != nil && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
		err = m.Dial(t.Context(), "0612345678")
	}
	if err != nil {
		t.Errorf("dial after the flood: %v", err)
	}
}

func TestEventsThatNobodyTakesTakeTheLineOutOfService(t *testing.T) {
	m, far := rig(t, nil)
	connect(t, m, far)
	for range 400 {
		if err := far.Press('7'); err != nil {
			break // the call is over
		}
		time.Sleep(time.Millisecond) // slower than the engine: its own bound is another test's
	}
	deadline := time.Now().Add(10 * time.Second)
	for m.Health().EventOverflows == 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if m.Health().EventOverflows == 0 {
		t.Fatal("the overflow was not noticed")
	}
	digits := 0
	await(t, m, line.Digit, func(e line.Event) bool { digits++; return digits == 100 }) // none of the first was dropped
	endedAs(t, m, tel.CauseInterfaceFailure)
	// The call itself was never cut: it is found again.
	await(t, m, line.Recovered, nil)
	await(t, m, line.Connected, nil)
}

func TestCallOfAnEarlierProcessIsTakenOverWithItsSound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	command := filepath.Join(dir, "at")
	sim, err := gsmsim.New(gsmsim.Config{Command: command, Audio: filepath.Join(dir, "pcm"), Connect: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sim.Close() }()
	for err = sim.Ring("+393331234567"); errors.Is(err, gsmsim.ErrStarting); err = sim.Ring("+393331234567") {
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	// An earlier process answered and died without a word.
	port, err := serialport.OpenCommand(command, 115200)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := port.Write([]byte("ATA\r")); err != nil {
		t.Fatal(err)
	}
	heard := ""
	for buf := make([]byte, 256); !strings.Contains(heard, "VOICE CALL: BEGIN"); {
		n, err := port.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		heard += string(buf[:n])
	}
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := gsm.Open(gsm.Config{ID: "gsm0", Timing: quick, Locate: gsm.AtPaths(command, filepath.Join(dir, "pcm"))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if e := await(t, m, line.Recovered, nil); e.Number != "+393331234567" || !e.Inbound {
		t.Errorf("recovered %+v", e)
	}
	await(t, m, line.Connected, nil)
	if _, err := m.Media(); err != nil {
		t.Error(err)
	}
	if err := sim.RemoteHangup(); err != nil {
		t.Fatal(err)
	}
	endedAs(t, m, tel.CauseNormal)
}

func TestServiceFollowsTheNetwork(t *testing.T) {
	m, far := rig(t, nil)
	e := await(t, m, line.Status, inService)
	if e.Status.Signal != -73 || e.Status.Operator != "Carrier, simulated" || e.Status.Line != "line:gsm0" {
		t.Errorf("status %+v", e.Status)
	}
	if err := far.SetNetwork(3, 5); err != nil {
		t.Fatal(err)
	}
	await(t, m, line.Status, withCause(tel.LineDenied))
	if err := m.Dial(t.Context(), "0612345678"); !errors.Is(err, line.ErrDown) {
		t.Errorf("dial without service: %v", err)
	}
	if err := m.Dial(t.Context(), "112"); errors.Is(err, line.ErrDown) {
		t.Error("an emergency call was not even tried")
	}
	if err := far.SetNetwork(5, 31); err != nil {
		t.Fatal(err)
	}
	await(t, m, line.Status, inService)
}

func TestModemOfAnUnknownKindCarriesCallsWithoutSound(t *testing.T) {
	m, far := rig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.Model = "ACME-1" })
	await(t, m, line.Status, inService)
	if m.Caps().FullDuplex {
		t.Error("sound is promised")
	}
	if err := far.Ring("0611111"); err != nil {
		t.Fatal(err)
	}
	await(t, m, line.Incoming, nil)
	if err := m.Answer(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, m, line.Connected, nil)
	if _, err := m.Media(); !errors.Is(err, line.ErrNoSupport) {
		t.Errorf("media: %v", err)
	}
	if err := far.Hangup(); err != nil {
		t.Fatal(err)
	}
	endedAs(t, m, tel.CauseNormal)
}

// pinMemory is a PINMemory that counts.
type pinMemory struct {
	mu       sync.Mutex
	tried    map[string]bool
	attempts int
}

func (p *pinMemory) Tried(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tried[key]
}

func (p *pinMemory) Remember(key string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attempts++
	p.tried[key] = true
	return nil
}

func (p *pinMemory) Forget(key string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.tried, key)
	return nil
}

func (p *pinMemory) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.attempts
}

func TestRightPINUnlocksTheSIM(t *testing.T) {
	pins := &pinMemory{tried: map[string]bool{}}
	m, _ := rig(t, func(s *gsmsim.Config, g *gsm.Config) { s.PIN, g.PIN, g.PINs = "4711", "4711", pins })
	await(t, m, line.Status, inService)
	if pins.count() != 1 || len(pins.tried) != 0 {
		t.Errorf("%d tries, %d on record", pins.count(), len(pins.tried))
	}
	var record strings.Builder
	if err := m.Recorder().Dump(&record); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(record.String(), "4711") {
		t.Error("the PIN is in the support record")
	}
}

func TestWrongPINIsTriedOnceAcrossRestarts(t *testing.T) {
	t.Parallel()
	pins := &pinMemory{tried: map[string]bool{}}
	dir := t.TempDir()
	sc := gsmsim.Config{Command: filepath.Join(dir, "at"), Audio: filepath.Join(dir, "pcm"), PIN: "4711"}
	sim, err := gsmsim.New(sc)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sim.Close() }()
	for range 3 { // three reboots must not lock the SIM
		m, err := gsm.Open(gsm.Config{ID: "gsm0", Timing: quick, Locate: gsm.AtPaths(sc.Command, sc.Audio), PIN: "0000", PINs: pins})
		if err != nil {
			t.Fatal(err)
		}
		await(t, m, line.Status, withCause(tel.LineWrongPIN))
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if pins.count() != 1 {
		t.Errorf("the wrong PIN was tried %d times", pins.count())
	}
	// The installer corrects it: that is another PIN, and two tries are left.
	m, err := gsm.Open(gsm.Config{ID: "gsm0", Timing: quick, Locate: gsm.AtPaths(sc.Command, sc.Audio), PIN: "4711", PINs: pins})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	await(t, m, line.Status, inService)
}

func TestMissingSIMAndMissingModemAreNamed(t *testing.T) {
	m, _ := rig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.NoSIM = true })
	await(t, m, line.Status, withCause(tel.LineNoSIM))
	gone, err := gsm.Open(gsm.Config{ID: "gsm1", Timing: quick, Locate: gsm.AtPaths(filepath.Join(t.TempDir(), "at"), "")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = gone.Close() }()
	await(t, gone, line.Status, withCause(tel.LineNoModem))
	if err := gone.Dial(t.Context(), "0612345678"); !errors.Is(err, line.ErrDown) {
		t.Errorf("dial: %v", err)
	}
}

func TestPortHeldByAnotherProgramIsNamed(t *testing.T) {
	var held *serialport.Command
	m, _ := rig(t, func(s *gsmsim.Config, g *gsm.Config) {
		locate := g.Locate
		g.Locate = func() ([]gsm.Ports, error) {
			p, err := locate()
			if held == nil && err == nil {
				held, err = serialport.OpenCommand(p[0].Command, 115200)
			}
			return p, err
		}
	})
	await(t, m, line.Status, withCause(tel.LineInUse))
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := held.Close(); err != nil {
		t.Error(err)
	}
}

func TestUSBModemIsFoundByItsInterfaceNumbers(t *testing.T) {
	sys := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		full := filepath.Join(sys, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("devices/1-1/idVendor", "1e0e\n")
	write("devices/1-1/idProduct", "9001\n")
	write("devices/1-1/devpath", "1.3\n")
	for iface, tty := range map[string]string{"02": "ttyUSB7", "04": "ttyUSB3"} {
		write("devices/1-1/if"+iface+"/bInterfaceNumber", iface+"\n")
		write("devices/1-1/if"+iface+"/"+tty+"/dev", "")
		if err := os.MkdirAll(filepath.Join(sys, "class/tty", tty), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(sys, "devices/1-1/if"+iface, tty), filepath.Join(sys, "class/tty", tty, "device")); err != nil {
			t.Fatal(err)
		}
	}
	got, err := gsm.OnUSB(sys, "/dev", "1.3")()
	if want := (gsm.Ports{Command: "/dev/ttyUSB7", Audio: "/dev/ttyUSB3", Device: "1-1"}); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if _, err := gsm.OnUSB(sys, "/dev", "1.4")(); !errors.Is(err, serialport.ErrMissing) {
		t.Errorf("an empty socket: %v", err)
	}
}
