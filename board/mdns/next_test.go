package mdns

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	start  = time.Unix(1000, 0)
	ours   = netip.MustParseAddr("192.168.1.50")
	bigger = netip.MustParseAddr("192.168.1.60")
	less   = netip.MustParseAddr("192.168.1.40")
)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

type step struct {
	ms   int // since the beginning
	e    event
	want []effect
}

// asking are the steps in which a name is asked for and nobody has it.
func asking(label string, from int) []step {
	return []step{
		{from, clock{}, []effect{probe{label}, wake{at(from + 250)}}},
		{from + 250, clock{}, []effect{probe{label}, wake{at(from + 500)}}},
		{from + 500, clock{}, []effect{probe{label}, wake{at(from + 750)}}},
		{from + 750, clock{}, []effect{told{label, "ours"}, announce{label}, wake{at(from + 1750)}}},
		{from + 1750, clock{}, []effect{announce{label}}},
	}
}

func TestABoxTakesANameOnlyWhenNobodyHasIt(t *testing.T) {
	first := step{0, addressed{ours}, []effect{wake{at(0)}}}
	must, may := Name{Label: "pronto-9qxa"}, Name{Label: "pronto", Optional: true}
	then := func(all ...[]step) (steps []step) {
		for _, s := range all {
			steps = append(steps, s...)
		}
		return steps
	}
	for _, tc := range []struct {
		name  string
		want  Name
		steps []step
	}{
		{"after three questions without an answer", must, then([]step{first}, asking("pronto-9qxa", 0), []step{
			{3000, asked{"pronto-9qxa"}, []effect{announce{"pronto-9qxa"}}},
			{3000, asked{"another"}, nil},
		})},
		{"and not before: nothing is answered while it asks", must, []step{
			first, asking("pronto-9qxa", 0)[0], {100, asked{"pronto-9qxa"}, nil},
		}},
		{"with a number behind it when it is taken", must, then([]step{
			first, asking("pronto-9qxa", 0)[0],
			{100, heard{label: "pronto-9qxa", addr: less}, []effect{told{"pronto-9qxa", "taken by somebody else"}, wake{at(100)}}},
		}, asking("pronto-9qxa-2", 100))},
		{"not at all when it is optional and taken", may, []step{
			first, asking("pronto", 0)[0],
			{100, heard{label: "pronto", addr: less}, []effect{told{"pronto", "taken by somebody else"}}},
			{5000, asked{"pronto"}, nil},
		}},
		{"later, when somebody with a larger address asks for it at the same time", must, then([]step{
			first, asking("pronto-9qxa", 0)[0],
			{100, heard{"pronto-9qxa", bigger, true}, []effect{told{"pronto-9qxa", "somebody else asks for it too"}, wake{at(1100)}}},
		}, asking("pronto-9qxa", 1100))},
		{"at once, when somebody with a smaller address asks for it at the same time", must, []step{
			first, asking("pronto-9qxa", 0)[0],
			{100, heard{"pronto-9qxa", less, true}, []effect{wake{at(250)}}},
			asking("pronto-9qxa", 0)[1],
		}},
		{"and defends it against who asks for it afterwards", must, then([]step{first}, asking("pronto-9qxa", 0), []step{
			{3000, heard{"pronto-9qxa", bigger, true}, []effect{announce{"pronto-9qxa"}}},
		})},
		{"and gives it up when two networks with it are joined", may, then([]step{first}, asking("pronto", 0), []step{
			{3000, heard{label: "pronto", addr: bigger}, []effect{told{"pronto", "taken by somebody else"}}},
		})},
		{"anew with another address, after a goodbye for the old one", must, then([]step{first}, asking("pronto-9qxa", 0), []step{
			{5000, addressed{bigger}, []effect{goodbye{"pronto-9qxa", ours}, wake{at(5000)}}},
		}, asking("pronto-9qxa", 5000))},
		{"and not because of its own voice", must, then([]step{first}, asking("pronto-9qxa", 0), []step{
			{3000, heard{label: "pronto-9qxa", addr: ours}, nil},
			{3000, addressed{ours}, nil},
		})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := begin([]Name{tc.want})
			for i, st := range tc.steps {
				var got []effect
				s, got = next(s, at(st.ms), 0, st.e)
				if !reflect.DeepEqual(got, st.want) {
					t.Fatalf("step %d, %T at %d ms: %+v, want %+v", i, st.e, st.ms, got, st.want)
				}
			}
		})
	}
}

// Whatever others say: a name is announced only after three questions that nobody answered, and a name that
// is not optional is ours in the end when they fall silent.
func TestNoNameIsTakenFromAnybody(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 3))
		s, now, alarm := begin([]Name{{Label: "a"}, {Label: "b", Optional: true}}), start, time.Time{}
		questions := map[string]int{}
		do := func(e event) {
			var effects []effect
			s, effects = next(s, now, time.Duration(r.IntN(250))*time.Millisecond, e)
			alarm = time.Time{}
			if at, ok := s.nextDue(); ok {
				alarm = at
			}
			for _, f := range effects {
				switch f := f.(type) {
				case probe:
					questions[f.label]++
				case announce:
					if questions[f.label] < probes {
						t.Fatalf("seed %d: %s announced after %d questions", seed, f.label, questions[f.label])
					}
				}
			}
		}
		others := []netip.Addr{less, bigger}
		do(addressed{ours})
		for range 60 {
			now = now.Add(time.Duration(r.IntN(600)) * time.Millisecond)
			switch r.IntN(6) {
			case 0:
				label := []string{"a", "b", "a-2"}[r.IntN(3)]
				before := s.label(label)
				do(heard{label, others[r.IntN(2)], r.IntN(2) == 0})
				if before != nil && s.label(label) == nil {
					questions[label] = 0
				}
			case 1:
				do(asked{"a"})
			case 2:
				if to := []netip.Addr{ours, bigger.Next()}[r.IntN(2)]; to != s.addr {
					questions = map[string]int{}
					do(addressed{to})
				}
			default:
				do(clock{})
			}
		}
		for range 50 {
			if alarm.IsZero() {
				break
			}
			if now.Before(alarm) {
				now = alarm
			}
			do(clock{})
		}
		if s.claims[0].phase != claimed || s.claims[1].phase != claimed && s.claims[1].phase != given {
			t.Fatalf("seed %d: in the end %+v", seed, s.claims)
		}
	}
}

// label finds the claim that has it.
func (s *state) label(label string) *claim {
	for i := range s.claims {
		if s.claims[i].label == label {
			return &s.claims[i]
		}
	}
	return nil
}
