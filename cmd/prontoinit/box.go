package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/board/clock"
	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/firewall"
	"github.com/pronto-pbx/pronto/board/mdns"
	"github.com/pronto-pbx/pronto/board/network"
	"github.com/pronto-pbx/pronto/board/power"
	"github.com/pronto-pbx/pronto/board/watchdog"
	"github.com/pronto-pbx/pronto/firmware/appliance/supervise"
	"github.com/pronto-pbx/pronto/firmware/control"
	"golang.org/x/sys/unix"
)

// box is everything that runs beside this goroutine.
type box struct {
	log      *slog.Logger
	services *supervise.Supervisor
	dog      *watchdog.Device // nil: the box has none, or is not to use it
	failed   chan error       // a room that cannot go on

	ctx     context.Context // of the services
	endAll  context.CancelFunc
	serving sync.WaitGroup // the supervisor
	rooms   sync.WaitGroup // network, time and the rest: they end after the services
	endLast context.CancelFunc
}

// start brings the box up. out gets the lines of all programs.
func start(log *slog.Logger, out io.Writer) (*box, error) {
	settle(log)
	made, err := readRelease()
	if err != nil {
		return nil, err
	}
	log.Info("Pronto", "version", made.Version, "kernel", made.Kernel, "uptime", control.Uptime().Round(time.Millisecond))
	b := &box{log: log, failed: make(chan error, 2)}
	b.openWatchdog()
	if err := network.Loopback(); err != nil {
		return nil, err
	}
	card, where, err := openData(log, b.feed)
	if err != nil && where != disk.InMemory {
		return nil, err
	} else if err != nil {
		log.Error("data", "err", err)
	}
	b.feed()
	settleOwners(log, places())
	host := name(log)
	keeper := startClock(log, made)
	b.services, err = supervise.New(services(), supervise.Options{Log: log, Output: out, Dir: "/run/supervise", Orphans: true})
	if err != nil {
		return nil, err
	}
	raiseLimits(log)
	var last context.Context
	last, b.endLast = context.WithCancel(context.Background())
	wall := b.guard(last) // before there is a network, and before there is a service
	b.ctx, b.endAll = context.WithCancel(context.Background())
	b.serving.Go(func() {
		if err := b.services.Run(b.ctx); err != nil {
			b.failed <- err
		}
	})
	b.rooms.Go(func() { keeper.Run(last) })
	// The box's own name, and the bare one if no other box has it.
	names := mdns.New(log, mdns.Name{Label: host}, mdns.Name{Label: "pronto", Optional: true})
	b.rooms.Go(func() { names.Run(last) })
	b.rooms.Go(func() { runNetwork(last, log, host, keeper, names, wall) })
	if where == disk.OnCard {
		b.rooms.Go(func() { fill(log, card) })
	}
	return b, nil
}

// openWatchdog starts the hardware, unless the kernel's arguments forbid it: on QEMU's Raspberry Pis opening
// it resets the machine at once.
func (b *box) openWatchdog() {
	args, err := os.ReadFile("/proc/cmdline")
	if err == nil && slices.Contains(strings.Fields(string(args)), "pronto.watchdog=off") {
		b.log.Warn("the watchdog is switched off by the kernel's arguments")
		return
	}
	if b.dog, err = watchdog.Open("/dev/watchdog"); err != nil {
		b.log.Error("nothing resets this box when it hangs", "err", err)
	}
}

// startClock makes sure that the box does not live in the past.
func startClock(log *slog.Logger, made release) *clock.Keeper {
	saved, err := clock.Load(filepath.Join(dataDir, clock.File))
	if err != nil {
		log.Warn("the time of the last run is not known", "err", err)
	}
	if raised, err := clock.Raise(clock.Floor(time.Unix(made.Time, 0), saved)); err != nil {
		log.Error("clock not set", "err", err)
	} else if raised {
		log.Info("clock set to the last time known", "time", time.Now().UTC())
	}
	return clock.New(clock.Config{Log: log, Save: filepath.Join(dataDir, clock.File)}.Defaults())
}

