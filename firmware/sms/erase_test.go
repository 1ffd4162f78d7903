package sms_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMessagesFromAndToWhoIsErasedAreGoneWhereverTheyStand(t *testing.T) {
	const him, other = "+393331234567", "+393337654321"
	b := newBox()
	for _, from := range []string{him, other} {
		b.Accept(part(from, "whole of "+from, 0, 1, 1), start)
		b.Accept(part(from, "half of "+from, 1, 1, 2), start)
		unread := part(from, "", 0, 1, 1)
		unread.Kind = line.UnreadablePart
		b.Accept(unread, start)
	}
	for _, to := range []tel.Number{him, him, other} {
		if _, err := b.Queue("gsm0", to, "to "+string(to), 1, start); err != nil {
			t.Fatal(err)
		}
	}
	sent, ok := b.Next("gsm0", start)
	if !ok || sent.To != him {
		t.Fatalf("%+v", sent) // it is with the modem meanwhile
	}
	before := len(b.Untold())
	n := b.Erase(func(n tel.Number, _ time.Time) (tel.Number, bool) { return "#*0000000001", n == him }, start.Add(time.Minute))
	kept, err := json.Marshal(b.State())
	if err != nil {
		t.Fatal(err)
	}
	if n != 4 || strings.Contains(string(kept), him) {
		t.Errorf("%d erased; there is %s", n, kept)
	}
	for _, want := range []string{"whole of " + other, `"to":"` + other} {
		if !strings.Contains(string(kept), want) {
			t.Errorf("%s is gone, too", want)
		}
	}
	// The history learns of each change, and of the two that are not sent now, but not of whom.
	alias := 0
	for _, m := range b.Untold() {
		if m.From == "#*0000000001" || m.To == "#*0000000001" {
			alias++
			if m.Text != "" || m.Raw != nil {
				t.Errorf("told %+v", m)
			}
		}
	}
	if len(b.Untold()) != before+2 || alias != 4 {
		t.Errorf("%d untold changes, %d of the alias; before %d", len(b.Untold()), alias, before)
	}
	b.Done(sent, 7, nil, start.Add(2*time.Minute)) // the modem answers
	if m, ok := b.Next("gsm0", start.Add(3*time.Minute)); !ok || m.To != other {
		t.Errorf("next goes to %s", m.To)
	}
}
