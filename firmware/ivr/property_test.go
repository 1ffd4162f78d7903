package ivr

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/prompt"
)

var t0 = time.Date(2026, 10, 26, 14, 30, 0, 0, time.UTC)

// messages are what a test's mailbox holds.
func messages() []Message {
	return []Message{
		{ID: "m1", From: "+39061234567", At: t0.Add(-time.Hour), Length: 9 * time.Second},
		{ID: "m2", From: "202", At: t0.AddDate(0, 0, -20), Length: 3 * time.Second, Heard: true},
		{ID: "m3", At: t0.AddDate(0, 0, -1), Length: 40 * time.Second},
	}
}

// scripts is one or more of each kind.
func scripts() map[string]any {
	return map[string]any{
		"a menu": &Menu{
			Greeting: []string{"greeting"}, DialFirst: "2", DialLongest: 3, TimeoutTo: "queue:sales",
			Keys: map[string]string{"1": "queue:sales", "2": "menu:night", "9": "repeat", "8": "language:en", "7": "language:it", "0": "hangup", "*": "ext:201"},
		},
		"a menu without words or keys":  &Menu{},
		"a message":                     &Deposit{Box: "201", Greeting: StandardGreeting(), From: "+39061234567"},
		"a message with a look back":    &Deposit{Box: "201", Greeting: BusyGreeting(), Review: true},
		"a message without a greeting":  &Deposit{Box: "201"},
		"a message for a full box":      &Deposit{Box: "201", Full: true},
		"a mailbox on the own phone":    &Mailbox{Box: "201", Own: true},
		"a mailbox with a code":         &Mailbox{Box: "201"},
		"a mailbox from any phone":      &Mailbox{},
		"an announcement":               &Prompt{Prompt: "closed_today"},
		"an announcement behind a code": &Prompt{Of: "prompts", Numbers: map[string]string{"1": "welcome", "22": "night"}},
		"a code":                        &PIN{Of: "door", Intro: []string{"greeting"}, To: "ext:201", FailTo: "queue:sales"},
		"a sentence":                    &Say{Names: []string{"closed"}, To: "menu:night"},
		"a callback":                    &Callback{Queue: "sales", Number: "+393331234567"},
		"a callback of nobody":          &Callback{Queue: "sales"},
		"nothing to say":                &Say{},
		"a conference room":             &Conference{Room: "hall", Ask: true, Caller: "201", Intro: []string{"conference_welcome", "conference_hash"}},
		"an open conference room":       &Conference{Room: "hall"},
		"a trial of a line":             &Trial{Names: []string{"greeting"}, Key: '1'},
	}
}

// check says what is wrong with a state after an event; seen collects what is played.
func check(s State, in State, e Event, out []Effect, seen map[string]bool) error {
	exits := 0
	playing := in.Playing
	if _, ok := e.(Played); ok {
		playing = nil
	}
	if _, ok := e.(Resumed); ok {
		playing = nil
	}
	for i, f := range out {
		switch f := f.(type) {
		case Goto, Dial, CallBack, Hangup, GoOn, Enter:
			if exits++; i != len(out)-1 {
				return fmt.Errorf("%T is not the last effect", f)
			}
		case Play:
			if s.Gone {
				return errors.New("plays to a caller who left")
			}
			if len(f.Names) == 0 {
				return errors.New("plays nothing: it never ends")
			}
			for _, n := range f.Names {
				seen[n] = true
			}
			playing = f.Names
		case Hush:
			playing = nil
		case Wait:
			if f.For <= 0 || f.Timer != s.Timer {
				return fmt.Errorf("%+v with timer %d", f, s.Timer)
			}
		case Record:
			if f.Max <= 0 || f.Silence <= 0 || f.Path == "" || strings.ContainsAny(f.Path, "./\\") {
				return fmt.Errorf("%+v", f)
			}
		}
	}
	switch {
	case s.Done && exits == 0 && !s.Gone:
		return errors.New("done without an exit")
	case exits > 1 || exits == 1 && !s.Done:
		return fmt.Errorf("%d exits, done %v", exits, s.Done)
	case !s.Done && !s.Gone && !slices.Equal(playing, s.Playing):
		return fmt.Errorf("thinks that %v plays, not %v", s.Playing, playing)
	case !s.Done && len(s.Playing) == 0 && s.Until.IsZero():
		return errors.New("a dead end: nothing plays and no timer runs")
	}
	return s.Valid()
}

