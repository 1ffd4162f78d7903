package codec

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The digests of what FFmpeg 5.1 makes of harshSignal (testdata/README.md).
const (
	harshCoded   = "5c88a2dd79cbdf7b252325fee956786edcbaa351a03ca11b249cc3991fbf20af"
	harshDecoded = "3b16319f4c56e197316032377ca7e5361845959171ff6c813f467f71d22a7e5e"
)

var writeHarsh = flag.String("write-harsh", "", "write the harsh signal there, to feed FFmpeg with it")

// harshSignal drives the limiters: full-scale noise, a rising sawtooth, silence and a square wave in turns.
func harshSignal(n int) []int16 {
	pcm := make([]int16, n)
	state := uint32(1)
	phase := uint32(0)
	for i := range pcm {
		state = state*1664525 + 1013904223
		switch i / 1000 % 4 {
		case 0:
			pcm[i] = int16(state >> 16)
		case 1:
			phase += uint32(i%1000) << 21
			pcm[i] = int16(phase>>16) / 2
		case 3:
			// No louder, like the sawtooth: FFmpeg leaves out the encoder's input limiter (TXQMF), which the overshoot would reach.
			pcm[i] = 20000
			if i/37%2 == 0 {
				pcm[i] = -20000
			}
		}
	}
	return pcm
}

func TestG722IsBitExactWithFFmpegOnSpeech(t *testing.T) {
	source, want := readPCM(t, "speech16.raw"), readFile(t, "speech16.g722")
	coded := make([]byte, len(source)/2)
	if n := NewG722Encoder().Encode16(coded, source); n != len(want) {
		t.Fatalf("encoded %d bytes, want %d", n, len(want))
	}
	if !bytes.Equal(coded, want) {
		t.Error("the coded speech differs")
	}
	decoded := make([]int16, 2*len(want))
	NewG722Decoder().Decode16(decoded, want)
	if !slices.Equal(decoded, readPCM(t, "speech16.decoded.raw")) {
		t.Error("the decoded speech differs")
	}
}

func TestG722IsBitExactWithFFmpegAtItsLimits(t *testing.T) {
	source := harshSignal(16000)
	if *writeHarsh != "" {
		if err := os.WriteFile(*writeHarsh, pcmBytes(source), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	coded := make([]byte, len(source)/2)
	NewG722Encoder().Encode16(coded, source)
	if got := digest(coded); got != harshCoded {
		t.Errorf("coded digest %s, want %s", got, harshCoded)
	}
	decoded := make([]int16, len(source))
	NewG722Decoder().Decode16(decoded, coded)
	if got := digest(pcmBytes(decoded)); got != harshDecoded {
		t.Errorf("decoded digest %s, want %s", got, harshDecoded)
	}
}

func TestG722At8000HzKeepsSpeech(t *testing.T) {
	wide := readPCM(t, "speech16.raw")
	narrow := make([]int16, len(wide)/2)
	for i := range narrow { // a crude halving will do: the codec must keep whatever it is given
		narrow[i] = int16((int(wide[2*i]) + int(wide[2*i+1])) / 2)
	}
	coded, back := make([]byte, len(narrow)), make([]int16, len(narrow))
	NewEncoder(G722).Encode(coded, narrow)
	NewDecoder(G722).Decode(back, coded)
	best, delay := math.Inf(-1), 0
	for d := range 60 {
		if snr := signalToNoise(narrow[:len(narrow)-d], back[d:]); snr > best {
			best, delay = snr, d
		}
	}
	t.Logf("%.1f dB after %d samples", best, delay)
	if best < 20 || delay > 40 {
		t.Errorf("signal to noise is %.1f dB after %d samples, want at least 20 within 40 (5 ms)", best, delay)
	}
}

// A wideband phone must hear our narrow sound at its level and without an audible mirror image, and
// we must hear the wideband phone's tone at its level.
func TestG722At8000HzSpeaksWithAWidebandPeer(t *testing.T) {
	for _, hz := range []float64{300, 1004, 2500, 3100} {
		narrow := sine(hz, 8000, 8000)
		coded, wide := make([]byte, 8000), make([]int16, 16000)
		NewEncoder(G722).Encode(coded, narrow)
		NewG722Decoder().Decode16(wide, coded)
		level, image := tone(wide[8000:], hz, 16000), tone(wide[8000:], 8000-hz, 16000)
		if math.Abs(level) > 0.5 {
			t.Errorf("%v Hz arrives with %+.2f dB", hz, level)
		}
		t.Logf("%v Hz: %+.2f dB, image %.1f dB", hz, level, image)
		if image > -38 {
			t.Errorf("%v Hz has a mirror image of %.1f dB", hz, image)
		}

		NewG722Encoder().Encode16(coded, sine(hz, 16000, 16000))
		NewDecoder(G722).Decode(narrow, coded)
		if level := tone(narrow[4000:], hz, 8000); math.Abs(level) > 0.5 {
			t.Errorf("%v Hz from a wideband peer comes in with %+.2f dB", hz, level)
		}
	}
}

func TestG722DecodersRecoverFromLostFrames(t *testing.T) {
	pcm := sine(1004, 8000, 16000)
	coded, back := make([]byte, len(pcm)), make([]int16, len(pcm))
	NewEncoder(G722).Encode(coded, pcm)
	d := NewDecoder(G722)
	n := d.Decode(back, coded[:4000])
	n += d.Decode(back[n:], coded[4800:]) // five frames of 20 ms never came
	if level := tone(back[n-4000:n], 1004, 8000); math.Abs(level) > 0.5 {
		t.Errorf("a second after the loss the tone is off by %+.2f dB", level)
	}
}

func FuzzG722DecodeStaysInRange(f *testing.F) {
	f.Add([]byte{0, 255, 0x3F, 0xC0})
	f.Add(bytes.Repeat([]byte{0x04, 0xFB}, 300))
	f.Fuzz(func(t *testing.T, payload []byte) {
		wide := make([]int16, 2*len(payload))
		if n := NewG722Decoder().Decode16(wide, payload); n != len(wide) {
			t.Fatalf("decoded %d samples of %d bytes", n, len(payload))
		}
		d := NewG722Decoder()
		d.Decode(wide, payload)
		if d.low.nb < 0 || d.low.nb > 18432 || d.high.nb < 0 || d.high.nb > 22528 {
			t.Fatalf("scale factors out of range: %d, %d", d.low.nb, d.high.nb)
		}
	})
}

func sine(hz, rate float64, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/rate))
	}
	return pcm
}

// tone is the level of hz in pcm, in dB against the 8,000 peak of sine.
func tone(pcm []int16, hz, rate float64) float64 {
	var re, im float64
	for i, s := range pcm {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(pcm)))
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / rate)
		re += w * float64(s) * cos
		im += w * float64(s) * sin
	}
	return 20 * math.Log10(4*math.Hypot(re, im)/float64(len(pcm))/8000)
}

func signalToNoise(want, got []int16) float64 {
	var signal, noise float64
	for i := range want {
		e := float64(got[i]) - float64(want[i])
		signal += float64(want[i]) * float64(want[i])
		noise += e * e
	}
	return 10 * math.Log10(signal/noise)
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readPCM(t testing.TB, name string) []int16 {
	t.Helper()
	b := readFile(t, name)
	pcm := make([]int16, len(b)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return pcm
}

func pcmBytes(pcm []int16) []byte {
	var b []byte
	for _, s := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
