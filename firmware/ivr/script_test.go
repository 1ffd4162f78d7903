package ivr

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// step is one event and what must follow, written as words in a row; "" is nothing.
type step struct {
	e    Event
	want string
}

// words is the short form of effects; waits are left out, the property tests watch them.
func words(out []Effect) string {
	var all []string
	for _, e := range out {
		switch e := e.(type) {
		case Play:
			all = append(all, "play "+strings.Join(e.Names, "+"))
		case Hush:
			all = append(all, "hush")
		case Record:
			all = append(all, fmt.Sprintf("record %s %v %v", e.Path, e.Max, e.Silence))
		case StopRecord:
			all = append(all, "stop")
		case Discard:
			all = append(all, "discard "+e.Path)
		case Wait:
		case Check:
			all = append(all, "check "+e.What+" "+e.Of+" "+e.Value)
		case List:
			all = append(all, "list "+e.Box)
		case Goto:
			all = append(all, "goto "+e.To)
		case Dial:
			all = append(all, "dial "+string(e.Number))
		case CallBack:
			all = append(all, "call back "+string(e.Number)+" as "+e.Box)
		case Language:
			all = append(all, "language "+e.Lang)
		case Deliver:
			all = append(all, fmt.Sprintf("deliver %s %s %v from %s", e.Box, e.Path, e.Length, e.From))
		case MarkHeard:
			all = append(all, "heard "+e.ID)
		case Keep:
			all = append(all, "keep "+e.ID)
		case Delete:
			all = append(all, "delete "+e.ID)
		case Undelete:
			all = append(all, "undelete "+e.ID)
		case SaveGreeting:
			all = append(all, "greeting "+e.Kind+" "+e.Path)
		case SetPIN:
			all = append(all, "pin "+e.PIN)
		case SavePrompt:
			all = append(all, "prompt "+e.ID+" "+e.Path)
		case Proved:
			all = append(all, "proved")
		case Enter:
			all = append(all, fmt.Sprintf("enter %s %v", e.Room, e.Leader))
		case Hangup:
			all = append(all, "hangup")
		}
	}
	return strings.Join(all, "; ")
}

// timeout stands for the script's present timer.
type timeout struct{}

func (timeout) event() {}

func key(r rune) Event { return Digit{r} }

func follow(t *testing.T, part any, steps []step) State {
	t.Helper()
	s := New("c1", "it", part)
	for i, x := range steps {
		e := x.e
		if _, ok := e.(timeout); ok {
			e = Expired{s.Timer}
		}
		var out []Effect
		if _, ok := e.(Resumed); ok {
			kept, err := s.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if s, err = Restore(kept); err != nil {
				t.Fatal(err)
			}
		}
		s, out = Next(s, e, t0)
		if got := words(out); got != x.want {
			t.Fatalf("step %d, %T%v: %q, want %q", i, e, e, got, x.want)
		}
	}
	return s
}

func daytime() *Menu {
	return &Menu{
		Greeting: []string{"prompt:day"}, DialFirst: "2", DialLongest: 3, TimeoutTo: "queue:desk",
		Keys: map[string]string{"1": "queue:sales", "2": "menu:after", "9": "repeat", "8": "language:en"},
	}
}

