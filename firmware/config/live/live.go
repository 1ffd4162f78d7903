package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
)

// Options say where the configuration is.
type Options struct {
	Log  *slog.Logger
	File string // the YAML file; a symbolic link is followed
	Dir  string // of the versions, such as <var>/config; made when missing
}

// Live owns the configuration that runs. Its methods may be called from any goroutine.
type Live struct {
	log     *slog.Logger
	file    string
	current atomic.Pointer[config.Config]

	letters chan letter // unbuffered: a change that waits can still be given up
	ctx     context.Context
	cancel  context.CancelFunc
	done    sync.WaitGroup

	mu      sync.Mutex // guards started and closed
	started bool
	closed  bool

	// The following belong to Open, then to the owner's goroutine.
	disk    disk
	history history
	settled bool   // what an earlier change or process left open is ended
	last    int    // number of the newest version
	text    []byte // of the file, as it is in force
	rooms   []Room

	mistakes config.Problems // in the file, when it is not what is in force
	passed   config.Problems // fields of what is in force that this release does not know
}

// letter is one piece of work for the owner.
type letter struct {
	ctx   context.Context
	do    func(ctx context.Context) (Report, error)
	reply chan<- result
}

type result struct {
	report Report
	err    error
}

// Open reads the file. With mistakes in it the last good version is in force, and File tells of them; without
// such a version they are the error, as config.Problems. Changes are taken from Start on.
//
// What was in force before, which the versions tell, may have fields that this release does not know: it is of a
// later one, of which the box has gone back. They are passed over, the Witnesses are told, and the file stays as it
// is until the next change; its text then is still among the versions.
func Open(o Options) (*Live, error) {
	file, err := filepath.EvalSymlinks(o.File)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return open(o, file, osDisk{})
}

func open(o Options, file string, d disk) (*Live, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Live{log: o.Log, file: file, letters: make(chan letter), disk: d, history: history{d, o.Dir}}
	text, err := d.read(file)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	cfg, unknown, err := config.ParseKnown(text)
	if err == nil && len(unknown) > 0 && !l.history.had(text) {
		err = unknown // a slip of the pen
	}
	if mistakes, ok := errors.AsType[config.Problems](err); ok && l.rescue(mistakes) {
		err = nil
	} else if err == nil {
		l.inForce(text, &cfg, unknown)
	}
	if err != nil {
		return nil, err
	}
	for _, left := range []string{l.fresh(), l.before()} {
		if err := d.remove(left); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.log.Warn("file of an interrupted change stays", "file", left, "err", err)
		}
	}
	if err := l.settle(); err != nil {
		// The box takes calls without its history; the next change tries again.
		l.log.Warn("versions of the configuration cannot be kept now", "err", err)
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// inForce is what was found when the program started.
func (l *Live) inForce(text []byte, cfg *config.Config, unknown config.Problems) {
	l.text, l.passed = text, unknown
	l.current.Store(cfg)
	if len(unknown) > 0 {
		l.log.Warn("the configuration has fields of another release; they are passed over", "fields", unknown.Error())
	}
}

// fresh and before stand beside the file, because a rename does not cross file systems.
func (l *Live) fresh() string  { return l.file + ".new" }
func (l *Live) before() string { return l.file + ".before" }

// settle ends what was left open and sees that the text in force is among the versions.
func (l *Live) settle() error {
	if l.settled {
		return nil
	}
	newest, err := l.history.recover(l.text)
	if err != nil {
		return err
	}
	l.last = newest.Number
	if !bytes.Equal(newest.Text, l.text) || newest.Number == 0 {
		v := Version{Number: l.last + 1, At: time.Now(), Who: "file", Why: "found when prontod started", Text: l.text}
		if err := l.history.prepare(v); err != nil {
			return err
		}
		if err := l.history.settle(v.Number); err != nil {
			return err
		}
		l.last++
	}
	l.settled = true
	return nil
}

// Current is the configuration in force: never nil, never to be changed.
func (l *Live) Current() *config.Config { return l.current.Load() }

// Start begins to take changes. The rooms are asked, and told, in the given order. Call it once.
func (l *Live) Start(rooms ...Room) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.started {
		panic("live: Start was called twice")
	}
	if l.closed {
		return
	}
	l.started, l.rooms = true, rooms
	l.done.Go(l.run)
}

// Close waits for the end of a change in progress. It may be called more than once.
func (l *Live) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	l.done.Wait()
}

