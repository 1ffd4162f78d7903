package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestBansAndRegistrationsHaveTheirDefaults(t *testing.T) {
	c := parsed(t, office)
	if !reflect.DeepEqual(c.SIP.Bans, defaultBans()) || c.SIP.Registrations != defaultRegistrations() {
		t.Errorf("%+v %+v", c.SIP.Bans, c.SIP.Registrations)
	}
	c = parsed(t, `sip: {bans: {tries: 5, far: [1h, 48h], never: [198.51.100.0/24]}, registrations: {per_phone: 2}}`)
	b := c.SIP.Bans
	if b.Tries != 5 || !reflect.DeepEqual(b.Far, []time.Duration{time.Hour, 48 * time.Hour}) || len(b.Near) != 3 || len(b.Never) != 1 || c.SIP.Registrations.PerPhone != 2 {
		t.Errorf("%+v", c.SIP)
	}
	d := c.Clone()
	d.SIP.Bans.Far[0] = time.Minute
	if got := Diff(c, d); len(got) != 1 || got[0].String() != "sip.bans.far changed: [1h0m0s, 48h0m0s] -> [1m0s, 48h0m0s]" {
		t.Errorf("%v", got)
	}
}

func TestWhatIsWrongWithBansIsSaidByItsPath(t *testing.T) {
	for text, want := range map[string]string{
		"bans: {tries: 2}":                 "sip.bans.tries",
		"bans: {window: 1s}":               "sip.bans.window",
		"bans: {names: 1}":                 "sip.bans.names",
		"bans: {far: []}":                  "sip.bans.far",
		"bans: {far: [1s]}":                "sip.bans.far[0]",
		"bans: {far: [2h, 1h]}":            "sip.bans.far[1]",
		"bans: {near: [48h]}":              "sip.bans.near[0]",
		"bans: {never: [\"\"]}":            "sip.bans.never[0]",
		"registrations: {min_expires: 1s}": "sip.registrations.min_expires",

		"registrations: {min_expires: 30m, max_expires: 10m}":           "sip.registrations.min_expires",
		"registrations: {max_expires: 48h}":                             "sip.registrations.max_expires",
		"registrations: {per_phone: 0}":                                 "sip.registrations.per_phone",
		"registrations: {per_second: 0}":                                "sip.registrations.per_second",
		"bans: {far: [1m,1m,1m,1m,1m,1m,1m,1m,1m,1m,1m]}":               "sip.bans.far",
		"bans: {tries: 3, window: 1m, names: 5, far: [1m], near: [1s]}": "",
	} {
		_, err := Parse([]byte("sip: {" + text + "}"))
		p, _ := errors.AsType[Problems](err)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if len(p) != 1 || !strings.HasPrefix(p[0].Path, want) || p[0].Path != want {
			t.Errorf("%s: %v, want a problem of %s", text, err, want)
		}
	}
}
