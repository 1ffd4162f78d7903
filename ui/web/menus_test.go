package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	stdhtml "html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// apply puts a configuration in force without a form.
func (s *site) apply(change func(*config.Config)) {
	s.t.Helper()
	if _, no, err := s.settings.Port().Apply(s.t.Context(), change, settings.By{}, ""); err != nil || no.Sentence != "" {
		s.t.Fatal(no, err)
	}
}

func TestAMenuIsMadeReviewedAppliedAndUndone(t *testing.T) {
	s := office(t)
	form := url.Values{
		"name": {"Sera"}, "greeting": {"closed", "prompt:ferie"}, "greeting-place-prompt:ferie": {"1"}, "greeting-place-closed": {"2"}, "was-greeting": {"greeting"},
		"key-1": {"menu:main"}, "key-star": {"language:en"}, "key-hash": {""}, "key-hash-outside": {"333 123 4567"}, "dial": {"on"}, "wait": {"7"}, "was-wait": {"5"},
	}
	if status, to := s.post("/menus", form); status != http.StatusSeeOther || to != "/changes" {
		t.Fatalf("%d %s", status, to)
	}
	s.post("/menus/sera", url.Values{"key-1": {""}, "was-key-1": {"menu:main"}, "key-2": {"say:ferie"}, "was-key-2": {""}})
	s.post("/changes/apply", nil)
	m := s.settings.Port().Current().Menus[1]
	if got := fmt.Sprint(m.ID, m.Greeting, m.Keys, m.Dial, m.Wait, m.Timeouts); got != "sera[prompt:ferie closed] map[#:outside:3331234567 *:language:en 2:say:ferie] true 7s 3" {
		t.Error(got)
	}
	_, body := s.post("/changes/undo", url.Values{"version": {"2"}})
	if len(s.settings.Port().Current().Menus) != 1 {
		t.Errorf("it is still there: %s", body)
	}
}

// A field that was not touched shows what it was, whatever the others became.
func TestAMenuThatIsWrongShowsWhatWasTypedAndWhatItWas(t *testing.T) {
	s := office(t)
	status, body := s.post("/menus/main?lang=en", url.Values{"key-1": {"ext:999"}, "was-key-1": {"queue:sales"}, "invalid": {"99"}, "was-invalid": {"3"}})
	if status != http.StatusUnprocessableEntity {
		t.Fatal(status)
	}
	for _, want := range []string{`id="f-key-1-w"`, `id="f-invalid-w"`, `name="was-key-1" value="queue:sales"`, `<option value="ext:999" selected>`, `value="99"`} {
		if !strings.Contains(body, want) {
			t.Errorf("without %s", want)
		}
	}
	if strings.Contains(body, `id="f-key-9-w"`) {
		t.Error("a key is wrong that was not touched")
	}
}

func TestThePictureOfAMenuSaysWhereItLeads(t *testing.T) {
	s := office(t)
	s.voice.Put("ferie", "siamo chiusi")
	s.apply(func(c *config.Config) {
		c.Trunks[0].In = map[tel.Number]string{"+390612345678": "hours:office", "*": "queue:sales"}
		c.Hours[0].Then = "menu:main"
		c.Menus[0].Keys = map[string]string{"1": "queue:sales", "2": "menu:second", "3": "say:closed", "4": "say:ferie", "0": "ext:201"}
		c.Menus = append(c.Menus,
			config.Menu{ID: "second", Name: "Secondo", Greeting: []string{"greeting"}, Keys: map[string]string{"*": "menu:main", "1": "outside:3331234567"}, Dial: true},
			config.Menu{ID: "lonely", Name: "Solo", Greeting: []string{"greeting"}, Keys: map[string]string{"1": "queue:sales"}},
			config.Menu{ID: "round", Name: "Giro", Greeting: []string{"greeting"}, Keys: map[string]string{"1": "menu:round", "2": "repeat"}})
	})
	_, body := s.get("/menus?lang=en")
	cards := strings.Split(body, `<li class="card`)[1:]
	if len(cards) != 4 {
		t.Fatalf("%d menus", len(cards))
	}
	text := func(html string) string {
		return strings.Join(strings.Fields(stdhtml.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(html, " "))), " ")
	}
	for i, want := range [][]string{
		{"+390612345678 (TIM)", "1 Queue Vendite", "2 Menu Secondo 1 a number outside 3331234567 * Menu Menu principale (back up) an extension who has the number no key hang up wrong keys hang up", "3 Say that we are closed", "4 Say: Chiusura estiva", "0 Extension Anna 201", "no key Queue Vendite"},
		{"+390612345678 (TIM)", "* Menu Menu principale 1 Queue Vendite 2 Menu Secondo (back up)"},
		{"No number leads here.", "1 Queue Vendite"},
		{"From here callers reach nobody", "1 Menu Giro (back up)", "2 say it again"},
	} {
		for _, w := range want {
			if got := text(cards[i]); !strings.Contains(got, w) {
				t.Errorf("menu %d: no %q in %q", i, w, got)
			}
		}
	}
	if _, body := s.get("/menus/second?lang=en"); !strings.Contains(body, `class="tree"`) {
		t.Error("the form has no picture")
	}
}

