package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// hour is the journal of a short day.
func hour(t testing.TB) []entry {
	s := newShop(&testing.T{}, 11, 4)
	s.open()
	s.comes(40, time.Hour)
	s.run(30 * time.Minute)
	s.whole()
	s.run(time.Hour)
	if len(s.journal) < 100 {
		t.Fatalf("only %d records", len(s.journal))
	}
	return s.journal
}

// forge changes the effects of the first decision, from the n-th record on, in which the text occurs.
func forge(t *testing.T, journal []entry, n int, text, with string) []entry {
	t.Helper()
	journal = slices.Clone(journal)
	for i := n; i < len(journal); i++ {
		var d Decision
		if journal[i].kind != KindDecision || json.Unmarshal(journal[i].body, &d) != nil || !strings.Contains(string(d.Effects), text) {
			continue
		}
		d.Effects = json.RawMessage(strings.Replace(string(d.Effects), text, with, 1))
		body, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		journal[i].body = body
		return journal
	}
	t.Fatalf("no decision with %s", text)
	return nil
}

func check(journal []entry, most int) *Check {
	c := &Check{Most: most}
	for _, e := range journal {
		_ = c.Take(e.kind, e.body) // is counted
	}
	return c
}

func TestAJournalIsDecidedAgain(t *testing.T) {
	journal := hour(t)
	decisions := 0
	for _, e := range journal {
		if e.kind == KindDecision {
			decisions++
		}
	}
	whole := check(journal, 5)
	if whole.Decisions != decisions || whole.Different+whole.Passed+whole.Unreadable > 0 {
		t.Fatalf("%+v", whole)
	}
	for name, c := range map[string]struct {
		journal                       []entry
		different, passed, unreadable bool
	}{
		"another agent rang":               {forge(t, journal, 0, `"body":{"queue":"support"`, `"body":{"queue":"sales"`), true, true, false},
		"an effect is missing":             {forge(t, journal, 0, `"send":"withdraw"`, `"send":"nothing"`), true, true, false},
		"a decision is missing":            {slices.Delete(slices.Clone(journal), 60, 61), false, true, false},
		"a record is no JSON":              {append(slices.Clone(journal[:60]), append([]entry{{KindDecision, []byte("{")}}, journal[60:]...)...), false, true, true},
		"a state is cut":                   {append([]entry{{KindState, journal[0].body[:9]}}, journal[1:]...), false, true, true},
		"the journal begins in the middle": {journal[20:], false, true, false},
	} {
		got := check(c.journal, 5)
		if (got.Different > 0) != c.different || (got.Passed > 0) != c.passed || (got.Unreadable > 0) != c.unreadable {
			t.Errorf("%s: %d differ, %d were passed over, %d are unreadable", name, got.Different, got.Passed, got.Unreadable)
		}
		if got.Decisions == 0 {
			t.Errorf("%s: nothing was decided after the next whole state", name)
		}
	}
}

func TestADifferenceSaysWhenWhoAndWhy(t *testing.T) {
	c := check(forge(t, hour(t), 0, `"merit":"longest_idle"`, `"merit":"lot"`), 1)
	if len(c.Differences) != 1 {
		t.Fatalf("%d differences", len(c.Differences))
	}
	d := c.Differences[0]
	if d.Call == "" || d.Caller == "" || d.At.Before(morning) || !strings.Contains(d.Why, "recorded a") || !strings.Contains(d.Why, "decided a") {
		t.Errorf("%+v", d)
	}
	for _, part := range []string{string(d.Call), string(d.Caller), "recorded:", "decided:", "because:", d.At.Format("15:04:05")} {
		if !strings.Contains(d.String(), part) {
			t.Errorf("%q is not in\n%s", part, d)
		}
	}
}

func TestAStateLargerThanARecordIsCutAndPutTogether(t *testing.T) {
	s := plan.NewState()
	r := newShop(t, 1, 1).r
	for range 20000 { // numbers that do not pack
		n := tel.Number(fmt.Sprintf("%d%d", r.Uint64(), r.Uint64()))
		s.Memories[n] = &plan.Memory{Caller: n, Until: morning}
	}
	parts, err := EncodeState(&s)
	if err != nil || len(parts) < 2 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	var reader stateReader
	for i, p := range parts {
		if len(p) > 256<<10 {
			t.Fatalf("part %d has %d bytes", i, len(p))
		}
		got, whole, err := reader.take(p)
		if err != nil || whole != (i == len(parts)-1) {
			t.Fatalf("part %d: %v, %v", i, whole, err)
		}
		if whole && len(got.Memories) != len(s.Memories) {
			t.Errorf("%d memories of %d", len(got.Memories), len(s.Memories))
		}
	}
	if _, _, err := reader.take(parts[1]); !errors.Is(err, ErrRecord) {
		t.Errorf("a part without the one before: %v", err)
	}
	before, _ := s.Snapshot()
	if old, whole, err := reader.take(before); err != nil || !whole || len(old.Memories) != len(s.Memories) {
		t.Errorf("a state as earlier releases wrote it: %v, %v", whole, err)
	}
	if _, _, err := reader.take([]byte(`{"v":99}`)); !errors.Is(err, plan.ErrVersion) {
		t.Errorf("a state of a newer release: %v", err)
	}
}

func TestAStateThatWasGivenUpForAnErasureIsPassedOver(t *testing.T) {
	s := plan.NewState()
	s.Memories["+390612345678"] = &plan.Memory{Caller: "+390612345678", Until: morning}
	parts, err := EncodeState(&s)
	if err != nil {
		t.Fatal(err)
	}
	var reader stateReader
	var c Check
	for _, p := range parts {
		empty, changed := Forget(KindState, p)
		if !changed || Whole(KindState, empty) {
			t.Errorf("a packed state becomes %q", empty)
		}
		if _, whole, err := reader.take(empty); whole || err != nil {
			t.Errorf("it is read: %v, %v", whole, err)
		}
		if err := c.Take(KindState, empty); err != nil || c.Unreadable != 0 {
			t.Errorf("it is judged: %v", err)
		}
		if _, again := Forget(KindState, empty); again {
			t.Error("it is given up twice")
		}
	}
	plain, _ := s.Snapshot()
	if _, changed := Forget(KindState, plain); changed {
		t.Error("a state that is readable is rewritten by words, not given up")
	}
	if _, changed := Forget(KindDecision, []byte{partMark, 0, 1}); changed {
		t.Error("a decision is given up")
	}
}

// No record, whatever it holds, ends the program, and none is taken for a decision that it is not.
func FuzzARecordOfAJournal(f *testing.F) {
	journal := hour(f)
	for _, i := range []int{0, 1, 2, 30, 60, 90} {
		f.Add(journal[i].kind == KindState, journal[i].body)
	}
	f.Add(true, []byte{partMark, 0, 1, 0x1f, 0x8b})
	f.Add(false, []byte(`{"v":1,"kind":"tick","event":{},"effects":[]}`))
	f.Fuzz(func(t *testing.T, state bool, body []byte) {
		kind := KindDecision
		if state {
			kind = KindState
		}
		var c Check
		r := NewReader(morning, morning.Add(24*time.Hour))
		for _, e := range append(slices.Clone(journal[:10]), entry{kind, body}) {
			_ = c.Take(e.kind, e.body)
			_ = r.Take(e.kind, e.body)
		}
		if s, err := r.Story(); err == nil {
			_, _ = s.Rerun(t.Context(), Change{})
		}
		_, _, _ = Published(body)
	})
}
