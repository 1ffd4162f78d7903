package dsp

import (
	"math"
	"testing"
	"time"
)

// edges lists for how long pcm is on and off in turns, in ms, seen through blocks of 5 ms.
func edges(pcm []int16) []int {
	var out []int
	on := true
	for i := 0; i+40 <= len(pcm); i += 40 {
		if loud := Level(pcm[i:i+40]) > -30; loud != on || len(out) == 0 {
			on = loud
			out = append(out, 0)
		}
		out[len(out)-1] += 5
	}
	return out
}

func TestItalianTonesHaveTheirFrequencyAndCadence(t *testing.T) {
	for name, c := range map[string]struct {
		tone Tone
		want []int
	}{
		"dial":         {Dial(), []int{200, 200, 600, 1000, 200, 200, 600, 1000}},
		"ringback":     {Ringback(), []int{1000, 4000, 1000, 4000}},
		"busy":         {Busy(), []int{500, 500, 500, 500}},
		"congestion":   {Congestion(), []int{200, 200, 200, 200}},
		"call waiting": {CallWaiting(), []int{400, 100, 250, 100, 150, 14000, 400, 100, 250, 100, 150, 14000}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewGenerator(c.tone)
			var pcm []int16
			frame := make([]int16, 160)
			for len(pcm) < int(2*c.tone.Length()*SampleRate/time.Second) {
				if !g.Next(frame) {
					t.Fatal("the tone ended")
				}
				pcm = append(pcm, frame...)
			}
			got := edges(pcm[:2*int(c.tone.Length()*SampleRate/time.Second)])
			if len(got) != len(c.want) {
				t.Fatalf("cadence %v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] < c.want[i]-5 || got[i] > c.want[i]+5 {
					t.Errorf("cadence %v, want %v", got, c.want)
					break
				}
			}
			on := pcm[80 : c.want[0]*8-80]
			if level := ToneLevel(on, 425); math.Abs(level+10) > 0.3 || level < Level(on)-0.1 {
				t.Errorf("425 Hz at %.2f of %.2f dBm0", level, Level(on))
			}
		})
	}
}

func TestATonePlayedOnceEnds(t *testing.T) {
	tone, ok := Digits("5", 100*time.Millisecond, 50*time.Millisecond)
	if !ok {
		t.Fatal("5 is a key")
	}
	g := NewGenerator(tone)
	pcm := make([]int16, 8*150-1)
	if !g.Next(pcm) {
		t.Error("it ended early")
	}
	if g.Next(pcm[:1]) || g.Next(pcm[:160]) {
		t.Error("it did not end")
	}
	if a, b := ToneLevel(pcm[:800], 770), ToneLevel(pcm[:800], 1336); math.Abs(a+9) > 0.5 || math.Abs(b+9) > 0.5 {
		t.Errorf("770 Hz %.1f, 1336 Hz %.1f dBm0", a, b)
	}
}

func TestOnlyKeysCanBeDialled(t *testing.T) {
	for _, dial := range []string{"12 3", "+39", "E", "è"} {
		if _, ok := Digits(dial, time.Second, time.Second); ok {
			t.Errorf("%q was taken", dial)
		}
	}
	if tone, ok := Digits("0123456789*#ABCDabcd", time.Second, time.Second); !ok || len(tone.Steps) != 40 {
		t.Errorf("%v, %d steps", ok, len(tone.Steps))
	}
}

func TestAToneWithoutLengthCannotHangTheGenerator(t *testing.T) {
	frame := make([]int16, 160)
	for _, tone := range []Tone{{}, {Steps: []Step{{}}}, {Steps: []Step{{For: -time.Second}}}, {Steps: []Step{{For: time.Nanosecond}}}} {
		if NewGenerator(tone).Next(frame) {
			t.Errorf("%+v goes on", tone)
		}
	}
}

func TestTonesDoNotAllocate(t *testing.T) {
	g := NewGenerator(Busy())
	frame := make([]int16, 160)
	if n := testing.AllocsPerRun(200, func() { g.Next(frame) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}
