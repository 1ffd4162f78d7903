package ivr

import (
	"github.com/pronto-pbx/pronto/firmware/ivr/spoken"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Callback agrees with a waiting caller on the number at which the box shall call back. The caller
// keeps the place in the queue meanwhile, and goes on waiting when nothing is agreed.
type Callback struct {
	Queue  string     `json:"queue"`            // given to the Check
	Number tel.Number `json:"number,omitempty"` // that the caller showed, later that the caller typed; empty: withheld
}

const (
	stageCallback      stage = "callback"       // the number is said, a key confirms it
	stageCallbackType  stage = "callback_type"  // a number is typed
	stageCallbackCheck stage = "callback_check" // whether it may be called
	stageCallbackAsked stage = "callback_asked" // whether the queue keeps the place

	// goOn is where the last words of a script lead that gives the caller back to the queue.
	goOn = "go_on"

	longestNumber = 15 // ITU-T E.164 section 6
)

func (r *run) callback(e Event) {
	s := r.s
	switch e := e.(type) {
	case Started, Resumed:
		r.callbackBegin()
	case Played:
		r.wait(keyWait)
	case Digit:
		r.callbackKey(e.Key)
	case Checked:
		switch s.Stage {
		case stageCallbackCheck:
			r.callbackChecked(e.OK)
		case stageCallbackAsked:
			r.end(goOn, "callback_failed")
		}
	case Agreed:
		if s.Stage == stageCallbackAsked {
			say := append([]string{"callback_agreed"}, spoken.CallbackIn(s.Language, e.From, e.To)...)
			r.end("", append(say, "goodbye")...)
		}
	case Expired:
		s.typed = ""
		switch {
		case s.Stage == stageCallbackCheck, s.Stage == stageCallbackAsked:
			r.end(goOn, "callback_failed")
		case r.silent(2):
			r.end(goOn, "callback_go_on")
		case s.Stage == stageCallback:
			r.callbackConfirm()
		default:
			r.play(stageCallbackType, "callback_type")
		}
	}
}

// callbackBegin asks for the number that the caller lacks, or looks whether the one shown may be called.
func (r *run) callbackBegin() {
	if c := r.s.Callback; c.Number != "" {
		r.check(stageCallbackCheck, CheckCallback, c.Queue, string(c.Number))
		return
	}
	r.play(stageCallbackType, "callback_type")
}

func (r *run) callbackKey(key rune) {
	s, c := r.s, r.s.Callback
	switch s.Stage {
	case stageCallback:
		s.Silent = 0
		r.hush()
		switch key {
		case '1':
			s.Stage = stageCallbackAsked
			r.do(AskCallback{Number: c.Number})
			r.wait(answerWait)
		case '2':
			r.heard()
			r.play(stageCallbackType, "callback_type")
		case '*':
			r.end(goOn, "callback_go_on")
		default:
			r.callbackWrong("menu_invalid", r.callbackConfirm)
		}
	case stageCallbackType:
		s.Silent = 0
		if key == '*' && s.typed == "" {
			r.hush()
			r.end(goOn, "callback_go_on")
			return
		}
		if number, complete := r.typing(key, longestNumber); complete {
			c.Number = tel.Number(number)
			r.check(stageCallbackCheck, CheckCallback, c.Queue, number)
		}
	}
}

// callbackChecked reads the number back, or asks for one that may be called.
func (r *run) callbackChecked(ok bool) {
	if ok {
		r.callbackConfirm()
		return
	}
	r.s.Callback.Number = ""
	r.callbackWrong("callback_refused", func() { r.play(stageCallbackType, "callback_refused", "callback_type") })
}

// callbackWrong counts a mistake; after the last the caller goes on waiting.
func (r *run) callbackWrong(words string, again func()) {
	if r.wrong(maxWrong) {
		r.end(goOn, words, "callback_go_on")
		return
	}
	again()
}

func (r *run) callbackConfirm() {
	number := spoken.Digits(r.s.Callback.Number.National())
	r.play(stageCallback, append(append([]string{"callback_number"}, number...), "callback_keys")...)
}
