package gsm_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/line/linetest"
)

// A message blocks the command port until its final result. Before the modem has the text it can be taken
// back; afterwards a caller hears the ringing tone for as long as the network takes, and is answered first.
func TestACallerGoesBeforeAMessageThatIsBeingSent(t *testing.T) {
	tests := map[string]struct {
		faults  gsmsim.Faults
		network time.Duration // that the network takes for the message
		within  time.Duration // of the answer
		sent    error
	}{
		"the modem asks for no text: the message is taken back": {gsmsim.Faults{LosePrompt: true}, 0, 2 * time.Second, line.ErrBusy},
		"the network takes its time: the call is the next":      {gsmsim.Faults{}, 20 * time.Second, 20 * time.Second, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				box := linetest.NewLetterbox()
				d := newDesk(t, func(s *gsmsim.Config, g *gsm.Config) { s.SendTime, g.Inbox = tt.network, box })
				if !d.until(serviceBar, func() bool { return d.up }) {
					t.Fatalf("never in service: %+v", d.status)
				}
				time.Sleep(5 * time.Second) // what was stored is looked through
				d.sim.SetFaults(func(f *gsmsim.Faults) { *f = tt.faults })
				outcome := make(chan error, 1)
				go func() {
					_, err := d.line.SendPart(t.Context(), line.OutgoingMessage{To: "+393331234567", Text: "ciao"}, 0)
					outcome <- err
				}()
				synctest.Wait() // the modem has the command
				rang := time.Now()
				if err := d.sim.Ring("+39061"); err != nil {
					t.Fatal(err)
				}
				if !d.until(time.Minute, func() bool { return d.answered == 1 }) {
					t.Fatal("the caller is not answered")
				}
				if took := time.Since(rang); took > tt.within+2*time.Second {
					t.Errorf("the caller was answered after %v", took)
				}
				if err := <-outcome; !errors.Is(err, tt.sent) {
					t.Errorf("the message: %v, want %v", err, tt.sent)
				}
				want := 0
				if tt.sent == nil {
					want = 1
				}
				if got := d.sim.SentMessages(); len(got) != want {
					t.Errorf("the network has %v", got)
				}
				if err := d.sim.RemoteHangup(); err != nil {
					t.Error(err)
				}
				d.until(time.Minute, func() bool { return d.ended == 1 })
			})
		})
	}
}

// What is not let in stays on the SIM and with the centre; the line goes on taking calls, and nothing is
// lost when there is room again.
func TestAFloodOfMessagesThatIsNotLetInCostsNoCallAndLosesNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := linetest.NewLetterbox()
		allowed := 100
		box.Hold(func(line.ReceivedPart) error { // called by the line's owner alone
			if allowed == 0 {
				return errors.New("no more within this hour")
			}
			allowed--
			return nil
		})
		d := newDesk(t, func(_ *gsmsim.Config, g *gsm.Config) { g.Inbox = box })
		if !d.until(serviceBar, func() bool { return d.up }) {
			t.Fatalf("never in service: %+v", d.status)
		}
		if err := d.sim.Flood(2000); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if n := len(box.All()); n != 100 {
			t.Errorf("%d came in", n)
		}
		if inside, waiting := d.sim.Stored(); inside == 0 || inside+waiting != 1900 {
			t.Errorf("%d are stored, %d wait at the centre", inside, waiting)
		}
		if took := d.served(t, time.Minute); took > 10*time.Second {
			t.Errorf("a caller waits %v", took)
		}
		box.Hold(nil)
		time.Sleep(30 * time.Minute)
		if n := len(box.All()); n != 2000 {
			t.Errorf("%d came in in the end", n)
		}
	})
}
