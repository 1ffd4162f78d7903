package oomkill

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func TestOnlyEndsForMemoryAreNotedAndEachIsCounted(t *testing.T) {
	dir := t.TempDir()
	for n, tc := range []struct{ program, result string }{
		{Records, "success"}, {Records, "exit-code"}, {Records, "signal"}, {Exchange, ""}, {Records, Result}, {Exchange, Result}, {Records, Result},
	} {
		if err := Note(dir, tc.program, tc.result, noon.Add(time.Duration(n)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	want := []Kill{{Program: Records, Times: 2, Last: noon.Add(6 * time.Hour)}, {Program: Exchange, Times: 1, Last: noon.Add(5 * time.Hour)}}
	got, err := Load(dir)
	if err != nil || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v, %v", got, err)
	}
	if err := Note(dir, "someone", Result, noon); err == nil {
		t.Error("a program that no box has is noted")
	}
}

func TestDamagedNotesHinderNoOther(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, File), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Note(dir, Exchange, Result, noon); err != nil {
		t.Fatal(err)
	}
	if got, err := Load(dir); err != nil || len(got) != 1 || got[0] != (Kill{Program: Exchange, Times: 1, Last: noon}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := Load(t.TempDir()); err != nil || got != nil {
		t.Errorf("without notes: %+v, %v", got, err)
	}
}
