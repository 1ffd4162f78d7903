package appliance

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// waiting adds to a queue's spec what its configuration says about the life of waiting callers.
func waiting(spec *plan.QueueSpec, q *config.Queue) {
	w := &q.Waiting
	spec.FullTo, spec.EmptyTo = q.FullDestination(), q.EmptyDestination()
	spec.LeaveEmpty, spec.EmptyGrace = w.LeaveEmpty, w.Grace
	a, c := &w.Announce, &w.Callback
	spec.Waiting = plan.WaitingSpec{
		RefuseEmpty: w.RefuseEmpty, ExitKeys: w.Exit, Return: w.Return, Short: w.Short,
		Whisper: w.Whisper, WhisperWait: w.WhisperWait,
		Announce: plan.AnnounceSpec{
			Position: a.Position, Wait: a.Wait, After: a.After, Every: a.Every, Limit: a.Limit, MoreThan: a.MoreThan,
			OnlyUp: a.OnlyUp, Head: a.Head, Messages: a.Messages, MessageEvery: a.MessageEvery, Random: a.Random,
		},
	}
	if w.Whisper == "number" {
		spec.Waiting.Whisper = "digits:" + string(q.Number)
	}
	if c.Key != "" {
		spec.Waiting.Callback = plan.CallbackSpec{
			Enabled: true, Key: c.Key, After: c.After, Attempts: c.Attempts, Gap: c.Gap, Promise: c.Promise, Expire: c.Expire,
		}
	}
}

// toQueue is a way into a queue.
func (n *numbering) toQueue(to dialplan.Decision) call.Decision {
	d := call.Decision{Kind: call.ToQueue, Queue: to.Queue, QueuePriority: n.priorities[to.Queue], Needs: n.needs[to.Queue]}
	if to.VIP {
		d.QueuePriority += tel.PriorityVIP
	}
	if q, ok := n.cfg.QueueOf(to.Queue); ok {
		d.Greeting, d.NewPlace = q.Waiting.Greeted(), q.Waiting.KeepPlace == config.KeepWaiting
	}
	n.notice(&d)
	return d
}

// calledBack begins the destination of a call to a customer: the queue and the number follow.
const calledBack = "callback:"

// customer says how a queue calls a customer back: at the cost of the site, and only to the classes of
// numbers that its configuration names. Nobody can make the box call an emergency number, a premium
// one or itself.
func (n *numbering) customer(p dialplan.Plan, what string, r dialplan.Request) dialplan.Decision {
	queue, number, _ := strings.Cut(what, "/")
	refused := dialplan.Decision{Action: dialplan.Reject, Cause: tel.CauseForbidden, Why: dialplan.WhyForbidden, Number: tel.Number(number)}
	q, ok := n.cfg.QueueOf(tel.QueueID(queue))
	if !ok || q.Waiting.Callback.Key == "" || n.ours(p, tel.Number(number)) {
		return refused
	}
	d := dialplan.To(p, "outside:"+number, r)
	if d.Action != dialplan.Outside {
		return d
	}
	if !q.Waiting.Callback.Calls(d.Class) {
		return refused
	}
	return d
}

// ours reports whether a number leads back to this box.
func (n *numbering) ours(p dialplan.Plan, number tel.Number) bool {
	wide, ok := number.E164()
	return ok && slices.ContainsFunc(p.Inbound, func(in dialplan.Inbound) bool {
		own, ok := in.Number.E164()
		return ok && own == wide
	})
}

// mayCallBack answers a script that has agreed on a number with a caller.
func (n *numbering) mayCallBack(queue string, number tel.Number) bool {
	d := n.customer(n.now(), queue+"/"+string(number), dialplan.Request{At: time.Now()})
	return d.Action == dialplan.Outside
}

// hoursEvery is how often the opening hours of queues are looked at: a customer may be called so
// much after closing time.
const hoursEvery = 20 * time.Second

// openingHours tells the queues when customers may be called back, and has the alarms looked at when a queue opens
// or closes, until ctx ends. Opening hours are also forced by codes, so they are looked at rather than computed ahead.
func (b *Box) openingHours(ctx context.Context) {
	told, watched := map[tel.QueueID]bool{}, map[tel.QueueID]bool{}
	tick := time.NewTicker(hoursEvery)
	defer tick.Stop()
	for {
		n, turned := b.numbering.Load(), false
		for i := range n.cfg.Queues {
			q := &n.cfg.Queues[i]
			is := n.supervised(q)
			if was, known := watched[q.ID]; known && was != is {
				turned = true
			}
			watched[q.ID] = is
			open := q.Waiting.Callback.Hours == "" || n.now().OpenAt(q.Waiting.Callback.Hours, time.Now()).Open
			if was, known := told[q.ID]; known && was == open {
				continue
			}
			if err := b.queues.SetHours(ctx, q.ID, open); err != nil {
				return // the box is closing
			}
			told[q.ID] = open
		}
		if turned {
			b.alarms.Look()
			b.reportUnstaffed()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
