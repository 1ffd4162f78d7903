package media

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

// testKey is a key of the common suite that tests can tell from others.
func testKey(b byte) sdp.Crypto { return suiteKey(sdp.AESCM128SHA80, b) }

func suiteKey(s sdp.Suite, b byte) sdp.Crypto {
	key, salt := s.Sizes()
	return sdp.Crypto{Suite: s, Key: base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, key+salt))}
}

// secret adds keys to the outcome of a negotiation.
func secret(m sdp.Media, send, recv sdp.Crypto) sdp.Media {
	m.SendKey, m.RecvKey = send, recv
	return m
}

// secretPhone is a phone that speaks SRTP.
type secretPhone struct {
	*phone
	in, out *srtp.Context
}

// secretly opens a leg for a phone with SRTP.
func secretly(t testing.TB, e *Engine, host string, send, recv sdp.Crypto) *secretPhone {
	t.Helper()
	p := &secretPhone{phone: join(t, e, host, secret(pcmu, send, recv), nil)}
	p.keys(send, recv)
	return p
}

// keys are the box's: it sends with the first and receives with the second.
func (p *secretPhone) keys(send, recv sdp.Crypto) {
	p.t.Helper()
	for ctx, c := range map[**srtp.Context]sdp.Crypto{&p.in: send, &p.out: recv} {
		key, salt, err := c.Master()
		if err != nil {
			p.t.Fatal(err)
		}
		var options []srtp.ContextOption
		if c.MKI != "" {
			options = append(options, srtp.MasterKeyIndicator([]byte(c.MKI)))
		}
		if *ctx, err = srtp.CreateContext(key, salt, profile(c.Suite), options...); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *secretPhone) sealed(pkt *rtp.Packet) []byte {
	p.t.Helper()
	b, err := pkt.Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	if b, err = p.out.EncryptRTP(nil, b, nil); err != nil {
		p.t.Fatal(err)
	}
	return b
}

// say sends one encrypted packet.
func (p *secretPhone) say(payload string) { p.t.Helper(); p.raw(p.sealed(p.packet([]byte(payload)))) }

// heard is the next packet, decrypted.
func (p *secretPhone) heard() *rtp.Packet {
	p.t.Helper()
	b := make([]byte, 2000)
	_ = p.conn.SetReadDeadline(time.Now().Add(patience))
	n, err := p.conn.Read(b)
	if err != nil {
		p.t.Fatalf("no packet came: %v", err)
	}
	out, err := p.in.DecryptRTP(nil, b[:n], nil)
	if err != nil {
		p.t.Fatalf("what the box sent cannot be decrypted: %v", err)
	}
	pkt := new(rtp.Packet)
	if err := pkt.Unmarshal(out); err != nil {
		p.t.Fatal(err)
	}
	return pkt
}

func (p *secretPhone) hears(want string) {
	p.t.Helper()
	if got := p.heard(); string(got.Payload) != want {
		p.t.Errorf("heard %q, want %q", got.Payload, want)
	}
}

func bridge(t testing.TB, a, b *phone) {
	t.Helper()
	if err := a.leg.engine.Bridge(a.leg, b.leg); err != nil {
		t.Fatal(err)
	}
}

func TestASecretAndAPlainPhoneHearEachOtherInEverySuite(t *testing.T) {
	e := startEngine(t, 22600, 22619, nil)
	for _, s := range []sdp.Suite{sdp.AESCM128SHA80, sdp.AESCM128SHA32, sdp.AEADAES128GCM, sdp.AEADAES256GCM} {
		t.Run(s.String(), func(t *testing.T) {
			a := secretly(t, e, "127.0.0.33", suiteKey(s, 1), suiteKey(s, 2))
			b := join(t, e, "127.0.0.34", pcmu, nil)
			bridge(t, a.phone, b)
			for i := range 3 {
				a.say(fmt.Sprint("secret ", i))
				b.hearsFirst(fmt.Sprint("secret ", i))
				b.send(fmt.Sprint("plain ", i))
				a.hears(fmt.Sprint("plain ", i))
			}
			if st := a.leg.Stats(); st.Suite != s.String() || !st.Fast || st.Received != 3 || st.Sent != 3 || st.Forged != 0 {
				t.Errorf("%+v", st)
			}
			a.leg.Close()
			b.leg.Close()
		})
	}
}

func TestTwoSecretPhonesHearEachOtherEachUnderItsOwnKeys(t *testing.T) {
	e := startEngine(t, 22620, 22627, nil)
	a := secretly(t, e, "127.0.0.33", testKey(1), testKey(2))
	b := secretly(t, e, "127.0.0.34", suiteKey(sdp.AEADAES256GCM, 3), suiteKey(sdp.AEADAES256GCM, 4))
	bridge(t, a.phone, b.phone)
	a.say("from a")
	b.hears("from a")
	b.say("from b")
	a.hears("from b")
}

func TestAKeyIndicatorOfTheFarEndIsUnderstood(t *testing.T) {
	e := startEngine(t, 22630, 22637, nil)
	recv := testKey(2)
	recv.MKI = "31323334" // "1234"
	a := &secretPhone{phone: join(t, e, "127.0.0.33", secret(pcmu, testKey(1), recv), nil)}
	recv.MKI = "1234"
	a.keys(testKey(1), recv)
	b := join(t, e, "127.0.0.34", pcmu, nil)
	bridge(t, a.phone, b)
	a.say("named")
	b.hearsFirst("named")
}

func TestPromptsAndDigitsAreSecretToo(t *testing.T) {
	e := startEngine(t, 22640, 22647, nil)
	a := secretly(t, e, "127.0.0.33", testKey(1), testKey(2))
	if err := a.leg.Play([]Sound{sentence{"hello", 2}}, false, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if got := a.heard(); !strings.HasPrefix(string(got.Payload), "hello") {
			t.Errorf("frame %d: %q", i, got.Payload)
		}
	}
	if err := a.leg.SendDTMF("5"); err != nil {
		t.Fatal(err)
	}
	if got := a.heard(); got.PayloadType != 101 || got.Payload[0] != 5 {
		t.Errorf("the digit came as %v", got)
	}
	press := a.packet([]byte{7, 0x8a, 3, 0x20})
	press.PayloadType = 101
	a.raw(a.sealed(press))
	if d := await[Digit](t, a.sink); d.Digit != '7' {
		t.Errorf("%+v", d)
	}
}

func TestWhatFailsAuthenticationIsCountedAndNothingElse(t *testing.T) {
	lines := &logLines{}
	e := startEngine(t, 22650, 22657, func(c *Config) { c.Log = lines.logger() })
	a := secretly(t, e, "127.0.0.33", testKey(1), testKey(2))
	b := join(t, e, "127.0.0.34", pcmu, nil)
	bridge(t, a.phone, b)

	first := a.sealed(a.packet([]byte("first")))
	forged := slices.Clone(first)
	forged[len(forged)-1] ^= 1
	a.raw(forged)
	a.send("plain")
	plainThief := newPhone(t, "127.0.0.66") // nobody is locked yet, so it may still be learned
	plainThief.to = a.to
	plainThief.send("stolen")
	plainThief.send("stolen")
	settle(t, a.leg)
	if s := a.leg.Stats(); s.Forged != 4 || s.Received != 0 || s.Remote != a.addr() {
		t.Fatalf("before the first authentic packet: %+v", s)
	}
	a.raw(first)
	b.hearsFirst("first")
	a.raw(first) // replayed from the right address
	thief := newPhone(t, "127.0.0.66")
	thief.to = a.to
	thief.raw(a.sealed(a.packet([]byte("kept back")))) // authentic, from the wrong address
	for range sayForged {
		a.send("plain again")
	}
	a.say("second")
	b.hearsFirst("second")
	s := a.leg.Stats()
	if s.Forged != 5+sayForged || s.Strangers != 1 || s.Received != 2 || s.Remote != a.addr() {
		t.Errorf("%+v", s)
	}
	if log := lines.String(); strings.Count(log, "without the agreed key") != 1 || !strings.Contains(log, string(a.leg.ID())) {
		t.Errorf("log: %s", log)
	}
}

func TestHoldAndRefreshKeepTheCountersOfTheKeys(t *testing.T) {
	e := startEngine(t, 22660, 22667, nil)
	a := secretly(t, e, "127.0.0.33", testKey(1), testKey(2))
	b := join(t, e, "127.0.0.34", pcmu, nil)
	bridge(t, a.phone, b)
	a.seq = 65534
	for i := range 4 { // over the wrap of 16 bits, which the key stretches to 48
		a.say(fmt.Sprint(i))
		b.hearsFirst(fmt.Sprint(i))
	}
	held := secret(pcmu, testKey(1), testKey(2))
	held.Direction = sdp.SendOnly
	a.configure(held)
	a.configure(secret(pcmu, testKey(1), testKey(2)))
	a.say("resumed")
	b.hearsFirst("resumed")
	b.send("still")
	a.hears("still")
	if roc, _ := a.out.ROC(a.ssrc); roc != 1 {
		t.Errorf("the test's own stream has wrapped %d times", roc)
	}
}

func TestANewKeyOfTheFarEndTakesOverWithoutAGap(t *testing.T) {
	e := startEngine(t, 22670, 22677, nil)
	a := secretly(t, e, "127.0.0.33", testKey(1), testKey(2))
	b := join(t, e, "127.0.0.34", pcmu, nil)
	bridge(t, a.phone, b)
	a.seq = 65535
	for i := range 2 {
		a.say(fmt.Sprint(i))
		b.hearsFirst(fmt.Sprint(i))
	}
	a.configure(secret(pcmu, testKey(1), testKey(3)))
	a.say("sent before our answer came")
	b.hearsFirst("sent before our answer came")
	old := a.out
	a.keys(testKey(1), testKey(3))
	a.out.SetROC(a.ssrc, 1) // its counter goes on, RFC 3711 section 3.3.1
	a.say("under the new key")
	b.hearsFirst("under the new key")
	late, _ := a.packet([]byte("too late")).Marshal()
	late, _ = old.EncryptRTP(nil, late, nil)
	a.raw(late)
	a.say("on")
	b.hearsFirst("on")
	if s := a.leg.Stats(); s.Forged != 1 {
		t.Errorf("%d packets did not fit, want the late one", s.Forged)
	}

	a.configure(secret(pcmu, testKey(1), testKey(4)))
	a.keys(testKey(1), testKey(4)) // this one starts again at 0, as many do
	a.say("and once more")
	b.hearsFirst("and once more")
}

func TestANewKeyOfOursBeginsANewStream(t *testing.T) {
	e := startEngine(t, 22680, 22687, nil)
	a := secretly(t, e, "127.0.0.33", testKey(1), testKey(2))
	b := join(t, e, "127.0.0.34", pcmu, nil)
	bridge(t, a.phone, b)
	b.send("one")
	before := a.heard()
	a.configure(secret(pcmu, suiteKey(sdp.AEADAES128GCM, 5), suiteKey(sdp.AEADAES128GCM, 6)))
	a.keys(suiteKey(sdp.AEADAES128GCM, 5), suiteKey(sdp.AEADAES128GCM, 6))
	b.send("two")
	if after := a.heard(); after.SSRC == before.SSRC || !after.Marker || after.SequenceNumber >= 1<<15+1 {
		t.Errorf("after %v came %v", before, after)
	}
	a.configure(pcmu)
	b.send("three, plain")
	a.phone.hearsFirst("three, plain")
}

// A plain far end may number its packets as it likes. What goes out encrypted never has a number twice:
// two packets under one keystream would show both (RFC 3711 section 9.1).
func TestNoNumberIsEncryptedTwice(t *testing.T) {
	e := startEngine(t, 22690, 22697, nil)
	a := secretly(t, e, "127.0.0.33", testKey(1), testKey(2))
	b := join(t, e, "127.0.0.34", pcmu, nil)
	bridge(t, a.phone, b)
	for _, c := range []struct {
		seq  uint16
		word string
	}{{100, "one"}, {101, "two"}, {101, "TWO"}, {100, "ONE"}, {103, "four"}, {102, "three"}, {102, "THREE"}, {103, "FOUR"}, {104, "five"}} {
		pkt := b.packet([]byte(c.word))
		pkt.SequenceNumber = c.seq
		b.put(pkt)
	}
	seen := map[uint16]bool{}
	for _, want := range []string{"one", "two", "four", "three", "five"} {
		got := a.heard()
		if string(got.Payload) != want || seen[got.SequenceNumber] {
			t.Errorf("heard %q as number %d, want %q", got.Payload, got.SequenceNumber, want)
		}
		seen[got.SequenceNumber] = true
	}
}

// The window against a model that forgets nothing.
func TestTheWindowRefusesEveryNumberThatWasSent(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var w window
		at := int(random.Uint32N(1 << 16))
		high, sent := at, map[int]bool{}
		for range 2000 {
			at += random.IntN(140) - 68
			at = max(high-30000, min(high+30000, at))
			ok := w.take(uint16(at))
			if want := len(sent) == 0 || !sent[at] && at > high-64; ok != want {
				t.Fatalf("%d below the highest: %v, want %v", high-at, ok, want)
			}
			if ok && len(sent) == 0 {
				high = at
			}
			if ok {
				sent[at] = true
				high = max(high, at)
			}
		}
	}
}

