package uitest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What a person takes, as the aim of ten minutes counts it: for a tap, for a character that is typed, and to look at
// a screen that has just come.
const (
	perTap       = 1500 * time.Millisecond
	perCharacter = 300 * time.Millisecond
	perScreen    = 3 * time.Second
)

// effort is what a part of somebody's way has cost.
type effort struct {
	part                      string
	taps, characters, screens int
	waited                    time.Duration // until the box, or somebody else, had done what was asked
}

func (e effort) sum() time.Duration {
	return time.Duration(e.taps)*perTap + time.Duration(e.characters)*perCharacter + time.Duration(e.screens)*perScreen + e.waited
}

// person goes through screens by eye and hand: what cannot be seen and touched cannot be used. Each deed is counted
// where it is done.
type person struct {
	*testing.T
	page  *Page
	parts []*effort
}

// begins a part of the way.
func (p *person) begins(part string) { p.parts = append(p.parts, &effort{part: part}) }

func (p *person) now() *effort { return p.parts[len(p.parts)-1] }

// id is a selector, also for names that CSS would read otherwise.
func id(name string) string { return fmt.Sprintf(`[id=%q]`, name) }

// tap touches something that does not lead away.
func (p *person) tap(selector string) {
	p.Helper()
	p.page.Tap(p, selector, 1)
	p.now().taps++
}

// goes touches something that leads to another screen, and waits for that.
func (p *person) goes(selector string) {
	p.Helper()
	p.page.Eval(p, `window.before = true`, nil)
	from := time.Now()
	p.tap(selector)
	p.arrives(`!window.before`, from)
}

// arrives waits for a screen to be there whole.
func (p *person) arrives(is string, from time.Time) {
	p.Helper()
	p.page.Wait(p, is+` && document.readyState === "complete" && document.body`)
	p.now().waited += time.Since(from)
	p.now().screens++
}

// types writes into a field, over what it holds.
func (p *person) types(field, text string) {
	p.Helper()
	var holds string
	p.page.Eval(p, fmt.Sprintf(`document.querySelector(%q)?.value ?? ""`, field), &holds)
	taps := 1
	if holds != "" {
		taps = 3 // which selects what is there
	}
	p.page.Tap(p, field, taps)
	p.page.Type(p, text)
	p.now().taps += taps
	p.now().characters += len([]rune(text))
	var got string
	if p.page.Eval(p, fmt.Sprintf(`document.querySelector(%q).value`, field), &got); got != text {
		p.Fatalf("%s holds %q after %q was typed over %q", field, got, text, holds)
	}
}

// chooses an entry of a list: one tap opens it and one takes the entry. The list is the browser's own and no part of
// the page; here its keys are pressed instead.
func (p *person) chooses(list, value string) {
	p.Helper()
	p.page.under(p, list)
	p.page.Eval(p, fmt.Sprintf(`document.querySelector(%q).focus()`, list), nil)
	p.page.Press(p, "Home", false)
	var n int
	p.page.Eval(p, fmt.Sprintf(`document.querySelector(%q).length`, list), &n)
	for range n {
		var at string
		if p.page.Eval(p, fmt.Sprintf(`document.querySelector(%q).value`, list), &at); at == value {
			p.now().taps += 2
			return
		}
		p.page.Press(p, "ArrowDown", false)
	}
	p.Fatalf("%s has no entry %q", list, value)
}

// sees waits until the screen shows something.
func (p *person) sees(selector string) {
	p.Helper()
	from := time.Now()
	p.page.Wait(p, fmt.Sprintf(`document.querySelector(%q)?.checkVisibility()`, selector))
	p.now().waited += time.Since(from)
}

// reads what an element says.
func (p *person) reads(selector string) (text string) {
	p.Helper()
	p.sees(selector)
	p.page.Eval(p, fmt.Sprintf(`document.querySelector(%q).innerText.trim()`, selector), &text)
	return text
}

// keys are taps and characters at a telephone.
func (p *person) keys(taps int, typed ...string) {
	p.now().taps += taps
	p.now().characters += len([]rune(strings.Join(typed, "")))
}

// awaits counts the time until something outside of the screen has happened.
func awaits[V any](p *person, what string, c <-chan V) (v V) {
	p.Helper()
	from := time.Now()
	select {
	case v = <-c:
	case <-time.After(patience):
		p.Fatalf("waited in vain for %s", what)
	}
	p.now().waited += time.Since(from)
	return v
}

// tells prints what the way has cost, part by part, and returns the sum.
func (p *person) tells() (sum time.Duration) {
	var b strings.Builder
	all := effort{part: "in total"}
	row := func(e effort) {
		fmt.Fprintf(&b, "\n%-12s %3d taps %4d characters %3d screens  waits %7.3f s  %6.1f s", e.part, e.taps, e.characters, e.screens, e.waited.Seconds(), e.sum().Seconds())
	}
	for _, e := range p.parts {
		row(*e)
		all.taps, all.characters, all.screens, all.waited = all.taps+e.taps, all.characters+e.characters, all.screens+e.screens, all.waited+e.waited
	}
	row(all)
	p.Logf("what it takes, at %v a tap, %v a character, %v a screen, and what the box takes:%s", perTap, perCharacter, perScreen, b.String())
	return all.sum()
}
