package appliance

import (
	"context"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/feed"
	"github.com/pronto-pbx/pronto/firmware/health"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

const lampHouse = `
lamps:
  - {id: desk1, driver: sim}
  - {id: seat, driver: sim, shows: "desk:203", button: sim}
  - {id: sales, driver: sim, shows: "queue:sales"}
  - {id: low, driver: sim, shows: "queue:sales", lens: green}
  - {id: mid, driver: sim, shows: "queue:sales", lens: amber}
  - {id: top, driver: sim, shows: "queue:sales", lens: red}
  - {id: gsm, driver: sim, shows: "line:gsm0"}
  - {id: box, driver: sim, shows: system}
phones: [{id: "201", name: Anna, password: password-of-201}, {id: "203", name: Banco, password: password-of-203}]
agents: [{id: anna, name: Anna, extension: "201", phones: ["201"], lamp: desk1}]
queues:
  - {id: sales, name: Vendite, number: "400", agents: [anna], distribution: {target: 1s}}
  - {id: help, name: Aiuto, number: "401", agents: [anna]}
lines: [{id: gsm0, name: Mobile, type: gsm, at: at0, in: "queue:sales"}]
`

// lampSays waits until a lamp says something.
func (b *bench) lampSays(id tel.LampID, want lamp.State) {
	b.t.Helper()
	b.eventually("lamp "+string(id)+" to say "+string(want), func() bool {
		_, ok := now(b, func(e tel.LampChanged) bool { return e.Lamp == id && e.Says == string(want) })
		return ok
	})
}

func TestLampsOfQueuesLinesDesksAndTheBoxFollowThem(t *testing.T) {
	b := start(t, lampHouse)
	for id, want := range map[tel.LampID]lamp.State{"desk1": "logged_out", "seat": lamp.Dark, "sales": lamp.QueueCalm, "low": lamp.StackCalm, "top": lamp.Dark} {
		b.lampSays(id, want)
	}

	at := time.Now()
	b.box.publish(tel.QueueJoined{Queue: "help", Call: "c0", At: at.Add(-time.Hour)}) // of another queue
	b.box.publish(tel.QueueJoined{Queue: "sales", Call: "c1", At: at.Add(time.Hour)}) // a clock that is set back: not late
	for id, want := range map[tel.LampID]lamp.State{"sales": lamp.QueueWaits, "low": lamp.Dark, "mid": lamp.StackWaits} {
		b.lampSays(id, want)
	}
	b.box.publish(tel.QueueJoined{Queue: "sales", Call: "c2", At: at.Add(-time.Second)})
	for id, want := range map[tel.LampID]lamp.State{"sales": lamp.QueueLate, "mid": lamp.Dark, "top": lamp.StackLate} {
		b.lampSays(id, want)
	}
	b.box.publish(tel.QueueLeft{Queue: "sales", Call: "c2", Joined: at, Left: at, Outcome: tel.OutcomeAbandoned})
	b.lampSays("sales", lamp.QueueWaits)
	b.box.publish(tel.QueueJoined{Queue: "help", Call: "c1", At: at}) // moved there
	b.lampSays("sales", lamp.QueueCalm)
	b.lampSays("low", lamp.StackCalm)

	b.box.publish(tel.LineChanged{Line: "line:gsm0", Up: true, Calls: 1})
	b.lampSays("gsm", lamp.LineInUse)
	b.box.publish(tel.LineChanged{Line: "line:gsm0", Cause: tel.LineNoSIM})
	b.lampSays("gsm", lamp.LineFault)
	b.box.publish(tel.HealthChanged{Condition: "journal", Severity: "error"})
	b.lampSays("box", lamp.SystemTrouble)

	b.box.publish(tel.AgentChanged{Agent: "anna", State: tel.AgentTalking})
	b.lampSays("desk1", "talking")
	b.box.publish(tel.SeatChanged{Device: "203", Agent: "anna"})
	b.lampSays("seat", "talking")
	b.box.publish(tel.SeatChanged{Device: "203"})
	b.lampSays("seat", lamp.Dark)
}

func TestTheReportOfTheInstallerSaysWhatEachLampIsOfAndShows(t *testing.T) {
	b := start(t, lampHouse)
	b.box.publish(tel.QueueJoined{Queue: "sales", Call: "c1", At: time.Now().Add(time.Hour)})
	b.box.publish(tel.LineChanged{Line: "line:gsm0", Cause: tel.LineNoSIM})
	b.box.publish(tel.HealthChanged{Condition: "journal", Severity: "error"})
	for id, want := range map[tel.LampID]lamp.State{"sales": lamp.QueueWaits, "gsm": lamp.LineFault, "box": lamp.SystemTrouble, "desk1": "logged_out"} {
		b.lampSays(id, want)
	}
	now, err := b.box.presentNow()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][2]page.Cell{} // whose, and what it shows
	for _, row := range b.box.reportLamps(now).Rows {
		got[row[0].Text] = [2]page.Cell{row[1], row[3]}
	}
	for id, want := range map[string][2]page.Cell{
		"desk1": {text("Anna"), says("signal.logged_out")},
		"seat":  {text("Banco"), {}}, // nobody sits there
		"sales": {text("Vendite"), says("signal.queue_waits")},
		"gsm":   {text("Mobile"), says("signal.line_fault")},
		"box":   {says("lamp.of.system"), says("signal.system_trouble")},
	} {
		if !reflect.DeepEqual(got[id], want) {
			t.Errorf("lamp %s: %+v, want %+v", id, got[id], want)
		}
	}
}

