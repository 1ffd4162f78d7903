package web

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// The screens of the office: people, their telephones, the queue, the lamps.

func showPeople(x *turn) {
	for _, a := range x.cfg.Agents {
		x.p.Found = append(x.p.Found, page.Finding{Level: "ok", Thing: a.Name, Says: page.Said{Sentence: "setup.person", Args: []any{a.Extension}}})
	}
	if x.p.Unshown == "" {
		x.secrecy("setup.people.private") // before it is too late: their telephones' passwords are shown once
	}
	x.addForm(page.SetupForm{ID: "people", Do: "people", Key: "setup.people.form", Button: "setup.people.do", Plain: len(x.cfg.Agents) > 0, Fields: []page.Field{
		{Kind: page.FieldArea, Name: "names", Key: "setup.f.names"},
	}})
	x.link("setup.link.people", "/people")
}

func anybody(x *turn) bool { return len(x.cfg.Agents) > 0 }

// addPeople takes in who is written down, one in a line, or as a table: all of them or nobody.
func addPeople(x *turn) {
	rows, err := readPeople(x.v.PostForm.Get("names"))
	if err != nil || len(rows) == 0 {
		x.bad("names", "import.table")
		return
	}
	c := x.cfg.Clone()
	st, mistakes := x.takeIn(&c, rows)
	for _, m := range mistakes {
		said := m.Says
		said.Where = strings.TrimSpace(m.Column + " " + m.Value)
		x.p.Others = append(x.p.Others, said)
	}
	if len(mistakes) > 0 {
		x.bad("names", "import.wrong")
		return
	}
	if _, ok := x.apply(func(c *config.Config) {
		before := len(c.Agents)
		if st.do(c) != nil || len(c.Queues) != 1 {
			return
		}
		q := &c.Queues[0] // who comes after the queue was made is to answer, too
		q.Agents = slices.Clone(q.Agents)
		for _, a := range c.Agents[before:] {
			q.Agents = append(q.Agents, a.ID)
		}
	}); !ok {
		return
	}
	if len(st.secrets) > 0 && x.secrecy("secrets.unshown") {
		x.p.Secrets = st.secrets
	}
	x.proved(page.Said{Sentence: "setup.people.good", Args: []any{len(rows)}})
}

func showPhones(x *turn) {
	ours, strangers := x.Setup.Phones()
	for _, p := range ours {
		f := page.Finding{Level: "ok", Thing: strings.TrimSpace(string(p.ID) + " " + cmp.Or(p.Agent, p.Name)), Says: page.Said{Sentence: "setup.phone.here", Args: []any{p.From}}}
		if !p.Here {
			f.Level, f.Says = "warn", page.Said{Sentence: "setup.phone.away", Args: []any{p.ID, x.Name()}}
		}
		x.p.Found = append(x.p.Found, f)
	}
	for _, s := range strangers {
		x.p.Found = append(x.p.Found, page.Finding{Level: "warn", Thing: s.From, Says: page.Said{Sentence: "setup.phone.stranger", Args: []any{s.User}}})
	}
	for _, p := range ours {
		if !p.Here {
			continue
		}
		x.addForm(page.SetupForm{ID: "ring-" + string(p.ID), Do: "ring", Which: string(p.ID), Key: "setup.phone", Name: string(p.ID), Button: "setup.phone.ring", Plain: true})
		var owner tel.AgentID
		for _, a := range x.cfg.Agents {
			if slices.Contains(a.Phones, p.ID) {
				owner = a.ID
			}
		}
		x.addForm(page.SetupForm{ID: "give-" + string(p.ID), Do: "give", Which: string(p.ID), Button: "setup.save", Plain: true, Fields: []page.Field{
			{Kind: page.FieldSelect, Name: "agent-" + string(p.ID), Key: "setup.f.agent", Choices: x.peopleToChoose(owner)},
		}})
	}
	if len(ours) == 0 {
		x.p.Notes = append(x.p.Notes, page.Said{Sentence: "setup.no_phone"})
	} else {
		x.p.Notes = append(x.p.Notes, page.Said{Sentence: "setup.phones.server", Args: []any{x.sipServer()}})
	}
	x.addForm(page.SetupForm{ID: "look", Do: "look", Button: "setup.look", Plain: true})
}

// sipServer is what one types into a telephone as its server: the address at which the visitor reaches the box, for
// many telephones find no names of the local network, and the port where it is not 5060 (RFC 3261 section 19.1.2).
func (x *turn) sipServer() string {
	host := x.v.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if _, err := netip.ParseAddr(host); err != nil {
		if a, ok := x.v.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
			host = a.AddrPort().Addr().Unmap().String()
		}
	}
	if port := x.cfg.SIP.Listen.Port(); port != 5060 {
		return net.JoinHostPort(host, strconv.Itoa(int(port)))
	}
	return host
}

