package dsp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

// judges says whether programs that share nothing with us can judge; CI must have them.
func judges(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip("not judged: ", err)
		}
	}
}

// run is what a program writes when it hears a sound.
func run(t *testing.T, input []byte, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = bytes.NewReader(input)
	var says bytes.Buffer
	cmd.Stderr = &says
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", program, err, &says)
	}
	return out
}

// recording is a WAV file of a sound.
func recording(t *testing.T, pcm []int16) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sound.wav")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := wav.Write(f, wav.Format{Encoding: wav.PCM16, Channels: 1, Rate: SampleRate}, pcm); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func played(t *testing.T, path string) []int16 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := wav.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	pcm, err := r.ReadAll(60 * SampleRate)
	if err != nil {
		t.Fatal(err)
	}
	return pcm
}

// spandsp builds libspandsp's judge; without the library there is none.
func spandsp(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "spandsp")
	out, err := exec.CommandContext(t.Context(), "cc", "-O2", "-o", program, "testdata/spandsp.c", "-lspandsp", "-lm").CombinedOutput()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: %s", err, out)
		}
		t.Skipf("not judged without libspandsp-dev: %v", err)
	}
	return program
}

func bytesOf(pcm []int16) []byte {
	out := make([]byte, 0, 2*len(pcm))
	for _, s := range pcm {
		out = binary.NativeEndian.AppendUint16(out, uint16(s))
	}
	return out
}

func soundOf(raw []byte) []int16 {
	pcm := make([]int16, len(raw)/2)
	for i := range pcm {
		pcm[i] = int16(binary.NativeEndian.Uint16(raw[2*i:]))
	}
	return pcm
}

// What the tests of this package send as caller id is what others understand, or the tests would prove
// nothing.
func TestOurCallerIDIsReadByMultimonAndMinimodem(t *testing.T) {
	judges(t, "multimon-ng", "minimodem", "sox")
	for i, s := range []sender{bell202, v23} {
		path := recording(t, s.sound(callerOf("0551234567")))
		out := string(run(t, nil, "multimon-ng", "-q", "-m", "-a", "CLIPFSK", "-t", "wav", path))
		if !strings.Contains(out, "0551234567") || !strings.Contains(out, "11281530") || !strings.Contains(out, "ROSSI MARIO") {
			t.Errorf("multimon-ng reads %q at %v Hz", out, s.mark)
		}
		if i == 0 {
			out = string(run(t, nil, "minimodem", "--rx", "-q", "-f", path, "callerid"))
			if !strings.Contains(out, "055-123-4567") && !strings.Contains(out, "0551234567") || !strings.Contains(out, "ROSSI MARIO") {
				t.Errorf("minimodem reads %q", out)
			}
			continue
		}
		raw := run(t, nil, "minimodem", "--rx", "-q", "-f", path, "-M", "1300", "-S", "2100", "1200")
		if want := callerOf("0551234567"); !bytes.Contains(raw, want[2:30]) { // it shows 7 bits of the rest
			t.Errorf("minimodem reads %q at V.23", raw)
		}
	}
}

func TestMinimodemsSignalIsReceived(t *testing.T) {
	judges(t, "minimodem")
	want := callerOf("0612345678")
	for _, tones := range [][2]string{{"1300", "2100"}, {"1200", "2200"}} {
		var pcm []int16
		send := func(data []byte, more ...string) {
			path := filepath.Join(t.TempDir(), "sent.wav")
			run(t, data, "minimodem", append([]string{"--tx", "-q", "-R", "8000", "-f", path, "-8", "-M", tones[0], "-S", tones[1], "1200"}, more...)...)
			pcm = append(pcm, played(t, path)...)
		}
		send(bytes.Repeat([]byte{0x55}, 30))
		send(bytes.Repeat([]byte{0xff}, 10), "--startbits", "0") // bits of mark
		send(want)
		pcm = append(pcm, make([]int16, 800)...)
		if got := received(pcm); !slices.Equal(got, want) {
			t.Errorf("%v Hz: %x", tones, got)
		}
	}
}

