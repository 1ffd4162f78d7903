package web

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// ruleKind is the form of a rule of recording: whether, what for, and whose conversations.
func ruleKind() kind[config.RecordingRule] {
	type r = config.RecordingRule
	return kind[r]{
		name: "recording.rules",
		of:   func(c *config.Config) *[]r { return &c.Recording.Rules },
		id:   func(x *r) string { return x.ID },
		groups: []group[r]{
			{"what", []binding[r]{
				must(text("name", "name", func(x *r) *string { return &x.Name })),
				choice("record", "record", "record.", []string{config.RecordAlways, config.RecordDemand, config.RecordNever}, func(x *r) *string { return &x.Record }),
				purposeOf(),
			}},
			{"whose", []binding[r]{
				some("queues", "queues", page.FieldChecks, queuesOf, func(x *r) *[]tel.QueueID { return &x.Queues }),
				some("agents", "agents", page.FieldChecks, recordable, func(x *r) *[]tel.AgentID { return &x.Agents }),
				some("through", "through", page.FieldChecks, throughs, func(x *r) *[]string { return &x.Through }),
				some("conferences", "conferences", page.FieldChecks, roomsOf, func(x *r) *[]tel.ConferenceID { return &x.Conferences }),
				choice("direction", "direction", "recording.direction.", []string{"", string(tel.Inbound), string(tel.Outbound), string(tel.Internal)}, func(x *r) *string { return &x.Direction }),
			}},
		},
	}
}

// purposeOf is what a rule records for; a rule by which nothing is recorded has none.
func purposeOf() binding[config.RecordingRule] {
	b := text("purpose", "purpose", func(x *config.RecordingRule) *string { return &x.Purpose })
	b.kind = page.FieldSelect
	b.choices = func(c *config.Config, _ *config.RecordingRule) []page.Option {
		all := []page.Option{{Key: "recording.purpose.none"}}
		for _, p := range c.Recording.Purposes {
			all = append(all, page.Option{ID: p.ID, Name: cmp.Or(p.Name, p.ID)})
		}
		return all
	}
	return b
}

func queuesOf(c *config.Config, _ *config.RecordingRule) (all []page.Option) {
	for _, q := range c.Queues {
		all = append(all, page.Option{ID: string(q.ID), Name: cmp.Or(q.Name, string(q.ID))})
	}
	return all
}

func roomsOf(c *config.Config, _ *config.RecordingRule) (all []page.Option) {
	for _, x := range c.Conferences {
		all = append(all, page.Option{ID: string(x.ID), Name: cmp.Or(x.Name, string(x.ID))})
	}
	return all
}

func recordable(c *config.Config, _ *config.RecordingRule) []page.Option { return people(c, nil) }

// throughs are the ways to the outside, as a rule names them.
func throughs(c *config.Config, _ *config.RecordingRule) (all []page.Option) {
	for _, t := range c.Trunks {
		all = append(all, page.Option{ID: "trunk:" + string(t.ID), Name: cmp.Or(t.Name, string(t.ID))})
	}
	for _, l := range c.Lines {
		all = append(all, page.Option{ID: "line:" + string(l.ID), Name: cmp.Or(l.Name, string(l.ID))})
	}
	return all
}

func ruleEditor() editor[config.RecordingRule] {
	return editor[config.RecordingRule]{
		kind: ruleKind(), title: "recording.rule", fresh: "recording.rule.new", at: "/recording/rules", back: "/recording",
		blank: func(c *config.Config) config.RecordingRule {
			r := config.RecordingRule{Record: config.RecordAlways}
			if len(c.Recording.Purposes) > 0 {
				r.Purpose = c.Recording.Purposes[0].ID
			}
			return r
		},
		extras: func(x *config.RecordingRule) []page.Extra {
			return []page.Extra{{Key: "recording.first", Action: "/recording/rules/" + x.ID + "/first"}}
		},
		born: func(c *config.Config, x *config.RecordingRule) {
			x.ID = freeID(x.Name, "rule", func(id string) bool {
				return slices.ContainsFunc(c.Recording.Rules, func(r config.RecordingRule) bool { return r.ID == id })
			})
		},
	}
}

// purposeKind is the form of what recordings are kept for: how long, on which ground, and who listens.
func purposeKind() kind[config.Purpose] {
	type p = config.Purpose
	return kind[p]{
		name: "recording.purposes",
		of:   func(c *config.Config) *[]p { return &c.Recording.Purposes },
		id:   func(x *p) string { return x.ID },
		groups: []group[p]{{"purpose", []binding[p]{
			must(text("name", "name", func(x *p) *string { return &x.Name })),
			measured(count("days", "days", func(x *p) *int { return &x.Days }), "unit.days"),
			choice("basis", "basis", "recording.basis.", append([]string{""}, config.Bases()...), func(x *p) *string { return &x.Basis }),
			listener(),
		}}},
	}
}

