package uitest

import (
	"testing"

	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
)

// theKitIsSavedAndConfirmed makes a recovery kit, saves it as a file, which the browser makes of the page itself, and
// confirms it by its end.
func theKitIsSavedAndConfirmed(t *testing.T, b *Browser) {
	o := serve(t, "127.0.0.1:0", nil)
	p := b.Open(t, o.url("backup?lang=en"), Look{Width: 360, Height: 800, NoScript: true})
	p.Wait(t, `!!document.querySelector("form[action^='/backup/kit?'] button")`)
	p.Eval(t, `document.querySelector("form[action^='/backup/kit?'] button").click()`, nil)
	p.Wait(t, `!!document.querySelector("code.secret") && document.readyState === "complete"`)
	var saved string
	p.Eval(t, `decodeURIComponent(document.querySelector("a[download]").href)`, &saved)
	if want := "data:text/plain;charset=utf-8,Recovery kit of Bottega Rossi\n\nKey: " + settingstest.KitSecret + "\n"; len(saved) < len(want) || saved[:len(want)] != want {
		t.Errorf("the file is %q", saved)
	}
	p.Eval(t, `document.querySelector("a[download]").click()`, nil)
	var sticks []string
	if p.Eval(t, cut, &sticks); len(sticks) > 0 {
		t.Errorf("cut: %v", sticks)
	}
	p.Eval(t, `document.getElementById("end").value = "`+settingstest.KitSecret[len(settingstest.KitSecret)-8:]+`"; document.querySelector("form[action^='/backup/kit/confirm'] button").click()`, nil)
	p.Wait(t, `location.pathname === "/backup" && document.body.innerText.includes("The recovery kit is confirmed")`)
	noFaults(t, p)
}
