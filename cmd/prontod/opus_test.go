package main_test

import (
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
)

// libopus in a phone that speaks nothing else judges both directions of the box's Opus.
func TestAPhoneOfOpusTalksWithOneOfG711(t *testing.T) {
	realPrograms(t)
	t.Run("it calls", func(t *testing.T) {
		o := bench.Start(t, pbxtest.Setup{Agents: 2})
		anna, bruno := byBaresip(o.BaresipOpus(201, hzCaller)), byBaresip(o.Baresip(202, hzAgent))
		anna.calls(bruno, "202")
		part(t, anna, hzCaller, bruno, hzAgent)
	})
	t.Run("it is called", func(t *testing.T) {
		o := bench.Start(t, pbxtest.Setup{Agents: 2})
		anna, bruno := byBaresip(o.Baresip(201, hzCaller)), byBaresip(o.BaresipOpus(202, hzAgent))
		anna.calls(bruno, "202")
		part(t, anna, hzCaller, bruno, hzAgent)
	})
	t.Run("encrypted", func(t *testing.T) {
		o := bench.Start(t, pbxtest.Setup{Agents: 2, SRTP: []string{"required", "off"}})
		anna, bruno := byBaresip(o.BaresipOpus(201, hzCaller, "mediaenc=srtp-mand")), byBaresip(o.Baresip(202, hzAgent))
		anna.calls(bruno, "202")
		part(t, anna, hzCaller, bruno, hzAgent)
	})
}

func TestTwoPhonesOfOpusTalkAndPart(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, bruno := byBaresip(o.BaresipOpus(201, hzCaller)), byBaresip(o.BaresipOpus(202, hzAgent))
	anna.calls(bruno, "202")
	part(t, anna, hzCaller, bruno, hzAgent)
}
