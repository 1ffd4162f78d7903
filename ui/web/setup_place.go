package web

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/setup"
)

// The first screens: the language, who sets up, the town, the network, and how the office is connected today.

func showWelcome(x *turn) {
	lang := x.v.lang
	x.addForm(page.SetupForm{ID: "begin", Do: "begin", Key: "setup.begin", Button: "setup.begin.do", Fields: []page.Field{{
		Kind: page.FieldSelect, Name: "language", Key: "setup.f.language", Choices: languages(lang),
	}}})
	x.link("setup.link.restore", "/backup/restore")
}

func languages(chosen string) []page.Option {
	return []page.Option{{ID: "it", Name: "Italiano", On: chosen == "it"}, {ID: "en", Name: "English", On: chosen == "en"}}
}

func beginSetup(x *turn) {
	lang := x.posted("language")
	if lang != "it" && lang != "en" {
		x.bad("language", "problem.choice")
		return
	}
	if _, ok := x.apply(func(c *config.Config) { c.Box.Language = lang }); !ok {
		return
	}
	if x.tell(setup.Told{Language: lang}) && x.tell(setup.Proved{Step: x.step, By: x.v.user.Name}) {
		x.to = setupPath(setup.After(x.step)) + "?lang=" + lang
	}
}

func showYou(x *turn) {
	x.addForm(page.SetupForm{ID: "you", Do: "you", Key: "setup.you.form", Button: "setup.save", Fields: []page.Field{{
		Kind: page.FieldText, Name: "mobile", Key: "setup.f.mobile", Value: string(x.Setup.Setup.State().Mobile), Must: true,
	}}})
	x.link("setup.link.passkey", "/me")
}

func sayYou(x *turn) {
	n, ok := x.phoneNumber("mobile")
	if ok && x.tell(setup.Told{Mobile: n}) && x.tell(setup.Proved{Step: x.step, By: x.v.user.Name}) {
		x.next()
	}
}

func showPlace(x *turn) {
	b := x.cfg.Box
	x.addForm(page.SetupForm{ID: "place", Do: "place", Key: "setup.place.form", Button: "setup.save", Fields: []page.Field{
		{Kind: page.FieldText, Name: "name", Key: "setup.f.name", Value: b.Name, Must: true},
		{Kind: page.FieldSelect, Name: "town", Key: "setup.f.town", Choices: towns(x.Setup.Towns(), b.Town)},
		{Kind: page.FieldText, Name: "patron", Key: "setup.f.patron", Value: b.Patron},
		{Kind: page.FieldText, Name: "timezone", Key: "setup.f.timezone", Value: b.Timezone, Must: true},
	}})
	if zone, err := time.LoadLocation(b.Timezone); err == nil {
		x.p.Found = append(x.p.Found, page.Finding{Level: "ok", Says: page.Said{Sentence: "setup.place.clock", Args: []any{time.Now().In(zone).Format("2006-01-02 15:04")}}})
	}
	if name, day, ok := x.Setup.Patron(b.Town); ok {
		says := page.Said{Sentence: "setup.place.patron", Args: []any{name, day.Format(time.DateOnly)}}
		x.p.Found = append(x.p.Found, page.Finding{Level: "ok", Thing: townName(b.Town), Says: says})
	}
}

// towns are those whose patron's day the box knows, as choices.
func towns(names []string, chosen string) []page.Option {
	all := []page.Option{{Key: "setup.town.other", On: chosen == ""}}
	for _, n := range names {
		all = append(all, page.Option{ID: n, Name: townName(n), On: n == chosen})
	}
	return all
}

// townName writes the id of a town as people do.
func townName(id string) string {
	words := strings.Split(id, "-")
	for i, w := range words {
		if w != "" {
			words[i] = string(unicode.ToUpper(rune(w[0]))) + w[1:]
		}
	}
	return strings.Join(words, " ")
}

func sayPlace(x *turn) {
	name, town, patron, zone := x.posted("name"), x.posted("town"), x.posted("patron"), x.posted("timezone")
	if name == "" {
		x.bad("name", "problem.missing")
	}
	if _, _, known := x.Setup.Patron(town); town != "" && !known {
		x.bad("town", "problem.choice")
	}
	if patron != "" {
		if _, err := time.Parse("01-02", patron); err != nil {
			x.bad("patron", "setup.patron_bad")
		}
	}
	if _, err := time.LoadLocation(zone); err != nil || zone == "" || zone == "Local" {
		x.bad("timezone", "setup.timezone_bad")
	}
	if x.p.Said.Sentence != "" {
		return
	}
	if _, ok := x.apply(func(c *config.Config) {
		c.Box.Name, c.Box.Town, c.Box.Patron, c.Box.Timezone = name, town, patron, zone
	}); ok {
		x.proved(page.Said{Sentence: "setup.place.good"})
	}
}

func showNetwork(x *turn) {
	x.addForm(page.SetupForm{ID: "look", Do: "look", Key: "setup.network.form", Button: "setup.network.do"})
	x.link("setup.link.network", "/network")
}

func lookAtNetwork(x *turn) {
	x.p.Found = x.Setup.Network(x.ctx)
	for _, f := range x.p.Found {
		if f.Level == "error" {
			x.missed("setup.network.bad")
			return
		}
	}
	x.proved(page.Said{Sentence: "setup.network.good"})
}

func showToday(x *turn) {
	now := x.Setup.Setup.State().Plugged
	f := page.SetupForm{ID: "today", Do: "today", Key: "setup.today.form", Button: "setup.save"}
	for _, p := range setup.Plugs() {
		f.Plugs = append(f.Plugs, page.Plug{ID: p, On: p == now.Where})
	}
	also := page.Field{Kind: page.FieldChecks, Name: "also", Key: "setup.f.also"}
	for _, o := range setup.Others() {
		also.Choices = append(also.Choices, page.Option{ID: o, Key: "also." + o, On: slices.Contains(now.Also, o)})
	}
	f.Fields = []page.Field{also}
	x.addForm(f)
	x.p.Notes = consequences(now)
}

// consequences are what follows from how an office is connected today.
func consequences(p setup.Plugged) (all []page.Said) {
	if p.Where != "" {
		all = append(all, page.Said{Sentence: "plugged." + p.Where})
	}
	for _, o := range p.Also {
		all = append(all, page.Said{Sentence: "plugged.also." + o})
	}
	return all
}

func sayToday(x *turn) {
	p := setup.Plugged{Where: x.posted("plug"), Also: x.v.PostForm["also"]}
	if !slices.Contains(setup.Plugs(), p.Where) {
		x.bad("also", "setup.plug_missing")
		return
	}
	for _, o := range p.Also {
		if !slices.Contains(setup.Others(), o) {
			x.bad("also", "problem.choice")
			return
		}
	}
	if x.tell(setup.Told{Plugged: &p}) {
		x.proved(page.Said{Sentence: "setup.today.good"})
	}
}
