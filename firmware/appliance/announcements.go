package appliance

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/master"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
	"github.com/pronto-pbx/pronto/firmware/speaker"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/voicemail"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
	"github.com/pronto-pbx/pronto/ui/voice"
)

const (
	// speakFor is how long a synthesiser may take for a text, and its sound to be brought to its loudness.
	speakFor = speaker.Longest + 15*time.Second
	// workshopWait is how long a sound waits for those before it to be finished.
	workshopWait = 20 * time.Second
)

// voice is the page's way to what the box says.
func (b *Box) voice() voice.Port {
	p := voice.Port{
		Languages: b.sounds.library.Languages(), Text: b.sounds.library.Text,
		Sound: func(id string) (voice.Sound, bool) {
			a, ok := b.voicemail.Announcement(id)
			return voice.Sound{Changed: a.Changed, Length: a.Length, Before: a.Before}, ok
		},
		Play: b.announcementSound, Take: b.takeAnnouncement,
		Remove: func(id string, by settings.By) (settings.Refusal, error) {
			return b.announced(id, by, b.voicemail.RemoveAnnouncement(id))
		},
		Undo: func(id string, by settings.By) (settings.Refusal, error) {
			return b.announced(id, by, b.voicemail.UndoAnnouncement(id))
		},
		Ring: b.ringToRecord,
	}
	if b.opts.Synthesiser != nil {
		p.Speak = b.speak
	}
	return p
}

// ownSentence reports whether the owner has given a sentence of the box another sound.
func (b *Box) ownSentence(id string) bool {
	_, ok := b.voicemail.Announcement(id)
	return ok
}

// announced writes down who changed what the box says, or tells what the page says of an error.
func (b *Box) announced(id string, by settings.By, err error) (settings.Refusal, error) {
	if err == nil {
		b.noteAccess(access.Note{At: time.Now(), What: access.DeedAnnounced, User: by.User, Whom: id, From: by.From})
		return settings.Refusal{}, nil
	}
	for _, x := range []struct {
		err      error
		sentence string
	}{
		{master.ErrKind, "voice.kind"},
		{master.ErrBroken, "voice.broken"},
		{master.ErrSilent, "voice.silent"},
		{master.ErrShort, "voice.short"},
		{master.ErrLong, "voice.long"},
		{errWorkshop, "voice.busy"},
		{errSynthesiser, "voice.synthesiser"},
		{voicemail.ErrQuota, "voice.quota"},
		{voicemail.ErrName, "gone"},
		{voicemail.ErrNoMessage, "voice.nothing"},
		{syscall.ENOSPC, "voice.disk"},
		{syscall.EDQUOT, "voice.disk"},
		{syscall.EROFS, "voice.disk"},
		{fs.ErrPermission, "voice.disk"},
	} {
		if errors.Is(err, x.err) {
			return settings.Refusal{Sentence: x.sentence, Detail: err.Error()}, nil
		}
	}
	return settings.Refusal{}, err
}

// announcementSound is a sound as WAV: of the owner, or of the box.
func (b *Box) announcementSound(id string, own bool) ([]byte, error) {
	if own {
		path, err := b.voicemail.Find("prompt:" + id)
		if err != nil {
			return nil, err
		}
		return os.ReadFile(path)
	}
	lang, name, _ := strings.Cut(id, "/")
	s, err := b.sounds.library.Get(lang, name)
	if err != nil {
		return nil, err
	}
	return wavOf(s.PCM())
}

func wavOf(pcm []int16) ([]byte, error) {
	var out bytes.Buffer
	err := wav.Write(&out, wav.Format{Encoding: wav.PCM16, Channels: 1, Rate: codec.SampleRate}, pcm)
	return out.Bytes(), err
}

// pauseOf is the silence around a sound: parts of a sentence follow one another without a stop.
func pauseOf(id string) time.Duration {
	_, name, sentence := strings.Cut(id, "/")
	if sentence && slices.ContainsFunc(config.Sentences(), func(g config.SentenceGroup) bool {
		return g.PartOfASentence() && slices.Contains(g.Names, name)
	}) {
		return 30 * time.Millisecond
	}
	return 100 * time.Millisecond
}

// finishRecording makes an announcement of what somebody spoke into a phone (voicemail.Config.Finish).
func finishRecording(id string, recorded io.Reader) ([]byte, error) {
	t, err := master.Make(recorded, pauseOf(id))
	if err != nil {
		return nil, err
	}
	return wavOf(t.PCM)
}

