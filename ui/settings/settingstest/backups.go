package settingstest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// The kit and the backup of Backups: whatever begins with Whole is a whole backup.
const (
	KitSecret = "AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSCNDEFG"
	Whole     = "a whole backup"
)

// Backups are the backups of a box in memory. Its fields may be set before the page is asked.
type Backups struct {
	Stands  page.BackupState
	Copies  []page.Copy
	Refuse  settings.Refusal // of the place, and of the process that makes the backups
	Err     error            // of the disk
	Standby *page.Ready      // what takes effect at the next start
	Foreign bool             // what is staged was made by another box, with one line

	Tried   []config.Backup
	Made    int           // backups that were asked for
	Staged  []settings.By // who restored
	Starts  int           // of the box anew
	Carried bool          // lines were taken over
}

// Port is the page's way to them.
func (b *Backups) Port() settings.Backups {
	return settings.Backups{
		State: func(context.Context) page.BackupState { return b.Stands },
		Try: func(_ context.Context, to config.Backup) settings.Refusal {
			b.Tried = append(b.Tried, to)
			return b.Refuse
		},
		Now:  func(context.Context) settings.Refusal { b.Made++; return b.Refuse },
		List: func(context.Context) ([]page.Copy, settings.Refusal) { return b.Copies, b.Refuse },
		Copy: func(_ context.Context, name string) (io.ReadCloser, settings.Refusal) {
			if b.Refuse.Sentence != "" || !slices.ContainsFunc(b.Copies, func(c page.Copy) bool { return c.Name == name }) {
				return nil, settings.Refusal{Sentence: "backup.refused", Detail: "no such file"}
			}
			return io.NopCloser(strings.NewReader(Whole + " " + name)), settings.Refusal{}
		},
		NewKit: func() (string, error) { return KitSecret, b.Err },
		Confirm: func(typed string) (settings.Refusal, error) {
			if typed == "" || !strings.HasSuffix(KitSecret, typed) {
				return settings.Refusal{Sentence: "kit.wrong"}, b.Err
			}
			return settings.Refusal{}, b.Err
		},
		Parts: []string{"config", "people"},
		Key: func(typed string) settings.Refusal {
			if typed != KitSecret {
				return settings.Refusal{Sentence: "restore.no_key"}
			}
			return settings.Refusal{}
		},
		Stage: func(in io.Reader, _ string, parts []string, by settings.By) (settings.Refusal, error) {
			text, err := io.ReadAll(in)
			if err != nil || b.Err != nil {
				return settings.Refusal{}, errors.Join(err, b.Err)
			}
			if !strings.HasPrefix(string(text), Whole) {
				return settings.Refusal{Sentence: "restore.damaged"}, nil
			}
			b.Staged = append(b.Staged, by)
			b.Standby = &page.Ready{Office: "Bar Centrale", Parts: parts, Files: 12, Foreign: b.Foreign}
			if b.Foreign {
				b.Standby.Off = []string{"tim"}
			}
			return settings.Refusal{}, nil
		},
		Ready:        func() (*page.Ready, error) { return b.Standby, nil },
		TakeCarriers: func() error { b.Carried, b.Standby.Off = true, nil; return b.Err },
		Forget:       func() error { b.Standby = nil; return b.Err },
		Restart:      func(context.Context) error { b.Starts++; return b.Err },
	}
}
