package web

import (
	"context"
	"errors"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// The limits of reports.
const (
	reportDays = 7    // shown when nothing is asked for
	mostDays   = 1100 // three years
	rowsShown  = 400
	// smallestTeam is how many people have to be in a figure that must not tell what one of them did.
	smallestTeam  = 5
	adherenceDays = 31 // for more nobody's is told
)

// withins are the answer times that one may aim at, in seconds; the first is the usual one.
func withins() []int { return []int{20, 10, 15, 30, 45, 60, 90, 120, 180} }

// asked is a report as somebody has asked for it.
type asked struct {
	page.Report
	query store.ReportQuery
	zone  *time.Location
}

// reported reads what is asked for. What makes no sense of it is left out, and said.
func (s *server) reported(v *visit) *asked {
	a := &asked{zone: s.Zone()}
	q := v.URL.Query()
	a.Steps, a.Withins = report.Steps(), withins()
	a.Filter = page.ReportFilter{From: q.Get("from"), To: q.Get("to"), Queue: q.Get("queue"), Step: report.Step(q.Get("step"))}
	wrong := func(sentence string) { a.Wrong = append(a.Wrong, page.Said{Sentence: sentence}) }
	y, m, d := time.Now().In(a.zone).Date()
	day := func(field *string, back int) time.Time {
		at, err := time.ParseInLocation(time.DateOnly, *field, a.zone)
		if err != nil {
			if *field != "" {
				wrong("filter.day_bad")
			}
			at = time.Date(y, m, d-back, 0, 0, 0, 0, a.zone)
		}
		*field = at.Format(time.DateOnly)
		return at
	}
	from, to := day(&a.Filter.From, reportDays-1), day(&a.Filter.To, 0).AddDate(0, 0, 1)
	if to.Sub(from) > mostDays*24*time.Hour {
		wrong("report.long")
		from = to.AddDate(0, 0, -mostDays)
		a.Filter.From = from.Format(time.DateOnly)
	}
	if a.Filter.Step == "" {
		a.Filter.Step = report.Day
	}
	if !slices.Contains(a.Steps, a.Filter.Step) {
		wrong("filter.result_bad")
		a.Filter.Step = report.Day
	}
	a.Filter.Within = withins()[0]
	if text := q.Get("within"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || !slices.Contains(withins(), n) {
			wrong("filter.result_bad")
		} else {
			a.Filter.Within = n
		}
	}
	a.query = store.ReportQuery{From: from, To: to, Step: a.Filter.Step, Zone: a.zone.String()}
	s.reportedQueues(v, a, wrong)
	return a
}

// reportedQueues limits a report to the queues that the visitor supervises.
func (s *server) reportedQueues(v *visit, a *asked, wrong func(string)) {
	a.Limited = v.user.Role == access.Supervisor && len(v.user.Queues) > 0
	for _, x := range s.Queues() {
		if v.user.Supervises(tel.QueueID(x.ID)) {
			a.Queues = append(a.Queues, x)
		}
	}
	if a.Filter.Queue != "" && !slices.ContainsFunc(a.Queues, func(x page.Choice) bool { return x.ID == a.Filter.Queue }) {
		wrong("filter.queue_bad")
		a.Filter.Queue = ""
	}
	if a.Limited && a.Filter.Queue == "" {
		a.Filter.Queue = noQueue
		if len(a.Queues) > 0 {
			a.Filter.Queue = a.Queues[0].ID
		}
	}
	if a.Filter.Queue != "" {
		a.query.Queues = []tel.QueueID{tel.QueueID(a.Filter.Queue)}
	}
}

// sumUp reads the sums of the report.
func (s *server) sumUp(ctx context.Context, a *asked) error {
	rows, err := s.Records.Traffic(ctx, a.query)
	if err != nil {
		return err
	}
	c := s.Settings.Current()
	a.Whole.Within = a.Filter.Within
	byQueue := map[tel.QueueID]int{}
	for _, r := range rows {
		a.Whole.Traffic.Add(r.Traffic)
		i, ok := byQueue[r.Queue]
		if !ok {
			i = len(a.ByQueue)
			byQueue[r.Queue] = i
			a.ByQueue = append(a.ByQueue, page.ReportRow{Label: queueName(c, r.Queue), Within: a.Filter.Within})
		}
		a.ByQueue[i].Traffic.Add(r.Traffic)
		label := a.label(r.From)
		if n := len(a.Rows); n == 0 || a.Rows[n-1].Label != label {
			a.Rows = append(a.Rows, page.ReportRow{Label: label, Within: a.Filter.Within})
		}
		a.Rows[len(a.Rows)-1].Traffic.Add(r.Traffic)
	}
	if len(a.ByQueue) < 2 {
		a.ByQueue = nil
	}
	if err := s.sumUpDispositions(ctx, a); err != nil || a.Limited {
		return err
	}
	if err := s.sumUpLines(ctx, a); err != nil {
		return err
	}
	return s.sumUpPeople(ctx, a)
}

// label names a row by the clock of the shop.
func (a *asked) label(from time.Time) string {
	from = from.In(a.zone)
	switch a.query.Step {
	case report.HalfHour, report.Hour:
		return from.Format("2006-01-02 15:04 MST") // the zone tells the hour that comes twice apart
	case report.Month:
		return from.Format("2006-01")
	case report.Whole:
		return a.Filter.From + " – " + a.Filter.To
	default:
		return from.Format(time.DateOnly)
	}
}

// sumUpPeople adds what the agents did: each of them where a legal basis allows it today, otherwise a team
// that is large enough (art. 4 of the Italian law 300/1970).
func (s *server) sumUpPeople(ctx context.Context, a *asked) error {
	q := a.query
	q.Step, q.Queues = report.Whole, nil
	rows, err := s.Records.Work(ctx, q)
	if err != nil {
		return err
	}
	c := s.Settings.Current()
	kept, err := s.adherence(ctx, a, c)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(kept)) { // who was to work and never came has a row, too
		if !slices.ContainsFunc(rows, func(r report.WorkRow) bool { return r.Agent == id }) {
			rows = append(rows, report.WorkRow{Agent: id})
		}
	}
	if c.Supervision.LegalBasis.Holds(time.Now().In(a.zone)) == "" {
		for _, r := range rows {
			a.Agents = append(a.Agents, page.WorkRow{Name: agentName(c, r.Agent), Work: r.Work, Kept: kept[r.Agent]})
		}
		return nil
	}
	a.Privacy = page.Said{Sentence: "report.privacy"}
	var team page.WorkRow
	for _, r := range rows {
		if r.OnDuty() > 0 {
			team.People++
		}
		team.Work.Add(r.Work)
		team.Kept.Add(kept[r.Agent])
	}
	switch {
	case team.People >= smallestTeam:
		a.Agents = []page.WorkRow{team}
	case team.People > 0:
		a.Few = team.People
	}
	return nil
}

