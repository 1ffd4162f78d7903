package web

import (
	"context"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// WhatIf is a change of a past day that somebody asks about.
type WhatIf struct {
	Day      time.Time // midnight by the office's clock
	Queue    tel.QueueID
	Agents   int            // more, or fewer
	Strategy string         // empty: as it was
	WrapUp   *time.Duration // nil: as it was
}

// Reruns is the way to days that can be run again.
type Reruns struct {
	// Reach is the first day of which the box knows all decisions; the zero time: none.
	Reach func() time.Time
	// Strategies are those that a queue can have.
	Strategies []string
	// Run takes seconds; it returns the sentence that says why not, or nothing.
	Run func(context.Context, WhatIf) (ran page.Rerun, sentence string, err error)
	// Log is what happened in a span as Asterisk's queue_log says it, as far back as the box knows; anonymous: agents are
	// not told apart.
	Log func(ctx context.Context, from, to time.Time, anonymous bool) ([]byte, error)
}

// rerunFor is how long somebody waits for a day to be run again.
const rerunFor = 2 * time.Minute

// agentsChanged are the numbers of agents more or fewer that one may ask about.
func agentsChanged() []int { return []int{0, 1, 2, 3, -1, -2} }

// whatIf shows a past day with something changed.
func (s *server) whatIf(w http.ResponseWriter, v *visit) {
	p, ask := s.whatIfAsked(v)
	status := http.StatusOK
	if v.URL.Query().Get("run") != "" && len(p.Wrong) == 0 && p.Filter.Queue != "" {
		ctx, cancel := context.WithTimeout(v.Context(), rerunFor)
		defer cancel()
		ran, sentence, err := s.Reruns.Run(ctx, ask)
		switch {
		case err != nil:
			s.Log.Warn("a day cannot be run again", "day", p.Filter.Day, "err", err)
			p.Said, status = s.sentence("whatif.failed"), http.StatusServiceUnavailable
		case sentence != "":
			p.Said, status = s.sentence(sentence), http.StatusUnprocessableEntity
		default:
			p.Ran = &ran
		}
	}
	p.Reader, p.Box = s.reader(v), s.Name()
	p.Reader.Query = template.URL(url.Values{
		"day": {p.Filter.Day}, "queue": {p.Filter.Queue}, "agents": {strconv.Itoa(p.Filter.Agents)}, "strategy": {p.Filter.Strategy},
		"wrapup": {p.Filter.WrapUp}, "within": {strconv.Itoa(p.Filter.Within)},
	}.Encode())
	html, err := s.pages[v.lang].WhatIf(p, time.Now().In(s.Zone()))
	s.show(w, status, html, err)
}

// whatIfAsked reads what is asked for. What makes no sense of it is left out, and said.
func (s *server) whatIfAsked(v *visit) (p page.WhatIf, ask WhatIf) {
	q, zone := v.URL.Query(), s.Zone()
	wrong := func(sentence string) { p.Wrong = append(p.Wrong, page.Said{Sentence: sentence}) }
	p.Counts, p.Withins, p.Strategies = agentsChanged(), withins(), s.Reruns.Strategies
	p.Filter = page.WhatIfFilter{Queue: q.Get("queue"), Within: withins()[0]}
	y, m, d := time.Now().In(zone).Date()
	if first := s.Reruns.Reach(); !first.IsZero() {
		p.First = first.In(zone).Format(time.DateOnly)
	}
	ask.Day = time.Date(y, m, d-1, 0, 0, 0, 0, zone)
	if text := q.Get("day"); text != "" {
		at, err := time.ParseInLocation(time.DateOnly, text, zone)
		if err != nil || at.Year() < 2000 || at.Year() > 2200 {
			wrong("filter.day_bad")
		} else {
			ask.Day = at
		}
	}
	p.Filter.Day = ask.Day.Format(time.DateOnly)
	for _, choice := range []struct {
		name string
		of   []int
		to   *int
	}{{"agents", p.Counts, &p.Filter.Agents}, {"within", p.Withins, &p.Filter.Within}} {
		if text := q.Get(choice.name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || !slices.Contains(choice.of, n) {
				wrong("filter.result_bad")
				continue
			}
			*choice.to = n
		}
	}
	if text := q.Get("strategy"); text != "" {
		if slices.Contains(p.Strategies, text) {
			p.Filter.Strategy = text
		} else {
			wrong("filter.result_bad")
		}
	}
	if text := q.Get("wrapup"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 3600 {
			wrong("filter.result_bad")
		} else {
			wrapUp := time.Duration(n) * time.Second
			p.Filter.WrapUp, ask.WrapUp = strconv.Itoa(n), &wrapUp
		}
	}
	p.Queues, p.Filter.Queue = s.supervised(v, p.Filter.Queue, wrong)
	ask.Queue, ask.Agents, ask.Strategy = tel.QueueID(p.Filter.Queue), p.Filter.Agents, p.Filter.Strategy
	return p, ask
}

// supervised are the queues that a visitor supervises, and the one of them that is meant: the first, unless one
// is asked for.
func (s *server) supervised(v *visit, asked string, wrong func(string)) (all []page.Choice, queue string) {
	for _, x := range s.Queues() {
		if v.user.Supervises(tel.QueueID(x.ID)) {
			all = append(all, x)
		}
	}
	if slices.ContainsFunc(all, func(x page.Choice) bool { return x.ID == asked }) {
		return all, asked
	}
	if asked != "" {
		wrong("filter.queue_bad")
	}
	if len(all) > 0 {
		queue = all[0].ID
	}
	return all, queue
}
