package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
)

// answerTime is how long a server may take to answer one question; three are asked.
const answerTime = 3 * time.Second

// errRefused is a server's DHCPNAK.
var errRefused = errors.New("the server takes the address back")

// client asks the servers of one interface.
type client struct {
	name, host string
	last       *nclient4.Lease // as the library wants it back for a renewal
}

// ask discovers a server, or has what was granted last prolonged.
func (c *client) ask(ctx context.Context, again bool) (Lease, error) {
	conn, err := nclient4.New(c.name, nclient4.WithTimeout(answerTime), nclient4.WithRetry(3))
	if err != nil {
		return Lease{}, fmt.Errorf("DHCP on %s: %w", c.name, err)
	}
	defer conn.Close()
	options := []dhcpv4.Modifier{
		dhcpv4.WithOption(dhcpv4.OptHostName(c.host)),
		dhcpv4.WithRequestedOptions(dhcpv4.OptionRouter, dhcpv4.OptionSubnetMask, dhcpv4.OptionDomainNameServer, dhcpv4.OptionNTPServers),
	}
	var got *nclient4.Lease
	if again && c.last != nil {
		got, err = conn.Renew(ctx, c.last, options...)
	} else {
		got, err = conn.Request(ctx, options...)
	}
	if _, ok := errors.AsType[*nclient4.ErrNak](err); ok {
		return Lease{}, errRefused
	} else if err != nil {
		return Lease{}, fmt.Errorf("DHCP on %s: %w", c.name, err)
	}
	l, err := readLease(got.ACK, time.Now())
	if err == nil {
		c.last = got
	}
	return l, err
}

// Bounds of what is believed of a server.
const (
	shortest = time.Minute
	longest  = 30 * 24 * time.Hour
)

// readLease takes what a box needs from a server's answer.
func readLease(m *dhcpv4.DHCPv4, now time.Time) (Lease, error) {
	addr, ok := address(m.YourIPAddr)
	mask, bits := m.SubnetMask().Size()
	if !ok || bits != 32 || mask < 1 || mask > 31 {
		return Lease{}, fmt.Errorf("DHCP: %v with mask %v is no address", m.YourIPAddr, m.SubnetMask())
	}
	lasts := min(max(m.IPAddressLeaseTime(time.Hour), shortest), longest)
	renew := m.IPAddressRenewalTime(lasts / 2)
	if renew < shortest/2 || renew >= lasts {
		renew = lasts / 2
	}
	l := Lease{Address: netip.PrefixFrom(addr, mask), DNS: addresses(m.DNS()), NTP: addresses(m.NTPServers()), Begun: now, Renew: now.Add(renew), Ends: now.Add(lasts)}
	if routers := addresses(m.Router()); len(routers) > 0 && l.Address.Contains(routers[0]) {
		l.Router = routers[0]
	}
	return l, nil
}

// most bounds how many servers of a kind are taken.
const most = 4

func addresses(all []net.IP) (good []netip.Addr) {
	for _, ip := range all {
		if a, ok := address(ip); ok && len(good) < most {
			good = append(good, a)
		}
	}
	return good
}

func address(ip net.IP) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(ip.To4())
	return a, ok && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
