package i18n

import (
	"regexp"
	"slices"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestItalianAndEnglishSayTheSameThings(t *testing.T) {
	it, err := Load("it")
	if err != nil {
		t.Fatal(err)
	}
	en, err := Load("en")
	if err != nil {
		t.Fatal(err)
	}
	hole := regexp.MustCompile(`\{\d\}`)
	for _, pair := range [][2]*Catalogue{{it, en}, {en, it}} {
		for _, k := range pair[0].Keys() {
			other, ok := pair[1].texts[k]
			if !ok {
				t.Errorf("%s lacks %q", pair[1].Lang, k)
				continue
			}
			a, b := hole.FindAllString(pair[0].texts[k], -1), hole.FindAllString(other, -1)
			slices.Sort(a)
			slices.Sort(b)
			if !slices.Equal(a, b) {
				t.Errorf("%q has holes %v in %s and %v in %s", k, a, pair[0].Lang, b, pair[1].Lang)
			}
		}
	}
}

func TestEveryStateAndCauseHasItsWords(t *testing.T) {
	for _, lang := range Languages() {
		c, err := Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, s := range tel.AgentStates() {
			keys = append(keys, "state."+s.String())
		}
		for _, s := range []tel.CallStage{tel.StageRouting, tel.StageGreeting, tel.StageWaiting, tel.StageRinging, tel.StageTalking, tel.StageParked, tel.StageMenu, tel.StageMeeting, tel.StageEnded} {
			keys = append(keys, "stage."+string(s))
		}
		for _, l := range tel.LineCauses() {
			keys = append(keys, "cause."+string(l))
		}
		for _, a := range tel.AlarmKinds() {
			keys = append(keys, "condition.alarm_"+string(a))
		}
		for _, s := range []tel.SMSState{
			tel.SMSIn, tel.SMSBroken, tel.SMSQueued, tel.SMSOut, tel.SMSArrived, tel.SMSLost, tel.SMSFailure, tel.SMSUncertain,
		} {
			keys = append(keys, "text."+string(s))
		}
		for _, k := range keys {
			if _, ok := c.texts[k]; !ok {
				t.Errorf("%s lacks %q", lang, k)
			}
		}
	}
}

func TestAMissingKeyShowsItself(t *testing.T) {
	c, err := Load("it")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.T("no.such.key"); got != "⟦no.such.key⟧" {
		t.Error(got)
	}
	if got := c.N("waiting", 3); got != "3 persone in attesa" {
		t.Error(got)
	}
}
