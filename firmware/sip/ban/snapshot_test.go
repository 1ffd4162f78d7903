package ban

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

// boots gives a process the clock of a named boot of the kernel.
func boots(name string, base *time.Time) func(*Config) {
	return func(c *Config) {
		c.Clock = func() (string, time.Duration) { return name, time.Since(*base) }
	}
}

func TestABanSurvivesTheProcessAndTheMachine(t *testing.T) {
	for name, restore := range map[string]func(*Bans, *notes) error{
		"a crash: from the hot journal": func(b *Bans, j *notes) error { return b.Restore(j.values) },
		"a power cut: from the file":    func(b *Bans, _ *notes) error { return b.Restore(nil) },
		"both":                          func(b *Bans, j *notes) error { return b.Restore(j.values) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bans.json")
			synctest.Test(t, func(t *testing.T) {
				j := &notes{}
				keeps := func(c *Config) { c.Journal, c.File = j, path }
				b := made(t, keeps)
				guess(b, thief, 10)
				guess(b, owner, 4)
				time.Sleep(4 * time.Minute)
				b.Close()
				if name == "a crash: from the hot journal" {
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
				}
				after := made(t, keeps)
				if err := restore(after, j); err != nil {
					t.Fatal(err)
				}
				if !after.Deaf(on(thief)) || after.Banned(owner) {
					t.Fatal("the ban did not come back")
				}
				time.Sleep(6*time.Minute - time.Second)
				if !after.Banned(thief) {
					t.Error("over too soon")
				}
				time.Sleep(time.Second)
				if after.Banned(thief) {
					t.Error("longer than it was")
				}
				guess(after, thief, 10)
				if got := after.List(); len(got) != 1 || got[0].Bans != 2 {
					t.Errorf("the past is forgotten: %+v", got)
				}
			})
		})
	}
}

func TestWrongPasswordsCountOnAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &notes{}
		b := made(t, func(c *Config) { c.Journal = j })
		guess(b, thief, 9)
		after := made(t)
		if err := after.Restore(j.values); err != nil {
			t.Fatal(err)
		}
		guess(after, thief, 1)
		if !after.Banned(thief) {
			t.Error("each crash gives nine more tries")
		}
	})
}

// The wall clock of a box without a battery starts in 1970; then a time server moves it.
func TestAClockThatJumpsNeitherFreesNorBansForEver(t *testing.T) {
	for name, tc := range map[string]struct {
		jump     time.Duration // of the wall clock between two processes
		sameBoot bool
		left     time.Duration // of a ban of ten minutes, a minute after it began
	}{
		"ten years on, same boot":        {10 * 365 * 24 * time.Hour, true, 9 * time.Minute},
		"an hour on, same boot":          {time.Hour, true, 9 * time.Minute},
		"twenty years back, same boot":   {-20 * 365 * 24 * time.Hour, true, 9 * time.Minute},
		"an hour back, another boot":     {-time.Hour, false, 10 * time.Minute},
		"to 1970, another boot":          {-56 * 365 * 24 * time.Hour, false, 10 * time.Minute},
		"not at all, another boot":       {0, false, 9 * time.Minute},
		"an hour on, another boot, over": {time.Hour, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, base := &notes{}, time.Now()
				b := made(t, func(c *Config) { c.Journal = j }, boots("one", &base))
				guess(b, thief, 10)
				time.Sleep(time.Minute)
				for key, value := range j.values { // the jump, seen from the next process
					var s snapshot
					if err := json.Unmarshal(value, &s); err != nil {
						t.Fatal(err)
					}
					s.At = s.At.Add(-tc.jump)
					j.values[key], _ = json.Marshal(s)
				}
				boot := "two"
				if tc.sameBoot {
					boot = "one"
				}
				after := made(t, boots(boot, &base))
				if err := after.Restore(j.values); err != nil {
					t.Fatal(err)
				}
				got := time.Duration(0)
				if l := after.List(); len(l) == 1 {
					got = time.Until(l[0].Until)
				}
				if got != tc.left {
					t.Errorf("%v left, want %v", got, tc.left)
				}
			})
		})
	}
}

