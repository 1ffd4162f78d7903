package web

import (
	"cmp"
	"context"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// longestPlace is how long before a call the place may have been given that it waited with: who redials keeps it.
const longestPlace = 24 * time.Hour

// story tells what became of one call: from its line to its end.
func (s *server) story(w http.ResponseWriter, v *visit) {
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	c, err := s.recordOf(ctx, v)
	switch {
	case err != nil:
		s.Log.Warn("the records cannot be read", "err", err)
		s.refuse(w, v, http.StatusServiceUnavailable, "records.away")
		return
	case c == nil:
		s.refuse(w, v, http.StatusNotFound, "story.gone")
		return
	case v.user.Role == access.Supervisor && len(v.user.Queues) > 0 && (c.Queue == "" || !v.user.Supervises(c.Queue)):
		s.refuse(w, v, http.StatusForbidden, "floor.not_yours")
		return
	}
	waits, err := s.waitsOf(ctx, *c)
	if err != nil {
		s.Log.Warn("the waits of a call cannot be read", "call", c.Call, "err", err)
	}
	said, err2 := s.Records.ListDispositions(ctx, store.DispositionQuery{Call: c.Call, Span: store.Span{From: c.Started, To: c.Ended.Add(spokenOf)}})
	if err2 != nil {
		s.Log.Warn("what came of a call cannot be read", "call", c.Call, "err", err2)
		err = err2
	}
	now := s.Settings.Current()
	p := page.CallStory{
		Reader: s.reader(v), Box: s.Name(), Call: c.Call, From: c.From, To: c.To, Part: err != nil,
		Steps: tell(now, *c, waits, s.Zone()),
	}
	p.Reader.Query = template.URL(url.Values{"at": {v.URL.Query().Get("at")}}.Encode())
	for _, m := range c.Media {
		p.Legs = append(p.Legs, page.Leg{
			Party: partyName(now, m.Party), Codec: m.Codec, Received: m.Received, Lost: m.Lost,
			Heard: heard(m.Sound), Hears: opinion(m.Sound.Hears), Trouble: string(m.Sound.Trouble), Place: string(m.Sound.Place),
		})
	}
	for _, d := range said.Items {
		p.Dispositions = append(p.Dispositions, page.Said{Sentence: "disposition.said", Args: []any{agentName(now, d.Agent), d.Disposition}})
	}
	p.Recordings = s.recordingsOf(v, c)
	p.Trace = v.user.Role.May(access.Configure) && len(s.Ladder(c.Call)) > 0
	html, err := s.pages[v.lang].CallStory(p, time.Now().In(s.Zone()))
	s.show(w, http.StatusOK, html, err)
}

// spokenOf is until when after its end an agent is believed to say what came of a call.
const spokenOf = 24 * time.Hour

// heard is how others heard a party; of one whose packets never came there is no rating, but it is known.
func heard(s tel.LegSound) string {
	if s.Heard == 0 && s.Trouble == tel.SoundOneWay {
		return "none"
	}
	return opinion(s.Heard)
}

// opinion is the word of a mean opinion score: the classes of ITU-T G.109, the two lowest being one.
func opinion(mos float64) string {
	switch {
	case mos <= 0:
		return ""
	case mos >= 4.03:
		return "good"
	case mos >= 3.6:
		return "fair"
	case mos >= 3.1:
		return "poor"
	}
	return "bad"
}

// recordOf finds the call that the path names among those that started at the moment which the address tells;
// nil: there is none.
func (s *server) recordOf(ctx context.Context, v *visit) (*tel.CallEnded, error) {
	at, err := time.Parse(time.RFC3339Nano, v.URL.Query().Get("at"))
	if err != nil {
		return nil, nil //nolint:nilerr // what names no moment names no call
	}
	q := store.CallQuery{Span: store.Span{From: at, To: at.Add(1), Limit: store.MaxLimit}}
	all, err := s.Records.ListCalls(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, c := range all.Items {
		if string(c.Call) == v.PathValue("call") {
			return &c.CallEnded, nil
		}
	}
	return nil, nil
}

// waitsOf are the waits of a call, in their order.
func (s *server) waitsOf(ctx context.Context, c tel.CallEnded) (all []tel.QueueLeft, err error) {
	q := store.WaitQuery{Span: store.Span{From: c.Started.Add(-longestPlace), To: c.Ended.Add(time.Second), Limit: store.MaxLimit}, Caller: c.From}
	if c.From == "" { // of whom nothing is known everything that began meanwhile is looked at
		q.From = c.Started.Add(-time.Second)
	}
	for {
		p, err := s.Records.ListWaits(ctx, q)
		if err != nil {
			return all, err
		}
		for _, w := range p.Items {
			if w.Call == c.Call {
				all = append(all, w.QueueLeft)
			}
		}
		if q.Cursor = p.Next; q.Cursor == "" {
			break
		}
	}
	slices.SortStableFunc(all, func(x, y tel.QueueLeft) int { return x.Left.Compare(y.Left) })
	return all, nil
}

// tell makes the steps of a call, in the order in which they happened.
func tell(c *config.Config, x tel.CallEnded, waits []tel.QueueLeft, zone *time.Location) (all []page.Step) {
	add := func(at time.Time, notes []page.Said, sentence string, args ...any) {
		all = append(all, page.Step{At: at.In(zone), Says: page.Said{Sentence: sentence, Args: args}, Notes: notes})
	}
	note := func(sentence string, args ...any) page.Said { return page.Said{Sentence: sentence, Args: args} }

	var first, answer []page.Said
	if x.DivertedBy != "" {
		first = append(first, note("call.diverted", x.DivertedBy))
	}
	if x.ForeignCLI {
		first = append(first, note("call.foreign"))
	}
	if x.Machine != "" {
		first = append(first, note("calls.machine."+string(x.Machine)))
	}
	add(x.Started, first, "story.began."+string(x.Direction), partyName(c, x.In))
	for _, w := range waits {
		at := w.Arrived
		if at.IsZero() {
			at = w.Joined
		}
		var notes []page.Said
		if w.Joined.Before(x.Started) {
			notes = append(notes, note("story.place_kept", w.Joined.In(zone).Format(time.TimeOnly)))
		}
		add(at, notes, "story.queue", queueName(c, w.Queue))
		for _, a := range w.Rang {
			add(at, nil, "story.rang", agentName(c, a))
		}
		if w.Offers > 0 && len(w.Rang) == 0 { // a record of before it had names
			add(at, nil, "story.offers", w.Offers)
		}
		waited := max(0, w.Left.Sub(at)).Round(time.Second).String()
		if w.Outcome == tel.OutcomeAnswered && !x.Answered.IsZero() { // said with the answer
			answer = append(answer, note("story.waited", waited))
			continue
		}
		notes = nil
		if w.To != "" {
			notes = append(notes, note("story.sent_to", w.To))
		}
		add(w.Left, notes, "story.left."+string(w.Outcome), waited, agentName(c, w.Agent))
	}
	if !x.Answered.IsZero() {
		add(x.Answered, answer, "story.answered", cmp.Or(agentName(c, x.Agent), partyName(c, x.Out)))
	}
	for _, m := range x.Moves {
		var notes []page.Said
		if m.Why != "" {
			notes = append(notes, note("story.why."+string(m.Why)))
		}
		add(m.At, notes, "story.move."+string(m.Kind), partyName(c, m.By), partyName(c, m.Party), string(m.To))
	}
	for _, v := range x.Supervised {
		add(v.From, nil, "story.watched."+string(v.Mode), agentName(c, v.By), agentName(c, v.Agent))
	}
	var last []page.Said
	if x.Recovered {
		last = append(last, note("story.recovered"))
	}
	if !x.Answered.IsZero() {
		last = append(last, note("story.talked", max(0, x.Ended.Sub(x.Answered)).Round(time.Second).String()))
	}
	if x.EndedBy == "caller" || x.EndedBy == "callee" || x.EndedBy == "box" {
		last = append(last, note("story.by."+x.EndedBy))
	}
	add(x.Ended, last, "story.ended", note("ended."+x.Cause.String()))
	slices.SortStableFunc(all, func(a, b page.Step) int { return a.At.Compare(b.At) })
	return all
}
