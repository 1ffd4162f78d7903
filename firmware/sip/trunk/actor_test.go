package trunk

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// phoneBook is a directory of flows by host name.
type phoneBook struct {
	hosts map[string][]stack.Flow
	err   error

	mu  sync.Mutex
	did []string
}

func (p *phoneBook) Targets(_ context.Context, host sip.Uri, _ string) ([]stack.Flow, error) {
	if flows := p.hosts[host.Host]; flows != nil {
		return flows, nil
	}
	return nil, fmt.Errorf("%s: %w", host.Host, p.err)
}

func (p *phoneBook) note(what string, f stack.Flow) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.did = append(p.did, what+" "+f.Remote.Addr().String())
}

func (p *phoneBook) Failed(f stack.Flow) { p.note("failed", f) }
func (p *phoneBook) Worked(f stack.Flow) { p.note("worked", f) }

func (p *phoneBook) told() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.did)
}

// site answers for several servers; a dead one is silent.
type site struct {
	fakeStack
	dead map[netip.Addr]bool
	to   []netip.Addr
}

func (s *site) Request(req *sip.Request, f stack.Flow, sink func(stack.Result)) (*stack.ClientTx, error) {
	s.mu.Lock()
	s.to = append(s.to, f.Remote.Addr())
	dead := s.dead[f.Remote.Addr()]
	s.mu.Unlock()
	if dead {
		time.AfterFunc(32*time.Second, func() { sink(stack.Result{Err: stack.ErrTimeout}) })
		return nil, nil
	}
	return s.fakeStack.Request(req, f, sink)
}

func TestAllServersOfTheListAndOfDNSAreTriedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		third := stack.Flow{Transport: "udp", Remote: netip.MustParseAddrPort("198.51.100.30:5060")}
		book := &phoneBook{err: fmt.Errorf("no such host"), hosts: map[string][]stack.Flow{
			"a.tim.it": {carrier, second}, "c.tim.it": {carrier, third}, // carrier twice: tried once
		}}
		net := &site{dead: map[netip.Addr]bool{carrier.Remote.Addr(): true, second.Remote.Addr(): true}}
		net.answer = registrarOf(t, "hunter2", 3600)
		tr := made(t, Deps{Stack: net, Directory: book}, func(c *Config) { c.Servers = []string{"a.tim.it", "gone.tim.it", "c.tim.it"} })
		tr.Start()
		time.Sleep(2 * time.Minute)
		if s := tr.Status(); !s.Up || s.Cause != tel.LineOK {
			t.Fatalf("%+v", s)
		}
		if got := book.told(); !slices.Equal(got, []string{"failed 203.0.113.10", "failed 203.0.113.20", "worked 198.51.100.30"}) {
			t.Errorf("the directory is told %v", got)
		}
		r, err := tr.Invite(Outgoing{To: "1"})
		if err != nil || r.Flow != third {
			t.Errorf("calls go to %v, %v", r.Flow, err)
		}
		for _, f := range []stack.Flow{carrier, second, third} { // any of them may call us
			if !tr.Matches(invite(t, "sip:1@box", "From: <sip:1@tim.it>;tag=1"), f) {
				t.Errorf("%v is a stranger", f.Remote)
			}
		}
		net.mu.Lock()
		net.dead = nil
		net.mu.Unlock()
		time.Sleep(returnAfter + time.Minute)
		if r, err = tr.Invite(Outgoing{To: "1"}); err != nil || r.Flow != carrier {
			t.Errorf("the preferred server is well again, and calls go to %v, %v", r.Flow, err)
		}
	})
}

func TestServerWithAForgedCertificateIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forged := fmt.Errorf("handshake: %w", &stack.UntrustedError{Err: x509.UnknownAuthorityError{}})
		for name, deps := range map[string]Deps{
			"while it is looked for": {Stack: &fakeStack{}, Directory: &phoneBook{err: forged}},
			"while it is asked":      {Stack: &fakeStack{answer: func(*sip.Request) (*sip.Response, error) { return nil, forged }}},
			"before it can be asked": {Stack: &fakeStack{answer: func(*sip.Request) (*sip.Response, error) {
				return nil, fmt.Errorf("%w: %w", stack.ErrTransport, forged)
			}}},
		} {
			tr := made(t, deps, func(c *Config) { c.Transport = "tls" })
			tr.Start()
			time.Sleep(time.Second)
			if s := tr.Status(); s.Up || s.Cause != tel.LineTLSUntrusted {
				t.Errorf("%s: %+v", name, s)
			}
			for _, req := range deps.Stack.(*fakeStack).requests() {
				if req.GetHeader("Authorization") != nil {
					t.Errorf("%s: credentials for a forger", name)
				}
			}
		}
	})
}

