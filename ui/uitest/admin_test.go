package uitest

import (
	"strings"
	"testing"
)

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
	p.Wait(t, `!!document.querySelector(".good") && document.querySelector("ins").innerText === "20s" && document.readyState === "complete"`)
	var sticks []string
	if p.Eval(t, cut, &sticks); len(sticks) > 0 {
		t.Errorf("cut:\n%s", strings.Join(sticks, "\n"))
	}
}
