package tel

import (
	"strings"
	"testing"
)

func TestEachNumberOfTheItalianPlanHasItsKind(t *testing.T) {
	for _, c := range []struct {
		name   string
		number Number
		want   Kind
		e164   Number // empty = has none
	}{
		{"Milan", "0287654321", KindGeographic, "+390287654321"},
		{"Rome with its four-digit subscriber number", "061234", KindGeographic, "+39061234"},
		{"the longest geographic number", "09110123456", KindGeographic, "+3909110123456"},
		{"one symbol too many", "091101234567", KindUnknown, ""},
		{"too short to be geographic", "02123", KindExtension, ""},
		{"Milan in international form keeps its zero", "+390287654321", KindGeographic, "+390287654321"},
		{"Milan with 0039", "00390287654321", KindGeographic, "+390287654321"},
		{"Milan whose zero was lost", "+39287654321", KindUnknown, "+39287654321"},
		{"a mobile of ten", "3331234567", KindMobile, "+393331234567"},
		{"a mobile of nine", "333123456", KindMobile, "+39333123456"},
		{"a mobile with a digit too many", "33312345678", KindUnknown, ""},
		{"a mobile with +39", "+393331234567", KindMobile, "+393331234567"},
		{"a nomadic number", "5512345678", KindNomadic, "+395512345678"},
		{"reserved beside the nomadic ones", "5012345678", KindUnknown, ""},
		{"toll-free", "800123456", KindTollFree, "+39800123456"},
		{"toll-free of six", "803116", KindTollFree, "+39803116"},
		{"shared cost 840", "840123456", KindSharedCost, "+39840123456"},
		{"shared cost 841", "841123456", KindSharedCost, "+39841123456"},
		{"shared cost 847", "847123456", KindSharedCost, "+39847123456"},
		{"shared cost 848", "848123456", KindSharedCost, "+39848123456"},
		{"shared cost 199", "199123456", KindSharedCost, "+39199123456"},
		{"a reserved 84", "849123456", KindUnknown, ""},
		{"personal number 178", "1781234567", KindPremium, "+391781234567"},
		{"premium 892", "892424", KindPremium, "+39892424"},
		{"premium 895", "8951234567", KindPremium, "+398951234567"},
		{"premium 899", "899123456", KindPremium, "+39899123456"},
		{"premium with +39", "+39899123456", KindPremium, "+39899123456"},
		{"premium text services", "48383", KindPremium, "+3948383"},
		{"directory enquiries", "1254", KindPremium, ""},
		{"directory enquiries with +39", "+391254", KindPremium, ""},
		{"customer care", "187", KindShort, ""},
		{"mobile customer care", "119", KindShort, ""},
		{"against violence", "1522", KindShort, ""},
		{"children in danger", "114", KindShort, ""},
		{"a service of social value", "116117", KindShort, ""},
		{"internet access", "7020001033", KindInternet, "+397020001033"},
		{"reserved 2", "2123456", KindUnknown, ""},
		{"reserved 6", "6123456", KindUnknown, ""},
		{"an extension", "201", KindExtension, ""},
		{"an extension of five", "20123", KindExtension, ""},
		{"London", "00442071234567", KindInternational, "+442071234567"},
		{"London with +", "+442071234567", KindInternational, "+442071234567"},
		{"abroad in a national dress", "+3900442071234567", KindUnknown, ""},
		{"too many digits for E.164", "+4420712345678901", KindInternational, ""},
		{"too few", "+44", KindInternational, ""},
		{"a feature code", "*43", KindUnknown, ""},
		{"nothing", "", KindUnknown, ""},
		{"only a country code", "+39", KindUnknown, ""},
		{"an extension has no country", "+39201", KindUnknown, ""},
	} {
		if got := c.number.Kind(); got != c.want {
			t.Errorf("%s: %s is kind %d, want %d", c.name, c.number, got, c.want)
		}
		if got, ok := c.number.E164(); ok != (c.e164 != "") || ok && got != c.e164 {
			t.Errorf("%s: %s is %q (%v) in E.164, want %q", c.name, c.number, got, ok, c.e164)
		}
	}
}