func TestLeavingTrunkUnregistersAndIsSilentThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, journal, told := &fakeStack{answer: registrarOf(t, "hunter2", 600)}, &fakeJournal{}, &changes{}
		tr := made(t, Deps{Stack: net, Journal: journal, Changed: told.add})
		tr.Start()
		time.Sleep(time.Second)
		gone := tr.Leave()
		if err := journal.Delete(KindTrunk, "tim"); err != nil {
			t.Fatal(err)
		}
		select {
		case <-gone:
		case <-time.After(time.Minute):
			t.Fatal("it never left")
		}
		last := net.registers()[len(net.registers())-1]
		if last.GetHeader("Expires").Value() != "0" || last.Contact().Address.User != tr.view().token || last.GetHeader("Authorization") == nil {
			t.Errorf("%s", last)
		}
		tr.Observe(Outcome{Status: 402})
		time.Sleep(time.Hour)
		if len(journal.load()) != 0 || net.registers()[len(net.registers())-1] != last {
			t.Error("it lives on")
		}
		if got := told.causes(); !slices.Equal(got, []tel.LineCause{tel.LineRegistering, tel.LineOK}) {
			t.Errorf("observers of a trunk that is no more are told %v", got)
		}
		if tr.Matches(invite(t, "sip:1@box", "From: <sip:1@elsewhere>;tag=1"), stack.Flow{}) || tr.Status().Up {
			t.Error("it takes calls")
		}
	})
	never := idle(t)
	select {
	case <-never.Leave():
	default:
		t.Error("a trunk that was never started has nothing to say")
	}
}

func TestSwitchedOffTrunkDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, told := &fakeStack{answer: registrarOf(t, "hunter2", 600)}, &changes{}
		tr := made(t, Deps{Stack: net, Changed: told.add}, func(c *Config) { c.Disabled = true })
		if err := tr.Restore(map[string][]byte{"tim": []byte("rubbish")}); err != nil {
			t.Errorf("what it has left is of no interest: %v", err)
		}
		tr.Start()
		time.Sleep(time.Hour)
		if s := tr.Status(); s.Up || s.Cause != tel.LineDisabled || len(net.requests()) != 0 {
			t.Errorf("%+v, %d requests", s, len(net.requests()))
		}
		if got := told.causes(); !slices.Equal(got, []tel.LineCause{tel.LineDisabled}) {
			t.Errorf("told %v", got)
		}
		if tr.Matches(invite(t, "sip:"+tr.view().token+"@box"), carrier) {
			t.Error("it takes calls")
		}
		if _, err := tr.Invite(Outgoing{To: "1"}); err == nil {
			t.Error("it makes calls")
		}
	})
}

func TestContactIsWhereTheCarrierReachesUs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outside := netip.MustParseAddrPort("198.51.100.7:6060")
		for name, tc := range map[string]struct {
			net    *fakeStack
			change func(*Config)
			want   string
		}{
			"the flow's address":                 {&fakeStack{}, func(*Config) {}, "192.168.1.1:5060"},
			"the one that STUN found":            {&fakeStack{outside: outside}, func(c *Config) { c.STUN = "stun.example.net" }, "198.51.100.7:6060"},
			"STUN finds nothing":                 {&fakeStack{stunErr: stack.ErrTimeout}, func(c *Config) { c.STUN = "stun.example.net:3479" }, "192.168.1.1:5060"},
			"the fixed one":                      {&fakeStack{}, func(c *Config) { c.Public = netip.MustParseAddrPort("198.51.100.9:7070") }, "198.51.100.9:7070"},
			"a fixed one without port":           {&fakeStack{}, func(c *Config) { c.Public = netip.MustParseAddrPort("198.51.100.9:0") }, "198.51.100.9:5060"},
			"where the carrier sees us":          {&fakeStack{}, func(c *Config) { c.Seen = true }, "203.0.113.77:4711"},
			"over a connection the port is ours": {&fakeStack{}, func(c *Config) { c.Seen, c.Transport = true, "tcp" }, "203.0.113.77:5060"},
		} {
			answer := registrarOf(t, "hunter2", 600)
			tc.net.answer = func(req *sip.Request) (*sip.Response, error) {
				res, err := answer(req)
				if err == nil {
					res.PrependHeader(&sip.ViaHeader{
						ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "UDP", Host: "192.168.1.1", Port: 5060,
						Params: sip.HeaderParams{{K: "received", V: "203.0.113.77"}, {K: "rport", V: "4711"}},
					})
				}
				return res, err
			}
			tr := made(t, Deps{Stack: tc.net}, tc.change)
			tr.Start()
			time.Sleep(5 * time.Second)
			all := tc.net.registers()
			if got := all[len(all)-1].Contact().Address.HostPort(); got != tc.want || !tr.Status().Up {
				t.Errorf("%s: %s, %+v", name, got, tr.Status())
			}
			tr.Close()
			if len(tc.net.advertised) != 0 || tc.net.kept.Remote.IsValid() || tc.net.moved != nil {
				t.Errorf("%s: a closed trunk leaves %v, %v behind", name, tc.net.advertised, tc.net.kept)
			}
		}
	})
}

