package web

import (
	"context"
	"net/http"
	"strconv"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// sumUpLines adds what came and went by each line.
func (s *server) sumUpLines(ctx context.Context, a *asked) error {
	q := a.query
	q.Step, q.Queues = report.Whole, nil
	rows, err := s.Records.LineCalls(ctx, q)
	if err != nil {
		return err
	}
	c := s.Settings.Current()
	for _, r := range rows {
		a.Lines = append(a.Lines, page.LineRow{Name: partyName(c, r.Line), Calls: r.LineCalls})
	}
	return nil
}

// exportLines sends the figures of each line, step by step, as a table.
func (s *server) exportLines(w http.ResponseWriter, v *visit) {
	ctx, cancel := context.WithTimeout(v.Context(), applyFor)
	defer cancel()
	a := s.reported(v)
	if len(a.Wrong) > 0 {
		s.refuse(w, v, http.StatusBadRequest, a.Wrong[0].Sentence)
		return
	}
	if a.Limited { // lines are nobody's queue
		s.refuse(w, v, http.StatusForbidden, "forbidden")
		return
	}
	q := a.query
	q.Queues = nil
	rows, err := s.Records.LineCalls(ctx, q)
	if err != nil {
		said, status := s.unreported(err)
		s.refuse(w, v, status, said.Sentence)
		return
	}
	s.lineTable(v, a, rows).send(w, "lines.csv")
}

// lineTable makes the table, with a column for each reason of a call that nobody answered.
func (s *server) lineTable(v *visit, a *asked, rows []report.LineRow) *sheet {
	table := newSheet(v)
	say := func(key string) string { return s.pages[v.lang].Say(page.Said{Sentence: key}) }
	var causes []tel.Cause
	for _, cause := range tel.Causes() {
		for _, r := range rows {
			if r.Failed[cause] > 0 {
				causes = append(causes, cause)
				break
			}
		}
	}
	heads := []string{say("history.when"), say("report.line"), say("report.in"), say("report.in_answered"), say("report.out"), say("report.out_answered")}
	for _, cause := range causes {
		heads = append(heads, say("ended."+cause.String()))
	}
	table.row(append(heads, say("report.line_talked")+" (s)", say("report.line_used")+" (s)")...)
	c := s.Settings.Current()
	for _, r := range rows {
		cells := []string{a.label(r.From), partyName(c, r.Line), strconv.Itoa(r.In), strconv.Itoa(r.InAnswered), strconv.Itoa(r.Out), strconv.Itoa(r.OutAnswered)}
		for _, cause := range causes {
			cells = append(cells, strconv.Itoa(r.Failed[cause]))
		}
		table.row(append(cells, strconv.Itoa(int(r.Talked.Seconds())), strconv.Itoa(int(r.Used.Seconds())))...)
	}
	return table
}
