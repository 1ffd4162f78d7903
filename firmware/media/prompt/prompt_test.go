package prompt

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

func open(t *testing.T) *Library {
	t.Helper()
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestBothLanguagesSayTheSameSentencesAndEachHasItsText(t *testing.T) {
	l := open(t)
	if got := l.Languages(); !slices.Equal(got, []string{"en", "it"}) {
		t.Fatalf("languages %v", got)
	}
	if it, en := l.Names("it"), l.Names("en"); !slices.Equal(it, en) {
		t.Errorf("it %v\nen %v", it, en)
	}
	for _, name := range []string{
		"greeting", "wait", "position_first", "busy_all", "closed", "goodbye", "unavailable", "wrong_number", "echo_intro",
		"voicemail_unavailable", "digit_0", "digit_1", "digit_2", "digit_3", "digit_4", "digit_5", "digit_6", "digit_7",
		"digit_8", "digit_9",
	} {
		for _, lang := range l.Languages() {
			if _, err := l.Get(lang, name); err != nil {
				t.Error(err)
			}
			if l.Text(lang, name) == "" {
				t.Errorf("%s %s has no text", lang, name)
			}
		}
		if l.Text("it", name) == l.Text("en", name) && name != "digit_0" {
			t.Errorf("%s is not translated: %q", name, l.Text("it", name))
		}
	}
	for lang, texts := range l.texts {
		for name := range texts {
			if _, err := l.Get(lang, name); err != nil {
				t.Errorf("a text without its sound: %v", err)
			}
		}
	}
}

func TestNoSentenceIsSilentClippedOrOffLevel(t *testing.T) {
	l := open(t)
	for _, lang := range l.Languages() {
		for _, name := range l.Names(lang) {
			s, err := l.Get(lang, name)
			if err != nil {
				t.Fatal(err)
			}
			if got := time.Duration(len(s.PCM())) * time.Second / 8000; got != s.Duration() {
				t.Errorf("%s: its header says %v, it lasts %v", s.Name(), s.Duration(), got)
			}
			var m dsp.Meter
			m.Add(s.PCM())
			dBFS := m.Level() - 3.14 - 3.01 // from dBm0: full scale is 3.14, and a sine's mean is 3.01 below its peak
			if dBFS < -21 || dBFS > -19 {
				t.Errorf("%s: mean level %.1f dBFS, want -20 +- 1", s.Name(), dBFS)
			}
			if m.Peak() >= 32000 {
				t.Errorf("%s clips: peak %d", s.Name(), m.Peak())
			}
			// A person who reads the text takes about 14 characters a second.
			want := time.Duration(len(l.Text(lang, name))) * time.Second / 14
			if d := s.Duration(); d < want/2 || d > 2*want+600*time.Millisecond {
				t.Errorf("%s lasts %v for %q", s.Name(), d, l.Text(lang, name))
			}
		}
	}
}

func TestTheMusicIsSoftLongAndJoinsItsOwnEnd(t *testing.T) {
	s := open(t).Music("no such music")
	if d := s.Duration(); d < 20*time.Second || d > 30*time.Second || d%(20*time.Millisecond) != 0 {
		t.Errorf("%q lasts %v", s.Name(), d)
	}
	pcm := s.PCM()
	var m dsp.Meter
	m.Add(pcm)
	if dBFS := m.Level() - 6.15; math.Abs(dBFS+24) > 1 || m.Peak() > 20000 {
		t.Errorf("mean %.1f dBFS, peak %d", dBFS, m.Peak())
	}
	for at := 0; at+8000 <= len(pcm); at += 8000 {
		if level := dsp.Level(pcm[at : at+8000]); level < -35 {
			t.Errorf("%d s in: %.1f dBm0", at/8000, level)
		}
	}
	// A seam would be a step larger than any inside.
	largest := 0
	for i := range pcm[1:] {
		largest = max(largest, abs(int(pcm[i+1])-int(pcm[i])))
	}
	if seam := abs(int(pcm[0]) - int(pcm[len(pcm)-1])); seam > largest/2 {
		t.Errorf("the seam is a step of %d, the largest inside %d", seam, largest)
	}
}

func abs(v int) int { return max(v, -v) }

func TestAllFilesTogetherStaySmall(t *testing.T) {
	var total int64
	entries, err := sounds.ReadDir("sounds")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range entries {
		files, err := sounds.ReadDir("sounds/" + folder.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			info, err := f.Info()
			if err != nil {
				t.Fatal(err)
			}
			total += info.Size()
		}
	}
	if total > 7_000_000 || total < 100_000 {
		t.Errorf("%d bytes embedded", total)
	}
}

func TestFramesAreTheSoundInEveryCodec(t *testing.T) {
	s, err := open(t).Get("it", "greeting")
	if err != nil {
		t.Fatal(err)
	}
	want := s.PCM()
	for _, id := range []codec.ID{codec.PCMA, codec.PCMU, codec.G722} {
		frames := s.Frames(id)
		if len(frames) != (len(want)+159)/160 {
			t.Fatalf("%v: %d frames for %d samples", id, len(frames), len(want))
		}
		d := codec.NewDecoder(id)
		var pcm []int16
		var part [160]int16
		for _, f := range frames {
			if len(f) != 160 || cap(f) != 160 {
				t.Fatalf("%v: a frame of %d bytes with room for %d", id, len(f), cap(f))
			}
			d.Decode(part[:], f)
			pcm = append(pcm, part[:]...)
		}
		if got := dsp.Level(pcm); math.Abs(got-dsp.Level(want)) > 0.3 {
			t.Errorf("%v: level %.2f, want %.2f dBm0", id, got, dsp.Level(want))
		}
		if id != codec.G722 { // the decoder of G.722 delays, which its own tests measure
			for i, v := range want {
				if diff := abs(int(v) - int(pcm[i])); diff > 16+abs(int(v))/16 {
					t.Fatalf("%v: sample %d is %d, want %d", id, i, pcm[i], v)
				}
			}
		}
	}
	if s.Frames(codec.TelephoneEvent) != nil || s.Frames(0) != nil || s.Frames(200) != nil {
		t.Error("frames in a codec without sound")
	}
}

func TestManyLegsShareOneEncoding(t *testing.T) {
	s := open(t).Music("hold")
	var group sync.WaitGroup
	got := make([]*byte, 8)
	for i := range got {
		group.Go(func() { got[i] = &s.Frames(codec.G722)[0][0] })
	}
	group.Wait()
	for _, p := range got {
		if p != got[0] {
			t.Fatal("the sound was encoded twice")
		}
	}
}

func TestTonesRepeatTheirCadence(t *testing.T) {
	l := open(t)
	for name, length := range map[string]time.Duration{
		"ringback": 5 * time.Second, "busy": time.Second, "congestion": 400 * time.Millisecond, "dial": 2 * time.Second,
		"call_waiting": 15 * time.Second,
	} {
		s, err := l.Tone(name)
		if err != nil || s.Duration() != length {
			t.Errorf("%s lasts %v, %v", name, s.Duration(), err)
			continue
		}
		if level := dsp.ToneLevel(s.PCM()[:1200], 425); math.Abs(level+10) > 0.5 {
			t.Errorf("%s: 425 Hz at %.1f dBm0", name, level)
		}
	}
	if _, err := l.Tone("siren"); !errors.Is(err, ErrUnknown) {
		t.Errorf("%v", err)
	}
}

func TestUnknownNamesAreErrorsThatSayTheName(t *testing.T) {
	l := open(t)
	for _, c := range [][2]string{{"it", "poem"}, {"de", "greeting"}, {"", ""}} {
		if s, err := l.Get(c[0], c[1]); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), c[1]) || s.Duration() != 0 {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestAnEmptySoundIsSilent(t *testing.T) {
	for _, s := range []Sound{{}, FromPCM("empty", nil)} {
		if len(s.Frames(codec.PCMA)) != 0 || s.Duration() != 0 || len(s.PCM()) != 0 {
			t.Errorf("%q has %v", s.Name(), s.Duration())
		}
	}
}

func TestSoundsFromOutsideMustBeTelephoneSound(t *testing.T) {
	for name, c := range map[string]struct {
		format wav.Format
		want   error
	}{
		"mono at 8,000 Hz": {wav.Format{Encoding: wav.MuLaw, Channels: 1, Rate: 8000}, nil},
		"stereo":           {wav.Format{Encoding: wav.PCM16, Channels: 2, Rate: 8000}, ErrFormat},
		"CD":               {wav.Format{Encoding: wav.PCM16, Channels: 1, Rate: 44100}, ErrFormat},
	} {
		var b bytes.Buffer
		if err := wav.Write(&b, c.format, make([]int16, 400)); err != nil {
			t.Fatal(err)
		}
		s, err := FromWAV(name, &b)
		if !errors.Is(err, c.want) || err == nil && (s.Duration() != 50*time.Millisecond || len(s.Frames(codec.PCMA)) != 3) {
			t.Errorf("%s: %v, %v", name, s.Duration(), err)
		}
	}
	if _, err := FromWAV("text", strings.NewReader("hello")); !errors.Is(err, wav.ErrMalformed) {
		t.Errorf("%v", err)
	}
}

func TestTheMilliwattIsTheOneOfG711(t *testing.T) {
	s, err := open(t).Tone("milliwatt")
	if err != nil {
		t.Fatal(err)
	}
	for id, period := range map[codec.ID][]byte{
		codec.PCMA: {0x34, 0x21, 0x21, 0x34, 0xb4, 0xa1, 0xa1, 0xb4}, // table 5
		codec.PCMU: {0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e}, // table 6
		codec.G722: nil,
	} {
		var pcm []int16
		dec := codec.NewDecoder(id)
		for i, f := range s.Frames(id) {
			if period != nil && !bytes.Equal(f, bytes.Repeat(period, 20)) {
				t.Fatalf("%v, frame %d: % x", id, i, f)
			}
			var out [frameSamples]int16
			dec.Decode(out[:], f)
			pcm = append(pcm, out[:]...)
		}
		pcm = append(pcm, pcm...)[2000 : 2000+len(pcm)] // across the seam of the loop
		if level, tone := dsp.Level(pcm), dsp.ToneLevel(pcm, 1000); math.Abs(level) > 0.15 || math.Abs(tone) > 0.15 {
			t.Errorf("%v: %.2f dBm0, at 1,000 Hz %.2f dBm0, want 0", id, level, tone)
		}
	}
	if s.Duration()%(20*time.Millisecond) != 0 {
		t.Errorf("a loop of %v has a seam", s.Duration())
	}
}
