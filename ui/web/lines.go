package web

import (
	"cmp"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/view"
)

func trunkKind() kind[config.Trunk] {
	type t = config.Trunk
	return kind[t]{
		name: "trunks",
		of:   func(c *config.Config) *[]t { return &c.Trunks },
		id:   func(x *t) string { return string(x.ID) },
		groups: []group[t]{
			{"who", []binding[t]{
				must(text("name", "name", func(x *t) *string { return &x.Name })),
				check("disabled", "disabled", func(x *t) *bool { return &x.Disabled }),
				number("number", "number", func(x *t) *tel.Number { return &x.Number }),
				inbound(),
				count("max_calls", "max_calls", func(x *t) *int { return &x.MaxCalls }),
			}},
			{"account", []binding[t]{
				text("server", "server", func(x *t) *string { return &x.Server }),
				text("user", "user", func(x *t) *string { return &x.User }),
				secret("password", "password", func(x *t) *config.Secret { return &x.Password }),
			}},
		},
	}
}

// inbound is where a carrier's calls go whose number says nothing else.
func inbound() binding[config.Trunk] {
	b := place("in", "in", true, func(*config.Trunk) *string { return new(string) })
	b.get = func(x *config.Trunk) string { return x.In["*"] }
	b.set = func(x *config.Trunk, v string) string {
		x.In = maps.Clone(x.In)
		if v == "" {
			delete(x.In, "*")
			return ""
		}
		if x.In == nil {
			x.In = map[tel.Number]string{}
		}
		x.In["*"] = v
		return ""
	}
	return b
}

func lineKind() kind[config.Line] {
	type l = config.Line
	return kind[l]{
		name: "lines",
		of:   func(c *config.Config) *[]l { return &c.Lines },
		id:   func(x *l) string { return string(x.ID) },
		groups: []group[l]{
			{"who", []binding[l]{
				must(text("name", "name", func(x *l) *string { return &x.Name })),
				place("in", "in", true, func(x *l) *string { return &x.In }),
				secret("pin", "pin", func(x *l) *config.Secret { return &x.PIN }),
			}},
			{"power", []binding[l]{
				text("power_chip", "power.chip", func(x *l) *string { return &x.Power.Chip }),
				text("power_line", "power.line", func(x *l) *string { return &x.Power.Line }),
				check("power_invert", "power.invert", func(x *l) *bool { return &x.Power.Invert }),
				span("power_for", "power.for", time.Second, func(x *l) *time.Duration { return &x.Power.For }),
			}},
		},
	}
}

func trunkEditor() editor[config.Trunk] {
	return editor[config.Trunk]{kind: trunkKind(), title: "trunk.edit", at: "/lines/trunk"}
}

func lineEditor() editor[config.Line] {
	return editor[config.Line]{kind: lineKind(), title: "line.edit", at: "/lines/modem"}
}

func (s *server) lines(w http.ResponseWriter, v *visit) {
	c, now := s.drafted(v), s.Settings.Lines()
	list := page.Cards{Key: "lines", Actions: []page.Link{{Key: "line.new", Path: "/lines/new"}}}
	for _, t := range c.Trunks {
		card := lineCard(now, "trunk:"+string(t.ID), page.Card{Title: cmp.Or(t.Name, string(t.ID)), Sub: string(t.Number), Path: "/lines/trunk/" + string(t.ID)})
		if t.Server != "" {
			card.Facts = append(card.Facts, page.Fact{Key: "set.trunks.server", Text: t.Server})
		}
		card.Links = gatewayLink(&t)
		facts, links := s.tracedFact(v, "trunk:"+string(t.ID))
		card.Facts, card.Links = append(card.Facts, facts...), append(card.Links, links...)
		list.Cards = append(list.Cards, card)
	}
	for _, l := range c.Lines {
		card := lineCard(now, "line:"+string(l.ID), page.Card{Title: cmp.Or(l.Name, string(l.ID)), Path: editorOf(l) + string(l.ID)})
		facts, links := s.tracedFact(v, "line:"+string(l.ID))
		card.Facts, card.Links = append(card.Facts, facts...), append(card.Links, links...)
		list.Cards = append(list.Cards, card)
	}
	s.cards(w, v, list)
}

// silent is what is said of a line that has said nothing yet: only a trunk has a carrier to connect to.
func silent(line string) string {
	if strings.HasPrefix(line, "trunk:") {
		return "cause.registering"
	}
	return "cause.starting"
}

// lineCard says how a line stands: a cause, and what to do about it.
func lineCard(now map[string]tel.LineChanged, line string, card page.Card) page.Card {
	l, known := now[line]
	if !known {
		card.Level, card.State = "starting", silent(line)
		return card
	}
	card.Level, card.State = string(view.LevelOf(l)), "cause."+string(l.Cause)
	card.Facts = append(card.Facts, page.Fact{Key: "line.kind", Says: "type." + l.Type}, page.Fact{Key: "line.now", Text: strconv.Itoa(l.Calls)})
	if l.Operator != "" {
		card.Facts = append(card.Facts, page.Fact{Key: "line.operator", Text: l.Operator})
	}
	if l.Signal != 0 {
		card.Facts = append(card.Facts, page.Fact{Key: "line.signal", Text: strconv.Itoa(l.Signal) + " dBm"})
	}
	if l.Cause != tel.LineOK && l.Cause != tel.LineInUse {
		card.Fix, card.Ref = "fix."+string(l.Cause), line+" "+string(l.Cause)
	}
	return card
}
