// Package spoken turns numbers, counts and moments into the names of recorded prompts, in the order
// in which they are said. It is pure. Language is "it" or "en"; anything else is said as "en".
package spoken

import (
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Largest is the largest number that can be said; more is said as it.
const Largest = 999

// Number says n, 0 to Largest, as a cardinal. Italian elides by itself because each number below a
// hundred is one recording: ventuno, trentotto.
func Number(lang string, n int) []string {
	n = max(0, min(n, Largest))
	if n < 10 {
		return []string{"digit_" + strconv.Itoa(n)}
	}
	if n < 100 {
		return []string{"number_" + strconv.Itoa(n)}
	}
	say := []string{"number_" + strconv.Itoa(n/100*100)}
	if rest := n % 100; rest > 0 {
		if lang != "it" {
			say = append(say, "and")
		}
		say = append(say, Number(lang, rest)...)
	}
	return say
}

// Digits says each digit of a telephone number or code; other symbols are not said.
func Digits(n tel.Number) []string {
	var say []string
	for _, c := range string(n) {
		if c >= '0' && c <= '9' {
			say = append(say, "digit_"+string(c))
		}
	}
	return say
}

// Messages says how many messages a mailbox holds: "Lei ha un messaggio nuovo e tre messaggi già
// ascoltati", "Non ci sono messaggi".
func Messages(lang string, fresh, heard int) []string {
	if fresh <= 0 && heard <= 0 {
		return []string{"vm_none"}
	}
	say := []string{"vm_you_have"}
	if fresh > 0 {
		say = append(say, count(lang, fresh, "vm_new_one", "vm_new_many")...)
	}
	if fresh > 0 && heard > 0 {
		say = append(say, "and")
	}
	if heard > 0 {
		say = append(say, count(lang, heard, "vm_heard_one", "vm_heard_many")...)
	}
	return say
}

// count says one of a thing with the word for it that holds the article, and more with the plural.
func count(lang string, n int, one, many string) []string {
	if n == 1 {
		return []string{one}
	}
	return append(Number(lang, n), many)
}

// Date says the day of at, seen from now: today, yesterday, the weekday within the last week, and
// otherwise weekday, day and month: "lunedì primo ottobre", "Monday the first of October". Both are
// read in the zone of now.
func Date(now, at time.Time) []string {
	at = at.In(now.Location())
	weekday := "weekday_" + strconv.Itoa(int(at.Weekday()))
	switch days := daysBetween(at, now); {
	case days == 0:
		return []string{"today"}
	case days == 1:
		return []string{"yesterday"}
	case days > 1 && days < 7:
		return []string{weekday}
	default:
		return []string{weekday, "day_" + strconv.Itoa(at.Day()), "month_" + strconv.Itoa(int(at.Month()))}
	}
}

// daysBetween counts calendar days, whatever the clock did in between (a day of a changed clock has
// 23 or 25 hours).
func daysBetween(from, to time.Time) int {
	midnight := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
	return int(midnight(to).Sub(midnight(from)) / (24 * time.Hour))
}

// Time says the time of day: "alle quattordici e trenta", "all'una", "a mezzanotte", "a mezzogiorno";
// "at two thirty p.m.", "at three oh five a.m.", "at noon".
func Time(lang string, at time.Time) []string {
	if lang == "it" {
		return italianTime(at.Hour(), at.Minute())
	}
	return englishTime(at.Hour(), at.Minute())
}

func italianTime(hour, minute int) []string {
	var say []string
	switch {
	case hour == 0:
		say = []string{"midnight"}
	case hour == 12 && minute == 0:
		say = []string{"noon"}
	case hour == 1:
		say = []string{"at_one"}
	default:
		say = append([]string{"at"}, Number("it", hour)...)
	}
	if minute > 0 {
		say = append(append(say, "and"), Number("it", minute)...)
	}
	return say
}

func englishTime(hour, minute int) []string {
	switch {
	case hour == 0 && minute == 0:
		return []string{"midnight"}
	case hour == 12 && minute == 0:
		return []string{"noon"}
	}
	half := "am"
	if hour >= 12 {
		half = "pm"
	}
	say := append([]string{"at"}, Number("en", (hour+11)%12+1)...)
	if minute > 0 {
		if minute < 10 {
			say = append(say, "oh")
		}
		say = append(say, Number("en", minute)...)
	}
	return append(say, half)
}

// Caller says who called: the digits of an outside number, of an extension, or that it was withheld.
func Caller(n tel.Number) []string {
	digits := Digits(n)
	switch {
	case len(digits) == 0:
		return []string{"vm_from_withheld"}
	case n.Kind() == tel.KindExtension:
		return append([]string{"vm_from_extension"}, digits...)
	default:
		return append([]string{"vm_from_number"}, digits...)
	}
}
