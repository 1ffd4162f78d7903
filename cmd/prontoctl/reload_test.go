package main

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// reloadOf plays prontod in this very process: it answers SIGHUP with a file.
func reloadOf(t *testing.T, answer string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "reload.txt")
	if err := os.WriteFile(path, []byte("ok\nof an earlier reload\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hup, done := make(chan os.Signal, 1), make(chan error, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	go func() {
		<-hup
		done <- os.WriteFile(path+".new", []byte(answer), 0o600)
		done <- os.Rename(path+".new", path)
	}()
	var out bytes.Buffer
	err := reloadProcess(os.Getpid(), path, &out)
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	return out.String(), err
}

func TestReloadPrintsWhatProntodDid(t *testing.T) {
	out, err := reloadOf(t, "ok\nversion 3\nqueues: applied\n")
	if err != nil || out != "version 3\nqueues: applied\n" {
		t.Errorf("%q %v", out, err)
	}
}

func TestReloadFailsWhenProntodRefuses(t *testing.T) {
	out, err := reloadOf(t, "refused\nqueues[0].ring: too short\n")
	if err == nil || err.Error() != "refused:\nqueues[0].ring: too short" || out != "" {
		t.Errorf("%q %v", out, err)
	}
}

func TestReloadSaysWhenProntodDiesOfIt(t *testing.T) {
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = child.Wait() }() // else it stays as a zombie that can be signalled
	err := reloadProcess(child.Process.Pid, filepath.Join(t.TempDir(), "reload.txt"), nil)
	if err == nil || !strings.Contains(err.Error(), "ended before it answered") {
		t.Errorf("%v", err)
	}
}
