package web

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/setup"
	"github.com/pronto-pbx/pronto/ui/view"
)

// The screens of the lines: modems that are found, accounts that are tried, and the test of both directions.

func showLines(x *turn) {
	x.p.Found = append(x.p.Found, x.linesFound()...)
	modems, err := x.Setup.Modems()
	if err != nil {
		x.Log.Warn("modems are not listed", "err", err)
		x.p.Found = append(x.p.Found, page.Finding{Level: "warn", Says: page.Said{Sentence: "setup.modems_unseen", Detail: err.Error()}})
	}
	for i, m := range modems {
		if m.Line != "" {
			continue
		}
		x.addForm(page.SetupForm{ID: "modem-" + m.Socket, Do: "modem", Which: m.Socket, Key: "setup.modem", Name: m.Socket, Button: "setup.modem.do", Fields: []page.Field{
			{Kind: page.FieldText, Name: "name", Key: "setup.f.line_name", Value: "SIM " + string(rune('1'+i%9)), Must: true},
			{Kind: page.FieldPassword, Name: "pin", Key: "setup.f.pin"},
		}})
	}
	if len(modems) == 0 && len(x.cfg.Lines) == 0 {
		x.p.Notes = append(x.p.Notes, page.Said{Sentence: "setup.no_modem"})
	}
	carriers, err := x.Setup.Carriers()
	if err != nil {
		x.refused("", err)
		return
	}
	chosen := cmp.Or(x.v.URL.Query().Get("carrier"), x.v.PostForm.Get("which"))
	choose := page.Field{Kind: page.FieldSelect, Name: "carrier", Key: "setup.f.carrier"}
	var names []page.Choice
	for i, c := range carriers {
		carriers[i].Label = x.carrierName(x.v, c.ID, c.Label)
		names = append(names, page.Choice{ID: c.ID, Name: carriers[i].Label})
	}
	byName(names)
	for _, c := range names {
		choose.Choices = append(choose.Choices, page.Option{ID: c.ID, Name: c.Name, On: c.ID == chosen})
	}
	x.addForm(page.SetupForm{ID: "carrier", Do: "carrier", Key: "setup.carrier", Button: "setup.carrier.do", Plain: true, Fields: []page.Field{choose}})
	if i := slices.IndexFunc(carriers, func(c setup.Carrier) bool { return c.ID == chosen }); i >= 0 {
		x.addForm(accountForm(carriers[i]))
	}
	x.addForm(page.SetupForm{ID: "look", Do: "look", Button: "setup.look", Plain: true})
	x.link("setup.link.lines", "/lines")
}

// accountForm asks for what of an account only the customer knows.
func accountForm(c setup.Carrier) page.SetupForm {
	f := page.SetupForm{ID: "account", Do: "account", Which: c.ID, Key: "setup.account", Name: c.Label, Button: "setup.account.do"}
	for _, ask := range c.Asks {
		kind := page.FieldText
		if ask == "password" {
			kind = page.FieldPassword
		}
		f.Fields = append(f.Fields, page.Field{Kind: kind, Name: ask, Key: "setup.f." + ask, Must: !slices.Contains(c.Optional, ask)})
	}
	if !slices.Contains(c.Asks, "number") {
		f.Fields = append(f.Fields, page.Field{Kind: page.FieldText, Name: "number", Key: "setup.f.number"})
	}
	return f
}

// linesFound says of every line how it stands.
func (x *turn) linesFound() (all []page.Finding) {
	now := x.Settings.Lines()
	add := func(id, name string) {
		l, known := now[id]
		f := page.Finding{Level: "warn", Thing: name, Says: page.Said{Sentence: silent(id)}}
		if known {
			f.Says.Sentence = "cause." + string(l.Cause)
			switch view.LevelOf(l) {
			case view.LevelOK:
				f.Level = "ok"
			case view.LevelDown:
				f.Level = "error"
			}
			if l.Operator != "" {
				f.Thing += " · " + l.Operator
			}
		}
		all = append(all, f)
	}
	for _, t := range x.cfg.Trunks {
		add("trunk:"+string(t.ID), cmp.Or(t.Name, string(t.ID)))
	}
	for _, l := range x.cfg.Lines {
		add("line:"+string(l.ID), cmp.Or(l.Name, string(l.ID)))
	}
	return all
}