func TestCallerIDPassesBothWaysBetweenLibspandspAndUs(t *testing.T) {
	program := spandsp(t)
	for how, s := range map[string]sender{"class": bell202, "clip": v23} {
		want := callerOf("0551234567")
		sent := run(t, nil, program, "send", how, hex.EncodeToString(want[:len(want)-1]))
		if got := received(soundOf(sent)); !slices.Equal(got, want) {
			t.Errorf("%s: we receive %x", how, got)
		}
		heard := string(run(t, bytesOf(append(s.sound(want), make([]int16, 1600)...)), program, "hear", how))
		if strings.TrimSpace(heard) != hex.EncodeToString(want[:len(want)-1]) {
			t.Errorf("%s: libspandsp receives %q", how, heard)
		}
	}
	for keys, number := range map[string]string{"A0551234567#": "0551234567", "A0551234567C": "0551234567", "D1#": ""} {
		sent := soundOf(run(t, nil, program, "send", "dtmf", hex.EncodeToString([]byte(keys))))
		if got := dialledID(sent); len(got) != 1 || got[0].Number != number {
			t.Errorf("we receive %+v for %s", got, keys)
		}
		tone, _ := Digits(keys, 70*time.Millisecond, 70*time.Millisecond)
		x := newExchange(1)
		x.silent(200 * time.Millisecond)
		x.plays(tone, tone.Length()+time.Second)
		if heard := run(t, bytesOf(x.pcm), program, "hear", "dtmf"); strings.TrimSpace(string(heard)) != hex.EncodeToString([]byte(keys)) {
			t.Errorf("libspandsp receives %q for %s", heard, keys)
		}
	}
}

func TestOurCallerIDInDigitsIsReadByMultimon(t *testing.T) {
	judges(t, "multimon-ng", "sox")
	const keys = "A0551234567C"
	tone, _ := Digits(keys, 70*time.Millisecond, 70*time.Millisecond)
	x := newExchange(1)
	x.plays(tone, tone.Length()+time.Second)
	out := string(run(t, nil, "multimon-ng", "-q", "-m", "-a", "DTMF", "-t", "wav", recording(t, x.pcm)))
	if got := strings.Join(strings.Fields(strings.ReplaceAll(out, "DTMF:", "")), ""); got != keys {
		t.Errorf("multimon-ng reads %q", got)
	}
}

// libspandsp's tone detector and ours say the same of the same sounds.
func TestLibspandspHearsTheSameTones(t *testing.T) {
	program := spandsp(t)
	for _, c := range []struct {
		name          string
		sound, sought Cadence
	}{
		{"busy", single(SignalBusy, 425, 500, 500), single(SignalBusy, 425, 500, 500)},
		{"congestion", single(SignalCongestion, 425, 200, 200), single(SignalCongestion, 425, 200, 200)},
		{"congestion for busy", single(SignalCongestion, 425, 200, 200), single(SignalBusy, 425, 500, 500)},
		{"ringing for busy", single(SignalRingback, 425, 1000, 4000), single(SignalBusy, 425, 500, 500)},
		{"busy of 700 Hz", single(SignalBusy, 700, 500, 500), single(SignalBusy, 425, 500, 500)},
	} {
		x := newExchange(9)
		x.silent(2 * time.Second)
		x.says(c.sound, -18, 8*time.Second)
		x.silent(2 * time.Second)
		x.noise(-55)
		out := run(t, bytesOf(x.pcm), program, "tones", fmt.Sprint(c.sought.Hz[0]),
			fmt.Sprint(c.sought.OnOff[0].Milliseconds()), fmt.Sprint(c.sought.OnOff[1].Milliseconds()), "4")
		theirs := strings.TrimSpace(string(out)) == "tone"
		events, _ := hears(NewProgress(Network{Cadences: []Cadence{c.sought}}, Learned{}), x.pcm)
		if ours := hungUp(events); ours != theirs || ours != (c.sound.Hz == c.sought.Hz && slices.Equal(c.sound.OnOff, c.sought.OnOff)) {
			t.Errorf("%s: libspandsp %v, we %v", c.name, theirs, ours)
		}
	}
}
