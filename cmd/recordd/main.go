// Command recordd keeps the finished records in a process of its own, so that the database can die
// on a full disk and a call cannot.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/pronto-pbx/pronto/firmware/keeper"
	"github.com/pronto-pbx/pronto/firmware/store/badgerstore"
	"github.com/pronto-pbx/pronto/firmware/store/recorder"
)

// exitUseless tells the supervisor that starting again changes nothing.
const exitUseless = 125

func main() {
	dir := flag.String("dir", "", "directory of the records")
	backups := flag.String("backups", "", "directory of the backups (default: inside -dir)")
	socket := flag.String("socket", "", "unix socket to answer on")
	history := flag.String("journal", "", "directory of the history journal to follow")
	verbose := flag.Bool("v", false, "log debug messages")
	flag.Parse()
	if *dir == "" || *socket == "" || *history == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "recordd: -dir, -socket and -journal are needed")
		flag.Usage()
		os.Exit(exitUseless)
	}
	if err := run(*dir, *backups, *socket, *history, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "recordd:", err)
		os.Exit(1)
	}
}

func run(dir, backups, socket, history string, verbose bool) error {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	supervisor, err := keeper.New(keeper.FromEnv(os.Getenv))
	if err != nil {
		return err
	}
	defer supervisor.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return recorder.Run(ctx, recorder.Config{
		Records: badgerstore.Config{Dir: dir, Backups: backups},
		Socket:  socket,
		Journal: history,
		Log:     log,
		Ready: func() {
			if err := supervisor.Ready(); err != nil {
				log.Warn("supervisor not told", "error", err)
			}
		},
	})
}
