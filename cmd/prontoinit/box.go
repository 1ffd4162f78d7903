package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/board/cgroup"
	"github.com/pronto-pbx/pronto/board/clock"
	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/led"
	"github.com/pronto-pbx/pronto/board/logring"
	"github.com/pronto-pbx/pronto/board/mdns"
	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/board/network"
	"github.com/pronto-pbx/pronto/board/power"
	"github.com/pronto-pbx/pronto/board/stick"
	"github.com/pronto-pbx/pronto/board/watchdog"
	"github.com/pronto-pbx/pronto/firmware/appliance/supervise"
	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/images/imprint"
	"golang.org/x/sys/unix"
)

// box is everything that runs beside this goroutine.
type box struct {
	log      *slog.Logger
	services *supervise.Supervisor
	dog      *watchdog.Device // nil: the box has none, or is not to use it
	failed   chan error       // a room that cannot go on
	ending   chan power.End   // the exchange or the updater asks for it
	turns    chan turn        // what others ask of the goroutine of attend
	slots    slots
	ring     *logring.Ring
	card     disk.Card
	where    disk.Where
	id       string
	orders   chan stick.Order
	attempt  attempt
	outage   outage
	groups   []*cgroup.Group // of the services that have one
	kills    kills

	ctx     context.Context // of the services
	endAll  context.CancelFunc
	serving sync.WaitGroup // the supervisor
	rooms   sync.WaitGroup // network, time and the rest: they end after the services
	endLast context.CancelFunc
}

// start brings the box up. out gets the lines of all programs.
func start(log *slog.Logger, out io.Writer, ring *logring.Ring) (*box, error) {
	loadDrivers(log)
	settle(log)
	made, err := readRelease()
	if err != nil {
		return nil, err
	}
	log.Info("Pronto", "version", made.Version, "kernel", made.Kernel, "uptime", control.Uptime().Round(time.Millisecond))
	sayBoard(log)
	b := &box{log: log, failed: make(chan error, 2), ending: make(chan power.End, 1), turns: make(chan turn), ring: ring, orders: make(chan stick.Order, 1)}
	b.openWatchdog()
	b.light(led.Starting)
	if err := network.Loopback(); err != nil {
		return nil, err
	}
	if b.card, b.where, err = openData(log, b.feed); err != nil && b.where != disk.InMemory {
		return nil, err
	} else if err != nil {
		log.Error("data", "err", err)
	}
	b.feed()
	b.openSlots(made)
	if err := b.begin(); err != nil {
		return nil, err
	}
	settleOwners(log, places())
	plan := loadPlan(log)
	var host string
	b.id, host = name(log, plan.Held.Host)
	keeper := startClock(log, made)
	b.outage.init(log, b.id)
	b.services, err = supervise.New(b.outage.watch(b.share(services(made.Version))), supervise.Options{Log: log, Output: out, Dir: "/run/supervise", Orphans: true})
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
	b.serving.Go(func() { b.outage.run(b.ctx, b.services) })
	b.rooms.Go(func() { keeper.Run(last) })
	// The box's own name, and the bare one if no other box has it.
	names := mdns.New(log, mdns.Name{Label: host}, mdns.Name{Label: "pronto", Optional: true})
	names.Offer(pageOf(b.id))
	b.rooms.Go(func() { names.Run(last) })
	net := newNetwork(log, plan, host, keeper, names, wall)
	b.rooms.Go(func() { net.Run(last) })
	socket := newSocket(log, b.card, b.id, b.orders)
	b.rooms.Go(func() { socket.Run(last) })
	b.openGate(last, room(net, host, keeper, func() { b.end(power.Restart) }, b.kills.all), b.updates(socket.Bundles))
	b.rooms.Go(func() { b.slots.compare(last, installedFile) })
	if b.where == disk.OnCard {
		b.rooms.Go(func() { fill(log, b.card) })
	}
	return b, nil
}

// pageOf is how the page of a box stands in the lists of who looks around in the network.
func pageOf(id string) mdns.Service {
	return mdns.Service{Instance: "Pronto " + id, Kind: "_http._tcp", Port: 80, Text: []string{"id=" + id}}
}

// sayBoard names the board, and says so if the image is not meant for it.
func sayBoard(log *slog.Logger) {
	compatible, err := os.ReadFile("/proc/device-tree/compatible")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("board not known", "err", err)
		return
	}
	switch m, ok := model.Of(compatible); {
	case !ok:
		log.Warn("board not known", "compatible", string(bytes.ReplaceAll(compatible, []byte{0}, []byte{' '})))
	case m.Way != model.Image:
		log.Warn("the image is not meant for this board", "board", m.Name, "why", m.Why)
	default:
		log.Info("board", "model", m.Name)
	}
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
func startClock(log *slog.Logger, made imprint.Imprint) *clock.Keeper {
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
		case how := <-b.ending:
			return how
		case do := <-b.turns:
			do()
		case order := <-b.orders:
			if end, ends := b.obey(order); ends {
				return end
			}
		case err := <-b.failed:
			b.log.Error("the box cannot go on", "err", err)
			return power.Restart
		case <-look.C:
			b.sayEnded()
			seen := b.see()
			if seen.Running && !told {
				told = true
				b.tellStart()
			}
			b.count(seen, health)
			if end, ends := b.grant(); ends {
				return end
			}
			var lives bool
			if health, lives = watchdog.Next(health, control.Uptime(), seen); lives {
				b.feed()
			}
			if b.judge(seen, lives) {
				return power.Restart
			}
			if !lives && b.dog != nil {
				b.log.Error("the exchange does not come back; the watchdog is not fed any more and resets the box")
				b.giveUp()
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
	st := exchangeOf(b.services)
	return watchdog.Seen{Running: st.State == supervise.Running, Finished: st.State == supervise.Finished, Restarts: st.Restarts}
}

// exchangeOf is what the supervisor says of the exchange.
func exchangeOf(s *supervise.Supervisor) (st supervise.ServiceStatus) {
	for _, st := range s.Status() {
		if st.Name == exchange {
			return st
		}
	}
	return st
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
	b.endAll()
	b.outlast(b.serving.Wait)
	for _, g := range b.groups {
		if err := g.Close(); err != nil {
			b.log.Warn("share", "of", g.Name, "err", err)
		}
	}
	b.endLast()
	b.outlast(b.rooms.Wait)
	leaveHot(b.log)
	b.feed()
}

// endFor is how long what ends may take before the watchdog ends it: a program that opens its records on a slow card
// hears of the end when it has opened them. A reset in the place of a restart would lead past a trial.
const endFor = 45 * time.Second

// outlast waits for something, and feeds the watchdog meanwhile.
func (b *box) outlast(wait func()) {
	done := make(chan struct{})
	go func() { defer close(done); wait() }()
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for begun := time.Now(); ; {
		if time.Since(begun) < endFor {
			b.feed()
		}
		select {
		case <-done:
			return
		case <-every.C:
		}
	}
}

// leaveHot takes what lies in memory off the data, which cannot be unmounted below it.
func leaveHot(log *slog.Logger) {
	if err := unix.Unmount(hotDir, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		log.Warn("unmount", "at", hotDir, "err", err)
	}
}
