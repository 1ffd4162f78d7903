package web

import (
	"cmp"
	"context"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/view"
)

// Records are the finished calls, waits, callbacks and missed callers, and the sums over them, as the record
// keeper has them.
type Records interface {
	ListCalls(context.Context, store.CallQuery) (store.Page[store.Call], error)
	ListWaits(context.Context, store.WaitQuery) (store.Page[store.Wait], error)
	ListCallbacks(context.Context, store.CallbackQuery) (store.Page[store.Callback], error)
	ListMissed(context.Context, store.MissedQuery) (store.Page[store.Missed], error)
	Traffic(context.Context, store.ReportQuery) ([]report.TrafficRow, error)
	Work(context.Context, store.ReportQuery) ([]report.WorkRow, error)
	ListDispositions(context.Context, store.DispositionQuery) (store.Page[store.Disposition], error)
	DispositionSums(context.Context, store.ReportQuery) ([]report.DispositionRow, error)
	LineCalls(context.Context, store.ReportQuery) ([]report.LineRow, error)
}

// results are what can be looked for in each list.
func results(tab string) []string {
	switch tab {
	case page.TabCallbacks:
		return []string{"reached", "unreached", "caller_called", "expired", "withdrawn"}
	case page.TabMissed:
		return []string{"open", "called_again", "called_back", "dismissed", "too_old"}
	default:
		return []string{"answered", "unanswered", "in", "out", "internal"}
	}
}

// listing is a list of the past as somebody has asked for it.
type listing struct {
	page.Calls
	span    store.Span
	numbers []tel.Number // how the number that was asked for may stand in the records
	config  *config.Config
	lang    string
}

// listed reads what is looked for. What makes no sense of it is left out, and said.
func (s *server) listed(v *visit, tab string) *listing {
	l := &listing{config: s.Settings.Current(), lang: v.lang}
	q := v.URL.Query()
	l.Tab, l.Results, l.People, l.Most = tab, results(tab), s.People(), mostExported
	l.Filter = page.CallFilter{
		From: q.Get("from"), To: q.Get("to"), Number: oneLine(q.Get("number")), Queue: q.Get("queue"), Person: q.Get("person"), Result: q.Get("result"),
	}
	l.span = store.Span{Cursor: q.Get("after")}
	wrong := func(field *string, sentence string) {
		*field = ""
		l.Wrong = append(l.Wrong, page.Said{Sentence: sentence})
	}
	zone := s.Zone()
	day := func(field *string, days int) (at time.Time) {
		if *field == "" {
			return at
		}
		at, err := time.ParseInLocation(time.DateOnly, *field, zone)
		if err != nil {
			wrong(field, "filter.day_bad")
			return time.Time{}
		}
		return at.AddDate(0, 0, days)
	}
	l.span.From, l.span.To = day(&l.Filter.From, 0), day(&l.Filter.To, 1)
	if l.Filter.Number != "" {
		if n, err := tel.ParseNumber(l.Filter.Number); err != nil {
			wrong(&l.Filter.Number, "filter.number_bad")
		} else if e, ok := n.E164(); ok && e != n {
			l.numbers = []tel.Number{e, n}
		} else {
			l.numbers = []tel.Number{n}
		}
	}
	for _, x := range s.Queues() {
		if v.user.Supervises(tel.QueueID(x.ID)) {
			l.Queues = append(l.Queues, x)
		}
	}
	l.Limited = v.user.Role == access.Supervisor && len(v.user.Queues) > 0
	if l.Filter.Queue != "" && !slices.ContainsFunc(l.Queues, func(x page.Choice) bool { return x.ID == l.Filter.Queue }) {
		wrong(&l.Filter.Queue, "filter.queue_bad")
	}
	if l.Limited && l.Filter.Queue == "" { // who supervises some queues sees the calls of those
		l.Filter.Queue = noQueue
		if len(l.Queues) > 0 {
			l.Filter.Queue = l.Queues[0].ID
		}
	}
	if l.Filter.Person != "" && !slices.ContainsFunc(l.People, func(x page.Person) bool { return string(x.ID) == l.Filter.Person }) {
		wrong(&l.Filter.Person, "filter.person_bad")
	}
	if l.Filter.Result != "" && !slices.Contains(l.Results, l.Filter.Result) {
		wrong(&l.Filter.Result, "filter.result_bad")
	}
	return l
}

