package uitest

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/i18n/i18ntest"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
	"github.com/pronto-pbx/pronto/ui/setup"
	"github.com/pronto-pbx/pronto/ui/web"
)

// sight is a page in one of its states.
type sight struct {
	path  string // without the leading slash
	state string // empty: as it is first seen
	do    string // what brings it into the state
	until string // what tells that it is there
}

func (s sight) name() string {
	name := strings.Trim(strings.NewReplacer("/", "-", "?", "-", "=", "-", ":", "").Replace(s.path), "-")
	if name == "" {
		name = "home"
	}
	if s.state != "" {
		name += "-" + s.state
	}
	return name
}

// sights are all pages of the table of routes, found by asking the office itself, and those states of pages that
// only a deed brings about.
func sights(t *testing.T, o *office) (all []sight) {
	t.Helper()
	strange := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer strange.CloseIdleConnections()
	for _, r := range web.Routes() {
		method, path := settingstest.Path(r.Pattern)
		if method != http.MethodGet || strings.HasSuffix(path, "/live") { // which has no end
			continue
		}
		if strings.Contains(path, "{") {
			t.Errorf("settingstest.Path knows no example of %s: the page is not judged", r.Pattern)
			continue
		}
		res, err := strange.Get(o.url(strings.TrimPrefix(path, "/")))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		switch html := strings.HasPrefix(res.Header.Get("Content-Type"), "text/html"); {
		case path == "/claim" || path == "/signin" || path == "/restore": // of those who are not signed in; the last over HTTPS
		case path == "/setup" || path == "/lines/new/carrier": // lead on to another
		case strings.HasPrefix(path, "/backup/copy/"): // a file, over HTTPS only
		case strings.HasPrefix(path, "/lines/gateway/"): // a text to keep, of a gateway only
		case res.StatusCode != http.StatusOK && path != "/nothing":
			t.Errorf("%s answers %d: the page is not judged", path, res.StatusCode)
		case html:
			all = append(all, sight{path: strings.TrimPrefix(path, "/")})
		}
	}
	if len(all) < 28 {
		t.Fatalf("only %d pages", len(all))
	}
	for n := range len(setup.Steps()) {
		step := sight{path: fmt.Sprintf("setup/%d", n+1)}
		if !slices.Contains(all, step) {
			all = append(all, step)
		}
	}
	const ring = `document.getElementById("f-ring").value = `
	return append(all,
		sight{"queues/sales", "wrong", ring + `"3"; document.querySelector("button.do").click()`, `document.getElementById("f-ring-w")`},
		sight{"queues/sales", "changed", ring + `"25"; document.querySelector("button.do").click()`, `location.pathname === "/changes" && document.querySelector("ins")`},
		sight{path: "lamps/wiring?kind=rgb"}, sight{path: "lamps/wiring?kind=74hc595"}, sight{path: "lamps/wiring?kind=apa102"},
		sight{"queues", "draft", "", `document.querySelector(".tray a")`},
		sight{"changes", "applied", `document.querySelector("button.do").click()`, `document.querySelector(".good")`})
}

// show brings a page to a sight, as a person would, in one language.
func (s sight) show(t *testing.T, p *Page, lang string) {
	t.Helper()
	to := "/" + s.path + "?lang=" + lang
	if strings.Contains(s.path, "?") {
		to = "/" + s.path + "&lang=" + lang
	}
	p.Eval(t, `window.gone = true; location.href = "`+to+`"`, nil)
	p.Wait(t, `!window.gone && location.pathname + location.search === "`+to+`" && document.readyState === "complete" && document.querySelector("h1")`)
	if s.do != "" {
		p.Eval(t, s.do, nil)
	}
	if s.until != "" {
		p.Wait(t, s.until+` && document.readyState === "complete"`)
	}
}

