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
	recorded recordings
}

func newSounds(dir string) (*sounds, error) {
	l, err := prompt.New()
	if err != nil {
		return nil, err
	}
	return &sounds{library: l, confirm: prompt.FromPCM("tone_confirm", twoBeeps()), recorded: recordings{dir: dir}}, nil
}

// Find implements voice.Sounds.
func (s *sounds) Find(lang, name string) (media.Sound, error) {
	if name == "music" {
		return s.library.Music(""), nil
	}
	if file, ok := strings.CutPrefix(name, recordingPrefix); ok {
		return s.recorded.find(file)
	}
	if name == "tone_confirm" {
		return s.confirm, nil
	}
	if tone, ok := strings.CutPrefix(name, "tone_"); ok {
		return s.library.Tone(tone)
	}
	return s.library.Get(lang, name)
}

// twoBeeps is what a phone hears when a feature code was understood: two short notes, rising.
func twoBeeps() []int16 {
	const rate, level = 8000, 6000
	var pcm []int16
	for _, note := range []struct {
		hz      float64
		samples int
	}{{0, rate / 5}, {660, rate / 8}, {0, rate / 20}, {880, rate / 6}, {0, rate / 4}} {
		for i := range note.samples {
			fade := min(1, float64(min(i, note.samples-1-i))/80) // 10 ms, so that it does not click
			pcm = append(pcm, int16(level*fade*math.Sin(2*math.Pi*note.hz*float64(i)/rate)))
		}
	}
	return pcm
}
