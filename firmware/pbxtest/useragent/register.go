package useragent

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Patience is how long the phones wait for the server before they say that it does not answer.
const Patience = 5 * time.Second

// ErrWrongPassword is why a server refuses a user a second time that has answered its challenge.
var ErrWrongPassword = errors.New("the server does not take this password, or does not know this user")

// ErrNoAnswer is a server that says nothing in Patience.
var ErrNoAnswer = errors.New("no answer")

// ErrNobodyListens is a port that the server's machine says is closed, or a connection that it has ended.
var ErrNobodyListens = errors.New("nobody listens there")

// Refusal is a REGISTER that was refused for another reason than its password.
type Refusal struct {
	Status int
	Reason string
}

func (r Refusal) Error() string { return fmt.Sprintf("%d %s", r.Status, r.Reason) }

// login is what a phone remembers between two REGISTERs.
type login struct {
	id        string // Call-ID
	cseq      int
	challenge challenge
	count     int           // uses of the challenge's nonce
	granted   time.Duration // by the last 200
}

// Register logs the phone in as a phone does that was just switched on: it is challenged first, which
// makes two requests. Refresh and Register must not run at the same time.
func (p *Phone) Register() error {
	p.login = login{id: fmt.Sprintf("r%d-%s-%d", p.serial.Add(1), p.User, p.addr.Port())}
	return p.Refresh()
}

// Refresh registers again with the challenge of the last time, which makes one request, unless the
// server asks for another.
func (p *Phone) Refresh() error { return p.log(p.Expires) }

// Unregister logs the phone out.
func (p *Phone) Unregister() error { return p.log(0) }

// Granted is how long the server keeps the registration after the last Register or Refresh.
func (p *Phone) Granted() time.Duration { return p.login.granted }

// log says how long the phone wants to be registered. A password is tried once: a server that refuses an answer to
// its challenge, and does not say that the nonce was too old, is not asked again.
func (p *Phone) log(expires time.Duration) error {
	uri := "sip:" + p.home()
	l := &p.login
	answered := false
	for range 4 {
		l.cseq++
		auth := ""
		if l.challenge.nonce != "" {
			l.count++
			auth = l.challenge.authorization(p.User, p.Password, "REGISTER", uri, l.count)
		}
		m, err := p.exchange(fmt.Sprintf("REGISTER %s SIP/2.0\r\n%sMax-Forwards: 70\r\n"+
			"From: <sip:%s@%s>;tag=r\r\nTo: <sip:%s@%s>\r\nCall-ID: %s\r\nCSeq: %d REGISTER\r\nContact: %s\r\nExpires: %d\r\n%sContent-Length: 0\r\n\r\n",
			uri, p.via(fmt.Sprintf("z9hG4bKr%d-%d", p.serial.Add(1), p.addr.Port())), p.User, p.Domain, p.User, p.Domain, l.id, l.cseq, p.contact(),
			int(expires/time.Second), auth))
		if err != nil {
			return fmt.Errorf("register %s: %w", p.User, err)
		}
		switch m.status {
		case 200:
			l.granted = grantedBy(&m, p.contact(), expires)
			return nil
		case 401, 407:
			c, ok := challengeOf(&m)
			if !ok {
				return fmt.Errorf("register %s: %w: its challenge is none of MD5 or SHA-256", p.User, Refusal{m.status, m.reason})
			}
			if answered && !c.stale {
				return fmt.Errorf("register %s: %w (%d %s)", p.User, ErrWrongPassword, m.status, m.reason)
			}
			answered = true
			l.challenge, l.count = c, 0
		case 423:
			least, _ := strconv.Atoi(m.header("Min-Expires"))
			if asked := time.Duration(least) * time.Second; asked > expires && asked <= 24*time.Hour {
				p.Expires, expires = asked, asked
				continue
			}
			fallthrough
		default:
			return fmt.Errorf("register %s: %w", p.User, Refusal{m.status, m.reason})
		}
	}
	return fmt.Errorf("register %s: challenged again and again", p.User)
}

// exchange sends a REGISTER, over UDP again and again, until its final answer.
func (p *Phone) exchange(text string) (message, error) {
	for len(p.register) > 0 {
		<-p.register // late answers to earlier ones
	}
	select {
	case <-p.refused:
	default:
	}
	p.send(text)
	over := time.NewTimer(Patience)
	defer over.Stop()
	wait := t1
	again := time.NewTimer(wait)
	defer again.Stop()
	for {
		select {
		case m := <-p.register:
			if n, _ := m.sequence(); n == p.login.cseq && m.status >= 200 && m.header("Call-ID") == p.login.id {
				return m, nil
			}
		case <-p.refused:
			return message{}, ErrNobodyListens
		case <-p.done:
			return message{}, ErrNobodyListens
		case <-again.C:
			if p.Transport == UDP {
				p.resent.Add(1)
				p.send(text)
				wait *= 2
				again.Reset(wait)
			}
		case <-over.C:
			return message{}, fmt.Errorf("%w in %v", ErrNoAnswer, Patience)
		}
	}
}

// grantedBy reads from a 200 how long the server keeps the registration of a contact.
func grantedBy(m *message, contact string, asked time.Duration) time.Duration {
	text := m.header("Expires")
	for _, v := range m.headers("Contact") {
		for one := range strings.SplitSeq(v, ",") {
			if e := param(one, "expires"); e != "" && strings.Contains(one, strings.Trim(contact, "<>")) {
				text = e
			}
		}
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return time.Duration(n) * time.Second
	}
	return asked
}
