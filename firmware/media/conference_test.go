package media

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pion/rtp"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/prompt"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

// talker is a phone that says a tone of its own and keeps what it hears.
type talker struct {
	*phone
	secret *secretPhone // nil: plain
	id     codec.ID
	wave   wave
	enc    codec.Encoder
	dec    codec.Decoder
	heard  []int16
	came   []*rtp.Packet
}

func newTalker(p *phone, secret *secretPhone, id codec.ID, hz float64) *talker {
	return &talker{phone: p, secret: secret, id: id, wave: wave{hz: hz}, enc: codec.NewEncoder(id), dec: codec.NewDecoder(id)}
}

// speak sends 20 ms to the box, whose clock stands still meanwhile.
func (p *talker) speak(clock *beats) {
	f := p.wave.frame()
	payload := make([]byte, 2*frameSamples)
	payload = payload[:p.enc.Encode(payload, f[:])]
	if p.secret == nil {
		clock.deliver(p.phone, payload)
		return
	}
	raw := p.secret.sealed(p.packet(payload))
	clock.do(func(l *loop) {
		l.now = l.clock.beat
		from := p.leg.ports.rtp.address(p.addr())
		l.arrived(p.leg, raw, &from)
	})
}

// listen takes what has come: what the box sent over loopback is there when sendto has returned.
func (p *talker) listen() {
	for {
		pkt := p.waiting()
		if pkt == nil {
			return
		}
		if p.secret != nil {
			b, err := pkt.Marshal()
			if err == nil {
				b, err = p.secret.in.DecryptRTP(nil, b, nil)
			}
			if err != nil || pkt.Unmarshal(b) != nil {
				p.t.Fatalf("what the box sent cannot be decrypted: %v", err)
			}
		}
		p.came = append(p.came, pkt)
		pcm := make([]int16, 2*len(pkt.Payload))
		if pkt.PayloadType == p.pt {
			p.heard = append(p.heard, pcm[:p.dec.Decode(pcm, pkt.Payload)]...)
		}
	}
}

// converse lets all say their tones for n ticks and forgets what they heard before.
func converse(clock *beats, n int, all ...*talker) {
	forget(all...)
	goOn(clock, n, all...)
}

func forget(all ...*talker) {
	for _, p := range all {
		p.heard, p.came = nil, nil
	}
}

// goOn lets all say their tones for n ticks.
func goOn(clock *beats, n int, all ...*talker) {
	for range n {
		for _, p := range all {
			p.speak(clock)
		}
		clock.tick(1)
		for _, p := range all {
			p.listen()
		}
	}
	all[0].listen() // what is late for one is late for all
	for _, p := range all[1:] {
		p.listen()
	}
}

// hearing fails unless p hears exactly the tones of whom it shall, each at its level in dB against as
// it was spoken.
func hearing(t *testing.T, when, who string, p *talker, all []*talker, shall map[int]float64) {
	t.Helper()
	const spoken = -11.8 // of a wave, in dBm0
	if len(shall) == 0 && len(p.heard) == 0 {
		return
	}
	if len(p.heard) < 4000 {
		t.Errorf("%s: %s heard %d samples", when, who, len(p.heard))
		return
	}
	pcm := p.heard[len(p.heard)-4000:]
	for i, other := range all {
		level := dsp.ToneLevel(pcm, other.wave.hz)
		gain, want := shall[i]
		switch {
		case want && (level < spoken+gain-3 || level > spoken+gain+3):
			t.Errorf("%s: %s hears party %d at %.1f dBm0, want about %.1f", when, who, i, level, spoken+gain)
		case !want && level > -45:
			t.Errorf("%s: %s hears party %d at %.1f dBm0, which it must not", when, who, i, level)
		}
	}
}

// The gains of supervision: index 0 is the customer, 1 the agent, 2 the supervisor.
func gains(mode string) func(from, to int) float64 {
	return func(from, to int) float64 {
		switch {
		case from < 2, mode == "barge":
			return 1
		case mode == "whisper" && to == 1:
			return 1
		default:
			return 0
		}
	}
}

