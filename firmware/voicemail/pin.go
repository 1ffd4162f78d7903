package voicemail

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	pinFile    = "pin.json"
	iterations = 100_000
	freeTries  = 3 // before the first pause
	firstPause = time.Minute
	lastPause  = time.Hour
)

// changedPIN is a code that was chosen by phone.
type changedPIN struct {
	Salt []byte `json:"salt"`
	Hash []byte `json:"hash"`
	N    int    `json:"n"`    // iterations of PBKDF2 with SHA-256 (RFC 8018)
	Over []byte `json:"over"` // hash of the configured code that it replaced: another one ends it
}

// lock is a code beside those of boxes, and the throttle of one.
type lock struct {
	pin   string
	tries int
	until time.Time
}

func hash(pin string, salt []byte, n int) []byte {
	// An error is possible only for lengths that this call does not have.
	key, _ := pbkdf2.Key(sha256.New, pin, salt, n, sha256.Size)
	return key
}

// SetPIN gives a box the code that its owner chose. The error is ErrNoBox or tel.ErrEasyPIN.
func (s *Store) SetPIN(n tel.Number, pin string) error {
	if err := tel.GoodPIN(n, pin); err != nil {
		return err
	}
	p := changedPIN{Salt: make([]byte, 16), N: iterations}
	_, _ = rand.Read(p.Salt) // crypto/rand.Read never fails since Go 1.24
	p.Hash = hash(pin, p.Salt, p.N)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[n]
	if b == nil || !b.known {
		return fmt.Errorf("%w: %q", ErrNoBox, n)
	}
	p.Over = hash(b.set.PIN, p.Salt, 1)
	b.pin = p
	s.later(func() error {
		if err := os.MkdirAll(s.dir(n), 0o700); err != nil {
			return err
		}
		return statefile.Save(filepath.Join(s.dir(n), pinFile), metaVersion, p)
	})
	return nil
}

func (s *Store) loadPIN(n tel.Number, b *box) {
	err := statefile.Load(filepath.Join(s.dir(n), pinFile), metaVersion, &b.pin)
	if err == nil && (b.pin.N < 1 || b.pin.N > 10*iterations) {
		err = errors.New("iterations out of range")
	}
	if err != nil {
		b.pin = changedPIN{}
		s.log.Error("a mailbox's code cannot be read: the configured one holds", "box", n, "err", err)
	}
}

// CheckPIN tells done, from another goroutine, whether pin opens the box or lock of. Three wrong codes
// close it for a minute, each further one for twice as long, up to an hour: meanwhile every code is
// wrong. An unknown name takes as long and counts as wrong.
func (s *Store) CheckPIN(of, pin string, done func(ok bool)) {
	s.wg.Go(func() {
		s.checks <- struct{}{}
		defer func() { <-s.checks }()
		done(s.pinOpens(of, pin))
	})
}

func (s *Store) pinOpens(of, pin string) bool {
	now := time.Now()
	s.mu.Lock()
	l := s.throttle(of)
	b := s.boxes[tel.Number(of)]
	var stored changedPIN
	configured := ""
	switch {
	case b != nil && b.known:
		stored, configured = b.pin, b.set.PIN
	case s.locks[of] != nil:
		configured = s.locks[of].pin
	}
	closed := l == nil || now.Before(l.until)
	if !closed { // counted before it is looked at, so that many at once are not many tries
		l.tries++
		if l.tries >= freeTries {
			l.until = now.Add(min(lastPause, firstPause<<min(l.tries-freeTries, 10)))
		}
	}
	s.mu.Unlock()
	salt, n := stored.Salt, stored.N
	if n == 0 {
		salt, n = []byte("no code was changed"), iterations
	}
	given := hash(pin, salt, n)
	over := subtle.ConstantTimeCompare(hash(configured, stored.Salt, 1), stored.Over) == 1
	right := subtle.ConstantTimeCompare([]byte(pin), []byte(configured)) == 1 && configured != ""
	if stored.N > 0 && over {
		right = subtle.ConstantTimeCompare(given, stored.Hash) == 1
	}
	if closed || !right {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l.tries, l.until = 0, time.Time{}
	return true
}

// throttle finds the counter of a box or lock; nil for an unknown name. It is called with mu held.
func (s *Store) throttle(of string) *lock {
	if b := s.boxes[tel.Number(of)]; b != nil && b.known {
		return &b.tries
	}
	return s.locks[of]
}
