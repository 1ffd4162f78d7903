package panel

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Timing of the panel.
const (
	refreshEvery = 5 * time.Second // every light is written this often even without a change
	retryFirst   = 250 * time.Millisecond
	retryMost    = 30 * time.Second
	slowSet      = 50 * time.Millisecond // a Set that takes longer is reported
)

// Assignment says what a light is of. A light of nobody stays off.
type Assignment struct {
	Light   lamp.Light
	Subject lamp.Subject
}

// Config is what a Panel is made of.
type Config struct {
	Log     *slog.Logger
	Lights  []Assignment
	Policy  lamp.Policy     // nil: the usual one
	Publish func(tel.Event) // lamp changes and faults; must not block; may be nil
	Full    uint8           // brightness of "fully on" by day, 1-255; 0 = 255
	Night   lamp.Night      // when they are dimmed; zero: never
	// Silence is how long nobody may have called Alive before every light of somebody shows the failure; 0: for ever.
	Silence time.Duration
}

// Panel owns the lights: its goroutine is the only one that writes to them.
type Panel struct {
	cfg   Config
	epoch time.Time // of the clock that all patterns share
	wake  chan struct{}
	quit  chan struct{}
	once  sync.Once
	done  sync.WaitGroup

	// mu guards what was told, from any goroutine; the panel's goroutine looks at it. Only the latest facts of each
	// subject count, so it is bounded by what the configuration names.
	mu    sync.Mutex
	facts map[lamp.Subject]lamp.Facts // lenses share them
	seats map[string]tel.AgentID      // who sits at a phone
	finds map[tel.LampID]time.Time    // which lights are looked for, and until when
	alarm time.Time                   // until when all lights show the alarm
	test  time.Time                   // until when all lights show the test
	alive time.Time                   // when the program last answered itself

	bulbs []*bulb // the goroutine's
}

// New writes an explicit off to every light and starts the owner. The panel closes the lights.
func New(cfg Config) *Panel {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Publish == nil {
		cfg.Publish = func(tel.Event) {}
	}
	if cfg.Full == 0 {
		cfg.Full = 255
	}
	if cfg.Policy == nil {
		cfg.Policy = lamp.Usual()
	}
	now := time.Now()
	p := &Panel{
		cfg: cfg, epoch: now, alive: now, wake: make(chan struct{}, 1), quit: make(chan struct{}),
		facts: map[lamp.Subject]lamp.Facts{}, seats: map[string]tel.AgentID{}, finds: map[tel.LampID]time.Time{},
	}
	for _, a := range cfg.Lights {
		p.bulbs = append(p.bulbs, &bulb{panel: p, light: a.Light, subject: a.Subject})
	}
	p.done.Go(p.run)
	return p
}

// Show tells what an agent is doing. It never blocks and may be called from any goroutine, as all that tells; of
// states told in quick succession only the last is certain to be seen.
func (p *Panel) Show(agent tel.AgentID, state tel.AgentState) {
	p.note(ofAgent(agent), func(f *lamp.Facts) { f.Agent = state })
}

// ShowHelp tells that an agent asks for a supervisor, or does not any more: while so, the lamp shows
// that instead of the state.
func (p *Panel) ShowHelp(agent tel.AgentID, on bool) {
	p.note(ofAgent(agent), func(f *lamp.Facts) { f.Help = on })
}

// Watch tells whether a supervisor takes part in the conversations of an agent, which the lamp shows
// while the agent talks.
func (p *Panel) Watch(agent tel.AgentID, on bool) {
	p.note(ofAgent(agent), func(f *lamp.Facts) { f.Supervised = on })
}

// ShowQueue tells since when the first caller of a queue waits, zero when nobody does, and within how long a caller
// should have an agent.
func (p *Panel) ShowQueue(queue tel.QueueID, oldest time.Time, target time.Duration) {
	p.note(lamp.Subject{Kind: lamp.Queue, ID: string(queue)}, func(f *lamp.Facts) { f.Oldest, f.Target = oldest, target })
}

// ShowLine tells how a trunk or a modem is.
func (p *Panel) ShowLine(e tel.LineChanged) {
	p.note(lamp.Subject{Kind: lamp.Line, ID: e.Line}, func(f *lamp.Facts) { f.Line = lamp.LineStateOf(e) })
}

// ShowSystem tells whether something is wrong with the box.
func (p *Panel) ShowSystem(trouble bool) {
	p.note(lamp.Subject{Kind: lamp.System}, func(f *lamp.Facts) { f.Trouble = trouble })
}

// Seat tells who sits at a phone now; empty: nobody.
func (p *Panel) Seat(phone tel.DeviceID, agent tel.AgentID) {
	p.tell(func() { p.seats[string(phone)] = agent })
}

