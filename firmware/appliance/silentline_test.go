package appliance

import (
	"errors"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// A modem whose sound stays on its pins takes messages. A caller would hear nothing, so there is the busy
// tone instead; only an emergency call goes out all the same, because somebody may come to look.
func TestALineWithoutSoundCarriesNoCallsAndSaysWhy(t *testing.T) {
	b := start(t, shop+"lines:\n  - {id: gsm0, name: Mobile, type: gsm, at: at0, in: \"queue:sales\"}\n")
	l := b.board.made("gsm0")
	l.silent.Store(true)
	l.events <- line.Event{Kind: line.Status, Status: tel.LineChanged{Line: "line:gsm0", Name: "Mobile", Type: "gsm", Up: true, Cause: tel.LineNoSound}}
	l.events <- line.Event{Kind: line.Incoming, Number: "+393331234567"}
	b.eventually("the caller gets the busy tone", func() bool { return l.hungUp.Load() == uint32(tel.CauseBusy) })
	if l.answered.Load() {
		t.Error("the caller was answered")
	}
	l.events <- line.Event{Kind: line.Ended, Cause: tel.CauseBusy}
	b.eventually("the page says why", func() bool {
		doc, err := b.box.present.document()
		return err == nil && strings.Contains(string(doc), `"cause":"no_sound_path"`)
	})
	ignore := func(call.LegEvent) {}
	if _, err := b.box.lines.board.DialLine("gsm0", "0612345678", call.Outgoing{}, ignore); !errors.Is(err, line.ErrNoSupport) {
		t.Errorf("a call out: %v, want ErrNoSupport", err)
	}
	if _, err := b.box.lines.board.DialLine("gsm0", "112", call.Outgoing{}, ignore); err != nil {
		t.Errorf("an emergency call: %v", err)
	}
	b.eventually("the emergency call is dialled", l.dialled.Load)
}
