package i18ntest

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/pronto-pbx/pronto/ui/i18n"
)

func letters(s string) (n int) {
	for _, r := range s {
		if unicode.IsLetter(r) {
			n++
		}
	}
	return n
}

func TestEachSentenceIsTwoFifthsLongerAndKeepsItsPlaceholders(t *testing.T) {
	it, err := i18n.Load("it")
	if err != nil {
		t.Fatal(err)
	}
	long := Pseudo(it)
	if len(long.Keys()) != len(it.Keys()) || long.Lang != "it" {
		t.Fatalf("%d sentences of %d, called %q", len(long.Keys()), len(it.Keys()), long.Lang)
	}
	for _, key := range it.Keys() {
		was, is := it.T(key), long.T(key)
		if 5*letters(is) < 7*letters(was) {
			t.Errorf("%s: %q became only %q", key, was, is)
		}
		if !strings.HasPrefix(is, "[") || !strings.HasSuffix(is, "]") {
			t.Errorf("%s: %q does not show its ends", key, is)
		}
		placeholders := func(s string) []string {
			return slices.DeleteFunc(word.FindAllString(s, -1), func(w string) bool { return w[0] != '{' })
		}
		if !slices.Equal(placeholders(was), placeholders(is)) {
			t.Errorf("%s: %q has other placeholders than %q", key, is, was)
		}
	}
	if said := long.T("lang.other"); said == it.T("lang.other") {
		t.Errorf("%q is as it was", said)
	}
}
