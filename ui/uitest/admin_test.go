package uitest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// adminPages are the pages on which the box is set up.
func adminPages() []string {
	return []string{
		"queues", "queues/sales", "queues/new", "people", "people/anna", "people/new", "people/import", "hours", "hours/office", "hours/new",
		"lines", "lines/trunk/tim", "lines/modem/gsm0", "changes", "history", "history/1", "system", "backup", "backup/restore", "network", "network/confirm", "certificate", "handover", "security", "about", "users", "me", "codes", "nowhere",
	}
}

// adminPagesFit looks at each page in each language at the widths of a phone, a tablet and a screen.
func adminPagesFit(t *testing.T, b *Browser) {
	o := serve(t, "127.0.0.1:0", nil)
	p := b.Open(t, o.url("system?lang=it"), Look{})
	for _, lang := range []string{"it", "en"} {
		for _, path := range adminPages() {
			to := "/" + path + "?lang=" + lang
			p.Eval(t, `location.href = "`+to+`"`, nil)
			p.Wait(t, `location.pathname + location.search === "`+to+`" && document.readyState === "complete" && !!document.querySelector("main h1")`)
			for _, width := range []int{360, 1280} {
				p.Look(t, Look{Width: width, Height: 900})
				var sticks []string
				if p.Eval(t, cut, &sticks); len(sticks) > 0 {
					t.Errorf("%s in %s at %d: cut:\n%s", path, lang, width, strings.Join(sticks, "\n"))
				}
				if *looks != "" {
					p.Look(t, Look{Width: width, Height: 900, Dark: width == 1280 && lang == "en"})
					write(t, filepath.Join(*looks, fmt.Sprintf("page-%s-%s-%d.png", strings.ReplaceAll(path, "/", "-"), lang, width)), p.Picture(t))
				}
			}
		}
	}
}

// aQueueIsChangedAndBack goes the whole way of a change without script: a mistake beside its field, the review,
// the application, and the undoing.
func aQueueIsChangedAndBack(t *testing.T, b *Browser) {
	o := serve(t, "127.0.0.1:0", nil)
	p := b.Open(t, o.url("queues/sales?lang=en"), Look{Width: 360, Height: 800, NoScript: true})
	p.Wait(t, `!!document.getElementById("f-ring")`)
	p.Eval(t, `document.getElementById("f-ring").value = "3"; document.querySelector("button.do").click()`, nil)
	p.Wait(t, `!!document.getElementById("f-ring-w") && document.getElementById("f-ring").getAttribute("aria-invalid") === "true" && document.getElementById("f-ring").value === "3"`)
	p.Eval(t, `document.getElementById("f-ring").value = "25"; document.querySelector("button.do").click()`, nil)
	p.Wait(t, `location.pathname === "/changes" && document.querySelector("ins").innerText === "25s"`)
	p.Eval(t, `document.querySelector("nav.main a").click()`, nil)
	p.Wait(t, `location.pathname === "/" && !!document.querySelector(".tray a")`)
	p.Eval(t, `document.querySelector(".tray a").click()`, nil)
	p.Wait(t, `!!document.getElementById("why")`)
	p.Eval(t, `document.getElementById("why").value = "too short"; document.querySelector("button.do").click()`, nil)
	p.Wait(t, `!!document.querySelector(".good")`)
	p.Eval(t, `document.querySelector("form[action^='/changes/undo'] button").click()`, nil)
	p.Wait(t, `!!document.querySelector(".good") && document.querySelector("ins").innerText === "20s"`)
	var sticks []string
	if p.Eval(t, cut, &sticks); len(sticks) > 0 {
		t.Errorf("cut:\n%s", strings.Join(sticks, "\n"))
	}
}
