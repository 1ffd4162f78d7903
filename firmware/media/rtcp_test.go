package media

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

// rtcpPhone gives a phone a second socket for RTCP and configures its leg with it.
func rtcpPhone(t *testing.T, e *Engine) (p *phone, control *net.UDPConn, box netip.AddrPort) {
	t.Helper()
	control, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 33)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = control.Close() })
	m := pcmu
	m.RemoteRTCP = control.LocalAddr().(*net.UDPAddr).AddrPort()
	p = join(t, e, "127.0.0.33", m, nil)
	_, port := p.leg.Ports()
	return p, control, netipPort(p.to, port)
}

// reportNow makes the leg's next report due and waits for it.
func reportNow(t *testing.T, p *phone, conn *net.UDPConn) []rtcp.Packet {
	t.Helper()
	if err := p.leg.ask(func(l *loop) error {
		p.leg.reportAt = 0
		l.tendLeg(p.leg)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2000)
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	n, err := conn.Read(b)
	if err != nil {
		t.Fatalf("no report came: %v", err)
	}
	packets, err := rtcp.Unmarshal(b[:n])
	if err != nil {
		t.Fatal(err)
	}
	return packets
}

func TestReportsTellLossAndMeasureTheRoundTrip(t *testing.T) {
	e := startEngine(t, 22400, 22407, nil)
	a, control, box := rtcpPhone(t, e)
	b := join(t, e, "127.0.0.34", pcmu, nil)
	if err := e.Bridge(a.leg, b.leg); err != nil {
		t.Fatal(err)
	}
	b.send("to a")
	a.receive()
	a.send("1")
	a.seq += 2
	a.send("2")
	settle(t, a.leg)

	sr, ok := reportNow(t, a, control)[0].(*rtcp.SenderReport)
	if !ok || sr.PacketCount != 1 || sr.OctetCount != 4 || len(sr.Reports) != 1 || sr.Reports[0].TotalLost != 2 || sr.Reports[0].FractionLost != 128 {
		t.Fatalf("the box reports %+v", sr)
	}
	// The phone answers after 250 ms on its own clock: only the rest is the round trip.
	answer := &rtcp.SenderReport{
		SSRC: a.ssrc, NTPTime: 0x1111_2222_3333_4444,
		Reports: []rtcp.ReceptionReport{{
			SSRC: sr.SSRC, TotalLost: 0xfffffe, Jitter: 80,
			LastSenderReport: uint32(ntp(time.Now().Add(-350*time.Millisecond)) >> 16), Delay: 65536 / 4,
		}},
	}
	say := func(from *net.UDPConn, p ...rtcp.Packet) {
		t.Helper()
		raw, err := rtcp.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := from.WriteToUDPAddrPort(raw, box); err != nil {
			t.Fatal(err)
		}
	}
	thief := newPhone(t, "127.0.0.66")
	lie := *answer
	lie.NTPTime = 0x6666_6666_6666_6666
	say(thief.conn, &lie)
	say(control, answer, &rtcp.Goodbye{Sources: []uint32{a.ssrc}})
	settle(t, a.leg)
	s := a.leg.Stats()
	if s.RTT < 95*time.Millisecond || s.RTT > time.Second || s.RemoteLost != -2 || s.RemoteJitter != 10*time.Millisecond || s.Strangers != 1 {
		t.Errorf("stats %+v", s)
	}
	rr := reportNow(t, a, control)[0].(*rtcp.ReceiverReport)
	if got := rr.Reports[0]; got.LastSenderReport != 0x2222_3333 || got.Delay > 65536*uint32(patience/time.Second) {
		t.Errorf("the box echoes %+v", got)
	}
	// A BYE ends nothing: the dialog decides.
	a.send("still here")
	b.hearsFirst("1")
	b.hearsFirst("2")
	b.hearsFirst("still here")
}

func TestReportsShareThePortWhenMultiplexed(t *testing.T) {
	e := startEngine(t, 22410, 22417, nil)
	m := pcmu
	m.RTCPMux = true
	a, b := bridged(t, e, m, pcmu)
	b.send("to a")
	a.receive()
	sr, ok := reportNow(t, a, a.conn)[0].(*rtcp.SenderReport)
	if !ok || sr.PacketCount != 1 {
		t.Fatalf("the box reports %+v", sr)
	}
	raw, err := (&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: sr.SSRC, TotalLost: 3}}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	a.raw(raw)
	a.send("audio")
	b.hearsFirst("audio")
	if s := a.leg.Stats(); s.RemoteLost != 3 || s.Junk != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestAReportOfJunkIsCounted(t *testing.T) {
	e := startEngine(t, 22420, 22423, nil)
	a, control, box := rtcpPhone(t, e)
	for _, junk := range [][]byte{{}, []byte("hello, box"), {0x81, 201, 0xff, 0xff, 0, 0, 0, 0}, {0x9f, 200, 0, 1, 0, 0, 0, 0}} {
		if _, err := control.WriteToUDPAddrPort(junk, box); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, a.leg)
	if s := a.leg.Stats(); s.Junk != 4 {
		t.Errorf("stats %+v", s)
	}
}

func TestReportsComeAboutEveryFiveSeconds(t *testing.T) {
	var sum time.Duration
	const rounds = 10000
	for range rounds {
		d := reportPause(false)
		if d < 2500*time.Millisecond || d > 7500*time.Millisecond {
			t.Fatalf("a pause of %v", d)
		}
		sum += d
	}
	if mean := sum / rounds; mean < 4900*time.Millisecond || mean > 5100*time.Millisecond {
		t.Errorf("mean %v", mean)
	}
}

func TestAClosedLegSaysGoodbye(t *testing.T) {
	e := startEngine(t, 22430, 22437, nil)
	a, control, _ := rtcpPhone(t, e)
	b := join(t, e, "127.0.0.34", pcmu, nil)
	if err := e.Bridge(a.leg, b.leg); err != nil {
		t.Fatal(err)
	}
	b.send("x")
	ssrc := a.receive().SSRC
	a.leg.Close()
	raw := make([]byte, 2000)
	_ = control.SetReadDeadline(time.Now().Add(patience))
	n, err := control.Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	packets, err := rtcp.Unmarshal(raw[:n])
	if err != nil {
		t.Fatal(err)
	}
	bye, ok := packets[len(packets)-1].(*rtcp.Goodbye)
	if !ok || len(bye.Sources) != 1 || bye.Sources[0] != ssrc || binary.BigEndian.Uint16(raw[2:]) == 0 {
		t.Errorf("got %v", packets)
	}
}

func TestSilenceIsReportedOnceUntilPacketsComeAgain(t *testing.T) {
	e := startEngine(t, 22440, 22443, nil)
	a := join(t, e, "127.0.0.33", pcmu, func(c *LegConfig) { c.Timeout = time.Minute })
	tend := func(after time.Duration) {
		t.Helper()
		if err := a.leg.ask(func(l *loop) error {
			l.now = l.engine.now() + after
			l.tendLeg(a.leg)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	timeouts := func() (n int) {
		for _, e := range a.sink.all() {
			if _, ok := e.(Timeout); ok {
				n++
			}
		}
		return n
	}
	tend(59 * time.Second)
	if n := timeouts(); n != 0 {
		t.Fatalf("%d timeouts before the time", n)
	}
	tend(61 * time.Second)
	tend(62 * time.Second)
	if n := timeouts(); n != 1 {
		t.Fatalf("%d timeouts, want 1", n)
	}
	a.send("back")
	await[FirstPacket](t, a.sink)
	tend(63 * time.Second)
	tend(130 * time.Second)
	if n := timeouts(); n != 2 {
		t.Errorf("%d timeouts after a second silence, want 2", n)
	}
	held := pcmu
	held.Direction = sdp.SendOnly // the far end may be silent
	a.configure(held)
	tend(1000 * time.Second)
	if n := timeouts(); n != 2 {
		t.Errorf("a held party was reported silent")
	}
}
