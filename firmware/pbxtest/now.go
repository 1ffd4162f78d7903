package pbxtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Now is what the box says of itself at one moment.
type Now struct {
	Agents     map[tel.AgentID]tel.AgentChanged
	Lamps      map[tel.AgentID]tel.LampChanged
	Devices    map[tel.DeviceID]tel.DeviceChanged
	Lines      map[string]tel.LineChanged
	Waits      []tel.QueueJoined // in the order of the queue
	Offers     []tel.QueueOffered
	Calls      []tel.CallChanged
	Health     map[string]tel.HealthChanged    // by condition
	Supervised map[tel.AgentID]tel.Supervision // that run
}

// Now asks prontod what holds.
func (o *Office) Now() (Now, error) {
	n := Now{
		Agents: map[tel.AgentID]tel.AgentChanged{}, Lamps: map[tel.AgentID]tel.LampChanged{},
		Devices: map[tel.DeviceID]tel.DeviceChanged{}, Lines: map[string]tel.LineChanged{}, Health: map[string]tel.HealthChanged{},
		Supervised: map[tel.AgentID]tel.Supervision{},
	}
	body, status, err := control.Ask(context.Background(), o.Dir, http.MethodGet, "/now")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("prontod answers %d: %s", status, body)
	}
	if err != nil {
		return n, err
	}
	var all []struct {
		Kind  string          `json:"kind"`
		Event json.RawMessage `json:"event"`
	}
	if err := json.Unmarshal(body, &all); err != nil {
		return n, err
	}
	for _, e := range all {
		if err := n.take(e.Kind, e.Event); err != nil {
			return n, fmt.Errorf("%s: %w", e.Kind, err)
		}
	}
	return n, nil
}

func (n *Now) take(kind string, body []byte) error {
	switch kind {
	case tel.AgentChanged{}.Kind():
		e, err := read[tel.AgentChanged](body)
		n.Agents[e.Agent] = e
		return err
	case tel.LampChanged{}.Kind():
		e, err := read[tel.LampChanged](body)
		n.Lamps[e.Agent] = e
		return err
	case tel.DeviceChanged{}.Kind():
		e, err := read[tel.DeviceChanged](body)
		n.Devices[e.Device] = e
		return err
	case tel.LineChanged{}.Kind():
		e, err := read[tel.LineChanged](body)
		n.Lines[e.Line] = e
		return err
	case tel.QueueJoined{}.Kind():
		e, err := read[tel.QueueJoined](body)
		n.Waits = append(n.Waits, e)
		return err
	case tel.QueueOffered{}.Kind():
		e, err := read[tel.QueueOffered](body)
		n.Offers = append(n.Offers, e)
		return err
	case tel.HealthChanged{}.Kind():
		e, err := read[tel.HealthChanged](body)
		n.Health[e.Condition] = e
		return err
	case tel.SupervisionStarted{}.Kind():
		e, err := read[tel.SupervisionStarted](body)
		n.Supervised[e.Agent] = e.Supervision
		return err
	case tel.CallChanged{}.Kind():
		e, err := read[tel.CallChanged](body)
		n.Calls = append(n.Calls, e)
		return err
	}
	return nil
}

func read[E any](body []byte) (e E, err error) {
	err = json.Unmarshal(body, &e)
	return e, err
}

// patience bounds every wait for something that takes milliseconds when all is well.
const patience = 15 * time.Second

// Until waits until the box says so, and fails the test with what it says instead.
func (o *Office) Until(what string, is func(Now) bool) Now {
	o.t.Helper()
	var n Now
	var err error
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if n, err = o.Now(); err == nil && is(n) {
			return n
		}
		if time.Now().After(deadline) {
			o.t.Fatalf("waited in vain for %s: %+v, %v", what, n, err)
		}
	}
}

// Lamp waits until an agent and the lamp on the desk show a state.
func (o *Office) Lamp(agent int, state tel.AgentState) {
	o.t.Helper()
	id := tel.AgentID(fmt.Sprintf("agent%d", agent))
	o.Until(fmt.Sprintf("%s and the lamp to be %s", id, state), func(n Now) bool {
		return n.Agents[id].State == state && n.Lamps[id].State == state && !n.Lamps[id].Fault
	})
}

// Phone waits until a phone is registered and answers.
func (o *Office) Phone(number int) {
	o.t.Helper()
	id := tel.DeviceID(fmt.Sprint(number))
	o.Until(fmt.Sprintf("phone %d to be reachable", number), func(n Now) bool { return n.Devices[id].Reachable })
}

// Line waits until a trunk or a line ("line:gsm0") is up, or down.
func (o *Office) Line(name string, up bool) {
	o.t.Helper()
	o.Until(fmt.Sprintf("%s up=%v", name, up), func(n Now) bool { l, ok := n.Lines[name]; return ok && l.Up == up })
}

// Alarm waits until a condition of the box is reported as failed, or as well, and returns its text.
func (o *Office) Alarm(condition string, failed bool) string {
	o.t.Helper()
	n := o.Until(fmt.Sprintf("the condition %s failed=%v", condition, failed), func(n Now) bool {
		h, ok := n.Health[condition]
		return ok && h.OK != failed || !ok && !failed
	})
	return n.Health[condition].Text
}

// CallRecords waits until recordd has n call records and returns them, newest first.
func (o *Office) CallRecords(n int) []store.Call {
	o.t.Helper()
	return records(o, "call", n, func(ctx context.Context, s store.Span) (store.Page[store.Call], error) {
		return o.Records.ListCalls(ctx, store.CallQuery{Span: s})
	})
}

// WaitRecords waits until recordd has n queue records and returns them, newest first.
func (o *Office) WaitRecords(n int) []store.Wait {
	o.t.Helper()
	return records(o, "queue", n, func(ctx context.Context, s store.Span) (store.Page[store.Wait], error) {
		return o.Records.ListWaits(ctx, store.WaitQuery{Span: s})
	})
}

// TextRecords waits until recordd has n records of short messages and returns them, newest first.
func (o *Office) TextRecords(n int) []store.SMS {
	o.t.Helper()
	return records(o, "message", n, func(ctx context.Context, s store.Span) (store.Page[store.SMS], error) {
		return o.Records.ListTexts(ctx, store.TextQuery{Span: s})
	})
}

func records[R any](o *Office, kind string, n int, list func(context.Context, store.Span) (store.Page[R], error)) []R {
	o.t.Helper()
	var all []R
	var err error
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if all, err = pages(list); err == nil && len(all) >= n || time.Now().After(deadline) {
			break
		}
	}
	if err != nil || len(all) != n {
		o.t.Fatalf("%d %s records, want %d: %+v, %v", len(all), kind, n, all, err)
	}
	return all
}

// pages reads every page.
func pages[R any](list func(context.Context, store.Span) (store.Page[R], error)) (all []R, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for s := (store.Span{Limit: store.MaxLimit}); ; {
		page, err := list(ctx, s)
		if err != nil {
			return all, err
		}
		if all = append(all, page.Items...); page.Next == "" {
			return all, nil
		}
		s.Cursor = page.Next
	}
}
