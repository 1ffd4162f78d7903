package gsm

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestLinesOfTheMakers(t *testing.T) {
	moved := func(id int, in bool, s callStat, n tel.Number) event {
		return event{kind: evCall, call: call{id: id, inbound: in, stat: s, number: n}}
	}
	tests := []struct {
		line string
		news news
		e    event
	}{
		// Huawei.
		{"^ORIG:1,0", newsCall, moved(1, false, statDialing, "")},
		{"^ORIG: 2,0", newsCall, moved(2, false, statDialing, "")},
		{"^CONF:1", newsCall, moved(1, false, statAlerting, "")},
		{"^CONN:1,0", newsCall, event{kind: evBegin}},
		{"^CEND:1,37,104,16", newsCall, event{kind: evEnd}},
		{"^CEND:1,0,104,31", newsCall, event{kind: evEnd}},
		{"^CEND:1,0,104,17", newsCall, event{kind: evEnd, cause: tel.CauseBusy}},
		{"^CEND:1,0,104", newsCall, event{kind: evEnd}},
		{"^CEND:", newsCall, event{kind: evEnd}},
		{"^RSSI:18", newsSignal, event{}},
		{"^BOOT:22902574,0,0,0,77", newsBeacon, event{}},
		{"^MODE:5,4", newsNoise, event{}},
		{"^DSFLOWRPT:0000,00", newsNoise, event{}},
		// Quectel.
		{`+QIND: "ccinfo",1,1,4,0,0,"+39333",145`, newsCall, moved(1, true, statIncoming, "+39333")},
		{`+QIND: "ccinfo",1,0,-1,0,0,"0612",129`, newsCall, moved(1, false, statReleased, "0612")},
		{`+QIND: "ccinfo",1,0,7,0,0,"0612",129`, newsCall, moved(1, false, statReleased, "0612")},
		{`+QIND: "ccinfo",2,0,0,1,0,"",129`, newsNoise, event{}}, // a data call
		{`+QIND: "ring"`, newsNoise, event{}},
		{`+QIND: "ccinfo"`, newsNoise, event{}},
		{`^DSCI: 1,1,4,0,+39333,145`, newsCall, moved(1, true, statIncoming, "+39333")},
		{`^DSCI: 1,0,6,0,0612,129`, newsCall, moved(1, false, statReleased, "0612")},
		{"+QTONEDET: 53", newsCall, event{kind: evDigit, digit: '5'}},
		{"+QTONEDET: 35", newsCall, event{kind: evDigit, digit: '#'}},
		{"+QTONEDET: 999", newsUnknown, event{}},
		{"+QTONEDET: 32", newsUnknown, event{}},
		{"+QPCMV: 0,0", newsFlow, event{}},
		// SIM800.
		{"+DTMF: 5,80", newsCall, event{kind: evDigit, digit: '5'}},
		{"+DTMF: ,80", newsUnknown, event{}},
		{"NORMAL POWER DOWN", newsPower, event{}},
		{"UNDER-VOLTAGE WARNNING", newsPower, event{}},
		// Telit.
		{"#DTMFEV: 8", newsCall, event{kind: evDigit, digit: '8'}},
		{"#ECAM: 0,1,1,,,", newsCall, moved(0, false, statDialing, "")},
		{"#ECAM: 0,6,1,,,", newsCall, event{kind: evRing}},
		{"#ECAM: 0,3,1,,,", newsCall, event{kind: evBegin}},
		{"#ECAM: 0,0,1,,,", newsCall, event{kind: evEnd}},
		{"#ECAM: 0,7,1,,,", newsCall, event{kind: evBusy}},
		{"#ECAM: 1,5,1,,,", newsCall, event{kind: evKnock}},
		{"#ECAM: 0,9,1,,,", newsNoise, event{}},
		// All.
		{`+CCWA: "+39333",145,1`, newsCall, event{kind: evKnock, number: "+39333"}},
		{`+CCWA: "",128,1`, newsCall, event{kind: evKnock}},
	}
	for _, tt := range tests {
		if got := parseSignal(tt.line); got.news != tt.news || !reflect.DeepEqual(got.event, tt.e) {
			t.Errorf("%q: %+v", tt.line, got)
		}
	}
	if s := parseSignal("+QPCMV: 1,0"); !s.going {
		t.Errorf("go on: %+v", s)
	}
}