func TestEmergencyNumbersAreOneTable(t *testing.T) {
	want := "112 113 115 117 118 1515 1530 116000"
	var all []string
	for _, n := range EmergencyNumbers() {
		all = append(all, string(n))
		for _, dressed := range []Number{n, "+39" + n, "0039" + n} {
			if dressed.Kind() != KindEmergency {
				t.Errorf("%s is kind %d", dressed, dressed.Kind())
			}
		}
		if !n.Emergency() {
			t.Errorf("%s is no emergency number", n)
		}
		if longer := n + "5"; longer.Kind() != KindUnknown || longer.Emergency() {
			t.Errorf("%s, which begins with an emergency number, can be dialled", longer)
		}
	}
	if got := strings.Join(all, " "); got != want || len(all) != len(emergency) {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWaysOfWritingANumber(t *testing.T) {
	for _, c := range []struct{ number, national, digits, masked string }{
		{"+390287654321", "0287654321", "390287654321", "+3*********21"},
		{"00390287654321", "0287654321", "390287654321", "00**********21"},
		{"0287654321", "0287654321", "390287654321", "02******21"},
		{"+442071234567", "00442071234567", "442071234567", "+4*********67"},
		{"00442071234567", "00442071234567", "442071234567", "00**********67"},
		{"187", "187", "187", "187"},
		{"201", "201", "201", "201"},
		{"112", "112", "112", "112"},
		{"", "", "", ""},
	} {
		n := Number(c.number)
		if n.National() != Number(c.national) || n.Digits() != Number(c.digits) || n.Masked() != c.masked {
			t.Errorf("%s: %s %s %s, want %s %s %s", n, n.National(), n.Digits(), n.Masked(), c.national, c.digits, c.masked)
		}
	}
}

func TestTheCountryOfANumberIsTheLongestPrefix(t *testing.T) {
	for n, want := range map[Number]string{
		"0287654321": "IT", "+393331234567": "IT", "00442071234567": "GB", "+441534123456": "JE", "+447781123456": "GG",
		"+12125550100": "US", "+14165550100": "CA", "+18765550100": "JM", "+18095550100": "DO",
		"+74951234567": "RU", "+77271234567": "KZ", "+37861234567": "SM", "+3790669812": "VA",
		"+881612345678": World, "+97912345678": World, "+8821234567890": World, "+85212345678": "HK",
		"+59995551234": "CW", "+5997171234": "BQ", "+262262123456": "RE", "+262639123456": "YT", "+35818123456": "AX",
		"+2101234567": "", "201": "", "": "", "+38312345678": "XK", "+6723123456": "NF", "+21252881234": "EH",
	} {
		if got := n.Country(); got != want {
			t.Errorf("%s: %q, want %q", n, got, want)
		}
	}
	if !KnownCountry("FR") || !KnownCountry(World) || KnownCountry("ZZ") || KnownCountry("") {
		t.Error("known countries")
	}
	for code := range countries {
		if len(code) > longestCode || !digits(code) {
			t.Errorf("prefix %q", code)
		}
	}
}

func TestWhatPeopleWriteIsReducedToSymbols(t *testing.T) {
	for in, want := range map[string]Number{
		"02 87.65-43/21": "0287654321", "(+39) 333 1234567": "+393331234567", "*43": "*43", "#31#02": "#31#02",
	} {
		if got, err := ParseNumber(in); err != nil || got != want {
			t.Errorf("%q: %q %v", in, got, err)
		}
	}
	for _, in := range []string{"", "+", "anna", "0+2", "123456789012345678901234567890123", "12\n"} {
		if got, err := ParseNumber(in); err == nil {
			t.Errorf("%q was taken as %q", in, got)
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"112", "+39112", "0287654321", "+3900441", "(+39) 333", "*21#", "00", "+881612345678"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseNumber(s)
		if err != nil {
			n = Number(s) // what comes from elsewhere must not panic either
		}
		e, ok := n.E164()
		if ok {
			if again, ok := e.E164(); !ok || again != e {
				t.Fatalf("%q: E.164 %q is not its own E.164 (%q)", n, e, again)
			}
			if len(e) > maxE164 || !digits(string(e[1:])) {
				t.Fatalf("%q: %q is no E.164", n, e)
			}
			if k, was := e.Kind(), n.Kind(); k != was {
				t.Fatalf("%q is kind %d, as %q kind %d", n, was, e, k)
			}
		}
		if n.Emergency() && (ok || n.Kind() != KindEmergency) {
			t.Fatalf("%q: an emergency number with kind %d, E.164 %q", n, n.Kind(), e)
		}
		_, _, _, _ = n.National(), n.Digits(), n.Country(), n.Masked()
	})
}
