package dialog_test

import (
	"maps"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/dialog"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// memory is a hot journal that shards of several goroutines write.
type memory struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (m *memory) Put(_, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept[key] = value
	return nil
}

func (m *memory) Delete(_, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.kept, key)
	return nil
}

func (m *memory) copied() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.kept)
}

// box is a phone that can be stopped dead and started again from its journal on the same address.
type box struct {
	phone
	addr    netip.AddrPort // UDP
	tcp     netip.AddrPort
	journal *memory
	invite  func(*dialog.Session)
}

func newBox(t *testing.T, invite func(*dialog.Session)) *box {
	t.Helper()
	b := &box{addr: netip.MustParseAddrPort("127.0.0.1:0"), tcp: netip.MustParseAddrPort("127.0.0.1:0"), journal: &memory{kept: map[string][]byte{}}, invite: invite}
	b.start(t)
	b.addr, b.tcp = b.stack.Addresses("udp")[0], b.stack.Addresses("tcp")[0]
	t.Cleanup(func() { b.stop(t) })
	return b
}

func (b *box) start(t *testing.T) []*dialog.Session {
	t.Helper()
	st, err := stack.New(stack.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.ListenUDP(b.addr); err != nil {
		t.Fatal(err)
	}
	if err := st.ListenTCP(b.tcp); err != nil {
		t.Fatal(err)
	}
	ua := dialog.New(dialog.Config{Stack: dialog.OnStack(st), Journal: b.journal, UserAgent: "Pronto", Invite: b.invite})
	b.phone = phone{st, ua}
	sessions, _, errs := ua.Restore(b.journal.copied())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	st.Serve(ua)
	return sessions
}

// stop closes the sockets under the calls: nobody says goodbye.
func (b *box) stop(t *testing.T) {
	t.Helper()
	b.ua.Close()
	if err := b.stack.Close(); err != nil {
		t.Error(err)
	}
}

// restart returns the one session that the next process finds.
func (b *box) restart(t *testing.T, events chan dialog.Event) *dialog.Session {
	t.Helper()
	b.stop(t)
	sessions := b.start(t)
	if len(sessions) != 1 {
		t.Fatalf("%d sessions restored", len(sessions))
	}
	sessions[0].Bind(func(e dialog.Event) { events <- e })
	return sessions[0]
}

// closed waits until b knows that the other side's connection is gone: a message that leaves before
// is lost with it, and only its transaction's time-out tells.
func closed(t *testing.T, b *box, flow stack.Flow) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); b.stack.Alive(flow); {
		if time.Now().After(deadline) {
			t.Fatal("the old connection stands")
		}
		runtime.Gosched()
	}
}

func TestARestartOnRealSocketsLosesNoCall(t *testing.T) {
	calls := make(chan *dialog.Session, 1)
	alices, bobs := make(chan dialog.Event, 64), make(chan dialog.Event, 64)
	bob := newBox(t, func(s *dialog.Session) {
		s.Bind(func(e dialog.Event) { bobs <- e })
		s.Provisional(180, nil)
		calls <- s
	})
	alice := newBox(t, nil)

	t.Run("the callee rings on and answers", func(t *testing.T) {
		alice.call(t, &bob.phone, "udp", func(e dialog.Event) { alices <- e })
		<-calls
		expect[dialog.Provisional](t, alices)
		b := bob.restart(t, bobs)
		b.Accept([]byte(answer))
		expect[dialog.Answered](t, alices)
		expect[dialog.Confirmed](t, bobs)

		a := alice.restart(t, alices) // and now the caller of the established call
		a.Reoffer([]byte(offer))
		expect[dialog.Reoffered](t, bobs)
		b.AnswerReoffer([]byte(answer))
		if d := expect[dialog.ReofferDone](t, alices); d.Status != 200 {
			t.Errorf("re-offer after the restart: %d", d.Status)
		}
		b.Hangup(tel.CauseNormal)
		expect[dialog.Ended](t, bobs)
		if e := expect[dialog.Ended](t, alices); !e.Remote {
			t.Errorf("alice: %+v", e)
		}
	})
	t.Run("the caller can still cancel", func(t *testing.T) {
		alice.call(t, &bob.phone, "udp", func(e dialog.Event) { alices <- e })
		<-calls
		expect[dialog.Provisional](t, alices)
		a := alice.restart(t, alices)
		a.Hangup(tel.CauseAnsweredElsewhere)
		expect[dialog.Ended](t, alices)
		if e := expect[dialog.Ended](t, bobs); e.Cause != tel.CauseAnsweredElsewhere || !e.Remote {
			t.Errorf("bob: %+v", e)
		}
	})
	t.Run("the callee can still be cancelled", func(t *testing.T) {
		a := alice.call(t, &bob.phone, "udp", func(e dialog.Event) { alices <- e })
		<-calls
		expect[dialog.Provisional](t, alices)
		bob.restart(t, bobs)
		a.Hangup(tel.CauseNormal)
		expect[dialog.Ended](t, alices)
		if e := expect[dialog.Ended](t, bobs); e.Cause != tel.CauseCancelled || !e.Remote {
			t.Errorf("bob: %+v", e)
		}
	})
	for _, callerRestarts := range []bool{true, false} {
		t.Run("an established call over TCP finds a new connection", func(t *testing.T) {
			a := alice.call(t, &bob.phone, "tcp", func(e dialog.Event) { alices <- e })
			b := <-calls
			expect[dialog.Provisional](t, alices)
			b.Accept([]byte(answer))
			expect[dialog.Answered](t, alices)
			expect[dialog.Confirmed](t, bobs)
			if old := b.Flow(); callerRestarts {
				a = alice.restart(t, alices)
				closed(t, bob, old)
			} else {
				old.Local, old.Remote = old.Remote, old.Local
				b = bob.restart(t, bobs)
				closed(t, alice, old)
			}
			b.SendInfo("text/plain", []byte("to the caller")) // whose Contact is where it listens
			expect[dialog.Info](t, alices)
			a.SendInfo("text/plain", []byte("to the callee"))
			expect[dialog.Info](t, bobs)
			a.Hangup(tel.CauseNormal)
			expect[dialog.Ended](t, alices)
			expect[dialog.Ended](t, bobs)
		})
	}
}

func TestTheAnswerInEarlyMediaStandsWhenTheCalleeComesBack(t *testing.T) {
	calls := make(chan *dialog.Session, 1)
	alices, bobs := make(chan dialog.Event, 64), make(chan dialog.Event, 64)
	bob := newBox(t, func(s *dialog.Session) {
		s.Bind(func(e dialog.Event) { bobs <- e })
		s.Provisional(180, nil)
		calls <- s
	})
	alice := newBox(t, nil)
	a := alice.call(t, &bob.phone, "udp", func(e dialog.Event) { alices <- e })
	b := <-calls
	expect[dialog.Provisional](t, alices)
	b.Provisional(183, []byte(answer))
	expect[dialog.Provisional](t, alices)
	b = bob.restart(t, bobs)
	b.Accept([]byte(answer)) // the 2xx without it, since the 183 was acknowledged; or with it, if the PRACK was lost
	if e := expect[dialog.Answered](t, alices); string(e.SDP) != answer {
		t.Errorf("the caller learns %q", e.SDP)
	}
	expect[dialog.Confirmed](t, bobs)
	a.Hangup(tel.CauseNormal)
	expect[dialog.Ended](t, alices)
	expect[dialog.Ended](t, bobs)
}
