package stack

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// deaf takes everything and answers nothing.
type deaf struct{}

func (deaf) Request(*ServerTx)                 {}
func (deaf) Ack(*sip.Request, Flow)            {}
func (deaf) StrayResponse(*sip.Response, Flow) {}

// What is bound to a connection must learn of its end when it happens, from whichever side.
func TestAConnectionThatEndsIsTold(t *testing.T) {
	ended := make(chan Flow, 8)
	serve := func(greeting time.Duration) *Stack {
		s, err := New(Config{Closed: func(f Flow) { ended <- f }, Greeting: greeting})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.ListenTCP(netip.MustParseAddrPort("127.0.0.1:0")); err != nil {
			t.Fatal(err)
		}
		s.Serve(deaf{})
		return s
	}
	dial := func(to *Stack) net.Conn {
		c, err := net.Dial("tcp", to.Addresses("tcp")[0].String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	wait := func(why string, c net.Conn) {
		t.Helper()
		select {
		case f := <-ended:
			if f.Transport != "tcp" || f.Remote.String() != c.LocalAddr().String() {
				t.Errorf("%s: told of %+v", why, f)
			}
		case <-time.After(15 * time.Second):
			t.Errorf("%s: nothing was told", why)
		}
	}
	s := serve(50 * time.Millisecond)
	hung := dial(s)
	if err := hung.Close(); err != nil {
		t.Fatal(err)
	}
	wait("the phone hangs up", hung)
	silent := dial(s)
	wait("the phone never speaks", silent)
	_ = silent.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = serve(patience)
	up := dial(s)
	defer up.Close()
	eventually(t, "the connection", func() bool { return s.Stats().Conns == 1 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(ended) != 0 {
		t.Error("our own end is told: bindings that the next process takes over would be dropped")
	}
}
