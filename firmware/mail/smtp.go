package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Security is how the way to the mail server is protected.
type Security string

// The kinds of security.
const (
	STARTTLS Security = "starttls" // RFC 3207, usually port 587; a server that does not offer it gets nothing
	TLS      Security = "tls"      // from the first byte (RFC 8314), usually port 465
	Plain    Security = "none"     // for a server on the local network
)

// Server is where mail goes.
type Server struct {
	Host     string
	Port     int
	Security Security
	User     string // empty: no login
	Password string
}

// Faults of one message, while the way to the server is well.
var (
	errRefused = errors.New("refused for good") // another try would not change it
	errDelayed = errors.New("not taken now")
)

// dialer opens connections; Roots, when set, replaces the system's certificates.
type dialer struct {
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	roots *x509.CertPool
}

const (
	connectLimit = 30 * time.Second
	// slowest is the rate that a line must have, in bytes a second, before it counts as broken.
	slowest = 4 << 10
)

// send gives one message to the server. An error that wraps errRefused or errDelayed is about this
// message, others are about the way.
func (d dialer) send(ctx context.Context, s Server, from, to string, body []byte) error {
	address := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	ctx, cancel := context.WithTimeout(ctx, 2*connectLimit+time.Duration(len(body)/slowest)*time.Second)
	defer cancel()
	dialing, stop := context.WithTimeout(ctx, connectLimit)
	conn, err := d.dial(dialing, "tcp", address)
	stop()
	if err != nil {
		return fmt.Errorf("reach %s: %w", address, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	secret := &tls.Config{ServerName: s.Host, RootCAs: d.roots, MinVersion: tls.VersionTLS12}
	if s.Security == TLS {
		conn = tls.Client(conn, secret)
	}
	c, err := smtp.NewClient(conn, s.Host)
	if err != nil {
		return fmt.Errorf("greeting of %s: %w", address, err)
	}
	if err := session(c, s, secret, from, to, body); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return nil
}

func session(c *smtp.Client, s Server, secret *tls.Config, from, to string, body []byte) error {
	if err := c.Hello(domain(from)); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	if s.Security != TLS && s.Security != Plain {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return errors.New("it does not offer STARTTLS, so neither password nor mail is sent")
		}
		if err := c.StartTLS(secret); err != nil {
			return fmt.Errorf("encryption: %w", err)
		}
	}
	if s.User != "" {
		if err := login(c, s); err != nil {
			return fmt.Errorf("login: %w", err)
		}
	}
	if ok, limit := c.Extension("SIZE"); ok { // RFC 1870
		if n, err := strconv.Atoi(limit); err == nil && n > 0 && len(body) > n {
			return fmt.Errorf("%w: %d bytes, it takes %d", errRefused, len(body), n)
		}
	}
	if err := c.Mail(from); err != nil {
		return fmt.Errorf("sender %s: %w", from, err) // the configuration's mistake, not the message's
	}
	if err := c.Rcpt(to); err != nil {
		return fmt.Errorf("receiver %s: %w", to, judged(err))
	}
	w, err := c.Data()
	if err != nil {
		return fmt.Errorf("message: %w", judged(err))
	}
	if _, err := bytes.NewReader(body).WriteTo(w); err != nil {
		return fmt.Errorf("message: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("message: %w", judged(err))
	}
	_ = c.Quit() // the message is taken: what comes after is of no matter
	return nil
}

// judged marks a server's answer about one message: 5xx is for good, 4xx for now (RFC 5321 section
// 4.2.1). 421 ends the session, whatever the message.
func judged(err error) error {
	reply, ok := errors.AsType[*textproto.Error](err)
	switch {
	case !ok || reply.Code == 421:
		return err
	case reply.Code >= 500:
		return fmt.Errorf("%w: %w", errRefused, err)
	default:
		return fmt.Errorf("%w: %w", errDelayed, err)
	}
}

// login uses PLAIN (RFC 4616), or LOGIN where the server offers nothing better.
func login(c *smtp.Client, s Server) error {
	_, offer := c.Extension("AUTH")
	ways := strings.Fields(strings.ToUpper(offer))
	if slices.Contains(ways, "PLAIN") {
		return c.Auth(plainAuth{s.User, s.Password})
	}
	if slices.Contains(ways, "LOGIN") {
		return c.Auth(loginAuth{s.User, s.Password})
	}
	return fmt.Errorf("it offers %q, neither PLAIN nor LOGIN", offer)
}

// plainAuth and loginAuth send the password wherever session lets them: after encryption, or to a
// server for which the owner chose none.
type (
	plainAuth struct{ user, password string }
	loginAuth struct{ user, password string }
)

func (a plainAuth) Start(*smtp.ServerInfo) (string, []byte, error) {
	return "PLAIN", []byte("\x00" + a.user + "\x00" + a.password), nil
}

func (plainAuth) Next(_ []byte, more bool) ([]byte, error) {
	if more {
		return nil, errors.New("it asks for more than PLAIN has")
	}
	return nil, nil
}

func (loginAuth) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

func (a loginAuth) Next(prompt []byte, more bool) ([]byte, error) {
	switch word := strings.ToLower(string(prompt)); {
	case !more:
		return nil, nil
	case strings.HasPrefix(word, "user"):
		return []byte(a.user), nil
	case strings.HasPrefix(word, "pass"):
		return []byte(a.password), nil
	default:
		return nil, fmt.Errorf("it asks %q", prompt)
	}
}
