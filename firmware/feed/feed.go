// Package feed is the one stream of events for observers: numbered, bounded and resumable. A slow
// observer loses its place in the stream, never the publisher's time.
package feed

import (
	"context"
	"errors"
	"sync"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Seq numbers published events from 1. Zero stands for "before the first".
type Seq uint64

// Item is one thing that a subscriber receives: an event with its number, or a resync.
type Item struct {
	Seq   Seq
	Event tel.Event // nil in a resync
	// Resync says that events were lost or are no longer kept: take Snapshot as the new truth; the
	// next item follows Seq.
	Resync   bool
	Snapshot any
}

// ErrClosed ends a subscription after its Close or the feed's.
var ErrClosed = errors.New("the feed is closed")

// Feed keeps the last events in a ring and hands them to subscribers. It has no goroutine: Publish
// runs in the publisher's and only locks for moments.
type Feed struct {
	snapshot func() any

	// mu guards everything below. Publishers write, subscribers read their part.
	mu     sync.Mutex
	ring   []tel.Event // event n is at n % len
	last   Seq
	subs   map[*Subscription]struct{}
	closed bool
	lost   uint64
}

// New returns a feed that keeps the last size events. snapshot returns the present state for
// observers who cannot follow; it runs in the subscriber's goroutine, without any lock of the feed,
// and may be nil.
func New(size int, snapshot func() any) *Feed {
	if size < 1 {
		panic("feed: size must be at least 1")
	}
	return &Feed{snapshot: snapshot, ring: make([]tel.Event, size), subs: map[*Subscription]struct{}{}}
}

// Publish numbers the event and passes it to every subscriber with room for it. It never blocks
// and may be called from any goroutine; events of one goroutine keep their order.
func (f *Feed) Publish(e tel.Event) Seq {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return f.last
	}
	f.last++
	f.ring[f.last%Seq(len(f.ring))] = e
	for s := range f.subs {
		s.wake()
	}
	return f.last
}

// Last is the number of the latest event.
func (f *Feed) Last() Seq {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// Stats counts subscribers now and resyncs since the start.
func (f *Feed) Stats() (subscribers int, resyncs uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.subs), f.lost
}

// Resync has every subscriber take the snapshot next, because what they built on is no longer so: the
// names of the office changed.
func (f *Feed) Resync() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.subs {
		s.resync = true
		s.wake()
	}
}

// Close ends every subscription. Later events are dropped.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for s := range f.subs {
		s.end()
	}
	clear(f.subs)
}

// Subscribe starts after the given number: Last() for news only, 0 or the number of the last event
// seen for everything since. buf bounds how far the subscriber may lag before it is resynchronised;
// it cannot exceed the feed's own size. A number from the future (of an earlier process) or one
// whose successors are no longer kept begins with a resync.
func (f *Feed) Subscribe(after Seq, buf int) *Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &Subscription{
		feed: f, seen: after, buf: Seq(min(max(buf, 1), len(f.ring))),
		bell: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if f.closed {
		s.end()
		return s
	}
	if after > f.last {
		s.resync = true
	}
	f.subs[s] = struct{}{}
	s.wake()
	return s
}

// Subscription is one observer's place in the stream. Next has one caller at a time.
type Subscription struct {
	feed *Feed
	buf  Seq
	bell chan struct{} // rings when there may be something to read
	done chan struct{}

	// Guarded by feed.mu.
	seen   Seq
	resync bool
	ended  bool
}

func (s *Subscription) wake() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

func (s *Subscription) end() {
	if !s.ended {
		s.ended = true
		close(s.done)
	}
}

// Close gives up the place. It may be called more than once and from any goroutine.
func (s *Subscription) Close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	delete(s.feed.subs, s)
	s.end()
}

// Next waits for the next item. Errors: ErrClosed, or ctx's.
func (s *Subscription) Next(ctx context.Context) (Item, error) {
	for {
		item, ok, err := s.take()
		if err != nil {
			return Item{}, err
		}
		if ok {
			if item.Resync && s.feed.snapshot != nil {
				// After the number was taken: events between it and the snapshot come twice,
				// none is missed.
				item.Snapshot = s.feed.snapshot()
			}
			return item, nil
		}
		select {
		case <-s.bell:
		case <-s.done:
		case <-ctx.Done():
			return Item{}, ctx.Err()
		}
	}
}

// take moves the place on by one item, if there is one.
func (s *Subscription) take() (Item, bool, error) {
	f := s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.ended {
		return Item{}, false, ErrClosed
	}
	if s.resync || f.last-s.seen > s.buf {
		s.resync, s.seen = false, f.last
		f.lost++
		return Item{Seq: f.last, Resync: true}, true, nil
	}
	if s.seen == f.last {
		return Item{}, false, nil
	}
	s.seen++
	return Item{Seq: s.seen, Event: f.ring[s.seen%Seq(len(f.ring))]}, true, nil
}
