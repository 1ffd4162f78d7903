package appliance

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	alarmLamps = 30 * time.Second // how long every lamp of the house blinks after an emergency call
	alarmPage  = time.Hour        // how long the page says who called: help takes its time to come
)

// open reports that a phone on the LAN may call a number without saying who it is: an emergency
// number, in any form in which the dial plan knows it.
func (b *Box) open(dialed tel.Number, from netip.Addr) bool {
	n := b.numbering.Load()
	return n.lan(from) && dialplan.Route(n.plan, dialplan.Request{Stranger: true, Dialed: dialed, At: time.Now()}).Action != dialplan.Reject
}

// emergency tells the house that somebody calls for help: who comes through the door must know to whom
// to go.
func (b *Box) emergency(e tel.EmergencyCalled) {
	who := cmp.Or(e.Name, e.From)
	b.log.Warn("emergency call", "number", e.Number, "from", e.From, "name", e.Name, "call", e.Call)
	b.lamps.alarm()
	b.report("emergency", false, fmt.Sprintf("%s → %s, %s", who, e.Number, e.At.In(b.numbering.Load().plan.Zone).Format("15:04")))
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.alarm != nil {
		b.alarm.Stop()
	}
	b.alarm = time.AfterFunc(alarmPage, func() { b.report("emergency", true, "") })
}
