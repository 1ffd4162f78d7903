package ivr

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr/spoken"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Mailbox lets a person hear messages, record greetings and change the code.
type Mailbox struct {
	Box string `json:"box,omitempty"` // empty: its number is asked
	Own bool   `json:"own,omitempty"` // the owner's own phone, which needs no code

	Messages []Message `json:"messages,omitempty"`
	Order    []int     `json:"order,omitempty"` // which are heard now, as indexes of Messages
	At       int       `json:"at,omitempty"`    // place in Order
	Greeting string    `json:"which,omitempty"` // kind of the greeting that is recorded
	newPIN   string    // typed once; not kept
}

const (
	stageBox      stage = "box"           // whose mailbox
	stageListing  stage = "listing"       // waits for the messages
	stageMain     stage = "main"          // counts and choices
	stageMessage  stage = "message"       // a message plays
	stageAfter    stage = "message_after" // what to do with it
	stageGreeting stage = "greeting"      // which greeting
	stageNewPIN   stage = "new_pin"
	stageNewCheck stage = "new_pin_check"
	stageNewAgain stage = "new_pin_again"

	longestBox = 5
)

// hears reports a stage at a message.
func (s stage) hears() bool { return s == stageMessage || s == stageAfter }

func (s stage) known() bool {
	switch s {
	case "", stageEnding, stageMenu, stageDialling, stageLooking, stageSaying, stagePIN, stagePINCheck, stagePromptNumber,
		stageBox, stageListing, stageMain, stageMessage, stageAfter, stageGreeting, stageNewPIN, stageNewCheck, stageNewAgain,
		stageCallback, stageCallbackType, stageCallbackCheck, stageCallbackAsked, stageTrial:
		return true
	}
	return s.takes()
}

func (r *run) mailbox(e Event) {
	s, m := r.s, r.s.Mailbox
	if _, ok := e.(Started); ok {
		switch {
		case m.Box == "":
			r.play(stageBox, "vm_enter_box")
		case m.Own:
			r.list()
		default:
			r.askPIN(e, m.Box, nil, "", r.list)
		}
		return
	}
	switch s.Stage {
	case stageBox:
		r.boxNumber(e)
	case stagePIN, stagePINCheck:
		r.askPIN(e, m.Box, nil, "", r.list)
	case stageListing:
		r.listing(e)
	case stageMain:
		r.main(e)
	case stageMessage, stageAfter:
		r.message(e)
	case stageGreeting:
		r.greeting(e)
	case stageNewPIN, stageNewCheck, stageNewAgain:
		r.changePIN(e)
	}
}

// boxNumber asks whose mailbox it is. A number without mailbox is not told apart from a wrong code.
func (r *run) boxNumber(e Event) {
	s := r.s
	switch e := e.(type) {
	case Resumed:
		r.play(stageBox, "vm_enter_box")
	case Played:
		r.wait(keyWait)
	case Digit:
		s.Silent = 0
		if number, complete := r.typing(e.Key, longestBox); complete && number != "" {
			s.Mailbox.Box = number
			r.askPIN(Started{}, number, nil, "", r.list)
		} else if complete {
			r.wait(typeWait)
		}
	case Expired:
		s.typed = ""
		if r.silent(maxSilent) {
			r.end("", "goodbye")
			return
		}
		r.play(stageBox, "vm_enter_box")
	}
}

func (r *run) list() {
	r.s.Stage = stageListing
	r.do(List{r.s.Mailbox.Box})
	r.wait(answerWait)
}

func (r *run) listing(e Event) {
	switch e := e.(type) {
	case Resumed:
		r.list()
	case Listed:
		m := r.s.Mailbox
		m.Messages = append([]Message(nil), e.Messages...)
		m.Order, m.At = nil, 0
		r.toMain()
	case Expired:
		r.end("", "voicemail_unavailable", "goodbye")
	}
}

