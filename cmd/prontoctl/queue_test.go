package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd"
	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/acd/replay"
	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// historian is the history as the queues of a running box write it.
type historian struct{ *journal.History }

func (h historian) Append(kind string, body []byte) error {
	_, err := h.History.Append(kind, body)
	return err
}

// worked has real queues serve one caller, refuse none and lose one, and returns the state's directory.
func worked(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	h, err := journal.OpenHistory(journal.HistoryConfig{Dir: filepath.Join(dir, "history")})
	if err != nil {
		t.Fatal(err)
	}
	offers := make(chan tel.Offer, 8)
	left := make(chan tel.QueueLeft, 8)
	a, err := acd.New(acd.Config{
		Queues: []plan.QueueSpec{{ID: "sales", Members: []tel.AgentID{"anna"}}}, Agents: []plan.AgentSpec{{ID: "anna"}}, History: historian{h},
		Send: func(m tel.ToCall) {
			if o, ok := m.(tel.Offer); ok {
				offers <- o
			}
		},
		Publish: func(e tel.Event) {
			if l, ok := e.(tel.QueueLeft); ok {
				left <- l
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	a.Tell(tel.AgentReachable{Agent: "anna", Reachable: true})
	if err := a.Login(ctx, "anna"); err != nil {
		t.Fatal(err)
	}
	a.Tell(tel.Enqueue{Call: "c1", Queue: "sales", Caller: "+390212345678", EnqueuedAt: time.Now()})
	o := <-offers
	a.Tell(tel.OfferAnswered{Offer: o.Offer})
	<-left
	a.Tell(tel.Enqueue{Call: "c2", Queue: "sales", Caller: "+390287654321", EnqueuedAt: time.Now()})
	a.Tell(tel.CallerGone{Call: "c2", Cause: tel.CauseCancelled})
	<-left
	a.Tell(tel.TalkEnded{Offer: o.Offer, Cause: tel.CauseNormal})
	if _, err := a.Snapshot(ctx); err != nil { // all that was told before is done
		t.Fatal(err)
	}
	a.Close()
	kind, body, err := cdr.Encode(tel.CallEnded{Call: "c1", Started: time.Now(), Ended: time.Now(), EndedBy: "caller"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.AppendUrgent(kind, body); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// forged copies a journal with another agent in the first offer.
func forged(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "history")
	h, err := journal.OpenHistory(journal.HistoryConfig{Dir: to})
	if err != nil {
		t.Fatal(err)
	}
	_, err = journal.ReadAll(filepath.Join(dir, "history"), func(r journal.Record) error {
		var d replay.Decision
		if r.Kind == replay.KindDecision && json.Unmarshal(r.Body, &d) == nil {
			d.Effects = []byte(strings.ReplaceAll(string(d.Effects), `"agent":"anna","at"`, `"agent":"bruno","at"`))
			r.Body, _ = json.Marshal(d)
		}
		_, err := h.Append(r.Kind, r.Body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestAJournalIsReplayedAndWhatDiffersIsPrinted(t *testing.T) {
	dir := worked(t)
	var out, errs bytes.Buffer
	if code := run([]string{"queue", "replay", "-var", dir}, &out, &errs); code != 0 {
		t.Fatalf("code %d: %s%s", code, out.String(), errs.String())
	}
	if !strings.Contains(out.String(), "0 come out otherwise, 0 could not") {
		t.Errorf("%s", out.String())
	}
	out.Reset()
	if code := run([]string{"queue", "replay", forged(t, dir)}, &out, &errs); code != 1 {
		t.Errorf("a forged journal: code %d", code)
	}
	for _, part := range []string{"call c1 from +390212345678", "recorded:", `"agent":"bruno"`, "decided:", `"agent":"anna"`, "1 come out otherwise", "because:"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%q is not in\n%s", part, out.String())
		}
	}
}

func TestAJournalIsPrintedAsAQueueLog(t *testing.T) {
	dir := worked(t)
	var out, errs bytes.Buffer
	if code := run([]string{"queue", "log", "-var", dir}, &out, &errs); code != 0 {
		t.Fatalf("code %d: %s", code, errs.String())
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		f := strings.Split(strings.TrimSpace(line), "|")
		got = append(got, strings.Join(f[1:min(len(f), 5)], "|"))
	}
	want := "c1|sales|NONE|ENTERQUEUE c1|sales|anna|CONNECT c2|sales|NONE|ENTERQUEUE c2|sales|NONE|ABANDON c1|sales|anna|COMPLETECALLER"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
	out.Reset()
	if code := run([]string{"queue", "log", "-var", dir, "-to", "2020-01-01"}, &out, &errs); code != 0 || out.Len() > 0 {
		t.Errorf("code %d, long ago: %s", code, out.String())
	}
}

func TestWhatTheQueuesCannotBeAskedIsSaid(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "notes"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{}, {"shuffle"}, {"replay", "-var", dir}, {"replay", filepath.Join(dir, "notes")}, {"replay", "a", "b"}, {"log", "-from", "yesterday", worked(t)}, {"log", "-var", dir},
	} {
		var out, errs bytes.Buffer
		if code := run(append([]string{"queue"}, args...), &out, &errs); code != 1 || errs.Len() == 0 {
			t.Errorf("%q: code %d, %s", args, code, errs.String())
		}
	}
}
