package web

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
)

// manyPeople is how many people are offered as what a key leads to: behind more the form would weigh too much,
// and callers dial their numbers.
const manyPeople = 60

// menuKind is the editor of a menu in four blocks: what is said, where the keys lead, and what becomes of who
// presses nothing or a wrong one.
func menuKind() kind[config.Menu] {
	type m = config.Menu
	keys := group[m]{key: "keys"}
	for _, key := range config.MenuKeys() {
		keys.fields = append(keys.fields, menuKey(key))
	}
	keys.fields = append(keys.fields, check("dial", "dial", func(x *m) *bool { return &x.Dial }))
	return kind[m]{
		name: "menus",
		of:   func(c *config.Config) *[]m { return &c.Menus },
		id:   func(x *m) string { return x.ID },
		groups: []group[m]{
			{"who", []binding[m]{
				must(text("name", "name", func(x *m) *string { return &x.Name })),
				some("greeting", "greeting", page.FieldMembers, sayings[m], func(x *m) *[]string { return &x.Greeting }),
			}},
			keys,
			{"silence", []binding[m]{
				span("wait", "wait", time.Second, func(x *m) *time.Duration { return &x.Wait }),
				count("timeouts", "timeouts", func(x *m) *int { return &x.Timeouts }),
				place("timeout_to", "timeout_to", false, func(x *m) *string { return &x.TimeoutTo }),
			}},
			{"wrong", []binding[m]{
				count("invalid", "invalid", func(x *m) *int { return &x.Invalid }),
				place("invalid_to", "invalid_to", false, func(x *m) *string { return &x.InvalidTo }),
			}},
		},
	}
}

// menuKey is where a key leads; empty: it is a wrong one.
func menuKey(key string) binding[config.Menu] {
	name := "key-" + strings.NewReplacer("*", "star", "#", "hash").Replace(key)
	return binding[config.Menu]{
		name: name, path: "keys[" + key + "]", kind: page.FieldPlace,
		get: func(x *config.Menu) string { return x.Keys[key] },
		set: func(x *config.Menu, v string) string {
			x.Keys = maps.Clone(x.Keys) // the form also shows what it was
			if x.Keys == nil {
				x.Keys = map[string]string{}
			}
			if x.Keys[key] = v; v == "" {
				delete(x.Keys, key)
			}
			return ""
		},
		choices: func(c *config.Config, _ *config.Menu) []page.Option {
			all := []page.Option{{Key: "menu.key.none"}}
			for _, o := range places(c, false) {
				if !strings.HasPrefix(o.ID, "ext:") || len(c.Agents) <= manyPeople {
					all = append(all, o)
				}
			}
			for _, to := range []string{"repeat", "language:it", "language:en"} {
				all = append(all, page.Option{ID: to, Key: "menu.key." + strings.ReplaceAll(to, ":", ".")})
			}
			return all
		},
	}
}

// sayings are what can be said to callers: the announcements of the owner, and the box's own sentences for them.
func sayings[T any](c *config.Config, _ *T) (all []page.Option) {
	for _, p := range c.Prompts.List {
		all = append(all, page.Option{ID: "prompt:" + p.ID, Name: cmp.Or(p.Name, p.ID)})
	}
	for _, name := range config.Sentences()[0].Names {
		all = append(all, page.Option{ID: name, Key: "say." + name})
	}
	return all
}

func menuEditor() editor[config.Menu] {
	return editor[config.Menu]{
		kind: menuKind(), title: "menu.edit", fresh: "menu.new", at: "/menus",
		blank: func(*config.Config) config.Menu {
			return config.Menu{Greeting: []string{"greeting"}, Wait: 5 * time.Second, Timeouts: 3, TimeoutTo: "hangup", Invalid: 3, InvalidTo: "hangup"}
		},
		born: func(c *config.Config, x *config.Menu) {
			x.ID = freeID(x.Name, "menu", func(id string) bool {
				return slices.ContainsFunc(c.Menus, func(m config.Menu) bool { return m.ID == id })
			})
		},
		tree: func(c *config.Config, x *config.Menu) []page.Branch {
			return (&arborist{c: c, left: mostBranches}).branches(x, []string{x.ID})
		},
	}
}

