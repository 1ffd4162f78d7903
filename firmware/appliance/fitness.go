package appliance

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/board/cgroup"
	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// fitness is how the box says that it is: to the updater, which decides by it whether a release stays. Its JSON is
// read by package ota/fit, which knows nothing of us.
type fitness struct {
	Version string        `json:"version"` // of the release
	Up      time.Duration `json:"up"`      // of this process, in nanoseconds
	Link    bool          `json:"link"`    // some network has a carrier on its cable
	Memory  int64         `json:"memory"`  // resident bytes
	Limit   int64         `json:"limit"`   // of Memory, 0: none
	Pages   []string      `json:"pages"`   // where the page answers on this machine
	Zone    string        `json:"zone"`    // of the clock on the office's wall, as IANA names it

	engaged

	People int `json:"people"`
	Lines  int `json:"lines"`
	Queues int `json:"queues"`
	Trunks struct {
		Up int `json:"up"`
		Of int `json:"of"`
	} `json:"trunks"`
}

// engaged is who would notice a restart.
type engaged struct {
	Calls     int `json:"calls"`     // those of the health check left out
	Emergency int `json:"emergency"` // of Calls
	Waiting   int `json:"waiting"`   // callers in queues
}

// check is one thing that was looked at.
type check struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Words string `json:"words,omitempty"`
}

// selfCallOffer is what a call of the box to itself needs.
type selfCallOffer struct {
	Address  netip.AddrPort `json:"address"` // of SIP over UDP
	Media    netip.Addr     `json:"media"`   // where audio is taken, whatever the session descriptions say
	User     string         `json:"user"`
	Password string         `json:"password"`
	Number   string         `json:"number"`
}

// fitCommands are the doors of the updater: GET /fit is how the box is, POST /fit/check tries what a call needs of the
// disk and of the sockets, POST /fit/call makes an account for one call to an echo; leaveCommands has the others.
func (b *Box) fitCommands(mux *http.ServeMux) {
	mux.HandleFunc("GET /fit", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, b.fitness()) })
	mux.HandleFunc("POST /fit/check", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkLimit)
		defer cancel()
		writeJSON(w, http.StatusOK, b.checks(ctx))
	})
	mux.HandleFunc("POST /fit/call", func(w http.ResponseWriter, _ *http.Request) {
		offer, err := b.offerSelfCall(time.Now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		writeJSON(w, http.StatusOK, offer)
	})
	b.leaveCommands(mux)
}

// serveFit answers the updater on a socket of its own, on which nothing else is to be had: who decides about releases
// must not be able to command the office.
func (b *Box) serveFit(ctx context.Context) {
	if b.opts.Fit == "" {
		return
	}
	l := b.openSocket(b.opts.Fit, 0o660, "the updater")
	if l == nil {
		return
	}
	mux := http.NewServeMux()
	b.fitCommands(mux)
	b.wg.Go(func() { b.serveSocket(ctx, l, mux, "the updater") })
}

func (b *Box) fitness() (f fitness) {
	n := b.numbering.Load()
	f.Version, f.Up, f.Link, f.Pages = b.opts.Version, time.Since(b.born), linked(), b.ownPages()
	f.Zone = n.cfg.Box.Timezone
	f.Memory, f.Limit = residentMemory("/proc/self/statm"), int64(cgroup.Own())
	f.Calls, f.Waiting = b.present.busy()
	f.Emergency = b.calls.Urgent()
	f.People, f.Lines, f.Queues = len(n.plan.Extensions), len(n.cfg.Lines), len(n.cfg.Queues)
	for _, t := range n.cfg.Trunks {
		if t.Disabled {
			continue
		}
		f.Trunks.Of++
		if b.present.lineUp("trunk:" + string(t.ID)) {
			f.Trunks.Up++
		}
	}
	return f
}

// busy counts calls and callers who wait.
func (p *present) busy() (calls, waiting int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.last {
		switch e.(type) {
		case tel.CallChanged:
			calls++
		case tel.QueueJoined:
			waiting++
		}
	}
	return calls, waiting
}

func (p *present) lineUp(line string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.last["line/"+line].(tel.LineChanged)
	return ok && e.Up
}