// whoHears says, for each mode, whom customer, agent and supervisor hear.
var whoHears = map[string][3]map[int]float64{
	"listen":  {{1: 0}, {0: 0}, {0: 0, 1: 0}},
	"whisper": {{1: 0}, {0: 0, 2: 0}, {0: 0, 1: 0}},
	"barge":   {{1: 0, 2: 0}, {0: 0, 2: 0}, {0: 0, 1: 0}},
}

func TestEachModeOfSupervisionLetsHearWhoShallAndNobodyElse(t *testing.T) {
	for name, c := range map[string]struct {
		codecs [3]codec.ID
		secret bool
	}{
		"all of one codec":                      {codecs: [3]codec.ID{codec.PCMA, codec.PCMA, codec.PCMA}},
		"each of another codec":                 {codecs: [3]codec.ID{codec.PCMU, codec.G722, codec.PCMA}},
		"customer and supervisor are encrypted": {codecs: [3]codec.ID{codec.PCMU, codec.PCMU, codec.PCMU}, secret: true},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEngine(t, 27100, 27119, func(c *Config) { c.Loops = 1 })
			var all []*talker
			for i, hz := range []float64{400, 1000, 1700} {
				if c.secret && i != 1 {
					p := secretly(t, e, fmt.Sprintf("127.0.0.%d", 33+i), testKey(1), testKey(2))
					all = append(all, newTalker(p.phone, p, c.codecs[i], hz))
					continue
				}
				p := join(t, e, fmt.Sprintf("127.0.0.%d", 33+i), as(c.codecs[i]), nil)
				all = append(all, newTalker(p, nil, c.codecs[i], hz))
			}
			customer, agent, boss := all[0], all[1], all[2]
			bridge(t, customer.phone, agent.phone)
			clock := byHand(t, customer.leg)
			converse(clock, 30, all...)
			for _, mode := range []string{"listen", "whisper", "barge", "listen"} {
				if err := e.Mix([]*Leg{customer.leg, agent.leg}, []*Leg{boss.leg}, gains(mode)); err != nil {
					t.Fatal(err)
				}
				converse(clock, 60, all...)
				for i, who := range []string{"the customer", "the agent", "the supervisor"} {
					hearing(t, mode, who, all[i], all, whoHears[mode][i])
				}
			}
			boss.leg.Close()
			bridge(t, customer.phone, agent.phone)
			converse(clock, 40, customer, agent)
			hearing(t, "afterwards", "the customer", customer, all, map[int]float64{1: 0})
			hearing(t, "afterwards", "the agent", agent, all, map[int]float64{0: 0})
			if s := agent.leg.Stats(); s.Fast != (c.codecs[0] == c.codecs[1]) {
				t.Errorf("after the last watcher has left: %+v", s)
			}
		})
	}
}

// Who is supervised must not notice it by a hole in the sound: not when the relay becomes a mix, and
// not when it is a relay again.
func TestNoPacketIsMissingWhenABridgeIsWidenedAndNarrowed(t *testing.T) {
	e := startEngine(t, 27120, 27139, func(c *Config) { c.Loops = 1 })
	var all []*talker
	for i, hz := range []float64{400, 1000, 1700} {
		all = append(all, newTalker(join(t, e, fmt.Sprintf("127.0.0.%d", 33+i), as(codec.PCMA), nil), nil, codec.PCMA, hz))
	}
	customer, agent, boss := all[0], all[1], all[2]
	bridge(t, customer.phone, agent.phone)
	clock := byHand(t, boss.leg)
	clock.do(func(l *loop) { l.now = l.engine.now() })
	converse(clock, 10, customer, agent)
	var came [2][]*rtp.Packet
	stretch := func(n int) {
		converse(clock, n, all...)
		came[0], came[1] = append(came[0], customer.came...), append(came[1], agent.came...)
	}
	for range 3 {
		stretch(20)
		if err := e.Mix([]*Leg{customer.leg, agent.leg}, []*Leg{boss.leg}, gains("listen")); err != nil {
			t.Fatal(err)
		}
		stretch(50)
		if err := e.Bridge(customer.leg, agent.leg); err != nil {
			t.Fatal(err)
		}
		e.Unbridge(boss.leg)
	}
	stretch(20)
	for i, who := range []string{"customer", "agent"} {
		if n := len(came[i]); n < 3*70+18 || n > 3*70+20+3 { // the tick of a change may say both
			t.Errorf("the %s got %d packets in %d ticks", who, n, 3*70+20)
		}
		for k := 1; k < len(came[i]); k++ {
			was, is := came[i][k-1], came[i][k]
			if is.SequenceNumber != was.SequenceNumber+1 || is.SSRC != was.SSRC {
				t.Errorf("the %s got packet %d after %d", who, is.SequenceNumber, was.SequenceNumber)
			}
			if step := is.Timestamp - was.Timestamp; step < 160 || step > 480 {
				t.Errorf("the %s: from packet %d to the next the time goes on by %d samples", who, k, step)
			}
		}
	}
}

