package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// buttonKind is the form of a push button of its own: whose it is, what it is for, and where it hangs.
func buttonKind() kind[config.Button] {
	type b = config.Button
	of := text("of", "of", func(x *b) *string { return &x.Of })
	of.kind, of.choices = page.FieldSelect, func(c *config.Config, _ *b) []page.Option {
		return slices.DeleteFunc(subjects(c), func(o page.Option) bool {
			return !strings.HasPrefix(o.ID, "agent:") && !strings.HasPrefix(o.ID, "desk:")
		})
	}
	reason := text("reason", "reason", func(x *b) *string { return &x.Reason })
	reason.kind, reason.choices = page.FieldSelect, func(c *config.Config, _ *b) []page.Option {
		all := []page.Option{{Key: "button.reason.first"}}
		for _, r := range c.Pauses.Reasons {
			all = append(all, page.Option{ID: r.Name, Name: r.Name})
		}
		return all
	}
	return kind[b]{
		name: "buttons",
		of:   func(c *config.Config) *[]b { return &c.Buttons },
		id:   func(x *b) string { return string(x.ID) },
		groups: []group[b]{
			{"use", []binding[b]{
				of,
				choice("use", "use", "button.use.", config.ButtonUses(), func(x *b) *config.ButtonUse { return &x.Use }),
				reason,
			}},
			{"where", []binding[b]{
				choice("driver", "driver", "lamp.button.", config.ButtonDrivers(), func(x *b) *string { return &x.Driver }),
				text("chip", "chip", func(x *b) *string { return &x.Chip }),
				text("line", "line", func(x *b) *string { return &x.Line }),
				check("supply", "supply", func(x *b) *bool { return &x.Supply }),
			}},
		},
	}
}

func buttonEditor() editor[config.Button] {
	return editor[config.Button]{
		kind: buttonKind(), title: "button.edit", fresh: "button.new", at: "/buttons",
		blank: func(*config.Config) config.Button { return config.Button{Use: "ready", Driver: "gpio"} },
		born: func(c *config.Config, x *config.Button) {
			x.ID = tel.LampID(freeID("", "button", func(id string) bool { return nameOf(c, "buttons", id) != "" || nameOf(c, "lamps", id) != "" }))
		},
	}
}

// buttons lists the buttons with whose each is and what it is for.
func (s *server) buttons(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	list := page.Cards{Key: "buttons", Actions: []page.Link{{Key: "button.new", Path: "/buttons/new"}, {Key: "lamps", Path: "/lamps"}}}
	options := subjects(&c)
	for _, b := range c.Buttons {
		card := page.Card{Title: string(b.ID), Path: "/buttons/" + string(b.ID), Facts: []page.Fact{{Key: "set.buttons.use", Says: "button.use." + string(b.Use)}}}
		if i := slices.IndexFunc(options, func(o page.Option) bool { return o.ID == b.Of }); i >= 0 {
			card.Sub = options[i].Name
		}
		if b.Line != "" {
			card.Facts = append(card.Facts, page.Fact{Key: "set.buttons.line", Text: b.Chip + " " + b.Line})
		}
		list.Cards = append(list.Cards, card)
	}
	s.cards(w, v, list)
}