// choose makes an event, mostly one that can happen now.
func choose(r *rand.Rand, s State) Event {
	if s.Stage == stageCallbackAsked && r.IntN(2) == 0 {
		return Agreed{r.IntN(4) - 1, r.IntN(4) - 1}
	}
	switch n := r.IntN(20); {
	case n < 7:
		return Digit{rune("0123456789*#123#2*#A"[r.IntN(20)])}
	case n < 10 && s.Recording != "":
		return Recorded{s.Recording, time.Duration(r.IntN(9000)) * time.Millisecond, []string{WhyStopped, WhySilence, WhyMax, WhyLeft, WhyFailed}[r.IntN(5)]}
	case n < 12:
		return Played{}
	case n < 15:
		return Expired{s.Timer - r.IntN(8)/7}
	case n < 17:
		if s.Kind == KindConference && r.IntN(3) > 0 {
			return Let{r.IntN(2) == 0}
		}
		return Checked{r.IntN(3) > 0}
	case n == 17:
		return Listed{messages()[r.IntN(4):]}
	case n == 18 && r.IntN(4) == 0:
		return Resumed{}
	case n == 19 && r.IntN(15) == 0:
		return Left{}
	default:
		return Played{}
	}
}

func TestNoSequenceOfEventsIsADeadEnd(t *testing.T) {
	seen := map[string]bool{}
	for name, part := range scripts() {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(500) {
				walk(t, seed, part, seen)
			}
		})
	}
	bothLanguagesHave(t, seen)
}

func walk(t *testing.T, seed uint64, part any, seen map[string]bool) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	s := New("c0ffee", "it", part)
	var e Event = Started{}
	now, log := t0, []string{}
	for step := 0; step < 250 && !s.Done; step++ {
		before, err := s.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		next, out := Next(s, e, now)
		log = append(log, fmt.Sprintf("%T%v at %s -> %s %v", e, e, s.Stage, next.Stage, out))
		if after, _ := s.Snapshot(); !bytes.Equal(before, after) {
			t.Fatalf("seed %d: the state before was changed\n%s", seed, strings.Join(log, "\n"))
		}
		if again, outAgain := Next(s, e, now); !reflect.DeepEqual(again, next) || !reflect.DeepEqual(out, outAgain) {
			t.Fatalf("seed %d: not the same twice\n%s", seed, strings.Join(log, "\n"))
		}
		if err := check(next, s, e, out, seen); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(log[max(0, len(log)-20):], "\n"))
		}
		s = next
		now = now.Add(time.Duration(r.IntN(5000)) * time.Millisecond)
		if e = choose(r, s); e == (Resumed{}) { // the process was killed and began anew
			kept, err := s.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if s, err = Restore(kept); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
}

// bothLanguagesHave proves that no script says what was never recorded, and that no recording for
// scripts is left unused.
func bothLanguagesHave(t *testing.T, seen map[string]bool) {
	t.Helper()
	l, err := prompt.New()
	if err != nil {
		t.Fatal(err)
	}
	for name := range seen {
		kind, _, made := strings.Cut(name, ":")
		if name == "tone_beep" || made && slices.Contains([]string{"message", "recording"}, kind) {
			continue
		}
		for _, lang := range []string{"it", "en"} {
			if _, err := l.Get(lang, name); err != nil {
				t.Errorf("a script says it: %v", err)
			}
		}
	}
	for _, name := range l.Names("it") {
		first, _, _ := strings.Cut(name, "_")
		if slices.Contains([]string{"vm", "take", "pin", "menu", "prompt", "extension", "service", "voicemail", "callback"}, first) && !seen[name] {
			t.Errorf("no script says %q", name)
		}
	}
}

// answer is what the world does by itself when the caller does nothing, and how long it takes.
func answer(s State, out []Effect) (Event, time.Duration) {
	for _, e := range out {
		switch e.(type) {
		case Check:
			return Checked{}, 0
		case List:
			return Listed{messages()}, 0
		}
	}
	switch {
	case s.Recording != "":
		return Recorded{s.Recording, 0, WhySilence}, 10 * time.Second
	case len(s.Playing) > 0:
		return Played{}, time.Duration(len(s.Playing)) * 2 * time.Second
	default:
		return Expired{s.Timer}, 10 * time.Second
	}
}

