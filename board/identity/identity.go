// Package identity is who a box is: an id that its label shows and that names it in the network. It
// outlives a factory reset.
package identity

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/statefile"
)

// File is where it lies below the directory of the data.
const File = "box.json"

const version = 1

// Identity is what the file holds.
type Identity struct {
	ID string `json:"id"` // see ValidID
}

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

var form = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{8}$`)

// ValidID tells whether a box may have this id: eight characters of Crockford's base 32.
func ValidID(id string) bool { return form.MatchString(id) }

// NewID draws an id.
func NewID() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b)
	for i := range b {
		b[i] = alphabet[b[i]%32]
	}
	return string(b)
}

// Name is the host name of a box: "pronto-" and the last four characters of its id.
func Name(id string) string { return "pronto-" + strings.ToLower(id[max(0, len(id)-4):]) }

// Save writes the file at path, safe from a power cut.
func Save(path string, i Identity) error { return statefile.Save(path, version, i) }

// Decode reads what Save wrote, out of memory.
func Decode(text []byte) (i Identity, err error) {
	if err = statefile.Decode(text, version, &i); err == nil && !ValidID(i.ID) {
		err = fmt.Errorf("identity: %q is no id", i.ID)
	}
	return i, err
}

// Load reads the file at path, or makes a new identity where there is none or it is damaged; made tells so.
// With an error that identity is good for this run only.
func Load(path string) (i Identity, made bool, err error) {
	err = statefile.Load(path, version, &i)
	if err == nil && ValidID(i.ID) {
		return i, false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, statefile.ErrDamaged) {
		return Identity{ID: NewID()}, true, fmt.Errorf("identity: %w", err)
	}
	i = Identity{ID: NewID()}
	return i, true, Save(path, i)
}
