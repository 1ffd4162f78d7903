package uitest

import (
	"strconv"
	"testing"
	"time"
)

// alike lists the controls that are one with a control: the buttons of its radio group.
func alike(i int) string {
	return `(() => { const all = window.controls, one = all[` + strconv.Itoa(i) + `]; if (one.type !== "radio") return [];
		return all.map((e, i) => [e, i]).filter(([e]) => e.type === "radio" && e.name === one.name && e.form === one.form).map(([, i]) => i); })()`
}

// byKeyboard presses Tab until everything was reached that can be used, and looks at each whether a person sees
// where the focus is.
func byKeyboard(t *testing.T, p *Page, s sight) {
	t.Helper()
	for _, width := range []int{360, 1280} {
		p.Look(t, Look{Width: width, Height: 800})
		var n int
		p.Eval(t, `(() => { document.activeElement.blur(); scrollTo(0, 0); window.controls = `+controls+`; return window.controls.length; })()`, &n)
		if n < 2 {
			t.Fatalf("%s has %d controls", s.name(), n)
		}
		reached := map[int]bool{}
		for range 2*n + 5 { // a field of a date or a scrolling table takes Tab more than once
			p.Press(t, "Tab", false)
			var f struct {
				At           int
				What         string
				Marked, Seen bool
			}
			p.Eval(t, focused, &f)
			if f.At < 0 || reached[f.At] {
				continue
			}
			reached[f.At] = true
			var kin []int // Tab stops once at a group of radio buttons, whose arrows lead on
			p.Eval(t, alike(f.At), &kin)
			for _, i := range kin {
				reached[i] = true
			}
			if !f.Marked || !f.Seen {
				t.Errorf("%s at %d: the focus on %s is marked: %v, and not covered: %v", s.name(), width, f.What, f.Marked, f.Seen)
			}
			if len(reached) == n {
				break
			}
		}
		for i := range n {
			if !reached[i] {
				var what string
				p.Eval(t, `window.controls[`+strconv.Itoa(i)+`].outerHTML.slice(0, 120)`, &what)
				t.Errorf("%s at %d: Tab does not reach %s", s.name(), width, what)
			}
		}
	}
}

// Every page of the routes: whatever can be used is reached by Tab, and one always sees where one is.
func TestEveryPageIsUsedByKeyboard(t *testing.T) {
	o := serve(t, boxAddress(), Busy(time.Now()))
	p := Start(t).Open(t, o.url("system?lang=it"), Look{})
	for _, s := range sights(t, o) {
		s.show(t, p, "it")
		byKeyboard(t, p, s)
	}
}

// From the live page to a queue, a change of its ringing time, its review, its application and back: no mouse.
func TestAQueueIsChangedByKeyboardAlone(t *testing.T) {
	o := serve(t, boxAddress(), Busy(time.Now()))
	p := Start(t).Open(t, o.url("?lang=en"), Look{})
	p.Wait(t, isLive)
	go2 := func(selector string) {
		t.Helper()
		for range 150 {
			p.Press(t, "Tab", false)
			var there bool
			if p.Eval(t, `document.activeElement.matches('`+selector+`')`, &there); there {
				return
			}
		}
		t.Fatalf("150 times Tab do not lead to %s", selector)
	}
	go2(`nav.main a[href^="/queues"]`)
	p.Press(t, "Enter", false)
	p.Wait(t, `location.pathname === "/queues" && document.querySelector(".cards a")`)
	go2(`.cards a[href^="/queues/sales"]`)
	p.Press(t, "Enter", false)
	p.Wait(t, `location.pathname === "/queues/sales" && document.getElementById("f-ring")`)
	go2(`#f-ring`) // Tab selects what is in a field
	p.Type(t, "25")
	p.Press(t, "Enter", false)
	p.Wait(t, `location.pathname === "/changes" && document.querySelector("ins").innerText === "25s"`)
	go2(`button.do`)
	p.Press(t, "Enter", false)
	p.Wait(t, `document.querySelector(".good")`)
	go2(`form[action^="/changes/undo"] button`)
	p.Press(t, " ", false)
	p.Wait(t, `document.querySelector(".good") && document.querySelector("ins").innerText === "20s"`)
	noFaults(t, p)
}
