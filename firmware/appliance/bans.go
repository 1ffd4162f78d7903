package appliance

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/sip/ban"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// openBans makes the list of who is not listened to. What it asks about others is asked when the
// first datagram comes, and by then they stand.
func (b *Box) openBans() {
	b.bans = ban.New(ban.Config{
		Log: b.log.With("room", "bans"), Journal: b.hot, File: filepath.Join(b.opts.Dir, "bans.json"), Clock: bootClock,
		Policy: func() ban.Policy {
			c := &b.config().SIP.Bans
			return ban.Policy{Tries: c.Tries, Window: c.Window, Names: c.Names, Far: c.Far, Near: c.Near}
		},
		Near:   func(a netip.Addr) bool { return b.numbering.Load().lan(a) },
		Never:  b.neverBanned,
		Known:  func(a netip.AddrPort) bool { return b.registrar.Known(a) },
		Behind: func(a netip.Addr) bool { return b.registrar.Behind(a) },
	})
}

// guarded has the stack read nothing of who is banned, and tell of connections that end.
func (b *Box) guarded(c stack.Config) stack.Config {
	c.Filter = func(src netip.AddrPort, _ []byte) bool { return !b.bans.Deaf(src) }
	c.Closed = func(f stack.Flow) { b.registrar.FlowClosed(f) }
	return c
}

func (b *Box) restoreBans() {
	if err := b.bans.Restore(b.hot.Load(ban.KindBan)); err != nil {
		b.log.Warn("some bans of the earlier process are lost", "err", err)
	}
}

// neverBanned spares carriers and the networks that the owner chose.
func (b *Box) neverBanned(a netip.Addr) bool {
	return b.office.Carrier(a) ||
		slices.ContainsFunc(b.config().SIP.Bans.Never, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// bootClock names the kernel's boot and says how long it has been up; the wall clock of a box without
// a battery is not to be trusted with the end of a ban.
func bootClock() (boot string, up time.Duration) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return "", 0
	}
	return journal.CurrentBoot().String(), time.Duration(ts.Nano())
}

// forbidden refuses what a banned address or an attack program asks besides calls and registrations.
func (b *Box) forbidden(tx *stack.ServerTx) bool { return b.registrar.Repel(tx) }

// failedLogins logs wrong passwords, one line a second: a flood must not fill the log.
func (b *Box) failedLogins() func(src netip.Addr, user string) {
	var mu sync.Mutex // guards both
	var said time.Time
	var unsaid int
	return func(src netip.Addr, user string) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		b.strangers.note(src.String(), user, now)
		if unsaid++; now.Sub(said) < time.Second {
			return
		}
		b.log.Warn("wrong password or unknown phone", "source", src, "user", user, "others_not_logged", unsaid-1)
		said, unsaid = now, 0
	}
}

// banEvery is how often the page's notice of bans is brought up to date.
const banEvery = 2 * time.Second

// watchBans tells the page who is banned, for as long as somebody is.
func (b *Box) watchBans(ctx context.Context) {
	tick := time.NewTicker(banEvery)
	defer tick.Stop()
	for {
		text := banned(b.bans.List())
		b.report("bans", text == "", text)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// banned says in words who is banned; empty = nobody.
func banned(all []ban.Ban) string {
	switch len(all) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("%s is banned for %s", all[0].Source, all[0].Why)
	default:
		return fmt.Sprintf("%d addresses are banned, %s for %s among them", len(all), all[0].Source, all[0].Why)
	}
}

// fixedLimits are those that are read when prontod starts.
func fixedLimits(c *config.Config) config.Registrations {
	l := c.SIP.Registrations
	l.PerPhone = 0
	return l
}
