package presence

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/presence/core"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// subscription is one watcher's view of one resource: a plain value but for its place in the owner's
// agenda.
type subscription struct {
	ID       string       `json:"id"` // our tag
	Package  Package      `json:"package"`
	EventID  string       `json:"event_id,omitempty"`
	User     string       `json:"user"` // the number that was asked for
	Resource string       `json:"resource"`
	Watcher  tel.DeviceID `json:"watcher"`
	Reported []string     `json:"reported,omitempty"` // what the last document named as alive
	Progress progress     `json:"progress,omitzero"`  // of a REFER: what was told last, or will be next
	State    core.State   `json:"state"`
	path

	due   time.Time // of the next wake
	place int       // in the agenda; -1 = not in it
}

func (s *subscription) topic() topic { return topic{s.Package, s.Resource} }

const snapshotVersion = 1

type record struct {
	V            int           `json:"v"`
	Subscription *subscription `json:"subscription"`
}

var errRecord = errors.New("not a subscription of this program")

func encode(s *subscription) ([]byte, error) {
	return json.Marshal(record{snapshotVersion, s})
}

func decode(value []byte) (*subscription, error) {
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return nil, fmt.Errorf("read a subscription: %w", err)
	}
	if r.V != snapshotVersion {
		return nil, fmt.Errorf("%w: version %d, it reads %d", errRecord, r.V, snapshotVersion)
	}
	s := r.Subscription
	if s == nil || s.ID == "" || s.CallID == "" || s.RemoteTag == "" || s.Package.mediaType() == "" || !s.Flow.Remote.IsValid() {
		return nil, fmt.Errorf("%w: a part is missing", errRecord)
	}
	for _, uri := range append([]string{s.Target}, s.Routes...) {
		var u sip.Uri
		if sip.ParseUri(uri, &u) != nil || !usable(u) {
			return nil, fmt.Errorf("%w: %q is no URI", errRecord, uri)
		}
	}
	s.place = -1
	return s, nil
}

func decodeAll(states map[string][]byte) ([]*subscription, error) {
	var all []*subscription
	var errs []error
	for key, value := range states {
		s, err := decode(value)
		if err != nil {
			errs = append(errs, fmt.Errorf("subscription %q: %w", key, err))
			continue
		}
		all = append(all, s)
	}
	return all, errors.Join(errs...)
}

// feed moves a subscription and carries the effects out. tx is the SUBSCRIBE of the event, or nil.
func (o *owner) feed(sub *subscription, e core.Event, tx Transaction) {
	var effects []core.Effect
	sub.State, effects = core.Next(sub.State, e, time.Now())
	var body []byte
	for _, ef := range effects {
		if n, ok := ef.(core.Notify); ok { // before Keep: what the document names is kept with it
			body = o.document(sub, n)
		}
	}
	unsent := uint32(0)
	for _, ef := range effects {
		switch ef := ef.(type) {
		case core.Keep:
			o.keep(sub)
		case core.Answer:
			o.answer(sub, tx, ef)
		case core.Notify:
			if !o.notify(sub, ef, body) {
				unsent = ef.CSeq
			}
		case core.Forget:
			o.drop(sub)
		}
	}
	if o.subs[sub.ID] != sub {
		return
	}
	o.schedule(sub)
	if unsent != 0 {
		o.lost(sub, unsent)
	}
}

// lost ends a subscription whose watcher cannot be reached.
func (o *owner) lost(sub *subscription, cseq uint32) {
	o.outcome(sub, core.Lost{CSeq: cseq})
}

// outcome feeds the outcome of a NOTIFY and counts the subscription that ends by it while its
// watcher still wanted it.
func (o *owner) outcome(sub *subscription, e core.Event) {
	active := sub.State.Phase == core.Active
	o.feed(sub, e, nil)
	if active && sub.State.Phase == core.Ended {
		o.s.count.failed.Add(1)
		o.s.cfg.Log.Info("a phone does not take what it watches", "device", sub.Watcher, "package", sub.Package, "resource", sub.Resource, "why", fmt.Sprintf("%+v", e))
	}
}

func (o *owner) keep(sub *subscription) {
	j := o.s.cfg.Journal
	if j == nil {
		return
	}
	value, err := encode(sub)
	if err == nil {
		err = j.Put(JournalKind, sub.ID, value)
	}
	if err != nil {
		// The watcher is told all the same; only a crash would forget it.
		o.s.cfg.Log.Warn("subscription not kept", "err", err)
	}
}
