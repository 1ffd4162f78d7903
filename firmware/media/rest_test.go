package media

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// resting seats three phones in a mix whose clock is driven by hand, and lets their sockets rest.
func resting(t *testing.T, e *Engine) (all []*phone, clock *beats) {
	t.Helper()
	for i := range 3 {
		all = append(all, join(t, e, fmt.Sprintf("127.0.0.%d", 33+i), as(codec.PCMA), nil))
	}
	if err := e.Mix([]*Leg{all[0].leg, all[1].leg}, []*Leg{all[2].leg}, gains("listen")); err != nil {
		t.Fatal(err)
	}
	clock = byHand(t, all[0].leg)
	clock.tick(1)
	return all, clock
}

func TestASocketOfAMixRestsUntilTheNextTick(t *testing.T) {
	e := startEngine(t, 27600, 27619, func(c *Config) { c.Loops = 1 })
	all, clock := resting(t, e)
	for range 3 {
		all[0].send("one")
	}
	clock.do(func(*loop) {}) // a turn of the loop, which would have read them
	if s := all[0].leg.Stats(); s.Received != 0 {
		t.Errorf("%d packets woke the loop", s.Received)
	}
	clock.tick(1)
	if s := all[0].leg.Stats(); s.Received != 3 || s.Lost != 0 {
		t.Errorf("after the tick: %+v", s)
	}
}

// What has come when a mix is narrowed again is relayed at once.
func TestASocketThatRestedWakesWithItsBridge(t *testing.T) {
	e := startEngine(t, 27620, 27639, func(c *Config) { c.Loops = 1 })
	all, clock := resting(t, e)
	all[0].send("waiting")
	clock.do(func(*loop) {})
	bridge(t, all[0], all[1])
	all[1].hearsUntil("waiting") // silence of the mix may be on its way
	all[0].send("next")
	all[1].hearsFirst("next")
	clock.do(func(*loop) {
		if all[0].leg.rests || !all[2].leg.rests {
			t.Errorf("rests: the party %v, who goes on watching %v", all[0].leg.rests, all[2].leg.rests)
		}
	})
}

// hearsUntil reads on until a packet says that.
func (p *phone) hearsUntil(want string) {
	p.t.Helper()
	for string(p.receive().Payload) != want {
	}
}

// A flood would fill the queue of a socket that is read fifty times a second; it is read as it comes then,
// and rests again later.
func TestASocketThatIsFloodedDoesNotRest(t *testing.T) {
	e := startEngine(t, 27640, 27659, func(c *Config) { c.Loops = 1 })
	all, clock := resting(t, e)
	for range 2*restless + 10 {
		all[0].send("flood")
	}
	clock.tick(1)
	if s := all[0].leg.Stats(); s.Received != 2*restless {
		t.Errorf("%d packets are read in one tick", s.Received)
	}
	clock.tick(1)
	settle(t, all[0].leg)
	if s := all[0].leg.Stats(); s.Received != 2*restless+10 {
		t.Errorf("after the flood: %+v", s)
	}
	rests := func() (rests bool) {
		clock.do(func(*loop) { rests = all[0].leg.rests })
		return rests
	}
	if rests() {
		t.Error("it rests in a flood")
	}
	clock.tick(awake)
	if !rests() {
		t.Error("it does not rest again")
	}
}

func TestAPacketOfARestingSocketHasTheTimeAtWhichItCame(t *testing.T) {
	from, err := openSocket(netip.MustParseAddr("127.0.0.33"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer from.close()
	k, err := openSocket(netip.MustParseAddr(boxAddr), 27660)
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	to := k.address(netip.AddrPortFrom(netip.MustParseAddr(boxAddr), 27660))
	var s stamped
	var who address
	buf := make([]byte, 100)
	send := func(words string) (before, after time.Time) {
		before = time.Now().Round(0)
		if errno := from.send([]byte(words), &to); errno != 0 {
			t.Fatal(errno)
		}
		return before, time.Now().Round(0)
	}
	receive := func(want string) {
		t.Helper()
		if n, errno := s.receive(k, buf, &who); errno != 0 || string(buf[:n]) != want || who.addrPort().Addr().String() != "127.0.0.33" {
			t.Fatalf("received %q from %v: %v", buf[:max(n, 0)], who.addrPort(), errno)
		}
	}
	send("early")
	receive("early")
	if at, ok := s.at(); ok {
		t.Errorf("a socket without stamps says %v", at)
	}
	if err := unix.SetsockoptInt(k.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		t.Fatal(err)
	}
	// The kernel begins to stamp packets as they come a moment after it was asked to; until then the stamp
	// is that of the reading.
	for deadline := time.Now().Add(patience); ; {
		before, after := send("stamped")
		receive("stamped")
		at, ok := s.at()
		if !ok || at.Before(before) || time.Now().After(deadline) {
			t.Fatalf("%v (%v) is not between %v and %v", at, ok, before, after)
		}
		if !at.After(after) {
			break
		}
	}
	if _, errno := s.receive(k, buf, &who); errno != unix.EAGAIN {
		t.Errorf("an empty socket: %v", errno)
	}
}
