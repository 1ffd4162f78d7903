package appliance

import (
	"math"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/media/prompt"
)

// sounds finds the words of the call rooms in the library: "music", "tone_ringback", prompts; and
// recordings in the state directory: "file:NAME".
type sounds struct {
	library  *prompt.Library
	confirm  prompt.Sound
	beep     prompt.Sound
	watched  prompt.Sound
	joined   prompt.Sound
	left     prompt.Sound
	recorded recordings
	file     func(name string) (string, error) // where a recording lies, below the state directory: "message:201/ID"
	own      func(sentence string) bool        // has the owner recorded it in place of the box's? "it/greeting"
}

func newSounds(dir string, file func(string) (string, error), own func(string) bool) (*sounds, error) {
	l, err := prompt.New()
	if err != nil {
		return nil, err
	}
	return &sounds{
		library: l, file: file, own: own, recorded: recordings{dir: dir},
		confirm: prompt.FromPCM("tone_confirm", notes([]note{{0, rate / 5}, {660, rate / 8}, {0, rate / 20}, {880, rate / 6}, {0, rate / 4}})),
		beep:    prompt.FromPCM("tone_beep", notes([]note{{0, rate / 5}, {1000, rate * 2 / 5}})),
		joined:  prompt.FromPCM("tone_joined", notes([]note{{520, rate / 10}, {0, rate / 40}, {780, rate / 8}})),
		left:    prompt.FromPCM("tone_left", notes([]note{{780, rate / 10}, {0, rate / 40}, {520, rate / 8}})),
		watched: prompt.FromPCM("tone_watched", notes([]note{{440, rate / 10}, {0, rate / 10}, {440, rate / 10}})),
	}, nil
}

// Find implements voice.Sounds.
func (s *sounds) Find(lang, name string) (media.Sound, error) {
	if name == "music" {
		return s.library.Music(""), nil
	}
	if file, ok := strings.CutPrefix(name, recordingPrefix); ok {
		return s.recorded.find(file)
	}
	switch name {
	case "tone_confirm":
		return s.confirm, nil
	case "tone_beep":
		return s.beep, nil
	case "tone_joined":
		return s.joined, nil
	case "tone_left":
		return s.left, nil
	case "tone_watched":
		return s.watched, nil
	}
	if strings.Contains(name, ":") {
		file, err := s.file(name)
		if err != nil {
			return nil, err
		}
		return s.recorded.find(file)
	}
	if tone, ok := strings.CutPrefix(name, "tone_"); ok {
		return s.library.Tone(tone)
	}
	if id := lang + "/" + name; s.own(id) {
		if own, err := s.Find(lang, "prompt:"+id); err == nil {
			return own, nil
		}
		// A file that cannot be read is no reason for silence.
	}
	return s.library.Get(lang, name)
}

// rate is the number of samples in a second.
const rate = 8000

// note is a tone, or silence at 0 Hz, for a number of samples.
type note struct {
	hz      float64
	samples int
}

// notes are short signals: two, rising, when a feature code was understood; one before one speaks; two alike for an
// agent who is supervised from now on; two, rising or falling, when somebody enters a conference or leaves it.
func notes(all []note) []int16 {
	const level = 6000
	var pcm []int16
	for _, n := range all {
		for i := range n.samples {
			fade := min(1, float64(min(i, n.samples-1-i))/80) // 10 ms, so that it does not click
			pcm = append(pcm, int16(level*fade*math.Sin(2*math.Pi*n.hz*float64(i)/rate)))
		}
	}
	return pcm
}
