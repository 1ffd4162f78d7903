package gsm

import (
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Rung is a step of the ladder that a modem climbs which does not come into service. Two rungs lie below it:
// the engine's resync, and the port that is closed and opened.
type Rung uint8

// The rungs, mildest first.
const (
	RungNone    Rung = iota // the port is opened anew, and no more
	RungCommand             // the modem's own restart command, where it answers
	RungRebind              // the USB device is taken from its driver and given back
	RungPower               // the USB port is switched off and on
	RungSupply              // a pin of the board takes its supply away and gives it back
	RungAlarm               // a person is needed; the ladder goes on from time to time
)

var rungNames = [...]string{"opened anew", "restart command", "USB rebind", "USB power", "supply", "alarm"}

// String names the rung for logs.
func (r Rung) String() string {
	if int(r) < len(rungNames) {
		return rungNames[r]
	}
	return fmt.Sprintf("rung_%d", uint8(r))
}

// trial is how one try to bring a modem into service failed.
type trial struct {
	cause    tel.LineCause
	answered bool // it took at least one command
	onUSB    bool // rebind and power are possible
	supplied bool // by a pin that can take it away
}

// recovery is where a modem stands on the ladder. The zero value is one that has not failed.
type recovery struct {
	failures int       // in a row
	rung     Rung      // climbed last
	climbs   int       // above RungNone, for the back-off
	notUntil time.Time // the next climb
	alarmed  bool      // every rung was tried
	gone     time.Time // since when no modem is there; zero: one is
}

// climbing is the time between two climbs: restarting a modem that starts slowly keeps it from starting.
var climbing = []time.Duration{5 * time.Second, 15 * time.Second, 60 * time.Second, 300 * time.Second}

// slowStart is longer than any modem takes from its restart until the bus has it again.
const slowStart = 30 * time.Second

// next decides what is done about a failure, and when the port is opened again. Opening costs nothing, so a
// modem that has come back by itself is in service within the longest wait of t.Reopen.
func (r recovery) next(f trial, now time.Time, t *Timing) (recovery, Rung, time.Duration) {
	wait := t.Reopen[min(r.failures, len(t.Reopen)-1)]
	r.failures++
	switch f.cause {
	case tel.LineNoModem: // a look costs nothing; only its supply can be reached of what is not there
		r, rung := r.missed(f, now)
		return r, rung, min(wait, t.Rescan)
	case tel.LineModemMute, tel.LineNotModem, tel.LineRestarting, tel.LineModemPower:
	default: // a SIM, a PIN, another program, another modem: a restart changes nothing
		return r, RungNone, wait
	}
	r.gone = time.Time{}
	if r.failures < 2 || now.Before(r.notUntil) {
		return r, RungNone, wait
	}
	r.rung = r.above(f)
	r.alarmed = r.alarmed || r.rung == RungAlarm
	r.notUntil = now.Add(climbing[min(r.climbs, len(climbing)-1)])
	r.climbs++
	return r, r.rung, wait
}

// missed decides about a modem that is not on its bus: it may have been pulled out, start, or hang.
func (r recovery) missed(f trial, now time.Time) (recovery, Rung) {
	if r.gone.IsZero() {
		r.gone = now
	}
	if !f.supplied || now.Sub(r.gone) < slowStart || now.Before(r.notUntil) {
		return r, RungNone
	}
	r.notUntil = now.Add(max(slowStart, climbing[min(r.climbs, len(climbing)-1)]))
	r.climbs++
	return r, RungSupply
}

// above is the next rung that this modem has; from the last one the ladder begins anew.
func (r recovery) above(f trial) Rung {
	rung := r.rung + 1
	if r.rung == RungAlarm {
		rung = RungCommand
	}
	if rung == RungCommand && !f.answered {
		rung++
	}
	if (rung == RungRebind || rung == RungPower) && !f.onUSB {
		rung = RungSupply
	}
	if rung == RungPower && f.supplied { // what the pin cuts is surely cut, and there is no time for both
		rung = RungSupply
	}
	if rung == RungSupply && !f.supplied {
		rung = RungAlarm
	}
	return rung
}

// stuck reports that every rung was tried at least once.
func (r recovery) stuck() bool { return r.alarmed }
