package pbxtest

import (
	"context"
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Now is what the box says of itself at one moment.
type Now = control.Present

// Now asks prontod what holds.
func (o *Office) Now() (Now, error) { return control.Now(context.Background(), o.Dir) }

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

// Dispositions waits until recordd has n of them and returns them, newest first.
func (o *Office) Dispositions(n int) []store.Disposition {
	o.t.Helper()
	return records(o, "disposition", n, func(ctx context.Context, s store.Span) (store.Page[store.Disposition], error) {
		return o.Records.ListDispositions(ctx, store.DispositionQuery{Span: s})
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
