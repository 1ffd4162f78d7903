package network

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/pronto-pbx/pronto/images/imagetest"
	"github.com/vishvananda/netlink"
)

// alone runs the test again in a network namespace of its own, and tells whether this is that run.
func alone(t *testing.T) bool {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: it needs root and a real DHCP server")
	}
	imagetest.Root(t)
	imagetest.Programs(t, "dnsmasq")
	return imagetest.Alone(t)
}

// wire makes a cable between eth0, the box's, and lan, which has the address 192.168.77.1.
func wire(t *testing.T) (lan netlink.Link) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(Loopback())
	must(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "lan"}, PeerName: "eth0"}))
	lan, err := netlink.LinkByName("lan")
	must(err)
	addr, err := netlink.ParseAddr("192.168.77.1/24")
	must(err)
	must(netlink.AddrAdd(lan, addr))
	must(netlink.LinkSetUp(lan))
	return lan
}

// server is dnsmasq on lan.
func server(t *testing.T) (end func()) {
	t.Helper()
	cmd := exec.Command("dnsmasq", "-k", "-p", "0", "-i", "lan", "--bind-interfaces", "-C", "/dev/null", "--user=root", "--pid-file=", "--dhcp-leasefile="+filepath.Join(t.TempDir(), "leases"),
		"--dhcp-range=192.168.77.50,192.168.77.60,2m", "--dhcp-option=option:ntp-server,192.168.77.9", "--dhcp-option=option:dns-server,192.168.77.8", "--dhcp-authoritative", "--no-ping")
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	end = func() { once.Do(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }) }
	t.Cleanup(end)
	return end
}

// running starts Run on eth0 and sends each thing that it uses.
func running(t *testing.T, fixed *Fixed) (used <-chan Use, resolv string) {
	t.Helper()
	changes := make(chan Use, 16)
	resolv = filepath.Join(t.TempDir(), "resolv.conf")
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := Run(ctx, Config{
			Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Interface: "eth0", Host: "pronto-9qxa", Choice: Choice{Fixed: fixed}, Resolv: resolv, Changed: func(u Use) { changes <- u },
		}); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return changes, resolv
}

func soon(t *testing.T, used <-chan Use) Use {
	t.Helper()
	select {
	case u := <-used:
		return u
	case <-time.After(time.Minute):
		t.Fatal("nothing was configured within a minute")
		return Use{}
	}
}

// kernelHas checks what the kernel says of eth0.
func kernelHas(t *testing.T, u Use) {
	t.Helper()
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil || len(addrs) != 1 || addrs[0].IPNet.String() != u.Address.String() {
		t.Errorf("the kernel has %v, %v; want %v", addrs, err, u.Address)
	}
	routes, err := netlink.RouteList(link, netlink.FAMILY_V4)
	out := ""
	for _, r := range routes {
		if r.Gw != nil {
			out = r.Gw.String()
		}
	}
	if want := u.Router; err != nil || want.IsValid() && out != want.String() {
		t.Errorf("the route out is by %q, %v; want %v", out, err, want)
	}
}

func TestADHCPServerGivesTheBoxItsAddressAndTheCableMayBePulled(t *testing.T) {
	if !alone(t) {
		return
	}
	lan := wire(t)
	server(t)
	used, resolv := running(t, nil)
	u := soon(t, used)
	if !netip.MustParsePrefix("192.168.77.0/24").Contains(u.Address.Addr()) || u.Router.String() != "192.168.77.1" || len(u.NTP) != 1 || u.NTP[0].String() != "192.168.77.9" {
		t.Errorf("uses %+v", u)
	}
	kernelHas(t, u)
	if b, err := os.ReadFile(resolv); err != nil || string(b) != "nameserver 192.168.77.8\n" {
		t.Errorf("resolv.conf %q, %v", b, err)
	}
	if err := netlink.LinkSetDown(lan); err != nil {
		t.Fatal(err)
	}
	kernelHas(t, Use{Address: u.Address})
	if err := netlink.LinkSetUp(lan); err != nil {
		t.Fatal(err)
	}
	kernelHas(t, Use{Address: u.Address})
}

func TestWithoutAServerTheBoxTakesAnAddressThatNobodyHas(t *testing.T) {
	if !alone(t) {
		return
	}
	wire(t)
	// Somebody has the first one that it will try.
	ifi, err := net.InterfaceByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	lan, err := netlink.LinkByName("lan")
	if err != nil {
		t.Fatal(err)
	}
	first := candidate(state{seed: seedOf(ifi.HardwareAddr)})
	if err := netlink.AddrAdd(lan, &netlink.Addr{IPNet: ipNet(Use{Address: netip.PrefixFrom(first, 16)})}); err != nil {
		t.Fatal(err)
	}
	used, _ := running(t, nil)
	u := soon(t, used)
	if !u.Address.Addr().IsLinkLocalUnicast() || u.Address.Addr() == first || u.Address.Bits() != 16 {
		t.Errorf("uses %v, and %v was taken", u.Address, first)
	}
	kernelHas(t, u)
	// Somebody else insists on it.
	theirs, err := net.InterfaceByName("lan")
	if err != nil {
		t.Fatal(err)
	}
	taken := u.Address.Addr()
	given := func() bool { // what is said before the box listens is not heard, so it is said until it gives way
		if err := announce(theirs, taken); err != nil {
			t.Fatal(err)
		}
		select {
		case u = <-used:
			return true
		case <-time.After(100 * time.Millisecond):
			return false
		}
	}
	for !given() {
	}
	if u.Address.IsValid() {
		t.Errorf("goes on with %v", u)
	}
	if u = soon(t, used); !u.Address.Addr().IsLinkLocalUnicast() || u.Address.Addr() == taken {
		t.Errorf("uses %v after %v was disputed", u, taken)
	}
	// A server that comes later is found.
	server(t)
	if u = soon(t, used); !netip.MustParsePrefix("192.168.77.0/24").Contains(u.Address.Addr()) {
		t.Errorf("uses %v", u)
	}
	kernelHas(t, u)
}

