package main_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
)

// facts are what an office knows, as it tells it at its doors. A release that has no such records has none of them.
type facts struct {
	People     []string          `json:"people"`
	Lines      []string          `json:"lines"`
	Calls      []json.RawMessage `json:"calls"`
	Waits      []json.RawMessage `json:"waits"`
	Texts      []json.RawMessage `json:"texts"`
	Callbacks  []json.RawMessage `json:"callbacks"` // that have ended
	Missed     []json.RawMessage `json:"missed"`
	Intervals  []json.RawMessage `json:"intervals"`
	Traffic    []json.RawMessage `json:"traffic"`    // figures of the queues, by day
	Owed       []string          `json:"owed"`       // open callbacks
	Recordings int               `json:"recordings"` // conversations on the disk
	Erased     int               `json:"erased"`     // persons
}

// factsOf asks an office that has so many call and queue records.
func factsOf(t *testing.T, o *pbxtest.Office, calls, waits int) (f facts) {
	t.Helper()
	f.Calls, f.Waits = raws(t, o.CallRecords(calls)), raws(t, o.WaitRecords(waits))
	rest(t, &f.Texts, func(ctx context.Context, s store.Span) (store.Page[store.SMS], error) {
		return o.Records.ListTexts(ctx, store.TextQuery{Span: s})
	})
	rest(t, &f.Callbacks, func(ctx context.Context, s store.Span) (store.Page[store.Callback], error) {
		return o.Records.ListCallbacks(ctx, store.CallbackQuery{Span: s})
	})
	rest(t, &f.Missed, func(ctx context.Context, s store.Span) (store.Page[store.Missed], error) {
		return o.Records.ListMissed(ctx, store.MissedQuery{Span: s})
	})
	for i := range f.Missed { // who is on the list is told again at each start
		f.Missed[i] = position.ReplaceAll(f.Missed[i], nil)
	}
	rest(t, &f.Intervals, func(ctx context.Context, s store.Span) (store.Page[store.Interval], error) {
		return o.Records.ListIntervals(ctx, store.IntervalQuery{Span: s})
	})
	if rows, err := o.Records.Traffic(t.Context(), store.ReportQuery{Step: report.Day, Zone: "Europe/Rome"}); err == nil {
		f.Traffic = raws(t, rows)
	}
	n, err := o.Now()
	if err != nil {
		t.Fatal(err)
	}
	for id, a := range n.Agents {
		f.People = append(f.People, string(id)+" "+a.Name)
	}
	f.Lines = names(n.Lines)
	slices.Sort(f.People)
	for _, c := range n.Callbacks {
		f.Owed = append(f.Owed, string(c.Callback))
	}
	tapes, err := filepath.Glob(filepath.Join(o.Dir, "recordings", "*", "*.tape"))
	if err != nil {
		t.Fatal(err)
	}
	f.Recordings = len(tapes)
	if text, err := os.ReadFile(filepath.Join(o.Dir, "erasures.json")); err == nil {
		f.Erased = strings.Count(string(text), `"id":`)
	}
	return f
}

// rest lists what not every release has.
func rest[R any](t *testing.T, into *[]json.RawMessage, list func(context.Context, store.Span) (store.Page[R], error)) {
	t.Helper()
	p, err := list(t.Context(), store.Span{Limit: store.MaxLimit})
	if err == nil && p.Next != "" {
		t.Fatal("the office is too busy for this test")
	}
	if err == nil {
		*into = raws(t, p.Items)
	}
}

