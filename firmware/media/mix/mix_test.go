package mix

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/media/dsp"
)

// conference runs a second of parties, each saying a tone of its own, and returns what each hears.
func conference(t *testing.T, m *Mixer, hz []float64, dBm0 float64) (parties []Party, heard [][]int16) {
	t.Helper()
	for range hz {
		p, ok := m.Join()
		if !ok {
			t.Fatal("no place")
		}
		parties = append(parties, p)
	}
	return parties, talk(m, parties, hz, dBm0)
}

func talk(m *Mixer, parties []Party, hz []float64, dBm0 float64) [][]int16 {
	heard := make([][]int16, len(hz))
	var f Frame
	for n := range 50 {
		for i, p := range parties {
			for k := range f {
				f[k] = int16(math.Round(dsp.Amplitude(dBm0) * math.Sin(2*math.Pi*hz[i]*float64(n*FrameSamples+k)/8000)))
			}
			m.Put(p, &f)
		}
		m.Sum()
		for i, p := range parties {
			m.Hear(p, &f)
			heard[i] = append(heard[i], f[:]...)
		}
		m.Next()
	}
	return heard
}

func TestEveryoneHearsAllOthersAndNotThemselves(t *testing.T) {
	hz := []float64{400, 700, 1100, 1900}
	_, heard := conference(t, New(4), hz, -20)
	for i := range hz {
		for j := range hz {
			level := dsp.ToneLevel(heard[i], hz[j])
			if i != j && math.Abs(level+20) > 0.1 {
				t.Errorf("party %d hears party %d at %.1f dBm0", i, j, level)
			}
			if i == j && level > -75 {
				t.Errorf("party %d hears itself at %.1f dBm0", i, level)
			}
		}
	}
}

func TestAMixerThatGrowsKeepsPlacesAndGains(t *testing.T) {
	m := New(3)
	hz := []float64{400, 700, 1100}
	parties, _ := conference(t, m, hz, -20)
	m.SetGain(parties[0], parties[1], 0)
	m.SetGain(parties[2], parties[0], 0.5)
	if _, ok := m.Join(); ok {
		t.Fatal("a fourth found a place among three")
	}
	m.Grow(5)
	m.Grow(4) // never shrinks
	for range 2 {
		p, ok := m.Join()
		if !ok {
			t.Fatal("no place after it has grown")
		}
		parties = append(parties, p)
	}
	if _, ok := m.Join(); ok {
		t.Error("a sixth found a place among five")
	}
	hz = append(hz, 1900, 2700)
	heard := talk(m, parties, hz, -20)
	for to := range hz {
		for from := range hz {
			want := -20.0
			switch {
			case from == to, from == 0 && to == 1:
				want = -200
			case from == 2 && to == 0:
				want = -26
			}
			if got := dsp.ToneLevel(heard[to], hz[from]); math.Abs(got-want) > 0.1 && (want > -200 || got > -75) {
				t.Errorf("%d hears %d at %.1f dBm0, want %.1f", to, from, got, want)
			}
		}
	}
	if m.Grow(1000); len(m.parties) != MaxParties {
		t.Errorf("it has grown to %d places", len(m.parties))
	}
}

// Findings, section 4, row 6: a mixer that limits before it takes out one's own voice distorts the
// other for a loud talker.
func TestALoudTalkerHearsTheOtherWithoutDistortion(t *testing.T) {
	hz := []float64{440, 1000, 1300}
	m := New(3)
	parties, _ := conference(t, m, hz, 3)
	m.SetGain(parties[2], parties[0], 0)
	heard := talk(m, parties, hz, 3)
	tone := dsp.ToneLevel(heard[0], 1000)
	rest := math.Pow(10, dsp.Level(heard[0])/10) - math.Pow(10, tone/10)
	if distance := tone - 10*math.Log10(max(rest, 1e-9)); math.Abs(tone-3) > 0.1 || distance < 55 {
		t.Errorf("the other arrives at %.1f dBm0, %.1f dB above all else", tone, distance)
	}
	var peak dsp.Meter
	peak.Add(heard[1])
	if peak.Peak() < 32767 {
		t.Errorf("two loud voices peak at %d: the test does not reach the limiter", peak.Peak())
	}
}

