package gsmsim_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/drivers/serialport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for a word of the modem.
const patience = 10 * time.Second

// terminal is a person at the command port.
type terminal struct {
	t    *testing.T
	port serialport.Stream // raw, with a read deadline
	rest string
}

func connect(t *testing.T, cfg gsmsim.Config) (*gsmsim.Sim, *terminal) {
	t.Helper()
	cfg.Command = filepath.Join(t.TempDir(), "modem0-at")
	cfg.RingEvery = 50 * time.Millisecond
	cfg.Connect = time.Millisecond
	sim, err := gsmsim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	port, err := serialport.OpenAudio(cfg.Command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = port.Close() })
	term := &terminal{t: t, port: port}
	// What it said before the port was open is lost, so it starts once more; but only when its first start is over, and
	// nothing of that will be taken for the second: it then takes a call.
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		err := sim.Ring("0")
		if err == nil {
			break
		}
		if !errors.Is(err, gsmsim.ErrStarting) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
	term.says("", "RING")
	if err := sim.Restart(); err != nil {
		t.Fatal(err)
	}
	term.says("", "PB DONE")
	return sim, term
}

// says sends a command and reads until the modem has said want.
func (x *terminal) says(cmd, want string) string {
	x.t.Helper()
	if cmd != "" {
		if _, err := x.port.Write([]byte(cmd + "\r")); err != nil {
			x.t.Fatal(err)
		}
	}
	_ = x.port.SetReadDeadline(time.Now().Add(patience))
	heard := x.rest
	for buf := make([]byte, 512); ; {
		if i := strings.Index(heard, want); i >= 0 {
			x.rest = heard[i+len(want):]
			return heard[:i+len(want)]
		}
		n, err := x.port.Read(buf)
		if err != nil {
			x.t.Fatalf("%s: heard %q, want %q: %v", cmd, heard, want, err)
		}
		heard += string(buf[:n])
	}
}

func TestEchoIsOnUntilItIsSwitchedOff(t *testing.T) {
	_, x := connect(t, gsmsim.Config{})
	if got := x.says("AT", "\r\nOK\r\n"); !strings.Contains(got, "AT\r\r\nOK") {
		t.Errorf("heard %q", got)
	}
	x.says("ATE0", "\r\nOK\r\n")
	if got := x.says("AT", "\r\nOK\r\n"); strings.Contains(got, "AT\r") {
		t.Errorf("heard %q", got)
	}
}

func TestRulesOfTheManual(t *testing.T) {
	sim, x := connect(t, gsmsim.Config{})
	x.says("ATE0", "OK\r\n")
	x.says("AT+CPCMREG=1", "ERROR\r\n") // no audio outside a call
	x.says("ATA", "NO CARRIER\r\n")
	x.says("AT+VTS=1", "ERROR\r\n")
	x.says("AT+NONSENSE=1", "ERROR\r\n")
	x.says("AT+CLIP=1", "OK\r\n")
	x.says("AT+CLCC=1", "OK\r\n")
	if err := sim.Ring("+39333"); err != nil {
		t.Fatal(err)
	}
	x.says("", `+CLCC: 1,1,4,0,0,"+39333",145`)
	x.says("", `+CLIP: "+39333",145,,,,0`)
	x.says("", "RING") // and again
	if err := sim.Ring("0611"); !errors.Is(err, gsmsim.ErrBusy) {
		t.Errorf("a second caller: %v", err)
	}
	x.says("ATA", "VOICE CALL: BEGIN\r\n")
	x.says("AT+CPCMREG=1", "OK\r\n")
	x.says("AT+CPCMREG?", "+CPCMREG: 1\r\n")
	x.says("AT+CHUP", "VOICE CALL: END: 000000\r\n")
	x.says("", `+CLCC: 1,1,6`)
	x.says("", "NO CARRIER\r\n")
	x.says("AT+CPCMREG?", "+CPCMREG: 0\r\n")
	if err := sim.RemoteHangup(); !errors.Is(err, gsmsim.ErrNoCall) {
		t.Errorf("hang-up without a call: %v", err)
	}
}

func TestReplugMovesTheLinkToAnotherPort(t *testing.T) {
	link := filepath.Join(t.TempDir(), "modem0-at")
	sim, err := gsmsim.New(gsmsim.Config{Command: link})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sim.Close() }()
	if err := sim.Unplug(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(link); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link outlives the modem: %v", err)
	}
	if err := sim.Ring("0611"); !errors.Is(err, gsmsim.ErrUnplugged) {
		t.Errorf("ring: %v", err)
	}
	if err := sim.Plug(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(link); err != nil {
		t.Error(err)
	}
	if sim.Stats().Plugs != 2 {
		t.Errorf("%d plugs", sim.Stats().Plugs)
	}
}
