package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/thesyncim/gopus"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/codec/opus"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// speaksOpus is an agreement on Opus whose keys have the clock of the sound.
func speaksOpus(ms int) sdp.Media {
	return sdp.Media{
		Codec: codec.Opus, SendPT: 111, RecvPT: 96, EventSendPT: 102, EventRecvPT: 103, Ptime: ms,
		Opus: sdp.Opus{EventClock: codec.OpusClock},
	}
}

// opusPhone is a phone that says a tone in Opus and keeps what it hears.
type opusPhone struct {
	*phone
	ms    int
	wave  wave
	enc   *opus.Encoder
	dec   *opus.Decoder
	came  []*rtp.Packet
	heard []int16
}

func newOpusPhone(p *phone, ms int, hz float64) *opusPhone {
	return &opusPhone{phone: p, ms: ms, wave: wave{hz: hz}, enc: opus.NewEncoder(0, false), dec: opus.NewDecoder()}
}

// says makes the next packet.
func (p *opusPhone) says() *rtp.Packet {
	pcm := make([]int16, 0, 480)
	for range p.ms / 20 {
		f := p.wave.frame()
		pcm = append(pcm, f[:]...)
	}
	payload := make([]byte, maxPacket)
	pkt := p.packet(payload[:p.enc.Encode(payload, pcm)])
	p.ts += uint32(48*p.ms) - frameSamples
	return pkt
}

func (p *opusPhone) listen() {
	for _, pkt := range p.all() {
		p.came = append(p.came, pkt)
		if pkt.PayloadType == 111 {
			var pcm [opus.MaxSamples]int16
			p.heard = append(p.heard, pcm[:p.dec.Decode(pcm[:], pkt.Payload)]...)
		}
	}
}

// inOrder fails unless the packets follow each other without a hole, each ticks after the one before.
func inOrder(t *testing.T, who string, came []*rtp.Packet, pt uint8, ticks uint32) {
	t.Helper()
	for i, p := range came {
		if p.PayloadType != pt {
			t.Fatalf("%s: packet %d has payload type %d", who, i, p.PayloadType)
		}
		if i > 0 && (p.SequenceNumber != came[i-1].SequenceNumber+1 || p.Timestamp-came[i-1].Timestamp != ticks || p.SSRC != came[0].SSRC || p.Marker) {
			t.Fatalf("%s: packet %d: %v after %v", who, i, p, came[i-1])
		}
	}
}