// menus lists the menus with where each leads and which numbers lead to it.
func (s *server) menus(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	ways := c.Ways()
	list := page.Menus{Reader: s.reader(v), Box: s.Name()}
	for i := range c.Menus {
		m := &c.Menus[i]
		card := page.MenuCard{Card: page.Card{Title: cmp.Or(m.Name, m.ID), Path: "/menus/" + m.ID}, Tree: menuEditor().tree(&c, m)}
		reached := ways["menu:"+m.ID]
		switch {
		case c.DeadEnd(m.ID):
			card.Level, card.State, card.Fix = "down", "menu.dead", "menu.dead.fix"
		case s.speechless(m):
			card.Level, card.State, card.Fix = "warn", "menu.speechless", "menu.speechless.fix"
		case len(reached) == 0:
			card.Level, card.State, card.Fix = "warn", "menu.unreached", "menu.unreached.fix"
		}
		if len(reached) > 0 {
			f := page.Fact{Key: "menu.reached", Text: waysInWords(&c, reached)}
			if f.Text == "" {
				f.Says = "menu.inside"
			}
			card.Facts = append(card.Facts, f)
		}
		card.Facts = append(card.Facts, page.Fact{Key: "set.menus.dial", Says: map[bool]string{true: "menu.yes", false: "menu.no"}[m.Dial]})
		list.Menus = append(list.Menus, card)
	}
	html, err := s.pages[v.lang].Menus(list, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// speechless reports a menu that says something of which there is no sound yet.
func (s *server) speechless(m *config.Menu) bool {
	return slices.ContainsFunc(m.Greeting, func(name string) bool {
		id, own := strings.CutPrefix(name, "prompt:")
		if !own {
			return false
		}
		_, there := s.Voice.Sound(id)
		return !there
	})
}

// waysInWords lists the numbers that callers dial to come to a place; empty: it is reached from inside alone.
func waysInWords(c *config.Config, ways []config.Way) string {
	var all []string
	for _, w := range ways {
		list, id, _ := strings.Cut(w.Via, ":")
		name := nameOf(c, list+"s", id)
		switch {
		case w.Via == "":
			continue
		case w.Number == "" || w.Number == "*":
			all = append(all, name)
		default:
			all = append(all, string(w.Number)+" ("+name+")")
		}
	}
	return some8(all)
}

// mostBranches bounds the picture of menus that lead to one another.
const mostBranches = 120

// arborist draws where menus lead.
type arborist struct {
	c    *config.Config
	left int // branches that may still be drawn
}

// branches are the ways on from a menu; path is the menus above, itself among them.
func (a *arborist) branches(m *config.Menu, path []string) (all []page.Branch) {
	add := func(b page.Branch, to string) {
		if a.left--; a.left >= 0 {
			all = append(all, a.lead(b, to, path))
		}
	}
	for _, key := range config.MenuKeys() {
		if to := m.Keys[key]; to != "" {
			add(page.Branch{Key: key}, to)
		}
	}
	if m.Dial {
		all = append(all, page.Branch{Says: "menu.branch.dial", To: page.Option{Key: "menu.branch.extension"}})
	}
	add(page.Branch{Says: "menu.branch.timeout"}, m.TimeoutTo)
	add(page.Branch{Says: "menu.branch.invalid"}, m.InvalidTo)
	return all
}

// lead says where a branch leads.
func (a *arborist) lead(b page.Branch, to string, path []string) page.Branch {
	kind, what, _ := strings.Cut(to, ":")
	b.To = page.Option{Key: "place." + kind, Name: what}
	switch kind {
	case "repeat":
		b.To = page.Option{Key: "menu.key.repeat"}
	case "language":
		b.To = page.Option{Key: "menu.key.language." + what}
	case "":
		b.To = page.Option{Key: "place.hangup"}
	case "hangup":
		b.To.Name = ""
	case "outside":
		b.To.Key = "menu.branch.outside"
	case "queue", "hours", "conference":
		list := kind + "s"
		if kind == "hours" {
			list = kind
		}
		b.To.Name, b.Path = cmp.Or(nameOf(a.c, list, what), what), "/"+list+"/"+what
	case "ext":
		for _, x := range a.c.Agents {
			if string(x.Extension) == what {
				b.To.Name, b.Path = strings.TrimSpace(x.Name+" "+what), "/people/"+string(x.ID)
			}
		}
	case "group":
		for _, g := range a.c.Groups {
			if g.ID == what {
				b.To.Name = cmp.Or(g.Name, what)
			}
		}
	case "say":
		b.To = sayOption(a.c, what)
	case "menu":
		a.menu(&b, what, path)
	}
	return b
}

// menu draws a menu below a branch, unless it is one of those above.
func (a *arborist) menu(b *page.Branch, id string, path []string) {
	i := slices.IndexFunc(a.c.Menus, func(m config.Menu) bool { return m.ID == id })
	if i < 0 {
		b.Note = "menu.note.gone"
		return
	}
	m := &a.c.Menus[i]
	b.To.Name, b.Path = cmp.Or(m.Name, id), "/menus/"+id
	if slices.Contains(path, id) {
		b.Note = "menu.note.back"
		return
	}
	b.Below = a.branches(m, append(slices.Clone(path), id))
}

// sayOption is an announcement as a place where a call goes.
func sayOption(c *config.Config, what string) page.Option {
	if name := nameOf(c, "prompts.list", what); name != "" {
		return page.Option{ID: "say:" + what, Key: "place.say", Name: name}
	}
	if slices.Contains(saidPlaces(), what) {
		return page.Option{ID: "say:" + what, Key: "place.say." + what}
	}
	return page.Option{ID: "say:" + what, Key: "place.say", Name: strconv.Quote(what)}
}

// saidPlaces are the sentences of the box with which a call can end.
func saidPlaces() []string { return []string{"closed", "busy_all", "unavailable"} }