func (l *Live) run() {
	l.judge(l.mistakes)
	for {
		select {
		case <-l.ctx.Done():
			return
		case m := <-l.letters:
			ctx, cancel := context.WithCancel(m.ctx)
			stop := context.AfterFunc(l.ctx, cancel)
			var r result
			if r.err = ctx.Err(); r.err == nil {
				r.report, r.err = m.do(ctx)
			}
			if errors.Is(r.err, context.Canceled) && m.ctx.Err() == nil {
				r.err = ErrClosed // it was ours that ended, not the caller's
			}
			stop()
			cancel()
			m.reply <- r
		}
	}
}

// ask has the owner do something. ctx can give it up until the file is replaced; from then on the
// answer is waited for, so that it is always true.
func (l *Live) ask(ctx context.Context, do func(ctx context.Context) (Report, error)) (Report, error) {
	l.mu.Lock()
	started, closed := l.started, l.closed
	l.mu.Unlock()
	switch {
	case closed:
		return Report{}, ErrClosed
	case !started:
		return Report{}, ErrIdle
	}
	reply := make(chan result, 1)
	select {
	case l.letters <- letter{ctx, do, reply}:
		r := <-reply
		return r.report, r.err
	case <-ctx.Done():
		return Report{}, ctx.Err()
	case <-l.ctx.Done():
		return Report{}, ErrClosed
	}
}

// Draft is a proposed configuration: Text or Edit makes one.
type Draft struct {
	text []byte
	edit func(*config.Config)
}

// Text proposes a whole file, comments included.
func Text(yaml []byte) Draft { return Draft{text: bytes.Clone(yaml)} }

// Edit proposes a change to a copy of what is in force. The file is then written anew, without
// comments; the version with the comments is kept.
func Edit(change func(*config.Config)) Draft { return Draft{edit: change} }

// Apply makes a draft the configuration in force, or changes nothing. Errors: config.Problems,
// *Veto, *Failure, ErrEdited, ErrIdle, ErrClosed, ctx's, or what the disk says.
func (l *Live) Apply(ctx context.Context, d Draft, who, why string) (Report, error) {
	return l.ask(ctx, func(ctx context.Context) (Report, error) {
		if err := l.untouched(); err != nil {
			return Report{}, err
		}
		text := d.text
		if d.edit != nil {
			draft := l.Current().Clone()
			d.edit(&draft)
			if len(config.Diff(*l.Current(), draft)) == 0 {
				return Report{}, nil
			}
			var err error
			if text, err = draft.Encode(); err != nil {
				return Report{}, err
			}
		}
		return l.change(ctx, proposal{text: text, who: who, why: why, write: true})
	})
}

// Reload takes into force what somebody wrote into the file. It never writes to the file, also when
// the text is refused. Errors are those of Apply but for ErrEdited.
func (l *Live) Reload(ctx context.Context) (Report, error) {
	return l.ask(ctx, func(ctx context.Context) (Report, error) {
		text, err := l.disk.read(l.file)
		if err != nil {
			return Report{}, fmt.Errorf("read the configuration: %w", err)
		}
		r, err := l.change(ctx, proposal{text: text, who: "file", why: "changed by hand"})
		mistakes, _ := errors.AsType[config.Problems](err)
		l.judge(mistakes)
		return r, err
	})
}

// History returns the versions that are kept, newest first; the first is in force.
func (l *Live) History(ctx context.Context) ([]Version, error) {
	var all []Version
	_, err := l.ask(ctx, func(context.Context) (r Report, err error) {
		all, err = l.history.all()
		return r, err
	})
	return all, err
}

// Restore makes an old version the configuration in force, as a new version. Errors: ErrVersion, and
// those of Apply.
func (l *Live) Restore(ctx context.Context, number int, who string) (Report, error) {
	return l.ask(ctx, func(ctx context.Context) (Report, error) {
		if err := l.untouched(); err != nil {
			return Report{}, err
		}
		v, err := l.history.read(l.history.path(number), number)
		if errors.Is(err, fs.ErrNotExist) {
			return Report{}, fmt.Errorf("%w: %d", ErrVersion, number)
		}
		if err != nil {
			return Report{}, err
		}
		return l.change(ctx, proposal{text: v.Text, who: who, why: fmt.Sprintf("back to version %d", number), write: true})
	})
}

// untouched refuses to overwrite what somebody wrote by hand. A file that is gone holds nothing that
// could be lost.
func (l *Live) untouched() error {
	text, err := l.disk.read(l.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("read the configuration: %w", err)
	case !bytes.Equal(text, l.text):
		return ErrEdited
	}
	return nil
}
