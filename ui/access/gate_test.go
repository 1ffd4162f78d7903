package access

import (
	"net/netip"
	"testing"
	"time"
)

func TestAGateOpensForTheCodeAloneAndSlowsDownWhoGuesses(t *testing.T) {
	code, other := NewCode(), NewCode()
	g, now := NewGate(code), time.Unix(1000, 0)
	a, b := netip.MustParseAddr("192.168.1.2"), netip.MustParseAddr("192.168.1.3")
	for range gateFree {
		if ok, wait := g.Try(other.String(), a, now); ok || wait > 0 {
			t.Fatalf("a wrong code: %v, %v", ok, wait)
		}
	}
	if ok, wait := g.Try(code.String(), a, now); ok || wait != firstWait {
		t.Errorf("the right code, too soon: %v, %v", ok, wait)
	}
	if ok, _ := g.Try(code.String(), b, now); !ok {
		t.Error("somebody else has to wait as well")
	}
	if ok, _ := g.Try(code.String(), a, now.Add(firstWait)); !ok {
		t.Error("the right code is refused after the wait")
	}
}

func TestWhoGuessesFromManyAddressesWaitsToo(t *testing.T) {
	g, now, from := NewGate(NewCode()), time.Unix(1000, 0), netip.MustParseAddr("192.168.1.2")
	for range gateFreeAll {
		g.Try("00000000", from, now)
		from = from.Next()
	}
	if _, wait := g.Try("00000000", from, now); wait == 0 {
		t.Error("each address has tries of its own without end")
	}
	// An hour of guessing without a break.
	tries := 0
	for end := now.Add(time.Hour); now.Before(end); now = now.Add(time.Second) {
		from = from.Next()
		if _, wait := g.Try("00000000", from, now); wait == 0 {
			tries++
		}
	}
	if tries > 80 {
		t.Errorf("%d tries in an hour", tries)
	}
}

func TestAGateWithoutACodeOpensForNobody(t *testing.T) {
	for _, typed := range []string{"", "000000000", "0000-0000-0"} {
		if ok, _ := NewGate("").Try(typed, netip.MustParseAddr("192.168.1.2"), time.Unix(1000, 0)); ok {
			t.Errorf("%q opens it", typed)
		}
	}
}
