package page

import (
	"regexp"
	"strings"
	"testing"
	"text/template/parse"

	"github.com/pronto-pbx/pronto/ui/i18n"
)

// names are words that are the same in every language.
var names = regexp.MustCompile(`^(Apache-2\.0|HTTPS|–|→|·)$`)

// Whatever a person reads comes from the catalogue: a template holds tags and marks, no words.
func TestNoTemplateHoldsWordsOfItsOwn(t *testing.T) {
	tags := regexp.MustCompile(`(?s)<[^>]*>?`)
	r := renderer(t)
	seen := 0
	for _, tmpl := range r.templates.Templates() {
		if tmpl.Tree == nil || tmpl.Name() == "told" { // attributes of a tag
			continue
		}
		// Actions stand in the middle of tags: what is outside of tags is found in the whole text, with a mark for each action.
		var whole strings.Builder
		flatten(tmpl.Tree.Root, &whole)
		text := tags.ReplaceAllString(whole.String(), " ")
		for _, word := range strings.Fields(text) {
			word = strings.Trim(word, "\x00,.:;()&+#")
			word = strings.ReplaceAll(word, "\x00", "")
			if word == "" || names.MatchString(word) {
				continue
			}
			if regexp.MustCompile(`[A-Za-zÀ-ÿ]{2}`).MatchString(word) && word != "dBm" && word != "Pronto" {
				t.Errorf("%s holds %q", tmpl.Name(), word)
			}
		}
		seen++
	}
	if seen < 40 {
		t.Errorf("only %d templates were read", seen)
	}
}

// flatten writes the text of a template with a NUL for each action, all branches one after the other.
func flatten(n parse.Node, out *strings.Builder) {
	switch n := n.(type) {
	case nil:
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, x := range n.Nodes {
			flatten(x, out)
		}
	case *parse.TextNode:
		out.Write(n.Text)
	case *parse.IfNode:
		branch(&n.BranchNode, out)
	case *parse.RangeNode:
		branch(&n.BranchNode, out)
	case *parse.WithNode:
		branch(&n.BranchNode, out)
	default:
		out.WriteByte(0)
	}
}

func branch(n *parse.BranchNode, out *strings.Builder) {
	flatten(n.List, out)
	if n.ElseList != nil {
		flatten(n.ElseList, out)
	}
}

// Words that tags carry are read aloud or shown as well: none of them stands in a template either.
func TestNoTagHoldsWordsOfItsOwn(t *testing.T) {
	for _, tmpl := range renderer(t).templates.Templates() {
		if tmpl.Tree == nil {
			continue
		}
		var whole strings.Builder
		flatten(tmpl.Tree.Root, &whole)
		for _, m := range regexp.MustCompile(`(?:aria-label|title|alt|placeholder)="([^"]*)"`).FindAllStringSubmatch(whole.String(), -1) {
			if regexp.MustCompile(`[A-Za-zÀ-ÿ]{2}`).MatchString(m[1]) {
				t.Errorf("%s says %q", tmpl.Name(), m[1])
			}
		}
	}
}

// No sentence of the catalogue is longer than what a person reads at a glance, and none is empty.
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
