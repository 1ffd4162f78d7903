package presence

import (
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/presence/core"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// owner is the goroutine that the subscriptions and the text messages under way belong to.
type owner struct {
	s        *Server
	subs     map[string]*subscription            // by our tag
	topics   map[topic]map[string]*subscription  // by what they watch
	calls    map[string]map[string]*subscription // by Call-ID
	watchers map[tel.DeviceID]int
	queue    agenda
	talk     talk
	texts    meter // of MESSAGE
	papers   meter // of PUBLISH
	clicks   meter // of REFER
}

func newOwner(s *Server) *owner {
	return &owner{
		s: s, subs: map[string]*subscription{}, topics: map[topic]map[string]*subscription{},
		calls: map[string]map[string]*subscription{}, watchers: map[tel.DeviceID]int{}, talk: talk{open: map[uint64]*message{}}, texts: meter{}, papers: meter{}, clicks: meter{},
	}
}

// lookEvery is how often the registrations that somebody watches are compared: the registrar tells
// when a phone comes and goes, and not each of its contacts.
const lookEvery = 5 * time.Second

func (o *owner) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		timer.Reset(o.wait(time.Now()))
		select {
		case <-ctx.Done():
			return
		case <-o.s.inbox.wake:
			o.safely("changes", (*owner).tellChanges) // first: who asks now is told them anyway
			for _, t := range o.s.inbox.take() {
				o.safely("task", t)
			}
		case <-timer.C:
			o.safely("timer", (*owner).wakeDue)
		case <-look.C:
			o.safely("registrations", (*owner).lookAtRegistrations)
			o.safely("messages", (*owner).sweepMessages)
			o.texts.sweep(time.Now())
			o.papers.sweep(time.Now())
			o.clicks.sweep(time.Now())
		}
	}
}

// safely runs one step; what a message from outside brings to panic costs that step only.
func (o *owner) safely(where string, t task) { o.s.guard(where, func() { t(o) }) }

// wait is until the next subscription wants to be woken.
func (o *owner) wait(now time.Time) time.Duration {
	if len(o.queue) == 0 {
		return time.Hour
	}
	return max(o.queue[0].due.Sub(now), 0)
}

func (o *owner) wakeDue() {
	now := time.Now()
	for len(o.queue) > 0 && !o.queue[0].due.After(now) {
		sub := o.queue[0]
		o.feed(sub, core.Wake{}, nil)
		if len(o.queue) > 0 && o.queue[0] == sub && !sub.due.After(now) {
			// A wake that moves nothing would come again at once and for ever.
			sub.due = now.Add(time.Second)
			heap.Fix(&o.queue, 0)
		}
	}
}

// tellChanges passes on what other rooms have said.
func (o *owner) tellChanges() {
	for t := range o.s.facts.takeChanged() {
		o.told(t)
		if t.pkg == Messages {
			o.unsolicited(t.resource)
		}
	}
}

// told feeds a change to everybody who watches t.
func (o *owner) told(t topic) {
	for _, sub := range o.topics[t] {
		if t.pkg == Referrals {
			o.progressed(sub)
			continue
		}
		o.feed(sub, core.Change{}, nil)
	}
	if p, _ := o.s.facts.progressOf(t.resource); p.Final && t.pkg == Referrals && len(o.topics[t]) == 0 {
		o.s.facts.forgetProgress(t.resource)
	}
}

// each feeds e to the subscriptions that are meant.
func (o *owner) each(meant func(*subscription) bool, e core.Event) {
	for _, sub := range o.subs {
		if meant(sub) {
			o.feed(sub, e, nil)
		}
	}
}

func (o *owner) registered(dev tel.DeviceID, reachable bool) {
	o.told(deviceTopic(dev))
	if reachable {
		o.greet(dev)
	}
}

