package main

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/board/clock"
	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/identity"
	"github.com/pronto-pbx/pronto/board/led"
	"github.com/pronto-pbx/pronto/board/mdns"
	"github.com/pronto-pbx/pronto/board/network"
	"github.com/pronto-pbx/pronto/board/power"
	"github.com/pronto-pbx/pronto/board/stick"
	"github.com/pronto-pbx/pronto/board/trial"
	"github.com/pronto-pbx/pronto/firmware/certificate"
	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/imprint"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/front"
	"github.com/pronto-pbx/pronto/ui/recovery"
	"golang.org/x/sys/unix"
)

// isRecovery tells whether this is the system of the first partition.
func isRecovery() bool {
	_, err := os.Stat(filepath.Join(shareDir, recipe.RecoveryMark))
	return err == nil
}

// How long the recovery system waits: for somebody to come, and, once its page is open, in all. Then the usual
// system is tried again, so that a box that nobody looks after is not silent for ever.
const (
	waitForSomebody = 10 * time.Minute
	openFor         = time.Hour
)

// rescuer is a box in its recovery system. It does not use the network before somebody has proved to stand
// in front of it.
type rescuer struct {
	box
	made   imprint.Imprint
	why    choice.Reason
	chosen int // slot; 0: the choice is damaged
	host   string
	plate  disk.Plate
	broken string // why the data cannot be read; empty: it can
	socket *stick.Socket
	ending chan power.End // the page has asked for it
	again  reinstall
	out    io.Writer // gets the lines of other programs
	met    bool      // the directory in which they meet is there

	engraving sync.Mutex // held while the plate is changed

	opened bool
	ctx    context.Context
	endAll context.CancelFunc
}

// help runs the recovery system to its end.
func help(log *slog.Logger, out io.Writer) error {
	loadDrivers(log)
	settle(log)
	made, err := readRelease()
	if err != nil {
		return err
	}
	log.Warn("recovery system", "version", made.Version, "uptime", control.Uptime().Round(time.Millisecond))
	r := &rescuer{box: box{log: log, orders: make(chan stick.Order, 1)}, made: made, ending: make(chan power.End, 1), out: out}
	r.again.vendor = vendorAt(shareDir, installer() != nil)
	r.ctx, r.endAll = context.WithCancel(context.Background())
	defer r.endAll()
	r.openWatchdog()
	r.light(led.Recovery)
	if err := network.Loopback(); err != nil {
		return err
	}
	if r.card, err = findCard(r.feed); err != nil {
		log.Error("no card", "err", err)
		return err
	}
	mend := r.choose()
	r.look()
	if mend && r.mend() {
		return power.Now(power.Restart, dataDir, log)
	}
	if _, err := clock.Raise(clock.Floor(time.Unix(made.Time, 0), r.savedTime())); err != nil {
		log.Error("clock not set", "err", err)
	}
	r.rooms.Go(func() { r.socket.Run(r.ctx) })
	end := r.attendRescue()
	log.Warn("the recovery system ends")
	r.endAll()
	r.rooms.Wait()
	return power.Now(end, dataDir, log)
}

// choose learns why this system was started, and has the boot loader start the usual one next: switching the
// box off and on is a way out. mend tells that nobody wanted this system: the boot loader found nothing else.
func (r *rescuer) choose() (mend bool) {
	now, err := disk.ReadChoice(r.card)
	if err != nil {
		r.log.Error("why this system was started is not known", "err", err)
		return true
	}
	r.chosen, r.why, now.Recover = now.Slot, now.Recover, choice.None
	if err := disk.WriteChoice(r.card, now); err != nil {
		r.log.Error("the next start leads here again", "err", err)
	}
	return r.why == choice.None
}

// mend chooses a slot that can be started, where the choice is damaged, as by a power cut that tore it, or names a slot
// in which there is no system: the one that the last trial leaves, or else any. It is false where nothing is to be
// mended, or nothing can be: then the box waits for somebody.
func (r *rescuer) mend() bool {
	want := r.chosen
	if want == 0 {
		want = cmp.Or(r.lastTrial().Good(disk.OtherSlot), layout.SlotA)
	}
	if _, err := disk.ReadSlot(r.card, want); err != nil {
		r.log.Error("nothing can be started from the slot", "slot", want, "err", err)
		if _, err := disk.ReadSlot(r.card, disk.OtherSlot(want)); err != nil {
			r.log.Error("nor from the other one", "err", err)
		} else {
			want = disk.OtherSlot(want)
		}
	}
	if want == r.chosen {
		return false
	}
	if err := disk.WriteChoice(r.card, choice.Choice{Slot: want}); err != nil {
		r.log.Error("the next start leads here again", "err", err)
		return false
	}
	r.log.Warn("the choice of what to start is mended", "slot", want)
	return true
}

// lastTrial is what the data knows of it.
func (r *rescuer) lastTrial() trial.Record {
	text, ok := r.kept(trial.File)
	if !ok {
		return trial.Record{}
	}
	rec, err := trial.Decode(text)
	if err != nil {
		r.log.Warn("what became of the last trial is not known", "err", err)
	}
	return rec
}

