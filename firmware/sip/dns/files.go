package dns

import (
	"cmp"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	lookEvery  = 5 * time.Second // how often the files are looked at
	maxServers = 3               // as resolv.conf(5) says
	maxFile    = 1 << 20
)

// files are the system's resolv.conf and hosts, read again when they change: DHCP rewrites them.
type files struct {
	resolvConf, hosts string

	mu      sync.Mutex
	looked  time.Time
	stamps  [2]time.Time
	names   map[string][]netip.Addr
	nameSrv []netip.AddrPort
	domains []string
}

func (f *files) addrs(host string) []netip.Addr {
	f.refresh()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.names[host]
}

func (f *files) servers() []netip.AddrPort {
	f.refresh()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.nameSrv
}

func (f *files) search() []string {
	f.refresh()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.domains
}

func (f *files) refresh() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if since := now.Sub(f.looked); !f.looked.IsZero() && since >= 0 && since < lookEvery {
		return
	}
	f.looked = now
	if text, changed := f.changed(0, f.resolvConf); changed {
		f.nameSrv, f.domains = parseResolvConf(text)
	}
	if text, changed := f.changed(1, f.hosts); changed {
		f.names = parseHosts(text)
	}
}

// changed returns a file's text when its time is another than before.
func (f *files) changed(i int, name string) (string, bool) {
	info, err := os.Stat(name)
	if err != nil || info.Size() > maxFile || info.ModTime().Equal(f.stamps[i]) {
		return "", false
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", false
	}
	f.stamps[i] = info.ModTime()
	return string(text), true
}

// parseResolvConf reads nameserver, search and domain lines; without a server the local one is
// meant (resolv.conf(5)).
func parseResolvConf(text string) (servers []netip.AddrPort, domains []string) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		line, _, _ = strings.Cut(line, ";")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(fields[1]); err == nil && len(servers) < maxServers {
				servers = append(servers, netip.AddrPortFrom(a, 53))
			}
		case "search", "domain":
			domains = nil
			for _, d := range fields[1:] {
				if d = strings.ToLower(strings.Trim(d, ".")); d != "" && len(domains) < 6 {
					domains = append(domains, d)
				}
			}
		}
	}
	if len(servers) == 0 {
		servers = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}
	}
	return servers, domains
}

// parseHosts reads hosts(5).
func parseHosts(text string) map[string][]netip.Addr {
	names := make(map[string][]netip.Addr)
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		a, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		for _, name := range fields[1:] {
			name = strings.ToLower(strings.TrimSuffix(name, "."))
			names[name] = append(names[name], a.Unmap())
		}
	}
	for _, addrs := range names { // those of IPv4 first
		slices.SortStableFunc(addrs, func(x, y netip.Addr) int { return cmp.Compare(x.BitLen(), y.BitLen()) })
	}
	return names
}