// While the one holds, who watches hears the other, who hears music; two who watch do not hear each
// other; who joins later finds the others where they were.
func TestAMixGoesOnWithOnePartyAndWithSeveralWhoWatch(t *testing.T) {
	e := startEngine(t, 27140, 27159, func(c *Config) { c.Loops = 3 })
	var all []*talker
	for i, hz := range []float64{400, 1000, 1700, 2300} {
		all = append(all, newTalker(join(t, e, fmt.Sprintf("127.0.0.%d", 33+i), as(codec.PCMA), nil), nil, codec.PCMA, hz))
	}
	customer, agent, boss, owner := all[0], all[1], all[2], all[3]
	mixed := func(parties []*Leg, watchers ...*Leg) {
		t.Helper()
		if err := e.Mix(parties, watchers, func(from, to int) float64 {
			if from >= len(parties) {
				return 0
			}
			return 1
		}); err != nil {
			t.Fatal(err)
		}
	}
	bridge(t, customer.phone, agent.phone)
	mixed([]*Leg{customer.leg, agent.leg}, boss.leg)
	clock := byHand(t, customer.leg)
	mixed([]*Leg{customer.leg, agent.leg}, boss.leg, owner.leg)
	converse(clock, 60, all...)
	hearing(t, "two watch", "the first", boss, all, map[int]float64{0: 0, 1: 0})
	hearing(t, "two watch", "the second", owner, all, map[int]float64{0: 0, 1: 0})
	hearing(t, "two watch", "the customer", customer, all, map[int]float64{1: 0})

	e.Unbridge(agent.leg)
	mixed([]*Leg{customer.leg}, boss.leg, owner.leg)
	converse(clock, 60, all...)
	hearing(t, "the agent holds", "who watches", boss, all, map[int]float64{0: 0})
	hearing(t, "the agent holds", "the agent", agent, all, nil)
	hearing(t, "the agent holds", "the customer", customer, all, map[int]float64{})

	mixed([]*Leg{customer.leg, agent.leg}, owner.leg)
	converse(clock, 60, all...)
	hearing(t, "the agent is back", "who watches", owner, all, map[int]float64{0: 0, 1: 0})
	hearing(t, "the agent is back", "the agent", agent, all, map[int]float64{0: 0})
	hearing(t, "the agent is back", "who left", boss, all, nil)

	mixed(nil, owner.leg)
	converse(clock, 60, all...)
	hearing(t, "nobody is there", "who watches", owner, all, map[int]float64{})
}

