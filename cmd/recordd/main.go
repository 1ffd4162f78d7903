// Command recordd keeps the finished records in a process of its own, so that the database can die
// on a full disk and a call cannot.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
	_ "time/tzdata" // the zone of the box, without which its configuration has a mistake and there is no backup

	"github.com/pronto-pbx/pronto/board/cgroup"
	"github.com/pronto-pbx/pronto/board/confine"
	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/backup/places"
	"github.com/pronto-pbx/pronto/firmware/backup/remote"
	"github.com/pronto-pbx/pronto/firmware/certificate/authorities"
	"github.com/pronto-pbx/pronto/firmware/config"
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
	state := flag.String("var", "", "directory of the box's state, of which a backup is made each night (default: none is made)")
	file := flag.String("config", "", "configuration file of the box, which says where the backup goes (default: VAR/pronto.yaml)")
	verbose := flag.Bool("v", false, "log debug messages")
	flag.Parse()
	if *dir == "" || *socket == "" || *history == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "recordd: -dir, -socket and -journal are needed")
		flag.Usage()
		os.Exit(exitUseless)
	}
	box := backup.Source{Dir: *state, Config: cmp.Or(*file, filepath.Join(*state, "pronto.yaml")), Records: *dir}
	if err := run(*dir, *backups, *socket, *history, box, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "recordd:", err)
		os.Exit(1)
	}
}

func run(dir, backups, socket, history string, box backup.Source, verbose bool) error {
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
	if share := cgroup.KeepWithin(os.Getenv); share > 0 {
		log.Info("share", "memory_MB", share/1e6)
	}
	if err := confine.Myself(); err != nil {
		log.Warn("this machine does not keep us from everything that is not our business", "err", err)
	}
	believed, err := authorities.Install()
	if err != nil {
		return err
	}
	believed.Tell(log, time.Now())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if box.Dir != "" {
		nightly := backup.NewNightly(box, backup.Version(), log.With("room", "backup"), func(c config.Backup) (backup.Place, error) {
			return places.Open(c, box.Dir)
		})
		var rooms sync.WaitGroup
		defer rooms.Wait()
		defer stop()
		rooms.Go(func() { nightly.Run(ctx) })
		l, err := remote.Listen(remote.Path(socket))
		if err != nil { // the records matter more
			log.Error("the page cannot ask about backups", "err", err)
		} else {
			rooms.Go(func() {
				if err := remote.Serve(ctx, l, nightly); err != nil {
					log.Error("the page cannot ask about backups any more", "err", err)
				}
			})
		}
	}
	return recorder.Run(ctx, recorder.Config{
		Records: badgerstore.Config{Dir: dir, Backups: backups},
		Socket:  socket,
		Journal: history,
		State:   box.Dir,
		Log:     log,
		Ready: func() {
			if err := supervisor.Ready(); err != nil {
				log.Warn("supervisor not told", "error", err)
			}
		},
	})
}
