package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// version is that of the encodings in this file. A newer one is refused, never guessed at.
const version = 1

// ErrVersion is returned for a snapshot that a newer program wrote.
var ErrVersion = errors.New("queue state of a newer version")

type document struct {
	V         int         `json:"v"`
	Seq       uint64      `json:"seq"`
	Zone      string      `json:"zone,omitempty"`
	Draining  Draining    `json:"draining,omitzero"`
	Queues    []*Queue    `json:"queues"`
	Agents    []*Agent    `json:"agents"`
	Entries   []*Entry    `json:"entries"`
	Offers    []*Offer    `json:"offers"`
	Memories  []*Memory   `json:"memories,omitempty"`
	Callbacks []*Callback `json:"callbacks,omitempty"`
}

// Snapshot encodes the whole state as JSON. Equal states give equal bytes.
func (s *State) Snapshot() ([]byte, error) {
	return json.Marshal(document{
		V: version, Seq: s.Seq, Zone: s.Zone, Draining: s.Draining,
		Queues: values(s.Queues), Agents: values(s.Agents),
		Entries: values(s.Entries), Offers: values(s.Offers), Memories: values(s.Memories),
		Callbacks: values(s.Callbacks),
	})
}

func values[K ~string, V any](m map[K]V) []V {
	list := make([]V, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, m[k])
	}
	return list
}

// Restore is the inverse of Snapshot.
func Restore(b []byte) (State, error) {
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return NewState(), fmt.Errorf("read queue state: %w", err)
	}
	if d.V != version {
		return NewState(), fmt.Errorf("%w: %d", ErrVersion, d.V)
	}
	s := NewState()
	s.Seq, s.Zone, s.Draining = d.Seq, d.Zone, d.Draining
	for _, q := range d.Queues {
		if q != nil {
			s.Queues[q.Spec.ID] = q
		}
	}
	for _, a := range d.Agents {
		if a != nil {
			s.Agents[a.Spec.ID] = a
		}
	}
	for _, e := range d.Entries {
		if e != nil {
			s.Entries[e.Call] = e
		}
	}
	for _, o := range d.Offers {
		if o != nil {
			s.Offers[o.ID] = o
		}
	}
	for _, m := range d.Memories {
		if m != nil {
			s.Memories[m.Caller] = m
		}
	}
	for _, c := range d.Callbacks {
		if c != nil {
			s.Callbacks[c.ID] = c
		}
	}
	s.mend()
	return s, nil
}

// entity is one value of the state as the hot journal keeps it.
type entity struct {
	V        int       `json:"v"`
	Seq      uint64    `json:"seq,omitempty"`
	Zone     string    `json:"zone,omitempty"`
	Draining Draining  `json:"draining,omitzero"`
	Queue    *Queue    `json:"queue,omitempty"`
	Agent    *Agent    `json:"agent,omitempty"`
	Entry    *Entry    `json:"entry,omitempty"`
	Offer    *Offer    `json:"offer,omitempty"`
	Memory   *Memory   `json:"memory,omitempty"`
	Callback *Callback `json:"callback,omitempty"`
}

// Entity encodes one entity; ok is false when it no longer exists.
func (s *State) Entity(k Key) (b []byte, ok bool, err error) {
	e := entity{V: version}
	switch k.Kind {
	case "queue":
		e.Queue, ok = s.Queues[tel.QueueID(k.ID)]
	case "agent":
		e.Agent, ok = s.Agents[tel.AgentID(k.ID)]
	case "entry":
		e.Entry, ok = s.Entries[tel.CallID(k.ID)]
	case "offer":
		e.Offer, ok = s.Offers[tel.OfferID(k.ID)]
	case "memory":
		e.Memory, ok = s.Memories[tel.Number(k.ID)]
	case "callback":
		e.Callback, ok = s.Callbacks[tel.CallbackID(k.ID)]
	case "meta":
		e.Seq, e.Zone, e.Draining, ok = s.Seq, s.Zone, s.Draining, true
	}
	if !ok {
		return nil, false, nil
	}
	b, err = json.Marshal(e)
	return b, true, err
}

