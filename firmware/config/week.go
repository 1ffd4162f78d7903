package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
)

// Week is opening hours day by day, Monday first: "09:00-13:00,14:00-18:00", or nothing on a day that is
// closed.
type Week [7]string

// dayNames are the days as fields of the file name them, Monday first.
var dayNames = [7]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// Days lists the names of the days as the file writes them, Monday first.
func Days() []string { return slices.Clone(dayNames[:]) }

// Week is what Open says of each day.
func (h *Hours) Week() Week {
	var w Week
	for _, s := range spans(h.Open, true) {
		for _, d := range s.Days {
			i := (int(d) + 6) % 7
			if w[i] != "" {
				w[i] += ","
			}
			w[i] += timeOfDay(s.From) + "-" + timeOfDay(s.To)
		}
	}
	return w
}

func timeOfDay(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

// SetWeek writes Open from a week; days in a row with the same times stand together. Times that cannot be
// read are kept as they are, for Validate to say so. Spaces around times, and between them instead of a comma,
// do not matter.
func (h *Hours) SetWeek(w Week) {
	h.Open = nil
	for i := range w {
		w[i] = plainTimes(w[i])
	}
	for i := 0; i < len(w); i++ {
		last := i
		for last+1 < len(w) && w[last+1] == w[i] {
			last++
		}
		switch {
		case w[i] == "":
		case last == i:
			h.Open = append(h.Open, dayNames[i]+" "+w[i])
		default:
			h.Open = append(h.Open, dayNames[i]+"-"+dayNames[last]+" "+w[i])
		}
		i = last
	}
}

// plainTimes brings times that a person wrote into the form of the file: "9-13 14.30-18" becomes
// "09:00-13:00,14:30-18:00". What is no time stays as it was written.
func plainTimes(text string) string {
	parts := strings.FieldsFunc(strings.NewReplacer(" - ", "-", " -", "-", "- ", "-").Replace(strings.ReplaceAll(text, "–", "-")), func(r rune) bool { return strings.ContainsRune(" ,;\t\r\n", r) })
	for i, p := range parts {
		from, to, ok := strings.Cut(p, "-")
		if ok {
			parts[i] = plainTime(from) + "-" + plainTime(to)
		}
	}
	return strings.Join(parts, ",")
}

func plainTime(s string) string {
	hour, minute, _ := strings.Cut(strings.ReplaceAll(s, ".", ":"), ":")
	if minute == "" {
		minute = "00"
	}
	if len(hour) == 1 {
		hour = "0" + hour
	}
	if text := hour + ":" + minute; len(text) == 5 && strings.Trim(hour+minute, "0123456789") == "" {
		return text
	}
	return s
}

// ClosedDays reads and writes the exceptions of opening hours as lines of text: a date or two, then the times
// if it is open, then a name, such as "2026-08-10 2026-08-21 Ferie" or "12-24 09:00-13:00 Vigilia".
func ClosedDays(all []Exception) string {
	var b strings.Builder
	for _, e := range all {
		b.WriteString(e.From)
		if e.To != "" && e.To != e.From {
			b.WriteString(" " + e.To)
		}
		if len(e.Open) > 0 {
			b.WriteString(" " + strings.Join(e.Open, ","))
		}
		if e.Name != "" {
			b.WriteString(" " + e.Name)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// ReadClosedDays is the way back from ClosedDays. A line without a date is kept with it in From, for Validate
// to say so.
func ReadClosedDays(text string) (all []Exception) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		e := Exception{From: words[0], To: words[0]}
		words = words[1:]
		if len(words) > 0 && isDate(words[0]) {
			e.To, words = words[0], words[1:]
		}
		if len(words) > 0 && words[0][0] >= '0' && words[0][0] <= '9' && strings.Contains(words[0], "-") {
			e.Open, words = []string{plainTimes(words[0])}, words[1:]
		}
		e.Name = strings.Join(words, " ")
		all = append(all, e)
	}
	return all
}

func isDate(s string) bool {
	_, err := dialplan.ParseDate(s)
	return err == nil
}

// GoodTimes reports whether a day of a Week can be read; nothing is a closed day.
func GoodTimes(text string) bool {
	if text = plainTimes(text); text == "" {
		return true
	}
	_, err := dialplan.ParseSpans(text, false)
	return err == nil
}
