package appliance

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

// putWAV writes so many samples of one value.
func putWAV(t *testing.T, path string, f wav.Format, n int, value int16) {
	t.Helper()
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = value
	}
	var b bytes.Buffer
	if err := wav.Write(&b, f, pcm); err != nil {
		t.Fatal(err)
	}
	put(t, path, b.Bytes())
}

func put(t *testing.T, path string, body []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
}

var telephone = wav.Format{Encoding: wav.PCM16, Channels: 1, Rate: codec.SampleRate}

func TestARecordingIsFoundByItsNameAndNothingOutsideOfTheStateDirectory(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "state")
	putWAV(t, filepath.Join(dir, "voicemail/201/greeting.wav"), telephone, 320, 1000)
	putWAV(t, filepath.Join(dir, "growing.wav.part"), telephone, 320, 1000)
	putWAV(t, filepath.Join(dir, "stereo.wav"), wav.Format{Encoding: wav.PCM16, Channels: 2, Rate: 8000}, 320, 1000)
	putWAV(t, filepath.Join(dir, "wide.wav"), wav.Format{Encoding: wav.PCM16, Channels: 1, Rate: 16000}, 320, 1000)
	putWAV(t, filepath.Join(top, "outside.wav"), telephone, 320, 1000)
	put(t, filepath.Join(dir, "text.wav"), []byte("no sound at all"))
	put(t, filepath.Join(dir, "key.pem"), []byte("secret"))
	big, err := os.Create(filepath.Join(dir, "big.wav"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(big.Truncate(recordingBytes+1), big.Close()); err != nil {
		t.Fatal(err)
	}
	for _, link := range [][2]string{{"../outside.wav", "link.wav"}, {"voicemail", "inside"}} {
		if err := os.Symlink(link[0], filepath.Join(dir, link[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.wav"), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := newSounds(dir, nil, func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{
		"voicemail/201/greeting.wav": true, "inside/201/greeting.wav": true, "voicemail/../voicemail/201/greeting.wav": true,
		"missing.wav": false, "growing.wav.part": false, "stereo.wav": false, "wide.wav": false, "text.wav": false,
		"key.pem": false, "big.wav": false, "link.wav": false, "folder.wav": false, "../outside.wav": false,
		"voicemail/../../outside.wav": false, filepath.Join(top, "outside.wav"): false, "": false, ".wav": false, "\x00.wav": false,
	} {
		sound, err := s.Find("it", recordingPrefix+name)
		switch {
		case ok != (err == nil):
			t.Errorf("%q: %v", name, err)
		case err != nil && (!errors.Is(err, errRecording) || !strings.Contains(err.Error(), fmt.Sprintf("%q", name))):
			t.Errorf("%q: the reason says nothing: %v", name, err)
		case err == nil && len(sound.Frames(codec.PCMA)) != 2:
			t.Errorf("%q has %d frames", name, len(sound.Frames(codec.PCMA)))
		}
	}
}

func TestARecordingIsDecodedOnceUntilItChanges(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.wav")
	putWAV(t, path, telephone, 160, 1000)
	s, err := newSounds(dir, nil, func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	frame := func() []byte {
		t.Helper()
		sound, err := s.Find("it", "file:x.wav")
		if err != nil {
			t.Fatal(err)
		}
		return sound.Frames(codec.PCMU)[0]
	}
	first := frame()
	if again := frame(); &again[0] != &first[0] {
		t.Error("the file was decoded and encoded again")
	}
	putWAV(t, path, telephone, 160, -1000)
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil { // clocks of files are coarse
		t.Fatal(err)
	}
	if changed := frame(); changed[0] == first[0] {
		t.Error("the old greeting is still played")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find("it", "file:x.wav"); err == nil {
		t.Error("a deleted message is still played")
	}
}

func TestDecodedRecordingsHaveTheirBounds(t *testing.T) {
	dir := t.TempDir()
	r := recordings{dir: dir}
	load := func(name string, n int) {
		t.Helper()
		putWAV(t, filepath.Join(dir, name), telephone, n, 1)
		if _, err := r.find(name); err != nil {
			t.Fatal(err)
		}
	}
	for i := range keptRecordings + 5 {
		load(fmt.Sprintf("%d.wav", i), 160)
	}
	if n := len(r.kept); n != keptRecordings || r.kept[n-1].name != fmt.Sprintf("%d.wav", keptRecordings+4) {
		t.Errorf("%d are kept", n)
	}
	load("long.wav", keptSamples-160)
	if n := len(r.kept); n != 2 {
		t.Errorf("%d are kept beside a long one", n)
	}
	load("longer.wav", keptSamples+160)
	if n := len(r.kept); n != 0 {
		t.Errorf("%d are kept: one that is longer than all may take", n)
	}
}
