package ledger

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// diary opens memories on one file and counts what is written.
type diary struct {
	t    *testing.T
	path string
	mu   sync.Mutex // guards errs
	errs []error
}

func (d *diary) open() *Memories {
	d.t.Helper()
	m, err := OpenMemories(MemoriesConfig{Log: slog.New(slog.DiscardHandler), Path: d.path, Saved: func(err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.errs = append(d.errs, err)
	}})
	if err != nil {
		d.t.Fatal(err)
	}
	return m
}

func (d *diary) writes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.errs)
}

func remembered(n tel.Number, lost bool) *plan.Memory {
	now := time.Now().UTC()
	m := &plan.Memory{Caller: n, Agent: "anna", Served: now.Add(-time.Hour), Until: now.Add(24 * time.Hour)}
	if lost {
		m.Lost = &plan.Place{Queue: "sales", EnqueuedAt: now.Add(-time.Minute), LeftAt: now, Priority: 2}
	}
	return m
}

func TestWhatIsKnownOfCallersSurvivesAPowerCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{t: t, path: filepath.Join(t.TempDir(), "memories.json")}
		m := d.open()
		m.Start()
		place, server := remembered("+391", true), remembered("+392", false)
		m.Note("+392", server)
		time.Sleep(savePlaces + 1)
		synctest.Wait()
		if d.writes() != 0 {
			t.Fatal("who served a caller is written at once: that wears the card")
		}
		m.Note("+391", place)
		want := *place.Lost
		place.Lost.Priority = 7 // of the queues, who go on with it
		time.Sleep(savePlaces)
		synctest.Wait()
		cut, err := os.ReadFile(d.path) // as a power cut would leave it
		if err != nil || d.writes() != 1 {
			t.Fatalf("%d writes: %v", d.writes(), err)
		}
		taken := *remembered("+391", false)
		m.Note("+391", &taken) // the place is taken again
		time.Sleep(savePlaces)
		synctest.Wait()
		m.Note("+392", nil)
		m.Note("+393", server)
		m.Close() // writes the rest

		after := d.open().All()
		if len(after) != 2 || after[0].Caller != "+391" || after[0].Lost != nil || d.writes() != 3 {
			t.Errorf("after the close the file knows %+v, %d writes", after, d.writes())
		}
		if err := os.WriteFile(d.path, cut, 0o600); err != nil {
			t.Fatal(err)
		}
		all := d.open().All()
		if len(all) != 2 || all[0].Lost == nil || *all[0].Lost != want || !reflect.DeepEqual(all[1], *server) {
			t.Errorf("after the cut the file knows %+v", all)
		}
		time.Sleep(24 * time.Hour)
		if old := d.open().All(); len(old) != 0 {
			t.Errorf("%+v is kept too long", old)
		}
	})
}

func TestADamagedFileOfMemoriesCostsOnlyItself(t *testing.T) {
	d := &diary{t: t, path: filepath.Join(t.TempDir(), "memories.json")}
	if err := os.WriteFile(d.path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if all := d.open().All(); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	if _, err := os.Stat(d.path + ".damaged"); err != nil {
		t.Error(err)
	}
	m := d.open()
	m.Start()
	if err := os.Mkdir(d.path, 0o700); err != nil { // the disk takes nothing
		t.Fatal(err)
	}
	m.Note("+391", remembered("+391", false))
	m.Close()
	if d.writes() != 1 || d.errs[0] == nil {
		t.Errorf("told %v", d.errs)
	}
}

func FuzzMemoriesFile(f *testing.F) {
	f.Add([]byte(`[{"caller":"+391","agent":"anna","until":"2100-01-01T00:00:00Z","lost":{"queue":"sales","enqueued_at":"2026-01-01T00:00:00Z","left_at":"2026-01-01T00:01:00Z"}}]`))
	f.Add([]byte(`[{"caller":""},{"caller":"+391","lost":null}]`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		path := filepath.Join(t.TempDir(), "memories.json")
		var raw rawJSON = body
		if statefile.Save(path, memoriesVersion, raw) != nil {
			return // not JSON
		}
		m, err := OpenMemories(MemoriesConfig{Log: slog.New(slog.DiscardHandler), Path: path, Saved: func(error) {}})
		if err != nil {
			t.Fatal(err)
		}
		s := plan.NewState()
		s, _ = plan.Next(s, plan.Recall{Memories: m.All()}, time.Now(), 1)
		if len(s.Memories) > len(m.All()) {
			t.Fatalf("%d memories of %d", len(s.Memories), len(m.All()))
		}
	})
}

// rawJSON is written as it is.
type rawJSON []byte

func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }
