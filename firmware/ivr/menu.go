package ivr

import (
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr/spoken"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Menu lets a caller choose by keys. Where a key leads is a destination of the dial plan ("menu:ID"
// goes a level down or up), or one of "repeat", "language:it", "language:en".
type Menu struct {
	Greeting []string          `json:"greeting"`       // said first and at each repetition
	Keys     map[string]string `json:"keys,omitempty"` // "0"-"9", "*", "#" -> destination

	// DialFirst holds the digits with which an internal number begins; empty: no dial by extension.
	// A key that begins no internal number acts at once, others after DialWait without a second one.
	DialFirst   string        `json:"dial_first,omitempty"`
	DialLongest int           `json:"dial_longest,omitempty"` // digits of the longest internal number
	DialWait    time.Duration `json:"dial_wait,omitempty"`    // between two digits; 0 is 2 s

	Wait      time.Duration `json:"wait,omitempty"`       // for a key after the greeting; 0 is 5 s
	Timeouts  int           `json:"timeouts,omitempty"`   // in a row until TimeoutTo; 0 is 3
	TimeoutTo string        `json:"timeout_to,omitempty"` // "" hangs up after a goodbye
	Invalid   int           `json:"invalid,omitempty"`    // wrong choices in a row until InvalidTo; 0 is 3
	InvalidTo string        `json:"invalid_to,omitempty"` // "" hangs up after a goodbye
}

const (
	stageMenu     stage = "menu"
	stageDialling stage = "menu_dialling" // digits of an internal number come
	stageLooking  stage = "menu_looking"  // whether the number exists
)

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (r *run) menu(e Event) {
	s, m := r.s, r.s.Menu
	switch e := e.(type) {
	case Started, Resumed:
		r.play(stageMenu, m.Greeting...)
	case Played:
		r.wait(or(m.Wait, 5*time.Second))
	case Digit:
		if s.Stage != stageLooking {
			r.menuKey(e.Key)
		}
	case Checked:
		switch {
		case s.Stage != stageLooking:
		case e.OK:
			r.done()
			r.do(Dial{tel.Number(s.first)})
		default:
			r.menuInvalid("extension_invalid")
		}
	case Expired:
		switch s.Stage {
		case stageDialling:
			r.menuDialled()
		case stageLooking:
			r.menuInvalid("extension_invalid")
		default:
			r.menuSilent()
		}
	}
}

// menuKey is a key at any time: it cuts the greeting short.
func (r *run) menuKey(key rune) {
	s, m := r.s, r.s.Menu
	r.hush()
	s.Silent = 0
	digit := key >= '0' && key <= '9'
	if s.Stage == stageDialling {
		switch {
		case digit:
			s.typed += string(key)
		case key != '#':
			r.menuInvalid("menu_invalid")
			return
		}
		if key == '#' || len(s.typed) >= m.DialLongest {
			r.menuDialled()
			return
		}
		r.wait(or(m.DialWait, 2*time.Second))
		return
	}
	if digit && m.DialLongest > 0 && strings.ContainsRune(m.DialFirst, key) {
		s.Stage, s.typed = stageDialling, string(key)
		if m.DialLongest == 1 {
			r.menuDialled()
			return
		}
		r.wait(or(m.DialWait, 2*time.Second))
		return
	}
	r.menuChoose(string(key))
}

// menuDialled acts on what was typed: one key is a choice where the menu has it, the rest a number.
func (r *run) menuDialled() {
	s := r.s
	number := s.typed
	s.typed = ""
	if _, ok := s.Menu.Keys[number]; ok {
		r.menuChoose(number)
		return
	}
	s.first = number
	r.check(stageLooking, CheckExtension, "", number)
}

func (r *run) menuChoose(key string) {
	to, ok := r.s.Menu.Keys[key]
	lang, isLanguage := strings.CutPrefix(to, "language:")
	switch {
	case !ok || to == "":
		r.menuInvalid("menu_invalid")
	case to == "repeat":
		r.play(stageMenu, r.s.Menu.Greeting...)
	case isLanguage:
		r.s.Language = lang
		r.do(Language{lang})
		r.play(stageMenu, r.s.Menu.Greeting...)
	case to == "hangup":
		r.end("", "goodbye")
	default:
		r.end(to)
	}
}

func (r *run) menuInvalid(words string) {
	m := r.s.Menu
	r.s.Until = time.Time{}
	if r.wrong(or(m.Invalid, 3)) {
		r.menuLast(words, m.InvalidTo)
		return
	}
	r.play(stageMenu, append([]string{words}, m.Greeting...)...)
}

func (r *run) menuSilent() {
	m := r.s.Menu
	if r.silent(or(m.Timeouts, 3)) {
		r.menuLast("menu_timeout", m.TimeoutTo)
		return
	}
	r.play(stageMenu, append([]string{"menu_timeout"}, m.Greeting...)...)
}

// menuLast says why the menu ends, so that nobody is moved on or cut off without a word.
func (r *run) menuLast(words, to string) {
	if to == "" || to == "hangup" {
		r.end("", words, "goodbye")
		return
	}
	r.end(to, words)
}

// Say says something and goes on: a closed office, a notice.
type Say struct {
	Names []string `json:"names"`
	To    string   `json:"to,omitempty"` // "" hangs up
}

const stageSaying stage = "saying"

func (r *run) say(e Event) {
	switch e.(type) {
	case Started, Resumed:
		if len(r.s.Say.Names) == 0 {
			r.end(r.s.Say.To)
			return
		}
		r.play(stageSaying, r.s.Say.Names...)
	case Played:
		r.end(r.s.Say.To)
	}
}

// PIN asks for a code and goes on only when it is right.
type PIN struct {
	Of     string   `json:"of"` // what the code opens; given to the Check
	Intro  []string `json:"intro,omitempty"`
	To     string   `json:"to"`
	FailTo string   `json:"fail_to,omitempty"` // after three wrong codes; "" hangs up
}

const (
	stagePIN      stage = "pin"
	stagePINCheck stage = "pin_check"

	longestPIN = 10
)

func (r *run) pin(e Event) {
	p := r.s.PIN
	r.askPIN(e, p.Of, p.Intro, p.FailTo, func() { r.end(p.To) })
}

// askPIN asks for a code until it is right, three times wrong or not typed. Every script that is
// locked begins with it.
func (r *run) askPIN(e Event, of string, intro []string, failTo string, right func()) {
	r.askCode(e, CheckPIN, of, intro, failTo, right)
}

// askCode is askPIN of what a Check may ask.
func (r *run) askCode(e Event, what, of string, intro []string, failTo string, right func()) {
	s := r.s
	ask := append(append([]string{}, intro...), "pin_enter")
	switch e := e.(type) {
	case Started, Resumed:
		r.play(stagePIN, ask...)
	case Played:
		r.wait(keyWait)
	case Digit:
		if s.Stage != stagePIN {
			return
		}
		s.Silent = 0
		if code, complete := r.typing(e.Key, longestPIN); complete {
			r.check(stagePINCheck, what, of, code)
		}
	case Checked:
		switch {
		case s.Stage != stagePINCheck:
		case e.OK:
			r.heard()
			s.Until = time.Time{}
			right()
		case r.wrong(maxWrong):
			r.end(failTo, "pin_wrong")
		default:
			r.play(stagePIN, "pin_wrong", "pin_enter")
		}
	case Expired:
		s.typed = ""
		switch {
		case s.Stage == stagePINCheck:
			r.end("", "service_unavailable", "goodbye")
		case r.silent(maxSilent):
			r.end(failTo, "goodbye")
		default:
			r.play(stagePIN, ask...)
		}
	}
}

// messageWords introduces a message: its place, when and from whom.
func messageWords(lang string, place int, m Message, now time.Time) []string {
	names := append([]string{"vm_message"}, spoken.Number(lang, place)...)
	names = append(names, spoken.Date(now, m.At)...)
	names = append(names, spoken.Time(lang, m.At.In(now.Location()))...)
	return append(names, spoken.Caller(m.From)...)
}