func TestMenu(t *testing.T) {
	const sorry = "play menu_invalid+prompt:day"
	for name, steps := range map[string][]step{
		"a key during the greeting acts at once": {
			{Started{}, "play prompt:day"}, {key('1'), "hush; goto queue:sales"},
		},
		"a key after the greeting acts too": {
			{Started{}, "play prompt:day"}, {Played{}, ""}, {key('1'), "goto queue:sales"},
		},
		"a key that begins internal numbers waits for a second digit": {
			{Started{}, "play prompt:day"}, {key('2'), "hush"}, {timeout{}, "goto menu:after"},
		},
		"an internal number is looked up and dialled at its last digit": {
			{Started{}, "play prompt:day"}, {key('2'), "hush"}, {key('0'), ""}, {key('1'), "check extension  201"}, {Checked{true}, "dial 201"},
		},
		"a shorter number ends with hash": {
			{Started{}, "play prompt:day"}, {key('2'), "hush"}, {key('0'), ""}, {key('#'), "check extension  20"}, {Checked{true}, "dial 20"},
		},
		"a number that does not exist is told": {
			{Started{}, "play prompt:day"},
			{key('2'), "hush"},
			{key('9'), ""},
			{key('9'), "check extension  299"},
			{Checked{false}, "play extension_invalid+prompt:day"},
		},
		"nobody who knows whether the number exists": {
			{Started{}, "play prompt:day"}, {key('2'), "hush"}, {key('9'), ""}, {key('9'), "check extension  299"}, {timeout{}, "play extension_invalid+prompt:day"},
		},
		"a late answer to an old question is nobody's": {
			{Started{}, "play prompt:day"}, {Checked{true}, ""}, {key('1'), "hush; goto queue:sales"},
		},
		"three wrong keys end with words": {
			{Started{}, "play prompt:day"},
			{key('5'), "hush; " + sorry},
			{key('6'), "hush; " + sorry},
			{key('#'), "hush; play menu_invalid+goodbye"},
			{key('1'), ""},
			{Played{}, "hangup"},
		},
		"three time-outs go where the menu says": {
			{Started{}, "play prompt:day"},
			{Played{}, ""},
			{timeout{}, "play menu_timeout+prompt:day"},
			{Played{}, ""},
			{timeout{}, "play menu_timeout+prompt:day"},
			{Played{}, ""},
			{timeout{}, "play menu_timeout"},
			{Played{}, "goto queue:desk"},
		},
		"a repetition": {{Started{}, "play prompt:day"}, {key('9'), "hush; play prompt:day"}},
		"the other language": {
			{Started{}, "play prompt:day"}, {key('8'), "hush; language en; play prompt:day"},
		},
		"a restart repeats the greeting and forgets half a number": {
			{Started{}, "play prompt:day"}, {key('2'), "hush"}, {key('0'), ""}, {Resumed{}, "play prompt:day"}, {key('1'), "hush; goto queue:sales"},
		},
		"a caller who leaves": {{Started{}, "play prompt:day"}, {Left{}, ""}},
	} {
		t.Run(name, func(t *testing.T) { follow(t, daytime(), steps) })
	}
}

func TestTheChosenLanguageStays(t *testing.T) {
	s := follow(t, daytime(), []step{{Started{}, "play prompt:day"}, {key('8'), "hush; language en; play prompt:day"}})
	if s.Language != "en" {
		t.Errorf("language %q", s.Language)
	}
}

