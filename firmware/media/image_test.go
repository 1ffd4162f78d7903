package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

// udptl is a datagram of T.38 with one message and no repetition of earlier ones.
func udptl(seq int, message string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(seq))
	if len(message) < 128 {
		b = append(b, byte(len(message)))
	} else {
		b = binary.BigEndian.AppendUint16(b, 0x8000|uint16(len(message)))
	}
	return append(append(b, message...), 0, 0)
}

// gets reads the next datagram, whatever it is.
func (p *phone) gets() []byte {
	p.t.Helper()
	b := make([]byte, 2000)
	_ = p.conn.SetReadDeadline(time.Now().Add(patience))
	n, err := p.conn.Read(b)
	if err != nil {
		p.t.Fatalf("nothing came: %v", err)
	}
	return b[:n]
}

// getsFirst proves that nothing came before: what is sent is the fence behind all that could have come.
func (p *phone) getsFirst(want []byte) {
	p.t.Helper()
	if got := p.gets(); !bytes.Equal(got, want) {
		p.t.Errorf("got % x, want % x", got, want)
	}
}

func (p *phone) configureImage() {
	p.t.Helper()
	if err := p.leg.Configure(sdp.Media{Image: true, Remote: p.addr()}); err != nil {
		p.t.Fatal(err)
	}
}

// faxing is two machines that have come to T.38 in a call.
func faxing(t testing.TB, e *Engine) (a, b *phone) {
	t.Helper()
	a, b = bridged(t, e, pcmu, pcmu)
	a.configureImage()
	b.configureImage()
	return a, b
}

func TestDatagramsOfT38PassAsTheyAre(t *testing.T) {
	e := startEngine(t, 23600, 23609, nil)
	a, b := faxing(t, e)
	for i, d := range [][]byte{
		udptl(0, "\x06"), udptl(0, "\x06"), udptl(1, "\xc0\x01\x80\x00\x00\xff"),
		udptl(3, strings.Repeat("x", 300)), // one was lost
		udptl(2, "late"), udptl(0xffff, "from before"), udptl(4, strings.Repeat("y", sdp.MaxDatagram-6)),
		append(udptl(5, "z")[:4], 0x80, 1, 2, 3), // with forward error correction
	} {
		a.raw(d)
		b.getsFirst(d)
		b.raw(d)
		a.getsFirst(d)
		if s := a.leg.Stats(); s.ImageReceived != uint64(i+1) || s.ImageSent != uint64(i+1) {
			t.Errorf("%d: %+v", i, s)
		}
	}
	s := a.leg.Stats()
	if !s.Image || s.Codec != "T.38" || !s.Quiet || s.Sent != 0 || s.Received != 0 {
		t.Errorf("%+v", s)
	}
}

func TestNothingOfAStrangerComesThroughToAMachine(t *testing.T) {
	e := startEngine(t, 23610, 23619, nil)
	a, b := faxing(t, e)
	thief := newPhone(t, "127.0.0.66")
	thief.to = a.to
	for i := range 5 { // before the machine has said anything
		thief.raw(udptl(i, "stolen"))
	}
	settle(t, a.leg)
	a.raw(udptl(0, "mine"))
	b.getsFirst(udptl(0, "mine"))
	for i := range 5 {
		thief.raw(udptl(i, "stolen"))
	}
	settle(t, a.leg)
	a.raw(udptl(1, "mine"))
	b.getsFirst(udptl(1, "mine"))
	b.raw(udptl(0, "for the machine alone"))
	a.getsFirst(udptl(0, "for the machine alone"))
	if s := a.leg.Stats(); s.Strangers != 10 {
		t.Errorf("%d strangers", s.Strangers)
	}
}

