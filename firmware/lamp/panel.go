package lamp

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Timing of the panel.
const (
	refreshEvery = 5 * time.Second // every light is written this often even without a change
	retryFirst   = 250 * time.Millisecond
	retryMost    = 30 * time.Second
	slowSet      = 50 * time.Millisecond // a Set that takes longer is reported
)

// Assignment says whose state a light shows. A light of nobody stays off.
type Assignment struct {
	Light Light
	Agent tel.AgentID
}

// Config is what a Panel is made of.
type Config struct {
	Log     *slog.Logger
	Lights  []Assignment
	Publish func(tel.Event) // lamp changes and faults; must not block; may be nil
	Full    uint8           // brightness of "on", 1-255; 0 = 255
	Test    time.Duration   // all lights white at the start, so that a dead one is seen; 0 = no test
}

// Panel owns the lights: its goroutine is the only one that writes to them.
type Panel struct {
	cfg  Config
	wake chan struct{}
	quit chan struct{}
	once sync.Once
	done sync.WaitGroup

	// mu guards told and heard: Show and Watch write them from any goroutine, the panel's goroutine takes them. Only the
	// latest state of each agent counts, so it is bounded by the number of agents with a lamp.
	mu    sync.Mutex
	told  map[tel.AgentID]tel.AgentState
	helps map[tel.AgentID]bool     // who asked for help, or needs none any more, since told was taken
	heard map[tel.AgentID]bool     // who is supervised; taken like told
	finds map[tel.LampID]time.Time // which lights are looked for, and until when; taken like told
	alarm time.Time                // until when all lights show the alarm; written by Alarm, taken like told

	lights   []*bulb   // the goroutine's, as all below
	alarming time.Time // until when they do
}

// bulb is one light and what the panel knows about it.
type bulb struct {
	light   Light
	agent   tel.AgentID
	state   tel.AgentState
	help    bool      // the agent asks for a supervisor
	watched bool      // a supervisor takes part in the agent's conversation
	finding time.Time // until when it blinks so that somebody finds it; zero: it does not
	pattern Pattern
	began   time.Time // of the pattern
	shown   Level     // last level that was written
	written time.Time // when the next refresh counts from
	faulty  bool
	retryAt time.Time
	retryIn time.Duration
}

// NewPanel writes an explicit level to every light and starts the owner. The panel closes the
// lights.
func NewPanel(cfg Config) *Panel {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Publish == nil {
		cfg.Publish = func(tel.Event) {}
	}
	if cfg.Full == 0 {
		cfg.Full = 255
	}
	p := &Panel{cfg: cfg, wake: make(chan struct{}, 1), quit: make(chan struct{}), told: map[tel.AgentID]tel.AgentState{}, helps: map[tel.AgentID]bool{}, heard: map[tel.AgentID]bool{}, finds: map[tel.LampID]time.Time{}}
	for _, a := range cfg.Lights {
		p.lights = append(p.lights, &bulb{light: a.Light, agent: a.Agent})
	}
	p.done.Go(p.run)
	return p
}

