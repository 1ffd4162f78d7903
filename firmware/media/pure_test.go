package media

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"golang.org/x/sys/unix"
)

func FuzzRTP(f *testing.F) {
	for _, p := range []rtp.Packet{
		{Header: rtp.Header{Version: 2, PayloadType: 8, SequenceNumber: 1, Timestamp: 2, SSRC: 3}, Payload: make([]byte, 160)},
		{Header: rtp.Header{Version: 2, Marker: true, PayloadType: 101, CSRC: []uint32{1, 2}}, Payload: []byte{1, 2, 3, 4}},
		{Header: rtp.Header{Version: 2, Padding: true, PaddingSize: 4}, Payload: []byte{1}, PaddingSize: 4},
	} {
		b, err := p.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0x90, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p packet
		if !p.parse(b) {
			return
		}
		if len(p.payload) > len(b)-headerSize {
			t.Fatal("the payload is longer than the packet")
		}
		before := slices.Clone(p.payload)
		putMapped(p.bytes, 77, true, 0xabcd, 0x01020304, 0x05060708)
		var q packet
		if !q.parse(b) || q.pt != 77 || !q.marker || q.seq != 0xabcd || q.ts != 0x01020304 || q.ssrc != 0x05060708 {
			t.Fatalf("after mapping: %+v", q)
		}
		if !bytes.Equal(before, q.payload) {
			t.Fatal("mapping changed the payload")
		}
	})
}

