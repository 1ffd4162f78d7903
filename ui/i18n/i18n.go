// Package i18n holds the page's sentences. Italian and English are equals: a key that one lacks, or
// a placeholder that differs, fails the tests.
package i18n

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
)

// Files holds the catalogues.
//
//go:embed it.json en.json
var Files embed.FS

// Languages lists what the page speaks, the default first.
func Languages() []string { return []string{"it", "en"} }

// Catalogue is the sentences of one language.
type Catalogue struct {
	Lang  string
	texts map[string]string
}

// New returns a catalogue of the given sentences by key.
func New(lang string, texts map[string]string) *Catalogue { return &Catalogue{lang, texts} }

// Load reads the embedded catalogue of a language.
func Load(lang string) (*Catalogue, error) {
	b, err := Files.ReadFile(lang + ".json")
	if err != nil {
		return nil, fmt.Errorf("catalogue %q: %w", lang, err)
	}
	var texts map[string]string
	if err := json.Unmarshal(b, &texts); err != nil {
		return nil, fmt.Errorf("catalogue %q: %w", lang, err)
	}
	return New(lang, texts), nil
}

// T returns the sentence of a key with {0}, {1} ... replaced. A key that is missing shows itself, so
// that a mistake is seen and nothing breaks.
func (c *Catalogue) T(key string, args ...any) string {
	s, ok := c.texts[key]
	if !ok {
		return "⟦" + key + "⟧"
	}
	for i, a := range args {
		s = strings.ReplaceAll(s, fmt.Sprintf("{%d}", i), fmt.Sprint(a))
	}
	return s
}

// Has reports whether the catalogue knows a key.
func (c *Catalogue) Has(key string) bool {
	_, ok := c.texts[key]
	return ok
}

// N chooses between key.one and key.other; zero uses key.zero.
func (c *Catalogue) N(key string, n int) string {
	switch n {
	case 0:
		return c.T(key + ".zero")
	case 1:
		return c.T(key + ".one")
	default:
		return c.T(key+".other", n)
	}
}

// Keys lists every key.
func (c *Catalogue) Keys() []string {
	keys := make([]string, 0, len(c.texts))
	for k := range c.texts {
		keys = append(keys, k)
	}
	return keys
}
