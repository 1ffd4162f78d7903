package appliance

import (
	"reflect"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// lamps is the panel of the configuration in force. A change of lamps makes a new panel.
type lamps struct {
	b *Box

	mu      sync.Mutex // guards panel and serialises Show, so that a new panel's first states are no later than the news
	panel   *lamp.Panel
	buttons buttons // beside the panel's lamps
	wired   wiring  // what the panel was made of; only Build, then the owner of the configuration use it
}

// wiring is what a panel depends on.
type wiring struct {
	lamps  []config.Lamp
	owners map[tel.LampID]tel.AgentID
}

func wiringOf(c *config.Config) wiring {
	w := wiring{lamps: c.Lamps, owners: map[tel.LampID]tel.AgentID{}}
	for _, a := range c.Agents {
		if a.Lamp != "" {
			w.owners[a.Lamp] = a.ID
		}
	}
	return w
}

func (b *Box) openLamps() error { return b.lamps.open(wiringOf(b.config())) }

func (l *lamps) open(w wiring) error {
	lights, err := l.b.opts.Board.Lights(w.lamps)
	if err != nil {
		return err
	}
	var all []lamp.Assignment
	for _, light := range lights {
		all = append(all, lamp.Assignment{Light: light, Agent: w.owners[light.ID()]})
	}
	pressed, err := l.b.opts.Board.Buttons(w.lamps)
	if err != nil {
		for _, light := range lights {
			_ = light.Close()
		}
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buttons.follow(l.b, pressed, w.owners)
	l.panel = lamp.NewPanel(lamp.Config{Log: l.b.log.With("room", "lamp"), Lights: all, Publish: l.b.publish})
	l.wired = w
	for _, e := range l.b.present.snapshot().([]tel.Event) {
		if a, ok := e.(tel.AgentChanged); ok {
			l.panel.Show(a.Agent, a.State)
			l.panel.ShowHelp(a.Agent, a.Help)
		}
		if s, ok := e.(tel.SupervisionStarted); ok {
			l.panel.Watch(s.Agent, true)
		}
	}
	return nil
}

// show tells the lamp of an agent, if there is one.
func (l *lamps) show(e tel.AgentChanged) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.panel != nil {
		l.panel.Show(e.Agent, e.State)
		l.panel.ShowHelp(e.Agent, e.Help)
	}
}

// watch tells the lamp of an agent whether a supervisor takes part.
func (l *lamps) watch(agent tel.AgentID, on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.panel != nil {
		l.panel.Watch(agent, on)
	}
}

// find lets a lamp blink for a while; false: there is none of that name.
func (l *lamps) find(id tel.LampID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.panel != nil && l.panel.Find(id, findLamp)
}

// findLamp is long enough to walk through an office and look.
const findLamp = 20 * time.Second

// alarm shows an emergency on every lamp.
func (l *lamps) alarm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.panel != nil {
		l.panel.Alarm(alarmLamps)
	}
}

func (l *lamps) close() {
	l.stopButtons()
	l.mu.Lock()
	panel := l.panel
	l.panel = nil
	l.mu.Unlock()
	if panel != nil {
		panel.Close()
	}
}

// replace releases the pins before it takes the new ones: most of them are the same.
func (l *lamps) replace(to *config.Config) (live.Outcome, error) {
	w := wiringOf(to)
	if l.panel != nil && reflect.DeepEqual(w, l.wired) {
		return live.Unchanged, nil
	}
	l.close()
	if err := l.open(w); err != nil {
		return 0, err
	}
	return live.Applied, nil
}
