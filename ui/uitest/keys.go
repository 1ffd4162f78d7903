package uitest

import "testing"

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
	}
	return int(key[0])
}

// Type writes text where the focus is; what is selected there is replaced.
func (p *Page) Type(t testing.TB, text string) {
	t.Helper()
	p.do(t, "Input.insertText", map[string]any{"text": text})
}
