package voicemail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Errors of this package, wrapped with the name asked for.
var (
	ErrNoBox     = errors.New("no such mailbox")
	ErrNoMessage = errors.New("no such message")
	ErrName      = errors.New("not a name of a file")
	ErrClosed    = errors.New("the mailboxes are closed")
)

// Settings is what the configuration says about one mailbox.
type Settings struct {
	Number      tel.Number
	Name        string        // of the person
	PIN         string        // until another is chosen by phone; empty: only the owner's own phone gets in
	MaxMessages int           // 0 is 100
	Retention   time.Duration // heard messages that are not kept go after it; 0: never
}

// Message is one message of a mailbox.
type Message struct {
	ID      string        `json:"id"`
	Box     tel.Number    `json:"box"`
	Call    tel.CallID    `json:"call,omitempty"`
	From    tel.Number    `json:"from,omitempty"`
	Name    string        `json:"name,omitempty"`
	At      time.Time     `json:"at"`
	Length  time.Duration `json:"length"`
	Bytes   int64         `json:"bytes"`
	Heard   time.Time     `json:"heard,omitzero"`
	Kept    bool          `json:"kept,omitempty"`    // exempt from retention
	Deleted time.Time     `json:"deleted,omitzero"`  // can be undone for undoFor
	Missing bool          `json:"missing,omitempty"` // nothing is known but the sound: its .json was lost
	Spool   string        `json:"spool,omitempty"`   // where the sound was before it was stored
}

// Counts is what a lamp for waiting messages shows (RFC 3842).
type Counts struct{ New, Old int }

// Config says where messages lie and who is told.
type Config struct {
	Log *slog.Logger // nil: slog.Default
	Dir string
	// Quota is the largest sum of all sound in bytes; 0 is 500 MB. A message that was begun is still
	// stored, so that a caller who was asked to speak is not lost.
	Quota int64
	// Now is by which moment ages are counted; nil: time.Now.
	Now func() time.Time
	// Changed tells the counts of a box whenever they differ from what was told. It is called with a
	// lock held, in order: it must not block nor call the store.
	Changed func(tel.Number, Counts)
	// Stored tells a message that is safe on the disk, and where its sound lies. It is called from the
	// store's goroutine and must not block it for long.
	Stored func(m Message, wav string)
	// Finish makes a WAV for the telephone of what was recorded as an announcement; an error leaves it as it
	// is. It is called from the store's goroutine. nil: every one stays as it is.
	Finish func(id string, recorded io.Reader) ([]byte, error)
	// Report tells that the disk does not take what it is given and why, and that it does again. It is
	// called from the store's goroutine.
	Report func(ok bool, text string)
}

const (
	defaultMax   = 100
	defaultQuota = 500 << 20
	undoFor      = time.Hour
	// MinLength is the shortest recording that Sweep takes for a message.
	MinLength = 2 * time.Second
	// tidyEvery is how often retention is looked after and a failed write tried again.
	tidyEvery = time.Minute
)

// Store owns everything below its directory. Methods may be called from any goroutine.
type Store struct {
	cfg    Config
	log    *slog.Logger
	wake   chan struct{}
	cancel context.CancelFunc
	wg     sync.WaitGroup
	over   chan struct{} // closed when the writing goroutine has ended
	checks chan struct{} // bounds the codes that are checked at a time
	shelf  sync.Mutex    // serialises what changes the files of announcements; taken before mu

	mu     sync.Mutex // guards what follows; never held while the disk works
	boxes  map[tel.Number]*box
	locks  map[string]*lock
	taken  map[string]bool // names in the spool that are being put away
	work   []func() error  // in order, for the writing goroutine
	failed []func() error  // work to be tried again

	announcements map[string]Announcement
}

type box struct {
	set      Settings
	known    bool // the configuration has it
	messages map[string]*Message
	told     Counts
	pin      changedPIN
	tries    lock
}

