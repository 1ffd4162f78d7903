package mail

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// desk is a queue under test and what it told.
type desk struct {
	*Queue
	told []string // of Report: "ok", or the text
}

func server(p *postOffice) Server {
	return Server{Host: "mail.test", Port: 587, Security: STARTTLS, User: "box", Password: "s3cret"}
}

func openDesk(t *testing.T, p *postOffice, dir string, s Server) *desk {
	t.Helper()
	d := &desk{}
	var err error
	d.Queue, err = Open(Config{Log: slog.New(slog.DiscardHandler), Dir: dir, Dial: p.dial, Roots: p.roots, Report: func(ok bool, text string) {
		if ok {
			text = "ok"
		}
		d.told = append(d.told, text)
	}})
	if err != nil {
		t.Fatal(err)
	}
	d.Configure(s, "Pronto <box@shop.test>")
	return d
}

func note() Message {
	return Message{To: "Anna <anna@shop.test>", Subject: "Nuovo messaggio", Text: "È arrivato.\n.\nFine", Date: time.Now()}
}

func submit(t *testing.T, d *desk, m Message) {
	t.Helper()
	if err := d.Submit(m); err != nil {
		t.Fatal(err)
	}
}

func TestAMailIsSentEncryptedWithItsLogin(t *testing.T) {
	for name, c := range map[string]struct {
		office func(*postOffice)
		server func(*Server)
		want   letter
	}{
		"STARTTLS and PLAIN": {nil, nil, letter{user: "PLAIN box:s3cret", secret: true}},
		"LOGIN where there is nothing better": {
			func(p *postOffice) { p.offer = []string{"AUTH LOGIN"} }, nil, letter{user: "LOGIN box:s3cret", secret: true},
		},
		"TLS from the first byte": {
			func(p *postOffice) { p.implicit = true }, func(s *Server) { s.Security, s.Port = TLS, 465 }, letter{user: "PLAIN box:s3cret", secret: true},
		},
		"plain on the local network by choice": {
			func(p *postOffice) { p.noTLS = true }, func(s *Server) { s.Security, s.User = Plain, "" }, letter{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPostOffice(t)
				s := server(p)
				if c.office != nil {
					p.set(c.office)
				}
				if c.server != nil {
					c.server(&s)
				}
				d := openDesk(t, p, t.TempDir(), s)
				defer d.Close()
				submit(t, d, note())
				synctest.Wait()
				got := p.letters()
				if len(got) != 1 {
					t.Fatalf("%d letters, told %q", len(got), d.told)
				}
				l := got[0]
				if l.user != c.want.user || l.secret != c.want.secret || l.from != "FROM:<box@shop.test>" || l.to != "TO:<anna@shop.test>" {
					t.Errorf("%+v", l)
				}
				if !strings.Contains(l.body, "=C3=88 arrivato.\r\n.\r\nFine") {
					t.Errorf("%q", l.body)
				}
				if d.Waiting() != 0 || !slices.Equal(d.told, []string{"ok"}) {
					t.Errorf("%d wait, told %q", d.Waiting(), d.told)
				}
			})
		})
	}
}

func TestNeitherPasswordNorMailTravelsInTheClear(t *testing.T) {
	for name, break_ := range map[string]func(*postOffice){
		"no STARTTLS":           func(p *postOffice) { p.noTLS = true },
		"a foreign certificate": func(p *postOffice) { p.cert = newPostOffice(p.t).cert },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPostOffice(t)
				break_(p)
				d := openDesk(t, p, t.TempDir(), server(p))
				defer d.Close()
				submit(t, d, note())
				time.Sleep(2*connectLimit + time.Second) // a handshake over a pipe fails by its time limit
				synctest.Wait()
				if len(p.letters()) != 0 || d.Waiting() != 1 || len(d.told) == 0 || slices.Contains(d.told, "ok") {
					t.Errorf("%+v, %d wait, told %q", p.letters(), d.Waiting(), d.told)
				}
			})
		})
	}
}

func TestAServerThatIsDownIsTriedAgainEverLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPostOffice(t)
		p.down = true
		d := openDesk(t, p, t.TempDir(), server(p))
		defer d.Close()
		submit(t, d, note())
		time.Sleep(8*time.Minute + time.Second)
		synctest.Wait()
		var after []time.Duration
		for i := range p.dials[1:] {
			after = append(after, p.dials[i+1].Sub(p.dials[i]))
		}
		if !slices.Equal(after, []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute}) {
			t.Errorf("tried after %v", after)
		}
		p.set(func(p *postOffice) { p.down = false })
		time.Sleep(lastDelay)
		synctest.Wait()
		if len(p.letters()) != 1 || d.told[len(d.told)-1] != "ok" || d.Waiting() != 0 {
			t.Errorf("%d letters, told %q", len(p.letters()), d.told)
		}
	})
}

