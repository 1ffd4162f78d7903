package main_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// The phone takes no plain audio.
func TestAPhoneOverTLSAndSRTPTalksToAPlainOne(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2, TLS: true, SRTP: []string{"required", "off"}})
	bothWays(t, o.BaresipTLS(201, hzCaller, "mediaenc=srtp-mand"), o.Baresip(202, hzAgent))
}

// The other office stands for who has come between: it calls itself the same, with a key of its own.
func TestLinphoneLogsInOverTLSOnlyWhereItKnowsTheCertificate(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o, other := bench.Start(t, pbxtest.Setup{Agents: 1, TLS: true}), bench.Start(t, pbxtest.Setup{Agents: 1, TLS: true})
	o.LinphoneDeceived(201, other)
	if n, err := o.Now(); err != nil || n.Devices["201"].Reachable {
		t.Errorf("the phone is logged in: %+v, %v", n.Devices, err)
	}
	o.LinphoneTLS(201, hzCaller)
}

func TestAPhoneOverTCPTalksToOneOverUDP(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	bothWays(t, o.BaresipTCP(201, hzCaller), o.Baresip(202, hzAgent))
}

// bothWays lets phone 201 call phone 202, and be called by it.
func bothWays(t *testing.T, anna, bruno *pbxtest.Baresip) {
	t.Helper()
	for _, c := range []struct {
		name         string
		from, to     *pbxtest.Baresip
		number       string
		hears, heard int
	}{
		{"it calls", anna, bruno, "202", hzAgent, hzCaller},
		{"it is called", bruno, anna, "201", hzCaller, hzAgent},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := byBaresip(c.from), byBaresip(c.to)
			from.calls(to, c.number)
			part(t, from, c.heard, to, c.hears)
		})
	}
}

// Here only 127.0.0.2 is the LAN, so the phone on 127.0.0.1 is at home.
func TestAHomeWorkerIsLetInOverTLSOnly(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, TLS: true, LAN: "127.0.0.2/32", Home: []int{201}, SRTP: []string{"required", "off", "off"}})
	at := func(address string, user string, password string, incoming func(*peer.Call)) *peer.Peer {
		p, err := peer.New(peer.Config{
			Listen: netip.MustParseAddrPort(address + ":0"), Box: o.SIP, User: user, Password: password, Law: tone.ALaw, Hz: hzAgent, Incoming: incoming,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		return p
	}
	for name, user := range map[string]string{"a phone that may work from home, without TLS": "201", "a phone of the office": "203"} {
		if res, err := at("127.0.0.1", user, pbxtest.Password(int(user[2]-'0')+200), nil).Register(t.Context(), time.Hour); err == nil {
			t.Errorf("%s is let in: %v", name, res)
		}
	}
	got := make(chan *peer.Call, 1)
	bruno := at("127.0.0.2", "202", pbxtest.Password(202), func(c *peer.Call) { c.Answer(); got <- c })
	if _, err := bruno.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	anna := o.LinphoneTLS(201, hzCaller)
	anna.Dial("202")
	call := <-got
	anna.Until("Media streams established")
	hearsTone(t, "Bruno", call, hzCaller)
	time.Sleep(talk)
	anna.Hangup()
	within(t, "the end", call.Ended())
	hears(t, "Anna", anna.Heard(), hzAgent)
}
