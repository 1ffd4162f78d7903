package gsm_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
)

// heardOf is a modem for gammu, and what the network hears of its calls.
func heardOf(t *testing.T) (j *judge, dialled chan string, over chan struct{}, pressed chan byte) {
	t.Helper()
	dialled, over, pressed = make(chan string, 1), make(chan struct{}, 1), make(chan byte, 8)
	j = newJudge(t, func(c *gsmsim.Config) {
		c.Dialed = func(n string) { dialled <- n }
		c.Ended = func() { over <- struct{}{} }
		c.Digit = func(d byte) { pressed <- d }
		c.Connect = time.Millisecond
	})
	return j, dialled, over, pressed
}

// heard waits for what gammu has set off already.
func heard[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("the network hears no %s", what)
		panic("unreachable")
	}
}

// rings is a caller of the network, who reaches a modem that has started.
func (j *judge) rings(t *testing.T) {
	t.Helper()
	err := j.sim.Ring("+393331234567")
	for ; errors.Is(err, gsmsim.ErrStarting); err = j.sim.Ring("+393331234567") {
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestGammuDialsThroughTheSimulatedModemAndHangsUp(t *testing.T) {
	j, dialled, over, pressed := heardOf(t)
	j.run("dialvoice", "+390612345678")
	if n := heard(t, "call", dialled); n != "+390612345678" {
		t.Errorf("the network hears a call to %q", n)
	}
	if err := j.sim.RemoteAlert(); err != nil {
		t.Fatal(err)
	}
	if err := j.sim.RemoteAnswer(); err != nil {
		t.Fatal(err)
	}
	j.run("senddtmf", "7")
	if d := heard(t, "key", pressed); d != '7' {
		t.Errorf("the network hears key %q", d)
	}
	j.run("cancelcall")
	heard(t, "hang-up", over)
	if err := j.sim.RemoteHangup(); !errors.Is(err, gsmsim.ErrNoCall) {
		t.Errorf("a call is left: %v", err)
	}
}

func TestGammuAnswersACallerOfTheSimulatedNetwork(t *testing.T) {
	j, _, over, _ := heardOf(t)
	j.rings(t)
	if err := j.sim.RemoteDTMF('1'); !errors.Is(err, gsmsim.ErrNoCall) {
		t.Errorf("it talks before anybody has answered: %v", err)
	}
	j.run("answercall")
	// The modem says OK to ATA before the network has connected.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if j.sim.RemoteDTMF('1') == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody has answered")
		}
	}
	if err := j.sim.RemoteHangup(); err != nil {
		t.Fatal(err)
	}
	heard(t, "end", over)
}

func TestGammuRefusesACallerOfTheSimulatedNetwork(t *testing.T) {
	j, _, over, _ := heardOf(t)
	j.rings(t)
	j.run("cancelcall")
	heard(t, "refusal", over)
}