func aLineWorks(x *turn) bool {
	for _, l := range x.Settings.Lines() {
		if l.Up {
			return true
		}
	}
	return false
}

// takeModem makes a line of a modem that was found.
func takeModem(x *turn) {
	socket, name, pin := x.posted("which"), x.posted("name"), x.posted("pin")
	modems, err := x.Setup.Modems()
	if x.refused("", err) {
		return
	}
	if !slices.ContainsFunc(modems, func(m setup.Modem) bool { return m.Socket == socket && m.Line == "" }) {
		x.refused("setup.modem_gone", nil)
		return
	}
	if name == "" {
		x.bad("name", "problem.missing")
	}
	if pin != "" && (len(pin) < 4 || len(pin) > 8 || strings.Trim(pin, "0123456789") != "") {
		x.bad("pin", "setup.pin_bad")
	}
	if x.p.Said.Sentence != "" {
		return
	}
	id := freeID(name, "sim", func(id string) bool { return nameOf(x.cfg, "lines", id) != "" })
	_, ok := x.apply(func(c *config.Config) {
		c.Lines = append(slices.Clone(c.Lines), config.Line{ID: tel.LineID(id), Name: name, Type: "gsm", AT: "usb:" + socket, PIN: config.Secret(pin), In: firstPlace(c)})
		departs(c, "line:"+id)
	})
	switch {
	case !ok:
	case aLineWorks(x):
		x.proved(page.Said{Sentence: "setup.lines.good"})
	default: // it takes a moment to find its network
		x.p.Good = page.Said{Sentence: "setup.modem_added"}
	}
}

// firstPlace is where the calls of a first line go: a greeting at least.
func firstPlace(c *config.Config) string { return cmp.Or(arrival(c), "say:greeting") }

func chooseCarrier(x *turn) {
	x.to = setupPath(x.step) + "?carrier=" + x.posted("carrier")
	if strings.Trim(x.posted("carrier"), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		x.to = ""
		x.bad("carrier", "problem.choice")
	}
}

// tryAccount logs in with an account in the ways that its carrier is known for, and keeps the one that works.
func tryAccount(x *turn) {
	t, ok := x.account()
	if !ok {
		return
	}
	tried := x.Setup.Try(x.ctx, t)
	for _, a := range tried {
		f := page.Finding{Level: "error", Thing: a.Value, Says: page.Said{Sentence: "cause." + string(a.Cause)}}
		if a.Key != "" {
			f.Thing = strings.TrimSpace(x.pages[x.v.lang].Say(page.Said{Sentence: "variant." + a.Key}) + " " + a.Value)
		}
		if a.Works {
			f.Level = "ok"
		}
		x.p.Found = append(x.p.Found, f)
	}
	i := slices.IndexFunc(tried, func(a setup.Tried) bool { return a.Works })
	if i < 0 {
		x.missed("setup.account_refused")
		return
	}
	t = tried[i].Trunk
	if _, ok := x.apply(func(c *config.Config) {
		t.In = map[tel.Number]string{"*": firstPlace(c)}
		c.Trunks = append(slices.Clone(c.Trunks), t)
		departs(c, "trunk:"+string(t.ID))
	}); ok {
		x.proved(page.Said{Sentence: "setup.account.good", Args: []any{t.Name}})
	}
}

