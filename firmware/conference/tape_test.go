package conference

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// recorder is what a room has recorded, judged from outside.
type recorder struct {
	running string
	paused  bool
	kept    map[tel.LegID]bool
	ids     map[string]bool
	forgot  map[string]bool
	open    map[tel.CallID]string // what calls believe that is recorded of them
	words   map[tel.CallID][]string
	told    map[tel.CallID]bool // has heard the notice to its end
	telling map[tel.CallID]bool
}

func newRecorder() *recorder {
	return &recorder{
		kept: map[tel.LegID]bool{}, ids: map[string]bool{}, forgot: map[string]bool{}, open: map[tel.CallID]string{},
		words: map[tel.CallID][]string{}, told: map[tel.CallID]bool{}, telling: map[tel.CallID]bool{},
	}
}

func (r *recorder) take(t *testing.T, out []Effect) {
	t.Helper()
	for _, x := range out {
		switch x := x.(type) {
		case Tape:
			if r.running != "" || r.ids[x.ID] {
				t.Fatalf("%s begins while %q runs, or for the second time", x.ID, r.running)
			}
			r.running, r.paused, r.ids[x.ID] = x.ID, false, true
			clear(r.kept)
		case Keep:
			if x.ID != r.running {
				t.Fatalf("voices for %s, %q runs", x.ID, r.running)
			}
			clear(r.kept)
			for _, v := range x.Voices {
				r.kept[v.Leg] = v.Kept
			}
		case PauseTape:
			r.paused = x.Why != ""
		case EndTape:
			if x.ID != r.running {
				t.Fatalf("%s ends, %q runs", x.ID, r.running)
			}
			r.running = ""
		case ForgetTape:
			r.forgot[x.Chain] = true
		case Tell:
			r.hears(x.Message)
		}
	}
}

func (r *recorder) hears(m tel.ToCall) {
	switch m := m.(type) {
	case tel.ConferenceTaped:
		switch {
		case m.ID == "": // about the whole chain
		case m.Why == "" && m.Failed == "":
			r.open[m.Call] = m.ID
		default:
			delete(r.open, m.Call)
		}
	case tel.ConferenceSays:
		if len(m.Names) == 0 || m.Loop {
			return
		}
		r.words[m.Call] = append(r.words[m.Call], m.Names...)
		r.telling[m.Call] = slices.Contains(m.Names, "recording_notice") // other words cut it short
	case tel.SeatEnded:
		r.gone(m.Call)
	}
}

func (r *recorder) gone(call tel.CallID) {
	delete(r.open, call)
	delete(r.told, call)
	delete(r.telling, call)
}

// judge holds the promises of recording after any input.
func (r *recorder) judge(t *testing.T, s *State) {
	t.Helper()
	wanted, _ := s.wanted()
	told := 0
	for i := range s.Members {
		m := &s.Members[i]
		if m.Away {
			continue
		}
		if s.Tape.Rule.Notice && m.Told && !m.Never && !r.told[m.Call] {
			t.Fatalf("%s counts as told and has not heard the notice", m.Call)
		}
		on := m.Told && !m.Never
		if on {
			told++
		}
		if r.running == "" {
			if r.open[m.Call] != "" {
				t.Fatalf("%s believes that %s runs", m.Call, r.open[m.Call])
			}
			continue
		}
		if r.kept[m.Leg] != (on && s.heard(m)) {
			t.Fatalf("%s is kept: %v (%+v)", m.Call, r.kept[m.Leg], m)
		}
		if (r.open[m.Call] == r.running) != on {
			t.Fatalf("%s believes that %q is recorded of it, told %v", m.Call, r.open[m.Call], m.Told)
		}
	}
	if runs := wanted && told > 0 && s.Tape.RetryAt.IsZero(); runs != (r.running != "") {
		t.Fatalf("%q runs, wanted %v, %d told: %+v", r.running, wanted, told, s.Tape)
	}
	if len(s.Members) == 0 && s.Tape != (Taping{}) {
		t.Fatalf("an empty room remembers %+v", s.Tape)
	}
	if r.running != "" && r.forgot[s.Tape.Chain] {
		t.Fatalf("%s is recorded again after somebody has refused", s.Tape.Chain)
	}
}

