// Package prompt holds what callers hear from the box itself: spoken sentences in each language,
// music on hold and the tones of the network, encoded once per codec and then shared.
package prompt

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

//go:embed sounds
var sounds embed.FS

// Errors of this package, wrapped with the name asked for.
var (
	ErrUnknown = errors.New("no such sound")
	ErrFormat  = errors.New("sound is not mono at 8,000 Hz")
)

const (
	frameSamples = 160 // 20 ms
	// MaxLength bounds a sound that comes from outside.
	MaxLength = 10 * time.Minute
)

// Sound is a piece of audio that any number of legs may play at once. Its zero value is silent and
// empty. Copies share what is encoded.
type Sound struct{ shared *shared }

type shared struct {
	name    string
	samples int
	pcm     func() []int16
	encoded [3]encoded // PCMU, PCMA, G722
}

type encoded struct {
	once   sync.Once
	frames [][]byte
}

// Name tells which sound it is, for logs.
func (s Sound) Name() string {
	if s.shared == nil {
		return ""
	}
	return s.shared.name
}

// Duration is the length of the sound.
func (s Sound) Duration() time.Duration {
	if s.shared == nil {
		return 0
	}
	return time.Duration(s.shared.samples) * time.Second / codec.SampleRate
}

// PCM is the sound at 8,000 Hz. It is shared: read it only.
func (s Sound) PCM() []int16 {
	if s.shared == nil {
		return nil
	}
	return s.shared.pcm()
}

// Frames is the sound in payloads of 20 ms, the last one filled up with silence, and nil for a
// codec without sound. It is encoded at the first call and shared: read it only. Safe from any
// goroutine.
func (s Sound) Frames(id codec.ID) [][]byte {
	if s.shared == nil || !id.Audio() {
		return nil
	}
	e := &s.shared.encoded[id-codec.PCMU]
	e.once.Do(func() { e.frames = encode(id, s.shared.pcm()) })
	return e.frames
}

func encode(id codec.ID, pcm []int16) [][]byte {
	n := (len(pcm) + frameSamples - 1) / frameSamples
	frames := make([][]byte, n)
	all := make([]byte, n*id.PayloadBytes(20))
	size := id.PayloadBytes(20)
	enc := codec.NewEncoder(id)
	var last [frameSamples]int16
	for i := range frames {
		part := pcm[i*frameSamples : min(len(pcm), (i+1)*frameSamples)]
		if len(part) < frameSamples {
			copy(last[:], part)
			part = last[:]
		}
		frames[i] = all[i*size : (i+1)*size : (i+1)*size]
		enc.Encode(frames[i], part)
	}
	return frames
}

// FromPCM makes a sound of samples at 8,000 Hz, which the sound keeps.
func FromPCM(name string, pcm []int16) Sound {
	return Sound{&shared{name: name, samples: len(pcm), pcm: func() []int16 { return pcm }}}
}

// FromWAV reads a sound: one channel at 8,000 Hz in any encoding of package wav, up to MaxLength.
func FromWAV(name string, r io.Reader) (Sound, error) {
	pcm, err := readWAV(r)
	if err != nil {
		return Sound{}, fmt.Errorf("sound %q: %w", name, err)
	}
	return FromPCM(name, pcm), nil
}

func readWAV(r io.Reader) ([]int16, error) {
	w, err := openWAV(r)
	if err != nil {
		return nil, err
	}
	return w.ReadAll(int(MaxLength / time.Second * codec.SampleRate))
}

func openWAV(r io.Reader) (*wav.Reader, error) {
	w, err := wav.NewReader(r)
	if err != nil {
		return nil, err
	}
	if w.Channels != 1 || w.Rate != codec.SampleRate {
		return nil, fmt.Errorf("%w but %d channels at %d Hz", ErrFormat, w.Channels, w.Rate)
	}
	return w, nil
}

// Library holds the sounds that come with the box. It is read-only and safe from any goroutine.
type Library struct {
	spoken map[string]map[string]Sound // language, name
	texts  map[string]map[string]string
	music  map[string]Sound
	tones  map[string]Sound
}

// New opens the library. Sounds are decoded when first played, so an unused one costs nothing.
func New() (*Library, error) {
	l := &Library{
		spoken: make(map[string]map[string]Sound), texts: make(map[string]map[string]string),
		music: make(map[string]Sound), tones: make(map[string]Sound),
	}
	err := fs.WalkDir(sounds, "sounds", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return l.add(file)
	})
	if err != nil {
		return nil, fmt.Errorf("open the sound library: %w", err)
	}
	for name, t := range map[string]dsp.Tone{
		"dial": dsp.Dial(), "ringback": dsp.Ringback(), "busy": dsp.Busy(), "congestion": dsp.Congestion(),
		"call_waiting": dsp.CallWaiting(),
	} {
		l.tones[name] = fromTone(name, t)
	}
	l.tones["milliwatt"] = milliwatt()
	return l, nil
}

