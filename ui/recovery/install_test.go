package recovery

import (
	"bytes"
	"errors"
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/ui/page"
)

var update = flag.Bool("update", false, "write the golden pages anew")

// Install implements Box.
func (b *twin) Install(from string) error {
	b.did = append(b.did, "install "+from)
	return b.failed
}

func TestTheSystemIsInstalledByWhoHasTheCodeAndByNobodyElse(t *testing.T) {
	v := visit(t)
	if w := v.do(http.MethodPost, "/install", url.Values{"from": {"1.0.0.update"}}); w.Code != http.StatusForbidden || len(v.box.did) > 0 {
		t.Errorf("a stranger: %d, did %q", w.Code, v.box.did)
	}
	v.enter(v.code.String())
	if w := v.do(http.MethodPost, "/install", url.Values{"from": {"1.0.0.update"}}, "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden || len(v.box.did) > 0 {
		t.Errorf("another page: %d, did %q", w.Code, v.box.did)
	}
	if w := v.do(http.MethodPost, "/install?lang=en", url.Values{"from": {"1.0.0.update"}}); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/?lang=en" {
		t.Errorf("from the stick: %d %v", w.Code, w.Header())
	}
	if w := v.do(http.MethodPost, "/install", nil); w.Code != http.StatusSeeOther {
		t.Errorf("from the server: %d", w.Code)
	}
	v.box.failed = errors.New("the stick was pulled out")
	if w := v.do(http.MethodPost, "/install?lang=en", url.Values{"from": {"x"}}); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "was not begun") || !strings.Contains(w.Body.String(), "the stick was pulled out") {
		t.Errorf("in vain: %d %s", w.Code, w.Body)
	}
	if want := []string{"install 1.0.0.update", "install ", "install x"}; !slices.Equal(v.box.did, want) {
		t.Errorf("did %q, want %q", v.box.did, want)
	}
}

// Progress is drawn without scripts: the page asks for itself, and does not once there is nothing to see.
func TestThePageFollowsTheInstallationAndThenStandsStill(t *testing.T) {
	v := visit(t)
	v.enter(v.code.String())
	for phase, follows := range map[string]bool{"": false, "looking": true, "writing": true, "checking": true, "done": true} {
		v.box.facts.System = page.Reinstall{Vendor: "https://updates.example.org", Phase: phase, Version: "1.2.0"}
		if got := v.do(http.MethodGet, "/", nil).Header().Get("Refresh"); (got != "") != follows {
			t.Errorf("%q: Refresh %q", phase, got)
		}
	}
	v.cookie = nil
	if w := v.do(http.MethodGet, "/", nil); w.Header().Get("Refresh") != "" || strings.Contains(w.Body.String(), "1.2.0") {
		t.Error("a stranger follows it")
	}
}

// faces are what a person has looked at of the part of the page that installs, in both languages.
func faces() map[string]page.Reinstall {
	const vendor = "https://updates.example.org/pronto"
	wrong := func(sentence string, reasons ...page.UpdateRefusal) page.Reinstall {
		return page.Reinstall{Vendor: vendor, Bundles: []string{"1.2.0.update"}, Wrong: page.Said{Sentence: "recovery.install." + sentence, Args: []any{"1.2.0"}, Detail: "words for the log"}, Refused: reasons}
	}
	return map[string]page.Reinstall{
		"no-vendor": {},
		"no-stick":  {Vendor: vendor},
		"stick":     {Vendor: vendor, Bundles: []string{"1.1.0.update", "1.2.0.update"}, Before: "1.1.0", BeforeAt: time.Unix(1e9, 0).UTC()},
		"looking":   {Vendor: vendor, Phase: "looking"},
		"writing":   {Vendor: vendor, Phase: "writing", Version: "1.2.0", At: 30 << 20, Of: 50 << 20, From: "1.2.0.update"},
		"checking":  {Vendor: vendor, Phase: "checking", Version: "1.2.0", Of: 50 << 20},
		"done":      {Vendor: vendor, Phase: "done", Version: "1.2.0", At: 9, Of: 9},
		"trial":     {Vendor: vendor, Phase: "done", Version: "1.2.0", At: 9, Of: 9, Trial: true},
		"refused":   wrong("refused", page.UpdateRefusal{Code: "model"}, page.UpdateRefusal{Code: "epoch", Detail: "box: 2, release: 1"}, page.UpdateRefusal{Code: "from"}),
		"untrusted": wrong("untrusted"), "expired": wrong("expired"), "older": wrong("older"), "none": wrong("none"), "bundle": wrong("bundle"), "damaged": wrong("damaged"),
		"network": wrong("network"), "card": wrong("card"), "large": wrong("large"), "system": wrong("system"),
	}
}

func TestThePagesOfTheInstallationAreThoseThatWereReviewed(t *testing.T) {
	for name, face := range faces() {
		for _, lang := range []string{"it", "en"} {
			v := visit(t)
			v.enter(v.code.String())
			v.box.facts.System = face
			body := v.do(http.MethodGet, "/?lang="+lang, nil).Body.Bytes()
			from, to := bytes.Index(body, []byte("<main")), bytes.Index(body, []byte(`<form class="card" method="post" action="/copy`))
			if from < 0 || to < from {
				t.Fatalf("%s, %s: %s", name, lang, body)
			}
			at, got := filepath.Join("testdata", lang+"-install-"+name+".html"), body[from:to]
			if *update {
				if err := os.WriteFile(at, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(at)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s changed; look at it and run with -update\n%s", at, got)
			}
			said := bytes.Contains(got, []byte("recovery.install."))
			if wants := face.Wrong.Sentence != ""; said != wants || wants && !bytes.Contains(got, []byte(face.Wrong.Sentence)) {
				t.Errorf("%s: a failure is named: %v", at, said)
			}
		}
	}
}
