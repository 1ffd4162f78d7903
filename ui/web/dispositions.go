package web

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// sumUpDispositions adds what came of the calls, by queue, the most frequent first.
func (s *server) sumUpDispositions(ctx context.Context, a *asked) error {
	q := a.query
	q.Step = report.Whole
	rows, err := s.Records.DispositionSums(ctx, q)
	if err != nil {
		return err
	}
	c := s.Settings.Current()
	for _, r := range rows {
		names := slices.Sorted(maps.Keys(r.Calls))
		slices.SortStableFunc(names, func(x, y string) int { return r.Calls[y] - r.Calls[x] })
		for _, name := range names {
			a.Dispositions = append(a.Dispositions, page.DispositionRow{Queue: queueName(c, r.Queue), Name: name, Calls: r.Calls[name]})
		}
	}
	return nil
}

// disposed are the dispositions of a list's span by call: the last word about each. There are no more than mostExported.
func (s *server) disposed(ctx context.Context, span store.Span) (map[tel.CallID]string, error) {
	said := map[tel.CallID]string{}
	span.Cursor, span.Limit = "", store.MaxLimit
	if !span.To.IsZero() {
		span.To = span.To.AddDate(0, 0, 1) // a call of the last minute is spoken of after midnight
	}
	for len(said) < mostExported {
		p, err := s.Records.ListDispositions(ctx, store.DispositionQuery{Span: span})
		if err != nil {
			return nil, err
		}
		for _, d := range p.Items {
			if said[d.Call] == "" { // the newest come first
				said[d.Call] = d.Disposition
			}
		}
		if span.Cursor = p.Next; p.Next == "" {
			break
		}
	}
	return said, nil
}

// dispositionKind is the form of a disposition: what it is called, by which code it is dialled, and whose calls it is for.
func dispositionKind() kind[config.Disposition] {
	type d = config.Disposition
	return kind[d]{
		name: "dispositions",
		of:   func(c *config.Config) *[]d { return &c.Dispositions },
		id:   func(x *d) string { return x.Code },
		groups: []group[d]{
			{"what", []binding[d]{dispositionName(), dispositionCode()}},
			{"whose", []binding[d]{
				some("queues", "queues", page.FieldChecks, func(c *config.Config, _ *d) []page.Option { return queuesOf(c, nil) }, func(x *d) *[]tel.QueueID { return &x.Queues }),
			}},
		},
	}
}

// mostName is how many letters the name of a disposition may have on the page: it is a button of every agent's.
const mostName = 40

func dispositionName() binding[config.Disposition] {
	b := must(text("name", "name", func(x *config.Disposition) *string { return &x.Name }))
	set := b.set
	b.set = func(x *config.Disposition, v string) string {
		if utf8.RuneCountInString(v) > mostName {
			return "button"
		}
		return set(x, v)
	}
	return b
}

func dispositionCode() binding[config.Disposition] {
	b := text("code", "code", func(x *config.Disposition) *string { return &x.Code })
	set := b.set
	b.set = func(x *config.Disposition, v string) string {
		v = strings.Join(strings.Fields(v), "")
		if len(v) < 1 || len(v) > 3 || strings.Trim(v, "0123456789") != "" || v[0] == '0' {
			return "dialled"
		}
		return set(x, v)
	}
	return b
}

func dispositionEditor() editor[config.Disposition] {
	return editor[config.Disposition]{
		kind: dispositionKind(), title: "disposition.edit", fresh: "disposition.new", at: "/dispositions",
		blank: func(*config.Config) config.Disposition { return config.Disposition{} },
		born: func(c *config.Config, x *config.Disposition) {
			for n := 1; x.Code == ""; n++ { // nobody has said one: the first that is free
				if taken, _ := dispositionKind().find(c, strconv.Itoa(n)); taken == nil {
					x.Code = strconv.Itoa(n)
				}
			}
		},
	}
}

// dispositions lists what agents can say came of a call, in the order in which their page shows it.
func (s *server) dispositions(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	list := page.Cards{Key: "dispositions", Actions: []page.Link{{Key: "disposition.new", Path: "/dispositions/new"}}}
	if len(c.Dispositions) > 1 {
		list.Actions = append(list.Actions, page.Link{Key: "disposition.order", Path: "/dispositions/order"})
	}
	dialled := string(c.DispositionCode())
	for _, d := range c.Dispositions {
		card := page.Card{Title: d.Name, Path: "/dispositions/" + d.Code}
		if dialled != "" {
			card.Sub = dialled + d.Code
		}
		of := page.Fact{Key: "set.dispositions.queues", Text: some8(namesOf(&c, "queues", d.Queues))}
		if len(d.Queues) == 0 {
			of.Says = "disposition.everywhere"
		}
		card.Facts = []page.Fact{of}
		list.Cards = append(list.Cards, card)
	}
	s.cards(w, v, list)
}

// orderEditor is the form of the order in which agents are shown the dispositions.
func orderEditor() editor[config.Config] {
	choices := func(c *config.Config, _ *config.Config) (all []page.Option) {
		for _, d := range c.Dispositions {
			all = append(all, page.Option{ID: d.Code, Name: cmp.Or(d.Name, d.Code)})
		}
		return all
	}
	return editor[config.Config]{
		title: "disposition.order", at: "/dispositions",
		kind: kind[config.Config]{
			name: "dispositions", alone: true, id: func(*config.Config) string { return "order" },
			groups: []group[config.Config]{{"order", []binding[config.Config]{
				ordering("order", choices, func(x *config.Config) *[]config.Disposition { return &x.Dispositions }, dispositionKind().id),
			}}},
		},
	}
}

// orderForm shows the form of the order of the dispositions.
func (s *server) orderForm(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	orderEditor().show(s, w, v, http.StatusOK, &c, &c, page.Form{})
}

// saveOrder takes another order of the dispositions into the visitor's draft.
func (s *server) saveOrder(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	e := orderEditor()
	c, p := s.drafted(v), e.read(v.PostForm)
	before := c.Clone()
	wrong := e.write(&c, p)
	e.settle(s, w, v, &c, &before, 0, p, wrong, func(c *config.Config) error { e.write(c, p); return nil })
}
