package appliance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/missed"
	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// callsBack is an office whose queue calls customers back by day.
const callsBack = `
phones:
  - {id: "201", password: correct-horse-1}
agents:
  - {id: anna, name: Anna, extension: "201", phones: ["201"]}
queues:
  - id: sales
    name: Vendite
    number: "400"
    agents: [anna]
    overflow: "outside:3339999999"
    waiting: {callback: {key: "1", hours: day}, whisper: number, empty_to: "ext:201"}
  - {id: desk, name: Banco, number: "401", agents: [anna]}
hours:
  - {id: day, name: Day, open: ["mon-fri 09:00-18:00"], then: "queue:sales", closed: hangup}
trunks:
  - {id: tim, name: TIM, server: 127.0.0.1:5999, match: [127.0.0.1/32], number: "+390612345678", in: {"+390612345678": "queue:sales"}}
routes:
  - {prefix: "", via: ["trunk:tim"]}
`

func parsedOffice(t *testing.T, text string) *numbering {
	t.Helper()
	c, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNumbering(c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Nobody can make the box call what costs, or whom it must not call.
func TestACustomerIsCalledAtTheSitesCostOnlyWhereTheQueueSaysSo(t *testing.T) {
	n := parsedOffice(t, callsBack)
	for _, tt := range []struct {
		name, queue string
		number      tel.Number
		may         bool
	}{
		{"a mobile", "sales", "3331234567", true},
		{"a mobile in international form", "sales", "+393331234567", true},
		{"a town", "sales", "0212345678", true},
		{"an emergency number", "sales", "112", false},
		{"a premium number", "sales", "899123456", false},
		{"abroad", "sales", "0033123456789", false},
		{"a colleague", "sales", "201", false},
		{"ourselves", "sales", "0612345678", false},
		{"nothing", "sales", "", false},
		{"a queue that calls nobody back", "desk", "3331234567", false},
		{"a queue that does not exist", "gone", "3331234567", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := n.mayCallBack(tt.queue, tt.number); got != tt.may {
				t.Errorf("may be called: %v", got)
			}
			d := n.Resolve(calledBack+tt.queue+"/"+string(tt.number), "", time.Now())
			if (d.Kind == call.ToOutside) != tt.may || d.Emergency {
				t.Errorf("decision %+v", d)
			}
			for _, a := range d.Attempts {
				if a.Person != "" {
					t.Errorf("%s pays", a.Person)
				}
			}
		})
	}
}

func TestAQueuesSpecSaysWhatItsConfigurationSays(t *testing.T) {
	n := parsedOffice(t, callsBack)
	queues, _ := specs(&n.cfg)
	q := queues[0].Defaults()
	if q.MaxWaitTo != "outside:3339999999" || q.FullTo != "outside:3339999999" || q.EmptyTo != "ext:201" || q.EmptyGrace != 30*time.Second {
		t.Errorf("destinations %+v", q)
	}
	w := q.Waiting
	if w.Return != 2*time.Minute || w.Whisper != "digits:400" || w.Short != 5*time.Second || !w.Callback.Enabled || w.Callback.Attempts != 3 {
		t.Errorf("waiting %+v", w)
	}
	for greeting, want := range map[string]string{"": "[] true", "none": "[] false", "closed": "[closed] false"} {
		c := n.cfg.Clone()
		if greeting != "" {
			c.Queues[0].Waiting.Greeting = []string{greeting}
		}
		other := numbering{cfg: c}
		if d := other.toQueue(dialplan.Decision{Queue: "sales"}); fmt.Sprint(d.Greeting, d.Greeting == nil) != want {
			t.Errorf("greeting %q: %q", greeting, d.Greeting)
		}
	}
	if queues[1].Waiting.Callback.Enabled {
		t.Error("the desk calls back")
	}
	if err := plan.Validate([]plan.QueueSpec{q, queues[1].Defaults()}, []plan.AgentSpec{{ID: "anna"}}); err != nil {
		t.Error(err)
	}
}

// A power cut takes the queues' memory; who hung up in the minute before it has the place again, and what is known of
// callers afterwards is on the disk at the next one.
func TestACallersPlaceSurvivesAPowerCut(t *testing.T) {
	now := time.Now().UTC()
	old := plan.Memory{
		Caller: "+393331234567", Until: now.Add(time.Minute),
		Lost: &plan.Place{Queue: "sales", EnqueuedAt: now.Add(-10 * time.Minute), LeftAt: now.Add(-time.Minute)},
	}
	var file string
	b := startWith(t, callsBack, func(o *Options) {
		file = filepath.Join(o.Dir, "memories.json")
		if err := errors.Join(os.MkdirAll(o.Dir, 0o700), statefile.Save(file, 1, []plan.Memory{old})); err != nil {
			t.Fatal(err)
		}
	}, func(*Box) {})
	b.box.queues.Tell(tel.Enqueue{Call: "c1", Queue: "sales", Caller: old.Caller, EnqueuedAt: now})
	b.box.queues.Tell(tel.Enqueue{Call: "c2", Queue: "sales", Caller: "+393339999999", EnqueuedAt: now})
	b.box.queues.Tell(tel.CallerGone{Call: "c2", Cause: tel.CauseNormal})
	v, err := b.box.queues.Snapshot(t.Context())
	if err != nil || len(v.Queues[1].Waiting) != 1 || !v.Queues[1].Waiting[0].Since.Equal(old.Lost.EnqueuedAt) {
		t.Fatalf("waiting %+v %v", v.Queues, err)
	}
	b.box.memories.Close()
	var after []plan.Memory
	if err := statefile.Load(file, 1, &after); err != nil || len(after) != 2 || after[0].Lost != nil || after[1].Lost == nil {
		t.Errorf("the disk knows %+v %v", after, err)
	}
}

// A power cut takes the queues' memory; the ledger on the disk gives the callbacks back.
func TestCallbacksAndMissedCallersSurviveAPowerCut(t *testing.T) {
	owed := tel.CallbackChanged{
		Callback: "cb7", Queue: "sales", State: tel.CallbackDialing, Number: "+393331234567", Name: "Rossi",
		EnqueuedAt: time.Now().Add(-time.Hour).UTC(), Asked: time.Now().Add(-time.Hour).UTC(), Expires: time.Now().Add(time.Hour).UTC(),
	}
	list := missed.New()
	list.Rows["+390212345678"] = tel.MissedChanged{Number: "+390212345678", Queue: "sales", Calls: 2, Last: time.Now(), Why: tel.MissedAbandoned}
	b := startWith(t, callsBack, func(o *Options) {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		file := map[string]any{"missed": list, "callbacks": map[tel.CallbackID]tel.CallbackChanged{owed.Callback: owed}}
		if err := statefile.Save(filepath.Join(o.Dir, "ledger.json"), 1, file); err != nil {
			t.Fatal(err)
		}
	}, func(*Box) {})
	v, err := b.box.queues.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, q := range v.Queues {
		for _, c := range q.Callbacks {
			got = append(got, string(c.ID)+" "+string(c.Number)+" "+c.Name)
			if !c.Since.Equal(owed.EnqueuedAt) {
				t.Errorf("the place is of %v, was of %v", c.Since, owed.EnqueuedAt)
			}
		}
	}
	if len(got) != 1 || got[0] != "cb7 +393331234567 Rossi" {
		t.Errorf("callbacks %q", got)
	}

	ask := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		b.box.commands().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
		return w
	}
	if body := ask(http.MethodGet, "/missed").Body.String(); !strings.Contains(body, `"number":"+390212345678"`) {
		t.Errorf("missed: %s", body)
	}
	for _, x := range []struct {
		path string
		want int
	}{{"/missed/Rossi", 400}, {"/missed/0299999999", 404}, {"/missed/+390212345678", 204}, {"/missed/+390212345678", 404}} {
		if got := ask(http.MethodDelete, x.path).Code; got != x.want {
			t.Errorf("DELETE %s: %d, want %d", x.path, got, x.want)
		}
	}
}

// Customers are called by day; a code that closes the office holds for callbacks, too.
func TestTheHoursOfCallbacksAreToldToTheQueues(t *testing.T) {
	b := start(t, callsBack)
	for _, open := range []bool{false, true} {
		forced := dialplan.ForceClosed
		if open {
			forced = dialplan.ForceOpen
		}
		if err := b.box.personal.Change(t.Context(), dialplan.Change{Kind: dialplan.ForceHours, Hours: "day", Override: forced}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); b.box.openingHours(ctx) }()
		b.eventually("the queue knows", func() bool {
			v, err := b.box.queues.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range v.Queues {
				if q.ID == "sales" && q.Closed == open || q.ID == "desk" && q.Closed {
					return false
				}
			}
			return true
		})
		cancel()
		<-done
	}
}
