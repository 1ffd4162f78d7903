package media

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/rtp"
	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/trace/capture"
)

// permitted is a ring that keeps everything, with a call in it.
func permitted(t testing.TB) (*capture.Ring, *capture.Call) {
	t.Helper()
	r := capture.New(capture.Limits{})
	r.Permit(time.Now().Add(time.Hour))
	return r, r.Call("c1")
}

// traces has legs traced, and returns when they are.
func traces(t testing.TB, c *capture.Call, all ...*Leg) {
	t.Helper()
	for _, g := range all {
		g.engine.Trace(g.id, c)
		if err := g.ask(func(*loop) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
}

// unmarshal reads a kept packet with another library.
func unmarshal(t testing.TB, k capture.Packet) *rtp.Packet {
	t.Helper()
	p := new(rtp.Packet)
	if err := p.Unmarshal(k.Bytes); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestATraceHasWhatALegReceivedAndSentAndNothingOfOthers(t *testing.T) {
	e := startEngine(t, 24210, 24229, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	c, d := bridged(t, e, pcmu, pcmu)
	r, call := permitted(t)
	a.send("before")
	b.hearsFirst("before")
	traces(t, call, a.leg, b.leg)
	sent := a.packet([]byte("hello"))
	a.put(sent)
	heard := b.receive()
	c.send("of nobody's business")
	d.hearsFirst("of nobody's business")
	stranger := newPhone(t, "127.0.0.35")
	stranger.to = a.to
	stranger.send("stranger")
	settle(t, a.leg)
	if err := a.leg.ask(func(l *loop) error { l.sendReport(a.leg); return nil }); err != nil {
		t.Fatal(err)
	}
	traces(t, nil, a.leg, b.leg)
	a.send("after")
	b.hearsFirst("after")
	var audio, control []capture.Packet
	for _, k := range r.Packets("c1") {
		if k.Control {
			control = append(control, k)
		} else {
			audio = append(audio, k)
		}
	}
	if len(audio) != 2 || len(control) != 1 {
		t.Fatalf("%d packets and %d reports: %+v", len(audio), len(control), r.Packets("c1"))
	}
	want, _ := sent.Marshal()
	if k := audio[0]; k.Out || k.Remote != a.addr() || k.LocalPort != a.to.Port() || !bytes.Equal(k.Bytes, want) || k.Secured || k.Covered != capture.Whole {
		t.Errorf("received: %+v, want %x of %v", k, want, a.addr())
	}
	want, _ = heard.Marshal()
	if k := audio[1]; !k.Out || k.Remote != b.addr() || k.LocalPort != b.to.Port() || !bytes.Equal(k.Bytes, want) {
		t.Errorf("sent: %+v, want %x to %v", k, want, b.addr())
	}
	if k := control[0]; !k.Out || k.LocalPort != a.to.Port()+1 || k.Bytes[1] != rtcpSR && k.Bytes[1] != rtcpRR {
		t.Errorf("a report: %+v", k)
	}
	if id := a.leg.ID(); e.legs.find(id) == nil {
		t.Error("the leg is not known")
	}
	for _, p := range []*phone{a, b, c, d} {
		p.leg.Close()
		_ = p.leg.Stats()
	}
	if err := e.Close(); err != nil || len(e.legs.all) != 0 {
		t.Errorf("%d legs that are gone are still known (%v)", len(e.legs.all), err)
	}
	e.Trace(a.leg.ID(), call) // of who is gone
}

func TestATraceOfSRTPIsPlainAndHasNoKey(t *testing.T) {
	e := startEngine(t, 24230, 24233, nil)
	a := secretly(t, e, "127.0.0.33", testKey(1), testKey(2))
	b := secretly(t, e, "127.0.0.34", testKey(3), testKey(4))
	bridge(t, a.phone, b.phone)
	r, call := permitted(t)
	traces(t, call, a.leg, b.leg)
	p := a.packet([]byte("hello"))
	a.raw(a.sealed(p))
	a.raw(append([]byte{0x80, 0, 0, 1, 0, 0, 0, 1, 0x11, 0x22, 0x33, 0x44}, make([]byte, 30)...)) // without the key
	b.receive()
	settle(t, a.leg)
	plain, _ := p.Marshal()
	got := r.Packets("c1")
	if len(got) != 2 || !bytes.Equal(got[0].Bytes, plain) || !got[0].Secured || string(unmarshal(t, got[1]).Payload) != "hello" || !got[1].Secured {
		t.Errorf("%+v, want %x", got, plain)
	}
}

func TestATraceTellsNoKeyThatWasPressed(t *testing.T) {
	e := startEngine(t, 24234, 24239, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	r, call := permitted(t)
	traces(t, call, a.leg, b.leg)
	tone, _ := dsp.Digits("5", 100*time.Millisecond, 100*time.Millisecond)
	inband := dsp.NewGenerator(tone)
	enc := codec.NewEncoder(codec.PCMU)
	for range 10 { // the tone, that some phones send beside
		var f line.Frame
		inband.Next(f[:])
		payload := make([]byte, 160)
		enc.Encode(payload, f[:])
		a.put(a.packet(payload))
		b.receive()
	}
	event := a.packet([]byte{5, 0x8a, 3, 0x20})
	event.PayloadType = 101
	a.put(event)
	b.receive()
	foreign := a.packet([]byte("digits of another kind"))
	foreign.PayloadType = 99
	a.put(foreign)
	settle(t, a.leg)
	events, sounds, unknown := 0, 0, 0
	for _, k := range r.Packets("c1") {
		p := unmarshal(t, k)
		switch {
		case k.Control:
		case p.PayloadType == 101:
			events++
			if !bytes.Equal(p.Payload, []byte{0xff, 0x8a, 3, 0x20}) || k.Covered != capture.Key {
				t.Errorf("an event: %x", p.Payload)
			}
		case p.PayloadType == 99:
			unknown++
			if k.Covered != capture.Unknown || bytes.Contains(k.Bytes, []byte("digits")) {
				t.Errorf("of a type that was not agreed: %q", p.Payload)
			}
		default:
			sounds++
			if k.Covered != capture.Key || !allOf(p.Payload, 0xff) {
				t.Errorf("sound beside a key: %x", p.Payload[:8])
			}
		}
	}
	if events != 2 || unknown != 1 || sounds != 20 {
		t.Errorf("%d events, %d of another type, %d of sound", events, unknown, sounds)
	}
}

func allOf(b []byte, want byte) bool { return len(bytes.Trim(b, string([]byte{want}))) == 0 }

// Keys that come as tones alone are found in the sound, of every codec, and no receiver finds them in the trace.
func TestATraceHasNoTonesOfKeys(t *testing.T) {
	for _, id := range []codec.ID{codec.PCMA, codec.PCMU, codec.G722} {
		t.Run(id.String(), func(t *testing.T) {
			e := startEngine(t, 24240, 24245, nil)
			m := eventless(id)
			a, b := bridged(t, e, m, m)
			r, call := permitted(t)
			traces(t, call, a.leg, b.leg)
			tone, _ := dsp.Digits("4929", 100*time.Millisecond, 100*time.Millisecond)
			g := dsp.NewGenerator(tone)
			enc := codec.NewEncoder(id)
			var told []byte
			for range 60 {
				var f line.Frame
				g.Next(f[:])
				payload := make([]byte, 160)
				enc.Encode(payload, f[:])
				told = append(told, payload...)
				a.put(a.packet(payload))
				b.receive()
			}
			settle(t, a.leg)
			streams := map[bool][]byte{}
			for _, k := range r.Packets("c1") {
				if !k.Control {
					streams[k.Out] = append(streams[k.Out], unmarshal(t, k).Payload...)
				}
			}
			heard := func(b []byte) string {
				pcm := make([]int16, len(b))
				codec.NewDecoder(id).Decode(pcm, b)
				return keysIn(pcm)
			}
			if heard(told) != "4929" {
				t.Fatalf("the tones say %q", heard(told))
			}
			for out, b := range streams {
				if len(b) != 60*160 || heard(b) != "" {
					t.Errorf("out %v: %d bytes tell %q", out, len(b), heard(b))
				}
			}
			if len(streams) != 2 {
				t.Errorf("%d streams", len(streams))
			}
		})
	}
}

func TestATracedPacketAllocatesNothing(t *testing.T) {
	e := startEngine(t, 24246, 24249, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	r, call := permitted(t)
	traces(t, call, a.leg, b.leg)
	a.send("x")
	b.hearsFirst("x")
	raw, err := a.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	audio, _ := a.packet(make([]byte, 160)).Marshal()
	var per float64
	err = raw.Control(func(fd uintptr) {
		sender := &socket{fd: int(fd), family: unix.AF_INET}
		to := sender.address(a.to)
		if err := a.leg.ask(func(l *loop) error {
			e := unix.EpollEvent{Fd: a.leg.rtpSlot, Pad: int32(l.slots[a.leg.rtpSlot].generation)}
			per = testing.AllocsPerRun(2000, func() {
				if audio[3]++; audio[3] == 0 {
					audio[2]++
				}
				if errno := sender.send(audio, &to); errno != 0 {
					panic(errno)
				}
				l.readable(&e)
			})
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.Packets("c1")); per != 0 || n < 4000 {
		t.Errorf("%v allocations per packet; %d were kept", per, n)
	}
}

// BenchmarkTracedPacket is one relayed packet with its system calls, of a leg that is traced and of one that is not.
func BenchmarkTracedPacket(b *testing.B) {
	for name, on := range map[string]bool{"off": false, "on": true} {
		b.Run(name, func(b *testing.B) {
			e := startEngine(b, 24250, 24253, nil)
			from, to := bridged(b, e, pcmu, pcmu)
			_, call := permitted(b)
			if on {
				traces(b, call, from.leg, to.leg)
			}
			audio, _ := from.packet(make([]byte, 160)).Marshal()
			raw, err := from.conn.SyscallConn()
			if err != nil {
				b.Fatal(err)
			}
			if err := raw.Control(func(fd uintptr) {
				sender := &socket{fd: int(fd), family: unix.AF_INET}
				at := sender.address(from.to)
				if err := from.leg.ask(func(l *loop) error {
					e := unix.EpollEvent{Fd: from.leg.rtpSlot, Pad: int32(l.slots[from.leg.rtpSlot].generation)}
					b.ReportAllocs()
					for b.Loop() {
						if audio[3]++; audio[3] == 0 {
							audio[2]++
						}
						if errno := sender.send(audio, &at); errno != 0 {
							b.Error(errno)
							return nil
						}
						l.readable(&e)
					}
					return nil
				}); err != nil {
					b.Error(err)
				}
			}); err != nil {
				b.Fatal(err)
			}
		})
	}
}
