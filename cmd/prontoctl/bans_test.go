package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// exchange plays prontod's control socket and remembers what it was asked.
func exchange(t *testing.T, list string) (dir string, asked *[]string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl") // short: the path of a unix socket has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "run", "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	asked = &[]string{}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.Method+" "+r.URL.Path)
		switch {
		case r.Method == http.MethodGet:
			_, _ = w.Write([]byte(list))
		case strings.HasSuffix(r.URL.Path, "/203.0.113.7"), strings.HasSuffix(r.URL.Path, "/2001:db8::"):
			w.WriteHeader(http.StatusNoContent)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Shutdown(context.Background()); <-done })
	return dir, asked
}

func TestBansAreListedAsAPersonReadsThem(t *testing.T) {
	dir, _ := exchange(t, `[{"source":"203.0.113.7","why":"wrong passwords","until":"2000-01-01T00:00:00Z","bans":2},{"source":"2001:db8::/64","why":"attack program","until":"2000-01-01T00:00:00Z","bans":1,"near":true}]`)
	var out, errs bytes.Buffer
	if err := bans([]string{"-var", dir}, &out, &errs); err != nil {
		t.Fatal(err, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "203.0.113.7 ") || !strings.Contains(lines[0], "wrong passwords for ") || !strings.HasSuffix(lines[0], "(ban 2)") ||
		!strings.Contains(lines[1], "only its logins are refused") {
		t.Errorf("%s", out.String())
	}
	if got := banLine(ban{Source: "203.0.113.7", Why: "wrong passwords", Until: time.Unix(600, 0), Bans: 1}, time.Unix(0, 0)); !strings.HasSuffix(got, "wrong passwords for 10m0s (ban 1)") {
		t.Error(got)
	}
	empty, _ := exchange(t, "[]")
	out.Reset()
	if err := bans([]string{"-var", empty}, &out, &errs); err != nil || out.String() != "nobody is banned\n" {
		t.Errorf("%q %v", out.String(), err)
	}
}

func TestUnbanSaysWhatItDid(t *testing.T) {
	dir, asked := exchange(t, "[]")
	for arg, want := range map[string]string{
		"203.0.113.7":    "203.0.113.7 may try again",
		"2001:db8::/64":  "2001:db8:: may try again",
		"203.0.113.8":    "203.0.113.8 is not banned",
		"friend.example": `"friend.example" is not an address`,
	} {
		var out, errs bytes.Buffer
		said := ""
		if err := unban([]string{"-var", dir, arg}, &out, &errs); err != nil {
			said = err.Error()
		}
		if got := strings.TrimSpace(out.String() + said); got != want {
			t.Errorf("%s: %q, want %q", arg, got, want)
		}
	}
	if err := unban([]string{"-var", dir}, &bytes.Buffer{}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "name one address") {
		t.Errorf("%v", err)
	}
	if len(*asked) != 3 {
		t.Errorf("%q", *asked)
	}
	if err := bans([]string{"-var", t.TempDir()}, &bytes.Buffer{}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "prontod does not answer") {
		t.Errorf("%v", err)
	}
}