// lookAtRegistrations tells of contacts that came or went while the phone stayed reachable.
func (o *owner) lookAtRegistrations() {
	for t, subs := range o.topics {
		if t.pkg != Registrations {
			continue
		}
		now := contactIDs(o.contacts(tel.DeviceID(t.resource)))
		for _, sub := range subs {
			if !slices.Equal(sub.Reported, now) {
				o.feed(sub, core.Change{}, nil)
			}
		}
	}
}

func (o *owner) review() {
	for _, sub := range o.subs {
		if sub.Package == Referrals {
			continue // the call goes on as it was begun
		}
		resource, status := o.s.cfg.Watch(sub.Watcher, sub.Package, sub.User)
		switch {
		case status == 403:
			o.feed(sub, core.Terminate{Reason: core.Rejected}, nil)
		case status != 0:
			o.feed(sub, core.Terminate{Reason: core.NoResource}, nil)
		default:
			unindex(o.topics, sub.topic(), sub)
			sub.Resource = resource
			index(o.topics, sub.topic(), sub)
			o.feed(sub, core.Change{}, nil) // the name may have changed too
		}
	}
}

func (o *owner) restore(subs []*subscription) {
	for _, sub := range subs {
		if o.subs[sub.ID] != nil {
			continue
		}
		o.add(sub)
		o.feed(sub, core.Restored{}, nil)
		if sub.Package == Referrals && o.subs[sub.ID] == sub {
			o.followed(sub)
		}
	}
}

// add enters a subscription into the indexes.
func (o *owner) add(sub *subscription) {
	o.subs[sub.ID] = sub
	index(o.topics, sub.topic(), sub)
	index(o.calls, sub.CallID, sub)
	o.watchers[sub.Watcher]++
	o.s.count.subscriptions.Store(int64(len(o.subs)))
}

// drop forgets a subscription without a word, in the journal too.
func (o *owner) drop(sub *subscription) {
	if o.subs[sub.ID] != sub {
		return
	}
	delete(o.subs, sub.ID)
	unindex(o.topics, sub.topic(), sub)
	unindex(o.calls, sub.CallID, sub)
	if o.watchers[sub.Watcher]--; o.watchers[sub.Watcher] <= 0 {
		delete(o.watchers, sub.Watcher)
	}
	if sub.place >= 0 {
		heap.Remove(&o.queue, sub.place)
	}
	o.s.count.subscriptions.Store(int64(len(o.subs)))
	if sub.Package == Referrals {
		o.s.facts.forgetProgress(sub.Resource)
	}
	if j := o.s.cfg.Journal; j != nil {
		if err := j.Delete(JournalKind, sub.ID); err != nil {
			o.s.cfg.Log.Warn("subscription not erased from the journal", "err", err)
		}
	}
}

func index[K comparable](m map[K]map[string]*subscription, key K, sub *subscription) {
	if m[key] == nil {
		m[key] = map[string]*subscription{}
	}
	m[key][sub.ID] = sub
}

func unindex[K comparable](m map[K]map[string]*subscription, key K, sub *subscription) {
	delete(m[key], sub.ID)
	if len(m[key]) == 0 {
		delete(m, key)
	}
}

// schedule puts a subscription where its next wake belongs.
func (o *owner) schedule(sub *subscription) {
	due, ok := sub.State.Due()
	switch {
	case !ok && sub.place >= 0:
		heap.Remove(&o.queue, sub.place)
	case ok && sub.place < 0:
		sub.due = due
		heap.Push(&o.queue, sub)
	case ok && !sub.due.Equal(due):
		sub.due = due
		heap.Fix(&o.queue, sub.place)
	}
}

// agenda is a heap of subscriptions by their next wake.
type agenda []*subscription

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].due.Before(a[j].due) }
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}

// Push implements heap.Interface.
func (a *agenda) Push(x any) {
	sub := x.(*subscription)
	sub.place = len(*a)
	*a = append(*a, sub)
}

// Pop implements heap.Interface.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	sub := (*a)[last]
	sub.place = -1
	(*a)[last] = nil
	*a = (*a)[:last]
	return sub
}
