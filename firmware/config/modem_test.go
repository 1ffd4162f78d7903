package config

import (
	"errors"
	"testing"
)

func TestALineNamesItsModemAndWhatItDoesWithASecondCaller(t *testing.T) {
	const gsm = "lines: [{id: gsm0, name: Mobile, type: gsm, at: usb"
	if got := parsed(t, gsm+"}]").Lines[0]; got.IMEI != "" || got.ICCID != "" || got.SecondCaller != SecondCallerBusy {
		t.Errorf("read %+v", got)
	}
	got := parsed(t, gsm+`, imei: "860000000000001", iccid: "8939010000000000001", second_caller: wait}]`).Lines[0]
	if got.IMEI != "860000000000001" || got.ICCID != "8939010000000000001" || got.SecondCaller != SecondCallerWaits {
		t.Errorf("read %+v", got)
	}
	for text, path := range map[string]string{
		`imei: "8600"`:              "lines[0].imei",
		`imei: "86000000000000A"`:   "lines[0].imei",
		`iccid: "123"`:              "lines[0].iccid",
		`second_caller: conference`: "lines[0].second_caller",
	} {
		_, err := Parse([]byte(gsm + ", " + text + "}]"))
		var found Problems
		if !errors.As(err, &found) || len(found) != 1 || found[0].Path != path {
			t.Errorf("%s: %v", text, err)
		}
	}
}
