package dsp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// machine makes the sounds of a fax machine or a modem, with noise below them.
type machine struct {
	pcm    []int16
	phase  float64
	random *rand.Rand
	noise  float64 // dBm0
}

func newMachine(lead int, noise float64) *machine {
	m := &machine{random: rand.New(rand.NewPCG(5, uint64(lead))), noise: noise}
	m.sine(0, -200, lead)
	return m
}

func (m *machine) sine(hz, level float64, samples int) {
	for range samples {
		m.phase += 2 * math.Pi * hz / SampleRate
		v := Amplitude(level)*math.Sin(m.phase) + m.random.NormFloat64()*Amplitude(m.noise)/math.Sqrt2
		m.pcm = append(m.pcm, clip(float32(v)))
	}
}

// flags sends V.21 channel 2 bits of as many flags as fit, each beginning when its time has come.
func (m *machine) flags(level float64, flags int, off float64) {
	bits := []int{0, 1, 1, 1, 1, 1, 1, 0}
	start := len(m.pcm)
	for i := range 8 * flags {
		hz := 1650 + off
		if bits[i%8] == 0 {
			hz = 1850 + off
		}
		m.sine(hz, level, start+int(float64(i+1)*SampleRate/300)-len(m.pcm))
	}
}

// tones lists what the detector finds, hearing frames of 20 ms; idle frames are looked at one in three
// if thrifty.
func tones(pcm []int16, thrifty bool) (found []ModemTone) {
	var m Modem
	for i := 0; i+160 <= len(pcm); i += 160 {
		if thrifty && !m.Engaged() && i/160%3 != 0 {
			continue
		}
		if t := m.Process(pcm[i : i+160]); t != 0 {
			found = append(found, t)
		}
	}
	return found
}

func TestTheTonesOfMachinesAreFoundAtTheirLimits(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(*machine)
		want []ModemTone
	}{
		{"CNG", func(m *machine) { m.sine(1100, -12, 4000); m.sine(0, -200, 1600) }, []ModemTone{CNG}},
		{"CNG 38 Hz low and 15 % short", func(m *machine) { m.sine(1062, -12, 3400); m.sine(0, -200, 1600) }, []ModemTone{CNG}},
		{"CNG 38 Hz high and 15 % long", func(m *machine) { m.sine(1138, -12, 4600); m.sine(0, -200, 1600) }, []ModemTone{CNG}},
		{"CNG at -40 dBm0", func(m *machine) { m.sine(1100, -40, 4000); m.sine(0, -200, 1600) }, []ModemTone{CNG}},
		{"two CNG", func(m *machine) {
			for range 2 {
				m.sine(1100, -20, 4000)
				m.sine(0, -200, 24000)
			}
		}, []ModemTone{CNG, CNG}},
		{"1100 Hz that does not end", func(m *machine) { m.sine(1100, -12, 16000) }, nil},
		{"1100 Hz for 250 ms", func(m *machine) { m.sine(1100, -12, 2000); m.sine(0, -200, 1600) }, nil},
		{"1000 Hz", func(m *machine) { m.sine(1000, -12, 4000); m.sine(0, -200, 1600) }, nil},
		{"CED", func(m *machine) { m.sine(2100, -12, 24000) }, []ModemTone{CED}},
		{"CED 15 Hz low", func(m *machine) { m.sine(2085, -12, 24000) }, []ModemTone{CED}},
		{"CED 15 Hz high", func(m *machine) { m.sine(2115, -12, 24000) }, []ModemTone{CED}},
		{"2100 Hz for 400 ms", func(m *machine) { m.sine(2100, -12, 3200); m.sine(0, -200, 1600) }, nil},
		{"2130 Hz of a caller display", func(m *machine) { m.sine(2130, -12, 8000) }, nil},
		{"CED whose phase turns each 450 ms", func(m *machine) {
			for range 4 {
				m.sine(2100, -12, 3600)
				m.phase += math.Pi
			}
		}, []ModemTone{CED, Reversal, Reversal}},
		{"the preamble of V.21", func(m *machine) { m.flags(-12, 37, 0) }, []ModemTone{V21}},
		{"the preamble, weak", func(m *machine) { m.flags(-38, 37, 0) }, []ModemTone{V21}},
		{"the preamble, 12 Hz off", func(m *machine) { m.flags(-12, 37, 12) }, []ModemTone{V21}},
		{"1650 Hz alone", func(m *machine) { m.sine(1650, -12, 16000) }, nil},
		{"1850 Hz alone", func(m *machine) { m.sine(1850, -12, 16000) }, nil},
		{"an Italian busy tone", func(m *machine) {
			for range 8 {
				m.sine(425, -10, 4000)
				m.sine(0, -200, 4000)
			}
		}, nil},
		{"the information tones of a network", func(m *machine) {
			for _, hz := range []float64{950, 1400, 1800} {
				m.sine(hz, -10, 2640)
			}
			m.sine(0, -200, 1600)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			step := 37
			if testing.Short() {
				step = 211
			}
			for lead := 0; lead < 480; lead += step {
				m := newMachine(lead, -60)
				c.make(m)
				for _, thrifty := range []bool{false, true} {
					if got := tones(m.pcm, thrifty); !slices.Equal(got, c.want) {
						t.Fatalf("beginning at %d, thrifty %v: found %v, want %v", lead, thrifty, got, c.want)
					}
				}
			}
		})
	}
}

