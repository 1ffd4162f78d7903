package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Lights is how all lamps of the house look. A change is applied at once: the lamps go out and on again.
type Lights struct {
	Level int         `yaml:"level"` // brightness by day, percent; default 100, 1-100
	Night LightsNight `yaml:"night,omitempty"`
	Rows  []LightRow  `yaml:"rows,omitempty"` // in place of those of the usual table; default none
}

// LightsNight is when the lamps are dimmed, by the clock of the box.
type LightsNight struct {
	From  string `yaml:"from"`  // e.g. 20:00; default never
	To    string `yaml:"to"`    // e.g. 07:30
	Level int    `yaml:"level"` // percent of the brightness by day; default 20, 1-100
}

// LightRow is what one state looks like.
type LightRow struct {
	ID      string   `yaml:"state"`             // ready, ringing, talking, queue_late ...: one of lamp.States
	Colours []string `yaml:"colours,omitempty"` // e.g. "#ff0000"; of several each lit part has the next one
	Level   int      `yaml:"level"`             // brightness, percent of lights.level; default 100, 1-100
	Rhythm  []int    `yaml:"rhythm,omitempty"`  // ms lit, dark, lit ...; one figure: steady; default dark
}

func defaultLights() Lights { return Lights{Level: 100} }

// IsZero has the file say nothing of them by default: see Encode.
func (l Lights) IsZero() bool { return reflect.DeepEqual(l, defaultLights()) }

func (c *Config) normaliseLights() {
	if c.Lights.Night.Level == 0 && c.Lights.Night.From != "" {
		c.Lights.Night.Level = 20
	}
	for i := range c.Lights.Rows {
		if r := &c.Lights.Rows[i]; r.Level == 0 {
			r.Level = 100
		}
	}
}

// LampPolicy is the table of what lamps look like.
func (c *Config) LampPolicy() lamp.Policy {
	var rows []lamp.Row
	for _, r := range c.Lights.Rows {
		rows = append(rows, r.row())
	}
	return lamp.Usual().With(rows...)
}

func (r LightRow) row() lamp.Row {
	row := lamp.Row{State: lamp.State(r.ID), Percent: r.Level}
	for _, text := range r.Colours {
		if c, ok := readColour(text); ok {
			row.Colours = append(row.Colours, c)
		}
	}
	for _, ms := range r.Rhythm {
		row.Rhythm = append(row.Rhythm, time.Duration(ms)*time.Millisecond)
	}
	return row
}

// Pattern is what the row looks like, by day at full brightness.
func (r LightRow) Pattern() lamp.Pattern { return r.row().Pattern() }

// LampStates lists what a lamp can say, in an order for people.
func LampStates() (all []string) {
	for _, s := range lamp.States() {
		all = append(all, string(s))
	}
	return all
}

// LightRow is what a state looks like, and whether that is not the usual look.
func (c *Config) LightRow(state string) (r LightRow, changed bool) {
	for _, r := range c.Lights.Rows {
		if r.ID == state {
			return r, true
		}
	}
	return LightRowOf(lamp.Usual()[lamp.State(state)]), false
}

// SetLightRow changes what a state looks like. The usual look needs no row.
func (c *Config) SetLightRow(r LightRow) {
	rows := slices.Clone(c.Lights.Rows)
	i := slices.IndexFunc(rows, func(o LightRow) bool { return o.ID == r.ID })
	switch usual := LightRowOf(lamp.Usual()[lamp.State(r.ID)]); {
	case reflect.DeepEqual(r, usual) && i >= 0:
		rows = slices.Delete(rows, i, i+1)
	case reflect.DeepEqual(r, usual):
	case i >= 0:
		rows[i] = r
	default:
		rows = append(rows, r)
	}
	c.Lights.Rows = rows
}

// LightRowOf writes a row as the file has it.
func LightRowOf(row lamp.Row) LightRow {
	r := LightRow{ID: string(row.State), Level: row.Percent}
	for _, c := range row.Colours {
		r.Colours = append(r.Colours, fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B))
	}
	for _, d := range row.Rhythm {
		r.Rhythm = append(r.Rhythm, int(d/time.Millisecond))
	}
	return r
}

// readColour reads #rrggbb.
func readColour(text string) (lamp.Colour, bool) {
	digits, ok := strings.CutPrefix(text, "#")
	n, err := strconv.ParseUint(digits, 16, 32)
	if !ok || err != nil || len(digits) != 6 {
		return lamp.Colour{}, false
	}
	return lamp.Colour{R: uint8(n >> 16), G: uint8(n >> 8), B: uint8(n)}, true
}

