package appliance

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/page"
)

func TestThePageListsEveryCodeInWords(t *testing.T) {
	b := start(t, shop)
	pages, err := page.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range i18n.Languages() {
		html, err := pages[lang].Codes("Bottega", b.box.codes(), page.Reader{}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range dialplan.Codes() {
			if !cat.Has(c.Key()) {
				t.Errorf("%s has no words for %s", lang, c.Key())
			}
			if behind := string(c.Behind()); behind != "" && !cat.Has("behind."+behind) {
				t.Errorf("%s has no word for what follows %s", lang, c.Code)
			}
			if !strings.Contains(string(html), ">"+string(c.Code)+"<") {
				t.Errorf("the %s page lacks %s", lang, c.Code)
			}
		}
	}
}