func aPhoneIsHere(x *turn) bool {
	ours, _ := x.Setup.Phones()
	for _, p := range ours {
		if p.Here {
			return true
		}
	}
	return false
}

func ringPhone(x *turn) {
	id := tel.DeviceID(x.posted("which"))
	if sentence, err := x.Setup.Ring(id); !x.refused(sentence, err) {
		x.p.Good = page.Said{Sentence: "setup.phone.rings", Args: []any{id}}
	}
}

// givePhone makes a telephone somebody's.
func givePhone(x *turn) {
	id := tel.DeviceID(x.posted("which"))
	if nameOf(x.cfg, "phones", string(id)) == "" {
		x.refused("gone", nil)
		return
	}
	to := x.agent("agent-" + string(id))
	if _, ok := x.apply(func(c *config.Config) {
		c.Agents = slices.Clone(c.Agents)
		for i := range c.Agents {
			a := &c.Agents[i]
			a.Phones = slices.DeleteFunc(slices.Clone(a.Phones), func(p tel.DeviceID) bool { return p == id })
			if to != nil && a.ID == to.ID {
				a.Phones = append(a.Phones, id)
			}
		}
	}); ok {
		x.p.Good = page.Said{Sentence: "setup.given"}
	}
}

func showQueue(x *turn) {
	for _, q := range x.cfg.Queues {
		x.p.Found = append(x.p.Found, x.Settings.Probe(x.ctx, []config.Change{{Path: "queues[" + string(q.ID) + "]"}})...)
	}
	if len(x.cfg.Queues) > 0 {
		x.p.Notes = append(x.p.Notes, page.Said{Sentence: "setup.queue.there"})
		x.link("setup.link.queues", "/queues")
		return
	}
	if len(x.cfg.Agents) == 0 {
		x.p.Notes = append(x.p.Notes, page.Said{Sentence: "setup.no_people"})
	}
	fresh := newQueue(x.cfg)
	x.addForm(page.SetupForm{ID: "queue", Do: "queue", Key: "setup.queue.form", Button: "setup.queue.do", Fields: []page.Field{
		{Kind: page.FieldText, Name: "name", Key: "setup.f.queue", Value: x.sayIn("setup.queue.name"), Must: true},
		{Kind: page.FieldText, Name: "number", Key: "setup.f.queue_number", Value: string(fresh.Number), Must: true},
		{Kind: page.FieldSelect, Name: "hours", Key: "setup.f.hours", Choices: []page.Option{
			{ID: "office", Key: "setup.hours.office", On: true}, {ID: "always", Key: "setup.hours.always"},
		}},
		{Kind: page.FieldSelect, Name: "mailbox", Key: "setup.f.mailbox", Choices: x.peopleToChoose(firstPerson(x.cfg))},
	}})
}

// sayIn is a sentence in the language of the reader.
func (x *turn) sayIn(key string) string { return x.pages[x.v.lang].Say(page.Said{Sentence: key}) }

func firstPerson(c *config.Config) tel.AgentID {
	if len(c.Agents) == 0 {
		return ""
	}
	return c.Agents[0].ID
}

// aQueueAnswers asks the box whether it has a queue in which somebody is.
func aQueueAnswers(x *turn) bool {
	for _, q := range x.cfg.Queues {
		if len(q.Agents) == 0 {
			continue
		}
		for _, f := range x.Settings.Probe(x.ctx, []config.Change{{Path: "queues[" + string(q.ID) + "]"}}) {
			if f.Level != "error" {
				return true
			}
		}
	}
	return false
}

// makeQueue makes the one queue of a small office of the template: everybody rings in turn, callers hear music and
// their place, after five minutes a message is taken, and outside of the hours at once.
func makeQueue(x *turn) {
	if len(x.cfg.Queues) > 0 {
		x.refused("setup.queue.there", nil)
		return
	}
	if len(x.cfg.Agents) == 0 {
		x.refused("setup.no_people", nil)
		return
	}
	q := newQueue(x.cfg)
	q.Name, q.Number = x.posted("name"), tel.Number(x.posted("number"))
	if q.Name == "" {
		x.bad("name", "problem.missing")
	}
	if taken := takenNumbers(x.cfg); taken[q.Number] || q.Number == "" {
		x.bad("number", "problem.duplicate")
	}
	hours := x.posted("hours")
	if hours != "office" && hours != "always" {
		x.bad("hours", "problem.choice")
	}
	if x.p.Said.Sentence != "" {
		return
	}
	q.ID = tel.QueueID(freeID(q.Name, "queue", func(string) bool { return false }))
	for _, a := range x.cfg.Agents {
		q.Agents = append(q.Agents, a.ID)
	}
	q.MaxWait = 5 * time.Minute
	q.Waiting.Announce.Position, q.Waiting.Announce.Every = true, time.Minute
	keeper := x.agent("mailbox")
	if _, ok := x.apply(func(c *config.Config) { templateOffice(c, q, hours == "office", keeper) }); !ok {
		return
	}
	if !aQueueAnswers(x) {
		x.missed("setup.queue.bad")
		return
	}
	x.proved(page.Said{Sentence: "setup.queue.good", Args: []any{q.Name, q.Number}})
}

