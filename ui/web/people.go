package web

import (
	"cmp"
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

func personKind() kind[config.Agent] {
	type a = config.Agent
	return kind[a]{
		name: "agents",
		of:   func(c *config.Config) *[]a { return &c.Agents },
		id:   func(x *a) string { return string(x.ID) },
		groups: []group[a]{
			{"who", []binding[a]{
				must(text("name", "name", func(x *a) *string { return &x.Name })),
				must(number("extension", "extension", func(x *a) *tel.Number { return &x.Extension })),
				some("phones", "phones", page.FieldChecks, phonesOf, func(x *a) *[]tel.DeviceID { return &x.Phones }),
				check("browser", "browser", func(x *a) *bool { return &x.Browser }),
			}},
			{"calls", []binding[a]{
				some("dial", "dial", page.FieldChecks, classes, func(x *a) *[]string { return &x.Dial }),
				span("ring", "calls.ring", time.Second, func(x *a) *time.Duration { return &x.Calls.Ring }),
				place("busy", "calls.forward.busy", true, func(x *a) *string { return &x.Calls.Forward.Busy }),
				place("no_answer", "calls.forward.no_answer", true, func(x *a) *string { return &x.Calls.Forward.NoAnswer }),
			}},
			{"work", []binding[a]{
				span("wrap_up", "work.wrap_up", time.Second, func(x *a) *time.Duration { return &x.Work.WrapUp }),
				check("login_pin", "work.login_pin", func(x *a) *bool { return &x.Work.LoginPIN }),
				secret("pin", "calls.pin", func(x *a) *config.Secret { return &x.Calls.PIN }),
			}},
		},
	}
}

func personEditor() editor[config.Agent] {
	return editor[config.Agent]{
		kind: personKind(), title: "person.edit", fresh: "person.new", at: "/people", blank: newPerson, extras: passwords, remove: forget,
		links: func(*config.Agent) []page.Link { return []page.Link{{Key: "recording", Path: "/recording"}} },
	}
}

// passwords offers a person the page, and each phone of the person another password.
func passwords(x *config.Agent) (all []page.Extra) {
	all = append(all, page.Extra{Key: "invite.person", Name: x.Name, Action: "/people/" + string(x.ID) + "/invite", Needs: access.Own, Sealed: true})
	for _, p := range x.Phones {
		all = append(all, page.Extra{Key: "phone.password", Name: string(p), Action: "/phones/" + string(p) + "/password"})
	}
	return all
}

func newPerson(c *config.Config) config.Agent {
	return config.Agent{Extension: freeNumber(c, 201), Dial: []string{"internal", "local", "mobile"}, Calls: config.AgentCalls{Ring: 30 * time.Second}}
}

// classes are what a person may call.
func classes(*config.Config, *config.Agent) (all []page.Option) {
	for _, id := range []string{"internal", "local", "mobile", "international", "premium"} {
		all = append(all, page.Option{ID: id, Key: "class." + id})
	}
	return all
}

// phonesOf are the phones that nobody else has.
func phonesOf(c *config.Config, x *config.Agent) (all []page.Option) {
	for _, p := range c.Phones {
		others := slices.ContainsFunc(c.Agents, func(a config.Agent) bool { return a.ID != x.ID && slices.Contains(a.Phones, p.ID) })
		if !others {
			all = append(all, page.Option{ID: string(p.ID), Name: strings.TrimSpace(string(p.ID) + " " + p.Name)})
		}
	}
	return all
}

// forget takes out of the configuration what only a person who is gone had.
func forget(c *config.Config, gone config.Agent) {
	without := func(ids []tel.AgentID) []tel.AgentID {
		return slices.DeleteFunc(slices.Clone(ids), func(id tel.AgentID) bool { return id == gone.ID })
	}
	for i := range c.Queues {
		q := &c.Queues[i]
		q.Agents = without(q.Agents)
		q.Distribution.Grades = maps.Clone(q.Distribution.Grades)
		delete(q.Distribution.Grades, gone.ID)
	}
	for i := range c.Routes {
		c.Routes[i].People = without(c.Routes[i].People)
	}
	for i := range c.Agents {
		c.Agents[i].Supervises = slices.DeleteFunc(slices.Clone(c.Agents[i].Supervises), func(s string) bool { return s == "agent:"+string(gone.ID) })
	}
	c.Phones = slices.DeleteFunc(slices.Clone(c.Phones), func(p config.Phone) bool {
		return p.Extension == "" && p.Door == nil && slices.Contains(gone.Phones, p.ID)
	})
}

func (s *server) people(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	list := page.Cards{Key: "people", Actions: []page.Link{
		{Key: "person.new", Path: "/people/new"}, {Key: "import", Path: "/people/import"}, {Key: "export", Path: "/people.csv"},
	}}
	list.Query = oneLine(v.URL.Query().Get("q"))
	for _, a := range c.Agents {
		if !strings.Contains(strings.ToLower(a.Name+" "+string(a.Extension)), strings.ToLower(list.Query)) {
			continue
		}
		if len(list.Cards) == mostCards {
			list.More++
			continue
		}
		card := page.Card{Title: cmp.Or(a.Name, string(a.ID)), Sub: string(a.Extension), Path: "/people/" + string(a.ID)}
		var queues, phones, traced []string
		for _, q := range c.Queues {
			if slices.Contains(q.Agents, a.ID) {
				queues = append(queues, cmp.Or(q.Name, string(q.ID)))
			}
		}
		for _, p := range a.Phones {
			phones = append(phones, string(p))
			traced = append(traced, "phone:"+string(p))
		}
		none := func(key string, names []string) page.Fact {
			if len(names) == 0 {
				return page.Fact{Key: key, Says: "form.nothing"}
			}
			return page.Fact{Key: key, Text: some8(names)}
		}
		card.Facts, card.Links = s.tracedFact(v, traced...)
		card.Facts = append([]page.Fact{none("set.agents.phones", phones), none("set.agents.queues", queues)}, card.Facts...)
		list.Cards = append(list.Cards, card)
	}
	if list.More > 0 || list.Query != "" {
		list.Search = "/people"
	}
	s.cards(w, v, list)
}

// mostCards is how many people a page shows; the others are found by name or number.
const mostCards = 100

// starting is what a new person gets beside the own settings.
type starting struct {
	phone  bool
	queues []tel.QueueID
}

// start is the block of a new person's form that gives a phone and places in queues.
func (st starting) block(c *config.Config) page.Block {
	on := ""
	if st.phone {
		on = "on"
	}
	queues := page.Field{Kind: page.FieldChecks, Name: "queues", Key: "set.agents.queues"}
	for _, q := range c.Queues {
		queues.Choices = append(queues.Choices, page.Option{ID: string(q.ID), Name: cmp.Or(q.Name, string(q.ID)), On: slices.Contains(st.queues, q.ID)})
	}
	return page.Block{Key: "block.agents.start", Fields: []page.Field{{Kind: page.FieldCheck, Name: "phone", Key: "set.agents.phone", Value: on}, queues}}
}

// personForm is the form of a new person.
func (s *server) personForm(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	x := newPerson(&c)
	s.newPersonPage(w, v, http.StatusOK, &c, &x, page.Form{Blocks: newPersonKind().blocks(&c, &x, nil, nil)}, starting{phone: true})
}

func (s *server) newPersonPage(w http.ResponseWriter, v *visit, status int, c *config.Config, x *config.Agent, f page.Form, st starting) {
	f.Blocks = append(f.Blocks, st.block(c))
	personEditor().show(s, w, v, status, c, x, f)
}

// newPersonKind is what is asked of a new person: the rest has good defaults, and can be changed later.
func newPersonKind() kind[config.Agent] {
	k := personKind()
	k.groups = slices.Clone(k.groups[:1])
	k.groups[0].fields = slices.Clone(k.groups[0].fields[:2])
	return k
}

func (s *server) addPerson(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	c, k := s.drafted(v), newPersonKind()
	before := newPerson(&c)
	x, p := before, k.read(v.PostForm)
	wrong := k.write(&x, p)
	st := starting{phone: v.PostForm.Get("phone") != ""}
	for _, id := range v.PostForm["queues"] {
		st.queues = append(st.queues, tel.QueueID(id))
	}
	add, secrets := st.add(&c, &x)
	fields := map[string]page.Said{}
	for name, code := range wrong {
		fields[name] = page.Said{Sentence: "problem." + code, Where: name}
	}
	if x.Name == "" {
		fields["name"] = page.Said{Sentence: "problem.missing", Where: "name"}
	}
	at := len(c.Agents)
	if err := add(&c); err != nil {
		s.refuse(w, v, http.StatusConflict, "gone")
		return
	}
	more, others := k.sort(c.Check(), at, s.problemAt)
	maps.Copy(more, fields)
	if len(more) == 0 && len(others) == 0 {
		if problems, err := s.propose(v, step{do: add, secrets: secrets}); err == nil && len(problems) == 0 {
			redirect(w, v, "/changes")
			return
		}
		s.refuse(w, v, http.StatusConflict, "changes.full")
		return
	}
	s.newPersonPage(w, v, http.StatusUnprocessableEntity, &c, &before, page.Form{
		Said: s.sentence("form.wrong"), Others: others, Blocks: k.blocks(&c, &before, p, more),
	}, st)
}

// add makes the step that takes a person in: with an id of the name, a phone with a password of its own, and
// places in queues.
func (st starting) add(c *config.Config, x *config.Agent) (do func(*config.Config) error, secrets []page.Secret) {
	x.ID = tel.AgentID(freeID(x.Name, "person", func(id string) bool {
		return slices.ContainsFunc(c.Agents, func(a config.Agent) bool { return string(a.ID) == id })
	}))
	var phone config.Phone
	if st.phone && x.Extension != "" {
		phone = config.Phone{
			ID: tel.DeviceID(freeID(string(x.Extension), "phone", func(id string) bool { return nameOf(c, "phones", id) != "" })), Name: x.Name, Password: newPassword(),
		}
		x.Phones = []tel.DeviceID{phone.ID}
		secrets = []page.Secret{{Of: string(phone.ID), Password: string(phone.Password)}}
	}
	who := *x
	return func(c *config.Config) error {
		if slices.ContainsFunc(c.Agents, func(a config.Agent) bool { return a.ID == who.ID }) {
			return errGone
		}
		c.Agents = append(c.Agents, who)
		if phone.ID != "" {
			c.Phones = append(c.Phones, phone)
		}
		for i := range c.Queues {
			if slices.Contains(st.queues, c.Queues[i].ID) {
				c.Queues[i].Agents = append(slices.Clone(c.Queues[i].Agents), who.ID)
			}
		}
		return nil
	}, secrets
}

// newPassword is one for a phone: 80 bits in letters that can be typed on a keypad.
func newPassword() config.Secret { return config.Secret(strings.ToLower(rand.Text()[:16])) }

// newPhonePassword gives a person's phone another password, which is shown when it is in force.
func (s *server) newPhonePassword(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	id, password := tel.DeviceID(v.PathValue("id")), newPassword()
	problems, err := s.propose(v, step{
		do: func(c *config.Config) error {
			i := slices.IndexFunc(c.Phones, func(p config.Phone) bool { return p.ID == id })
			if i < 0 {
				return errGone
			}
			c.Phones[i].Password = password
			return nil
		},
		secrets: []page.Secret{{Of: string(id), Password: string(password)}},
	})
	if err != nil || len(problems) > 0 {
		s.refuse(w, v, http.StatusNotFound, "gone")
		return
	}
	redirect(w, v, "/changes")
}
