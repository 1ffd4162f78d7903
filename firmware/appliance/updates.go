package appliance

import (
	"context"
	"time"

	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// lookAtUpdates is how often the updater is asked how it stands.
const lookAtUpdates = time.Minute

// watchUpdates has Home say what somebody should know of the releases, until ctx ends.
func (b *Box) watchUpdates(ctx context.Context) {
	tick := time.NewTicker(lookAtUpdates)
	defer tick.Stop()
	for {
		b.reportUpdates(b.opts.Updates.Now(ctx), time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// updates is the page's way to the updater; what somebody has read is not on Home any more.
func (b *Box) updates() settings.Updates {
	u := b.opts.Updates
	if u.Without() {
		return u
	}
	seen := u.Seen
	u.Seen = func(ctx context.Context) settings.Refusal {
		no := seen(ctx)
		if no.Sentence == "" {
			b.reportUpdates(u.Now(ctx), time.Now())
		}
		return no
	}
	return u
}

// reportUpdates judges how the releases stand. Of an updater that is away nothing new is known.
func (b *Box) reportUpdates(s page.UpdateState, now time.Time) {
	until, err := time.ParseInLocation(time.DateOnly, b.config().Box.SupportUntil, b.numbering.Load().plan.Zone)
	supported := err != nil || now.Before(until.AddDate(0, 0, 1)) // nobody has said until when, or it is not over
	b.report("update_support", supported, b.config().Box.SupportUntil)
	if s.Away {
		return
	}
	back, why := false, ""
	if l := s.Last; l != nil && !l.Seen && l.Result == "back" {
		back, why = true, l.Version+": "+l.Why.Detail
	}
	b.report("update_back", !back, why)
	b.report("update_stale", !s.Stale, "")
}
