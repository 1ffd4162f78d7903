package web

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// The largest figures of a skill and of a level.
const (
	mostSkill = 10
	mostLevel = 99
)

// freshField ends the names of the fields of a skill that is not there yet.
const freshField = "+"

// figure is one field of the table of skills: what it says now, and how another value is written.
type figure struct {
	field string // name of the input
	of    string // what it is
	most  int
	now   int
	set   func(c *config.Config, n int) error
}

// skillTable is the table of a queue: for callers and for each member one row of figures, of each skill and of
// one that is not there yet.
type skillTable struct {
	names []string
	needs []figure
	rows  []skillRow
}

type skillRow struct {
	who     string
	figures []figure
}

// skillsOf makes the table of a queue; fresh is the name of a skill that is not there yet.
func skillsOf(c *config.Config, q config.Queue, fresh string) (t skillTable) {
	known := map[string]bool{}
	for _, a := range c.Agents {
		for name := range a.Skills {
			known[name] = true
		}
	}
	for _, x := range c.Queues {
		for name := range x.Distribution.Needs {
			known[name] = true
		}
	}
	t.names = slices.Sorted(maps.Keys(known))
	for _, name := range t.names {
		t.needs = append(t.needs, needFigure(q, name, "need:"+name))
	}
	t.needs = append(t.needs, needFigure(q, fresh, "need"+freshField))
	for _, id := range q.Agents {
		i := slices.IndexFunc(c.Agents, func(a config.Agent) bool { return a.ID == id })
		if i < 0 {
			continue
		}
		a := c.Agents[i]
		row := skillRow{who: cmp.Or(a.Name, string(a.ID)), figures: []figure{levelFigure(q, a)}}
		for _, name := range t.names {
			row.figures = append(row.figures, skillFigure(a, name, "skill:"+string(a.ID)+":"+name))
		}
		row.figures = append(row.figures, skillFigure(a, fresh, "skill:"+string(a.ID)+freshField))
		t.rows = append(t.rows, row)
	}
	return t
}

func needFigure(q config.Queue, skill, field string) figure {
	return figure{field: field, of: skill, most: mostSkill, now: q.Distribution.Needs[skill], set: func(c *config.Config, n int) error {
		return inQueue(c, q.ID, func(x *config.Queue) { x.Distribution.Needs = with(x.Distribution.Needs, skill, n) })
	}}
}

func levelFigure(q config.Queue, a config.Agent) figure {
	return figure{field: "level:" + string(a.ID), of: a.Name, most: mostLevel, now: q.Distribution.Grades[a.ID].Level, set: func(c *config.Config, n int) error {
		return inQueue(c, q.ID, func(x *config.Queue) {
			grades := maps.Clone(x.Distribution.Grades)
			if grades == nil {
				grades = map[tel.AgentID]config.Grade{}
			}
			g := grades[a.ID]
			g.Level, g.Weight = n, max(g.Weight, 1)
			grades[a.ID] = g
			if g == (config.Grade{Weight: 1}) { // as without
				delete(grades, a.ID)
			}
			x.Distribution.Grades = grades
		})
	}}
}

func skillFigure(a config.Agent, skill, field string) figure {
	return figure{field: field, of: a.Name + ", " + skill, most: mostSkill, now: a.Skills[skill], set: func(c *config.Config, n int) error {
		i := slices.IndexFunc(c.Agents, func(x config.Agent) bool { return x.ID == a.ID })
		if i < 0 {
			return errGone
		}
		c.Agents[i].Skills = with(c.Agents[i].Skills, skill, n)
		return nil
	}}
}

// inQueue changes a queue, which may be gone.
func inQueue(c *config.Config, id tel.QueueID, do func(*config.Queue)) error {
	x, _ := queueKind().find(c, string(id))
	if x == nil {
		return errGone
	}
	do(x)
	return nil
}

// with is a copy of some levels with another one; 0 is without.
func with(levels map[string]int, name string, n int) map[string]int {
	all := maps.Clone(levels)
	if all == nil {
		all = map[string]int{}
	}
	if all[name] = n; n == 0 {
		delete(all, name)
	}
	return all
}