func TestKeysPassBetweenPartiesWhoAreWatchedOnce(t *testing.T) {
	for name, ids := range map[string][2]codec.ID{
		"of one codec": {codec.PCMA, codec.PCMA}, "of two codecs": {codec.PCMA, codec.PCMU},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEngine(t, 27160, 27179, func(c *Config) { c.Loops = 1 })
			a := newTalker(join(t, e, "127.0.0.33", as(ids[0]), nil), nil, ids[0], 400)
			b := newTalker(join(t, e, "127.0.0.34", as(ids[1]), nil), nil, ids[1], 1000)
			boss := newTalker(join(t, e, "127.0.0.35", as(codec.PCMA), nil), nil, codec.PCMA, 1700)
			bridge(t, a.phone, b.phone)
			clock := byHand(t, a.leg)
			if err := e.Mix([]*Leg{a.leg, b.leg}, []*Leg{boss.leg}, gains("barge")); err != nil {
				t.Fatal(err)
			}
			converse(clock, 40, a, b, boss)
			press(clock, a, 7)
			press(clock, boss, 4)
			converse(clock, 40, b)
			var reader eventReader
			var got []rune
			for _, p := range b.came {
				if p.PayloadType == 101 {
					reader.packet(p.Timestamp, p.Payload, 0, func(d Digit) { got = append(got, d.Digit) })
				}
			}
			if string(got) != "7" {
				t.Errorf("the other party got the keys %q, want the 7 of its partner and no key of who watches", string(got))
			}
			if d := await[Digit](t, boss.sink); d.Digit != '4' {
				t.Errorf("the key of who watches is %q", d.Digit)
			}
		})
	}
}

// press sends a whole key press as telephone-events.
func press(clock *beats, p *talker, code byte) {
	was, at := p.pt, p.ts
	p.pt = 101
	for i := range byte(4) {
		p.ts = at
		clock.deliver(p.phone, []byte{code, 10 | 0x80*(i/3), 2, 128 + 40*i})
	}
	p.pt, p.ts = was, at+1600
}

// A mix takes as many as a conference room has, also when they come one after the other.
func TestThirtyHearTheOneWhoSpeaks(t *testing.T) {
	e := startEngine(t, 27380, 27449, func(c *Config) { c.Loops = 2 })
	var legs []*Leg
	var all []*talker
	for i := range 30 {
		id := []codec.ID{codec.PCMA, codec.PCMU, codec.G722}[i%3]
		all = append(all, newTalker(join(t, e, fmt.Sprintf("127.0.0.%d", 33+i), as(id), nil), nil, id, 700))
		legs = append(legs, all[i].leg)
		if i%7 == 6 || i == 29 {
			if err := e.Mix(nil, legs, func(int, int) float64 { return 1 }); err != nil {
				t.Fatal(err)
			}
		}
	}
	clock := byHand(t, all[0].leg)
	for range 60 {
		all[11].speak(clock)
		clock.tick(1)
		for _, p := range all {
			p.listen()
		}
	}
	for i, p := range all {
		if i != 11 {
			clean(t, fmt.Sprintf("party %d", i), p.heard, 700, 1300)
		} else if level := dsp.ToneLevel(p.heard, 700); level > -45 {
			t.Errorf("who speaks hears itself at %.1f dBm0", level)
		}
	}
}

func TestALineIsWatchedAndBargedInto(t *testing.T) {
	e := startEngine(t, 27180, 27199, func(c *Config) { c.Loops = 1 })
	modem := &lineFake{wave: wave{hz: 400}}
	mobile, err := e.Open(LegConfig{Line: modem})
	if err != nil {
		t.Fatal(err)
	}
	agent := newTalker(join(t, e, "127.0.0.34", as(codec.PCMA), nil), nil, codec.PCMA, 1000)
	boss := newTalker(join(t, e, "127.0.0.35", as(codec.PCMA), nil), nil, codec.PCMA, 1700)
	if err := e.Bridge(mobile, agent.leg); err != nil {
		t.Fatal(err)
	}
	clock := byHand(t, mobile)
	if err := e.Mix([]*Leg{mobile, agent.leg}, []*Leg{boss.leg}, gains("barge")); err != nil {
		t.Fatal(err)
	}
	clock.do(func(*loop) { modem.heard = nil })
	converse(clock, 60, agent, boss)
	line := newTalker(nil, nil, codec.PCMA, 400)
	clock.do(func(*loop) { line.heard = append(line.heard, modem.heard...) })
	all := []*talker{line, agent, boss}
	hearing(t, "barge", "the mobile", line, all, map[int]float64{1: 0, 2: 0})
	hearing(t, "barge", "the agent", agent, all, map[int]float64{0: 0, 2: 0})
	hearing(t, "barge", "the supervisor", boss, all, map[int]float64{0: 0, 1: 0})
}

