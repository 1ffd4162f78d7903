package appliance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/durable"
	lineparty "github.com/pronto-pbx/pronto/firmware/line/party"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// lines are the modems of the configuration in force, and those that drain: a call that is up keeps
// its line, whatever the configuration says meanwhile.
type lines struct {
	b        *Box
	board    *lineparty.Board
	supplies supplies

	mu       sync.Mutex // guards what follows
	want     []config.Line
	open     map[tel.LineID]config.Line
	draining map[tel.LineID]config.Line
	closed   bool
}

// openBoard makes the place for the lines; what uses lines beside calls finds it empty until they open.
func (b *Box) openBoard() error {
	b.lines.board = lineparty.New(lineparty.Config{
		Log: b.log.With("room", "line"), Engine: b.engine, Sounds: b.sounds, Language: b.language,
		Arrive: b.arrive, Changed: b.lineChanged,
	})
	return nil
}

func (b *Box) openLines() error {
	b.lines.open, b.lines.draining = map[tel.LineID]config.Line{}, map[tel.LineID]config.Line{}
	b.lines.mu.Lock()
	defer b.lines.mu.Unlock()
	b.lines.want = b.config().Lines
	return b.lines.fill()
}

// same reports whether a line needs no new modem; where its calls go is the numbering's business.
func same(x, y config.Line) bool {
	x.In, y.In = "", ""
	x.SIM, y.SIM = config.SIM{}, config.SIM{} // the watch looks them up
	return x == y
}

// fill opens every line that is wanted and whose device is free. It is called with mu held.
func (l *lines) fill() error {
	var errs []error
	for _, c := range l.want {
		if _, ok := l.open[c.ID]; ok || l.closed || !l.free(c) {
			continue
		}
		memory := LineMemory{pinFile{filepath.Join(l.b.opts.Dir, "pins")}, learnedTones{filepath.Join(l.b.opts.Dir, "tones")}}
		modem, err := l.b.opts.Board.Line(c, memory, l.supplies.of(c), l.b.texts.office, l.b.log.With("room", "line"))
		if err != nil {
			errs = append(errs, fmt.Errorf("line %q: %w", c.ID, err))
			continue
		}
		l.open[c.ID] = c
		l.board.Add(modem)
	}
	return errors.Join(errs...)
}

// free reports that no call of an earlier configuration uses a line's name or device. It is called
// with mu held.
func (l *lines) free(c config.Line) bool {
	for id, d := range l.draining {
		if id == c.ID || d.AT == c.AT {
			return false
		}
	}
	return true
}

// replace retires what is no longer wanted as it is, and opens what is new. A line with a call up is
// replaced when the call has ended.
func (l *lines) replace(ctx context.Context, want []config.Line) (live.Outcome, error) {
	outcome := live.Unchanged
	l.mu.Lock()
	l.want = want
	var idle []<-chan struct{}
	for id, was := range l.open {
		if slices.ContainsFunc(want, func(c config.Line) bool { return same(c, was) }) {
			continue
		}
		delete(l.open, id)
		l.draining[id] = was
		gone, busy := l.board.Retire(id)
		drained := make(chan struct{})
		l.b.wg.Go(func() { l.drained(id, gone, drained) })
		outcome = max(outcome, live.Applied)
		if busy {
			outcome = live.AfterDrain
		} else {
			idle = append(idle, drained)
		}
	}
	before := len(l.open)
	l.mu.Unlock()
	for _, drained := range idle {
		select {
		case <-drained:
		case <-ctx.Done():
			return 0, fmt.Errorf("a modem does not let go of its device: %w", ctx.Err())
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.fill() // again where drained tried, which could only log
	if len(l.open) > before {
		outcome = max(outcome, live.Applied)
	}
	return outcome, err
}

// drained waits until a device is free and opens it for whoever is configured there by then.
func (l *lines) drained(id tel.LineID, gone <-chan struct{}, drained chan<- struct{}) {
	defer close(drained)
	<-gone
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.draining, id)
	if err := l.fill(); err != nil {
		l.b.log.Error("line does not come back with its new settings", "line", id, "err", err)
	}
	if _, ok := l.open[id]; !ok && !l.closed {
		l.b.forgetLine("line:" + string(id))
	}
}

// close closes all lines, also those that drain.
func (l *lines) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	if l.board == nil {
		return
	}
	if err := l.board.Close(); err != nil {
		l.b.log.Warn("line does not close", "err", err)
	}
}

// lineID is the line of a name such as line:gsm0; trunks have none.
func lineID(name string) (tel.LineID, bool) {
	id, ok := strings.CutPrefix(name, "line:")
	return tel.LineID(id), ok
}

// forgetLine takes a line off the page.
func (b *Box) forgetLine(name string) {
	b.present.forget("line/" + name)
	b.simGone(name)
	b.feed.Resync()
	b.report("lines", b.present.anyLineUp(), "no outside line works")
}

// lineChanged shows a line's new state and keeps the verdict whether anything outside works.
func (b *Box) lineChanged(l tel.LineChanged) {
	b.publish(l)
	b.textsFollow(l)
	b.simsFollow(l)
	b.report("lines", b.present.anyLineUp(), "no outside line works")
}

// pinFile remembers in a directory that a SIM's PIN was tried and not proved right. Names are hashes,
// because a key may hold the number of the SIM.
type pinFile struct{ dir string }

func (p pinFile) path(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(p.dir, hex.EncodeToString(sum[:8]))
}

// Tried implements gsm.PINMemory; when the disk does not tell, the PIN counts as tried: a locked SIM
// is worse than a line that waits for a person.
func (p pinFile) Tried(key string) bool {
	_, err := os.Stat(p.path(key))
	return !errors.Is(err, os.ErrNotExist)
}

// Remember implements gsm.PINMemory.
func (p pinFile) Remember(key string) error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	f, err := os.Create(p.path(key))
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return durable.Disk{}.SyncDir(p.dir) // the name of the file, too, must outlast a power cut
}

// Forget implements gsm.PINMemory.
func (p pinFile) Forget(key string) error {
	if err := os.Remove(p.path(key)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
