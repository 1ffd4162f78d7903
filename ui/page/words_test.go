package page

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/ui/i18n"
)

var (
	action   = regexp.MustCompile(`\{\{[^}]*\}\}`)
	tag      = regexp.MustCompile(`<[^>]*>`)
	letters  = regexp.MustCompile(`\p{L}+`)
	spoken   = regexp.MustCompile(`(?:aria-label|title|placeholder|alt)="([^"]*)"`)
	sentence = regexp.MustCompile(`[({ ](t|n) "([^"%]+)"`)
)

// Every word that a reader can see or hear comes out of the catalogues: a template has none of its own but a
// unit, and what it asks of them is there in both languages.
func TestTemplatesHaveNoWordsOfTheirOwn(t *testing.T) {
	var cats []*i18n.Catalogue
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		cats = append(cats, cat)
	}
	names, err := fs.Glob(files, "*.html")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	asked := 0
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sentence.FindAllStringSubmatch(string(text), -1) {
			for _, cat := range cats {
				keys := []string{s[2]}
				if s[1] == "n" {
					keys = []string{s[2] + ".zero", s[2] + ".one", s[2] + ".other"}
				}
				for _, key := range keys {
					if asked++; !cat.Has(key) {
						t.Errorf("%s: the %s catalogue lacks %q", name, cat.Lang, key)
					}
				}
			}
		}
		bare := action.ReplaceAllString(string(text), "")
		for _, s := range spoken.FindAllStringSubmatch(bare, -1) {
			if letters.MatchString(s[1]) {
				t.Errorf("%s speaks for itself: %s", name, s[0])
			}
		}
		if own := letters.FindAllString(strings.ReplaceAll(tag.ReplaceAllString(bare, ""), "dBm", ""), -1); len(own) > 0 {
			t.Errorf("%s has words of its own: %q", name, own)
		}
	}
	if asked < 200 {
		t.Errorf("only %d sentences were found: the test would prove nothing", asked)
	}
}

// No sentence of the catalogue is empty, or longer than what a person reads at a glance.
func TestSentencesAreShort(t *testing.T) {
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range cat.Keys() {
			if n := len([]rune(cat.T(k))); n == 0 || n > 260 {
				t.Errorf("%s: %s has %d letters", lang, k, n)
			}
		}
	}
}