// Alive tells that the program still answers itself: that what the lights show is true.
func (p *Panel) Alive() {
	p.tell(func() { p.alive = time.Now() })
}

// Alarm shows the alarm on every light for a time, those of nobody included; afterwards each shows again what it is of.
func (p *Panel) Alarm(lasts time.Duration) {
	p.tell(func() { p.alarm = time.Now().Add(lasts) })
}

// Test shows every colour on every light, those of nobody included, so that a dead one is seen.
func (p *Panel) Test() {
	p.tell(func() { p.test = time.Now().Add(p.cfg.Policy.Of(lamp.Test).Period()) })
}

// Find lets one light blink for a time, whatever it shows otherwise, so that somebody finds the desk that it stands
// on; an alarm goes before. false: there is no such light.
func (p *Panel) Find(light tel.LampID, lasts time.Duration) bool {
	if !slices.ContainsFunc(p.cfg.Lights, func(a Assignment) bool { return a.Light.ID() == light }) {
		return false
	}
	p.tell(func() { p.finds[light] = time.Now().Add(lasts) })
	return true
}

func ofAgent(id tel.AgentID) lamp.Subject { return lamp.Subject{Kind: lamp.Agent, ID: string(id)} }

// note changes what is known of a subject.
func (p *Panel) note(of lamp.Subject, change func(*lamp.Facts)) {
	p.tell(func() {
		f := p.facts[of]
		change(&f)
		p.facts[of] = f
	})
}

// tell changes what was told and wakes the goroutine.
func (p *Panel) tell(change func()) {
	p.mu.Lock()
	change()
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Close turns every light off, releases it and waits for the owner.
func (p *Panel) Close() {
	p.once.Do(func() { close(p.quit) })
	p.done.Wait()
}

func (p *Panel) run() {
	for _, b := range p.bulbs {
		b.show(lamp.Dark, p.epoch)
		b.write(lamp.Level{}, p.epoch) // explicitly: nobody knows what it showed before
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(max(0, time.Until(p.tick())))
		select {
		case <-p.quit:
			p.dark()
			return
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// tick brings every light to what it should show, and returns when to come again.
func (p *Panel) tick() time.Time {
	now := time.Now()
	next := p.judge(now)
	full := p.cfg.Night.Full(p.cfg.Full, now)
	for _, b := range p.bulbs {
		level, lasts := b.shine.At(now)
		level = level.Dimmed(full)
		if level != b.shown || b.faulty || now.Sub(b.written) >= refreshEvery {
			b.write(level, now)
		}
		b.report(now)
		switch {
		case b.faulty:
			next = earlier(next, b.retryAt)
		case lasts >= 0:
			next = earlier(next, now.Add(lasts))
		}
		if !b.faulty {
			next = earlier(next, b.written.Add(refreshEvery))
		}
	}
	return next
}

// judge decides for each light what it says now, and returns when time alone may change that.
func (p *Panel) judge(now time.Time) (next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next = now.Add(refreshEvery)
	until := func(t time.Time) bool { // and something changes then
		if !t.After(now) {
			return false
		}
		next = earlier(next, t)
		return true
	}
	alarm, test := until(p.alarm), until(p.test)
	failed := p.cfg.Silence > 0 && !until(p.alive.Add(p.cfg.Silence))
	for _, b := range p.bulbs {
		of := b.subject
		of.Lens = lamp.NoLens
		if of.Kind == lamp.Desk {
			of = ofAgent(p.seats[of.ID])
		}
		facts, known := p.facts[of]
		b.facts, b.agent = facts, ""
		if of.Kind == lamp.Agent {
			b.agent = tel.AgentID(of.ID)
		}
		state, changes := facts.State(b.subject, now)
		until(changes)
		switch {
		case alarm:
			state = lamp.Alarm
		case test:
			state = lamp.Test
		case until(p.finds[b.light.ID()]):
			state = lamp.Find
		case failed && b.subject.Kind != lamp.Nobody:
			state = lamp.Failure
		case !known:
			state = lamp.Dark
		}
		if state != b.state {
			b.show(state, now)
		}
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// dark turns everything off: neither kernel nor chip promises what a pin shows after we are gone.
func (p *Panel) dark() {
	for _, b := range p.bulbs {
		if err := set(b.light, lamp.Level{}); err != nil {
			p.cfg.Log.Warn("a lamp was left as it was", "lamp", b.light.ID(), "err", err)
		}
		if err := b.light.Close(); err != nil {
			p.cfg.Log.Warn("a lamp was not released", "lamp", b.light.ID(), "err", err)
		}
	}
}
