package page

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"
)

// BackupState is how it stands with the backups of the box.
type BackupState struct {
	Away      bool // the process that makes them does not answer
	Running   bool
	Made      time.Time // of the last one that was read back whole; zero: none
	Name      string    // its file
	To        string    // where it lies
	Files     int
	Bytes     int64
	Tried     time.Time
	Failed    string    // why the last try failed, English; empty: it did not
	Kit       time.Time // when the recovery kit was made; zero: there is none
	Confirmed time.Time // when somebody typed its end; zero: nobody has
}

// MB is how much the last backup holds, in megabytes.
func (s BackupState) MB() float64 { return float64((s.Bytes+50_000)/100_000) / 10 }

// Copy is a backup that lies in its place.
type Copy struct {
	Name string // of the file
	Made time.Time
}

// Ready is a backup that takes effect when the box starts next.
type Ready struct {
	Office  string
	Made    time.Time
	Parts   []string
	Files   int
	Foreign bool     // made by another box
	Off     []string // lines that are left off because of that
}

// Backup is the page of the backups.
type Backup struct {
	Reader  Reader
	Box     string
	Said    Said
	State   BackupState
	To      string // the place that is in force; empty: none
	Hour    int    // of the night
	Copies  []Copy
	Unread  Said    // why they cannot be listed
	Place   []Block // the form of the place
	Others  []Said  // what is wrong beside its fields
	Private bool    // nobody listens in on the way to the reader
	Ready   *Ready  // what takes effect at the next start
	Done    string  // key of what was just done; empty: nothing

	Tapes     int // recordings that there are
	TapeBytes int64
	WithTapes bool // they are in the next backup
}

// TapeMB is how much the recordings take, in megabytes.
func (b Backup) TapeMB() string { return fmt.Sprintf("%.1f", float64(b.TapeBytes)/1e6) }

// Kit is a recovery kit, the only time that it is seen.
type Kit struct {
	Reader Reader
	Box    string
	Secret string
	Code   string // of the label
	Made   time.Time
	End    int // characters that are typed to confirm it
}

// Groups is the secret as it is written down.
func (k Kit) Groups() (all []string) {
	head, rest, _ := strings.Cut(k.Secret, "-1")
	all = append(all, head+"-1")
	for len(rest) > 4 {
		all, rest = append(all, rest[:4]), rest[4:]
	}
	return append(all, rest)
}

// File is the kit as a file that the browser makes of the page itself.
func (k Kit) File(text string) template.URL {
	return template.URL("data:text/plain;charset=utf-8," + url.PathEscape(text))
}

// Restore is the form with which a backup comes back.
type Restore struct {
	Reader  Reader
	Box     string
	Said    Said
	At      string // path that the forms post to
	Shut    bool   // there is nothing to fill in
	Code    string // as typed, for the forms that follow
	Parts   []string
	Copies  []Copy
	Ready   *Ready
	Private bool
	Starts  bool // the box can start anew by itself
	Started bool // it does
}

// Backup renders the page of the backups.
func (r *Renderer) Backup(b Backup, now time.Time) ([]byte, error) {
	return r.shell("backup.html", "backup", b.Box, b.Reader, b, now)
}

// Kit renders a recovery kit.
func (r *Renderer) Kit(k Kit, now time.Time) ([]byte, error) {
	return r.shell("kit.html", "kit", k.Box, k.Reader, k, now)
}

// Restore renders the form with which a backup comes back.
func (r *Renderer) Restore(x Restore, now time.Time) ([]byte, error) {
	return r.shell("restore.html", "restore", x.Box, x.Reader, x, now)
}
