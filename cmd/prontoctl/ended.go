package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/firmware/oomkill"
)

// ended notes how a program has ended, for the page; systemd's units call it (systemd.service(5), ExecStopPost).
func ended(args []string, _, errs io.Writer) error {
	flags := flag.NewFlagSet("ended", flag.ContinueOnError)
	flags.SetOutput(errs)
	dir := flags.String("dir", filepath.Join(stateDir(), "run"), "directory of what survives a crash")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("which program has ended is to be said")
	}
	return oomkill.Note(*dir, flags.Arg(0), os.Getenv("SERVICE_RESULT"), time.Now())
}
