package settings

import (
	"context"
	"io"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
)

// Backups is the page's way to the backups of the box.
type Backups struct {
	// State tells how it stands. It says so too when the process that makes them is away.
	State func(context.Context) page.BackupState
	// Try writes something into a place, reads it back and removes it.
	Try func(context.Context, config.Backup) Refusal
	// Now has a backup made, and does not wait for it.
	Now func(context.Context) Refusal
	// List tells the backups of the place that is in force, the newest first.
	List func(context.Context) ([]page.Copy, Refusal)
	// Copy reads one of them, encrypted as it lies there.
	Copy func(ctx context.Context, name string) (io.ReadCloser, Refusal)
	// NewKit makes a recovery kit and returns its secret, the only time that anybody sees it.
	NewKit func() (secret string, err error)
	// Confirm takes the kit's secret, or its end.
	Confirm func(typed string) (Refusal, error)
	// Parts are the names of what can be restored alone.
	Parts []string
	// Key judges the key of a kit before a file is sent with it.
	Key func(typed string) Refusal
	// Stage unpacks a backup, which takes effect at the next start.
	Stage func(in io.Reader, key string, parts []string, by By) (Refusal, error)
	// Ready is what takes effect at the next start; nil when nothing does.
	Ready func() (*page.Ready, error)
	// TakeCarriers has the lines come back too that were left off, since another box may use them.
	TakeCarriers func() error
	// Forget undoes Stage.
	Forget func() error
	// Restart starts the box anew; nil: it cannot by itself.
	Restart func(context.Context) error
}