// Open reads what is there, finishes what an earlier process began, and starts the writing goroutine,
// which Close ends. Boxes that the configuration no longer has keep their messages on the disk.
func Open(cfg Config) (*Store, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Quota == 0 {
		cfg.Quota = defaultQuota
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Changed == nil {
		cfg.Changed = func(tel.Number, Counts) {}
	}
	if cfg.Stored == nil {
		cfg.Stored = func(Message, string) {}
	}
	if cfg.Finish == nil {
		cfg.Finish = func(_ string, r io.Reader) ([]byte, error) { return io.ReadAll(r) }
	}
	if cfg.Report == nil {
		cfg.Report = func(bool, string) {}
	}
	s := &Store{
		cfg: cfg, log: cfg.Log, wake: make(chan struct{}, 1), over: make(chan struct{}), checks: make(chan struct{}, 2),
		boxes: map[tel.Number]*box{}, locks: map[string]*lock{}, taken: map[string]bool{}, announcements: map[string]Announcement{},
	}
	for _, d := range []string{"spool", "box", "prompt"} {
		if err := os.MkdirAll(filepath.Join(cfg.Dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("open voicemail: %w", err)
		}
	}
	if err := errors.Join(s.load(), s.loadAnnouncements()); err != nil {
		return nil, fmt.Errorf("open voicemail: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.wg.Go(func() { s.write(ctx) })
	return s, nil
}

// Close writes what is due, once, and ends the store's goroutines.
func (s *Store) Close() {
	s.cancel()
	s.wg.Wait()
}

// Configure replaces the settings of all boxes and the codes of other locks by name, at once. A code
// that was changed by phone holds until the configured one is changed.
func (s *Store) Configure(all []Settings, locks map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.boxes {
		b.known = false
	}
	for _, set := range all {
		b := s.box(set.Number)
		b.set, b.known = set, true
		s.tell(set.Number, b)
	}
	for name := range s.locks {
		if _, ok := locks[name]; !ok {
			delete(s.locks, name)
		}
	}
	for name, pin := range locks {
		if s.locks[name] == nil {
			s.locks[name] = &lock{}
		}
		s.locks[name].pin = pin
	}
}

// box finds or makes the place of a box. It is called with mu held.
func (s *Store) box(n tel.Number) *box {
	b := s.boxes[n]
	if b == nil {
		b = &box{messages: map[string]*Message{}}
		s.boxes[n] = b
	}
	return b
}

// counts sums up a box. It is called with mu held.
func (b *box) counts() Counts {
	var c Counts
	for _, m := range b.messages {
		switch {
		case !m.Deleted.IsZero():
		case m.Heard.IsZero():
			c.New++
		default:
			c.Old++
		}
	}
	return c
}

// tell reports changed counts. It is called with mu held.
func (s *Store) tell(n tel.Number, b *box) {
	if c := b.counts(); c != b.told && b.known {
		b.told = c
		s.cfg.Changed(n, c)
	}
}

// Counts gives the number of messages of a box; ok is false for a box that the configuration does not
// have.
func (s *Store) Counts(n tel.Number) (c Counts, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[n]
	if b == nil || !b.known {
		return c, false
	}
	return b.counts(), true
}

// Room reports whether a box may take one more message.
func (s *Store) Room(n tel.Number) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[n]
	if b == nil || !b.known {
		return false
	}
	c := b.counts()
	return c.New+c.Old < cmp.Or(b.set.MaxMessages, defaultMax) && s.used() < s.cfg.Quota
}

// used sums all sound in bytes. It is called with mu held.
func (s *Store) used() int64 {
	var sum int64
	for _, b := range s.boxes {
		for _, m := range b.messages {
			sum += m.Bytes
		}
	}
	return sum
}

// List gives the messages of a box that are not deleted, oldest first.
func (s *Store) List(n tel.Number) ([]Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[n]
	if b == nil || !b.known {
		return nil, fmt.Errorf("%w: %q", ErrNoBox, n)
	}
	var all []Message
	for _, m := range b.messages {
		if m.Deleted.IsZero() {
			all = append(all, *m)
		}
	}
	slices.SortFunc(all, func(x, y Message) int {
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.ID, y.ID))
	})
	return all, nil
}

// Boxes lists the boxes of the configuration in order.
func (s *Store) Boxes() []Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Settings
	for _, n := range slices.Sorted(maps.Keys(s.boxes)) {
		if b := s.boxes[n]; b.known {
			set := b.set
			set.PIN = ""
			all = append(all, set)
		}
	}
	return all
}

