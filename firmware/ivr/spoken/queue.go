package spoken

import "time"

// Position says how many people wait before the caller: "Lei è il prossimo in attesa", "Prima di lei
// c'è una persona in attesa", "Prima di lei ci sono due persone in attesa". Counting people needs no
// guess at the caller's gender, which an ordinal would. Position 1 is next.
func Position(lang string, position int) []string {
	switch {
	case position <= 0:
		return nil
	case position == 1:
		return []string{"position_first"}
	case position == 2:
		return []string{"queue_ahead_one"}
	}
	return append(append([]string{"queue_ahead"}, Number(lang, position-1)...), "queue_people")
}

// MoreThan says that more than n people wait before the caller: "Prima di lei ci sono più di dieci
// persone in attesa".
func MoreThan(lang string, n int) []string {
	if n <= 1 { // "più di una" would not agree; more than one are at least two
		return []string{"queue_ahead", "digit_2", "queue_people"}
	}
	return append(append([]string{"queue_more_than"}, Number(lang, n)...), "queue_people")
}

// Wait says an interval of whole minutes: "fra tre e sei minuti", "di circa un minuto", "inferiore a
// cinque minuti". Nothing is said of an empty one.
func Wait(lang string, from, to int) []string {
	from = min(max(from, 0), to)
	switch {
	case to <= 0:
		return nil
	case from == 0 && to == 1:
		return []string{"wait_below_one"}
	case from == 0:
		return append(append([]string{"wait_below"}, Number(lang, to)...), "wait_minutes")
	case from == to && to == 1:
		return []string{"wait_about_one"}
	case from == to:
		return append(append([]string{"wait_about"}, Number(lang, to)...), "wait_minutes")
	}
	say := append([]string{"wait_between"}, Number(lang, from)...)
	say = append(append(say, "and"), Number(lang, to)...)
	return append(say, "wait_minutes")
}

// CallbackIn says in how many whole minutes a caller will be called back, after the sentence that it will be when
// it is the caller's turn: "Dovrebbe essere fra circa dieci minuti", "fra cinque e dieci minuti", "entro cinque
// minuti". Nothing is said of an empty interval.
func CallbackIn(lang string, from, to int) []string {
	from = min(max(from, 0), to)
	switch {
	case to <= 0:
		return nil
	case from == 0 && to == 1:
		return []string{"callback_within_one"}
	case from == 0:
		return append(append([]string{"callback_within"}, Number(lang, to)...), "wait_minutes")
	case from == to && to == 1:
		return []string{"callback_in_about_one"}
	case from == to:
		return append(append([]string{"callback_in_about"}, Number(lang, to)...), "wait_minutes")
	}
	say := append([]string{"callback_in_between"}, Number(lang, from)...)
	say = append(append(say, "and"), Number(lang, to)...)
	return append(say, "wait_minutes")
}

// CallbackOffer says by which key a caller asks to be called back.
func CallbackOffer(key rune) []string {
	name := "digit_" + string(key)
	switch key {
	case '*':
		name = "key_star"
	case '#':
		name = "key_hash"
	}
	return []string{"queue_callback", name}
}

// Waited says to an agent how long a caller has waited: "attesa due minuti", in whole minutes.
func Waited(lang string, d time.Duration) []string {
	switch minutes := int(d.Round(time.Minute) / time.Minute); {
	case d < time.Minute:
		return []string{"whisper_waited", "whisper_short"}
	case minutes == 1:
		return []string{"whisper_waited", "whisper_minute"}
	default:
		return append(append([]string{"whisper_waited"}, Number(lang, minutes)...), "whisper_minutes")
	}
}
