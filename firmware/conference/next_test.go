package conference

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// told writes effects in a line: "a seated; mix a -b; b music".
func told(all []Effect) string {
	var out []string
	for _, e := range all {
		switch e := e.(type) {
		case Mix:
			words := []string{"mix"}
			for _, v := range e.Voices {
				words = append(words, map[bool]string{true: "", false: "-"}[v.Heard]+strings.TrimPrefix(string(v.Leg), "leg-"))
			}
			out = append(out, strings.Join(words, " "))
		case Tell:
			switch m := e.Message.(type) {
			case tel.Seated:
				out = append(out, string(m.Call)+" seated")
			case tel.SeatRefused:
				out = append(out, string(m.Call)+" refused "+string(m.Why))
			case tel.SeatEnded:
				out = append(out, string(m.Call)+" ended "+string(m.Why))
			case tel.ConferenceSays:
				if len(m.Names) == 0 {
					out = append(out, string(m.Call))
					break
				}
				out = append(out, string(m.Call)+" hears "+strings.TrimPrefix(strings.Join(m.Names, "+"), "conference_"))
			}
		}
	}
	return strings.TrimSpace(strings.Join(out, "; "))
}

func enters(call tel.CallID) tel.EnterConference {
	return tel.EnterConference{Call: call, Conference: "hall", Leg: tel.LegID("leg-" + call), Party: "phone:" + string(call), Number: tel.Number(call)}
}

func leads(call tel.CallID) tel.EnterConference {
	e := enters(call)
	e.Leader = true
	return e
}

func back(call tel.CallID) tel.EnterConference {
	e := enters(call)
	e.Again = true
	return e
}

func gone(call tel.CallID) tel.LeaveConference { return tel.LeaveConference{Call: call} }

func holds(call tel.CallID, on bool) tel.ConferenceHeld {
	return tel.ConferenceHeld{Call: call, Held: on}
}

// keys are what a member presses one after the other.
type keys struct {
	call  tel.CallID
	press string
}

// crash is a restart of the process.
type crash struct{}

// do gives a room an input, keys one by one.
func do(t *testing.T, s State, in any) (State, string) {
	t.Helper()
	var all []string
	switch in := in.(type) {
	case keys:
		for _, k := range in.press {
			var out []Effect
			s, out = Next(s, tel.ConferenceKey{Call: in.call, Key: k}, noon)
			all = append(all, told(out))
		}
	case crash:
		b, err := s.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if s, err = Restore(b); err != nil {
			t.Fatal(err)
		}
	default:
		var out []Effect
		s, out = Next(s, in, noon)
		all = append(all, told(out))
	}
	return s, strings.Trim(strings.Join(slices.DeleteFunc(all, func(x string) bool { return x == "" }), "; "), "; ")
}