// MarkHeard notes that a message is no longer new.
func (s *Store) MarkHeard(n tel.Number, id string) error {
	return s.change(n, id, func(m *Message) {
		if m.Heard.IsZero() {
			m.Heard = time.Now()
		}
	})
}

// Keep exempts a message from retention.
func (s *Store) Keep(n tel.Number, id string) error {
	return s.change(n, id, func(m *Message) { m.Kept = true })
}

// Delete hides a message; its files go after an hour, until when Undelete brings it back.
func (s *Store) Delete(n tel.Number, id string) error {
	return s.change(n, id, func(m *Message) { m.Deleted = time.Now() })
}

// Undelete takes a Delete back.
func (s *Store) Undelete(n tel.Number, id string) error {
	return s.change(n, id, func(m *Message) { m.Deleted = time.Time{} })
}

// change edits a message in memory and has it written.
func (s *Store) change(n tel.Number, id string, edit func(*Message)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[n]
	if b == nil {
		return fmt.Errorf("%w: %q", ErrNoBox, n)
	}
	m := b.messages[id]
	if m == nil {
		return fmt.Errorf("%w: %q of %q", ErrNoMessage, id, n)
	}
	before := *m
	edit(m)
	if before == *m {
		return nil
	}
	s.later(func() error { return s.writeMeta(n, id) })
	s.tell(n, b)
	return nil
}

// later gives work to the writing goroutine. It is called with mu held.
func (s *Store) later(do func() error) {
	s.work = append(s.work, do)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// write is the goroutine that does all writing, in the order in which it was asked for.
func (s *Store) write(ctx context.Context) {
	defer close(s.over)
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		s.drain()
		select {
		case <-ctx.Done():
			s.drain()
			return
		case <-s.wake:
		case <-tick.C:
			s.again()
			s.tidy(s.cfg.Now())
		}
	}
}

// drain does the work at hand. What fails waits for again, so that one bad file holds up nothing.
func (s *Store) drain() {
	for {
		s.mu.Lock()
		if len(s.work) == 0 {
			s.mu.Unlock()
			return
		}
		do := s.work[0]
		s.work = s.work[1:]
		s.mu.Unlock()
		if err := do(); err != nil {
			s.log.Error("voicemail cannot be written", "err", err)
			s.cfg.Report(false, inWords(err))
			s.mu.Lock()
			s.failed = append(s.failed, do)
			s.mu.Unlock()
		}
	}
}

// again tries what failed before.
func (s *Store) again() {
	s.mu.Lock()
	n := len(s.failed)
	s.work, s.failed = append(s.failed, s.work...), nil
	s.mu.Unlock()
	if n == 0 {
		return
	}
	s.drain()
	s.mu.Lock()
	well := len(s.failed) == 0
	s.mu.Unlock()
	if well {
		s.cfg.Report(true, "")
	}
}

// tidy removes what was deleted long enough ago, or is heard and older than its box keeps messages.
func (s *Store) tidy(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, b := range s.boxes {
		for id, m := range b.messages {
			undone := !m.Deleted.IsZero() && now.Sub(m.Deleted) > undoFor
			old := b.known && b.set.Retention > 0 && !m.Kept && !m.Heard.IsZero() && now.Sub(m.Heard) > b.set.Retention
			if undone || old {
				delete(b.messages, id)
				s.later(func() error { return s.removeMessage(n, id) })
			}
		}
		s.tell(n, b)
	}
}
