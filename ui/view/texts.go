package view

import (
	"cmp"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Text is one short message on the page: who and what became of it. What it says stays off a page that
// hangs on the wall.
type Text struct {
	ID    tel.SMSID
	Party string // the other side: a number or a name
	Ours  bool
	State tel.SMSState
	At    time.Time
	Line  string // the line's name
}

// maxTexts is how many the page shows.
const maxTexts = 6

// text takes a change of a message.
func (m *Model) text(s tel.SMS) []Part {
	t := Text{ID: s.ID, Party: cmp.Or(s.From, string(s.To)), Ours: s.To != "", State: s.State, At: s.At, Line: s.Line}
	m.texts = slices.DeleteFunc(m.texts, func(x Text) bool { return x.ID == t.ID })
	m.texts = append(m.texts, t)
	slices.SortStableFunc(m.texts, func(a, b Text) int { return b.At.Compare(a.At) })
	m.texts = m.texts[:min(len(m.texts), maxTexts)]
	return whole(SectionTexts)
}

// allTexts are the latest messages, the newest first, with the names of their lines.
func (m *Model) allTexts() []Text {
	all := slices.Clone(m.texts)
	for i := range all {
		all[i].Line = cmp.Or(m.lines[all[i].Line].Name, all[i].Line)
	}
	return all
}
