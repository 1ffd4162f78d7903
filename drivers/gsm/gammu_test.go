package gsm_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/drivers/gsm/sms"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
)

// judge is gammu, which knows nothing of us, on a simulated modem that no driver of ours uses.
type judge struct {
	t       *testing.T
	program string
	rc      string
	sim     *gsmsim.Sim
}

// newJudge plugs a modem in, which edits may change.
func newJudge(t *testing.T, edits ...func(*gsmsim.Config)) *judge {
	t.Helper()
	t.Parallel()
	j := &judge{t: t, program: pbxtest.Tool(t, "gammu", "gammu")}
	dir := t.TempDir()
	at := filepath.Join(dir, "modem0-at")
	var err error
	cfg := gsmsim.Config{Command: at, Audio: filepath.Join(dir, "modem0-pcm")}
	for _, edit := range edits {
		edit(&cfg)
	}
	if j.sim, err = gsmsim.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.sim.Close() })
	j.rc = filepath.Join(dir, "rc")
	conf := fmt.Sprintf("[gammu]\ndevice = %s\nconnection = at115200\nlogfile = %s\nlogformat = textall\n", at, filepath.Join(dir, "log"))
	if err := os.WriteFile(j.rc, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return j
}

// run runs one command of gammu and returns what it said.
func (j *judge) run(args ...string) string {
	j.t.Helper()
	cmd := exec.CommandContext(j.t.Context(), j.program, append([]string{"-c", j.rc}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(filepath.Dir(j.rc), "log"))
		j.t.Fatalf("gammu %v: %v\n%s\n%s", args, err, out, log[max(0, len(log)-4000):])
	}
	return string(out)
}

var long = strings.Repeat("Gentile cliente, l'ordine n. 1234 è pronto {€} ", 9)

// judged are texts in each coding, whole and in parts.
var judged = map[string]string{
	"in the alphabet":           "Perché no? Così è [50€]",
	"in the alphabet, in parts": long,
	"in UCS-2":                  "Grüße, 世界 😀 ça va",
	"in UCS-2, in parts":        strings.Repeat("привет, 世界! ", 20),
}

func TestGammuKnowsTheSimulatedModem(t *testing.T) {
	if out := newJudge(t).run("identify"); !strings.Contains(out, "860000000000001") || !strings.Contains(out, "SIMCOM") {
		t.Errorf("gammu says\n%s", out)
	}
}

func TestGammuSendsThroughTheSimulatedModemWhatTheCentreReads(t *testing.T) {
	for name, text := range judged {
		t.Run(name, func(t *testing.T) {
			j := newJudge(t)
			args := []string{"sendsms", "TEXT", "+393337654321", "-report", "-len", "1500", "-text", text}
			if strings.Contains(name, "UCS-2") {
				args = append(args, "-unicode")
			}
			j.run(args...)
			all := j.sim.SentMessages()
			if len(all) != 1 || all[0].Text != text || all[0].To != "+393337654321" || !all[0].Report {
				t.Errorf("the centre has %+v", all)
			}
		})
	}
}

func TestGammuReadsWhatTheSimulatedCentreDelivers(t *testing.T) {
	for name, text := range judged {
		t.Run(name, func(t *testing.T) {
			j := newJudge(t)
			if err := j.sim.Deliver("TIM-Info", text); err != nil {
				t.Fatal(err)
			}
			if out := j.run("geteachsms"); !strings.Contains(out, text) || !strings.Contains(out, `"TIM-Info"`) {
				t.Errorf("gammu reads\n%s\nof %q", out, text)
			}
		})
	}
}

func TestGammuReadsThePDUsOfTheDriver(t *testing.T) {
	for name, text := range judged {
		t.Run(name, func(t *testing.T) {
			j := newJudge(t)
			pdus, err := sms.Compose(line.OutgoingMessage{To: "+393337654321", Text: text, Join: 42, Report: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range pdus {
				if err := j.sim.Keep(p.Hex, p.Octets); err != nil {
					t.Fatal(err)
				}
			}
			out := j.run("geteachsms")
			if !strings.Contains(out, text) || !strings.Contains(out, `"+393337654321"`) {
				t.Errorf("gammu reads\n%s\nof %q", out, text)
			}
			if n := len(pdus); n > 1 && !strings.Contains(out, fmt.Sprintf("%d SMS parts in 1 SMS sequences", n)) {
				t.Errorf("gammu joins otherwise:\n%s", out)
			}
		})
	}
}
