package master

import (
	"math"
	"os"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

// part is a sine of 1 kHz whose peak is at a level, in dBFS.
type part struct{ level, seconds float64 }

func sines(rate int, parts ...part) (pcm []float32) {
	for _, p := range parts {
		for range int(p.seconds * float64(rate)) {
			pcm = append(pcm, float32(decibel(p.level)*math.Sin(2*math.Pi*1000*float64(len(pcm))/float64(rate))))
		}
	}
	return pcm
}

// The signals of EBU Tech 3341 table 1, which are stereo: one channel alone is 3.01 LU below them.
func TestLoudnessIsThatOfTheEBUsSignals(t *testing.T) {
	for name, c := range map[string]struct {
		parts []part
		want  float64
	}{
		"1: a steady tone":                        {[]part{{-23, 20}}, -23},
		"2: a quiet one":                          {[]part{{-33, 20}}, -33},
		"3: quiet ends are gated":                 {[]part{{-36, 10}, {-23, 60}, {-36, 10}}, -23},
		"4: so are ends that are hardly there":    {[]part{{-72, 10}, {-36, 10}, {-23, 60}, {-36, 10}, {-72, 10}}, -23},
		"5: a louder middle counts with the rest": {[]part{{-26, 20}, {-20, 20.1}, {-26, 20}}, -23},
	} {
		for _, rate := range []int{8000, 48000} {
			if got := Loudness(sines(rate, c.parts...), rate) + 10*math.Log10(2); math.Abs(got-c.want) > 0.1 {
				t.Errorf("%s at %d Hz: %.2f LUFS, want %.1f", name, rate, got, c.want)
			}
		}
	}
}

// What ffmpeg 5.1 says of speech (filter ebur128), to its one decimal.
func TestLoudnessOfSpeechIsWhatAnotherProgramMeasures(t *testing.T) {
	for file, want := range map[string]float64{"it/greeting": -19.4, "it/vm_main_keys": -19.6, "it/closed": -19.8} {
		f, err := os.Open("../prompt/sounds/" + file + ".wav")
		if err != nil {
			t.Fatal(err)
		}
		r, err := wav.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		pcm, err := r.ReadAll(1 << 20)
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
		if got := Loudness(floats(pcm), 8000); math.Abs(got-want) > 0.06 {
			t.Errorf("%s: %.2f LUFS, want %.1f", file, got, want)
		}
	}
}

func TestSilenceHasNoLoudnessAndAShortSoundHasOne(t *testing.T) {
	if got := Loudness(make([]float32, 8000), 8000); !math.IsInf(got, -1) {
		t.Errorf("silence: %v", got)
	}
	if got := Loudness(nil, 8000); !math.IsInf(got, -1) && !math.IsNaN(got) {
		t.Errorf("no sound: %v", got)
	}
	long, short := Loudness(sines(8000, part{-20, 5}), 8000), Loudness(sines(8000, part{-20, 0.25}), 8000)
	if math.Abs(long-short) > 0.3 {
		t.Errorf("a quarter of a second is %.2f LUFS, five seconds are %.2f", short, long)
	}
}

func floats(pcm []int16) []float32 {
	out := make([]float32, len(pcm))
	for i, x := range pcm {
		out[i] = float32(x) / 32768
	}
	return out
}