func TestTheAddressOfAMachineBehindANATIsLearnedFromItsHostAlone(t *testing.T) {
	e := startEngine(t, 23620, 23629, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	behind := join(t, e, "127.0.0.35", pcmu, func(c *LegConfig) { c.Lock, c.Source = false, netip.MustParseAddr("127.0.0.35") })
	if err := e.Bridge(behind.leg, b.leg); err != nil {
		t.Fatal(err)
	}
	if err := behind.leg.Configure(sdp.Media{Image: true, Remote: netip.MustParseAddrPort("192.168.7.7:4000")}); err != nil {
		t.Fatal(err)
	}
	b.configureImage()
	thief := newPhone(t, "127.0.0.66")
	thief.to = behind.to
	thief.raw(udptl(0, "a"))
	thief.raw(udptl(1, "b"))
	settle(t, behind.leg)
	behind.raw(udptl(7, "first"))
	behind.raw(udptl(7, "first")) // machines repeat a signal under its number
	b.getsFirst(udptl(7, "first"))
	b.raw(udptl(0, "answer"))
	behind.getsFirst(udptl(0, "answer"))
	if s := behind.leg.Stats(); s.Strangers != 3 || s.Remote != behind.addr() {
		t.Errorf("%+v", s)
	}
	a.leg.Close()
}

func TestWhatIsNoT38IsNotPassedToAMachine(t *testing.T) {
	e := startEngine(t, 23630, 23639, nil)
	a, b := faxing(t, e)
	audio, _ := a.packet(make([]byte, 160)).Marshal()
	event := a.packet([]byte{1, 0x8a, 3, 0x20})
	event.PayloadType = 101
	key, _ := event.Marshal()
	report := make([]byte, 32)
	report[0], report[1], report[2] = 0x81, 200, 6
	junk := [][]byte{{}, {0}, {0, 0, 0, 0}, []byte("\r\n\r\n"), {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4}, udptl(1, "cut short")[:6], {0, 1, 0xc1, 0, 1}, {0, 1, 0x81, 0}}
	late := [][]byte{audio, key, append([]byte{0x80, 200, 4}, report[3:]...)}
	for _, d := range append(junk, late...) {
		a.raw(d)
	}
	a.raw(make([]byte, 1600))
	settle(t, a.leg)
	a.raw(udptl(0, "page"))
	b.getsFirst(udptl(0, "page"))
	for _, d := range late { // and in the midst of a page
		a.raw(d)
	}
	settle(t, a.leg)
	a.raw(udptl(1, "page"))
	b.getsFirst(udptl(1, "page"))
	if s := a.leg.Stats(); s.Junk != uint64(len(junk))+1 || s.Late != uint64(2*len(late)) {
		t.Errorf("%d junk and %d late of %d and %d", s.Junk, s.Late, len(junk)+1, 2*len(late))
	}
	// After half an hour the numbers of a page look like the head of a packet of sound.
	for seq := 2; seq < 0x8100; seq += 90 {
		a.raw(udptl(seq, strings.Repeat("m", 20)))
		b.getsFirst(udptl(seq, strings.Repeat("m", 20)))
	}
}

func TestNoSoundIsSentToAMachineInT38(t *testing.T) {
	e := startEngine(t, 23640, 23649, nil)
	muxed := pcmu
	muxed.RTCPMux = true // a report would come with the datagrams
	a, b := bridged(t, e, pcmu, muxed)
	a.send("before")
	b.hearsFirst("before")
	b.configureImage() // who has agreed first
	a.send("sound")
	if err := b.leg.SendDTMF("5"); err != nil {
		t.Fatal(err)
	}
	clock := byHand(t, b.leg)
	done := make(chan struct{})
	if err := b.leg.Play([]Sound{sentence{"x", 3}}, false, func() { close(done) }); err != nil {
		t.Fatal(err)
	}
	clock.tick(60)
	select {
	case <-done:
	default:
		t.Error("who waits for the end of an announcement waits forever")
	}
	clock.do(func(l *loop) { l.sendReport(b.leg) })
	settle(t, a.leg)
	a.configureImage()
	a.raw(udptl(0, "page"))
	b.getsFirst(udptl(0, "page"))
	a.configure(pcmu)
	b.configure(pcmu)
	a.send("sound again")
	b.hearsFirst("sound again")
	b.send("and back")
	a.hearsFirst("and back")
	if s := b.leg.Stats(); s.Image || s.Codec != codec.PCMU.Name() || s.ImageSent != 1 {
		t.Errorf("%+v", s)
	}
}

func TestALegInT38WhosePartnerIsNotSaysSo(t *testing.T) {
	e := startEngine(t, 23650, 23669, nil)
	a, b := faxing(t, e)
	await[Stranded](t, a.sink) // b had not agreed yet
	count := func(p *phone) (n int) {
		for _, e := range p.sink.all() {
			if _, ok := e.(Stranded); ok {
				n++
			}
		}
		return n
	}
	steps := []struct {
		name string
		do   func()
		a, b int // how often each is told
	}{
		{"an agreement that changes nothing", func() { a.configureImage() }, 0, 0},
		{"the other one has audio again", func() { b.configure(pcmu) }, 1, 0},
		{"and T.38 again", func() { b.configureImage() }, 0, 0},
		{"they are parted", func() { e.Unbridge(a.leg) }, 1, 1},
		{"and joined", func() {
			if err := e.Bridge(a.leg, b.leg); err != nil {
				t.Fatal(err)
			}
		}, 0, 0},
		{"one hangs up", func() { b.leg.Close(); b.leg.Stats() }, 1, 0},
	}
	for _, s := range steps {
		inA, inB := count(a), count(b)
		s.do()
		a.leg.Stats()
		if gotA, gotB := count(a)-inA, count(b)-inB; min(gotA, 1) != s.a || min(gotB, 1) != s.b {
			t.Errorf("%s: %d and %d are told", s.name, gotA, gotB)
		}
	}
}

func TestWhomALegTalksWith(t *testing.T) {
	e := startEngine(t, 23670, 23689, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	c := join(t, e, "127.0.0.35", pcmu, nil)
	if p := a.leg.Partner(); p != b.leg.ID() {
		t.Errorf("a talks with %q", p)
	}
	if p := c.leg.Partner(); p != "" {
		t.Errorf("c talks with %q", p)
	}
	if err := e.Mix([]*Leg{a.leg, b.leg}, []*Leg{c.leg}, func(int, int) float64 { return 1 }); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*phone{a, b, c} {
		if got := p.leg.Partner(); got != "" {
			t.Errorf("in a mix: %q", got)
		}
	}
	if err := e.Bridge(a.leg, b.leg); err != nil {
		t.Fatal(err)
	}
	if err := b.leg.Play([]Sound{sentence{"x", 3}}, true, nil); err != nil {
		t.Fatal(err)
	}
	if p, q := a.leg.Partner(), b.leg.Partner(); p+q != "" {
		t.Errorf("while b hears music a talks with %q, and b with %q", p, q)
	}
	if err := b.leg.Stop(); err != nil {
		t.Fatal(err)
	}
	if p := b.leg.Partner(); p != a.leg.ID() {
		t.Errorf("b talks with %q", p)
	}
	a.leg.Close()
	if p := a.leg.Partner(); p != "" {
		t.Errorf("a closed leg talks with %q", p)
	}
}

func TestT38IsRefusedWhereItCannotBe(t *testing.T) {
	e := startEngine(t, 23690, 23699, nil)
	leg, err := e.Open(LegConfig{})
	if err != nil {
		t.Fatal(err)
	}
	im := sdp.Media{Image: true, Remote: netip.MustParseAddrPort("127.0.0.33:4000")}
	if err := leg.Configure(im); !errors.Is(err, errNoSound) {
		t.Error(err)
	}
	secret := pcmu
	secret.SendKey, secret.RecvKey = testKey(1), testKey(2)
	a := join(t, e, "127.0.0.33", secret, nil)
	if err := a.leg.Configure(im); !errors.Is(err, errSealed) {
		t.Error(err)
	}
	b := join(t, e, "127.0.0.34", pcmu, nil)
	im.Remote = netip.MustParseAddrPort("[2001:db8::1]:4000")
	if err := b.leg.Configure(im); err == nil || !strings.Contains(err.Error(), "family") {
		t.Error(err)
	}
	if a.leg.Stats().Image || b.leg.Stats().Image {
		t.Error("a refused change was made")
	}
}

// Between two pages a machine may wait for its owner; the call ends when both have been silent for long.
func TestMachinesMaySayNothingForLongerThanPeople(t *testing.T) {
	e := startEngine(t, 23700, 23709, nil)
	a, b := faxing(t, e)
	a.raw(udptl(0, "x"))
	b.getsFirst(udptl(0, "x"))
	timeouts := func(after time.Duration) (n int) {
		if err := b.leg.ask(func(l *loop) error {
			l.now = a.leg.heard + after // b hears a, which is the last that spoke
			l.watchSilence(b.leg)
			l.now = l.engine.now()
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, e := range b.sink.all() {
			if _, ok := e.(Timeout); ok {
				n++
			}
		}
		return n
	}
	if n := timeouts(imageSilence - 1); n != 0 {
		t.Error("too early")
	}
	if n := timeouts(imageSilence); n != 1 {
		t.Errorf("%d time-outs", n)
	}
}

func TestT38GoesOnAfterARestart(t *testing.T) {
	j, k := newJournal(), &keepingFake{}
	again := func(c *Config) { c.Journal, c.Keeper = j, k }
	e := startEngine(t, 23710, 23719, again)
	a, b := faxing(t, e)
	a.raw(udptl(0, "before"))
	b.getsFirst(udptl(0, "before"))
	b.raw(udptl(0, "before"))
	a.getsFirst(udptl(0, "before"))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	next := startEngine(t, 23710, 23719, again)
	legs, errs := next.Restore(j.copy())
	if len(errs) != 0 || len(legs) != 2 {
		t.Fatalf("%d legs, %v", len(legs), errs)
	}
	thief := newPhone(t, "127.0.0.66")
	thief.to = a.to
	thief.raw(udptl(1, "stolen"))
	a.raw(udptl(1, "after"))
	b.getsFirst(udptl(1, "after"))
	b.raw(udptl(1, "after"))
	a.getsFirst(udptl(1, "after"))
	for _, p := range []*phone{a, b} {
		p.leg = legs[p.leg.ID()]
		if s := p.leg.Stats(); !s.Image || s.Codec != "T.38" {
			t.Errorf("%+v", s)
		}
		p.configure(pcmu)
	}
	a.send("sound again")
	b.hearsFirst("sound again")
}

// A page is no speech: a conversation that is recorded goes on in T.38, and the recording has silence there.
func TestARecordedConversationIsSilentWhileItIsInT38(t *testing.T) {
	e := startEngine(t, 23730, 23739, nil)
	a, b := bridged(t, e, as(codec.PCMA), as(codec.PCMA))
	r := newReel(t)
	tp := r.of(e, a.leg, b.leg)
	for _, p := range []*phone{a, b} {
		p.talk(&wave{hz: 700}, codec.PCMA, codec.NewEncoder(codec.PCMA), 25, nil)
		settle(t, p.leg)
	}
	for range 25 {
		a.receive()
		b.receive()
	}
	a.configureImage()
	b.configureImage()
	const inT38 = 600 * time.Millisecond
	for i := range 20 {
		time.Sleep(inT38 / 20)
		a.raw(udptl(i, strings.Repeat("p", 157)))
		b.getsFirst(udptl(i, strings.Repeat("p", 157)))
	}
	a.configure(as(codec.PCMA))
	b.configure(as(codec.PCMA))
	a.ts += 8 * uint32(inT38.Milliseconds())
	a.talk(&wave{hz: 1300}, codec.PCMA, codec.NewEncoder(codec.PCMA), 50, nil)
	settle(t, a.leg)
	tp.End("done")
	o, file := r.ended()
	if o.Err != nil || o.Lost != 0 {
		t.Fatalf("%+v", o)
	}
	left, _ := both(t, file)
	var silent, longest int
	for _, s := range left {
		if silent++; s != 0 {
			silent = 0
		}
		longest = max(longest, silent)
	}
	if least := 8 * int(inT38.Milliseconds()) / 2; longest < least {
		t.Errorf("%d samples of silence, want at least %d", longest, least)
	}
	if before, after := dsp.ToneLevel(left[1000:3000], 700), dsp.ToneLevel(left[len(left)-3000:], 1300); before < -20 || after < -20 {
		t.Errorf("%.1f dBm0 before, %.1f after", before, after)
	}
}

func TestADatagramOfT38AllocatesNothing(t *testing.T) {
	e := startEngine(t, 23720, 23729, nil)
	a, b := faxing(t, e)
	a.raw(udptl(0, "x"))
	b.getsFirst(udptl(0, "x"))
	sender := &socket{family: unix.AF_INET}
	raw, err := a.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		sender.fd = int(fd)
		to := sender.address(a.to)
		page := udptl(1, strings.Repeat("p", 120))
		var per float64
		if err := a.leg.ask(func(l *loop) error {
			e := unix.EpollEvent{Fd: a.leg.rtpSlot, Pad: int32(l.slots[a.leg.rtpSlot].generation)}
			per = testing.AllocsPerRun(2000, func() {
				binary.BigEndian.PutUint16(page, binary.BigEndian.Uint16(page)+1)
				if errno := sender.send(page, &to); errno != 0 {
					panic(errno)
				}
				l.readable(&e)
			})
			return nil
		}); err != nil {
			t.Error(err)
		}
		if per != 0 {
			t.Errorf("%v allocations per datagram", per)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := b.leg.Stats(); s.ImageSent < 2000 {
		t.Errorf("only %d were passed on: the test measured something else", s.ImageSent)
	}
}

func TestADatagramIsReadAsItWasWritten(t *testing.T) {
	if err := quick.Check(func(seq uint16, size uint16, cut uint8) bool {
		message := strings.Repeat("m", 1+int(size)%1400)
		b := udptl(int(seq), message)
		var p packet
		if !p.parseImage(b) || p.seq != seq || len(p.bytes) != len(b) {
			return false
		}
		short := b[:max(0, len(b)-3-int(cut)%(len(message)+3))]
		return !p.parseImage(short)
	}, nil); err != nil {
		t.Error(err)
	}
}

// Whatever comes to a leg in T.38, what its peer gets are the bytes of a believed datagram, or nothing.
func FuzzImageDatagram(f *testing.F) {
	f.Add(udptl(0, "x"), uint16(0))
	f.Add(udptl(0x8008, strings.Repeat("x", 160)), uint16(0x8000))
	f.Add([]byte("\x80\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c"), uint16(3))
	f.Add([]byte{0, 1, 0xbf, 0xff}, uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, last uint16) {
		var p packet
		whole := bytes.Clone(b)
		if !p.parseImage(b) {
			return
		}
		for _, i := range []image{{}, {started: true, seq: last}} {
			m := pcmu
			if i.leftover(&p, &m) && (b[0]>>6 != 2 || i.started && p.seq == i.seq+1) {
				t.Errorf("% x after %d is taken for sound", b, last)
			}
		}
		if !bytes.Equal(b, whole) || !bytes.Equal(p.bytes, b) || len(b) < 4 {
			t.Errorf("% x became % x", whole, p.bytes)
		}
	})
}
