package appliance

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/sip/nat"
	"github.com/pronto-pbx/pronto/ui/page"
)

// probeFor is how long one question to the network may take.
const probeFor = 8 * time.Second

// lookAtNetwork says what the box sees of its network: its own addresses, whether names are found, whether the
// clock is set, what the router makes of its address, and whether something on the way rewrites calls.
func (b *Box) lookAtNetwork(ctx context.Context) (all []page.Finding) {
	all = append(all, addressesSeen(net.InterfaceAddrs))
	all = append(all, findName(ctx, namesOf(b.config())))
	all = append(all, clockSet(adjtime))
	all = append(all, b.lookAtRouter(ctx)...)
	for _, c := range b.health.Conditions() {
		if c.Name == "sip_alg" {
			f := page.Finding{Level: "ok", Says: page.Said{Sentence: "setup.net.alg.none"}}
			if !c.OK {
				f = page.Finding{Level: "warn", Says: page.Said{Sentence: "setup.net.alg", Detail: c.Text}}
			}
			all = append(all, f)
		}
	}
	return all
}

// addressesSeen says under which addresses the box is reached.
func addressesSeen(list func() ([]net.Addr, error)) page.Finding {
	addrs, err := list()
	if err != nil {
		return page.Finding{Level: "error", Says: page.Said{Sentence: "setup.net.address.none", Detail: err.Error()}}
	}
	var ours []string
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			ours = append(ours, p.Addr().String())
		}
	}
	if len(ours) == 0 {
		return page.Finding{Level: "error", Says: page.Said{Sentence: "setup.net.address.none"}}
	}
	return page.Finding{Level: "ok", Says: page.Said{Sentence: "setup.net.address", Args: []any{strings.Join(ours, ", ")}}}
}

// namesOf are the names that the box must find: those of its carriers, or else one that every network knows.
func namesOf(c *config.Config) []string {
	var all []string
	for _, t := range c.Trunks {
		full, err := t.Filled()
		host, _, _ := strings.Cut(full.Server, ":")
		if _, ip := netip.ParseAddr(host); err == nil && host != "" && ip != nil && !t.Disabled {
			all = append(all, host)
		}
	}
	if len(all) == 0 {
		all = []string{"pool.ntp.org"}
	}
	return all
}

func findName(ctx context.Context, names []string) page.Finding {
	ctx, cancel := context.WithTimeout(ctx, probeFor)
	defer cancel()
	for _, n := range names {
		if _, err := net.DefaultResolver.LookupHost(ctx, n); err != nil {
			return page.Finding{Level: "error", Thing: n, Says: page.Said{Sentence: "setup.net.dns.none", Detail: err.Error()}}
		}
	}
	return page.Finding{Level: "ok", Says: page.Said{Sentence: "setup.net.dns", Args: []any{strings.Join(names, ", ")}}}
}

// adjtime is what the kernel says of its clock.
func adjtime() (status int32, err error) {
	var t unix.Timex
	_, err = unix.Adjtimex(&t)
	return t.Status, err
}

// clockSet says whether something keeps the clock right (adjtimex(2), STA_UNSYNC).
func clockSet(ask func() (int32, error)) page.Finding {
	status, err := ask()
	switch {
	case err != nil:
		return page.Finding{Level: "warn", Says: page.Said{Sentence: "setup.net.clock.unknown", Detail: err.Error()}}
	case status&unix.STA_UNSYNC != 0:
		return page.Finding{Level: "warn", Says: page.Said{Sentence: "setup.net.clock.alone"}}
	default:
		return page.Finding{Level: "ok", Says: page.Said{Sentence: "setup.net.clock"}}
	}
}

// lookAtRouter asks the STUN servers that accounts name (RFC 8489) how the box is seen from outside. Without one
// nobody is asked: a stranger's server would learn of every box.
func (b *Box) lookAtRouter(ctx context.Context) (all []page.Finding) {
	for _, t := range b.config().Trunks {
		server := t.STUN()
		if server == "" || t.Disabled {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, probeFor)
		at, err := stunAddress(ctx, server)
		var seen netip.AddrPort
		if err == nil {
			seen, err = b.stack.STUN(ctx, at)
		}
		cancel()
		f := page.Finding{Thing: t.Name}
		switch {
		case err != nil:
			f.Level, f.Says = "warn", page.Said{Sentence: "setup.net.nat.none", Detail: err.Error()}
		case nat.Private(seen.Addr()):
			f.Level, f.Says = "warn", page.Said{Sentence: "setup.net.nat.double", Args: []any{seen.Addr()}}
		default:
			f.Level, f.Says = "ok", page.Said{Sentence: "setup.net.nat", Args: []any{seen.Addr()}}
		}
		all = append(all, f)
	}
	return all
}

// stunAddress finds a STUN server, whose port is 3478 where none is named.
func stunAddress(ctx context.Context, server string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		host, port = server, "3478"
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := net.DefaultResolver.LookupPort(ctx, "udp", port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(n)), nil
}
