package ban

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"
)

const snapshotVersion = 1

// snapshot is a record as the hot journal and the file keep it. Times are durations back and
// forward from At, so that a clock that was set anew neither frees anybody nor bans for ever. Names
// asked for are left out: they can be asked for again.
type snapshot struct {
	V       int             `json:"v"`
	Source  netip.Prefix    `json:"source"`
	At      time.Time       `json:"at"`              // wall time of writing
	Boot    string          `json:"boot,omitempty"`  // of writing, with Since
	Since   time.Duration   `json:"since,omitempty"` // that boot, in nanoseconds
	Guesses []time.Duration `json:"guesses,omitempty"`
	Last    time.Duration   `json:"last"`
	Bans    int             `json:"bans,omitempty"`
	Banned  bool            `json:"banned,omitempty"` // has ever been
	Left    time.Duration   `json:"left,omitempty"`   // of the ban; negative = over for so long
	Why     Offence         `json:"why,omitempty"`
	Forged  bool            `json:"forged,omitempty"` // of the table for what can be forged
}

func (b *Bans) snapshot(x *entry, now time.Time) snapshot {
	r := x.record
	s := snapshot{V: snapshotVersion, Source: x.source, At: now.Round(0), Last: now.Sub(r.last), Bans: r.bans, Why: r.why, Forged: x.forged}
	if b.cfg.Clock != nil {
		s.Boot, s.Since = b.cfg.Clock()
	}
	for _, g := range r.guesses {
		s.Guesses = append(s.Guesses, now.Sub(g))
	}
	if !r.until.IsZero() {
		s.Banned, s.Left = true, r.until.Sub(now)
	}
	return s
}

// passed is the time since a snapshot was written: by the kernel's count in the same boot, else by
// the wall clock, which counts as standing still when it was set back.
func (b *Bans) passed(s snapshot, now time.Time) time.Duration {
	if b.cfg.Clock != nil && s.Boot != "" {
		if boot, since := b.cfg.Clock(); boot == s.Boot {
			return max(since-s.Since, 0)
		}
	}
	return max(now.Sub(s.At), 0)
}

// Restore takes over what an earlier process left in the hot journal's kind KindBan and in the
// file; the journal, which is younger, is believed first. What cannot be read is skipped and
// reported in the joined error. Call it before the first datagram is read.
func (b *Bans) Restore(states map[string][]byte) error {
	var errs []error
	var all []snapshot
	for key, value := range states {
		var s snapshot
		if err := decode(value, &s); err != nil {
			errs = append(errs, fmt.Errorf("ban of %q: %w", key, err))
			continue
		}
		all = append(all, s)
	}
	if b.cfg.File != "" {
		text, err := os.ReadFile(b.cfg.File)
		var onDisk []json.RawMessage
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			errs = append(errs, fmt.Errorf("bans on disk: %w", err))
		default:
			if err := json.Unmarshal(text, &onDisk); err != nil {
				errs = append(errs, fmt.Errorf("bans on disk: %w", err))
			}
		}
		for _, value := range onDisk {
			var s snapshot
			if err := decode(value, &s); err != nil {
				errs = append(errs, fmt.Errorf("ban on disk: %w", err))
				continue
			}
			all = append(all, s)
		}
	}
	now := time.Now()
	b.mu.Lock()
	for _, s := range all {
		b.restore(s, now)
	}
	b.mu.Unlock()
	return errors.Join(errs...)
}

func decode(value []byte, s *snapshot) error {
	if err := json.Unmarshal(value, s); err != nil {
		return err
	}
	if s.V != snapshotVersion {
		return fmt.Errorf("is of version %d, this program reads %d", s.V, snapshotVersion)
	}
	if !s.Source.IsValid() || s.Bans < 0 {
		return errors.New("names no source")
	}
	return nil
}

// restore puts one record into its table. mu is held.
func (b *Bans) restore(s snapshot, now time.Time) {
	p := b.cfg.Policy().withDefaults()
	passed := b.passed(s, now)
	t := &b.tables[0]
	if s.Forged {
		t = &b.tables[1]
	}
	source := SourceOf(s.Source.Addr())
	if t.records[source] != nil || t.order.Len() >= maxSources {
		return
	}
	r := record{bans: s.Bans, why: s.Why, last: now.Add(-(passed + max(s.Last, 0)))}
	for _, g := range s.Guesses[:min(len(s.Guesses), p.Tries)] {
		if age := passed + max(g, 0); age < p.Window {
			r.guesses = append(r.guesses, now.Add(-age))
		}
	}
	if s.Banned {
		longest := max(length(p.Far, s.Bans), length(p.Near, s.Bans))
		r.until = now.Add(min(s.Left, longest) - passed) // no text on a disk bans for longer than we would
	}
	if r.idle(p, now) {
		return
	}
	t.records[source] = t.order.PushBack(&entry{source, s.Forged, r})
	if r.banned(now) {
		b.bar(source, r.until)
	}
}

// keep writes a record into the hot journal. mu is held, so that the last write is the last word.
func (b *Bans) keep(x *entry, now time.Time) {
	if b.cfg.Journal == nil {
		return
	}
	value, err := json.Marshal(b.snapshot(x, now))
	if err == nil {
		err = b.cfg.Journal.Put(KindBan, x.key(), value)
	}
	if err != nil {
		b.cfg.Log.Warn("ban not kept: a crash would forget it", "source", describe(x.source), "err", err)
	}
}

// unkeep deletes a record from the hot journal. mu is held.
func (b *Bans) unkeep(x *entry) {
	if b.cfg.Journal == nil {
		return
	}
	if err := b.cfg.Journal.Delete(KindBan, x.key()); err != nil {
		b.cfg.Log.Warn("ban not forgotten: a crash would bring it back", "source", describe(x.source), "err", err)
	}
}

func (x *entry) key() string {
	if x.forged {
		return x.source.String() + " forged"
	}
	return x.source.String()
}

// durable is the text of the file: who is banned, and who was and is not forgiven yet.
func (b *Bans) durable() ([]byte, error) {
	now := time.Now()
	all := []snapshot{}
	b.mu.Lock()
	for i := range b.tables {
		for at := b.tables[i].order.Front(); at != nil; at = at.Next() {
			x := at.Value.(*entry)
			if x.record.banned(now) || !x.forged && x.record.bans > 0 && now.Sub(x.record.until) < forgiven {
				all = append(all, b.snapshot(x, now))
			}
		}
	}
	b.mu.Unlock()
	return json.Marshal(all)
}
