package appliance

import (
	"context"
	"time"

	"github.com/pronto-pbx/pronto/firmware/backup"
)

// lookAtBackups is how often the state of the backups is read: recordd makes them.
const lookAtBackups = time.Minute

// watchBackups has the page say when a dead card would cost the office its state.
func (b *Box) watchBackups(ctx context.Context) {
	tick := time.NewTicker(lookAtBackups)
	defer tick.Stop()
	for {
		debt := backup.Debt(backup.Source{Dir: b.opts.Dir}, b.config().Backup, time.Now())
		b.report("backup", debt == "", debt)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
