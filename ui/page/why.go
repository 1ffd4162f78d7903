package page

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Offer is one agent's ring for a caller.
type Offer struct {
	Agent  string // name
	At     time.Time
	Why    []Said    // one after the other they say why this agent
	Passed []Verdict // free agents who could not take the caller
	More   bool      // there were others
}

// Because says why an agent was chosen, without those who were passed over.
func Because(r tel.OfferReason) []Said {
	var all []Said
	if r.BestSkilled {
		all = append(all, Said{Sentence: "because.best_skilled"})
	}
	merit := Said{Sentence: "because." + string(r.Merit)}
	switch r.Merit {
	case tel.MeritFewestCalls, tel.MeritWeightedLot:
		merit.Args = []any{r.Value}
	case tel.MeritLeastTalk:
		merit.Args = []any{span(time.Duration(r.Value) * time.Second)}
	case tel.MeritAssigned:
		if r.By != "" {
			merit = Said{Sentence: "because.assigned_by", Args: []any{r.By}}
		}
	default:
	}
	all = append(all, merit)
	switch {
	case r.Free == 1:
		all = append(all, Said{Sentence: "because.free.one"})
	case r.Free > 1:
		all = append(all, Said{Sentence: "because.free.other", Args: []any{r.Free}})
	}
	if r.Levels {
		all = append(all, Said{Sentence: "because.level", Args: []any{r.Level}})
	}
	return all
}
