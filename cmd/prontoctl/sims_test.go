package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestSIMsAreShownAsAPersonReadsThem(t *testing.T) {
	dir, _ := exchange(t, `{
		"gsm0":{"operator":"TIM","network":"22201","technology":"4G","band":"EUTRAN-BAND3","dbm":-73,"volte":2,"history":[{"dbm":-90},{"dbm":-70}],
			"credit":{"known":true,"amount":"4.99","expires":"2026-12-31T23:59:59Z"}},
		"gsm1":{"roaming":true,"credit":{"words":"Codice errato"}}}`)
	var out, errs bytes.Buffer
	if err := sims([]string{"-var", dir}, &out, &errs); err != nil {
		t.Fatal(err, errs.String())
	}
	for _, want := range []string{
		`gsm0     "TIM" 22201 4G EUTRAN-BAND3  -73 dBm (-90 to -70 in 2 samples of 24 hours)  no VoLTE  credit 4.99 until 2026-12-31`,
		"roaming", `the operator says "Codice errato"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nhas no %s", out.String(), want)
		}
	}
}
