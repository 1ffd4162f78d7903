package appliance

import (
	"log/slog"
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

// A line without its pin carries calls; the fault has the name of the line.
func TestAModemWhosePinCannotBeHadIsToldAndKeepsItsLine(t *testing.T) {
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, nil))
	c := config.Line{ID: "gsm0", Power: config.ModemPower{Chip: "pinctrl-rp1", Line: "GPIO23", For: time.Millisecond}}
	board := leftLit{lit: map[tel.LampID]bool{}, held: "power-gsm0"}
	s := supplyOf(c, board, log)
	if s == nil || !strings.Contains(said.String(), "line=gsm0") || !strings.Contains(said.String(), "busy") {
		t.Fatalf("%v; it says %s", s, said.String())
	}
	if err := s.Cycle(t.Context()); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("%v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	board.held = ""
	s = supplyOf(c, board, log)
	if err := s.Cycle(t.Context()); err != nil || board.lit["power-gsm0"] {
		t.Errorf("%v, cut %v", err, board.lit["power-gsm0"])
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if s := supplyOf(config.Line{ID: "gsm1"}, board, log); s != nil {
		t.Error("a line without a pin has one")
	}
}
