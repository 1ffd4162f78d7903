//go:build guest

package inside

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim/farend"
	"github.com/pronto-pbx/pronto/drivers/serialport"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/line/linetest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestALineBehindTheOptionDriverKeepsTheContract(t *testing.T) {
	linetest.Run(t, func(t *testing.T) linetest.Rig {
		m, far := openLine(t, 0, nil)
		return linetest.Rig{Line: m, Far: far}
	})
}

func TestALineBehindTheOptionDriverKeepsTheContractOfMessages(t *testing.T) {
	linetest.RunMessages(t, func(t *testing.T) linetest.PostRig {
		box := linetest.NewLetterbox()
		m, far := openLine(t, 0, func(_ *gsmsim.Config, g *gsm.Config) { g.Inbox = box })
		return linetest.PostRig{Rig: linetest.Rig{Line: m, Far: far}, Centre: far, Box: box}
	})
}

// await reads events until one of the kind comes.
func await(t *testing.T, m *gsm.Modem, kind line.EventKind, match func(line.Event) bool) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e, ok := <-m.Events():
			if !ok {
				t.Fatal("the events ended")
			}
			if e.Kind == kind && (match == nil || match(e)) {
				return
			}
		case <-timeout:
			t.Fatalf("event %d did not come", kind)
		}
	}
}

func inService(e line.Event) bool    { return e.Status.Up }
func outOfService(e line.Event) bool { return !e.Status.Up }

// talk brings a caller to Connected on a line in service.
func talk(t *testing.T, m *gsm.Modem, far *farend.End) line.Media {
	t.Helper()
	must(t, far.Ring("+393331234567"))
	await(t, m, line.Incoming, nil)
	must(t, m.Answer(t.Context()))
	await(t, m, line.Connected, nil)
	media, err := m.Media()
	must(t, err)
	return media
}

// Another program holds two of the modem's ports open over the replug, so that the kernel gives others.
func TestAReplugInACallUnderOtherNumbersIsTheSameLine(t *testing.T) {
	found := make(chan gsm.Ports, 64)
	m, far := openLine(t, 0, func(_ *gsmsim.Config, g *gsm.Config) {
		locate := g.Locate
		g.Locate = func() ([]gsm.Ports, error) {
			p, err := locate()
			if err == nil {
				found <- p[0]
			}
			return p, err
		}
	})
	await(t, m, line.Status, inService)
	before, imei := <-found, m.Health().IMEI
	d := discovered(t, interfaces)
	stranger := []*serialport.Audio{audio(t, d, 0), audio(t, d, 3)}
	talk(t, m, far)
	must(t, far.Unplug())
	await(t, m, line.Ended, nil)
	await(t, m, line.Status, outOfService)
	must(t, far.Plug())
	await(t, m, line.Status, inService)
	after := <-found
	for len(found) > 0 { // tries that met a port which was just going
		after = <-found
	}
	if after.Command == before.Command || after.Audio == before.Audio {
		t.Errorf("the ports are %+v as before: nothing was renumbered", after)
	}
	if now := m.Health().IMEI; now != imei || imei == "" {
		t.Errorf("the modem was %q and is %q", imei, now)
	}
	if err := linetest.BothWays(talk(t, m, far), far); err != nil {
		t.Errorf("a call after the replug: %v", err)
	}
	for _, s := range stranger {
		must(t, s.Close())
	}
}

func TestAudioThatStallsInACallLeavesTheCallAndTheNextOneIsHeard(t *testing.T) {
	m, far := openLine(t, 0, nil)
	await(t, m, line.Status, inService)
	media := talk(t, m, far)
	far.SetFaults(func(f *gsmsim.Faults) { f.SoundStall = true })
	until(t, "the port to take no more", func() bool { return media.Stats().Overruns > 0 })
	must(t, m.SendDTMF(t.Context(), "7"))
	select {
	case d := <-far.Pressed():
		if d != '7' {
			t.Errorf("the far end got %q", d)
		}
	case <-time.After(patience):
		t.Error("no digit passes while the audio stalls")
	}
	if _, err := m.Media(); err != nil {
		t.Errorf("the call has lost its audio for good: %v", err)
	}
	must(t, m.Hangup(t.Context(), tel.CauseNormal))
	await(t, m, line.Ended, nil)
	far.SetFaults(func(f *gsmsim.Faults) { f.SoundStall = false })
	// An audio endpoint that has gone bad is cured by a restart between calls, and by nothing else.
	await(t, m, line.Status, outOfService)
	await(t, m, line.Status, inService)
	if err := linetest.BothWays(talk(t, m, far), far); err != nil {
		t.Errorf("the next call: %v", err)
	}
}