func TestDeposit(t *testing.T) {
	const first, second = "record 201_c1_1 3m0s 5s", "record 201_c1_2 3m0s 5s"
	begin := []step{{Started{}, "play vm_greeting"}, {Played{}, "play tone_beep"}, {Played{}, first}}
	for name, c := range map[string]struct {
		review bool
		steps  []step
	}{
		"hanging up delivers what was said": {steps: []step{
			{Left{}, "stop"}, {Recorded{"201_c1_1", 9 * time.Second, WhyLeft}, "deliver 201 201_c1_1 9s from +39061234567"},
		}},
		"the recorder tells the end before the hang-up": {steps: []step{
			{Recorded{"201_c1_1", 9 * time.Second, WhyLeft}, "deliver 201 201_c1_1 9s from +39061234567; play vm_thanks+goodbye"}, {Left{}, ""},
		}},
		"a recorder that never answers loses nothing": {steps: []step{
			{Left{}, "stop"}, {timeout{}, "deliver 201 201_c1_1 0s from +39061234567"},
		}},
		"hash ends a message": {steps: []step{
			{key('5'), ""}, {key('#'), "stop"}, {Recorded{"201_c1_1", 9 * time.Second, WhyStopped}, "deliver 201 201_c1_1 9s from +39061234567; play vm_thanks+goodbye"}, {Played{}, "hangup"},
		}},
		"silence ends a message": {steps: []step{
			{Recorded{"201_c1_1", 9 * time.Second, WhySilence}, "deliver 201 201_c1_1 9s from +39061234567; play vm_thanks+goodbye"},
		}},
		"too short is no message and may be tried again": {steps: []step{
			{Recorded{"201_c1_1", time.Second, WhyStopped}, "discard 201_c1_1; play vm_too_short"},
			{Played{}, "play tone_beep"},
			{Played{}, second},
			{Left{}, "stop"},
			{Recorded{"201_c1_2", time.Second, WhyLeft}, "discard 201_c1_2"},
		}},
		"saying nothing three times ends the call": {steps: []step{
			{Recorded{"201_c1_1", 0, WhySilence}, "discard 201_c1_1; play vm_too_short"},
			{Played{}, "play tone_beep"},
			{Played{}, second},
			{Recorded{"201_c1_2", 0, WhySilence}, "discard 201_c1_2; play vm_too_short"},
			{Played{}, "play tone_beep"},
			{Played{}, "record 201_c1_3 3m0s 5s"},
			{Recorded{"201_c1_3", 0, WhySilence}, "discard 201_c1_3; play goodbye"},
			{Played{}, "hangup"},
		}},
		"a disk that takes nothing is told": {steps: []step{
			{Recorded{"201_c1_1", 0, WhyFailed}, "discard 201_c1_1; play service_unavailable+goodbye"}, {Played{}, "hangup"},
		}},
		"what a failing disk took is delivered": {steps: []step{
			{Recorded{"201_c1_1", 30 * time.Second, WhyFailed}, "deliver 201 201_c1_1 30s from +39061234567; play vm_thanks+goodbye"},
		}},
		"a restart delivers what was said and records on": {steps: []step{
			{Resumed{}, "deliver 201 201_c1_1 0s from +39061234567; play tone_beep"},
			{Played{}, second},
			{Left{}, "stop"},
			{Recorded{"201_c1_2", 4 * time.Second, WhyLeft}, "deliver 201 201_c1_2 4s from +39061234567"},
		}},
		"a restart while the last words were stored": {steps: []step{
			{key('#'), "stop"}, {Resumed{}, "deliver 201 201_c1_1 0s from +39061234567; play vm_thanks+goodbye"},
		}},
		"a restart after the hang-up": {steps: []step{
			{Left{}, "stop"}, {Resumed{}, "deliver 201 201_c1_1 0s from +39061234567"},
		}},
		"listen, record again, confirm": {review: true, steps: []step{
			{key('#'), "stop"},
			{Recorded{"201_c1_1", 9 * time.Second, WhyStopped}, "play take_keys"},
			{key('1'), "play recording:201_c1_1"},
			{Played{}, "play take_keys"},
			{key('2'), "discard 201_c1_1; play tone_beep"},
			{Played{}, second},
			{key('#'), "stop"},
			{Recorded{"201_c1_2", 5 * time.Second, WhyStopped}, "play take_keys"},
			{key('#'), "deliver 201 201_c1_2 5s from +39061234567; play vm_thanks+goodbye"},
		}},
		"hanging up at the look back delivers": {review: true, steps: []step{
			{key('#'), "stop"}, {Recorded{"201_c1_1", 9 * time.Second, WhyStopped}, "play take_keys"}, {Left{}, "deliver 201 201_c1_1 9s from +39061234567"},
		}},
		"saying nothing at the look back delivers": {review: true, steps: []step{
			{key('#'), "stop"},
			{Recorded{"201_c1_1", 9 * time.Second, WhyStopped}, "play take_keys"},
			{Played{}, ""},
			{timeout{}, "play take_keys"},
			{Played{}, ""},
			{timeout{}, "deliver 201 201_c1_1 9s from +39061234567; play vm_thanks+goodbye"},
		}},
		"a restart at the look back asks again": {review: true, steps: []step{
			{key('#'), "stop"},
			{Recorded{"201_c1_1", 9 * time.Second, WhyStopped}, "play take_keys"},
			{Resumed{}, "play take_keys"},
			{key('#'), "deliver 201 201_c1_1 9s from +39061234567; play vm_thanks+goodbye"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			part := &Deposit{Box: "201", Greeting: StandardGreeting(), From: "+39061234567", Review: c.review}
			follow(t, part, append(append([]step{}, begin...), c.steps...))
		})
	}
}

func TestDepositBeforeTheTone(t *testing.T) {
	for name, c := range map[string]struct {
		part  *Deposit
		steps []step
	}{
		"hash skips the greeting":           {&Deposit{Box: "201", Greeting: BusyGreeting()}, []step{{Started{}, "play vm_greeting_busy"}, {key('#'), "play tone_beep"}}},
		"a full box says so":                {&Deposit{Box: "201", Full: true}, []step{{Started{}, "play vm_full+goodbye"}, {Played{}, "hangup"}}},
		"leaving before the tone":           {&Deposit{Box: "201", Greeting: BusyGreeting()}, []step{{Started{}, "play vm_greeting_busy"}, {Left{}, ""}}},
		"a restart during the greeting":     {&Deposit{Box: "201", Greeting: BusyGreeting()}, []step{{Started{}, "play vm_greeting_busy"}, {Resumed{}, "play vm_greeting_busy"}}},
		"a restart before anything was run": {&Deposit{Box: "201", Greeting: BusyGreeting()}, []step{{Resumed{}, "play vm_greeting_busy"}}},
	} {
		t.Run(name, func(t *testing.T) { follow(t, c.part, c.steps) })
	}
}

const (
	counts = "vm_you_have+digit_2+vm_new_many+and+vm_heard_one+vm_main_keys"
	one    = "vm_message+digit_1+today+at+number_13+and+number_30+vm_from_number+digit_3+digit_9+digit_0+digit_6+digit_1+digit_2+digit_3+digit_4+digit_5+digit_6+digit_7+message:201/m1"
	two    = "vm_message+digit_2+yesterday+at+number_14+and+number_30+vm_from_withheld+message:201/m3"
)

func TestMailbox(t *testing.T) {
	begin := []step{{Started{}, "list 201"}, {Listed{messages()}, "play " + counts}}
	for name, steps := range map[string][]step{
		"new messages in their order, heard at their end": {
			{key('1'), "hush; play " + one},
			{Played{}, "heard m1; play vm_message_keys"},
			{Played{}, ""},
			{key('2'), "play " + two},
			{key('2'), "hush; heard m3; play vm_no_more+vm_you_have+digit_3+vm_heard_many+vm_main_keys"},
		},
		"old messages": {
			{key('2'), "hush; play vm_message+digit_1+weekday_2+day_6+month_10+at+number_14+and+number_30+vm_from_extension+digit_2+digit_0+digit_2+message:201/m2"},
		},
		"a key skips from whom and when": {
			{key('1'), "hush; play " + one}, {key('#'), "hush; play message:201/m1"}, {key('#'), "hush; play menu_invalid+vm_message_keys"},
		},
		"again": {{key('1'), "hush; play " + one}, {key('1'), "hush; play " + one}},
		"deleting can be undone": {
			{key('1'), "hush; play " + one},
			{key('3'), "hush; delete m1; play vm_deleted"},
			{key('3'), "hush; undelete m1; play vm_restored+vm_message_keys"},
			{key('3'), "hush; delete m1; play vm_deleted"},
			{key('2'), "hush; heard m1; play " + two},
		},
		"a deleted message is not offered again": {
			{key('1'), "hush; play " + one}, {key('3'), "hush; delete m1; play vm_deleted"}, {key('*'), "hush; play vm_you_have+vm_new_one+and+vm_heard_one+vm_main_keys"},
		},
		"keeping goes on to the next": {{key('1'), "hush; play " + one}, {key('4'), "hush; keep m1; heard m1; play vm_saved+" + two}},
		"calling back leaves with the owner's rights": {
			{key('1'), "hush; play " + one}, {key('5'), "hush; heard m1; call back +39061234567 as 201"},
		},
		"a withheld number cannot be called back": {
			{key('1'), "hush; play " + one}, {key('2'), "hush; heard m1; play " + two}, {key('5'), "hush; play vm_no_number+vm_message_keys"},
		},
		"a greeting is recorded, heard and saved": {
			{key('3'), "hush; play vm_greeting_keys"},
			{key('2'), "hush; play take_intro"},
			{Played{}, "play tone_beep"},
			{Played{}, "record greeting_c1_1 1m0s 10s"},
			{key('#'), "stop"},
			{Recorded{"greeting_c1_1", 5 * time.Second, WhyStopped}, "play take_keys"},
			{key('1'), "play recording:greeting_c1_1"},
			{key('#'), "greeting busy greeting_c1_1; play vm_greeting_kept+" + counts},
		},
		"a greeting that nobody confirms is dropped": {
			{key('3'), "hush; play vm_greeting_keys"},
			{key('1'), "hush; play take_intro"},
			{key('#'), "play tone_beep"},
			{Played{}, "record greeting_c1_1 1m0s 10s"},
			{Recorded{"greeting_c1_1", 5 * time.Second, WhySilence}, "play take_keys"},
			{Played{}, ""},
			{timeout{}, "play take_keys"},
			{Played{}, ""},
			{timeout{}, "discard greeting_c1_1; play take_dropped+" + counts},
			{Played{}, ""},
			{timeout{}, "play goodbye"},
			{Played{}, "hangup"},
		},
		"leaving while a greeting is recorded drops it": {
			{key('3'), "hush; play vm_greeting_keys"},
			{key('1'), "hush; play take_intro"},
			{key('#'), "play tone_beep"},
			{Played{}, "record greeting_c1_1 1m0s 10s"},
			{Left{}, "stop; discard greeting_c1_1"},
		},
		"a restart while a greeting is recorded begins it anew": {
			{key('3'), "hush; play vm_greeting_keys"},
			{key('1'), "hush; play take_intro"},
			{key('#'), "play tone_beep"},
			{Played{}, "record greeting_c1_1 1m0s 10s"},
			{Resumed{}, "discard greeting_c1_1; play tone_beep"},
		},
		"a new code is typed twice": {
			{key('4'), "hush; play pin_new"},
			{key('8'), "hush"},
			{key('2'), ""},
			{key('6'), ""},
			{key('4'), ""},
			{key('#'), "check new_pin 201 8264"},
			{Checked{true}, "play pin_again"},
			{key('8'), "hush"},
			{key('2'), ""},
			{key('6'), ""},
			{key('4'), ""},
			{key('#'), "pin 8264; play pin_changed+" + counts},
		},
		"two different codes change nothing": {
			{key('4'), "hush; play pin_new"},
			{key('8'), "hush"},
			{key('#'), "check new_pin 201 8"},
			{Checked{true}, "play pin_again"},
			{key('9'), "hush"},
			{key('#'), "play pin_mismatch+pin_new"},
		},
		"an easy code is refused": {
			{key('4'), "hush; play pin_new"}, {key('1'), "hush"}, {key('#'), "check new_pin 201 1"}, {Checked{false}, "play pin_refused+pin_new"},
		},
		"star begins a code anew": {
			{key('4'), "hush; play pin_new"}, {key('9'), "hush"}, {key('*'), ""}, {key('8'), ""}, {key('#'), "check new_pin 201 8"},
		},
		"a restart plays the message again": {
			{key('1'), "hush; play " + one}, {Played{}, "heard m1; play vm_message_keys"}, {Resumed{}, "play " + one},
		},
		"a restart repeats the choices": {{Resumed{}, "play " + counts}},
		"hash says goodbye":             {{key('#'), "hush; play goodbye"}, {Played{}, "hangup"}},
	} {
		t.Run(name, func(t *testing.T) {
			follow(t, &Mailbox{Box: "201", Own: true}, append(append([]step{}, begin...), steps...))
		})
	}
}

func TestLocks(t *testing.T) {
	for name, c := range map[string]struct {
		part  any
		steps []step
	}{
		"a mailbox asks its number, then its code": {&Mailbox{}, []step{
			{Started{}, "play vm_enter_box"},
			{key('2'), "hush"},
			{key('0'), ""},
			{key('1'), ""},
			{key('#'), "play pin_enter"},
			{key('8'), "hush"},
			{key('2'), ""},
			{key('6'), ""},
			{key('4'), ""},
			{key('#'), "check pin 201 8264"},
			{Checked{true}, "list 201"},
			{Listed{}, "play vm_none+vm_main_keys"},
		}},
		"a mailbox whose messages nobody gives": {&Mailbox{Box: "201", Own: true}, []step{
			{Started{}, "list 201"}, {timeout{}, "play voicemail_unavailable+goodbye"}, {Played{}, "hangup"},
		}},
		"the third wrong code ends the call": {&PIN{Of: "door", To: "ext:201"}, []step{
			{Started{}, "play pin_enter"},
			{key('1'), "hush"},
			{key('#'), "check pin door 1"},
			{Checked{false}, "play pin_wrong+pin_enter"},
			{key('2'), "hush"},
			{key('#'), "check pin door 2"},
			{Checked{false}, "play pin_wrong+pin_enter"},
			{key('3'), "hush"},
			{key('#'), "check pin door 3"},
			{Checked{false}, "play pin_wrong"},
			{Played{}, "hangup"},
		}},
		"the right code opens": {&PIN{Of: "door", Intro: []string{"greeting"}, To: "ext:201"}, []step{
			{Started{}, "play greeting+pin_enter"}, {key('1'), "hush"}, {key('#'), "check pin door 1"}, {Checked{true}, "goto ext:201"},
		}},
		"keys while the code is looked at do nothing": {&PIN{Of: "door", To: "ext:201"}, []step{
			{Started{}, "play pin_enter"}, {key('1'), "hush"}, {key('#'), "check pin door 1"}, {key('2'), ""}, {key('#'), ""}, {Checked{true}, "goto ext:201"},
		}},
		"nobody who knows the code": {&PIN{Of: "door", To: "ext:201"}, []step{
			{Started{}, "play pin_enter"}, {key('1'), "hush"}, {key('#'), "check pin door 1"}, {timeout{}, "play service_unavailable+goodbye"}, {Played{}, "hangup"},
		}},
		"a restart asks for the code again": {&PIN{Of: "door", To: "ext:201"}, []step{
			{Started{}, "play pin_enter"}, {key('1'), "hush"}, {Resumed{}, "play pin_enter"}, {key('2'), "hush"}, {key('#'), "check pin door 2"},
		}},
		"an announcement asks its code, then its number, and is kept": {&Prompt{Of: "prompts", Numbers: map[string]string{"22": "night"}}, []step{
			{Started{}, "play pin_enter"},
			{key('7'), "hush"},
			{key('#'), "check pin prompts 7"},
			{Checked{true}, "play prompt_enter"},
			{key('9'), "hush"},
			{key('#'), "play prompt_unknown+prompt_enter"},
			{key('2'), "hush"},
			{key('2'), ""},
			{key('#'), "play take_intro"},
			{Played{}, "play tone_beep"},
			{Played{}, "record prompt_c1_1 3m0s 10s"},
			{Recorded{"prompt_c1_1", 8 * time.Second, WhySilence}, "play take_keys"},
			{key('#'), "prompt night prompt_c1_1; play prompt_kept+goodbye"},
			{Played{}, "hangup"},
		}},
		"an announcement is still open after a restart": {&Prompt{Of: "prompts", Prompt: "night"}, []step{
			{Started{}, "play pin_enter"}, {key('7'), "hush"}, {key('#'), "check pin prompts 7"}, {Checked{true}, "play take_intro"}, {Resumed{}, "play take_intro"},
		}},
		"an announcement is still locked after a restart": {&Prompt{Of: "prompts", Prompt: "night"}, []step{
			{Started{}, "play pin_enter"}, {key('7'), "hush"}, {key('#'), "check pin prompts 7"}, {Resumed{}, "play pin_enter"},
		}},
		"who knows the code of a conference room enters it": {&Conference{Room: "hall", Ask: true, Caller: "201", Intro: []string{"conference_welcome"}}, []step{
			{Started{}, "play conference_welcome+pin_enter"}, {key('1'), "hush"}, {key('#'), "check conference hall/201 1"}, {Let{}, "enter hall false"},
		}},
		"who knows the leader's code leads, also by keys over the words": {&Conference{Room: "hall", Ask: true, Caller: "201"}, []step{
			{Let{true}, ""}, {Started{}, "play pin_enter"}, {Let{true}, ""}, {key('1'), "hush"}, {key('2'), ""}, {key('#'), "check conference hall/201 12"}, {Let{true}, "enter hall true"},
		}},
		"who needs no code presses the hash key alone": {&Conference{Room: "hall", Ask: true, Caller: "201"}, []step{
			{Started{}, "play pin_enter"}, {Played{}, ""}, {key('#'), "check conference hall/201 "}, {Let{}, "enter hall false"},
		}},
		"the third wrong code of a conference room ends the call": {&Conference{Room: "hall", Ask: true, Caller: "201"}, []step{
			{Started{}, "play pin_enter"},
			{key('1'), "hush"},
			{key('#'), "check conference hall/201 1"},
			{Checked{false}, "play pin_wrong+pin_enter"},
			{key('2'), "hush"},
			{key('#'), "check conference hall/201 2"},
			{Resumed{}, "play pin_enter"},
			{key('2'), "hush"},
			{key('#'), "check conference hall/201 2"},
			{Checked{false}, "play pin_wrong+pin_enter"},
			{key('3'), "hush"},
			{key('#'), "check conference hall/201 3"},
			{Checked{false}, "play pin_wrong"},
			{Played{}, "hangup"},
		}},
		"a conference room without a code is entered at once": {&Conference{Room: "hall"}, []step{{Started{}, "enter hall false"}}},
		"a sentence is said and the call goes on": {&Say{Names: []string{"closed"}, To: "queue:night"}, []step{
			{Started{}, "play closed"}, {key('1'), ""}, {Played{}, "goto queue:night"},
		}},
		"a sentence at the end": {&Say{Names: []string{"closed"}}, []step{{Started{}, "play closed"}, {Resumed{}, "play closed"}, {Played{}, "hangup"}}},
	} {
		t.Run(name, func(t *testing.T) { follow(t, c.part, c.steps) })
	}
}
