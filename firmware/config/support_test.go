package config

import "testing"

func TestTheEndOfSupportIsADay(t *testing.T) {
	for text, good := range map[string]bool{"": true, "2031-12-31": true, "2031-02-30": false, "soon": false, "12-31": false} {
		c := Default()
		c.Box.SupportUntil = text
		if p := c.Validate(); (len(p) == 0) != good {
			t.Errorf("%q: %v", text, p)
		}
	}
}
