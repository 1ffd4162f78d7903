package web

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/wiring"
)

// board tells which machine the box is, and how it is.
func (s *server) board(w http.ResponseWriter, v *visit) {
	p := page.MachinePage{Reader: s.reader(v), Box: s.Name(), Machine: s.Board.Machine(), State: s.Board.State()}
	p.Reader.Path = "/board"
	for _, l := range model.Lights() {
		p.Lights = append(p.Lights, page.Support{Driver: l.Driver, Says: supportKey(p.Machine.Supports(l.Driver))})
	}
	html, err := s.pages[v.lang].Machine(p, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// supportKey is the sentence for how lamps of a driver can hang on a board.
func supportKey(says string) string {
	switch {
	case says == "yes", says == "no":
		return "board.lights." + says
	case strings.HasPrefix(says, "with "):
		return "board.lights.core"
	case strings.HasPrefix(says, "by "):
		return "board.lights.names"
	default:
		return "board.lights.bus"
	}
}

// wiring draws where the wires of the office's lamps go: on this machine or on another board, all of them or those of
// one kind, of which there is an example where the office has none.
func (s *server) wiring(w http.ResponseWriter, v *visit) {
	q := v.URL.Query()
	kind := wiring.Kind(q.Get("kind"))
	if !slices.Contains(wiring.Kinds(), kind) {
		kind = ""
	}
	c := s.drafted(v)
	p := page.Wiring{Reader: s.reader(v), Box: s.Name(), Board: s.Board.Machine()}
	other := ""
	p.Boards = []page.Option{{Key: "wiring.here", Name: p.Board.Says}}
	for _, m := range model.Models() {
		if m.Hardware.Header {
			on := m.ID == q.Get("board")
			p.Boards = append(p.Boards, page.Option{ID: m.ID, Name: m.Name, On: on})
			if on {
				p.Board, other = model.Board{Model: m, Says: m.Name, Known: true}, m.ID
			}
		}
	}
	p.Kinds = []page.Option{{Key: "wiring.kind.all"}}
	for _, k := range wiring.Kinds() {
		p.Kinds = append(p.Kinds, page.Option{ID: string(k), Key: "wiring.kind." + string(k), On: k == kind})
	}
	p.Sheets, p.Example = sheets(p.Board, wiring.Outputs(&c), kind)
	p.Reader.Path = "/lamps/wiring"
	p.Reader.Query = template.URL(url.Values{"board": {other}, "kind": {string(kind)}}.Encode())
	html, err := s.pages[v.lang].Wiring(p, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// sheets are those of one kind, or of all that the lamps have; an example where they have none.
func sheets(b model.Board, lamps []config.Lamp, kind wiring.Kind) (all []page.Drawn, example bool) {
	draw := func(lamps []config.Lamp, kind wiring.Kind) {
		for _, s := range wiring.Sheets(b, lamps) {
			if kind == "" || s.Kind == kind {
				all = append(all, page.Drawn{Sheet: s, Drawing: s.Draw(), Limit: b.Hardware.SumMA})
			}
		}
	}
	draw(lamps, kind)
	if len(all) > 0 {
		return all, false
	}
	if kind == "" {
		kind = wiring.LED
	}
	draw(wiring.Examples(kind), kind)
	return all, true
}
