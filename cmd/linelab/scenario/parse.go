package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
)

// Script is a scenario that has been read.
type Script struct {
	Name  string
	Steps []Step
}

// Step is one sentence.
type Step struct {
	Line  int
	Text  string            // as it was written, without remark
	Words string            // which sentence it is
	Args  map[string]string // by key word; those without are "1" and "2"
	At    time.Duration     // since the start; -1 = no such time
	After time.Duration     // since the sentence before
}

// Error is a mistake, at its place.
type Error struct {
	Name         string // of the scenario
	Line, Column int    // from 1; the column counts characters
	Says         string
}

// Error says it as compilers do.
func (e *Error) Error() string { return fmt.Sprintf("%s:%d:%d: %s", e.Name, e.Line, e.Column, e.Says) }

const (
	maxBytes      = 64 << 10
	maxErrors     = 20
	maxDuration   = 24 * time.Hour
	defaultWithin = 10 * time.Second
)

// Parse reads a scenario. Its error joins an *Error for each mistake, up to twenty.
func Parse(name, source string) (*Script, error) {
	p := parser{script: &Script{Name: name}}
	if len(source) > maxBytes {
		return nil, &Error{name, 1, 1, fmt.Sprintf("the scenario has %d bytes; %d are the most", len(source), maxBytes)}
	}
	n := 0
	for line := range strings.Lines(source) {
		n++
		p.line(n, strings.TrimRight(line, "\r\n"))
		if len(p.errs) >= maxErrors {
			break
		}
	}
	if len(p.script.Steps) == 0 && len(p.errs) == 0 {
		p.fail(1, 1, "the scenario says nothing")
	}
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	return p.script, nil
}

type parser struct {
	script *Script
	errs   []error
	last   time.Duration // of the last "at"
	played bool          // a sentence that is no setting of the modem has been read
}

func (p *parser) fail(line, column int, format string, args ...any) {
	p.errs = append(p.errs, &Error{p.script.Name, line, column, fmt.Sprintf(format, args...)})
}

// word is one word of a line with its place.
type word struct {
	text   string
	column int
	quoted bool
}

// split cuts a line into words; a word in quotes may hold blanks, \" and \\. What is wrong comes with its
// column.
func split(line string) (all []word, rest string, column int, wrong string) {
	runes := []rune(line)
	for i := 0; i < len(runes); {
		switch r := runes[i]; {
		case r == ' ' || r == '\t':
			i++
		case r == '#' && (i == 0 || runes[i-1] == ' ' || runes[i-1] == '\t'):
			return all, string(runes[:i]), 0, ""
		case r == '"':
			text, next, ok := quoted(runes, i)
			if !ok {
				return nil, "", i + 1, "the quote is not closed"
			}
			if next < len(runes) && runes[next] != ' ' && runes[next] != '\t' {
				return nil, "", next + 1, "a blank is missing behind the quote"
			}
			all = append(all, word{text, i + 1, true})
			i = next
		case r < ' ' || r == utf8.RuneError:
			return nil, "", i + 1, "this is no character of a text"
		default:
			end := i
			for end < len(runes) && runes[end] != ' ' && runes[end] != '\t' {
				if runes[end] == '"' || runes[end] < ' ' || runes[end] == utf8.RuneError {
					return nil, "", end + 1, "this character may not stand in a word"
				}
				end++
			}
			all = append(all, word{string(runes[i:end]), i + 1, false})
			i = end
		}
	}
	return all, line, 0, ""
}

// quoted reads from the quote at i to the one that closes it; next is behind that.
func quoted(runes []rune, i int) (text string, next int, ok bool) {
	var b strings.Builder
	for i++; i < len(runes); i++ {
		switch {
		case runes[i] == '"':
			return b.String(), i + 1, true
		case runes[i] < ' ' || runes[i] == utf8.RuneError:
			return "", 0, false
		case runes[i] == '\\' && i+1 < len(runes):
			i++
		}
		b.WriteRune(runes[i])
	}
	return "", 0, false
}

