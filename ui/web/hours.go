package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
)

func hoursKind() kind[config.Hours] {
	type h = config.Hours
	week := group[h]{key: "week"}
	for i, day := range config.Days() {
		week.fields = append(week.fields, binding[h]{
			name: day, path: "open", kind: page.FieldText,
			get: func(x *h) string { return strings.ReplaceAll(x.Week()[i], ",", " ") },
			set: func(x *h, v string) string {
				w := x.Week()
				if w[i] = v; !config.GoodTimes(v) {
					return "hours"
				}
				x.SetWeek(w)
				return ""
			},
		})
	}
	return kind[h]{
		name: "hours",
		of:   func(c *config.Config) *[]h { return &c.Hours },
		id:   func(x *h) string { return x.ID },
		groups: []group[h]{
			{"who", []binding[h]{must(text("name", "name", func(x *h) *string { return &x.Name }))}},
			week,
			{"closed", []binding[h]{
				check("holidays", "holidays", func(x *h) *bool { return &x.Holidays }),
				{
					name: "exceptions", path: "exceptions", kind: page.FieldArea,
					get: func(x *h) string { return strings.TrimSpace(config.ClosedDays(x.Exceptions)) },
					set: func(x *h, v string) string { x.Exceptions = config.ReadClosedDays(v); return "" },
				},
			}},
			{"to", []binding[h]{
				place("then", "then", false, func(x *h) *string { return &x.Then }),
				place("otherwise", "closed", true, func(x *h) *string { return &x.Closed }),
				place("holiday", "holiday", true, func(x *h) *string { return &x.Holiday }),
			}},
		},
	}
}

func hoursEditor() editor[config.Hours] {
	return editor[config.Hours]{
		kind: hoursKind(), title: "hours.edit", fresh: "hours.new", at: "/hours",
		blank: func(c *config.Config) config.Hours {
			h := config.Hours{Open: []string{"mon-fri 09:00-13:00,14:00-18:00"}, Holidays: true, Then: "hangup"}
			if len(c.Queues) > 0 {
				h.Then = "queue:" + string(c.Queues[0].ID)
			}
			return h
		},
		born: func(c *config.Config, x *config.Hours) {
			x.ID = freeID(x.Name, "hours", func(id string) bool {
				return slices.ContainsFunc(c.Hours, func(h config.Hours) bool { return h.ID == id })
			})
		},
	}
}

func (s *server) hours(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	list := page.Cards{Key: "hours", Actions: []page.Link{{Key: "hours.new", Path: "/hours/new"}}}
	for _, h := range c.Hours {
		card := page.Card{Title: cmp.Or(h.Name, h.ID), Path: "/hours/" + h.ID}
		for i, times := range h.Week() {
			f := page.Fact{Key: "set.hours." + config.Days()[i], Text: strings.ReplaceAll(times, ",", " · ")}
			if times == "" {
				f.Says = "hours.shut"
			}
			card.Facts = append(card.Facts, f)
		}
		list.Cards = append(list.Cards, card)
	}
	s.cards(w, v, list)
}
