// Package storetest is the contract that every implementation of store.Records passes.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Day is the moment around which the contract's records lie.
var Day = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

// Call makes the n-th call record: one per minute, every third unanswered.
func Call(n int) store.Call {
	start := Day.Add(time.Duration(n) * time.Minute)
	c := store.Call{Pos: store.Position(1000 + n), CallEnded: tel.CallEnded{
		Call: tel.CallID(fmt.Sprintf("c%04d", n)), Direction: tel.Inbound, From: tel.Number(fmt.Sprintf("+3902%06d", n%7)), To: "200",
		In: "trunk:demo", Queue: tel.QueueID([]string{"sales", "support"}[n%2]), Started: start, Ended: start.Add(50 * time.Second),
		Cause: tel.CauseNormal, Media: []tel.LegNote{{Leg: "l1", Party: "caller", Codec: "PCMA", Received: 2500}},
	}}
	if n%3 != 0 {
		c.Answered, c.Agent = start.Add(5*time.Second), "anna"
	}
	return c
}

// Wait makes the n-th queue record, matching Call(n).
func Wait(n int) store.Wait {
	c := Call(n)
	w := store.Wait{Pos: c.Pos, QueueLeft: tel.QueueLeft{
		Queue: c.Queue, Call: c.Call, Caller: c.From, Joined: c.Started, Left: c.Started.Add(5 * time.Second),
		Outcome: tel.OutcomeAbandoned, Offers: n % 4,
	}}
	if n%3 != 0 {
		w.Outcome, w.Agent = tel.OutcomeAnswered, "anna"
	}
	return w
}

