package acd

import (
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/acd/replay"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// snapshotEvery is how many decisions lie between two whole states, so that a replay of any minute
// need not begin at the beginning.
const snapshotEvery = 5000

// keep writes the decision to the history and what it changed to the hot journal. A journal that
// does not take it is said once and never stops the queues.
func (a *ACD) keep(e plan.Event, now time.Time, seed uint64, effects []plan.Effect) {
	touched := a.state.Touched()
	if len(touched) == 0 && len(effects) == 0 {
		return // a wake-up for nothing
	}
	a.remember(touched)
	if err := a.write(e, now, seed, effects, touched); err != nil {
		a.faults.Add(1)
		if a.journals {
			a.journals = false
			a.cfg.Log.Error("the queues' journal does not take records", "err", err)
		}
	} else if !a.journals {
		a.journals = true
		a.cfg.Log.Info("the queues' journal takes records again")
	}
}

// remember passes on what is known of the callers among the entities.
func (a *ACD) remember(of []plan.Key) {
	if a.cfg.Remember == nil {
		return
	}
	for _, k := range of {
		if k.Kind == "memory" {
			a.cfg.Remember(tel.Number(k.ID), a.state.Memories[tel.Number(k.ID)])
		}
	}
}

// write keeps going when the history takes nothing, because its disk is full or broken: after a crash the hot journal
// must know where everybody stands all the same.
func (a *ACD) write(e plan.Event, now time.Time, seed uint64, effects []plan.Effect, touched []plan.Key) error {
	var first error
	if a.cfg.History != nil {
		first = a.record(e, now, seed, effects)
	}
	if a.cfg.Journal == nil {
		return first
	}
	for _, k := range touched {
		b, ok, err := a.state.Entity(k)
		switch {
		case err != nil:
		case ok:
			err = a.cfg.Journal.Put(HotKind, k.String(), b)
		default:
			err = a.cfg.Journal.Delete(HotKind, k.String())
		}
		if err != nil && first == nil {
			first = fmt.Errorf("keep %s: %w", k, err)
		}
	}
	return first
}

// sweep removes from the hot journal what was not restored: unreadable records, and those that
// contradicted others and would come back at the next restart.
func (a *ACD) sweep() {
	if a.cfg.Journal == nil {
		return
	}
	keep := map[string]bool{}
	for _, k := range a.state.Keys() {
		keep[k.String()] = true
	}
	for key := range a.cfg.Kept {
		if keep[key] {
			continue
		}
		if err := a.cfg.Journal.Delete(HotKind, key); err != nil {
			a.faults.Add(1)
			a.cfg.Log.Warn("a stale record of the queues stays", "key", key, "err", err)
		}
	}
}

func (a *ACD) record(e plan.Event, now time.Time, seed uint64, effects []plan.Effect) error {
	a.decided++
	b, err := replay.Encode(a.decided, e, now, seed, effects)
	if err != nil {
		return err
	}
	if err := a.cfg.History.Append(replay.KindDecision, b); err != nil {
		return err
	}
	if a.logged++; a.logged >= snapshotEvery {
		return a.whole()
	}
	return nil
}

// whole writes a state from which a replay can begin.
func (a *ACD) whole() error {
	if a.cfg.History == nil {
		return nil
	}
	a.logged = 0
	parts, err := replay.EncodeState(&a.state)
	for _, b := range parts {
		if err == nil {
			err = a.cfg.History.Append(replay.KindState, b)
		}
	}
	return err
}
