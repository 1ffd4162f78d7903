package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/board/account"
	"github.com/pronto-pbx/pronto/board/bootloader"
	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/model"
	"github.com/pronto-pbx/pronto/board/trial"
	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/imprint"
	"golang.org/x/sys/unix"
)

// slots is what is known of the two systems of the card. After the start only the goroutine of attend changes it.
type slots struct {
	log     *slog.Logger
	card    disk.Card
	onCard  bool // trials can be remembered, and the choice written
	at      string
	made    imprint.Imprint
	loader  bootloader.Start
	model   string
	running int
	chosen  int
	trying  bool
	record  trial.Record
	limit   time.Duration              // of a trial
	age     func() time.Duration       // of this start
	leave   func(promise string) error // asks the exchange whether the box may end
	// modified is set by the goroutine that reads the whole slot.
	modified atomic.Bool
}

// openSlots learns which slot runs, whether only this once, and what became of the last trial.
func (b *box) openSlots(made imprint.Imprint) {
	s := &b.slots
	s.log, s.card, s.onCard, s.made, s.at = b.log, b.card, b.where == disk.OnCard, made, filepath.Join(dataDir, trial.File)
	s.loader, s.limit = bootloader.Read(os.DirFS("/proc")), trial.Limit
	if s.loader.Trial > 0 {
		s.limit = min(s.loader.Trial, trial.Limit)
	}
	s.age, s.leave = control.Uptime, mayEnd
	compatible, _ := os.ReadFile("/proc/device-tree/compatible") // of a machine without one nothing is known
	s.model = model.Identify(model.Facts{Compatible: compatible}).ID
	if b.card.Disk == "" {
		return
	}
	s.learn()
	if err := meet(s); err != nil {
		s.log.Error("the updater cannot reach the slots", "err", err)
	}
	s.log.Info("slots", "running", s.running, "chosen", s.chosen, "trying", s.trying, "last", s.record.Outcome, "version", s.record.Version, "why", s.record.Why)
}

// learn compares what the boot loader started with what the card chooses, and both with the last trial.
func (s *slots) learn() {
	last, err := trial.Load(s.at)
	if err != nil {
		s.log.Warn("what became of the last trial is not known", "err", err)
	}
	s.begin(last)
}

// begin learns the slots, where the last trial is as the disk has it.
func (s *slots) begin(last trial.Record) {
	now, err := disk.ReadChoice(s.card)
	if err != nil {
		s.log.Error("which slot the box starts is not known", "err", err)
		now = choice.Default()
		if s.loader.Slot != 0 && !s.loader.Trying { // it was started as ever, so it is what was chosen
			now.Slot = s.loader.Slot
			if err := disk.WriteChoice(s.card, now); err != nil {
				s.log.Error("the choice of what to start stays damaged", "err", err)
			}
		}
	}
	s.chosen, s.running, s.trying = now.Slot, s.loader.Slot, s.loader.Trying
	if s.running == 0 {
		s.running = s.chosen
	}
	if s.trying && s.running == s.chosen {
		s.trying = false // nothing would be gained, nor lost
	}
	if s.record = last.Start(s.running, s.trying, time.Now().UTC()); s.record != last {
		s.save()
	}
}

// meet makes the directory in which the updater is spoken to, and lends it the slots.
func meet(s *slots) error {
	if err := directory(slotsDir); err != nil {
		return err
	}
	if err := disk.Meeting(slotsDir); err != nil {
		return err
	}
	return s.lend()
}

// idle is the slot that may be written: none while it is the way back of a trial, or what an ordinary start would start.
func (s *slots) idle() int {
	if !s.onCard || s.trying || s.running != s.chosen {
		return 0
	}
	return disk.OtherSlot(s.running)
}

func (s *slots) lend() error {
	return disk.LendSlots(s.card, s.running, s.idle(), slotsDir, account.Updates)
}

// save writes the record down. What cannot be is told: the next start then knows only which slot runs.
func (s *slots) save() {
	if !s.onCard {
		return
	}
	if err := trial.Save(s.at, s.record); err != nil {
		s.log.Error("what becomes of the trial is not written down", "err", err)
	}
}

