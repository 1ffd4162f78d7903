package media

import (
	"fmt"
	"slices"
	"testing"
)

func TestAPartyHearsItselfUntilItIsParted(t *testing.T) {
	e := startEngine(t, 22740, 22747, nil)
	a := join(t, e, "127.0.0.33", pcmu, nil)
	b := join(t, e, "127.0.0.34", pcmu, nil)
	bridge(t, a, b)
	if err := a.leg.Echo(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		a.send(fmt.Sprint("say ", i))
		got := a.receive()
		if string(got.Payload) != fmt.Sprint("say ", i) || got.SSRC == a.ssrc || got.Marker != (i == 0) {
			t.Errorf("heard %v", got)
		}
	}
	digit := a.packet([]byte{1, 0x8a, 3, 0x20})
	digit.PayloadType = 101
	a.put(digit)
	if got := a.receive(); got.PayloadType != 101 {
		t.Errorf("the digit came back as %v", got)
	}
	if d := await[Digit](t, a.sink); d.Digit != '1' {
		t.Errorf("%+v", d)
	}
	b.send("nobody hears this") // the echo took the place of the bridge
	settle(t, b.leg)
	e.Unbridge(a.leg)
	a.send("nor this")
	settle(t, a.leg)
	bridge(t, a, b)
	b.send("from b")
	a.hearsFirst("from b")
	a.send("from a")
	b.hearsFirst("from a")
}

func TestASecretPartyHearsItselfUnderTheKeyOfItsOwnDirection(t *testing.T) {
	e := startEngine(t, 22750, 22757, nil)
	a := secretly(t, e, "127.0.0.33", testKey(1), testKey(2))
	if err := a.leg.Echo(); err != nil {
		t.Fatal(err)
	}
	a.say("hello me")
	a.hears("hello me")
}

func TestAPromptIsHeardOverTheEchoAndThenTheEchoAgain(t *testing.T) {
	e := startEngine(t, 22760, 22767, nil)
	a := join(t, e, "127.0.0.33", pcmu, nil)
	clock := byHand(t, a.leg)
	if err := a.leg.Echo(); err != nil {
		t.Fatal(err)
	}
	if err := a.leg.Play([]Sound{sentence{"intro", 2}}, false, nil); err != nil {
		t.Fatal(err)
	}
	a.send("drowned")
	settle(t, a.leg)
	clock.tick(3)
	for i := range 2 {
		if got := said(a.receive()); got != fmt.Sprintf("intro PCMU %d", i) {
			t.Errorf("heard %q", got)
		}
	}
	a.send("back")
	a.hearsFirst("back")
}

func TestAnEchoGoesOnInTheNextProcess(t *testing.T) {
	journal := newJournal()
	change := func(c *Config) { c.Journal = journal }
	first := startEngine(t, 22770, 22777, change)
	a := join(t, first, "127.0.0.33", pcmu, nil)
	if err := a.leg.Echo(); err != nil {
		t.Fatal(err)
	}
	a.send("one")
	a.hearsFirst("one")
	states := journal.copy()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := startEngine(t, 22770, 22777, change)
	if _, errs := second.Restore(states); len(errs) > 0 {
		t.Fatal(errs)
	}
	a.send("two")
	a.hearsFirst("two")
}

func TestALineHearsItself(t *testing.T) {
	e := startEngine(t, 22780, 22787, nil)
	modem := &lineFake{wave: wave{hz: 700}}
	g, err := e.Open(LegConfig{Line: modem})
	if err != nil {
		t.Fatal(err)
	}
	clock := byHand(t, g)
	if err := g.Echo(); err != nil {
		t.Fatal(err)
	}
	var heard []int16
	clock.do(func(*loop) { modem.heard = nil })
	clock.tick(60)
	clock.do(func(*loop) { heard = slices.Clone(modem.heard) })
	clean(t, "the line", heard, 700, 1300)
}
