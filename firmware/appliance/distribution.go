package appliance

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// distribution is who gets whom in a queue, as the planner knows it. A caller whom nobody can ever serve
// goes where those go who find nobody.
func distribution(spec *plan.QueueSpec, q *config.Queue) {
	d := &q.Distribution
	out := plan.Distribution{
		Target: d.Target, Weight: d.Weight, Step: d.Step, LevelsAbove: d.LevelsAbove, Soon: d.PresentWithin,
		Needs: d.Always(), BestSkilled: d.BestSkilled, Sticky: d.Sticky, StickyWait: d.StickyWait, NoSkillTo: q.EmptyDestination(),
	}
	for id, g := range d.Grades {
		if out.Grades == nil {
			out.Grades = map[tel.AgentID]plan.Grade{}
		}
		out.Grades[id] = plan.Grade(g)
	}
	for _, r := range d.Levels {
		out.Levels = append(out.Levels, plan.LevelRule(r))
	}
	for _, r := range d.Relax {
		out.Relax = append(out.Relax, plan.Relax(r))
	}
	spec.Distribution = out
}

// needsByLanguage are the skills that callers of a queue ask for by the language they have chosen.
func needsByLanguage(q config.Queue) map[string][]tel.Need {
	out := map[string][]tel.Need{}
	for lang := range q.Distribution.Languages {
		out[lang] = q.Distribution.NeedsOf(lang)
	}
	return out
}

// queueClock tells the queues by whose clock their days begin.
func (b *Box) queueClock(ctx context.Context, from, to *config.Config) error {
	if from.Box.Timezone == to.Box.Timezone {
		return nil
	}
	return b.queues.SetZone(ctx, to.Box.Timezone)
}

// explain answers prontoctl why a waiting caller's agents do or do not ring: GET /waiting/CALL.
func (b *Box) explain(mux *http.ServeMux) {
	mux.HandleFunc("GET /waiting/{call}", func(w http.ResponseWriter, r *http.Request) {
		list, err := b.queues.Explain(r.Context(), tel.CallID(r.PathValue("call")))
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		case list == nil:
			http.Error(w, plan.ErrNoCaller.Error(), http.StatusNotFound)
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(list) // who hung up needs no answer
		}
	})
}
