package config

import (
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Voicemail is where callers leave messages. Changes reach calls that begin after them.
type Voicemail struct {
	MaxLength time.Duration `yaml:"max_length"`      // of a message; default 3m, 10s-10m
	Silence   time.Duration `yaml:"silence"`         // that ends a message; default 5s, 2s-30s
	Review    bool          `yaml:"review"`          // callers who press # may listen and record again; default false
	QuotaMB   int           `yaml:"quota_mb"`        // all messages together; default 500, 10-100000; needs a restart
	Boxes     []Mailbox     `yaml:"boxes,omitempty"` // who has a mailbox; applied at once
}

// Mailbox is the voicemail of one person.
type Mailbox struct {
	Number      tel.Number `yaml:"number"`         // the extension of an agent
	PIN         Secret     `yaml:"pin"`            // 4-10 digits, until another is chosen by phone; a changed one here ends that
	OwnPhone    bool       `yaml:"own_phone"`      // the person's own phones need no code; default false; needed where there is no code
	Language    string     `yaml:"language"`       // "it" or "en", of words and mails; default the box's
	MaxMessages int        `yaml:"max_messages"`   // then callers are told that the box is full; default 100, 1-1000
	Retention   int        `yaml:"retention_days"` // heard messages that were not kept go after so many days; default 0 = never, up to 3650
	Mail        string     `yaml:"mail"`           // address told of each message; default none
	TextOnly    bool       `yaml:"mail_text_only"` // the mail comes without the message's sound; default false
	Mailed      string     `yaml:"mailed"`         // what becomes of a message whose mail is on its way: new (default), heard, deleted
}

// Mail is the server that takes the box's electronic mail. Applied at once, also to what waits.
type Mail struct {
	Server   string `yaml:"server"`   // host name; default none = no mail
	Port     int    `yaml:"port"`     // default 587; with tls usually 465
	Security string `yaml:"security"` // starttls (default), tls, none: only for a server on the local network
	User     string `yaml:"user"`     // default none = no login
	Password Secret `yaml:"password"`
	From     string `yaml:"from"` // the sender's address, such as "Pronto <box@example.it>"
}

// mailbox reports whether an extension has one.
func (c *Config) mailbox(n tel.Number) bool {
	return slices.ContainsFunc(c.Voicemail.Boxes, func(b Mailbox) bool { return b.Number == n })
}

func defaultVoicemail() Voicemail {
	return Voicemail{MaxLength: 3 * time.Minute, Silence: 5 * time.Second, QuotaMB: 500}
}

// normaliseVoicemail fills the defaults of what YAML creates as zero values.
func (c *Config) normaliseVoicemail() {
	for i := range c.Voicemail.Boxes {
		b := &c.Voicemail.Boxes[i]
		if b.MaxMessages == 0 {
			b.MaxMessages = 100
		}
		if b.Mailed == "" {
			b.Mailed = "new"
		}
	}
	m := &c.Mail
	if m.Security == "" {
		m.Security = "starttls"
	}
	if m.Port == 0 {
		m.Port = 587
	}
}

func (v *validator) voicemail() {
	c := v.c.Voicemail
	v.duration("voicemail.max_length", c.MaxLength, 10*time.Second, 10*time.Minute)
	v.duration("voicemail.silence", c.Silence, 2*time.Second, 30*time.Second)
	v.between("voicemail.quota_mb", c.QuotaMB, 10, 100_000)
	for i := range c.Boxes {
		v.mailbox(fmt.Sprintf("voicemail.boxes[%d]", i), i)
	}
	v.mail()
}

func (v *validator) mailbox(path string, i int) {
	b := v.c.Voicemail.Boxes[i]
	if !slices.ContainsFunc(v.c.Agents, func(a Agent) bool { return a.Extension == b.Number }) {
		v.found.add(path+".number", "unknown", "there is no agent with extension %q", b.Number)
	}
	if slices.IndexFunc(v.c.Voicemail.Boxes, func(x Mailbox) bool { return x.Number == b.Number }) != i {
		v.found.add(path+".number", "duplicate", "%q has a mailbox already", b.Number)
	}
	switch {
	case b.PIN == "" && !b.OwnPhone:
		v.found.add(path, "missing", "needs a pin, or own_phone: nobody could hear the messages")
	case b.PIN != "":
		if err := tel.GoodPIN(b.Number, string(b.PIN)); err != nil {
			v.found.add(path+".pin", "pin", "%v", err)
		}
	}
	if b.Language != "" && b.Language != "it" && b.Language != "en" {
		v.found.add(path+".language", "choice", "%q is not a language of this box; use it or en", b.Language)
	}
	v.between(path+".max_messages", b.MaxMessages, 1, 1000)
	v.between(path+".retention_days", b.Retention, 0, 3650)
	if !slices.Contains([]string{"new", "heard", "deleted"}, b.Mailed) {
		v.found.add(path+".mailed", "choice", "%q is not one of new, heard, deleted", b.Mailed)
	}
	switch {
	case b.Mail == "" && b.Mailed != "new":
		v.found.add(path+".mailed", "missing", "needs a mail address")
	case b.Mailed == "deleted" && b.TextOnly:
		v.found.add(path+".mailed", "loss", "a message may not be deleted when its mail comes without the sound")
	case b.Mail != "":
		v.address(path+".mail", b.Mail)
		if v.c.Mail.Server == "" {
			v.found.add("mail.server", "missing", "is missing: %s.mail needs it", path)
		}
	}
}

func (v *validator) address(path, s string) {
	if a, err := mail.ParseAddress(s); err != nil || strings.ContainsAny(a.Address, " <>\"") || strings.ContainsAny(s, "\r\n") {
		v.found.add(path, "address", "%q is not a mail address", s)
	}
}

func (v *validator) mail() {
	m := v.c.Mail
	if !slices.Contains([]string{"starttls", "tls", "none"}, m.Security) {
		v.found.add("mail.security", "choice", "%q is not one of starttls, tls, none", m.Security)
	}
	v.between("mail.port", m.Port, 1, 65535)
	if m.Server == "" {
		return
	}
	if strings.ContainsAny(m.Server, ":/ \t\r\n") {
		v.found.add("mail.server", "address", "%q is not a host name; the port is a field of its own", m.Server)
	}
	if m.From == "" {
		v.found.add("mail.from", "missing", "is missing: the address that mails come from")
	} else {
		v.address("mail.from", m.From)
	}
	if m.User != "" && m.Password == "" {
		v.found.add("mail.password", "missing", "is missing: user needs it")
	}
	if m.User != "" && m.Security == "none" {
		v.found.add("mail.security", "clear", "none would send the password in the clear; use starttls or tls, or no user")
	}
}
