package config

import (
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
)

func TestADoorHasItsDefaultsAndANumberOfItsOwn(t *testing.T) {
	c := parsed(t, office+`
contacts: [{name: Rossi, number: "+39 06 1234567"}]
`)
	c.Phones = append(c.Phones, Phone{ID: "door", Name: "Portone", Password: "a-door-has-secrets", Extension: "290", Door: &Door{}})
	c.normalise()
	if found := c.Validate(); len(found) > 0 {
		t.Fatal(found)
	}
	if d := c.Phones[len(c.Phones)-1].Door; d.Key != "5" || d.For != 3*time.Second || d.Driver != "sim" {
		t.Errorf("%+v", d)
	}
	p := c.DialPlan()
	x, ok := p.At("door")
	if !ok || x.Number != "290" || x.Name != "Portone" || x.Agent != "" {
		t.Errorf("the door is at %+v, %v", x, ok)
	}
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	if d := dialplan.Route(p, dialplan.Request{Device: "door", Dialed: "201", At: at}); d.Action != dialplan.Rings {
		t.Errorf("the door calls 201: %+v", d)
	}
	if d := dialplan.Route(p, dialplan.Request{Device: "door", Dialed: "0612345678", At: at}); d.Why != dialplan.WhyForbidden {
		t.Errorf("who stands at the door calls outside: %+v", d)
	}
	if d := dialplan.Route(p, dialplan.Request{Device: "201", Dialed: "290", At: at}); d.Action != dialplan.Rings || d.Ring.Branches[0].Devices[0] != "door" {
		t.Errorf("201 calls the door: %+v", d)
	}
}

func TestMistakesOfDoorsAndThePhoneBookAreFound(t *testing.T) {
	c := parsed(t, office)
	c.Contacts = []Contact{{Name: " ", Number: "nonsense"}}
	c.Phones = append(c.Phones, Phone{ID: "door", Password: "a-door-has-secrets", SRTP: SRTPOff, Extension: "201", Dial: []string{"moon"}, Door: &Door{Key: "55", For: time.Hour, Driver: "gpio"}})
	text := c.Validate().Error()
	for _, want := range []string{"contacts[0].name", "contacts[0].number", ".extension", ".dial[0]", ".door.key", ".door.for", ".door: a gpio output"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing about %s in\n%s", want, text)
		}
	}
}
