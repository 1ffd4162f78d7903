package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Callback makes the n-th record of a request to be called back: one per minute, every third not reached.
func Callback(n int) store.Callback {
	asked := Day.Add(time.Duration(n) * time.Minute)
	c := store.Callback{Pos: store.Position(1000 + n), CallbackChanged: tel.CallbackChanged{
		Callback: tel.CallbackID(fmt.Sprintf("cb%04d", n)), Queue: tel.QueueID([]string{"sales", "support"}[n%2]), State: tel.CallbackEnded,
		Outcome: tel.CallbackReached, Number: tel.Number(fmt.Sprintf("+3933%06d", n%5)), Caller: tel.Number(fmt.Sprintf("+3902%06d", n)),
		EnqueuedAt: asked.Add(-time.Minute), Asked: asked, Agent: "anna", Attempts: n % 3, At: asked.Add(time.Hour),
	}}
	if n%3 == 0 {
		c.Outcome, c.Agent = tel.CallbackUnreached, ""
	}
	return c
}

// Missed makes the n-th row of a caller whom nobody has served, as its last record: one per minute, every
// third still open.
func Missed(n int) store.Missed {
	first := Day.Add(time.Duration(n) * time.Minute)
	m := store.Missed{Pos: store.Position(1000 + n), MissedChanged: tel.MissedChanged{
		Number: tel.Number(fmt.Sprintf("+3902%06d", n%7)), Queue: tel.QueueID([]string{"sales", "support"}[n%2]), Calls: 1 + n%4,
		First: first, Last: first.Add(time.Hour), Why: tel.MissedAbandoned, At: first.Add(2 * time.Hour),
	}}
	if n%3 != 0 {
		m.Closed, m.By = tel.MissedCalledBack, "anna"
	}
	return m
}

// all reads every page and checks that the count agrees.
func all[R interface{ Identity() string }](t *testing.T, list func(cursor string) (store.Page[R], error), count func() (int, error)) (ids []string) {
	t.Helper()
	for cursor := ""; ; {
		page, err := list(cursor)
		must(t, err)
		for _, r := range page.Items {
			ids = append(ids, r.Identity())
		}
		if cursor = page.Next; cursor == "" {
			break
		}
		if len(page.Items) == 0 {
			t.Fatal("an empty page points to another")
		}
	}
	n, err := count()
	must(t, err)
	if n != len(ids) {
		t.Errorf("%d are listed, %d counted", len(ids), n)
	}
	return ids
}

func callbacks(t *testing.T, s store.Records) {
	var put []store.Callback
	for n := range 30 {
		put = append(put, Callback(n))
	}
	again := Callback(4)
	again.Pos, again.Outcome = 3000, tel.CallbackExpired // a crash wrote the end a second time
	must(t, s.PutCallbacks(t.Context(), put...))
	must(t, s.PutCallbacks(t.Context(), again, put[0]))
	page, err := s.ListCallbacks(t.Context(), store.CallbackQuery{})
	must(t, err)
	slices.Reverse(put)
	if !reflect.DeepEqual(page.Items, put) {
		t.Errorf("got  %+v\nwant %+v", page.Items, put)
	}
	for name, tt := range map[string]struct {
		q    store.CallbackQuery
		want func(int) bool
	}{
		"everything":          {store.CallbackQuery{}, func(int) bool { return true }},
		"of a queue":          {store.CallbackQuery{Queue: "sales"}, func(n int) bool { return n%2 == 0 }},
		"not reached":         {store.CallbackQuery{Outcome: tel.CallbackUnreached}, func(n int) bool { return n%3 == 0 }},
		"reached by somebody": {store.CallbackQuery{Agent: "anna"}, func(n int) bool { return n%3 != 0 }},
		"to a number":         {store.CallbackQuery{Number: "+3933000002"}, func(n int) bool { return n%5 == 2 }},
		"by who asked":        {store.CallbackQuery{Number: "+3902000007"}, func(n int) bool { return n == 7 }},
		"of a time":           {store.CallbackQuery{Span: store.Span{From: Callback(4).Asked, To: Callback(9).Asked}}, func(n int) bool { return n >= 4 && n < 9 }},
		"of nobody":           {store.CallbackQuery{Agent: "bruno"}, func(int) bool { return false }},
	} {
		var want []string
		for n := 29; n >= 0; n-- {
			if tt.want(n) {
				want = append(want, Callback(n).Identity())
			}
		}
		tt.q.Limit = 4
		got := all(t, func(cursor string) (store.Page[store.Callback], error) {
			q := tt.q
			q.Cursor = cursor
			return s.ListCallbacks(t.Context(), q)
		}, func() (int, error) { return s.CountCallbacks(t.Context(), tt.q) })
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, err := s.ListCallbacks(t.Context(), store.CallbackQuery{Span: store.Span{Limit: -1}}); !errors.Is(err, store.ErrQuery) {
		t.Errorf("a senseless limit: %v", err)
	}
}

func missed(t *testing.T, s store.Records) {
	var put []store.Missed
	for n := range 30 {
		put = append(put, Missed(n))
	}
	must(t, s.PutMissed(t.Context(), put...))
	early, later := Missed(4), Missed(4) // the same row: how it began, and how it went on
	early.Pos, early.Closed, early.Calls = 900, "", 1
	later.Pos, later.Closed, later.Calls = 2000, tel.MissedDismissed, 5
	must(t, s.PutMissed(t.Context(), early))
	must(t, s.PutMissed(t.Context(), later, early, put[4]))
	put[4] = later
	page, err := s.ListMissed(t.Context(), store.MissedQuery{})
	must(t, err)
	slices.Reverse(put)
	if !reflect.DeepEqual(page.Items, put) {
		t.Errorf("got  %+v\nwant %+v", page.Items, put)
	}
	yes, no := true, false
	for name, tt := range map[string]struct {
		q    store.MissedQuery
		want func(int) bool
	}{
		"everything":      {store.MissedQuery{}, func(int) bool { return true }},
		"open":            {store.MissedQuery{Open: &yes}, func(n int) bool { return n%3 == 0 }},
		"closed":          {store.MissedQuery{Open: &no}, func(n int) bool { return n%3 != 0 }},
		"taken off":       {store.MissedQuery{Closed: tel.MissedDismissed}, func(n int) bool { return n == 4 }},
		"of a queue":      {store.MissedQuery{Queue: "support"}, func(n int) bool { return n%2 == 1 }},
		"of a number":     {store.MissedQuery{Number: "+3902000003"}, func(n int) bool { return n%7 == 3 }},
		"of a reason":     {store.MissedQuery{Why: tel.MissedAbandoned}, func(int) bool { return true }},
		"of other reason": {store.MissedQuery{Why: tel.MissedVoicemail}, func(int) bool { return false }},
		"of a time":       {store.MissedQuery{Span: store.Span{From: Missed(4).First, To: Missed(9).First}}, func(n int) bool { return n >= 4 && n < 9 }},
	} {
		var want []string
		for n := 29; n >= 0; n-- {
			if tt.want(n) {
				want = append(want, Missed(n).Identity())
			}
		}
		tt.q.Limit = 4
		got := all(t, func(cursor string) (store.Page[store.Missed], error) {
			q := tt.q
			q.Cursor = cursor
			return s.ListMissed(t.Context(), q)
		}, func() (int, error) { return s.CountMissed(t.Context(), tt.q) })
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, err := s.ListMissed(t.Context(), store.MissedQuery{Span: store.Span{Cursor: "?"}}); !errors.Is(err, store.ErrQuery) {
		t.Errorf("a senseless cursor: %v", err)
	}
}
