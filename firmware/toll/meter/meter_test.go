package meter

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/toll"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// office is a meter with what it told its neighbours.
type office struct {
	*Meter
	mu     sync.Mutex // guards what follows
	alarms []tel.TollAlarm
	ended  []tel.LegID
	saves  int
	calm   int
	failed error
}

func open(t *testing.T, path string, rules toll.Rules, records []toll.Record) *office {
	t.Helper()
	return openWith(t, path, rules, nil, records)
}

func openWith(t *testing.T, path string, rules toll.Rules, j Journal, records []toll.Record) *office {
	t.Helper()
	o := &office{}
	var err error
	o.Meter, err = Open(Config{
		Log: slog.New(slog.DiscardHandler), Path: path, Rules: rules, Journal: j,
		Publish: func(e tel.Event) { o.mu.Lock(); o.alarms = append(o.alarms, e.(tel.TollAlarm)); o.mu.Unlock() },
		Calm:    func() { o.mu.Lock(); o.calm++; o.mu.Unlock() },
		End:     func(l tel.LegID) { o.mu.Lock(); o.ended = append(o.ended, l); o.mu.Unlock() },
		Saved:   func(err error) { o.mu.Lock(); o.saves++; o.failed = err; o.mu.Unlock() },
		Records: func(time.Time) []toll.Record { return records },
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *office) told() (alarms []tel.TollAlarm, ended []tel.LegID, saves int, failed error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.alarms, o.ended, o.saves, o.failed
}

var anna = toll.Request{ID: "a", Call: "c", Person: "anna", Number: "3331234567", Via: "trunk:t", Price: tel.Euro, Priced: true}

func TestACallThatReachesALimitEndsWithOneAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, filepath.Join(t.TempDir(), "toll.json"), toll.Rules{Person: toll.Caps{HourMoney: 5 * tel.Euro}}, nil)
		defer o.Close()
		if _, err := o.Allow(anna); err != nil {
			t.Fatal(err)
		}
		o.Named("a", "leg")
		o.Started("a")
		time.Sleep(4*time.Minute + 50*time.Second)
		if _, ended, _, _ := o.told(); len(ended) != 0 {
			t.Fatalf("ended after 4:50: %v", ended)
		}
		time.Sleep(20 * time.Second)
		o.EndedLeg("leg")
		for range 3 {
			if _, err := o.Allow(anna); !errors.Is(err, toll.Refusal{Why: toll.WhyHourMoney, Of: "person:anna"}) {
				t.Errorf("another call: %v", err)
			}
		}
		time.Sleep(quiet)
		if _, err := o.Allow(anna); err == nil {
			t.Error("ten minutes later it is allowed")
		}
		alarms, ended, _, _ := o.told()
		if len(alarms) != 2 || !alarms[0].Ended || alarms[0].Call != "c" || alarms[1].Ended || alarms[1].Number != "33******67" {
			t.Errorf("alarms: %+v", alarms)
		}
		if len(ended) == 0 || ended[0] != "leg" {
			t.Errorf("ended: %v", ended)
		}
	})
}

func TestCountersSurviveAKillAndTheCallThatIsUpGoesOnCosting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "toll.json")
		rules := toll.Rules{Person: toll.Caps{HourMoney: 5 * tel.Euro}}
		killed := open(t, path, rules, nil)
		if _, err := killed.Allow(anna); err != nil {
			t.Fatal(err)
		}
		killed.Named("a", "leg")
		killed.Started("a")
		synctest.Wait() // the answer is on the disk
		image, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		killed.Close()
		if err := os.WriteFile(path, image, 0o600); err != nil { // as a kill right after the answer would leave it
			t.Fatal(err)
		}
		o := open(t, path, rules, nil)
		defer o.Close()
		o.Keep(func(l tel.LegID) bool { return l == "leg" })
		time.Sleep(2*time.Minute + look/2)
		if _, ended, _, _ := o.told(); len(ended) != 1 {
			t.Errorf("after 5 minutes in two processes: %v", ended)
		}
	})
}

// hot is a journal that outlives the meter.
type hot map[string][]byte

func (h hot) Put(_, key string, v []byte) error   { h[key] = v; return nil }
func (h hot) Delete(_, key string) error          { delete(h, key); return nil }
func (h hot) Load(string) (all map[string][]byte) { return maps.Clone(h) }

