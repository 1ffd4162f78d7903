package config

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestOpusIsBoundedByTheBoardOrByWhoSaysSo(t *testing.T) {
	if c, err := Parse([]byte(office)); err != nil || c.Media.OpusMax != -1 {
		t.Errorf("%+v, %v", c, err)
	}
	for text, ok := range map[string]bool{"-1": true, "0": true, "64": true, "-2": false, "65": false} {
		_, err := Parse([]byte("media: {opus_max: " + text + "}\n"))
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "media.opus_max") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestBrowsersHaveAPortOfTheirOwnAndALimit(t *testing.T) {
	c, err := Parse([]byte(office))
	if err != nil || c.Media.Browsers != (Browsers{Port: 16382, Max: 8}) {
		t.Errorf("%+v, %v", c.Media.Browsers, err)
	}
	for text, want := range map[string]string{
		"{port: 80}":         "media.browsers.port range",
		"{port: 70000}":      "media.browsers.port range",
		"{port: 16384}":      "media.browsers.port duplicate",
		"{port: 5060}":       "media.browsers.port duplicate",
		"{max: -1}":          "media.browsers.max range",
		"{max: 65}":          "media.browsers.max range",
		"{port: 30000}":      "",
		"{max: 0}":           "",
		"{port: 1, max: 99}": "media.browsers.max range, media.browsers.port range",
	} {
		_, err := Parse([]byte("media: {browsers: " + text + "}\n"))
		found, _ := errors.AsType[Problems](err)
		got := ""
		for i, p := range found {
			if i > 0 {
				got += ", "
			}
			got += p.Path + " " + p.Code
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestThePageIsOneOfThePhonesOfWhoMayTelephoneWithIt(t *testing.T) {
	const people = `
phones: [{id: "201", password: password-of-201}, {id: browser-bruno, password: password-of-two}]
agents: [{id: anna, name: Anna, extension: "201", phones: ["201"], browser: true}, {id: bruno, name: Bruno, extension: "202"}]
`
	c, err := Parse([]byte(people))
	if err != nil {
		t.Fatal(err)
	}
	p := c.DialPlan()
	for i, want := range [][]tel.DeviceID{{"201", "browser-anna"}, nil} {
		if got := p.Extensions[i].Devices; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", p.Extensions[i].Name, got, want)
		}
	}
	if x, ok := p.At("browser-anna"); !ok || x.Agent != "anna" {
		t.Errorf("at her page: %+v, %v", x, ok)
	}
	if len(c.Agents[0].Phones) != 1 {
		t.Error("the configuration was changed by looking at it")
	}
	after := c.Clone()
	after.Agents[0].Browser = false
	if d := Diff(c, after); len(d) != 1 || d[0].Path != "agents[anna].browser" {
		t.Errorf("%v", d)
	}
	c.Agents[1].Browser = true
	if found := c.Validate(); len(found) != 1 || found[0].Path != "agents[bruno].browser" || found[0].Code != "duplicate" {
		t.Errorf("a phone with the name of a page: %v", found)
	}
}
