// Command prontod is the telephone exchange: SIP, queues, lines, lamps and the page in one process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
	_ "time/tzdata" // Europe/Rome on a machine without zone files

	"github.com/pronto-pbx/pronto/board/cgroup"
	"github.com/pronto-pbx/pronto/board/confine"
	"github.com/pronto-pbx/pronto/firmware/appliance"
	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/certificate/authorities"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/keeper"
)

// exitUseless tells the supervisor that starting again changes nothing.
const exitUseless = 125

func main() {
	os.Exit(run(os.Args[1:], os.Stderr))
}

func run(args []string, out io.Writer) int {
	flags := flag.NewFlagSet("prontod", flag.ContinueOnError)
	flags.SetOutput(out)
	file := flags.String("config", "pronto.yaml", "configuration file")
	dir := flags.String("var", "var", "directory of the state")
	board := flags.String("board", "linux", "lamps and lines: linux, or sim for lamps in memory")
	records := flags.String("records", "", "unix socket of recordd; empty: do not ask")
	first := flags.String("gate", "", "unix socket of the first program of the box, which owns its network; empty: the system does")
	powered := flags.Duration("powered", control.Uptime(), "the kernel's uptime when the box was switched on, by its supervisor")
	reset := flags.String("reset", "", "file by which the supervisor is asked for a factory reset; empty: it cannot be")
	licences := flags.String("licences", "", "file with the licences of all that was installed with this program, for the page (default: its own)")
	asked := flags.String("openings", "", "file that tells the first program of a box what others must reach; empty: nobody asks")
	opened := flags.String("opened", "", "file in which it answers")
	release := flags.String("release", "", "version of the release that this program is of; empty: of none")
	fit := flags.String("fit", "", "unix socket on which the updater is told how the exchange is; empty: only prontoctl's")
	updater := flags.String("updates", "", "unix socket of the updater, for the page; empty: the system keeps this program up to date")
	stick := flags.String("bundles", filepath.Join(backup.StickDir, "pronto"), "directory in which a stick has updates")
	speaks := flags.String("speaker", "", "be the process that has this synthesiser say texts for the exchange, over descriptor 3")
	dark := flags.Bool("dark", false, "put out the lamps that a killed prontod has left lit, and end")
	verbose := flags.Bool("v", false, "log debug messages")
	if err := flags.Parse(args); err != nil {
		return exitUseless
	}
	if *speaks != "" {
		return speak(*speaks, out)
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	if *dark {
		return putOut(log, *file, filepath.Join(*dir, "config"), *board)
	}
	sockets, err := keeper.New(keeper.FromEnv(os.Getenv)) // first of all: it takes descriptors by number
	if err != nil {
		fmt.Fprintln(out, "prontod: sockets kept by the supervisor:", err)
		return 1
	}
	defer sockets.Close()
	if share := cgroup.KeepWithin(os.Getenv); share > 0 {
		log.Info("share", "memory_MB", share/1e6)
	}
	believed, err := authorities.Install()
	if err != nil {
		fmt.Fprintln(out, "prontod:", err)
		return 1
	}
	believed.Tell(log, time.Now())
	synthesiser, hush := startSpeaker(log) // before it is forbidden
	defer hush()
	walls := appliance.Walls{Confined: confine.Myself(), Asked: *asked, Opened: *opened}
	if walls.Confined != nil {
		log.Warn("this machine does not keep us from everything that is not our business", "err", walls.Confined)
	}
	cfg, err := live.Open(live.Options{Log: log.With("room", "config"), File: *file, Dir: filepath.Join(*dir, "config")})
	if problems, ok := errors.AsType[config.Problems](err); ok {
		fmt.Fprintf(out, "prontod: %s has %d mistakes:\n%v\n", *file, len(problems), problems)
		return exitUseless
	} else if err != nil {
		fmt.Fprintln(out, "prontod:", err)
		return exitUseless
	}
	defer cfg.Close()
	b, err := appliance.BoardNamed(*board, filepath.Join(*dir, "board"))
	if err == nil {
		err = serve(appliance.Options{
			Log: log, Live: cfg, Dir: *dir, RunDir: filepath.Join(*dir, "run"), Hot: disk(*dir), Keeper: sockets, Board: b, Record: *records, Powered: *powered,
			Synthesiser: synthesiser, Gate: *first, Reset: *reset, Licences: *licences, Walls: walls,
			Version: *release, Fit: *fit, Updates: updatesOf(*updater, *stick),
		})
	}
	if err != nil {
		fmt.Fprintln(out, "prontod:", err)
		return 1
	}
	return 0
}

// putOut darkens the lamps of the configuration.
func putOut(log *slog.Logger, file, dir, board string) int {
	if err := confine.Myself(); err != nil {
		log.Warn("this machine does not keep us from everything that is not our business", "err", err)
	}
	cfg, err := live.Open(live.Options{Log: log.With("room", "config"), File: file, Dir: dir})
	if err == nil {
		defer cfg.Close()
		var b appliance.Board
		if b, err = appliance.BoardNamed(board, ""); err == nil {
			err = appliance.PutOut(cfg.Current(), b)
		}
	}
	if err != nil {
		log.Error("lamps are left as they are", "err", err)
		return 1
	}
	return 0
}

// serve runs until SIGTERM or SIGINT, which end the calls, or SIGUSR2, which leaves them to the next
// process. SIGHUP has the configuration read again.
func serve(opts appliance.Options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	usr2 := make(chan os.Signal, 1)
	signal.Notify(usr2, syscall.SIGUSR2)
	handOver := make(chan struct{})
	go func() { <-usr2; close(handOver) }()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	var reloading sync.WaitGroup
	defer reloading.Wait()
	defer stop()
	reloading.Go(func() { reloads(ctx, hup, opts) })
	box, err := appliance.Build(opts)
	if err != nil {
		return err
	}
	return box.Run(ctx, handOver)
}
