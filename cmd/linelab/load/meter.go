package load

import (
	"sync"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/process"
)

// used is what a run cost.
type used struct {
	lasted      time.Duration
	own         time.Duration // processor time of this generator
	machine     float64       // share of the time that this machine's processors worked
	server      time.Duration // processor time of the server's process
	before      int64         // its resident memory at the start, in bytes
	most        int64         // and at the most
	serverError error         // why the server's are not known
}

// meter watches while the calls last.
type meter struct {
	pid   int
	began time.Time
	u     used
	own   time.Duration
	cpu   time.Duration
	busy  time.Duration
	idle  time.Duration
	done  chan struct{}
	watch sync.WaitGroup
}

// look is how often the memory of the server is read.
const look = 500 * time.Millisecond

func startMeter(pid int) *meter {
	m := &meter{pid: pid, began: time.Now(), own: ownCPU(), done: make(chan struct{})}
	m.busy, m.idle, _ = process.Machine() // without /proc the share is 0 of 0
	if pid == 0 {
		return m
	}
	var err error
	if m.cpu, err = process.CPU(pid); err == nil {
		m.u.before, err = process.RSS(pid)
	}
	m.u.most, m.u.serverError = m.u.before, err
	m.watch.Go(func() {
		for ticks := time.NewTicker(look); ; {
			select {
			case <-m.done:
				ticks.Stop()
				return
			case <-ticks.C:
				if rss, err := process.RSS(pid); err == nil {
					m.u.most = max(m.u.most, rss)
				}
			}
		}
	})
	return m
}

func (m *meter) stop() used {
	close(m.done)
	m.watch.Wait()
	m.u.lasted, m.u.own = time.Since(m.began), ownCPU()-m.own
	if busy, idle, err := process.Machine(); err == nil && busy+idle > m.busy+m.idle {
		m.u.machine = float64(busy-m.busy) / float64(busy-m.busy+idle-m.idle)
	}
	if m.pid > 0 && m.u.serverError == nil {
		now, err := process.CPU(m.pid)
		m.u.server, m.u.serverError = now-m.cpu, err
	}
	return m.u
}

// ownCPU is the processor time of this process.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
