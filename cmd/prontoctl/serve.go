package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/firmware/appliance/supervise"
	"github.com/pronto-pbx/pronto/firmware/control"
)

// serve runs prontod and recordd, and keeps their sockets, where nothing else does: in a container. It ends with
// SIGTERM, which ends the calls.
func serve(args []string, _, errs io.Writer) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(errs)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir := flags.String("var", stateDir(), "directory of the state")
	bin := flags.String("bin", filepath.Dir(self), "directory of the programs")
	first := flags.String("first", "", "configuration to begin with, where VAR/pronto.yaml is missing")
	board := flags.String("board", "linux", "lamps and lines: linux, or sim for lamps in memory")
	licences := flags.String("licences", "", "file with the licences of all that was shipped, for the page")
	if err := flags.Parse(args); err != nil {
		return err
	}
	for _, d := range []string{"run", "tmp"} {
		if err := os.MkdirAll(filepath.Join(*dir, d), 0o700); err != nil {
			return fmt.Errorf("the directory of the state cannot be made: %w", err)
		}
	}
	file := filepath.Join(*dir, "pronto.yaml")
	if err := begin(file, *first); err != nil {
		return err
	}
	if err := putBack(*dir, file, errs); err != nil {
		return err
	}
	services, err := telephony(*bin, *dir, file, *board)
	if err != nil {
		return err
	}
	services[1].Args = append(services[1].Args, "-licences", *licences)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sv, err := supervise.New(services, supervise.Options{Log: slog.New(slog.NewTextHandler(errs, nil)), Output: errs, Orphans: true})
	if err != nil {
		return err
	}
	return sv.Run(ctx)
}

// begin copies the first configuration to where there is none.
func begin(file, first string) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) || first == "" {
		return nil // prontod says what is wrong with it
	}
	text, err := os.ReadFile(first)
	if err != nil {
		return fmt.Errorf("there is no configuration to begin with: %w", err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return fmt.Errorf("the first configuration cannot be written: %w", err)
	}
	return nil
}

// telephony describes the two services, in their order, of a state and its configuration.
func telephony(bin, dir, file, board string) ([]supervise.Service, error) {
	records := filepath.Join(dir, "run", "records.sock")
	all := []supervise.Service{
		{Name: "recordd", Notify: true, Args: []string{
			"-dir", filepath.Join(dir, "records"), "-socket", records, "-journal", filepath.Join(dir, "history"), "-var", dir, "-config", file,
		}},
		{Name: "prontod", Notify: true, KeepFDs: 4096, Watchdog: 10 * time.Second, Args: []string{
			"-config", file, "-var", dir, "-board", board, "-records", records, "-powered", control.Uptime().String(),
		}, After: []string{"-dark", "-config", file, "-var", dir, "-board", board}},
	}
	return all, found(bin, all)
}

// found tells each service where its program lies.
func found(bin string, all []supervise.Service) error {
	for i := range all {
		path, err := filepath.Abs(filepath.Join(bin, all[i].Name))
		if err != nil {
			return err
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("program %s is missing", path)
		}
		all[i].Path, all[i].Env = path, os.Environ()
	}
	return nil
}