// Whoever comes, goes, is silenced, holds, refuses and is killed in whatever order: nobody is recorded before it has been
// told, who is recorded is so by one part that its call knows of, and what was refused is deleted and does not begin again.
func TestWhateverHappensInARoomNobodyIsRecordedUntoldOrAgainstItsWill(t *testing.T) {
	rounds := uint64(800)
	if testing.Short() {
		rounds = 100
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(seed, 11))
		b := func() bool { return r.IntN(2) == 0 }
		spec := Spec{ID: "hall", Limit: 6, Await: r.IntN(4) == 0, Silent: r.IntN(4) == 0, Tones: b(), NoMusic: b(), Tape: TapeRule{
			Mode: []TapeMode{TapeAlways, TapeAlways, TapeDemand}[r.IntN(3)], Notice: r.IntN(4) > 0, OptOut: '9', OnHold: b(),
		}}
		s, x, now := State{Spec: spec}, newRecorder(), noon
		next := func(in any) {
			var out []Effect
			s, out = Next(s, in, now)
			x.take(t, out)
		}
		for range 80 {
			now = now.Add(time.Duration(1+r.IntN(8)) * time.Second)
			call := tel.CallID(rune('a' + r.IntN(5)))
			party := map[bool]string{true: "trunk:tim", false: "phone:201"}[call < "c"]
			switch r.IntN(14) {
			case 0, 1, 2, 3:
				next(tel.EnterConference{Call: call, Leg: tel.LegID("leg-" + call), Party: party, Leader: r.IntN(3) == 0, Refused: call == "b"})
			case 4:
				x.gone(call)
				next(gone(call))
			case 5:
				next(holds(call, b()))
			case 6:
				next(tel.ConferenceKey{Call: call, Key: rune("*6*2"[r.IntN(4)])})
			case 7:
				if r.IntN(4) == 0 {
					next(tel.ConferenceKey{Call: call, Key: '9'})
				}
			case 8:
				next(Order{[]Wish{Record, RecordStop, Mute, Unmute, Remove}[r.IntN(5)], call})
			case 9:
				if x.running != "" && r.IntN(3) == 0 {
					next(TapeFailed{x.running, "the disk is full"})
					x.running = ""
				}
			case 10:
				x.killed(t, &s, r)
				for _, m := range slices.Clone(s.Members) {
					next(tel.EnterConference{Call: m.Call, Leg: m.Leg, Party: m.Party, Again: true, Refused: m.Call == "b"})
					next(holds(m.Call, m.Held))
				}
				next(Returned{})
			default:
				for call := range x.telling {
					if x.telling[call] && r.IntN(3) > 0 {
						x.told[call], x.telling[call] = true, false
						next(tel.ConferenceSaid{Call: call})
					}
				}
			}
			next(Tick{})
			x.judge(t, &s)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

// killed is a kill of the process: what ran has ended, and no call has a part open.
func (r *recorder) killed(t *testing.T, s *State, random *rand.Rand) {
	t.Helper()
	b, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if *s, err = Restore(b); err != nil {
		t.Fatal(err)
	}
	r.running = ""
	clear(r.open)
	clear(r.telling)
	if random.IntN(3) == 0 && len(s.Members) > 0 { // its call has not come back
		r.gone(s.Members[0].Call)
		var out []Effect
		*s, out = Next(*s, gone(s.Members[0].Call), noon)
		r.take(t, out)
	}
}

// taped seats callers in a room that is recorded by a rule, and lets each hear the words to their end.
func taped(t *testing.T, rule TapeRule, who ...string) (State, *recorder, func(in any)) {
	t.Helper()
	s, x := State{Spec: Spec{ID: "hall", Limit: 9, NoMusic: true, Tape: rule}}, newRecorder()
	now := noon
	next := func(in any) {
		now = now.Add(time.Second)
		var out []Effect
		s, out = Next(s, in, now)
		x.take(t, out)
	}
	for _, w := range who {
		next(tel.EnterConference{Call: tel.CallID(w[:1]), Leg: tel.LegID("leg-" + w[:1]), Party: w[2:], Leader: w[:1] == "l"})
	}
	for _, w := range who {
		next(tel.ConferenceSaid{Call: tel.CallID(w[:1])})
		x.told[tel.CallID(w[:1])] = true
	}
	return s, x, func(in any) { next(in); x.judge(t, &s) }
}

func TestWhatIsSaidOfARecordedRoom(t *testing.T) {
	always := TapeRule{Mode: TapeAlways, Notice: true, OptOut: '9'}
	t.Run("callers are told how to refuse, people of the house that it is recorded", func(t *testing.T) {
		_, x, _ := taped(t, always, "a trunk:tim", "b phone:201")
		if got := strings.Join(x.words["a"], " "); !strings.Contains(got, "recording_notice recording_opt_out digit_9") {
			t.Errorf("the caller hears %q", got)
		}
		if got := strings.Join(x.words["b"], " "); !strings.HasSuffix(got, "recording_notice") {
			t.Errorf("the colleague hears %q", got)
		}
		if x.running == "" || !x.kept["leg-a"] || !x.kept["leg-b"] {
			t.Errorf("%+v", x)
		}
	})
	t.Run("who comes later is told, and not recorded before", func(t *testing.T) {
		_, x, next := taped(t, always, "a trunk:tim", "b phone:201")
		was := x.running
		next(tel.EnterConference{Call: "c", Leg: "leg-c", Party: "line:gsm0"})
		if x.running != was || x.kept["leg-c"] || !x.kept["leg-a"] || !strings.Contains(fmt.Sprint(x.words["c"]), "recording_notice recording_opt_out") {
			t.Errorf("%+v", x)
		}
		x.told["c"] = true
		next(tel.ConferenceSaid{Call: "c"})
		if x.running != was || !x.kept["leg-c"] || x.open["c"] != was {
			t.Errorf("%+v", x)
		}
	})
	t.Run("a caller refuses: it is deleted, everybody hears so, and it does not begin again", func(t *testing.T) {
		s, x, next := taped(t, always, "a trunk:tim", "b phone:201", "c phone:202")
		chain := s.Tape.Chain
		next(tel.ConferenceKey{Call: "b", Key: '9'}) // not for people of the house
		if x.running == "" {
			t.Fatal("a phone of the house has ended it")
		}
		next(tel.ConferenceKey{Call: "a", Key: '9'})
		if x.running != "" || !x.forgot[chain] || len(x.open) > 0 {
			t.Errorf("%+v", x)
		}
		for _, c := range []tel.CallID{"a", "b", "c"} {
			if w := x.words[c]; w[len(w)-1] != "recording_refused" {
				t.Errorf("%s hears %v", c, w)
			}
		}
		next(tel.EnterConference{Call: "d", Leg: "leg-d", Party: "phone:203"})
		next(gone("a"))
		if x.running != "" {
			t.Error("it begins again")
		}
	})
	t.Run("who has refused in the call that brings it here is left out, and the others are not", func(t *testing.T) {
		_, x, next := taped(t, always, "a trunk:tim", "b phone:201")
		next(tel.EnterConference{Call: "c", Leg: "leg-c", Party: "trunk:tim", Refused: true})
		next(tel.ConferenceSaid{Call: "c"})
		if x.running == "" || !x.kept["leg-a"] || x.kept["leg-c"] || x.open["c"] != "" {
			t.Errorf("%+v", x)
		}
	})
	t.Run("a leader begins and ends it, nobody else", func(t *testing.T) {
		_, x, next := taped(t, TapeRule{Mode: TapeDemand, Notice: true}, "l phone:201", "a trunk:tim")
		if x.running != "" {
			t.Fatal("nobody wanted it")
		}
		delete(x.told, "l")
		delete(x.told, "a")
		for _, k := range "*2" {
			next(tel.ConferenceKey{Call: "a", Key: k})
		}
		if len(x.telling) > 0 && (x.telling["a"] || x.telling["l"]) {
			t.Fatal("a participant has begun it")
		}
		for _, k := range "*2" {
			next(tel.ConferenceKey{Call: "l", Key: k})
		}
		for _, c := range []tel.CallID{"l", "a"} {
			x.told[c] = true
			next(tel.ConferenceSaid{Call: c})
		}
		if x.running == "" {
			t.Fatal("it does not begin")
		}
		next(Order{What: RecordStop})
		if w := x.words["a"]; x.running != "" || w[len(w)-1] != "recording_off" {
			t.Errorf("%+v", x)
		}
	})
	t.Run("what the house wants is not for a leader to end", func(t *testing.T) {
		_, x, next := taped(t, always, "l phone:201", "a trunk:tim")
		for _, k := range "*2" {
			next(tel.ConferenceKey{Call: "l", Key: k})
		}
		next(Order{What: RecordStop})
		if w := x.words["l"]; x.running == "" || w[len(w)-1] != "recording_not_here" {
			t.Errorf("%+v", x)
		}
	})
	t.Run("who never hears the notice to its end is never recorded, and it ends being said", func(t *testing.T) {
		_, x, next := taped(t, always, "a phone:201", "b phone:202")
		next(tel.EnterConference{Call: "c", Leg: "leg-c", Party: "phone:203"})
		for range 200 {
			next(Tick{})
		}
		n := strings.Count(fmt.Sprint(x.words["c"]), "recording_notice")
		if x.kept["leg-c"] || !x.kept["leg-a"] || n != maxNotices {
			t.Errorf("said %d times, kept %v", n, x.kept)
		}
	})
}