func TestDialectsAreChosenByModelAndThenByMaker(t *testing.T) {
	for _, tt := range []struct{ maker, model, want string }{
		{"SIMCOM INCORPORATED", "SIMCOM_SIM7600E-H", "SIM7600"},
		{"SIMCOM INCORPORATED", "SIMCOM_SIM7500A", "SIM7600"},
		{"INCORPORATED", "A7670E-FASE", "A7670"},
		{"INCORPORATED", "A7672S-FASE", "A7670"},
		{"SIMCOM_Ltd", "SIMCOM_SIM800L", "SIM800"},
		{"Quectel", "EC25", "Quectel EC2x"},
		{"Quectel", "EG25-G", "Quectel EC2x"},
		{"Quectel_Ltd", "Quectel_M95", "Quectel M95"},
		{"huawei", "E173", "Huawei stick"},
		{"HUAWEI", "K3765", "Huawei stick"},
		{"huawei", "ME909s-120", "27.007"}, // an LTE module without voice
		{"Telit", "LE910C1-EU", "Telit"},
		{"telit ", "UL865-EUR", "Telit"},
		{"ACME", "1", "27.007"},
		{"", "", "27.007"},
	} {
		if got := dialectFor(tt.maker, tt.model).name; got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.maker, tt.model, got, tt.want)
		}
	}
}

// A hang-up must be possible in every dialect, and a dialect that has sound must be able to switch it on.
func TestEveryDialectIsWhole(t *testing.T) {
	for _, d := range append(dialects(), &generic) {
		for i, h := range d.hangup {
			if h == "" {
				t.Errorf("%s: rung %d of the hang-up is empty", d.name, i)
			}
		}
		if d.name == "" || d.reset == "" || d.digits == "" || len(d.settings) == 0 || d.pinTries.text == "" {
			t.Errorf("%s: %+v", d.name, d)
		}
		if d.sound.serial != (d.sound.on != "") {
			t.Errorf("%s: sound %+v", d.name, d.sound)
		}
		for _, l := range d.layouts {
			if d.sound.serial && l.audio == l.command {
				t.Errorf("%s: one interface for commands and sound: %+v", d.name, l)
			}
		}
	}
}

func TestReasonsInNumbers(t *testing.T) {
	for text, want := range map[string]tel.Cause{
		"+CEER: 5,17": tel.CauseBusy, "+CEER: 21": tel.CauseRejected, "+CEER: 5,1": tel.CauseUnallocated, "+CEER: 16": tel.CauseNone,
		"+CEER: Cause: 34": tel.CauseCongestion, "+CEER: 99999999999999999999": tel.CauseNone,
	} {
		if got := causeFromText([]string{text}); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestTheNumberOfTheSIMIsReadInEveryForm(t *testing.T) {
	for line, want := range map[string]string{
		"+ICCID: 8939010000000000001":       "8939010000000000001",
		`+CCID: "89390100000000000012"`:     "89390100000000000012",
		"89390100000000000012":              "89390100000000000012",
		"^ICCID: 8939010000000000001F":      "8939010000000000001",
		"+QCCID: 8939010000000000001FFFFFF": "8939010000000000001",
		"ERROR":                             "", "8939": "", "893901000000000000X": "",
	} {
		if got := iccidOf([]string{line}); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestAProductThatTwoFamiliesShareIsOfferedOnceForEachCommandPort(t *testing.T) {
	sys := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		full := filepath.Join(sys, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text+"\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for device, id := range map[string][2]string{"1-1": {"1e0e", "9011"}, "1-2": {"2c7c", "0125"}, "1-3": {"12d1", "1001"}, "1-4": {"046d", "c31c"}} {
		write("devices/"+device+"/idVendor", id[0])
		write("devices/"+device+"/idProduct", id[1])
		write("devices/"+device+"/busnum", "1")
		write("devices/"+device+"/devpath", device[2:])
		for _, iface := range []string{"00", "01", "02", "03", "04", "05", "06"} {
			tty := "ttyUSB" + device[2:] + iface[1:]
			write("devices/"+device+"/if"+iface+"/bInterfaceNumber", iface)
			write("devices/"+device+"/if"+iface+"/"+tty+"/dev", "188:0")
			class := filepath.Join(sys, "class/tty", tty)
			err := errors.Join(os.MkdirAll(class, 0o755), os.Symlink(filepath.Join(sys, "devices", device, "if"+iface, tty), filepath.Join(class, "device")))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := OnUSB(sys, "/dev", "")()
	want := []Ports{
		{"/dev/ttyUSB14", "/dev/ttyUSB16", "1-1"}, {"/dev/ttyUSB22", "/dev/ttyUSB21", "1-2"}, {"/dev/ttyUSB32", "/dev/ttyUSB31", "1-3"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}
