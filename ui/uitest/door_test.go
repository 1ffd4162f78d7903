package uitest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/live"
	"github.com/pronto-pbx/pronto/ui/page"
)

// aNewBoxIsClaimed goes from the address of the label to the live page, out, and in again, as a person
// with a browser does: form by form.
func aNewBoxIsClaimed(t *testing.T, b *Browser) {
	boxes := make(chan *access.Accounts, 1)
	o := serveTo(t, "127.0.0.1:0", Busy(time.Now()), func(t testing.TB, words map[string]*page.Renderer, hub *live.Hub) http.Handler {
		h, a := newBox(t, words, hub)
		boxes <- a
		return h
	})
	code := (<-boxes).Code().String()
	fill := func(p *Page, id, text string) {
		p.Eval(t, `(() => { const e = document.getElementById("`+id+`"); e.value = "`+text+`"; })()`, nil)
	}
	submit := func(p *Page) { p.Eval(t, `document.querySelector("main form").requestSubmit()`, nil) }

	p := b.Open(t, o.url("claim?lang=it#"+code), Look{})
	p.Wait(t, `document.getElementById("code").value === "`+code+`" && location.hash === "" && document.activeElement.id === "name"`)
	fill(p, "name", "anna")
	fill(p, "password", "juventus2026")
	submit(p)
	p.Wait(t, `document.querySelector("[role=alert]").innerText.includes("tra le prime che si provano") && document.getElementById("code").value === "`+code+`"`)
	fill(p, "password", "tre civette sul comò")
	submit(p)
	p.Wait(t, isLive+` && document.querySelector(".account").innerText.includes("anna")`)
	p.Eval(t, `document.querySelector(".account button").click()`, nil)
	p.Wait(t, `location.pathname === "/signin" && !!document.getElementById("password")`)
	fill(p, "name", "anna")
	fill(p, "password", "wrong")
	submit(p)
	p.Wait(t, `!!document.querySelector("[role=alert]") && document.getElementById("name").value === "anna"`)
	fill(p, "password", "tre civette sul comò")
	submit(p)
	p.Wait(t, isLive)
	noFaults(t, p, "403", "422")
}

// anInvitedPersonComesIn goes from a person's page by the link of an invitation, whose code a script puts into the
// form, to the page of the person's own work.
func anInvitedPersonComesIn(t *testing.T, b *Browser) {
	o := serve(t, "127.0.0.1:0", nil)
	p := b.Open(t, o.url("people/bruno?lang=en"), Look{Width: 360, Height: 800})
	p.Wait(t, `!!document.querySelector("form[action^='/people/bruno/invite'] button")`)
	p.Eval(t, `document.querySelector("form[action^='/people/bruno/invite'] button").click()`, nil)
	p.Wait(t, `!!document.querySelector("code.secret") && document.readyState === "complete"`)
	var sticks []string
	if p.Eval(t, cut, &sticks); len(sticks) > 0 {
		t.Errorf("cut:\n%s", strings.Join(sticks, "\n"))
	}
	p.Eval(t, `location.href = document.querySelector("code.secret").innerText`, nil)
	p.Wait(t, `location.pathname === "/invite" && location.hash === "" && document.getElementById("code").value.length === 20 && document.activeElement.id === "password"`)
	p.Eval(t, `document.getElementById("password").value = "un mare di girasoli gialli"; document.querySelector("form.door button").click()`, nil)
	p.Wait(t, `location.pathname === "/me" && document.querySelector(".account a").innerText === "bruno"`)
}
