// Package notice writes the mail that tells a person of a message in the mailbox, in the person's
// language. It is pure: the words are in it.txt and en.txt.
package notice

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

//go:embed it.txt
var italian string

//go:embed en.txt
var english string

// Message is what the mail tells.
type Message struct {
	Box      tel.Number
	Person   string // whose box it is
	From     tel.Number
	Name     string // of the caller, where it is known
	At       time.Time
	Length   time.Duration
	Attached bool // the sound goes with the mail
	TooLarge bool // it would, but is larger than mails may be
	Gone     bool // the message is no longer in the mailbox
}

// Caller names who called as well as it is known; empty when it was withheld.
func (m Message) Caller() string {
	switch {
	case m.From == "":
		return m.Name
	case m.Name == "":
		return string(m.From)
	default:
		return fmt.Sprintf("%s (%s)", m.Name, m.From)
	}
}

// Day is the date as both languages write it in Europe.
func (m Message) Day() string { return m.At.Format("02/01/2006") }

// Hour is the time of day.
func (m Message) Hour() string { return m.At.Format("15:04") }

// Seconds is the length, rounded to the next second.
func (m Message) Seconds() int { return int((m.Length + time.Second - 1) / time.Second) }

// Write gives subject and text in language "it", or "en" for any other. At says in which zone.
func Write(lang string, m Message) (subject, text string, err error) {
	words := english
	if lang == "it" {
		words = italian
	}
	t, err := template.New("notice").Parse(words)
	if err != nil {
		return "", "", fmt.Errorf("words of the mail: %w", err)
	}
	var all strings.Builder
	if err := t.Execute(&all, m); err != nil {
		return "", "", fmt.Errorf("words of the mail: %w", err)
	}
	subject, text, _ = strings.Cut(all.String(), "\n")
	return subject, strings.TrimLeft(text, "\n"), nil
}
