package fxosim_test

import (
	"bytes"
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim"
	"github.com/pronto-pbx/pronto/firmware/line/linetest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	greetingHz = 1200 // what vgetty plays
	callerHz   = 700  // what the far end says, and vgetty records
)

// answering is vgetty as an answering machine on a simulated line, in a mount namespace of its own: it knows its
// files by fixed names.
type answering struct {
	*testing.T
	sim   *fxosim.Sim
	dir   string
	ended chan struct{}

	mu    sync.Mutex
	heard []int16 // by the far end
}

func (a *answering) command(input []byte, name string, args ...string) []byte {
	a.Helper()
	cmd := exec.CommandContext(a.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(input)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		a.Fatalf("%s %v: %v\n%s", name, args, err, errs.String())
	}
	return out
}

func newAnswering(t *testing.T, family fxosim.Family) *answering {
	t.Helper()
	pbxtest.Tool(t, "vgetty", "mgetty-voice")
	pbxtest.Tool(t, "pvftormd", "mgetty-pvftools")
	a := &answering{T: t, dir: t.TempDir(), ended: make(chan struct{}, 1)}
	port := filepath.Join(a.dir, "modem0")
	tone := linetest.Tone{Hz: callerHz}
	var err error
	a.sim, err = fxosim.New(fxosim.Config{
		Path: port, Family: family,
		Source: func(f *fxosim.Frame) { tone.Fill(f) },
		Sink: func(f *fxosim.Frame) {
			a.mu.Lock()
			a.heard = append(a.heard, f[:]...)
			a.mu.Unlock()
		},
		Ended: func() { a.ended <- struct{}{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.sim.Close() })
	device, err := os.Readlink(port)
	if err != nil {
		t.Fatal(err)
	}
	a.furnish(strings.TrimPrefix(device, "/dev/"))
	a.start(strings.TrimPrefix(device, "/dev/"))
	return a
}

// furnish makes vgetty's files.
func (a *answering) furnish(device string) {
	a.Helper()
	for _, d := range []string{"etc", "log", "lock", "spool/incoming", "spool/messages"} {
		if err := os.MkdirAll(filepath.Join(a.dir, d), 0o755); err != nil {
			a.Fatal(err)
		}
	}
	greeting := a.command(a.command(nil, "pvfsine", "-L", "2", "-F", "1200", "-s", "8000"), "pvftormd", "V253modem", "8")
	for name, text := range map[string]string{
		"etc/voice.conf": "part generic\nforceV253 true\nvoice_log_level 6\nvoice_dir " + a.dir + "/spool\nport_speed 115200\ndo_hard_flow false\n" +
			"enable_compression_mapping_querry true\nrec_compression 8\nrec_speed 8000\nraw_data false\nrec_silence_len 0\nrec_max_len 4\nbeep_length 1\nport_timeout 20\n" +
			"part vgetty\nrings 2\nanswer_mode voice\nforce_autodetect true\nmessage_program\ncall_program\ndtmf_program\nbutton_program\ndo_message_light false\nport " + device + "\n",
		"etc/mgetty.config":           "speed 115200\nport " + device + "\ndata-only no\nport-owner root\nport-group root\nport-mode 600\n",
		"etc/login.config":            "",
		"etc/dialin.config":           "",
		"spool/messages/Index":        "greeting.rmd\n",
		"spool/messages/greeting.rmd": string(greeting),
		"spool/messages/standard.rmd": string(greeting),
	} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
			a.Fatal(err)
		}
	}
}

// start runs vgetty until the end of the test.
func (a *answering) start(device string) {
	a.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "sh", "-c",
		`mount --bind "$0/etc" /etc/mgetty && mount --bind "$0/log" /var/log/mgetty && mount --bind "$0/lock" /run/lock && exec vgetty -x 6 -s 115200 "$1"`, a.dir, device)
	if os.Getuid() != 0 {
		cmd.Args = append([]string{"unshare", "--map-root-user"}, cmd.Args[1:]...)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		a.Fatal(err)
	}
	a.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if a.Failed() {
			logs, _ := filepath.Glob(filepath.Join(a.dir, "log", "*"))
			for _, l := range logs {
				text, _ := os.ReadFile(l)
				a.Logf("%s:\n%s", l, text[max(0, len(text)-12000):])
			}
			a.Log(out.String())
		}
	})
}

// until waits for what can be observed.
func (a *answering) until(what string, holds func() bool) {
	a.Helper()
	for deadline := time.Now().Add(60 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			a.Fatalf("vgetty does not %s", what)
		}
	}
}

// hears reports that the far end heard half a second of the tone.
func (a *answering) hears(hz float64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.heard)
	return n >= 4000 && linetest.Purity(a.heard[n-4000:], hz) > 20
}

// recorded is what vgetty wrote, as samples: converted by its own tools to text.
func (a *answering) recorded() []float64 {
	files, _ := filepath.Glob(filepath.Join(a.dir, "spool/incoming/v-*"))
	if len(files) != 1 {
		return nil
	}
	rmd, err := os.ReadFile(files[0])
	if err != nil || len(rmd) < 8000 {
		return nil
	}
	pvf := a.command(a.command(rmd, "rmdtopvf"), "pvfcut", "-H", "0.5", "-T", "0.5")
	text := a.command(pvf, "pvftolin", "-C") // 8-bit unsigned, raw
	pcm := make([]float64, len(text))
	for i, b := range text {
		pcm[i] = float64(int(b) - 128)
	}
	return pcm
}

func toneShare(pcm []float64, hz float64) float64 {
	var re, im, all float64
	for i, v := range pcm {
		re += v * math.Cos(2*math.Pi*hz*float64(i)/8000)
		im += v * math.Sin(2*math.Pi*hz*float64(i)/8000)
		all += v * v
	}
	return 2 * (re*re + im*im) / float64(len(pcm)) / all
}

// vgetty shares no code with the simulation: it finds the modem, answers a call, plays, records, and lets go.
func TestVgettyAnswersPlaysAndRecordsOnTheSimulatedLine(t *testing.T) {
	t.Parallel()
	a := newAnswering(t, fxosim.Conexant())
	a.until("wait for calls", func() bool {
		logs, _ := filepath.Glob(filepath.Join(a.dir, "log", "*"))
		for _, l := range logs {
			if text, err := os.ReadFile(l); err == nil && strings.Contains(string(text), "waiting...") {
				return true
			}
		}
		return false
	})
	if err := a.sim.Ring("0551234567"); err != nil {
		t.Fatal(err)
	}
	a.until("answer", a.sim.OffHook)
	a.until("play its greeting", func() bool { return a.hears(greetingHz) })
	var pcm []float64
	a.until("record", func() bool { pcm = a.recorded(); return len(pcm) > 8000 && !a.sim.OffHook() })
	if share := toneShare(pcm, callerHz); share < 0.9 {
		t.Errorf("the far end's tone is %.2f of what vgetty recorded", share)
	}
	select {
	case <-a.ended:
	default:
		t.Error("the exchange does not know that the call is over")
	}
}