// toMain says how many messages there are, after words, and what can be done.
func (r *run) toMain(words ...string) {
	s := r.s
	fresh, heard := 0, 0
	for _, m := range s.Mailbox.Messages {
		switch {
		case m.Deleted:
		case m.Heard:
			heard++
		default:
			fresh++
		}
	}
	names := append(words, spoken.Messages(s.Language, fresh, heard)...)
	r.play(stageMain, append(names, "vm_main_keys")...)
}

func (r *run) main(e Event) {
	switch e := e.(type) {
	case Resumed:
		r.toMain()
	case Played:
		r.wait(keyWait)
	case Expired:
		r.mailboxSilent(func() { r.toMain() })
	case Digit:
		r.hush()
		r.s.Silent = 0
		switch e.Key {
		case '1':
			r.listen(false)
		case '2':
			r.listen(true)
		case '3':
			r.heard()
			r.play(stageGreeting, "vm_greeting_keys")
		case '4':
			r.heard()
			r.play(stageNewPIN, "pin_new")
		case '*':
			r.heard()
			r.toMain()
		case '#':
			r.end("", "goodbye")
		default:
			r.mailboxWrong(func(words string) { r.toMain(words) })
		}
	}
}

// mailboxSilent asks again, or says goodbye.
func (r *run) mailboxSilent(again func()) {
	if r.silent(maxSilent) {
		r.end("", "goodbye")
		return
	}
	again()
}

func (r *run) mailboxWrong(again func(words string)) {
	if r.wrong(maxWrong) {
		r.end("", "menu_invalid", "goodbye")
		return
	}
	again("menu_invalid")
}

// listen begins with the first of the new, or of the heard messages.
func (r *run) listen(heard bool) {
	m := r.s.Mailbox
	r.heard()
	m.Order, m.At = nil, 0
	for i, x := range m.Messages {
		if x.Heard == heard && !x.Deleted {
			m.Order = append(m.Order, i)
		}
	}
	r.toMessage("vm_none")
}

// toMessage plays the message whose turn it is; over says that there is none.
func (r *run) toMessage(over string, words ...string) {
	s, m := r.s, r.s.Mailbox
	if m.At >= len(m.Order) {
		if over == "vm_none" && !m.empty() {
			over = "vm_no_more"
		}
		if m.empty() { // the count that follows says so
			r.toMain(words...)
			return
		}
		r.toMain(append(words, over)...)
		return
	}
	x := m.Messages[m.Order[m.At]]
	names := append(words, messageWords(s.Language, m.At+1, x, r.now)...)
	r.play(stageMessage, append(names, "message:"+m.Box+"/"+x.ID)...)
}

func (m *Mailbox) empty() bool {
	for _, x := range m.Messages {
		if !x.Deleted {
			return false
		}
	}
	return true
}

func (r *run) message(e Event) {
	s := r.s
	switch e := e.(type) {
	case Resumed:
		r.toMessage("vm_no_more")
	case Played:
		if s.Stage == stageMessage {
			r.markHeard()
			r.play(stageAfter, "vm_message_keys")
			return
		}
		r.wait(keyWait)
	case Expired:
		r.mailboxSilent(func() { r.play(stageAfter, "vm_message_keys") })
	case Digit:
		playing := s.Playing
		r.hush()
		s.Silent = 0
		if n := len(playing); e.Key == '#' && s.Stage == stageMessage && n > 1 {
			r.play(stageMessage, playing[n-1]) // straight to what was said
			return
		}
		r.messageKey(e.Key)
	}
}

func (r *run) messageKey(key rune) {
	m := r.s.Mailbox
	x := &m.Messages[m.Order[m.At]]
	switch key {
	case '1':
		r.heard()
		r.toMessage("")
	case '2':
		r.heard()
		r.next()
	case '3':
		r.heard()
		if x.Deleted = !x.Deleted; x.Deleted {
			r.do(Delete{m.Box, x.ID})
			r.play(stageAfter, "vm_deleted")
			return
		}
		r.do(Undelete{m.Box, x.ID})
		r.play(stageAfter, "vm_restored", "vm_message_keys")
	case '4':
		r.heard()
		r.do(Keep{m.Box, x.ID})
		r.next("vm_saved")
	case '5':
		r.callBack(x.From)
	case '*':
		r.heard()
		r.toMain()
	default:
		r.mailboxWrong(func(words string) { r.play(stageAfter, words, "vm_message_keys") })
	}
}

