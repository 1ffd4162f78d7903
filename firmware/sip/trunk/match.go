package trunk

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Match finds the carrier of a request from outside among several, nil for a stranger's:
//
//   - the one whose secret contact is asked for, from wherever it comes: only that carrier knows it;
//   - else one that the source address and the identity fit. Of two accounts with one carrier it is
//     the one whose user or number is called.
//
// The address alone is no proof: a phone may stand behind the same one as a carrier.
func Match(trunks []*Trunk, req *sip.Request, flow stack.Flow) *Trunk {
	var fits *Trunk
	for _, t := range trunks {
		switch {
		case t.known(req):
			return t
		case !t.sends(req, flow.Remote.Addr()):
		case fits == nil || t.named(req) && !fits.named(req):
			fits = t
		}
	}
	return fits
}

// Matches reports whether Match would find the trunk if it were alone.
func (t *Trunk) Matches(req *sip.Request, flow stack.Flow) bool {
	return t.known(req) || t.sends(req, flow.Remote.Addr())
}

func (t *Trunk) known(req *sip.Request) bool {
	return t.cfg.Mode == Register && !t.cfg.Disabled && req.Recipient.User == t.view().token
}

// sends reports that both the source and the identity of a request are the carrier's. From names the
// carrier's domain, or one of its addresses; or it names a subscriber of some other place than the one
// that is called, which a phone never does, since its domain is the box.
func (t *Trunk) sends(req *sip.Request, source netip.Addr) bool {
	from := req.From()
	if t.cfg.Disabled || from == nil || !t.from(source) {
		return false
	}
	host := strings.Trim(from.Address.Host, "[]")
	addr, err := netip.ParseAddr(host)
	literal := err == nil
	elsewhere := !strings.EqualFold(host, strings.Trim(req.Recipient.Host, "[]")) && !strings.EqualFold(host, "localhost")
	switch {
	case t.cfg.carries(host) && (!literal || elsewhere):
		return true
	case literal && elsewhere && t.from(addr):
		return true
	}
	return elsewhere && subscriber(&from.Address) && (t.cfg.Mode == Address || t.named(req))
}

// subscriber reports a user that calls from a public network: one with a telephone number, or one who
// withholds it. The phones of an office have short numbers and names.
func subscriber(u *sip.Uri) bool {
	n, ok := numberOf(u)
	return ok && len(n) >= shortest || anonymous(u)
}

// from reports that the carrier's messages may come from an address.
func (t *Trunk) from(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if slices.ContainsFunc(t.cfg.Sources, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return true
	}
	if t.cfg.Mode != Register || !addr.IsValid() {
		return false
	}
	v := t.view()
	return v.flow.Remote.Addr().Unmap() == addr ||
		slices.ContainsFunc(v.targets, func(f stack.Flow) bool { return f.Remote.Addr().Unmap() == addr })
}

// named reports that the request calls this account by user or by number.
func (t *Trunk) named(req *sip.Request) bool {
	places := []sip.Uri{req.Recipient}
	if to := req.To(); to != nil {
		places = append(places, to.Address)
	}
	for i := range places {
		if t.cfg.User != "" && places[i].User == t.cfg.User || t.owns(t.numberAt(&places[i])) {
			return true
		}
	}
	return false
}

// owns reports that a number, in the box's form, is one of the trunk's.
func (t *Trunk) owns(n tel.Number) bool {
	if n == "" {
		return false
	}
	n = international(n)
	if n == international(t.cfg.Number) {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.numbers[n]
}

// SetNumbers replaces the further numbers of the trunk, which may change while it is in use.
func (t *Trunk) SetNumbers(all []tel.Number) {
	set := make(map[tel.Number]bool, len(all))
	for _, n := range all {
		set[international(n)] = true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.numbers = set
}

// international is a number in the box's form.
func international(n tel.Number) tel.Number {
	if e, ok := n.E164(); ok {
		return e
	}
	return n
}
