package appliance

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const sold = contracts + `
dispositions: [{code: "1", name: Venduto, queues: [sales]}, {code: "2", name: Reclamo}]
`

// What an agent says of a caller is on record with the call and its queue, also when the call has ended; what does not
// fit is refused and nothing written.
func TestWhatCameOfACallIsWrittenDown(t *testing.T) {
	b := start(t, sold)
	ctx := t.Context()
	if err := b.box.ownCommand(ctx, "anna", "dispose", "Venduto"); !errors.Is(err, errNoContact) {
		t.Errorf("of nobody: %v", err)
	}
	at := time.Now()
	answered := func(agent tel.AgentID, queue tel.QueueID, call tel.CallID) {
		b.box.tell(tel.QueueLeft{Queue: queue, Call: call, Joined: at, Left: at, Outcome: tel.OutcomeAnswered, Agent: agent})
	}
	answered("anna", "help", "c1")
	if err := b.box.ownCommand(ctx, "anna", "dispose", "Venduto"); !errors.Is(err, errDisposition) {
		t.Errorf("one of another queue: %v", err)
	}
	if d, err := b.box.desk(ctx, "anna"); err != nil || !slices.Equal(d.Dispositions, []string{"Reclamo"}) || d.Disposed != "" {
		t.Errorf("the page: %+v %v", d, err)
	}
	for _, say := range []struct {
		agent      tel.AgentID
		call, what string
	}{{"anna", "c1", "Reclamo"}, {"bruno", "c2", "Venduto"}, {"anna", "c3", "Venduto"}} {
		answered(say.agent, map[bool]tel.QueueID{true: "help", false: "sales"}[say.call == "c1"], tel.CallID(say.call))
		if err := b.box.obey(ctx, say.agent, "dispose", say.what); err != nil {
			t.Errorf("%+v: %v", say, err)
		}
		if d, err := b.box.desk(ctx, say.agent); err != nil || d.Disposed != say.what {
			t.Errorf("the page does not show it: %+v %v", d, err)
		}
	}
	var got []string
	err := b.box.history.Read(0, func(r journal.Record) error {
		if r.Kind != (tel.CallDisposed{}).Kind() {
			return nil
		}
		e, err := cdr.Decode(r.Kind, r.Body)
		if d, ok := e.(tel.CallDisposed); ok {
			got = append(got, string(d.Call)+" "+string(d.Queue)+" "+string(d.Agent)+" "+d.Disposition)
		}
		return err
	})
	if want := []string{"c1 help anna Reclamo", "c2 sales bruno Venduto", "c3 sales anna Venduto"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v: %q, want %q", err, got, want)
	}
}
