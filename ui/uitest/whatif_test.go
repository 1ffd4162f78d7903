package uitest

import (
	"context"
	"time"

	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/web"
)

// pastDays are days that can be run again, and a holiday with a hostile name.
func pastDays(c *web.Config) {
	c.Holiday = func(time.Time) (string, bool) { return Hostile, true }
	c.Reruns = web.Reruns{
		Reach:      func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) },
		Strategies: []string{"longest_idle", "ring_all"},
		Run: func(context.Context, web.WhatIf) (page.Rerun, string, error) {
			return page.Rerun{WasBusy: 0.9, IsBusy: 0.75, Partial: true, Breaks: 3, Patience: 1234}, "", nil
		},
		Log: func(context.Context, time.Time, time.Time, bool) ([]byte, error) {
			return []byte("1772442000|c1|sales|NONE|ENTERQUEUE||" + Hostile + "|1\n"), nil
		},
	}
}
