package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/statefile"
)

// statusVersion is that of the file that says how the last backup went.
const statusVersion = 1

// Status is how it stands with the backups of a box.
type Status struct {
	Tried  time.Time `json:"tried,omitzero"`
	Made   time.Time `json:"made,omitzero"` // the last one that was read back whole
	Name   string    `json:"name,omitempty"`
	To     string    `json:"to,omitempty"` // the place it lies in
	Files  int       `json:"files,omitempty"`
	Bytes  int64     `json:"bytes,omitempty"`  // before compression
	Failed string    `json:"failed,omitempty"` // why the last try failed; empty: it did not
}

func (s Source) statusFile() string { return filepath.Join(s.Dir, "backup", "status.json") }

// ReadStatus is how the last backup went; zero when none was tried.
func ReadStatus(s Source) (Status, error) {
	var st Status
	err := statefile.Load(s.statusFile(), statusVersion, &st)
	if errors.Is(err, fs.ErrNotExist) {
		return st, nil
	}
	return st, err
}

// Make writes a backup into a place, reads it back from there with the box's own key, and only then counts it.
// Older ones that need not be kept go.
func Make(ctx context.Context, s Source, to Place, where, program string, now time.Time) (Status, error) {
	st, err := ReadStatus(s)
	if err != nil {
		st = Status{}
	}
	st.Tried, st.Failed = now, ""
	name, total, err := putAndReadBack(ctx, s, to, program, now)
	if err != nil {
		st.Failed = err.Error()
	} else {
		st.Made, st.Name, st.To, st.Files, st.Bytes = now, name, where, total.Files, total.Bytes
	}
	return st, errors.Join(err, save(s, st))
}

func save(s Source, st Status) error {
	return errors.Join(makeDir(filepath.Dir(s.statusFile())), statefile.Save(s.statusFile(), statusVersion, st))
}

func putAndReadBack(ctx context.Context, s Source, to Place, program string, now time.Time) (name string, t Total, err error) {
	k, err := OpenKeys(s)
	if err != nil {
		return "", t, err
	}
	recipients, err := k.recipients()
	if err != nil {
		return "", t, err
	}
	own, err := k.own()
	if err != nil {
		return "", t, err
	}
	m := Manifest{Program: program, Name: officeName(s), Box: own.Recipient().String(), Made: now.UTC().Truncate(time.Second)}
	name = Name(m.Name, m.Made)
	if t, err = put(ctx, s, to, name, m, recipients); err != nil {
		return "", t, err
	}
	back, err := to.Get(ctx, name)
	if err != nil {
		return "", t, fmt.Errorf("read the backup back: %w", err)
	}
	defer back.Close()
	got, again, err := Check(back, own)
	if err != nil || got != m.as(got.V) || again.Files != t.Files-1 { // the manifest is none of its files
		return "", t, errors.Join(fmt.Errorf("the backup does not come back as it was written (%d of %d files)", again.Files, t.Files-1), err, to.Delete(ctx, name))
	}
	return name, again, prune(ctx, to, m.Name)
}

func (m Manifest) as(v int) Manifest { m.V = v; return m }

// cause is why the other end of a pipe hears nothing more.
func cause(err error) error {
	if err == nil {
		return io.ErrClosedPipe
	}
	return err
}

// officeName is what the office calls itself.
func officeName(s Source) string {
	text, err := os.ReadFile(s.Config)
	if err != nil {
		return ""
	}
	cfg, _, err := config.ParseKnown(text)
	if err != nil {
		return ""
	}
	return cfg.Box.Name
}

// Nightly makes backups by itself, and when it is asked to.
type Nightly struct {
	Source  Source
	Program string // its version
	Log     *slog.Logger
	Open    func(config.Backup) (Place, error) // the place that the configuration names

	mu      sync.Mutex    // guards what follows
	wanted  chan struct{} // somebody wants one now
	running bool          // one is being made, or is wanted
}

