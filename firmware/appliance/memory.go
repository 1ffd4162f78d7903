package appliance

import (
	"context"
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/firmware/health"
	"github.com/pronto-pbx/pronto/firmware/oomkill"
)

const (
	// lookAtMemory is how often it is asked whether a program was ended for want of memory.
	lookAtMemory = 10 * time.Second
	// memoryTold is for how long that is told: what does not come again within a day was an accident.
	memoryTold = 24 * time.Hour
)

// memoryCondition is what health calls the end of a program, or of one that it had started.
func memoryCondition(k oomkill.Kill) string {
	if k.Helper {
		return "memory_helper"
	}
	return map[string]string{oomkill.Exchange: "memory_exchange", oomkill.Records: "memory_records", oomkill.Updates: "memory_updates"}[k.Program]
}

// memoryConditions are all of them.
func memoryConditions() []health.Spec {
	return []health.Spec{
		{Name: "memory_exchange", Severity: health.Warn},
		{Name: "memory_records", Severity: health.Warn},
		{Name: "memory_updates", Severity: health.Warn},
		{Name: "memory_helper", Severity: health.Warn},
	}
}

// watchMemory has Home say which program the kernel has ended for want of memory, until ctx ends.
func (b *Box) watchMemory(ctx context.Context) {
	tick := time.NewTicker(lookAtMemory)
	defer tick.Stop()
	for {
		all, err := b.killed(ctx)
		if err == nil {
			b.reportMemory(all, time.Now())
		} else if ctx.Err() == nil {
			b.log.Warn("whether a program was ended for want of memory is not known", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// killed asks who supervises the programs: the first program of the box, or the notes of systemd's units.
func (b *Box) killed(ctx context.Context) (all []oomkill.Kill, err error) {
	if b.opts.Gate == "" {
		return oomkill.Load(b.opts.RunDir)
	}
	told, err := gate.NewClient(b.opts.Gate).Killed(ctx)
	for _, k := range told {
		all = append(all, oomkill.Kill(k))
	}
	return all, err
}

// reportMemory tells of what was ended within the last day.
func (b *Box) reportMemory(all []oomkill.Kill, now time.Time) {
	failing := shortOfMemory(all, now, b.numbering.Load().plan.Zone)
	for _, s := range memoryConditions() {
		text, fails := failing[s.Name]
		b.report(s.Name, !fails, text)
	}
}

// shortOfMemory is which conditions do not hold, with how often and when last: which program it was is said by the
// sentence of the condition. Helpers of several programs are one condition, which tells of the last.
func shortOfMemory(all []oomkill.Kill, now time.Time, zone *time.Location) map[string]string {
	last, failing := map[string]oomkill.Kill{}, map[string]string{}
	for _, k := range all {
		c := memoryCondition(k)
		if c == "" || now.Sub(k.Last) >= memoryTold || k.Last.Before(last[c].Last) {
			continue
		}
		last[c], failing[c] = k, fmt.Sprintf("%d × · %s", k.Times, k.Last.In(zone).Format("2006-01-02 15:04"))
	}
	return failing
}
