package uitest

import (
	"net/http"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/live"
)

// aNewBoxIsClaimed goes from the address of the label to the live page, out, and in again, as a person
// with a browser does: form by form.
func aNewBoxIsClaimed(t *testing.T, b *Browser) {
	boxes := make(chan *access.Accounts, 1)
	o := serveTo(t, "127.0.0.1:0", Busy(time.Now()), func(t testing.TB, hub *live.Hub) http.Handler {
		h, a := newBox(t, hub)
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
