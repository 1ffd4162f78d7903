package appliance

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/backup/remote"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// lookAtBackups is how often the state of the backups is read: recordd makes them.
const lookAtBackups = time.Minute

// watchBackups has the page say when a dead card would cost the office its state.
func (b *Box) watchBackups(ctx context.Context) {
	tick := time.NewTicker(lookAtBackups)
	defer tick.Stop()
	for {
		debt := backup.Debt(b.state(), b.config().Backup, time.Now())
		b.report("backup", debt == "", debt)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// state is where this box keeps what a backup holds.
func (b *Box) state() backup.Source { return backup.Source{Dir: b.opts.Dir} }

// backups is the page's way to the backups: recordd makes them and reaches their places, the keys and what comes
// back are files of the state.
func (b *Box) backups() settings.Backups {
	s, keeper := b.state(), remote.NewClient(remote.Path(b.opts.Record))
	p := settings.Backups{
		State: func(ctx context.Context) page.BackupState { return b.backupState(ctx, keeper) },
		Try: func(ctx context.Context, to config.Backup) settings.Refusal {
			return refusedBackup(keeper.Try(ctx, to))
		},
		Now: func(ctx context.Context) settings.Refusal {
			k, err := backup.ReadKeys(s)
			if err == nil && k.Kit == "" {
				return settings.Refusal{Sentence: "backup.kitless"}
			}
			if err != nil {
				return refusedBackup(err)
			}
			return refusedBackup(keeper.Now(ctx))
		},
		List: func(ctx context.Context) ([]page.Copy, settings.Refusal) {
			all, err := keeper.List(ctx)
			var copies []page.Copy
			for _, c := range all {
				copies = append(copies, page.Copy{Name: c.Name, Made: c.Made.In(b.numbering.Load().plan.Zone)})
			}
			return copies, refusedBackup(err)
		},
		Copy: func(ctx context.Context, name string) (io.ReadCloser, settings.Refusal) {
			body, err := keeper.Copy(ctx, name)
			return body, refusedBackup(err)
		},
		NewKit: func() (string, error) { return backup.NewKit(s, time.Now()) },
		Confirm: func(typed string) (settings.Refusal, error) {
			err := backup.Confirm(s, typed, time.Now())
			if errors.Is(err, backup.ErrNotTheKit) || errors.Is(err, backup.ErrNoKey) {
				return settings.Refusal{Sentence: "kit.wrong"}, nil
			}
			return settings.Refusal{}, err
		},
		Key: func(typed string) settings.Refusal {
			if _, err := backup.ParseKey(typed); err != nil {
				return settings.Refusal{Sentence: "restore.no_key"}
			}
			return settings.Refusal{}
		},
		Stage: b.stageRestore, Ready: func() (*page.Ready, error) { return readyRestore(s) },
		TakeCarriers: func() error { return backup.TakeCarriers(s) }, Forget: func() error { return backup.Discard(s) },
	}
	if b.opts.Gate != "" {
		p.Restart = gate.NewClient(b.opts.Gate).Restart
	}
	for _, c := range backup.Chapters() {
		p.Parts = append(p.Parts, string(c))
	}
	return p
}

func (b *Box) backupState(ctx context.Context, keeper *remote.Client) page.BackupState {
	var p page.BackupState
	st, err := keeper.State(ctx)
	if err != nil {
		p.Away = true
		st.Status, _ = backup.ReadStatus(b.state()) // of when it was there; damaged counts as none
	}
	zone := b.numbering.Load().plan.Zone
	p.Running, p.Name, p.To, p.Files, p.Bytes, p.Failed = st.Running, st.Name, st.To, st.Files, st.Bytes, st.Failed
	p.Made, p.Tried = onClock(st.Made, zone), onClock(st.Tried, zone)
	if k, err := backup.ReadKeys(b.state()); err == nil && k.Kit != "" {
		p.Kit, p.Confirmed = onClock(k.KitMade, zone), onClock(k.Confirmed, zone)
	}
	return p
}

// onClock is a moment by the office's clock; zero stays zero.
func onClock(t time.Time, zone *time.Location) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(zone)
}

func (b *Box) stageRestore(in io.Reader, key string, parts []string, by settings.By) (settings.Refusal, error) {
	kit, err := backup.ParseKey(key)
	if err != nil {
		return settings.Refusal{Sentence: "restore.no_key"}, nil //nolint:nilerr // the refusal says it
	}
	c := backup.Choice{By: by.User, From: by.From}
	for _, p := range parts {
		c.Chapters = append(c.Chapters, backup.Chapter(p))
	}
	r, err := backup.Stage(b.state(), in, c, kit)
	if err == nil {
		b.log.Warn("a backup lies ready for the next start", "office", r.Name, "made", r.Made, "by", by.User, "off", r.Disabled)
		return settings.Refusal{}, nil
	}
	for _, x := range []struct {
		err      error
		sentence string
	}{
		{backup.ErrKey, "restore.wrong_key"},
		{backup.ErrNewer, "restore.newer"},
		{syscall.ENOSPC, "restore.full"},
		{backup.ErrConfig, "restore.config"},
		{backup.ErrDamaged, "restore.damaged"},
	} {
		if errors.Is(err, x.err) {
			return settings.Refusal{Sentence: x.sentence, Detail: err.Error()}, nil
		}
	}
	return settings.Refusal{}, err
}

func readyRestore(s backup.Source) (*page.Ready, error) {
	r, err := backup.Staged(s)
	if r == nil || err != nil {
		return nil, err
	}
	p := &page.Ready{Office: r.Name, Made: r.Made, Files: r.Total.Files, Foreign: r.Foreign, Off: r.Disabled}
	for _, c := range r.Chapters {
		p.Parts = append(p.Parts, string(c))
	}
	return p, nil
}

// refusedBackup is the sentence for why the process that makes the backups did not do something.
func refusedBackup(err error) settings.Refusal {
	switch {
	case err == nil:
		return settings.Refusal{}
	case errors.Is(err, remote.ErrRefused):
		return settings.Refusal{Sentence: "backup.refused", Detail: err.Error()}
	default:
		return settings.Refusal{Sentence: "backup.absent", Detail: err.Error()}
	}
}