// listener is who hears the recordings of a purpose; who has said nothing means supervisors.
func listener() binding[config.Purpose] {
	b := choice("listen", "listen", "recording.listen.", []string{config.ListenSupervisors, config.ListenOwner}, func(x *config.Purpose) *string { return &x.Listen })
	b.get = func(x *config.Purpose) string { return cmp.Or(x.Listen, config.ListenSupervisors) }
	return b
}

func measured[T any](b binding[T], unit string) binding[T] {
	b.unit = unit
	return b
}

func purposeEditor() editor[config.Purpose] {
	return editor[config.Purpose]{
		kind: purposeKind(), title: "recording.purpose", fresh: "recording.purpose.new", at: "/recording/purposes", back: "/recording",
		blank: func(*config.Config) config.Purpose { return config.Purpose{Days: 90, Listen: config.ListenSupervisors} },
		born: func(c *config.Config, x *config.Purpose) {
			x.ID = freeID(x.Name, "purpose", func(id string) bool { return c.Recording.PurposeOf(id) != nil })
		},
	}
}

// mannerEditor is the form of how everything is recorded that is.
func mannerEditor() editor[config.Recording] {
	type r = config.Recording
	keys := append([]string{""}, telephoneKeys()...)
	return editor[r]{
		title: "recording.manner", at: "/recording", back: "/recording",
		kind: kind[r]{
			name: "recording", alone: true, id: func(*r) string { return "manner" },
			groups: []group[r]{
				{"told", []binding[r]{
					check("notice", "notice", func(x *r) *bool { return &x.Notice }),
					choice("opt_out", "opt_out", "key.", keys, func(x *r) *string { return &x.OptOut }),
				}},
				{"course", []binding[r]{
					check("on_hold", "on_hold", func(x *r) *bool { return &x.OnHold }),
					check("follow", "follow", func(x *r) *bool { return &x.Follow }),
					text("demand_keys", "demand_keys", func(x *r) *string { return &x.DemandKeys }),
					text("pause_keys", "pause_keys", func(x *r) *string { return &x.PauseKeys }),
				}},
				{"disk", []binding[r]{measured(count("keep_free", "keep_free_mb", func(x *r) *int { return &x.KeepFree }), "unit.mb")}},
			},
		},
	}
}

// recordingPage shows whose calls are recorded, what for, and whether what was recorded is whole.
func (s *server) recordingPage(w http.ResponseWriter, v *visit, status int, said page.Said) {
	c := s.drafted(v)
	p := page.Taping{Reader: s.reader(v), Box: s.Name(), Said: said, Absent: s.Recordings == nil}
	p.Reader.Path = "/recording"
	for i := range c.Recording.Rules {
		p.Rules = append(p.Rules, ruleCard(&c, &c.Recording.Rules[i]))
	}
	for i := range c.Recording.Purposes {
		x := &c.Recording.Purposes[i]
		p.Purposes = append(p.Purposes, purposeCard(x))
		used := slices.ContainsFunc(c.Recording.Rules, func(r config.RecordingRule) bool {
			return r.Record != config.RecordNever && r.Purpose == x.ID
		})
		if used && x.Basis == "" {
			p.Baseless = append(p.Baseless, cmp.Or(x.Name, x.ID))
		}
	}
	p.Manner = manner(&c.Recording)
	if s.Recordings != nil {
		p.Kept, p.Bytes = s.Recordings.Total()
		p.Checked = s.Recordings.Checked()
		p.Checked.At = p.Checked.At.In(s.Zone())
		if p.Checked.Running {
			w.Header().Set("Refresh", "3; url=/recording?lang="+v.lang)
		}
	}
	html, err := s.pages[v.lang].Taping(p, time.Now())
	s.show(w, status, html, err)
}

func (s *server) recordingSettings(w http.ResponseWriter, v *visit) {
	s.recordingPage(w, v, http.StatusOK, page.Said{})
}

