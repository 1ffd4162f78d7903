package gsm

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// rungsOf fails again and again for two hours and tells which rung was climbed when.
func rungsOf(f trial) (rungs []Rung, times []time.Duration, longest time.Duration) {
	var r recovery
	start := time.Unix(1_000_000, 0)
	for now := start; now.Sub(start) < 2*time.Hour; {
		var rung Rung
		var wait time.Duration
		if r, rung, wait = r.next(f, now, &timing); rung != RungNone {
			rungs, times = append(rungs, rung), append(times, now.Sub(start))
		}
		longest = max(longest, wait)
		now = now.Add(wait)
	}
	return rungs, times, longest
}

func TestTheLadderIsClimbedRungByRungWithABackOff(t *testing.T) {
	tests := map[string]struct {
		trial trial
		want  []Rung // of the first climbs
	}{
		"a modem that answers and does not come up": {
			trial{tel.LineModemMute, true, true, false}, []Rung{RungCommand, RungRebind, RungPower, RungAlarm, RungCommand},
		},
		"a mute modem on USB": {
			trial{tel.LineModemMute, false, true, false}, []Rung{RungRebind, RungPower, RungAlarm, RungRebind},
		},
		"a modem on a UART that answers": {trial{tel.LineRestarting, true, false, false}, []Rung{RungCommand, RungAlarm, RungCommand}},
		"a mute modem on a UART":         {trial{tel.LineModemMute, false, false, false}, []Rung{RungAlarm, RungAlarm}},
		"a modem that answers, with a pin at its supply": {
			trial{tel.LineModemMute, true, true, true}, []Rung{RungCommand, RungRebind, RungSupply, RungAlarm, RungCommand},
		},
		"a mute modem on a UART, with a pin at its supply": {trial{tel.LineModemMute, false, false, true}, []Rung{RungSupply, RungAlarm, RungSupply}},
		"a modem that has left its bus, with such a pin":   {trial{tel.LineNoModem, false, false, true}, []Rung{RungSupply, RungSupply, RungSupply}},
		"no modem: there is nothing to restart":            {trial{tel.LineNoModem, false, true, false}, nil},
		"no SIM":                                           {trial{tel.LineNoSIM, true, true, false}, nil},
		"a wrong PIN":                                      {trial{tel.LineWrongPIN, true, true, false}, nil},
		"a SIM that wants its PUK":                         {trial{tel.LineSIMPUK, true, true, false}, nil},
		"a port of another program":                        {trial{tel.LineInUse, false, true, false}, nil},
		"the modem of another line":                        {trial{tel.LineOtherModem, true, true, false}, nil},
		"a SIM that is still starting":                     {trial{tel.LineSIMPIN, true, true, false}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rungs, times, longest := rungsOf(tt.trial)
			for i, want := range tt.want {
				if i >= len(rungs) || rungs[i] != want {
					t.Fatalf("climbed %v, want first %v", rungs, tt.want)
				}
			}
			if tt.want == nil && len(rungs) > 0 {
				t.Errorf("climbed %v", rungs)
			}
			for i := 1; i < len(times); i++ {
				if pause, least := times[i]-times[i-1], climbing[min(i-1, len(climbing)-1)]; pause < least {
					t.Errorf("climb %d came %v after the one before, want %v at least", i, pause, least)
				}
			}
			if longest > timing.Reopen[len(timing.Reopen)-1] {
				t.Errorf("a look came only after %v", longest)
			}
		})
	}
}

func TestAModemThatIsNotThereIsLookedForEveryTwoSeconds(t *testing.T) {
	var r recovery
	now := time.Unix(1_000_000, 0)
	for n := range 1000 {
		var wait time.Duration
		if r, _, wait = r.next(trial{cause: tel.LineNoModem}, now, &timing); wait > timing.Rescan {
			t.Fatalf("look %d came only after %v", n, wait)
		}
		now = now.Add(wait)
	}
}

// A modem that was pulled out for a moment, or that restarts slowly, must not lose its supply meanwhile.
func TestTheSupplyOfAModemThatHasLeftItsBusIsCutAfterItCouldHaveStarted(t *testing.T) {
	_, times, _ := rungsOf(trial{cause: tel.LineNoModem, supplied: true})
	if len(times) == 0 || times[0] < slowStart {
		t.Fatalf("cut after %v", times)
	}
	for i := 1; i < len(times); i++ {
		if pause := times[i] - times[i-1]; pause < slowStart {
			t.Errorf("cut again after %v", pause)
		}
	}
	if n := len(times); n > 30 {
		t.Errorf("cut %d times in two hours", n)
	}
}

// Once a person was called for, the page says so until the modem serves.
func TestAStuckModemStaysStuckWhileTheLadderGoesOn(t *testing.T) {
	for _, f := range []trial{{tel.LineModemMute, false, true, false}, {tel.LineRestarting, true, false, false}, {tel.LineModemMute, true, true, true}} {
		var r recovery
		now, stuck := time.Unix(1_000_000, 0), false
		for range 1000 {
			var wait time.Duration
			r, _, wait = r.next(f, now, &timing)
			if stuck && !r.stuck() {
				t.Fatalf("%+v: it is no longer stuck after rung %v", f, r.rung)
			}
			stuck, now = r.stuck(), now.Add(wait)
		}
		if !stuck {
			t.Errorf("%+v: never stuck", f)
		}
	}
}
