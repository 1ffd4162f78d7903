package appliance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/master"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
	"github.com/pronto-pbx/pronto/firmware/speaker"
)

// toneFile is a WAV of a steady tone, as a studio hands it over.
func toneFile(t *testing.T, hz float64, seconds int) []byte {
	t.Helper()
	pcm := make([]int16, 44100*seconds)
	for i := range pcm {
		pcm[i] = int16(3000 * math.Sin(2*math.Pi*hz*float64(i)/44100))
	}
	var b bytes.Buffer
	if err := wav.Write(&b, wav.Format{Encoding: wav.PCM16, Channels: 1, Rate: 44100}, pcm); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// says judges what callers hear for a sentence: a tone, or the box's own voice at 0.
func (b *bench) says(lang, name string, hz float64) {
	b.t.Helper()
	s, err := b.box.sounds.Find(lang, name)
	if err != nil {
		b.t.Fatal(err)
	}
	var pcm []int16
	coder := codec.NewDecoder(codec.PCMA)
	for _, f := range s.Frames(codec.PCMA) {
		part := make([]int16, 160)
		coder.Decode(part, f)
		pcm = append(pcm, part...)
	}
	if hz == 0 {
		library, err := b.box.sounds.library.Get(lang, name)
		if err != nil || len(s.Frames(codec.PCMA)) != len(library.Frames(codec.PCMA)) {
			b.t.Errorf("%s in %s: %d samples, that of the box lasts %v, %v", name, lang, len(pcm), library.Duration(), err)
		}
		return
	}
	if len(pcm) < 8000 || dsp.ToneLevel(pcm[2000:6000], hz) < dsp.Level(pcm[2000:6000])-1 {
		b.t.Errorf("%s in %s is not %v Hz: %d samples", name, lang, hz, len(pcm))
	}
}

func TestASentenceIsSaidWithTheOwnersSoundAndAgainWithTheBoxs(t *testing.T) {
	b := start(t, withMailbox(25))
	port := b.box.voice()
	b.says("it", "greeting", 0)
	taken, no, err := port.Take(t.Context(), "it/greeting", bytes.NewReader(toneFile(t, 700, 2)), byAnna)
	if err != nil || no.Sentence != "" || taken.Length < 2*time.Second || taken.Raised < 1 || taken.Clipped {
		t.Fatalf("%+v %+v %v", taken, no, err)
	}
	b.says("it", "greeting", 700)
	b.says("en", "greeting", 0)
	body, err := port.Play("it/greeting", true)
	if err != nil || !bytes.HasPrefix(body, []byte("RIFF")) {
		t.Errorf("it cannot be played on the page: %v", err)
	}
	if body, err = port.Play("it/greeting", false); err != nil || !bytes.HasPrefix(body, []byte("RIFF")) {
		t.Errorf("nor that of the box: %v", err)
	}
	if known, ok := port.Sound("it/greeting"); !ok || known.Length != taken.Length || known.Before {
		t.Errorf("%+v", known)
	}
	path, err := b.box.voicemail.Find("prompt:it/greeting")
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("RIFF, and then the card was bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.says("it", "greeting", 0) // no reason for silence
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		do func() (sentence string, err error)
		hz float64
	}{
		{func() (string, error) { no, err := port.Remove("it/greeting", byAnna); return no.Sentence, err }, 0},
		{func() (string, error) { no, err := port.Undo("it/greeting", byAnna); return no.Sentence, err }, 700},
	} {
		if no, err := step.do(); no != "" || err != nil {
			t.Errorf("%s %v", no, err)
		}
		b.says("it", "greeting", step.hz)
	}
	all, err := b.box.settings().Audit(10)
	if err != nil || len(all) < 3 || all[0].What != "announced" || all[0].Whom != "it/greeting" || all[0].User != "anna" {
		t.Errorf("the audit log: %+v %v", all, err)
	}
}

func TestWhatIsNoAnnouncementIsRefusedByItsSentence(t *testing.T) {
	b := start(t, withMailbox(25))
	port := b.box.voice()
	if _, no, err := port.Take(t.Context(), "welcome", bytes.NewReader(toneFile(t, 700, 2)), byAnna); err != nil || no.Sentence != "" {
		t.Fatal(no, err)
	}
	good := toneFile(t, 900, 2)
	for name, c := range map[string]struct {
		id, want string
		body     []byte
	}{
		"a text":              {"welcome", "voice.kind", []byte("Siamo in ferie")},
		"half a header":       {"welcome", "voice.broken", good[:30]},
		"silence":             {"welcome", "voice.silent", append(slices.Clone(good[:44]), make([]byte, 44100)...)},
		"a click":             {"welcome", "voice.short", good[:44+4000]},
		"hours":               {"welcome", "voice.long", toneFile(t, 700, 301)},
		"a name of elsewhere": {"../../welcome", "gone", good},
	} {
		if _, no, err := port.Take(t.Context(), c.id, bytes.NewReader(c.body), byAnna); err != nil || no.Sentence != c.want {
			t.Errorf("%s: %+v %v, want %s", name, no, err, c.want)
		}
	}
	if no, err := port.Undo("it/greeting", byAnna); err != nil || no.Sentence != "voice.nothing" {
		t.Errorf("undoing nothing: %+v %v", no, err)
	}
	b.box.workshop <- struct{}{} // somebody else's sound is being made
	hurried, cancel := context.WithCancel(t.Context())
	cancel()
	if _, no, err := port.Take(hurried, "welcome", bytes.NewReader(good), byAnna); err != nil || no.Sentence != "voice.busy" {
		t.Errorf("two at once: %+v %v", no, err)
	}
	<-b.box.workshop
	b.says("it", "prompt:welcome", 700)
	if no := port.Ring("anna", "it/greeting", byAnna); no != "voice.no_phone" {
		t.Errorf("phones that are not there: %q", no)
	}
}

// What is spoken into a phone becomes as loud as the rest.
func TestARecordingFromAPhoneIsBroughtToItsLoudness(t *testing.T) {
	b := start(t, withMailbox(25))
	pcm := make([]int16, 24000)
	for i := range pcm {
		pcm[i] = int16(300 * math.Sin(2*math.Pi*700*float64(i)/8000))
	}
	file, err := wavOf(pcm)
	if err == nil {
		err = os.WriteFile(b.box.Spool("prompt_c1_1"), file, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.box.Do("c1", ivr.SavePrompt{ID: "it/greeting", Path: "prompt_c1_1"}, nil)
	b.eventually("the recording is kept", func() bool { return b.box.ownSentence("it/greeting") })
	b.says("it", "greeting", 700)
	body, err := b.box.announcementSound("it/greeting", true)
	if err != nil {
		t.Fatal(err)
	}
	r, err := wav.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.ReadAll(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	loud := make([]float32, len(got))
	for i, x := range got {
		loud[i] = float32(x) / 32768
	}
	if is := master.Loudness(loud, 8000); math.Abs(is-master.Target) > 0.5 {
		t.Errorf("%.1f LUFS", is)
	}
}

// synthesiser is a program that stands for espeak-ng: it notes how it was called and does as the script says.
func synthesiser(t *testing.T, script string) (path, notes string) {
	t.Helper()
	dir := t.TempDir()
	path, notes = filepath.Join(dir, "speak"), filepath.Join(dir, "notes")
	text := fmt.Sprintf("#!/bin/sh\n{ echo \"$@\"; cat; } > %s\n%s\n", notes, script)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path, notes
}

// speaks gives the box a program that says what is written.
func speaks(t *testing.T, b *bench, program string) {
	t.Helper()
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- speaker.Serve(theirs, program) }()
	s := speaker.Over(ours)
	b.box.opts.Synthesiser = s.Speak
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
}

func TestASynthesiserSaysWhatIsWrittenAndItsFailuresAreSaid(t *testing.T) {
	b := start(t, withMailbox(25))
	if b.box.voice().Speak != nil {
		t.Error("it is offered where there is none")
	}
	sound := filepath.Join(t.TempDir(), "said.wav")
	if err := os.WriteFile(sound, toneFile(t, 700, 2), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ script, want string }{
		"says it":               {"cat " + sound, ""},
		"fails":                 {"echo no such voice >&2; exit 1", "voice.synthesiser"},
		"says nothing":          {"exit 0", "voice.kind"},
		"does not stop to talk": {"exec cat /dev/zero", "voice.synthesiser"},
	} {
		path, notes := synthesiser(t, c.script)
		speaks(t, b, path)
		const text = "--help è chiuso; $(reboot)"
		_, no, err := b.box.voice().Speak(t.Context(), "en/closed", "en", text, byAnna)
		if err != nil || no.Sentence != c.want {
			t.Errorf("%s: %+v %v", name, no, err)
		}
		got, err := os.ReadFile(notes)
		if err != nil || string(got) != "-v en-gb+f2 -s 145 --stdin --stdout\n"+text {
			t.Errorf("%s: it was told %q, %v", name, got, err)
		}
	}
	b.says("en", "closed", 700)
	speaks(t, b, filepath.Join(t.TempDir(), "gone"))
	if _, no, err := b.box.voice().Speak(t.Context(), "en/closed", "en", "x", byAnna); err != nil || no.Sentence != "voice.synthesiser" || !strings.Contains(no.Detail, "gone") {
		t.Errorf("a program that is not there: %+v %v", no, err)
	}
}

func TestTheProbeSaysWhatAMenuLacks(t *testing.T) {
	b := start(t, withMailbox(25))
	port := b.box.settings()
	done, no, err := port.Apply(t.Context(), func(c *config.Config) {
		c.Menus[0].Name = "Giorno"
		c.Menus = append(c.Menus, config.Menu{ID: "round", Name: "Giro", Greeting: []string{"wait"}, Keys: map[string]string{"1": "menu:round"}})
		c.Prompts.List[0].Name = "Benvenuto"
	}, byAnna, "")
	if err != nil || no.Sentence != "" {
		t.Fatal(no, err)
	}
	for thing, want := range map[string]string{"Giorno": "warn probe.menu.unreached", "Giro": "error probe.menu.dead", "Benvenuto": "warn probe.message.none"} {
		if got := finding(port.Probe(t.Context(), done.Changes), thing); got != want {
			t.Errorf("%s: %q, want %q", thing, got, want)
		}
	}
	if _, no, err := b.box.voice().Take(t.Context(), "welcome", bytes.NewReader(toneFile(t, 700, 2)), byAnna); err != nil || no.Sentence != "" {
		t.Fatal(no, err)
	}
	after, no, err := port.Apply(t.Context(), func(c *config.Config) { c.Queues[0].Overflow = "menu:day"; c.Menus[0].Name = "Giornata" }, byAnna, "")
	if err != nil || no.Sentence != "" {
		t.Fatal(no, err)
	}
	probed := port.Probe(t.Context(), after.Changes)
	if got := finding(probed, "Giornata"); got != "ok probe.menu.ready" || finding(probed, "Benvenuto") != "" {
		t.Errorf("%q, %+v", got, probed)
	}
}
