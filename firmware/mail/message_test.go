package mail

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"
)

// parsed is a composed mail as the standard library's readers see it.
func parsed(t *testing.T, text []byte) (h mail.Header, words string, file string, attached []byte) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	read := func(r io.Reader) []byte {
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if kind == "text/plain" {
		return m.Header, string(read(quotedprintable.NewReader(m.Body))), "", nil
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	first, err := parts.NextPart() // decodes quoted-printable by itself
	if err != nil {
		t.Fatal(err)
	}
	words = string(read(first))
	second, err := parts.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	attached = read(base64.NewDecoder(base64.StdEncoding, second))
	if _, err := parts.NextPart(); !errors.Is(err, io.EOF) {
		t.Errorf("more than two parts: %v", err)
	}
	return m.Header, words, second.FileName(), attached
}

func TestAComposedMailIsReadBackAsItWasMeant(t *testing.T) {
	body := bytes.Repeat([]byte("RIFF\x00\xff"), 5000)
	text, err := Compose(Message{
		From: "Società Pronto <box@shop.test>", To: "anna@shop.test", Subject: "Un messaggio è arrivato: perché no?\r\nBcc: evil@x.test",
		Text: "Chi chiamò: 06 1234567\n" + strings.Repeat("à", 300) + "\n.\n", Date: time.Date(2026, 10, 26, 14, 30, 0, 0, time.FixedZone("", 3600)),
		ID: "abc@shop.test", Attachment: &Attachment{Name: "messaggio più.wav", Type: "audio/wav", Body: body},
	})
	if err != nil {
		t.Fatal(err)
	}
	h, words, file, attached := parsed(t, text)
	var dec mime.WordDecoder
	subject, err := dec.DecodeHeader(h.Get("Subject"))
	if err != nil || subject != "Un messaggio è arrivato: perché no?  Bcc: evil@x.test" || h.Get("Bcc") != "" {
		t.Errorf("subject %q, %v", subject, err)
	}
	if at, err := h.Date(); err != nil || h.Get("Date") != "Mon, 26 Oct 2026 14:30:00 +0100" {
		t.Errorf("date %v, %v", at, err)
	}
	if from, err := h.AddressList("From"); err != nil || from[0].Name != "Società Pronto" || h.Get("Message-ID") != "<abc@shop.test>" {
		t.Errorf("%v %v", from, err)
	}
	if words != "Chi chiamò: 06 1234567\r\n"+strings.Repeat("à", 300)+"\r\n.\r\n" {
		t.Errorf("%q", words)
	}
	if file != "messaggio più.wav" || !bytes.Equal(attached, body) {
		t.Errorf("%q of %d bytes", file, len(attached))
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\r\n"), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n") || !ascii(line) {
			t.Errorf("line %q", line)
		}
	}
}

func TestTwoMailsHaveTwoIdentifiers(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		text, err := Compose(Message{From: "box@shop.test", To: "anna@shop.test", Date: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		h, _, _, _ := parsed(t, text)
		id := h.Get("Message-ID")
		if seen[id] || !strings.HasSuffix(id, "@shop.test>") {
			t.Fatalf("identifier %q", id)
		}
		seen[id] = true
	}
}

func FuzzCompose(f *testing.F) {
	f.Add("box@shop.test", "anna@shop.test", "Ciao", "testo\n.\n", "a.wav")
	f.Add("A\r\nB <box@shop.test>", "anna@shop.test", "x\r\nBcc: y@z.test", "\r\n\r\n", "\"\r\n")
	f.Fuzz(func(t *testing.T, from, to, subject, text, file string) {
		m := Message{From: from, To: to, Subject: subject, Text: text, Date: time.Unix(0, 0), Attachment: &Attachment{Name: file, Type: "audio/wav", Body: []byte(text)}}
		out, err := Compose(m)
		if err != nil {
			if !errors.Is(err, ErrAddress) {
				t.Errorf("%v", err)
			}
			return
		}
		h, _, _, attached := parsed(t, out)
		if len(h) != 8 || string(attached) != text {
			t.Errorf("%d header fields: %v", len(h), h)
		}
	})
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("{\"v\":1,\"from\":\"a@b.c\",\"to\":\"d@e.f\"}\nSubject: x\r\n\r\n"))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, body, err := open(text)
		if err == nil && (strings.ContainsAny(e.From+e.To, "\r\n <>") || len(body) >= len(text)) {
			t.Errorf("%+v", e)
		}
	})
}