// callBack leaves for the number of the message; its sender may have hidden it.
func (r *run) callBack(n tel.Number) {
	if n == "" {
		r.mailboxWrong(func(string) { r.play(stageAfter, "vm_no_number", "vm_message_keys") })
		return
	}
	r.markHeard()
	r.done()
	r.do(CallBack{r.s.Mailbox.Box, n})
}

func (r *run) next(words ...string) {
	r.markHeard()
	r.s.Mailbox.At++
	r.toMessage("vm_no_more", words...)
}

// markHeard notes that the present message is no longer new.
func (r *run) markHeard() {
	m := r.s.Mailbox
	if x := &m.Messages[m.Order[m.At]]; !x.Heard {
		x.Heard = true
		r.do(MarkHeard{m.Box, x.ID})
	}
}

func (r *run) greeting(e Event) {
	ask := func(words ...string) { r.play(stageGreeting, append(words, "vm_greeting_keys")...) }
	switch e := e.(type) {
	case Resumed:
		ask()
	case Played:
		r.wait(keyWait)
	case Expired:
		r.mailboxSilent(func() { ask() })
	case Digit:
		r.hush()
		r.s.Silent = 0
		switch e.Key {
		case '1':
			r.takeGreeting("standard")
		case '2':
			r.takeGreeting("busy")
		case '*':
			r.heard()
			r.toMain()
		default:
			r.mailboxWrong(func(words string) { ask(words) })
		}
	}
}

func (r *run) takeGreeting(kind string) {
	r.s.Mailbox.Greeting = kind
	r.startTake(take{
		Owner: "greeting", Intro: []string{"take_intro"}, Short: "take_short", Review: true,
		Max: time.Minute, Silence: 10 * time.Second, Min: time.Second,
	})
}

func (r *run) greetingTaken(t *take) {
	m := r.s.Mailbox
	if t.Path == "" {
		// Nobody answered three times: whoever is there may still choose something else, once.
		r.s.Silent = maxSilent - 1
		r.toMain("take_dropped")
		return
	}
	r.do(SaveGreeting{m.Box, m.Greeting, t.Path})
	r.toMain("vm_greeting_kept")
}

// changePIN asks for a new code twice.
func (r *run) changePIN(e Event) {
	s, m := r.s, r.s.Mailbox
	switch e := e.(type) {
	case Resumed:
		m.newPIN = ""
		r.play(stageNewPIN, "pin_new")
	case Played:
		r.wait(keyWait)
	case Expired:
		s.typed = ""
		if s.Stage == stageNewCheck {
			r.end("", "service_unavailable", "goodbye")
			return
		}
		r.mailboxSilent(func() { r.play(stageNewPIN, "pin_new") })
	case Checked:
		switch {
		case s.Stage != stageNewCheck:
		case e.OK:
			r.play(stageNewAgain, "pin_again")
		case r.wrong(maxWrong):
			r.toMain("pin_refused")
		default:
			r.play(stageNewPIN, "pin_refused", "pin_new")
		}
	case Digit:
		if s.Stage == stageNewCheck {
			return
		}
		s.Silent = 0
		code, complete := r.typing(e.Key, longestPIN)
		switch {
		case !complete:
		case s.Stage == stageNewPIN:
			m.newPIN = code
			r.check(stageNewCheck, CheckNewPIN, m.Box, code)
		case code == m.newPIN:
			r.heard()
			r.do(SetPIN{m.Box, code})
			r.toMain("pin_changed")
		case r.wrong(maxWrong):
			r.toMain("pin_mismatch")
		default:
			r.play(stageNewPIN, "pin_mismatch", "pin_new")
		}
	}
}
