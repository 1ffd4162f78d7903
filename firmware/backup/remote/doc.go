// Package remote is the way to the process that makes the backups: HTTP on a unix socket of recordd, which alone
// links the libraries of the places. The page asks it to try a place, to make a backup at once, and for the
// backups that there are.
package remote

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/firmware/backup"
)

// Path is the socket's path, beside that of the records.
func Path(records string) string { return filepath.Join(filepath.Dir(records), "backup.sock") }

// Errors of a request.
var (
	ErrAway    = errors.New("the process that makes the backups does not answer")
	ErrRefused = errors.New("the place of the backups does not work")
)

// State is how it stands with the backups.
type State struct {
	backup.Status
	Running bool `json:"running"` // one is being made
}

// Copy is a backup that lies in the place.
type Copy struct {
	Name string    `json:"name"`
	Made time.Time `json:"made"`
}

const (
	bodyLimit = 64 << 10        // bytes of a request
	listLimit = 4 << 20         // bytes of an answer but that with a backup
	quick     = 5 * time.Second // for what lies on this box
	slow      = 30 * time.Second
)
