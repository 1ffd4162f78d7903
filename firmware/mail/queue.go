package mail

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

// Errors of Submit.
var (
	ErrNoServer = errors.New("no mail server is configured")
	ErrFull     = errors.New("too many mails wait for the server")
)

const (
	// MaxWaiting and maxBytes bound the queue on the disk.
	MaxWaiting = 500
	maxBytes   = 100 << 20
	firstDelay = time.Minute
	lastDelay  = time.Hour
	// giveUp is how long a message is tried (RFC 5321 section 4.5.4.1 asks for 4-5 days).
	giveUp = 5 * 24 * time.Hour
)

// Config says where mails wait and who is told.
type Config struct {
	Log *slog.Logger // nil: slog.Default
	Dir string       // created when it is missing
	// Report tells how mail stands after each try; text says what is wrong. It is called from the
	// queue's goroutine.
	Report func(ok bool, text string)
	// Dial opens connections; nil: net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots replaces the system's certificates when set.
	Roots *x509.CertPool
}

// Queue keeps mails on the disk until the server takes them. One goroutine sends, one mail at a time.
type Queue struct {
	cfg    Config
	log    *slog.Logger
	wake   chan struct{}
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex // guards what follows; never held while the network works
	server  Server
	from    string
	waiting []waiting
	bytes   int64
}

// waiting is one mail of the queue, in the order in which they came.
type waiting struct {
	name  string
	size  int64
	since time.Time
	tries int
	next  time.Time
}

// envelope is the first line of a file; the message follows it.
type envelope struct {
	V     int    `json:"v"`
	From  string `json:"from"`
	To    string `json:"to"`
	About string `json:"about,omitempty"` // Message.About
}