func TestTheGainMatrixMakesWhisperAndListeningIn(t *testing.T) {
	const caller, agent, coach = 0, 1, 2
	hz := []float64{400, 700, 1100}
	m := New(3)
	parties, _ := conference(t, m, hz, -20)
	m.SetGain(parties[coach], parties[caller], 0)
	m.SetGain(parties[caller], parties[coach], 0.5)
	heard := talk(m, parties, hz, -20)
	for _, c := range []struct {
		name     string
		who, hz  int
		from, to float64
	}{
		{"the caller does not hear the coach", caller, coach, dsp.Floor, -75},
		{"the caller hears the agent", caller, agent, -20.1, -19.9},
		{"the agent hears the coach", agent, coach, -20.1, -19.9},
		{"the coach hears the caller more softly", coach, caller, -26.1, -25.9},
	} {
		if level := dsp.ToneLevel(heard[c.who], hz[c.hz]); level < c.from || level > c.to {
			t.Errorf("%s: %.1f dBm0", c.name, level)
		}
	}
}

func TestAPlaceIsFreshForTheNextParty(t *testing.T) {
	m := New(2)
	a, _ := m.Join()
	b, _ := m.Join()
	if _, ok := m.Join(); ok {
		t.Error("a third found a place")
	}
	m.SetGain(a, b, 0)
	var f Frame
	f[0] = 1000
	m.Put(a, &f)
	m.Leave(a)
	a, ok := m.Join()
	if !ok {
		t.Fatal("the place is not free")
	}
	m.Sum()
	var out Frame
	if m.Hear(b, &out); out[0] != 0 {
		t.Error("the voice of the party that left is heard")
	}
	m.Put(a, &f)
	m.Sum()
	if m.Hear(b, &out); out[0] != 1000 {
		t.Errorf("the new party is heard with %d, want 1000", out[0])
	}
	m.Leave(b)
	if m.Hear(b, &out); out[0] != 0 {
		t.Error("a party that left still hears")
	}
}

func TestNoPartyOrGainFromOutsideCanPanic(t *testing.T) {
	m := New(1000)
	random := rand.New(rand.NewPCG(1, 1))
	var f Frame
	for i := range f {
		f[i] = -32768
	}
	for range MaxParties {
		if _, ok := m.Join(); !ok {
			t.Fatal("fewer than MaxParties places")
		}
	}
	for i := range Party(MaxParties) {
		m.Put(i, &f)
		for j := range Party(MaxParties) {
			m.SetGain(i, j, 1e9)
		}
	}
	m.SetGain(0, 1, math.NaN())
	m.SetGain(0, 1, math.Inf(-1))
	m.Sum()
	var out Frame
	if m.Hear(5, &out); out[0] != -32768 {
		t.Errorf("the loudest sum became %d: it overflowed", out[0])
	}
	for range 1000 {
		p := Party(random.IntN(2000) - 1000)
		m.SetGain(p, Party(random.IntN(2000)-1000), 1)
		m.Put(p, &f)
		m.Hear(p, &out)
		m.Leave(p)
	}
}

func TestMixingDoesNotAllocate(t *testing.T) {
	m := New(4)
	var f Frame
	for range 4 {
		m.Join()
	}
	if n := testing.AllocsPerRun(100, func() { round(m, &f) }); n != 0 {
		t.Errorf("%v allocations per round", n)
	}
}

func round(m *Mixer, f *Frame) {
	for p := range Party(len(m.parties)) {
		m.Put(p, f)
	}
	m.Sum()
	for p := range Party(len(m.parties)) {
		m.Hear(p, f)
	}
	m.Next()
}

func BenchmarkThreeParties(b *testing.B) {
	m := New(3)
	var f Frame
	for range 3 {
		m.Join()
	}
	b.ReportAllocs()
	for b.Loop() {
		round(m, &f)
	}
}

// BenchmarkThirtyParties is a tick of a whole conference room, 20 ms of sound for each.
func BenchmarkThirtyParties(b *testing.B) {
	m := New(30)
	var parties []Party
	for range 30 {
		p, _ := m.Join()
		parties = append(parties, p)
	}
	f := Frame{100, 200, 300}
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range parties {
			m.Put(p, &f)
		}
		m.Sum()
		for _, p := range parties {
			m.Hear(p, &f)
		}
		m.Next()
	}
}
