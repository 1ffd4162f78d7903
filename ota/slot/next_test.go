package slot

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
	"time"
)

var (
	noon  = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	inA   = Facts{Running: SlotA, Chosen: SlotA}
	two   = Release{Version: "2.0.0", Issue: "i2", SHA256: "aa", Size: 10, Epoch: 4}
	three = Release{Version: "3.0.0", Issue: "i3", SHA256: "bb", Size: 10, Epoch: 5}
	asked = Trial{Version: "2.0.0", Slot: SlotB, Asked: noon, Outcome: TrialAsked}
)

func wanted(r Release) Release { r.Asked = true; return r }

// at is an update to two in a phase.
func at(p Phase) State { return State{Phase: p, Want: two, Slot: SlotB} }

func with(s State, change func(*State)) State { change(&s); return s }

func TestNext(t *testing.T) {
	barred := with(State{Phase: Refused}, func(s *State) { s.Barred = []Bar{{Version: "2.0.0", Issue: "i2", Code: CodeHash, At: noon}} })
	for _, c := range []struct {
		name    string
		s       State
		e       Event
		phase   Phase
		effects []Effect
		holds   func(State) bool
	}{
		{"an offer begins the download", State{}, Offered{two, inA}, Fetching, []Effect{Fetch}, func(s State) bool { return s.Slot == SlotB }},
		{"an offer for the box that runs slot B is written into slot A", State{}, Offered{two, Facts{Running: SlotB}}, Fetching, []Effect{Fetch}, func(s State) bool { return s.Slot == SlotA }},
		{"the same offer again changes nothing", at(Writing), Offered{two, inA}, Writing, nil, func(s State) bool { return !s.Want.Asked }},
		{"the same content, issued again, goes on", at(Writing), Offered{with2(two, "again"), inA}, Writing, nil, func(s State) bool { return s.Want.Issue == "again" }},
		{"who asks for what is under way hurries it", at(Waiting), Offered{wanted(two), inA}, Waiting, nil, func(s State) bool { return s.Want.Asked }},
		{"who asks for what failed for a moment has it tried at once", with(at(Fetching), func(s *State) { s.Retry = noon }), Offered{wanted(two), inA}, Fetching, []Effect{Fetch}, func(s State) bool { return s.Retry.IsZero() }},
		{"a newer release replaces what is under way", at(Writing), Offered{three, inA}, Fetching, []Effect{Stop, Discard, Fetch}, nil},
		{"nothing replaces what is on trial", at(Trying), Offered{three, inA}, Trying, nil, nil},
		{"nothing begins while another slot is on trial", State{}, Offered{two, Facts{Running: SlotB, Trying: true}}, "", nil, nil},
		{"what came to nothing is not tried again", barred, Offered{two, inA}, Refused, nil, nil},
		{"unless it is issued again", barred, Offered{with2(two, "again"), inA}, Fetching, []Effect{Fetch}, func(s State) bool { return len(s.Barred) == 0 }},
		{"or somebody asks", barred, Offered{wanted(two), inA}, Fetching, []Effect{Fetch}, func(s State) bool { return len(s.Barred) == 0 }},
		{"a whole download is written", at(Fetching), Fetched{}, Writing, []Effect{Write}, nil},
		{"what is written is read back, and its first sector remembered", at(Writing), Written{[]byte("x")}, Checking, []Effect{Check}, func(s State) bool { return bytes.Equal(s.First, []byte("x")) }},
		{"a box on which somebody is on the phone after all waits again", at(Trying), Disturbed{}, Waiting, nil, func(s State) bool { return s.Trouble == None && s.Failures == 0 && s.Retry.IsZero() }},
		{"who is given up is not disturbed", with(at(Trying), func(s *State) { s.Verdict = &Verdict{"fit_call", "x"} }), Disturbed{}, Trying, nil, nil},
		{"what is proved waits", at(Checking), Checked{}, Waiting, nil, nil},
		{"a network that is away is waited for", at(Fetching), Failed{CodeNetwork, "x", noon}, Fetching, nil, func(s State) bool { return s.Retry.Equal(noon.Add(time.Minute)) && s.Trouble == CodeNetwork }},
		{"each time for longer", with(at(Fetching), func(s *State) { s.Failures = 4 }), Failed{CodeNetwork, "x", noon}, Fetching, nil, func(s State) bool { return s.Retry.Equal(noon.Add(16 * time.Minute)) }},
		{"so is room on the disk", at(Fetching), Failed{CodeFull, "x", noon}, Fetching, nil, func(s State) bool { return !s.Retry.IsZero() && len(s.Barred) == 0 }},
		{"a retry does the work of its phase", with(at(Writing), func(s *State) { s.Retry = noon }), Again{}, Writing, []Effect{Write}, func(s State) bool { return s.Retry.IsZero() }},
		{"a retry that nobody waits for does nothing", at(Writing), Again{}, Writing, nil, nil},
		{"a wrong hash throws all away, and makes nothing out of what is here", at(Writing), Failed{CodeHash, "x", noon}, Fetching, []Effect{Discard, Fetch}, func(s State) bool { return s.Whole }},
		{"the third wrong hash is the last", with(at(Fetching), func(s *State) { s.Strikes = 2 }), Failed{CodeHash, "x", noon}, Refused, []Effect{Discard}, func(s State) bool { return s.Barred[0].Code == CodeHash && s.Last.Result == Refused }},
		{"a slot that gives back something else is written again", at(Checking), Failed{CodeDiffers, "x", noon}, Writing, []Effect{Write}, nil},
		{"the third time it is given up and must not be started", with(at(Checking), func(s *State) { s.Strikes = 2 }), Failed{CodeDiffers, "x", noon}, Refused, []Effect{Discard, Invalidate}, func(s State) bool { return s.Last.Code == CodeDiffers }},
		{"what is too large is given up at once", at(Writing), Failed{CodeLarge, "x", noon}, Refused, []Effect{Discard, Invalidate}, nil},
		{"what was forgotten begins anew with the next offer", at(Writing), Failed{CodeDamaged, "x", noon}, Refused, []Effect{Discard}, func(s State) bool { return len(s.Barred) == 0 }},
		{"a withdrawn release is dropped while it is fetched", at(Fetching), Withdrawn{noon}, Refused, []Effect{Stop, Discard}, func(s State) bool { return s.Last.Code == CodeWithdrew && len(s.Barred) == 0 }},
		{"a withdrawn release is dropped while it waits", at(Waiting), Withdrawn{noon}, Refused, []Effect{Stop, Discard, Invalidate}, nil},
		{"a release on trial is judged by its health alone", at(Trying), Withdrawn{noon}, Trying, nil, nil},
		{"it is started when nobody would notice", at(Waiting), Quiet{}, Trying, []Effect{Try}, nil},
		{"nothing else is started", at(Checking), Quiet{}, Checking, nil, nil},
		{"a start that is refused is tried again later", at(Trying), Failed{CodeSlots, "x", noon}, Waiting, nil, func(s State) bool { return !s.Retry.IsZero() }},
		{"nothing is started before that", with(at(Waiting), func(s *State) { s.Retry = noon }), Quiet{}, Waiting, nil, nil},
		{"a package that cannot be installed is written again", at(Trying), Failed{CodePackage, "x", noon}, Writing, []Effect{Write}, nil},
		{"what is fit is kept", at(Trying), Judged{Fit: true}, Trying, []Effect{Keep}, nil},
		{"what is unfit goes back, for a reason that outlives it", at(Trying), Judged{Code: "fit_call", Words: "x"}, Trying, []Effect{Return}, func(s State) bool { return s.Verdict.Code == "fit_call" }},
		{"a verdict stands", with(at(Trying), func(s *State) { s.Verdict = &Verdict{"fit_call", "x"} }), Judged{Fit: true}, Trying, nil, nil},
		{"a commit raises the epoch", at(Trying), Committed{noon}, Kept, []Effect{Discard}, func(s State) bool { return s.Epoch == 4 && s.Last.Result == Kept }},
		{"a commit that comes to nothing is tried again", at(Trying), Unchanged{"x"}, Trying, []Effect{Keep}, nil},
		{"three of them are the way back", with(at(Trying), func(s *State) { s.Strikes = 2 }), Unchanged{"x"}, Trying, []Effect{Return}, func(s State) bool { return s.Verdict.Code == CodeSlots }},
		{"what was read is read", with(State{Phase: Back}, func(s *State) { s.Last = &Outcome{Version: "2.0.0"} }), Seen{}, Idle, nil, func(s State) bool { return s.Last.Seen }},
		{"reading what was before ends no update", with(at(Fetching), func(s *State) { s.Last = &Outcome{Version: "1.0.0"} }), Seen{}, Fetching, nil, func(s State) bool { return s.Last.Seen }},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := clone(c.s)
			s, effects := Next(c.s, c.e)
			if s.Phase != c.phase || !slices.Equal(effects, c.effects) || c.holds != nil && !c.holds(s) {
				t.Errorf("%+v, %v", s, effects)
			}
			if !reflect.DeepEqual(before, c.s) {
				t.Errorf("the state before became %+v", c.s)
			}
		})
	}
}

