package appliance

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// notice is how a condition stands by what observers are told.
func (b *bench) notice(condition string) tel.HealthChanged {
	for _, e := range b.box.present.snapshot().([]tel.Event) {
		if h, ok := e.(tel.HealthChanged); ok && h.Condition == condition {
			return h
		}
	}
	return tel.HealthChanged{OK: true}
}

// Notices name every queue that has passed a threshold, follow the configuration at once and end with the
// last queue.
func TestQueuesBeyondTheirThresholdsAreNamedOnThePage(t *testing.T) {
	b := start(t, `
agents: [{id: anna, name: Anna, extension: "201", login: true}, {id: bruno, name: Bruno, extension: "202", login: true}]
queues:
  - {id: sales, name: Vendite, number: "400", agents: [anna], alarms: {waiting: 1, ready: 1}}
  - {id: help, name: Aiuto, number: "401", agents: [anna, bruno], alarms: {ready: 2}}
  - {id: desk, name: Banco, number: "402", agents: [anna]}
`)
	expect := func(condition, text string) {
		t.Helper()
		b.eventually(condition+" to name "+text, func() bool {
			n := b.notice(condition)
			return n.Text == text && n.OK == (text == "")
		})
	}
	expect("alarm_ready", "Aiuto, Vendite")
	b.box.queues.Tell(tel.AgentReachable{Agent: "anna", Reachable: true})
	expect("alarm_ready", "Aiuto")
	b.box.queues.Tell(tel.AgentReachable{Agent: "bruno", Reachable: true})
	expect("alarm_ready", "")
	if err := b.box.queues.RemoveMember(t.Context(), "bruno", "help", "sara"); err != nil {
		t.Fatal(err)
	}
	expect("alarm_ready", "Aiuto")
	for _, id := range []tel.AgentID{"anna", "bruno"} {
		if err := b.box.queues.Pause(t.Context(), id, "lunch"); err != nil {
			t.Fatal(err)
		}
	}
	expect("alarm_ready", "Aiuto, Vendite")
	for _, c := range []tel.CallID{"c1", "c2"} {
		b.box.queues.Tell(tel.Enqueue{Call: c, Queue: "sales", EnqueuedAt: time.Now().Add(-time.Hour)})
	}
	expect("alarm_waiting", "Vendite")
	expect("alarm_longest", "")
	b.apply(func(c *config.Config) { c.Queues[0].Alarms = config.Alarms{Longest: 30 * time.Minute} })
	expect("alarm_longest", "Vendite")
	expect("alarm_waiting", "")
	expect("alarm_ready", "Aiuto")
	for _, c := range []tel.CallID{"c1", "c2"} {
		b.box.queues.Tell(tel.CallerGone{Call: c})
	}
	expect("alarm_longest", "")
}

// A queue is supervised in its opening hours alone: neither thresholds nor the loss of the last agent are told outside
// of them.
func TestOutsideOfTheOpeningHoursOfAQueueNobodyIsCalled(t *testing.T) {
	in3 := strings.ToLower(time.Now().AddDate(0, 0, 3).Weekday().String()[:3])
	b := start(t, `
agents: [{id: anna, name: Anna, extension: "201", login: true}]
queues:
  - {id: sales, name: Vendite, number: "400", agents: [anna], alarms: {ready: 1, hours: later}}
  - {id: help, name: Aiuto, number: "401", agents: [anna], alarms: {ready: 1}}
hours: [{id: later, name: Later, open: ["`+in3+` 09:00-18:00"], then: "queue:sales", closed: hangup}]
`)
	names := func(want string) {
		t.Helper()
		for _, condition := range []string{"alarm_ready", "unstaffed"} {
			b.eventually(condition+" to name "+want, func() bool { return b.notice(condition).Text == want })
		}
	}
	b.box.queues.Tell(tel.AgentReachable{Agent: "anna", Reachable: true})
	names("")
	b.box.queues.Tell(tel.AgentReachable{Agent: "anna"}) // the last one of both
	names("Aiuto")
	b.apply(func(c *config.Config) { c.Queues[0].Alarms.Hours = "" })
	names("Aiuto, Vendite")
	b.apply(func(c *config.Config) { c.Queues[0].Alarms.Hours = "later" })
	names("Aiuto")
}
