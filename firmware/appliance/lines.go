package appliance

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	lineparty "github.com/pronto-pbx/pronto/firmware/line/party"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// hostOf is the host of "host" or "host:port".
func hostOf(server string) string {
	if host, _, err := net.SplitHostPort(server); err == nil {
		return host
	}
	return server
}

func (b *Box) openLines() error {
	b.lines = lineparty.New(lineparty.Config{
		Log: b.log.With("room", "line"), Engine: b.engine, Sounds: b.sounds, Language: b.language,
		Arrive: b.arrive, Changed: b.lineChanged,
	})
	for _, c := range b.opts.Config.Lines {
		l, err := b.opts.Board.Line(c, pinFile{filepath.Join(b.opts.Dir, "pins")}, b.log.With("room", "line"))
		if err != nil {
			return fmt.Errorf("line %q: %w", c.ID, err)
		}
		b.lines.Add(l)
	}
	return nil
}

// lineChanged shows a line's new state and keeps the verdict whether anything outside works.
func (b *Box) lineChanged(l tel.LineChanged) {
	b.publish(l)
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
	return errors.Join(f.Sync(), f.Close())
}

// Forget implements gsm.PINMemory.
func (p pinFile) Forget(key string) error {
	if err := os.Remove(p.path(key)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
