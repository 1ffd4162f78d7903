// Package sbom lists what an image is made of, as a bill of materials in CycloneDX 1.6 (ECMA-424) and as the
// texts of all licences. What a program contains is read from the program itself.
package sbom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Component is one piece of an image.
type Component struct {
	Name, Version string
	Kind          string // "library", "application", "operating-system", "firmware" or "data"
	Licence       string // SPDX identifier or expression
	Text          string // of the licence
	PURL          string // package URL; empty: it has none
	Source        string // where its exact source lies; empty: it comes with the image, or PURL says it
	Sum           string // as in go.sum
	Note          string // what whoever answers for the image should know
}

// ErrLicence is returned for a component whose licence was not recognised: somebody has to read it.
var ErrLicence = errors.New("licence not recognised")

// marks are sentences that a licence has and the others have not.
var marks = []struct{ id, says string }{
	{"Apache-2.0", "apache license version 2.0"},
	{"Apache-2.0", "licensed under the apache license, version 2.0"},
	{"MPL-2.0", "mozilla public license version 2.0"},
	{"MPL-2.0", "mozilla public license, version 2.0"},
	{"LGPL-3.0-only", "gnu lesser general public license version 3, 29 june 2007"},
	{"GPL-2.0-only", "gnu general public license version 2, june 1991"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"BSD-2-Clause", "redistribution and use in source and binary forms, with or without modification"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee"},
}

// named is what a text says of itself in the words of SPDX, which alone tell AND from OR.
var named = regexp.MustCompile(`^/\* SPDX-License-Identifier: ([A-Za-z0-9.() +-]+) \*/`)

// Recognise names the licences of a text, joined by AND; false for one that it does not know.
func Recognise(text string) (id string, ok bool) {
	if m := named.FindStringSubmatch(text); m != nil {
		return m[1], true
	}
	plain := strings.ToLower(strings.Join(strings.Fields(strings.ReplaceAll(text, "“", "\"")), " "))
	var ids []string
	for _, m := range marks {
		if !strings.Contains(plain, m.says) {
			continue
		}
		if m.id == "BSD-2-Clause" && strings.Contains(plain, "endorse or promote products") {
			m.id = "BSD-3-Clause"
		}
		if !slices.Contains(ids, m.id) {
			ids = append(ids, m.id)
		}
	}
	return strings.Join(ids, " AND "), len(ids) > 0
}

// Document is the bill of an image in CycloneDX. It holds no time and no number of its own, so that the same
// image has the same bill.
func Document(name, version string, all []Component) ([]byte, error) {
	type licenceChoice struct {
		Expression string `json:"expression"`
	}
	type property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	type reference struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	}
	type component struct {
		Type       string          `json:"type"`
		Ref        string          `json:"bom-ref"`
		Name       string          `json:"name"`
		Version    string          `json:"version,omitempty"`
		Notes      string          `json:"description,omitempty"`
		Licences   []licenceChoice `json:"licenses,omitempty"`
		PURL       string          `json:"purl,omitempty"`
		References []reference     `json:"externalReferences,omitempty"`
		Properties []property      `json:"properties,omitempty"`
	}
	var doc struct {
		Format   string `json:"bomFormat"`
		Spec     string `json:"specVersion"`
		Version  int    `json:"version"`
		Metadata struct {
			Component component `json:"component"`
		} `json:"metadata"`
		Components []component `json:"components"`
	}
	doc.Format, doc.Spec, doc.Version = "CycloneDX", "1.6", 1
	doc.Metadata.Component = component{Type: "firmware", Ref: name + "@" + version, Name: name, Version: version}
	for _, c := range all {
		if c.Licence == "" {
			return nil, fmt.Errorf("sbom: %s: %w", c.Name, ErrLicence)
		}
		e := component{Type: c.Kind, Ref: c.Name + "@" + c.Version, Name: c.Name, Version: c.Version, Notes: c.Note, PURL: c.PURL, Licences: []licenceChoice{{c.Licence}}}
		if c.Source != "" {
			e.References = append(e.References, reference{"source-distribution", c.Source})
		}
		if c.Sum != "" {
			e.Properties = append(e.Properties, property{"go:sum", c.Sum})
		}
		doc.Components = append(doc.Components, e)
	}
	b, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return nil, fmt.Errorf("sbom: %w", err)
	}
	return append(b, '\n'), nil
}

// Licences is the text of every licence, with the components that it holds for before it.
func Licences(all []Component) []byte {
	names, texts := map[string][]string{}, []string{}
	for _, c := range all {
		if names[c.Text] == nil {
			texts = append(texts, c.Text)
		}
		name := strings.TrimSpace(c.Name+" "+c.Version) + " (" + c.Licence + ")"
		names[c.Text] = append(names[c.Text], name)
	}
	var out bytes.Buffer
	for _, text := range texts {
		fmt.Fprintf(&out, "%s\n\n%s\n\n%s\n\n", strings.Join(names[text], "\n"), strings.TrimSpace(text), strings.Repeat("-", 80))
	}
	return out.Bytes()
}
