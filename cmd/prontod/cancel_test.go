package main_test

import (
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// killer is a phone or a carrier that kills the box the moment the first INVITE reaches it, before it
// has answered anything: it rings then for a box that has never heard of it.
func killer(t *testing.T, o *pbxtest.Office, cfg peer.Config) *desk {
	t.Helper()
	d := &desk{t: t, hz: cfg.Hz, rings: make(chan *peer.Call, 8)}
	kill, once := o.Killer(), sync.Once{}
	cfg.Box, cfg.Law = o.SIP, tone.ALaw
	cfg.Reached = func() { once.Do(kill) }
	cfg.Incoming = func(c *peer.Call) { c.Ring(); d.rings <- c }
	var err error
	if d.Peer, err = peer.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func branchOf(req *sip.Request) string { return req.Via().Params.GetOr("branch", "none") }

// cancelled waits for the end of the ring that the killed box has begun, and checks that the INVITE's own
// branch was cancelled (RFC 3261 section 9.1).
func (d *desk) cancelled() {
	d.t.Helper()
	rings := d.ring()
	within(d.t, "the end of the ring", rings.Ended())

	if status, _, byBox := rings.Outcome(); status != 487 || !byBox {
		d.t.Errorf("the ring ends with %d, by the box: %v", status, byBox)
	}
	cancel := d.Requests(sip.CANCEL)[0]
	same := func(invite *sip.Request) bool {
		return branchOf(invite) == branchOf(cancel) && invite.CallID().Value() == cancel.CallID().Value() && invite.CSeq().SeqNo == cancel.CSeq().SeqNo
	}
	if !slices.ContainsFunc(d.Requests(sip.INVITE), same) {
		d.t.Errorf("no INVITE is cancelled by\n%s", cancel)
	}
}

func TestAPhoneThatAnINVITEHasJustReachedIsCancelledAfterTheKill(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	carla := deskAt(t, o, 202, hzCaller)
	anna := killer(t, o, peer.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), User: strconv.Itoa(201), Password: pbxtest.Password(201), Hz: hzAgent,
	})
	if _, err := anna.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	o.Phone(201)
	c := carla.dial("201")
	anna.cancelled()
	at := anna.picksUp() // it is rung again
	talking(t, "after the kill", c, hzCaller, at, hzAgent)
	over(t, c, at)
}

func TestACarrierThatAnINVITEHasJustReachedIsCancelledAfterTheKill(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 1, Carrier: 5070, Registers: true})
	anna := deskAt(t, o, 201, hzCaller)
	carrier := killer(t, o, peer.Config{
		Listen: netip.AddrPortFrom(o.Carrier, o.CarrierPort), Hz: hzCarrier, Accounts: map[string]string{pbxtest.DID: pbxtest.CarrierPassword},
	})
	o.Line("trunk:carrier", true)
	c := anna.dial("0698765432")
	carrier.cancelled()
	within(t, "the caller's end", c.Ended()) // a call to the outside is not placed twice
}

// The supervisor keeps the connection, so the CANCEL finds its way. Over TLS it cannot: the keys die with the
// process, and a phone rings until it gives up by itself or logs in again.
func TestAPhoneOverTCPThatRingsIsCancelledAfterTheKillAndRungAgain(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna, carla := o.BaresipTCP(201, hzAgent), deskAt(t, o, 202, hzCaller)
	c := carla.dial("201")
	anna.Until("CALL_INCOMING")
	o.Kill()
	anna.Until("CALL_CLOSED")
	anna.Until("CALL_INCOMING")
	anna.Answer()
	answered(t, "201", c)
	c.Hangup()
	anna.Until("CALL_CLOSED")
}