// linked reports that a network other than the machine's own has a carrier.
func linked() bool {
	all, err := net.Interfaces()
	return err == nil && slices.ContainsFunc(all, func(i net.Interface) bool {
		return i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagRunning != 0
	})
}

// residentMemory is the second number of proc_pid_statm(5), in bytes; 0: it is not told.
func residentMemory(statm string) int64 {
	text, err := os.ReadFile(statm)
	f := strings.Fields(string(text))
	if err != nil || len(f) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// here is where this machine reaches a socket of ours.
func here(a netip.AddrPort) netip.AddrPort {
	if !a.Addr().IsUnspecified() {
		return a
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port())
}

func (b *Box) ownPages() (all []string) {
	c := b.booted.Web
	all = append(all, "http://"+here(c.Listen).String()+"/healthz")
	if c.TLSListen.IsValid() {
		all = append(all, "https://"+here(c.TLSListen).String()+"/healthz")
	}
	return all
}

// Bounds of the checks: the disk of a Pi syncs in tens of milliseconds, and recordd looks every 250.
const (
	checkLimit = 4 * time.Second
	askRecords = 50 * time.Millisecond
)

// checks tries what a call needs.
func (b *Box) checks(ctx context.Context) []check {
	config := tried("config", b.configInForce())
	pos, err := b.history.AppendUrgent(cdr.KindProof, []byte("{}"))
	written := tried("journal", err)
	if err == nil {
		err = b.stored(ctx, pos)
	} else {
		err = fmt.Errorf("nothing was written that could be stored: %w", err)
	}
	return []check{config, written, tried("store", err), tried("sockets", b.bound())}
}

func tried(name string, err error) check {
	if err != nil {
		return check{Name: name, Words: err.Error()}
	}
	return check{Name: name, OK: true}
}

// configInForce is nil when the owner's file is what calls see.
func (b *Box) configInForce() error {
	for _, h := range b.present.conditions() {
		if h.Condition == "config_file" && !h.OK {
			return fmt.Errorf("the file of the configuration is not in force: %s", h.Text)
		}
	}
	return nil
}

// stored waits until recordd has a position of the journal in its store, synced.
func (b *Box) stored(ctx context.Context, pos journal.Pos) error {
	if b.opts.Record == "" {
		return nil // a box without records has none to lose
	}
	client := store.NewClient(b.opts.Record)
	defer func() { _ = client.Close() }()
	for {
		s, err := client.Status(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("recordd: %w", err)
		case s.Journal == uint64(b.history.ID()) && s.Committed >= store.Position(pos):
			return nil
		}
		select {
		case <-time.After(askRecords):
		case <-ctx.Done():
			if s.Trouble != "" {
				return fmt.Errorf("recordd stores nothing: %s", s.Trouble)
			}
			return fmt.Errorf("recordd has not stored position %d in %v, it is at %d", pos, checkLimit, s.Committed)
		}
	}
}

// holds tells whether one of the sockets has an address. Any address of IPv4 is that of IPv6, too: the kernel has one
// socket for both.
func holds(sockets []netip.AddrPort, want netip.AddrPort) bool {
	return slices.ContainsFunc(sockets, func(s netip.AddrPort) bool {
		return s.Port() == want.Port() && (s.Addr().Unmap() == want.Addr() || s.Addr().IsUnspecified() && want.Addr().IsUnspecified())
	})
}

// bound is nil when every socket is there of the configuration with which this process began: another address waits for
// the next start.
func (b *Box) bound() error {
	c := b.booted
	for _, transport := range []string{"udp", "tcp"} {
		if !holds(b.stack.Addresses(transport), c.SIP.Listen) {
			return fmt.Errorf("SIP over %s is not bound to %s", transport, c.SIP.Listen)
		}
	}
	if at := c.SIP.TLSListen; at.IsValid() && !holds(b.stack.Addresses("tls"), at) {
		return fmt.Errorf("SIP over tls is not bound to %s", at)
	}
	if b.web == nil || c.Web.TLSListen.IsValid() && b.webTLS == nil {
		return fmt.Errorf("the page is not bound to %s and %s", c.Web.Listen, c.Web.TLSListen)
	}
	return nil
}
