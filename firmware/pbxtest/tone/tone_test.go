package tone

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zaf/g711"
)

func TestTablesAgreeWithAnotherImplementation(t *testing.T) {
	oracles := map[Law]struct {
		decode func(uint8) int16
		encode func(int16) uint8
	}{
		MuLaw: {g711.DecodeUlawFrame, g711.EncodeUlawFrame}, ALaw: {g711.DecodeAlawFrame, g711.EncodeAlawFrame},
	}
	for law, oracle := range oracles {
		c := NewCoder(law)
		for i := range 256 {
			if got, want := c.Decode(nil, []byte{byte(i)})[0], oracle.decode(uint8(i)); got != want {
				t.Fatalf("%s: byte %#x is %d, want %d", law, i, got, want)
			}
		}
		for v := math.MinInt16; v <= math.MaxInt16; v++ {
			ours := distance(v, c.Decode(nil, c.Encode(nil, []int16{int16(v)}))[0])
			if theirs := distance(v, oracle.decode(oracle.encode(int16(v)))); ours > theirs {
				t.Fatalf("%s: %d comes back %d away, another coder manages %d", law, v, ours, theirs)
			}
		}
	}
}

func distance(a int, b int16) int { return max(a-int(b), int(b)-a) }

func TestLevelIsCalibrated(t *testing.T) {
	for _, hz := range []int{300, 440, 1004, 3300} {
		if l := Level(Sine(hz, Rate), hz); math.Abs(l+12.04) > 0.1 {
			t.Errorf("%d Hz at a quarter of full scale is %.2f dB, want -12.04", hz, l)
		}
	}
	if l := Level(make([]int16, Rate), 440); l != Silence {
		t.Errorf("silence is %.1f dB", l)
	}
	if l := Level(Sine(440, Rate), 500); l > -60 {
		t.Errorf("a tone 60 Hz away leaks in at %.1f dB", l)
	}
}

func mixed(levels map[int]float64) []int16 {
	sum := make([]int16, Rate)
	for hz, factor := range levels {
		for i, v := range Sine(hz, Rate) {
			sum[i] += int16(float64(v) * factor)
		}
	}
	return sum
}

func TestHeardJudges(t *testing.T) {
	coder := NewCoder(ALaw)
	gap := Sine(440, Rate)
	clear(gap[Rate/2 : Rate/2+160])
	tests := map[string]struct {
		pcm []int16
		bad string // part of the error; empty: it is fine
	}{
		"the other alone":                       {Sine(440, Rate), ""},
		"the other through the codec":           {coder.Decode(nil, coder.Encode(nil, Sine(440, Rate))), ""},
		"the other with one lost packet":        {gap, ""},
		"a third party 30 dB down is tolerable": {mixed(map[int]float64{440: 1, 740: 0.03}), ""},
		"a third party 14 dB down is not":       {mixed(map[int]float64{440: 1, 740: 0.2}), "740 Hz at -26.0 dB"},
		"one's own echo":                        {mixed(map[int]float64{440: 1, 620: 1}), "620 Hz at -12.0 dB"},
		"only one's own":                        {Sine(620, Rate), "wanted 440 Hz"},
		"silence":                               {make([]int16, Rate), "wanted 440 Hz at -120.0 dB"},
		"the other, hardly audible":             {mixed(map[int]float64{440: 0.02}), "wanted 440 Hz at -4"},
		"nothing at all":                        {nil, "nothing was heard"},
	}
	for name, tt := range tests {
		err := Heard(tt.pcm, 440, 620, 740)
		switch {
		case tt.bad == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.bad != "" && (err == nil || !strings.Contains(err.Error(), tt.bad)):
			t.Errorf("%s: %v, want %q", name, err, tt.bad)
		}
	}
}

func TestWAVComesBack(t *testing.T) {
	pcm := Sine(440, 801)
	file := WAV(pcm)
	if got, ok := FromWAV(file); !ok || !slices.Equal(got, pcm) {
		t.Errorf("ok %v, %d samples", ok, len(got))
	}
	if got, ok := FromWAV(file[:len(file)-100]); !ok || !slices.Equal(got, pcm[:751]) {
		t.Errorf("a file that was cut: ok %v, %d samples", ok, len(got))
	}
	other := slices.Clone(file)
	other[24] = 0 // another sample rate
	for name, b := range map[string][]byte{"another rate": other, "empty": nil, "text": []byte("RIFF, but not a sound")} {
		if _, ok := FromWAV(b); ok {
			t.Errorf("%s was taken for a sound", name)
		}
	}
}

func FuzzFromWAV(f *testing.F) {
	f.Add(WAV(Sine(440, 100)))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEdata\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if pcm, ok := FromWAV(b); ok && 2*len(pcm) > len(b) {
			t.Errorf("%d samples out of %d bytes", len(pcm), len(b))
		}
	})
}

// sox, which knows nothing of us, says what the generator makes.
func TestAnOutsideProgramHearsTheTone(t *testing.T) {
	sox, err := exec.LookPath("sox")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("sox is not installed (apt install sox)")
		}
		t.Skip("left out: sox is not installed (apt install sox), so nobody else judges the generator")
	}
	path := filepath.Join(t.TempDir(), "tone.wav")
	if err := os.WriteFile(path, WAV(Sine(440, 2*Rate)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(sox, path, "-n", "stat").CombinedOutput()
	if err != nil || !regexp.MustCompile(`(?s)Maximum amplitude: +0\.25.*Rough +frequency: +4[34]\d\n`).Match(out) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestPowerIsThatOfTheTone(t *testing.T) {
	pcm := Sine(440, Rate)
	if p, l := Power(pcm), Level(pcm, 440); p < l-0.1 || p > l+0.1 {
		t.Errorf("%.2f dB, as a tone %.2f dB", p, l)
	}
	if p := Power(make([]int16, Rate)); p != Silence {
		t.Errorf("nothing has %.1f dB", p)
	}
	if p := Power(nil); p != Silence {
		t.Errorf("no samples have %.1f dB", p)
	}
}
