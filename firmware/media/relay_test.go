package media

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pion/rtp"
	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

func TestTwoLegsHearEachOther(t *testing.T) {
	e := startEngine(t, 22000, 22007, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	a.send("from a")
	first := b.receive()
	if string(first.Payload) != "from a" || !first.Marker || first.SSRC == a.ssrc {
		t.Errorf("b got %v", first)
	}
	b.send("from b")
	if got := a.receive(); string(got.Payload) != "from b" {
		t.Errorf("a got %v", got)
	}
	a.send("again")
	second := b.receive()
	if second.Marker || second.SequenceNumber != first.SequenceNumber+1 || second.Timestamp != first.Timestamp+160 || second.SSRC != first.SSRC {
		t.Errorf("after %v came %v", first, second)
	}
	await[FirstPacket](t, a.sink)
	if got := await[Latched](t, a.sink); got.Addr != a.addr() {
		t.Errorf("latched to %v, want %v", got.Addr, a.addr())
	}
	s := a.leg.Stats()
	if s.Received != 2 || s.Sent != 1 || s.Lost != 0 || !s.Fast || s.Codec != "PCMU" || s.Remote != a.addr() {
		t.Errorf("stats %+v", s)
	}
}

// Finding 2 of the media findings: a relay that renumbers hides loss, order and time from the far
// end's jitter buffer.
func TestFinding2GapsOrderMarkersAndTimestampJumpsSurvive(t *testing.T) {
	e := startEngine(t, 22010, 22017, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	sent := []struct {
		seq    uint16
		ts     uint32
		marker bool
	}{
		{65530, 1000, false},
		{65531, 1160, false},
		{65535, 1800, false}, // three lost
		{1, 2120, false},     // wrapped, one overtaken
		{0, 1960, false},
		{2, 2200, false},  // an odd packet length
		{3, 99999, true},  // a new talkspurt far ahead
		{3, 99999, true},  // doubled by the network
		{4, 50000, false}, // a timestamp that goes back
	}
	var first *rtp.Packet
	for i, s := range sent {
		pkt := a.packet([]byte(fmt.Sprint(i)))
		pkt.SequenceNumber, pkt.Timestamp, pkt.Marker = s.seq, s.ts, s.marker
		a.put(pkt)
		got := b.receive()
		if first == nil {
			first = got
		}
		want := fmt.Sprintln(i, s.seq-sent[0].seq, s.ts-sent[0].ts, s.marker || i == 0)
		if have := fmt.Sprintln(string(got.Payload), got.SequenceNumber-first.SequenceNumber, got.Timestamp-first.Timestamp, got.Marker); have != want {
			t.Errorf("packet %d came as %s, want %s", i, have, want)
		}
	}
	if s := a.leg.Stats(); s.Lost != 2 { // three lost, one doubled
		t.Errorf("lost %d, want 2", s.Lost)
	}
}

// soon fails when every packet takes its time from one phone to the other. One alone may: the machine has other work,
// but a queue that is left holds up each.
func soon(t *testing.T, after string, a, b *phone) {
	t.Helper()
	quickest := time.Hour
	for i := range 5 {
		begin := time.Now()
		a.send(fmt.Sprint("after ", i))
		b.hearsFirst(fmt.Sprint("after ", i))
		quickest = min(quickest, time.Since(begin))
	}
	if quickest > 400*time.Millisecond {
		t.Errorf("the packets after the %s take %v", after, quickest)
	}
}

// Finding 1: after one burst every later packet stayed late for the rest of the call.
func TestFinding1ABurstLeavesNoDelayBehind(t *testing.T) {
	e := startEngine(t, 22020, 22027, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	for i := range 50 {
		a.send(fmt.Sprint(i))
	}
	for i := range 50 {
		b.hearsFirst(fmt.Sprint(i))
	}
	soon(t, "burst", a, b) // a queue of 50 frames behind a 20 ms ticker would hold each for a second
}

func TestFinding1AStallLeavesNoDelayBehind(t *testing.T) {
	e := startEngine(t, 22030, 22037, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	stalled, release := make(chan struct{}), make(chan struct{})
	if err := a.leg.tell(func(*loop) { close(stalled); <-release }); err != nil {
		t.Fatal(err)
	}
	<-stalled
	for i := range 50 {
		a.send(fmt.Sprint(i))
	}
	close(release)
	for i := range 50 {
		b.hearsFirst(fmt.Sprint(i))
	}
	soon(t, "stall", a, b)
}

// Finding 3: telephone-events were sent on as four bytes of audio.
func TestFinding3TelephoneEventsPassAsEvents(t *testing.T) {
	e := startEngine(t, 22040, 22047, nil)
	m, n := pcmu, pcmu
	m.EventRecvPT, n.EventSendPT = 96, 102
	a, b := bridged(t, e, m, n)
	a.send("audio")
	start := b.receive()
	for i, payload := range []string{"\x05\x0a\x00\xa0", "\x05\x0a\x01\x40", "\x05\x8a\x01\xe0", "\x05\x8a\x01\xe0", "\x05\x8a\x01\xe0"} {
		pkt := a.packet([]byte(payload))
		pkt.PayloadType, pkt.Timestamp, pkt.Marker = 96, 5160, i == 0
		a.put(pkt)
		got := b.receive()
		if got.PayloadType != 102 || string(got.Payload) != payload || got.Marker != (i == 0) ||
			got.Timestamp-start.Timestamp != 160 || got.SequenceNumber-start.SequenceNumber != uint16(i+1) {
			t.Errorf("event packet %d came as %v after %v", i, got, start)
		}
	}
	if d := await[Digit](t, a.sink); d != (Digit{'5', 60 * time.Millisecond}) {
		t.Errorf("reported %+v", d)
	}
	a.send("fence")
	b.hearsFirst("fence")
	digits := 0
	for _, e := range a.sink.all() {
		if _, ok := e.(Digit); ok {
			digits++
		}
	}
	if digits != 1 {
		t.Errorf("one press was reported %d times", digits)
	}
}

// Finding 4: a packet of an unknown payload type left a lock behind and the leg hung.
func TestFinding4AnUnknownPayloadTypeIsDroppedAndCounted(t *testing.T) {
	e := startEngine(t, 22050, 22057, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	a.send("before")
	b.hearsFirst("before")
	for _, pt := range []uint8{13, 18, 96, 127} {
		pkt := a.packet([]byte("unknown"))
		pkt.PayloadType = pt
		a.put(pkt)
	}
	a.send("after")
	got := b.receive()
	if string(got.Payload) != "after" {
		t.Errorf("b got %v", got)
	}
	if s := a.leg.Stats(); s.UnknownPT != 4 || s.Lost != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestPayloadTypesAreMappedPerDirection(t *testing.T) {
	e := startEngine(t, 22060, 22067, nil)
	m, n := pcmu, pcmu
	m.RecvPT, m.SendPT = 110, 111
	n.RecvPT, n.SendPT = 112, 113
	a, b := bridged(t, e, m, n)
	a.send("x")
	if got := b.receive(); got.PayloadType != 113 {
		t.Errorf("b got payload type %d, want 113", got.PayloadType)
	}
	b.send("y")
	if got := a.receive(); got.PayloadType != 111 {
		t.Errorf("a got payload type %d, want 111", got.PayloadType)
	}
}

func TestAStrangerBeforeTheFirstPacketIsNotHeardAndHearsNothing(t *testing.T) {
	e := startEngine(t, 22070, 22077, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	thief := newPhone(t, "127.0.0.66")
	thief.to = a.to
	for range 10 {
		thief.send("stolen")
	}
	settle(t, a.leg)
	b.send("secret")
	a.hearsFirst("secret")
	a.send("mine")
	b.hearsFirst("mine")
	if s := a.leg.Stats(); s.Strangers != 10 || s.Received != 1 || s.Remote != a.addr() {
		t.Errorf("stats %+v", s)
	}
	if pkt, err := thief.read(time.Millisecond); err == nil {
		t.Errorf("the stranger got %v", pkt)
	}
}

func TestAStrangerMidCallIsNotHeardAndHearsNothing(t *testing.T) {
	for _, learn := range []bool{false, true} {
		t.Run(fmt.Sprintf("learn=%v", learn), func(t *testing.T) {
			e := startEngine(t, 22080, 22087, nil)
			a := join(t, e, "127.0.0.33", pcmu, func(c *LegConfig) { c.Lock = !learn })
			b := join(t, e, "127.0.0.34", pcmu, nil)
			if err := e.Bridge(a.leg, b.leg); err != nil {
				t.Fatal(err)
			}
			a.send("mine")
			b.hearsFirst("mine")
			thief := newPhone(t, "127.0.0.66")
			thief.to, thief.ssrc, thief.seq, thief.ts = a.to, a.ssrc, a.seq, a.ts // knows everything but the address
			for range 20 {
				thief.send("stolen")
			}
			settle(t, a.leg)
			a.send("still mine")
			b.hearsFirst("still mine")
			b.send("secret")
			a.hearsFirst("secret")
			if s := a.leg.Stats(); s.Strangers != 20 {
				t.Errorf("counted %d strangers, want 20", s.Strangers)
			}
			if pkt, err := thief.read(time.Millisecond); err == nil {
				t.Errorf("the stranger got %v", pkt)
			}
		})
	}
}

func TestAPhoneBehindNATIsLearnedFromTwoPacketsInSequence(t *testing.T) {
	e := startEngine(t, 22090, 22097, nil)
	a := newPhone(t, "127.0.0.33")
	a.sink = newSink()
	leg, err := e.Open(LegConfig{Events: a.sink.take})
	if err != nil {
		t.Fatal(err)
	}
	a.leg = leg
	port, _ := leg.Ports()
	a.to = join(t, e, "127.0.0.34", pcmu, nil).to // any address of the box; the port follows
	a.to = netipPort(a.to, port)
	m := pcmu
	m.Remote = netipPort(a.addr(), 9) // what the phone believes it is
	if err := leg.Configure(m); err != nil {
		t.Fatal(err)
	}
	b := join(t, e, "127.0.0.34", pcmu, nil)
	if err := e.Bridge(leg, b.leg); err != nil {
		t.Fatal(err)
	}
	a.send("one")
	a.send("two")
	b.hearsFirst("two")
	if got := await[Latched](t, a.sink); got.Addr != a.addr() {
		t.Errorf("latched to %v, want %v", got.Addr, a.addr())
	}
	b.send("back")
	a.hearsFirst("back")
}

func TestAReInviteToAnotherAddressRearmsTheLock(t *testing.T) {
	e := startEngine(t, 22100, 22109, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	a.send("old place")
	b.hearsFirst("old place")
	moved := newPhone(t, "127.0.0.35")
	moved.to, moved.leg = a.to, a.leg
	moved.configure(pcmu)
	a.send("nobody listens here any more")
	settle(t, a.leg)
	moved.send("new place")
	got := b.receive()
	if string(got.Payload) != "new place" || !got.Marker {
		t.Errorf("b got %v", got)
	}
	b.send("hello")
	moved.hearsFirst("hello")
}

func TestASessionRefreshKeepsTheLearnedAddressAndTheStream(t *testing.T) {
	e := startEngine(t, 22110, 22117, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	a.send("1")
	first := b.receive()
	a.configure(pcmu)
	a.send("2")
	second := b.receive()
	if second.SequenceNumber != first.SequenceNumber+1 || second.SSRC != first.SSRC {
		t.Errorf("after %v came %v", first, second)
	}
}

func TestJunkIsCountedAndDisturbsNobody(t *testing.T) {
	e := startEngine(t, 22120, 22127, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	junk := [][]byte{
		{},
		{0},
		[]byte("GET / HTTP/1.1\r\n\r\n"), make([]byte, 11), make([]byte, 1501), make([]byte, 4000),
		{0x00, 0x01, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, // STUN
		{0x8f, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1},                                           // 15 sources, none there
		{0x90, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0xff, 0xff},                         // an extension longer than all
		{0xa0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 200},                                      // padding longer than all
	}
	for _, j := range junk {
		a.raw(j)
	}
	a.send("audio")
	b.hearsFirst("audio")
	if s := a.leg.Stats(); s.Junk != uint64(len(junk)) || s.Received != 1 {
		t.Errorf("stats %+v, want %d junk", s, len(junk))
	}
}

func TestHoldIsRespectedInEachDirection(t *testing.T) {
	e := startEngine(t, 22300, 22319, nil)
	for _, c := range []struct {
		dir           sdp.Direction
		hears, speaks bool
	}{
		{sdp.SendRecv, true, true}, {sdp.SendOnly, true, false}, {sdp.RecvOnly, false, true}, {sdp.Inactive, false, false}, {sdp.SendRecv, true, true},
	} {
		t.Run(c.dir.String(), func(t *testing.T) {
			a, b := bridged(t, e, pcmu, pcmu)
			defer a.leg.Close()
			defer b.leg.Close()
			held := pcmu
			held.Direction = c.dir
			a.configure(held)
			a.send("up")
			b.send("down")
			settle(t, a.leg)
			settle(t, b.leg)
			a.configure(pcmu)
			a.send("up fence")
			b.send("down fence")
			if c.speaks {
				b.hearsFirst("up")
			}
			b.hearsFirst("up fence")
			if c.hears {
				a.hearsFirst("down")
			}
			a.hearsFirst("down fence")
		})
	}
}

func TestAStreamGoesOnWithoutABreakWhenThePeerChanges(t *testing.T) {
	e := startEngine(t, 22140, 22149, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	c := join(t, e, "127.0.0.35", pcmu, nil)
	a.send("from a")
	before := b.receive()
	if err := e.Bridge(b.leg, c.leg); err != nil {
		t.Fatal(err)
	}
	a.send("not any more")
	settle(t, a.leg)
	c.seq, c.ts, c.ssrc = 40000, 77, 99
	c.send("from c")
	after := b.receive()
	if string(after.Payload) != "from c" || after.SSRC != before.SSRC || after.SequenceNumber != before.SequenceNumber+1 || !after.Marker {
		t.Errorf("after %v came %v", before, after)
	}
	if d := after.Timestamp - before.Timestamp; d < 160 || d > 8000*uint32(patience/time.Second) {
		t.Errorf("the timestamp went on by %d", d)
	}
	// What was sent before the anchor belongs to nobody's stream.
	early := c.packet([]byte("late"))
	early.SequenceNumber, early.Timestamp = 39999, 0
	c.put(early)
	c.send("on")
	b.hearsFirst("on")
	if s := b.leg.Stats(); s.Late != 1 {
		t.Errorf("stats %+v", s)
	}
	if a.leg.Stats().Bridged {
		t.Error("a is still bridged")
	}
}

func TestARestartedSenderIsJoinedToTheStream(t *testing.T) {
	e := startEngine(t, 22150, 22157, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	a.send("1")
	before := b.receive()
	a.seq, a.ts, a.ssrc = 7, 7, 7777 // another SSRC, at once
	a.send("2")
	after := b.receive()
	if after.SSRC != before.SSRC || after.SequenceNumber != before.SequenceNumber+1 || !after.Marker {
		t.Errorf("after %v came %v", before, after)
	}
	a.seq = 30000 // same SSRC, wild sequence: believed when the next one follows (RFC 3550 A.1)
	a.send("3")
	a.send("4")
	last := b.receive()
	if string(last.Payload) != "4" || last.SequenceNumber != after.SequenceNumber+1 {
		t.Errorf("after %v came %v", after, last)
	}
	if s := a.leg.Stats(); s.Wild != 1 || s.Lost != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestLegsOfDifferentLoopsMeetOnOne(t *testing.T) {
	e := startEngine(t, 22160, 22199, func(c *Config) { c.Loops = 3 })
	var phones []*phone
	for range 6 {
		phones = append(phones, join(t, e, "127.0.0.33", pcmu, nil))
	}
	for i := range phones {
		for k := range phones {
			if i == k {
				continue
			}
			a, b := phones[i], phones[k]
			if err := e.Bridge(a.leg, b.leg); err != nil {
				t.Fatal(err)
			}
			if a.leg.loop() != b.leg.loop() {
				t.Fatal("the legs of a bridge are on two loops")
			}
			a.send("ab")
			b.hearsFirst("ab")
			b.send("ba")
			a.hearsFirst("ba")
		}
	}
	if c := e.Counters(); c.Legs != 6 || c.Panics != 0 {
		t.Errorf("counters %+v", c)
	}
}

func TestAClosedLegFreesItsPortsAndRefusesCommands(t *testing.T) {
	e := startEngine(t, 22200, 22201, nil)
	for range 5 {
		a := join(t, e, "127.0.0.33", pcmu, nil)
		a.send("x")
		settle(t, a.leg)
		if _, err := e.Open(LegConfig{}); !errors.Is(err, ErrNoPorts) {
			t.Fatalf("with the only pair in use: %v", err)
		}
		a.leg.Close()
		a.leg.Close()
		if err := a.leg.Configure(pcmu); !errors.Is(err, ErrClosed) {
			t.Errorf("configure after close: %v", err)
		}
		if s := a.leg.Stats(); s.Received != 1 {
			t.Errorf("the stats of the end are lost: %+v", s)
		}
		time.Sleep(2 * time.Millisecond) // the rest time of the port
	}
}

func TestAFaultInOneLegClosesItAndSparesTheOthers(t *testing.T) {
	e := startEngine(t, 22210, 22219, func(c *Config) { c.Loops = 1 })
	a, b := bridged(t, e, pcmu, pcmu)
	var faulty *sink = newSink()
	bad := join(t, e, "127.0.0.35", pcmu, func(c *LegConfig) {
		c.Events = func(e Event) {
			if _, ok := e.(FirstPacket); ok {
				panic("a fault of ours")
			}
			faulty.take(e)
		}
	})
	bad.send("boom")
	await[Failed](t, faulty)
	if err := bad.leg.Configure(pcmu); !errors.Is(err, ErrClosed) {
		t.Errorf("the faulty leg answers %v", err)
	}
	if err := a.leg.ask(func(*loop) error { panic("in a command") }); !errors.Is(err, ErrFault) {
		t.Errorf("a faulty command returned %v", err)
	}
	c := join(t, e, "127.0.0.36", pcmu, nil)
	if err := e.Bridge(b.leg, c.leg); err != nil {
		t.Fatal(err)
	}
	c.send("alive")
	b.hearsFirst("alive")
	if n := e.Counters().Panics; n != 2 {
		t.Errorf("%d panics counted, want 2", n)
	}
}

func TestAnAddressThatOurSocketsCannotReachIsRefused(t *testing.T) {
	e := startEngine(t, 22220, 22223, nil)
	a := join(t, e, "127.0.0.33", pcmu, nil)
	m := pcmu
	m.Remote = netipAddrPort("[2001:db8::1]:4000")
	if err := a.leg.Configure(m); err == nil {
		t.Error("an IPv6 address was accepted for an IPv4 socket")
	}
	m.Codec = codec.TelephoneEvent
	if err := a.leg.Configure(m); err == nil {
		t.Error("a codec without audio was accepted")
	}
}

func TestARelayedPacketAllocatesNothing(t *testing.T) {
	e := startEngine(t, 22230, 22233, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	a.send("x")
	b.hearsFirst("x")
	sender := &socket{family: unix.AF_INET}
	raw, err := a.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		sender.fd = int(fd)
		to := sender.address(a.to)
		audio, _ := a.packet(make([]byte, 160)).Marshal()
		event := a.packet([]byte{1, 0x8a, 3, 0x20})
		event.PayloadType = 101
		digit, _ := event.Marshal()
		var perPacket float64
		err := a.leg.ask(func(l *loop) error {
			// The loop's own way: epoll's event, receive, check, rewrite, send.
			e := unix.EpollEvent{Fd: a.leg.rtpSlot, Pad: int32(l.slots[a.leg.rtpSlot].generation)}
			perPacket = testing.AllocsPerRun(2000, func() {
				for _, b := range [][]byte{audio, digit} {
					b[3]++
					if b[3] == 0 {
						b[2]++
					}
					if errno := sender.send(b, &to); errno != 0 {
						panic(errno)
					}
					l.readable(&e)
				}
			})
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if perPacket != 0 {
			t.Errorf("%v allocations per pair of packets", perPacket)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := b.leg.Stats(); s.Sent < 4000 {
		t.Errorf("only %d packets were relayed: the test measured something else (%+v)", s.Sent, a.leg.Stats())
	}
}