// runNetwork waits for the interface and keeps its address.
func runNetwork(ctx context.Context, log *slog.Logger, host string, keeper *clock.Keeper, names *mdns.Responder, wall *firewall.Wall) {
	fixed, err := network.LoadFixed(filepath.Join(dataDir, network.File))
	if err != nil {
		log.Error("the fixed address is not used; the box asks for one", "err", err)
	}
	for ctx.Err() == nil {
		name, err := network.Wired(ctx, "/sys/class/net", 5*time.Second)
		if err == nil {
			err = network.Run(ctx, network.Config{
				Log: log, Interface: name, Host: host, Fixed: fixed, Resolv: "/run/resolv.conf",
				Changed: func(u network.Use) {
					keeper.Network(u.NTP)
					names.Use(name, u.Address)
					wall.On(name)
				},
			})
		}
		if err != nil && ctx.Err() == nil {
			log.Error("network ended, and begins anew", "err", err)
			time.Sleep(time.Second) // a lasting error must not become a busy loop
		}
	}
}

// fill lets the data grow into its partition while the box works already.
func fill(log *slog.Logger, card disk.Card) {
	if err := disk.Fill(card, dataDir); err != nil {
		log.Error("the data does not fill its partition", "err", err)
		return
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dataDir, &st); err == nil {
		log.Info("data", "card", card.Disk, "MB", st.Blocks*uint64(st.Bsize)/1e6, "free", st.Bavail*uint64(st.Bsize)/1e6)
	}
}

// descriptors is how many a program may have: two for each call, and those of the page.
const descriptors = 1 << 16

func raiseLimits(log *slog.Logger) {
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: descriptors, Max: descriptors}); err != nil {
		log.Warn("programs may not open many files", "err", err)
	}
}

// attend looks after the box until it is to end, and tells how.
func (b *box) attend() power.End {
	signals := make(chan os.Signal, 4)
	// What a first program is told: TERM and INT (Ctrl-Alt-Del) to restart, USR2 to switch off.
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGUSR2)
	defer signal.Stop(signals)
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF); err != nil {
		b.log.Warn("Ctrl-Alt-Del restarts the box without saying goodbye", "err", err)
	}
	pressing, done := context.WithCancel(context.Background())
	defer done()
	button := power.Button(pressing, "/dev/input/event*", b.log)
	every := 4 * time.Second
	if b.dog != nil {
		every = b.dog.Every()
	}
	look := time.NewTicker(every)
	defer look.Stop()
	var health watchdog.Health
	told := false
	for {
		select {
		case s := <-signals:
			if s == unix.SIGUSR2 {
				return power.Off
			}
			return power.Restart
		case <-button:
			return power.Off
		case err := <-b.failed:
			b.log.Error("the box cannot go on", "err", err)
			return power.Restart
		case <-look.C:
			seen := b.see()
			if seen.Running && !told {
				told = true
				b.tellStart()
			}
			var lives bool
			if health, lives = watchdog.Next(health, control.Uptime(), seen); lives {
				b.feed()
			} else if b.dog != nil {
				b.log.Error("the exchange does not come back; the watchdog is not fed any more and resets the box")
			}
		}
	}
}

// tellStart says how the start went.
func (b *box) tellStart() {
	var st unix.Sysinfo_t
	if err := unix.Sysinfo(&st); err != nil {
		b.log.Warn("memory not known", "err", err)
	}
	unit := uint64(st.Unit)
	b.log.Info("the exchange runs", "uptime", control.Uptime().Round(time.Second), "memory_used_MB", (uint64(st.Totalram)-uint64(st.Freeram)-uint64(st.Bufferram))*unit/1e6, "of", uint64(st.Totalram)*unit/1e6)
}

func (b *box) see() (s watchdog.Seen) {
	for _, st := range b.services.Status() {
		if st.Name == exchange {
			s = watchdog.Seen{Running: st.State == supervise.Running, Finished: st.State == supervise.Finished, Restarts: st.Restarts}
		}
	}
	return s
}

func (b *box) feed() {
	if b.dog == nil {
		return
	}
	if err := b.dog.Feed(); err != nil {
		b.log.Error("watchdog not fed", "err", err)
	}
}

// stop ends the programs, then the rest. The watchdog goes on running: should this hang, it resets the box.
func (b *box) stop() {
	b.feed()
	b.endAll()
	b.serving.Wait()
	b.feed()
	b.endLast()
	b.rooms.Wait()
	if err := unix.Unmount(hotDir, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		b.log.Warn("unmount", "at", hotDir, "err", fmt.Errorf("%w", err))
	}
	b.feed()
}
