package replay

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Kinds of history records.
const (
	KindDecision = "acd_decision" // one event and what was decided
	KindState    = "acd_state"    // the whole state before the records that follow, or a part of it
)

// ErrRecord is returned for a record that makes no sense.
var ErrRecord = errors.New("a record of the queues makes no sense")

// Decision is a history record: given the state before it, everything needed to decide again.
type Decision struct {
	V       int             `json:"v"`
	N       uint64          `json:"n,omitempty"` // counts the decisions of one process from 1; 0 in records of before it was counted
	At      time.Time       `json:"at"`
	Seed    uint64          `json:"seed"`
	Kind    string          `json:"kind"`
	Event   json.RawMessage `json:"event"`
	Effects json.RawMessage `json:"effects"`
}

// decisionVersion is that of Decision. A newer one is refused, never guessed at.
const decisionVersion = 1

// Encode makes the record of a decision.
func Encode(n uint64, e plan.Event, at time.Time, seed uint64, effects []plan.Effect) ([]byte, error) {
	event, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	out, err := json.Marshal(effects)
	if err != nil {
		return nil, err
	}
	return json.Marshal(Decision{V: decisionVersion, N: n, At: at, Seed: seed, Kind: e.Kind(), Event: event, Effects: out})
}

// ReadDecision is the inverse of Encode. Errors: ErrRecord, plan.ErrVersion.
func ReadDecision(body []byte) (d Decision, e plan.Event, err error) {
	if err := json.Unmarshal(body, &d); err != nil {
		return d, nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if d.V != decisionVersion {
		return d, nil, fmt.Errorf("%w: decision of version %d", plan.ErrVersion, d.V)
	}
	if e, err = plan.DecodeEvent(d.Kind, d.Event); err != nil {
		return d, nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return d, e, nil
}

// Published are the events that observers were told by a decision, and when. Kinds that nothing is made of are
// left out. Errors as of ReadDecision.
func Published(body []byte) (at time.Time, all []tel.Event, err error) {
	d, _, err := ReadDecision(body)
	if err != nil {
		return at, nil, err
	}
	var effects []struct {
		Publish string          `json:"publish"`
		Body    json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(d.Effects, &effects); err != nil {
		return at, nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	decode := map[string]func([]tel.Event, []byte) ([]tel.Event, error){
		tel.QueueJoined{}.Kind(): published[tel.QueueJoined], tel.QueueLeft{}.Kind(): published[tel.QueueLeft],
		tel.QueueOffered{}.Kind(): published[tel.QueueOffered], tel.QueueOfferEnded{}.Kind(): published[tel.QueueOfferEnded],
		tel.CallbackChanged{}.Kind(): published[tel.CallbackChanged], tel.MembershipChanged{}.Kind(): published[tel.MembershipChanged],
		tel.AgentInterval{}.Kind(): published[tel.AgentInterval], tel.AgentChanged{}.Kind(): published[tel.AgentChanged],
	}
	for _, x := range effects {
		if take := decode[x.Publish]; take != nil {
			if all, err = take(all, x.Body); err != nil {
				return at, nil, err
			}
		}
	}
	return d.At, all, nil
}

func published[E tel.Event](all []tel.Event, body []byte) ([]tel.Event, error) {
	var e E
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return append(all, e), nil
}

// A whole state is gzip (RFC 1952) of its snapshot, cut into parts that journals take, each after three bytes: a
// mark, its number from 0, and how many there are. Records of before it was packed are JSON.
const (
	partMark  = 'Z'
	partSize  = 200 << 10
	mostParts = 64
	mostState = 256 << 20 // bytes of a snapshot that is unpacked
)

// EncodeState makes the records of a whole state.
func EncodeState(s *plan.State) (parts [][]byte, err error) {
	b, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	n := (packed.Len() + partSize - 1) / partSize
	if n > mostParts {
		return nil, fmt.Errorf("a state of %d bytes is too large for the journal", packed.Len())
	}
	for i := range n {
		parts = append(parts, append([]byte{partMark, byte(i), byte(n)}, packed.Next(partSize)...))
	}
	return parts, nil
}

// Whole says that a record begins a whole state.
func Whole(kind string, body []byte) bool {
	return kind == KindState && len(body) > 0 && (len(body) < 3 || body[0] != partMark || body[1] == 0)
}

// Forget empties a record that is a part of a packed state; changed says that it was one. In what is packed nobody's
// number is found to be replaced, so whoever erases a person gives up the states of before: a day is run again
// from the next one on.
func Forget(kind string, body []byte) (empty []byte, changed bool) {
	return nil, kind == KindState && len(body) > 0 && body[0] == partMark
}

// stateReader puts the parts of a state together.
type stateReader struct {
	packed []byte
	next   byte
}

// take adds a record; whole says that it completes a state. Errors: ErrRecord, plan.ErrVersion.
func (r *stateReader) take(body []byte) (s plan.State, whole bool, err error) {
	if len(body) == 0 { // given up by Forget
		r.packed, r.next = nil, 0
		return s, false, nil
	}
	if len(body) < 3 || body[0] != partMark {
		s, err = restore(body)
		return s, err == nil, err
	}
	if body[1] == 0 {
		r.packed, r.next = nil, 0
	}
	if body[1] != r.next || body[1] >= body[2] || body[2] > mostParts {
		return s, false, fmt.Errorf("%w: part %d of a state without the one before", ErrRecord, body[1])
	}
	r.packed, r.next = append(r.packed, body[3:]...), r.next+1
	if r.next < body[2] {
		return s, false, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(r.packed))
	if err != nil {
		return s, false, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	b, err := io.ReadAll(io.LimitReader(z, mostState))
	if err != nil {
		return s, false, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	s, err = restore(b)
	return s, err == nil, err
}

func restore(b []byte) (plan.State, error) {
	s, err := plan.Restore(b)
	if err != nil && !errors.Is(err, plan.ErrVersion) {
		err = fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return s, err
}
