package dialplan

import (
	"fmt"
	"strings"
	"time"
)

// weekdays are written by their first three letters, in English as in every field of the file.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseSpans reads "mon-fri 09:00-13:00,14:00-18:00": days, or ranges of days, with commas, then times
// of the day. With days false the text has only times. 24:00 is the end of a day; an end that is not
// after its start is on the next morning.
func ParseSpans(s string, days bool) ([]Span, error) {
	text := s
	var on []time.Weekday
	if days {
		names, rest, found := strings.Cut(strings.TrimSpace(s), " ")
		if !found {
			return nil, fmt.Errorf("%q: write days and times, such as mon-fri 09:00-13:00,14:00-18:00", s)
		}
		for _, part := range strings.Split(names, ",") {
			from, to, isRange := strings.Cut(part, "-")
			first, last := weekday(from), weekday(to)
			if !isRange {
				last = first
			}
			if first < 0 || last < 0 {
				return nil, fmt.Errorf("%q: %q is not a day; write mon tue wed thu fri sat sun, or mon-fri", s, part)
			}
			for d := first; ; d = (d + 1) % 7 {
				on = append(on, time.Weekday(d))
				if d == last {
					break
				}
			}
		}
		text = rest
	}
	var spans []Span
	for _, part := range strings.Split(text, ",") {
		from, to, found := strings.Cut(strings.TrimSpace(part), "-")
		a, okA := clock(from)
		b, okB := clock(to)
		if !found || !okA || !okB || a == 24*time.Hour {
			return nil, fmt.Errorf("%q: %q is not a time such as 09:00-13:00", s, strings.TrimSpace(part))
		}
		spans = append(spans, Span{Days: on, From: a, To: b})
	}
	return spans, nil
}

func weekday(s string) int {
	for i, name := range weekdays {
		if s == name {
			return i
		}
	}
	return -1
}

// clock reads HH:MM, 00:00 to 24:00.
func clock(s string) (time.Duration, bool) {
	if len(s) != 5 || s[2] != ':' || !isDigits(s[:2]) || !isDigits(s[3:]) {
		return 0, false
	}
	hours, minutes := int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	at := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	return at, minutes < 60 && at <= 24*time.Hour
}
