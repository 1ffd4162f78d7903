package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/kept"
	"github.com/pronto-pbx/pronto/board/led"
	"github.com/pronto-pbx/pronto/board/power"
	"github.com/pronto-pbx/pronto/board/starts"
	"github.com/pronto-pbx/pronto/board/stick"
	"github.com/pronto-pbx/pronto/board/watchdog"
	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/images/choice"
)

// attempt is how far this start has come.
type attempt struct {
	count                starts.Count
	ready, well, givenUp bool
	shown                led.Pattern
	refused              time.Duration // until when the light says so
}

// begin counts the start, and asks whether somebody holds the button. It returns errRestart where something
// else is to start.
func (b *box) begin() error {
	if b.where != disk.OnCard {
		return nil // nothing can be counted, nor chosen
	}
	path := filepath.Join(dataDir, starts.File)
	count, err := starts.Load(path)
	if err != nil {
		b.log.Warn("how many starts came to nothing is not known", "err", err)
	}
	b.attempt.count = b.fresh(path, count)
	if !b.slots.trying { // a trial is one start, however it goes
		if err := b.countStart(path); err != nil {
			return err
		}
	}
	switch b.wish() {
	case power.Help:
		return b.recovery(choice.Button, "the button was held")
	case power.Forget:
		if err := disk.AskReset(dataDir, disk.ByButton); err != nil {
			return err
		}
		return errRestart{"the button was held for long: factory reset"}
	case power.Nothing:
	}
	return nil
}

// fresh is the count of a system that the recovery system has just installed: starts that came to nothing were another
// one's. The count is on the disk before the plate says that it is used: a power cut between both gives it one more start.
func (b *box) fresh(path string, count starts.Count) starts.Count {
	p, err := disk.ReadPlate(b.card)
	if err != nil || p.Installed == nil || !p.Installed.Fresh || p.Installed.Slot != b.slots.running {
		return count
	}
	b.log.Warn("the system was installed again", "version", p.Installed.Version, "at", p.Installed.At)
	is := *p.Installed
	is.Fresh = false
	if err := errors.Join(starts.Save(path, starts.Count{}), disk.NoteInstalled(b.card, is)); err != nil {
		b.log.Error("the starts of before are counted still", "err", err)
	}
	return starts.Count{}
}

// remember writes down what is kept, or was kept before and is ready once more: the recovery system goes by it.
func (b *box) remember() {
	if b.where != disk.OnCard || b.slots.trying {
		return
	}
	at := filepath.Join(dataDir, kept.File)
	before, err := kept.Load(at)
	if err != nil {
		b.log.Warn("what the box ran last is not known", "err", err)
		if p, err := disk.ReadPlate(b.card); err == nil { // the plate is brought up to date from the data below
			before, _ = kept.Decode(p.Files[kept.File])
		}
	}
	if now := before.Next(b.slots.made); now != before {
		if err := kept.Save(at, now); err != nil {
			b.log.Error("what the box runs is not written down", "err", err)
		}
	}
	if err := disk.Engrave(b.card, dataDir); err != nil { // the exchange may have drawn the code of a label that nobody wrote
		b.log.Error("the card does not know whose it is when its data is lost", "err", err)
	}
}

// countStart counts this start, and has something else start when there were too many. What counts is on the disk
// before the choice is changed: a power cut between both costs a start.
func (b *box) countStart(path string) error {
	before := b.attempt.count
	next, over := before.Begun()
	b.attempt.count = next
	save := func(c starts.Count) {
		if err := starts.Save(path, c); err != nil {
			b.log.Error("this start is not counted", "err", err)
		}
	}
	if over && !before.Fell {
		if save(next.Fall()); b.slots.fall() {
			return errRestart{"the other slot: this one came to nothing too often"}
		}
	}
	save(next)
	b.log.Info("start", "failed_before", before.Failed()) // it is counted: a power cut from here on counts
	if over {
		return b.recovery(choice.Failed, "it came to nothing too often")
	}
	return nil
}

// inputs are the kernel's input devices, among them the board's button.
const inputs = "/dev/input/event*"

// wish waits for whoever holds the button; the light shows what letting it go now would mean.
func (b *box) wish() power.Wish {
	return power.Wished(func() bool { return power.Down(inputs) }, func(w power.Wish) {
		b.feed()
		b.light(map[power.Wish]led.Pattern{power.Nothing: led.Starting, power.Help: led.Recovery, power.Forget: led.Trouble}[w])
	})
}

