package appliance

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/record"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/web"
)

func TestARecordingIsBegunPausedAndEndedWithTheButtonsOfThePage(t *testing.T) {
	b := start(t, shop+`
recording:
  purposes: [{id: quality, name: Qualità, days: 90}]
  rules: [{id: asked, record: demand, purpose: quality, agents: [anna]}]
`)
	stands := func() page.Tape {
		d, err := b.box.desk(t.Context(), "anna")
		if err != nil {
			t.Fatal(err)
		}
		d.Tape.Action = ""
		return d.Tape
	}
	presses := func(do string) {
		t.Helper()
		if err := b.box.ownCommand(t.Context(), "anna", do, ""); err != nil {
			t.Fatalf("%s: %v", do, err)
		}
	}
	if err := b.box.ownCommand(t.Context(), "anna", "record", ""); !errors.Is(err, errNoTape) {
		t.Errorf("where nobody talks: %v", err)
	}
	if sentence, err := b.box.orderFromPage(t.Context(), web.Order{Do: "record", Agent: "anna", By: "sara"}); sentence != "tape.none" || err != nil {
		t.Errorf("a supervisor is told %q, %v", sentence, err)
	}
	anna, _ := b.talker("201", 440)
	_, bruno := b.talker("202", 620)
	c, err := anna.Dial(peer.Outgoing{To: "202"})
	if err != nil {
		t.Fatal(err)
	}
	picksUp(t, bruno)
	hears(b, "Anna", c, 620)
	b.eventually("a recording is offered", func() bool { return stands() == page.Tape{Offer: true} })
	if p := b.box.tapeOf("bruno", true); p.Any() {
		t.Errorf("to Bruno, of whom no rule speaks: %+v", p)
	}
	presses("record")
	b.eventually("it runs", func() bool { return stands() == page.Tape{On: true, Ends: true} })
	presses("record_pause")
	b.eventually("it is paused", func() bool { return stands() == page.Tape{On: true, Ends: true, Paused: true} })
	presses("record_resume")
	b.eventually("it goes on", func() bool { return stands() == page.Tape{On: true, Ends: true} })
	if sentence, err := b.box.orderFromPage(t.Context(), web.Order{Do: "record_stop", Agent: "anna", By: "sara"}); sentence != "" || err != nil {
		t.Errorf("the supervisor ends it: %q, %v", sentence, err)
	}
	b.eventually("it has ended", func() bool { return len(b.parts()) == 1 && stands() == page.Tape{Offer: true} })
	l := &listening{archive: b.box.taping.archive, whole: b.box.taping.whole}
	if p, ok := l.Part(b.parts()[0].ID); !ok || len(p.Gaps) != 1 || p.Gaps[0].Why != "card" {
		t.Errorf("%+v", p)
	}
	if !slices.ContainsFunc(b.deeds(), func(d string) bool { return strings.HasPrefix(d, "recording_ordered anna stop") }) {
		t.Errorf("the audit log says %v", b.deeds())
	}
	c.Hangup()

	b.apply(func(c *config.Config) { c.Recording.Rules[0].Record = config.RecordAlways })
	if c, err = anna.Dial(peer.Outgoing{To: "202"}); err != nil {
		t.Fatal(err)
	}
	picksUp(t, bruno)
	b.eventually("what the house wants runs, and cannot be ended by one", func() bool { return stands() == page.Tape{On: true} })
	l.Check()
	b.eventually("it was checked while it runs", func() bool { w := l.Checked(); return !w.Running && w.Files == 1 && w.Open == 1 && len(w.Wrong) == 0 })
	if n, bytes := l.Total(); n != 2 || bytes == 0 {
		t.Errorf("%d recordings of %d bytes", n, bytes)
	}
	c.Hangup()
	b.eventually("both are there", func() bool { return len(b.parts()) == 2 })
	id := b.parts()[0].ID
	if err := b.box.taping.archive.Delete(id, "sara", record.WhyPerson); err != nil {
		t.Fatal(err)
	}
	l.Check()
	b.eventually("one is left, and whole", func() bool { w := l.Checked(); return !w.Running && w.Files == 1 && w.Open == 0 && len(w.Wrong) == 0 })
}
