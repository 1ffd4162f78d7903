package appliance

import (
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/record"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
	"github.com/pronto-pbx/pronto/ui/page"
)

func TestTheManyRequestsOfABrowserAreOneListening(t *testing.T) {
	a, err := record.Open(record.Config{Log: slog.New(slog.DiscardHandler), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	l := &listening{archive: a, since: map[string]time.Time{}}
	f, err := a.Begin(tape.About{ID: "c-1", Chain: "c", Began: time.Now(), Tracks: []tape.Track{{Party: "trunk:tim"}, {Party: "phone:201"}}})
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := l.Part("c-1"); !ok || !p.Running {
		t.Errorf("%+v", p)
	}
	for _, m := range []tape.Mark{{At: 8000, Why: "card"}, {At: 16000, Why: "hold"}, {At: 24000, Resume: true}} {
		if err := f.Mark(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.End(tape.End{Length: 80000}); err != nil {
		t.Fatal(err)
	}
	parts := l.Parts([]string{"c"})
	want := []page.Gap{{From: time.Second, To: 2 * time.Second, Why: "card"}, {From: 2 * time.Second, To: 3 * time.Second, Why: "hold"}}
	if len(parts) != 1 || parts[0].Length != 10*time.Second || parts[0].Running || !slices.Equal(parts[0].Gaps, want) || !slices.Equal(parts[0].Parties, []string{"trunk:tim", "phone:201"}) {
		t.Errorf("%+v", parts)
	}
	listen := func(by string, download bool) {
		t.Helper()
		s, err := l.Sound("c-1", by, download)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.Seek(0, io.SeekEnd); err != nil || n != 44+4*80000 {
			t.Errorf("%d bytes, %v", n, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for range 3 {
		listen("anna", false)
	}
	listen("bruno", false)
	listen("anna", true)
	listen("anna", true)
	l.since["anna c-1"] = time.Now().Add(-oneListening)
	listen("anna", false)
	h, err := a.History("c-1")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range h[2:] {
		told = append(told, string(e.What)+" "+e.By)
	}
	if want := []string{"heard anna", "heard bruno", "downloaded anna", "downloaded anna", "heard anna"}; !slices.Equal(told, want) {
		t.Errorf("written down: %q", told)
	}
	if _, err := l.Sound("none", "anna", false); err == nil {
		t.Error("what is not there is heard")
	}
}