// ruleCard says in short whose conversations a rule is about; who is not named is anybody.
func ruleCard(c *config.Config, r *config.RecordingRule) page.Card {
	card := page.Card{Title: cmp.Or(r.Name, r.ID), Path: "/recording/rules/" + r.ID}
	card.Facts = append(card.Facts, page.Fact{Key: "set.recording.rules.record", Says: "record." + r.Record})
	if r.Record != config.RecordNever {
		name := r.Purpose
		if p := c.Recording.PurposeOf(r.Purpose); p != nil {
			name = cmp.Or(p.Name, p.ID)
		}
		card.Facts = append(card.Facts, page.Fact{Key: "set.recording.rules.purpose", Text: name})
	}
	fact := func(key string, names []string) {
		if len(names) > 0 {
			card.Facts = append(card.Facts, page.Fact{Key: key, Text: some8(names)})
		}
	}
	fact("set.recording.rules.queues", namesOf(c, "queues", r.Queues))
	fact("set.recording.rules.agents", namesOf(c, "agents", r.Agents))
	var ways []string
	for _, t := range r.Through {
		ways = append(ways, partyName(c, t))
	}
	fact("set.recording.rules.through", ways)
	fact("set.recording.rules.conferences", namesOf(c, "conferences", r.Conferences))
	if r.Direction != "" {
		card.Facts = append(card.Facts, page.Fact{Key: "set.recording.rules.direction", Says: "recording.direction." + r.Direction})
	}
	if len(r.Queues)+len(r.Agents)+len(r.Through)+len(r.Conferences) == 0 && r.Direction == "" {
		card.Facts = append(card.Facts, page.Fact{Key: "block.recording.rules.whose", Says: "recording.everybody"})
	}
	return card
}

func namesOf[S ~string](c *config.Config, list string, ids []S) (names []string) {
	for _, id := range ids {
		names = append(names, nameOf(c, list, string(id)))
	}
	return names
}

func purposeCard(x *config.Purpose) page.Card {
	return page.Card{Title: cmp.Or(x.Name, x.ID), Path: "/recording/purposes/" + x.ID, Facts: []page.Fact{
		{Key: "recording.days", Text: strconv.Itoa(x.Days)},
		{Key: "set.recording.purposes.basis", Says: "recording.basis." + x.Basis},
		{Key: "set.recording.purposes.listen", Says: "recording.listen." + cmp.Or(x.Listen, config.ListenSupervisors)},
	}}
}

// manner is how everything is recorded, in short.
func manner(c *config.Recording) []page.Fact {
	yes := map[bool]string{true: "yes", false: "no"}
	return []page.Fact{
		{Key: "set.recording.notice", Says: "menu." + yes[c.Notice]},
		{Key: "set.recording.opt_out", Says: "key." + c.OptOut},
		{Key: "set.recording.on_hold", Says: "menu." + yes[c.OnHold]},
		{Key: "set.recording.demand_keys", Text: cmp.Or(c.DemandKeys, "–")},
		{Key: "set.recording.pause_keys", Text: cmp.Or(c.PauseKeys, "–")},
	}
}

// firstRule puts a rule before the others: the first that fits counts.
func (s *server) firstRule(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	id := v.PathValue("id")
	problems, err := s.propose(v, step{do: func(c *config.Config) error {
		x, at := ruleKind().find(c, id)
		if x == nil {
			return errGone
		}
		r := *x
		c.Recording.Rules = slices.Insert(slices.Delete(c.Recording.Rules, at, at+1), 0, r)
		return nil
	}})
	if err != nil || len(problems) > 0 {
		s.refuse(w, v, http.StatusConflict, "gone")
		return
	}
	redirect(w, v, "/changes")
}

// mannerForm shows the form of how is recorded.
func (s *server) mannerForm(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	mannerEditor().show(s, w, v, http.StatusOK, &c, &c.Recording, page.Form{})
}

// saveManner takes another manner into the visitor's draft.
func (s *server) saveManner(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	e := mannerEditor()
	c, p := s.drafted(v), e.read(v.PostForm)
	before := c.Recording
	wrong := e.write(&c.Recording, p)
	e.settle(s, w, v, &c, &before, 0, p, wrong, func(c *config.Config) error { e.write(&c.Recording, p); return nil })
}

// checkRecordings has the whole archive read against its index; the page tells what was found when it was.
func (s *server) checkRecordings(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	if s.Recordings == nil {
		s.recordingPage(w, v, http.StatusServiceUnavailable, s.sentence("recording.away"))
		return
	}
	s.Recordings.Check()
	redirect(w, v, "/recording")
}

// recordingKey names a setting of recording as its form does.
func recordingKey(list, path string) string {
	switch {
	case path == "" && list != "recording":
		return "list." + list
	case list == "recording.rules":
		return keyIn(list, ruleKind().fieldAt(path))
	case list == "recording.purposes":
		return keyIn(list, purposeKind().fieldAt(path))
	}
	return keyIn(list, mannerEditor().fieldAt(path))
}

func keyIn(list, field string) string {
	if field == "" {
		return ""
	}
	return "set." + strings.Join([]string{list, field}, ".")
}
