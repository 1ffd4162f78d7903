package fxo

import (
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// rung is a step of the ladder that a modem climbs which does not come into service. Below it lies the port that is
// closed and opened, behind which the modem is told to end its sound, and reset.
type rung uint8

const (
	rungNone   rung = iota
	rungRebind      // the USB device is taken from its driver and given back
	rungPower       // the USB port is switched off and on
	rungSupply      // a pin of the board takes its supply away and gives it back
	rungAlarm       // a person is needed; the ladder begins anew from time to time
)

var rungNames = [...]string{"opened anew", "USB rebind", "USB power", "supply", "alarm"}

func (r rung) String() string {
	if int(r) < len(rungNames) {
		return rungNames[r]
	}
	return fmt.Sprintf("rung_%d", uint8(r))
}

// trial is how one try failed.
type trial struct {
	cause                       tel.LineCause
	rebinds, switches, supplies bool // what is possible with this modem
}

// recovery is where a modem stands on the ladder. The zero value is one that has not failed.
type recovery struct {
	failures, climbs int
	rung             rung
	notUntil         time.Time
	alarmed          bool // every rung was tried
}

// climbing is the time between two climbs: restarting a modem that starts slowly keeps it from starting.
var climbing = []time.Duration{5 * time.Second, 15 * time.Second, 60 * time.Second, 300 * time.Second}

// next decides what is done about a failure, and when the port is opened again.
func (r recovery) next(f trial, now time.Time, t *Timing) (recovery, rung, time.Duration) {
	wait := t.Reopen[min(r.failures, len(t.Reopen)-1)]
	r.failures++
	switch f.cause {
	case tel.LineModemMute, tel.LineNotModem, tel.LineAudioFault:
	default: // another modem, another program: a restart changes nothing
		return r, rungNone, wait
	}
	if r.failures < 2 || now.Before(r.notUntil) {
		return r, rungNone, wait
	}
	if r.rung == rungAlarm {
		r.rung = rungNone
	}
	for r.rung++; r.rung < rungAlarm; r.rung++ {
		if r.rung == rungRebind && f.rebinds || r.rung == rungPower && f.switches || r.rung == rungSupply && f.supplies {
			break
		}
	}
	r.alarmed = r.alarmed || r.rung == rungAlarm
	r.notUntil = now.Add(climbing[min(r.climbs, len(climbing)-1)])
	r.climbs++
	return r, r.rung, wait
}