// milliwatt is the reference of ITU-T G.711 tables 5 and 6: 1,000 Hz at 0 dBm0, in the phase in which
// its eight samples become exactly the eight bytes of the tables. A technician's meter reads the loss
// of a line from it.
func milliwatt() Sound {
	const seconds, period = 2, 8
	return Sound{&shared{name: "tone/milliwatt", samples: seconds * codec.SampleRate, pcm: sync.OnceValue(func() []int16 {
		pcm := make([]int16, seconds*codec.SampleRate)
		for i := range pcm {
			pcm[i] = -int16(math.Round(dsp.Amplitude(0) * math.Sin(2*math.Pi*(float64(i%period)+0.5)/period)))
		}
		return pcm
	})}}
}

func (l *Library) add(file string) error {
	folder := path.Base(path.Dir(file))
	name, kind, _ := strings.Cut(path.Base(file), ".")
	if kind == "txt" {
		body, err := sounds.ReadFile(file)
		if err != nil {
			return err
		}
		if l.texts[folder] == nil {
			l.texts[folder] = make(map[string]string)
		}
		l.texts[folder][name] = strings.TrimSpace(string(body))
		return nil
	}
	s, err := embedded(folder+"/"+name, file)
	if err != nil {
		return err
	}
	if folder == "music" {
		l.music[name] = s
		return nil
	}
	if l.spoken[folder] == nil {
		l.spoken[folder] = make(map[string]Sound)
	}
	l.spoken[folder][name] = s
	return nil
}

// embedded reads what kind of sound it is now, and the sound when it is first played: hundreds of
// words would otherwise be copied and decoded at each start. That each can be decoded is a test.
func embedded(name, file string) (Sound, error) {
	w, err := header(file)
	if err != nil {
		return Sound{}, fmt.Errorf("sound %q: %w", name, err)
	}
	return Sound{&shared{name: name, samples: w.Samples(), pcm: sync.OnceValue(func() []int16 {
		body, _ := sounds.ReadFile(file) // it is there: its header was read
		pcm, _ := readWAV(bytes.NewReader(body))
		return pcm
	})}}, nil
}

func header(file string) (*wav.Reader, error) {
	f, err := sounds.Open(file)
	if err != nil {
		return nil, err
	}
	w, err := openWAV(f)
	return w, errors.Join(err, f.Close())
}

// fromTone is one repetition of a tone, to be played in a loop.
func fromTone(name string, t dsp.Tone) Sound {
	n := int(t.Length() * codec.SampleRate / time.Second)
	return Sound{&shared{name: "tone/" + name, samples: n, pcm: sync.OnceValue(func() []int16 {
		pcm := make([]int16, n)
		dsp.NewGenerator(t).Next(pcm)
		return pcm
	})}}
}

// Get gives the sentence name in language "it" or "en", or ErrUnknown.
func (l *Library) Get(lang, name string) (Sound, error) {
	s, ok := l.spoken[lang][name]
	if !ok {
		return Sound{}, fmt.Errorf("%w: %q in %q", ErrUnknown, name, lang)
	}
	return s, nil
}

// Text is the sentence that a sound says, and empty for an unknown one.
func (l *Library) Text(lang, name string) string { return l.texts[lang][name] }

// Languages lists the languages in order.
func (l *Library) Languages() []string { return sorted(l.spoken) }

// Names lists the sentences of a language in order.
func (l *Library) Names(lang string) []string { return sorted(l.spoken[lang]) }

func sorted[T any](m map[string]T) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Music gives music on hold, to be played in a loop; an unknown name gives the one that comes with
// the box, so that nobody waits in silence.
func (l *Library) Music(name string) Sound {
	if s, ok := l.music[name]; ok {
		return s
	}
	return l.music["hold"]
}

// Tone gives one repetition of "ringback", "busy", "congestion", "dial", "call_waiting" or "milliwatt",
// to be played in a loop, or ErrUnknown.
func (l *Library) Tone(name string) (Sound, error) {
	s, ok := l.tones[name]
	if !ok {
		return Sound{}, fmt.Errorf("%w: tone %q", ErrUnknown, name)
	}
	return s, nil
}
