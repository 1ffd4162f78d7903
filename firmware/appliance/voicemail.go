package appliance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/mail"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/voicemail"
	"github.com/pronto-pbx/pronto/firmware/voicemail/notice"
)

// lockPrompts is the lock whose code is asked before an announcement is recorded.
const lockPrompts = "prompts"

// largestSound is the largest sound that goes with a mail, in bytes: many servers take 10 MB in all,
// and base64 makes a third more of it.
const largestSound = 7 << 20

func (b *Box) openVoicemail() error {
	c := b.config()
	var err error
	b.mail, err = mail.Open(mail.Config{
		Log: b.log.With("room", "mail"), Dir: filepath.Join(b.opts.Dir, "mail"),
		Report: func(ok bool, text string) { b.report("mail", ok, text) },
	})
	if err != nil {
		return err
	}
	b.voicemail, err = voicemail.Open(voicemail.Config{
		Log: b.log.With("room", "voicemail"), Dir: filepath.Join(b.opts.Dir, "voicemail"), Quota: int64(c.Voicemail.QuotaMB) << 20,
		Changed: b.messagesCounted, Stored: b.messageStored,
		Finish: finishRecording, Now: b.ages.Now,
		Report: func(ok bool, text string) { b.report("voicemail", ok, text) },
	})
	return err
}

// openMailboxes says whose messages there are; the lamps of the phones are told of those that wait.
func (b *Box) openMailboxes() error {
	b.configureVoicemail(b.config())
	return nil
}

// sweepRecordings makes messages of recordings whose call did not survive. What a call that was taken
// over still speaks of, in its state, is left to it.
func (b *Box) sweepRecordings(calls map[string][]byte) error {
	return b.voicemail.Sweep(func(name string) bool {
		for _, state := range calls {
			if bytes.Contains(state, []byte(strconv.Quote(name))) {
				return true
			}
		}
		return false
	})
}

// closeVoicemail ends recordings and stores what they are, then the mails about it.
func (b *Box) closeVoicemail() {
	if b.voicemail != nil {
		b.voicemail.Close()
	}
	if b.mail != nil {
		b.mail.Close()
	}
}

func (b *Box) configureVoicemail(c *config.Config) {
	var boxes []voicemail.Settings
	for _, m := range c.Voicemail.Boxes {
		set := voicemail.Settings{
			Number: m.Number, PIN: string(m.PIN), MaxMessages: m.MaxMessages, Retention: time.Duration(m.Retention) * 24 * time.Hour,
		}
		if i := slices.IndexFunc(c.Agents, func(a config.Agent) bool { return a.Extension == m.Number }); i >= 0 {
			set.Name = c.Agents[i].Name
		}
		boxes = append(boxes, set)
	}
	locks := map[string]string{}
	if c.Prompts.PIN != "" {
		locks[lockPrompts] = string(c.Prompts.PIN)
	}
	b.voicemail.Configure(boxes, locks)
	b.mail.Configure(mail.Server{
		Host: c.Mail.Server, Port: c.Mail.Port, Security: mail.Security(c.Mail.Security), User: c.Mail.User, Password: string(c.Mail.Password),
	}, c.Mail.From)
}

// messagesCounted tells everybody who shows how many messages wait. It runs with the store's lock
// held.
func (b *Box) messagesCounted(box tel.Number, c voicemail.Counts) {
	b.publish(tel.VoicemailChanged{Box: box, New: c.New, Old: c.Old, At: time.Now()})
}

// messageStored records a message and sends the mail about it. It runs on the store's goroutine.
func (b *Box) messageStored(m voicemail.Message, path string) {
	left := tel.VoicemailLeft{Box: m.Box, Message: m.ID, Call: m.Call, From: m.From, Name: m.Name, At: m.At, Length: m.Length}
	body, err := json.Marshal(left)
	if err == nil {
		_, err = b.history.Append(left.Kind(), body)
	}
	if err != nil {
		b.log.Error("a message's record cannot be written", "box", m.Box, "err", err)
	}
	b.publish(left)
	c := b.config()
	i := slices.IndexFunc(c.Voicemail.Boxes, func(x config.Mailbox) bool { return x.Number == m.Box })
	if i < 0 || c.Voicemail.Boxes[i].Mail == "" {
		return
	}
	box := c.Voicemail.Boxes[i]
	if err := b.mailMessage(c, box, m, path); err != nil {
		b.log.Error("a message cannot be mailed; it stays in its mailbox", "box", m.Box, "err", err)
		b.report("mail", false, err.Error())
		return
	}
	switch box.Mailed {
	case "heard":
		err = b.voicemail.MarkHeard(m.Box, m.ID)
	case "deleted":
		if m.Bytes <= largestSound { // otherwise the mail came without it
			err = b.voicemail.Delete(m.Box, m.ID)
		}
	}
	if err != nil {
		b.log.Warn("a mailed message is not put away", "box", m.Box, "err", err)
	}
}

// mailMessage puts the mail about a message into the queue.
func (b *Box) mailMessage(c *config.Config, box config.Mailbox, m voicemail.Message, path string) error {
	n := b.numbering.Load()
	fits := m.Bytes <= largestSound
	about := notice.Message{
		Box: m.Box, From: m.From, Name: m.Name, At: m.At.In(n.plan.Zone), Length: m.Length,
		Attached: !box.TextOnly && fits, TooLarge: !box.TextOnly && !fits, Gone: box.Mailed == "deleted" && fits,
	}
	if i := slices.IndexFunc(c.Agents, func(a config.Agent) bool { return a.Extension == m.Box }); i >= 0 {
		about.Person = c.Agents[i].Name
	}
	subject, text, err := notice.Write(languageOf(c, m.Box), about)
	if err != nil {
		return err
	}
	letter := mail.Message{To: box.Mail, Subject: subject, Text: text, Date: time.Now().In(n.plan.Zone), About: string(m.From)}
	if about.Attached {
		sound, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("the sound of the message: %w", err)
		}
		letter.Attachment = &mail.Attachment{Name: about.At.Format("20060102-1504") + ".wav", Type: "audio/wav", Body: sound}
	}
	return b.mail.Submit(letter)
}

// languageOf is the language of a mailbox.
func languageOf(c *config.Config, box tel.Number) string {
	for _, m := range c.Voicemail.Boxes {
		if m.Number == box && m.Language != "" {
			return m.Language
		}
	}
	return c.Box.Language
}

// fileSound finds the file of a sound of the voicemail store, such as "message:201/ID".
func (b *Box) fileSound(name string) (string, error) {
	path, err := b.voicemail.Find(name)
	if err != nil {
		return "", err
	}
	return filepath.Rel(b.opts.Dir, path)
}

// voicemailRoom follows with mailboxes, codes and the mail server.
type voicemailRoom struct{ b *Box }

// Name implements live.Room.
func (voicemailRoom) Name() string { return "voicemail and mail" }

// Commit implements live.Room.
func (r voicemailRoom) Commit(_ context.Context, from, to *config.Config) (live.Outcome, error) {
	part := func(c *config.Config) config.Config {
		v := c.Voicemail
		v.QuotaMB = 0 // read at the start only
		return config.Config{Agents: c.Agents, Menus: c.Menus, Prompts: c.Prompts, Voicemail: v, Mail: c.Mail}
	}
	if !differs(from, to, part) {
		return live.Unchanged, nil
	}
	r.b.configureVoicemail(to)
	return live.Applied, nil
}
