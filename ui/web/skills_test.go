package web

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// skilled is an office whose people can things.
func skilled(t *testing.T) *site {
	t.Helper()
	s := office(t)
	_, no, err := s.settings.Port().Apply(t.Context(), func(c *config.Config) {
		c.Agents[0].Skills = map[string]int{"english": 7}
		c.Agents[1].Skills = map[string]int{"english": 3, "<b>tedesco": 10}
		c.Queues[0].Distribution.Grades = map[tel.AgentID]config.Grade{"bruno": {Level: 1, Weight: 3}}
	}, settings.By{}, "")
	if err != nil || no.Sentence != "" {
		t.Fatal(no, err)
	}
	return s
}

func TestSkillsAndLevelsAreEditedWhereTheQueueIs(t *testing.T) {
	s := skilled(t)
	if _, body := s.get("/queues/sales?lang=en"); !strings.Contains(body, `href="/queues/sales/skills?lang=en"`) {
		t.Error("no way from the queue")
	}
	_, body := s.get("/queues/sales/skills?lang=en")
	for _, want := range []string{`name="skill:anna:english" value="7"`, `name="skill:bruno:english" value="3"`, `name="level:bruno" value="1"`, `name="need:english" value=""`, "&lt;b&gt;tedesco"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
	status, to := s.post("/queues/sales/skills", url.Values{
		"skill:anna:english": {"9"}, "was-skill:anna:english": {"7"}, "skill:bruno:english": {""}, "was-skill:bruno:english": {"3"},
		"level:anna": {"2"}, "was-level:anna": {""}, "level:bruno": {"0"}, "was-level:bruno": {"1"}, "need:english": {"5"}, "was-need:english": {""},
		"skill:bruno:<b>tedesco": {"10"}, "was-skill:bruno:<b>tedesco": {"10"}, // nobody touched it
		"new": {"vendita"}, "skill:anna+": {"4"}, "was-skill:anna+": {""}, "skill:bruno+": {""}, "was-skill:bruno+": {""},
	})
	if status != http.StatusSeeOther || to != "/changes" {
		t.Fatalf("%d %s", status, to)
	}
	s.post("/changes/apply", nil)
	c := s.settings.Port().Current()
	q, _ := c.QueueOf("sales")
	if a, b := c.Agents[0].Skills, c.Agents[1].Skills; !maps.Equal(a, map[string]int{"english": 9, "vendita": 4}) || !maps.Equal(b, map[string]int{"<b>tedesco": 10}) {
		t.Errorf("skills %v, %v", a, b)
	}
	if d := q.Distribution; !maps.Equal(d.Needs, map[string]int{"english": 5}) || !maps.Equal(d.Grades, map[tel.AgentID]config.Grade{"anna": {Level: 2, Weight: 1}, "bruno": {Weight: 3}}) {
		t.Errorf("callers need %v, levels %v", d.Needs, d.Grades)
	}
}

// Two people change different figures of one table at once; neither overwrites the other.
func TestAFigureThatNobodyTouchedStays(t *testing.T) {
	s := skilled(t)
	s.post("/queues/sales/skills", url.Values{"skill:anna:english": {"8"}, "was-skill:anna:english": {"7"}})
	s.post("/changes/apply", nil)
	s.post("/queues/sales/skills", url.Values{"skill:anna:english": {"7"}, "was-skill:anna:english": {"7"}, "skill:bruno:english": {"4"}, "was-skill:bruno:english": {"3"}})
	s.post("/changes/apply", nil)
	if c := s.settings.Port().Current(); c.Agents[0].Skills["english"] != 8 || c.Agents[1].Skills["english"] != 4 {
		t.Errorf("%v %v", c.Agents[0].Skills, c.Agents[1].Skills)
	}
}

func TestAWrongFigureSaysSoAndNothingIsKept(t *testing.T) {
	s := skilled(t)
	for name, c := range map[string]struct {
		form  url.Values
		words string
	}{
		"letters":                   {url.Values{"skill:anna:english": {"many"}}, "problem.figure"},
		"too much of a skill":       {url.Values{"skill:anna:english": {"11"}}, "problem.range"},
		"less than nothing":         {url.Values{"level:anna": {"-1"}}, "problem.range"},
		"too high a level":          {url.Values{"level:anna": {"100"}}, "problem.range"},
		"a number without end":      {url.Values{"need:english": {strings.Repeat("9", 400)}}, "problem.figure"},
		"markup":                    {url.Values{"need:english": {hostile}}, "problem.figure"},
		"a new skill without name":  {url.Values{"skill:anna+": {"3"}}, "problem.missing"},
		"a name that is too long":   {url.Values{"new": {strings.Repeat("x", 41)}, "skill:anna+": {"3"}}, "problem.id"},
		"what nobody here can":      {url.Values{"need:english": {"9"}}, "problem.nobody"},
		"one right and one wrong":   {url.Values{"skill:anna:english": {"8"}, "level:anna": {"x"}}, "problem.figure"},
		"a new skill that is wrong": {url.Values{"new": {"vendita"}, "skill:anna+": {"x"}}, "problem.figure"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := s.post("/queues/sales/skills?lang=en", c.form)
			if status != http.StatusUnprocessableEntity || !strings.Contains(body, c.words) || strings.Contains(body, "<script>alert") {
				t.Errorf("%d, or without %s", status, c.words)
			}
			if _, body := s.get("/changes?lang=en"); !strings.Contains(body, "No change waits") {
				t.Error("something was kept")
			}
		})
	}
	for _, path := range []string{"/queues/none/skills", "/queues/" + url.PathEscape(hostile) + "/skills"} {
		if status, _ := s.get(path); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
		if status, _ := s.post(path, nil); status != http.StatusNotFound {
			t.Errorf("posted to %s: %d", path, status)
		}
	}
}

func TestThePageOfSkillsLooksAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		s := skilled(t)
		_, body := s.get("/queues/sales/skills?lang=" + lang)
		look(t, lang, "skills", body)
		_, body = s.post("/queues/sales/skills?lang="+lang, url.Values{"skill:anna:english": {"many"}, "new": {hostile}})
		look(t, lang, "skills-wrong", body)
	}
}
