package scenario

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// fact is something that happened: kind is a word of the language behind "expect".
type fact struct{ kind, detail string }

// String is for the diary.
func (f fact) String() string {
	if f.detail == "" {
		return f.kind
	}
	return f.kind + " " + f.detail
}

// book keeps what happened and was not expected yet.
type book struct {
	told func(fact) // hears each fact, for the diary

	mu           sync.Mutex // guards what follows
	news         chan struct{}
	facts        []fact
	up           bool
	begun, ended int
}

func newBook() *book { return &book{news: make(chan struct{})} }

// maxFacts bounds what nobody expects: a flood of messages is one.
const maxFacts = 1000

func (b *book) note(kind, detail string) {
	f := fact{kind, detail}
	b.mu.Lock()
	b.facts = append(b.facts, f)
	b.facts = b.facts[max(0, len(b.facts)-maxFacts):]
	b.mu.Unlock()
	b.change(func() {})
	if b.told != nil {
		b.told(f)
	}
}

// change edits the book and wakes who waits.
func (b *book) change(edit func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	edit()
	close(b.news)
	b.news = make(chan struct{})
}

// forget drops facts of the kinds.
func (b *book) forget(kinds ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.facts = slices.DeleteFunc(b.facts, func(f fact) bool { return slices.Contains(kinds, f.kind) })
}

// ofCalls are the kinds of facts that tell of one call; the first two begin one.
var ofCalls = []string{"dialled", "ringing", "alerting", "connected", "key", "pressed", "end", "over"}

// take finds a fact, of that detail unless it is empty, and drops it with those of its kind before it. The
// begin of a call drops what came of the calls before. The mutex is held.
func (b *book) take(kind, detail string) bool {
	i := slices.IndexFunc(b.facts, func(f fact) bool { return f.kind == kind && (detail == "" || f.detail == detail) })
	if i < 0 {
		return false
	}
	rest := b.facts[i+1:]
	begins := slices.Contains(ofCalls[:2], kind)
	before := slices.DeleteFunc(b.facts[:i], func(f fact) bool { return f.kind == kind || begins && slices.Contains(ofCalls, f.kind) })
	b.facts = slices.Concat(before, rest)
	return true
}

// takeAll finds facts whose details make up whole, such as the keys of a number.
func (b *book) takeAll(kind, whole string) bool {
	all := ""
	for _, f := range b.facts {
		if f.kind == kind {
			all += f.detail
		}
	}
	if all != whole {
		return false
	}
	b.facts = slices.DeleteFunc(b.facts, func(f fact) bool { return f.kind == kind })
	return true
}

// last says what came of a kind in place of what was expected.
func (b *book) last(kind string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	said := "nothing of the kind"
	for _, f := range b.facts {
		if f.kind == kind {
			said = fmt.Sprintf("there was %s", f)
		}
	}
	return said
}

// await waits until is, which is called with the mutex held; false after limit, or when ctx ends.
func (b *book) await(ctx context.Context, limit time.Duration, is func() bool) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	for {
		b.mu.Lock()
		yes, news := is(), b.news
		b.mu.Unlock()
		if yes {
			return true
		}
		select {
		case <-news:
		case <-t.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
