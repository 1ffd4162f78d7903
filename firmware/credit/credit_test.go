package credit

import (
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)

func TestTheTableOfOperatorsSaysWhatItKnowsAndFromWhere(t *testing.T) {
	all, err := Operators()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, o := range all {
		ids = append(ids, o.ID)
		if o.Name == "" || o.Source == "" || len(o.Senders) == 0 || !slices.Contains([]string{"official", "reported", "none"}, o.Certainty) ||
			(o.Ask == "") != (o.Certainty == "none") {
			t.Errorf("%+v", o)
		}
	}
	if want := []string{"tim", "vodafone", "windtre", "iliad", "ho", "kena", "postemobile", "fastweb"}; !slices.Equal(ids, want) {
		t.Errorf("operators %q", ids)
	}
	for _, tt := range []struct{ id, network, want string }{
		{"", "22201", "tim"}, {"ho", "22210", "ho"}, {"", "22210", "vodafone"}, {"", "20801", ""}, {"none", "22201", ""}, {"", "", ""},
	} {
		if o, ok := Find(all, tt.id, tt.network); o.ID != tt.want || ok != (tt.want != "") {
			t.Errorf("%+v gives %q", tt, o.ID)
		}
	}
	if o, _ := Find(all, "tim", ""); !o.Says("tim") || o.Says("TIMESHARE") {
		t.Error("the operator is not known by its name")
	}
}

func TestCreditIsReadFromTheWordsOfOperators(t *testing.T) {
	end := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	tests := map[string]struct {
		amount tel.Money
		ends   time.Time
		ok     bool
	}{
		"Il tuo credito residuo e' di 12,50 euro.":                                     {125_000, time.Time{}, true},
		"Credito: 12.50 Euro\nScade il 31/12/2026":                                     {125_000, end, true},
		"Il credito della tua SIM è pari a € 3,0125. La SIM è valida fino al 31-12-26": {30_125, end, true},
		"Saldo: EUR 0,00": {0, time.Time{}, true},
		"Gentile cliente, il tuo credito disponibile e 7 €. Ricarica entro il 31.12.2026":         {70_000, end, true},
		"Your credit is 5.20 EUR, expires 31/12/2026":                                             {52_000, end, true},
		"Hai 3 messaggi. Credito residuo 9,99€":                                                   {99_900, time.Time{}, true},
		"Credito 5 euro, scade il 31/02/2026":                                                     {50_000, time.Time{}, true}, // no such day
		"Offerta a 7,99 euro al mese: attivala":                                                   {0, time.Time{}, false},
		"Credito insufficiente":                                                                   {0, time.Time{}, false},
		"Il credito si puo ricaricare in 1000 punti vendita, anche dal sito, con la carta 5 euro": {0, time.Time{}, false},
		"": {0, time.Time{}, false},
	}
	for text, want := range tests {
		got, ok := Read(text, now)
		if ok != want.ok || got.Amount != want.amount || !got.Expires.Equal(want.ends) || got.Known != want.ok {
			t.Errorf("%q: %+v %v, want %+v", text, got, ok, want)
		}
	}
}

func TestWhoShouldTopUpIsTold(t *testing.T) {
	l := Limits{Below: 5 * tel.Euro, Days: 14}
	for _, tt := range []struct {
		b    Balance
		want string
	}{
		{Balance{}, ""},
		{Balance{Known: true, Amount: 5 * tel.Euro}, ""},
		{Balance{Known: true, Amount: 5*tel.Euro - 100}, "only 4.99 euros are left"},
		{Balance{Known: true, Amount: 9 * tel.Euro, Expires: now.AddDate(0, 0, 13)}, "it ends on 2026-12-10"},
		{Balance{Known: true, Amount: 9 * tel.Euro, Expires: now.AddDate(0, 0, 15)}, ""},
		{Balance{Known: true, Amount: 9 * tel.Euro, Expires: now.AddDate(0, 0, -1)}, "it ended on 2026-11-26"},
	} {
		if got := tt.b.Judge(l, now); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.b, got, tt.want)
		}
	}
}

func TestASIMIsAskedOnceADay(t *testing.T) {
	for _, tt := range []struct {
		asked time.Time
		want  bool
	}{{time.Time{}, true}, {now.Add(-23 * time.Hour), false}, {now.Add(-24 * time.Hour), true}, {now.Add(time.Hour), true}} {
		if got := Due(tt.asked, now); got != tt.want {
			t.Errorf("asked %v: due %v", tt.asked, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("Il tuo credito residuo e' di 12,50 euro. Scade il 31/12/2026")
	f.Add("Saldo € 999999,9999 entro 99/99/99")
	f.Fuzz(func(t *testing.T, text string) {
		if b, ok := Read(text, now); ok && (b.Amount < 0 || !b.Known) || !ok && b != (Balance{}) {
			t.Errorf("%q gives %+v", text, b)
		}
	})
}
