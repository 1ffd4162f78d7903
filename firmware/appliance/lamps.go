package appliance

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/lamp/panel"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// lamps is the panel of the configuration in force. A change of lamps makes a new panel.
type lamps struct {
	b *Box

	mu      sync.Mutex // guards all but wired, and serialises what is told, so that a new panel's first states are no later than the news
	panel   *panel.Panel
	waits   map[tel.CallID]tel.QueueJoined // who waits
	trouble map[string]bool                // which conditions are errors
	buttons buttons
	wired   wiring // what the panel was made of; only Build, then the owner of the configuration use it
}

// wiring is what a panel depends on.
type wiring struct {
	lamps    []config.Lamp
	buttons  []config.Button
	subjects map[tel.LampID]lamp.Subject
	lights   config.Lights
	zone     string
	targets  map[tel.QueueID]time.Duration // of queues
}

func wiringOf(c *config.Config) wiring {
	w := wiring{lamps: c.Lamps, buttons: c.AllButtons(), subjects: map[tel.LampID]lamp.Subject{}, lights: c.Lights, zone: c.Box.Timezone, targets: map[tel.QueueID]time.Duration{}}
	for _, l := range c.Lamps {
		s := c.Subject(l)
		w.subjects[l.ID] = s
		if s.Kind == lamp.Queue {
			w.targets[tel.QueueID(s.ID)] = c.Target(tel.QueueID(s.ID))
		}
	}
	return w
}

// silence is for how long the queues may not answer before every lamp shows the failure; they are asked so often.
const (
	silence  = 10 * time.Second
	askAlive = 2 * time.Second
)

// openLamps never fails: calls do not wait for a lamp.
func (b *Box) openLamps() error {
	w := wiringOf(b.config())
	lights, err := lightsOf(b.opts.Board, w.lamps)
	if err != nil {
		b.log.Error("lamps cannot be had; they are asked for again", "err", err)
	}
	pressed, err := buttonsOf(b.opts.Board, w.buttons, func() { b.report("buttons", true, "") })
	if err != nil {
		b.log.Error("buttons cannot be had; they are asked for again", "err", err)
	}
	b.report("buttons", err == nil, "a button cannot be had")
	b.lamps.begin(b.config(), w, lights, pressed)
	return nil
}

// open takes all lights and buttons of a configuration, or none.
func (l *lamps) open(c *config.Config) error {
	w := wiringOf(c)
	lights, err := l.b.opts.Board.Lights(w.lamps)
	if err != nil {
		return err
	}
	pressed, err := l.b.opts.Board.Buttons(w.buttons)
	if err != nil {
		for _, light := range lights {
			_ = light.Close()
		}
		return err
	}
	l.b.report("buttons", true, "")
	l.begin(c, w, lights, pressed)
	return nil
}

// begin shows what holds now.
func (l *lamps) begin(c *config.Config, w wiring, lights []lamp.Light, pressed []lamp.Button) {
	var all []panel.Assignment
	for _, light := range lights {
		all = append(all, panel.Assignment{Light: light, Subject: w.subjects[light.ID()]})
	}
	zone, err := time.LoadLocation(w.zone)
	if err != nil {
		zone = time.UTC // nobody validated it
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wired = w
	l.buttons.follow(l.b, pressed, w.buttons)
	l.panel = panel.New(panel.Config{
		Log: l.b.log.With("room", "lamp"), Lights: all, Policy: c.LampPolicy(), Publish: l.b.publish,
		Full: uint8(max(1, 255*w.lights.Level/100)), Night: w.lights.Night.Dimmed(zone), Silence: silence,
	})
	l.waits, l.trouble = map[tel.CallID]tel.QueueJoined{}, map[string]bool{}
	if l.b.personal != nil {
		for phone, agent := range l.b.personal.Current().Seats {
			l.panel.Seat(phone, agent)
		}
	}
	for q := range w.targets {
		l.panel.ShowQueue(q, time.Time{}, w.targets[q])
	}
	l.panel.ShowSystem(false)
	for _, e := range l.b.present.snapshot().([]tel.Event) {
		l.follow(e)
	}
}

// tell brings an event to the lamps that it is about.
func (l *lamps) tell(e tel.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.panel != nil {
		l.follow(e)
	}
}

// follow is tell with mu held and a panel.
func (l *lamps) follow(e tel.Event) {
	switch e := e.(type) {
	case tel.AgentChanged:
		l.panel.Show(e.Agent, e.State)
		l.panel.ShowHelp(e.Agent, e.Help)
	case tel.SupervisionStarted:
		l.panel.Watch(e.Agent, true)
	case tel.SupervisionEnded:
		l.panel.Watch(e.Agent, l.b.present.supervised(e.Agent))
	case tel.SeatChanged:
		l.panel.Seat(e.Device, e.Agent)
	case tel.QueueJoined:
		was, moved := l.waits[e.Call]
		l.waits[e.Call] = e
		if moved && was.Queue != e.Queue {
			l.queue(was.Queue)
		}
		l.queue(e.Queue)
	case tel.QueueLeft:
		if w, ok := l.waits[e.Call]; ok && w.Queue == e.Queue {
			delete(l.waits, e.Call)
			l.queue(e.Queue)
		}
	case tel.LineChanged:
		l.panel.ShowLine(e)
	case tel.HealthChanged:
		if e.OK || e.Severity != "error" {
			delete(l.trouble, e.Condition)
		} else {
			l.trouble[e.Condition] = true
		}
		l.panel.ShowSystem(len(l.trouble) > 0)
	}
}

// queue tells since when the first caller of a queue waits.
func (l *lamps) queue(id tel.QueueID) {
	target, lit := l.wired.targets[id]
	if !lit {
		return
	}
	var oldest time.Time
	for _, w := range l.waits {
		if w.Queue == id && (oldest.IsZero() || w.At.Before(oldest)) {
			oldest = w.At
		}
	}
	l.panel.ShowQueue(id, oldest, target)
}

// watch asks the queues again and again whether they still answer: lamps that show what was true once would send
// callers to people who are not there.
func (l *lamps) watch(ctx context.Context) {
	tick := time.NewTicker(askAlive)
	defer tick.Stop()
	for {
		_ = l.heartbeat(ctx) // the lamps themselves tell that it failed
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// heartbeat tells the lamps that the queues answer, when they do; it waits for them until ctx ends.
func (l *lamps) heartbeat(ctx context.Context) error {
	if _, err := l.b.queues.Loads(ctx, nil); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.panel != nil {
		l.panel.Alive()
	}
	return nil
}

// find lets a lamp blink for a while; false: there is none of that name.
func (l *lamps) find(id tel.LampID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.panel != nil && l.panel.Find(id, findLamp)
}

// findLamp is long enough to walk through an office and look.
const findLamp = 20 * time.Second

// test shows every colour on every lamp.
func (l *lamps) test() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.panel != nil {
		l.panel.Test()
	}
}

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
	old := l.panel
	l.panel = nil
	l.mu.Unlock()
	if old != nil {
		old.Close()
	}
}

// replace releases the pins before it takes the new ones: most of them are the same.
func (l *lamps) replace(to *config.Config) (live.Outcome, error) {
	if l.panel != nil && reflect.DeepEqual(wiringOf(to), l.wired) {
		return live.Unchanged, nil
	}
	l.close()
	if err := l.open(to); err != nil {
		return 0, err
	}
	return live.Applied, nil
}
