package main_test

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var bench *pbxtest.Bench // set once, before any test runs

func TestMain(m *testing.M) {
	var err error
	if bench, err = pbxtest.NewBench("../prontod", "../recordd", "../prontoctl"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := bench.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// phone is a registered peer.
func phone(t *testing.T, o *pbxtest.Office, number, hz int, incoming func(*peer.Call)) *peer.Peer {
	t.Helper()
	p, err := peer.New(peer.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Box: o.SIP, User: fmt.Sprint(number), Password: pbxtest.Password(number),
		Hz: hz, Law: tone.ALaw, Incoming: incoming,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if _, err := p.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	o.Phone(number)
	return p
}

func TestSmoke(t *testing.T) {
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1})
	phone(t, o, 201, 440, func(c *peer.Call) { c.Ring(); time.Sleep(300 * time.Millisecond); c.Answer() })
	b := phone(t, o, 202, 620, nil)
	o.Lamp(201, tel.AgentReady)
	c, err := b.Dial(peer.Outgoing{To: "400"})
	if err != nil {
		t.Fatal(err)
	}
	<-c.Answered()
	o.Lamp(201, tel.AgentTalking)
	c.Audio().Forget()
	time.Sleep(time.Second)
	t.Log(tone.Heard(c.Audio().Heard(), 440, 620))
	c.Hangup()
	t.Logf("%+v", o.CallRecords(1))
	t.Logf("%+v", o.WaitRecords(1))
}