func (p *parser) line(n int, line string) {
	words, rest, column, wrong := split(line)
	if wrong != "" {
		p.fail(n, column, "%s", wrong)
		return
	}
	if len(words) == 0 {
		return
	}
	step := Step{Line: n, Text: strings.TrimSpace(rest), At: -1, Args: map[string]string{}}
	end := utf8.RuneCountInString(strings.TrimRight(rest, " \t")) + 1
	if words = p.time(&step, words, end); words == nil {
		return
	}
	form, words := p.form(n, words)
	if form == nil {
		return
	}
	step.Words = form.words
	if !p.fill(&step, form, words, end) {
		return
	}
	setting := strings.HasPrefix(form.words, "modem ")
	switch {
	case setting && (p.played || step.At >= 0 || step.After > 0):
		p.fail(n, 1, "what the modem is like stands before all else, and has no time")
		return
	case form.words == "fault":
		f, err := gsmsim.FaultNamed(step.Args["1"])
		if err == nil {
			err = f.Check(step.Args["2"])
		}
		if err != nil {
			p.fail(n, words[min(1, len(words)-1)].column, "%v", err)
			return
		}
	}
	p.played = p.played || !setting
	p.script.Steps = append(p.script.Steps, step)
}

// time takes "at DURATION" or "after DURATION" off the line; nil after a mistake.
func (p *parser) time(step *Step, words []word, end int) []word {
	which := words[0].text
	if which != "at" && which != "after" || words[0].quoted {
		return words
	}
	if len(words) < 2 {
		p.fail(step.Line, end, "a time is missing behind %q, such as 10s", which)
		return nil
	}
	d, err := duration(words[1].text)
	if err != nil {
		p.fail(step.Line, words[1].column, "%v", err)
		return nil
	}
	if which == "after" {
		step.After = d
	} else {
		if d < p.last {
			p.fail(step.Line, words[1].column, "%v is before the %v of an earlier sentence", d, p.last)
			return nil
		}
		step.At, p.last = d, d
	}
	if len(words) == 2 {
		p.fail(step.Line, end, "a sentence is missing behind the time")
		return nil
	}
	return words[2:]
}

// form finds the sentence that the words begin with.
func (p *parser) form(n int, words []word) (*sentence, []word) {
	for take := min(2, len(words)); take > 0; take-- {
		said := words[0].text
		if take == 2 {
			said += " " + words[1].text
		}
		i := slices.IndexFunc(sentences, func(s sentence) bool { return s.words == said })
		if i >= 0 && !words[0].quoted {
			return &sentences[i], words[take:]
		}
	}
	if words[0].quoted {
		p.fail(n, words[0].column, "no sentence begins with a quote")
		return nil, nil
	}
	var could []string
	for _, s := range sentences {
		if first, second, two := strings.Cut(s.words, " "); two && first == words[0].text {
			could = append(could, second)
		}
	}
	switch {
	case len(could) == 0:
		p.fail(n, words[0].column, "no sentence begins with %q; linelab scenario -words lists them", words[0].text)
	case len(words) == 1:
		p.fail(n, words[0].column, "behind %q stands one of %s", words[0].text, strings.Join(could, ", "))
	default:
		p.fail(n, words[1].column, "behind %q stands one of %s, and not %q", words[0].text, strings.Join(could, ", "), words[1].text)
	}
	return nil, nil
}

// fill reads what follows a sentence's words; false after a mistake.
func (p *parser) fill(step *Step, form *sentence, words []word, end int) bool {
	place := 0
	keyed := func(w word) bool {
		return !w.quoted && slices.ContainsFunc(form.params, func(q param) bool { return q.key != "" && q.key == w.text })
	}
	for _, q := range form.params {
		name := q.key
		if name == "" {
			place++
			name = strconv.Itoa(place)
		}
		found := len(words) > 0 && (q.key == "" && !keyed(words[0]) || q.key != "" && keyed(words[0]) && words[0].text == q.key)
		if !found {
			if q.optional {
				continue
			}
			column := end
			if len(words) > 0 {
				column = words[0].column
			}
			p.fail(step.Line, column, "%q lacks %s", form.words, strings.TrimSpace(q.key+" "+kindNames[q.kind]))
			return false
		}
		if q.key != "" {
			if words = words[1:]; len(words) == 0 {
				p.fail(step.Line, end, "%s is missing behind %q", kindNames[q.kind], q.key)
				return false
			}
		}
		if wrong := q.kind.fits(words[0].text); wrong != "" {
			p.fail(step.Line, words[0].column, "%s", wrong)
			return false
		}
		step.Args[name] = words[0].text
		words = words[1:]
	}
	if len(words) > 0 {
		p.fail(step.Line, words[0].column, "%q has no place in %q", words[0].text, form.words)
		return false
	}
	return true
}

func duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxDuration {
		return 0, fmt.Errorf("%q is no time between 0s and %v, such as 1m30s", text, maxDuration)
	}
	return d, nil
}

// maxPPM is more than any crystal is off, in parts per million.
const maxPPM = 500

func integer(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < -maxPPM || n > maxPPM {
		return 0, fmt.Errorf("%q is no number between %d and %d", text, -maxPPM, maxPPM)
	}
	return n, nil
}
