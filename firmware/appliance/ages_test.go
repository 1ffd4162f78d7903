package appliance

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/missed"
	"github.com/pronto-pbx/pronto/firmware/record"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// A box whose clock says that ten years have passed keeps what it has, and says so; one on which they have passed
// deletes what is too old.
func TestAClockTenYearsAheadDeletesNothingAndIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		believed time.Time // by an earlier process
		kept     bool
	}{
		"the clock has jumped":     {time.Now().AddDate(-10, 0, 0).Add(time.Hour), true},
		"ten years have passed":    {time.Now(), false},
		"the clock was ahead once": {time.Now().AddDate(10, 0, 0), false},
	} {
		t.Run(name, func(t *testing.T) {
			then := time.Now().AddDate(-10, 0, 0).UTC() // when people called
			list := missed.New()
			list.Rows["+390212345678"] = tel.MissedChanged{Number: "+390212345678", Queue: "sales", Calls: 2, Last: then, Why: tel.MissedAbandoned}
			b := startWith(t, shop, func(o *Options) {
				dir := filepath.Join(o.Dir, "recordings")
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				a, err := record.Open(record.Config{Log: slog.New(slog.DiscardHandler), Dir: dir})
				if err != nil {
					t.Fatal(err)
				}
				f, err := a.Begin(tape.About{ID: "c-1", Chain: "c-1", Call: "c-1", Began: then, Until: then.AddDate(0, 0, 90), Tracks: []tape.Track{{Leg: "a", Party: "201"}}})
				if err != nil {
					t.Fatal(err)
				}
				err = errors.Join(f.End(tape.End{Length: 8000, Why: "ended"}), a.Close(), statefile.Save(filepath.Join(o.Dir, "ledger.json"), 1, map[string]any{"missed": list}),
					statefile.Save(filepath.Join(o.Dir, "ages.json"), 1, map[string]any{"settled": c.believed}))
				if err != nil {
					t.Fatal(err)
				}
			}, func(*Box) {})
			recording := func() bool {
				_, ok := b.box.taping.archive.Get("c-1")
				return ok
			}
			row := func() bool {
				_, ok := now(b, func(m tel.MissedChanged) bool { return m.Number == "+390212345678" })
				return ok
			}
			if !c.kept {
				b.eventually("what is too old is deleted", func() bool { return !recording() && !row() })
			}
			if n := b.box.taping.archive.Sweep(b.box.ages.Now()); n != 0 {
				t.Errorf("%d recordings are deleted", n)
			}
			if recording() != c.kept || row() != c.kept {
				t.Errorf("the recording is kept: %v, the missed caller: %v", recording(), row())
			}
			if told := strings.Contains(b.page(), "l&#39;ora è saltata"); told != c.kept {
				t.Errorf("the page tells of the clock: %v", told)
			}
		})
	}
}
