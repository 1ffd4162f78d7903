package web

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/ui/page"
)

// mostExported is how many calls one table has at most.
const mostExported = 10000

// exportCell keeps a cell, and any piece that a spreadsheet with another idea of the separator makes of it, from
// being taken for a formula.
func exportCell(c string) string {
	var b strings.Builder
	start := true
	for _, r := range c {
		switch {
		case start && strings.ContainsRune("=+-@\t\r\n", r):
			b.WriteByte('\'')
			start = false
		case start && (r == ' ' || r == '"' || r == '\''):
		default:
			start = false
		}
		if strings.ContainsRune(",;\t|\r\n", r) {
			start = true
		}
		b.WriteRune(r)
	}
	return b.String()
}

// sheet is a table that a spreadsheet opens.
type sheet struct {
	b   bytes.Buffer
	out *csv.Writer
}

// newSheet begins one as the visitor has asked for it.
func newSheet(v *visit) *sheet {
	t := &sheet{}
	t.out = csv.NewWriter(&t.b)
	if v.URL.Query().Get("sep") == "semicolon" { // as Italian spreadsheets read it
		t.out.Comma = ';'
		t.b.WriteString("\ufeff")
	}
	return t
}

// row adds cells, none of which is taken for a formula.
func (t *sheet) row(cells ...string) {
	for i := range cells {
		cells[i] = exportCell(cells[i])
	}
	_ = t.out.Write(cells) // a buffer takes everything
}

// send answers with the table as a file of that name.
func (t *sheet) send(w http.ResponseWriter, name string) {
	t.out.Flush()
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(t.b.Bytes())
}

// exportCalls sends the calls that are looked for as a table.
func (s *server) exportCalls(w http.ResponseWriter, v *visit) {
	ctx, cancel := context.WithTimeout(v.Context(), applyFor)
	defer cancel()
	l := s.listed(v, page.TabCalls)
	if len(l.Wrong) > 0 { // a table has no room to say so
		s.refuse(w, v, http.StatusBadRequest, l.Wrong[0].Sentence)
		return
	}
	table := newSheet(v)
	say := func(key string) string { return s.pages[v.lang].Say(page.Said{Sentence: key}) }
	table.row(say("history.when"), say("export.direction"), say("export.from"), say("export.to"), say("export.line"), say("floor.queue"), say("filter.person"), say("filter.result"), say("export.rang"), say("calls.talked"), say("disposition"))
	said, err := s.disposed(ctx, l.span)
	if err != nil {
		s.Log.Warn("the records cannot be read", "err", err)
		s.refuse(w, v, http.StatusServiceUnavailable, "records.away")
		return
	}
	l.span.Limit = store.MaxLimit
	for rows := 0; rows < mostExported; {
		p, err := s.callsOf(ctx, l)
		if err != nil {
			s.Log.Warn("the records cannot be read", "err", err)
			s.refuse(w, v, http.StatusServiceUnavailable, "records.away")
			return
		}
		for _, c := range p.Items {
			r := s.callRow(l, c.CallEnded)
			rang := c.Ended.Sub(c.Started)
			if !c.Answered.IsZero() {
				rang = c.Answered.Sub(c.Started)
			}
			table.row(r.At.Format(time.DateTime), say("result.calls."+string(c.Direction)), string(c.From), string(c.To), partyName(l.config, c.In), r.Queue, r.Person,
				say(r.Result.Sentence), strconv.Itoa(int(max(0, rang).Seconds())), strconv.Itoa(int(r.Talked.Seconds())), said[c.Call])
			rows++
		}
		if l.span.Cursor = p.Next; p.Next == "" {
			break
		}
	}
	table.send(w, "calls.csv")
}
