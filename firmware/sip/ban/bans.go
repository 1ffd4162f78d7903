package ban

import (
	"cmp"
	"container/list"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// HotJournal keeps state over a crash of the process; nil in Config = none.
type HotJournal interface {
	Put(kind, key string, value []byte) error
	Delete(kind, key string) error
}

// KindBan is the kind in the hot journal; the key is the source.
const KindBan = "ban"

// Limits of what is remembered. Sources that can be forged have a table of their own, so that a
// flood of invented senders cannot push out those who really guessed.
const (
	maxSources = 2048 // in each of the two tables
	sweepEvery = time.Minute
)

// Config is what Bans needs. The functions must be safe for concurrent use and must not block; a
// nil one says no.
type Config struct {
	Log    *slog.Logger
	Policy func() Policy                  // asked at each offence, so that a change holds at once; nil = the defaults
	Near   func(netip.Addr) bool          // on the LAN
	Never  func(netip.Addr) bool          // carriers, and networks that the owner chose
	Known  func(netip.AddrPort) bool      // a registered phone speaks from exactly there
	Behind func(netip.Addr) bool          // a phone is registered from that address, whatever its port
	Clock  func() (string, time.Duration) // name of the kernel's boot, and the time since; nil = wall time alone

	Journal HotJournal
	File    string // for a restart of the machine; empty = none
}

// Bans decides who is listened to. Its methods are safe from any goroutine.
type Bans struct {
	cfg  Config
	seed maphash.Seed

	// mu guards the records; never held while the journal's or the disk's callers wait for more than
	// one write(2).
	mu     sync.Mutex
	tables [2]table // 0: who really guessed, 1: who may be forged
	swept  time.Time

	// barred is what each datagram is asked of: the banned sources and the ends of their bans.
	barMu  sync.RWMutex
	barred map[netip.Prefix]time.Time
	some   atomic.Bool // barred is not empty

	// At most one line a second tells of bans; mu guards these.
	said   time.Time
	unsaid int

	file *file
}

// table is a bounded set of records. order has the source of the latest offence last.
type table struct {
	records map[netip.Prefix]*list.Element // of *entry
	order   *list.List
}

type entry struct {
	source netip.Prefix
	forged bool // of the table for what can be forged
	record record
}

// New returns Bans without a ban; Restore brings those of the earlier process. Close must be called.
func New(cfg Config) *Bans {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Policy == nil {
		cfg.Policy = func() Policy { return Policy{} }
	}
	no := func(netip.Addr) bool { return false }
	for _, f := range []*func(netip.Addr) bool{&cfg.Near, &cfg.Never, &cfg.Behind} {
		if *f == nil {
			*f = no
		}
	}
	if cfg.Known == nil {
		cfg.Known = func(netip.AddrPort) bool { return false }
	}
	b := &Bans{cfg: cfg, seed: maphash.MakeSeed(), swept: time.Now(), barred: map[netip.Prefix]time.Time{}}
	for i := range b.tables {
		b.tables[i] = table{map[netip.Prefix]*list.Element{}, list.New()}
	}
	if cfg.File != "" {
		b.file = newFile(cfg.File, cfg.Log, b.durable)
	}
	return b
}

// Close writes what is not on the disk yet. The bans stay in force.
func (b *Bans) Close() {
	if b.file != nil {
		b.file.close()
	}
}

// Banned reports that nothing from src is to be believed, unless a known phone speaks there, which
// is the caller's to ask of Known.
func (b *Bans) Banned(src netip.Addr) bool {
	if !b.some.Load() {
		return false
	}
	b.barMu.RLock()
	until := b.barred[SourceOf(src)]
	b.barMu.RUnlock()
	return !until.IsZero() && until.After(time.Now()) && !b.cfg.Never(src.Unmap())
}

// Deaf reports that a datagram or a connection from src is not to be read: it is banned, outside of
// the LAN, and no known phone. It costs one atomic load while nobody is banned.
func (b *Bans) Deaf(src netip.AddrPort) bool {
	return b.Banned(src.Addr()) && !b.cfg.Near(src.Addr().Unmap()) && !b.cfg.Known(src)
}

// Guessed counts a wrong password, or one for a user who does not exist. The caller has made sure
// that src is not forged, by a nonce that was sent there.
func (b *Bans) Guessed(src netip.Addr) { b.happened(src, event{offence: Guess}) }

// Asked counts a challenge that was sent for name. Proved takes it back.
func (b *Bans) Asked(src netip.Addr, name string) {
	b.happened(src, event{offence: Search, name: maphash.String(b.seed, name)})
}

// Scanned bans a source whose request says that it comes from an attack program.
func (b *Bans) Scanned(src netip.Addr) { b.happened(src, event{offence: Scanner}) }

// Proved tells that name's password was right. It does not take wrong passwords back: who has one
// account must not be able to guess at others between two of its own logins.
func (b *Bans) Proved(src netip.Addr, name string) {
	b.happened(src, event{proved: true, name: maphash.String(b.seed, name)})
}

func (b *Bans) happened(src netip.Addr, e event) {
	src = src.Unmap()
	if b.cfg.Never(src) || !e.proved && e.offence.forgeable() && b.cfg.Behind(src) {
		return
	}
	p, source := b.cfg.Policy().withDefaults(), SourceOf(src)
	steps := p.Far
	if b.cfg.Near(src) {
		steps = p.Near
	}
	forged := e.proved || e.offence.forgeable()
	e.at = time.Now()
	b.mu.Lock()
	b.sweep(p, e.at)
	t := &b.tables[0]
	if forged {
		t, steps = &b.tables[1], steps[:1] // whose name was forged must not be barred for a day
	}
	at := t.records[source]
	if at == nil {
		if e.proved {
			b.mu.Unlock()
			return
		}
		b.makeRoom(t)
		at = t.order.PushBack(&entry{source: source, forged: forged})
		t.records[source] = at
	}
	x := at.Value.(*entry)
	var began bool
	if x.record, began = next(x.record, e, p, steps); !e.proved {
		t.order.MoveToBack(at)
	}
	if began {
		b.bar(source, x.record.until)
	}
	if began || e.offence == Guess {
		b.keep(x, e.at)
	}
	if began {
		b.say(x, e.at)
	}
	b.mu.Unlock()
	if began {
		b.changed()
	}
}

// say logs a ban unless one was logged within the last second. mu is held.
func (b *Bans) say(x *entry, now time.Time) {
	if b.unsaid++; now.Sub(b.said) < time.Second {
		return
	}
	b.cfg.Log.Warn("address banned", "source", describe(x.source), "why", string(x.record.why),
		"for", x.record.until.Sub(now), "ban", x.record.bans, "others_not_logged", b.unsaid-1)
	b.said, b.unsaid = now, 0
}

// bar puts a source on the list that each datagram is asked of, or takes it off when until is zero.
func (b *Bans) bar(source netip.Prefix, until time.Time) {
	b.barMu.Lock()
	defer b.barMu.Unlock()
	if until.IsZero() {
		delete(b.barred, source)
	} else if until.After(b.barred[source]) {
		b.barred[source] = until
	}
	b.some.Store(len(b.barred) > 0)
}

// makeRoom drops the source of the oldest offence from a full table. mu is held.
func (b *Bans) makeRoom(t *table) {
	if t.order.Len() >= maxSources {
		b.drop(t, t.order.Front())
	}
}

// drop forgets a record. mu is held.
func (b *Bans) drop(t *table, at *list.Element) {
	x := at.Value.(*entry)
	t.order.Remove(at)
	delete(t.records, x.source)
	if x.record.until.IsZero() && len(x.record.guesses) == 0 {
		return // it was never kept
	}
	b.unkeep(x)
	b.rebar(x.source)
}

// rebar makes the list for datagrams agree with what both tables know of a source. mu is held.
func (b *Bans) rebar(source netip.Prefix) {
	b.bar(source, time.Time{})
	for i := range b.tables {
		if at := b.tables[i].records[source]; at != nil {
			if u := at.Value.(*entry).record.until; u.After(time.Now()) {
				b.bar(source, u)
			}
		}
	}
}

// sweep forgets what is over, once a minute. mu is held.
func (b *Bans) sweep(p Policy, now time.Time) {
	if now.Sub(b.swept) < sweepEvery {
		return
	}
	b.swept = now
	for i := range b.tables {
		t := &b.tables[i]
		for at := t.order.Front(); at != nil; {
			here := at
			at = at.Next()
			if x := here.Value.(*entry); x.record.idle(p, now) {
				b.drop(t, here)
			} else if !x.record.until.IsZero() && !x.record.banned(now) {
				b.rebar(x.source)
			}
		}
	}
}

// Ban is one source that is banned now.
type Ban struct {
	Source string    `json:"source"` // an IPv4 address, or an IPv6 network of 64 bits
	Why    Offence   `json:"why"`
	Until  time.Time `json:"until"`
	Bans   int       `json:"bans"` // how often it has been banned, this time included
	Near   bool      `json:"near"` // on the LAN: only its logins are refused
}

// List names who is banned now, the one whose ban ends last first.
func (b *Bans) List() []Ban {
	now := time.Now()
	bySource := map[netip.Prefix]Ban{}
	b.mu.Lock()
	for i := range b.tables {
		for source, at := range b.tables[i].records {
			r := at.Value.(*entry).record
			if !r.banned(now) || !r.until.After(bySource[source].Until) {
				continue
			}
			bySource[source] = Ban{Source: describe(source), Why: r.why, Until: r.until, Bans: r.bans}
		}
	}
	b.mu.Unlock()
	all := make([]Ban, 0, len(bySource))
	for source, x := range bySource {
		if x.Near = b.cfg.Near(source.Addr()); !b.cfg.Never(source.Addr()) {
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(x, y Ban) int { return cmp.Or(y.Until.Compare(x.Until), cmp.Compare(x.Source, y.Source)) })
	return all
}

// Lift ends the ban of the source that a belongs to and forgets its past; false = it was not banned.
func (b *Bans) Lift(a netip.Addr) bool {
	now, source, was := time.Now(), SourceOf(a), false
	b.mu.Lock()
	for i := range b.tables {
		t := &b.tables[i]
		if at := t.records[source]; at != nil {
			was = was || at.Value.(*entry).record.banned(now)
			b.drop(t, at)
		}
	}
	b.mu.Unlock()
	if was {
		b.cfg.Log.Info("ban lifted", "source", describe(source))
		b.changed()
	}
	return was
}

func (b *Bans) changed() {
	if b.file != nil {
		b.file.dirty()
	}
}

// describe writes a source as a person reads it: one address without its length.
func describe(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
