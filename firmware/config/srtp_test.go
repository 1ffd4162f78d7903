package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestSRTPIsOptionalForPhonesOffForTrunksAndOneOfThree(t *testing.T) {
	c, err := Parse([]byte(office))
	if err != nil {
		t.Fatal(err)
	}
	if c.Phones[0].SRTP != SRTPOptional || c.Trunks[0].SRTP != SRTPOff {
		t.Errorf("defaults: phone %q, trunk %q", c.Phones[0].SRTP, c.Trunks[0].SRTP)
	}
	for _, mode := range []SRTP{SRTPOff, SRTPOptional, SRTPRequired, "always"} {
		text := strings.ReplaceAll(office, "name: Bruno, password", fmt.Sprintf("name: Bruno, srtp: %s, password", mode))
		text = strings.ReplaceAll(text, "name: TIM,", fmt.Sprintf("name: TIM, srtp: %s,", mode))
		c, err := Parse([]byte(text))
		if mode == "always" {
			found, _ := errors.AsType[Problems](err)
			if len(found) != 2 || found[0].Path != "phones[1].srtp" || found[1].Path != "trunks[0].srtp" || found[0].Code != "choice" {
				t.Errorf("%s: %v", mode, err)
			}
			continue
		}
		if err != nil || c.Phones[1].SRTP != mode || c.Trunks[0].SRTP != mode {
			t.Errorf("%s: %v, phone %q, trunk %q", mode, err, c.Phones[1].SRTP, c.Trunks[0].SRTP)
		}
	}
}