// Run holds the contract against fresh empty stores made by open.
func Run(t *testing.T, open func(t *testing.T) store.Records) {
	for name, check := range map[string]func(*testing.T, store.Records){
		"an empty store lists nothing":                          empty,
		"what was put is listed newest first":                   listed,
		"putting a record again changes nothing":                idempotent,
		"one call has one record, the one of lowest position":   oneRecordPerCall,
		"a caller who waits twice has two queue records":        twoWaits,
		"each change of a short message is one record":          texts,
		"each request to be called back has one record":         callbacks,
		"a missed caller's row is as its last record says":      missed,
		"pages fit together without loss or repeat":             paged,
		"pages stay whole while records arrive":                 pagedWhileGrowing,
		"time ranges include their start and exclude their end": ranges,
		"each filter selects what it says":                      filters,
		"counting agrees with listing":                          counted,
		"a senseless query is refused":                          refused,
		"times before 1970 and far in the future keep order":    oddTimes,
		"many may ask and put at once":                          concurrent,
		"reports are sums of the records":                       sums,
		"reports add up, whatever was recorded":                 sumsOfMany,
		"what came of a call is the last word about it":         dispositions,
		"figures of a line are those of its uses":               sumsOfLines,
		"a senseless report is refused":                         badReports,
	} {
		t.Run(name, func(t *testing.T) { check(t, open(t)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fill(t *testing.T, s store.Records, n int) {
	t.Helper()
	order := rand.New(rand.NewPCG(7, 8)).Perm(n)
	for part := range slices.Chunk(order, 10) {
		var calls []store.Call
		var waits []store.Wait
		for _, i := range part {
			calls, waits = append(calls, Call(i)), append(waits, Wait(i))
		}
		must(t, s.PutCalls(t.Context(), calls...))
		must(t, s.PutWaits(t.Context(), waits...))
	}
}

func calls(t *testing.T, s store.Records, q store.CallQuery) (ids []string) {
	t.Helper()
	for {
		page, err := s.ListCalls(t.Context(), q)
		must(t, err)
		for _, c := range page.Items {
			ids = append(ids, string(c.Call))
		}
		if page.Next == "" {
			return ids
		}
		if len(page.Items) == 0 {
			t.Fatal("an empty page points to another")
		}
		q.Cursor = page.Next
	}
}

func waits(t *testing.T, s store.Records, q store.WaitQuery) (ids []string) {
	t.Helper()
	for {
		page, err := s.ListWaits(t.Context(), q)
		must(t, err)
		for _, w := range page.Items {
			ids = append(ids, string(w.Call))
		}
		if page.Next == "" {
			return ids
		}
		q.Cursor = page.Next
	}
}

func empty(t *testing.T, s store.Records) {
	page, err := s.ListCalls(t.Context(), store.CallQuery{})
	must(t, err)
	if len(page.Items) != 0 || page.Next != "" {
		t.Errorf("page %+v", page)
	}
	n, err := s.CountWaits(t.Context(), store.WaitQuery{})
	must(t, err)
	if n != 0 {
		t.Errorf("%d waits", n)
	}
	must(t, s.PutCalls(t.Context()))
	_, err = s.Status(t.Context())
	must(t, err)
}

func listed(t *testing.T, s store.Records) {
	fill(t, s, 30)
	page, err := s.ListCalls(t.Context(), store.CallQuery{})
	must(t, err)
	if len(page.Items) != 30 {
		t.Fatalf("%d calls", len(page.Items))
	}
	for i, got := range page.Items {
		if want := Call(29 - i); !reflect.DeepEqual(got, want) {
			t.Fatalf("place %d\ngot  %+v\nwant %+v", i, got, want)
		}
	}
	wp, err := s.ListWaits(t.Context(), store.WaitQuery{})
	must(t, err)
	for i, got := range wp.Items {
		if want := Wait(29 - i); !reflect.DeepEqual(got, want) {
			t.Fatalf("wait %d\ngot  %+v\nwant %+v", i, got, want)
		}
	}
}

func idempotent(t *testing.T, s store.Records) {
	for range 3 {
		fill(t, s, 12)
	}
	if got := calls(t, s, store.CallQuery{}); len(got) != 12 {
		t.Errorf("%d calls, want 12", len(got))
	}
	if got := waits(t, s, store.WaitQuery{}); len(got) != 12 {
		t.Errorf("%d waits, want 12", len(got))
	}
}

func oneRecordPerCall(t *testing.T, s store.Records) {
	first, second := Call(1), Call(1)
	second.Pos += 50
	second.Recovered = true
	second.Started = second.Started.Add(time.Second)
	for _, order := range [][]store.Call{{first, second}, {second, first}} {
		for _, c := range order {
			must(t, s.PutCalls(t.Context(), c))
		}
	}
	page, err := s.ListCalls(t.Context(), store.CallQuery{})
	must(t, err)
	if len(page.Items) != 1 || page.Items[0].Recovered {
		t.Errorf("page %+v", page)
	}
	other, another := Call(2), Call(2) // both orders inside one Put, the later one first
	another.Pos += 50
	must(t, s.PutCalls(t.Context(), another, other))
	if got := calls(t, s, store.CallQuery{}); len(got) != 2 {
		t.Errorf("calls %v", got)
	}
}

func twoWaits(t *testing.T, s store.Records) {
	first, second := Wait(1), Wait(1)
	second.Pos++
	must(t, s.PutWaits(t.Context(), first, second, first))
	if got := waits(t, s, store.WaitQuery{}); len(got) != 2 {
		t.Errorf("waits %v", got)
	}
}

func paged(t *testing.T, s store.Records) {
	fill(t, s, 53)
	for _, limit := range []int{1, 7, 52, 53, 54} {
		got := calls(t, s, store.CallQuery{Span: store.Span{Limit: limit}})
		if len(got) != 53 || !slices.IsSortedFunc(got, func(a, b string) int { return -compare(a, b) }) {
			t.Errorf("pages of %d: %v", limit, got)
		}
	}
	page, err := s.ListCalls(t.Context(), store.CallQuery{})
	must(t, err)
	if len(page.Items) != store.DefaultLimit {
		t.Errorf("%d calls on a page by default", len(page.Items))
	}
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func pagedWhileGrowing(t *testing.T, s store.Records) {
	fill(t, s, 20)
	page, err := s.ListCalls(t.Context(), store.CallQuery{Span: store.Span{Limit: 5}})
	must(t, err)
	must(t, s.PutCalls(t.Context(), Call(100), Call(101)))
	rest := calls(t, s, store.CallQuery{Span: store.Span{Limit: 5, Cursor: page.Next}})
	if len(rest) != 15 || rest[0] != "c0014" {
		t.Errorf("rest %v", rest)
	}
}

func ranges(t *testing.T, s store.Records) {
	fill(t, s, 20)
	span := store.Span{From: Call(5).Started, To: Call(9).Started}
	want := []string{"c0008", "c0007", "c0006", "c0005"}
	if got := calls(t, s, store.CallQuery{Span: span}); !slices.Equal(got, want) {
		t.Errorf("calls %v", got)
	}
	if got := waits(t, s, store.WaitQuery{Span: span}); !slices.Equal(got, want) {
		t.Errorf("waits %v", got)
	}
	if got := calls(t, s, store.CallQuery{Span: store.Span{From: span.To, To: span.From}}); len(got) != 0 {
		t.Errorf("a range that ends before it begins gives %v", got)
	}
}

func filters(t *testing.T, s store.Records) {
	fill(t, s, 42)
	yes, no := true, false
	for name, tc := range map[string]struct {
		q    store.CallQuery
		want int
	}{
		"queue":      {store.CallQuery{Queue: "sales"}, 21},
		"agent":      {store.CallQuery{Agent: "anna"}, 28},
		"caller":     {store.CallQuery{Party: "+3902000003"}, 6},
		"called":     {store.CallQuery{Party: "200"}, 42},
		"direction":  {store.CallQuery{Direction: tel.Outbound}, 0},
		"answered":   {store.CallQuery{Answered: &yes}, 28},
		"unanswered": {store.CallQuery{Answered: &no}, 14},
		"both":       {store.CallQuery{Queue: "support", Answered: &no}, 7},
	} {
		tc.q.Limit = 4 // a page boundary must not fall on filtered records wrongly
		if got := calls(t, s, tc.q); len(got) != tc.want {
			t.Errorf("%s: %d calls, want %d", name, len(got), tc.want)
		}
	}
	for name, tc := range map[string]struct {
		q    store.WaitQuery
		want int
	}{
		"queue":     {store.WaitQuery{Queue: "sales"}, 21},
		"agent":     {store.WaitQuery{Agent: "anna"}, 28},
		"caller":    {store.WaitQuery{Caller: "+3902000003"}, 6},
		"abandoned": {store.WaitQuery{Outcome: tel.OutcomeAbandoned}, 14},
	} {
		tc.q.Limit = 4
		if got := waits(t, s, tc.q); len(got) != tc.want {
			t.Errorf("%s: %d waits, want %d", name, len(got), tc.want)
		}
	}
}

func counted(t *testing.T, s store.Records) {
	fill(t, s, 30)
	for _, q := range []store.CallQuery{{}, {Queue: "sales"}, {Span: store.Span{From: Call(7).Started, Limit: 3}}} {
		n, err := s.CountCalls(t.Context(), q)
		must(t, err)
		if got := calls(t, s, q); n != len(got) {
			t.Errorf("%+v: counted %d, listed %d", q, n, len(got))
		}
	}
	n, err := s.CountWaits(t.Context(), store.WaitQuery{Outcome: tel.OutcomeAnswered})
	must(t, err)
	if n != 20 {
		t.Errorf("%d answered waits, want 20", n)
	}
}

func refused(t *testing.T, s store.Records) {
	for _, span := range []store.Span{{Limit: -1}, {Limit: store.MaxLimit + 1}, {Cursor: "!"}, {Cursor: "AAAA"}} {
		if _, err := s.ListCalls(t.Context(), store.CallQuery{Span: span}); !errors.Is(err, store.ErrQuery) {
			t.Errorf("calls %+v: %v", span, err)
		}
		if _, err := s.ListWaits(t.Context(), store.WaitQuery{Span: span}); !errors.Is(err, store.ErrQuery) {
			t.Errorf("waits %+v: %v", span, err)
		}
	}
}

func oddTimes(t *testing.T, s store.Records) {
	var want []string
	for n, at := range []time.Time{time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC), Day, time.Unix(1, 0), time.Unix(-5, 0), {}} {
		c := Call(n)
		c.Started = at
		must(t, s.PutCalls(t.Context(), c))
		want = append(want, string(c.Call))
	}
	if got := calls(t, s, store.CallQuery{Span: store.Span{Limit: 1}}); !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func concurrent(t *testing.T, s store.Records) {
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for n := range 20 {
				if err := s.PutCalls(context.WithoutCancel(t.Context()), Call(n), Call(g*100+n)); err != nil {
					t.Error(err)
				}
				if _, err := s.ListCalls(context.WithoutCancel(t.Context()), store.CallQuery{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := calls(t, s, store.CallQuery{}); len(got) != 80 {
		t.Errorf("%d calls, want 80", len(got))
	}
}
