package appliance

import (
	"cmp"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// open reports that a phone on the LAN may call a number without saying who it is: an emergency
// number, in any form in which the dial plan knows it.
func (b *Box) open(dialed tel.Number, from netip.Addr) bool {
	n := b.numbering.Load()
	return n.lan(from) && dialplan.Route(n.plan, dialplan.Request{Stranger: true, Dialed: dialed, At: time.Now()}).Action != dialplan.Reject
}

// emergencies are the calls to emergency numbers that are up: while there is one the page says so, for
// whoever must open the door.
type emergencies struct {
	mu sync.Mutex // guards up
	up map[tel.CallID]bool
}

// called raises the alarm.
func (b *Box) called(e tel.EmergencyCalled) {
	b.emergencies.mu.Lock()
	if b.emergencies.up == nil {
		b.emergencies.up = map[tel.CallID]bool{}
	}
	b.emergencies.up[e.Call] = true
	b.emergencies.mu.Unlock()
	b.log.Warn("an emergency number is called", "from", e.From, "name", e.Name, "number", e.Number, "call", e.Call)
	b.report("emergency", false, fmt.Sprintf("%s is called from %s", e.Number, cmp.Or(e.Name, e.From)))
}

// emergencyOver takes the alarm back with the last such call.
func (b *Box) emergencyOver(c tel.CallID) {
	b.emergencies.mu.Lock()
	was := b.emergencies.up[c]
	delete(b.emergencies.up, c)
	over := was && len(b.emergencies.up) == 0
	b.emergencies.mu.Unlock()
	if over {
		b.report("emergency", true, "")
	}
}
