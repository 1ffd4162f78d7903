package appliance

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/sip/trunk/presets"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/setup"
	"github.com/pronto-pbx/pronto/ui/view"
)

// openSetup goes on with the set-up where it was. A box that has people or queues already was set up otherwise.
func (b *Box) openSetup() error {
	file := filepath.Join(b.opts.Dir, "setup.json")
	var kept setup.State
	switch err := statefile.Load(file, setup.Version, &kept); {
	case err == nil, errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, statefile.ErrDamaged):
		b.log.Error("how far the set-up was is lost", "err", err)
		kept = setup.State{}
	default:
		return err
	}
	c := b.config()
	fresh := len(c.Agents)+len(c.Queues)+len(c.Trunks)+len(c.Lines) == 0
	b.setup = setup.New(func(s setup.State) error {
		if err := statefile.Save(file, setup.Version, s); err != nil {
			return err
		}
		b.tellSetup(s.Debts())
		b.feed.Resync() // Home lists what is owed
		return nil
	}, kept, fresh)
	b.trails.changed = make(chan struct{})
	return nil
}

// tellSetup says where people look whether steps of the set-up are owed.
func (b *Box) tellSetup(debts []view.Todo) {
	var owed []string
	for _, d := range debts {
		owed = append(owed, d.ID)
	}
	b.report("setup", len(owed) == 0, strings.Join(owed, ", "))
}

// settle tells the set-up what works by now that was owed at its end: nobody has to go through its screens again.
func (b *Box) settle(e tel.Event, way view.Trail) {
	var step setup.Step
	switch e := e.(type) {
	case tel.LineChanged:
		if e.Up {
			step = setup.Lines
		}
	case tel.DeviceChanged:
		if e.Reachable {
			step = setup.Phones
		}
	default:
		if way.Passed() {
			step = setup.TestCall
		}
	}
	if step == "" || !b.setup.Owes(step) {
		return
	}
	if _, err := b.setup.Tell(setup.Proved{Step: step}, time.Now()); err != nil {
		b.log.Error("the set-up is not kept", "err", err)
	}
}

// setupBox is the page's way from the set-up to the box.
func (b *Box) setupBox() setup.Box {
	source := b.state()
	return setup.Box{
		Setup: b.setup, Towns: towns, Patron: b.patron, Network: b.lookAtNetwork, Modems: b.modems, Carriers: carrierPresets, Try: b.tryAccount,
		TestLine: b.testLine, Tests: b.lineTests.all, Phones: b.phonesSeen, Ring: b.ringPhone, Blink: b.lamps.find,
		CallMe: b.callMe, Play: b.playAt, Trail: b.trails.of,
		NewKit:     func() (string, error) { return backup.NewKit(source, time.Now()) },
		ConfirmKit: func(secret string) error { return backup.Confirm(source, secret, time.Now()) },
		Kit: func() (made, confirmed time.Time, err error) {
			k, err := backup.OpenKeys(source)
			return k.KitMade, k.Confirmed, err
		},
	}
}

// towns are the ids of those whose patron's day is known, in order.
func towns() []string {
	all := dialplan.Towns("")
	slices.Sort(all)
	return all
}

// patron is the day of a town's patron saint that comes next, by the clock of the box.
func (b *Box) patron(town string) (name string, day time.Time, known bool) {
	f, known := dialplan.PatronOf(town)
	if !known {
		return "", day, false
	}
	now := time.Now().In(b.location())
	if day = f.In(now.Year()); day.Format(time.DateOnly) < now.Format(time.DateOnly) {
		day = f.In(now.Year() + 1)
	}
	return f.Name, day, true
}

// plugged lists what is plugged into USB; boards without USB have no such method.
type plugged interface{ Modems() ([]gsm.Ports, error) }

// Modems implements plugged.
func (linuxBoard) Modems() ([]gsm.Ports, error) {
	all, err := gsm.OnUSB("/sys", "/dev", "")()
	if errors.Is(err, serialport.ErrMissing) {
		return nil, nil
	}
	return all, err
}

// modems are those that are plugged in, with the lines that have them.
func (b *Box) modems() ([]setup.Modem, error) {
	usb, ok := b.opts.Board.(plugged)
	if !ok {
		return nil, nil
	}
	ports, err := usb.Modems()
	if err != nil {
		return nil, err
	}
	var all []setup.Modem
	for _, p := range ports {
		_, socket, _ := strings.Cut(p.Device, "-")
		m := setup.Modem{Socket: socket, Line: lineOf(b.config().Lines, socket, p)}
		if !slices.ContainsFunc(all, func(x setup.Modem) bool { return x.Socket == socket }) {
			all = append(all, m)
		}
	}
	return all, nil
}

// lineOf is the line that has a modem; empty: none.
func lineOf(lines []config.Line, socket string, p gsm.Ports) string {
	for _, l := range lines {
		if l.AT == "usb" || l.AT == "usb:"+socket || l.AT == p.Command {
			return "line:" + string(l.ID)
		}
	}
	return ""
}

// carrierPresets are the presets, with what only their customers know.
func carrierPresets() (all []setup.Carrier, err error) {
	known, err := presets.All()
	for _, p := range known {
		all = append(all, setup.Carrier{ID: p.ID, Label: p.Label, Asks: p.Asks, Optional: p.Optional})
	}
	return all, err
}

// phonesSeen are the telephones of the configuration, and those that knock without being in it.
func (b *Box) phonesSeen() (ours []setup.Phone, others []setup.Stranger) {
	n := b.numbering.Load()
	for _, p := range n.cfg.Phones {
		x := setup.Phone{ID: p.ID, Name: p.Name}
		if agent, _, name := n.AgentAt(p.ID); agent != "" {
			x.Agent = name
		}
		for _, at := range b.registrar.Bindings(p.ID) {
			x.Here, x.From = x.Here || at.Reachable, at.Flow.Remote.Addr().Unmap().String()
		}
		ours = append(ours, x)
	}
	for _, s := range b.strangers.all() {
		if _, known := n.accounts[s.User]; !known {
			others = append(others, s)
		}
	}
	return ours, others
}

// mostStrangers bounds whom the box remembers that it does not know.
const mostStrangers = 8

// strangers are the latest who wanted to be a telephone and are none.
type strangers struct {
	mu   sync.Mutex // guards seen
	seen []setup.Stranger
}

func (s *strangers) note(from, user string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = slices.DeleteFunc(s.seen, func(x setup.Stranger) bool { return x.From == from && x.User == user })
	if len(s.seen) == mostStrangers {
		s.seen = s.seen[1:]
	}
	s.seen = append(s.seen, setup.Stranger{From: from, User: user, At: at})
}

// strangerFor is how long a stranger is worth showing.
const strangerFor = 10 * time.Minute

func (s *strangers) all() []setup.Stranger {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []setup.Stranger
	for _, x := range slices.Backward(s.seen) {
		if time.Since(x.At) < strangerFor {
			all = append(all, x)
		}
	}
	return all
}

// ringPhone lets a telephone ring so that it is found.
func (b *Box) ringPhone(id tel.DeviceID) (sentence string, err error) {
	_, sentence, err = b.visit([]tel.DeviceID{id}, "say:greeting", "")
	return sentence, err
}
