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

// exportCalls sends the calls that are looked for as a table.
func (s *server) exportCalls(w http.ResponseWriter, v *visit) {
	ctx, cancel := context.WithTimeout(v.Context(), applyFor)
	defer cancel()
	l := s.listed(v, page.TabCalls)
	if len(l.Wrong) > 0 { // a table has no room to say so
		s.refuse(w, v, http.StatusBadRequest, l.Wrong[0].Sentence)
		return
	}
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	if v.URL.Query().Get("sep") == "semicolon" { // as Italian spreadsheets read it
		out.Comma = ';'
		b.WriteString("\ufeff")
	}
	write := func(cells ...string) {
		for i := range cells {
			cells[i] = exportCell(cells[i])
		}
		_ = out.Write(cells) // a buffer takes everything
	}
	say := func(key string) string { return s.pages[v.lang].Say(page.Said{Sentence: key}) }
	write(say("history.when"), say("export.direction"), say("export.from"), say("export.to"), say("export.line"), say("floor.queue"), say("filter.person"), say("filter.result"), say("export.rang"), say("calls.talked"))
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
			write(r.At.Format(time.DateTime), say("result.calls."+string(c.Direction)), string(c.From), string(c.To), partyName(l.config, c.In), r.Queue, r.Person,
				say(r.Result.Sentence), strconv.Itoa(int(max(0, rang).Seconds())), strconv.Itoa(int(r.Talked.Seconds())))
			rows++
		}
		if l.span.Cursor = p.Next; p.Next == "" {
			break
		}
	}
	out.Flush()
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="calls.csv"`)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b.Bytes())
}
