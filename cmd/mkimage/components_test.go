package main

import (
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/firmware/certificate/authorities"
	"github.com/pronto-pbx/pronto/images/pins"
	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/images/sbom"
)

func TestEverythingInAnImageHasTheWordsOfItsLicence(t *testing.T) {
	const root = "../.."
	modules, err := pins.Download(t.Context(), root, pinned, pins.KernelRPi, pins.Firmware)
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := recipe.ReadKernel(modules[0].Dir)
	if err != nil {
		t.Fatal(err)
	}
	programs, err := pins.Build(t.Context(), root, "arm64", []string{"recordd"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := components(t.Context(), recipeFlags{root: root, version: "1"}, modules, kernel, programs)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]sbom.Component{}
	for _, c := range all {
		if len(c.Text) < 500 {
			t.Errorf("%s: %d bytes of licence", c.Name, len(c.Text))
		}
		found[c.Name] = c
	}
	text := string(sbom.Licences(all))
	for name, says := range map[string]string{
		"pronto": "Apache License", "linux": "GNU GENERAL PUBLIC LICENSE", pins.Firmware: "Broadcom", pins.KernelRPi: "Redistribution",
		"github.com/dgraph-io/badger/v4": "Apache License", "std": "The Go Authors", authorities.Module: "The Go Authors",
	} {
		if c := found[name]; !strings.Contains(c.Text, says) || !strings.Contains(text, c.Name+" "+c.Version+" ("+c.Licence+")") {
			t.Errorf("%s: %q", name, c.Text[:min(len(c.Text), 80)])
		}
	}
	if day, ok := authorities.ListedOn(found[authorities.Module].Version); !ok || day.Year() < 2026 {
		t.Errorf("the list of authorities is %+v: of which day?", found[authorities.Module].Version)
	}
}

// The table of boards and what is on a card must not say different things.
func TestTheDeviceTreesOfAnImageAreThoseOfTheBoardsThatHaveOne(t *testing.T) {
	modules, err := pins.Download(t.Context(), "../..", pinned, pins.KernelRPi)
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := recipe.ReadKernel(modules[0].Dir)
	if err != nil {
		t.Fatal(err)
	}
	promised := map[string]bool{}
	for _, m := range model.Models() {
		for _, tree := range m.Trees {
			promised[tree] = true
		}
	}
	for _, f := range kernel.Trees {
		if !strings.Contains(f.Name, "/") && !promised[f.Name] {
			t.Errorf("%s is of no board in the table", f.Name)
		}
		delete(promised, f.Name)
	}
	for name := range promised {
		t.Errorf("%s is not in the image", name)
	}
}
