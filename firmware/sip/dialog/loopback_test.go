package dialog_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

const (
	offer  = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n"
	answer = "v=0\r\no=- 2 1 IN IP4 127.0.0.1\r\ns=-\r\n"
)

// phone is a user agent on real sockets.
type phone struct {
	stack *stack.Stack
	ua    *dialog.UA
}

func newPhone(tb testing.TB, invite func(*dialog.Session)) *phone {
	tb.Helper()
	st, err := stack.New(stack.Config{MaxTransactions: 1 << 20, SourceRate: 1 << 20, Queue: 1 << 12, UserAgent: "Pronto"})
	if err != nil {
		tb.Fatal(err)
	}
	any := netip.MustParseAddrPort("127.0.0.1:0")
	if err := st.ListenUDP(any); err != nil {
		tb.Fatal(err)
	}
	if err := st.ListenTCP(any); err != nil {
		tb.Fatal(err)
	}
	p := &phone{stack: st, ua: dialog.New(dialog.Config{Stack: dialog.OnStack(st), UserAgent: "Pronto", Invite: invite})}
	st.Serve(p.ua)
	tb.Cleanup(func() {
		p.ua.Close()
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	return p
}

// call rings to and hands every event to sink.
func (p *phone) call(tb testing.TB, to *phone, transport string, sink func(dialog.Event)) *dialog.Session {
	tb.Helper()
	addr := to.stack.Addresses(transport)[0]
	target := sip.Uri{Scheme: "sip", User: "201", Host: addr.Addr().String(), Port: int(addr.Port())}
	flow, err := p.stack.Resolve(context.Background(), target, transport)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := p.ua.Invite(dialog.InviteRequest{
		From: dialog.Address{URI: sip.Uri{Scheme: "sip", User: "200", Host: "127.0.0.1"}}, To: dialog.Address{URI: target},
		Target: target, Flow: flow, SDP: []byte(offer), Events: sink,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// expect waits for the next event and checks its type.
func expect[E dialog.Event](t *testing.T, events <-chan dialog.Event) E {
	t.Helper()
	select {
	case e := <-events:
		got, ok := e.(E)
		if !ok {
			t.Fatalf("event %T %+v, want %T", e, e, got)
		}
		return got
	case <-time.After(15 * time.Second):
		var want E
		t.Fatalf("no %T came", want)
		panic("not reached")
	}
}

func TestTwoUserAgentsTalkOverRealSockets(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			calls := make(chan *dialog.Session, 1)
			bobs, alices := make(chan dialog.Event, 64), make(chan dialog.Event, 64)
			bob := newPhone(t, func(s *dialog.Session) {
				s.Bind(func(e dialog.Event) { bobs <- e })
				calls <- s
			})
			alice := newPhone(t, nil)

			a := alice.call(t, bob, transport, func(e dialog.Event) { alices <- e })
			b := <-calls
			if string(b.RemoteOffer()) != offer || b.Flow().Transport != transport {
				t.Errorf("offer %q over %s", b.RemoteOffer(), b.Flow().Transport)
			}
			b.Provisional(183, []byte(answer))
			if p := expect[dialog.Provisional](t, alices); p.Status != 183 || string(p.SDP) != answer {
				t.Errorf("provisional %+v", p)
			}
			b.Accept([]byte(answer))
			if got := expect[dialog.Answered](t, alices); string(got.SDP) != answer {
				t.Errorf("answer %q", got.SDP)
			}
			expect[dialog.Confirmed](t, bobs)

			b.Reoffer([]byte(offer)) // towards the caller: over TCP it uses the caller's connection
			expect[dialog.Reoffered](t, alices)
			a.AnswerReoffer([]byte(answer))
			if done := expect[dialog.ReofferDone](t, bobs); done.Status != 200 {
				t.Errorf("re-offer %d", done.Status)
			}
			a.SendInfo("application/dtmf-relay", []byte("Signal=1\r\n"))
			if i := expect[dialog.Info](t, bobs); string(i.Body) != "Signal=1\r\n" {
				t.Errorf("info %+v", i)
			}
			b.Hangup(tel.CauseMediaTimeout)
			if e := expect[dialog.Ended](t, bobs); e.Remote {
				t.Errorf("bob: %+v", e)
			}
			if e := expect[dialog.Ended](t, alices); !e.Remote || e.Cause != tel.CauseMediaTimeout {
				t.Errorf("alice: %+v", e)
			}
		})
	}
}

func TestACancelOverRealSocketsCarriesItsReason(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			bobs, alices := make(chan dialog.Event, 64), make(chan dialog.Event, 64)
			bob := newPhone(t, func(s *dialog.Session) {
				s.Bind(func(e dialog.Event) { bobs <- e })
				s.Provisional(180, nil)
			})
			alice := newPhone(t, nil)
			a := alice.call(t, bob, transport, func(e dialog.Event) { alices <- e })
			expect[dialog.Provisional](t, alices)
			a.Hangup(tel.CauseAnsweredElsewhere)
			expect[dialog.Ended](t, alices)
			if e := expect[dialog.Ended](t, bobs); !e.Remote || e.Cause != tel.CauseAnsweredElsewhere {
				t.Errorf("bob: %+v", e)
			}
		})
	}
}

