package ledger

import (
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	memoriesVersion = 1
	// A place that was given up is good for minutes and written soon; who served whom is good for days and must
	// not wear the card.
	savePlaces  = 2 * time.Second
	saveServers = time.Minute
)

// MemoriesConfig wires the memories to their neighbours. All fields are needed.
type MemoriesConfig struct {
	Log   *slog.Logger
	Path  string      // the file
	Saved func(error) // after each write; must not block
}

// Memories owns a file of what the queues remember of callers who are not on the line: the place that one has given
// up, and who served the caller last. A power cut costs the last two seconds of places and the last minute of the
// rest. Numbers stand in it as long as the configuration remembers them, and no longer than a start after that.
type Memories struct {
	cfg  MemoriesConfig
	in   chan note
	quit chan struct{}
	once sync.Once
	wg   sync.WaitGroup
	lost atomic.Uint64

	kept   map[tel.Number]plan.Memory // belongs to the goroutine after Start
	dirty  bool
	urgent bool // a place is among it
}

// note is one memory that has changed, or is gone.
type note struct {
	caller tel.Number
	memory *plan.Memory
	ask    *question // instead
}

// OpenMemories reads the file; what has faded by now is dropped. A damaged file is put aside. Start follows.
func OpenMemories(cfg MemoriesConfig) (*Memories, error) {
	m := &Memories{cfg: cfg, in: make(chan note, mailbox), quit: make(chan struct{}), kept: map[tel.Number]plan.Memory{}}
	var list []plan.Memory
	switch err := statefile.Load(cfg.Path, memoriesVersion, &list); {
	case err == nil || errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, statefile.ErrDamaged):
		cfg.Log.Error("what is known of earlier callers is lost", "err", err)
		list = nil
	default:
		return nil, err
	}
	for _, k := range list {
		if k.Caller != "" {
			m.kept[k.Caller] = k
		}
	}
	m.fade()
	return m, nil
}

// All lists what the file knew, by number, for queues that have lost their state. Call it before Start.
func (m *Memories) All() []plan.Memory {
	all := make([]plan.Memory, 0, len(m.kept))
	for _, n := range slices.Sorted(maps.Keys(m.kept)) {
		all = append(all, m.kept[n])
	}
	return all
}

// Start begins to take notes.
func (m *Memories) Start() { m.wg.Go(m.run) }

// Note keeps what is known of a caller now; nil forgets it. It does not block, and the memory is not kept itself.
func (m *Memories) Note(caller tel.Number, memory *plan.Memory) {
	if memory != nil {
		own := *memory
		if memory.Lost != nil {
			place := *memory.Lost
			own.Lost = &place
		}
		memory = &own
	}
	select {
	case m.in <- note{caller: caller, memory: memory}:
	default:
		if m.lost.Add(1) == 1 {
			m.cfg.Log.Error("the memories of callers do not keep up")
		}
	}
}

// Close writes the file and ends the owner.
func (m *Memories) Close() {
	m.once.Do(func() { close(m.quit) })
	m.wg.Wait()
}

func (m *Memories) run() {
	soon, late := time.NewTicker(savePlaces), time.NewTicker(saveServers)
	defer soon.Stop()
	defer late.Stop()
	for {
		select {
		case n := <-m.in:
			m.take(n)
		case <-soon.C:
			if m.urgent {
				m.save()
			}
		case <-late.C:
			m.save()
		case <-m.quit:
			for len(m.in) > 0 { // what was told before the end
				m.take(<-m.in)
			}
			m.save()
			return
		}
	}
}

func (m *Memories) take(n note) {
	if n.ask != nil {
		m.answer(n.ask)
		return
	}
	was, known := m.kept[n.caller]
	m.dirty = true
	if n.memory == nil {
		delete(m.kept, n.caller)
		return
	}
	// A place that was taken again is news, too: it must not be given twice.
	if n.memory.Lost != nil || known && was.Lost != nil {
		m.urgent = true
	}
	m.kept[n.caller] = *n.memory
}

// fade drops what nobody remembers any more.
func (m *Memories) fade() {
	now := time.Now()
	maps.DeleteFunc(m.kept, func(_ tel.Number, k plan.Memory) bool { return !k.Until.After(now) })
}

func (m *Memories) save() {
	if !m.dirty {
		return
	}
	m.fade()
	err := statefile.Save(m.cfg.Path, memoriesVersion, m.All())
	m.dirty = err != nil // tried again
	m.urgent = m.urgent && m.dirty
	m.cfg.Saved(err)
}
