package gate

import (
	"context"
	"net/http"
	"time"
)

// Slots is how it stands with the two systems of a box, numbered as the partitions of its card: 2 and 3.
type Slots struct {
	Running  int    `json:"running"`
	Chosen   int    `json:"chosen"` // what an ordinary start starts
	Trying   bool   `json:"trying"` // what runs is on trial: whatever ends it leads back to the other one
	Model    string `json:"model"`  // of the board, as package model names it
	EEPROM   string `json:"eeprom"` // day of its boot loader, as YYYY-MM-DD; empty: it tells none
	Idle     string `json:"idle"`   // device of the slot that may be written; empty: there is none now
	Active   string `json:"active"` // device of the running slot, to be read; empty: there is none
	Modified bool   `json:"modified"`
	// Left is for how long the slot may still be on trial, in nanoseconds.
	Left time.Duration `json:"left"`
	Last Trial         `json:"last"` // the zero value: there was none
	// Bundles are updates on the stick that is plugged in, to be read.
	Bundles []string `json:"bundles,omitempty"`
}

// Trial is the last one.
type Trial struct {
	Version string    `json:"version"`
	Slot    int       `json:"slot"`
	Asked   time.Time `json:"asked,omitzero"`
	Outcome string    `json:"outcome"`       // asked, kept, back
	Why     string    `json:"why,omitempty"` // a code: package trial has those of the first program
	Words   string    `json:"words,omitempty"`
}

// The codes of what the updater is refused.
const (
	CodeOnTrial = "on_trial"  // a slot is on trial: the other one is the way back, and is not touched
	CodeNotOn   = "not_tried" // none is
	CodeSlot    = "slot"      // what lies in the other slot is not what was named, or nothing
	CodeData    = "data"      // it could not work with the data of this one
	CodeDisk    = "disk"      // the trial cannot be remembered, or the choice cannot be written
	CodeCalls   = "calls"     // the exchange has not promised that nobody is on the phone, or somebody calls for help
)

// Updates is what the first program does for the updater, and for nobody else. An error that is no Refused is
// CodeFailed.
type Updates struct {
	Slots func(context.Context) (Slots, error)
	// Try has the other slot, in which a system of that version lies, started once; it begins to end the box, if the
	// exchange still keeps the promise of that name.
	Try  func(ctx context.Context, version, promise string) error
	Keep func(context.Context) error                        // what is on trial is what every start starts
	Back func(ctx context.Context, why, words string) error // begins to end the box; the other slot starts
	// Refuse shows whoever stands at the box that what was brought was not taken.
	Refuse func(context.Context) error
}

// back is the body of a way back.
type back struct {
	Why   string `json:"why"`
	Words string `json:"words"`
}

// version is the body of a trial.
type version struct {
	Version string `json:"version"`
	Promise string `json:"promise"`
}

func (u Updates) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /slots", func(w http.ResponseWriter, q *http.Request) {
		s, err := u.Slots(q.Context())
		answer(w, s, err)
	})
	mux.HandleFunc("POST /slots/trial", func(w http.ResponseWriter, q *http.Request) {
		var v version
		if read(w, q, &v) {
			answer(w, nil, u.Try(q.Context(), v.Version, v.Promise))
		}
	})
	mux.HandleFunc("POST /slots/keep", func(w http.ResponseWriter, q *http.Request) { answer(w, nil, u.Keep(q.Context())) })
	mux.HandleFunc("POST /slots/back", func(w http.ResponseWriter, q *http.Request) {
		var b back
		if read(w, q, &b) {
			answer(w, nil, u.Back(q.Context(), b.Why, b.Words))
		}
	})
	mux.HandleFunc("POST /slots/refuse", func(w http.ResponseWriter, q *http.Request) { answer(w, nil, u.Refuse(q.Context())) })
	return mux
}

// slow is how long what writes to the card may take.
const slow = 20 * time.Second

// Slots tells how it stands with the two systems.
func (c *Client) Slots(ctx context.Context) (s Slots, err error) {
	return s, c.ask(ctx, quick, http.MethodGet, "/slots", nil, &s)
}

// TrySlot has the other slot, in which that version lies, started once; the box ends soon after. promise is by which the
// exchange lets it end. Refusals are Refused.
func (c *Client) TrySlot(ctx context.Context, v, promise string) error {
	return c.ask(ctx, slow, http.MethodPost, "/slots/trial", version{v, promise}, nil)
}

// KeepSlot has every start from now on start what is on trial.
func (c *Client) KeepSlot(ctx context.Context) error {
	return c.ask(ctx, slow, http.MethodPost, "/slots/keep", nil, nil)
}

// LeaveSlot ends a trial, with a code and words for the log; the box ends soon after, and starts the other slot.
func (c *Client) LeaveSlot(ctx context.Context, why, words string) error {
	return c.ask(ctx, slow, http.MethodPost, "/slots/back", back{why, words}, nil)
}

// RefuseUpdate has the light of the box say for a while that what was brought was not taken.
func (c *Client) RefuseUpdate(ctx context.Context) error {
	return c.ask(ctx, quick, http.MethodPost, "/slots/refuse", nil, nil)
}