func TestAChangedTableOrAssignmentOfLampsIsAppliedAndKeepsWhatIsKnown(t *testing.T) {
	b := start(t, lampHouse)
	b.box.publish(tel.QueueJoined{Queue: "sales", Call: "c1", At: time.Now().Add(time.Hour)})
	b.box.publish(tel.AgentChanged{Agent: "anna", State: tel.AgentPaused})
	b.lampSays("sales", lamp.QueueWaits)
	said := b.apply(func(c *config.Config) {
		c.Lights.Rows = []config.LightRow{{ID: "paused", Colours: []string{"#ffffff"}, Level: 50, Rhythm: []int{200, 600}}}
		c.Lamps[1].Shows = "agent:anna"
		c.Lamps[1].Button = ""
	})
	if said["lamps"] != live.Applied {
		t.Fatalf("%v", said)
	}
	b.lampSays("sales", lamp.QueueWaits)
	b.lampSays("seat", "paused")
	if said := b.apply(func(c *config.Config) { c.Box.Name = "Altra" }); said["lamps"] != live.Unchanged {
		t.Errorf("another name makes new lamps: %v", said)
	}
}

// Whoever is slow to hear of things delays no lamp: the feed has a reader who never reads.
func TestALampIsToldBeforeAndWithoutTheOthersWhoWatch(t *testing.T) {
	b := start(t, lampHouse)
	deaf := b.box.feed.Subscribe(b.box.feed.Last(), 16)
	defer deaf.Close()
	for range 20_000 { // far more than any reader is kept for
		b.box.publish(tel.HealthChanged{Condition: "journal", OK: true, Severity: "error"})
	}
	b.box.publish(tel.AgentChanged{Agent: "anna", State: tel.AgentTalking})
	b.lampSays("desk1", "talking")
}

func TestNobodySaysThatQueuesAnswerWhichDoNot(t *testing.T) {
	b := start(t, lampHouse)
	if err := b.box.lamps.heartbeat(t.Context()); err != nil {
		t.Fatalf("queues that answer: %v", err)
	}
	over, stop := context.WithCancel(t.Context())
	stop()
	b.box.queues.Close()
	if err := b.box.lamps.heartbeat(over); err == nil {
		t.Error("queues that have ended are said to answer")
	}
}

// pin is a light that tells what is written to it.
type pin struct {
	id  tel.LampID
	put chan lamp.Level
}

func (p pin) ID() tel.LampID         { return p.id }
func (p pin) Set(l lamp.Level) error { p.put <- l; return nil }
func (p pin) Close() error           { return nil }
func (p pin) until(lit bool) lamp.Level { // waits for that level
	for {
		if l := <-p.put; (l.Brightness > 0) == lit {
			return l
		}
	}
}

// pinBoard has one.
type pinBoard struct {
	simBoard
	pin pin
}

func (b pinBoard) Lights([]config.Lamp) ([]lamp.Light, error) { return []lamp.Light{b.pin}, nil }

// BenchmarkFromStateToPin prints how long it takes from what an agent does to the write at the light, through
// everything that is told of it before the lamps are.
func BenchmarkFromStateToPin(b *testing.B) {
	c, err := config.Parse([]byte("version: 1\nbox: {name: x}\n" + lampHouse))
	if err != nil {
		b.Fatal(err)
	}
	c.Lamps = c.Lamps[:1]
	out := pin{"desk1", make(chan lamp.Level, 1024)}
	x := &Box{log: slog.New(slog.DiscardHandler), opts: Options{Board: pinBoard{pin: out}}, present: newPresent(time.UTC)}
	x.feed = feed.New(4096, x.present.snapshot)
	x.health = health.New(func(tel.HealthChanged) {}, conditions()...)
	x.lamps.b = x
	n, err := newNumbering(c)
	if err != nil {
		b.Fatal(err)
	}
	x.adopt(n)
	if err := x.lamps.open(&c); err != nil {
		b.Fatal(err)
	}
	defer x.lamps.close()
	states := []tel.AgentState{tel.AgentTalking, tel.AgentLoggedOut}
	for i := 0; b.Loop(); i++ {
		e := tel.AgentChanged{Agent: "anna", State: states[i%2]}
		x.present.apply(e)
		x.lamps.tell(e)
		out.until(i%2 == 0)
	}
}