func TestAFixedAddressIsUsedWithoutAServer(t *testing.T) {
	if !alone(t) {
		return
	}
	wire(t)
	f := Fixed{Address: netip.MustParsePrefix("192.168.77.20/24"), Router: netip.MustParseAddr("192.168.77.1")}
	used, _ := running(t, &f)
	u := soon(t, used)
	if u.Address != f.Address {
		t.Errorf("uses %v", u)
	}
	kernelHas(t, u)
}

func TestTheCardsInterfaceComesBeforeThoseOfUSB(t *testing.T) {
	sys := t.TempDir()
	add := func(name, device, kind string) {
		at := filepath.Join(sys, "devices", device)
		for _, dir := range []string{at, filepath.Join(sys, name)} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(at, filepath.Join(sys, name, "device")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sys, name, "type"), []byte(kind+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	add("bond0", "virtual", "772")
	if got := wired(sys, true); got != "" {
		t.Errorf("%q is no Ethernet", got)
	}
	add("eth0", "pci/usb1/1-1", "1")
	if got := wired(sys, false); got != "" {
		t.Errorf("took %q at once", got)
	}
	if got := wired(sys, true); got != "eth0" {
		t.Errorf("took %q after a while", got)
	}
	add("eth1", "platform/genet", "1")
	if got := wired(sys, true); got != "eth1" {
		t.Errorf("took %q", got)
	}
}

func ack(modify ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	m, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithYourIP(net.IPv4(192, 168, 1, 50)), dhcpv4.WithNetmask(net.CIDRMask(24, 32))}, modify...)...)
	if err != nil {
		panic(err)
	}
	return m
}

func TestNoAnswerOfAServerIsBelievedBlindly(t *testing.T) {
	for _, tc := range []struct {
		name        string
		m           *dhcpv4.DHCPv4
		router      string
		renew, ends time.Duration
		want        string
	}{
		{"an hour where it says nothing", ack(), "", 30 * time.Minute, time.Hour, ""},
		{"a minute at least", ack(dhcpv4.WithLeaseTime(1)), "", 30 * time.Second, time.Minute, ""},
		{"no router outside of the network", ack(dhcpv4.WithRouter(net.IPv4(10, 0, 0, 1))), "", 30 * time.Minute, time.Hour, ""},
		{"a router inside", ack(dhcpv4.WithRouter(net.IPv4(192, 168, 1, 1))), "192.168.1.1", 30 * time.Minute, time.Hour, ""},
		{"no renewal after the end", ack(dhcpv4.WithOption(dhcpv4.OptRenewTimeValue(5 * time.Hour))), "", 30 * time.Minute, time.Hour, ""},
		{"no loopback address", ack(dhcpv4.WithYourIP(net.IPv4(127, 0, 0, 1))), "", 0, 0, "is no address"},
		{"no network without a mask", ack(dhcpv4.WithNetmask(net.IPMask{255, 0, 255, 0})), "", 0, 0, "is no address"},
	} {
		l, err := readLease(tc.m, begin)
		if tc.want != "" {
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %+v, %v", tc.name, l, err)
			}
			continue
		}
		if err != nil || l.Renew != begin.Add(tc.renew) || l.Ends != begin.Add(tc.ends) || l.Router.IsValid() != (tc.router != "") {
			t.Errorf("%s: %+v, %v", tc.name, l, err)
		}
	}
}

func FuzzReadLease(f *testing.F) {
	f.Add(ack().ToBytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := dhcpv4.FromBytes(b)
		if err != nil {
			return
		}
		if l, err := readLease(m, begin); err == nil && (!l.Address.IsValid() || !l.Renew.Before(l.Ends) || !l.Begun.Before(l.Renew)) {
			t.Fatalf("%+v", l)
		}
	})
}

func FuzzReadARP(f *testing.F) {
	f.Add(arp{from: [6]byte{1}, sender: netip.MustParseAddr("169.254.1.1"), target: netip.MustParseAddr("169.254.1.2")}.question())
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, ok := readARP(b); ok && !bytes.Equal(a.question()[8:18], b[8:18]) {
			t.Fatalf("%+v from %x", a, b)
		}
	})
}

func TestAnAddressOfTheSameNetworkTakesTheOldOnesPlaceWithTheWayOut(t *testing.T) {
	if !alone(t) {
		return
	}
	wire(t)
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"192.168.77.10/24", "192.168.77.20/24", "192.168.77.20/16", "10.1.2.3/8", "192.168.77.10/24"} {
		u := Use{Address: netip.MustParsePrefix(address)}
		if u.Address.Contains(netip.MustParseAddr("192.168.77.1")) {
			u.Router = netip.MustParseAddr("192.168.77.1")
		}
		if err := configure("eth0", u); err != nil {
			t.Errorf("%s: %v", address, err)
		}
		kernelHas(t, u)
	}
}
