package ban

import (
	"log/slog"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

// writeEvery bounds how often the file is written, since it may lie on a card.
const writeEvery = time.Second

// file is the goroutine that writes the bans to the disk.
type file struct {
	path string
	log  *slog.Logger
	text func() ([]byte, error)
	poke chan struct{}
	quit chan struct{}
	once sync.Once
	done chan struct{}
}

func newFile(path string, log *slog.Logger, text func() ([]byte, error)) *file {
	f := &file{
		path: path, log: log, text: text,
		poke: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	go f.run()
	return f
}

// dirty asks for a write.
func (f *file) dirty() {
	select {
	case f.poke <- struct{}{}:
	default:
	}
}

func (f *file) run() {
	defer close(f.done)
	for {
		select {
		case <-f.poke:
		case <-f.quit:
			select {
			case <-f.poke:
				f.write()
			default:
			}
			return
		}
		f.write()
		select {
		case <-time.After(writeEvery):
		case <-f.quit:
		}
	}
}

func (f *file) write() {
	text, err := f.text()
	if err == nil {
		err = durable.Replace(durable.Disk{}, f.path, text, 0o600)
	}
	if err != nil {
		f.log.Warn("bans are not on the disk: a restart of the machine would forget them", "err", err)
	}
}

// close writes what is due and waits for the goroutine's end.
func (f *file) close() {
	f.once.Do(func() { close(f.quit) })
	<-f.done
}
