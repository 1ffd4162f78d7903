package media

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pion/rtp"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

// inLength is a description with packets of ms milliseconds.
func inLength(id codec.ID, ms int) sdp.Media {
	m := as(id)
	m.Ptime = ms
	return m
}

// arrives hands packets to a phone's leg in the order in which the network delivers them.
func arrives(clock *beats, p *phone, packets ...*rtp.Packet) {
	clock.t.Helper()
	for _, pkt := range packets {
		raw, err := pkt.Marshal()
		if err != nil {
			clock.t.Fatal(err)
		}
		clock.do(func(l *loop) {
			l.now = l.clock.beat
			from := p.leg.ports.rtp.address(p.addr())
			l.arrived(p.leg, raw, &from)
		})
	}
}

// all takes the packets that have come.
func (p *phone) all() (came []*rtp.Packet) {
	p.t.Helper()
	for {
		pkt := p.waiting()
		if pkt == nil {
			return came
		}
		came = append(came, pkt)
	}
}

// sounds makes n packets of random bytes.
func (p *phone) sounds(n, size int, r *rand.Rand) (all []*rtp.Packet) {
	for range n {
		payload := make([]byte, size)
		for i := range payload {
			payload[i] = byte(r.Uint32())
		}
		pkt := p.packet(payload)
		p.ts += uint32(size) - frameSamples
		all = append(all, pkt)
	}
	return all
}

func TestBetweenTheLawsOfG711PacketsGoOnAsTheyCameWithTheOtherLawsBytes(t *testing.T) {
	for _, ids := range [][2]codec.ID{{codec.PCMA, codec.PCMU}, {codec.PCMU, codec.PCMA}} {
		e := startEngine(t, 27300, 27309, func(c *Config) { c.Loops = 1 })
		a, b := bridged(t, e, as(ids[0]), as(ids[1]))
		clock := inVirtualTime(t, e, a.leg)
		said := a.sounds(8, frameSamples, rand.New(rand.NewPCG(1, 1)))
		said[3].PayloadType, said[3].Payload = 101, []byte{5, 0x80 | 10, 0, 160} // a key that has ended: else what follows were silenced
		said[6].Marker, said[6].Extension, said[6].ExtensionProfile = true, true, 0xBEDE
		if err := said[6].SetExtension(1, []byte{1, 2, 3}); err != nil {
			t.Fatal(err)
		}
		order := []int{0, 1, 3, 2, 5, 6, 7} // two change places, one is lost
		for _, i := range order {
			arrives(clock, a, said[i])
		}
		came := b.all()
		if len(came) != len(order) {
			t.Fatalf("%v: %d packets came", ids, len(came))
		}
		dec, enc := codec.NewDecoder(ids[0]), codec.NewEncoder(ids[1])
		for k, i := range order {
			was, is := said[i], came[k]
			want, pcm := slices.Clone(was.Payload), make([]int16, len(was.Payload))
			if was.PayloadType != 101 {
				dec.Decode(pcm, was.Payload)
				enc.Encode(want, pcm)
			}
			if !bytes.Equal(is.Payload, want) || (is.PayloadType == 101) != (was.PayloadType == 101) ||
				is.SequenceNumber-came[0].SequenceNumber != uint16(i) || is.Timestamp-came[0].Timestamp != was.Timestamp-said[0].Timestamp ||
				is.Marker != (was.Marker || k == 0) || is.Extension != was.Extension {
				t.Errorf("%v: packet %d\n%v\ncame as\n%v", ids, i, was, is)
			}
		}
	}
}