func TestRecordsThatCannotBeReadAreSkippedAndReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bans.json")
	good := `{"v":1,"source":"203.0.113.7/32","at":"2000-01-01T00:00:00Z","last":0,"bans":1,"banned":true,"left":86400000000000000,"why":"wrong passwords"}`
	for name, tc := range map[string]struct {
		journal, file string
		bans          int
	}{
		"garbage in the journal":      {"{", "[" + good + "]", 0},
		"another version":             {`{"v":2}`, "[]", 0},
		"no source":                   {`{"v":1}`, "[]", 0},
		"garbage in the file":         {good, "no JSON", 0},
		"one bad record in the file":  {good, `[{"v":1}, 7]`, 0},
		"a source that is no address": {`{"v":1,"source":"x"}`, "[]", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(tc.file), 0o600); err != nil {
				t.Fatal(err)
			}
			b := made(t, func(c *Config) { c.File = path })
			if err := b.Restore(map[string][]byte{"x": []byte(tc.journal)}); err == nil {
				t.Error("nobody is told")
			}
		})
	}
	b := made(t)
	now := time.Now().UTC().Format(time.RFC3339Nano)
	long := `{"v":1,"source":"203.0.113.7/32","at":"` + now + `","last":0,"bans":1,"banned":true,"left":9000000000000000000,"why":"wrong passwords"}`
	if err := b.Restore(map[string][]byte{"x": []byte(long)}); err != nil {
		t.Fatal(err)
	}
	if l := b.List(); len(l) != 1 || time.Until(l[0].Until) > 24*time.Hour {
		t.Errorf("a text bans for longer than the policy does: %+v", l)
	}
}

// Any record comes back from its snapshot as it was.
func TestSnapshotsComeBackAsTheyWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dice := rand.New(rand.NewPCG(7, 7))
		now := time.Now().Add(1000 * time.Hour)
		time.Sleep(1000 * time.Hour)
		for range 500 {
			r := record{bans: 1 + dice.IntN(4), why: []Offence{Guess, Search, Scanner}[dice.IntN(3)], last: now.Add(-time.Duration(dice.Int64N(int64(time.Hour))))}
			for range dice.IntN(9) {
				r.guesses = append(r.guesses, now.Add(-time.Duration(dice.Int64N(int64(defaultWindow)))))
			}
			r.until = now.Add(time.Duration(dice.Int64N(int64(10*time.Minute))) - 5*time.Minute)
			x := &entry{SourceOf(netip.AddrFrom4([4]byte{198, 51, 1, byte(dice.IntN(256))})), dice.IntN(2) == 0, r}
			b := made(t)
			value, err := json.Marshal(b.snapshot(x, now))
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Restore(map[string][]byte{"x": value}); err != nil {
				t.Fatal(err)
			}
			table := b.tables[0]
			if x.forged {
				table = b.tables[1]
			}
			got := table.records[x.source].Value.(*entry)
			if !reflect.DeepEqual(got, x) {
				t.Fatalf("%+v came back as %+v", x, got)
			}
		}
	})
}

func FuzzRestore(f *testing.F) {
	f.Add([]byte(`{"v":1,"source":"203.0.113.7/32","guesses":[1,2],"left":5,"banned":true,"bans":1}`))
	f.Add([]byte(`{"v":1,"source":"2001:db8::/64","left":-9223372036854775808,"last":9223372036854775807,"banned":true,"bans":9}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		b := New(Config{Near: netip.Addr.IsPrivate})
		defer b.Close()
		_ = b.Restore(map[string][]byte{"x": value}) // whatever it says, the rest must hold
		for _, x := range b.List() {
			if left := time.Until(x.Until); left > 24*time.Hour {
				t.Fatalf("banned for %v", left)
			}
		}
		for range 10 {
			b.Guessed(thief)
		}
		if !b.Banned(thief) {
			t.Fatal("a restored record keeps a guesser from being banned")
		}
	})
}
