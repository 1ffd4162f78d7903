package dialog_test

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// sippPhone is a user agent on real sockets that takes sessions of two seconds, so that a test need
// not wait for minutes.
func sippPhone(t *testing.T, invite func(*dialog.Session)) *phone {
	t.Helper()
	st, err := stack.New(stack.Config{UserAgent: "Pronto"})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.ListenUDP(netip.MustParseAddrPort("127.0.0.1:0")); err != nil {
		t.Fatal(err)
	}
	p := &phone{st, dialog.New(dialog.Config{
		Stack: dialog.OnStack(st), UserAgent: "Pronto", Invite: invite, SessionExpires: 3 * time.Second, MinSE: 2 * time.Second,
	})}
	st.Serve(p.ua)
	t.Cleanup(func() {
		p.ua.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// sipp runs a scenario of testdata against p, or waits to be called when it is named so; wait fails
// the test when SIPp saw something else than it expects.
func sipp(t *testing.T, p *phone, scenario string, args ...string) (port int, wait func()) {
	t.Helper()
	program, err := exec.LookPath("sipp")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("sipp is not installed (apt install sip-tester)")
		}
		t.Skip("left out: sipp is not installed (apt install sip-tester), so no real program judges this flow")
	}
	port = int(pbxtest.FreePort(t))
	file, err := filepath.Abs(filepath.Join("testdata", scenario))
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{
		p.stack.Addresses("udp")[0].String(), "-sf", file, "-m", "1", "-i", "127.0.0.1", "-p", strconv.Itoa(port),
		"-timeout", "30s", "-timeout_error", "-nostdin", "-trace_err",
	}, args...)
	var out bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waited := false
	wait = func() {
		t.Helper()
		if waited {
			return
		}
		waited = true
		if err := cmd.Wait(); err != nil {
			logs, _ := filepath.Glob(filepath.Join(cmd.Dir, "*errors.log"))
			for _, l := range logs {
				text, _ := os.ReadFile(l)
				out.Write(text)
			}
			t.Errorf("SIPp: %v\n%s", err, tail(out.String()))
		}
	}
	t.Cleanup(func() {
		if !waited {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return port, wait
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

// dial calls SIPp, which may not listen yet: the INVITE is repeated.
func (p *phone) dial(t *testing.T, port int, sink func(dialog.Event)) *dialog.Session {
	t.Helper()
	target := sip.Uri{Scheme: "sip", User: "201", Host: "127.0.0.1", Port: port}
	flow := stack.Flow{
		Transport: "udp", Local: p.stack.Addresses("udp")[0],
		Remote: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)),
	}
	s, err := p.ua.Invite(dialog.InviteRequest{
		From: dialog.Address{URI: sip.Uri{Scheme: "sip", User: "200", Host: "127.0.0.1"}}, To: dialog.Address{URI: target},
		Target: target, Flow: flow, SDP: []byte(offer), Events: sink,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSIPpRFC3262CallsAndAcknowledgesEarlyMedia(t *testing.T) {
	events := make(chan dialog.Event, 64)
	p := sippPhone(t, func(s *dialog.Session) {
		s.Bind(func(e dialog.Event) { events <- e })
		s.Provisional(183, []byte(answer))
		s.Accept([]byte(answer))
	})
	_, wait := sipp(t, p, "rfc3262_caller.xml")
	wait()
	expect[dialog.Confirmed](t, events)
	expect[dialog.Ended](t, events)
}

func TestSIPpRFC3262IsCalledAndGetsItsPRACKs(t *testing.T) {
	events := make(chan dialog.Event, 64)
	p := sippPhone(t, nil)
	port, wait := sipp(t, p, "rfc3262_callee.xml")
	s := p.dial(t, port, func(e dialog.Event) { events <- e })
	if e := expect[dialog.Provisional](t, events); e.Status != 183 || !strings.Contains(string(e.SDP), "m=audio") {
		t.Errorf("%+v", e)
	}
	if e := expect[dialog.Provisional](t, events); e.Status != 180 {
		t.Errorf("%+v", e)
	}
	if e := expect[dialog.Answered](t, events); !strings.Contains(string(e.SDP), "m=audio") {
		t.Errorf("the answer of the 183 is lost: %q", e.SDP)
	}
	s.Hangup(tel.CauseNormal)
	wait()
	expect[dialog.Ended](t, events)
}

func TestSIPpRFC4028IsRefreshedByUPDATEAndHungUpWhenSilent(t *testing.T) {
	events := make(chan dialog.Event, 64)
	p := sippPhone(t, func(s *dialog.Session) {
		s.Bind(func(e dialog.Event) { events <- e })
		s.Accept([]byte(answer))
	})
	_, wait := sipp(t, p, "rfc4028_caller.xml")
	wait()
	expect[dialog.Confirmed](t, events)
	if e := expect[dialog.Ended](t, events); e.Cause != tel.CauseTimeout || e.Remote {
		t.Errorf("%+v", e)
	}
}

func TestSIPpRFC4028Asks422AndIsRefreshedByReinvite(t *testing.T) {
	events := make(chan dialog.Event, 64)
	p := sippPhone(t, nil)
	port, wait := sipp(t, p, "rfc4028_callee.xml")
	p.dial(t, port, func(e dialog.Event) { events <- e })
	expect[dialog.Answered](t, events)
	wait() // for the refresh, after which SIPp hangs up
	if e := expect[dialog.Ended](t, events); !e.Remote {
		t.Errorf("%+v", e)
	}
}

func TestSIPpRFC3891TakesOverACall(t *testing.T) {
	alices, bobs := make(chan dialog.Event, 64), make(chan dialog.Event, 64)
	calls := make(chan *dialog.Session, 1)
	bob := newPhone(t, func(s *dialog.Session) {
		s.Bind(func(e dialog.Event) { bobs <- e })
		s.Accept([]byte(answer))
		calls <- s
	})
	var alice *phone
	alice = sippPhone(t, func(s *dialog.Session) {
		id, _ := s.Replaces()
		old, early, ok := alice.ua.Match(id)
		if !ok || early {
			s.Reject(481)
			return
		}
		s.Bind(func(e dialog.Event) {
			if _, ok := e.(dialog.Confirmed); ok {
				old.Hangup(tel.CauseNormal)
				s.Hangup(tel.CauseNormal)
			}
		})
		s.Accept([]byte(answer))
	})
	a := alice.call(t, bob, "udp", func(e dialog.Event) { alices <- e })
	b := <-calls
	expect[dialog.Answered](t, alices)
	id := dialog.ReplacesID{CallID: a.CallID(), ToTag: a.ID(), FromTag: b.ID()}
	_, wait := sipp(t, alice, "rfc3891_caller.xml", "-key", "replaces", dialog.FormatReplaces(id))
	wait()
	if e := expect[dialog.Ended](t, alices); e.Remote {
		t.Errorf("the replaced call: %+v", e)
	}
	id.FromTag = "guess"
	_, wait = sipp(t, alice, "rfc3891_stranger.xml", "-key", "replaces", dialog.FormatReplaces(id))
	wait()
}

func TestSIPpRFC3515TransfersAndHearsTheEndAfterItsBYE(t *testing.T) {
	refers := make(chan dialog.Referred, 1)
	calls := make(chan *dialog.Session, 1)
	p := sippPhone(t, func(s *dialog.Session) {
		s.Bind(func(e dialog.Event) {
			switch e := e.(type) {
			case dialog.Referred:
				s.AnswerRefer(e.ID, 202)
				refers <- e
			case dialog.Ended:
				calls <- s
			}
		})
		s.Accept([]byte(answer))
	})
	_, wait := sipp(t, p, "rfc3515_referrer.xml")
	var r dialog.Referred
	select {
	case r = <-refers:
	case <-time.After(15 * time.Second):
		wait()
		t.Fatal("no REFER came")
	}
	if r.ReferTo != "sip:300@box" || r.Replaces == nil || r.Replaces.CallID != "a@b" || r.ReferredBy == "" {
		t.Errorf("%+v", r)
	}
	select {
	case s := <-calls:
		s.NotifyRefer(r.ID, 200, "OK", true)
	case <-time.After(15 * time.Second):
		t.Error("no BYE came")
	}
	wait()
}
