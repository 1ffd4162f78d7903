package conference

import (
	"encoding/json"
	"fmt"
	"time"
)

// How long a caller who guesses codes is shut out: three wrong ones close the rooms to it for a minute, each further
// one for twice as long, up to an hour.
const (
	freeTries  = 3
	firstPause = time.Minute
	lastPause  = time.Hour
	// memory is how long a wrong code is remembered; maxGuessers of how many callers.
	memory      = 24 * time.Hour
	maxGuessers = 1000
)

// Guard counts the wrong codes of callers. Its zero value knows nobody. It is a plain value with one owner.
type Guard struct {
	V        int                `json:"v"`
	Guessers map[string]Guesser `json:"guessers,omitempty"` // by caller
}

// Guesser is a caller who has given a wrong code.
type Guesser struct {
	Tries int       `json:"tries"`
	Last  time.Time `json:"last"`
	Until time.Time `json:"until,omitzero"` // no code is right before
}

// Closed reports whether every code of a caller is wrong at an instant.
func (g *Guard) Closed(caller string, now time.Time) bool {
	return now.Before(g.Guessers[caller].Until)
}

// Wrong counts a wrong code.
func (g *Guard) Wrong(caller string, now time.Time) {
	if g.Guessers == nil {
		g.Guessers = map[string]Guesser{}
	}
	x := g.Guessers[caller]
	if now.Sub(x.Last) > memory {
		x = Guesser{}
	}
	x.Tries, x.Last = x.Tries+1, now
	if x.Tries >= freeTries {
		x.Until = now.Add(min(lastPause, firstPause<<min(x.Tries-freeTries, 10)))
	}
	g.Guessers[caller] = x
	g.shrink(caller, now)
}

// Right forgets the mistakes of a caller who knows the code.
func (g *Guard) Right(caller string) { delete(g.Guessers, caller) }

// shrink forgets who has long guessed nothing, and of too many the one whose last try is the oldest.
func (g *Guard) shrink(but string, now time.Time) {
	oldest := ""
	for name, x := range g.Guessers {
		switch {
		case now.Sub(x.Last) > memory:
			delete(g.Guessers, name)
		case name != but && (oldest == "" || x.Last.Before(g.Guessers[oldest].Last)):
			oldest = name
		}
	}
	if len(g.Guessers) > maxGuessers && oldest != "" {
		delete(g.Guessers, oldest)
	}
}

// Snapshot encodes the guard.
func (g *Guard) Snapshot() ([]byte, error) {
	g.V = stateVersion
	return json.Marshal(g)
}

// RestoreGuard decodes what Snapshot wrote; the error wraps ErrState.
func RestoreGuard(b []byte) (Guard, error) {
	var g Guard
	if err := json.Unmarshal(b, &g); err != nil {
		return Guard{}, fmt.Errorf("%w: %w", ErrState, err)
	}
	if g.V != stateVersion {
		return Guard{}, fmt.Errorf("%w: version %d, this program knows %d", ErrState, g.V, stateVersion)
	}
	return g, nil
}