func TestAMixLeavesOutWhoIsGoneAndRefusesWhatIsNone(t *testing.T) {
	e := startEngine(t, 27200, 27219, func(c *Config) { c.Loops = 2 })
	a := join(t, e, "127.0.0.33", pcmu, nil)
	b := join(t, e, "127.0.0.34", pcmu, nil)
	gone := join(t, e, "127.0.0.35", pcmu, nil)
	gone.leg.Close()
	gone.leg.Stats()
	one := func(int, int) float64 { return 1 }
	if err := e.Mix([]*Leg{a.leg, b.leg}, []*Leg{gone.leg}, one); !errors.Is(err, ErrClosed) {
		t.Errorf("with one who is gone: %v", err)
	}
	if s := a.leg.Stats(); !s.Bridged {
		t.Errorf("the others are not mixed: %+v", s)
	}
	for name, err := range map[string]error{
		"of nobody":              e.Mix(nil, nil, one),
		"of three parties":       e.Mix([]*Leg{a.leg, b.leg, gone.leg}, nil, one),
		"of more than there are": e.Mix([]*Leg{a.leg, b.leg}, make([]*Leg, maxSeats), one),
	} {
		if !errors.Is(err, ErrNobody) {
			t.Errorf("a mix %s: %v", name, err)
		}
	}
	if err := e.Mix([]*Leg{a.leg, a.leg}, nil, one); !errors.Is(err, ErrSelfBridge) {
		t.Errorf("a party with itself: %v", err)
	}
	if err := e.Mix([]*Leg{a.leg, b.leg}, []*Leg{b.leg}, one); !errors.Is(err, ErrSelfBridge) {
		t.Errorf("who watches itself: %v", err)
	}
	a.leg.Close()
	if err := e.Mix([]*Leg{a.leg}, []*Leg{b.leg}, one); !errors.Is(err, ErrClosed) {
		t.Errorf("whose party is gone: %v", err)
	}
}

func TestATickOfAMixAllocatesNothing(t *testing.T) {
	e := startEngine(t, 27220, 27239, func(c *Config) { c.Loops = 1 })
	var all []*talker
	for i, id := range []codec.ID{codec.PCMU, codec.G722, codec.PCMA} {
		all = append(all, newTalker(join(t, e, fmt.Sprintf("127.0.0.%d", 33+i), as(id), nil), nil, id, 400))
	}
	if err := e.Mix([]*Leg{all[0].leg, all[1].leg}, []*Leg{all[2].leg}, gains("barge")); err != nil {
		t.Fatal(err)
	}
	clock := byHand(t, all[0].leg)
	converse(clock, 40, all...)
	var raws [3][]byte
	for i, p := range all {
		raw, err := p.packet(make([]byte, p.id.PayloadBytes(20))).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		raws[i] = raw
	}
	var per float64
	clock.do(func(l *loop) {
		var at [3]address
		for i, p := range all {
			at[i] = p.leg.ports.rtp.address(p.addr())
		}
		per = testing.AllocsPerRun(300, func() {
			l.now = l.clock.beat + tick
			for i, raw := range raws {
				if raw[3]++; raw[3] == 0 {
					raw[2]++
				}
				l.arrived(all[i].leg, raw, &at[i])
			}
			l.tick(1)
		})
	})
	if s := all[2].leg.Stats(); per != 0 || s.Sent < 300 {
		t.Errorf("%v allocations per tick, %d packets sent", per, s.Sent)
	}
}

// BenchmarkSupervised is what a call costs that a third listens to: every party's sound is decoded,
// mixed and encoded.
func BenchmarkSupervised(b *testing.B) {
	for _, id := range []codec.ID{codec.PCMA, codec.G722} {
		b.Run(id.Name(), func(b *testing.B) {
			for b.Loop() {
				seconds := benchMixes(b, 60, 3, id, func(e *Engine, legs []*Leg) error {
					return e.Mix(legs[:2], legs[2:], gains("whisper"))
				})
				b.ReportMetric(1000*seconds/60/benchTime.Seconds(), "cpu-ms/call-s")
			}
		})
	}
}

