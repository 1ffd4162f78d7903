package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// reloadLimit is longer than prontod may take for a change.
const reloadLimit = 4 * time.Minute

// reload has prontod read its file again and prints what it said. It fails when prontod refused.
func reload(args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("reload", flag.ContinueOnError)
	flags.SetOutput(errs)
	dir := flags.String("var", stateDir(), "directory of the state")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pid, err := prontodPID(*dir)
	if err != nil {
		return err
	}
	if pid <= 1 {
		return errors.New("prontod does not run now; it reads the file when it starts")
	}
	return reloadProcess(pid, filepath.Join(*dir, "run", "reload.txt"), out)
}

// reloadProcess signals a process and waits for the file that it answers with.
func reloadProcess(pid int, answer string, out io.Writer) error {
	if err := os.Remove(answer); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("answer of an earlier reload: %w", err)
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return fmt.Errorf("signal prontod (%d): %w", pid, err)
	}
	for start := time.Now(); time.Since(start) < reloadLimit; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(answer)
		if errors.Is(err, fs.ErrNotExist) {
			if err := syscall.Kill(pid, 0); err != nil {
				return fmt.Errorf("prontod (%d) ended before it answered", pid)
			}
			continue
		}
		if err != nil {
			return err
		}
		verdict, words, _ := strings.Cut(string(text), "\n")
		if verdict != "ok" {
			return fmt.Errorf("%s:\n%s", verdict, strings.TrimSpace(words))
		}
		fmt.Fprint(out, words)
		return nil
	}
	return fmt.Errorf("prontod did not answer within %v", reloadLimit)
}