func TestARoomDoesWhatItsMembersAndItsLeaderWant(t *testing.T) {
	type at struct {
		in   any
		want string
	}
	plain, tones := Spec{ID: "hall", Limit: 30}, Spec{ID: "hall", Limit: 30, Tones: true}
	await := Spec{ID: "hall", Limit: 30, Await: true, Tones: true}
	for name, c := range map[string]struct {
		spec Spec
		way  []at
	}{
		"the first hears music, the second talks with it": {tones, []at{
			{enters("a"), "mix a; a hears music; a seated; a hears alone"},
			{enters("b"), "mix a b; a; a hears tone_joined; b seated"},
			{gone("a"), "mix b; b hears music; b hears tone_left"},
			{gone("b"), "mix"},
		}},
		"without tones nobody hears who comes and goes": {plain, []at{
			{enters("a"), "mix a; a hears music; a seated; a hears alone"},
			{enters("b"), "mix a b; a; b seated"},
			{enters("c"), "mix a b c; c seated"},
			{gone("b"), "mix a c"},
		}},
		"without music who waits hears nothing": {Spec{ID: "hall", Limit: 2, NoMusic: true}, []at{
			{enters("a"), "mix a; a seated; a hears alone"}, {enters("b"), "mix a b; b seated"},
		}},
		"nobody hears anybody before the leader comes, and go on when it leaves": {await, []at{
			{enters("a"), "mix -a; a hears music; a seated; a hears await"},
			{enters("b"), "mix -a -b; b hears music; b seated; b hears await"},
			{leads("l"), "mix a b l; a; b; a hears tone_joined; b hears tone_joined; l seated; l hears tone_joined"},
			{gone("l"), "mix a b; a hears tone_left; b hears tone_left"},
			{enters("c"), "mix a b c; a hears tone_joined; b hears tone_joined; c seated"},
		}},
		"a conference whose leader takes everybody along is over when the last leader leaves": {Spec{ID: "hall", Limit: 30, EndAfter: true}, []at{
			{leads("l"), "mix l; l hears music; l seated; l hears alone"},
			{leads("k"), "mix l k; l; k seated"},
			{enters("a"), "mix l k a; a seated"},
			{gone("l"), "mix k a"},
			{gone("k"), "mix; a ended over"},
		}},
		"*6 silences a member and gives its voice back": {plain, []at{
			{enters("a"), "mix a; a hears music; a seated; a hears alone"},
			{enters("b"), "mix a b; a; b seated"},
			{keys{"b", "*6"}, "mix a -b; b hears muted"},
			{keys{"b", "6"}, ""},
			{keys{"b", "*#6"}, ""},
			{keys{"b", "**6"}, "mix a b; b hears unmuted"},
			{keys{"nobody", "*6"}, ""},
		}},
		"only a leader locks, removes, silences and ends": {plain, []at{
			{enters("a"), "mix a; a hears music; a seated; a hears alone"},
			{enters("b"), "mix a b; a; b seated"},
			{keys{"b", "*1*3*5*0"}, ""},
		}},
		"the leader locks the room, and opens it again": {plain, []at{
			{leads("l"), "mix l; l hears music; l seated; l hears alone"},
			{keys{"l", "*1"}, "l hears locked"},
			{enters("a"), "a refused locked"},
			{leads("k"), "mix l k; l; k seated"},
			{keys{"k", "*1"}, "k hears unlocked"},
			{enters("a"), "mix l k a; a seated"},
		}},
		"a lock does not outlive the last leader": {plain, []at{
			{leads("l"), "mix l; l hears music; l seated; l hears alone"},
			{enters("a"), "mix l a; l; a seated"},
			{keys{"l", "*1"}, "l hears locked"},
			{gone("l"), "mix a; a hears music"},
			{enters("b"), "mix a b; a; b seated"},
		}},
		"the leader removes who came last, but no leader": {plain, []at{
			{enters("a"), "mix a; a hears music; a seated; a hears alone"},
			{enters("b"), "mix a b; a; b seated"},
			{leads("l"), "mix a b l; l seated"},
			{keys{"l", "*3"}, "mix a l; b ended removed"},
			{keys{"l", "*3"}, "mix l; l hears music; a ended removed"},
			{keys{"l", "*3"}, ""},
		}},
		"the leader silences all others, and gives them their voices back": {plain, []at{
			{leads("l"), "mix l; l hears music; l seated; l hears alone"},
			{enters("a"), "mix l a; l; a seated"},
			{enters("b"), "mix l a b; b seated"},
			{keys{"b", "*6"}, "mix l a -b; b hears muted"},
			{keys{"l", "*5"}, "mix l -a -b; a hears muted"},
			{keys{"l", "*5"}, "mix l a b; a hears unmuted; b hears unmuted"},
		}},
		"the leader ends the conference": {plain, []at{
			{leads("l"), "mix l; l hears music; l seated; l hears alone"},
			{enters("a"), "mix l a; l; a seated"},
			{keys{"l", "*0"}, "mix; l ended over; a ended over"},
			{enters("b"), "mix b; b hears music; b seated; b hears alone"},
		}},
		"a full room takes nobody": {Spec{ID: "hall", Limit: 2}, []at{
			{enters("a"), "mix a; a hears music; a seated; a hears alone"}, {enters("b"), "mix a b; a; b seated"}, {leads("l"), "l refused full"},
		}},
		"the music of a phone that holds the room is not heard there": {plain, []at{
			{enters("a"), "mix a; a hears music; a seated; a hears alone"},
			{enters("b"), "mix a b; a; b seated"},
			{holds("b", true), "mix a -b"},
			{holds("b", true), ""},
			{keys{"b", "*6"}, "mix a -b"},
			{holds("b", false), "mix a -b"},
			{gone("a"), "mix -b; b hears music"},
		}},
		"who comes alone into a room of the silent may speak after *6": {Spec{ID: "hall", Limit: 9, Silent: true}, []at{
			{enters("a"), "mix -a; a hears music; a seated; a hears alone"},
			{enters("b"), "mix -a -b; a; b seated; b hears muted"},
			{leads("l"), "mix -a -b l; l seated"},
			{keys{"b", "*6"}, "mix -a b l; b hears unmuted"},
		}},
		"another leg takes the place of a member as it was": {plain, []at{
			{enters("a"), "mix a; a hears music; a seated; a hears alone"},
			{enters("b"), "mix a b; a; b seated"},
			{keys{"a", "*6"}, "mix -a b; a hears muted"},
			{tel.EnterConference{Call: "a", Conference: "hall", Leg: "leg-x"}, "mix -x b; a seated"},
		}},
		"somebody at the page silences, removes, locks and ends": {plain, []at{
			{enters("a"), "mix a; a hears music; a seated; a hears alone"},
			{enters("b"), "mix a b; a; b seated"},
			{Order{Mute, "a"}, "mix -a b; a hears muted"},
			{Order{Mute, "a"}, ""},
			{Order{Unmute, "a"}, "mix a b; a hears unmuted"},
			{Order{Lock, ""}, ""},
			{enters("c"), "c refused locked"},
			{Order{Unlock, ""}, ""},
			{enters("c"), "mix a b c; c seated"},
			{Order{MuteAll, ""}, "mix -a -b -c; a hears muted; b hears muted; c hears muted"},
			{Order{UnmuteAll, ""}, "mix a b c; a hears unmuted; b hears unmuted; c hears unmuted"},
			{Order{Remove, "b"}, "mix a c; b ended removed"},
			{Order{Remove, "b"}, ""},
			{Order{End, ""}, "mix; a ended over; c ended over"},
		}},
		"a room that is taken away sends everybody home": {plain, []at{
			{enters("a"), "mix a; a hears music; a seated; a hears alone"}, {Configured{}, "mix; a ended gone"},
		}},
		"a change of the rules reaches who is inside": {plain, []at{
			{enters("a"), "mix a; a hears music; a seated; a hears alone"},
			{enters("b"), "mix a b; a; b seated"},
			{Configured{&await}, "mix -a -b; a hears music; b hears music"},
			{Configured{&plain}, "mix a b; a; b"},
			{Configured{&Spec{ID: "hall", Limit: 2}}, ""},
			{enters("c"), "c refused full"},
		}},
		"after a restart parties hear each other again, as they were": {tones, []at{
			{leads("l"), "mix l; l hears music; l seated; l hears alone"},
			{enters("a"), "mix l a; l; l hears tone_joined; a seated"},
			{enters("b"), "mix l a b; l hears tone_joined; a hears tone_joined; b seated"},
			{keys{"a", "*6"}, "mix l -a b; a hears muted"},
			{keys{"l", "*1"}, "l hears locked"},
			{crash{}, ""},
			{back("a"), "mix -a; a seated"},
			{enters("z"), "z refused locked"},
			{back("l"), "mix l -a; l seated"},
			{Returned{}, "mix l -a; l hears tone_left; a hears tone_left"},
			{keys{"l", "*5"}, "mix l a; a hears unmuted"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := State{Spec: c.spec}
			for i, step := range c.way {
				var got string
				if s, got = do(t, s, step.in); got != step.want {
					t.Errorf("%d: %+v:\n got %s\nwant %s", i, step.in, got, step.want)
				}
			}
		})
	}
}

func TestARoomIsShownAsItIs(t *testing.T) {
	s := State{Spec: Spec{ID: "hall", Name: "Sala", Limit: 5}}
	for _, in := range []any{leads("l"), enters("a"), enters("b"), keys{"a", "*6"}, keys{"l", "*1"}, holds("b", true)} {
		s, _ = do(t, s, in)
	}
	c := s.Shown(func(tel.LegID) bool { return true })
	var got []string
	for _, m := range c.Members {
		got = append(got, fmt.Sprintln(m.Call, m.Leader, m.Muted, m.Held, m.Speaking))
	}
	if want := []string{"l true false false true\n", "a false true false false\n", "b false false true false\n"}; !slices.Equal(got, want) || !c.Locked || c.Waits || c.Name != "Sala" || !c.Since.Equal(noon) {
		t.Errorf("%+v\n got %q\nwant %q", c, got, want)
	}
}
