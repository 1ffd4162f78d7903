// Package handover writes the report with which an installer hands a box over as a PDF, in the letters of the
// Go fonts, which know the languages of Europe.
package handover

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"github.com/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"

	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/page"
)

// Measures of the page, in millimetres, and sizes of letters, in points.
const (
	margin    = 15.0
	line      = 5.0
	padding   = 1.0
	small     = 9.0
	heading   = 12.0
	title     = 18.0
	family    = "go"
	mostCells = 600 // letters of a cell: a page has no more
)

// PDF writes the report in the language of the catalogue.
func PDF(h page.Handover, cat *i18n.Catalogue) ([]byte, error) {
	p := fpdf.New("P", "mm", "A4", "")
	p.SetCatalogSort(true)
	p.SetCreationDate(h.Made)
	p.SetModificationDate(h.Made)
	p.SetMargins(margin, margin, margin)
	p.SetAutoPageBreak(true, margin)
	p.AddUTF8FontFromBytes(family, "", goregular.TTF)
	p.AddUTF8FontFromBytes(family, "B", gobold.TTF)
	p.SetTitle(plain(cat.T("handover")+" · "+h.Box), true)
	p.SetLang(cat.Lang)
	p.AliasNbPages("")
	p.SetFooterFunc(func() {
		p.SetY(-margin + 3)
		p.SetFont(family, "", 8)
		p.CellFormat(0, line, plain(h.Box)+"   "+cat.T("handover.page", p.PageNo()), "", 0, "C", false, 0, "")
	})
	w := writer{p, cat}
	p.AddPage()
	w.head(h)
	for _, s := range h.Sections {
		w.section(s)
	}
	p.Ln(line)
	p.SetFont(family, "", small)
	p.MultiCell(0, line, plain(cat.T("handover.sign")), "", "L", false)
	var b bytes.Buffer
	if err := p.Output(&b); err != nil {
		return nil, fmt.Errorf("handover report: %w", err)
	}
	return b.Bytes(), nil
}

type writer struct {
	pdf *fpdf.Fpdf
	cat *i18n.Catalogue
}

func (w writer) head(h page.Handover) {
	w.pdf.SetFont(family, "B", title)
	w.pdf.MultiCell(0, 9, plain(w.cat.T("handover")), "", "L", false)
	w.pdf.SetFont(family, "B", heading)
	w.pdf.MultiCell(0, 7, plain(h.Box), "", "L", false)
	w.pdf.SetFont(family, "", small)
	w.pdf.MultiCell(0, line, plain(w.cat.T("handover.made", h.Made.Format("2006-01-02 15:04"), h.By)), "", "L", false)
	w.pdf.Ln(2)
	var rows [][]string
	for _, f := range h.Facts {
		rows = append(rows, []string{plain(w.cat.T(f.Key)), plain(f.Text)})
	}
	w.table(nil, rows)
}

func (w writer) section(s page.HandoverSection) {
	w.pdf.Ln(4)
	heads, rows := w.cells(s)
	w.keep(2*line + w.begins(heads, rows)) // no title alone at the end of a page
	w.pdf.SetFont(family, "B", heading)
	w.pdf.MultiCell(0, 7, plain(w.cat.T(s.Key)), "", "L", false)
	if len(s.Rows) == 0 {
		w.pdf.SetFont(family, "", small)
		w.pdf.MultiCell(0, line, plain(w.cat.T(s.Key+".none")), "", "L", false)
		return
	}
	w.table(heads, rows)
}

// cells are the words of a section's table.
func (w writer) cells(s page.HandoverSection) (heads []string, rows [][]string) {
	for _, k := range s.Heads {
		heads = append(heads, plain(w.cat.T(k)))
	}
	for _, r := range s.Rows {
		var cells []string
		for _, c := range r {
			cells = append(cells, w.words(c))
		}
		rows = append(rows, cells)
	}
	return heads, rows
}

func (w writer) words(c page.Cell) string {
	if c.Says.Sentence == "" {
		return plain(c.Text)
	}
	return plain(strings.TrimSpace(w.cat.T(c.Says.Sentence, c.Says.Args...) + " " + c.Text))
}

// table writes rows whose cells wrap. A row stands on one page, below the names of its columns.
func (w writer) table(heads []string, rows [][]string) {
	begun := w.pdf.PageNo()
	for i, r := range rows {
		if i == 0 {
			w.keep(w.begins(heads, rows))
		} else {
			w.keep(w.height(r, ""))
		}
		if len(heads) > 0 && (i == 0 || w.pdf.PageNo() != begun) {
			w.row(heads, "B")
			begun = w.pdf.PageNo()
		}
		w.row(r, "")
	}
}

// begins is how much room a table needs to begin: the names of its columns and a row.
func (w writer) begins(heads []string, rows [][]string) (height float64) {
	if len(heads) > 0 {
		height = w.height(heads, "B")
	}
	if len(rows) > 0 {
		height += w.height(rows[0], "")
	}
	return height
}

// wrapped is each cell of a row in its lines.
func (w writer) wrapped(cells []string, style string) (all [][]string, most int) {
	w.pdf.SetFont(family, style, small)
	most = 1
	for _, c := range cells {
		lines := w.pdf.SplitText(c, w.width(cells)-2*padding)
		all, most = append(all, lines), max(most, len(lines))
	}
	return all, most
}

// width is that of each cell.
func (w writer) width(cells []string) float64 {
	page, _ := w.pdf.GetPageSize()
	return (page - 2*margin) / float64(len(cells))
}

func (w writer) height(cells []string, style string) float64 {
	_, most := w.wrapped(cells, style)
	return float64(most)*line + padding
}

func (w writer) row(cells []string, style string) {
	wrapped, _ := w.wrapped(cells, style)
	each, height := w.width(cells), w.height(cells, style)
	x, y := w.pdf.GetXY()
	for i, lines := range wrapped {
		for n, l := range lines {
			w.pdf.SetXY(x+float64(i)*each, y+float64(n)*line)
			w.pdf.CellFormat(each, line, l, "", 0, "L", false, 0, "")
		}
	}
	w.pdf.SetDrawColor(180, 180, 180)
	w.pdf.Line(x, y+height-padding/2, x+float64(len(cells))*each, y+height-padding/2)
	w.pdf.SetXY(x, y+height)
}

// keep begins a page where so much does not fit on this one any more.
func (w writer) keep(height float64) {
	_, page := w.pdf.GetPageSize()
	if w.pdf.GetY()+height > page-margin {
		w.pdf.AddPage()
	}
}

// plain is a text that the fonts and the library can write: letters of the first plane, one line.
func plain(text string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		if n++; n > mostCells {
			return -1
		}
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r):
			return -1
		case r > 0xFFFF || r == unicode.ReplacementChar:
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}
