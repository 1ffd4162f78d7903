package page

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// ReportFilter is what a report is of, as it stands in the address of the page.
type ReportFilter struct {
	From, To string // days, as 2026-03-02; both are meant whole
	Queue    string // id; empty: all
	Step     report.Step
	Within   int // seconds in which a caller should be answered
}

// Values writes the filter as the query of an address.
func (f ReportFilter) Values() url.Values {
	v := url.Values{"from": {f.From}, "to": {f.To}, "step": {string(f.Step)}, "within": {strconv.Itoa(f.Within)}}
	if f.Queue != "" {
		v.Set("queue", f.Queue)
	}
	return v
}

// Report is what became of the callers of some days, and what the agents did.
type Report struct {
	Reader       Reader
	Box          string
	Said         Said
	Filter       ReportFilter
	Wrong        []Said // what of the filter is none, and was left out
	Queues       []Choice
	Limited      bool          // to some queues, one of which must be chosen
	Steps        []report.Step // that rows may stand for
	Withins      []int
	Whole        ReportRow
	Rows         []ReportRow      // by time
	ByQueue      []ReportRow      // empty where there is one queue only
	Dispositions []DispositionRow // by queue, the most frequent first
	Lines        []LineRow        // by their names in the configuration
	Agents       []WorkRow        // one of the team where people may not be told apart
	Few          int              // people on duty, where they are too few for a team; 0: it is shown
	Privacy      Said             // why there are no figures of each person; none: there are
}

// Exportable tells whether the rows make a table worth having.
func (r Report) Exportable() bool { return len(r.Rows) > 0 }

// Empty tells whether nobody has joined a queue.
func (r Report) Empty() bool { return len(r.Rows) == 0 }

// ReportRow is the traffic of a queue, or of all, in one step.
type ReportRow struct {
	Label   string // moment or queue
	Within  int    // seconds
	Traffic report.Traffic
}

// Lost are the callers who gave up after more than a moment.
func (r ReportRow) Lost() int { return r.Traffic.Of(tel.OutcomeAbandoned) - r.Traffic.Short }

// Entered are the callers who were given a place.
func (r ReportRow) Entered() int { return r.Traffic.Entered() }

// SpeedOfAnswer is how long the answered callers waited on average.
func (r ReportRow) SpeedOfAnswer() time.Duration { return r.Traffic.SpeedOfAnswer() }

// Answered are the callers whom an agent answered.
func (r ReportRow) Answered() int { return r.Traffic.Of(tel.OutcomeAnswered) }

// Level is the usual service level.
func (r ReportRow) Level() string { return r.by(report.LevelPatient) }

func (r ReportRow) by(level report.Level) string {
	return percent(r.Traffic.ServiceLevel(level, time.Duration(r.Within)*time.Second))
}

// Abandonment is the share of the callers who gave up.
func (r ReportRow) Abandonment() string { return percent(r.Traffic.Abandonment()) }

// Figure is a figure with what it is made of.
type Figure struct {
	Key   string // of its name; Key + ".is" is its definition
	Value string
	Args  []any // of the definition
}

// Says is the definition.
func (f Figure) Says() Said { return Said{Sentence: f.Key + ".is", Args: f.Args} }

// Levels are the four service levels, each by its name.
func (r ReportRow) Levels() (all []Figure) {
	for _, by := range report.Levels() {
		all = append(all, Figure{Key: "report.level." + string(by), Value: r.by(by), Args: []any{r.Within}})
	}
	return all
}

// Figures are the others.
func (r ReportRow) Figures() []Figure {
	t := &r.Traffic
	return []Figure{
		{Key: "report.abandonment", Value: r.Abandonment()},
		{Key: "report.asa", Value: known(t.SpeedOfAnswer(), r.Answered())},
		{Key: "report.longest", Value: known(t.Longest, t.Entered())},
		{Key: "report.aht", Value: known(t.HandleTime(), r.Answered())},
	}
}

