package web

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
)

const (
	fileLimit = 1 << 20 // bytes of an uploaded list of people
	mostRows  = 1000
)

// person is one row of a list of people.
type person struct {
	row    int
	name   string
	number string
	queues string // names or ids, with semicolons or bars between
	phone  string // yes, no
}

// columns are the names of the columns, in both languages.
func columns() map[string]func(*person, string) {
	name := func(p *person, v string) { p.name = v }
	number := func(p *person, v string) { p.number = strings.Map(digits, v) }
	queues := func(p *person, v string) { p.queues = v }
	phone := func(p *person, v string) { p.phone = v }
	return map[string]func(*person, string){
		"name": name, "nome": name, "number": number, "interno": number, "numero": number, "extension": number,
		"queues": queues, "code": queues, "coda": queues, "phone": phone, "telefono": phone,
	}
}

// errRows and errTable are the errors of a list that is no list of people.
var (
	errRows  = errors.New("too many rows")
	errTable = errors.New("not a table with the columns name and number")
)

// readPeople reads a list of people: commas, semicolons or tabs between, the names of the columns in the first
// row, or else name, number, queues and phone in this order.
func readPeople(text string) (all []person, err error) {
	if !utf8.ValidString(text) { // as older spreadsheets write: each byte is a letter of Latin-1
		var b strings.Builder
		for i := range len(text) {
			b.WriteRune(rune(text[i]))
		}
		text = b.String()
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r != '\t' && r != '\r' && r != '\n' && unicode.IsControl(r) }) {
		return nil, errTable // a picture, or a sheet that was not saved as text
	}
	text = strings.TrimPrefix(text, "\ufeff")
	first, _, _ := strings.Cut(text, "\n")
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	for _, comma := range []rune{';', '\t'} {
		if strings.ContainsRune(first, comma) {
			r.Comma = comma
		}
	}
	known := columns()
	order := []func(*person, string){known["name"], known["number"], known["queues"], known["phone"]}
	for row := 1; ; row++ {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, errTable
		}
		if row == 1 && known[strings.ToLower(strings.TrimSpace(cells[0]))] != nil {
			order = nil
			for _, c := range cells {
				order = append(order, known[strings.ToLower(strings.TrimSpace(c))])
			}
			continue
		}
		if len(all) >= mostRows {
			return nil, errRows
		}
		p := person{row: row}
		for i, c := range cells {
			if i < len(order) && order[i] != nil {
				order[i](&p, plainCell(c))
			}
		}
		if p != (person{row: row}) {
			all = append(all, p)
		}
	}
}

// plainCell undoes safeCell.
func plainCell(c string) string {
	c = strings.TrimSpace(c)
	if rest, ok := strings.CutPrefix(c, "'"); ok && rest != "" && strings.ContainsRune("=+-@\t\r", rune(rest[0])) {
		return rest
	}
	return c
}

// safeCell keeps a cell from being taken for a formula by a spreadsheet.
func safeCell(c string) string {
	if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
		return "'" + c
	}
	return c
}

// writePeople is the list of people as a table that readPeople reads.
func writePeople(c *config.Config) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	row := func(cells ...string) {
		for i := range cells {
			cells[i] = safeCell(cells[i])
		}
		_ = w.Write(cells) // a buffer takes everything
	}
	row("name", "number", "queues", "phone")
	for _, a := range c.Agents {
		var queues []string
		for _, q := range c.Queues {
			if slices.Contains(q.Agents, a.ID) {
				queues = append(queues, string(q.ID))
			}
		}
		phone := "no"
		if len(a.Phones) > 0 {
			phone = "yes"
		}
		row(a.Name, string(a.Extension), strings.Join(queues, "|"), phone)
	}
	w.Flush()
	return b.Bytes()
}