// Show tells what an agent is doing. It never blocks and may be called from any goroutine; of
// states told in quick succession only the last is certain to be seen.
func (p *Panel) Show(agent tel.AgentID, state tel.AgentState) {
	if !p.hasLight(agent) {
		return
	}
	p.mu.Lock()
	p.told[agent] = state
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// ShowHelp tells that an agent asks for a supervisor, or does not any more: while so, the lamp shows
// that instead of the state. It never blocks and may be called from any goroutine.
func (p *Panel) ShowHelp(agent tel.AgentID, on bool) {
	p.note(agent, func() { p.helps[agent] = on })
}

// Watch tells whether a supervisor takes part in the conversations of an agent, which the lamp shows
// while the agent talks. It never blocks and may be called from any goroutine.
func (p *Panel) Watch(agent tel.AgentID, on bool) {
	p.note(agent, func() { p.heard[agent] = on })
}

// note changes what was told about an agent who has a lamp, and wakes the goroutine.
func (p *Panel) note(agent tel.AgentID, change func()) {
	if !p.hasLight(agent) {
		return
	}
	p.mu.Lock()
	change()
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Alarm shows the alarm on every light for a time, those of nobody included; afterwards each shows its
// agent's state again. It never blocks and may be called from any goroutine.
func (p *Panel) Alarm(lasts time.Duration) {
	p.mu.Lock()
	p.alarm = time.Now().Add(lasts)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Find lets one light blink for a time, whatever it shows otherwise, so that somebody finds the desk that it stands
// on; an alarm goes before. It never blocks and may be called from any goroutine. false: there is no such light.
func (p *Panel) Find(light tel.LampID, lasts time.Duration) bool {
	if !slices.ContainsFunc(p.cfg.Lights, func(a Assignment) bool { return a.Light.ID() == light }) {
		return false
	}
	p.mu.Lock()
	p.finds[light] = time.Now().Add(lasts)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return true
}

func (p *Panel) hasLight(agent tel.AgentID) bool {
	for _, a := range p.cfg.Lights {
		if a.Agent == agent && agent != "" {
			return true
		}
	}
	return false
}

// Close turns every light off, releases it and waits for the owner.
func (p *Panel) Close() {
	p.once.Do(func() { close(p.quit) })
	p.done.Wait()
}

func (p *Panel) run() {
	now := time.Now()
	for _, b := range p.lights {
		b.begin(p.cfg.Full, now)
		if p.cfg.Test > 0 {
			white := Level{Brightness: p.cfg.Full, R: 255, G: 255, B: 255}
			b.pattern = Pattern{{p.cfg.Test, white}, {time.Duration(1<<62 - 1), Level{}}}
			b.began = now
		}
		p.write(b, now)
		if !b.faulty { // else write has reported
			p.report(b, now)
		}
	}
	timer := time.NewTimer(refreshEvery)
	defer timer.Stop()
	for {
		timer.Reset(max(0, time.Until(p.next())))
		select {
		case <-p.quit:
			p.dark()
			return
		case <-p.wake:
		case <-timer.C:
		}
		p.take()
		p.tick()
	}
}

// take adopts the states that were told.
func (p *Panel) take() {
	p.mu.Lock()
	told, helps, heard, finds := p.told, p.helps, p.heard, p.finds
	p.told, p.helps, p.heard = make(map[tel.AgentID]tel.AgentState, len(told)), map[tel.AgentID]bool{}, map[tel.AgentID]bool{}
	p.finds = map[tel.LampID]time.Time{}
	alarm := p.alarm
	p.mu.Unlock()
	now := time.Now()
	if alarm.After(p.alarming) && alarm.After(now) {
		p.alarming = alarm
		p.restart(now)
	}
	for _, b := range p.lights {
		if until, ok := finds[b.light.ID()]; ok {
			b.finding = until
			if !p.alarming.After(now) {
				b.begin(p.cfg.Full, now)
				p.write(b, now)
			}
		}
		state, help, watched := b.state, b.help, b.watched
		if s, ok := told[b.agent]; ok {
			state = s
		}
		if h, ok := helps[b.agent]; ok {
			help = h
		}
		if w, ok := heard[b.agent]; ok {
			watched = w
		}
		if state == b.state && help == b.help && watched == b.watched {
			continue
		}
		if b.state, b.help, b.watched = state, help, watched; p.alarming.After(now) {
			continue // seen when the alarm is over
		}
		b.begin(p.cfg.Full, now)
		wasFaulty := b.faulty
		p.write(b, now)
		if b.faulty == wasFaulty { // else write has reported
			p.report(b, now)
		}
	}
}

// restart begins every light's pattern anew: the alarm, or after it the state of today.
func (p *Panel) restart(now time.Time) {
	for _, b := range p.lights {
		if p.alarming.After(now) {
			b.pattern, b.began = AlarmPattern(p.cfg.Full), now
		} else {
			b.begin(p.cfg.Full, now)
			p.report(b, now)
		}
		p.write(b, now)
	}
}

// begin starts the pattern of the agent's state, of the call for help or of a supervisor who takes part,
// where it differs from what is seen now.
func (b *bulb) begin(full uint8, now time.Time) {
	b.pattern = PatternFor(b.state, full)
	switch {
	case b.finding.After(now):
		b.pattern = FindPattern(full)
	case b.help:
		b.pattern = HelpPattern(full)
	case b.watched && talks(b.state):
		b.pattern = WatchedPattern(full)
	}
	b.began = now.Add(-b.pattern.Entry(b.shown))
}

// tick writes what is due.
func (p *Panel) tick() {
	now := time.Now()
	if !p.alarming.IsZero() && !p.alarming.After(now) {
		p.alarming = time.Time{}
		p.restart(now)
	}
	for _, b := range p.lights {
		if !b.finding.IsZero() && !b.finding.After(now) && p.alarming.IsZero() {
			b.finding = time.Time{}
			b.begin(p.cfg.Full, now)
		}
		level, _ := b.pattern.At(now.Sub(b.began))
		if level != b.shown || b.faulty || now.Sub(b.written) >= refreshEvery {
			p.write(b, now)
		}
	}
}

// next is when tick has something to do.
func (p *Panel) next() time.Time {
	now := time.Now()
	at := now.Add(refreshEvery)
	if !p.alarming.IsZero() {
		at = earlier(at, p.alarming)
	}
	for _, b := range p.lights {
		if !b.finding.IsZero() && p.alarming.IsZero() {
			at = earlier(at, b.finding)
		}
		if b.faulty {
			at = earlier(at, b.retryAt)
			continue
		}
		at = earlier(at, b.written.Add(refreshEvery))
		if _, lasts := b.pattern.At(now.Sub(b.began)); lasts >= 0 {
			at = earlier(at, now.Add(lasts))
		}
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// write sets the light to its level of now. A light that does not take it is left alone for a
// while that doubles, so that a broken cable costs the others nothing.
func (p *Panel) write(b *bulb, now time.Time) {
	if b.faulty && now.Before(b.retryAt) {
		return
	}
	level, _ := b.pattern.At(now.Sub(b.began))
	start := time.Now()
	err := set(b.light, level)
	if took := time.Since(start); took > slowSet {
		p.cfg.Log.Warn("a lamp is slow", "lamp", b.light.ID(), "took", took)
	}
	b.shown, b.written = level, now
	if err == nil {
		if b.faulty {
			b.faulty, b.retryIn = false, 0
			p.cfg.Log.Info("a lamp works again", "lamp", b.light.ID())
			p.report(b, now)
		}
		return
	}
	b.retryIn = min(max(2*b.retryIn, retryFirst), retryMost)
	b.retryAt = now.Add(b.retryIn)
	if !b.faulty {
		b.faulty = true
		p.cfg.Log.Warn("a lamp does not work", "lamp", b.light.ID(), "err", err)
		p.report(b, now)
	}
}

// set turns a driver's panic into an error: a lamp never stops calls.
func set(l Light, level Level) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("lamp driver: %v", r)
		}
	}()
	return l.Set(level)
}

func (p *Panel) report(b *bulb, now time.Time) {
	p.cfg.Publish(tel.LampChanged{Lamp: b.light.ID(), Agent: b.agent, State: b.state, Help: b.help, Watched: b.watched, Fault: b.faulty, At: now})
}

// dark turns everything off: neither kernel nor chip promises what a pin shows after we are gone.
func (p *Panel) dark() {
	for _, b := range p.lights {
		if err := set(b.light, Level{}); err != nil {
			p.cfg.Log.Warn("a lamp was left as it was", "lamp", b.light.ID(), "err", err)
		}
		if err := b.light.Close(); err != nil {
			p.cfg.Log.Warn("a lamp was not released", "lamp", b.light.ID(), "err", err)
		}
	}
}

// talks says that there is a conversation in which a supervisor can take part.
func talks(s tel.AgentState) bool {
	switch s {
	case tel.AgentTalking, tel.AgentOutbound, tel.AgentInternal, tel.AgentHold:
		return true
	default:
		return false
	}
}
