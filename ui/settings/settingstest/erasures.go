package settingstest

import (
	"context"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// Erasures is a box that forgets persons, in memory. Its fields may be set before the page is asked.
type Erasures struct {
	Persons []page.ErasedPerson // the newest first
	Found   page.Found
	Refuse  settings.Refusal
	Err     error // of the disk

	Forgot []Forgot
}

// Forgot is what was ordered.
type Forgot struct {
	Number tel.Number
	Why    string
	By     settings.By
}

// Port is the page's way to it.
func (e *Erasures) Port() settings.Erasures {
	return settings.Erasures{
		List: func(context.Context) []page.ErasedPerson { return e.Persons },
		Look: func(context.Context, tel.Number) (page.Found, settings.Refusal) { return e.Found, e.Refuse },
		Erase: func(_ context.Context, n tel.Number, why string, by settings.By) (settings.Refusal, error) {
			if e.Refuse.Sentence == "" && e.Err == nil {
				e.Forgot = append(e.Forgot, Forgot{n, why, by})
			}
			return e.Refuse, e.Err
		},
	}
}

// Forgotten are two persons: one of whom a recording is held, and one who is being forgotten.
func Forgotten(by string, at time.Time) []page.ErasedPerson {
	return []page.ErasedPerson{
		{ID: "e2", At: at, By: by, Why: by, Alias: "#*0000000002", Open: true},
		{ID: "e1", At: at.AddDate(0, -1, 0), By: by, Why: "lettera del 3 marzo", Alias: "#*0000000001", Callbacks: 1, Messages: 2, Texts: 1, Recordings: 3, Held: 1},
	}
}