// NewNightly prepares one; open finds the place that a configuration names.
func NewNightly(s Source, program string, log *slog.Logger, open func(config.Backup) (Place, error)) *Nightly {
	return &Nightly{Source: s, Program: program, Log: log, Open: open, wanted: make(chan struct{}, 1)}
}

// Now has Run make a backup, whatever the hour. It does not wait for it.
func (n *Nightly) Now() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running = true // as whoever asks next must see, also when one has just ended
	select {
	case n.wanted <- struct{}{}:
	default:
	}
}

// Running tells whether a backup is being made, or will be at once.
func (n *Nightly) Running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.running
}

// busy notes whether one is being made; one that is wanted counts, too.
func (n *Nightly) busy(is bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running = is || len(n.wanted) > 0
}

// Configured is what the configuration says of backups, and by which clock the office lives.
func (n *Nightly) Configured() (config.Backup, *time.Location, error) {
	text, err := os.ReadFile(n.Source.Config)
	if err != nil {
		return config.Backup{}, nil, err
	}
	cfg, _, err := config.ParseKnown(text)
	if err != nil {
		return config.Backup{}, nil, err
	}
	zone, err := time.LoadLocation(cfg.Box.Timezone)
	if err != nil {
		zone = time.UTC
	}
	return cfg.Backup, zone, nil
}

// look is how often Run asks whether one is due; again is the pause after a failure.
const (
	look  = time.Minute
	again = time.Hour
)

// Run makes a backup each night until ctx ends, into the folder that the configuration names at that time.
func (n *Nightly) Run(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	asked := false
	for {
		n.look(ctx, time.Now(), asked)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			asked = false
		case <-n.wanted:
			asked = true
		}
	}
}

// look makes a backup if one is due, or was asked for.
func (n *Nightly) look(ctx context.Context, now time.Time, asked bool) {
	defer n.busy(false)
	c, zone, err := n.Configured()
	if err != nil || c.To == "" {
		return // prontod says so where people look
	}
	st, err := ReadStatus(n.Source)
	if err != nil {
		n.Log.Warn("how the last backup went is lost", "err", err)
	}
	if !asked && !due(now.In(zone), c, st) {
		return
	}
	to, err := n.Open(c)
	if err == nil && n.waits(to, st) {
		return
	}
	n.busy(true)
	if err == nil {
		st, err = Make(ctx, n.Source, to, c.To, n.Program, now)
	} else {
		st.Tried, st.Failed = now, err.Error()
		err = errors.Join(err, save(n.Source, st))
	}
	if err != nil {
		n.Log.Error("backup failed", "to", c.To, "err", err)
		return
	}
	n.Log.Info("backup made and read back", "to", c.To, "name", st.Name, "files", st.Files, "bytes", st.Bytes)
}

// waits tells whether a backup waits for a place that somebody has to plug in. That is written down once, and
// is no try after which an hour would have to pass.
func (n *Nightly) waits(to Place, st Status) bool {
	plugged, ok := to.(interface{ Absent() error })
	if !ok {
		return false
	}
	err := plugged.Absent()
	if err == nil {
		return false
	}
	if st.Failed != err.Error() {
		st.Failed, st.Tried = err.Error(), time.Time{}
		n.Log.Warn("backup waits", "err", errors.Join(err, save(n.Source, st)))
	}
	return true
}

// due reports whether a backup should be made: in the hour that is set, at any time when the last one is
// older than 26 hours or from the future, and to a new place at once. After a failure it waits an hour.
func due(now time.Time, c config.Backup, st Status) bool {
	if st.Failed != "" && now.Sub(st.Tried) < again && !now.Before(st.Tried) {
		return false
	}
	age := now.Sub(st.Made)
	return st.Made.IsZero() || st.To != c.To || age < 0 || age > 26*time.Hour || (age > 12*time.Hour && now.Hour() == c.Hour)
}

// Version names the program that runs, as its build does.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return info.Main.Version
}
