package spoken

import (
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/media/prompt"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// library opens the recordings once for all tests.
var library = sync.OnceValues(prompt.New)

// sentence is what a person hears: the texts of the recordings, which must all exist.
func sentence(t *testing.T, lang string, names []string) string {
	t.Helper()
	l, err := library()
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, n := range names {
		if _, err := l.Get(lang, n); err != nil {
			t.Error(err)
		}
		words = append(words, l.Text(lang, n))
	}
	return strings.Join(words, " ")
}

func rome(t *testing.T) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestNumbersAreSaidAsPeopleSayThem(t *testing.T) {
	for _, c := range []struct {
		n      int
		it, en string
	}{
		{0, "zero", "zero"},
		{1, "uno", "one"},
		{17, "diciassette", "seventeen"},
		{21, "ventuno", "twenty-one"},
		{23, "ventitré", "twenty-three"},
		{28, "ventotto", "twenty-eight"},
		{38, "trentotto", "thirty-eight"},
		{91, "novantuno", "ninety-one"},
		{100, "cento", "one hundred"},
		{101, "cento uno", "one hundred and one"},
		{345, "trecento quarantacinque", "three hundred and forty-five"},
		{999, "novecento novantanove", "nine hundred and ninety-nine"},
		{-5, "zero", "zero"},
		{5000, "novecento novantanove", "nine hundred and ninety-nine"},
	} {
		if got := sentence(t, "it", Number("it", c.n)); got != c.it {
			t.Errorf("%d: %q, want %q", c.n, got, c.it)
		}
		if got := sentence(t, "en", Number("en", c.n)); got != c.en {
			t.Errorf("%d: %q, want %q", c.n, got, c.en)
		}
	}
}

func TestEveryNumberMinuteDayAndMonthHasItsRecording(t *testing.T) {
	l, err := library()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range []string{"it", "en"} {
		var all []string
		for n := range Largest + 1 {
			all = append(all, Number(lang, n)...)
		}
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, rome(t))
		for m := range 24 * 60 {
			all = append(all, Time(lang, start.Add(time.Duration(m)*time.Minute))...)
		}
		for d := range 366 {
			all = append(all, Date(start.AddDate(2, 0, 0), start.AddDate(0, 0, d))...)
		}
		for _, name := range all {
			if _, err := l.Get(lang, name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestMessagesAreCountedInGoodGrammar(t *testing.T) {
	for _, c := range []struct {
		fresh, heard int
		it, en       string
	}{
		{0, 0, "Non ci sono messaggi.", "There are no messages."},
		{1, 0, "Lei ha un messaggio nuovo", "You have one new message"},
		{2, 0, "Lei ha due messaggi nuovi", "You have two new messages"},
		{0, 1, "Lei ha un messaggio già ascoltato", "You have one message already heard"},
		{1, 21, "Lei ha un messaggio nuovo e ventuno messaggi già ascoltati", "You have one new message and twenty-one messages already heard"},
		{3, 1, "Lei ha tre messaggi nuovi e un messaggio già ascoltato", "You have three new messages and one message already heard"},
	} {
		if got := sentence(t, "it", Messages("it", c.fresh, c.heard)); got != c.it {
			t.Errorf("%q, want %q", got, c.it)
		}
		if got := sentence(t, "en", Messages("en", c.fresh, c.heard)); got != c.en {
			t.Errorf("%q, want %q", got, c.en)
		}
	}
}

func TestTimesAreSaidByTheClockOfTheCountry(t *testing.T) {
	for clock, want := range map[string][2]string{
		"00:00": {"a mezzanotte", "at midnight"},
		"00:15": {"a mezzanotte e quindici", "at twelve fifteen a.m."},
		"01:00": {"all'una", "at one a.m."},
		"01:20": {"all'una e venti", "at one twenty a.m."},
		"09:05": {"alle nove e cinque", "at nine oh five a.m."},
		"12:00": {"a mezzogiorno", "at noon"},
		"12:30": {"alle dodici e trenta", "at twelve thirty p.m."},
		"14:30": {"alle quattordici e trenta", "at two thirty p.m."},
		"21:00": {"alle ventuno", "at nine p.m."},
		"23:59": {"alle ventitré e cinquantanove", "at eleven fifty-nine p.m."},
	} {
		at, err := time.Parse("15:04", clock)
		if err != nil {
			t.Fatal(err)
		}
		if got := sentence(t, "it", Time("it", at)); got != want[0] {
			t.Errorf("%s: %q, want %q", clock, got, want[0])
		}
		if got := sentence(t, "en", Time("en", at)); got != want[1] {
			t.Errorf("%s: %q, want %q", clock, got, want[1])
		}
	}
}

func TestDatesAreSeenFromToday(t *testing.T) {
	z := rome(t)
	now := time.Date(2026, 10, 26, 0, 30, 0, 0, z) // a Monday, half an hour after a day of 25 hours
	for _, c := range []struct {
		name   string
		at     time.Time
		it, en string
	}{
		{"the same day", now.Add(-20 * time.Minute), "oggi", "today"},
		{"one hour ago was yesterday", now.Add(-time.Hour), "ieri", "yesterday"},
		{"a day of 25 hours is one day", time.Date(2026, 10, 25, 0, 10, 0, 0, z), "ieri", "yesterday"},
		{"this week", time.Date(2026, 10, 22, 12, 0, 0, 0, z), "giovedì", "Thursday"},
		{"a week ago is not today's weekday alone", time.Date(2026, 10, 19, 12, 0, 0, 0, z), "lunedì diciannove ottobre", "Monday the nineteenth of October"},
		{"the first of a month", time.Date(2026, 10, 1, 12, 0, 0, 0, z), "giovedì primo ottobre", "Thursday the first of October"},
		{"another zone's evening is our morning", time.Date(2026, 10, 25, 23, 10, 0, 0, time.UTC), "oggi", "today"},
		{"a clock that ran ahead", time.Date(2027, 5, 21, 1, 0, 0, 0, z), "venerdì ventuno maggio", "Friday the twenty-first of May"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := sentence(t, "it", Date(now, c.at)); got != c.it {
				t.Errorf("%q, want %q", got, c.it)
			}
			if got := sentence(t, "en", Date(now, c.at)); got != c.en {
				t.Errorf("%q, want %q", got, c.en)
			}
		})
	}
}

func TestCallersAreNamedByWhatIsKnown(t *testing.T) {
	for n, want := range map[tel.Number]string{
		"":             "da un numero riservato",
		"201":          "dall'interno due zero uno",
		"+39061234567": "dal numero tre nove zero sei uno due tre quattro cinque sei sette",
		"*#":           "da un numero riservato",
	} {
		if got := sentence(t, "it", Caller(n)); got != want {
			t.Errorf("%q: %q, want %q", n, got, want)
		}
	}
}