// A codec with memory is decoded and encoded in the order of arrival: what comes behind its time is left
// out for the far end to conceal, what is lost stays lost, and a new sender is decoded anew.
func TestACodecWithMemoryIsTranscodedOnceAndInOrder(t *testing.T) {
	for _, ids := range [][2]codec.ID{{codec.PCMA, codec.G722}, {codec.G722, codec.PCMA}} {
		t.Run(fmt.Sprint(ids), func(t *testing.T) {
			e := startEngine(t, 27310, 27319, func(c *Config) { c.Loops = 1 })
			x, y := bridged(t, e, as(ids[0]), as(ids[1]))
			a, b := newTalker(x, nil, ids[0], 700), newTalker(y, nil, ids[1], 1300)
			clock := inVirtualTime(t, e, a.leg)
			var said []*rtp.Packet
			for i := range 60 {
				if i == 50 { // another sender begins
					a.ssrc, a.seq, a.enc = 99, a.seq+1000, codec.NewEncoder(ids[0])
				}
				f := a.wave.frame()
				payload := make([]byte, frameSamples)
				a.enc.Encode(payload, f[:])
				said = append(said, a.packet(payload))
			}
			order := []int{0, 1, 1, 2, 4, 3, 5, 7} // doubled, two change places, one is lost
			for i := 8; i < len(said); i++ {
				order = append(order, i)
			}
			for _, i := range order {
				arrives(clock, x, said[i])
			}
			b.listen()
			var numbers []uint16
			for _, pkt := range b.came {
				numbers = append(numbers, pkt.SequenceNumber-b.came[0].SequenceNumber)
			}
			want := []uint16{0, 1, 2, 4, 5, 7}
			for i := 8; i < len(said); i++ {
				want = append(want, uint16(i))
			}
			if !slices.Equal(numbers, want) {
				t.Errorf("the numbers are %v", numbers)
			}
			if s := b.leg.Stats(); s.Late != 2 || s.Clocked || s.Fast {
				t.Errorf("stats %+v", s)
			}
			clean(t, "b", b.heard, 700, 1300)
			if n := len(b.heard); n != frameSamples*len(want) {
				t.Errorf("%d samples of %d packets", n, len(want))
			}
		})
	}
}