// adherence compares what the agents with shifts did, half hour by half hour, with what was planned, on the days that are
// over: of a running interval nothing is on record. Nobody's is told for more days than a month has.
func (s *server) adherence(ctx context.Context, a *asked, c *config.Config) (map[tel.AgentID]report.Adherence, error) {
	planned := map[tel.AgentID]func(from, to time.Time) time.Duration{}
	q := store.ReportQuery{Step: report.HalfHour, Zone: a.query.Zone}
	for _, x := range c.Agents {
		if f := c.Planned(x.ID, a.zone); f != nil {
			planned[x.ID] = f
			q.Agents = append(q.Agents, x.ID)
		}
	}
	y, m, d := time.Now().In(a.zone).Date()
	to := time.Date(y, m, d, 0, 0, 0, 0, a.zone)
	if a.query.To.Before(to) {
		to = a.query.To
	}
	kept := map[tel.AgentID]report.Adherence{}
	if len(planned) == 0 || a.query.To.After(a.query.From.AddDate(0, 0, adherenceDays)) {
		return kept, nil
	}
	for day := a.query.From; day.Before(to); day = day.AddDate(0, 0, 1) {
		q.From, q.To = day, day.AddDate(0, 0, 1)
		rows, err := s.Records.Work(ctx, q)
		if err != nil {
			return nil, err
		}
		duty := map[tel.AgentID]map[int64]time.Duration{}
		for _, r := range rows {
			if duty[r.Agent] == nil {
				duty[r.Agent] = map[int64]time.Duration{}
			}
			duty[r.Agent][r.From.Unix()] = r.OnDuty()
		}
		for id, within := range planned {
			sum := kept[id]
			for at := day; at.Before(q.To); at = at.Add(report.SlotLength) {
				sum.Take(within(at, at.Add(report.SlotLength)), duty[id][at.Unix()])
			}
			if sum.Planned > 0 {
				kept[id] = sum
			}
		}
	}
	return kept, nil
}

