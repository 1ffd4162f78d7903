package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/ota/repository"
	"github.com/pronto-pbx/pronto/ota/repository/repositorytest"
)

func TestAnImageTakesUpdatesOfTheVendorThatItNamesAndOfNobodyElse(t *testing.T) {
	dir := t.TempDir()
	keys, err := repository.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	r, err := repository.Create(filepath.Join(dir, "own"), keys, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	own, err := r.Root()
	if err != nil {
		t.Fatal(err)
	}
	root, published, none := filepath.Join(dir, "root.json"), filepath.Join(dir, "published.json"), filepath.Join(dir, "none.json")
	for at, b := range map[string][]byte{root: own, published: repositorytest.New(t, time.Now).Root, none: []byte(`{"signed":{}}`)} {
		if err := os.WriteFile(at, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name, root, url, wrong string
	}{
		{"nobody", "", "", ""},
		{"keys without a place", root, "", "go together"},
		{"a place without keys", "", "https://updates.example.org/pronto", "go together"},
		{"a vendor", root, "https://updates.example.org/pronto", ""},
		{"a server in the same network", root, "http://192.168.1.5/pronto", ""},
		{"a port that the firewall closes", root, "https://updates.example.org:8443/pronto", "ports 80 and 443"},
		{"what is no address", root, "updates.example.org", "no address"},
		{"a password in the address", root, "https://a:b@updates.example.org", "no address"},
		{"keys that everybody has", published, "https://updates.example.org", "keys that everybody has"},
		{"what is no root", none, "https://updates.example.org", "root: "},
		{"keys that are not there", root + ".none", "https://updates.example.org", "-vendor-root: "},
	} {
		u := updateFlags{root: tc.root, url: tc.url}
		err := u.check()
		if tc.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), tc.wrong) || u.documents != nil {
				t.Errorf("%s: %v, %v", tc.name, err, u.documents)
			}
			continue
		}
		if err != nil || (u.documents != nil) != (tc.root != "") {
			t.Errorf("%s: %v, %v", tc.name, err, u.documents)
		}
		if tc.root == "" {
			if !strings.HasPrefix(u.said(), "updates are off") {
				t.Errorf("%s: says %q", tc.name, u.said())
			}
			continue
		}
		if got := string(u.documents[recipe.UpdateURL]); got != tc.url+"\n" || !bytes.Equal(u.documents[recipe.VendorRoot], own) || !strings.HasPrefix(u.said(), "updates from "+tc.url) {
			t.Errorf("%s: %q, says %q", tc.name, got, u.said())
		}
	}
}

func TestAReleaseHasAVersionAndAVendor(t *testing.T) {
	for _, tc := range []struct{ args, wrong string }{
		{"", "-time is needed"},
		{"-time 1", "no version of a release"},
		{"-time 1 -version v1.2.3", "no version of a release"},
		{"-time 1 -version 1.2", "no version of a release"},
		{"-time 1 -version 1.2.3", "the last that its boxes take"},
		{"-time 1 -version 1.2.3 -update-url https://x", "go together"},
	} {
		if _, err := ran(t, append([]string{"release"}, strings.Fields(tc.args)...)...); err == nil || !strings.Contains(err.Error(), tc.wrong) {
			t.Errorf("%q: %v, want %s", tc.args, err, tc.wrong)
		}
	}
}
