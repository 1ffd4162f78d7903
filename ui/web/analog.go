package web

import (
	"net/http"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

// analogKind is a line behind a voice modem.
func analogKind() kind[config.Line] {
	type l = config.Line
	k := lineKind()
	who := group[l]{key: "who"}
	for _, b := range k.groups[0].fields {
		if b.name != "pin" {
			who.fields = append(who.fields, b)
		}
	}
	k.groups = []group[l]{
		who,
		{"analog", []binding[l]{
			choice("country", "analog.country", "set.lines.country.", []string{config.CountryItaly, config.CountryETSI, config.CountryNorthAmerica}, func(x *l) *string { return &x.Analog.Country }),
			text("chip", "analog.chip", func(x *l) *string { return &x.Analog.Chip }),
			check("polarity", "analog.polarity", func(x *l) *bool { return &x.Analog.Polarity }),
			check("agc", "analog.agc", func(x *l) *bool { return &x.Analog.AGC }),
			choice("recall", "analog.recall", "set.lines.recall.", []string{config.RecallSwitch, config.RecallDial, config.RecallOff}, func(x *l) *string { return &x.Analog.Recall }),
			span("silence", "analog.silence", time.Minute, func(x *l) *time.Duration { return &x.Analog.Silence }),
		}},
		k.groups[1],
	}
	return k
}

func analogEditor() editor[config.Line] {
	return editor[config.Line]{kind: analogKind(), title: "line.edit", at: "/lines/analog"}
}

// editorOf is the page on which a line is edited.
func editorOf(l config.Line) string {
	if l.Type == config.LineAnalog {
		return "/lines/analog/"
	}
	return "/lines/modem/"
}

// analogAddition is a new analog line: its name, where its calls go, and the socket of its modem.
func analogAddition() addition[config.Line] {
	k := newModemKind()
	fields := k.groups[0].fields[:0:0]
	for _, b := range k.groups[0].fields {
		if b.name != "pin" {
			fields = append(fields, b)
		}
	}
	k.groups = []group[config.Line]{{"who", fields}}
	return addition[config.Line]{
		kind: k, title: "line.new", action: "/lines/new/analog",
		blank: func(c *config.Config) config.Line {
			return config.Line{Type: config.LineAnalog, AT: "usb", In: arrival(c)}
		},
		born: func(c *config.Config, x *config.Line) {
			x.ID = tel.LineID(freeID(x.Name, "line", func(id string) bool { return nameOf(c, "lines", id) != "" }))
		},
		line: func(x *config.Line) string { return "line:" + string(x.ID) }, named: func(x *config.Line) string { return x.Name },
	}
}

// newAnalog serves the form of a voice modem.
func (s *server) newAnalog(w http.ResponseWriter, v *visit) {
	if v.Method == http.MethodPost {
		analogAddition().add(s, w, v)
		return
	}
	analogAddition().form(s, w, v, http.StatusOK, page.Form{}, true)
}
