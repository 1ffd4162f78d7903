package acd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Kinds of history records.
const (
	KindDecision = "acd_decision" // one event and what was decided
	KindState    = "acd_state"    // the whole state before the records that follow
)

// snapshotEvery is how many decisions lie between two whole states, so that a replay of any minute
// need not begin at the beginning.
const snapshotEvery = 5000

// decision is a history record: given the state before it, everything needed to decide again.
type decision struct {
	V       int             `json:"v"`
	At      time.Time       `json:"at"`
	Seed    uint64          `json:"seed"`
	Kind    string          `json:"kind"`
	Event   json.RawMessage `json:"event"`
	Effects json.RawMessage `json:"effects"`
}

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

func (a *ACD) write(e plan.Event, now time.Time, seed uint64, effects []plan.Effect, touched []plan.Key) error {
	if a.cfg.History != nil {
		if err := a.record(e, now, seed, effects); err != nil {
			return err
		}
	}
	if a.cfg.Journal == nil {
		return nil
	}
	var first error
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
	event, err := json.Marshal(e)
	if err != nil {
		return err
	}
	out, err := json.Marshal(effects)
	if err != nil {
		return err
	}
	b, err := json.Marshal(decision{V: 1, At: now, Seed: seed, Kind: e.Kind(), Event: event, Effects: out})
	if err != nil {
		return err
	}
	if err := a.cfg.History.Append(KindDecision, b); err != nil {
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
	b, err := a.state.Snapshot()
	if err != nil {
		return err
	}
	a.logged = 0
	return a.cfg.History.Append(KindState, b)
}

// Published are the finished records among the events of a decision: a program that was killed after it had
// written the decision may not have come to write them.
func Published(body []byte) (all []tel.Event, err error) {
	var d decision
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, fmt.Errorf("read decision: %w", err)
	}
	if d.V != 1 {
		return nil, fmt.Errorf("read decision: %w: %d", plan.ErrVersion, d.V)
	}
	var effects []struct {
		Publish string          `json:"publish"`
		Body    json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(d.Effects, &effects); err != nil {
		return nil, fmt.Errorf("read decision: %w", err)
	}
	for _, x := range effects {
		switch x.Publish {
		case tel.QueueLeft{}.Kind():
			all, err = published[tel.QueueLeft](all, x.Body)
		case tel.CallbackChanged{}.Kind():
			all, err = published[tel.CallbackChanged](all, x.Body)
		case tel.AgentInterval{}.Kind():
			all, err = published[tel.AgentInterval](all, x.Body)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func published[E tel.Event](all []tel.Event, body []byte) ([]tel.Event, error) {
	var e E
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("read event of a decision: %w", err)
	}
	return append(all, e), nil
}

// Record is one history record of this package.
type Record struct {
	Kind string
	Body []byte
}

// Replay decides everything again and returns the state at the end. It begins at the first whole
// state; an error names the first record whose decision came out differently.
func Replay(records []Record) (plan.State, error) {
	s, begun := plan.NewState(), false
	for i, r := range records {
		switch r.Kind {
		case KindState:
			var err error
			if s, err = plan.Restore(r.Body); err != nil {
				return s, fmt.Errorf("record %d: %w", i, err)
			}
			begun = true
		case KindDecision:
			if !begun {
				continue
			}
			var d decision
			if err := json.Unmarshal(r.Body, &d); err != nil {
				return s, fmt.Errorf("record %d: %w", i, err)
			}
			if d.V != 1 {
				return s, fmt.Errorf("record %d: %w: %d", i, plan.ErrVersion, d.V)
			}
			e, err := plan.DecodeEvent(d.Kind, d.Event)
			if err != nil {
				return s, fmt.Errorf("record %d: %w", i, err)
			}
			var effects []plan.Effect
			s, effects = plan.Next(s, e, d.At, d.Seed)
			out, err := json.Marshal(effects)
			if err != nil {
				return s, fmt.Errorf("record %d: %w", i, err)
			}
			if !bytes.Equal(out, d.Effects) {
				return s, fmt.Errorf("record %d (%s): decided %s, the record says %s", i, d.Kind, out, d.Effects)
			}
		}
	}
	return s, nil
}
