package page

import (
	"net/netip"
	"strings"
	"time"
)

// NetworkState is how it stands with the network of the box.
type NetworkState struct {
	Interfaces []Interface
	Router     string   // address of the way out; empty: none
	DNS        []string // name servers
	Names      []string // under which browsers of the network find the box
	Clock      string   // who told the time last; empty: nobody has
	Synced     bool     // the time is known to be right
	NAT        string   // none, router, double or unknown
	Public     string   // the address at which carriers see the box; empty: none has said
	ALG        string   // what a router was seen to change, English; empty: nothing

	Owned  bool           // the box sets its network itself, and this page can change it
	Absent string         // why who owns it does not answer, English; empty: it does
	Held   NetworkChoice  // confirmed
	Trial  *NetworkChoice // in use until it is confirmed
	Left   time.Duration  // of the trial
	Using  netip.Addr     // address in use
	Undone string         // why the last change was taken back: not_confirmed, restarted, given_up; empty: it was not
	Lost   NetworkChoice  // what was taken back
	LostAt time.Time
}

// Seconds is what is left of a trial.
func (s NetworkState) Seconds() int { return int(s.Left.Seconds()) }

// Interface is one network interface of the box.
type Interface struct {
	Name      string
	Up        bool
	Hardware  string   // address of Ethernet; empty: none
	Addresses []string // with the length of their networks
}

// NetworkChoice is what the owner wants of the network.
type NetworkChoice struct {
	Fixed  bool // otherwise the router gives an address
	Addr   netip.Prefix
	Router netip.Addr // invalid: none
	DNS    []netip.Addr
	NTP    []string
	Host   string
}

// Servers are the name servers as a list.
func (c NetworkChoice) Servers() string {
	var all []string
	for _, a := range c.DNS {
		all = append(all, a.String())
	}
	return strings.Join(all, ", ")
}

// Times are the servers of the time as a list.
func (c NetworkChoice) Times() string { return strings.Join(c.NTP, ", ") }

// Domain is the name under which browsers find the box (RFC 6762).
func (c NetworkChoice) Domain() string { return c.Host + ".local" }

// Network is the page of the network.
type Network struct {
	Reader Reader
	Box    string
	Said   Said
	State  NetworkState
	Blocks []Block // of the form; none: it is only looked at
	At     string  // where a change that was just put on trial can be confirmed; empty: nothing was
	Done   string  // key of what was just done
}

// Confirm is the page on which a change of the network is kept.
type Confirm struct {
	Reader Reader
	Box    string
	Said   Said
	Token  string
	Kept   bool
	There  bool // the reader came by the address on trial
	State  NetworkState
}

// Network renders the page of the network.
func (r *Renderer) Network(n Network, now time.Time) ([]byte, error) {
	return r.shell("network.html", "network", n.Box, n.Reader, n, now)
}

// Confirm renders the page on which a change of the network is kept.
func (r *Renderer) Confirm(c Confirm, now time.Time) ([]byte, error) {
	return r.shell("confirm.html", "network.confirm", c.Box, c.Reader, c, now)
}