func TestEveryScriptEndsWhenTheCallerSaysNothing(t *testing.T) {
	for name, part := range scripts() {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(300) { // from every place that a caller can reach and go silent at
				r := rand.New(rand.NewPCG(seed, 11))
				s, out := Next(New("c1", "en", part), Started{}, t0)
				for range r.IntN(40) {
					e := choose(r, s)
					if _, ok := e.(Resumed); !ok && !s.Done {
						s, out = Next(s, e, t0)
					}
				}
				var took time.Duration
				for steps := 0; !s.Done; steps++ {
					e, d := answer(s, out)
					took += d
					if steps > 100 || took > 10*time.Minute {
						t.Fatalf("seed %d: still at %q after %v", seed, s.Stage, took)
					}
					s, out = Next(s, e, t0.Add(took))
				}
			}
		})
	}
}

func TestEveryScriptEndsWhenTheKeysNeverStop(t *testing.T) {
	for name, part := range scripts() {
		for _, keys := range []string{"9", "*", "#", "1", "12*", "3*", "13", "8", "4*", "55"} {
			s, out := Next(New("c1", "it", part), Started{}, t0)
			steps := 0
			for ; !s.Done && steps < 5000; steps++ {
				var e Event = Digit{rune(keys[steps%len(keys)])}
				for _, f := range out {
					switch f.(type) {
					case Check:
						e = Checked{true}
					case List:
						e = Listed{messages()}
					}
				}
				if s.Recording != "" { // nobody speaks
					e = Recorded{s.Recording, 5 * time.Second, WhySilence}
				}
				if s.Stage == stageEnding || s.Stage == stageBeep {
					e = Played{}
				}
				s, out = Next(s, e, t0)
			}
			if !s.Done {
				t.Errorf("%s with %q: still at %q after %d keys", name, keys, s.Stage, steps)
			}
		}
	}
}

func TestNoCodeIsKeptOrPrinted(t *testing.T) {
	s, _ := Next(New("c1", "it", &Mailbox{Box: "201"}), Started{}, t0)
	var printed strings.Builder
	for i, e := range []Event{
		Digit{'8'},
		Digit{'2'},
		Digit{'6'},
		Digit{'4'},
		Digit{'#'},
		Checked{true},
		Listed{nil},
		Digit{'4'},
		Digit{'8'},
		Digit{'2'},
		Digit{'6'},
		Digit{'4'},
		Digit{'#'},
		Checked{true},
		Digit{'8'},
		Digit{'2'},
		Digit{'6'},
		Digit{'4'},
		Digit{'#'},
	} {
		var out []Effect
		s, out = Next(s, e, t0)
		for _, f := range out {
			fmt.Fprintf(&printed, "%v %+v %#v\n", f, f, f)
		}
		kept, err := s.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(kept, []byte("826")) {
			t.Errorf("after event %d: %s", i, kept)
		}
	}
	if strings.Contains(printed.String(), "8264") || !strings.Contains(printed.String(), "set the PIN of 201") {
		t.Errorf("printed:\n%s", printed.String())
	}
}

func FuzzRestore(f *testing.F) {
	for _, part := range scripts() {
		s, _ := Next(New("c1", "it", part), Started{}, t0)
		kept, err := s.Snapshot()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(kept, []byte("1#2*"))
	}
	f.Add([]byte(`{"v":1,"kind":"mailbox","mailbox":{"order":[4]},"stage":"message"}`), []byte("3"))
	f.Add([]byte(`{"v":1,"kind":"say","say":{},"stage":"take_review"}`), []byte("3"))
	f.Fuzz(func(t *testing.T, b, keys []byte) {
		s, err := Restore(b)
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Errorf("%v", err)
			}
			return
		}
		if again, err := s.Snapshot(); err != nil {
			t.Fatal(err)
		} else if _, err := Restore(again); err != nil {
			t.Fatalf("what we wrote cannot be read: %v", err)
		}
		s, _ = Next(s, Resumed{}, t0)
		for _, k := range keys[:min(len(keys), 64)] { // whatever it holds, it goes on or ends
			s, _ = Next(s, Digit{rune(k)}, t0)
			if !s.Done && len(s.Playing) == 0 && s.Recording == "" && s.Until.IsZero() {
				t.Fatalf("a dead end at %q", s.Stage)
			}
		}
	})
}
