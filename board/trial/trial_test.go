package trial

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	asked = time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)
	later = asked.Add(time.Hour)
)

const (
	a = 2
	b = 3
)

func TestWhatIsKnownOfATrialAtEachStart(t *testing.T) {
	trying := Begin("1.4.2", b, asked)
	for _, tc := range []struct {
		name   string
		before Record
		slot   int
		try    bool
		want   Record
	}{
		{"a box that never tried anything", Record{}, a, false, Record{}},
		{"the slot on trial starts", trying, b, true, trying},
		{"the slot of before runs: it ended without a word", trying, a, false, trying.GoBack(WhyReset, "", later)},
		{"it was kept, and the power was cut before that was written", trying, b, false, trying.Keep(later)},
		{"it was given up with a reason", trying.GoBack("unfit", "no tone", asked), a, false, trying.GoBack("unfit", "no tone", asked)},
		{"it was kept long ago", trying.Keep(asked), b, false, trying.Keep(asked)},
		{"a trial that nobody here asked for", Record{}, b, true, Begin("", b, later)},
		{"the same slot again, after it was given up", trying.GoBack("unfit", "", asked), b, true, Begin("", b, later)},
	} {
		if got := tc.before.Start(tc.slot, tc.try, later); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func TestATrialEndsByTimeOrByAnExchangeThatDoesNotStayUp(t *testing.T) {
	for _, tc := range []struct {
		name string
		seen Seen
		why  string
	}{
		{"it has just begun", Seen{Limit: Limit}, ""},
		{"the exchange fell once", Seen{For: time.Minute, Limit: Limit, Restarts: 1}, ""},
		{"it falls again and again", Seen{For: time.Minute, Limit: Limit, Restarts: tooMany}, WhyGivenUp},
		{"it refuses", Seen{For: time.Second, Limit: Limit, Refused: true}, WhyGivenUp},
		{"it is not ready after minutes", Seen{For: 4 * time.Minute, Limit: Limit, GivenUp: true}, WhyGivenUp},
		{"a moment before its time is over", Seen{For: Limit - 1, Limit: Limit}, ""},
		{"nobody kept it", Seen{For: Limit, Limit: Limit}, WhyExpired},
	} {
		why, words, over := Judge(tc.seen)
		if why != tc.why || over != (tc.why != "") || over != (words != "") {
			t.Errorf("%s: %q %q %v", tc.name, why, words, over)
		}
	}
}

// A box of two slots: whatever cuts a trial short, and however often, the slot that runs was kept or is on trial, and
// what is told of the last trial is true.
func TestNoOrderOfTrialsKeepsCutsAndWaysBackLosesTheSlotThatWorks(t *testing.T) {
	other := func(s int) int { return a + b - s }
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 12))
		chosen, runs, trying := a, a, false
		var rec Record // on the disk
		for range 40 {
			flag := false
			switch r.IntN(6) {
			case 0: // asked for, and restarted into
				if !trying {
					rec, flag = Begin("x", other(runs), asked), true
				}
			case 1: // asked for, and cut before the flag was set
				if !trying {
					rec = Begin("x", other(runs), asked)
				}
			case 2: // kept
				if trying {
					chosen = runs
					rec = rec.Keep(later)
				}
			case 3: // kept, and cut before that was written down
				if trying {
					chosen = runs
				}
			case 4: // given up
				if trying {
					rec = rec.GoBack("unfit", "words", later)
				}
			default: // cut
			}
			if runs, trying = chosen, flag; flag {
				runs = other(chosen)
			}
			rec = rec.Start(runs, trying, later)
			good := rec.Good(other)
			switch {
			case trying && (rec.Outcome != Asked || rec.Slot != runs || good != chosen):
				t.Fatalf("seed %d: on trial in %d: %+v", seed, runs, rec)
			case !trying && rec.Outcome == Asked:
				t.Fatalf("seed %d: a trial goes on in %d: %+v", seed, runs, rec)
			case !trying && rec.Outcome == Back && rec.Slot == runs, !trying && rec.Outcome == Kept && rec.Slot != runs:
				t.Fatalf("seed %d: it runs %d and says %+v", seed, runs, rec)
			case good != 0 && good != chosen:
				t.Fatalf("seed %d: the slot that works is %d, not %d: %+v", seed, chosen, good, rec)
			}
		}
	}
}

func TestTheRecordOutlivesItsWriterAndADamagedOneIsNone(t *testing.T) {
	at := filepath.Join(t.TempDir(), File)
	if r, err := Load(at); err != nil || r != (Record{}) {
		t.Errorf("of no file: %+v, %v", r, err)
	}
	want := Begin("1.4.2", b, asked).GoBack("unfit", strings.Repeat("è", mostWords), later)
	if len(want.Words) != mostWords {
		t.Errorf("%d bytes of words are remembered", len(want.Words))
	}
	if err := Save(at, want); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Decode(text); err != nil || r != want {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := Load(at); err != nil || r != want {
		t.Errorf("%+v, %v", r, err)
	}
	if err := os.WriteFile(at, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := Load(at); err == nil || r != (Record{}) {
		t.Errorf("of a damaged file: %+v, %v", r, err)
	}
}