func TestPacketsAreReadAsPionReadsThem(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		want := rtp.Packet{Header: rtp.Header{
			Version: 2, Marker: r.IntN(2) == 0, PayloadType: uint8(r.IntN(128)),
			SequenceNumber: uint16(r.Uint32()), Timestamp: r.Uint32(), SSRC: r.Uint32(),
		}, Payload: make([]byte, r.IntN(200))}
		for range r.IntN(4) {
			want.CSRC = append(want.CSRC, r.Uint32())
		}
		if r.IntN(2) == 0 {
			if err := want.SetExtension(1, []byte{1, 2, 3}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range want.Payload {
			want.Payload[i] = byte(r.Uint32())
		}
		b, err := want.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var p packet
		if !p.parse(b) {
			t.Fatalf("refused %v", want)
		}
		if p.marker != want.Marker || p.pt != want.PayloadType || p.seq != want.SequenceNumber ||
			p.ts != want.Timestamp || p.ssrc != want.SSRC || !bytes.Equal(p.payload, want.Payload) {
			t.Fatalf("read %+v, want %v", p, want)
		}
	}
}

func at(host string) address {
	s := socket{family: unix.AF_INET}
	return s.address(netipAddrPort(host))
}

func TestTheSourceLock(t *testing.T) {
	const phone, other, thief = "192.0.2.1:4000", "192.0.2.1:4002", "203.0.113.9:4000"
	type step struct {
		from string
		ssrc uint32
		seq  uint16
		ms   int
		want belief
	}
	for _, c := range []struct {
		name  string
		learn bool
		steps []step
	}{
		{"believes the signalled address at once", false, []step{{phone, 1, 5, 0, newlyLocked}, {phone, 1, 6, 20, believed}}},
		{"believes a new SSRC of the locked address", false, []step{{phone, 1, 5, 0, newlyLocked}, {phone, 2, 900, 20, believed}}},
		{"knows no other address unless told to learn", false, []step{{thief, 1, 5, 0, stranger}, {thief, 1, 6, 20, stranger}, {thief, 1, 7, 40, stranger}}},
		{"takes another port for another address", false, []step{{other, 1, 5, 0, stranger}, {other, 1, 6, 0, stranger}}},
		{"learns from two packets in sequence", true, []step{{other, 1, 5, 0, stranger}, {other, 1, 6, 20, newlyLocked}, {other, 1, 7, 40, believed}}},
		{"learns over a wrap of the sequence", true, []step{{other, 1, 65535, 0, stranger}, {other, 1, 0, 20, newlyLocked}}},
		{"does not learn from one packet twice", true, []step{{other, 1, 5, 0, stranger}, {other, 1, 5, 20, stranger}}},
		{"does not learn from two SSRCs", true, []step{{other, 1, 5, 0, stranger}, {other, 2, 6, 20, stranger}}},
		{"does not learn from two addresses", true, []step{{other, 1, 5, 0, stranger}, {thief, 1, 6, 20, stranger}}},
		{"does not learn from wild sequence numbers", true, []step{{other, 1, 5, 0, stranger}, {other, 1, 7, 20, stranger}, {other, 1, 1000, 40, stranger}}},
		{"does not learn from packets far apart", true, []step{{other, 1, 5, 0, stranger}, {other, 1, 6, 201, stranger}}},
		{"does not learn after the window", true, []step{{other, 1, 5, 15001, stranger}, {other, 1, 6, 15002, stranger}}},
		{"drops a stranger after the lock", true, []step{{other, 1, 5, 0, stranger}, {other, 1, 6, 20, newlyLocked}, {thief, 1, 7, 40, stranger}, {thief, 1, 8, 60, stranger}, {other, 1, 7, 80, believed}}},
		{"lets the signalled address put out who was learned", true, []step{
			{thief, 9, 5, 0, stranger},
			{thief, 9, 6, 20, newlyLocked},
			{phone, 1, 100, 40, stranger},
			{phone, 1, 101, 60, newlyLocked},
			{thief, 9, 7, 80, stranger},
			{thief, 9, 8, 100, stranger},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l latch
			l.arm(at(phone), c.learn, 0)
			for i, s := range c.steps {
				from := at(s.from)
				got := l.packet(&from, &packet{ssrc: s.ssrc, seq: s.seq}, time.Duration(s.ms)*time.Millisecond)
				if got != s.want {
					t.Fatalf("step %d from %s: %d, want %d", i, s.from, got, s.want)
				}
				if got == newlyLocked && !l.target().same(&from) {
					t.Errorf("step %d: sends to %v", i, l.target().addrPort())
				}
			}
		})
	}
}

// Who sprays our ports before the parties speak is neither heard nor sent to; the phone's own NAT is
// learned all the same.
func TestOnlyTheHostOfTheSignallingIsLearned(t *testing.T) {
	l := latch{host: at("198.51.100.1:1")}
	l.arm(at("192.168.1.20:4000"), true, 0) // a phone that knows only its private address
	thief, nat, other := at("203.0.113.9:4000"), at("198.51.100.1:777"), at("192.168.1.20:5000")
	for seq := range uint16(10) {
		if got := l.packet(&thief, &packet{ssrc: 9, seq: seq}, 0); got != stranger {
			t.Fatalf("packet %d of the thief: %d", seq, got)
		}
	}
	if got := l.packet(&nat, &packet{ssrc: 1, seq: 1}, 0); got != stranger {
		t.Errorf("the first packet of the NAT: %d", got)
	}
	if got := l.packet(&nat, &packet{ssrc: 1, seq: 2}, 0); got != newlyLocked {
		t.Errorf("the second packet of the NAT: %d", got)
	}
	l = latch{host: l.host}
	l.arm(at("192.168.1.20:4000"), true, 0)
	_ = l.packet(&other, &packet{ssrc: 1, seq: 1}, 0)
	if got := l.packet(&other, &packet{ssrc: 1, seq: 2}, 0); got != newlyLocked {
		t.Errorf("another port of the signalled host: %d", got)
	}
}

func TestAReInviteArmsTheLockOnlyWhenTheAddressChanges(t *testing.T) {
	var l latch
	signalled, learned := at("192.0.2.1:4000"), at("198.51.100.1:777")
	l.arm(signalled, true, 0)
	l.packet(&learned, &packet{seq: 1}, 0)
	l.packet(&learned, &packet{seq: 2}, 0)
	l.arm(signalled, true, time.Minute)
	if !l.target().same(&learned) {
		t.Error("a session refresh forgot the learned address")
	}
	moved := at("192.0.2.1:5000")
	l.arm(moved, true, time.Minute)
	if !l.target().same(&moved) {
		t.Error("the new address is not the target")
	}
	l.packet(&learned, &packet{seq: 3}, time.Minute)
	if got := l.packet(&learned, &packet{seq: 4}, time.Minute+20*time.Millisecond); got != newlyLocked {
		t.Error("the lock was not armed again")
	}
}

func TestReceptionCountsLossAndJitterAsRFC3550(t *testing.T) {
	var r reception
	now := time.Second
	feed := func(seq uint16, ts uint32) arrival {
		return r.packet(&packet{ssrc: 1, seq: seq, ts: ts}, true, now)
	}
	if got := feed(65000, 0); got != arrivalRestarted {
		t.Fatalf("first packet: %d", got)
	}
	for i := 1; i < 1000; i++ {
		now += 20 * time.Millisecond
		if i%10 == 0 {
			continue // every tenth is lost
		}
		if got := feed(uint16(65000+i), uint32(160*i)); got != arrivalInOrder {
			t.Fatalf("packet %d: %d", i, got)
		}
	}
	if r.lost() != 99 || r.extended() != 65000+999 || r.jitter != 0 {
		t.Errorf("lost %d, extended %d, jitter %d", r.lost(), r.extended(), r.jitter)
	}
	fraction, cumulative := r.interval()
	if fraction != 99*256/1000 || cumulative != 99 {
		t.Errorf("fraction %d, cumulative %d", fraction, cumulative)
	}
	if fraction, _ := r.interval(); fraction != 0 {
		t.Errorf("nothing came since, fraction %d", fraction)
	}
	// Packets that come alternately 10 ms early and late: the mean deviation between neighbours is
	// 20 ms, to which the filter of appendix A.8 converges.
	r = reception{}
	for i := range 500 {
		now = time.Minute + time.Duration(i)*20*time.Millisecond + time.Duration(i%2)*20*time.Millisecond
		feed(uint16(i), uint32(160*i))
	}
	if j := r.jitterTime(); j < 19*time.Millisecond || j > 21*time.Millisecond {
		t.Errorf("jitter %v, want 20ms", j)
	}
}

func TestReceptionJudgesSequenceNumbersAsRFC3550A1(t *testing.T) {
	for _, c := range []struct {
		name string
		seqs []uint16
		want []arrival
	}{
		{"in order over the wrap", []uint16{65535, 0, 1}, []arrival{arrivalRestarted, arrivalInOrder, arrivalInOrder}},
		{"a gap", []uint16{1, 2000}, []arrival{arrivalRestarted, arrivalInOrder}},
		{"reordered and doubled", []uint16{100, 102, 101, 102, 2}, []arrival{arrivalRestarted, arrivalInOrder, arrivalLate, arrivalInOrder, arrivalLate}},
		{"one wild packet", []uint16{100, 40000, 101}, []arrival{arrivalRestarted, arrivalRejected, arrivalInOrder}},
		{"a restart", []uint16{100, 40000, 40001, 40002}, []arrival{arrivalRestarted, arrivalRejected, arrivalRestarted, arrivalInOrder}},
		{"a restart backwards", []uint16{40000, 5, 6}, []arrival{arrivalRestarted, arrivalRejected, arrivalRestarted}},
	} {
		var r reception
		for i, seq := range c.seqs {
			if got := r.packet(&packet{seq: seq}, true, 0); got != c.want[i] {
				t.Errorf("%s: packet %d (%d) judged %d, want %d", c.name, i, seq, got, c.want[i])
			}
		}
	}
}

func TestEachPressIsReportedOnce(t *testing.T) {
	type pkt struct {
		ts   uint32
		data string
		ms   int
	}
	const rest = 100000 // after this many ms the leg's housekeeping looks
	for _, c := range []struct {
		name string
		in   []pkt
		want []Digit
	}{
		{"a whole press with three ends", []pkt{{0, "\x01\x0a\x00\xa0", 0}, {0, "\x01\x0a\x01\x40", 20}, {0, "\x01\x8a\x01\xe0", 40}, {0, "\x01\x8a\x01\xe0", 60}, {0, "\x01\x8a\x01\xe0", 80}}, []Digit{{'1', 60 * time.Millisecond}}},
		{"only one end arrives", []pkt{{0, "\x0b\x8a\x03\x20", 0}}, []Digit{{'#', 100 * time.Millisecond}}},
		{"no end arrives", []pkt{{0, "\x0a\x0a\x01\x40", 0}}, []Digit{{'*', 40 * time.Millisecond}}},
		{"no end, then another press", []pkt{{0, "\x01\x0a\x01\x40", 0}, {800, "\x01\x8a\x01\x40", 100}}, []Digit{{'1', 40 * time.Millisecond}, {'1', 40 * time.Millisecond}}},
		{"a late update after the end", []pkt{{0, "\x01\x8a\x01\xe0", 0}, {0, "\x01\x0a\x01\x40", 1}}, []Digit{{'1', 60 * time.Millisecond}}},
		{"an end that overtakes the next press", []pkt{{0, "\x01\x8a\x01\xe0", 0}, {800, "\x02\x0a\x00\xa0", 1}, {0, "\x01\x8a\x01\xe0", 2}, {800, "\x02\x8a\x01\x40", 3}}, []Digit{{'1', 60 * time.Millisecond}, {'2', 40 * time.Millisecond}}},
		{"a press longer than one event", []pkt{{0, "\x09\x0a\xff\xff", 0}, {0xffff, "\x09\x0a\x10\x00", 20}, {0xffff, "\x09\x8a\x1f\x41", 40}}, []Digit{{'9', 73536 * time.Second / 8000}}},
		{"the timestamp wraps", []pkt{{0xffffff00, "\x01\x8a\x00\xa0", 0}, {0x100, "\x02\x8a\x00\xa0", 1}}, []Digit{{'1', 20 * time.Millisecond}, {'2', 20 * time.Millisecond}}},
		{"letters", []pkt{{0, "\x0c\x8a\x00\xa0", 0}, {1000, "\x0f\x8a\x00\xa0", 0}}, []Digit{{'A', 20 * time.Millisecond}, {'D', 20 * time.Millisecond}}},
		{"a flash, which is no key", []pkt{{0, "\x10\x0a\x00\xa0", 0}, {0, "\x10\x8a\x01\x40", 20}, {0, "\x10\x8a\x01\x40", 40}}, []Digit{{'!', 40 * time.Millisecond}}},
		{"unknown events and short packets", []pkt{{0, "\x11\x8a\x00\xa0", 0}, {9, "\xff\x8a\x00\xa0", 0}, {99, "\x01\x8a\x00", 0}, {999, "", 0}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r eventReader
			var got []Digit
			emit := func(d Digit) { got = append(got, d) }
			for _, p := range c.in {
				r.packet(p.ts, []byte(p.data), time.Duration(p.ms)*time.Millisecond, emit)
			}
			r.expire(rest*time.Millisecond, emit)
			r.expire(2*rest*time.Millisecond, emit)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestDigitsAreWrittenAsRFC4733(t *testing.T) {
	w := eventWriter{queue: []uint8{7, 11}}
	var b [4]byte
	for digit, code := range []uint8{7, 11} {
		for step := range toneTicks + pauseTicks {
			first, ok := w.next(b[:])
			if wantOK := step < toneTicks-1+endPackets; ok != wantOK || first != (step == 0) {
				t.Fatalf("digit %d step %d: first %v, ok %v", digit, step, first, ok)
			}
			if !ok {
				continue
			}
			duration := uint16(160 * min(step+1, toneTicks))
			if b[0] != code || (b[1]&0x80 != 0) != (step >= toneTicks-1) || binary.BigEndian.Uint16(b[2:]) != duration {
				t.Errorf("digit %d step %d: % x, want duration %d", digit, step, b, duration)
			}
		}
	}
	if w.pending() {
		t.Error("a digit is left")
	}
}

func TestReportsAreReadableByOthers(t *testing.T) {
	e := &Engine{cname: newCNAME()}
	g := &Leg{engine: e}
	g.out = stream{ssrc: 0xaabbccdd, started: true, clock: 1000, at: time.Second, packets: 10, octets: 1600}
	for i := range 11 {
		if i != 4 {
			g.in.packet(&packet{ssrc: 42, seq: uint16(65530 + i), ts: uint32(160 * i)}, true, time.Duration(i)*tick)
		}
	}
	g.control.hasSR, g.control.lastSR, g.control.lastSRAt = true, 0x12345678, time.Second
	wall := time.Unix(1_700_000_000, 500_000_000)
	b := g.appendReport(nil, 1500*time.Millisecond, wall)
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	compound := rtcp.CompoundPacket(packets)
	if err := compound.Validate(); err != nil {
		t.Fatal(err)
	}
	sr := packets[0].(*rtcp.SenderReport)
	want := rtcp.ReceptionReport{
		SSRC: 42, FractionLost: 256 / 11, TotalLost: 1, LastSequenceNumber: 65540,
		LastSenderReport: 0x12345678, Delay: 0x8000,
	}
	if sr.SSRC != 0xaabbccdd || sr.RTPTime != 1000+4000 || sr.PacketCount != 10 || sr.OctetCount != 1600 ||
		sr.NTPTime != (1_700_000_000+ntpEpoch)<<32|1<<31 || sr.Reports[0] != want {
		t.Errorf("sent %+v", sr)
	}
	if name, err := compound.CNAME(); err != nil || name != e.cname {
		t.Errorf("CNAME %q, %v", name, err)
	}
	// Nothing sent since: a receiver report.
	packets, err = rtcp.Unmarshal(g.appendReport(nil, 2*time.Second, wall))
	if err != nil {
		t.Fatal(err)
	}
	if rr, ok := packets[0].(*rtcp.ReceiverReport); !ok || rr.Reports[0].FractionLost != 0 || rr.Reports[0].TotalLost != 1 {
		t.Errorf("sent %+v", packets[0])
	}
}

func FuzzRTCP(f *testing.F) {
	seed := func(p ...rtcp.Packet) {
		b, err := rtcp.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	seed(&rtcp.SenderReport{SSRC: 1, NTPTime: 1 << 40, Reports: []rtcp.ReceptionReport{{SSRC: 7, TotalLost: 0xffffff, Jitter: 80}}})
	seed(&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: 6}, {SSRC: 7, LastSenderReport: 9, Delay: 3}}},
		&rtcp.Goodbye{Sources: []uint32{1}})
	f.Add([]byte{0x9f, 200, 0, 1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var n news
		if !n.parse(b, 7) {
			return
		}
		if n.lost > 0x7fffff || n.lost < -0x800000 {
			t.Fatalf("%d does not fit in 24 bits", n.lost)
		}
		// Where the reference reader understands the packet too, both must have seen the same.
		packets, err := rtcp.Unmarshal(b)
		if err != nil {
			return
		}
		var want news
		for _, p := range packets {
			var reports []rtcp.ReceptionReport
			switch p := p.(type) {
			case *rtcp.SenderReport:
				want.hasSR, want.sender, want.ntpMiddle = true, p.SSRC, uint32(p.NTPTime>>16)
				reports = p.Reports
			case *rtcp.ReceiverReport:
				reports = p.Reports
			}
			for _, r := range reports {
				if r.SSRC == 7 {
					want.hasBlock, want.lost = true, int32(r.TotalLost<<8)>>8
					want.jitter, want.lastSR, want.delay = r.Jitter, r.LastSenderReport, r.Delay
				}
			}
		}
		if n != want {
			t.Fatalf("read %+v, want %+v", n, want)
		}
	})
}