// look mounts the data to be read, and learns who the box is.
func (r *rescuer) look() {
	if err := disk.Look(r.card, dataDir); err != nil {
		r.broken = err.Error()
		r.log.Error("data", "err", err)
	}
	var err error
	if r.plate, err = disk.ReadPlate(r.card); err != nil {
		r.log.Warn("plate", "err", err)
	}
	if text, ok := r.kept(identity.File); ok {
		who, err := identity.Decode(text)
		if err != nil {
			r.log.Error("the box does not know its number", "err", err)
		}
		r.id = who.ID
	}
	r.host = identity.Name(r.id)
	r.socket = newSocket(r.log, r.card, r.id, r.orders)
	r.log.Info("box", "id", r.id, "name", r.host, "why", r.why)
}

// kept reads a file that outlives a factory reset: from the data, or else from the plate.
func (r *rescuer) kept(name string) (text []byte, ok bool) {
	if r.broken == "" {
		if text, err := os.ReadFile(filepath.Join(dataDir, name)); err == nil && len(text) > 0 {
			return text, true
		}
	}
	text, ok = r.plate.Files[name]
	return text, ok
}

// code is that of the label; empty where nobody knows it.
func (r *rescuer) code() (code access.Code) {
	text, ok := r.kept("pronto/label.json")
	if err := statefile.Decode(text, access.CodeVersion, &code); !ok || err != nil {
		r.log.Error("the code of the label is not known, so nobody can use the page", "err", err)
		return ""
	}
	return code
}

func (r *rescuer) savedTime() []byte {
	saved, err := clock.Load(filepath.Join(dataDir, clock.File))
	if err != nil {
		return nil
	}
	return saved
}

// attendRescue waits for somebody, and then for what they want.
func (r *rescuer) attendRescue() power.End {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT)
	defer signal.Stop(signals)
	pressing, done := context.WithCancel(context.Background())
	defer done()
	button := power.Button(pressing, inputs, r.log)
	feeding := time.NewTicker(3 * time.Second)
	defer feeding.Stop()
	patience := time.NewTimer(waitForSomebody)
	defer patience.Stop()
	open := func(how string) {
		if !r.opened {
			r.opened = true
			r.open(how)
			patience.Reset(openFor)
		}
	}
	if r.why.Presence() {
		open(string(r.why))
	} else {
		r.log.Info("the recovery system waits for somebody: for the button, or a stick that names the box")
	}
	for {
		select {
		case <-signals:
			return power.Restart
		case how := <-r.ending:
			return how
		case <-patience.C:
			if _, _, running, _ := r.again.now(); running {
				patience.Reset(waitForSomebody)
				continue
			}
			r.log.Warn("nobody came; the phone system is tried again")
			return power.Restart
		case <-button:
			if r.opened {
				return power.Off
			}
			open("button")
		case order := <-r.orders:
			switch order {
			case stick.Reset:
				if err := r.condemn(disk.ByStick); err == nil {
					return power.Restart
				}
			case stick.Recover, stick.Reclaim:
				open("stick")
			}
		case <-feeding.C:
			r.feed()
		}
	}
}

// open starts the network and serves the page.
func (r *rescuer) open(how string) {
	r.log.Warn("somebody stands at the box: the page is open", "by", how)
	r.light(led.Attention)
	cert := r.certificate()
	page, err := recovery.New(recovery.Config{Log: r.log, Box: r, Gate: access.NewGate(r.code()), Language: "it", TLS: cert != nil})
	if err != nil {
		r.log.Error("page", "err", err)
		return
	}
	// Who asks the vendor's server has to know whether its certificate is in force.
	keeper := clock.New(clock.Config{Log: r.log, Save: "/run/clock"}.Defaults())
	r.rooms.Go(func() { keeper.Run(r.ctx) })
	names := mdns.New(r.log, mdns.Name{Label: r.host})
	names.Offer(pageOf(r.id))
	r.rooms.Go(func() { names.Run(r.ctx) })
	net := network.NewOwner(network.OwnerConfig{
		Log: r.log, Plan: loadPlan(r.log), Host: r.host, Resolv: "/run/resolv.conf",
		Save:  func(network.Plan) error { return nil }, // what was tried last is the exchange's to settle
		Wired: wired,
		Changed: func(iface string, u network.Use, c network.Choice) {
			keeper.Choose(c.NTP)
			keeper.Network(u.NTP)
			names.Use(iface, u.Address)
		},
	})
	r.rooms.Go(func() { net.Run(r.ctx) })
	if err := serveOn(r.ctx, &r.rooms, r.log, ":80", page, nil); err != nil {
		r.log.Error("page", "err", err)
	}
	if cert == nil {
		return
	}
	if err := serveOn(r.ctx, &r.rooms, r.log, ":443", page, cert); err != nil {
		r.log.Error("page over HTTPS", "err", err)
	}
}

// certificate is the one that browsers know this box by, or one for this run where the card has none; nil: neither.
func (r *rescuer) certificate() front.Certificate {
	own, err := certificate.Own(filepath.Join(officeDir, "tls"), nil)
	if err != nil {
		own, err = certificate.Own("/run/tls", []string{r.host + ".local"})
	}
	if err != nil {
		r.log.Error("no certificate: nobody can take a copy away over the network", "err", err)
		return nil
	}
	return own.GetCertificate
}

// condemn has the data erased by the next start.
func (r *rescuer) condemn(by string) error {
	dir := dataDir
	if r.broken != "" {
		dir = ""
	}
	r.engraving.Lock()
	defer r.engraving.Unlock()
	err := disk.Condemn(r.card, dir, by, time.Now())
	if err != nil {
		r.log.Error("factory reset not begun", "err", err)
	}
	return err
}
