// Package mail sends what the box has to tell by electronic mail: it composes a message, keeps it in
// a queue on the disk and gives it to the mail server of the configuration, again and again until it
// is taken, refused for good or too old. Nobody who submits a message waits for the network.
package mail

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"
)

// ErrAddress is returned for text that is no single mail address.
var ErrAddress = errors.New("not a mail address")

// Message is one mail before it is composed.
type Message struct {
	From       string // an address, with or without a name
	To         string
	Subject    string
	Text       string
	Date       time.Time
	ID         string // Message-ID without its brackets; empty: a new one
	Attachment *Attachment
	About      string // number of the person that it tells of, for Erase; it is not sent
}

// Attachment is a file that goes with a message.
type Attachment struct {
	Name string // as the receiver saves it
	Type string // media type, such as audio/wav
	Body []byte
}

// Address reads one address (RFC 5322 section 3.4) and returns what SMTP calls it.
func Address(s string) (string, error) {
	a, err := mail.ParseAddress(s)
	if err != nil || strings.ContainsAny(s, "\r\n") || strings.ContainsAny(a.Address, " <>\"") || !ascii(a.Address) {
		return "", fmt.Errorf("%w: %q", ErrAddress, s)
	}
	return a.Address, nil
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 126 || r < 32 }) < 0
}

// Compose writes a message as it travels (RFC 5322, MIME of RFC 2045 and RFC 2047): lines end in CRLF
// and hold at most 76 characters of content, everything is ASCII. The error wraps ErrAddress.
func Compose(m Message) ([]byte, error) {
	var b bytes.Buffer
	from, err := header(m.From)
	if err != nil {
		return nil, err
	}
	to, err := header(m.To)
	if err != nil {
		return nil, err
	}
	id := m.ID
	if id == "" {
		id = newID(m.From)
	}
	field := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	field("Date", m.Date.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	field("From", from)
	field("To", to)
	field("Message-ID", "<"+oneLine(id)+">")
	field("Subject", mime.QEncoding.Encode("utf-8", oneLine(m.Subject)))
	field("MIME-Version", "1.0")
	field("Auto-Submitted", "auto-generated") // RFC 3834: no holiday notices in return
	if m.Attachment == nil {
		field("Content-Type", `text/plain; charset=utf-8`)
		field("Content-Transfer-Encoding", "quoted-printable")
		b.WriteString("\r\n")
		err = writeText(&b, m.Text)
		return b.Bytes(), err
	}
	parts := multipart.NewWriter(&b)
	field("Content-Type", `multipart/mixed; boundary="`+parts.Boundary()+`"`)
	b.WriteString("\r\n")
	w, err := parts.CreatePart(textproto.MIMEHeader{
		"Content-Type": {`text/plain; charset=utf-8`}, "Content-Transfer-Encoding": {"quoted-printable"},
	})
	if err != nil {
		return nil, err
	}
	if err := writeText(w, m.Text); err != nil {
		return nil, err
	}
	a := m.Attachment
	w, err = parts.CreatePart(textproto.MIMEHeader{
		"Content-Type":              {oneLine(a.Type)},
		"Content-Transfer-Encoding": {"base64"},
		"Content-Disposition":       {mime.FormatMediaType("attachment", map[string]string{"filename": oneLine(a.Name)})},
	})
	if err != nil {
		return nil, err
	}
	enc := base64.NewEncoder(base64.StdEncoding, &folder{w: w})
	_, err = enc.Write(a.Body)
	err = errors.Join(err, enc.Close(), parts.Close())
	return b.Bytes(), err
}

// header is an address as a header field holds it.
func header(s string) (string, error) {
	if _, err := Address(s); err != nil {
		return "", err
	}
	a, err := mail.ParseAddress(s)
	if err != nil {
		return "", fmt.Errorf("%w: %q", ErrAddress, s)
	}
	return a.String(), nil
}

// oneLine keeps text from outside from beginning a header field of its own.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 127 {
			return ' '
		}
		return r
	}, s)
}

// newID is unguessable and ends in the sender's domain.
func newID(from string) string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails since Go 1.24
	return hex.EncodeToString(b[:]) + "@" + domain(from)
}

func domain(address string) string {
	a, err := Address(address)
	if err != nil {
		return "localhost"
	}
	_, d, _ := strings.Cut(a, "@")
	return d
}

func writeText(w io.Writer, text string) error {
	q := quotedprintable.NewWriter(w)
	_, err := io.WriteString(q, strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n"))
	return errors.Join(err, q.Close())
}

// folder breaks base64 into lines (RFC 2045 section 6.8).
type folder struct {
	w   io.Writer
	col int
}

func (f *folder) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		k := min(76-f.col, len(p))
		if _, err := f.w.Write(p[:k]); err != nil {
			return 0, err
		}
		p, f.col = p[k:], f.col+k
		if f.col == 76 {
			if _, err := io.WriteString(f.w, "\r\n"); err != nil {
				return 0, err
			}
			f.col = 0
		}
	}
	return n, nil
}
