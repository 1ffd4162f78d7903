package appliance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func withMailbox(port int) string {
	return shop + fmt.Sprintf(`
prompts: {pin: "8264", list: [{id: welcome, number: "1"}]}
menus:
  - {id: day, greeting: ["prompt:welcome", greeting], keys: {"1": "queue:sales"}, dial: true}
voicemail:
  boxes:
    - {number: "201", pin: "90210", own_phone: true, mail: "anna@shop.test", mailed: heard}
    - {number: "202", pin: "5831", language: en}
mail: {server: 127.0.0.1, port: %d, security: none, from: "Pronto <box@shop.test>"}
`, port)
}

// speak records two seconds and a half of a tone as a caller of a script would, and delivers it.
func (b *bench) speak(box, name string) {
	b.t.Helper()
	tone := dsp.NewGenerator(dsp.Tone{Level: -10, Steps: []dsp.Step{{Hz: [2]float64{440, 0}, For: time.Hour}}})
	pcm := make([]int16, 125*160)
	tone.Next(pcm)
	var file bytes.Buffer
	err := wav.Write(&file, wav.Format{Encoding: wav.PCM16, Channels: 1, Rate: 8000}, pcm)
	if err == nil {
		err = os.WriteFile(b.box.Spool(name), file.Bytes(), 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.box.Do("c1", ivr.Deliver{Box: box, Path: name, From: "+39061234567", CallerName: "Rossi", At: time.Now()}, nil)
}

func (b *bench) messages(box string) []ivr.Message {
	b.t.Helper()
	var got ivr.Listed
	b.box.Do("c1", ivr.List{Box: box}, func(e ivr.Event) { got = e.(ivr.Listed) })
	return got.Messages
}

func TestAMessageIsStoredRecordedPlayedAndMailed(t *testing.T) {
	b := start(t, withMailbox(25))
	post := pbxtest.NewLetterBox(t)
	b.apply(func(c *config.Config) { c.Mail.Port = post.Port() })
	b.speak("201", "201_c1_1")
	letter := post.Next()
	b.eventually("the message counts as heard", func() bool {
		all := b.messages("201")
		return len(all) == 1 && all[0].Heard
	})
	m := b.messages("201")[0]
	if m.From != "+39061234567" || m.Length != 2500*time.Millisecond {
		t.Errorf("%+v", m)
	}
	s, err := b.box.sounds.Find("it", "message:201/"+m.ID)
	if err != nil || len(s.Frames(1)) != 125 {
		t.Errorf("the message cannot be played: %v", err)
	}
	if letter.Subject != "Messaggio in segreteria da Rossi (+39061234567)" || !strings.Contains(letter.Words, "Gentile Anna") {
		t.Errorf("%q\n%s", letter.Subject, letter.Words)
	}
	if len(letter.Sound) != 20000 || dsp.ToneLevel(letter.Sound, 440) < -12 {
		t.Errorf("%d samples, 440 Hz at %.1f dBm0", len(letter.Sound), dsp.ToneLevel(letter.Sound, 440))
	}
	var left []tel.VoicemailLeft
	if err := b.box.history.Read(0, func(r journal.Record) error {
		if r.Kind != (tel.VoicemailLeft{}).Kind() {
			return nil
		}
		var e tel.VoicemailLeft
		left = append(left, e)
		return json.Unmarshal(r.Body, &left[len(left)-1])
	}); err != nil || len(left) != 1 || left[0].Message != m.ID || left[0].Call != "c1" {
		t.Errorf("journal %+v, %v", left, err)
	}
	shows := func(fresh, old int) bool {
		events := b.box.present.snapshot().([]tel.Event)
		return slices.ContainsFunc(events, func(e tel.Event) bool {
			v, ok := e.(tel.VoicemailChanged)
			return ok && v.Box == "201" && v.New == fresh && v.Old == old
		})
	}
	b.eventually("observers see the count", func() bool { return shows(0, 1) })
}

func TestAMailServerThatIsDownIsShownAndTheMessageStays(t *testing.T) {
	b := start(t, withMailbox(1)) // no server listens there
	b.speak("201", "201_c1_1")
	b.eventually("the condition says so", func() bool {
		return slices.ContainsFunc(b.box.present.snapshot().([]tel.Event), func(e tel.Event) bool {
			h, ok := e.(tel.HealthChanged)
			return ok && h.Condition == "mail" && !h.OK
		})
	})
	if n := len(b.messages("201")); n != 1 || b.box.mail.Waiting() != 1 {
		t.Errorf("%d messages, %d mails wait", n, b.box.mail.Waiting())
	}
}

func TestScriptsAreBuiltFromTheConfiguration(t *testing.T) {
	b := start(t, withMailbox(25))
	n := b.box.numbering.Load()
	m, ok := n.menu("day")
	if !ok || m.DialFirst != "24" || m.DialLongest != 3 || m.Keys["1"] != "queue:sales" || m.Timeouts != 3 {
		t.Errorf("%+v", m)
	}
	if _, ok := n.menu("night"); ok {
		t.Error("a menu that does not exist")
	}
	script := func(d dialplan.Decision, from tel.DeviceID) ivr.State {
		s, ok := n.script(d, dialplan.Request{Device: from, Dialed: "x"})
		if !ok {
			t.Fatalf("no script for %+v", d)
		}
		return s
	}
	s := script(dialplan.Decision{Action: dialplan.Voicemail, Mailbox: "202"}, "201")
	if d := s.Deposit; s.Language != "en" || !slices.Equal(d.Greeting, ivr.StandardGreeting()) || d.Full || d.Max != 3*time.Minute {
		t.Errorf("%+v", s)
	}
	if _, ok := n.script(dialplan.Decision{Action: dialplan.Voicemail, Mailbox: "203"}, dialplan.Request{}); ok {
		t.Error("a message for a person without mailbox")
	}
	if m := script(dialplan.Decision{Action: dialplan.Messages, Mailbox: "201"}, "201").Mailbox; m.Box != "201" || !m.Own {
		t.Errorf("own mailbox at the own phone: %+v", m)
	}
	if m := script(dialplan.Decision{Action: dialplan.Messages, Mailbox: "201"}, "202").Mailbox; m.Own {
		t.Errorf("another's phone opens a mailbox: %+v", m)
	}
	if s := script(dialplan.Decision{Action: dialplan.RecordPrompt, Prompt: "1"}, "201"); s.Prompt.Of != lockPrompts || s.Prompt.Prompt != "welcome" {
		t.Errorf("%+v", s)
	}
	if s := script(dialplan.Decision{Action: dialplan.Say, Prompt: "welcome"}, "201"); s.Say.Names[0] != "prompt:welcome" {
		t.Errorf("%+v", s)
	}
}

func TestScriptsAreAnswered(t *testing.T) {
	b := start(t, withMailbox(25))
	for name, c := range map[string]struct {
		ask  ivr.Check
		want bool
	}{
		"the right code":            {ivr.Check{What: ivr.CheckPIN, Of: "201", Value: "90210"}, true},
		"a wrong code":              {ivr.Check{What: ivr.CheckPIN, Of: "202", Value: "1111"}, false},
		"the lock of announcements": {ivr.Check{What: ivr.CheckPIN, Of: lockPrompts, Value: "8264"}, true},
		"a good new code":           {ivr.Check{What: ivr.CheckNewPIN, Of: "201", Value: "7391"}, true},
		"an easy new code":          {ivr.Check{What: ivr.CheckNewPIN, Of: "201", Value: "1234"}, false},
		"a person":                  {ivr.Check{What: ivr.CheckExtension, Value: "203"}, true},
		"a queue":                   {ivr.Check{What: ivr.CheckExtension, Value: "400"}, true},
		"nobody":                    {ivr.Check{What: ivr.CheckExtension, Value: "299"}, false},
		"an outside number":         {ivr.Check{What: ivr.CheckExtension, Value: "0612345678"}, false},
		"something else":            {ivr.Check{What: "weather"}, false},
	} {
		got := make(chan ivr.Event, 1)
		b.box.Do("c1", c.ask, func(e ivr.Event) { got <- e })
		if e := <-got; e != (ivr.Checked{OK: c.want}) {
			t.Errorf("%s: %+v", name, e)
		}
	}
	b.box.Do("c1", ivr.SetPIN{Box: "202", PIN: "7391"}, nil)
	kept := filepath.Join(filepath.Dir(b.box.voicemail.SpoolDir()), "box", "202", "pin.json")
	b.eventually("the new code is kept", func() bool { // asking before would count as wrong tries
		_, err := os.Stat(kept)
		return err == nil
	})
	got := make(chan ivr.Event, 1)
	b.box.Do("c1", ivr.Check{What: ivr.CheckPIN, Of: "202", Value: "7391"}, func(e ivr.Event) { got <- e })
	if e := <-got; e != (ivr.Checked{OK: true}) {
		t.Errorf("the new code: %+v", e)
	}
}

func TestAMessageIsPutAwayAsTheScriptSays(t *testing.T) {
	b := start(t, withMailbox(25))
	b.speak("202", "202_c1_1")
	b.eventually("the message is there", func() bool { return len(b.messages("202")) == 1 })
	id := b.messages("202")[0].ID
	b.box.Do("c1", ivr.Delete{Box: "202", ID: id}, nil)
	if n := len(b.messages("202")); n != 0 {
		t.Errorf("%d after it was deleted", n)
	}
	b.box.Do("c1", ivr.Undelete{Box: "202", ID: id}, nil)
	b.box.Do("c1", ivr.MarkHeard{Box: "202", ID: id}, nil)
	b.box.Do("c1", ivr.Keep{Box: "202", ID: id}, nil)
	if all := b.messages("202"); len(all) != 1 || !all[0].Heard {
		t.Errorf("%+v", all)
	}
	if all, err := b.box.voicemail.List("202"); err != nil || !all[0].Kept {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestAChangeOfMenusAndMailboxesIsAppliedOrRefused(t *testing.T) {
	b := start(t, withMailbox(25))
	said := b.apply(func(c *config.Config) {
		c.Voicemail.Boxes = append(c.Voicemail.Boxes, config.Mailbox{Number: "203", OwnPhone: true})
	})
	if _, ok := b.box.voicemail.Counts("203"); !ok {
		t.Errorf("no mailbox after %v", said)
	}
	b.speak("203", "203_c1_1")
	b.eventually("the new mailbox takes a message", func() bool { return len(b.messages("203")) == 1 })
	b.apply(func(c *config.Config) {
		c.Voicemail.Boxes = c.Voicemail.Boxes[:2]
	})
	if _, ok := b.box.voicemail.Counts("203"); ok {
		t.Error("a mailbox that was taken away")
	}
	b.apply(func(c *config.Config) {
		c.Voicemail.Boxes = append(c.Voicemail.Boxes, config.Mailbox{Number: "203", OwnPhone: true})
	})
	if n := len(b.messages("203")); n != 1 {
		t.Errorf("%d messages when the mailbox came back", n)
	}
	_, err := b.live.Apply(t.Context(), live.Edit(func(c *config.Config) { c.Menus[0].Greeting = []string{"no_such_words"} }), "test", "")
	if err == nil || !strings.Contains(err.Error(), "no_such_words") {
		t.Errorf("a menu that says nothing: %v", err)
	}
}

func TestARecordingWithoutItsCallBecomesAMessageAtTheStart(t *testing.T) {
	b := start(t, withMailbox(25))
	spool := filepath.Join(b.box.opts.Dir, "voicemail", "spool")
	for _, name := range []string{"201_gone_1", "201_lives_1"} {
		var sound bytes.Buffer
		if err := wav.Write(&sound, wav.Format{Encoding: wav.PCM16, Channels: 1, Rate: 8000}, make([]int16, 24000)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(spool, name+".wav"), sound.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.box.sweepRecordings(map[string][]byte{"c2": []byte(`{"recording":"201_lives_1"}`)}); err != nil {
		t.Fatal(err)
	}
	b.eventually("the orphan is a message", func() bool { return len(b.messages("201")) == 1 })
	if _, err := os.Stat(filepath.Join(spool, "201_lives_1.wav")); err != nil {
		t.Errorf("what a call still records was taken: %v", err)
	}
}

// The lamps of the phones belong to SIP, which must be there when the messages are counted.
func TestABoxThatHasMessagesStartsAndShowsThem(t *testing.T) {
	kept := t.TempDir()
	t.Run("a message is left", func(t *testing.T) {
		var b *bench
		t.TempDir() // its removal is to come after the copy
		t.Cleanup(func() {
			if err := os.CopyFS(kept, os.DirFS(filepath.Join(b.box.opts.Dir, "voicemail"))); err != nil {
				t.Error(err)
			}
		})
		b = start(t, withMailbox(25))
		b.speak("201", "201_c1_1")
		b.eventually("the message is stored", func() bool { return len(b.messages("201")) == 1 })
	})
	next := startWith(t, withMailbox(25), func(o *Options) {
		if err := os.CopyFS(filepath.Join(o.Dir, "voicemail"), os.DirFS(kept)); err != nil {
			t.Fatal(err)
		}
	}, func(*Box) {})
	if n := len(next.messages("201")); n != 1 {
		t.Errorf("%d messages after the restart", n)
	}
	if !slices.ContainsFunc(next.box.present.snapshot().([]tel.Event), func(e tel.Event) bool {
		v, ok := e.(tel.VoicemailChanged)
		return ok && v.Box == "201" && v.New+v.Old == 1
	}) {
		t.Error("nobody is told of the message that waits")
	}
}