var (
	errWorkshop    = errors.New("other sounds are being worked on")
	errSynthesiser = errors.New("the synthesiser fails")
)

// takeAnnouncement makes a sound of a file that is being read: one file at a time, so that neither memory nor
// the processor of a small box is anybody's to fill.
func (b *Box) takeAnnouncement(ctx context.Context, id string, from io.Reader, by settings.By) (voice.Taken, settings.Refusal, error) {
	taken, err := b.makeAnnouncement(ctx, id, from)
	no, err := b.announced(id, by, err)
	return taken, no, err
}

func (b *Box) makeAnnouncement(ctx context.Context, id string, from io.Reader) (voice.Taken, error) {
	wait, cancel := context.WithTimeout(ctx, workshopWait)
	defer cancel()
	select {
	case b.workshop <- struct{}{}:
		defer func() { <-b.workshop }()
	case <-wait.Done():
		return voice.Taken{}, errWorkshop
	}
	t, err := master.Make(from, pauseOf(id))
	if err != nil {
		return voice.Taken{}, err
	}
	sound, err := wavOf(t.PCM)
	if err == nil {
		err = b.voicemail.PutAnnouncement(id, sound)
	}
	return voice.Taken{Length: t.Length(), Cut: t.Cut, Raised: t.Is - t.Was, Clipped: t.Clipped}, err
}

// speak has the synthesiser say a text.
func (b *Box) speak(ctx context.Context, id, lang, text string, by settings.By) (voice.Taken, settings.Refusal, error) {
	ctx, cancel := context.WithTimeout(ctx, speakFor)
	defer cancel()
	said, err := b.opts.Synthesiser(ctx, lang, text)
	if err != nil {
		no, err := b.announced(id, by, fmt.Errorf("%w: %w", errSynthesiser, err))
		return voice.Taken{}, no, err
	}
	return b.takeAnnouncement(ctx, id, bytes.NewReader(said), by)
}

// ringToRecord rings a person's phones; who answers there records a sound. No code is asked: who asks has signed in.
func (b *Box) ringToRecord(person tel.AgentID, id string, by settings.By) string {
	n := b.numbering.Load()
	var phones []tel.DeviceID
	for _, d := range n.Devices(person) {
		if reachable(b, []tel.DeviceID{d}) {
			phones = append(phones, d)
		}
	}
	err := b.calls.Script(phones, n.codeOf(dialplan.RecordPrompt), ivr.New("", n.cfg.Box.Language, &ivr.Prompt{Prompt: id}))
	switch {
	case errors.Is(err, call.ErrNoPhone):
		return "voice.no_phone"
	case err != nil:
		b.log.Info("no phone rings to record an announcement", "person", person, "announcement", id, "err", err)
		return "voice.no_call"
	}
	b.noteAccess(access.Note{At: time.Now(), What: access.DeedAnnounced, User: by.User, Whom: id, From: by.From})
	return ""
}

// codeOf is the feature code of an action, for the displays of phones.
func (n *numbering) codeOf(a dialplan.Action) tel.Number {
	for _, c := range n.plan.Codes {
		if c.Action == a {
			return c.Code
		}
	}
	return ""
}

// probeMenu tells whether a menu is reached, leads to somebody, and has all that it says.
func (b *Box) probeMenu(id string) []page.Finding {
	c := b.config()
	i := slices.IndexFunc(c.Menus, func(m config.Menu) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	m := &c.Menus[i]
	f := page.Finding{Level: "warn", Thing: cmp.Or(m.Name, id), Says: page.Said{Sentence: "probe.menu.unreached"}}
	ways := c.Ways()["menu:"+id]
	switch {
	case c.DeadEnd(id):
		f.Level, f.Says.Sentence = "error", "probe.menu.dead"
	case len(ways) > 0:
		f.Level, f.Says = "ok", page.Said{Sentence: "probe.menu.ready", Args: []any{len(ways)}}
	}
	said := slices.DeleteFunc(slices.Clone(c.Prompts.List), func(p config.Prompt) bool { return !slices.Contains(m.Greeting, "prompt:"+p.ID) })
	return append([]page.Finding{f}, b.probeAnnouncements(said)...)
}

// probeAnnouncements names those that have no sound yet.
func (b *Box) probeAnnouncements(list []config.Prompt) (all []page.Finding) {
	for _, p := range list {
		if _, there := b.voicemail.Announcement(p.ID); !there {
			all = append(all, page.Finding{Level: "warn", Thing: cmp.Or(p.Name, p.ID), Says: page.Said{Sentence: "probe.message.none"}})
		}
	}
	return all
}
