package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"
	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/erasure"
	"github.com/pronto-pbx/pronto/firmware/statefile"
)

// planVersion is that of the file that says what is to be put in place.
const planVersion = 1

// reserve stays free on the disk when a restore is unpacked.
const reserve = 64 << 20

// Choice says what of a backup is wanted.
type Choice struct {
	Chapters []Chapter // nil: all
	// Carriers keeps the lines of another box in force. Without it the SIP trunks of a backup of another box
	// are restored disabled: two boxes with one account at a carrier take each other's calls.
	Carriers bool
	By, From string // who orders it, and from which address: for the audit log
}

// Restored says what lies ready.
type Restored struct {
	Manifest
	Chapters []Chapter
	Total    Total
	Foreign  bool     // it was made by another box
	Disabled []string // trunks that are off because of that
}

// plan is what Apply does: for each root the staged file or folder, or nothing, takes the old one's place.
type plan struct {
	Restored
	Roots   []planned `json:"roots"`
	Ordered time.Time `json:"ordered"`
	By      string    `json:"by,omitempty"`
	From    string    `json:"from,omitempty"`
}

type planned struct {
	Path   string `json:"path"`
	Staged bool   `json:"staged"` // false: the backup has none, so the old one goes
}

func (s Source) stage() string    { return filepath.Join(s.Dir, "restore") }
func (s Source) planFile() string { return filepath.Join(s.stage(), "plan.json") }

// Stage unpacks a backup beside the state, where Apply finds it when the box starts next. Until then nothing
// has changed; an error leaves nothing behind.
func Stage(s Source, in io.Reader, c Choice, keys ...age.Identity) (r Restored, err error) {
	if c.Chapters == nil {
		c.Chapters = Chapters()
	}
	a, err := Open(in, keys...)
	if err != nil {
		return r, err
	}
	if err := Discard(s); err != nil {
		return r, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, Discard(s))
		}
	}()
	files := filepath.Join(s.stage(), "files")
	if err := makeDir(files); err != nil {
		return r, err
	}
	r.Manifest, r.Chapters = a.Manifest, c.Chapters
	r.Total, err = a.Each(func(of Chapter, name string, size int64, body io.Reader) error {
		if !slices.Contains(c.Chapters, of) && name != erasure.File {
			return nil
		}
		return unpack(filepath.Join(files, filepath.FromSlash(name)), size, body)
	})
	if err != nil {
		return r, err
	}
	if err := r.adapt(s, files, c); err != nil {
		return r, err
	}
	switch _, err := os.Lstat(filepath.Join(files, recordingsName)); {
	case errors.Is(err, fs.ErrNotExist): // the box keeps its own
		r.Chapters = slices.DeleteFunc(slices.Clone(r.Chapters), func(c Chapter) bool { return c == Recordings })
	case err != nil:
		return r, err
	default:
		if err := s.adaptRecordings(filepath.Join(files, recordingsName)); err != nil {
			return r, err
		}
	}
	p := plan{Restored: r, Ordered: time.Now().UTC().Round(0), By: c.By, From: c.From}
	for _, root := range roots {
		if slices.Contains(r.Chapters, root.chapter) || root.path == erasure.File {
			_, err := os.Lstat(filepath.Join(files, root.path))
			p.Roots = append(p.Roots, planned{root.path, err == nil})
		}
	}
	if err := syncTree(files); err != nil {
		return r, err
	}
	return r, statefile.Save(s.planFile(), planVersion, p)
}

// Staged tells what lies ready for the next start; nil when nothing does.
func Staged(s Source) (*Restored, error) {
	var p plan
	switch err := statefile.Load(s.planFile(), planVersion, &p); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &p.Restored, nil
}

// TakeCarriers has the lines that Stage left off come into force with the rest: the box that made the backup is
// gone.
func TakeCarriers(s Source) error {
	var p plan
	if err := statefile.Load(s.planFile(), planVersion, &p); err != nil {
		return err
	}
	file := filepath.Join(s.stage(), "files", configName)
	err := rewriteConfig(file, func(cfg *config.Config) {
		for i := range cfg.Trunks {
			if t := &cfg.Trunks[i]; slices.Contains(p.Disabled, string(t.ID)) {
				t.Disabled = false
			}
		}
	})
	if err != nil {
		return err
	}
	p.Disabled = nil
	return statefile.Save(s.planFile(), planVersion, p)
}

// rewriteConfig changes a configuration that is not in force.
func rewriteConfig(file string, change func(*config.Config)) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	cfg, err := config.Parse(text)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	change(&cfg)
	if text, err = cfg.Encode(); err != nil {
		return err
	}
	return durable.Replace(durable.Disk{}, file, text, 0o600)
}

// Discard forgets what Stage has unpacked.
func Discard(s Source) error {
	return errors.Join(remove(s.planFile()), os.RemoveAll(s.stage())) // the plan first: half of a stage is none
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func unpack(path string, size int64, body io.Reader) error {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &disk); err == nil && int64(disk.Bavail)*int64(disk.Bsize) < size+reserve {
		return fmt.Errorf("restore %s: %w", filepath.Base(path), unix.ENOSPC)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, body)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, filepath.Base(path), err)
	}
	return nil
}

// adapt makes what was unpacked that of this box.
func (r *Restored) adapt(s Source, files string, c Choice) error {
	k, err := OpenKeys(s)
	if err != nil {
		return err
	}
	own, err := k.own()
	if err != nil {
		return err
	}
	r.Foreign = r.Box != own.Recipient().String()
	if _, err := erasure.Read(files); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if slices.Contains(c.Chapters, People) {
		if err := endSessions(filepath.Join(files, "access.json")); err != nil {
			return err
		}
	}
	if !slices.Contains(c.Chapters, Configuration) {
		return nil
	}
	file := filepath.Join(files, configName)
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%w: it has no configuration: %w", ErrDamaged, err)
	}
	if _, err := config.Parse(text); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if !r.Foreign || c.Carriers {
		return nil
	}
	return rewriteConfig(file, func(cfg *config.Config) {
		for i := range cfg.Trunks {
			if t := &cfg.Trunks[i]; !t.Disabled {
				t.Disabled = true
				r.Disabled = append(r.Disabled, string(t.ID))
			}
		}
	})
}

// endSessions lets nobody into the page with a cookie of the time of the backup, and leaves the code of the
// label to the box that wears it.
func endSessions(file string) error {
	err := statefile.Rewrite(file, func(value json.RawMessage) (json.RawMessage, error) {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(value, &fields); err != nil {
			return nil, err
		}
		delete(fields, "sessions")
		delete(fields, "code")
		return json.Marshal(fields)
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
