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
	s, err := New(Config{Closed: func(f Flow) { ended <- f }, Greeting: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ListenTCP(netip.MustParseAddrPort("127.0.0.1:0")); err != nil {
		t.Fatal(err)
	}
	s.Serve(deaf{})
	dial := func() net.Conn {
		c, err := net.Dial("tcp", s.Addresses("tcp")[0].String())
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
	hung := dial()
	if err := hung.Close(); err != nil {
		t.Fatal(err)
	}
	wait("the phone hangs up", hung)
	silent := dial()
	wait("the phone never speaks", silent)
	_ = silent.Close()
	up := dial()
	defer up.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(ended) != 0 {
		t.Error("our own end is told: bindings that the next process takes over would be dropped")
	}
}