func TestWhatGoesToTheCarrierCarriesItsMark(t *testing.T) {
	one := func(all ...string) (list []netip.Prefix) {
		for _, p := range all {
			list = append(list, netip.MustParsePrefix(p))
		}
		return list
	}
	synctest.Test(t, func(t *testing.T) {
		book := &phoneBook{hosts: map[string][]stack.Flow{"a.tim.it": {carrier, second}}}
		for name, tc := range map[string]struct {
			change func(*Config)
			want   map[int][]netip.Prefix
		}{
			"to the servers and where its calls come from": {func(c *Config) {
				c.DSCP, c.Servers, c.Sources = 26, []string{"a.tim.it"}, one("198.51.100.0/24", "203.0.113.20/32")
			}, map[int][]netip.Prefix{26: one("198.51.100.0/24", "203.0.113.10/32", "203.0.113.20/32")}},
			"of one that only calls": {func(c *Config) {
				c.DSCP, c.Mode, c.Domain, c.Servers, c.Sources = 26, Address, "", nil, one("198.51.100.0/24")
			}, map[int][]netip.Prefix{26: one("198.51.100.0/24")}},
			"none of its own": {func(c *Config) { c.Servers, c.Sources = []string{"a.tim.it"}, one("198.51.100.0/24") }, nil},
		} {
			net := &fakeStack{answer: registrarOf(t, "hunter2", 3600)}
			tr := made(t, Deps{Stack: net, Directory: book}, tc.change)
			tr.Start()
			time.Sleep(2 * time.Hour) // registered again, and looked for again
			net.set(func(f *fakeStack) {
				if !maps.EqualFunc(f.marks, tc.want, slices.Equal) {
					t.Errorf("%s: %v, want %v", name, f.marks, tc.want)
				}
			})
			tr.Close()
			if len(net.marks) != 0 {
				t.Errorf("%s: a closed trunk leaves %v", name, net.marks)
			}
		}
	})
}

func TestPathToTheCarrierIsKeptOpenAndFollowsOurAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &fakeStack{answer: registrarOf(t, "hunter2", 3600)}
		tr := made(t, Deps{Stack: net})
		tr.Start()
		time.Sleep(time.Second)
		kept, every, _, moved := net.open()
		if kept != carrier || every != 25*time.Second {
			t.Fatalf("kept open: %v every %s", kept, every)
		}
		before := len(net.registers())
		moved(netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("192.168.1.2"))
		time.Sleep(time.Second)
		if n := len(net.registers()); n == before || !tr.Status().Up {
			t.Errorf("%d REGISTERs after our address changed, %+v", n-before, tr.Status())
		}
		before = len(net.registers())
		_, _, lost, _ := net.open()
		lost()
		time.Sleep(time.Second)
		if n := len(net.registers()); n == before || !tr.Status().Up {
			t.Errorf("%d REGISTERs after the flow was lost, %+v", n-before, tr.Status())
		}
		net.set(func(f *fakeStack) {
			f.answer = func(*sip.Request) (*sip.Response, error) { return nil, stack.ErrTimeout }
		})
		time.Sleep(2 * time.Hour)
		if kept, _, _, _ = net.open(); kept.Remote.IsValid() {
			t.Error("a trunk that is down keeps routers open")
		}
	})
}

func TestResponsesAreReducedToWhatMatters(t *testing.T) {
	read := func(lines string) reply {
		t.Helper()
		msg, err := sip.NewParser().ParseSIP([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.168.1.1:5060;branch=z9hG4bK1;received=198.51.100.1;rport=4711\r\n" +
			"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 REGISTER\r\n" + lines + "Content-Length: 0\r\n\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		return readReply(msg.(*sip.Response), "ttoken")
	}
	if r := read("Expires: 77\r\nWarning: 399 x \"not registered\"\r\n"); r.granted != 77*time.Second || r.text != `OK 399 x "not registered"` || r.seen.String() != "198.51.100.1:4711" {
		t.Errorf("%+v", r)
	}
	for lines, others := range map[string]int{
		"Contact: <sip:ttoken@192.168.1.1:5060>;expires=60\r\n":                                                                   0,
		"Contact: <sip:ttoken@192.168.1.1:5060>;expires=60\r\nContact: <sip:phone@198.51.100.2>;expires=60\r\n":                   1,
		"Contact: <sip:ttoken@192.168.1.1:5060>;expires=60\r\nContact: <sip:told@192.168.1.1:5060>;expires=60\r\n":                0, // we, before a restart
		"Contact: <sip:ttoken@192.168.1.1:5060>;expires=60\r\nContact: <sip:phone@198.51.100.2>;expires=0\r\n":                    0,
		"Contact: <sip:a@198.51.100.2>\r\nContact: <sip:ttoken@192.168.1.1:5060>;expires=60\r\nContact: <sip:b@198.51.100.3>\r\n": 2,
	} {
		if r := read(lines); r.others != others || r.granted != 60*time.Second {
			t.Errorf("%s%+v", lines, r)
		}
	}
}
