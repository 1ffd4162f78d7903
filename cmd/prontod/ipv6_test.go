package main_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// The box stands between the families: each phone speaks its own, in SIP and in audio.
func TestAPhoneOverIPv6TalksToOneOverIPv4(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, IPv6: true})
	six := &desk{t: t, hz: hzCaller, rings: make(chan *peer.Call, 8)}
	var err error
	six.Peer, err = peer.New(peer.Config{
		Listen: netip.MustParseAddrPort("[::1]:0"), Box: netip.AddrPortFrom(netip.IPv6Loopback(), o.SIP.Port()), User: "201", Password: pbxtest.Password(201),
		Hz: hzCaller, Law: tone.ALaw, Incoming: func(c *peer.Call) { c.Ring(); six.rings <- c },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(six.Close)
	if _, err := six.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	o.Phone(201)
	four := deskAt(t, o, 202, hzAgent)
	for _, c := range []struct {
		name      string
		from, to  *desk
		number    string
		hz, heard int
	}{
		{"from IPv6 to IPv4", six, four, "202", hzAgent, hzCaller},
		{"from IPv4 to IPv6", four, six, "201", hzCaller, hzAgent},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := connected(t, c.from, c.to, c.number)
			allHear(t, "talking", ear{"who called", a, c.hz}, ear{"who was called", b, c.heard})
			for _, call := range []*peer.Call{a, b} {
				if to, own := call.Audio().Remote().Addr(), call.Audio().Local().Addr(); to.Is4() != own.Is4() {
					t.Errorf("a phone at %v is told to send its audio to %v", own, to)
				}
			}
			hold(t, a, true)
			allHear(t, "held", ear{"who called", a, nothing}, ear{"who was called", b, musicHeard})
			hold(t, a, false)
			allHear(t, "back", ear{"who called", a, c.hz}, ear{"who was called", b, c.heard})
			b.Hangup()
			ended(t, a)
		})
	}
}
