package page

import "time"

// Handover is the report with which an installer hands a box over: what there is, how it was measured, what is
// still open.
type Handover struct {
	Reader   Reader
	Box      string
	Made     time.Time
	By       string // who made it
	Facts    []HandoverFact
	Sections []HandoverSection
}

// HandoverFact is one line about the box as a whole.
type HandoverFact struct {
	Key  string // of its name
	Text string
}

// HandoverSection is a table of the report.
type HandoverSection struct {
	Key   string   // of its title; Key + ".none" says that it is empty
	Heads []string // keys of the columns
	Rows  [][]Cell
}

// Cell is a text, or a sentence of the catalogue.
type Cell struct {
	Text string
	Says Said
}

// Handover renders the report as a page that prints well.
func (r *Renderer) Handover(h Handover, now time.Time) ([]byte, error) {
	return r.shell("handover.html", "handover", h.Box, h.Reader, h, now)
}
