package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
)

// commitLimit bounds what one room may take for a step.
const commitLimit = 30 * time.Second

// proposal is a text that wants to be in force.
type proposal struct {
	text     []byte
	who, why string
	write    bool // the file does not hold it yet
}

// change is the transaction; it runs on the owner. On error nothing has changed, unless a Failure
// says otherwise.
func (l *Live) change(ctx context.Context, p proposal) (Report, error) {
	r := Report{At: time.Now(), Who: p.who, Why: p.why}
	if bytes.Equal(p.text, l.text) {
		return r, nil
	}
	next, err := config.Parse(p.text) // defaults, then every mistake
	if err != nil {
		return r, err
	}
	from := l.Current()
	r.Changes = config.Diff(*from, next)
	if err := l.verify(ctx, from, &next); err != nil {
		return r, err
	}
	if err := l.settle(); err != nil {
		return r, inWords("keep a version of the configuration", err)
	}
	if err := ctx.Err(); err != nil {
		return r, err
	}
	number := l.last + 1
	if err := l.write(p, number, r.At); err != nil {
		return r, err
	}
	if len(r.Changes) > 0 { // else comments only
		if r.Rooms, err = l.commit(ctx, from, &next); err != nil {
			return r, l.unwrite(p, number, err)
		}
	}
	anew := l.mistakes != nil || l.passed != nil
	l.text, l.last, r.Version, l.passed = p.text, number, number, nil
	l.current.Store(&next)
	if p.write && anew {
		l.judge(nil)
	}
	if err := l.history.settle(number); err != nil {
		l.settled = false // the change is in force; the next one, or the next start, ends this
		l.log.Warn("version of the configuration is not settled", "version", number, "err", err)
	}
	l.remove(l.before())
	l.log.Info("configuration changed", "version", number, "who", p.who, "why", p.why, "changes", len(r.Changes))
	return r, nil
}

// verify asks every room, so that a person sees all refusals at once.
func (l *Live) verify(ctx context.Context, from, to *config.Config) error {
	var refused []Answer
	for _, room := range l.rooms {
		v, ok := room.(Verifier)
		if !ok {
			continue
		}
		if err := l.safely(room, func() error { return v.Verify(ctx, from, to) }); err != nil {
			refused = append(refused, Answer{Room: room.Name(), Err: err})
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if refused != nil {
		return &Veto{Rooms: refused}
	}
	return nil
}

// write keeps the version, then replaces the file; the old text stays beside it until the rooms
// have agreed, so that going back needs no space.
func (l *Live) write(p proposal, number int, at time.Time) error {
	if err := l.history.prepare(Version{Number: number, At: at, Who: p.who, Why: p.why, Text: p.text}); err != nil {
		return inWords("keep a version of the configuration", err)
	}
	if !p.write {
		return nil
	}
	mode, err := l.disk.mode(l.file)
	if err != nil {
		mode = 0o600
	}
	err = l.disk.write(l.before(), l.text, mode)
	if err == nil {
		err = l.disk.write(l.fresh(), p.text, mode)
	}
	if err == nil {
		err = l.disk.rename(l.fresh(), l.file)
	}
	if err != nil {
		l.remove(l.fresh())
		l.remove(l.before())
		l.drop(number)
		return inWords("write the configuration", err)
	}
	if err := l.disk.syncDir(filepath.Dir(l.file)); err != nil {
		return l.unwrite(p, number, inWords("write the configuration", err))
	}
	return nil
}

// unwrite puts the old file back after a failure. When even that fails, the failure says so.
func (l *Live) unwrite(p proposal, number int, why error) error {
	l.drop(number)
	if !p.write {
		return why
	}
	err := l.disk.rename(l.before(), l.file)
	if err == nil {
		err = l.disk.syncDir(filepath.Dir(l.file))
	}
	if err == nil {
		return why
	}
	err = fmt.Errorf("the file %s may hold the refused configuration: %w", l.file, err)
	if f, ok := errors.AsType[*Failure](why); ok {
		return &Failure{Room: f.Room, Err: f.Err, Undo: errors.Join(f.Undo, err)}
	}
	return errors.Join(why, err)
}

func (l *Live) drop(number int) {
	if err := l.history.drop(number); err != nil {
		l.settled = false
		l.log.Warn("version that was refused stays for now", "version", number, "err", err)
	}
}

func (l *Live) remove(path string) {
	if err := l.disk.remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.log.Warn("file of a change stays for now", "file", path, "err", err)
	}
}

// commit tells the rooms in order. From here on the caller's patience does not count: half a change
// is worse than a late one. After a failure the rooms go back in reverse order, the failed one first.
func (l *Live) commit(ctx context.Context, from, to *config.Config) ([]Answer, error) {
	var all []Answer
	for i, room := range l.rooms {
		a := Answer{Room: room.Name()}
		a.Outcome, a.Err = l.step(ctx, room, from, to)
		all = append(all, a)
		if a.Err == nil {
			continue
		}
		f := &Failure{Room: room.Name(), Err: a.Err}
		for j, back := range slices.Backward(l.rooms[:i+1]) {
			if _, err := l.step(ctx, back, to, from); err != nil {
				all[j].UndoErr = err
				f.Undo = errors.Join(f.Undo, fmt.Errorf("%s: %w", back.Name(), err))
				continue
			}
			all[j].Undone = true
		}
		return all, f
	}
	return all, nil
}

func (l *Live) step(ctx context.Context, room Room, from, to *config.Config) (o Outcome, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitLimit)
	defer cancel()
	err = l.safely(room, func() (err error) {
		o, err = room.Commit(ctx, from, to)
		return err
	})
	return o, err
}

// safely turns a fault of a room into an error, so that the change goes back instead of the box down.
func (l *Live) safely(room Room, do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal fault: %v", p)
			l.log.Error("room failed over a configuration", "room", room.Name(), "fault", p, "stack", string(debug.Stack()))
		}
	}()
	return do()
}
