package config

import (
	"errors"
	"slices"
	"testing"
)

func TestSessionTimersKeepWithinRFC4028(t *testing.T) {
	trunk := func(more string) string {
		return "trunks: [{id: a, server: h, match: [192.0.2.1/32]" + more + "}]\n"
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"defaults":          {trunk(""), nil},
		"longer":            {"sip: {session_expires: 1h, min_se: 2m}\n" + trunk(", session_expires: 2m"), nil},
		"none":              {"sip: {session_expires: 0s}\n" + trunk(", no_session_timer: true, no_100rel: true"), nil},
		"too short":         {"sip: {session_expires: 80s, min_se: 89s}\n" + trunk(", session_expires: 1m"), []string{"sip.min_se", "sip.session_expires", "trunks[0].session_expires"}},
		"below our own":     {"sip: {session_expires: 2m, min_se: 3m}\n" + trunk(", session_expires: 150s"), []string{"sip.session_expires", "trunks[0].session_expires"}},
		"too long":          {"sip: {session_expires: 25h, min_se: 2h}\n", []string{"sip.min_se", "sip.session_expires"}},
		"negative":          {"sip: {session_expires: -1s}\n", []string{"sip.session_expires"}},
		"a time and no one": {trunk(", session_expires: 5m, no_session_timer: true"), []string{"trunks[0].no_session_timer"}},
	} {
		_, err := Parse([]byte(c.text))
		found, _ := errors.AsType[Problems](err)
		var got []string
		for _, p := range found {
			got = append(got, p.Path)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v (%v)", name, got, err)
		}
	}
}
