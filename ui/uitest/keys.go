package uitest

import (
	"fmt"
	"testing"
)

// Press presses and lets go one key, named as KeyboardEvent.key has it: Tab, Enter, a space, or a character. With
// shift it is pressed together with that key.
func (p *Page) Press(t testing.TB, key string, shift bool) {
	t.Helper()
	type o = map[string]any
	event := o{"key": key, "windowsVirtualKeyCode": keyCode(key), "modifiers": 0}
	if shift {
		event["modifiers"] = 8
	}
	switch key {
	case "Enter":
		event["text"] = "\r"
	case " ":
		event["text"] = " "
	}
	event["type"] = "keyDown"
	p.do(t, "Input.dispatchKeyEvent", event)
	delete(event, "text")
	event["type"] = "keyUp"
	p.do(t, "Input.dispatchKeyEvent", event)
}

// keyCode is the number that Windows gives a key, by which Chromium knows what it does.
func keyCode(key string) int {
	switch key {
	case "Tab":
		return 9
	case "Enter":
		return 13
	case "ArrowDown":
		return 40
	case "Home":
		return 36
	}
	return int(key[0])
}

// Type writes text where the focus is; what is selected there is replaced.
func (p *Page) Type(t testing.TB, text string) {
	t.Helper()
	p.do(t, "Input.insertText", map[string]any{"text": text})
}

// touch finds the middle of the first box of an element, and what a person would hit there instead, if anything.
const touch = `((e) => {
	if (!e) return {Missing: true};
	e.scrollIntoView({block: "center", behavior: "instant"});
	const box = e.getClientRects()[0];
	if (!box || !box.width || !box.height) return {Instead: "it has no extent"};
	const x = box.x + box.width / 2, y = box.y + box.height / 2, hit = document.elementFromPoint(x, y);
	return {X: x, Y: y, Instead: hit === e || e.contains(hit) ? "" : hit ? hit.outerHTML.slice(0, 120) : "nothing"};
})(document.querySelector(%q))`

// Tap presses and lets go the left button of the mouse, so many times in a row, in the middle of the first element of
// a selector. It fails the test where a person would hit something else.
func (p *Page) Tap(t testing.TB, selector string, times int) {
	t.Helper()
	x, y := p.under(t, selector)
	type o = map[string]any
	for n := 1; n <= times; n++ {
		for _, kind := range []string{"mousePressed", "mouseReleased"} {
			p.do(t, "Input.dispatchMouseEvent", o{"type": kind, "x": x, "y": y, "button": "left", "clickCount": n})
		}
	}
}

// under is the point of the screen at which a person touches an element.
func (p *Page) under(t testing.TB, selector string) (x, y float64) {
	t.Helper()
	var at struct {
		X, Y    float64
		Missing bool
		Instead string
	}
	p.Eval(t, fmt.Sprintf(touch, selector), &at)
	if at.Missing || at.Instead != "" {
		var text string
		p.Eval(t, `document.body.innerText`, &text)
		t.Fatalf("nobody can touch %s (missing: %v, instead: %s); the page says:\n%s", selector, at.Missing, at.Instead, text)
	}
	return at.X, at.Y
}
