package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/ledger"
	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/acd/replay"
	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/erasure"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/record"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// erasures has the box forget persons, now and again after each restore.
type erasures struct {
	register *erasure.Register // nil: the list cannot be read
	one      sync.Mutex        // held while somebody is erased
	began    time.Time         // this process; what it wrote before it erased may be of what was restored
	gone     chan struct{}     // closed when what was open at the start has been gone over
}

// eraseAgain is how long after a failure it is tried again.
const eraseAgain = 10 * time.Minute

// eraseLimit is how long an owner may take to forget somebody.
const eraseLimit = time.Minute

func (b *Box) openErasures() error {
	b.erasures.began, b.erasures.gone = time.Now(), make(chan struct{})
	var err error
	if b.erasures.register, err = erasure.Open(b.opts.Dir); err != nil {
		b.log.Error("who has asked to be erased is lost", "err", err)
		b.report("erasures", false, err.Error())
	}
	return nil
}

// keepErasing completes erasures that were cut short, or that a restore has made necessary again. The page waits for
// the first go.
func (b *Box) keepErasing(ctx context.Context) {
	first := sync.OnceFunc(func() { close(b.erasures.gone) })
	defer first()
	if b.erasures.register == nil {
		return
	}
	again := time.NewTicker(eraseAgain)
	defer again.Stop()
	for {
		err := b.eraseOpen(ctx)
		text := ""
		if err != nil {
			text = err.Error()
			b.log.Error("persons are not erased everywhere yet", "err", err)
		}
		b.report("erasures", err == nil, text)
		first()
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

func (b *Box) eraseOpen(ctx context.Context) error {
	b.erasures.one.Lock()
	defer b.erasures.one.Unlock()
	return b.forget(ctx, b.erasures.register.All().Open(), b.erasures.began)
}

// erase has the box forget a person. What it returns before the register has the erasure is why not; after that it is
// completed by itself.
func (b *Box) erase(ctx context.Context, n tel.Number, why string, by settings.By) (settings.Refusal, error) {
	if b.erasures.register == nil {
		return settings.Refusal{Sentence: "erasures.lost"}, nil
	}
	b.erasures.one.Lock()
	defer b.erasures.one.Unlock()
	e, err := erasure.New(n, by.User, by.From, why, time.Now())
	if err != nil {
		return settings.Refusal{Sentence: "erasures.number"}, nil //nolint:nilerr // the refusal says it
	}
	_, e.Recordings, err = b.recordedCalls(ctx, n)
	if err != nil {
		return settings.Refusal{Sentence: "erasures.away", Detail: err.Error()}, nil
	}
	if err := b.erasures.register.Add(e); err != nil {
		return settings.Refusal{}, err
	}
	b.noteAccess(access.Note{At: e.At, What: access.DeedErased, User: by.User, Whom: string(e.Alias), From: by.From})
	if err := b.forget(ctx, erasure.List{e}, e.At); err != nil {
		b.log.Error("a person is not erased everywhere yet", "err", err)
		b.report("erasures", false, err.Error())
		return settings.Refusal{Sentence: "erasures.open", Detail: err.Error()}, nil
	}
	return settings.Refusal{}, nil
}

// spellings are the ways in which records may have a number.
func spellings(n tel.Number) []tel.Number {
	wide, _ := n.E164()
	all := []tel.Number{wide, wide.National(), wide.Digits()}
	if wide != "" {
		all = append(all, "00"+wide[1:])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// recordedCalls counts the calls of a number among the records, and finds what was recorded of them.
func (b *Box) recordedCalls(ctx context.Context, n tel.Number) (calls int, ids []string, err error) {
	if b.opts.Record == "" {
		return 0, nil, nil
	}
	for _, spelt := range spellings(n) {
		q := store.CallQuery{Party: spelt, Span: store.Span{Limit: store.MaxLimit}}
		for {
			p, err := b.records.ListCalls(ctx, q)
			if err != nil {
				return 0, nil, err
			}
			for _, c := range p.Items {
				calls++
				ids = append(ids, b.parts(c.Recordings)...)
			}
			if q.Cursor = p.Next; q.Cursor == "" {
				break
			}
		}
	}
	return calls, ids, nil
}

// parts are the recordings of a call by their identifiers, those of the chain that no record tells of among them.
func (b *Box) parts(of []tel.Recorded) (ids []string) {
	for _, r := range of {
		ids = append(ids, r.ID)
		if a := b.taping.archive; a != nil {
			for _, x := range a.List(func(x record.Recording) bool { return x.Chain == r.Chain }) {
				ids = append(ids, x.ID)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// forget goes over all that this process keeps, and notes each erasure that has come to its end. Whatever fails, the
// rest is done. What the history has since a moment counts as of the time before: it is what was decided of it.
func (b *Box) forget(ctx context.Context, l erasure.List, since time.Time) error {
	if len(l) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, eraseLimit)
	defer cancel()
	if err := b.findRecordings(l); err != nil {
		return err
	}
	var n erasure.Count // of all together
	var failed error
	do := func(what string, err error) {
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", what, err))
		}
	}
	// The queues first: what they say of it is erased behind them. Each owner gets a match of its own, since it may go
	// on with it after our patience has ended.
	do("queues", b.forgetCallers(ctx, l, &n))
	var err error
	if b.texts.office != nil {
		n.Texts, err = b.texts.office.Erase(ctx, l.Match().Number)
		do("short messages", err)
	}
	n.Messages, err = b.voicemail.Erase(l.Match().Has)
	do("mailboxes", err)
	if b.mail != nil {
		m := l.Match()
		_, err = b.mail.Erase(func(caller string) bool { return m.Has(tel.Number(caller), time.Time{}) })
		do("mails", err)
	}
	b.forgetTraces(l)
	each := b.forgetRecordings(l, do)
	_, err = b.audit.Rewrite(l.Match().JSON)
	do("audit log", err)
	m, erased, states := l.Match(), time.Now(), 0
	n.Records, err = b.history.Rewrite(func(r journal.Record) ([]byte, bool) {
		if empty, packed := replay.Forget(r.Kind, r.Body); packed {
			if !r.Wall.Before(erased) {
				return nil, false
			}
			states++
			return empty, true
		}
		if !r.Wall.Before(since) {
			return m.JSON(r.Body, time.Time{})
		}
		return m.JSON(r.Body, r.Wall)
	})
	do("history", err)
	n.Records -= states
	if failed != nil {
		return failed
	}
	for i, e := range l {
		c := each[i]
		if len(l) == 1 { // of several it cannot be told whose it was
			c = n.Add(c)
		}
		do("list of erasures", b.erasures.register.Done(e.ID, c, time.Now()))
	}
	return failed
}

// findRecordings looks through the history for calls of the persons that recordd does not have yet, and writes down
// what was recorded of them before the history forgets whose they are.
func (b *Box) findRecordings(l erasure.List) error {
	m := l.Match()
	found := map[tel.Number][]string{} // by alias
	err := b.history.Read(0, func(r journal.Record) error {
		if r.Kind != (tel.CallEnded{}).Kind() || !m.In(r.Body, r.Wall) {
			return nil
		}
		e, err := cdr.Decode(r.Kind, r.Body)
		if c, ok := e.(tel.CallEnded); err == nil && ok && len(c.Recordings) > 0 {
			for _, n := range []tel.Number{c.From, c.To} {
				if alias, ok := m.Number(n, r.Wall); ok {
					found[alias] = append(found[alias], b.parts(c.Recordings)...)
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	for i := range l {
		more := found[l[i].Alias]
		if len(more) == 0 {
			continue
		}
		if err := b.erasures.register.Recorded(l[i].ID, more); err != nil {
			return fmt.Errorf("list of erasures: %w", err)
		}
		l[i].Recordings = append(l[i].Recordings, more...)
	}
	return nil
}

// forgetRecordings deletes what was recorded of each person, and counts what stays because somebody holds it.
func (b *Box) forgetRecordings(l erasure.List, do func(string, error)) []erasure.Count {
	each := make([]erasure.Count, len(l))
	a := b.taping.archive
	for i, e := range l {
		if a == nil {
			if len(e.Recordings) > 0 {
				do("recordings", os.ErrClosed)
			}
			continue
		}
		ids := slices.Clone(e.Recordings)
		slices.Sort(ids)
		for _, id := range slices.Compact(ids) {
			switch err := a.Delete(id, e.By, record.WhyErased); {
			case err == nil:
				each[i].Recordings++
			case errors.Is(err, record.ErrHeld):
				each[i].Held++
			case !errors.Is(err, record.ErrUnknown):
				do("recordings", err)
			}
		}
	}
	return each
}

// forgetCallers has the queues forget the persons, and what they are owed.
func (b *Box) forgetCallers(ctx context.Context, l erasure.List, n *erasure.Count) error {
	owed, err := b.ledger.Owed(ctx)
	if err != nil {
		return err
	}
	callers, err := b.memories.Callers(ctx)
	if err != nil {
		return err
	}
	m := l.Match()
	for _, c := range owed {
		if m.Has(c.Number, c.Asked) || m.Has(c.Caller, c.Asked) {
			n.Callbacks++
		}
		callers = append(callers, c.Number, c.Caller)
	}
	slices.Sort(callers)
	var known []plan.Alias
	for _, c := range slices.Compact(callers) {
		if alias, ok := m.Number(c, time.Time{}); ok {
			known = append(known, plan.Alias{Number: c, Alias: alias})
		}
	}
	if len(known) > 0 {
		if err := b.queues.Erase(ctx, known); err != nil {
			return err
		}
	}
	if _, err := b.queues.Snapshot(ctx); err != nil { // what they had to say of it is said
		return err
	}
	m = l.Match() // the owner may go on with it after our patience has ended
	rows, err := b.ledger.Erase(ctx, m.Has)
	n.Callbacks += len(rows)
	for _, row := range rows { // not into the history: observers that show it shall not
		b.tell(row)
	}
	if err != nil && !errors.Is(err, ledger.ErrClosed) {
		return err
	}
	m = l.Match()
	return errors.Join(err, b.memories.Erase(ctx, func(n tel.Number) bool { return m.Has(n, time.Time{}) }))
}

// erasurePages is the page's way to the erasures.
func (b *Box) erasurePages() settings.Erasures {
	return settings.Erasures{
		List: func(ctx context.Context) (all []page.ErasedPerson) {
			if b.erasures.register == nil {
				return nil
			}
			zone := b.location()
			for _, e := range slices.Backward(b.erasures.register.All()) {
				all = append(all, page.ErasedPerson{
					ID: e.ID, At: e.At.In(zone), By: e.By, Why: e.Why, Open: e.Open, Alias: e.Alias, Callbacks: e.Erased.Callbacks, Messages: e.Erased.Messages,
					Texts: e.Erased.Texts, Recordings: e.Erased.Recordings, Held: e.Erased.Held,
				})
			}
			return all
		},
		Look: b.lookAtPerson, Erase: b.erase,
	}
}

// lookAtPerson tells what an erasure would find.
func (b *Box) lookAtPerson(ctx context.Context, n tel.Number) (p page.Found, refused settings.Refusal) {
	e, err := erasure.New(n, "", "", "", time.Now())
	if err != nil {
		return p, settings.Refusal{Sentence: "erasures.number"}
	}
	calls, ids, err := b.recordedCalls(ctx, n)
	if err != nil {
		return p, settings.Refusal{Sentence: "erasures.away", Detail: err.Error()}
	}
	p.Calls = calls
	if a := b.taping.archive; a != nil {
		for _, id := range ids {
			if r, ok := a.Get(id); ok {
				p.Recordings++
				if r.Held {
					p.Held++
				}
			}
		}
	}
	m := erasure.List{e}.Match()
	for _, file := range []string{filepath.Join(b.opts.Dir, "personal.json"), filepath.Join(b.opts.Dir, "pronto.yaml")} {
		if text, err := os.ReadFile(file); err == nil && m.In(text, time.Time{}) {
			p.Chosen = true
		}
	}
	return p, refused
}
