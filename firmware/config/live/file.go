package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/pronto-pbx/pronto/firmware/config"
)

// File is how the file stands to the configuration in force.
type File struct {
	Path     string
	Edited   bool            // somebody wrote into it by hand, and it was not taken into force
	Problems config.Problems // why it cannot be
}

// Witness is a Room that wants to know what is wrong with the file, and which fields of what is in force this release
// does not know and passes over: at the start, after each Reload and when either is gone. Nil is none. It must not call
// Live.
type Witness interface {
	FileJudged(mistakes, passedOver config.Problems)
}

func (l *Live) judge(p config.Problems) {
	l.mistakes = p
	for _, r := range l.rooms {
		if w, ok := r.(Witness); ok {
			w.FileJudged(p, l.passed)
		}
	}
}

// rescue takes the newest version that was kept and can be read into force, when the file cannot be: a
// mistake in a file must not keep the telephones silent. It reports whether there is one.
func (l *Live) rescue(mistakes config.Problems) bool {
	all, err := l.history.all()
	if err != nil {
		return false
	}
	for _, v := range all {
		cfg, unknown, err := config.ParseKnown(v.Text) // it was in force
		if err != nil {
			continue
		}
		l.log.Error("the configuration file has mistakes; the box works with its last good version", "file", l.file, "version", v.Number, "mistakes", mistakes.Error())
		l.mistakes = mistakes
		l.inForce(v.Text, &cfg, unknown)
		return true
	}
	return false
}

// File tells how the file stands. Errors: ErrIdle, ErrClosed, ctx's, or what the disk says.
func (l *Live) File(ctx context.Context) (File, error) {
	f := File{Path: l.file}
	_, err := l.ask(ctx, func(context.Context) (Report, error) {
		text, err := l.disk.read(l.file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return Report{}, nil
		case err != nil:
			return Report{}, fmt.Errorf("read the configuration: %w", err)
		case bytes.Equal(text, l.text):
			return Report{}, nil
		}
		f.Edited = true
		if _, err := config.Parse(text); err != nil {
			f.Problems, _ = errors.AsType[config.Problems](err)
		}
		return Report{}, nil
	})
	return f, err
}

// Discard writes the configuration in force over what somebody wrote into the file by hand; that text stays
// beside it as FILE.hand. It is no change and makes no version. Errors: ErrIdle, ErrClosed, ctx's, or what
// the disk says; then the file is as it was.
func (l *Live) Discard(ctx context.Context) error {
	_, err := l.ask(ctx, func(context.Context) (Report, error) {
		text, err := l.disk.read(l.file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Report{}, fmt.Errorf("read the configuration: %w", err)
		}
		mode, modeErr := l.disk.mode(l.file)
		if modeErr != nil {
			mode = 0o600
		}
		if err == nil {
			if bytes.Equal(text, l.text) {
				return Report{}, nil
			}
			if err := l.disk.write(l.file+".hand", text, mode); err != nil {
				return Report{}, inWords("keep what was written by hand", err)
			}
		}
		if err := l.disk.write(l.fresh(), l.text, mode); err != nil {
			l.remove(l.fresh())
			return Report{}, inWords("write the configuration", err)
		}
		if err := l.disk.rename(l.fresh(), l.file); err != nil {
			l.remove(l.fresh())
			return Report{}, inWords("write the configuration", err)
		}
		if err := l.disk.syncDir(filepath.Dir(l.file)); err != nil {
			return Report{}, inWords("write the configuration", err)
		}
		l.judge(nil)
		return Report{}, nil
	})
	return err
}
