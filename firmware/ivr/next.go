package ivr

import (
	"fmt"
	"slices"
	"time"
)

const (
	keyWait    = 6 * time.Second  // after a question, for a key
	typeWait   = 5 * time.Second  // between two keys of a number or code
	answerWait = 10 * time.Second // for an answer from outside the script
	stopWait   = 5 * time.Second  // for the end of a recording that was asked to stop

	maxSilent = 3 // time-outs in a row
	maxWrong  = 3 // wrong inputs in a row
	// maxKeys ends a script whose caller never stops pressing keys: something is stuck, or holds the
	// line on purpose.
	maxKeys = 500
)

// run is one run of the machine: it collects the effects of one event.
type run struct {
	s   *State
	now time.Time
	out []Effect
}

// Next applies one event and returns what must be done, in order. It is pure: the same state, event
// and instant give the same result. now carries the time zone in which days and hours are said.
func Next(s State, e Event, now time.Time) (State, []Effect) {
	if s.Done {
		return s, nil
	}
	s = s.clone()
	r := run{s: &s, now: now}
	switch e := e.(type) {
	case Played:
		if len(s.Playing) == 0 {
			return s, nil // of a Play that was replaced
		}
		s.Playing = nil
	case Expired:
		if s.Until.IsZero() || e.Timer != s.Timer {
			return s, nil
		}
		s.Until = time.Time{}
	case Recorded:
		if s.Recording == "" || e.Path != s.Recording {
			return s, nil
		}
		s.Recording = ""
	case Digit:
		if s.Gone {
			return s, nil
		}
		if s.Stage == stageRecording || s.Stage == stageStopping {
			break // a voice may sound like keys
		}
		if s.Keys++; s.Keys > maxKeys && s.Stage != stageEnding {
			r.stop()
			r.end("", "goodbye")
			return s, r.out
		}
	case Resumed:
		if s.Gone {
			r.resumeGone()
			return s, r.out
		}
		s.Playing, s.Until = nil, time.Time{}
		s.typed, s.first = "", ""
		if s.Stage == "" { // stopped before it began
			return Next(s, Started{}, now)
		}
	case Left:
		r.left()
		return s, r.out
	}
	switch {
	case s.Stage == stageEnding:
		r.ending(e)
	case s.Stage.takes():
		r.take(e)
	default:
		r.script(e)
	}
	return s, r.out
}

// script hands an event to the part of its kind.
func (r *run) script(e Event) {
	switch r.s.Kind {
	case KindMenu:
		r.menu(e)
	case KindDeposit:
		r.deposit(e)
	case KindMailbox:
		r.mailbox(e)
	case KindPrompt:
		r.recordPrompt(e)
	case KindPIN:
		r.pin(e)
	case KindSay:
		r.say(e)
	case KindCallback:
		r.callback(e)
	case KindTrial:
		r.trial(e)
	case KindConference:
		r.conference(e)
	}
}

func (r *run) do(e ...Effect) { r.out = append(r.out, e...) }

// play says something; the timer is void until it is over.
func (r *run) play(at stage, names ...string) {
	r.s.Stage, r.s.Playing, r.s.Until = at, names, time.Time{}
	if len(names) == 0 { // a menu without words: nothing would ever end
		r.wait(keyWait)
		return
	}
	r.do(Play{slices.Clone(names)})
}

// hush ends the words early because the caller goes on.
func (r *run) hush() {
	if len(r.s.Playing) > 0 {
		r.s.Playing = nil
		r.do(Hush{})
	}
}

// wait sets the timer.
func (r *run) wait(d time.Duration) {
	r.s.Timer++
	r.s.Until = r.now.Add(d)
	r.do(Wait{r.s.Timer, d})
}

// stop ends and forgets a recording that is not wanted.
func (r *run) stop() {
	if r.s.Recording != "" {
		r.do(StopRecord{}, Discard{r.s.Recording})
		r.s.Recording = ""
	}
	if t := r.s.Take; t != nil && t.Path != "" {
		r.do(Discard{t.Path})
		t.Path = ""
	}
}

// end says last words and then leaves for a destination; "" and "hangup" hang up.
func (r *run) end(to string, names ...string) {
	r.s.To = to
	if len(names) == 0 {
		r.hush()
		r.leave()
		return
	}
	r.play(stageEnding, names...)
}

func (r *run) ending(e Event) {
	switch e.(type) {
	case Played:
		r.leave()
	case Started, Resumed: // the last words were cut; they are not worth a repetition
		r.leave()
	}
}

// done ends the script.
func (r *run) done() {
	r.s.Stage, r.s.Done, r.s.Until, r.s.Take = stageEnding, true, time.Time{}, nil
}

func (r *run) leave() {
	r.done()
	if r.s.Kind == KindCallback && r.s.To == goOn {
		r.do(GoOn{})
		return
	}
	if to := r.s.To; to != "" && to != "hangup" {
		r.do(Goto{to})
		return
	}
	r.do(Hangup{})
}

// left is the caller's hang-up. A message that was being left is kept.
func (r *run) left() {
	s := r.s
	s.Gone, s.Playing = true, nil
	if s.Kind == KindDeposit && s.Stage.takes() {
		r.depositLeft()
		return
	}
	r.stop()
	r.done()
}

// resumeGone ends a script whose caller had left before the restart.
func (r *run) resumeGone() {
	if r.s.Kind == KindDeposit && r.s.Recording != "" {
		r.deliver(r.s.Recording, 0)
		r.s.Recording = ""
	}
	r.done()
}

// silent counts a time-out and reports whether it was the last that is borne.
func (r *run) silent(limit int) bool {
	r.s.Silent++
	return r.s.Silent >= limit
}

// wrong counts a wrong input and reports whether it was the last that is borne.
func (r *run) wrong(limit int) bool {
	r.s.Wrong++
	return r.s.Wrong >= limit
}

// heard forgets earlier mistakes: the caller found the way.
func (r *run) heard() { r.s.Silent, r.s.Wrong = 0, 0 }

// typing collects a number that ends with # or at its longest length; * begins anew. While it is
// not complete the timer runs.
func (r *run) typing(key rune, longest int) (number string, complete bool) {
	r.hush()
	switch {
	case key == '#':
	case key == '*':
		r.s.typed = ""
		r.wait(typeWait)
		return "", false
	case key >= '0' && key <= '9':
		r.s.typed += string(key)
		if len(r.s.typed) < longest {
			r.wait(typeWait)
			return "", false
		}
	default:
		r.wait(typeWait)
		return "", false
	}
	number, r.s.typed = r.s.typed, ""
	return number, true
}

// check asks outside and sets the timer for the answer.
func (r *run) check(at stage, what, of, value string) {
	r.hush()
	r.s.Stage = at
	r.do(Check{what, of, value})
	r.wait(answerWait)
}

// path names the next recording.
func (r *run) path(owner string) string {
	r.s.Files++
	return fmt.Sprintf("%s_%s_%d", plain(owner), r.s.ID, r.s.Files)
}