// Menus that all lead to one another: the picture ends.
func TestThePictureOfManyMenusHasAnEnd(t *testing.T) {
	s := office(t)
	s.apply(func(c *config.Config) {
		for i := range 12 {
			m := config.Menu{ID: fmt.Sprint("m", i), Greeting: []string{"greeting"}, Keys: map[string]string{}}
			for k, key := range config.MenuKeys() {
				m.Keys[key] = fmt.Sprint("menu:m", k)
			}
			c.Menus = append(c.Menus, m)
		}
	})
	_, body := s.get("/menus/m0")
	if n := strings.Count(body, "<kbd>"); n < 12 || n > mostBranches {
		t.Errorf("%d branches", n)
	}
}

func TestAMenuOfALargeOfficeIsLight(t *testing.T) {
	s := office(t)
	s.apply(func(c *config.Config) {
		for i := range 500 {
			c.Agents = append(c.Agents, config.Agent{ID: tel.AgentID(fmt.Sprint("person-", i)), Name: fmt.Sprint("Persona Numero ", i), Extension: tel.Number(fmt.Sprint(2000 + i)), Dial: []string{"internal"}})
		}
	})
	for _, path := range []string{"/menus", "/menus/new", "/menus/main", "/messages", "/messages/sentence/greeting", "/messages/own/ferie"} {
		_, body := s.get(path)
		var wire bytes.Buffer
		z := gzip.NewWriter(&wire)
		_, _ = z.Write([]byte(body))
		_ = z.Close()
		if wire.Len() > 23<<10 { // with style, icon and script 30 kB
			t.Errorf("%s is %d bytes gzipped", path, wire.Len())
		}
	}
	if _, body := s.get("/menus/main"); !strings.Contains(body, `<option value="ext:201" selected>`) {
		t.Error("a person who is chosen is lost")
	}
}

func TestHostileNamesOfMenusAndMessagesStayText(t *testing.T) {
	s := office(t)
	s.post("/menus/main", url.Values{"name": {"M" + hostile}})
	s.post("/messages/name/ferie", url.Values{"name": {"F" + hostile}})
	s.post("/menus", url.Values{"name": {"N" + hostile}, "key-1": {"menu:main"}, "key-2": {"say:ferie"}, "greeting": {"prompt:ferie"}})
	for _, path := range []string{"/menus", "/menus/main", "/menus/new", "/messages", "/messages/own/ferie", "/messages/name/ferie", "/queues/sales", "/hours/office", "/changes"} {
		status, body := s.get(path)
		if status != http.StatusOK || strings.Contains(body, "<script>alert") || strings.Contains(body, `"'&"`) {
			t.Errorf("%s: %d, or a name became markup", path, status)
		}
		if !strings.Contains(body, "M&lt;script&gt;") && !strings.Contains(body, "F&lt;script&gt;") {
			t.Errorf("%s does not show the name", path)
		}
	}
}
