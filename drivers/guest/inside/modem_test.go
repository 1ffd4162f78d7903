//go:build guest

package inside

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim/farend"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/drivers/serialport/wire"
)

// board is the electronics of a simulated modem: its firmware (gsmsim) behind two functions of a gadget.
// The modem restarts and is pulled out when gsmsim says so.
type board struct {
	g              *gadget
	command, audio int // interfaces; audio -1: this modem's sound is not on USB
}

// ports opens the firmware's ends and puts the modem into its socket. They are open before the plug is in:
// what the box said first would be echoed otherwise.
func (b board) ports() (command, audio serialport.Stream, err error) {
	at, err := serialport.OpenAudio(b.g.ttys[b.command])
	if err != nil {
		return nil, nil, err
	}
	pcm := serialport.Stream(new(wire.Bus).Plug("unheard"))
	if b.audio >= 0 {
		if pcm, err = serialport.OpenAudio(b.g.ttys[b.audio]); err != nil {
			return nil, nil, errors.Join(err, at.Close())
		}
	}
	if err := b.g.connect(true); err != nil {
		return nil, nil, errors.Join(err, at.Close(), pcm.Close())
	}
	var pulled sync.Once
	pull := func() (err error) {
		pulled.Do(func() { err = b.g.connect(false) })
		return err
	}
	return end{at, pull}, end{pcm, pull}, nil
}

// end is one of the firmware's ports. The first that closes pulls the plug: a tty of a gadget that is
// still connected would wait for its last bytes.
type end struct {
	serialport.Stream
	pull func() error
}

func (e end) Close() error { return errors.Join(e.pull(), e.Stream.Close()) }

// brisk are the waits of the driver in the guest: those of a modem without a radio, on a slow processor.
var brisk = gsm.Timing{
	Announce: 500 * time.Millisecond, RingGap: 10 * time.Second, Command: 20 * time.Second,
	AudioOn: 20 * time.Second, AudioTry: 100 * time.Millisecond, Poll: time.Second,
	Rung:  [3]time.Duration{time.Second, time.Second, time.Second},
	Cause: 2 * time.Second, Settle: 100 * time.Millisecond, Probe: time.Second,
	Reply: 5 * time.Second, Health: 2 * time.Second, Survey: 5 * time.Second, BootGrace: 30 * time.Second,
	Network: 5 * time.Second, Rest: 500 * time.Millisecond,
	Reopen: []time.Duration{100 * time.Millisecond},
}

// openLine is our driver on an EC25 in the given socket. edit may change both.
func openLine(t *testing.T, socket int, edit func(*gsmsim.Config, *gsm.Config)) (*gsm.Modem, *farend.End) {
	t.Helper()
	b := board{newGadget(t, socket, quectel, ec25, interfaces), commandPort, audioPort}
	sc := gsmsim.Config{
		Model: "EC25", IMEI: fmt.Sprintf("86000000000000%d", socket), RingEvery: time.Second, Connect: 20 * time.Millisecond, Ports: b.ports,
	}
	gc := gsm.Config{ID: "gsm0", Name: "Mobile", Timing: brisk, Locate: gsm.OnUSB("/sys", "/dev", ""), Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if edit != nil {
		edit(&sc, &gc)
	}
	far, err := farend.New(sc)
	must(t, err)
	t.Cleanup(func() { must(t, far.Close()) })
	m, err := gsm.Open(gc)
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("health %+v", m.Health())
			_ = m.Recorder().Dump(t.Output())
		}
		_ = m.Close()
	})
	return m, far
}
