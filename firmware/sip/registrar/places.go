package registrar

import (
	"net/netip"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/sip/ban"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// places is where phones are registered from, by address and port and by source. It always agrees
// with the published bindings.
type places struct {
	at     map[netip.AddrPort][]tel.DeviceID // a device once for each of its bindings there
	behind map[netip.Prefix]int
}

func newPlaces() places {
	return places{map[netip.AddrPort][]tel.DeviceID{}, map[netip.Prefix]int{}}
}

// move replaces the places of a device.
func (p places) move(id tel.DeviceID, was, now []Binding) {
	if slices.EqualFunc(was, now, func(a, b Binding) bool { return a.Flow.Remote == b.Flow.Remote }) {
		return // a refresh
	}
	for _, b := range was {
		p.leave(id, b.Flow.Remote)
	}
	for _, b := range now {
		at := unmapped(b.Flow.Remote)
		p.at[at] = append(p.at[at], id)
		p.behind[ban.SourceOf(at.Addr())]++
	}
}

func (p places) leave(id tel.DeviceID, at netip.AddrPort) {
	at = unmapped(at)
	i := slices.Index(p.at[at], id)
	if i < 0 {
		return
	}
	if p.at[at] = slices.Delete(p.at[at], i, i+1); len(p.at[at]) == 0 {
		delete(p.at, at)
	}
	source := ban.SourceOf(at.Addr())
	if p.behind[source]--; p.behind[source] <= 0 {
		delete(p.behind, source)
	}
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