// noQueue is the queue of a supervisor all of whose queues are gone: no call is of it.
const noQueue = "\x00"

// callQuery is what is asked of the records about calls.
func (l *listing) callQuery() store.CallQuery {
	q := store.CallQuery{Span: l.span, Queue: tel.QueueID(l.Filter.Queue), Agent: tel.AgentID(l.Filter.Person)}
	switch l.Filter.Result {
	case "answered", "unanswered":
		is := l.Filter.Result == "answered"
		q.Answered = &is
	case "":
	default:
		q.Direction = tel.Direction(l.Filter.Result)
	}
	return q
}

// any asks for the number as each way in which it may be written, until something is found.
func anyNumber[R any](l *listing, ask func(tel.Number) (store.Page[R], error)) (p store.Page[R], err error) {
	if len(l.numbers) == 0 {
		return ask("")
	}
	for _, n := range l.numbers {
		if p, err = ask(n); err != nil || len(p.Items) > 0 {
			break
		}
	}
	return p, err
}

// fill reads the rows of the list; next is the cursor of those behind.
func (s *server) fill(ctx context.Context, l *listing) (next string, err error) {
	switch l.Tab {
	case page.TabCallbacks:
		q := store.CallbackQuery{Span: l.span, Queue: tel.QueueID(l.Filter.Queue), Agent: tel.AgentID(l.Filter.Person), Outcome: tel.CallbackOutcome(l.Filter.Result)}
		p, err := anyNumber(l, func(n tel.Number) (store.Page[store.Callback], error) {
			q.Number = n
			return s.Records.ListCallbacks(ctx, q)
		})
		for _, c := range p.Items {
			l.Rows = append(l.Rows, s.callbackRow(l.config, c.CallbackChanged))
		}
		return p.Next, err
	case page.TabMissed:
		q := store.MissedQuery{Span: l.span, Queue: tel.QueueID(l.Filter.Queue)}
		if l.Filter.Result == "open" {
			open := true
			q.Open = &open
		} else {
			q.Closed = tel.MissedClose(l.Filter.Result)
		}
		p, err := anyNumber(l, func(n tel.Number) (store.Page[store.Missed], error) {
			q.Number = n
			return s.Records.ListMissed(ctx, q)
		})
		for _, m := range p.Items {
			l.Rows = append(l.Rows, s.missedRow(l.config, m.MissedChanged))
		}
		return p.Next, err
	default:
		p, err := s.callsOf(ctx, l)
		for _, c := range p.Items {
			l.Rows = append(l.Rows, s.callRow(l, c.CallEnded))
		}
		return p.Next, err
	}
}

func (s *server) callsOf(ctx context.Context, l *listing) (store.Page[store.Call], error) {
	q := l.callQuery()
	return anyNumber(l, func(n tel.Number) (store.Page[store.Call], error) { q.Party = n; return s.Records.ListCalls(ctx, q) })
}

// calls shows a list of the past; that of calls has those that are up above it.
func (s *server) calls(tab string) func(http.ResponseWriter, *visit) {
	return func(w http.ResponseWriter, v *visit) {
		ctx, cancel := context.WithTimeout(v.Context(), patience)
		defer cancel()
		l, status := s.listed(v, tab), http.StatusOK
		next, err := s.fill(ctx, l)
		if err != nil {
			s.Log.Warn("the records cannot be read", "err", err)
			l.Said, status = s.sentence("records.away"), http.StatusServiceUnavailable
			l.Said.Detail = err.Error()
		}
		if l.Filter.Queue == noQueue {
			l.Filter.Queue = ""
		}
		at := func(cursor string) string {
			q := l.Filter.Values()
			q.Set("lang", v.lang)
			if cursor != "" {
				q.Set("after", cursor)
			}
			return l.Path() + "?" + q.Encode()
		}
		if next != "" {
			l.Older = at(next)
		}
		if l.span.Cursor != "" {
			l.Newest = at("")
		}
		if tab == page.TabCalls {
			l.Export = "/calls.csv"
			if !l.Filter.Any() || l.Limited && l.span.Cursor == "" {
				l.Shown, l.Up = true, s.up(v)
			}
		}
		l.Reader, l.Box = s.reader(v), s.Name()
		l.Reader.Query = template.URL(l.Filter.Values().Encode())
		html, err := s.pages[v.lang].Calls(l.Calls, time.Now().In(s.Zone()))
		s.show(w, status, html, err)
	}
}