// recovery has the boot loader start the recovery system next. Where that cannot be written down the box goes
// on as it is.
func (b *box) recovery(why choice.Reason, words string) error {
	now, err := disk.ReadChoice(b.card)
	if err != nil {
		b.log.Error("which slot the box started is not known; the first one is taken", "err", err)
		now = choice.Default()
	}
	now.Recover = why
	if err := disk.WriteChoice(b.card, now); err != nil {
		b.log.Error("the recovery system cannot be started", "err", err)
		return nil
	}
	return errRestart{"recovery: " + words}
}

// count writes down how this start goes.
func (b *box) count(seen watchdog.Seen, h watchdog.Health) {
	a := &b.attempt
	before := a.count
	switch {
	case !a.ready && (seen.Running || seen.Finished):
		a.ready, a.count = true, a.count.Ready()
		b.remember()
	case !a.well && h.Well():
		a.well, a.count = true, a.count.Well()
	}
	if b.slots.trying {
		a.count = before
	}
	if a.count != before {
		b.save()
	}
	if control.Uptime() < a.refused {
		return
	}
	if seen.Running {
		b.light(led.Working)
	} else if a.ready || control.Uptime() > time.Minute {
		b.light(led.Trouble)
	}
}

// giveUp writes down, once, that this start came to nothing, with its log.
func (b *box) giveUp() {
	if b.attempt.givenUp {
		return
	}
	b.attempt.givenUp, b.attempt.count = true, b.attempt.count.GaveUp()
	b.save()
	if err := keepLog(b.ring); err != nil {
		b.log.Warn("log not saved", "err", err)
	}
}

func (b *box) save() {
	if b.where != disk.OnCard {
		return
	}
	if err := starts.Save(filepath.Join(dataDir, starts.File), b.attempt.count); err != nil {
		b.log.Error("how this start goes is not written down", "err", err)
	}
}

// light shows a pattern, if it is another one.
func (b *box) light(p led.Pattern) {
	if p == b.attempt.shown {
		return
	}
	b.attempt.shown = p
	if err := led.Show("/sys/class/leds", p); err != nil {
		b.log.Warn("light", "err", err)
	}
}

// newSocket is where sticks are plugged in. What one asks of the box goes to orders; a second order before the
// first is obeyed is left out.
func newSocket(log *slog.Logger, card disk.Card, id string, orders chan<- stick.Order) *stick.Socket {
	own := ""
	if card.Disk != "" {
		own = filepath.Base(card.Disk)
	}
	return &stick.Socket{Log: log, Sys: "/sys/class/block", Dev: "/dev", At: stickDir, Own: own, ID: id, Folder: backup.OwnFolder, Tell: func(o stick.Order) {
		select {
		case orders <- o:
		default:
		}
	}}
}

// grant does what the owner has asked for on the page.
func (b *box) grant() (end power.End, ends bool) {
	if _, err := os.Stat(resetWish); err != nil {
		return 0, false
	}
	if err := os.Remove(resetWish); err != nil {
		b.log.Warn("wish", "err", err)
	}
	return b.forget(disk.ByPage)
}

// forget asks for a factory reset, which the next start does before anything uses the data.
func (b *box) forget(by string) (end power.End, ends bool) {
	if b.where != disk.OnCard {
		b.log.Error("factory reset not begun: the card cannot be written, and what lies in memory goes when the box is switched off")
		return 0, false
	}
	if err := disk.AskReset(dataDir, by); err != nil {
		b.log.Error("factory reset not begun", "err", err)
		return 0, false
	}
	return power.Restart, true
}

// obey does what a stick asks; ends tells that the box ends for it.
func (b *box) obey(order stick.Order) (end power.End, ends bool) {
	switch order {
	case stick.Recover:
		if b.where == disk.OnCard && b.recovery(choice.Stick, "a stick asks for it") != nil {
			return power.Restart, true
		}
	case stick.Reset:
		return b.forget(disk.ByStick)
	case stick.Reclaim:
		ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
		defer cancel()
		if body, status, err := control.Ask(ctx, officeDir, http.MethodPost, "/reopen"); err != nil || status != http.StatusNoContent {
			b.log.Error("the box cannot be claimed again", "status", status, "answer", string(body), "err", err)
		}
	}
	return 0, false
}
