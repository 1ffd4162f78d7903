package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

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
	Confirmed time.Time `json:"confirmed,omitzero"` // when somebody typed its end: it lies somewhere else than here
}

// errNoKit is returned for whoever wants a backup that only the box could read.
var errNoKit = errors.New("there is no recovery kit yet: without it the backups could be read by this box alone")

func (s Source) keysFile() string { return filepath.Join(s.Dir, "backup", "keys.json") }

// OpenKeys reads the keys of a box, and makes its own one the first time.
func OpenKeys(s Source) (Keys, error) {
	k, err := readKeys(s)
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

// readKeys reads the keys of a box; zero where it has none yet.
func readKeys(s Source) (k Keys, err error) {
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
	k, err := OpenKeys(s)
	if err != nil {
		return "", err
	}
	kit, err := age.GenerateX25519Identity()
	if err != nil {
		return "", err
	}
	k.Kit, k.KitMade, k.Confirmed = kit.Recipient().String(), now, time.Time{}
	return kit.String(), s.saveKeys(k)
}

// Confirm notes that the owner has the kit. What proves it is its secret as it is printed.
func Confirm(s Source, secret string, now time.Time) error {
	kit, err := ParseKey(secret)
	if err != nil {
		return err
	}
	k, err := OpenKeys(s)
	if err != nil {
		return err
	}
	if k.Kit == "" || kit.Recipient().String() != k.Kit {
		return errors.New("this is not the recovery kit of this box, or an earlier one")
	}
	k.Confirmed = now
	return s.saveKeys(k)
}

// ParseKey reads a secret as somebody types or scans it.
func ParseKey(text string) (*age.X25519Identity, error) {
	text = strings.ToUpper(strings.Join(strings.Fields(text), ""))
	kit, err := age.ParseX25519Identity(text)
	if err != nil {
		return nil, errors.New("this is no key of a recovery kit: it begins with AGE-SECRET-KEY-1 and has 74 characters")
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
