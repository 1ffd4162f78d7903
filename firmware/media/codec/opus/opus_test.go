package opus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/thesyncim/gopus"
	"github.com/thesyncim/gopus/container/ogg"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// voice is something like speech: a buzz whose pitch and loudness change.
func voice(samples int) []int16 {
	r := rand.New(rand.NewPCG(1, 2))
	pcm := make([]int16, samples)
	noise := 0.0
	for i := range pcm {
		t := float64(i) / tone.Rate
		sum := 0.0
		for h := 1.0; h < 16; h++ {
			sum += math.Sin(2*math.Pi*h*(130*t+3*math.Sin(2*math.Pi*0.6*t))) / h
		}
		noise = 0.7*noise + 0.3*r.NormFloat64()
		pcm[i] = int16(4000 * math.Abs(math.Sin(2*math.Pi*1.7*t)) * (0.5*sum + 0.3*noise))
	}
	return pcm
}

// libopus runs a program of the reference implementation, which knows nothing of the library under test.
func libopus(t *testing.T, program string, args ...string) {
	t.Helper()
	out, err := exec.Command(pbxtest.Tool(t, program, "opus-tools"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

func TestTheReferenceDecoderHearsWhatWeEncode(t *testing.T) {
	pbxtest.Tool(t, "opusdec", "opus-tools")
	for _, c := range []struct {
		name     string
		bitrate  int
		constant bool
		samples  int
	}{
		{"20 ms", 0, false, 160},
		{"10 ms", 0, false, 80},
		{"40 ms", 0, false, 320},
		{"60 ms", 0, false, 480},
		{"as few bits as a far end may want", MinBitrate, false, 160},
		{"constant length", 0, true, 160},
		{"more than we send", MaxBitrate, false, 160},
	} {
		t.Run(c.name, func(t *testing.T) {
			var file bytes.Buffer
			w, err := ogg.NewWriter(&file, tone.Rate, 1)
			if err != nil {
				t.Fatal(err)
			}
			e := NewEncoder(c.bitrate, c.constant)
			pcm := tone.Sine(700, 3*tone.Rate)
			lengths := map[int]bool{}
			total := 0
			for ; len(pcm) >= c.samples; pcm = pcm[c.samples:] {
				var packet [MaxPacket]byte
				n := e.Encode(packet[:], pcm[:c.samples])
				if n == 0 {
					t.Fatal("no packet was made")
				}
				lengths[n] = true
				total += n
				if err := w.WritePacket(packet[:n], c.samples*48/8); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if c.constant && len(lengths) != 1 {
				t.Errorf("packets of %d lengths, one was asked for", len(lengths))
			}
			most := Bitrate
			if c.bitrate == MinBitrate {
				most = MinBitrate
			}
			if rate := float64(total) * 8 / 3; rate > 1.25*float64(most) {
				t.Errorf("%.0f bit/s, more than %d", rate, most)
			}
			dir := t.TempDir()
			in, out := filepath.Join(dir, "in.opus"), filepath.Join(dir, "out.wav")
			if err := os.WriteFile(in, file.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			libopus(t, "opusdec", "--quiet", "--no-dither", "--rate", "8000", in, out)
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			heard, ok := tone.FromWAV(b)
			if !ok || len(heard) < 2*tone.Rate {
				t.Fatalf("opusdec made %d samples", len(heard))
			}
			if err := tone.Heard(tone.Tail(heard, tone.Rate, 1600), 700, 440, 1000, 1500, 2100); err != nil {
				t.Error(err)
			}
			if level := tone.Level(heard[tone.Rate:2*tone.Rate], 700) - tone.Level(tone.Sine(700, tone.Rate), 700); math.Abs(level) > 1.5 {
				t.Errorf("heard %.1f dB louder than it was said", level)
			}
		})
	}
}

func TestWhatTheReferenceEncoderSaysIsHeard(t *testing.T) {
	pbxtest.Tool(t, "opusenc", "opus-tools")
	for _, args := range [][]string{
		{"--framesize", "20", "--bitrate", "16"},
		{"--framesize", "60", "--bitrate", "12"},
		{"--framesize", "10"},
		{"--framesize", "5", "--music"},
		{"--framesize", "2.5", "--bitrate", "64"},
		{"--framesize", "40", "--hard-cbr", "--bitrate", "24"},
		{"--speech", "--bitrate", "8"},
		{"--comp", "0", "--bitrate", "96"},
	} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			dir := t.TempDir()
			in, out := filepath.Join(dir, "in.wav"), filepath.Join(dir, "out.opus")
			if err := os.WriteFile(in, tone.WAV(tone.Sine(700, 3*tone.Rate)), 0o600); err != nil {
				t.Fatal(err)
			}
			libopus(t, "opusenc", append(args, "--quiet", in, out)...)
			d := NewDecoder()
			var heard []int16
			for _, packet := range packets(t, out) {
				var pcm [MaxSamples]int16
				heard = append(heard, pcm[:d.Decode(pcm[:], packet)]...)
			}
			if d.Faults() != 0 || len(heard) < 3*tone.Rate {
				t.Fatalf("%d faults, %d samples", d.Faults(), len(heard))
			}
			if err := tone.Heard(heard[tone.Rate:2*tone.Rate], 700, 440, 1000, 1500, 2100); err != nil {
				t.Error(err)
			}
		})
	}
}

// packets are those of an Ogg file.
func packets(t *testing.T, path string) (all [][]byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ogg.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for {
		p, _, err := r.ReadPacket()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestALostPacketIsTakenFromTheNextOneThatRepeatsIt(t *testing.T) {
	e, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: 8000, Channels: 1, Application: gopus.ApplicationVoIP})
	if err != nil {
		t.Fatal(err)
	}
	e.SetFEC(true)
	if err := errors.Join(e.SetPacketLoss(20), e.SetBitrate(24_000), e.SetFrameSize(160)); err != nil {
		t.Fatal(err)
	}
	said := voice(160 * 200)
	whole, holed := NewDecoder(), NewDecoder()
	recovered, error2, power := 0, 0.0, 0.0
	var last [MaxSamples]int16
	for i := range 200 {
		packet := make([]byte, MaxPacket)
		n, err := e.EncodeInt16(said[160*i:160*(i+1)], packet)
		if err != nil {
			t.Fatal(err)
		}
		packet = packet[:n]
		var want, got [MaxSamples]int16
		whole.Decode(want[:], packet)
		switch i % 10 {
		case 5: // lost
			last = want
			continue
		case 6:
			if holed.Recover(got[:], packet, 160) == 160 {
				recovered++
				for k := range 160 {
					d := float64(got[k]) - float64(last[k])
					error2 += d * d
					power += float64(last[k]) * float64(last[k])
				}
			}
		}
		if n := holed.Decode(got[:], packet); n != 160 {
			t.Fatalf("packet %d: %d samples", i, n)
		}
	}
	if recovered < 15 || holed.Faults() != 0 {
		t.Errorf("of 20 lost packets %d were repeated by the next, with %d faults", recovered, holed.Faults())
	}
	if snr := 10 * math.Log10(power/error2); snr < 3 {
		t.Errorf("what was recovered is %.1f dB over its difference from what was lost", snr)
	}
}

func TestAFaultOfTheLibraryCostsOnePacket(t *testing.T) {
	e, d := NewEncoder(0, false), NewDecoder()
	packet := make([]byte, MaxPacket)
	packet = packet[:e.Encode(packet, voice(160))]
	var pcm [MaxSamples]int16
	if n := d.Decode(pcm[:], packet); n != 160 {
		t.Fatalf("%d samples", n)
	}
	for name, fault := range map[string]func(*gopus.Decoder) (int, error){
		"a panic":                func(*gopus.Decoder) (int, error) { panic("index out of range") },
		"more than there is":     func(*gopus.Decoder) (int, error) { return MaxSamples + 1, nil },
		"less than nothing":      func(*gopus.Decoder) (int, error) { return -1, nil },
		"an index out of range":  func(*gopus.Decoder) (int, error) { s := []int{}; return s[len(s)], nil },
		"an error of its packet": func(*gopus.Decoder) (int, error) { return 0, io.ErrUnexpectedEOF },
	} {
		before := d.Faults()
		if n := d.with(packet, fault); n != 0 || d.Faults() != before+1 {
			t.Errorf("%s: %d samples, %d faults", name, n, d.Faults()-before)
		}
		if n := d.Decode(pcm[:], packet); n != 160 {
			t.Errorf("after %s: %d samples of the next packet", name, n)
		}
	}
	e.frame = -1
	e.library = &gopus.Encoder{} // one that nobody made
	if n := e.Encode(make([]byte, MaxPacket), voice(160)); n != 0 || e.Faults() != 1 {
		t.Errorf("a broken encoder made %d bytes, %d faults", n, e.Faults())
	}
	if n := e.Encode(make([]byte, MaxPacket), voice(160)); n == 0 {
		t.Error("the encoder stays broken")
	}
}

func TestAnyLengthUpTo60MillisecondsIsEncoded(t *testing.T) {
	e, d := NewEncoder(0, false), NewDecoder()
	said := voice(480)
	for n := 1; n <= 480; n++ {
		packet := make([]byte, MaxPacket)
		packet = packet[:e.Encode(packet, said[:n])]
		var pcm [MaxSamples]int16
		if got := d.Decode(pcm[:], packet); got != Frame(n) || got < n {
			t.Fatalf("%d samples became %d", n, got)
		}
	}
}

// seeds are packets of all modes, lengths and bandwidths that the library itself makes.
func seeds() (all [][]byte) {
	for _, rate := range []int{8000, 16000, 48000} {
		for _, frame := range []int{480, 960, 2880} {
			for _, app := range []gopus.Application{gopus.ApplicationVoIP, gopus.ApplicationAudio, gopus.ApplicationLowDelay} {
				for channels := 1; channels <= 2; channels++ {
					e, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: rate, Channels: channels, Application: app})
					if err != nil {
						continue
					}
					e.SetFEC(true)
					_ = e.SetPacketLoss(10)
					if e.SetFrameSize(frame*rate/48000) != nil {
						continue
					}
					n := frame * rate / 48000 * channels
					pcm := voice(3 * n)
					for i := range 3 {
						packet := make([]byte, MaxPacket)
						if size, err := e.EncodeInt16(pcm[i*n:(i+1)*n], packet); err == nil {
							all = append(all, packet[:size])
						}
					}
				}
			}
		}
	}
	return all
}