func raws[R any](t *testing.T, all []R) (texts []json.RawMessage) {
	t.Helper()
	for _, r := range all {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	return texts
}

func names[K ~string, V any](of map[K]V) (all []string) {
	for k := range maps.Keys(of) {
		all = append(all, string(k))
	}
	slices.Sort(all)
	return all
}

// knows fails the test for each fact that an office lacks or tells otherwise. It may know more. Of each, a later release
// may say more and an earlier one less.
func (f facts) knows(t *testing.T, less facts, earlier bool) {
	t.Helper()
	for name, pair := range map[string][2][]string{
		"person": {less.People, f.People}, "line": {less.Lines, f.Lines},
	} {
		for _, is := range pair[0] {
			if !slices.Contains(pair[1], is) {
				t.Errorf("the %s %q is gone: %q", name, is, pair[1])
			}
		}
	}
	for name, pair := range map[string][2][]json.RawMessage{
		"call": {less.Calls, f.Calls}, "wait": {less.Waits, f.Waits}, "text": {less.Texts, f.Texts}, "callback": {less.Callbacks, f.Callbacks},
		"missed caller": {less.Missed, f.Missed}, "interval": {less.Intervals, f.Intervals}, "figure": {less.Traffic, f.Traffic},
	} {
		if pair[1] == nil && pair[0] != nil {
			t.Logf("this release keeps no records of the kind %q", name)
			continue
		}
		for _, want := range pair[0] {
			if why := among(want, pair[1], earlier); why != "" {
				t.Errorf("a %s is gone or told otherwise (%s): %s", name, why, want)
			}
		}
	}
	for _, id := range less.Owed {
		if !slices.Contains(f.Owed, id) && !slices.ContainsFunc(f.Callbacks, func(r json.RawMessage) bool { return strings.Contains(string(r), id) }) {
			t.Errorf("callback %s is neither open nor on record", id)
		}
	}
	if f.Recordings < less.Recordings || f.Erased < less.Erased {
		t.Errorf("%d recordings of %d, %d erasures of %d are left", f.Recordings, less.Recordings, f.Erased, less.Erased)
	}
}

var position = regexp.MustCompile(`"pos":\s*[0-9]+,`)

// among looks for a record, and says what the nearest one has otherwise.
func among(want json.RawMessage, all []json.RawMessage, earlier bool) (why string) {
	why = "there is none"
	var a any
	if err := json.Unmarshal(want, &a); err != nil {
		return err.Error()
	}
	for _, text := range all {
		var b any
		if err := json.Unmarshal(text, &b); err != nil {
			return err.Error()
		}
		if !same(a, b) {
			continue
		}
		if earlier {
			why = otherwise("", b, a)
		} else {
			why = otherwise("", a, b)
		}
		if why == "" {
			return ""
		}
	}
	return why
}

// same tells whether two records are of the same thing: from one place of the journal, or of the same missed caller, or
// figures of the same queue and day.
func same(a, b any) bool {
	x, _ := a.(map[string]any)
	y, _ := b.(map[string]any)
	for _, name := range []string{"pos", "first", "from"} {
		if x[name] != nil {
			return x[name] == y[name] && x["queue"] == y["queue"]
		}
	}
	return false
}

// otherwise names the first place at which b does not say what a says; fields that only b has do not count, nor those
// of a that say nothing.
func otherwise(at string, a, b any) string {
	switch a := a.(type) {
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok {
			return at
		}
		for _, k := range slices.Sorted(maps.Keys(a)) {
			if _, ok := m[k]; !ok && (a[k] == nil || reflect.ValueOf(a[k]).IsZero()) {
				continue
			}
			if d := otherwise(at+"."+k, a[k], m[k]); d != "" {
				return d
			}
		}
		return ""
	case []any:
		l, ok := b.([]any)
		if !ok || len(l) != len(a) {
			return at
		}
		for i := range a {
			if d := otherwise(fmt.Sprintf("%s[%d]", at, i), a[i], l[i]); d != "" {
				return d
			}
		}
		return ""
	}
	if a != b {
		return fmt.Sprintf("%s is %v, was %v", at, b, a)
	}
	return ""
}

// unharmed fails the test when an office says that it could not read something. After a restore its records are from
// their backup.
func unharmed(t *testing.T, o *pbxtest.Office, restored bool) {
	t.Helper()
	n, err := o.Now()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"damage", "config_file", "config_later", "personal", "voicemail", "recordings_changed", "erasures", "missed", "memories", "toll"} {
		if h, told := n.Health[name]; told && !h.OK {
			t.Errorf("condition %s: %s", name, h.Text)
		}
	}
	st, err := o.Records.Status(t.Context())
	if err != nil || st.Unusable+st.Damaged > 0 || (st.Rebuilt != "") != restored || st.Trouble != "" {
		t.Errorf("the records: %+v, %v", st, err)
	}
	if log := o.Log(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "damaged") || strings.Contains(log, "put aside") || strings.Contains(log, "is lost") {
		t.Error("something could not be read") // the log is shown
	}
}

var aside = regexp.MustCompile(`\.damaged|\.newer$|\.unusable$|damaged-|\.hand$`)

// nothingAside fails the test when something in a directory of state was moved aside.
func nothingAside(t *testing.T, dir string) {
	t.Helper()
	for _, path := range below(t, dir) {
		if aside.MatchString(path) {
			t.Errorf("%s was moved aside", path)
		}
	}
}

// below lists the files of a directory of state by their names in it, without what does not outlive a power cut.
func below(t *testing.T, dir string) (all []string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil && name == "run" {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			all = append(all, name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// formats tells for each file of a directory of state that says of which format it is, which.
func formats(t *testing.T, dir string) map[string]int {
	t.Helper()
	all := map[string]int{}
	for _, name := range below(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a segment that was just forgotten
		}
		if err != nil {
			t.Fatal(err)
		}
		var says struct {
			V *int `json:"v"`
		}
		switch {
		case strings.HasSuffix(name, ".json") && json.Unmarshal(text, &says) == nil && says.V != nil:
			all[kindOf(name)] = *says.V
		case strings.HasSuffix(name, ".journal") && len(text) > 12:
			all["history/*.journal"] = int(binary.LittleEndian.Uint32(text[8:]))
		case strings.HasSuffix(name, "badger/MANIFEST") && len(text) >= 8:
			all["records/badger/MANIFEST"] = int(binary.BigEndian.Uint32(text[4:])) // external magic and version, as one number
		}
	}
	return all
}

var serial = regexp.MustCompile(`[0-9]{8}T[0-9]{6}(\.[0-9]+)?(-[0-9a-f]+)?`)

// kindOf is a name without what makes it that of one file among many.
func kindOf(name string) string { return serial.ReplaceAllString(name, "*") }

// grown waits until as many files of recordings are whole as there should be.
func grown(t *testing.T, o *pbxtest.Office, n int) {
	t.Helper()
	v := o.Visit()
	v.Owner()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		v.Does("/recording/check", nil)
		_, page := v.Get("/recording?lang=en")
		if strings.Contains(page, fmt.Sprintf(": %d recordings are as they were written, and none is missing.", n)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not %d recordings are as they were written:\n%s", n, page)
		}
	}
}