func TestWhatEachFaultDoes(t *testing.T) {
	for name, c := range map[string]struct {
		reply [2]string // verb, answer
		waits int
		told  string
	}{
		"a receiver who does not exist is given up": {[2]string{"RCPT", "550 no such user"}, 0, "refused for good"},
		"a message that is refused is given up":     {[2]string{"DATA", "554 no"}, 0, "refused for good"},
		"a receiver with a full box is tried again": {[2]string{"RCPT", "452 full"}, 1, "not taken now"},
		"a wrong password keeps the mail":           {[2]string{"AUTH", "535 no"}, 1, "login"},
		"a wrong sender keeps the mail":             {[2]string{"MAIL", "550 no"}, 1, "sender"},
		"a server that is busy keeps the mail":      {[2]string{"greeting", "421 later"}, 1, "greeting"},
		"a server that says nothing keeps the mail": {[2]string{"greeting", ""}, 1, "greeting"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPostOffice(t)
				p.replies[c.reply[0]] = c.reply[1]
				dir := t.TempDir()
				d := openDesk(t, p, dir, server(p))
				defer d.Close()
				submit(t, d, note())
				time.Sleep(2*connectLimit + 30*time.Second) // before the second try of a silent server
				synctest.Wait()
				if d.Waiting() != c.waits || len(p.letters()) != 0 || len(d.told) == 0 || !strings.Contains(d.told[0], c.told) {
					t.Fatalf("%d wait, %d letters, told %q", d.Waiting(), len(p.letters()), d.told)
				}
				if files, _ := os.ReadDir(dir); len(files) != c.waits {
					t.Errorf("%d files", len(files))
				}
				p.set(func(p *postOffice) { clear(p.replies) })
				time.Sleep(lastDelay)
				synctest.Wait()
				if len(p.letters()) != c.waits || d.Waiting() != 0 {
					t.Errorf("%d letters when it was well again, %d wait", len(p.letters()), d.Waiting())
				}
			})
		})
	}
}

func TestOneDelayedReceiverDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPostOffice(t)
		d := openDesk(t, p, t.TempDir(), server(p))
		defer d.Close()
		p.set(func(p *postOffice) { p.replies["RCPT"] = "450 greylisted" })
		submit(t, d, note())
		synctest.Wait()
		p.set(func(p *postOffice) { clear(p.replies) })
		submit(t, d, note())
		synctest.Wait()
		if len(p.letters()) != 1 || d.Waiting() != 1 {
			t.Errorf("%d letters, %d wait", len(p.letters()), d.Waiting())
		}
		time.Sleep(firstDelay)
		synctest.Wait()
		if len(p.letters()) != 2 {
			t.Errorf("%d letters", len(p.letters()))
		}
	})
}

func TestWhatWaitsSurvivesARestartAndIsGivenUpAfterDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPostOffice(t)
		p.down = true
		dir := t.TempDir()
		d := openDesk(t, p, dir, server(p))
		submit(t, d, note())
		synctest.Wait()
		d.Close()
		if err := os.WriteFile(filepath.Join(dir, "half.eml.part"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "0-noise.eml"), []byte("\x00\x00"), 0o600); err != nil {
			t.Fatal(err)
		}
		p.set(func(p *postOffice) { p.down = false })
		d = openDesk(t, p, dir, server(p))
		synctest.Wait()
		if len(p.letters()) != 1 || d.Waiting() != 0 {
			t.Errorf("%d letters, %d wait, told %q", len(p.letters()), d.Waiting(), d.told)
		}
		p.set(func(p *postOffice) { p.down = true })
		submit(t, d, note())
		time.Sleep(giveUp + 2*lastDelay)
		synctest.Wait()
		if files, _ := os.ReadDir(dir); d.Waiting() != 0 || len(files) != 0 || !strings.Contains(d.told[len(d.told)-1], "given up after days") {
			t.Errorf("%d wait, told %q", d.Waiting(), d.told[len(d.told)-1])
		}
		d.Close()
	})
}

func TestAChangedServerIsTriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPostOffice(t)
		wrong := server(p)
		wrong.Host = "mail.wrong"
		d := openDesk(t, p, t.TempDir(), wrong)
		defer d.Close()
		submit(t, d, note())
		synctest.Wait()
		d.Configure(server(p), "box@shop.test")
		synctest.Wait()
		if len(p.letters()) != 1 {
			t.Errorf("told %q", d.told)
		}
	})
}

func TestSubmitSaysWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPostOffice(t)
		p.down = true
		d := openDesk(t, p, t.TempDir(), Server{})
		defer d.Close()
		if err := d.Submit(note()); !errors.Is(err, ErrNoServer) {
			t.Errorf("%v", err)
		}
		d.Configure(server(p), "box@shop.test")
		for _, to := range []string{"", "anna", "a@b.test, c@d.test", "anna@shop.test\r\nBcc: x@y.test", "ànna@shop.test"} {
			if err := d.Submit(Message{To: to, Date: time.Now()}); !errors.Is(err, ErrAddress) {
				t.Errorf("%q: %v", to, err)
			}
		}
		for range MaxWaiting {
			submit(t, d, note())
		}
		if err := d.Submit(note()); !errors.Is(err, ErrFull) {
			t.Errorf("%v", err)
		}
	})
}

func TestAMailLargerThanTheServerTakesIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPostOffice(t)
		d := openDesk(t, p, t.TempDir(), server(p))
		defer d.Close()
		m := note()
		m.Attachment = &Attachment{Name: "a.wav", Type: "audio/wav", Body: bytes.Repeat([]byte{1}, 900_000)}
		submit(t, d, m)
		synctest.Wait()
		if d.Waiting() != 0 || len(p.letters()) != 0 || !strings.Contains(d.told[0], "it takes 1000000") {
			t.Errorf("%d wait, told %q", d.Waiting(), d.told)
		}
	})
}

// The way over a real socket of the machine, with real time.
func TestAMailGoesOverARealSocket(t *testing.T) {
	p := newPostOffice(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p.wg.Go(func() {
		if conn, err := l.Accept(); err == nil {
			p.serve(conn)
		}
	})
	told := make(chan string, 1)
	q, err := Open(Config{
		Log: slog.New(slog.DiscardHandler), Dir: t.TempDir(), Roots: p.roots, Report: func(_ bool, text string) { told <- text },
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	q.Configure(server(p), "box@shop.test")
	if err := q.Submit(note()); err != nil {
		t.Fatal(err)
	}
	if text := <-told; text != "" || len(p.letters()) != 1 {
		t.Errorf("told %q", text)
	}
}
