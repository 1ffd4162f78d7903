package lab

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The bars of a line.
const (
	// cpuBar is prontod's processor time per second of the only call, in ms, above that of an idle line. Most
	// of it is the kernel waking up a process that sleeps otherwise; more calls share it.
	cpuBar = 25.0
	ramBar = 64 // MB of prontod with a line that is idle, and with one in a call
	talk   = 20 * time.Second
)

// A caller of the mobile network talks with an agent at a SIP phone: what that costs prontod.
func BenchmarkLineInACall(b *testing.B) {
	bench, err := pbxtest.NewBench("../../prontod", "../../recordd", "../../prontoctl")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = bench.Close() }()
	o := bench.Start(b, pbxtest.Setup{Agents: 1, LoggedIn: 1, Modem: true})
	voice := tone.Generator{Hz: 520}
	sim, err := gsmsim.New(gsmsim.Config{
		Command: filepath.Join(o.Dir, "modem0-at"), Audio: filepath.Join(o.Dir, "modem0-pcm"),
		Source: func(f *[gsmsim.FrameSamples]int16) { voice.Fill(f[:]) },
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = sim.Close() }()
	phone, err := peer.New(peer.Config{
		Listen: netip.AddrPortFrom(o.SIP.Addr(), 0), Box: o.SIP, User: "201", Password: pbxtest.Password(201), Hz: 640, Law: tone.ALaw,
		Incoming: func(c *peer.Call) { c.Ring(); c.Answer() },
	})
	if err != nil {
		b.Fatal(err)
	}
	defer phone.Close()
	phone.KeepRegistered(10 * time.Minute)
	o.Line("line:gsm0", true)
	o.Lamp(201, tel.AgentReady)
	idle := o.Resident()
	rest := o.CPU()
	time.Sleep(talk)
	rest = o.CPU() - rest
	for b.Loop() {
		if err := sim.Ring("+393331234567"); err != nil {
			b.Fatal(err)
		}
		o.Lamp(201, tel.AgentTalking)
		cpu, heard, start := o.CPU(), sim.Stats(), time.Now()
		time.Sleep(talk) // the span that is measured
		used, seconds := o.CPU()-cpu-rest, time.Since(start).Seconds()
		after := sim.Stats()
		if got, want := after.FramesHeard-heard.FramesHeard, uint64(talk/(20*time.Millisecond)*9/10); got < want {
			b.Errorf("the caller heard %d frames of %d: the figures say nothing", got, want)
		}
		perSecond := used.Seconds() * 1000 / seconds
		ram := float64(max(idle, o.Resident())) / (1 << 20)
		if perSecond > cpuBar {
			b.Errorf("%.2f ms of processor time per second of a call; the bar is %v", perSecond, cpuBar)
		}
		if ram > ramBar {
			b.Errorf("%.1f MB in RAM; the bar is %v", ram, ramBar)
		}
		b.ReportMetric(perSecond, "cpu-ms/call-s")
		b.ReportMetric(rest.Seconds()*1000/talk.Seconds(), "idle-cpu-ms/s")
		b.ReportMetric(float64(after.FramesMissing-heard.FramesMissing), "frames-missing")
		b.ReportMetric(float64(idle)/(1<<20), "idle-MB")
		b.ReportMetric(ram, "MB")
		if err := sim.RemoteHangup(); err != nil {
			b.Fatal(err)
		}
		o.Lamp(201, tel.AgentReady)
	}
}
