package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
)

// baresip's srtp-mand takes no plain audio and its srtp none where keys were agreed, so what it hears
// was encrypted.
func TestPhonesWithSRTPHearEachOtherAndPlainOnes(t *testing.T) {
	realPrograms(t)
	for _, c := range []struct {
		name                     string
		box                      []string // of 201 and 202
		callerPhone, calleePhone string
	}{
		{"both required", []string{"required", "required"}, "mediaenc=srtp-mand", "mediaenc=srtp-mand"},
		{"from required to plain", []string{"required", "off"}, "mediaenc=srtp-mand", ""},
		{"from plain to required", []string{"off", "required"}, "", "mediaenc=srtp-mand"},
		{"from one who need not to plain", []string{"optional", "optional"}, "mediaenc=srtp", ""},
		{"with feedback", []string{"optional", "required"}, "mediaenc=srtp-mandf", "mediaenc=srtp-mand"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := bench.Start(t, pbxtest.Setup{Agents: 2, SRTP: c.box})
			anna := byBaresip(o.Baresip(201, hzCaller, params(c.callerPhone)...))
			bruno := byBaresip(o.Baresip(202, hzAgent, params(c.calleePhone)...))
			anna.calls(bruno, "202")
			part(t, anna, hzCaller, bruno, hzAgent)
		})
	}
}

// libsrtp in linphone and libre in baresip, the one against the other through the box.
func TestLinphoneAndBaresipHearEachOtherEncryptedAndHold(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2, SRTP: []string{"required", "required"}})
	callHoldAndPart(t, o, o.Linphone(201, hzCaller, "media_encryption=srtp", "media_encryption_mandatory=1"), o.Baresip(202, hzAgent, "mediaenc=srtp-mand"))
}

// The phones know nothing of the restart: their keys and rollover counters go on.
func TestAnEncryptedCallGoesOnAfterAKill(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2, SRTP: []string{"required", "required"}})
	anna, bruno := byBaresip(o.Baresip(201, hzCaller, "mediaenc=srtp-mand")), byBaresip(o.Baresip(202, hzAgent, "mediaenc=srtp-mand"))
	anna.calls(bruno, "202")
	time.Sleep(talk)
	o.Kill()
	time.Sleep(time.Second)
	part(t, anna, hzCaller, bruno, hzAgent)
}

func TestAPhoneWithoutTheRequiredSRTPIsRefused(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2, SRTP: []string{"required", "required"}})
	anna := o.Baresip(201, hzCaller)
	phone(t, o, 202, hzAgent, nil)
	anna.Dial("202")
	if why := anna.Until("CALL_CLOSED"); !strings.Contains(why, "488") {
		t.Errorf("a call without SRTP ended with %q", why)
	}
	o.Says("the audio is not encrypted, which is required here")
}

func params(p string) []string {
	if p == "" {
		return nil
	}
	return []string{p}
}