func TestOneKeyCarriesOnlySoManySenders(t *testing.T) {
	e := startEngine(t, 22700, 22707, nil)
	a := secretly(t, e, "127.0.0.33", testKey(1), testKey(2))
	for i := range maxStreams + 10 {
		a.ssrc = uint32(1000 + i)
		a.say("x")
	}
	settle(t, a.leg)
	if s := a.leg.Stats(); s.Received != maxStreams || s.Forged != 10 {
		t.Errorf("%+v", s)
	}
}

func TestReportsAreSecretToo(t *testing.T) {
	e := startEngine(t, 22710, 22717, nil)
	control, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 33)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = control.Close() })
	a := secretly(t, e, "127.0.0.33", testKey(1), testKey(2))
	m := secret(pcmu, testKey(1), testKey(2))
	m.RemoteRTCP = control.LocalAddr().(*net.UDPAddr).AddrPort()
	a.configure(m)
	a.say("x")
	settle(t, a.leg)
	if err := a.leg.ask(func(l *loop) error { l.sendReport(a.leg); return nil }); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2000)
	_ = control.SetReadDeadline(time.Now().Add(patience))
	n, err := control.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	open, err := a.in.DecryptRTCP(nil, b[:n], nil)
	if err != nil {
		t.Fatal(err)
	}
	packets, err := rtcp.Unmarshal(open)
	if err != nil {
		t.Fatal(err)
	}
	ours := packets[0].(*rtcp.ReceiverReport)
	report, err := (&rtcp.ReceiverReport{SSRC: a.ssrc, Reports: []rtcp.ReceptionReport{{SSRC: ours.SSRC, TotalLost: 9}}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	_, port := a.leg.Ports()
	box := netipPort(a.to, port)
	sealed, err := a.out.EncryptRTCP(nil, report, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{report, sealed[:12], sealed, sealed} { // plain, cut off, right, replayed
		if _, err := control.WriteToUDPAddrPort(b, box); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, a.leg)
	if s := a.leg.Stats(); s.RemoteLost != 9 || s.Forged != 3 {
		t.Errorf("%+v", s)
	}
}

// mark journals the high-water marks of a leg, which happens every 30 s of audio.
func mark(t *testing.T, g *Leg) {
	t.Helper()
	if err := g.ask(func(l *loop) error { l.changed(g); return nil }); err != nil {
		t.Fatal(err)
	}
}

// The process dies by kill -9 in a call that has wrapped its sequence numbers; the phone knows nothing
// of it and goes on.
func TestASecretCallGoesOnInTheNextProcess(t *testing.T) {
	for _, c := range []struct {
		name       string
		start, gap uint16 // gap is what the phone sends into the void
	}{{"at once", 65500, 0}, {"after a gap", 65500, 150}, {"after a gap with a wrap", 65300, 500}} {
		t.Run(c.name, func(t *testing.T) {
			journal := newJournal()
			change := func(c *Config) { c.Journal = journal }
			first := startEngine(t, 22720, 22727, change)
			a := secretly(t, first, "127.0.0.33", testKey(1), testKey(2))
			b := join(t, first, "127.0.0.34", pcmu, nil)
			bridge(t, a.phone, b)
			a.seq = c.start
			for i := range 50 {
				a.say(fmt.Sprint(i))
				b.hearsFirst(fmt.Sprint(i))
			}
			last := a.sealed(a.packet([]byte("last")))
			a.raw(last)
			b.hearsFirst("last")
			used := map[uint32]bool{}
			b.send("to a")
			used[a.heard().SSRC] = true
			mark(t, a.leg)
			states := journal.copy()
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			for range c.gap {
				a.sealed(a.packet([]byte("lost")))
			}
			for range 3 { // more than one restart of one call
				next := startEngine(t, 22720, 22727, change)
				legs, errs := next.Restore(states)
				if len(errs) > 0 {
					t.Fatal(errs)
				}
				a.raw(last)
				settle(t, legs[a.leg.ID()])
				if s := legs[a.leg.ID()].Stats(); s.Forged == 0 && s.Received > 0 {
					t.Error("what was heard before the restart was heard again")
				}
				a.say("again")
				b.hearsFirst("again")
				b.send("back")
				got := a.heard()
				if used[got.SSRC] || !got.Marker {
					t.Errorf("SSRC %x was used with this key before (%v)", got.SSRC, got)
				}
				used[got.SSRC] = true
				last = a.sealed(a.packet([]byte("last")))
				a.raw(last)
				b.hearsFirst("last")
				mark(t, legs[a.leg.ID()])
				states = journal.copy()
				if err := next.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Found by the crash rounds: the process died before it had noted where the far end's stream is, and the sequence wrapped
// before the next one listened. Nothing was ever heard again.
func TestASecretStreamThatWrapsBeforeAnybodyHeardItIsHeard(t *testing.T) {
	journal := newJournal()
	change := func(c *Config) { c.Journal = journal }
	first := startEngine(t, 22720, 22727, change)
	a := secretly(t, first, "127.0.0.33", testKey(1), testKey(2))
	b := join(t, first, "127.0.0.34", pcmu, nil)
	bridge(t, a.phone, b)
	states := journal.copy()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	a.seq = 65530
	for range 20 {
		a.sealed(a.packet([]byte("lost")))
	}
	next := startEngine(t, 22720, 22727, change)
	legs, errs := next.Restore(states)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	a.raw(append(a.sealed(a.packet([]byte("forged"))), 0)) // what is not the far end's is none the more believed
	settle(t, legs[a.leg.ID()])
	if s := legs[a.leg.ID()].Stats(); s.Forged != 1 || s.Received != 0 {
		t.Errorf("a forged packet: %+v", s)
	}
	a.say("again")
	b.hearsFirst("again")
}

func TestASecretPacketRelayedAllocatesNothing(t *testing.T) {
	e := startEngine(t, 22730, 22739, nil)
	for _, s := range []sdp.Suite{sdp.AESCM128SHA80, sdp.AEADAES128GCM} {
		a := secretly(t, e, "127.0.0.33", suiteKey(s, 1), suiteKey(s, 2))
		b := secretly(t, e, "127.0.0.34", suiteKey(s, 3), suiteKey(s, 4))
		bridge(t, a.phone, b.phone)
		raw, err := a.conn.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		const runs = 500
		var packets [][]byte
		for range runs + 1 { // AllocsPerRun warms up once
			packets = append(packets, a.sealed(a.packet(make([]byte, 160))))
		}
		var per float64
		if err := raw.Control(func(fd uintptr) {
			sender := &socket{fd: int(fd), family: unix.AF_INET}
			to := sender.address(a.to)
			err = a.leg.ask(func(l *loop) error {
				e := unix.EpollEvent{Fd: a.leg.rtpSlot, Pad: int32(l.slots[a.leg.rtpSlot].generation)}
				at := 0
				per = testing.AllocsPerRun(runs, func() {
					if errno := sender.send(packets[at], &to); errno != 0 {
						panic(errno)
					}
					at++
					l.readable(&e)
				})
				return nil
			})
		}); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if per != 0 && !(raced && s == sdp.AESCM128SHA80) {
			t.Errorf("%s: %v allocations per packet", s, per)
		}
		if st := b.leg.Stats(); st.Sent < runs {
			t.Errorf("%s: only %d packets were relayed: the test measured something else (%+v)", s, st.Sent, a.leg.Stats())
		}
		a.leg.Close()
		b.leg.Close()
	}
}

// Nothing but an authentic packet gets through, whatever comes, and nothing that comes is a fault.
func FuzzSecretPacket(f *testing.F) {
	seed := func(recv sdp.Crypto) []byte {
		key, salt, err := recv.Master()
		if err != nil {
			f.Fatal(err)
		}
		ctx, err := srtp.CreateContext(key, salt, profile(recv.Suite))
		if err != nil {
			f.Fatal(err)
		}
		b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 1, SSRC: 2}, Payload: make([]byte, 160)}).Marshal()
		if err != nil {
			f.Fatal(err)
		}
		if b, err = ctx.EncryptRTP(nil, b, nil); err != nil {
			f.Fatal(err)
		}
		return b
	}
	for _, s := range []sdp.Suite{sdp.AESCM128SHA80, sdp.AEADAES128GCM} {
		good := seed(suiteKey(s, 2))
		f.Add(uint8(s), good)
		f.Add(uint8(s), good[:20])
		f.Add(uint8(s), append(slices.Clone(good), 0))
		f.Add(uint8(s), []byte{0x90, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0xbe, 0xde, 0xff, 0xff})
		f.Add(uint8(s), []byte{0x80, 201, 0, 1, 0, 0, 0, 2, 0x80, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	}
	e := startEngine(f, 27020, 27029, nil)
	authentic := map[sdp.Suite][]byte{}
	for s := sdp.AESCM128SHA80; s <= sdp.AEADAES256GCM; s++ {
		authentic[s] = seed(suiteKey(s, 2))
	}
	f.Fuzz(func(t *testing.T, suite uint8, b []byte) {
		s := sdp.Suite(suite)
		if authentic[s] == nil || len(b) > maxPacket {
			return
		}
		g := newLeg(e, LegConfig{})
		m := secret(pcmu, suiteKey(s, 1), suiteKey(s, 2))
		next, _, err := g.rekey(&m)
		if err != nil {
			t.Fatal(err)
		}
		g.secret = next
		l := &loop{engine: e}
		if out := l.open(g, b); (out != nil) != bytes.Equal(b, authentic[s]) {
			t.Fatalf("%s opened % x as % x", s, b, out)
		}
		l.openReport(g, b)
	})
}
