package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const anna = tel.Number("+393331234567")

// office opens ledgers on one file and keeps what they publish.
type office struct {
	t    *testing.T
	path string
	mu   sync.Mutex // guards told and saved
	told []tel.MissedChanged
	errs []error
}

func (o *office) open(replay ...tel.Event) *Ledger {
	o.t.Helper()
	l, err := Open(Config{
		Log: slog.New(slog.DiscardHandler), Path: o.path, Keep: func() time.Duration { return 30 * 24 * time.Hour },
		Publish: func(e tel.Event) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.told = append(o.told, e.(tel.MissedChanged))
		},
		Saved: func(err error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.errs = append(o.errs, err)
		},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	for _, e := range replay {
		l.Replay(e)
	}
	l.Start()
	return l
}

func gaveUp(n tel.Number) tel.QueueLeft {
	now := time.Now()
	return tel.QueueLeft{Queue: "sales", Call: "c1", Caller: n, Joined: now.Add(-time.Minute), Left: now, Outcome: tel.OutcomeAbandoned}
}

func TestTheListIsOnTheDiskAMomentLaterAndReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{t: t, path: filepath.Join(t.TempDir(), "ledger.json")}
		l := o.open()
		l.Tell(gaveUp(anna))
		wish := tel.CallbackChanged{Callback: "cb1", State: tel.CallbackWaiting, Number: "+390212345678", EnqueuedAt: time.Now()}
		l.Tell(wish)
		l.Tell(tel.CallbackChanged{Callback: "cb2", State: tel.CallbackWaiting, Number: "+390299999999"})
		l.Tell(tel.CallbackChanged{Callback: "cb2", State: tel.CallbackEnded, Outcome: tel.CallbackReached, Number: "+390299999999"})
		l.Tell(tel.LampChanged{})
		time.Sleep(saveEvery + time.Second)
		synctest.Wait()
		copied, err := os.ReadFile(o.path) // as a power cut would leave it
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if err := os.WriteFile(o.path, copied, 0o600); err != nil {
			t.Fatal(err)
		}
		again := o.open()
		defer again.Close()
		if rows := again.Missed(); len(rows) != 1 || rows[0].Number != anna {
			t.Errorf("rows %+v", rows)
		}
		if cbs := again.Callbacks(); len(cbs) != 1 || cbs[0].Callback != "cb1" || !cbs[0].EnqueuedAt.Equal(wish.EnqueuedAt) {
			t.Errorf("callbacks %+v", cbs)
		}
	})
}

func TestWhatTheFileMissedIsCountedFromTheJournalOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{t: t, path: filepath.Join(t.TempDir(), "ledger.json")}
		first := gaveUp(anna)
		l := o.open()
		l.Tell(first)
		l.Close()
		time.Sleep(time.Minute)
		second := gaveUp("+390212345678") // killed before it was written
		l = o.open(first, second)
		defer l.Close()
		rows := l.Missed()
		if len(rows) != 2 || rows[0].Calls != 1 || rows[1].Calls != 1 {
			t.Errorf("rows %+v", rows)
		}
	})
}

func TestRowsAreDismissedAndGrowOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{t: t, path: filepath.Join(t.TempDir(), "ledger.json")}
		l := o.open()
		l.Tell(gaveUp(anna))
		l.Tell(gaveUp("+390212345678"))
		synctest.Wait()
		if err := l.Dismiss(t.Context(), "0212345678"); err != nil {
			t.Fatal(err)
		}
		if err := l.Dismiss(t.Context(), "0212345678"); !errors.Is(err, ErrUnknown) {
			t.Errorf("again: %v", err)
		}
		time.Sleep(31 * 24 * time.Hour)
		synctest.Wait()
		if len(l.Missed()) != 0 {
			t.Errorf("rows %+v", l.Missed())
		}
		l.Close()
		if err := l.Dismiss(context.Background(), anna); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		var closed []tel.MissedClose
		for _, m := range o.told {
			if m.Closed != "" {
				closed = append(closed, m.Closed)
			}
		}
		if len(closed) != 2 || closed[0] != tel.MissedDismissed || closed[1] != tel.MissedTooOld {
			t.Errorf("told %v", closed)
		}
	})
}

func TestADiskThatRefusesIsSaidAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "gone")
		o := &office{t: t, path: filepath.Join(dir, "ledger.json")}
		l := o.open()
		l.Tell(gaveUp(anna))
		time.Sleep(saveEvery + time.Second)
		synctest.Wait()
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(saveEvery)
		synctest.Wait()
		l.Close()
		if len(o.errs) < 2 || o.errs[0] == nil || o.errs[len(o.errs)-1] != nil {
			t.Errorf("writes ended %v", o.errs)
		}
	})
}

func TestADamagedFileIsPutAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{t: t, path: filepath.Join(t.TempDir(), "ledger.json")}
		if err := os.WriteFile(o.path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		l := o.open()
		defer l.Close()
		if len(l.Missed()) != 0 {
			t.Error("rows out of nothing")
		}
		if _, err := os.Stat(o.path + ".damaged"); err != nil {
			t.Error(err)
		}
	})
}

// FuzzFile: whatever the file holds, the ledger opens, counts and closes.
func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"missed":{"rows":{"+393331234567":{"number":"+393331234567","calls":1}}},"callbacks":{"cb":{"callback":"cb","number":"1"}}}`))
	f.Add([]byte(`{"missed":{"rows":null,"calls":{"c1":{}}}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		path := filepath.Join(t.TempDir(), "ledger.json")
		if !json.Valid(body) {
			return
		}
		if err := statefile.Save(path, fileVersion, json.RawMessage(body)); err != nil {
			t.Fatal(err)
		}
		o := &office{t: t, path: path}
		l := o.open(gaveUp(anna))
		l.Tell(gaveUp(anna))
		l.Callbacks()
		l.Close()
		if !slices.ContainsFunc(l.Missed(), func(m tel.MissedChanged) bool { return m.Number == anna }) {
			t.Error("who has just given up is not on the list")
		}
	})
}
