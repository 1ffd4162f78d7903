package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// lampKind is the form of a lamp: what it is of, where it hangs, and the button beside it.
func lampKind() kind[config.Lamp] {
	type l = config.Lamp
	shows := text("shows", "shows", func(x *l) *string { return &x.Shows })
	shows.kind, shows.choices = page.FieldSelect, func(c *config.Config, _ *l) []page.Option { return subjects(c) }
	return kind[l]{
		name: "lamps",
		of:   func(c *config.Config) *[]l { return &c.Lamps },
		id:   func(x *l) string { return string(x.ID) },
		groups: []group[l]{
			{"shows", []binding[l]{
				shows,
				choice("lens", "lens", "lamp.lens.", []string{"", "green", "amber", "red"}, func(x *l) *string { return &x.Lens }),
			}},
			{"where", []binding[l]{
				choice("driver", "driver", "lamp.driver.", config.LampDrivers(), func(x *l) *string { return &x.Driver }),
				text("chip", "chip", func(x *l) *string { return &x.Chip }),
				text("line", "line", func(x *l) *string { return &x.Line }),
				{
					name: "lines", path: "lines", kind: page.FieldText,
					get: func(x *l) string { return strings.Join(x.Lines, " ") },
					set: func(x *l, v string) string {
						x.Lines = strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ',' })
						return ""
					},
				},
				count("bit", "bit", func(x *l) *int { return &x.Bit }),
				check("colour", "colour", func(x *l) *bool { return &x.Colour }),
				count("leds", "leds", func(x *l) *int { return &x.LEDs }),
				check("invert", "invert", func(x *l) *bool { return &x.Invert }),
				check("relay", "relay", func(x *l) *bool { return &x.Relay }),
			}},
			{"button", []binding[l]{
				choice("button", "button", "lamp.button.", []string{"", "gpio", "sim"}, func(x *l) *string { return &x.Button }),
				text("button_line", "button_line", func(x *l) *string { return &x.ButtonLine }),
				text("button_chip", "button_chip", func(x *l) *string { return &x.ButtonChip }),
				check("button_supply", "button_supply", func(x *l) *bool { return &x.ButtonSupply }),
			}},
		},
	}
}

// subjects are what a lamp can be of.
func subjects(c *config.Config) []page.Option {
	all := []page.Option{{Key: "lamp.of.owner"}}
	add := func(kind, id, name string) {
		all = append(all, page.Option{ID: kind + ":" + id, Key: "lamp.of." + kind, Name: cmp.Or(name, id)})
	}
	for _, a := range c.Agents {
		add("agent", string(a.ID), a.Name)
	}
	for _, q := range c.Queues {
		add("queue", string(q.ID), q.Name)
	}
	for _, p := range c.Phones {
		add("desk", string(p.ID), p.Name)
	}
	for _, t := range c.Trunks {
		add("trunk", string(t.ID), t.Name)
	}
	for _, x := range c.Lines {
		add("line", string(x.ID), x.Name)
	}
	return append(all, page.Option{ID: "system", Key: "lamp.of.system"})
}

func lampEditor() editor[config.Lamp] {
	return editor[config.Lamp]{
		kind: lampKind(), title: "lamp.edit", fresh: "lamp.new", at: "/lamps",
		blank: func(*config.Config) config.Lamp { return config.Lamp{Driver: "gpio"} },
		born: func(c *config.Config, x *config.Lamp) {
			x.ID = tel.LampID(freeID("", "lamp", func(id string) bool { return nameOf(c, "lamps", id) != "" }))
		},
		remove: func(c *config.Config, x config.Lamp) {
			c.Agents = slices.Clone(c.Agents)
			for i := range c.Agents {
				if c.Agents[i].Lamp == x.ID {
					c.Agents[i].Lamp = ""
				}
			}
		},
	}
}

// lamps lists the lamps with what each is of and where it hangs.
func (s *server) lamps(w http.ResponseWriter, v *visit) {
	s.showLamps(w, v, page.Said{}, page.Said{})
}

func (s *server) showLamps(w http.ResponseWriter, v *visit, said, good page.Said) {
	c := s.drafted(v)
	p := page.Lamps{Reader: s.reader(v), Box: s.Name(), Said: said, Good: good}
	p.Reader.Path = "/lamps"
	options := subjects(&c)
	for _, l := range c.Lamps {
		of := page.Fact{Key: "set.lamps.shows", Says: "lamp.nobody"}
		subject := c.Subject(l).String()
		if i := slices.IndexFunc(options, func(o page.Option) bool { return o.ID == subject && subject != "" }); i >= 0 {
			of.Says, of.Text = options[i].Key, options[i].Name
		}
		card := page.Card{Title: string(l.ID), Path: "/lamps/" + string(l.ID), Facts: []page.Fact{of}}
		if l.Lens != "" {
			card.Facts = append(card.Facts, page.Fact{Key: "set.lamps.lens", Says: "lamp.lens." + l.Lens})
		}
		card.Facts = append(card.Facts, page.Fact{
			Key: "set.lamps.driver", Says: "lamp.driver." + l.Driver, Text: strings.Join(strings.Fields(strings.Join(append([]string{l.Chip, l.Line}, l.Lines...), " ")), " "),
		})
		p.Lamps = append(p.Lamps, card)
	}
	html, err := s.pages[v.lang].Lamps(p, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// findLamp lets a lamp blink so that somebody sees on which desk it stands.
func (s *server) findLamp(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	id := tel.LampID(v.PathValue("id"))
	if !s.Setup.Blink(id) {
		s.showLamps(w, v, s.sentence("setup.lamp_gone"), page.Said{})
		return
	}
	s.showLamps(w, v, page.Said{}, page.Said{Sentence: "setup.lamp.blinks", Args: []any{id}})
}

// testLamps shows every colour on every lamp.
func (s *server) testLamps(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	s.TestLamps()
	s.showLamps(w, v, page.Said{}, page.Said{Sentence: "lamp.tested"})
}