func with2(r Release, issue string) Release { r.Issue = issue; return r }

// What a start makes of each state that a power cut, a hang or a kill can leave.
func TestStart(t *testing.T) {
	back := func(why Code) Trial { x := asked; x.Outcome, x.Why, x.Words = TrialBack, why, "words"; return x }
	for _, c := range []struct {
		name    string
		s       State
		f       Facts
		phase   Phase
		effects []Effect
		last    Code
	}{
		{"a new box has nothing to do", State{}, inA, "", nil, ""},
		{"a download goes on", at(Fetching), inA, Fetching, []Effect{Fetch}, ""},
		{"writing goes on", at(Writing), inA, Writing, []Effect{Write}, ""},
		{"checking begins again", at(Checking), inA, Checking, []Effect{Check}, ""},
		{"what waits is proved once more", at(Waiting), inA, Checking, []Effect{Check}, ""},
		{"what would now be written into the slot that runs is begun again", at(Writing), Facts{Running: SlotB}, Fetching, []Effect{Fetch}, ""},
		{"cut before the trial was asked for", at(Trying), inA, Checking, []Effect{Check}, ""},
		{"the trial has begun", at(Trying), Facts{Running: SlotB, Trying: true, Last: asked}, Trying, []Effect{Examine}, ""},
		{"nobody remembers the trial that runs", State{}, Facts{Running: SlotB, Trying: true, Last: asked}, Trying, []Effect{Examine}, ""},
		{"a trial that was given up restarts", with(at(Trying), func(s *State) { s.Verdict = &Verdict{"fit_call", "x"} }), Facts{Running: SlotB, Trying: true, Last: asked}, Trying, []Effect{Return}, ""},
		{"cut after the commit", at(Trying), Facts{Running: SlotB, Chosen: SlotB, Last: asked}, Kept, []Effect{Discard}, ""},
		{"the trial hung or lost power: it is proved and tried once more", at(Trying), Facts{Running: SlotA, Last: back(CodeReset)}, Checking, []Effect{Check}, ""},
		{"twice", with(at(Trying), func(s *State) { s.Resets = 1 }), Facts{Running: SlotA, Last: asked}, Back, []Effect{Discard, Invalidate}, CodeReset},
		{"the trial was not kept in time", at(Trying), Facts{Running: SlotA, Last: back(CodeExpired)}, Back, []Effect{Discard, Invalidate}, CodeExpired},
		{"the trial was unfit", with(at(Trying), func(s *State) { s.Verdict = &Verdict{"fit_call", "x"} }), Facts{Running: SlotA, Last: back(CodeUnfit)}, Back, []Effect{Discard, Invalidate}, "fit_call"},
		{"what had been kept does not start any more", with(State{Phase: Kept, Want: two}, func(s *State) { s.Told = asked }), Facts{Running: SlotA, Last: back(CodeStarts)}, Back, nil, CodeStarts},
		{"and an update that was under way goes on", with(at(Writing), func(s *State) { s.Want = three }), Facts{Running: SlotA, Last: back(CodeStarts)}, Writing, []Effect{Write}, CodeStarts},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, effects := Next(c.s, Started{c.f, noon})
			if s.Phase != c.phase || !slices.Equal(effects, c.effects) {
				t.Fatalf("%+v, %v", s, effects)
			}
			if c.last != "" && (s.Last == nil || s.Last.Code != c.last || s.Last.Version != "2.0.0") {
				t.Errorf("the last update: %+v", s.Last)
			}
			if c.last != "" {
				if _, barred := s.Against(two); !barred {
					t.Error("it would be tried again")
				}
				again, _ := Next(s, Started{c.f, noon.Add(time.Hour)})
				if !again.Last.At.Equal(noon) {
					t.Error("the next start tells it once more")
				}
			}
		})
	}
}

