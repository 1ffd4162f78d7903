package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/appliance"
	"github.com/pronto-pbx/pronto/firmware/config/live"
)

func TestTheOutcomeOfAReloadIsLeftInWords(t *testing.T) {
	dir := t.TempDir()
	file, answer := filepath.Join(dir, "pronto.yaml"), filepath.Join(dir, "reload.txt")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("box: {name: One}\n")
	l, err := live.Open(live.Options{File: file, Dir: filepath.Join(dir, "config")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hup := make(chan os.Signal)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		reloads(ctx, hup, appliance.Options{Log: slog.New(slog.DiscardHandler), Live: l, RunDir: dir})
	})
	defer wg.Wait()
	defer cancel()
	reload := func() string {
		_ = os.Remove(answer)
		hup <- os.Interrupt // whichever: prontod only passes SIGHUP
		for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if text, err := os.ReadFile(answer); err == nil {
				return string(text)
			}
		}
		t.Fatal("no answer")
		return ""
	}
	if got := reload(); got != "refused\nthe box is still starting\nThe box goes on as before.\n" {
		t.Errorf("%q", got)
	}
	l.Start()
	write("box: {name: Two}\n")
	if got := reload(); got != "ok\nversion 2\n  box.name changed: One -> Two\n" {
		t.Errorf("%q", got)
	}
	write("box: {name: Two, language: fr}\n")
	if got := reload(); !strings.HasPrefix(got, "refused\nbox.language: ") || !strings.HasSuffix(got, "\nThe box goes on as before.\n") {
		t.Errorf("%q", got)
	}
}
