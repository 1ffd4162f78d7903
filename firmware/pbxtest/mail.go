package pbxtest

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// LetterBox is a mail server (RFC 5321) on loopback that keeps what it gets.
type LetterBox struct {
	t       testing.TB
	l       net.Listener
	letters chan string
	serving sync.WaitGroup
}

// Letter is a mail as a person sees it.
type Letter struct {
	Subject string
	To      string
	Words   string  // the first part
	Sound   []int16 // of the WAV file that is attached; nil: none
}

// NewLetterBox starts the server. It ends with the test.
func NewLetterBox(t testing.TB) *LetterBox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &LetterBox{t: t, l: l, letters: make(chan string, 16)}
	b.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.serve(conn)
		}
	})
	t.Cleanup(func() { _ = l.Close(); b.serving.Wait() })
	return b
}

// Port is where the server listens.
func (b *LetterBox) Port() int { return b.l.Addr().(*net.TCPAddr).Port }

func (b *LetterBox) serve(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second)) // a box that is killed leaves its connection open
	in := bufio.NewScanner(conn)
	in.Buffer(nil, 4<<20)
	fmt.Fprint(conn, "220 ready\r\n")
	for in.Scan() {
		switch verb, _, _ := strings.Cut(in.Text(), " "); strings.ToUpper(verb) {
		case "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			var text strings.Builder
			for in.Scan() && in.Text() != "." {
				text.WriteString(strings.TrimPrefix(in.Text(), ".") + "\r\n")
			}
			select {
			case b.letters <- text.String():
			default:
			}
			fmt.Fprint(conn, "250 taken\r\n")
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}

// Next waits for a mail.
func (b *LetterBox) Next() Letter {
	b.t.Helper()
	select {
	case text := <-b.letters:
		l, err := readLetter(text)
		if err != nil {
			b.t.Fatalf("a mail cannot be read: %v\n%.2000s", err, text)
		}
		return l
	case <-time.After(patience):
		b.t.Fatal("no mail comes")
		return Letter{}
	}
}

// readLetter takes a mail apart as the standard library understands it.
func readLetter(text string) (l Letter, err error) {
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		return l, err
	}
	if l.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return l, err
	}
	l.To = m.Header.Get("To")
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return l, err
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return l, nil
		}
		if err != nil {
			return l, err
		}
		var in io.Reader = part
		if strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "base64") {
			in = base64.NewDecoder(base64.StdEncoding, part)
		}
		body, err := io.ReadAll(in)
		if err != nil {
			return l, err
		}
		if pcm, ok := tone.FromWAV(body); ok {
			l.Sound = pcm
		} else if l.Words == "" {
			l.Words = string(body)
		}
	}
}
