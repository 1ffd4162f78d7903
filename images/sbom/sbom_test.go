package sbom

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestLicencesAreRecognisedByWhatTheySay(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"Apache", "      Apache License\n    Version 2.0, January 2004", "Apache-2.0"},
		{"MIT", "Permission is hereby granted, free of charge, to any person\nobtaining a copy of this", "MIT"},
		{"BSD without the third clause", "Redistribution and use in source and binary forms, with or without\nmodification, are permitted", "BSD-2-Clause"},
		{"BSD", "Redistribution and use in source and binary forms, with or without modification\n* may be used to endorse or promote products", "BSD-3-Clause"},
		{"the kernel's", "GNU GENERAL PUBLIC LICENSE\n   Version 2, June 1991", "GPL-2.0-only"},
		{"the lesser one", "GNU LESSER GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007", "LGPL-3.0-only"},
		{"two in one file", "Apache License Version 2.0 ... Permission is hereby granted, free of charge, to any person obtaining a copy", "Apache-2.0 AND MIT"},
		{"a choice that names itself", "/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */\n\nThe licensed conditions are one or the other", "BSD-3-Clause OR GPL-2.0-only"},
		{"nothing known", "You may look at it.", ""},
	} {
		if got, ok := Recognise(tc.text); got != tc.want || ok != (tc.want != "") {
			t.Errorf("%s: %q, %v; want %q", tc.name, got, ok, tc.want)
		}
	}
}

func TestWhatIsInAProgramIsReadFromTheProgram(t *testing.T) {
	at := filepath.Join(t.TempDir(), "recordd")
	goTool(t, "build", "-o", at, "github.com/pronto-pbx/pronto/cmd/recordd")
	b, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	dirs := map[string][]string{}
	for line := range strings.Lines(goTool(t, "list", "-m", "-f", "{{.Path}}\t{{.Dir}}", "all")) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		dirs[path] = []string{dir}
	}
	programs, root := map[string][]byte{"recordd": b, "the same again": b}, strings.TrimSpace(goTool(t, "env", "GOROOT"))
	all, err := Programs(programs, dirs, root)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Component{}
	for _, c := range all {
		if _, twice := found[c.Name]; twice {
			t.Errorf("%s is listed twice", c.Name)
		}
		found[c.Name] = c
	}
	const badger = "github.com/dgraph-io/badger/v4"
	if c := found[badger]; c.Licence != "Apache-2.0" || c.PURL != "pkg:golang/"+badger+"@"+c.Version || !strings.HasPrefix(c.Sum, "h1:") {
		t.Errorf("the database: %+v", c)
	}
	if c := found["std"]; "go"+c.Version != runtime.Version() || c.Licence != "BSD-3-Clause" {
		t.Errorf("the language's library: %+v", c)
	}
	odd := t.TempDir()
	if err := os.WriteFile(filepath.Join(odd, "LICENSE"), []byte("You may look at it."), 0o600); err != nil {
		t.Fatal(err)
	}
	for why, dir := range map[string]string{"a module that does not lie here": "", "a licence that nobody knows": odd, "no licence at all": t.TempDir()} {
		dirs[badger] = []string{dir}
		if _, err := Programs(programs, dirs, root); !errors.Is(err, ErrLicence) {
			t.Errorf("%s: %v", why, err)
		}
	}
	if _, err := Programs(map[string][]byte{"script": []byte("#!/bin/sh")}, nil, root); err == nil {
		t.Error("a shell script has modules")
	}
}

func goTool(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatalf("go %q: %v", args, err)
	}
	return string(out)
}

func TestAPackageMayHaveALicenceOfItsOwn(t *testing.T) {
	const mit = "Permission is hereby granted, free of charge, to any person obtaining a copy"
	top := t.TempDir()
	own, odd := filepath.Join(top, "hash"), filepath.Join(top, "code")
	for name, text := range map[string]string{
		"LICENSE": "Apache License\nVersion 2.0", "NOTICE": "made by A", "license.go": "package x", "hash/COPYING.txt": mit, "hash/LICENSE-OLD": mit, "code/main.go": "package main",
	} {
		at := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := Modules(map[string][]string{"a/b": {top, own, odd}}, own)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Licence != "Apache-2.0 AND MIT" || all[1].Name != "std" {
		t.Fatalf("%+v", all)
	}
	if got := all[0].Text; got != "Apache License\nVersion 2.0\n\nmade by A\n\n"+mit {
		t.Errorf("%q", got)
	}
	if _, err := Modules(map[string][]string{"a/b": {odd, own}}, own); !errors.Is(err, ErrLicence) {
		t.Errorf("a licence of one package is not that of the module: %v", err)
	}
}

func TestTheBillIsCycloneDXAndTheSameEachTime(t *testing.T) {
	all := []Component{
		{Name: "linux", Version: "6.12.47", Kind: "operating-system", Licence: "GPL-2.0-only", Source: "https://example.org/linux.tar.gz", Note: "old"},
		{Name: "a/b", Version: "v1", Kind: "library", Licence: "MIT", PURL: "pkg:golang/a/b@v1", Sum: "h1:x"},
	}
	b, err := Document("pronto", "1.2.3", all)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Document("pronto", "1.2.3", all)
	if err != nil || string(again) != string(b) {
		t.Errorf("two bills of one image differ: %v", err)
	}
	var doc struct {
		BOMFormat, SpecVersion string
		Components             []struct {
			Type, Name, PURL   string
			Licenses           []struct{ Expression string }
			ExternalReferences []struct{ Type, URL string }
		}
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.BOMFormat != "CycloneDX" || doc.SpecVersion != "1.6" || len(doc.Components) != 2 || doc.Components[0].Licenses[0].Expression != "GPL-2.0-only" ||
		doc.Components[0].ExternalReferences[0].URL != "https://example.org/linux.tar.gz" || doc.Components[1].PURL != "pkg:golang/a/b@v1" {
		t.Errorf("%s", b)
	}
	if _, err := Document("pronto", "1", []Component{{Name: "x"}}); !errors.Is(err, ErrLicence) {
		t.Errorf("a component without a licence: %v", err)
	}
}

func TestALicenceIsPrintedOnceForAllThatHaveIt(t *testing.T) {
	got := string(Licences([]Component{
		{Name: "a", Version: "1", Licence: "MIT", Text: "same text"}, {Name: "b", Version: "2", Licence: "ISC", Text: "other"}, {Name: "c", Version: "3", Licence: "MIT", Text: "same text"},
	}))
	if strings.Count(got, "same text") != 1 || !strings.HasPrefix(got, "a 1 (MIT)\nc 3 (MIT)\n\nsame text\n") || !strings.Contains(got, "b 2 (ISC)\n\nother\n") {
		t.Errorf("%s", got)
	}
}

func FuzzRecognise(f *testing.F) {
	f.Add("Apache License Version 2.0")
	f.Fuzz(func(t *testing.T, text string) {
		if id, ok := Recognise(text); ok != (id != "") {
			t.Fatalf("%q, %v", id, ok)
		}
	})
}
