package settingstest

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// GoodBundle begins what Updates takes for one.
const GoodBundle = "PK\x03\x04"

// Updates are the releases of a box in memory. Its fields may be set before the page is asked.
type Updates struct {
	Stands page.UpdateState
	Refuse settings.Refusal // of whatever is asked
	Taken  int64            // bytes of the last bundle
	Asked  []string
}

// Port is the page's way to them.
func (u *Updates) Port() settings.Updates {
	ask := func(what string, do func()) settings.Refusal {
		if u.Refuse.Sentence == "" {
			u.Asked = append(u.Asked, what)
			do()
		}
		return u.Refuse
	}
	return settings.Updates{
		Most:  1 << 30,
		State: func(context.Context) page.UpdateState { return u.Stands },
		Check: func(context.Context) settings.Refusal { return ask("check", func() {}) },
		Install: func(_ context.Context, version string) settings.Refusal {
			if o := u.Stands.Offer; o == nil || o.Version != version {
				return settings.Refusal{Sentence: "update.other"}
			}
			return ask("install "+version, func() { u.Stands.Phase, u.Stands.Version = "fetching", version })
		},
		Postpone: func(_ context.Context, until time.Time) settings.Refusal {
			return ask("postpone", func() { u.Stands.Settings.Postponed = until })
		},
		Set: func(_ context.Context, s page.UpdateSettings) settings.Refusal {
			return ask("settings", func() { s.Postponed = u.Stands.Settings.Postponed; u.Stands.Settings = s })
		},
		Seen: func(context.Context) settings.Refusal { return ask("seen", func() { u.Stands.Last.Seen = true }) },
		Give: func(_ context.Context, bundle io.Reader) settings.Refusal {
			var begin strings.Builder
			n, err := io.Copy(&begin, io.LimitReader(bundle, int64(len(GoodBundle))))
			if err == nil {
				var more int64
				more, err = io.Copy(io.Discard, bundle)
				n += more
			}
			if err != nil || begin.String() != GoodBundle {
				return settings.Refusal{Sentence: "update.bundle", Detail: "zip: not a valid zip file"}
			}
			return ask("bundle", func() { u.Taken = n })
		},
		Stick: func(_ context.Context, name string) settings.Refusal { return ask("stick "+name, func() {}) },
	}
}

// Releases is a box with a release on offer, at a moment.
func Releases(hostile string, at time.Time) page.UpdateState {
	return page.UpdateState{
		Slots: true, Running: page.UpdateSlot{Version: "1.4.1", State: "runs"}, Idle: page.UpdateSlot{Version: "1.4.0", State: "before"}, Phase: "idle",
		Offer: &page.UpdateOffer{
			Version: "1.4.2", Severity: "security", Size: 1_340_000, Delta: true, Deadline: at.AddDate(0, 0, 14), Homepage: "https://pronto.example/1.4.2",
			Notes: map[string]string{"it": "- Corretto un errore di sicurezza nella pagina.\n- " + hostile, "en": "- A security hole of the page is closed.\n- " + hostile},
		},
		Checked: at.Add(-2 * time.Hour), Next: at.Add(4 * time.Hour),
		Settings: page.UpdateSettings{Auto: true, Channel: "stable", From: 2 * 60, To: 5 * 60, Drain: 30}, Sticks: []string{"pronto-1.4.2.update"},
	}
}
