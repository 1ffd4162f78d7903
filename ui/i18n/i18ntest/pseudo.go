// Package i18ntest makes a language that nobody speaks, in which a page shows whether it has room for others.
package i18ntest

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pronto-pbx/pronto/ui/i18n"
)

// word is a run of letters, or a placeholder, which stays.
var word = regexp.MustCompile(`\{\d+\}|\p{L}+`)

var accented = strings.NewReplacer("a", "á", "e", "ê", "i", "ï", "o", "ö", "u", "ů", "A", "Å", "E", "É", "I", "Î", "O", "Ø", "U", "Ú")

// Pseudo is a catalogue whose sentences say what those of c do, each word at least two fifths longer (German is so
// against English), with accents above and below, and each sentence between brackets: one without its end was cut.
// It goes by the name of c, so that a page that asks for c's language can be given it.
func Pseudo(c *i18n.Catalogue) *i18n.Catalogue {
	texts := map[string]string{}
	for _, key := range c.Keys() {
		texts[key] = "[" + word.ReplaceAllStringFunc(c.T(key), stretch) + "]"
	}
	return i18n.New(c.Lang, texts)
}

// stretch doubles the vowels of a word, then its last letter, until it is two fifths longer.
func stretch(w string) string {
	if w[0] == '{' {
		return w
	}
	more := (utf8.RuneCountInString(w)*2 + 4) / 5
	var b strings.Builder
	var last rune
	for _, r := range w {
		b.WriteRune(r)
		if last = r; more > 0 && strings.ContainsRune("aeiouAEIOU", r) {
			b.WriteRune(unicode.ToLower(r))
			more--
		}
	}
	return accented.Replace(b.String()) + strings.Repeat(string(last), more)
}