// Contacts are how many were served at the first contact, by each window after which that is believed.
func (r ReportRow) Contacts() (all []Figure) {
	for i, window := range report.RepeatWindows() {
		all = append(all, Figure{Key: fmt.Sprintf("report.fcr.%d", int(window.Hours()/24)), Value: percent(r.Traffic.FirstContact(i))})
	}
	return all
}

// Outcomes are how the waits ended, each once: together they are all who entered.
func (r ReportRow) Outcomes() (all []Figure) {
	for _, o := range []tel.QueueOutcome{
		tel.OutcomeAnswered, tel.OutcomeAbandoned, tel.OutcomeCallback, tel.OutcomeTimedOut, tel.OutcomeExitKey, tel.OutcomeEmpty, tel.OutcomeWithdrawn, tel.OutcomeOverflow, tel.OutcomeFailed,
	} {
		if n := r.Traffic.Of(o); n > 0 || o == tel.OutcomeAnswered || o == tel.OutcomeAbandoned {
			all = append(all, Figure{Key: "report.outcome." + string(o), Value: strconv.Itoa(n)})
		}
	}
	return all
}

// Stages are when the callers gave up.
func (r ReportRow) Stages() (all []Figure) {
	for _, s := range []tel.AbandonStage{tel.AbandonGreeting, tel.AbandonWaiting, tel.AbandonRinging, tel.AbandonWhisper} {
		if n := r.Traffic.Stages[s]; n > 0 {
			all = append(all, Figure{Key: "report.stage." + string(s), Value: strconv.Itoa(n)})
		}
	}
	return all
}

// Refused are the callers who were never given a place.
func (r ReportRow) Refused() int { return r.Traffic.Of(tel.OutcomeRefused) }

// DispositionRow is how often calls of a queue came to something.
type DispositionRow struct {
	Queue string
	Name  string
	Calls int
}

// LineRow is what came and went by one line.
type LineRow struct {
	Name  string
	Calls report.LineCalls
}

// Refused are the calls that the line or its network did not carry.
func (l LineRow) Refused() int { return l.Calls.Refused() }

// WorkRow is what one agent did, or the team.
type WorkRow struct {
	Name   string // empty: the team
	People int    // in it
	Work   report.Work
	Kept   report.Adherence // to the planned shifts, of the days that are over
}

// Adherence is the share of the planned time that was worked; a dash where nothing was planned.
func (w WorkRow) Adherence() string {
	share, ok := w.Kept.Share()
	if !ok {
		return "–"
	}
	return strconv.Itoa(int(share*100+0.5)) + " %"
}

// OnDuty is the time logged in.
func (w WorkRow) OnDuty() time.Duration { return w.Work.OnDuty() }

// Talked is the time with customers on the phone.
func (w WorkRow) Talked() time.Duration {
	return w.Work.Spent[tel.AgentTalking] + w.Work.Spent[tel.AgentOutbound]
}

// Held, Wrapped and Paused are what the names say.
func (w WorkRow) Held() time.Duration { return w.Work.Spent[tel.AgentHold] }

// Wrapped is the after-call work.
func (w WorkRow) Wrapped() time.Duration { return w.Work.Spent[tel.AgentWrapUp] }

// Paused is the time of pauses.
func (w WorkRow) Paused() time.Duration { return w.Work.Spent[tel.AgentPaused] }

// Occupancy is the share of the time with customers.
func (w WorkRow) Occupancy() string {
	share, ok := w.Work.Occupancy()
	if !ok {
		return "–"
	}
	return strconv.Itoa(int(share*100+0.5)) + " %"
}

// percent is a share in whole per cent.
func percent(r report.Ratio) string {
	if !r.Known() {
		return "–"
	}
	return strconv.Itoa(int(r.Share()*100+0.5)) + " %"
}

// known is an average, or a dash where there is nothing to average.
func known(d time.Duration, of int) string {
	if of == 0 {
		return "–"
	}
	return span(d)
}

// Report renders a report.
func (r *Renderer) Report(p Report, now time.Time) ([]byte, error) {
	return r.shell("report.html", "report", p.Box, p.Reader, p, now)
}