// BenchmarkConference30 is a room of 30 phones of G.711, all of whom talk.
func BenchmarkConference30(b *testing.B) {
	for b.Loop() {
		seconds := benchMixes(b, 1, 30, codec.PCMA, func(e *Engine, legs []*Leg) error {
			return e.Mix(nil, legs, func(int, int) float64 { return 1 })
		})
		b.ReportMetric(100*seconds/benchTime.Seconds(), "core-%")
	}
}

// benchMixes lets groups of phones talk and returns the seconds of CPU time that it took.
func benchMixes(b *testing.B, groups, size int, id codec.ID, seat func(*Engine, []*Leg) error) float64 {
	gen := startGenerator(b, groups*size)
	e := startEngine(b, 26000, 26000+4*groups*size, nil)
	p := plan{Duration: benchTime, Mixed: true}
	var legs []*Leg
	for i := range groups * size {
		g, err := e.Open(LegConfig{Lock: true})
		if err != nil {
			b.Fatal(err)
		}
		m := as(id)
		m.Remote = netipPort(netipAddrPort(generatorIP+":1"), gen.ports[i])
		if err := g.Configure(m); err != nil {
			b.Fatal(err)
		}
		port, _ := g.Ports()
		p.Ports, p.PT, p.Suite = append(p.Ports, port), append(p.PT, m.RecvPT), append(p.Suite, sdp.NoSuite)
		legs = append(legs, g)
		if i%size == size-1 {
			if err := seat(e, legs[i+1-size:]); err != nil {
				b.Fatal(err)
			}
		}
	}
	cpu := cpuTime(b)
	o := gen.run(b, p)
	cpu = cpuTime(b) - cpu
	for _, g := range legs {
		g.Close()
	}
	if err := e.Close(); err != nil {
		b.Error(err)
	}
	b.ReportMetric(100*float64(o.Received)/float64(o.Sent), "heard-%") // the clock speaks also while nobody does
	return cpu.Seconds()
}

// A room is many watchers and no party. Who is silenced is neither heard nor said to speak, and words that one hears
// are not cut when somebody else comes in.
func TestARoomSaysWhoSpeaksAndLetsWordsEndWhenSomebodyComes(t *testing.T) {
	e := startEngine(t, 27240, 27259, func(c *Config) { c.Loops = 1 })
	var all []*talker
	for i, hz := range []float64{400, 1000, 1700} {
		all = append(all, newTalker(join(t, e, fmt.Sprintf("127.0.0.%d", 33+i), as(codec.PCMA), nil), nil, codec.PCMA, hz))
	}
	room := func(n int, silent int) {
		t.Helper()
		var legs []*Leg
		for _, p := range all[:n] {
			legs = append(legs, p.leg)
		}
		if err := e.Mix(nil, legs, func(from, _ int) float64 { return map[bool]float64{true: 1}[from != silent] }); err != nil {
			t.Fatal(err)
		}
	}
	room(2, -1)
	clock := byHand(t, all[0].leg)
	converse(clock, 60, all[:2]...)
	hearing(t, "two", "the first", all[0], all, map[int]float64{1: 0})
	if !all[0].leg.Speaks() || !all[1].leg.Speaks() || all[2].leg.Speaks() {
		t.Errorf("who speaks: %v %v %v", all[0].leg.Speaks(), all[1].leg.Speaks(), all[2].leg.Speaks())
	}

	ended := false
	words := prompt.FromPCM("words", make([]int16, 2*8000)) // two seconds
	if err := all[0].leg.Play([]Sound{words}, false, func() { ended = true }); err != nil {
		t.Fatal(err)
	}
	converse(clock, 20, all[:2]...)
	room(3, 1)
	converse(clock, 60, all...)
	if ended {
		t.Error("the words are over before their time")
	}
	converse(clock, 60, all...)
	if !ended {
		t.Error("somebody who comes has cut the words of another")
	}
	converse(clock, 60, all...)
	hearing(t, "three, one silenced", "the first", all[0], all, map[int]float64{2: 0})
	hearing(t, "three, one silenced", "the silenced", all[1], all, map[int]float64{0: 0, 2: 0})
}
