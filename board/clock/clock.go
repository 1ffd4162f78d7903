// Package clock gives a box the time. A Raspberry Pi 4 has no clock of its own: until a server answers the
// time is the latest that the box has reason to believe in.
package clock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/beevik/ntp"
	"golang.org/x/sys/unix"
)

// File is where the time of the last run lies below the directory of the data, in seconds since 1970.
const File = "clock"

// Floor is the earliest time that a box believes in: when its system was made, or when it was last running.
// A saved time that is not a number, or lies further ahead than a box lives, does not count.
func Floor(built time.Time, saved []byte) time.Time {
	seconds, err := strconv.ParseInt(string(bytes.TrimSpace(saved)), 10, 64)
	if err != nil {
		return built
	}
	last := time.Unix(seconds, 0)
	if last.Before(built) || last.After(built.Add(lifetime)) {
		return built
	}
	return last
}

// lifetime bounds how long after its system was made a box may have been running.
const lifetime = 20 * 365 * 24 * time.Hour

// Raise sets the kernel's clock to the floor if it shows an earlier time, as it does where no chip kept it.
func Raise(floor time.Time) (raised bool, err error) {
	if !time.Now().Before(floor) {
		return false, nil
	}
	return true, step(floor)
}

func step(to time.Time) error {
	tv := unix.NsecToTimeval(to.UnixNano())
	if err := unix.Settimeofday(&tv); err != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	return nil
}

// Load reads what Save wrote at path; nothing where there is no such file.
func Load(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Save writes the time down at path, in the place of an earlier one.
func Save(path string, now time.Time) error {
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("save the time: %w", err)
	}
	_, err = fmt.Fprintf(f, "%d\n", now.Unix())
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("save the time: %w", err)
	}
	return os.Rename(part, path)
}

// Config says whom to ask for the time.
type Config struct {
	Log     *slog.Logger
	Servers []string // asked when the network names none
	Save    string   // file that gets the time each hour
	Ask     func(server string) (offset time.Duration, err error)
	Step    func(to time.Time) error
	Slew    func(offset time.Duration) error
}

// Defaults fills in the real clock and real servers: those of the Italian metrology institute, then others.
func (c Config) Defaults() Config {
	if len(c.Servers) == 0 {
		c.Servers = []string{"ntp1.inrim.it", "ntp2.inrim.it", "time.cloudflare.com"}
	}
	c.Ask, c.Step, c.Slew = askNTP, step, slew
	return c
}

// Times of the exchange with servers.
const (
	firstTry  = 2 * time.Second // then doubling, until one answers
	lastTry   = 5 * time.Minute
	askEvery  = 20 * time.Minute
	saveEvery = time.Hour
)

// slewLimit is from where on the clock jumps; smaller faults are corrected while nobody notices.
const slewLimit = 128 * time.Millisecond

// Keeper keeps the time right. Its goroutine is that of Run.
type Keeper struct {
	cfg Config

	mu     sync.Mutex
	chosen []string     // by the owner
	local  []netip.Addr // named by the network
	from   string       // who told the time last
	poke   chan struct{}
	synced bool
}

// New prepares a Keeper.
func New(cfg Config) *Keeper { return &Keeper{cfg: cfg, poke: make(chan struct{}, 1)} }

// Network names the servers that the network offers; it is called when the box gets an address.
func (k *Keeper) Network(servers []netip.Addr) {
	k.mu.Lock()
	k.local = servers
	k.mu.Unlock()
	select {
	case k.poke <- struct{}{}:
	default:
	}
}

// Choose names the servers that the owner wants to be asked first.
func (k *Keeper) Choose(servers []string) {
	k.mu.Lock()
	k.chosen = servers
	k.mu.Unlock()
}

// From is the server that told the time last; empty: none has.
func (k *Keeper) From() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.from
}

// Synced tells whether a server has told the time since the start.
func (k *Keeper) Synced() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.synced
}

// Run asks and corrects until ctx ends, and saves the time then.
func (k *Keeper) Run(ctx context.Context) {
	save := time.NewTicker(saveEvery)
	defer save.Stop()
	wait := firstTry
	next := time.NewTimer(wait)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			k.save()
			return
		case <-save.C:
			k.save()
			continue
		case <-k.poke:
			wait = firstTry
		case <-next.C:
		}
		if k.once() {
			wait = askEvery
			k.save()
		} else {
			wait = min(2*wait, lastTry)
		}
		next.Reset(wait)
	}
}

func (k *Keeper) save() {
	if err := Save(k.cfg.Save, time.Now()); err != nil {
		k.cfg.Log.Warn("time not saved", "err", err)
	}
}

// once asks one server after the other until one answers.
func (k *Keeper) once() bool {
	for _, server := range k.servers() {
		offset, err := k.cfg.Ask(server)
		if err != nil {
			k.cfg.Log.Debug("no time", "server", server, "err", err)
			continue
		}
		if offset.Abs() >= slewLimit {
			k.cfg.Log.Info("clock set", "server", server, "by", offset)
			err = k.cfg.Step(time.Now().Add(offset))
		} else {
			err = k.cfg.Slew(offset)
		}
		if err != nil {
			k.cfg.Log.Error("clock not corrected", "err", err)
			return false
		}
		k.mu.Lock()
		k.synced, k.from = true, server
		k.mu.Unlock()
		return true
	}
	return false
}

func (k *Keeper) servers() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := slices.Clone(k.chosen)
	for _, a := range k.local {
		all = append(all, a.String())
	}
	return append(all, k.cfg.Servers...)
}

// askNTP asks one server (RFC 5905) and believes it only when it says itself that it has the time.
func askNTP(server string) (time.Duration, error) {
	r, err := ntp.QueryWithOptions(server, ntp.QueryOptions{Timeout: 3 * time.Second})
	if err == nil {
		err = r.Validate()
	}
	if err != nil {
		return 0, fmt.Errorf("time of %s: %w", server, err)
	}
	return r.ClockOffset, nil
}

// slew lets the clock run a little faster or slower until the offset is gone.
func slew(offset time.Duration) error {
	t := unix.Timex{Modes: unix.ADJ_OFFSET_SINGLESHOT}
	setOffset(&t, offset.Microseconds())
	if _, err := unix.Adjtimex(&t); err != nil {
		return fmt.Errorf("correct the clock: %w", err)
	}
	return nil
}
