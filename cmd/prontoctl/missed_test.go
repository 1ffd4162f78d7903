package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestMissedCallersAreListedAsAPersonReadsThem(t *testing.T) {
	dir, _ := exchange(t, `[{"number":"+393331234567","name":"Rossi","queue":"sales","calls":3,"last":"2026-03-02T09:00:00Z","waited":95000000000,"why":"abandoned"},
		{"number":"+390212345678","queue":"desk","calls":1,"last":"2026-03-02T08:00:00Z","waited":5000000000,"why":"voicemail"}]`)
	var out, errs bytes.Buffer
	if err := missed([]string{"-var", dir}, &out, &errs); err != nil {
		t.Fatal(err, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "+393331234567    Rossi: 3 times, last ") || !strings.HasSuffix(lines[0], "in sales, waited 1m35s (abandoned)") ||
		!strings.Contains(lines[1], ": once, ") {
		t.Errorf("%s", out.String())
	}
	empty, _ := exchange(t, "[]")
	out.Reset()
	if err := missed([]string{"-var", empty}, &out, &errs); err != nil || out.String() != "nobody was missed\n" {
		t.Errorf("%q %v", out.String(), err)
	}
}

func TestDismissSaysWhatItDid(t *testing.T) {
	dir, asked := exchange(t, "[]")
	var out, errs bytes.Buffer
	if err := dismiss([]string{"-var", dir, "+393339999999"}, &out, &errs); err == nil || err.Error() != "+393339999999 is not on the list" {
		t.Errorf("got %v", err)
	}
	if len(*asked) != 1 || (*asked)[0] != "DELETE /missed/+393339999999" {
		t.Errorf("asked %q", *asked)
	}
	if err := dismiss([]string{"-var", dir}, &out, &errs); err == nil {
		t.Error("no number is accepted")
	}
	if err := dismiss([]string{"-var", dir, "Rossi"}, &out, &errs); err == nil || len(*asked) != 1 {
		t.Errorf("a name is accepted: %v, asked %q", err, *asked)
	}
}
