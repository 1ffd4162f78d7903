package web

import (
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/i18n"
)

func TestEverythingThatCanBeWrongWithTheSoundHasItsSentence(t *testing.T) {
	keys := []string{"calls.sound", "sound." + heard(tel.LegSound{Trouble: tel.SoundOneWay})}
	for _, m := range []tel.Machine{tel.MachineFax, tel.MachineModem} {
		keys = append(keys, "calls.machine."+string(m))
	}
	for _, x := range []tel.SoundTrouble{
		tel.SoundOneWay, tel.SoundStall, tel.SoundBursts, tel.SoundLoss, tel.SoundJitter, tel.SoundReordering, tel.SoundEcho, tel.SoundDrift, tel.SoundSilence,
	} {
		keys = append(keys, "sound.trouble."+string(x))
	}
	for _, p := range []tel.SoundPlace{tel.SoundAtPhone, tel.SoundAtCarrier, tel.SoundAtBox} {
		keys = append(keys, "sound.place."+string(p), "condition.sound_"+string(p))
	}
	for mos := 1.0; mos <= 4.5; mos += 0.1 {
		keys = append(keys, "sound."+opinion(mos))
	}
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if !cat.Has(k) {
				t.Errorf("%s has no %q", lang, k)
			}
		}
	}
	if got := heard(tel.LegSound{}); got != "" {
		t.Errorf("what is not known is %q", got)
	}
}
