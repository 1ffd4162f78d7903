package appliance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/prompt"
)

const (
	// recordingPrefix marks a sound that is a file of the state directory: "file:voicemail/201/x.wav".
	recordingPrefix = "file:"
	// recordingBytes is the largest file: prompt.MaxLength of 16-bit sound and room for its header.
	recordingBytes = int64(prompt.MaxLength/time.Second)*codec.SampleRate*2 + 1<<20
	// keptRecordings and keptSamples bound what stays decoded for the next listener: 16 pieces, and
	// eight minutes in all, which take 8 MB and half of that for each codec in which they were played.
	keptRecordings = 16
	keptSamples    = 8 * 60 * codec.SampleRate
)

var errRecording = errors.New("no recording that can be played")

// recordings plays what people have recorded: greetings, messages, prompts of their own. Safe from any
// goroutine.
type recordings struct {
	dir string

	mu   sync.Mutex
	kept []keptRecording // the one played last is the last
}

// keptRecording is a decoded file as it was.
type keptRecording struct {
	name    string
	changed time.Time
	size    int64
	sound   prompt.Sound
}

// find loads a file below dir: one channel at 8,000 Hz, at most prompt.MaxLength. No name leads out of
// dir, not even through a symbolic link.
func (r *recordings) find(name string) (prompt.Sound, error) {
	s, err := r.load(name)
	if err != nil {
		return prompt.Sound{}, fmt.Errorf("%w: %q: %w", errRecording, name, err)
	}
	return s, nil
}

func (r *recordings) load(name string) (prompt.Sound, error) {
	if !filepath.IsLocal(name) || !strings.HasSuffix(name, ".wav") {
		return prompt.Sound{}, fs.ErrInvalid
	}
	f, err := os.OpenInRoot(r.dir, name)
	if err != nil {
		return prompt.Sound{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return prompt.Sound{}, err
	case !info.Mode().IsRegular():
		return prompt.Sound{}, fs.ErrInvalid
	case info.Size() > recordingBytes:
		return prompt.Sound{}, fmt.Errorf("it has %d bytes, more than %d", info.Size(), recordingBytes)
	}
	if s, ok := r.recall(name, info); ok {
		return s, nil
	}
	s, err := prompt.FromWAV(name, f)
	if err != nil {
		return prompt.Sound{}, err
	}
	r.keep(keptRecording{name, info.ModTime(), info.Size(), s})
	return s, nil
}

// recall gives a sound that is decoded already, unless its file has changed since.
func (r *recordings) recall(name string, info fs.FileInfo) (prompt.Sound, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.kept, func(k keptRecording) bool { return k.name == name })
	if i < 0 {
		return prompt.Sound{}, false
	}
	k := r.kept[i]
	r.kept = slices.Delete(r.kept, i, i+1)
	if !k.changed.Equal(info.ModTime()) || k.size != info.Size() {
		return prompt.Sound{}, false
	}
	r.kept = append(r.kept, k)
	return k.sound, true
}

// keep remembers a sound and forgets those that were played longest ago.
func (r *recordings) keep(k keptRecording) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = slices.DeleteFunc(r.kept, func(old keptRecording) bool { return old.name == k.name })
	r.kept = append(r.kept, k)
	all := 0
	for _, k := range r.kept {
		all += k.samples()
	}
	for len(r.kept) > 0 && (len(r.kept) > keptRecordings || all > keptSamples) {
		all -= r.kept[0].samples()
		r.kept = slices.Delete(r.kept, 0, 1)
	}
}

func (k *keptRecording) samples() int {
	return int(k.sound.Duration() * codec.SampleRate / time.Second)
}