// templateOffice puts a queue, its hours and its mailbox into a configuration, and leads the lines there.
func templateOffice(c *config.Config, q config.Queue, byHours bool, keeper *config.Agent) {
	closed := "say:closed"
	if keeper != nil && keeper.Extension != "" {
		box := "voicemail:" + string(keeper.Extension)
		q.Overflow, closed = box, box
		if !slices.ContainsFunc(c.Voicemail.Boxes, func(m config.Mailbox) bool { return m.Number == keeper.Extension }) {
			c.Voicemail.Boxes = append(slices.Clone(c.Voicemail.Boxes), config.Mailbox{Number: keeper.Extension, OwnPhone: true})
		}
	}
	c.Queues = append(slices.Clone(c.Queues), q)
	to := "queue:" + string(q.ID)
	if byHours {
		h := config.Hours{Name: q.Name, Open: []string{"mon-fri 09:00-13:00,14:00-18:00"}, Holidays: true, Then: to, Closed: closed}
		h.ID = freeID(q.Name, "hours", func(id string) bool { return nameOf(c, "hours", id) != "" })
		c.Hours = append(slices.Clone(c.Hours), h)
		to = "hours:" + h.ID
	}
	c.Trunks, c.Lines = slices.Clone(c.Trunks), slices.Clone(c.Lines)
	for i := range c.Trunks {
		if t := &c.Trunks[i]; len(t.In) == 0 || len(t.In) == 1 && t.In["*"] == "say:greeting" {
			t.In = map[tel.Number]string{"*": to}
		}
	}
	for i := range c.Lines {
		if l := &c.Lines[i]; l.In == "" || l.In == "say:greeting" {
			l.In = to
		}
	}
}

func showLamps(x *turn) {
	if len(x.cfg.Lamps) == 0 {
		x.p.Notes = append(x.p.Notes, page.Said{Sentence: "setup.no_lamp"})
	}
	for _, l := range x.cfg.Lamps {
		var owner tel.AgentID
		for _, a := range x.cfg.Agents {
			if a.Lamp == l.ID {
				owner = a.ID
			}
		}
		x.addForm(page.SetupForm{ID: "blink-" + string(l.ID), Do: "blink", Which: string(l.ID), Key: "setup.lamp", Name: string(l.ID), Button: "setup.lamp.blink", Plain: true})
		x.addForm(page.SetupForm{ID: "lamp-" + string(l.ID), Do: "give", Which: string(l.ID), Button: "setup.save", Plain: true, Fields: []page.Field{
			{Kind: page.FieldSelect, Name: "agent-" + string(l.ID), Key: "setup.f.lamp_agent", Choices: x.peopleToChoose(owner)},
		}})
	}
}

func lampsGiven(x *turn) bool {
	return slices.ContainsFunc(x.cfg.Agents, func(a config.Agent) bool { return a.Lamp != "" })
}

func blinkLamp(x *turn) {
	id := tel.LampID(x.posted("which"))
	if !x.Setup.Blink(id) {
		x.refused("setup.lamp_gone", nil)
		return
	}
	x.p.Good = page.Said{Sentence: "setup.lamp.blinks", Args: []any{id}}
}

// giveLamp makes a lamp show somebody's state.
func giveLamp(x *turn) {
	id := tel.LampID(x.posted("which"))
	if !slices.ContainsFunc(x.cfg.Lamps, func(l config.Lamp) bool { return l.ID == id }) {
		x.refused("setup.lamp_gone", nil)
		return
	}
	to := x.agent("agent-" + string(id))
	if _, ok := x.apply(func(c *config.Config) {
		c.Agents = slices.Clone(c.Agents)
		for i := range c.Agents {
			if c.Agents[i].Lamp == id {
				c.Agents[i].Lamp = ""
			}
			if to != nil && c.Agents[i].ID == to.ID {
				c.Agents[i].Lamp = id
			}
		}
	}); ok {
		x.p.Good = page.Said{Sentence: "setup.given"}
	}
}