// Packets of one length become packets of another as they come: the sound is whole, numbers and time go
// on without a hole.
func TestPacketsAreCutAnewAsTheyCome(t *testing.T) {
	for _, c := range []struct{ from, to int }{{20, 30}, {30, 20}, {20, 10}, {10, 20}, {20, 60}, {60, 20}, {20, 40}, {30, 40}} {
		t.Run(fmt.Sprintf("%d to %d ms", c.from, c.to), func(t *testing.T) {
			e := startEngine(t, 27320, 27329, func(c *Config) { c.Loops = 1 })
			a, b := bridged(t, e, inLength(codec.PCMA, c.from), inLength(codec.PCMA, c.to))
			clock := inVirtualTime(t, e, a.leg)
			said := a.sounds(24, 8*c.from, rand.New(rand.NewPCG(2, 2)))
			arrives(clock, a, said...)
			var sent, heard []byte
			for _, pkt := range said {
				sent = append(sent, pkt.Payload...)
			}
			came := b.all()
			for i, pkt := range came {
				if pkt.SequenceNumber != came[0].SequenceNumber+uint16(i) || pkt.Marker != (i == 0) || len(pkt.Payload) != 8*c.to ||
					pkt.Timestamp != came[0].Timestamp+uint32(len(heard)) {
					t.Errorf("packet %d: %v", i, pkt)
				}
				heard = append(heard, pkt.Payload...)
			}
			if len(sent)-len(heard) >= 8*c.to || !bytes.Equal(heard, sent[:len(heard)]) {
				t.Errorf("of %d bytes %d came", len(sent), len(heard))
			}
			if s := b.leg.Stats(); s.Clocked || s.Fast {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// What is lost, what comes late, what was silence and what is a key keep their places when packets are cut
// anew.
func TestWhatIsCutAnewKeepsLossSilenceAndKeysInTheirPlaces(t *testing.T) {
	e := startEngine(t, 27330, 27339, func(c *Config) { c.Loops = 1 })
	a, b := bridged(t, e, inLength(codec.PCMA, 20), inLength(codec.PCMA, 30))
	clock := inVirtualTime(t, e, a.leg)
	r := rand.New(rand.NewPCG(3, 3))
	type heard struct {
		number uint16
		ts     uint32
		bytes  int
		pt     uint8
		marker bool
	}
	var first *rtp.Packet
	hears := func(what string, want ...heard) {
		t.Helper()
		var got []heard
		for _, p := range b.all() {
			if first == nil {
				first = p
			}
			got = append(got, heard{p.SequenceNumber - first.SequenceNumber, p.Timestamp - first.Timestamp, len(p.Payload), p.PayloadType, p.Marker})
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	said := a.sounds(3, 160, r)
	arrives(clock, a, said...) // 480 samples are two packets
	hears("whole", heard{0, 0, 240, 8, true}, heard{1, 240, 240, 8, false})

	lost := a.sounds(4, 160, r)
	arrives(clock, a, lost[0], lost[2]) // 160 are held, then comes a hole
	hears("loss", heard{2, 480, 160, 8, false})
	arrives(clock, a, lost[1]) // too late
	hears("late")
	arrives(clock, a, lost[3])
	hears("behind the hole", heard{4, 800, 240, 8, false}) // the number of the lost one is left out

	a.ts += 8000 // silence: the time goes on, the numbers do not; what is held is out of date
	spurt := a.sounds(2, 160, r)
	spurt[0].Marker = true
	arrives(clock, a, spurt...)
	hears("silence", heard{5, 800 + 320 + 8000, 240, 8, true})

	begin := a.ts
	for range 3 { // a key: the time stands still, and the sound before it goes first
		key := a.packet([]byte{5, 10, 0, 160})
		key.PayloadType, key.Timestamp = 101, begin
		arrives(clock, a, key)
	}
	hears("a key", heard{6, 9120 + 240, 80, 8, false}, heard{7, 9440, 4, 101, false}, heard{8, 9440, 4, 101, false}, heard{9, 9440, 4, 101, false})
	arrives(clock, a, a.sounds(3, 160, r)...)
	hears("after the key", heard{10, 9440 + 480, 240, 8, false}, heard{11, 9440 + 720, 240, 8, false})

	a.ts = 17 // the sender's clock jumps back while its numbers go on
	again := a.sounds(3, 160, r)
	arrives(clock, a, again...)
	if got := b.all(); len(got) != 2 || got[0].SequenceNumber-first.SequenceNumber != 12 || !got[0].Marker ||
		got[1].Timestamp-got[0].Timestamp != 240 || got[0].Timestamp-first.Timestamp < 9440+960 || got[0].Timestamp-first.Timestamp > 20000 {
		t.Errorf("after a jump of the sender's clock: %v", got)
	}
}

// Whatever order, loss, silence and length the packets of a sender have, who hears them cut anew gets each
// byte once at the most, at its time, and numbers that only rise.
func TestNoStreamCutAnewIsOutOfPlace(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 5))
		e := startEngine(t, 27340, 27349, func(c *Config) { c.Loops = 1 })
		a, b := bridged(t, e, inLength(codec.PCMU, 20), inLength(codec.PCMU, []int{10, 30, 40, 50, 60}[r.IntN(5)]))
		clock := inVirtualTime(t, e, a.leg)
		start := a.ts
		var said []*rtp.Packet
		for range 80 {
			if r.IntN(12) == 0 {
				a.ts += uint32(160 * r.IntN(40))
			}
			said = append(said, a.sounds(1, 80*(1+r.IntN(6)), r)...)
		}
		sent := map[uint32]byte{}
		for i, pkt := range said {
			for k, v := range pkt.Payload {
				sent[pkt.Timestamp-start+uint32(k)] = v
			}
			if i > 0 && r.IntN(10) == 0 {
				said[i], said[i-1] = said[i-1], said[i]
			}
		}
		for _, pkt := range said {
			if r.IntN(10) > 0 {
				arrives(clock, a, pkt)
			}
		}
		came := b.all()
		base, begin := came[0].Timestamp, uint32(0)
		for !holds(sent, begin, came[0].Payload) { // the first that came may not be the first that was said
			if begin++; begin > 1<<20 {
				t.Fatalf("seed %d: the first packet is not what was said", seed)
			}
		}
		for i, pkt := range came {
			if i > 0 && int16(pkt.SequenceNumber-came[i-1].SequenceNumber) <= 0 {
				t.Fatalf("seed %d: packet %d has number %d after %d", seed, i, pkt.SequenceNumber, came[i-1].SequenceNumber)
			}
			if i > 0 && int32(pkt.Timestamp-came[i-1].Timestamp) < int32(len(came[i-1].Payload)) {
				t.Fatalf("seed %d: packet %d overlaps the one before", seed, i)
			}
			if !holds(sent, pkt.Timestamp-base+begin, pkt.Payload) {
				t.Fatalf("seed %d: packet %d is not what was said then", seed, i)
			}
		}
		a.leg.Close()
		b.leg.Close()
		b.leg.Stats()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// holds reports whether the payload is what was sent from a time on.
func holds(sent map[uint32]byte, at uint32, payload []byte) bool {
	for i, v := range payload {
		if was, ok := sent[at+uint32(i)]; !ok || was != v {
			return false
		}
	}
	return true
}

func TestOneWhoSpeaksToManyIsHeardInTheCodecOfEach(t *testing.T) {
	e := startEngine(t, 27350, 27359, func(c *Config) { c.Loops = 1 })
	ids := []codec.ID{codec.PCMA, codec.PCMU, codec.G722, codec.PCMA}
	var all []*talker
	for i, id := range ids {
		all = append(all, newTalker(join(t, e, fmt.Sprintf("127.0.0.%d", 33+i), as(id), nil), nil, id, 700))
	}
	if err := e.Page(all[0].leg, all[1].leg, all[2].leg, all[3].leg); err != nil {
		t.Fatal(err)
	}
	clock := inVirtualTime(t, e, all[0].leg)
	for range 40 {
		all[0].speak(clock)
	}
	for i, p := range all[1:] {
		p.listen()
		clean(t, ids[i+1].Name(), p.heard, 700, 1300)
		if s := p.leg.Stats(); s.Clocked || s.Sent != 40 {
			t.Errorf("%v: %+v", ids[i+1], s)
		}
	}
}

func TestTheSecretPartyOfAnotherCodecHearsAndIsHeard(t *testing.T) {
	e := startEngine(t, 27360, 27369, func(c *Config) { c.Loops = 1 })
	p := secretly(t, e, "127.0.0.33", testKey(1), testKey(2))
	a := newTalker(p.phone, p, codec.PCMU, 700)
	b := newTalker(join(t, e, "127.0.0.34", as(codec.G722), nil), nil, codec.G722, 1300)
	bridge(t, a.phone, b.phone)
	clock := inVirtualTime(t, e, a.leg)
	converse(clock, 40, a, b)
	clean(t, "who is encrypted", a.heard, 1300, 700)
	clean(t, "who is not", b.heard, 700, 1300)
}

func TestTranscodingAllocatesNothing(t *testing.T) {
	for name, c := range map[string][2]sdp.Media{
		"between the laws":        {as(codec.PCMA), as(codec.PCMU)},
		"to a codec with memory":  {as(codec.PCMA), as(codec.G722)},
		"of a codec with memory":  {as(codec.G722), as(codec.PCMU)},
		"a codec with memory":     {as(codec.G722), as(codec.G722)},
		"into another length":     {as(codec.PCMA), inLength(codec.PCMA, 30)},
		"into another everything": {as(codec.PCMA), inLength(codec.G722, 40)},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEngine(t, 27370, 27379, func(c *Config) { c.Loops = 1 })
			a, b := bridged(t, e, c[0], c[1])
			raw, err := a.packet(make([]byte, frameSamples)).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			clock := inVirtualTime(t, e, a.leg)
			clock.do(func(l *loop) {
				from := a.leg.ports.rtp.address(a.addr())
				var p packet
				p.parse(raw)
				b := make([]byte, len(raw)) // a relay rewrites what it is given
				next := func() {
					p.seq, p.ts = p.seq+1, p.ts+frameSamples
					putMapped(raw, p.pt, false, p.seq, p.ts, p.ssrc)
					copy(b, raw)
					l.arrived(a.leg, b, &from)
				}
				for range 20 { // what is made once
					next()
				}
				if n := testing.AllocsPerRun(200, next); n != 0 {
					t.Errorf("%v allocations per packet", n)
				}
			})
			if s := b.leg.Stats(); s.Sent < 100 || s.Clocked {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// Whatever a phone sends as sound or key, what goes on is RTP of the length that the other wants, or less.
func FuzzTranscoding(f *testing.F) {
	f.Add(uint16(1), uint32(160), false, []byte{1, 2, 3})
	f.Add(uint16(1), uint32(160), true, []byte{5, 0x8a, 3, 32})
	f.Add(uint16(700), uint32(1<<31), false, make([]byte, maxPacket-headerSize))
	f.Add(uint16(0), uint32(0), false, []byte{})
	e := startEngine(f, 27460, 27499, func(c *Config) { c.Loops = 1 })
	a, b := bridged(f, e, inLength(codec.PCMA, 20), inLength(codec.G722, 30))
	c, d := bridged(f, e, as(codec.G722), as(codec.PCMU))
	f.Fuzz(func(t *testing.T, seq uint16, ts uint32, event bool, payload []byte) {
		b.t, d.t = t, t
		for _, p := range []*phone{a, c} {
			pt := p.pt
			if event {
				pt = 101
			}
			raw := make([]byte, headerSize, headerSize+len(payload))
			putHeader(raw, pt, false, seq, ts, 7)
			raw = append(raw, payload...)
			if err := p.leg.ask(func(l *loop) error {
				from := p.leg.ports.rtp.address(p.addr())
				l.arrived(p.leg, raw, &from)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		for _, pkt := range b.all() {
			if n := len(pkt.Payload); pkt.PayloadType == codec.G722.PayloadType() && n > 240 {
				t.Errorf("%d bytes for one who wants 240", n)
			}
		}
		for _, pkt := range d.all() {
			if pkt.PayloadType != 101 && len(pkt.Payload) != len(payload) {
				t.Errorf("%d bytes became %d", len(payload), len(pkt.Payload))
			}
		}
	})
}
