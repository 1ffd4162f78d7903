package appliance

import (
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
)

// looked waits until the box has looked at its releases by itself, which it does once a minute.
func (b *bench) looked() {
	b.t.Helper()
	b.eventually("the box has looked at its releases", func() bool {
		return slices.ContainsFunc(b.box.present.conditions(), func(h tel.HealthChanged) bool { return h.Condition == "update_stale" })
	})
}

func TestHomeSaysWhatIsToBeKnownOfReleasesUntilItIsRead(t *testing.T) {
	memory := &settingstest.Updates{}
	b := startWith(t, shop, func(o *Options) { o.Updates = memory.Port() }, func(*Box) {})
	b.looked()
	now := time.Date(2027, 6, 30, 12, 0, 0, 0, time.UTC)
	stands := func() map[string]tel.HealthChanged {
		all := map[string]tel.HealthChanged{}
		for _, h := range b.box.present.conditions() {
			all[h.Condition] = h
		}
		return all
	}
	back := page.UpdateState{Last: &page.UpdateOutcome{Version: "1.4.2", Result: "back", Why: page.Said{Detail: "deaf or mute"}}}
	for _, c := range []struct {
		name        string
		state       page.UpdateState
		back, stale bool
	}{
		{"nothing", page.UpdateState{}, false, false},
		{"a release that was given up", back, true, false},
		{"an updater that is away tells nothing new", page.UpdateState{Away: true}, true, false},
		{"a release that is kept", page.UpdateState{Last: &page.UpdateOutcome{Result: "kept"}}, false, false},
		{"one that was not begun", page.UpdateState{Last: &page.UpdateOutcome{Result: "refused"}}, false, false},
		{"a vendor who has fallen silent", page.UpdateState{Stale: true}, false, true},
		{"all is well again", page.UpdateState{Last: &page.UpdateOutcome{Result: "back", Seen: true}}, false, false},
	} {
		b.box.reportUpdates(c.state, now)
		got := stands()
		if got["update_back"].OK == c.back || got["update_stale"].OK == c.stale || !got["update_support"].OK {
			t.Errorf("%s: %+v, %+v", c.name, got["update_back"], got["update_stale"])
		}
		if c.back && got["update_back"].Text != "1.4.2: deaf or mute" {
			t.Errorf("%s: %q", c.name, got["update_back"].Text)
		}
	}
	b.box.reportUpdates(back, now)
	memory.Stands = back
	if no := b.box.updates().Seen(t.Context()); no.Sentence != "" || !stands()["update_back"].OK {
		t.Errorf("what was read is still on Home: %+v", no)
	}
}

func TestTheEndOfSecurityUpdatesIsSaidFromTheDayAfter(t *testing.T) {
	b := start(t, shop)
	b.looked()
	zone := b.box.numbering.Load().plan.Zone
	for text, want := range map[string]map[time.Time]bool{
		"":           {time.Date(2099, 1, 1, 0, 0, 0, 0, zone): true},
		"2027-06-30": {time.Date(2027, 6, 30, 23, 59, 0, 0, zone): true, time.Date(2027, 7, 1, 0, 0, 0, 0, zone): false},
	} {
		n := *b.box.numbering.Load()
		n.cfg.Box.SupportUntil = text
		b.box.numbering.Store(&n)
		for now, ok := range want {
			b.box.reportUpdates(page.UpdateState{}, now)
			for _, h := range b.box.present.conditions() {
				if h.Condition == "update_support" && h.OK != ok {
					t.Errorf("until %q, on %v: %v", text, now, h.OK)
				}
			}
		}
	}
}
