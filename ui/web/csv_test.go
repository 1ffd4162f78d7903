package web

import (
	"bytes"
	"encoding/csv"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
)

// upload sends a file as a browser does.
func (s *site) upload(t *testing.T, content string) *httptest.ResponseRecorder {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	f, err := m.CreateFormFile("file", "people.csv")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return s.submit("http://pronto.local/people/import?lang=en", m.FormDataContentType(), &b, access.Owner)
}

func TestAListOfPeopleIsTakenIn(t *testing.T) {
	for name, text := range map[string]string{
		"semicolons and Italian names":  "\ufeffnome;interno;code;telefono\r\nDario;210;Vendite|help;sì\r\nEva;;;no\r\n",
		"commas, another order":         "number,name,phone,queues\n210,Dario,yes,sales|Aiuto\n,Eva,no,\n",
		"tabs, no names of columns":     "Dario\t210\tsales|help\tyes\nEva\t\t\tno\n",
		"spaces in numbers, empty rows": "Dario;2 10;sales, help;1\n;;;\nEva;;;n\n",
	} {
		s := office(t)
		if w := s.upload(t, text); w.Code != http.StatusSeeOther {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
			continue
		}
		if len(s.settings.Port().Current().Agents) != 3 {
			t.Fatalf("%s: somebody is there before it was applied", name)
		}
		s.post("/changes/apply", nil)
		c := s.settings.Port().Current()
		if len(c.Agents) != 5 || len(c.Phones) != 3 {
			t.Errorf("%s: %d people, %d phones", name, len(c.Agents), len(c.Phones))
			continue
		}
		dario, eva := c.Agents[3], c.Agents[4]
		if dario.Extension != "210" || len(dario.Phones) != 1 || eva.Extension != "204" && eva.Extension != "205" || len(eva.Phones) != 0 || len(c.Queues[0].Agents) != 3 || len(c.Queues[1].Agents) != 2 {
			t.Errorf("%s: %+v %+v %v", name, dario, eva, c.Queues)
		}
	}
}

func TestAListWithAMistakeTakesNobodyIn(t *testing.T) {
	many := "name\n" + strings.Repeat("x\n", mostRows+1)
	for name, c := range map[string]struct{ text, says, row string }{
		"a number that somebody has":      {"Dario;210\nEva;201", "problem.duplicate", ">2<"},
		"a number twice in the list":      {"Dario;210\nEva;210", "problem.duplicate", ">2<"},
		"a number of a queue":             {"Dario;400", "problem.duplicate", ">1<"},
		"an emergency number":             {"Dario;112", "problem.emergency", ">1<"},
		"a number of one digit":           {"Dario;7", "problem.number", ">1<"},
		"a number that is none":           {"Dario;boss", "problem.number", ">1<"},
		"a queue that is none":            {"Dario;210;none", "problem.unknown", ">1<"},
		"a phone, perhaps":                {"Dario;210;;perhaps", "problem.choice", ">1<"},
		"nobody":                          {";210", "problem.missing", ">1<"},
		"nothing at all":                  {" \n", "import.table", ""},
		"too many":                        {many, "import.rows", ""},
		"a picture":                       {"\x89PNG\r\n\x1a\n\x00\x00\x00\"\x00,\"", "import.table", ""},
		"a list without end":              {strings.Repeat("x", fileLimit+1), "import.large", ""},
		"a script for a name of a queue":  {"Dario;210;" + hostile, "problem.unknown", ">1<"},
		"a script for a name of a column": {hostile + ";number\nDario;boss", "problem.number", ""},
	} {
		s := office(t)
		w := s.upload(t, c.text)
		if w.Code < 400 || !strings.Contains(w.Body.String(), c.says) || !strings.Contains(w.Body.String(), c.row) || strings.Contains(w.Body.String(), "<script>alert") {
			t.Errorf("%s: %d, without %s in row %s", name, w.Code, c.says, c.row)
		}
		if _, body := s.get("/changes?lang=en"); !strings.Contains(body, "No change waits") {
			t.Errorf("%s: somebody is in the draft", name)
		}
	}
}

func TestALetterOfAnOlderSpreadsheetIsRead(t *testing.T) {
	if all, err := readPeople("nome;interno\nNicol\xf2;210\n"); err != nil || len(all) != 1 || all[0].name != "Nicolò" {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestAListThatIsTakenOutHoldsNoFormulaAndComesInAgain(t *testing.T) {
	s := office(t)
	for i, name := range []string{"=cmd|' /C calc'!A0", "+39", "-1+1", "@SUM(A1)", "\"quoted\", and more", "'already"} {
		number := []string{"310", "311", "312", "313", "314", "315"}[i]
		if status, body := s.post("/people", url.Values{"name": {name}, "extension": {number}, "queues": {"sales"}}); status != http.StatusSeeOther {
			t.Fatal(status, body)
		}
	}
	s.post("/changes/apply", nil)
	w := s.do(ask{method: http.MethodGet, path: "/people.csv", as: access.Owner})
	if w.Header().Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers: %v", w.Header())
	}
	if strings.Contains(w.Body.String(), "a-long-password") {
		t.Error("it tells passwords")
	}
	rows, err := csv.NewReader(bytes.NewReader(w.Body.Bytes())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, cells := range rows {
		for _, c := range cells {
			if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
				t.Errorf("a formula: %q", c)
			}
		}
	}
	var names []string
	for _, a := range s.settings.Port().Current().Agents {
		names = append(names, a.Name)
	}
	again, err := readPeople(w.Body.String())
	if err != nil || len(again) != len(names) {
		t.Fatalf("%d come in again: %v", len(again), err)
	}
	for i, p := range again {
		if p.name != names[i] {
			t.Errorf("%q came in as %q", names[i], p.name)
		}
	}
}

// Whatever is uploaded: nothing panics, every row has a number, and what is taken in makes a configuration
// that holds.
func FuzzAListOfPeople(f *testing.F) {
	for _, s := range []string{"nome;interno\nEva;210", "Eva,210,sales,yes", "a\tb\tc", "\"", "=1+1;112;x;y", "\ufeffname\n\n'=x"} {
		f.Add(s)
	}
	m, err := settingstest.New(settingstest.Office)
	if err != nil {
		f.Fatal(err)
	}
	s := &server{}
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := readPeople(text)
		if err != nil {
			return
		}
		c := m.Port().Current().Clone()
		st, mistakes := s.takeIn(&c, rows)
		for _, r := range rows {
			if r.row < 1 {
				t.Fatalf("a row without a number: %+v", r)
			}
		}
		if len(mistakes) > 0 {
			return
		}
		fresh := m.Port().Current().Clone()
		if err := st.do(&fresh); err != nil {
			t.Fatal(err)
		}
		if p := fresh.Check(); len(p) > 0 {
			t.Fatalf("taken in without a word: %v", p)
		}
		if _, err := readPeople(string(writePeople(&fresh))); err != nil {
			t.Fatalf("taken out and not in again: %v", err)
		}
		text2, err := fresh.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.Parse(text2); err != nil {
			t.Fatalf("the file cannot be read again: %v", err)
		}
	})
}
