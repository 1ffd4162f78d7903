package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/statefile"
)

// keysVersion is that of the file of the keys.
const keysVersion = 1

// Keys are what a box keeps of its backups' keys: its own secret, and of the recovery kit only the half that
// encrypts.
type Keys struct {
	Own       string    `json:"own"`                // AGE-SECRET-KEY-1...
	Kit       string    `json:"kit,omitempty"`      // age1...; empty: nobody has made a kit yet
	KitMade   time.Time `json:"kit_made,omitzero"`  // when the owner got its secret
	KitEnd    string    `json:"kit_end,omitempty"`  // SHA-256 of the secret's last EndLength characters
	Confirmed time.Time `json:"confirmed,omitzero"` // when somebody typed its end: it lies somewhere else than here
}

// errNoKit is returned for whoever wants a backup that only the box could read.
var errNoKit = errors.New("there is no recovery kit yet: without it the backups could be read by this box alone")

func (s Source) keysFile() string { return filepath.Join(s.Dir, "backup", "keys.json") }

// OpenKeys reads the keys of a box, and makes its own one the first time.
func OpenKeys(s Source) (Keys, error) {
	k, err := ReadKeys(s)
	if err != nil || k.Own != "" {
		return k, err
	}
	release, err := s.lockKeys()
	if err != nil {
		return k, err
	}
	defer release()
	return openKeys(s)
}

// openKeys is OpenKeys for who has the lock.
func openKeys(s Source) (Keys, error) {
	k, err := ReadKeys(s)
	if err != nil || k.Own != "" {
		return k, err
	}
	own, err := age.GenerateX25519Identity()
	if err != nil {
		return Keys{}, err
	}
	k.Own = own.String()
	return k, s.saveKeys(k)
}

// lockKeys keeps another process from changing the keys until release.
func (s Source) lockKeys() (release func(), err error) {
	if err := makeDir(filepath.Dir(s.keysFile())); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Dir(s.keysFile()))
	if err != nil {
		return nil, fmt.Errorf("keys of the backups: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("keys of the backups: %w", err), f.Close())
	}
	return func() { _ = f.Close() }, nil // which gives the lock back
}

// ReadKeys reads the keys of a box for who only looks; zero where it has none yet.
func ReadKeys(s Source) (k Keys, err error) {
	if err := statefile.Load(s.keysFile(), keysVersion, &k); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Keys{}, fmt.Errorf("keys of the backups: %w", err)
	}
	return k, nil
}

func (s Source) saveKeys(k Keys) error {
	if err := makeDir(filepath.Dir(s.keysFile())); err != nil {
		return err
	}
	return statefile.Save(s.keysFile(), keysVersion, k)
}

// NewKit makes a recovery kit and returns its secret, which the box does not keep. An earlier kit opens the
// earlier backups only.
func NewKit(s Source, now time.Time) (secret string, err error) {
	release, err := s.lockKeys()
	if err != nil {
		return "", err
	}
	defer release()
	k, err := openKeys(s)
	if err != nil {
		return "", err
	}
	kit, err := age.GenerateX25519Identity()
	if err != nil {
		return "", err
	}
	secret = kit.String()
	k.Kit, k.KitMade, k.KitEnd, k.Confirmed = kit.Recipient().String(), now, endOf(secret), time.Time{}
	return secret, s.saveKeys(k)
}

// ErrNoKey is the error of what cannot be the key of any kit.
var ErrNoKey = errors.New("this is no key of a recovery kit: it begins with AGE-SECRET-KEY-1 and has 74 characters")

// EndLength is how many characters of the secret's end prove that somebody has the kit. Six of them are its
// check sum, so that what the box keeps of them tells next to nothing of the rest.
const EndLength = 8

func endOf(secret string) string {
	sum := sha256.Sum256([]byte(secret[max(0, len(secret)-EndLength):]))
	return hex.EncodeToString(sum[:])
}

// ErrNotTheKit is the error of who confirms another kit than that of the box.
var ErrNotTheKit = errors.New("this is not the recovery kit of this box, or an earlier one")

// Confirm notes that the owner has the kit. What proves it is its secret as it is printed, whole or its end.
func Confirm(s Source, typed string, now time.Time) error {
	release, err := s.lockKeys()
	if err != nil {
		return err
	}
	defer release()
	k, err := ReadKeys(s)
	if err != nil {
		return err
	}
	typed = plain(typed)
	if len(typed) != EndLength {
		kit, err := ParseKey(typed)
		if err != nil {
			return err
		}
		if kit.Recipient().String() != k.Kit {
			return ErrNotTheKit
		}
	} else if k.Kit == "" || endOf(typed) != k.KitEnd {
		return ErrNotTheKit
	}
	k.Confirmed = now
	return s.saveKeys(k)
}

// plain is a secret as age writes it, of one as somebody types it.
func plain(typed string) string { return strings.ToUpper(strings.Join(strings.Fields(typed), "")) }

// ParseKey reads a secret as somebody types or scans it.
func ParseKey(text string) (*age.X25519Identity, error) {
	text = plain(text)
	kit, err := age.ParseX25519Identity(text)
	if err != nil {
		return nil, ErrNoKey
	}
	return kit, nil
}

// own is the box's key.
func (k Keys) own() (*age.X25519Identity, error) { return age.ParseX25519Identity(k.Own) }

// recipients are both halves that encrypt.
func (k Keys) recipients() ([]age.Recipient, error) {
	if k.Kit == "" {
		return nil, errNoKit
	}
	own, err := k.own()
	if err != nil {
		return nil, err
	}
	kit, err := age.ParseX25519Recipient(k.Kit)
	if err != nil {
		return nil, err
	}
	return []age.Recipient{own.Recipient(), kit}, nil
}