// account is what was typed of an account; ok is false when something is wrong, which is shown then.
func (x *turn) account() (t config.Trunk, ok bool) {
	carriers, err := x.Setup.Carriers()
	if x.refused("", err) {
		return t, false
	}
	i := slices.IndexFunc(carriers, func(c setup.Carrier) bool { return c.ID == x.posted("which") })
	if i < 0 {
		x.refused("form.unread", nil)
		return t, false
	}
	c := carriers[i]
	t.Preset, t.Name = c.ID, c.Label
	t.ID = tel.TrunkID(freeID(c.ID, "carrier", func(id string) bool { return nameOf(x.cfg, "trunks", id) != "" }))
	for _, ask := range c.Asks {
		value := x.posted(ask)
		if value == "" && !slices.Contains(c.Optional, ask) {
			x.bad(ask, "problem.missing")
		}
		switch ask {
		case "server":
			t.Server = value
		case "proxy":
			t.Proxy = value
		case "domain":
			t.Domain = value
		case "user":
			t.User = value
		case "password":
			t.Password = config.Secret(x.v.PostForm.Get("password"))
		case "match":
			x.matches(&t, value)
		}
	}
	if x.posted("number") != "" {
		t.Number, _ = x.phoneNumber("number")
	}
	if x.p.Said.Sentence != "" {
		return t, false
	}
	return t, x.judged(t)
}

// matches reads the addresses of a carrier that knows us by ours.
func (x *turn) matches(t *config.Trunk, text string) {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
		p, err := netip.ParsePrefix(word)
		if a, err2 := netip.ParseAddr(word); err2 == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			x.bad("match", "setup.address_bad")
			return
		}
		t.Match = append(t.Match, p)
	}
}

// judged tells what the configuration says of an account before anybody is called with it.
func (x *turn) judged(t config.Trunk) bool {
	c := x.cfg.Clone()
	c.Trunks = append(c.Trunks, t)
	fields, others := trunkKind().sort(c.Check(), len(c.Trunks)-1, x.problemAt)
	for name, said := range fields {
		x.bad(name, said.Sentence)
	}
	for _, o := range others {
		x.p.Others = append(x.p.Others, o)
		x.p.Said, x.status = x.sentence("form.wrong"), 422
	}
	return x.p.Said.Sentence == ""
}

func showLineTest(x *turn) {
	x.p.Tests = x.lineTests()
	for _, l := range x.p.Tests {
		x.addForm(page.SetupForm{ID: "call-" + l.Line, Do: "call", Which: l.Line, Key: "setup.test", Name: l.Name, Button: "setup.test.do", Fields: []page.Field{
			{Kind: page.FieldText, Name: "number", Key: "setup.f.called", Value: string(x.Setup.Setup.State().Mobile), Must: true},
		}})
	}
	if len(x.p.Tests) == 0 {
		x.p.Notes = append(x.p.Notes, page.Said{Sentence: "setup.no_line"})
		return
	}
	x.p.Live = "/setup/live?tests=1&lang=" + x.v.lang
	x.addForm(page.SetupForm{ID: "look", Do: "look", Button: "setup.look", Plain: true})
}

// lineNames are the lines of one kind with what people call them.
func (x *turn) lineNames(kind string) (all []page.Choice) {
	if kind == "trunk:" {
		for _, t := range x.cfg.Trunks {
			if !t.Disabled {
				all = append(all, page.Choice{ID: kind + string(t.ID), Name: cmp.Or(t.Name, string(t.ID))})
			}
		}
		return all
	}
	for _, l := range x.cfg.Lines {
		all = append(all, page.Choice{ID: kind + string(l.ID), Name: cmp.Or(l.Name, string(l.ID))})
	}
	return all
}

func testLine(x *turn) {
	n, ok := x.phoneNumber("number")
	if !ok {
		return
	}
	if sentence, err := x.Setup.TestLine(x.posted("which"), n); !x.refused(sentence, err) {
		x.to = setupPath(x.step)
	}
}

func lineTested(x *turn) bool {
	for _, t := range x.Setup.Tests() {
		if t.Works() {
			return true
		}
	}
	return false
}
