package mail

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// postOffice is a mail server for tests, reached through pipes in memory.
type postOffice struct {
	t     *testing.T
	cert  tls.Certificate
	roots *x509.CertPool

	mu       sync.Mutex
	offer    []string          // extensions before encryption, beside STARTTLS
	noTLS    bool              // does not offer STARTTLS
	implicit bool              // encrypted from the first byte
	replies  map[string]string // instead of the usual answer to a verb
	down     bool              // refuses connections
	dials    []time.Time
	got      []letter
	wg       sync.WaitGroup
}

type letter struct {
	from, to, user, body string
	secret               bool // came encrypted
}

func newPostOffice(t *testing.T) *postOffice {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	temp := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.test"}, DNSNames: []string{"mail.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, temp, temp, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	p := &postOffice{t: t, roots: x509.NewCertPool(), offer: []string{"AUTH PLAIN LOGIN", "SIZE 1000000"}, replies: map[string]string{}}
	p.roots.AddCert(leaf)
	p.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	t.Cleanup(p.wg.Wait)
	return p
}

// set changes how the server behaves.
func (p *postOffice) set(do func(*postOffice)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do(p)
}

func (p *postOffice) letters() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]letter(nil), p.got...)
}

func (p *postOffice) dial(_ context.Context, _, address string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials = append(p.dials, time.Now())
	if p.down || !strings.HasPrefix(address, "mail.test:") {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	conn := ours
	if p.implicit {
		conn = tls.Server(ours, &tls.Config{Certificates: []tls.Certificate{p.cert}})
	}
	p.wg.Go(func() { p.serve(conn) })
	return theirs, nil
}

// serve speaks one session of SMTP (RFC 5321).
func (p *postOffice) serve(conn net.Conn) {
	raw := conn
	var l letter
	if c, ok := conn.(*tls.Conn); ok {
		raw, l.secret = c.NetConn(), true
	}
	defer func() { _ = raw.Close() }() // without TLS's farewell, for which a pipe has nobody to listen
	in := bufio.NewReader(conn)
	say := func(text string) { _, _ = io.WriteString(conn, text+"\r\n") }
	answer := func(verb, usual string) bool {
		p.mu.Lock()
		text, other := p.replies[verb]
		p.mu.Unlock()
		if !other {
			say(usual)
			return true
		}
		if text != "" {
			say(text)
		}
		return text != ""
	}
	if !answer("greeting", "220 mail.test") {
		_, _ = io.Copy(io.Discard, in) // silent until the client gives up
		return
	}
	line := func() (string, bool) {
		s, err := in.ReadString('\n')
		return strings.TrimRight(s, "\r\n"), err == nil
	}
	for {
		text, ok := line()
		if !ok {
			return
		}
		verb, rest, _ := strings.Cut(text, " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			p.hello(say, l.secret)
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{p.cert}})
			in, l.secret = bufio.NewReader(conn), true
		case "AUTH":
			l.user = auth(rest, say, line)
			answer("AUTH", "235 welcome")
		case "MAIL":
			l.from = rest
			answer("MAIL", "250 ok")
		case "RCPT":
			l.to = rest
			answer("RCPT", "250 ok")
		case "DATA":
			say("354 go on")
			l.body = data(line)
			if _, refuses := p.replies["DATA"]; !refuses {
				p.set(func(p *postOffice) { p.got = append(p.got, l) })
			}
			answer("DATA", "250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("500 what")
		}
	}
}

func (p *postOffice) hello(say func(string), secret bool) {
	p.mu.Lock()
	lines := append([]string{"mail.test"}, p.offer...)
	if !secret && !p.noTLS {
		lines = append(lines, "STARTTLS")
	}
	p.mu.Unlock()
	for i, x := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		say("250" + sep + x)
	}
}

func auth(rest string, say func(string), line func() (string, bool)) string {
	way, first, _ := strings.Cut(rest, " ")
	plain := func(s string) string {
		b, _ := base64.StdEncoding.DecodeString(s)
		return string(b)
	}
	if way == "PLAIN" {
		parts := strings.Split(plain(first), "\x00")
		return fmt.Sprint(way, " ", parts[len(parts)-2], ":", parts[len(parts)-1])
	}
	say("334 " + base64.StdEncoding.EncodeToString([]byte("Username:")))
	user, _ := line()
	say("334 " + base64.StdEncoding.EncodeToString([]byte("Password:")))
	password, _ := line()
	return fmt.Sprint(way, " ", plain(user), ":", plain(password))
}

func data(line func() (string, bool)) string {
	var all strings.Builder
	for {
		s, ok := line()
		if !ok || s == "." {
			return all.String()
		}
		all.WriteString(strings.TrimPrefix(s, ".") + "\r\n")
	}
}
