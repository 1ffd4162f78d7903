package master

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

const pause = 100 * time.Millisecond

// sound is a WAV of samples between -1 and 1, the same in each channel.
func sound(t testing.TB, rate, channels int, pcm []float32) []byte {
	t.Helper()
	var all []int16
	for _, x := range pcm {
		for range channels {
			all = append(all, int16(max(-32768, min(32767, math.Round(float64(x)*32767)))))
		}
	}
	var b bytes.Buffer
	if err := wav.Write(&b, wav.Format{Encoding: wav.PCM16, Channels: channels, Rate: rate}, all); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// hz is a sine that stands at a peak level for some seconds.
func hz(rate int, frequency, level, seconds float64) []float32 {
	pcm := make([]float32, int(seconds*float64(rate)))
	for i := range pcm {
		pcm[i] = float32(decibel(level) * math.Sin(2*math.Pi*frequency*float64(i)/float64(rate)))
	}
	return pcm
}

func testFile(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestEverySoundBecomesAsLoudAsTheBox(t *testing.T) {
	voice := func(gain float64) []float32 {
		take, err := Make(bytes.NewReader(testFile(t, "voice.mp3")), 0)
		if err != nil {
			t.Fatal(err)
		}
		pcm := floats(take.PCM)
		for i := range pcm {
			pcm[i] *= float32(decibel(gain))
		}
		return pcm
	}
	for name, body := range map[string][]byte{
		"a voice in MP3 with a tag, quiet":   testFile(t, "voice.mp3"),
		"a tone in MP3":                      testFile(t, "tone.mp3"),
		"a voice 30 dB too quiet":            sound(t, 8000, 1, voice(-30)),
		"a voice 6 dB too loud and cut off":  sound(t, 8000, 1, voice(12)),
		"a tone of a studio in stereo":       sound(t, 48000, 2, hz(48000, 440, -6, 2)),
		"a tone of a CD":                     sound(t, 44100, 2, hz(44100, 440, -20, 2)),
		"a tone at a rate of nobody":         sound(t, 44099, 1, hz(44099, 440, -20, 2)),
		"a tone of an old sound card":        sound(t, 11025, 1, hz(11025, 440, -20, 2)),
		"a tone at the rate of the exchange": sound(t, 8000, 1, hz(8000, 440, -20, 2)),
	} {
		take, err := Make(bytes.NewReader(body), pause)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if is := Loudness(floats(take.PCM), Rate); math.Abs(is-Target) > 0.4 || math.Abs(is-take.Is) > 0.1 {
			t.Errorf("%s: %.2f LUFS, said to be %.2f", name, is, take.Is)
		}
		if take.Length() < 500*time.Millisecond || take.Length() > 7*time.Second {
			t.Errorf("%s: %v long", name, take.Length())
		}
		for _, p := range peaks(floats(take.PCM)) {
			if p > float32(decibel(ceiling+0.3)) {
				t.Errorf("%s: a true peak of %.2f dBFS", name, 20*math.Log10(float64(p)))
				break
			}
		}
	}
}

// Chirps whose crests stand far above their mean: the limiter has to work.
func TestPeaksStayBelowTheCeilingAndNothingIsTornOff(t *testing.T) {
	pcm := make([]float32, 3*Rate)
	for i := range pcm {
		in := i % (Rate / 5)
		pcm[i] = float32(0.9 * math.Exp(-float64(in)/80) * math.Sin(2*math.Pi*900*float64(in)/Rate))
	}
	take, err := Make(bytes.NewReader(sound(t, Rate, 1, pcm)), pause)
	if err != nil {
		t.Fatal(err)
	}
	most, steepest := float32(0), int16(0)
	for i, p := range peaks(floats(take.PCM)) {
		most = max(most, p)
		if i > 0 {
			steepest = max(steepest, take.PCM[i]-take.PCM[i-1])
		}
	}
	if db := 20 * math.Log10(float64(most)); db > ceiling+0.3 || db < ceiling-3 {
		t.Errorf("the highest true peak is %.2f dBFS", db)
	}
	// Of 900 Hz at full scale the steepest step is 22,700.
	if steepest > 23000 {
		t.Errorf("a step of %d", steepest)
	}
}

func TestASoundKeepsItsPitchAndNothingComesBackFromAboveTheBand(t *testing.T) {
	for _, rate := range []int{11025, 16000, 22050, 32000, 44100, 48000} {
		for _, c := range []struct{ hz, low, high float64 }{
			{300, -0.1, 0.1}, {1000, -0.1, 0.1}, {3000, -0.1, 0.1}, {3200, -1, 0.1}, {4100, -200, -55}, {5000, -200, -70}, {5400, -200, -70},
		} {
			if c.hz > float64(rate)/2*0.98 {
				continue
			}
			r := newResampler(rate)
			var out []float32
			in := hz(rate, c.hz, -6, 1)
			for len(in) > 0 { // in pieces, as they come
				n := min(len(in), 700)
				out, in = r.add(out, in[:n]), in[n:]
			}
			out = r.end(out)
			if math.Abs(float64(len(out)-Rate)) > 2 {
				t.Errorf("%d Hz: a second became %d samples", rate, len(out))
			}
			var sum float64
			for _, x := range out[200 : len(out)-200] {
				sum += float64(x) * float64(x)
			}
			gain := 10*math.Log10(sum/float64(len(out)-400)) + 6 + 10*math.Log10(2)
			if gain < c.low || gain > c.high {
				t.Errorf("%d Hz: %.0f Hz passes with %.2f dB", rate, c.hz, gain)
			}
		}
	}
	take, err := Make(bytes.NewReader(testFile(t, "tone.mp3")), 0)
	if err != nil {
		t.Fatal(err)
	}
	middle := take.PCM[2000:6000]
	if tone, all := dsp.ToneLevel(middle, 1000), dsp.Level(middle); math.Abs(tone-all) > 0.1 {
		t.Errorf("of %.2f dBm0 only %.2f are the tone", all, tone)
	}
}

func TestSilenceAtTheEndsIsCutToAPause(t *testing.T) {
	quiet := make([]float32, Rate)
	for i := range quiet {
		quiet[i] = float32(0.0003 * math.Sin(float64(i*i))) // a room, 55 dB below the voice
	}
	pcm := append(append(append([]float32{}, quiet...), hz(Rate, 700, -6, 1)...), quiet...)
	take, err := Make(bytes.NewReader(sound(t, Rate, 1, pcm)), pause)
	if err != nil {
		t.Fatal(err)
	}
	if got := take.Length(); got < 1190*time.Millisecond || got > 1220*time.Millisecond {
		t.Errorf("%v long, with two pauses of %v", got, pause)
	}
	if take.Cut < 1780*time.Millisecond || take.Cut > 1820*time.Millisecond {
		t.Errorf("%v were cut", take.Cut)
	}
	take, err = Make(bytes.NewReader(sound(t, Rate, 1, hz(Rate, 700, -6, 1))), pause)
	if err != nil || take.Length() < 1190*time.Millisecond || take.Cut > 0 {
		t.Errorf("without silence: %v long, %v cut, %v", take.Length(), take.Cut, err)
	}
}

func TestASoundThatWasRecordedTooLoudIsSaidToBe(t *testing.T) {
	loud := hz(Rate, 500, 6, 1)
	for i := range loud {
		loud[i] = max(-1, min(1, loud[i]))
	}
	for name, c := range map[string]struct {
		pcm  []float32
		want bool
	}{"cut off": {loud, true}, "at full scale": {hz(Rate, 1010, 0, 1), false}, "as it should be": {hz(Rate, 500, -6, 1), false}} {
		take, err := Make(bytes.NewReader(sound(t, Rate, 1, c.pcm)), pause)
		if err != nil || take.Clipped != c.want {
			t.Errorf("%s: %v, %v", name, take.Clipped, err)
		}
	}
}

// endless is a file that goes on for as long as somebody reads it, and counts how much that was.
type endless struct {
	head, body []byte
	read       int
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.head)
	e.head = e.head[n:]
	for n < len(b) {
		n += copy(b[n:], e.body)
	}
	e.read += n
	return n, nil
}

func TestWhatIsNoAnnouncementIsRefusedInWords(t *testing.T) {
	tone := testFile(t, "tone.mp3")
	good := sound(t, Rate, 1, hz(Rate, 700, -6, 1))
	claim := append([]byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7f"), tone...) // a tag of 256 MB
	for name, c := range map[string]struct {
		body []byte
		want error
	}{
		"nothing":                              {nil, ErrKind},
		"a text that is called .wav":           {[]byte("Gentile cliente, siamo chiusi per ferie.\n"), ErrKind},
		"a page of the web":                    {bytes.Repeat([]byte("<!doctype html><p>ferie</p>"), 1000), ErrKind},
		"a zip":                                {append([]byte("PK\x03\x04\x14\x00\x00\x00\x08\x00"), make([]byte, 9000)...), ErrKind},
		"an Ogg":                               {append([]byte("OggS\x00\x02"), make([]byte, 9000)...), ErrKind},
		"a film":                               {append([]byte("\x00\x00\x00\x20ftypM4A "), make([]byte, 9000)...), ErrKind},
		"a WAV of which only the name is left": {[]byte("RIFF\xff\xff\xff\xffWAVE"), ErrBroken},
		"a WAV that ends in its header":        {good[:30], ErrBroken},
		"a WAV with another codec inside":      {append(append([]byte{}, good[:20]...), append([]byte{0x55}, good[21:]...)...), ErrBroken},
		"an MP3 that ends in its first frame":  {tone[:600], ErrShort},
		"a tag that claims 256 MB":             {claim, ErrBroken},
		"silence":                              {sound(t, Rate, 1, make([]float32, Rate)), ErrSilent},
		"a hiss below all hearing":             {sound(t, Rate, 1, hz(Rate, 700, -80, 1)), ErrSilent},
		"a click":                              {sound(t, Rate, 1, hz(Rate, 700, -6, 0.05)), ErrShort},
	} {
		if take, err := Make(bytes.NewReader(c.body), pause); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v; want %v", name, take.Length(), err, c.want)
		}
	}
	broken := errors.New("the browser is gone")
	if _, err := Make(io.MultiReader(bytes.NewReader(good[:2000]), failing{broken}), pause); !errors.Is(err, broken) {
		t.Errorf("a connection that breaks: %v", err)
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// What claims hours is read for minutes: no more than their bytes, however small those are.
func TestASoundThatClaimsHoursIsLeftAfterMinutes(t *testing.T) {
	header, err := wav.NewHeader(wav.Format{Encoding: wav.ALaw, Channels: 1, Rate: 8000}, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	tone := testFile(t, "tone.mp3")
	frames := tone[len(tone)/2:]
	for name, e := range map[string]*endless{
		"a WAV": {head: header[:], body: bytes.Repeat([]byte{0x55, 0xd5, 0x2a}, 100)},
		"an MP3 of silence at its lowest rate, 300 s in 1.2 MB": {body: silentFrame()},
		"an MP3": {head: tone, body: frames},
	} {
		if _, err := Make(e, pause); !errors.Is(err, ErrLong) && !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
		if e.read > 4<<20 {
			t.Errorf("%s: %d bytes were read", name, e.read)
		}
	}
}

// silentFrame is 26 ms of an MP3 (MPEG 1 layer III, 32 kbit/s, 44.1 kHz, one channel) with nothing in it.
func silentFrame() []byte {
	f := make([]byte, 104)
	copy(f, []byte{0xff, 0xfb, 0x10, 0xc4})
	return f
}

func FuzzMake(f *testing.F) {
	f.Add(testFile(f, "tone.mp3")[:3000])
	f.Add(testFile(f, "voice.mp3")[:3000])
	f.Add(silentFrame())
	f.Add(sound(f, 8000, 1, hz(8000, 700, -6, 0.3)))
	f.Add(sound(f, 44099, 2, hz(44099, 700, -6, 0.05)))
	f.Add([]byte("ID3\x04\x00\x00\x00\x00\x00\x05hello\xff\xfb\x90\xc4"))
	f.Fuzz(func(t *testing.T, body []byte) {
		take, err := Make(bytes.NewReader(body), pause)
		if err != nil {
			for _, known := range []error{ErrKind, ErrBroken, ErrSilent, ErrShort, ErrLong} {
				if errors.Is(err, known) {
					return
				}
			}
			t.Fatalf("an error of no kind: %v", err)
		}
		top := int16(math.Ceil(32767 * decibel(ceiling)))
		for _, x := range take.PCM {
			if x > top || x < -top {
				t.Fatalf("a sample of %d", x)
			}
		}
		if take.Length() > MaxLength+2*pause || take.Length() < MinLength || math.IsNaN(take.Is) {
			t.Fatalf("%v long, %v LUFS", take.Length(), take.Is)
		}
	})
}

// A minute of a studio's stereo: what an upload costs.
func BenchmarkMakeAMinuteOfStereoAt48kHz(b *testing.B) {
	body := sound(b, 48000, 2, hz(48000, 440, -20, 60))
	for b.Loop() {
		if _, err := Make(bytes.NewReader(body), pause); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMakeASecondOfMP3(b *testing.B) {
	body := testFile(b, "tone.mp3")
	for b.Loop() {
		if _, err := Make(bytes.NewReader(body), pause); err != nil {
			b.Fatal(err)
		}
	}
}