// tune is music without words: notes of a few partials, one voice or three, and sometimes a flute, which
// has hardly any.
func tune(seed uint64, seconds int) []int16 {
	random := rand.New(rand.NewPCG(seed, 7))
	mix := make([]float64, seconds*SampleRate)
	for range 1 + random.IntN(3) {
		for at := 0; at < len(mix); {
			length := SampleRate / 8 * (1 + random.IntN(8))
			hz := 110 * math.Pow(2, float64(random.IntN(48))/12)
			partials := 1 + random.IntN(6)
			loud := 1500 + 3000*random.Float64()
			for i := range min(length, len(mix)-at) {
				fade := math.Exp(-2 * float64(i) / float64(length))
				for k := 1; k <= partials && hz*float64(k) < 3600; k++ {
					mix[at+i] += loud * fade / float64(k) * math.Sin(2*math.Pi*hz*float64(k)*float64(i)/SampleRate)
				}
			}
			at += length
		}
	}
	pcm := make([]int16, len(mix))
	for i, v := range mix {
		pcm[i] = clip(float32(v))
	}
	return pcm
}

// A call taken for data is heard without concealment, so a wrong hit is small harm; it is rare all the same.
func TestVoicesAndMusicAreHardlyEverTakenForMachines(t *testing.T) {
	var hits []ModemTone
	var voice, music time.Duration
	voices(t, func(pcm []int16) {
		hits = append(hits, tones(pcm, false)...)
		voice += time.Duration(len(pcm)) * time.Second / SampleRate
	})
	if len(hits) > 0 {
		t.Errorf("%v of voice gave %v", voice, hits)
	}
	hits = nil
	for seed := uint64(0); music < heardFor(); seed++ {
		seconds := int(min(10*time.Minute, heardFor()) / time.Second)
		hits = append(hits, tones(tune(seed, seconds), false)...)
		music += time.Duration(seconds) * time.Second
	}
	t.Logf("%v of voice gave no hit, %v of music %d %v", voice, music, len(hits), hits)
	if float64(len(hits)) > 2*music.Hours() {
		t.Errorf("%v of music gave %v, more than two an hour", music, hits)
	}
}

func TestDigitsAreNoMachine(t *testing.T) {
	tone, _ := Digits("0123456789*#ABCD", 500*time.Millisecond, 100*time.Millisecond)
	pcm := make([]int16, 10*SampleRate)
	NewGenerator(tone).Next(pcm)
	if got := tones(pcm, false); got != nil {
		t.Errorf("digits gave %v", got)
	}
}

func TestTheSearchForMachinesDoesNotAllocate(t *testing.T) {
	var m Modem
	pcm := sineOf(-10, 1650, 160)
	if n := testing.AllocsPerRun(100, func() { m.Process(pcm) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func BenchmarkModem(b *testing.B) {
	var m Modem
	pcm := speech(3, 1)[:160]
	b.ReportAllocs()
	for b.Loop() {
		m.Process(pcm)
	}
}
