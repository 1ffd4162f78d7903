package config

import (
	"strings"
	"testing"
	"time"
)

const analog = "version: 1\nlines: [{id: fxo0, name: Fisso, type: fxo, at: usb"

func TestAnalogLineHasItalianTonesUnlessToldOtherwise(t *testing.T) {
	if got := parsed(t, analog+"}]").Lines[0].Analog; got != (Analog{Country: CountryItaly, Recall: RecallSwitch, Silence: time.Hour}) {
		t.Errorf("%+v", got)
	}
	got := parsed(t, analog+", analog: {chip: CX93001, country: us, polarity: true, agc: true, recall: dial, silence: 2m}}]").Lines[0].Analog
	if got != (Analog{Chip: "CX93001", Country: CountryNorthAmerica, Polarity: true, AGC: true, Recall: RecallDial, Silence: 2 * time.Minute}) {
		t.Errorf("%+v", got)
	}
}

func TestAnalogLineRefusesWhatItCannotHave(t *testing.T) {
	for text, path := range map[string]string{
		analog + ", analog: {country: fr}}]":                                                  "lines[0].analog.country",
		analog + `, analog: {chip: "CX\n"}}]`:                                                 "lines[0].analog.chip",
		analog + ", analog: {recall: always}}]":                                               "lines[0].analog.recall",
		analog + ", analog: {silence: 30s}}]":                                                 "lines[0].analog.silence",
		analog + `, pin: "1234"}]`:                                                            "lines[0].pin",
		analog + `, audio: /dev/ttyUSB1}]`:                                                    "lines[0].audio",
		analog + `, second_caller: wait}]`:                                                    "lines[0].second_caller",
		analog + `, sim: {operator: tim}}]`:                                                   "lines[0].sim",
		strings.Replace(analog, "fxo,", "isdn,", 1) + "}]":                                    "lines[0].type",
		strings.Replace(analog, "type: fxo", "type: gsm", 1) + ", analog: {polarity: true}}]": "lines[0].analog",
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want a problem at %s", text, err, path)
		}
	}
}