func TestAPhoneOfOpusAndOneOfAnotherCodecHearEachOther(t *testing.T) {
	for _, c := range []struct {
		id          codec.ID
		opus, other int // ms in a packet
	}{
		{codec.PCMA, 20, 20},
		{codec.PCMU, 20, 20},
		{codec.G722, 20, 20},
		{codec.PCMA, 60, 20},
		{codec.PCMU, 20, 30},
		{codec.G722, 40, 20},
		{codec.PCMA, 20, 60},
	} {
		t.Run(fmt.Sprint(c.id, c.opus, c.other), func(t *testing.T) {
			e := startEngine(t, 27400, 27409, func(c *Config) { c.Loops = 1 })
			x, y := bridged(t, e, speaksOpus(c.opus), inLength(c.id, c.other))
			a, b := newOpusPhone(x, c.opus, 700), newTalker(y, nil, c.id, 1300)
			clock := inVirtualTime(t, e, x.leg)
			for ms := 0; ms < 2400; ms += 20 {
				clock.do(func(l *loop) { l.clock.beat += tick })
				if ms%c.opus == 0 {
					arrives(clock, x, a.says())
				}
				if ms%20 == 0 && c.other == 20 {
					b.speak(clock)
				} else if ms%c.other == 0 {
					var pcm []int16
					for range c.other {
						f := b.wave.frame()
						pcm = append(pcm, f[:8]...)
						b.wave.n += 8 - frameSamples
					}
					payload := make([]byte, 8*c.other)
					b.enc.Encode(payload, pcm)
					arrives(clock, y, y.packet(payload))
					y.ts += uint32(8*c.other) - frameSamples
				}
				a.listen()
				b.listen()
			}
			inOrder(t, "the phone of Opus", a.came, 111, uint32(48*c.opus))
			inOrder(t, "the other", b.came, c.id.PayloadType(), uint32(8*c.other))
			if err := tone.Heard(tone.Tail(a.heard, 8000, 800), 1300, 700, 2000); err != nil {
				t.Errorf("the phone of Opus: %v", err)
			}
			if err := tone.Heard(tone.Tail(b.heard, 8000, 800), 700, 1300, 2000); err != nil {
				t.Errorf("the other: %v", err)
			}
			if s := x.leg.Stats(); s.Codec != "opus" || s.Clocked || s.Broken != 0 || s.Late != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// What a payload says is random, so it can only have passed untouched.
func TestBetweenTwoPhonesOfOpusPacketsPassAsTheyCame(t *testing.T) {
	e := startEngine(t, 27410, 27419, func(c *Config) { c.Loops = 1 })
	a, b := bridged(t, e, speaksOpus(20), speaksOpus(60))
	clock := inVirtualTime(t, e, a.leg)
	a.ts = math.MaxUint32 - 3000 // its clock wraps
	r := rand.New(rand.NewPCG(1, 1))
	var said []*rtp.Packet
	for i := range 12 {
		pkt := a.sounds(1, 1+r.IntN(900), r)[0]
		a.ts = pkt.Timestamp + 960
		if i == 7 {
			a.ts += 48_000 // a pause
		}
		said = append(said, pkt)
	}
	said[3].Marker = true
	order := []int{0, 1, 3, 2, 5, 6, 7, 8, 9, 10, 11}
	for _, i := range order {
		arrives(clock, a, said[i])
	}
	came := b.all()
	if len(came) != len(order) {
		t.Fatalf("%d packets came", len(came))
	}
	for k, i := range order {
		was, is := said[i], came[k]
		if !bytes.Equal(was.Payload, is.Payload) || is.PayloadType != 111 || is.SequenceNumber-came[0].SequenceNumber != uint16(i) ||
			is.Timestamp-came[0].Timestamp != was.Timestamp-said[0].Timestamp || is.Marker != (was.Marker || k == 0) {
			t.Errorf("packet %d\n%v\ncame as\n%v", i, was, is)
		}
	}
	if s := b.leg.Stats(); s.Clocked || s.Broken != 0 {
		t.Errorf("%+v", s)
	}
}

// A prompt, a third who listens and a recording need the sound; the moment they do, and the moment they do no more,
// nothing that the phones see is out of order.
func TestWhatPassesIsDecodedAsSoonAsAnybodyListensAndPassesAgain(t *testing.T) {
	e := startEngine(t, 27420, 27439, func(c *Config) { c.Loops = 1 })
	x, y := bridged(t, e, speaksOpus(20), speaksOpus(20))
	a, b := newOpusPhone(x, 20, 700), newOpusPhone(y, 20, 1300)
	third := newTalker(join(t, e, "127.0.0.35", as(codec.PCMA), nil), nil, codec.PCMA, 2000)
	clock := inVirtualTime(t, e, x.leg)
	talk := func(seconds float64) {
		for range int(50 * seconds) {
			clock.do(func(l *loop) { l.clock.beat += 0 })
			arrives(clock, x, a.says())
			arrives(clock, y, b.says())
			clock.tick(1)
			a.listen()
			b.listen()
			third.listen()
		}
	}
	judge := func(when string, hears int) {
		t.Helper()
		others := tone.Others([]int{700, 1300, 2000}, 700)
		if err := tone.Heard(tone.Tail(b.heard, 4000, 400), 700, others...); err != nil {
			t.Errorf("%s: the second phone: %v", when, err)
		}
		if err := tone.Heard(tone.Tail(a.heard, 4000, 400), hears, tone.Others([]int{700, 1300, 2000}, hears)...); err != nil {
			t.Errorf("%s: the first phone: %v", when, err)
		}
	}
	talk(1)
	judge("passing", 1300)
	if x.leg.opus.passes != true || e.Counters().Opus != 2 {
		t.Error("packets of two phones of Opus are not passed on")
	}
	listen := func(from, to int) float64 {
		if to == 2 || from < 2 && to < 2 {
			return 1
		}
		return 0
	}
	if err := e.Mix([]*Leg{x.leg, y.leg}, []*Leg{third.leg}, listen); err != nil {
		t.Fatal(err)
	}
	talk(2)
	judge("listened to", 1300)
	for _, hz := range []int{700, 1300} {
		if level := tone.Level(tone.Tail(third.heard, 4000, 400), hz); level < tone.Audible {
			t.Errorf("who listens hears %d Hz at %.0f dB", hz, level)
		}
	}
	if err := e.Bridge(x.leg, y.leg); err != nil {
		t.Fatal(err)
	}
	talk(1)
	judge("passing again", 1300)
	if err := x.leg.Play([]Sound{tonePrompt{}}, true, nil); err != nil {
		t.Fatal(err)
	}
	talk(1)
	if err := tone.Heard(tone.Tail(b.heard, 4000, 400), 700, 1300, 2000); err != nil {
		t.Errorf("while the other hears a prompt: %v", err)
	}
	if level := tone.Level(tone.Tail(a.heard, 4000, 400), 1300); level > tone.Audible {
		t.Errorf("over the prompt the other is heard at %.0f dB", level)
	}
	if err := x.leg.Stop(); err != nil {
		t.Fatal(err)
	}
	talk(1)
	judge("after the prompt", 1300)
	for who, came := range map[string][]*rtp.Packet{"first": a.came, "second": b.came} {
		for i := 1; i < len(came); i++ {
			if is, was := came[i], came[i-1]; is.SequenceNumber != was.SequenceNumber+1 || int32(is.Timestamp-was.Timestamp) <= 0 {
				t.Errorf("%s: %v after %v", who, is, was)
			}
		}
	}
}

func TestKeysCrossTheClocksOfOpusAndG711(t *testing.T) {
	for _, events := range []int{codec.OpusClock, 8000} {
		ratio := uint16(events / 8000)
		m := speaksOpus(20)
		m.Opus.EventClock = events
		e := startEngine(t, 27440, 27449, func(c *Config) { c.Loops = 1 })
		a, b := bridged(t, e, m, pcmu)
		clock := inVirtualTime(t, e, a.leg)
		press := func(p *phone, pt uint8, unit uint16) {
			for i := range 4 {
				payload := []byte{5, 10, 0, 0}
				if i == 3 {
					payload[1] |= 0x80
				}
				binary.BigEndian.PutUint16(payload[2:], 320*unit*uint16(i+1))
				pkt := p.packet(payload)
				p.ts -= frameSamples
				pkt.PayloadType = pt
				arrives(clock, p, pkt)
			}
		}
		press(a, 103, ratio)
		if d := await[Digit](t, a.sink); d != (Digit{'5', 160 * time.Millisecond}) {
			t.Errorf("%d Hz: pressed %+v", events, d)
		}
		press(b, 101, 1)
		for i, pkt := range b.all() {
			if d := binary.BigEndian.Uint16(pkt.Payload[2:]); pkt.PayloadType != 101 || d != uint16(320*(i+1)) {
				t.Errorf("%d Hz: the phone of G.711 is told %v, %d", events, pkt, d)
			}
		}
		came := a.all()
		if len(came) != 4 {
			t.Fatalf("%d Hz: %d packets came", events, len(came))
		}
		for i, pkt := range came {
			if d := binary.BigEndian.Uint16(pkt.Payload[2:]); pkt.PayloadType != 102 || d != uint16(320*(i+1))*ratio || pkt.Timestamp != came[0].Timestamp {
				t.Errorf("%d Hz: the phone of Opus is told %v, %d", events, pkt, d)
			}
		}
	}
}

func TestDigitsThatWeDialToAPhoneOfOpusHaveItsClock(t *testing.T) {
	e := startEngine(t, 27450, 27459, func(c *Config) { c.Loops = 1 })
	a := join(t, e, "127.0.0.33", speaksOpus(20), nil)
	clock := byHand(t, a.leg)
	if err := a.leg.SendDTMF("7"); err != nil {
		t.Fatal(err)
	}
	clock.tick(toneTicks + pauseTicks)
	came := a.all()
	if len(came) == 0 {
		t.Fatal("no digit came")
	}
	if d := binary.BigEndian.Uint16(came[len(came)-1].Payload[2:]); d != 6*1280 {
		t.Errorf("160 ms are told as %d ticks of 48,000 Hz", d)
	}
}

// The phone of G.711 gets the lost packet where its number is.
func TestAPacketThatTheNextOneRepeatsIsNotLost(t *testing.T) {
	enc, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: 8000, Channels: 1, Application: gopus.ApplicationVoIP})
	if err != nil {
		t.Fatal(err)
	}
	enc.SetFEC(true)
	if err := enc.SetPacketLoss(25); err != nil {
		t.Fatal(err)
	}
	if err := enc.SetFrameSize(160); err != nil {
		t.Fatal(err)
	}
	e := startEngine(t, 27460, 27469, func(c *Config) { c.Loops = 1 })
	a, b := bridged(t, e, speaksOpus(20), as(codec.PCMA))
	clock := inVirtualTime(t, e, a.leg)
	r := rand.New(rand.NewPCG(2, 2))
	lost, repeated := 0, 0
	for i := range 200 {
		var pcm [160]int16
		for k := range pcm {
			at := float64(160*i+k) / 8000
			pcm[k] = int16(3000*math.Abs(math.Sin(9*at))*(math.Sin(830*at+3*math.Sin(4*at))+0.5*math.Sin(1660*at)) + 300*r.NormFloat64())
		}
		payload := make([]byte, maxPacket)
		n, err := enc.EncodeInt16(pcm[:], payload)
		if err != nil {
			t.Fatal(err)
		}
		pkt := a.packet(payload[:n])
		a.ts += 960 - frameSamples
		if i%10 == 5 {
			lost++
			continue
		}
		if i%10 == 6 && gopus.PacketHasLBRR(payload[:n]) {
			repeated++
		}
		arrives(clock, a, pkt)
	}
	came := b.all()
	recovered := int(e.Counters().OpusRecovered)
	if len(came) != 200-lost+recovered || recovered != repeated || repeated < lost/2 {
		t.Fatalf("%d packets came; of %d that were lost %d were repeated and %d recovered", len(came), lost, repeated, recovered)
	}
	for i := 1; i < len(came); i++ {
		step := came[i].SequenceNumber - came[i-1].SequenceNumber
		if step != 1 && step != 2 || came[i].Timestamp-came[i-1].Timestamp != 160*uint32(step) {
			t.Errorf("%v after %v", came[i], came[i-1])
		}
	}
	if s := a.leg.Stats(); int(s.Lost) != lost {
		t.Errorf("the network lost %d packets, %d are told", lost, s.Lost)
	}
}

func TestJunkInOpusIsLeftOutAndTheCallGoesOn(t *testing.T) {
	lines := &logLines{}
	e := startEngine(t, 27470, 27479, func(c *Config) { c.Loops, c.Log = 1, lines.logger() })
	x, y := bridged(t, e, speaksOpus(20), as(codec.PCMA))
	a, b := newOpusPhone(x, 20, 700), newTalker(y, nil, codec.PCMA, 1300)
	clock := inVirtualTime(t, e, x.leg)
	r := rand.New(rand.NewPCG(3, 3))
	for range 500 {
		junk := x.sounds(1, r.IntN(1400), r)[0]
		x.ts = junk.Timestamp + 960
		arrives(clock, x, junk)
	}
	broken := x.leg.Stats().Broken
	if broken == 0 {
		t.Error("no packet of noise was refused")
	}
	b.all()
	for range 100 {
		arrives(clock, x, a.says())
		b.listen()
	}
	if err := tone.Heard(tone.Tail(b.heard, 8000, 800), 700, 1300, 2000); err != nil {
		t.Errorf("after the junk: %v", err)
	}
	if s := x.leg.Stats(); s.Broken != broken {
		t.Errorf("%d good packets were refused", s.Broken-broken)
	}
	if got := lines.String(); strings.Count(got, "Opus that cannot be decoded") != 1 {
		t.Errorf("the log says\n%s", got)
	}
}

func TestReportsToAPhoneOfOpusHaveItsClock(t *testing.T) {
	e := startEngine(t, 27480, 27489, func(c *Config) { c.Loops = 1 })
	p, control, _ := rtcpPhone(t, e)
	m := speaksOpus(20)
	m.RemoteRTCP = netip.MustParseAddrPort(control.LocalAddr().String())
	p.pt = m.RecvPT
	p.configure(m)
	a := newOpusPhone(p, 20, 700)
	if err := p.leg.Echo(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p.put(a.says())
		settle(t, p.leg)
	}
	sent := p.receive()
	for _, r := range reportNow(t, p, control) {
		if sr, ok := r.(*rtcp.SenderReport); ok {
			if ahead := sr.RTPTime - sent.Timestamp; ahead > 48_000*60 || ahead%6 != 0 {
				t.Errorf("the report has timestamp %d, the sound %d", sr.RTPTime, sent.Timestamp)
			}
			return
		}
	}
	t.Error("no sender report")
}

func TestACallOfOpusGoesOnInTheNextProcess(t *testing.T) {
	journal, keeper := newJournal(), &keepingFake{}
	change := func(c *Config) { c.Journal, c.Keeper, c.Loops = journal, keeper, 1 }
	first := startEngine(t, 27490, 27499, change)
	x, y := bridged(t, first, speaksOpus(20), as(codec.PCMA))
	a := newOpusPhone(x, 20, 700)
	x.put(a.says())
	before := y.receive()
	states := journal.copy()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := startEngine(t, 27490, 27499, change)
	legs, errs := second.Restore(states)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if n := second.Counters().Opus; n != 1 {
		t.Errorf("%d legs speak Opus", n)
	}
	var heard []int16
	dec := codec.NewDecoder(codec.PCMA)
	for range 100 {
		x.put(a.says())
		pkt := y.receive()
		if pkt.SSRC == before.SSRC {
			t.Fatal("the stream has its number of before")
		}
		var pcm [1000]int16
		heard = append(heard, pcm[:dec.Decode(pcm[:], pkt.Payload)]...)
	}
	if err := tone.Heard(tone.Tail(heard, 8000, 800), 700, 1300); err != nil {
		t.Error(err)
	}
	legs[x.leg.ID()].Close()
	legs[x.leg.ID()].Stats()
	if n := second.Counters().Opus; n != 0 {
		t.Errorf("%d legs speak Opus after the last has closed", n)
	}
}

func TestMoreLegsOfOpusThanTheBoardCarriesAreCountedAndSaid(t *testing.T) {
	lines := &logLines{}
	e := startEngine(t, 27500, 27519, func(c *Config) { c.OpusMax, c.Log = 1, lines.logger() })
	if !e.OpusRoom() {
		t.Error("there is no room for the first")
	}
	a := join(t, e, "127.0.0.33", speaksOpus(20), nil)
	a.configure(speaksOpus(20)) // a refresh
	if e.OpusRoom() || e.Counters().OpusOver != 0 {
		t.Error("there is room for a second")
	}
	b := join(t, e, "127.0.0.34", speaksOpus(20), nil)
	if c := e.Counters(); c.Opus != 2 || c.OpusOver != 1 {
		t.Errorf("%+v", c)
	}
	if got := lines.String(); !strings.Contains(got, "more legs speak Opus") || !strings.Contains(got, "most=1") {
		t.Errorf("the log says %s", got)
	}
	b.configure(as(codec.PCMA))
	b.pt = 8
	a.leg.Close()
	a.leg.Stats()
	if c := e.Counters(); c.Opus != 0 || !e.OpusRoom() {
		t.Errorf("after all have left: %+v", c)
	}
	for configured, speaks := range map[int]bool{-1: false, 0: true, 1: true} {
		if got := startEngine(t, 27520, 27529, func(c *Config) { c.OpusMax = configured }); got.SpeaksOpus() != speaks || got.OpusRoom() != speaks {
			t.Errorf("with %d: %v, %v", configured, got.SpeaksOpus(), got.OpusRoom())
		}
	}
}
