package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/memory"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// archive is a box of whose programs only the keeper of records runs.
func archive(t *testing.T) (dir string, records *memory.Store) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "run", "records.sock"))
	if err != nil {
		t.Fatal(err)
	}
	records = &memory.Store{}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- store.Serve(ctx, l, records, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() { stop(); <-done })
	return dir, records
}

func TestTheLatestCallsAreListedAsAPersonReadsThem(t *testing.T) {
	dir, records := archive(t)
	ctx := t.Context()
	list := func(more ...string) string {
		var out, errs strings.Builder
		if code := run(append([]string{"calls", "-var", dir}, more...), &out, &errs); code != 0 {
			t.Fatalf("exit code %d: %s", code, errs.String())
		}
		return out.String()
	}
	if got := list(); got != "no calls yet\n" {
		t.Errorf("an empty box: %q", got)
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.Local)
	err := records.PutCalls(ctx,
		store.Call{Pos: 1, CallEnded: tel.CallEnded{
			Call: "c1", Direction: tel.Inbound, From: "+39061234567", To: "+390612345678", Queue: "vendite", Agent: "anna",
			Started: at, Answered: at.Add(4 * time.Second), Ended: at.Add(94 * time.Second), Cause: tel.CauseNormal, Machine: tel.MachineFax,
			Media: []tel.LegNote{
				{Party: "trunk:tim", Sound: tel.LegSound{Heard: 4.4}},
				{Party: "phone:201", Sound: tel.LegSound{Heard: 3.14, Loss: 4, Trouble: tel.SoundLoss, Place: tel.SoundAtPhone}},
			},
		}},
		store.Call{Pos: 2, CallEnded: tel.CallEnded{
			Call: "c2", Direction: tel.Inbound, To: "400", Started: at.Add(time.Hour), Ended: at.Add(time.Hour + time.Minute), Cause: tel.CauseCancelled,
		}})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(list()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%q", lines)
	}
	for i, words := range [][]string{
		{"2026-03-02 10:00:00", "withheld", "not answered, cancelled"},
		{"2026-03-02 09:00:00", "+39061234567", "rang 4s, talked 1m30s", "queue vendite", "agent anna", "a fax", "bad sound of phone:201: loss at phone_network, heard 3.1 of 4.5"},
	} {
		for _, w := range words {
			if !strings.Contains(lines[i], w) {
				t.Errorf("line %d lacks %q: %s", i, w, lines[i])
			}
		}
	}
	if got := list("-n", "1"); strings.Count(got, "\n") != 1 {
		t.Errorf("one call was asked for: %q", got)
	}
}