// figures shows a report.
func (s *server) figures(w http.ResponseWriter, v *visit) {
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	a, status := s.reported(v), http.StatusOK
	if err := s.sumUp(ctx, a); err != nil {
		a.Said, status = s.unreported(err)
		a.Rows, a.ByQueue, a.Agents, a.Lines, a.Dispositions = nil, nil, nil, nil, nil
	}
	if len(a.Rows) > rowsShown {
		a.Said, a.Rows = page.Said{Sentence: "report.rows", Args: []any{rowsShown}}, a.Rows[:rowsShown]
	}
	if a.Filter.Queue == noQueue {
		a.Filter.Queue = ""
	}
	a.Reader, a.Box = s.reader(v), s.Name()
	a.Reader.Query = template.URL(a.Filter.Values().Encode())
	html, err := s.pages[v.lang].Report(a.Report, time.Now().In(a.zone))
	s.show(w, status, html, err)
}

// exportReport sends the rows of a report, of each queue apart, as a table.
func (s *server) exportReport(w http.ResponseWriter, v *visit) {
	ctx, cancel := context.WithTimeout(v.Context(), applyFor)
	defer cancel()
	a := s.reported(v)
	if len(a.Wrong) > 0 { // a table has no room to say so
		s.refuse(w, v, http.StatusBadRequest, a.Wrong[0].Sentence)
		return
	}
	rows, err := s.Records.Traffic(ctx, a.query)
	if err != nil {
		said, status := s.unreported(err)
		s.refuse(w, v, status, said.Sentence)
		return
	}
	s.reportTable(v, a, rows).send(w, "report.csv")
}

// reportTable makes the table. Shares are left to the reader of the table, who has the counts.
func (s *server) reportTable(v *visit, a *asked, rows []report.TrafficRow) *sheet {
	table := newSheet(v)
	say := func(key string, args ...any) string {
		return s.pages[v.lang].Say(page.Said{Sentence: key, Args: args})
	}
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d.Round(time.Second).Seconds())) }
	outcomes := []tel.QueueOutcome{
		tel.OutcomeAnswered, tel.OutcomeAbandoned, tel.OutcomeCallback, tel.OutcomeTimedOut, tel.OutcomeExitKey, tel.OutcomeEmpty, tel.OutcomeWithdrawn, tel.OutcomeOverflow, tel.OutcomeFailed, tel.OutcomeRefused,
	}
	heads := []string{say("history.when"), say("floor.queue"), say("report.entered")}
	for _, o := range outcomes {
		heads = append(heads, say("report.outcome."+string(o)))
	}
	heads = append(heads, say("report.short_column"), say("report.in_time", a.Filter.Within), say("report.waited"), say("report.longest"), say("calls.talked"), say("report.held"), say("report.wrapped"))
	table.row(heads...)
	c := s.Settings.Current()
	for _, r := range rows {
		cells := []string{a.label(r.From), queueName(c, r.Queue), strconv.Itoa(r.Entered())}
		for _, o := range outcomes {
			cells = append(cells, strconv.Itoa(r.Of(o)))
		}
		inTime := r.Traffic.Answered.Within(time.Duration(a.Filter.Within) * time.Second)
		table.row(append(cells, strconv.Itoa(r.Short), strconv.Itoa(inTime), seconds(r.Waited), seconds(r.Longest), seconds(r.Talked), seconds(r.Held), seconds(r.Wrapped))...)
	}
	return table
}

// unreported says why there is no report.
func (s *server) unreported(err error) (said page.Said, status int) {
	if errors.Is(err, store.ErrTooLarge) {
		return page.Said{Sentence: "report.large"}, http.StatusUnprocessableEntity
	}
	s.Log.Warn("the records cannot be read", "err", err)
	said = s.sentence("records.away")
	said.Detail = err.Error()
	return said, http.StatusServiceUnavailable
}