// Keys lists every entity of the state.
func (s *State) Keys() []Key {
	keys := []Key{{"meta", "seq"}}
	for _, id := range sorted(s.Queues) {
		keys = append(keys, Key{"queue", string(id)})
	}
	for _, id := range sorted(s.Agents) {
		keys = append(keys, Key{"agent", string(id)})
	}
	for _, id := range sorted(s.Entries) {
		keys = append(keys, Key{"entry", string(id)})
	}
	for _, id := range sorted(s.Offers) {
		keys = append(keys, Key{"offer", string(id)})
	}
	for _, id := range sorted(s.Callbacks) {
		keys = append(keys, Key{"callback", string(id)})
	}
	for _, id := range sorted(s.Memories) {
		keys = append(keys, Key{"memory", string(id)})
	}
	return keys
}

// RestoreEntities builds a state from entities by their Key strings. What cannot be read is left
// out and reported: one damaged record must not cost the other callers their place.
func RestoreEntities(kept map[string][]byte) (State, []error) {
	s := NewState()
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(kept)) {
		var e entity
		if err := json.Unmarshal(kept[key], &e); err != nil {
			errs = append(errs, fmt.Errorf("read %s: %w", key, err))
			continue
		}
		if e.V != version {
			errs = append(errs, fmt.Errorf("read %s: %w: %d", key, ErrVersion, e.V))
			continue
		}
		kind, _, _ := strings.Cut(key, "/")
		switch {
		case kind == "queue" && e.Queue != nil:
			s.Queues[e.Queue.Spec.ID] = e.Queue
		case kind == "agent" && e.Agent != nil:
			s.Agents[e.Agent.Spec.ID] = e.Agent
		case kind == "entry" && e.Entry != nil:
			s.Entries[e.Entry.Call] = e.Entry
		case kind == "offer" && e.Offer != nil:
			s.Offers[e.Offer.ID] = e.Offer
		case kind == "memory" && e.Memory != nil:
			s.Memories[e.Memory.Caller] = e.Memory
		case kind == "callback" && e.Callback != nil:
			s.Callbacks[e.Callback.ID] = e.Callback
		case kind == "meta":
			s.Seq, s.Zone, s.Draining = e.Seq, e.Zone, e.Draining
		default:
			errs = append(errs, fmt.Errorf("read %s: empty record", key))
		}
	}
	s.mend()
	return s, errs
}

// mend makes the references between entities agree again after records were lost: a kill between
// two writes leaves one of them old. Offers are the authority on who has whom.
func (s *State) mend() {
	for _, id := range sorted(s.Offers) {
		o := s.Offers[id]
		e, a, q := s.Entries[o.Call], s.Agents[o.Agent], s.Queues[o.Queue]
		live := o.Phase == Reserved || o.Phase == Ringing || o.Phase == Accepted
		switch {
		case o.Phase == Void:
			continue
		case a == nil, live && (e == nil || q == nil), !live && o.Phase != Talking:
			delete(s.Offers, id)
			continue
		}
		if other := s.Offers[a.Offer]; a.Offer != id && other != nil && other.Agent == o.Agent && other.Phase != Void {
			delete(s.Offers, id)
			continue
		}
		a.Offer, a.Talking, a.Accepted, a.Alerted = id, o.Phase == Talking, o.Phase == Accepted, o.Phase == Ringing
		if e != nil && o.Phase == Talking && !e.Arrived.After(o.Made) {
			delete(s.Entries, o.Call) // answered: the kill came before the entry was removed
		}
		if live && !slices.Contains(e.Offers, id) {
			e.Offers = append(e.Offers, id)
		}
	}
	for _, a := range s.Agents {
		if o := s.Offers[a.Offer]; o == nil || o.Agent != a.Spec.ID || o.Phase == Void {
			a.Offer, a.Talking, a.Accepted, a.Held, a.Alerted = "", false, false, false, false
		}
		if a.Settling == "" || a.SettleBy.IsZero() { // none without an end
			a.Settling, a.SettleBy, a.Next = "", time.Time{}, nil
		}
	}
	for _, e := range s.Entries {
		e.Offers = slices.DeleteFunc(e.Offers, func(id tel.OfferID) bool {
			o := s.Offers[id]
			return o == nil || o.Call != e.Call || (o.Phase != Reserved && o.Phase != Ringing && o.Phase != Accepted)
		})
		if len(e.Offers) == 0 {
			e.Offers, e.For = nil, ""
		}
	}
	s.mendCallbacks()
	s.reindex()
}
