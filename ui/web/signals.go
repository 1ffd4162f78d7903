package web

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
)

// signalEditor is the form of what one state looks like on a lamp.
func signalEditor() editor[config.LightRow] {
	type r = config.LightRow
	return editor[r]{
		title: "signal.edit", at: "/signals",
		kind: kind[r]{
			name: "signals", id: func(x *r) string { return x.ID },
			groups: []group[r]{{"look", []binding[r]{
				{
					name: "rhythm", path: "rhythm", kind: page.FieldText,
					get: func(x *r) string { return strings.Trim(fmt.Sprint(x.Rhythm), "[]") },
					set: func(x *r, v string) string {
						x.Rhythm = nil
						for _, word := range strings.FieldsFunc(v, func(c rune) bool { return c == ' ' || c == ',' }) {
							n, err := strconv.Atoi(word)
							if err != nil {
								return "figure"
							}
							x.Rhythm = append(x.Rhythm, n)
						}
						return ""
					},
				},
				{
					name: "colours", path: "colours", kind: page.FieldText,
					get: func(x *r) string { return strings.Join(x.Colours, " ") },
					set: func(x *r, v string) string {
						x.Colours = strings.FieldsFunc(v, func(c rune) bool { return c == ' ' || c == ',' })
						return ""
					},
				},
				count("level", "level", func(x *r) *int { return &x.Level }),
			}}},
		},
	}
}

// lookEditor is the form of how bright all lamps are.
func lookEditor() editor[config.Lights] {
	type l = config.Lights
	return editor[l]{
		title: "signals.look", at: "/signals", back: "/signals",
		kind: kind[l]{
			name: "lights", id: func(*l) string { return "look" },
			groups: []group[l]{{"look", []binding[l]{
				count("level", "level", func(x *l) *int { return &x.Level }),
				text("from", "night.from", func(x *l) *string { return &x.Night.From }),
				text("to", "night.to", func(x *l) *string { return &x.Night.To }),
				count("night", "night.level", func(x *l) *int { return &x.Night.Level }),
			}}},
		},
	}
}

// signals shows what every state looks like.
func (s *server) signals(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	p := page.Signals{Reader: s.reader(v), Box: s.Name()}
	p.Reader.Path = "/signals"
	for _, state := range config.LampStates() {
		row, changed := c.LightRow(state)
		p.Signals = append(p.Signals, signal(row, changed))
	}
	html, err := s.pages[v.lang].Signals(p, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// signal draws four seconds of a row.
func signal(row config.LightRow, changed bool) page.Signal {
	x := page.Signal{State: row.ID, Changed: changed}
	if len(row.Rhythm) > 1 {
		x.Rhythm = strings.ReplaceAll(strings.Trim(fmt.Sprint(row.Rhythm), "[]"), " ", " · ")
	}
	pattern := row.Pattern()
	for t := time.Duration(0); t < 4*time.Second; {
		level, lasts := pattern.At(t)
		if lasts <= 0 {
			lasts = 4*time.Second - t
		}
		if level.Brightness > 0 {
			x.Steps = append(x.Steps, page.Lit{
				From: t.Seconds() * 100, Width: min(lasts, 4*time.Second-t).Seconds() * 100,
				Fill: fmt.Sprintf("#%02x%02x%02x", level.R, level.G, level.B), Strength: float64(level.Brightness) / 255,
			})
		}
		t += lasts
	}
	return x
}

// signalForm shows the form of one state.
func (s *server) signalForm(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	if !slices.Contains(config.LampStates(), v.PathValue("id")) {
		s.refuse(w, v, http.StatusNotFound, "gone")
		return
	}
	row, _ := c.LightRow(v.PathValue("id"))
	signalEditor().show(s, w, v, http.StatusOK, &c, &row, page.Form{})
}

// saveSignal takes another look of a state into the visitor's draft.
func (s *server) saveSignal(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	id, e := v.PathValue("id"), signalEditor()
	if !slices.Contains(config.LampStates(), id) {
		s.refuse(w, v, http.StatusNotFound, "gone")
		return
	}
	c, p := s.drafted(v), e.read(v.PostForm)
	before, _ := c.LightRow(id)
	x := before
	wrong := e.write(&x, p)
	c.SetLightRow(x)
	e.settle(s, w, v, &c, &before, 0, p, wrong, func(c *config.Config) error {
		x, _ := c.LightRow(id)
		e.write(&x, p)
		c.SetLightRow(x)
		return nil
	})
}

// usualSignal gives a state back its usual look.
func (s *server) usualSignal(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	id := v.PathValue("id")
	problems, err := s.propose(v, step{do: func(c *config.Config) error {
		if _, changed := c.LightRow(id); !changed {
			return errGone
		}
		c.Lights.Rows = slices.DeleteFunc(slices.Clone(c.Lights.Rows), func(r config.LightRow) bool { return r.ID == id })
		return nil
	}})
	switch {
	case err != nil:
		s.refuse(w, v, http.StatusConflict, "gone")
	case len(problems) > 0: // it would look like another one that was changed
		c := s.drafted(v)
		row, _ := c.LightRow(id)
		f := page.Form{Said: s.sentence("form.wrong")}
		for _, p := range problems {
			f.Others = append(f.Others, s.problemAt(p))
		}
		signalEditor().show(s, w, v, http.StatusConflict, &c, &row, f)
	default:
		redirect(w, v, "/changes")
	}
}

// lookForm shows the form of the brightness.
func (s *server) lookForm(w http.ResponseWriter, v *visit) {
	c := s.drafted(v)
	lookEditor().show(s, w, v, http.StatusOK, &c, &c.Lights, page.Form{})
}

// saveLook takes another brightness into the visitor's draft.
func (s *server) saveLook(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	e := lookEditor()
	c, p := s.drafted(v), e.read(v.PostForm)
	before := c.Lights
	change := func(c *config.Config) map[string]string {
		wrong := e.write(&c.Lights, p)
		if n := &c.Lights.Night; n.From == "" && n.To == "" {
			*n = config.LightsNight{} // never
		} else if n.Level == 0 && reflect.DeepEqual(before.Night, config.LightsNight{}) {
			n.Level = 20
		}
		return wrong
	}
	e.settle(s, w, v, &c, &before, 0, p, change(&c), func(c *config.Config) error { change(c); return nil })
}
