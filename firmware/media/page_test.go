package media

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

func TestAPageIsHeardByAllAndAnsweredByNobody(t *testing.T) {
	e := startEngine(t, 22920, 22959, func(c *Config) { c.Loops = 3 })
	from := join(t, e, "127.0.0.33", pcmu, nil)
	var listeners []*phone
	var legs []*Leg
	for i := range 6 { // spread over all loops
		p := join(t, e, fmt.Sprintf("127.0.0.%d", 41+i), pcmu, nil)
		listeners, legs = append(listeners, p), append(legs, p.leg)
	}
	talking := join(t, e, "127.0.0.50", pcmu, nil)
	bridge(t, listeners[0], talking)
	if err := e.Page(from.leg, legs...); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		from.send(fmt.Sprint("attention ", i))
		for _, p := range listeners {
			p.hearsFirst(fmt.Sprint("attention ", i))
		}
	}
	for i, p := range listeners {
		p.send("nobody hears this")
		settle(t, p.leg)
		if s := p.leg.Stats(); !s.Fast || s.Sent != 3 || s.Received != 1 {
			t.Errorf("listener %d: %+v", i, s)
		}
	}
	if s := from.leg.Stats(); s.Sent != 0 || talking.leg.Stats().Sent != 0 {
		t.Errorf("who speaks heard %d packets, who was talked to before %d", s.Sent, talking.leg.Stats().Sent)
	}

	e.Unbridge(legs[1]) // one leaves
	legs[2].Close()     // one hangs up
	bridge(t, listeners[3], talking)
	from.send("still there?")
	for _, i := range []int{0, 4, 5} {
		listeners[i].hearsFirst("still there?")
	}
	talking.send("to one")
	listeners[3].hearsFirst("to one")
	from.leg.Close()
	from.leg.Stats() // behind Close in the mailbox
	if s := legs[4].Stats(); s.Bridged {
		t.Error("who is not paged any more is still bridged")
	}
	bridge(t, listeners[4], listeners[5])
	listeners[5].send("free again")
	listeners[4].hearsFirst("free again")
}

func TestAPageIsHeardInEveryCodecOnALineAndEncrypted(t *testing.T) {
	e := startEngine(t, 22960, 22979, func(c *Config) { c.Loops = 1 })
	from := join(t, e, "127.0.0.33", pcmu, nil)
	same := join(t, e, "127.0.0.34", pcmu, nil)
	other := join(t, e, "127.0.0.35", as(codec.PCMA), nil)
	hidden := secretly(t, e, "127.0.0.36", testKey(1), testKey(2))
	modem := &lineFake{mute: true}
	line, err := e.Open(LegConfig{Line: modem})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Page(from.leg, same.leg, other.leg, hidden.leg, line); err != nil {
		t.Fatal(err)
	}
	clock := byHand(t, from.leg)
	w, enc := wave{hz: 700}, codec.NewEncoder(codec.PCMU)
	clock.do(func(*loop) { modem.heard = nil })
	for range 60 {
		f := w.frame()
		payload := make([]byte, 160)
		enc.Encode(payload, f[:])
		clock.deliver(from, payload)
		clock.tick(1)
	}
	var atLine []int16
	clock.do(func(*loop) { atLine = slices.Clone(modem.heard) })
	clean(t, "the line", atLine, 700, 1300)
	clean(t, "the same codec", same.pcm(codec.PCMU), 700, 1300)
	clean(t, "another codec", other.pcm(codec.PCMA), 700, 1300)
	var plain []int16
	dec := codec.NewDecoder(codec.PCMU)
	for range 60 {
		pcm := make([]int16, 160)
		plain = append(plain, pcm[:dec.Decode(pcm, hidden.heard().Payload)]...)
	}
	clean(t, "the encrypted phone", plain, 700, 1300)

	other.pt = 0
	other.configure(pcmu) // it changes its codec meanwhile
	from.send("as it is")
	for _, p := range []*phone{same, other} {
		p.hearsFirst("as it is")
	}
	hidden.hears("as it is")
}

func TestAPageFromALineIsHeard(t *testing.T) {
	e := startEngine(t, 22980, 22989, nil)
	line, err := e.Open(LegConfig{Line: &lineFake{wave: wave{hz: 700}}})
	if err != nil {
		t.Fatal(err)
	}
	a := join(t, e, "127.0.0.34", pcmu, nil)
	if err := e.Page(line, a.leg); err != nil {
		t.Fatal(err)
	}
	clock := byHand(t, line)
	clock.tick(60)
	clean(t, "the phone", a.pcm(codec.PCMU), 700, 1300)
}

func TestAPageLeavesOutWhoCannotListenAndNamesThem(t *testing.T) {
	e := startEngine(t, 22990, 22999, func(c *Config) { c.Loops = 2 })
	from := join(t, e, "127.0.0.33", pcmu, nil)
	a := join(t, e, "127.0.0.34", pcmu, nil)
	gone := join(t, e, "127.0.0.35", pcmu, nil)
	gone.leg.Close()
	gone.leg.Stats()
	err := e.Page(from.leg, gone.leg, a.leg, from.leg)
	if !errors.Is(err, ErrClosed) || !errors.Is(err, ErrSelfBridge) {
		t.Errorf("%v", err)
	}
	from.send("hello")
	a.hearsFirst("hello")
	from.leg.Close()
	if err := e.Page(from.leg, a.leg); !errors.Is(err, ErrClosed) {
		t.Errorf("a page of who has left: %v", err)
	}
}

func TestAPagedPacketAllocatesNothing(t *testing.T) {
	e := startEngine(t, 27000, 27019, func(c *Config) { c.Loops = 1 })
	from := join(t, e, "127.0.0.33", pcmu, nil)
	var legs []*Leg
	for i := range 4 {
		legs = append(legs, join(t, e, fmt.Sprintf("127.0.0.%d", 41+i), pcmu, nil).leg)
	}
	if err := e.Page(from.leg, legs...); err != nil {
		t.Fatal(err)
	}
	raw, err := from.packet(make([]byte, 160)).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var per float64
	if err := from.leg.ask(func(l *loop) error {
		at := from.leg.ports.rtp.address(from.addr())
		per = testing.AllocsPerRun(500, func() {
			raw[3]++
			if raw[3] == 0 {
				raw[2]++
			}
			l.arrived(from.leg, raw, &at)
		})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if s := legs[3].Stats(); per != 0 || s.Sent < 500 {
		t.Errorf("%v allocations per packet, %d sent", per, s.Sent)
	}
}
