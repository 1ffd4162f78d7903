package lab

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/fxo/fxosim"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// An agent at a SIP phone presses R and 2: the exchange behind the analog line connects who waits, and the agent hears it.
func TestAgentTakesTheSecondCallerOfAnAnalogLine(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: it builds and runs a whole office")
	}
	bench, err := pbxtest.NewBench("../../prontod", "../../recordd", "../../prontoctl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := bench.Close(); err != nil {
			t.Error(err)
		}
	}()
	o := bench.Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1, Analog: true})
	first := tone.Generator{Hz: 600}
	recalls := make(chan struct{}, 8)
	sim, err := fxosim.New(fxosim.Config{
		Path: filepath.Join(o.Dir, "modem1-fxo"), Line: fxosim.Line{Recall: true, Hum: 60, Noise: 40},
		Source: func(f *fxosim.Frame) { first.Fill(f[:]) }, Recall: func() { recalls <- struct{}{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	}()
	calls := make(chan *peer.Call, 1)
	phone, err := peer.New(peer.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Box: o.SIP, User: "201", Password: pbxtest.Password(201), Hz: 560, Law: tone.ALaw,
		Incoming: func(c *peer.Call) { calls <- c },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer phone.Close()
	phone.KeepRegistered(10 * time.Minute)
	o.Phone(201)
	o.Line("line:fxo0", true)
	if err := sim.Ring("0551234567"); err != nil {
		t.Fatal(err)
	}
	var c *peer.Call
	select {
	case c = <-calls:
	case <-time.After(30 * time.Second):
		t.Fatal("the agent's phone does not ring")
	}
	if !c.Answer() {
		t.Fatal("the call is gone")
	}
	hears := func(want, other int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			pcm := c.Audio().Heard()
			if pcm = pcm[max(0, len(pcm)-tone.Rate/2):]; len(pcm) == tone.Rate/2 && tone.Heard(pcm, want, other) == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the agent does not hear %d Hz", want)
			}
		}
	}
	swaps := func() {
		t.Helper()
		c.Audio().Press("!")
		select {
		case <-recalls:
		case <-time.After(20 * time.Second):
			t.Fatal("the exchange recognised no flash")
		}
		hears(425, 600)
		c.Audio().Press("2")
	}
	hears(600, secondHz)
	if err := sim.Wait(secondHz); err != nil {
		t.Fatal(err)
	}
	swaps()
	hears(secondHz, 600)
	swaps()
	hears(600, secondHz)
	c.Hangup()
}
