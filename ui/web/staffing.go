package web

import (
	"context"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/report/staffing"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// targets are the shares of callers that one may aim at, in per cent; the first is the usual one.
func targets() []int { return []int{80, 70, 85, 90, 95} }

// staffing shows how many people a queue needs on a day.
func (s *server) staffing(w http.ResponseWriter, v *visit) {
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	p, day, status := s.staffed(v)
	if p.Filter.Queue != "" {
		like := staffing.Like(day, func(at time.Time) bool { _, is := s.Holiday(at); return is })
		rows, err := s.halfHours(ctx, day, like, tel.QueueID(p.Filter.Queue))
		if err != nil {
			p.Said, status = s.unreported(err)
		}
		if name, is := s.Holiday(day); is {
			p.Holiday = name
		}
		p.Plan = staffing.Plan(day, like, rows, staffing.Aim{Share: float64(p.Filter.Target) / 100, Within: time.Duration(p.Filter.Within) * time.Second})
	}
	p.Reader, p.Box = s.reader(v), s.Name()
	p.Reader.Query = template.URL(url.Values{
		"day": {p.Filter.Day}, "queue": {p.Filter.Queue}, "target": {strconv.Itoa(p.Filter.Target)}, "within": {strconv.Itoa(p.Filter.Within)},
	}.Encode())
	html, err := s.pages[v.lang].Staffing(p, time.Now().In(s.Zone()))
	s.show(w, status, html, err)
}

// halfHours reads what a queue's callers did on the days that a plan is made of: in one piece where they lie
// close together, each by itself where they are the holidays of a year.
func (s *server) halfHours(ctx context.Context, day time.Time, like []time.Time, queue tel.QueueID) (all []report.TrafficRow, err error) {
	if len(like) == 0 {
		return nil, nil
	}
	type span struct{ from, to time.Time }
	spans := []span{{like[0], day}}
	if day.Sub(like[0]) > 100*24*time.Hour {
		spans = spans[:0]
		for _, at := range like {
			spans = append(spans, span{at, at.AddDate(0, 0, 1)})
		}
	}
	for _, x := range spans {
		rows, err := s.Records.Traffic(ctx, store.ReportQuery{From: x.from, To: x.to, Step: report.HalfHour, Zone: day.Location().String(), Queues: []tel.QueueID{queue}})
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// staffed reads what is asked for. What makes no sense of it is left out, and said.
func (s *server) staffed(v *visit) (p page.Staffing, day time.Time, status int) {
	q, zone := v.URL.Query(), s.Zone()
	wrong := func(sentence string) { p.Wrong = append(p.Wrong, page.Said{Sentence: sentence}) }
	p.Targets, p.Withins = targets(), withins()
	p.Filter = page.StaffingFilter{Queue: q.Get("queue"), Target: targets()[0], Within: withins()[0]}
	y, m, d := time.Now().In(zone).Date()
	day = time.Date(y, m, d+1, 0, 0, 0, 0, zone)
	if text := q.Get("day"); text != "" {
		at, err := time.ParseInLocation(time.DateOnly, text, zone)
		if err != nil || at.Year() < 2000 || at.Year() > 2200 {
			wrong("filter.day_bad")
		} else {
			day = at
		}
	}
	p.Filter.Day = day.Format(time.DateOnly)
	for _, choice := range []struct {
		name string
		of   []int
		to   *int
	}{{"target", p.Targets, &p.Filter.Target}, {"within", p.Withins, &p.Filter.Within}} {
		if text := q.Get(choice.name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || !slices.Contains(choice.of, n) {
				wrong("filter.result_bad")
				continue
			}
			*choice.to = n
		}
	}
	p.Queues, p.Filter.Queue = s.supervised(v, p.Filter.Queue, wrong)
	return p, day, http.StatusOK
}
