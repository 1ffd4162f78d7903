package dsp

import (
	"math"
	"testing"
)

func sineOf(dBm0, hz float64, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(math.Round(Amplitude(dBm0) * math.Sin(2*math.Pi*hz*float64(i)/SampleRate)))
	}
	return pcm
}

func TestTheLevelOfASineIsItsPower(t *testing.T) {
	for _, dBm0 := range []float64{3, 0, -10, -20, -40} {
		pcm := sineOf(dBm0, 1000, 4000)
		if got := Level(pcm); math.Abs(got-dBm0) > 0.1 {
			t.Errorf("Level of %v dBm0 = %.2f", dBm0, got)
		}
		if got := ToneLevel(pcm, 1000); math.Abs(got-dBm0) > 0.1 {
			t.Errorf("ToneLevel of %v dBm0 = %.2f", dBm0, got)
		}
		if got := ToneLevel(pcm, 1200); got > dBm0-60 && got > -65 {
			t.Errorf("a tone of %v dBm0 at 1000 Hz shows %.1f at 1200", dBm0, got)
		}
	}
}

func TestTwoTonesAreToldApart(t *testing.T) {
	pcm, other := sineOf(-20, 700, 4000), sineOf(-40, 750, 4000)
	for i := range pcm {
		pcm[i] += other[i]
	}
	if a, b := ToneLevel(pcm, 700), ToneLevel(pcm, 750); math.Abs(a+20) > 0.1 || math.Abs(b+40) > 0.5 {
		t.Errorf("700 Hz %.2f, 750 Hz %.2f; want -20 and -40", a, b)
	}
}

func TestSilenceIsAtTheFloor(t *testing.T) {
	if Level(nil) != Floor || ToneLevel(nil, 425) != Floor || Level(make([]int16, 10)) != Floor {
		t.Error("silence is not at the floor")
	}
}

func TestAMeterGathersOverFrames(t *testing.T) {
	var m Meter
	pcm := sineOf(-10, 1000, 8000)
	for len(pcm) > 0 {
		m.Add(pcm[:160])
		pcm = pcm[160:]
	}
	if math.Abs(m.Level()+10) > 0.1 || math.Abs(float64(m.Peak())-Amplitude(-10)) > 2 {
		t.Errorf("level %.2f, peak %d", m.Level(), m.Peak())
	}
	m.Add([]int16{-32768})
	if m.Peak() != 32768 {
		t.Errorf("peak of the lowest sample is %d", m.Peak())
	}
	m.Reset()
	if m.Level() != Floor || m.Peak() != 0 {
		t.Error("a reset meter still shows something")
	}
}
