package appliance

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/alarm"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/health"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// alarmCondition is the name under which health knows a threshold of the queues.
func alarmCondition(k tel.AlarmKind) string { return "alarm_" + string(k) }

func alarmConditions() (all []health.Spec) {
	for _, k := range tel.AlarmKinds() {
		all = append(all, health.Spec{Name: alarmCondition(k), Severity: health.Warn})
	}
	return all
}

func (b *Box) openAlarms() {
	b.alarms = alarm.NewWatch(alarm.Config{
		Limits: b.alarmLimits,
		Loads: func(ctx context.Context, queues []tel.QueueID) ([]alarm.Load, error) {
			return b.queues.Loads(ctx, queues)
		},
		Tell: b.alarmed,
	})
}

// supervised says whether somebody is to be called when a queue is in trouble now: in its opening hours, if it has
// any.
func (n *numbering) supervised(q *config.Queue) bool {
	return q.Alarms.Hours == "" || n.now().OpenAt(q.Alarms.Hours, time.Now()).Open
}

// alarmLimits are the thresholds of queues that have any.
func (b *Box) alarmLimits() (all []alarm.Limits) {
	n := b.numbering.Load()
	for i := range n.cfg.Queues {
		q := &n.cfg.Queues[i]
		if a := q.Alarms; a.Waiting > 0 || a.Longest > 0 || a.Ready > 0 {
			all = append(all, alarm.Limits{
				Queue: q.ID, Name: q.Name, Waiting: a.Waiting, Longest: a.Longest, Ready: a.Ready, For: a.For, Clear: a.Clear,
				Closed: !n.supervised(q),
			})
		}
	}
	return all
}

// alarming tells the alarms of what can move a queue across a threshold.
func (b *Box) alarming(e tel.Event) {
	switch e.(type) {
	case tel.QueueJoined, tel.QueueLeft, tel.AgentChanged, tel.MembershipChanged, tel.CallbackChanged:
		b.alarms.Look()
	}
}

// alarmed brings an alarm, or its end, to the log, the feed and the page, whose notice names every queue
// of which it is true.
func (b *Box) alarmed(c tel.QueueAlarm, raised []tel.QueueAlarm) {
	var names []string
	for _, r := range raised {
		if r.What == c.What {
			names = append(names, cmp.Or(r.Name, string(r.Queue)))
		}
	}
	if c.Raised {
		b.log.Warn("queue alarm", "queue", c.Queue, "what", c.What, "waiting", c.Waiting, "longest", c.Longest, "ready", c.Ready)
	} else {
		b.log.Info("queue alarm is over", "queue", c.Queue, "what", c.What)
	}
	b.publish(c)
	b.report(alarmCondition(c.What), len(names) == 0, strings.Join(names, ", "))
}

// staffed follows which queues have agents; of one that has lost the last one a person is warned.
func (b *Box) staffed(e tel.QueueStaffed) {
	b.mu.Lock()
	if e.Staffed {
		delete(b.unstaffed, e.Queue)
	} else {
		b.unstaffed[e.Queue] = cmp.Or(e.Name, string(e.Queue))
		b.log.Warn("the last agent of a queue has left", "queue", e.Queue)
	}
	b.mu.Unlock()
	b.reportUnstaffed()
}

// reportUnstaffed names every queue without agents that is supervised now.
func (b *Box) reportUnstaffed() {
	n := b.numbering.Load()
	asleep := map[tel.QueueID]bool{}
	for i := range n.cfg.Queues {
		asleep[n.cfg.Queues[i].ID] = !n.supervised(&n.cfg.Queues[i])
	}
	b.staffing.Lock() // so that the last report is of the last state
	defer b.staffing.Unlock()
	b.mu.Lock()
	var names []string
	for id, name := range b.unstaffed {
		if !asleep[id] {
			names = append(names, name)
		}
	}
	b.mu.Unlock()
	slices.Sort(names)
	b.report("unstaffed", len(names) == 0, strings.Join(names, ", "))
}
