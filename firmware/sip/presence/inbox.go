package presence

import "sync"

// task is run by the owner.
type task func(*owner)

// inbox holds what the owner has to do. Requests from outside are bounded; results of our own
// requests and orders of other rooms are not turned away: they are at most as many as the requests
// under way and the changes of the configuration.
type inbox struct {
	mu     sync.Mutex
	tasks  []task
	closed bool
	wake   chan struct{} // holds a token while there may be work
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// put adds a task; limit 0 = always. False: too many wait, or the owner is gone.
func (b *inbox) put(t task, limit int) bool {
	b.mu.Lock()
	if b.closed || limit > 0 && len(b.tasks) >= limit {
		b.mu.Unlock()
		return false
	}
	b.tasks = append(b.tasks, t)
	b.mu.Unlock()
	b.poke()
	return true
}

func (b *inbox) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take empties the inbox.
func (b *inbox) take() []task {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.tasks
	b.tasks = nil
	return all
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.tasks = true, nil
}
