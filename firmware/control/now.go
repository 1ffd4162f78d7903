package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Present is what holds at one moment, as prontod tells it.
type Present struct {
	Agents     map[tel.AgentID]tel.AgentChanged
	Lamps      map[tel.AgentID]tel.LampChanged // by whose state they show
	AllLamps   map[tel.LampID]tel.LampChanged  // those of nobody, of queues, lines and the box included
	Devices    map[tel.DeviceID]tel.DeviceChanged
	Lines      map[string]tel.LineChanged
	Waits      []tel.QueueJoined // in the order in which they came
	Expected   map[tel.CallID]tel.WaitExpected
	Offers     []tel.QueueOffered
	Calls      []tel.CallChanged
	Callbacks  []tel.CallbackChanged           // open ones, in the order in which they were asked for
	Missed     []tel.MissedChanged             // whom somebody should call
	Health     map[string]tel.HealthChanged    // by condition
	Supervised map[tel.AgentID]tel.Supervision // that run
	Today      tel.FiguresChanged

	Conferences []tel.ConferenceChanged // rooms in which somebody is
	RTPTrace    tel.RTPTraceChanged     // On: whose RTP is kept in traces
}

// fact is one thing that holds: an event with its kind.
type fact[E any] struct {
	Kind  string `json:"kind"`
	Event E      `json:"event"`
}

// EncodePresent writes what holds, as DecodePresent reads it.
func EncodePresent(events []tel.Event) ([]byte, error) {
	all := make([]fact[tel.Event], 0, len(events))
	for _, e := range events {
		all = append(all, fact[tel.Event]{e.Kind(), e})
	}
	return json.Marshal(all)
}

// DecodePresent reads what EncodePresent has written. Kinds that this program does not look at are left out.
func DecodePresent(body []byte) (Present, error) {
	p := Present{
		Agents: map[tel.AgentID]tel.AgentChanged{}, Lamps: map[tel.AgentID]tel.LampChanged{}, AllLamps: map[tel.LampID]tel.LampChanged{}, Devices: map[tel.DeviceID]tel.DeviceChanged{},
		Lines: map[string]tel.LineChanged{}, Expected: map[tel.CallID]tel.WaitExpected{}, Health: map[string]tel.HealthChanged{},
		Supervised: map[tel.AgentID]tel.Supervision{},
	}
	var all []fact[json.RawMessage]
	if err := json.Unmarshal(body, &all); err != nil {
		return p, fmt.Errorf("prontod's answer: %w", err)
	}
	for _, f := range all {
		if err := p.take(f.Kind, f.Event); err != nil {
			return p, fmt.Errorf("prontod's answer, %s: %w", f.Kind, err)
		}
	}
	return p, nil
}

func (p *Present) take(kind string, body []byte) error {
	switch kind {
	case tel.AgentChanged{}.Kind():
		return read(body, func(e tel.AgentChanged) { p.Agents[e.Agent] = e })
	case tel.LampChanged{}.Kind():
		return read(body, func(e tel.LampChanged) {
			p.AllLamps[e.Lamp] = e
			if e.Agent != "" {
				p.Lamps[e.Agent] = e
			}
		})
	case tel.DeviceChanged{}.Kind():
		return read(body, func(e tel.DeviceChanged) { p.Devices[e.Device] = e })
	case tel.LineChanged{}.Kind():
		return read(body, func(e tel.LineChanged) { p.Lines[e.Line] = e })
	case tel.QueueJoined{}.Kind():
		return read(body, func(e tel.QueueJoined) { p.Waits = append(p.Waits, e) })
	case tel.WaitExpected{}.Kind():
		return read(body, func(e tel.WaitExpected) { p.Expected[e.Call] = e })
	case tel.QueueOffered{}.Kind():
		return read(body, func(e tel.QueueOffered) { p.Offers = append(p.Offers, e) })
	case tel.CallChanged{}.Kind():
		return read(body, func(e tel.CallChanged) { p.Calls = append(p.Calls, e) })
	case tel.CallbackChanged{}.Kind():
		return read(body, func(e tel.CallbackChanged) { p.Callbacks = append(p.Callbacks, e) })
	case tel.MissedChanged{}.Kind():
		return read(body, func(e tel.MissedChanged) { p.Missed = append(p.Missed, e) })
	case tel.HealthChanged{}.Kind():
		return read(body, func(e tel.HealthChanged) { p.Health[e.Condition] = e })
	case tel.ConferenceChanged{}.Kind():
		return read(body, func(e tel.ConferenceChanged) { p.Conferences = append(p.Conferences, e) })
	case tel.RTPTraceChanged{}.Kind():
		return read(body, func(e tel.RTPTraceChanged) { p.RTPTrace = e })
	case tel.SupervisionStarted{}.Kind():
		return read(body, func(e tel.SupervisionStarted) { p.Supervised[e.Agent] = e.Supervision })
	case tel.FiguresChanged{}.Kind():
		return read(body, func(e tel.FiguresChanged) { p.Today = e })
	default:
		return nil
	}
}

func read[E any](body []byte, use func(E)) error {
	var e E
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	use(e)
	return nil
}

// Now asks prontod what holds.
func Now(ctx context.Context, dir string) (Present, error) {
	body, status, err := Ask(ctx, dir, http.MethodGet, "/now")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("prontod answers %d: %s", status, body)
	}
	if err != nil {
		return Present{}, err
	}
	return DecodePresent(body)
}
