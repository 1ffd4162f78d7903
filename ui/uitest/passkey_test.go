package uitest

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/live"
	"github.com/pronto-pbx/pronto/ui/page"
)

// anOwnerSignsInWithAPasskey adds the device in Chromium's own dialogue, with an authenticator of Chromium's that
// always says yes, and comes back without a password.
func anOwnerSignsInWithAPasskey(t *testing.T, b *Browser) {
	boxes := make(chan *access.Accounts, 1)
	o := serveTo(t, "127.0.0.1:0", Busy(time.Now()), func(t testing.TB, words map[string]*page.Renderer, hub *live.Hub) http.Handler {
		h, a := newBox(t, words, hub)
		boxes <- a
		return h
	})
	const password = "tre civette sul comò"
	accounts := <-boxes
	if _, err := accounts.Claim(context.Background(), string(accounts.Code()), "anna", password, access.Visitor{Addr: netip.MustParseAddr("127.0.0.1"), LAN: true}); err != nil {
		t.Fatal(err)
	}
	at := func(host, path string) string { return strings.Replace(o.url(path), "127.0.0.1", host, 1) }
	fill := func(p *Page, id, text string) {
		p.Eval(t, `(() => { const e = document.getElementById("`+id+`"); e.value = "`+text+`"; })()`, nil)
	}

	p := b.Open(t, at("127.0.0.1", "signin?lang=it"), Look{})
	p.Wait(t, `document.getElementById("passkey-signin").hidden`) // a number is no name: nothing is offered
	p = b.Open(t, at("localhost", "signin?lang=it&to=/me"), Look{})
	p.do(t, "WebAuthn.enable", nil)
	p.do(t, "WebAuthn.addVirtualAuthenticator", map[string]any{"options": map[string]any{
		"protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true, "isUserVerified": true, "automaticPresenceSimulation": true,
	}})
	p.Wait(t, `!document.getElementById("passkey-signin").hidden`)
	fill(p, "name", "anna")
	fill(p, "password", password)
	p.Eval(t, `document.querySelector("main form").requestSubmit()`, nil)
	p.Wait(t, `location.pathname === "/me" && !document.getElementById("passkey-add").hidden`)

	fill(p, "passkey-label", "Portatile <b>")
	fill(p, "passkey-old", "wrong")
	p.Eval(t, `document.getElementById("passkey-add").requestSubmit()`, nil)
	p.Wait(t, `document.querySelector("#passkey-add [role=status]").textContent.includes("sbagliat")`)
	fill(p, "passkey-old", password)
	p.Eval(t, `document.getElementById("passkey-add").requestSubmit()`, nil)
	p.Wait(t, `[...document.querySelectorAll("td")].some(td => td.textContent.includes("Portatile <b>") && td.textContent.includes("localhost"))`)

	p.Eval(t, `document.querySelector(".account button").click()`, nil)
	p.Wait(t, `location.pathname === "/signin" && !document.getElementById("passkey-signin").hidden`)
	p.Eval(t, `document.querySelector("#passkey-signin button").click()`, nil)
	p.Wait(t, isLive+` && document.querySelector(".account").innerText.includes("anna")`)

	p.Eval(t, `location.assign("/me?lang=it")`, nil)
	p.Wait(t, `location.pathname === "/me" && !!document.querySelector("form[action^='/me/passkey/remove'] button")`)
	p.Eval(t, `document.querySelector("form[action^='/me/passkey/remove'] button").click()`, nil)
	p.Wait(t, `!document.querySelector("form[action^='/me/passkey/remove'] button") && !!document.querySelector(".account")`)
	p.Eval(t, `document.querySelector(".account button").click()`, nil)
	p.Wait(t, `location.pathname === "/signin" && !document.getElementById("passkey-signin").hidden`)
	p.Eval(t, `document.querySelector("#passkey-signin button").click()`, nil)
	p.Wait(t, `document.querySelector("#passkey-signin [role=status]").textContent.includes("non è stata accettata")`)
	noFaults(t, p, "403")
}
