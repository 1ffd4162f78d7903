package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestWhoStandsAtTheBoxIsToldHowToClaimIt(t *testing.T) {
	for answer, want := range map[string]string{
		`{"claimed":false,"address":"http://192.168.1.9/claim#AAAA-BBBB-C"}`:                                                "http://192.168.1.9/claim#AAAA-BBBB-C",
		`{"claimed":false,"address":"http://192.168.1.9/claim#AAAA-BBBB-C","https":"192.168.1.9:443","fingerprint":"00ff"}`: "https://192.168.1.9:443/claim#AAAA-BBBB-C\n  (certificate SHA-256 00ff)",
		`{"claimed":false,"address":"http://192.168.1.9/claim#AAAA-BBBB-C","others":["http://10.0.0.1/claim#AAAA-BBBB-C"]}`: "another network that this machine is in,\n  http://10.0.0.1/claim#AAAA-BBBB-C\n",
		`{"claimed":true,"address":"http://192.168.1.9/claim#AAAA-BBBB-C"}`:                                                 "has an owner",
	} {
		dir, _ := exchange(t, answer)
		var out, errs bytes.Buffer
		if err := claim([]string{"-var", dir}, &out, &errs); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%v %q, want %q", err, out.String(), want)
		}
		if strings.Contains(answer, "true") == strings.Contains(out.String(), "AAAA") {
			t.Errorf("the code of an owned box is shown: %q", out.String())
		}
	}
	dir, asked := exchange(t, `{"claimed":true,"address":"x"}`)
	var out, errs bytes.Buffer
	if err := claim([]string{"-var", dir, "-lost"}, &out, &errs); err == nil || !slices.Contains(*asked, "POST /reopen") {
		t.Errorf("a prontod that refuses: %v, asked %v", err, *asked)
	}
	if err := claim([]string{"-var", t.TempDir()}, &out, &errs); err == nil {
		t.Error("no prontod, and no error")
	}
}
