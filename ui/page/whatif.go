package page

import (
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// WhatIfFilter is what a day is run again with, as it stands in the address of the page.
type WhatIfFilter struct {
	Day      string // as 2026-03-02
	Queue    string // id
	Agents   int    // more, or fewer
	Strategy string // empty: as it was
	WrapUp   string // seconds of after-call work; empty: as it was
	Within   int    // seconds in which a caller should be answered
}

// Rerun is what came of a day, as it was and as it would have been.
type Rerun struct {
	Was, Is  report.Traffic // of the queue
	WasBusy  float64        // the share of all agents' time with customers
	IsBusy   float64
	Exact    bool // run again unchanged, the day comes out as it was
	Breaks   int  // restarts in the middle of a decision
	Partial  bool // the day is not over
	Patience int  // callers who gave up, from whom the patience of the others is estimated
}

// WhatIf is a past day with something changed.
type WhatIf struct {
	Reader     Reader
	Box        string
	Said       Said
	Filter     WhatIfFilter
	Wrong      []Said // what of the filter is none, and was left out
	Queues     []Choice
	Strategies []string
	Counts     []int // of agents, more or fewer
	Withins    []int
	First      string // the first day that can be run again; empty: none
	Ran        *Rerun // nil: nothing was asked for
}

// Signed writes a difference with its sign.
func (w WhatIf) Signed(n int) string {
	if n > 0 {
		return "+" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// Compared is one figure of both.
type Compared struct {
	Key     string
	Was, Is string
	Says    Said // the definition; none: the name says it
}

// Rows are the figures, as it was beside as it would have been.
func (w WhatIf) Rows() (all []Compared) {
	was, is := ReportRow{Within: w.Filter.Within, Traffic: w.Ran.Was}, ReportRow{Within: w.Filter.Within, Traffic: w.Ran.Is}
	count := func(key string, of func(ReportRow) int) {
		all = append(all, Compared{Key: key, Was: strconv.Itoa(of(was)), Is: strconv.Itoa(of(is))})
	}
	count("report.entered", ReportRow.Entered)
	for _, o := range []tel.QueueOutcome{
		tel.OutcomeAnswered, tel.OutcomeAbandoned, tel.OutcomeCallback, tel.OutcomeTimedOut, tel.OutcomeExitKey, tel.OutcomeEmpty, tel.OutcomeWithdrawn, tel.OutcomeFailed, tel.OutcomeRefused,
	} {
		if was.Traffic.Of(o)+is.Traffic.Of(o) > 0 {
			count("report.outcome."+string(o), func(r ReportRow) int { return r.Traffic.Of(o) })
		}
	}
	level := Figure{Key: "report.level." + string(report.LevelPatient), Args: []any{w.Filter.Within}}
	all = append(all, Compared{Key: level.Key, Was: was.Level(), Is: is.Level(), Says: level.Says()})
	after := is.Figures()
	for i, f := range was.Figures() {
		all = append(all, Compared{Key: f.Key, Was: f.Value, Is: after[i].Value, Says: f.Says()})
	}
	return append(all, Compared{Key: "report.occupancy", Was: whole(w.Ran.WasBusy), Is: whole(w.Ran.IsBusy), Says: Said{Sentence: "report.occupancy.is"}})
}

// WhatIf renders a past day with something changed.
func (r *Renderer) WhatIf(w WhatIf, now time.Time) ([]byte, error) {
	return r.shell("whatif.html", "whatif", w.Box, w.Reader, w, now)
}