// up are the calls that are up, of the queues that the visitor supervises.
func (s *server) up(v *visit) (all []view.Call) {
	for _, c := range s.Hub.Office().Calls {
		if v.user.Role != access.Supervisor || len(v.user.Queues) == 0 || c.CallChanged.Queue != "" && v.user.Supervises(c.CallChanged.Queue) {
			all = append(all, c)
		}
	}
	return all
}

func (s *server) callRow(l *listing, c tel.CallEnded) page.CallRow {
	r := page.CallRow{
		Path: storyPath(c, l.lang), At: c.Started.In(s.Zone()), Number: c.From, To: c.To, Queue: queueName(l.config, c.Queue), Person: agentName(l.config, c.Agent),
		Result: page.Said{Sentence: "result.calls.answered"}, Notes: []page.Said{{Sentence: "result.calls." + string(c.Direction)}},
	}
	if c.Answered.IsZero() {
		r.Result = page.Said{Sentence: "ended." + c.Cause.String()}
	} else {
		r.Talked = max(0, c.Ended.Sub(c.Answered))
	}
	if len(c.Moves) > 0 {
		r.Notes = append(r.Notes, page.Said{Sentence: "calls.moved"})
	}
	if c.Machine != "" {
		r.Notes = append(r.Notes, page.Said{Sentence: "calls.machine." + string(c.Machine)})
	}
	if w := c.WorstSound(); w.Sound.Trouble != tel.SoundFine {
		r.Notes = append(r.Notes, page.Said{Sentence: "calls.sound", Args: []any{partyName(l.config, w.Party)}})
	}
	return r
}

func (s *server) callbackRow(c *config.Config, x tel.CallbackChanged) page.CallRow {
	r := page.CallRow{
		At: x.Asked.In(s.Zone()), Number: x.Number, Name: x.Name, Queue: queueName(c, x.Queue), Person: agentName(c, x.Agent),
		Result: page.Said{Sentence: "result.callbacks." + string(x.Outcome)},
	}
	if x.Attempts > 0 {
		r.Notes = append(r.Notes, page.Said{Sentence: "calls.attempts", Args: []any{x.Attempts}})
	}
	return r
}

func (s *server) missedRow(c *config.Config, m tel.MissedChanged) page.CallRow {
	closed := cmp.Or(string(m.Closed), "open")
	r := page.CallRow{
		At: m.First.In(s.Zone()), Number: m.Number, Name: m.Name, Queue: queueName(c, m.Queue),
		Result: page.Said{Sentence: "result.missed." + closed},
		Notes:  []page.Said{{Sentence: "missed." + string(m.Why)}, {Sentence: "calls.times", Args: []any{m.Calls}}},
	}
	if m.By != "" {
		r.Notes = append(r.Notes, page.Said{Sentence: "call.with", Args: []any{agentName(c, m.By)}})
	}
	return r
}

func queueName(c *config.Config, id tel.QueueID) string {
	return cmp.Or(nameOf(c, "queues", string(id)), string(id))
}

func agentName(c *config.Config, id tel.AgentID) string {
	return cmp.Or(nameOf(c, "agents", string(id)), string(id))
}

// partyName is what people call a trunk, a line or a phone ("trunk:tim"); a phone has its person's name.
func partyName(c *config.Config, party string) string {
	kind, id, _ := strings.Cut(party, ":")
	switch kind {
	case "trunk":
		return cmp.Or(nameOf(c, "trunks", id), party)
	case "line":
		return cmp.Or(nameOf(c, "lines", id), party)
	case "conference":
		return cmp.Or(nameOf(c, "conferences", id), party)
	case "agent":
		return agentName(c, tel.AgentID(id))
	case "phone":
		for _, a := range c.Agents {
			if slices.Contains(a.Phones, tel.DeviceID(id)) {
				return cmp.Or(a.Name, string(a.ID))
			}
		}
		return cmp.Or(nameOf(c, "phones", id), id)
	default:
		return party
	}
}

// storyPath is the page of one call: records are found by the moment of their start.
func storyPath(c tel.CallEnded, lang string) string {
	q := url.Values{"at": {c.Started.UTC().Format(time.RFC3339Nano)}, "lang": {lang}}
	return "/calls/" + url.PathEscape(string(c.Call)) + "?" + q.Encode()
}
