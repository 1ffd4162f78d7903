package appliance

import (
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	alarmLamps = 30 * time.Second // how long every lamp of the house blinks after an emergency call
	alarmPage  = time.Hour        // how long the page says who called
)

// emergency tells the house that somebody has called for help: who comes through the door must know to
// whom to go.
func (b *Box) emergency(e tel.EmergencyCalled) {
	who := e.Name
	if who == "" {
		who = e.From
	}
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
