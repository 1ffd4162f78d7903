package gsm_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/drivers/serialport/wire"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// stranger is a device at a modem's port that is none: it may chatter, and answer what it is told.
func stranger(port *wire.Port, every time.Duration, chatter string, answer func(string) string) {
	quit := make(chan struct{})
	if every > 0 {
		go func() {
			t := time.NewTicker(every)
			defer t.Stop()
			for {
				select {
				case <-t.C:
					_ = port.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
					_, _ = port.Write([]byte(chatter))
				case <-quit:
					return
				}
			}
		}()
	}
	go func() {
		defer close(quit)
		buf := make([]byte, 512)
		for {
			n, err := port.Read(buf)
			if err != nil {
				return
			}
			if answer != nil {
				_ = port.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
				_, _ = port.Write([]byte(answer(string(buf[:n]))))
			}
		}
	}()
}

func TestAnotherDeviceAtThePortIsAFaultWithANameAndTheOtherLinesGoOn(t *testing.T) {
	garbage := strings.Repeat("\x81\xfe\x03\r\n", 60)
	tests := map[string]struct {
		every   time.Duration
		chatter string
		answer  func(string) string
		reads   bool
		want    tel.LineCause
	}{
		"a receiver of satellites":     {time.Second, "$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n", nil, true, tel.LineNotModem},
		"a plug that sends all back":   {0, "", func(s string) string { return s }, true, tel.LineNotModem},
		"a device that refuses all":    {0, "", func(string) string { return "\r\nERROR\r\n" }, true, tel.LineNotModem},
		"a device that agrees to all":  {0, "", func(string) string { return "\r\nOK\r\n" }, true, tel.LineNotModem},
		"a UART at the wrong speed":    {20 * time.Millisecond, garbage, nil, true, tel.LineNotModem},
		"a device that says nothing":   {0, "", nil, true, tel.LineModemMute},
		"a device that takes no bytes": {0, "", nil, false, tel.LineModemMute},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				other := newDesk(t, nil)
				bus := &wire.Bus{}
				port := bus.Plug("at")
				if tt.reads {
					stranger(port, tt.every, tt.chatter, tt.answer)
				}
				line, err := gsm.Open(gsm.Config{ID: "gsm1", Bus: bus, Locate: gsm.AtPaths("at", "")})
				if err != nil {
					t.Fatal(err)
				}
				named := make(chan tel.LineCause, 64)
				done := make(chan struct{})
				go func() {
					defer close(done)
					for e := range line.Events() {
						select {
						case named <- e.Status.Cause:
						default:
						}
					}
				}()
				for cause := range named {
					if cause == tt.want {
						break
					}
					if cause != tel.LineNoModem {
						t.Fatalf("the page says %q, want %q", cause, tt.want)
					}
				}
				if took := other.served(t, time.Minute); took > 10*time.Second {
					t.Errorf("a caller of another line waits %v", took)
				}
				if err := line.Close(); err != nil {
					t.Error(err)
				}
				<-done
				_ = port.Close()
			})
		})
	}
}

// twoModems are two modems on one bus, at sockets that may be swapped.
type twoModems struct {
	bus   *wire.Bus
	sims  [2]*gsmsim.Sim
	names [2]string // of their ports, owned by who plugs
}

func newTwoModems(t *testing.T) *twoModems {
	two := &twoModems{bus: &wire.Bus{}, names: [2]string{"1", "2"}}
	for i := range two.sims {
		sim, err := gsmsim.New(gsmsim.Config{
			IMEI: []string{"860000000000001", "860000000000002"}[i], ICCID: []string{"8939010000000000001", "8939010000000000002"}[i],
			Ports: func() (command, audio serialport.Stream, err error) {
				return two.bus.Plug("at" + two.names[i]), two.bus.Plug("pcm" + two.names[i]), nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		two.sims[i] = sim
		t.Cleanup(func() { _ = sim.Close() })
	}
	return two
}

func (two *twoModems) locate() ([]gsm.Ports, error) {
	return []gsm.Ports{{Command: "at1", Audio: "pcm1"}, {Command: "at2", Audio: "pcm2"}}, nil
}

// lineOf opens a line of the two modems; it tells who calls it.
func (two *twoModems) lineOf(t *testing.T, id gsm.Identity) *desk {
	return newDesk(t, func(s *gsmsim.Config, g *gsm.Config) {
		s.Boot = time.Hour // its own modem stays out of the way
		g.Bus, g.Locate, g.Identity = two.bus, two.locate, id
	})
}

func TestALineIsItsModemWhateverItsPortsAreCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		two := newTwoModems(t)
		first := two.lineOf(t, gsm.Identity{IMEI: "860000000000001"})
		second := two.lineOf(t, gsm.Identity{ICCID: "8939010000000000002"})
		for range 3 {
			for i, d := range []*desk{first, second} {
				if !d.until(serviceBar, func() bool { return d.up }) {
					t.Fatalf("line %d: %+v", i, d.status)
				}
				if h := d.line.Health(); h.IMEI != []string{"860000000000001", "860000000000002"}[i] {
					t.Errorf("line %d is modem %s", i, h.IMEI)
				}
			}
			for _, sim := range two.sims {
				if err := sim.Unplug(); err != nil {
					t.Fatal(err)
				}
			}
			for _, d := range []*desk{first, second} {
				d.until(serviceBar, func() bool { return !d.up })
			}
			two.names[0], two.names[1] = two.names[1], two.names[0] // each in the other's socket
			for _, sim := range two.sims {
				if err := sim.Plug(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestTwoLinesWithoutAnIdentityTakeAModemEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		two := newTwoModems(t)
		first, second := two.lineOf(t, gsm.Identity{}), two.lineOf(t, gsm.Identity{})
		for i, d := range []*desk{first, second} {
			if !d.until(serviceBar, func() bool { return d.up }) {
				t.Fatalf("line %d: %+v", i, d.status)
			}
		}
		if a, b := first.line.Health().IMEI, second.line.Health().IMEI; a == b {
			t.Errorf("both are %s", a)
		}
	})
}

func TestAModemOrASIMThatIsNotTheLinesIsAFaultWithAName(t *testing.T) {
	for name, id := range map[string]gsm.Identity{
		"another modem": {IMEI: "860000000000009"}, "another SIM": {IMEI: "860000000000001", ICCID: "8939010000000000002"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				two := newTwoModems(t)
				d := two.lineOf(t, id)
				if !d.until(serviceBar, func() bool { return d.status.Cause == tel.LineOtherModem }) {
					t.Errorf("the page says %q", d.status.Cause)
				}
				if n := two.sims[0].Stats().Resets + two.sims[1].Stats().Resets; n != 0 {
					t.Errorf("foreign modems were restarted %d times", n)
				}
			})
		})
	}
}
