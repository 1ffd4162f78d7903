package appliance

import (
	"slices"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/media/prompt"
)

// What the configuration takes for a sentence has a sound in every language, and every sound can be named in it.
func TestTheSentencesOfTheConfigurationAreThoseOfTheLibrary(t *testing.T) {
	var want []string
	for _, g := range config.Sentences() {
		want = append(want, g.Names...)
	}
	slices.Sort(want)
	library, err := prompt.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range library.Languages() {
		got := library.Names(lang)
		for _, name := range want {
			if !slices.Contains(got, name) {
				t.Errorf("%s: there is no sound for %s", lang, name)
			}
		}
		for _, name := range got {
			if !slices.Contains(want, name) {
				t.Errorf("%s: the configuration does not know %s", lang, name)
			}
		}
	}
}
