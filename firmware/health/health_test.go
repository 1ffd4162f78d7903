package health

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func board(out *[]tel.HealthChanged) *Board {
	return New(func(e tel.HealthChanged) { *out = append(*out, e) },
		Spec{Name: "trunk:tim", Severity: Warn, Needs: []string{"network"}},
		Spec{Name: "calls", Severity: Error, Vital: true, Needs: []string{"trunk:tim"}},
		Spec{Name: "network", Severity: Error},
		Spec{Name: "sip", Severity: Error, Vital: true},
	)
}

func report(t *testing.T, b *Board, name string, ok bool, text string, at time.Duration) {
	t.Helper()
	if err := b.Report(name, ok, text, t0.Add(at)); err != nil {
		t.Fatal(err)
	}
}

func TestEachChangeIsPublishedOnce(t *testing.T) {
	var out []tel.HealthChanged
	b := board(&out)
	report(t, b, "sip", true, "ignored", 0)
	report(t, b, "sip", true, "", time.Second)
	report(t, b, "sip", false, "port 5060 is in use", 2*time.Second)
	report(t, b, "sip", false, "port 5060 is in use", 3*time.Second)
	report(t, b, "sip", true, "", 4*time.Second)
	want := []tel.HealthChanged{
		{Condition: "sip", OK: true, Severity: "error", Since: t0},
		{Condition: "sip", Severity: "error", Text: "port 5060 is in use", Since: t0.Add(2 * time.Second)},
		{Condition: "sip", OK: true, Severity: "error", Since: t0.Add(4 * time.Second)},
	}
	if fmt.Sprint(out) != fmt.Sprint(want) {
		t.Fatalf("published\n%v\nwant\n%v", out, want)
	}
}

func TestFollowersOfAFailedConditionNameTheRoot(t *testing.T) {
	var out []tel.HealthChanged
	b := board(&out)
	for _, n := range []string{"network", "trunk:tim", "calls", "sip"} {
		report(t, b, n, true, "", 0)
	}
	if v := b.Verdict(); !v.Fit || len(v.Failed) != 0 {
		t.Fatalf("verdict %+v", v)
	}
	out = nil
	report(t, b, "network", false, "no cable", time.Second)
	if len(out) != 3 || out[0].Condition != "network" || out[2].Condition != "calls" || out[2].Text != "needs network, which failed" {
		t.Fatalf("published %+v", out)
	}
	v := b.Verdict()
	if v.Fit || len(v.Failed) != 3 || v.Failed[0].Name != "network" || v.Failed[1].Blamed != "network" {
		t.Fatalf("verdict %+v", v)
	}
	out = nil
	report(t, b, "trunk:tim", false, "registration timed out", 2*time.Second)
	if len(out) != 0 {
		t.Fatalf("a follower's own report hid the root: %+v", out)
	}
	report(t, b, "network", true, "", 3*time.Second)
	if got := b.Conditions(); got[1].OK || got[1].Text != "registration timed out" || got[2].Blamed != "trunk:tim" {
		t.Fatalf("conditions %+v", got)
	}
	report(t, b, "trunk:tim", true, "", 4*time.Second)
	if v := b.Verdict(); !v.Fit {
		t.Fatalf("verdict %+v", v)
	}
}

func TestABoxThatHasNotReportedItsVitalPartsIsNotFit(t *testing.T) {
	b := New(nil, Spec{Name: "sip", Severity: Error, Vital: true}, Spec{Name: "lamps", Severity: Warn})
	if v := b.Verdict(); v.Fit || len(v.Unknown) != 1 || v.Unknown[0] != "sip" {
		t.Fatalf("verdict %+v", v)
	}
	report(t, b, "sip", true, "", 0)
	report(t, b, "lamps", false, "broken", 0)
	if v := b.Verdict(); !v.Fit || len(v.Failed) != 1 {
		t.Fatalf("a lamp must not stop calls: %+v", v)
	}
	if err := b.Report("spi", true, "", t0); err == nil {
		t.Fatal("an undeclared condition was accepted")
	}
}

func TestMistakesInTheDeclarationPanicAtStart(t *testing.T) {
	for name, specs := range map[string][]Spec{
		"unknown need": {{Name: "a", Severity: Warn, Needs: []string{"b"}}},
		"circle":       {{Name: "a", Severity: Warn, Needs: []string{"b"}}, {Name: "b", Severity: Warn, Needs: []string{"a"}}},
		"twice":        {{Name: "a", Severity: Warn}, {Name: "a", Severity: Warn}},
		"no severity":  {{Name: "a"}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			New(nil, specs...)
		}()
	}
}

func TestReportsFromManyGoroutinesArePublishedInOrder(t *testing.T) {
	var out []tel.HealthChanged // written under the board's lock
	b := New(func(e tel.HealthChanged) { out = append(out, e) }, Spec{Name: "a", Severity: Warn}, Spec{Name: "b", Severity: Warn, Needs: []string{"a"}})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				_ = b.Report([]string{"a", "b"}[g%2], i%2 == 0, "x", t0)
				b.Verdict()
			}
		})
	}
	wg.Wait()
	last := map[string]tel.HealthChanged{}
	for _, e := range out {
		if l, ok := last[e.Condition]; ok && l.OK == e.OK && l.Text == e.Text {
			t.Fatalf("published twice: %+v", e)
		}
		last[e.Condition] = e
	}
}
