package gsmsim_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/drivers/serialport/wire"
)

// inMemory is a modem on ports in memory and a person at the command port. It lives in a bubble.
func inMemory(t *testing.T, cfg gsmsim.Config) (*gsmsim.Sim, *wire.Bus, *terminal) {
	t.Helper()
	bus := &wire.Bus{}
	var port serialport.Stream
	cfg.Ports = func() (command, audio serialport.Stream, err error) {
		command, audio = bus.Plug("at"), bus.Plug("pcm")
		if port == nil { // before the modem's first word; what is said to nobody is lost
			port, err = bus.OpenAudio("at") // for its read deadline
		}
		return command, audio, err
	}
	sim, err := gsmsim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	t.Cleanup(func() { _ = port.Close() })
	return sim, bus, &terminal{t: t, port: port}
}

func TestEveryFaultIsExplainedAndHasANameOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range gsmsim.Catalogue() {
		if f.Name == "" || f.Says == "" || seen[f.Name] || strings.ContainsAny(f.Name, " \t\"#") {
			t.Errorf("%+v", f)
		}
		seen[f.Name] = true
	}
	if len(seen) < 25 {
		t.Errorf("only %d faults", len(seen))
	}
}

func TestEveryFaultStrikesAndThoseThatLastAreHealed(t *testing.T) {
	for _, f := range gsmsim.Catalogue() {
		t.Run(f.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim, _, x := inMemory(t, gsmsim.Config{})
				x.says("", "PB DONE")
				err := sim.Strike(f.Name, "")
				if f.Name == "hang_up" {
					if !errors.Is(err, gsmsim.ErrNoCall) {
						t.Errorf("nobody can hang up: %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := slices.Contains(sim.Struck(), f.Name); got != f.Lasts {
					t.Errorf("it lasts %v, want %v", got, f.Lasts)
				}
				if !f.Lasts {
					if err := sim.Heal(f.Name); !errors.Is(err, gsmsim.ErrNoFault) {
						t.Errorf("heal what is over: %v", err)
					}
					return
				}
				if err := sim.HealAll(); err != nil {
					t.Fatal(err)
				}
				if s := sim.Struck(); len(s) != 0 {
					t.Errorf("still %v", s)
				}
			})
		})
	}
}

func TestWrongFaultsAreRefusedInWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, _, _ := inMemory(t, gsmsim.Config{})
		for _, bad := range [][2]string{{"earthquake", ""}, {"late_replies", "soon"}, {"late_replies", "-1s"}, {"flood", "many"}, {"mute", "7s"}, {"message_flood", "0"}} {
			err := sim.Strike(bad[0], bad[1])
			if !errors.Is(err, gsmsim.ErrNoFault) || !strings.Contains(err.Error(), bad[0]) {
				t.Errorf("%v: %v", bad, err)
			}
		}
		if s := sim.Struck(); len(s) != 0 {
			t.Errorf("struck %v", s)
		}
	})
}

func TestFaultsOfTheModemItselfEndWithItsRestartAndOthersDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, _, _ := inMemory(t, gsmsim.Config{})
		for _, name := range []string{"audio_dead", "doubled_urc", "audio_stall"} {
			if err := sim.Strike(name, ""); err != nil {
				t.Fatal(err)
			}
		}
		if err := sim.Restart(); err != nil {
			t.Fatal(err)
		}
		if s := sim.Struck(); !slices.Equal(s, []string{"doubled_urc"}) {
			t.Errorf("struck %v", s)
		}
	})
}

func TestDoubledLinesComeTwiceAndAnswersOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, _, x := inMemory(t, gsmsim.Config{})
		x.says("", "PB DONE\r\n")
		_ = sim.Strike("doubled_urc", "")
		if err := sim.Ring("0611111"); err != nil {
			t.Fatal(err)
		}
		x.says("", "\r\nRING\r\n\r\nRING\r\n")
		if got := x.says("ATE0", "OK\r\n"); strings.Count(got, "OK") != 1 {
			t.Errorf("heard %q", got)
		}
	})
}

func TestModemOfErrorsAnswersNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, _, x := inMemory(t, gsmsim.Config{})
		x.says("", "PB DONE\r\n")
		_ = sim.Strike("errors", "")
		for _, cmd := range []string{"AT", "AT+CPIN?", "AT+CMGF=0"} {
			x.says(cmd, "\r\nERROR\r\n")
		}
	})
}

func TestBrownOutCutsAWordAndBringsTheModemBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, bus, x := inMemory(t, gsmsim.Config{})
		x.says("", "PB DONE\r\n")
		if err := sim.Strike("brown_out", "3s"); err != nil {
			t.Fatal(err)
		}
		if _, err := x.port.Write([]byte("AT\r")); err == nil {
			t.Error("the port outlives the voltage")
		}
		if _, err := bus.OpenCommand("at"); !errors.Is(err, serialport.ErrMissing) {
			t.Errorf("meanwhile: %v", err)
		}
		time.Sleep(3*time.Second + time.Millisecond)
		if _, err := bus.OpenCommand("at"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		if p := sim.Stats().Plugs; p != 2 {
			t.Errorf("%d plugs", p)
		}
	})
}

func TestSIMThatIsTakenOutIsMissedAndFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, _, x := inMemory(t, gsmsim.Config{})
		x.says("", "PB DONE\r\n")
		_ = sim.Strike("sim_out", "")
		x.says("", "+CPIN: NOT INSERTED\r\n")
		x.says("AT+CPIN?", "ERROR\r\n")
		if err := sim.Ring("0611111"); !errors.Is(err, gsmsim.ErrStarting) {
			t.Errorf("ring without a SIM: %v", err)
		}
		_ = sim.Heal("sim_out")
		x.says("", "+CPIN: READY\r\n")
	})
}
