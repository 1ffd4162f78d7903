package store

import (
	"context"
	"log/slog"
	"time"
)

// Trim gives back, every now and then until ctx ends, what the journal no longer needs to hold: the
// part that the keeper has stored and has in a verified backup. While the keeper is away, reports
// another journal or has no backup, nothing is given back.
func Trim(ctx context.Context, journal uint64, every time.Duration, status func(context.Context) (Status, error), below func(Position) error, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	done := Position(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		st, err := status(ctx)
		if err != nil || st.Journal != journal {
			continue
		}
		safe := min(st.BackedUp, st.Committed)
		if safe <= done {
			continue
		}
		if err := below(safe + 1); err != nil {
			log.Warn("journal not trimmed", "error", err)
			continue
		}
		done = safe
	}
}