// Dimmed is when the lamps are dimmed.
func (n LightsNight) Dimmed(zone *time.Location) lamp.Night {
	from, ok1 := clock(n.From)
	to, ok2 := clock(n.To)
	if !ok1 || !ok2 {
		return lamp.Night{}
	}
	return lamp.Night{From: from, To: to, Percent: n.Level, Zone: zone}
}

// clock reads hh:mm.
func clock(text string) (time.Duration, bool) {
	t, err := time.Parse("15:04", text)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err == nil
}

// Subject is what the lamp is of: what it says itself, or the agent who says so.
func (c *Config) Subject(l Lamp) lamp.Subject {
	if l.Shows != "" {
		s, _ := lamp.ReadSubject(l.Shows)
		s.Lens = lamp.Lens(l.Lens)
		return s
	}
	for _, a := range c.Agents {
		if a.Lamp == l.ID && a.Lamp != "" {
			return lamp.Subject{Kind: lamp.Agent, ID: string(a.ID)}
		}
	}
	return lamp.Subject{}
}

func (v *validator) lights() {
	l := &v.c.Lights
	if l.Level < 1 || l.Level > 100 {
		v.found.add("lights.level", "range", "the brightness is within 1 and 100 percent")
	}
	if n := l.Night; n != (LightsNight{}) {
		for _, field := range []struct{ name, text string }{{"from", n.From}, {"to", n.To}} {
			if _, ok := clock(field.text); !ok {
				v.found.add("lights.night."+field.name, "form", "%q is no time of the day: write it as 20:00", field.text)
			}
		}
		if n.Level < 1 || n.Level > 100 {
			v.found.add("lights.night.level", "range", "the brightness at night is within 1 and 100 percent")
		}
	}
	at := map[lamp.State]string{}
	for i, r := range l.Rows {
		path := fmt.Sprintf("lights.rows[%d]", i)
		if !slices.Contains(lamp.States(), lamp.State(r.ID)) {
			v.found.add(path+".state", "unknown", "%q is not a state of a lamp", r.ID)
			continue
		}
		if at[lamp.State(r.ID)] != "" {
			v.found.add(path+".state", "duplicate", "there are two rows for %s", r.ID)
		}
		at[lamp.State(r.ID)] = path
		for _, text := range r.Colours {
			if _, ok := readColour(text); !ok {
				v.found.add(path+".colours", "form", "%q is not a colour such as #ff8000", text)
			}
		}
		if slices.ContainsFunc(r.Rhythm, func(ms int) bool { return ms < 0 || ms > 3_600_000 }) {
			v.found.add(path+".rhythm", "range", "a step of a rhythm is within 40 ms and a minute")
		}
	}
	if len(at) == 0 {
		return
	}
	for _, f := range v.c.LampPolicy().Check() {
		path := at[f.State]
		if path == "" {
			path = at[f.Other]
		}
		switch f.Code {
		case "fast":
			v.found.add(path, "lamp_fast", "%s", f.Text)
		case "alike":
			v.found.add(path, "lamp_alike", "%s", f.Text)
		case "hue":
			v.found.add(path, "lamp_hue", "%s", f.Text)
		default:
			v.found.add(path, "lamp_look", "%s", f.Text)
		}
	}
}

// shows checks what a lamp is of.
func (v *validator) shows(path string, l *Lamp) {
	s, ok := lamp.ReadSubject(l.Shows)
	if !ok {
		v.found.add(path+".shows", "form", "%q is nothing that a lamp shows: write agent:ID, desk:PHONE, queue:ID, trunk:ID, line:ID or system", l.Shows)
		return
	}
	switch l.Lens {
	case "":
	case "green", "amber", "red":
		if s.Kind != lamp.Queue {
			v.found.add(path+".lens", "range", "only a lamp of a queue is one of three")
		}
	default:
		v.found.add(path+".lens", "choice", "%q is not green, amber or red", l.Lens)
	}
	if owner := slices.IndexFunc(v.c.Agents, func(a Agent) bool { return a.Lamp == l.ID && l.ID != "" }); l.Shows != "" && owner >= 0 {
		v.found.add(path+".shows", "shared", "it is already the lamp of agent %q", v.c.Agents[owner].ID)
	}
	if !v.there(s) {
		v.found.add(path+".shows", "unknown", "there is no %s", l.Shows)
	}
}

// Target is within how long a caller of a queue should have an agent.
func (c *Config) Target(queue tel.QueueID) time.Duration {
	for _, q := range c.Queues {
		if q.ID == queue {
			return q.Distribution.Target
		}
	}
	return 0
}