// A cut while a good release is on trial must not keep it from the box for ever; one that hangs is given up the second
// time. Another release has its own two trials.
func TestALossOfPowerDuringATrialIsForgivenOnce(t *testing.T) {
	s, f := at(Waiting), inA
	tries := func() (effects []Effect) {
		s, _ = Next(s, Quiet{})
		f.Last = Trial{Version: s.Want.Version, Slot: SlotB, Asked: f.Last.Asked.Add(time.Hour), Outcome: TrialBack, Why: CodeReset}
		s, effects = Next(s, Started{f, noon})
		return effects
	}
	if effects := tries(); s.Phase != Checking || !slices.Equal(effects, []Effect{Check}) || len(s.Barred) > 0 || s.Last != nil {
		t.Fatalf("the first time: %+v, %v", s, effects)
	}
	if s, _ = Next(s, Started{f, noon}); s.Phase != Checking {
		t.Errorf("a restart of the program alone counts as a trial: %+v", s)
	}
	s, _ = Next(s, Checked{})
	if tries(); s.Phase != Back || len(s.Barred) != 1 || s.Barred[0].Code != CodeReset {
		t.Fatalf("the second time: %+v", s)
	}
	s, _ = Next(s, Offered{three, f})
	s = with(s, func(s *State) { s.Phase = Waiting })
	if tries(); s.Phase != Checking {
		t.Errorf("another release pays for it: %+v", s)
	}
}

func TestWhatFailsLongIsTriedAtLeastEverySixHours(t *testing.T) {
	for n := range 100 {
		if d := Backoff(n); d < time.Minute || d > 6*time.Hour || n > 12 && d != 6*time.Hour {
			t.Errorf("after %d failures %v are waited", n, d)
		}
	}
}