// kept makes what is on trial what every start starts, by the write of one sector; nothing before or after it matters.
func (s *slots) kept() error {
	if err := disk.WriteChoice(s.card, choice.Choice{Slot: s.running}); err != nil {
		return err
	}
	s.chosen, s.trying, s.record = s.running, false, s.record.Keep(time.Now().UTC())
	s.save()
	s.log.Warn("the release on trial is kept", "version", s.made.Version, "slot", s.running)
	if err := s.lend(); err != nil {
		s.log.Error("the updater cannot reach the slots", "err", err)
	}
	return nil
}

// left gives up what is on trial. The box restarts after it, which leads back.
func (s *slots) left(why, words string) {
	s.record = s.record.GoBack(why, words, time.Now().UTC())
	s.save()
	s.log.Error("the release on trial is given up; the one before starts", "version", s.made.Version, "slot", s.running, "why", why, "words", words)
}

// other is the system in the other slot, if it could take this one's place.
func (s *slots) other() (imprint.Imprint, error) {
	i, err := disk.ReadSlot(s.card, disk.OtherSlot(s.running))
	if err != nil {
		return i, err
	}
	if !i.Data.Opens(s.made.Data) {
		return i, errData
	}
	return i, nil
}

var errData = errors.New("the system in the other slot cannot work with the data of this one")

// fall chooses the other slot for a box whose own does not start any more. It is false where that leads nowhere.
func (s *slots) fall() bool {
	if !s.onCard || s.trying || s.running != s.chosen {
		return false
	}
	to := disk.OtherSlot(s.running)
	i, err := s.other()
	if err != nil {
		s.log.Warn("the other slot is no help", "err", err)
		return false
	}
	if s.record.Outcome == trial.Back && s.record.Slot == to && s.record.Version == i.Version {
		s.log.Warn("the other slot is no help: it was given up", "version", i.Version, "why", s.record.Why)
		return false
	}
	if err := disk.WriteChoice(s.card, choice.Choice{Slot: to}); err != nil {
		s.log.Error("the other slot cannot be started", "err", err)
		return false
	}
	s.record = trial.Begin(s.made.Version, s.running, s.record.Asked).GoBack(trial.WhyStarts, "it came to nothing too often", time.Now().UTC())
	s.save()
	return true
}

// installed is what the updater says lies in the slots, by the number of each.
type installed map[string]struct {
	SHA256 string `json:"sha256"` // of the part, in hex
}

// mostInstalled bounds that file, in bytes.
const mostInstalled = 64 << 10

// compare reads the whole slot that runs, and finds out whether it is what the updater has installed. It stands in
// nobody's way: the system lies in memory.
func (s *slots) compare(ctx context.Context, file string) {
	want, err := installedIn(file, s.running)
	if err != nil {
		s.log.Warn("what was installed is not known", "err", err)
	}
	if want == "" {
		return
	}
	got, err := disk.SumSlot(ctx, s.card, s.running)
	switch {
	case errors.Is(err, context.Canceled):
	case err != nil:
		s.log.Error("the slot cannot be read", "slot", s.running, "err", err)
	case got != want && got != s.installed():
		s.modified.Store(true)
		s.log.Error("the slot is modified: it is not what was installed", "slot", s.running, "sha256", got, "installed", want)
	default:
		s.log.Info("the slot is what was installed", "slot", s.running)
	}
}

// installed is the sum of what the recovery system has put into the slot that runs, of which the updater knows nothing;
// empty: nothing.
func (s *slots) installed() string {
	p, err := disk.ReadPlate(s.card)
	if err != nil || p.Installed == nil || p.Installed.Slot != s.running {
		return ""
	}
	return p.Installed.SHA256
}

// installedIn reads the sum of a slot; empty: nothing was installed there. The file is the updater's, and followed
// nowhere.
func installedIn(path string, slot int) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostInstalled))
	if err != nil {
		return "", err
	}
	var all installed
	if err := json.Unmarshal(text, &all); err != nil {
		return "", err
	}
	return all[strconv.Itoa(slot)].SHA256, nil
}
