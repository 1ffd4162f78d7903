package stack

import (
	"container/heap"
	"sync"
	"time"
)

// alarm is one function to run at a time.
type alarm struct {
	at    time.Time
	seq   uint64 // alarms of the same instant fire in the order they were set
	fn    func()
	index int // in the heap; -1 when it fired or was stopped
}

// alarms is the timer queue of one shard: any goroutine sets and stops, the shard fires.
type alarms struct {
	mu   sync.Mutex
	heap alarmHeap
	seq  uint64
	wake chan struct{} // tells the shard that the earliest alarm changed
}

func newAlarms() *alarms { return &alarms{wake: make(chan struct{}, 1)} }

// set runs fn on the shard after d.
func (q *alarms) set(d time.Duration, fn func()) *alarm {
	a := &alarm{at: time.Now().Add(d), fn: fn}
	q.mu.Lock()
	q.seq++
	a.seq = q.seq
	heap.Push(&q.heap, a)
	first := q.heap[0] == a
	q.mu.Unlock()
	if first {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return a
}

// stop keeps a from firing; nil and fired alarms are ignored.
func (q *alarms) stop(a *alarm) {
	if a == nil {
		return
	}
	q.mu.Lock()
	if a.index >= 0 {
		heap.Remove(&q.heap, a.index)
	}
	q.mu.Unlock()
}

// due takes the earliest alarm if its time has come; else it tells how long to wait, or a negative
// duration when nothing is set.
func (q *alarms) due(now time.Time) (fn func(), wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.heap) == 0 {
		return nil, -1
	}
	if wait := q.heap[0].at.Sub(now); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&q.heap).(*alarm).fn, 0
}

func (q *alarms) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.heap)
}

type alarmHeap []*alarm

func (h alarmHeap) Len() int { return len(h) }

func (h alarmHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}

func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push and Pop serve container/heap.
func (h *alarmHeap) Push(x any) {
	a := x.(*alarm)
	a.index = len(*h)
	*h = append(*h, a)
}

func (h *alarmHeap) Pop() any {
	old := *h
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	a.index = -1
	return a
}