// A crash in the millisecond after an answer finds the file unwritten.
func TestACallIsCountedAfterACrashAlsoWhenTheFileIsLate(t *testing.T) {
	journal := hot{}
	start := func(file string) *office {
		return openWith(t, file, toll.Rules{Box: toll.Caps{Calls: 2}}, journal, nil)
	}
	killed := start(filepath.Join(t.TempDir(), "never-written", "toll.json"))
	defer killed.Close()
	for _, id := range []string{"a", "b"} {
		if _, err := killed.Allow(toll.Request{ID: id, Call: "c", Number: "3331234567", Via: "trunk:t"}); err != nil {
			t.Fatal(err)
		}
		killed.Named(id, tel.LegID("leg-"+id))
		killed.Started(id)
	}
	next := start(filepath.Join(t.TempDir(), "toll.json"))
	defer next.Close()
	next.Keep(func(tel.LegID) bool { return true })
	third := toll.Request{ID: "third", Call: "d", Number: "3331234567", Via: "trunk:t"}
	if _, err := next.Allow(third); !errors.Is(err, toll.Refusal{Why: toll.WhyCalls, Of: "box"}) {
		t.Errorf("a third call after the crash: %v", err)
	}
	next.EndedLeg("leg-a")
	if _, err := next.Allow(third); err != nil {
		t.Error(err)
	}
	next.Ended("third")
	next.EndedLeg("leg-b")
	if len(journal) != 0 {
		t.Errorf("left in the journal: %v", journal)
	}
}

func TestLostCountersComeBackFromTheRecords(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"missing": os.Remove,
		"damaged": func(path string) error { return os.WriteFile(path, []byte("{"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "toll.json")
				rules := toll.Rules{Box: toll.Caps{DayMinutes: 10}}
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := spoil(path); err != nil {
					t.Fatal(err)
				}
				now := time.Now()
				o := open(t, path, rules, []toll.Record{{Person: "anna", Via: "trunk:t", Number: "0287654321", Answered: now.Add(-time.Hour), Ended: now.Add(-50 * time.Minute)}})
				defer o.Close()
				if _, err := o.Allow(anna); !errors.Is(err, toll.Refusal{Why: toll.WhyDayMinutes, Of: "box"}) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

func TestTheDiskIsSparedAndItsFailureIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "later")
		o := open(t, filepath.Join(dir, "toll.json"), toll.Rules{}, nil)
		time.Sleep(time.Hour)
		if _, _, saves, _ := o.told(); saves != 0 {
			t.Errorf("%d writes by an idle box", saves)
		}
		if _, err := o.Allow(anna); err != nil {
			t.Fatal(err)
		}
		o.Named("a", "leg")
		o.Started("a")
		synctest.Wait()
		if _, _, saves, failed := o.told(); saves != 1 || failed == nil {
			t.Errorf("%d writes, %v, into a directory that does not exist", saves, failed)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lazy + look)
		if _, _, saves, failed := o.told(); saves != 2 || failed != nil {
			t.Errorf("%d writes, %v, when it exists", saves, failed)
		}
		time.Sleep(time.Hour)
		if _, _, saves, _ := o.told(); saves != 2 {
			t.Errorf("%d writes by a call that only lasts", saves)
		}
		o.Ended("a")
		o.Close()
		if _, _, saves, _ := o.told(); saves != 3 {
			t.Errorf("%d writes in the end", saves)
		}
	})
}

func TestAnAlarmIsOverAfterTenQuietMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, filepath.Join(t.TempDir(), "toll.json"), toll.Rules{}, nil)
		defer o.Close()
		abroad := anna
		abroad.Number = "+442071234567"
		calm := func() int { o.mu.Lock(); defer o.mu.Unlock(); return o.calm }
		time.Sleep(look / 2) // between two looks
		for range 3 {
			if _, err := o.Allow(abroad); err == nil {
				t.Fatal("London is open")
			}
			time.Sleep(quiet - look)
			if calm() != 0 {
				t.Fatal("calm, while somebody still tries")
			}
		}
		time.Sleep(2 * look)
		if calm() != 1 {
			t.Error("not calm after ten minutes")
		}
		time.Sleep(time.Hour)
		if alarms, _, _, _ := o.told(); calm() != 1 || len(alarms) < 2 {
			t.Errorf("calm %d times after %d alarms", calm(), len(alarms))
		}
	})
}

func TestNewRulesHoldForCallsThatAreUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, filepath.Join(t.TempDir(), "toll.json"), toll.Rules{}, nil)
		defer o.Close()
		if _, err := o.Allow(anna); err != nil {
			t.Fatal(err)
		}
		o.Named("a", "leg")
		o.Started("a")
		time.Sleep(10*time.Minute + look/2) // between two looks
		o.SetRules(toll.Rules{Line: toll.Caps{HourMinutes: 5}})
		time.Sleep(look)
		if alarms, ended, _, _ := o.told(); len(ended) != 1 || len(alarms) != 1 || alarms[0].Of != "trunk:t" {
			t.Errorf("%v %+v", ended, alarms)
		}
	})
}

func TestManyCallsAtOnce(t *testing.T) {
	o := open(t, filepath.Join(t.TempDir(), "toll.json"), toll.Rules{Box: toll.Caps{Calls: 10}}, nil)
	defer o.Close()
	var wg sync.WaitGroup
	var mu sync.Mutex
	allowed := 0
	for i := range 100 {
		wg.Go(func() {
			r := anna
			r.ID = fmt.Sprint(i)
			if _, err := o.Allow(r); err == nil {
				mu.Lock()
				allowed++
				mu.Unlock()
				o.Started(r.ID)
			}
		})
	}
	wg.Wait()
	if allowed != 10 {
		t.Errorf("%d of 10 calls", allowed)
	}
}