func (s *server) exportPeople(w http.ResponseWriter, _ *visit) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="people.csv"`)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(writePeople(s.Settings.Current()))
}

func (s *server) importForm(w http.ResponseWriter, v *visit) {
	s.importPage(w, v, http.StatusOK, page.Import{})
}

func (s *server) importPage(w http.ResponseWriter, v *visit, status int, i page.Import) {
	i.Reader, i.Box = s.reader(v), s.Name()
	html, err := s.pages[v.lang].Import(i, time.Now())
	s.show(w, status, html, err)
}

// importPeople takes a list of people into the visitor's draft, all or nobody.
func (s *server) importPeople(w http.ResponseWriter, v *visit) {
	v.Body = http.MaxBytesReader(w, v.Body, fileLimit)
	if err := v.ParseMultipartForm(fileLimit); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		s.importPage(w, v, http.StatusBadRequest, page.Import{Said: s.sentence("import.large")})
		return
	}
	text := v.FormValue("text")
	if f, _, err := v.FormFile("file"); err == nil {
		file, err := io.ReadAll(f)
		_ = f.Close()
		if err == nil && len(bytes.TrimSpace(file)) > 0 {
			text = string(file)
		}
	}
	rows, err := readPeople(text)
	switch {
	case errors.Is(err, errRows):
		s.importPage(w, v, http.StatusUnprocessableEntity, page.Import{Said: s.sentence("import.rows"), Text: text})
		return
	case err != nil || len(rows) == 0:
		s.importPage(w, v, http.StatusUnprocessableEntity, page.Import{Said: s.sentence("import.table"), Text: text})
		return
	}
	c := s.drafted(v)
	st, mistakes := s.takeIn(&c, rows)
	if len(mistakes) > 0 {
		s.importPage(w, v, http.StatusUnprocessableEntity, page.Import{Said: s.sentence("import.wrong"), Text: text, Mistakes: mistakes})
		return
	}
	if problems, err := s.propose(v, st); err != nil || len(problems) > 0 {
		said := s.sentence("import.wrong")
		if len(problems) > 0 {
			said.Detail = problems.Error()
		}
		s.importPage(w, v, http.StatusConflict, page.Import{Said: said, Text: text})
		return
	}
	redirect(w, v, "/changes")
}

// takeIn makes one step of all rows, and finds what is wrong in each. It adds them to c, so that each row is
// judged beside those before it.
func (s *server) takeIn(c *config.Config, rows []person) (all step, mistakes []page.RowMistake) {
	var steps []func(*config.Config) error
	var agents []person // that were added to c
	taken := takenNumbers(c)
	for _, p := range rows {
		wrong := func(column, value, code string) {
			mistakes = append(mistakes, page.RowMistake{Row: p.row, Column: column, Value: value, Says: page.Said{Sentence: "problem." + code}})
		}
		x := newPerson(c)
		x.Name = p.name
		if p.number != "" {
			x.Extension = tel.Number(p.number)
		}
		before := len(mistakes)
		if p.name == "" {
			wrong("name", p.name, "missing")
		}
		if taken[x.Extension] {
			wrong("number", p.number, "duplicate")
		}
		st := starting{phone: true}
		switch strings.ToLower(p.phone) {
		case "", "yes", "si", "sì", "y", "s", "1":
		case "no", "n", "0":
			st.phone = false
		default:
			wrong("phone", p.phone, "choice")
		}
		for _, name := range strings.FieldsFunc(p.queues, func(r rune) bool { return r == '|' || r == ';' || r == ',' }) {
			name = strings.TrimSpace(name)
			i := slices.IndexFunc(c.Queues, func(q config.Queue) bool { return string(q.ID) == name || strings.EqualFold(q.Name, name) })
			if i < 0 {
				wrong("queues", name, "unknown")
				continue
			}
			st.queues = append(st.queues, c.Queues[i].ID)
		}
		if len(mistakes) > before {
			continue
		}
		taken[x.Extension] = true
		do, secrets := st.add(c, &x)
		if err := do(c); err != nil {
			wrong("name", p.name, "duplicate")
			continue
		}
		steps, all.secrets = append(steps, do), append(all.secrets, secrets...)
		agents = append(agents, p)
	}
	// What a row does to numbers of queues and groups, only the whole configuration can tell.
	first := len(c.Agents) - len(agents)
	for _, problem := range c.Check() {
		at, column := -1, ""
		if m := changePath.FindStringSubmatch(problem.Path); m != nil && m[1] == "agents" {
			if n, err := strconv.Atoi(m[2]); err == nil && n >= first {
				at, column = n-first, m[3]
			}
		}
		said := s.problemAt(problem)
		switch {
		case at < 0:
			mistakes = append(mistakes, page.RowMistake{Column: problem.Path, Says: said})
		case column == "extension":
			mistakes = append(mistakes, page.RowMistake{Row: agents[at].row, Column: "number", Value: agents[at].number, Says: said})
		default:
			mistakes = append(mistakes, page.RowMistake{Row: agents[at].row, Column: column, Value: agents[at].name, Says: said})
		}
	}
	all.do = func(c *config.Config) error {
		for _, do := range steps {
			if err := do(c); err != nil {
				return err
			}
		}
		return nil
	}
	return all, mistakes
}