// read takes what was changed of a figure out of a posted form; changed is false for one that nobody touched.
func (f figure) read(form url.Values) (n int, changed bool, wrong string) {
	value := strings.TrimSpace(form.Get(f.field))
	if !form.Has(f.field) || form.Has("was-"+f.field) && value == form.Get("was-"+f.field) {
		return 0, false, ""
	}
	n, err := strconv.Atoi(cmp.Or(value, "0"))
	switch {
	case err != nil:
		return 0, true, "figure"
	case n < 0 || n > f.most:
		return 0, true, "range"
	}
	return n, true, ""
}

// skills shows what the members of a queue can.
func (s *server) skills(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	q, _ := queueKind().find(&c, v.PathValue("id"))
	if q == nil {
		s.refuse(w, v, http.StatusNotFound, "gone")
		return
	}
	s.skillsPage(w, v, http.StatusOK, *q, skillsOf(&c, *q, ""), nil, page.Skills{})
}

// skillsPage shows the table with what was posted, if it was.
func (s *server) skillsPage(w http.ResponseWriter, v *visit, status int, q config.Queue, t skillTable, form url.Values, p page.Skills) {
	p.Reader, p.Box, p.Title, p.Back = s.reader(v), s.Name(), cmp.Or(q.Name, string(q.ID)), "/queues/"+string(q.ID)
	p.Path, p.Names = p.Back+"/skills", t.names
	p.Reader.Path = p.Path
	row := func(figures []figure) (all []page.SkillCell) {
		for _, f := range figures {
			x := page.SkillCell{Field: f.field, Of: f.of, Was: strconv.Itoa(f.now), Most: f.most}
			if f.now == 0 {
				x.Was = ""
			}
			x.Value = x.Was
			if form.Has(f.field) {
				x.Value = form.Get(f.field)
				if _, _, wrong := f.read(form); wrong != "" {
					x.Wrong = page.Said{Sentence: "problem." + wrong, Where: f.of}
				}
			}
			all = append(all, x)
		}
		return all
	}
	p.Needs.Cells = row(t.needs)
	for _, r := range t.rows {
		p.Rows = append(p.Rows, page.SkillRow{Who: r.who, Cells: row(r.figures)})
	}
	html, err := s.pages[v.lang].Skills(p, time.Now())
	s.show(w, status, html, err)
}

// saveSkills takes what was changed in the table into the visitor's draft, or shows what is wrong with it.
func (s *server) saveSkills(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	c := s.drafted(v)
	q, _ := queueKind().find(&c, v.PathValue("id"))
	if q == nil {
		s.refuse(w, v, http.StatusNotFound, "gone")
		return
	}
	p := page.Skills{New: oneLine(v.PostForm.Get("new"))}
	t := skillsOf(&c, *q, p.New)
	all := slices.Clone(t.needs)
	for _, r := range t.rows {
		all = append(all, r.figures...)
	}
	var changes []func(*config.Config) error
	bad := false
	for _, f := range all {
		n, changed, wrong := f.read(v.PostForm)
		switch {
		case wrong != "":
			bad = true
		case changed && strings.HasSuffix(f.field, freshField) && n != 0 && p.New == "":
			bad = true
			p.Others = append(p.Others, page.Said{Sentence: "problem.missing", Where: "new"})
		case changed && n != f.now:
			changes = append(changes, func(c *config.Config) error { return f.set(c, n) })
		}
	}
	if !bad {
		problems, err := s.propose(v, step{do: func(c *config.Config) error {
			for _, change := range changes {
				if err := change(c); err != nil {
					return err
				}
			}
			return nil
		}})
		switch {
		case errors.Is(err, errFull):
			p.Said = s.sentence("changes.full")
			s.skillsPage(w, v, http.StatusConflict, *q, t, v.PostForm, p)
			return
		case err != nil:
			s.refuse(w, v, http.StatusConflict, "gone")
			return
		case len(problems) == 0:
			redirect(w, v, "/changes")
			return
		}
		for _, x := range problems {
			p.Others = append(p.Others, s.problemAt(x))
		}
	}
	p.Said = s.sentence("form.wrong")
	s.skillsPage(w, v, http.StatusUnprocessableEntity, *q, t, v.PostForm, p)
}
