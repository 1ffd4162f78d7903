package appliance

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const buttonHouse = `
phones: [{id: "201", name: Anna, password: password-of-201}, {id: "203", name: Banco, password: password-of-203}]
agents: [{id: anna, name: Anna, extension: "201", phones: ["201"]}]
queues: [{id: sales, name: Vendite, number: "400", agents: [anna]}]
pauses: {only: true, reasons: [{code: "1", name: Pranzo}, {code: "2", name: Riunione}]}
buttons:
  - {id: work, of: "agent:anna", use: ready, driver: sim}
  - {id: lunch, of: "agent:anna", use: pause, driver: sim}
  - {id: meeting, of: "agent:anna", use: pause, reason: Riunione, driver: sim}
  - {id: help, of: "desk:203", use: help, driver: sim}
`

// presses a button, and waits until its agent does that.
func (b *bench) presses(button tel.LampID, want func(tel.AgentChanged) bool) {
	b.t.Helper()
	if !b.box.lamps.press(button) {
		b.t.Fatalf("no button %q was found", button)
	}
	b.eventually("the press of "+string(button)+" to be carried out", func() bool {
		e, _ := b.box.present.agent("anna")
		return want(e)
	})
}

func TestButtonsForWorkForAPauseAndForHelpDoEachTheirPart(t *testing.T) {
	b := start(t, buttonHouse)
	b.box.queues.Tell(tel.AgentReachable{Agent: "anna", Reachable: true})
	is := func(s tel.AgentState, reason string) func(tel.AgentChanged) bool {
		return func(e tel.AgentChanged) bool { return e.State == s && e.Reason == reason }
	}
	b.presses("work", is(tel.AgentReady, ""))
	b.presses("lunch", is(tel.AgentPaused, "Pranzo"))
	b.presses("work", is(tel.AgentReady, ""))
	b.presses("meeting", is(tel.AgentPaused, "Riunione"))

	// The button for help stands at a shared phone.
	if err := b.box.personal.Change(t.Context(), dialplan.Change{Kind: dialplan.Sit, Agent: "anna", Device: "203"}); err != nil {
		t.Fatal(err)
	}
	b.presses("help", func(e tel.AgentChanged) bool { return e.Help })
	b.presses("help", func(e tel.AgentChanged) bool { return !e.Help && e.State == tel.AgentPaused })
}

func TestOtherButtonsAreAppliedWithoutALampBeingOther(t *testing.T) {
	b := start(t, buttonHouse)
	said := b.apply(func(c *config.Config) {
		c.Buttons = append(c.Buttons[:1:1], config.Button{ID: "fresh", Of: "agent:anna", Use: "help", Driver: "sim"})
	})
	if said["lamps"] != live.Applied {
		t.Errorf("%v", said)
	}
	if b.box.lamps.press("lunch") || !b.box.lamps.press("fresh") || !b.box.lamps.press("work") {
		t.Error("other buttons than those that are configured")
	}
}

// A line without its pin carries calls; the fault has the name of the line, and ends with the pin or with the line.
func TestAModemWhosePinCannotBeHadIsToldAndKeepsItsLine(t *testing.T) {
	board := leftLit{lit: map[tel.LampID]bool{}, held: "power-gsm0"}
	b := startWith(t, buttonHouse, func(o *Options) { o.Board = &board }, func(*Box) {})
	all := &b.box.lines.supplies
	told := func(want bool) {
		t.Helper()
		if n := b.notice("supplies"); n.OK == want || want && (!strings.Contains(n.Text, "gsm0") || !strings.Contains(n.Text, "busy")) {
			t.Errorf("told %+v, want a fault: %v", n, want)
		}
	}
	c := config.Line{ID: "gsm0", Power: config.ModemPower{Chip: "pinctrl-rp1", Line: "GPIO23", For: time.Millisecond}}
	s := all.of(c)
	if s == nil {
		t.Fatal("a pin that cannot be had is none")
	}
	told(true)
	if err := s.Cycle(t.Context()); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("%v", err)
	}
	told(true)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	told(false)

	s = all.of(c)
	told(true)
	board.held = ""
	if err := s.Cycle(t.Context()); err != nil || board.lit["power-gsm0"] {
		t.Errorf("%v, cut %v", err, board.lit["power-gsm0"])
	}
	told(false)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if s := all.of(config.Line{ID: "gsm1"}); s != nil {
		t.Error("a line without a pin has one")
	}
}
