package appliance

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
)

// claimAt are the addresses at which a browser claims the box, the best one first, and that is what the label's QR code
// says: the code stands behind #, so that browsers send it to nobody.
func (b *Box) claimAt() (all []string) {
	for _, at := range b.foundAt(b.config().Web.Listen) {
		all = append(all, fmt.Sprintf("http://%s/claim#%s", at, b.accounts.Code()))
	}
	return all
}

// foundAt is where a browser in the network finds what listens at an address.
func (b *Box) foundAt(at netip.AddrPort) []string {
	host := ""
	if b.opts.Gate != "" {
		host, _ = os.Hostname() // of which the first program of the box has told everybody in the network
	}
	return foundAt(at, host, outward(), ownAddresses())
}

// foundAt is where a browser finds what listens at an address, the best place first and one at least: at every address
// of a machine that answers for its host name in the network (RFC 6762), by that; of one that does not, so that host is
// empty, by the addresses that it has, of which outward is the one that it shows to others.
func foundAt(at netip.AddrPort, host string, outward netip.Addr, own []string) (all []string) {
	port := fmt.Sprint(at.Port())
	switch {
	case !at.Addr().IsUnspecified():
		return []string{at.String()}
	case host != "":
		return []string{net.JoinHostPort(host+".local", port)}
	}
	var addrs []netip.Addr
	for _, text := range own {
		if a, err := netip.ParseAddr(text); err == nil && (a.Is4() || at.Addr().Is6()) {
			addrs = append(addrs, a)
		}
	}
	rank := func(a netip.Addr) int {
		switch {
		case a == outward:
			return 0
		case a.Is4(): // people can type it
			return 1
		default:
			return 2
		}
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return cmp.Compare(rank(a), rank(b)) })
	for _, a := range addrs {
		all = append(all, netip.AddrPortFrom(a, at.Port()).String())
	}
	if len(all) == 0 { // no cable: who sits at the machine finds it
		all = []string{net.JoinHostPort("127.0.0.1", port)}
	}
	return all
}

// outward is the machine's address on the way to everybody else; invalid where there is no way. Nothing is sent.
func outward() (own netip.Addr) {
	c, err := net.Dial("udp4", "192.0.2.1:9") // of nobody (RFC 5737)
	if err != nil {
		return own
	}
	defer c.Close()
	if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
		own = a.AddrPort().Addr().Unmap()
	}
	return own
}