func TestManyCallsAtOnceOverRealSockets(t *testing.T) {
	const n = 200
	bob := newPhone(t, func(s *dialog.Session) {
		s.Bind(func(e dialog.Event) {
			if _, ok := e.(dialog.Confirmed); ok {
				s.Hangup(tel.CauseNormal)
			}
		})
		s.Provisional(180, nil)
		s.Accept([]byte(answer))
	})
	alice := newPhone(t, nil)
	var answered atomic.Int64
	ended := make(chan string, n)
	window := make(chan struct{}, 32) // one TCP connection queues so many messages, no more
	for i := range n {
		window <- struct{}{}
		story := make([]string, 0, 3)
		alice.call(t, bob, []string{"udp", "tcp"}[i%2], func(e dialog.Event) {
			story = append(story, strings.TrimPrefix(fmt.Sprintf("%T", e), "core."))
			switch e := e.(type) {
			case dialog.Answered:
				answered.Add(1)
			case dialog.Rejected:
				t.Errorf("%d %s", e.Status, e.Reason)
			case dialog.Ended:
				ended <- strings.Join(story, " ")
				<-window
			}
		})
	}
	for range n {
		select {
		case story := <-ended:
			if story != "Provisional Answered Ended" { // finding 1: the order is kept
				t.Errorf("a call went %s", story)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%d of %d answered, not all ended", answered.Load(), n)
		}
	}
}

// BenchmarkSetup makes whole calls between two user agents on loopback: INVITE, 180, 200, ACK, BYE,
// 200. The allocations are those of both sides together.
func BenchmarkSetup(b *testing.B) {
	for _, transport := range []string{"udp", "tcp"} {
		b.Run(transport, func(b *testing.B) {
			bob := newPhone(b, func(s *dialog.Session) {
				s.Bind(nil)
				s.Provisional(180, nil)
				s.Accept([]byte(answer))
			})
			alice := newPhone(b, nil)
			slots := make(chan struct{}, 16) // calls at once
			b.ReportAllocs()
			var failed atomic.Int64
			for b.Loop() {
				slots <- struct{}{}
				up := make(chan struct{})
				s := alice.call(b, bob, transport, func(e dialog.Event) {
					switch e.(type) {
					case dialog.Answered:
						close(up)
					case dialog.Rejected:
						failed.Add(1)
						close(up)
					case dialog.Ended:
						<-slots
					}
				})
				go func() {
					<-up
					s.Hangup(tel.CauseNormal)
				}()
			}
			for range cap(slots) {
				slots <- struct{}{}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
			if failed.Load() > 0 {
				b.Errorf("%d calls failed", failed.Load())
			}
		})
	}
}
