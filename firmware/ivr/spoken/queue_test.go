package spoken

import (
	"testing"
	"time"
)

func TestAWaitingCallerIsToldThePlaceInGoodGrammar(t *testing.T) {
	for _, c := range []struct {
		name   string
		say    func(lang string) []string
		it, en string
	}{
		{"next", func(l string) []string { return Position(l, 1) }, "Lei è il prossimo in attesa.", "You are next in line."},
		{"one ahead", func(l string) []string { return Position(l, 2) }, "Prima di lei c'è una persona in attesa.", "There is one person ahead of you."},
		{"two ahead", func(l string) []string { return Position(l, 3) }, "Prima di lei ci sono due persone in attesa.", "There are two people ahead of you."},
		{"21 ahead", func(l string) []string { return Position(l, 22) }, "Prima di lei ci sono ventuno persone in attesa.", "There are twenty-one people ahead of you."},
		{"no place", func(l string) []string { return Position(l, 0) }, "", ""},
		{"more than ten", func(l string) []string { return MoreThan(l, 10) }, "Prima di lei ci sono più di dieci persone in attesa.", "There are more than ten people ahead of you."},
		{"more than one", func(l string) []string { return MoreThan(l, 1) }, "Prima di lei ci sono due persone in attesa.", "There are two people ahead of you."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := sentence(t, "it", c.say("it")); got != c.it {
				t.Errorf("%q, want %q", got, c.it)
			}
			if got := sentence(t, "en", c.say("en")); got != c.en {
				t.Errorf("%q, want %q", got, c.en)
			}
		})
	}
}

func TestTheExpectedWaitIsAnInterval(t *testing.T) {
	for _, c := range []struct {
		from, to int
		it, en   string
	}{
		{3, 6, "Il tempo di attesa previsto è fra tre e sei minuti.", "The expected wait is between three and six minutes."},
		{1, 3, "Il tempo di attesa previsto è fra uno e tre minuti.", "The expected wait is between one and three minutes."},
		{4, 4, "Il tempo di attesa previsto è di circa quattro minuti.", "The expected wait is about four minutes."},
		{1, 1, "Il tempo di attesa previsto è di circa un minuto.", "The expected wait is about one minute."},
		{0, 1, "Il tempo di attesa previsto è inferiore a un minuto.", "The expected wait is less than one minute."},
		{0, 5, "Il tempo di attesa previsto è inferiore a cinque minuti.", "The expected wait is less than five minutes."},
		{0, 0, "", ""},
		{7, 2, "Il tempo di attesa previsto è di circa due minuti.", "The expected wait is about two minutes."},
		{-3, 2, "Il tempo di attesa previsto è inferiore a due minuti.", "The expected wait is less than two minutes."},
	} {
		if got := sentence(t, "it", Wait("it", c.from, c.to)); got != c.it {
			t.Errorf("%d-%d: %q, want %q", c.from, c.to, got, c.it)
		}
		if got := sentence(t, "en", Wait("en", c.from, c.to)); got != c.en {
			t.Errorf("%d-%d: %q, want %q", c.from, c.to, got, c.en)
		}
	}
}

func TestACallerIsToldWhenTheCallBackIsExpected(t *testing.T) {
	for _, c := range []struct {
		from, to int
		it, en   string
	}{
		{10, 10, "Dovrebbe essere fra circa dieci minuti.", "That should be in about ten minutes."},
		{1, 1, "Dovrebbe essere fra circa un minuto.", "That should be in about one minute."},
		{5, 10, "Dovrebbe essere fra cinque e dieci minuti.", "That should be in between five and ten minutes."},
		{0, 5, "Dovrebbe essere entro cinque minuti.", "That should be within five minutes."},
		{0, 1, "Dovrebbe essere entro un minuto.", "That should be within one minute."},
		{-2, 120, "Dovrebbe essere entro cento venti minuti.", "That should be within one hundred and twenty minutes."},
		{9, 4, "Dovrebbe essere fra circa quattro minuti.", "That should be in about four minutes."},
		{0, 0, "", ""},
		{3, -1, "", ""},
	} {
		if got := sentence(t, "it", CallbackIn("it", c.from, c.to)); got != c.it {
			t.Errorf("%d-%d: %q, want %q", c.from, c.to, got, c.it)
		}
		if got := sentence(t, "en", CallbackIn("en", c.from, c.to)); got != c.en {
			t.Errorf("%d-%d: %q, want %q", c.from, c.to, got, c.en)
		}
	}
}

func TestAnAgentIsToldHowLongTheCallerHasWaited(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		20 * time.Second:  {"attesa meno di un minuto.", "waited less than a minute."},
		80 * time.Second:  {"attesa un minuto.", "waited one minute."},
		2 * time.Minute:   {"attesa due minuti.", "waited two minutes."},
		12 * time.Minute:  {"attesa dodici minuti.", "waited twelve minutes."},
		-1 * time.Minute:  {"attesa meno di un minuto.", "waited less than a minute."},
		100 * time.Second: {"attesa due minuti.", "waited two minutes."},
	} {
		for i, lang := range []string{"it", "en"} {
			if got := sentence(t, lang, Waited(lang, d)); got != want[i] {
				t.Errorf("%v: %q, want %q", d, got, want[i])
			}
		}
	}
}

func TestEveryKeyOfACallbackCanBeSaid(t *testing.T) {
	for _, key := range "0123456789*#" {
		for _, lang := range []string{"it", "en"} {
			if got := sentence(t, lang, CallbackOffer(key)); got == "" {
				t.Errorf("key %c in %s is not said", key, lang)
			}
		}
	}
}
