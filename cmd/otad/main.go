// Command otad is the updater: a small process of its own, so that a release whose exchange does not start can still be
// taken back. Its end hurts no call.
package main

import (
	"context"
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
	_ "time/tzdata" // the window of maintenance is one of the clock on the wall

	"github.com/pronto-pbx/pronto/board/confine"
	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/firmware/certificate/authorities"
	"github.com/pronto-pbx/pronto/firmware/keeper"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/updater"
)

// exitUseless tells the supervisor that starting again changes nothing.
const exitUseless = 125

// places is what the flags say.
type places struct {
	backend, gate, dir, run, share, fit, sticks string
	zone                                        *time.Location
}

func main() {
	os.Exit(run(os.Args[1:], os.Stderr))
}

func run(args []string, out io.Writer) int {
	var p places
	flags := flag.NewFlagSet("otad", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&p.backend, "backend", "card", "where releases are installed: card, deb, or none where somebody else does")
	flags.StringVar(&p.gate, "gate", gate.Path, "unix socket of the first program of the box")
	flags.StringVar(&p.dir, "var", "", "directory of the state and of downloads")
	flags.StringVar(&p.run, "run", "", "directory of the socket on which the page asks")
	flags.StringVar(&p.share, "share", "/usr/share/pronto", "directory of the vendor's keys and address, and of what this release says of itself")
	flags.StringVar(&p.fit, "fit", "/run/fit/fit.sock", "unix socket on which the exchange says how it is")
	flags.StringVar(&p.sticks, "sticks", "/media", "directory below which sticks lie")
	zone := flags.String("zone", "Europe/Rome", "zone of the clock on the wall, for the window of maintenance")
	verbose := flags.Bool("v", false, "log debug messages")
	if err := flags.Parse(args); err != nil {
		return exitUseless
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
	var err error
	if p.zone, err = time.LoadLocation(*zone); err != nil || p.dir == "" || p.run == "" || flags.NArg() > 0 {
		fmt.Fprintln(out, "otad: -var and -run are needed, and -zone is one of the tz database:", err)
		return exitUseless
	}
	if err := serve(log, p); err != nil {
		fmt.Fprintln(out, "otad:", err)
		return 1
	}
	return 0
}

func serve(log *slog.Logger, p places) error {
	supervisor, err := keeper.New(keeper.FromEnv(os.Getenv))
	if err != nil {
		return err
	}
	defer supervisor.Close()
	if p.backend != "deb" { // which starts the package manager
		if err := confine.Myself(); err != nil {
			log.Warn("this machine does not keep us from everything that is not our business", "err", err)
		}
	}
	believed, err := authorities.Install()
	if err != nil {
		return err
	}
	believed.Tell(log, time.Now())
	cfg, err := configure(log, p)
	if err != nil {
		return err
	}
	l, err := remote.Listen(filepath.Join(p.run, "otad.sock"))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	u := updater.New(cfg)
	var owner sync.WaitGroup
	defer owner.Wait()
	defer stop()
	owner.Go(func() { u.Run(ctx) })
	if err := supervisor.Ready(); err != nil {
		log.Warn("supervisor not told", "error", err)
	}
	return remote.Serve(ctx, l, u)
}