// axe is the script of axe-core; where it cannot be had the judgement is left out, which with CI=true is a failure.
func axe(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("../../.ci/fetch-axe").Output()
	if err == nil {
		var script []byte
		if script, err = os.ReadFile(strings.TrimSpace(string(out))); err == nil {
			return string(script)
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("axe-core: %v", err)
	}
	t.Logf("axe-core is not here (%v): accessibility is not judged by it", err)
	return ""
}

// pseudo is Italian in words two fifths longer, which takes the place of Italian.
const pseudo = "pseudo"

// longWords are the pages in the pseudo language, under the name of Italian.
func longWords(t *testing.T) map[string]*page.Renderer {
	t.Helper()
	it, err := i18n.Load("it")
	if err != nil {
		t.Fatal(err)
	}
	all := words(t)
	if all["it"], err = page.New(i18ntest.Pseudo(it)); err != nil {
		t.Fatal(err)
	}
	return all
}

// Every page of the routes, in both languages and themes, at the widths of a phone, a tablet and a large screen, and
// in a language whose words are two fifths longer: nothing is cut, nothing lies upon something else, axe-core finds no fault.
// A page that is added to the routes is judged from then on.
func TestEveryPageSuitsEverybody(t *testing.T) {
	b := Start(t)
	script := axe(t)
	for _, language := range append(i18n.Languages(), pseudo) {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			lang, said := language, words(t)
			if language == pseudo {
				lang, said = "it", longWords(t)
			}
			o := serveIn(t, said, boxAddress(), Busy(time.Now()), signedIn)
			all := sights(t, o)
			p := b.Open(t, o.url("system?lang="+lang), Look{})
			p.do(t, "Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": script})
			for _, s := range all {
				t.Run(s.name(), func(t *testing.T) {
					s.show(t, p, lang)
					if language == pseudo {
						var h1 string
						if p.Eval(t, `document.querySelector("main h1, h1").innerText`, &h1); s.path != "" && !strings.HasPrefix(h1, "[") {
							t.Errorf("%q is not in the longer language: it proves nothing", h1)
						}
						fits(t, p, s, language)
						return
					}
					judge(t, p, s, lang, script != "")
				})
			}
			noFaults(t, p, "404", "422")
		})
	}
	t.Run("the doors", func(t *testing.T) {
		t.Parallel()
		new, owned := serveTo(t, boxAddress(), nil, aNewBox), serveTo(t, boxAddress(), nil, anOwnedBox)
		for _, lang := range i18n.Languages() {
			for path, o := range map[string]*office{"claim": new, "signin": owned} {
				p := b.Open(t, o.url(path+"?lang="+lang), Look{})
				p.do(t, "Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": script})
				s := sight{path: path}
				s.show(t, p, lang)
				judge(t, p, s, lang, script != "")
				byKeyboard(t, p, s)
				wrong := sight{path, "wrong", `for (const e of document.querySelectorAll("main input")) e.value = "x"; document.querySelector("main form").submit()`, `document.querySelector("[role=alert]")`}
				wrong.show(t, p, lang)
				judge(t, p, wrong, lang, script != "")
			}
		}
	})
}

// A judge that finds no fault in a bad page proves nothing of a good one.
func TestTheJudgesFindWhatIsBad(t *testing.T) {
	script := axe(t)
	o := serve(t, boxAddress(), nil)
	p := Start(t).Open(t, o.url("queues/sales?lang=en"), Look{Width: 360, Height: 800})
	p.Eval(t, `(() => {
		document.querySelector("label[for=f-ring]").remove();
		document.querySelector("h1").style = "color: #ddd; white-space: nowrap; width: 2000px";
		document.querySelector(".tongue a").style = "position: absolute; left: 20px; top: 20px";
	})()`, nil)
	for what, script := range map[string]string{"cut": cut, "one upon the other": overlaps} {
		var found []string
		if p.Eval(t, script, &found); len(found) == 0 {
			t.Errorf("%s is not found", what)
		}
	}
	if script == "" {
		return
	}
	p.Eval(t, script+";0", nil)
	var found struct{ Faults []string }
	p.Eval(t, judged, &found)
	if all := strings.Join(found.Faults, "\n"); !strings.Contains(all, "label:") || !strings.Contains(all, "color-contrast:") {
		t.Errorf("axe-core finds only %s", all)
	}
}

// fits finds what is cut or covered, at the widths of a phone, a tablet and a large screen.
func fits(t *testing.T, p *Page, s sight, lang string) {
	t.Helper()
	for _, width := range []int{360, 768, 1920} {
		p.Look(t, Look{Width: width, Height: 900})
		for what, script := range map[string]string{"cut": cut, "one upon the other": overlaps} {
			var found []string
			if p.Eval(t, script, &found); len(found) > 0 {
				t.Errorf("%s %s at %d: %s:\n%s", s.name(), lang, width, what, strings.Join(found, "\n"))
			}
		}
	}
}

// judge looks at the page that is shown in every way.
func judge(t *testing.T, p *Page, s sight, lang string, byAxe bool) {
	t.Helper()
	fits(t, p, s, lang)
	for _, dark := range []bool{false, true} {
		p.Look(t, Look{Dark: dark, Still: true})
		if byAxe {
			var found struct {
				Rules  int
				Faults []string
			}
			if p.Eval(t, judged, &found); len(found.Faults) > 0 || found.Rules < 15 {
				t.Errorf("%s %s, dark %v: axe-core judged by %d rules:\n%s", s.name(), lang, dark, found.Rules, strings.Join(found.Faults, "\n"))
			}
		}
		shoot(t, p, s, lang, dark)
	}
}

// shoot keeps pictures of a page, as a screen and as a phone shows it, where -screens asks for them.
func shoot(t *testing.T, p *Page, s sight, lang string, dark bool) {
	t.Helper()
	if *screens == "" {
		return
	}
	theme := "light"
	if dark {
		theme = "dark"
	}
	for _, width := range []int{1280, 360} {
		p.Look(t, Look{Width: width, Height: 800, Dark: dark, Still: true})
		write(t, filepath.Join(*screens, fmt.Sprintf("%s-%s-%s-%d.png", s.name(), lang, theme, width)), p.Picture(t))
	}
}