// Open reads what waits and begins to send; Close ends it.
func Open(cfg Config) (*Queue, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Report == nil {
		cfg.Report = func(bool, string) {}
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	q := &Queue{cfg: cfg, log: cfg.Log, wake: make(chan struct{}, 1), done: make(chan struct{})}
	if err := q.load(); err != nil {
		return nil, fmt.Errorf("open the mail queue: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	q.cancel = cancel
	go q.run(ctx)
	return q, nil
}

// Close stops sending; what waits is sent after the next Open.
func (q *Queue) Close() {
	q.cancel()
	<-q.done
}

func (q *Queue) load() error {
	if err := os.MkdirAll(q.cfg.Dir, 0o700); err != nil {
		return err
	}
	files, err := os.ReadDir(q.cfg.Dir)
	if err != nil {
		return err
	}
	for _, f := range files { // in the order of their names, which begin with their time
		info, err := f.Info()
		switch {
		case err != nil:
			return err
		case strings.HasSuffix(f.Name(), ".part"):
			if err := os.Remove(filepath.Join(q.cfg.Dir, f.Name())); err != nil {
				return err
			}
		case strings.HasSuffix(f.Name(), ".eml"):
			q.waiting = append(q.waiting, waiting{name: f.Name(), size: info.Size(), since: info.ModTime()})
			q.bytes += info.Size()
		}
	}
	return nil
}

// Configure changes the server and the sender for everything that waits and will come. What waits is
// tried at once, because a changed server may be the cure.
func (q *Queue) Configure(s Server, from string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.server == s && q.from == from {
		return
	}
	q.server, q.from = s, from
	for i := range q.waiting {
		q.waiting[i].next, q.waiting[i].tries = time.Time{}, 0
	}
	q.signal()
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Waiting is the number of mails that the server has not taken yet.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// Submit puts a message into the queue and returns when the disk has it. An empty From is the
// configured one. The error wraps ErrNoServer, ErrFull or ErrAddress, or is of the disk.
func (q *Queue) Submit(m Message) error {
	q.mu.Lock()
	server, from := q.server, q.from
	full := len(q.waiting) >= MaxWaiting || q.bytes >= maxBytes
	q.mu.Unlock()
	switch {
	case server.Host == "":
		return ErrNoServer
	case full:
		return ErrFull
	}
	m.From = cmp.Or(m.From, from)
	body, err := Compose(m)
	if err != nil {
		return err
	}
	to, err := Address(m.To)
	if err != nil {
		return err
	}
	sender, err := Address(m.From)
	if err != nil {
		return err
	}
	head, err := json.Marshal(envelope{V: 1, From: sender, To: to, About: m.About})
	if err != nil {
		return err
	}
	var b [4]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails since Go 1.24
	now := time.Now()
	name := now.UTC().Format("20060102T150405.000000000") + "-" + hex.EncodeToString(b[:]) + ".eml"
	text := append(append(head, '\n'), body...)
	if err := q.write(name, text); err != nil {
		return fmt.Errorf("keep a mail: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, waiting{name: name, size: int64(len(text)), since: now})
	q.bytes += int64(len(text))
	q.signal()
	return nil
}

// write makes a whole file in one step that a power cut cannot split.
func (q *Queue) write(name string, text []byte) error {
	return durable.Replace(durable.Disk{}, filepath.Join(q.cfg.Dir, name), text, 0o600)
}

func (q *Queue) run(ctx context.Context) {
	defer close(q.done)
	for {
		wait := q.sendDue(ctx)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-q.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// sendDue sends what is due, and returns how long until there is more to do.
func (q *Queue) sendDue(ctx context.Context) time.Duration {
	for ctx.Err() == nil {
		q.mu.Lock()
		server, now := q.server, time.Now()
		if server.Host == "" || len(q.waiting) == 0 {
			q.mu.Unlock()
			return lastDelay
		}
		at := slices.IndexFunc(q.waiting, func(w waiting) bool { return !w.next.After(now) })
		if at < 0 {
			next := slices.MinFunc(q.waiting, func(x, y waiting) int { return x.next.Compare(y.next) }).next
			q.mu.Unlock()
			return next.Sub(now)
		}
		w := q.waiting[at]
		q.mu.Unlock()
		err := q.send(ctx, server, w.name)
		if ctx.Err() != nil && err != nil {
			return 0 // cut short by Close
		}
		q.settle(w, server, err)
	}
	return 0
}

// send reads one mail and gives it to the server.
func (q *Queue) send(ctx context.Context, s Server, name string) error {
	text, err := os.ReadFile(filepath.Join(q.cfg.Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	if err != nil {
		return err
	}
	e, body, err := open(text)
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	return dialer{q.cfg.Dial, q.cfg.Roots}.send(ctx, s, e.From, e.To, body)
}

// open splits a file of the queue.
func open(text []byte) (e envelope, body []byte, err error) {
	head, body, ok := bytes.Cut(text, []byte("\n"))
	if !ok {
		return e, nil, errors.New("a mail without a message")
	}
	if err := json.Unmarshal(head, &e); err != nil {
		return e, nil, fmt.Errorf("a mail without an envelope: %w", err)
	}
	if e.V != 1 {
		return e, nil, fmt.Errorf("a mail of version %d, this program knows 1", e.V)
	}
	for _, a := range []string{e.From, e.To} {
		if plain, err := Address(a); err != nil || plain != a {
			return e, nil, fmt.Errorf("%w: %q", ErrAddress, a)
		}
	}
	return e, body, nil
}

// settle notes the outcome of a try. A fault of the way to the server holds up all that waits.
func (q *Queue) settle(w waiting, s Server, err error) {
	gone := err == nil
	switch {
	case err == nil:
		q.cfg.Report(true, "")
	case errors.Is(err, errRefused):
		q.log.Error("a mail was refused and is given up", "mail", w.name, "err", err)
		q.cfg.Report(false, "a mail was refused: "+err.Error())
		gone = true
	case time.Since(w.since) > giveUp:
		q.log.Error("a mail is given up after days", "mail", w.name, "err", err)
		q.cfg.Report(false, "a mail was given up after days: "+err.Error())
		gone = true
	default:
		q.log.Warn("a mail has to wait", "mail", w.name, "tries", w.tries+1, "err", err)
		q.cfg.Report(false, err.Error())
	}
	if gone {
		if err := os.Remove(filepath.Join(q.cfg.Dir, w.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			q.log.Error("a mail that is done stays in the queue", "mail", w.name, "err", err)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.waiting, func(x waiting) bool { return x.name == w.name })
	if i < 0 {
		return // erased meanwhile
	}
	if gone {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		q.bytes -= w.size
		return
	}
	if q.server != s {
		return // configured anew meanwhile: tried at once
	}
	q.waiting[i].tries++
	next := time.Now().Add(min(lastDelay, firstDelay<<min(w.tries, 10)))
	q.waiting[i].next = next
	if errors.Is(err, errDelayed) {
		return
	}
	for j := range q.waiting { // who waits behind would meet the same fault
		if q.waiting[j].next.Before(next) {
			q.waiting[j].next = next
		}
	}
}