// The packets go through one decoder, as on a call: what one does to its state the next one meets.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s, uint16(0))
		f.Add(s, uint16(160))
	}
	f.Add([]byte{}, uint16(0))
	f.Add([]byte{0xff, 0xff, 0xff}, uint16(20))
	d := NewDecoder()
	check := NewEncoder(0, false)
	good := make([]byte, MaxPacket)
	good = good[:check.Encode(good, voice(160))]
	f.Fuzz(func(t *testing.T, packet []byte, lost uint16) {
		var pcm [MaxSamples]int16
		if lost != 0 {
			if n := d.Recover(pcm[:], packet, int(lost)); n < 0 || n > MaxSamples {
				t.Fatalf("%d samples recovered", n)
			}
		}
		if n := d.Decode(pcm[:], packet); n < 0 || n > MaxSamples {
			t.Fatalf("%d samples", n)
		}
		if n := d.Decode(pcm[:], good); n != 160 {
			t.Fatalf("%d samples of a good packet after %x", n, packet)
		}
	})
}

// TestManglesOfRealPacketsAreSurvived is the fuzz target's short form for every run.
func TestManglesOfRealPacketsAreSurvived(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	all := seeds()
	d := NewDecoder()
	var pcm [MaxSamples]int16
	for range 20_000 {
		p := bytes.Clone(all[r.IntN(len(all))])
		for range 1 + r.IntN(4) {
			p[r.IntN(len(p))] = byte(r.Uint32())
		}
		p = p[:r.IntN(len(p)+1)]
		if r.IntN(4) == 0 {
			d.Recover(pcm[:], p, 20*r.IntN(50))
		}
		if n := d.Decode(pcm[:], p); n < 0 || n > MaxSamples {
			t.Fatalf("%d samples of %x", n, p)
		}
	}
	if n := d.Decode(pcm[:], all[0]); n == 0 {
		t.Error("a good packet is not heard any more")
	}
}

func BenchmarkEncode(b *testing.B) {
	e, pcm := NewEncoder(0, false), voice(160*500)
	var packet [MaxPacket]byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.Encode(packet[:], pcm[160*(i%500):][:160])
	}
}

func BenchmarkDecode(b *testing.B) {
	e, pcm := NewEncoder(0, false), voice(160*500)
	all := make([][]byte, 500)
	for i := range all {
		all[i] = make([]byte, MaxPacket)
		all[i] = all[i][:e.Encode(all[i], pcm[160*i:][:160])]
	}
	d := NewDecoder()
	var heard [MaxSamples]int16
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d.Decode(heard[:], all[i%500])
	}
}
