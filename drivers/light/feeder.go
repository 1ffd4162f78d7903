package light

import (
	"errors"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// ErrSlow is returned by Set while a device has not taken what it should show; it is shown when it does.
var ErrSlow = errors.New("the device does not take what it should show")

// patience is how long Set waits for its device once, until it has answered again; the owner of all lamps waits for
// Set.
const patience = 100 * time.Millisecond

// feeder brings one device to what its lights want, on a goroutine of its own: an I2C chip that holds the clock low,
// or a USB device that stalls, holds up no other lamp. Only the newest wish is written.
type feeder[T any] struct {
	show func(T) error // brings the device to that; on the feeder's goroutine only
	shut func() error  // releases the device, after the last show

	kick  chan struct{} // of one: something is wanted
	quit  chan struct{}
	ended chan struct{}

	mu     sync.Mutex // guards what follows
	want   T
	wanted uint64        // how often want was set
	shown  uint64        // which of them the device has been brought to, or failed to take
	err    error         // of the last show
	news   chan struct{} // closed, and made anew, when shown changes
	slow   bool          // a Set gave up waiting and the device has not answered since
	open   int           // lights not yet closed
}

// newFeeder starts the goroutine; it ends with the last light's closed.
func newFeeder[T any](start T, lights int, show func(T) error, shut func() error) *feeder[T] {
	f := &feeder[T]{
		show: show, shut: shut, want: start, open: lights,
		kick: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}), news: make(chan struct{}),
	}
	go f.run()
	return f
}

func (f *feeder[T]) run() {
	defer close(f.ended)
	for {
		select {
		case <-f.kick:
			f.feed()
		case <-f.quit:
			select {
			case <-f.kick: // what was wanted last is shown
				f.feed()
			default:
			}
			return
		}
	}
}

func (f *feeder[T]) feed() {
	f.mu.Lock()
	want, n := f.want, f.wanted
	f.mu.Unlock()
	err := f.show(want)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shown, f.err, f.slow = n, err, false
	close(f.news)
	f.news = make(chan struct{})
}

// set changes what is wanted and waits a moment until the device shows it.
func (f *feeder[T]) set(change func(*T)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.want)
	f.wanted++
	n := f.wanted
	select {
	case f.kick <- struct{}{}:
	default:
	}
	if f.slow {
		return ErrSlow
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for f.shown < n {
		news := f.news
		f.mu.Unlock()
		select {
		case <-news:
			f.mu.Lock()
		case <-limit.C:
			f.mu.Lock()
			if f.shown >= n {
				return f.err
			}
			f.slow = true
			return ErrSlow
		}
	}
	return f.err
}

// closed takes one light away; with the last one the device is released.
func (f *feeder[T]) closed() error {
	f.mu.Lock()
	f.open--
	last := f.open == 0
	f.mu.Unlock()
	if !last {
		return nil
	}
	close(f.quit)
	<-f.ended
	return f.shut()
}

// fedLight is one lamp on a device that a feeder serves.
type fedLight[T any] struct {
	id     tel.LampID
	feeder *feeder[T]
	draw   func(*T, lamp.Level) // puts a level where this lamp is

	mu   sync.Mutex
	done bool
}

// ID implements lamp.Light.
func (l *fedLight[T]) ID() tel.LampID { return l.id }

// Set implements lamp.Light.
func (l *fedLight[T]) Set(v lamp.Level) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return ErrClosed
	}
	return l.feeder.set(func(t *T) { l.draw(t, v) })
}

// Close implements lamp.Light.
func (l *fedLight[T]) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return nil
	}
	l.done = true
	err := l.feeder.set(func(t *T) { l.draw(t, lamp.Level{}) })
	return errors.Join(err, l.feeder.closed())
}
